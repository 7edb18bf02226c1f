//! The bytes of a segment: its header and its records.
//!
//! ```text
//! segment := "HELENLOG" version:u32 segment-id:i64 host-id:16 crc:u32 record*
//! record  := length:u32 synced-segment:i64 synced-offset:u32 header-crc:u32 body-crc:u32 body
//! ```
//!
//! All integers are big-endian. The header's CRC also covers the segment's id and the record's offset, so that
//! bytes which stand in the wrong place are no record. `synced` is the place up to which the shard's log was
//! safe when the record was made: what is damaged before it was lost after it had been promised, what is damaged
//! after it was only torn by a crash.
//!
//! Never here: I/O.

use stdx::crc::{Crc32, crc32};
use uuid::Uuid;

use super::Position;

const MAGIC: &[u8; 8] = b"HELENLOG";
/// The version that we write.
pub(crate) const VERSION: u32 = 1;
/// Bytes before the first record.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 40;
/// Bytes before a record's body.
pub(crate) const RECORD_HEADER_BYTES: usize = 24;

/// What a record's body is about: its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordKind {
    /// Names the columns of a table version.
    Dictionary = 1,
    /// Mutations that are applied together.
    Mutations = 2,
    /// Nothing comes after it.
    Closed = 3,
}

impl RecordKind {
    pub(crate) fn parse(byte: u8) -> Option<RecordKind> {
        [RecordKind::Dictionary, RecordKind::Mutations, RecordKind::Closed]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

pub(crate) fn segment_header(segment_id: i64, host_id: Uuid) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut header = [0; SEGMENT_HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_be_bytes());
    header[12..20].copy_from_slice(&segment_id.to_be_bytes());
    header[20..36].copy_from_slice(host_id.as_bytes());
    let crc = crc32(&header[..36]);
    header[36..].copy_from_slice(&crc.to_be_bytes());
    header
}

/// What the beginning of a segment says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SegmentHeader {
    Good {
        segment_id: i64,
    },
    /// Whole, and of a version we do not know.
    Unsupported {
        version: u32,
    },
    Bad,
}

pub(crate) fn parse_segment_header(bytes: &[u8]) -> SegmentHeader {
    let Some(header) = bytes.first_chunk::<SEGMENT_HEADER_BYTES>() else { return SegmentHeader::Bad };
    if !header.starts_with(MAGIC) || crc32(&header[..36]) != be_u32(&header[36..]) {
        return SegmentHeader::Bad;
    }
    match be_u32(&header[8..]) {
        VERSION => SegmentHeader::Good { segment_id: be_i64(&header[12..]) },
        version => SegmentHeader::Unsupported { version },
    }
}

/// Appends a record to `out`; `at` is where in its segment.
pub(crate) fn write_record(out: &mut Vec<u8>, at: Position, synced: Position, body: &[u8], body_crc: u32) {
    let length = u32::try_from(body.len()).expect("bounded by the segment's size").to_be_bytes();
    let mut head = [0; 16];
    head[..4].copy_from_slice(&length);
    head[4..12].copy_from_slice(&synced.segment_id.to_be_bytes());
    head[12..].copy_from_slice(&synced.offset.to_be_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(&header_crc(at, &head).to_be_bytes());
    out.extend_from_slice(&body_crc.to_be_bytes());
    out.extend_from_slice(body);
}

fn header_crc(at: Position, head: &[u8; 16]) -> u32 {
    let mut crc = Crc32::new();
    crc.update(&at.segment_id.to_be_bytes());
    crc.update(&at.offset.to_be_bytes());
    crc.update(head);
    crc.value()
}

/// A record that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawRecord {
    /// Where its body begins and ends.
    pub body_start: usize,
    pub body_end: usize,
    pub synced: Position,
}

/// Why there is no record at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoRecord {
    /// The segment ends right here.
    End,
    /// Something else stands here, or a part of one.
    Damaged(&'static str),
}

/// Reads the record at `offset` of a segment's bytes.
pub(crate) fn read_record(segment: &[u8], segment_id: i64, offset: usize) -> Result<RawRecord, NoRecord> {
    let rest = &segment[offset..];
    if rest.is_empty() {
        return Err(NoRecord::End);
    }
    let Some(head) = rest.first_chunk::<RECORD_HEADER_BYTES>() else {
        return Err(NoRecord::Damaged("the file ends inside the header of a record"));
    };
    let at = Position { segment_id, offset: offset as u32 };
    let covered = head.first_chunk::<16>().expect("a header has 24 bytes");
    if header_crc(at, covered) != be_u32(&head[16..]) {
        return Err(NoRecord::Damaged("the CRC of a record's header does not match"));
    }
    let length = be_u32(head) as usize;
    let body_start = offset + RECORD_HEADER_BYTES;
    let Some(body) = segment.get(body_start..body_start + length) else {
        return Err(NoRecord::Damaged("the file ends inside a record"));
    };
    if crc32(body) != be_u32(&head[20..]) {
        return Err(NoRecord::Damaged("the CRC of a record does not match"));
    }
    let synced = Position { segment_id: be_i64(&head[4..]), offset: be_u32(&head[12..]) };
    Ok(RawRecord { body_start, body_end: body_start + length, synced })
}

fn be_u32(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(*bytes.first_chunk().expect("the header is long enough"))
}

fn be_i64(bytes: &[u8]) -> i64 {
    i64::from_be_bytes(*bytes.first_chunk().expect("the header is long enough"))
}
