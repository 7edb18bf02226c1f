//! What can go wrong while an SSTable is read or written, by what the caller does next.

use std::fmt;
use std::io;

use model::partition::SourceError;

use crate::descriptor::Component;

/// Why a component of an SSTable could not be read.
#[derive(Debug)]
pub enum ReadError {
    /// The bytes contradict themselves: quarantine the SSTable, then repair from other replicas.
    Corrupt {
        /// The file.
        component: Component,
        /// Byte in the file; in Data.db, of the uncompressed stream.
        offset: u64,
        /// What is wrong.
        found: String,
    },
    /// Written by a format or with a feature that we do not read: leave it alone and name it.
    Unsupported {
        /// The version or feature.
        version: String,
    },
    /// It holds a column that the schema at hand neither has nor has dropped: wait for the schema.
    UnknownColumn {
        /// The column's name.
        column: String,
        /// Why it cannot be read as that table's.
        reason: String,
    },
    /// The disk said no. Retrying is the caller's choice.
    Io {
        /// The file.
        component: Component,
        /// What the system said.
        source: io::Error,
    },
    /// It is not in the cache, and this read must not wait for the disk: fetch it, then read again.
    NotCached {
        /// The file.
        component: Component,
    },
}

impl ReadError {
    /// `Corrupt` of these.
    pub(crate) fn corrupt(component: Component, offset: u64, found: impl Into<String>) -> ReadError {
        ReadError::Corrupt { component, offset, found: found.into() }
    }

    /// `Io`, or `Corrupt` where the file ends before the bytes asked for.
    pub(crate) fn io(component: Component, offset: u64, source: io::Error) -> ReadError {
        if source.kind() == io::ErrorKind::UnexpectedEof {
            return ReadError::corrupt(component, offset, "the file ends too early");
        }
        ReadError::Io { component, source }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Corrupt { component, offset, found } => {
                write!(f, "{component} is corrupt at byte {offset}: {found}")
            }
            ReadError::Unsupported { version } => write!(f, "SSTable version {version} is not supported"),
            ReadError::UnknownColumn { column, reason } => {
                write!(f, "the SSTable holds column {column}, which {reason}")
            }
            ReadError::Io { component, source } => write!(f, "{component} cannot be read: {source}"),
            ReadError::NotCached { component } => write!(f, "{component} is not in memory"),
        }
    }
}

impl std::error::Error for ReadError {}

/// Why an SSTable could not be written. What was written so far is no SSTable: [`crate::Writer::abort`] it.
#[derive(Debug)]
pub enum WriteError {
    /// The disk said no.
    Io {
        /// The file.
        component: Component,
        /// What the system said.
        source: io::Error,
    },
    /// The stream to be written failed.
    Source(SourceError),
    /// A deletion of a partition or an open range before 1970: the format cannot say it. Refuse such
    /// deletions before they get here.
    NegativeDeletion {
        /// Its write time.
        timestamp_us: i64,
    },
    /// Partitions, rows or markers do not ascend, or the stream's markers do not pair up.
    OutOfOrder {
        /// What and where.
        found: String,
    },
    /// The stream holds a column that [`crate::WriteOptions`] does not name.
    ColumnNotNamed {
        /// The column's number.
        column: u32,
    },
    /// Something is longer than the format can say.
    TooLarge {
        /// What, and how long.
        found: String,
    },
    /// The table's options ask for what we do not write.
    Unsupported {
        /// What.
        option: String,
    },
    /// A component could not be compressed.
    Compression {
        /// What the compressor said.
        found: String,
    },
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Io { component, source } => write!(f, "{component} cannot be written: {source}"),
            WriteError::Source(source) => write!(f, "what is to be written cannot be read: {source}"),
            WriteError::NegativeDeletion { timestamp_us } => {
                write!(f, "a deletion with the negative timestamp {timestamp_us} cannot be stored")
            }
            WriteError::OutOfOrder { found } => write!(f, "out of order: {found}"),
            WriteError::ColumnNotNamed { column } => {
                write!(f, "column number {column} was not announced to the writer")
            }
            WriteError::TooLarge { found } => write!(f, "too large to be stored: {found}"),
            WriteError::Unsupported { option } => write!(f, "cannot be written: {option}"),
            WriteError::Compression { found } => write!(f, "compression failed: {found}"),
        }
    }
}

impl std::error::Error for WriteError {}
