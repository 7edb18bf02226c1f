//! Frames: envelopes (header and body), and how they travel: bare in v3 and v4, in checksummed segments from
//! v5 on, compressed or not.
//!
//! Read in order: [`header`] (9 bytes), [`decode`] ([`FrameDecoder`]), [`encode`] ([`FrameEncoder`]),
//! [`segment`] (v5), [`compress`] (LZ4 and Snappy bodies).
//!
//! Never here: what is inside a body.

pub mod header;

pub mod decode;

pub mod encode;

pub mod segment;

pub mod compress;

use bytes::Bytes;
use model::QueryError;

pub use compress::Compression;
pub use decode::FrameDecoder;
pub use encode::FrameEncoder;
pub use header::{HEADER_BYTES, Header};

use crate::response::{ErrorBody, Extras, Response};
use crate::version::{Opcode, Version};

/// One message with its header; the body is whole and not compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Version of the header.
    pub version: Version,
    /// Header flags.
    pub flags: u8,
    /// Chosen by the client, echoed by the server; -1 for an event.
    pub stream: i16,
    /// What it is.
    pub opcode: Opcode,
    /// The body: a slice of what was read where that was possible.
    pub body: Bytes,
}

/// How much a decoder may take in.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest envelope; Cassandra's `native_transport_max_frame_size`. A longer one is skipped and refused.
    pub envelope_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { envelope_bytes_max: 16 << 20 }
    }
}

/// Why there is no envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Answer with this; the next envelope can be read.
    Refused(Refusal),
    /// Answer with this, then close: where the next envelope begins is not known.
    Broken(Refusal),
    /// Close without an answer, as Cassandra does.
    Unanswerable(String),
}

/// An ERROR for an envelope that could not be decoded, and the header that its client understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Version number of the answer's header. 1 and 2 have headers of 8 bytes.
    pub version_number: u8,
    /// Stream of the refused envelope, 0 if unknown.
    pub stream: i16,
    /// What to say.
    pub error: QueryError,
}

impl Refusal {
    /// Appends the answer as an envelope; `body` says the same as [`Refusal::error`].
    pub fn encode(&self, body: &ErrorBody, out: &mut Vec<u8>) {
        let start = out.len();
        // v1 and v2 know the same body for a protocol error as v3.
        let version = Version::from_number(self.version_number).unwrap_or(Version::V3);
        let reply = crate::response::ReplyTo { version, stream: self.stream };
        Response::Error(body.clone()).encode(&reply, &Extras::default(), out);
        if self.version_number < 3 {
            // Old form: the stream has one byte.
            out[start] = 0x80 | self.version_number;
            out[start + 2] = self.stream as u8;
            out.remove(start + 3);
        }
    }
}
