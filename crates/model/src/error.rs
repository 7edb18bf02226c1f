//! What a client can be told instead of an answer.

use std::fmt;
use std::sync::Arc;

/// A request's failure in the words of the native protocol ("Error codes"). The number of each on the wire
/// is chosen in `server`, nowhere else.
///
/// Truthfulness (P20): `Syntax` to `Unprepared`, `Unavailable` and `Overloaded` mean that nothing was
/// applied; the timeouts and failures of writes mean that it is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the protocol's error bodies")]
pub enum QueryError {
    /// Something broke inside; the text says what.
    Server(String),
    /// The client broke the protocol.
    Protocol(String),
    /// Wrong name or password.
    BadCredentials(String),
    /// Too few live replicas to begin with.
    Unavailable { consistency: u16, required: i32, alive: i32 },
    /// Refused because there is too much to do. Try again later.
    Overloaded(String),
    /// TRUNCATE failed.
    Truncate(String),
    /// Replicas did not acknowledge in time; they may have applied it.
    WriteTimeout {
        consistency: u16,
        received: i32,
        required: i32,
        write_type: &'static str,
        contentions: i32,
    },
    /// Replicas did not answer in time.
    ReadTimeout { consistency: u16, received: i32, required: i32, data_present: bool },
    /// Replicas failed. `reasons`: address and code of each.
    ReadFailure {
        consistency: u16,
        received: i32,
        required: i32,
        data_present: bool,
        reasons: Vec<(std::net::IpAddr, u16)>,
    },
    /// Replicas failed; they may have applied it.
    WriteFailure {
        consistency: u16,
        received: i32,
        required: i32,
        write_type: &'static str,
        reasons: Vec<(std::net::IpAddr, u16)>,
    },
    /// A function failed on its arguments.
    Function { keyspace: String, name: String, arguments: Vec<String>, message: String },
    /// The text is no CQL.
    Syntax(String),
    /// Not allowed.
    Unauthorized(String),
    /// CQL, but it makes no sense here.
    Invalid(String),
    /// An option's value is wrong.
    Config(String),
    /// It exists already. `table` is empty for a keyspace.
    AlreadyExists { keyspace: String, table: String, message: String },
    /// No statement of that id: prepare it again.
    Unprepared { id: Arc<[u8]> },
}

impl QueryError {
    /// `Invalid` of a text.
    pub fn invalid(message: impl Into<String>) -> QueryError {
        QueryError::Invalid(message.into())
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueryError::Server(text)
            | QueryError::Protocol(text)
            | QueryError::BadCredentials(text)
            | QueryError::Overloaded(text)
            | QueryError::Truncate(text)
            | QueryError::Syntax(text)
            | QueryError::Unauthorized(text)
            | QueryError::Invalid(text)
            | QueryError::Config(text) => f.write_str(text),
            QueryError::AlreadyExists { message, .. } | QueryError::Function { message, .. } => {
                f.write_str(message)
            }
            QueryError::Unavailable { consistency, .. } => {
                write!(f, "Cannot achieve consistency level {}", consistency_name(*consistency))
            }
            QueryError::WriteTimeout { received, .. } | QueryError::ReadTimeout { received, .. } => {
                write!(f, "Operation timed out - received only {received} responses.")
            }
            QueryError::ReadFailure { received, reasons, .. }
            | QueryError::WriteFailure { received, reasons, .. } => {
                write!(f, "Operation failed - received {received} responses and {} failures", reasons.len())?;
                let mut lead = ": ";
                for (address, reason) in reasons {
                    write!(f, "{lead}{} from /{address}:7000", failure_name(*reason))?;
                    lead = ", ";
                }
                Ok(())
            }
            QueryError::Unprepared { id } => {
                write!(f, "Prepared query with ID ")?;
                for byte in id.iter() {
                    write!(f, "{byte:02x}")?;
                }
                f.write_str(
                    " not found (either the query was not prepared on this host (maybe the host has been \
                     restarted?) or you have prepared too many queries and it has been evicted from the \
                     internal cache)",
                )
            }
        }
    }
}

impl std::error::Error for QueryError {}

/// The name of a consistency level by its protocol number.
pub fn consistency_name(level: u16) -> &'static str {
    const NAMES: [&str; 12] = [
        "ANY",
        "ONE",
        "TWO",
        "THREE",
        "QUORUM",
        "ALL",
        "LOCAL_QUORUM",
        "EACH_QUORUM",
        "SERIAL",
        "LOCAL_SERIAL",
        "LOCAL_ONE",
        "NODE_LOCAL",
    ];
    NAMES.get(usize::from(level)).copied().unwrap_or("UNKNOWN")
}

fn failure_name(reason: u16) -> &'static str {
    match reason {
        1 => "READ_TOO_MANY_TOMBSTONES",
        2 => "TIMEOUT",
        3 => "INCOMPATIBLE_SCHEMA",
        _ => "UNKNOWN",
    }
}
