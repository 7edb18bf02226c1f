//! The bytes of a segment: its header and its records.
//!
//! ```text
//! segment := "HELENLOG" version:u32 segment-id:i64 host-id:16 crc:u32 record*
//! record  := length:u32 synced-segment:i64 synced-offset:u32 body-crc:u32 header-crc:u32 body
//! ```
//!
//! All integers are big-endian. Segments' files are used again: behind the last record stands whatever the file held
//! before. The header's CRC covers the segment's id, the record's offset and the body's CRC, so that nothing of an
//! earlier use is taken for a record, not even a body of the same length at the same place below a header that was torn
//! from it. (Version 1 had the two CRCs the other way round and did not vouch for the body's.) `synced` is the place up to which the shard's log was
//! safe when the record was made: what is damaged before it was lost after it had been promised, what is damaged
//! after it was only torn by a crash.
//!
//! Never here: I/O.

use stdx::crc::{Crc32, crc32};
use uuid::Uuid;

use super::Position;
use super::segment::shard_of_segment;

const MAGIC: &[u8; 8] = b"HELENLOG";
/// The version that we write.
pub(crate) const VERSION: u32 = 2;
/// The oldest that we read.
pub(crate) const VERSION_MIN: u32 = 1;
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
    /// Names a place: what the log's earlier segments hold behind it was given up after a failure of the disk. Nobody
    /// was promised it.
    GivenUp = 4,
}

impl RecordKind {
    pub(crate) fn parse(byte: u8) -> Option<RecordKind> {
        [RecordKind::Dictionary, RecordKind::Mutations, RecordKind::Closed, RecordKind::GivenUp]
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
        version: u32,
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
        version @ VERSION_MIN..=VERSION => SegmentHeader::Good { segment_id: be_i64(&header[12..]), version },
        version => SegmentHeader::Unsupported { version },
    }
}

/// Appends a record to `out`; `at` is where in its segment.
pub(crate) fn write_record(out: &mut Vec<u8>, at: Position, synced: Position, body: &[u8], body_crc: u32) {
    let length = u32::try_from(body.len()).expect("bounded by the segment's size").to_be_bytes();
    let mut head = [0; 20];
    head[..4].copy_from_slice(&length);
    head[4..12].copy_from_slice(&synced.segment_id.to_be_bytes());
    head[12..16].copy_from_slice(&synced.offset.to_be_bytes());
    head[16..].copy_from_slice(&body_crc.to_be_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(&header_crc(at, &head).to_be_bytes());
    out.extend_from_slice(body);
}

/// The last record of a segment of that version, safe up to there.
pub(crate) fn closing_record(version: u32, at: Position) -> Vec<u8> {
    let body = [RecordKind::Closed as u8];
    let mut record = Vec::new();
    write_record(&mut record, at, at, &body, crc32(&body));
    if version == 1 {
        let header_crc = header_crc(at, &record[..16]);
        record[16..20].copy_from_slice(&header_crc.to_be_bytes());
        record[20..24].copy_from_slice(&crc32(&body).to_be_bytes());
    }
    record
}

fn header_crc(at: Position, head: &[u8]) -> u32 {
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
pub(crate) fn read_record(
    segment: &[u8],
    version: u32,
    segment_id: i64,
    offset: usize,
) -> Result<RawRecord, NoRecord> {
    let rest = &segment[offset..];
    if rest.is_empty() {
        return Err(NoRecord::End);
    }
    let Some(head) = rest.first_chunk::<RECORD_HEADER_BYTES>() else {
        return Err(NoRecord::Damaged("the file ends inside the header of a record"));
    };
    let at = Position { segment_id, offset: offset as u32 };
    let (covered, header_crc_at, body_crc_at) = if version == 1 { (16, 16, 20) } else { (20, 20, 16) };
    if header_crc(at, &head[..covered]) != be_u32(&head[header_crc_at..]) {
        return Err(NoRecord::Damaged("the CRC of a record's header does not match"));
    }
    let length = be_u32(head) as usize;
    let body_start = offset + RECORD_HEADER_BYTES;
    let Some(body) = segment.get(body_start..body_start + length) else {
        return Err(NoRecord::Damaged("the file ends inside a record"));
    };
    #[cfg(test)]
    if IGNORE_CRC.get() {
        let synced = Position { segment_id: be_i64(&head[4..]), offset: be_u32(&head[12..]) };
        return Ok(RawRecord { body_start, body_end: body_start + length, synced });
    }
    if crc32(body) != be_u32(&head[body_crc_at..]) {
        return Err(NoRecord::Damaged("the CRC of a record does not match"));
    }
    let synced = Position { segment_id: be_i64(&head[4..]), offset: be_u32(&head[12..]) };
    Ok(RawRecord { body_start, body_end: body_start + length, synced })
}

#[cfg(test)]
thread_local! {
    /// A planted bug: bodies are believed whatever their CRC says.
    pub(crate) static IGNORE_CRC: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// The first record of a segment at or after `from`, and where it begins. Skips bytes that can be none quickly.
pub(crate) fn next_record(
    segment: &[u8],
    version: u32,
    segment_id: i64,
    from: usize,
) -> Option<(usize, RawRecord)> {
    let mut offset = from;
    loop {
        // A record's length is never 0: it begins three bytes before something else than 0, at most.
        let zeros = segment.get(offset..)?.iter().position(|byte| *byte != 0)?;
        offset += zeros.saturating_sub(3);
        let rest = &segment[offset..];
        if rest.len() < RECORD_HEADER_BYTES {
            return None;
        }
        let synced = be_i64(&rest[4..]);
        let same_log = synced == Position::NONE.segment_id
            || synced <= segment_id && shard_of_segment(synced) == shard_of_segment(segment_id);
        if same_log
            && be_u32(rest) as usize <= rest.len() - RECORD_HEADER_BYTES
            && let Ok(record) = read_record(segment, version, segment_id, offset)
        {
            return Some((offset, record));
        }
        offset += 1;
    }
}

fn be_u32(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(*bytes.first_chunk().expect("the header is long enough"))
}

fn be_i64(bytes: &[u8]) -> i64 {
    i64::from_be_bytes(*bytes.first_chunk().expect("the header is long enough"))
}
