//! The header of an envelope: version and direction, flags, stream, opcode, length of the body.
//!
//! Source: native protocol v5, "Frame header" (the same 9 bytes in v3 and v4).

use crate::version::{FLAG_USE_BETA, Opcode, Version};

/// Length of a header from v3 on.
pub const HEADER_BYTES: usize = 9;

/// Bit of the version byte that is set in responses.
const RESPONSE_BIT: u8 = 0x80;

/// A header as it stands on the wire: nothing of it is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Version number, without the direction bit.
    pub version_number: u8,
    /// True in what a server sends.
    pub is_response: bool,
    /// Flags, see [`crate::version`].
    pub flags: u8,
    /// Stream.
    pub stream: i16,
    /// Opcode byte.
    pub opcode_number: u8,
    /// Length of the body. Hostile input may make it negative.
    pub body_bytes: i32,
}

impl Header {
    /// Reads a header of v3 or later.
    #[inline]
    pub fn parse(bytes: &[u8; HEADER_BYTES]) -> Header {
        let [version, flags, stream @ .., _, _, _, _, _] = *bytes;
        let [_, _, _, _, opcode_number, length @ ..] = *bytes;
        Header {
            version_number: version & !RESPONSE_BIT,
            is_response: version & RESPONSE_BIT != 0,
            flags,
            stream: i16::from_be_bytes(stream),
            opcode_number,
            body_bytes: i32::from_be_bytes(length),
        }
    }

    /// Reads a header of v1 or v2: 8 bytes, the stream has one of them.
    pub fn parse_old(bytes: &[u8; 8]) -> Header {
        let [version, flags, stream, opcode_number, length @ ..] = *bytes;
        Header {
            version_number: version & !RESPONSE_BIT,
            is_response: version & RESPONSE_BIT != 0,
            flags,
            stream: i16::from(stream as i8),
            opcode_number,
            body_bytes: i32::from_be_bytes(length),
        }
    }
}

/// Starts an envelope in `out`: appends its header with length 0. [`finish`] sets the length.
#[inline]
pub fn begin(
    out: &mut Vec<u8>,
    version: Version,
    is_response: bool,
    flags: u8,
    stream: i16,
    opcode: Opcode,
) -> usize {
    let start = out.len();
    let direction = if is_response { RESPONSE_BIT } else { 0 };
    let beta = if version.is_beta() { FLAG_USE_BETA } else { 0 };
    let [high, low] = stream.to_be_bytes();
    out.extend_from_slice(&[version.number() | direction, flags | beta, high, low, opcode as u8, 0, 0, 0, 0]);
    start
}

/// Ends the envelope that began at `start`: its body is all that stands behind the header.
#[inline]
pub fn finish(out: &mut [u8], start: usize) {
    let length = crate::codec::int_of(out.len() - start - HEADER_BYTES);
    out[start + 5..start + HEADER_BYTES].copy_from_slice(&length.to_be_bytes());
}
