//! Why a tool gave up.

use std::fmt;
use std::io;

use sstable::{ReadError, WriteError};

/// Why a tool gave up.
#[derive(Debug)]
pub enum ToolError {
    /// What was asked for makes no sense: say it otherwise.
    Usage(String),
    /// An SSTable is damaged or not to be read.
    Read(ReadError),
    /// An SSTable could not be written.
    Write(WriteError),
    /// The disk or the terminal said no.
    Io(io::Error),
    /// The engine said no.
    Engine(String),
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ToolError::Usage(what) | ToolError::Engine(what) => f.write_str(what),
            ToolError::Read(error) => error.fmt(f),
            ToolError::Write(error) => error.fmt(f),
            ToolError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ToolError {}

impl From<ReadError> for ToolError {
    fn from(error: ReadError) -> ToolError {
        ToolError::Read(error)
    }
}

impl From<WriteError> for ToolError {
    fn from(error: WriteError) -> ToolError {
        ToolError::Write(error)
    }
}

impl From<io::Error> for ToolError {
    fn from(error: io::Error) -> ToolError {
        ToolError::Io(error)
    }
}
