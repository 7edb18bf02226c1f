//! Segments: the outer frame of v5. Header, CRC-24 of it, payload, CRC-32 of that; all little-endian.
//!
//! Header without compression: 17 bits payload length, 1 bit self-contained, in 3 bytes. With LZ4: 17 bits
//! compressed length, 17 bits plain length (0: sent as it is), 1 bit self-contained, in 5 bytes.
//!
//! A self-contained segment holds whole envelopes; an envelope that is longer than a segment is cut into
//! segments of its own, none of them self-contained.
//!
//! Source: native protocol v5, "Framing".

use bytes::{Bytes, BytesMut};
use stdx::crc::{Crc32, crc24};

use super::compress::{append_lz4, decompress_lz4};

/// Longest payload of a segment.
pub const PAYLOAD_BYTES_MAX: usize = (1 << 17) - 1;

const CRC24_BYTES: usize = 3;
const CRC32_BYTES: usize = 4;
const LENGTH_BITS: u32 = 17;

/// What the CRC-32 of a payload begins with, so that a payload of zeros has no CRC of zero.
const CRC32_SEED: [u8; 4] = [0xfa, 0x2d, 0x55, 0xca];

/// One segment, checked and decompressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Holds whole envelopes.
    pub is_self_contained: bool,
    /// The payload.
    pub payload: Bytes,
}

/// Why the input cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentError {
    /// CRC-24 read and computed.
    HeaderCrc(u32, u32),
    /// CRC-32 read and computed.
    PayloadCrc(u32, u32),
    /// The payload does not decompress.
    Compression,
}

fn payload_crc(payload: &[u8]) -> u32 {
    let mut crc = Crc32::new();
    crc.update(&CRC32_SEED);
    crc.update(payload);
    crc.value()
}

/// The first `N` bytes as a little-endian number.
#[expect(clippy::little_endian_bytes, reason = "segments are little-endian")]
fn little_endian<const N: usize>(bytes: &[u8]) -> u64 {
    let mut number = [0; 8];
    number[..N].copy_from_slice(&bytes[..N]);
    u64::from_le_bytes(number)
}

#[expect(clippy::little_endian_bytes, reason = "segments are little-endian")]
fn put_little_endian<const N: usize>(out: &mut [u8], number: u64) {
    out[..N].copy_from_slice(&number.to_le_bytes()[..N]);
}

/// Takes one segment off the front of `input`; `None` if it is not whole yet.
pub(super) fn take(input: &mut BytesMut, is_lz4: bool) -> Result<Option<Segment>, SegmentError> {
    let fields_bytes = if is_lz4 { 5 } else { 3 };
    let header_bytes = fields_bytes + CRC24_BYTES;
    if input.len() < header_bytes {
        return Ok(None);
    }
    let fields = if is_lz4 { little_endian::<5>(input) } else { little_endian::<3>(input) };
    let read = little_endian::<CRC24_BYTES>(&input[fields_bytes..]) as u32;
    let computed = crc24(&input[..fields_bytes]);
    if read != computed {
        return Err(SegmentError::HeaderCrc(read, computed));
    }
    let length_mask = PAYLOAD_BYTES_MAX as u64;
    let payload_bytes = (fields & length_mask) as usize;
    let plain_bytes = if is_lz4 { (fields >> LENGTH_BITS & length_mask) as usize } else { 0 };
    let is_self_contained = fields >> if is_lz4 { 2 * LENGTH_BITS } else { LENGTH_BITS } & 1 == 1;
    if input.len() < header_bytes + payload_bytes + CRC32_BYTES {
        return Ok(None);
    }
    let mut segment = input.split_to(header_bytes + payload_bytes + CRC32_BYTES).freeze();
    let read = little_endian::<CRC32_BYTES>(&segment[header_bytes + payload_bytes..]) as u32;
    let mut payload = segment.split_off(header_bytes);
    payload.truncate(payload_bytes);
    let computed = payload_crc(&payload);
    if read != computed {
        return Err(SegmentError::PayloadCrc(read, computed));
    }
    if plain_bytes > 0 {
        payload = decompress_lz4(&payload, plain_bytes).map_err(|_| SegmentError::Compression)?.into();
    }
    Ok(Some(Segment { is_self_contained, payload }))
}

/// Appends a segment. `payload` is no longer than [`PAYLOAD_BYTES_MAX`].
pub(super) fn put(payload: &[u8], is_self_contained: bool, is_lz4: bool, out: &mut Vec<u8>) {
    assert!(payload.len() <= PAYLOAD_BYTES_MAX, "a payload of {} bytes", payload.len());
    let fields_bytes = if is_lz4 { 5 } else { 3 };
    let header_start = out.len();
    let payload_start = header_start + fields_bytes + CRC24_BYTES;
    out.resize(payload_start, 0);
    let self_contained = u64::from(is_self_contained);
    if is_lz4 {
        let compressed_bytes = append_lz4(payload, out);
        let mut plain_bytes = payload.len();
        if compressed_bytes >= payload.len() {
            out.truncate(payload_start);
            out.extend_from_slice(payload);
            plain_bytes = 0;
        }
        let payload_bytes = (out.len() - payload_start) as u64;
        let fields =
            payload_bytes | (plain_bytes as u64) << LENGTH_BITS | self_contained << (2 * LENGTH_BITS);
        put_little_endian::<5>(&mut out[header_start..], fields);
    } else {
        out.extend_from_slice(payload);
        put_little_endian::<3>(
            &mut out[header_start..],
            payload.len() as u64 | self_contained << LENGTH_BITS,
        );
    }
    let header_crc = crc24(&out[header_start..header_start + fields_bytes]);
    put_little_endian::<CRC24_BYTES>(&mut out[header_start + fields_bytes..], u64::from(header_crc));
    let payload_crc = payload_crc(&out[payload_start..]);
    let end = out.len();
    out.resize(end + CRC32_BYTES, 0);
    put_little_endian::<CRC32_BYTES>(&mut out[end..], u64::from(payload_crc));
}
