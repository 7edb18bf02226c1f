//! From envelopes to what goes over the wire.

use super::compress::Compression;
use super::header::HEADER_BYTES;
use super::segment::{self, PAYLOAD_BYTES_MAX};
use crate::version::{FLAG_COMPRESSED, Version};

/// Makes bare envelopes ready to be sent: as they are until STARTUP is answered, then as agreed on.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameEncoder {
    framing: Framing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Framing {
    #[default]
    Bare,
    Bodies(Compression),
    Segments {
        is_lz4: bool,
    },
}

impl FrameEncoder {
    /// An encoder for the begin of a connection.
    pub fn new() -> FrameEncoder {
        FrameEncoder::default()
    }

    /// What follows goes as agreed on in STARTUP. v3 and v4: the answer to STARTUP already; v5: what comes
    /// after it.
    pub fn pin(&mut self, version: Version, compression: Option<Compression>) {
        self.framing = match compression {
            _ if version.is_segmented() => {
                Framing::Segments { is_lz4: compression == Some(Compression::Lz4) }
            }
            Some(compression) => Framing::Bodies(compression),
            None => Framing::Bare,
        };
    }

    /// True if envelopes go as they are: [`FrameEncoder::encode`] would only copy them.
    pub fn is_bare(&self) -> bool {
        self.framing == Framing::Bare
    }

    /// Appends whole `envelopes` in the form in which they are sent.
    pub fn encode(&self, envelopes: &[u8], out: &mut Vec<u8>) {
        match self.framing {
            Framing::Bare => out.extend_from_slice(envelopes),
            Framing::Bodies(compression) => compress_each(envelopes, compression, out),
            Framing::Segments { is_lz4 } => cut_into_segments(envelopes, is_lz4, out),
        }
    }
}

/// Length of the envelope at the front of `envelopes`, which we have made ourselves.
fn envelope_bytes(envelopes: &[u8]) -> usize {
    let header_bytes = header_bytes(envelopes);
    let length = envelopes[header_bytes - 4..].first_chunk().expect("an envelope has a header");
    header_bytes + u32::from_be_bytes(*length) as usize
}

/// Refusals of v1 and v2 have the old header.
fn header_bytes(envelope: &[u8]) -> usize {
    if envelope[0] & 0x7f < 3 { HEADER_BYTES - 1 } else { HEADER_BYTES }
}

fn compress_each(mut envelopes: &[u8], compression: Compression, out: &mut Vec<u8>) {
    while !envelopes.is_empty() {
        let (envelope, rest) = envelopes.split_at(envelope_bytes(envelopes));
        envelopes = rest;
        let (header, body) = envelope.split_at(header_bytes(envelope));
        let start = out.len();
        out.extend_from_slice(header);
        compression.compress_body(body, out);
        let body_start = start + header.len();
        let length = crate::codec::int_of(out.len() - body_start);
        out[start + 1] |= FLAG_COMPRESSED;
        out[body_start - 4..body_start].copy_from_slice(&length.to_be_bytes());
    }
}

fn cut_into_segments(mut envelopes: &[u8], is_lz4: bool, out: &mut Vec<u8>) {
    while !envelopes.is_empty() {
        let mut payload_bytes = 0;
        while payload_bytes < envelopes.len() {
            let next = envelope_bytes(&envelopes[payload_bytes..]);
            if payload_bytes + next > PAYLOAD_BYTES_MAX {
                break;
            }
            payload_bytes += next;
        }
        if payload_bytes > 0 {
            let (payload, rest) = envelopes.split_at(payload_bytes);
            segment::put(payload, true, is_lz4, out);
            envelopes = rest;
        } else {
            let (envelope, rest) = envelopes.split_at(envelope_bytes(envelopes));
            for payload in envelope.chunks(PAYLOAD_BYTES_MAX) {
                segment::put(payload, false, is_lz4, out);
            }
            envelopes = rest;
        }
    }
}
