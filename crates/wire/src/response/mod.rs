//! Responses: what a server answers.
//!
//! A server appends them to one buffer of envelopes ([`Response::encode`]; rows of the hot path go through
//! [`RowsWriter`], which takes values as they are read). A client gets [`Decoded`] back.
//!
//! Read in order: [`Response`], [`envelope`] (tracing id, warnings, payload), [`metadata`] (columns and
//! types), [`rows`], [`error`] (codes and bodies), [`event`], [`decode`].
//!
//! Never here: which error a failure is; the choice is made in `server`.

pub mod envelope;

pub mod metadata;

mod types;

pub mod rows;

pub mod error;

pub mod event;

pub mod decode;

use std::sync::Arc;

use bytes::Bytes;
use model::Value;

pub use decode::Decoded;
pub use envelope::{Extras, ReplyTo, ResponseWriter};
pub use error::{ErrorBody, ErrorKind};
pub use event::{Event, EventKind, SchemaChange, SchemaChangeKind, SchemaTarget};
pub use metadata::{ColumnSpec, PreparedMetadata, ResultMetadata};
pub use rows::{RowsWriter, SentMetadata};

use crate::codec;
use crate::version::{Opcode, Version};

const KIND_VOID: i32 = 1;
const KIND_ROWS: i32 = 2;
const KIND_SET_KEYSPACE: i32 = 3;
const KIND_PREPARED: i32 = 4;
const KIND_SCHEMA_CHANGE: i32 = 5;

/// A response, in a form that is easy to make and to look at.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// ERROR
    Error(ErrorBody),
    /// READY
    Ready,
    /// AUTHENTICATE: class name of the authenticator.
    Authenticate(String),
    /// SUPPORTED: options in this order.
    Supported(Vec<(String, Vec<String>)>),
    /// AUTH_CHALLENGE: a SASL token.
    AuthChallenge(Option<Bytes>),
    /// AUTH_SUCCESS: a SASL token.
    AuthSuccess(Option<Bytes>),
    /// EVENT
    Event(Event),
    /// RESULT without anything.
    Void,
    /// RESULT with rows.
    Rows(Rows),
    /// RESULT of USE.
    SetKeyspace(String),
    /// RESULT of PREPARE.
    Prepared(Box<Prepared>),
    /// RESULT of a schema change.
    SchemaChange(SchemaChange),
}

/// A page of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// What the columns are.
    pub metadata: Arc<ResultMetadata>,
    /// What of it is sent.
    pub sent: SentMetadata,
    /// Where to go on; none on the last page.
    pub paging_state: Option<Bytes>,
    /// Rows; each has as many values as there are columns.
    pub rows: Vec<Vec<Value>>,
}

/// What a client has to know of a prepared statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// Id of the statement.
    pub id: Bytes,
    /// What its markers are.
    pub bind: PreparedMetadata,
    /// What its result is; none if it has no rows, or only now and then (LWT).
    pub result: Option<Arc<ResultMetadata>>,
}

impl Response {
    /// The opcode of such a response.
    pub fn opcode(&self) -> Opcode {
        match self {
            Response::Error(_) => Opcode::Error,
            Response::Ready => Opcode::Ready,
            Response::Authenticate(_) => Opcode::Authenticate,
            Response::Supported(_) => Opcode::Supported,
            Response::AuthChallenge(_) => Opcode::AuthChallenge,
            Response::AuthSuccess(_) => Opcode::AuthSuccess,
            Response::Event(_) => Opcode::Event,
            _ => Opcode::Result,
        }
    }

    /// Appends the response as an envelope.
    pub fn encode(&self, reply: &ReplyTo, extras: &Extras, out: &mut Vec<u8>) {
        let mut writer = ResponseWriter::begin(out, reply, self.opcode());
        self.encode_body(reply.version, writer.body());
        writer.finish(extras);
    }

    fn encode_body(&self, version: Version, out: &mut Vec<u8>) {
        match self {
            Response::Error(error) => error.encode(version, out),
            Response::Ready => {}
            Response::Authenticate(class) => codec::put_string(out, class),
            Response::Supported(options) => {
                codec::put_count(out, options.len());
                for (key, values) in options {
                    codec::put_string(out, key);
                    codec::put_string_list(out, values);
                }
            }
            Response::AuthChallenge(token) | Response::AuthSuccess(token) => {
                codec::put_bytes(out, token.as_deref());
            }
            Response::Event(event) => event.encode(version, out),
            Response::Void => codec::put_int(out, KIND_VOID),
            Response::Rows(rows) => rows.encode(version, out),
            Response::SetKeyspace(keyspace) => {
                codec::put_int(out, KIND_SET_KEYSPACE);
                codec::put_string(out, keyspace);
            }
            Response::Prepared(prepared) => prepared.encode(version, out),
            Response::SchemaChange(change) => {
                codec::put_int(out, KIND_SCHEMA_CHANGE);
                change.encode(version, out);
            }
        }
    }
}

impl Prepared {
    fn encode(&self, version: Version, out: &mut Vec<u8>) {
        codec::put_int(out, KIND_PREPARED);
        codec::put_short_bytes(out, &self.id);
        if version >= Version::V5 {
            let id = self.result.as_ref().map_or(metadata::NO_RESULT_ID, |result| result.id());
            codec::put_short_bytes(out, &id);
        }
        self.bind.encode(version, out);
        match &self.result {
            Some(result) => result.encode_described(version, out),
            None => metadata::encode_no_result(out),
        }
    }
}

#[cfg(test)]
mod tests;
