//! What goes over the admin port: one request with the words of a command, an answer of lines of JSON.
//!
//! `POST /nodetool` with `content-type: application/json`. Pages in a browser cannot send that to another address
//! than their own without asking first, and the asking (OPTIONS) is refused; a `Host` that is not loopback's own, or
//! an `Origin`, is refused too.

use serde::{Deserialize, Serialize};

/// Where commands are sent.
pub const PATH: &str = "/nodetool";
/// The port if none is named: that of Cassandra's JMX, which users know.
pub const DEFAULT_PORT: u16 = 7199;
/// Most bytes of a request.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;

/// A command.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The words that were typed, command first.
    pub arguments: Vec<String>,
}

/// A line of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// Text for standard output, as it is.
    Out(String),
    /// Text for standard error, as it is.
    Error(String),
    /// How far it is; to be drawn on a terminal only.
    Progress(Progress),
    /// It has ended; the process ends with this.
    Exit(u8),
}

/// How far something is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done.
    pub what: String,
    /// Bytes that are done.
    pub done: u64,
    /// All of them.
    pub total: u64,
}
