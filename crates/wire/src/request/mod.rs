//! Requests: what a client asks for.
//!
//! Values stay slices of the body they came in; nothing here looks into them.
//!
//! Read in order: [`Request`], [`params`] ([`QueryParams`]), [`decode`], [`encode`] (for clients).

pub mod params;

mod decode;
mod encode;

use bytes::Bytes;

use crate::codec::Text;
use crate::response::EventKind;
use crate::version::{Opcode, Version};

pub use params::{BoundValue, QueryParams, Values};

/// A request with what its header says.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The connection's version.
    pub version: Version,
    /// Chosen by the client, echoed in the answer.
    pub stream: i16,
    /// The client wants a trace.
    pub tracing: bool,
    /// Custom payload: read by nobody, echoed to nobody.
    pub payload: Vec<(Text, Option<Bytes>)>,
    /// What is asked.
    pub body: RequestBody,
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestBody {
    /// STARTUP: options in the order sent.
    Startup(Vec<(Text, Text)>),
    /// AUTH_RESPONSE: a SASL token.
    AuthResponse(Option<Bytes>),
    /// OPTIONS
    Options,
    /// QUERY
    Query {
        /// CQL text.
        text: Text,
        /// Values and options.
        params: QueryParams,
    },
    /// PREPARE
    Prepare {
        /// CQL text.
        text: Text,
        /// Keyspace of unqualified names (v5).
        keyspace: Option<Text>,
    },
    /// EXECUTE
    Execute {
        /// Id of the statement.
        id: Bytes,
        /// Id of the result metadata that the client holds (v5).
        result_metadata_id: Option<Bytes>,
        /// Values and options.
        params: QueryParams,
    },
    /// BATCH
    Batch {
        /// Logged or not.
        kind: BatchKind,
        /// Statements, each with its values.
        statements: Vec<(StatementRef, Vec<BoundValue>)>,
        /// Options; without values.
        params: QueryParams,
    },
    /// REGISTER
    Register(Vec<EventKind>),
}

impl RequestBody {
    /// The opcode of such a request.
    pub fn opcode(&self) -> Opcode {
        match self {
            RequestBody::Startup(_) => Opcode::Startup,
            RequestBody::AuthResponse(_) => Opcode::AuthResponse,
            RequestBody::Options => Opcode::Options,
            RequestBody::Query { .. } => Opcode::Query,
            RequestBody::Prepare { .. } => Opcode::Prepare,
            RequestBody::Execute { .. } => Opcode::Execute,
            RequestBody::Batch { .. } => Opcode::Batch,
            RequestBody::Register(_) => Opcode::Register,
        }
    }
}

/// A statement of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementRef {
    /// CQL text.
    Text(Text),
    /// Id of a prepared statement.
    Id(Bytes),
}

/// Kind of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in CQL")]
pub enum BatchKind {
    Logged = 0,
    Unlogged = 1,
    Counter = 2,
}

#[cfg(test)]
mod tests;
