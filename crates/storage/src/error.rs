//! Why the engine did not do what it was asked for.

use std::fmt;
use std::io;
use std::path::PathBuf;

use model::TableId;
use model::partition::SourceError;

/// Why a write failed. All but [`WriteError::Unsynced`] mean that nothing was applied (P20).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The mutation is larger than the commit log takes: never try again.
    TooLarge {
        /// Bytes of the entry.
        bytes: usize,
        /// Most bytes of an entry.
        bytes_max: usize,
    },
    /// A value is longer than cells may be.
    ValueTooLarge {
        /// Its length.
        bytes: usize,
        /// Most bytes of a value.
        bytes_max: usize,
    },
    /// A partition key of no byte or of more than 65,535.
    KeyLength {
        /// Its length.
        bytes: usize,
    },
    /// The deletion of a partition or range with a timestamp before 1970: SSTables cannot hold it.
    NegativeDeletion {
        /// Its timestamp.
        timestamp_us: i64,
    },
    /// No such table (any more): bind the statement again.
    UnknownTable(TableId),
    /// The mutation knows columns that the engine does not: the schema change has not been applied here yet.
    NewerSchema(TableId),
    /// Too much waits for flushes. Try again later.
    Overloaded(String),
    /// The disk has no room for more. Reads go on, and so do writes once there is room again.
    DiskFull(String),
    /// The engine is being stopped.
    Stopping,
    /// The commit log failed before; nothing is written any more until the node is restarted.
    DiskFailed(String),
    /// It was applied, but could not be made safe: it may be there after a restart, or not.
    Unsynced(String),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::TooLarge { bytes, bytes_max } => {
                write!(f, "mutation of {bytes} bytes is too large for the maximum size of {bytes_max}")
            }
            WriteError::ValueTooLarge { bytes, bytes_max } => {
                write!(f, "value of {bytes} bytes is too large for the maximum size of {bytes_max}")
            }
            WriteError::KeyLength { bytes } => {
                write!(f, "partition key has {bytes} bytes, 1 to {} are allowed", model::key::MAX_KEY_BYTES)
            }
            WriteError::NegativeDeletion { timestamp_us } => {
                write!(f, "a partition or range cannot be deleted with the negative timestamp {timestamp_us}")
            }
            WriteError::UnknownTable(id) => write!(f, "there is no table {id}"),
            WriteError::NewerSchema(id) => write!(f, "table {id} has columns that storage does not know yet"),
            WriteError::Overloaded(what) => write!(f, "too much waits to be flushed: {what}"),
            WriteError::DiskFull(what) => write!(f, "the disk is full: {what}"),
            WriteError::Stopping => f.write_str("storage is being stopped"),
            WriteError::DiskFailed(what) => {
                write!(f, "the commit log failed, writes are refused until a restart: {what}")
            }
            WriteError::Unsynced(what) => {
                write!(f, "the commit log could not be synced, the write may be lost: {what}")
            }
        }
    }
}

impl std::error::Error for WriteError {}

/// Why a read failed.
#[derive(Debug)]
pub enum ReadError {
    /// No such table (any more): bind the statement again.
    UnknownTable(TableId),
    /// An SSTable that may hold what was asked for is damaged and set aside.
    SetAside {
        /// The SSTable.
        descriptor: String,
        /// What is wrong with it.
        why: String,
    },
    /// A source failed: a damaged file, a disk error.
    Source(SourceError),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::UnknownTable(id) => write!(f, "there is no table {id}"),
            ReadError::SetAside { descriptor, why } => write!(
                f,
                "rows may be missing: SSTable {descriptor} is damaged and set aside ({why}); scrub or restore it, or \
                 accept the loss with disk_failure_policy: best_effort"
            ),
            ReadError::Source(source) => source.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<SourceError> for ReadError {
    fn from(source: SourceError) -> Self {
        ReadError::Source(source)
    }
}

/// Why an engine could not be opened, or a flush or truncation not be done.
#[derive(Debug)]
pub enum OpenError {
    /// The disk said no.
    Io {
        /// What it was about.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A file contradicts itself where no crash can explain it.
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        found: String,
        /// What is lost at most, and what the operator can do.
        lost: String,
    },
    /// A file of a later version of Helenus.
    Unsupported {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// An SSTable could not be read or written.
    SsTable {
        /// Where.
        path: PathBuf,
        /// Why.
        source: SourceError,
    },
    /// The schema could not be loaded.
    Schema(SourceError),
    /// What was asked for makes no sense, or names something that is not there: nothing was done.
    Refused(String),
    /// An operation on SSTables was stopped, or could not begin; nothing was changed by it.
    Stopped {
        /// Which one, and why.
        what: String,
    },
}

impl OpenError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> OpenError {
        let path = path.into();
        move |source| OpenError::Io { path, source }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Io { path, source } => write!(f, "{}: {source}", path.display()),
            OpenError::Damaged { path, offset, found, lost } => {
                write!(f, "{} is damaged at byte {offset}: {found}. {lost}", path.display())
            }
            OpenError::Unsupported { path, version } => {
                write!(f, "{} has version {version}, written by a later Helenus", path.display())
            }
            OpenError::SsTable { path, source } => write!(f, "{}: {source}", path.display()),
            OpenError::Stopped { what } => f.write_str(what),
            OpenError::Schema(source) => write!(f, "the schema could not be loaded: {source}"),
            OpenError::Refused(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for OpenError {}
