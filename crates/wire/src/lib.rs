//! The native protocol v3, v4, v5 and v6-beta: bytes to messages and back, for servers and for clients.
//!
//! A connection hands what it has read to a [`FrameDecoder`] and gets [`Envelope`]s; [`Request::decode`]
//! turns an envelope into a request. Answers are appended to one buffer of envelopes ([`Response::encode`],
//! and [`RowsWriter`] for the hot path), which a [`FrameEncoder`] compresses and cuts into segments.
//! A client uses the same pieces the other way round.
//!
//! Read in order: [`version`] (what differs), [`frame`] (envelopes, segments, compression), [`request`],
//! [`response`], [`codec`] (strings, numbers and lists inside a body).
//!
//! Never here: sockets, async, clocks, CQL. Every length is checked against the input or a cap before
//! memory is taken for it.

pub mod version;

pub mod frame;

pub mod request;

pub mod response;

pub mod codec;

pub mod fuzz;

pub use frame::{Compression, Envelope, FrameDecoder, FrameEncoder, FrameError, Limits};
pub use request::{BatchKind, BoundValue, QueryParams, Request, RequestBody, StatementRef, Values};
pub use response::{
    ColumnSpec, ErrorBody, ErrorKind, Event, Extras, PreparedMetadata, Response, ResultMetadata, RowsWriter,
    SchemaChange, SentMetadata,
};
pub use version::{Opcode, Version};
