//! The envelope around a response: header, then tracing id, warnings and custom payload, then the body.
//!
//! What stands in front of the body is known last (a read finds out at its end that it met too many
//! tombstones), so [`ResponseWriter::finish`] puts it in; without it nothing moves.

use bytes::Bytes;

use crate::codec;
use crate::frame::header::{self, HEADER_BYTES};
use crate::version::{FLAG_CUSTOM_PAYLOAD, FLAG_TRACING, FLAG_WARNING, Opcode, Version};

/// More warnings than a client can use; the count is a 16-bit number.
const WARNINGS_COUNT_MAX: usize = 1000;

/// Whom an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    /// The connection's version.
    pub version: Version,
    /// The request's stream.
    pub stream: i16,
}

/// What may stand in front of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// Id of the trace that was asked for.
    pub tracing_id: Option<[u8; 16]>,
    /// Warnings; v3 has none.
    pub warnings: Vec<String>,
    /// Custom payload; v3 has none.
    pub payload: Vec<(String, Option<Bytes>)>,
}

impl Extras {
    /// Only warnings.
    pub fn warnings(warnings: Vec<String>) -> Extras {
        Extras { warnings, ..Extras::default() }
    }

    /// True if nothing stands in front of the body.
    pub fn is_empty(&self) -> bool {
        self.tracing_id.is_none() && self.warnings.is_empty() && self.payload.is_empty()
    }
}

/// Appends one response envelope to a buffer. Dropped without [`ResponseWriter::finish`], it leaves a torn
/// envelope: whoever owns the buffer cuts it back.
#[derive(Debug)]
pub struct ResponseWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    version: Version,
}

impl<'a> ResponseWriter<'a> {
    /// Appends the header.
    #[inline]
    pub fn begin(out: &'a mut Vec<u8>, reply: &ReplyTo, opcode: Opcode) -> ResponseWriter<'a> {
        let start = header::begin(out, reply.version, true, 0, reply.stream, opcode);
        ResponseWriter { out, start, version: reply.version }
    }

    /// The buffer: append the body to it.
    #[inline]
    pub fn body(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Bytes of the body so far.
    pub fn body_bytes(&self) -> usize {
        self.out.len() - self.start - HEADER_BYTES
    }

    /// Ends the envelope.
    #[inline]
    pub fn finish(mut self, extras: &Extras) {
        if !extras.is_empty() {
            self.insert(extras);
        }
        header::finish(self.out, self.start);
    }

    #[cold]
    fn insert(&mut self, extras: &Extras) {
        let mut front = Vec::new();
        let mut flags = 0;
        if let Some(id) = extras.tracing_id {
            flags |= FLAG_TRACING;
            front.extend_from_slice(&id);
        }
        if self.version >= Version::V4 {
            if !extras.warnings.is_empty() {
                flags |= FLAG_WARNING;
                let count = extras.warnings.len().min(WARNINGS_COUNT_MAX);
                codec::put_string_list(&mut front, &extras.warnings[..count]);
            }
            if !extras.payload.is_empty() {
                flags |= FLAG_CUSTOM_PAYLOAD;
                codec::put_count(&mut front, extras.payload.len());
                for (key, value) in &extras.payload {
                    codec::put_string(&mut front, key);
                    codec::put_bytes(&mut front, value.as_deref());
                }
            }
        }
        self.out[self.start + 1] |= flags;
        let body_start = self.start + HEADER_BYTES;
        self.out.splice(body_start..body_start, front);
    }
}

/// One whole envelope that has no trace, with the id of one in front of its body.
pub fn with_tracing_id(mut envelope: Vec<u8>, id: [u8; 16]) -> Vec<u8> {
    envelope[1] |= FLAG_TRACING;
    envelope.splice(HEADER_BYTES..HEADER_BYTES, id);
    header::finish(&mut envelope, 0);
    envelope
}
