//! Replay: reads the log of an earlier run.
//!
//! A crash may tear what was not yet synced: such a tail is cut off, once, and the segment closed. Damage before a
//! place that a later record names as safe cannot come from a crash: it is an error that names file and offset.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use runtime::{Disk, OpenMode};
use stdx::crc::crc32;

use super::dictionary::{Dictionary, decode_dictionary};
use super::input::{Input, Malformed};
use super::record::{
    NoRecord, RecordKind, SEGMENT_HEADER_BYTES, SegmentHeader, parse_segment_header, read_record,
    write_record,
};
use super::segment::{Position, parse_segment_name, segment_path, shard_of_segment};
use crate::OpenError;

/// One mutation of the log.
pub(crate) struct LoggedMutation<'a> {
    /// After the record that it is part of.
    pub position: Position,
    pub dictionary: &'a Arc<Dictionary>,
    pub key: Bytes,
    /// As [`model::codec::encode_update`] wrote it.
    pub update: Bytes,
}

/// A segment of an earlier run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OldSegment {
    pub id: i64,
    pub path: PathBuf,
    pub bytes: u32,
}

/// The segments in `dir`, ascending by shard, then age.
pub(crate) fn list_segments(disk: &dyn Disk, dir: &Path) -> Result<Vec<OldSegment>, OpenError> {
    let mut segments = Vec::new();
    for entry in disk.list(dir).map_err(OpenError::io(dir))? {
        let path = dir.join(&entry.name);
        match parse_segment_name(&entry.name) {
            None => {}
            Some(Err(version)) => return Err(OpenError::Unsupported { path, version }),
            Some(Ok(id)) => {
                let bytes = u32::try_from(entry.bytes).map_err(|_| OpenError::Damaged {
                    path: path.clone(),
                    offset: 0,
                    found: format!("a segment of {} bytes", entry.bytes),
                    lost: "all its writes that no SSTable holds are lost".to_owned(),
                })?;
                segments.push(OldSegment { id, path, bytes });
            }
        }
    }
    segments.sort_by_key(|segment| segment.id);
    Ok(segments)
}

/// Reads the segments of one shard's log, oldest first, and hands each mutation to `sink`. Cuts off torn tails.
pub(crate) fn replay_shard(
    disk: &dyn Disk,
    segments: &[OldSegment],
    sink: &mut dyn FnMut(LoggedMutation<'_>) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    for (index, segment) in segments.iter().enumerate() {
        let contents: Bytes = disk.read_all(&segment.path).map_err(OpenError::io(&segment.path))?.into();
        let Some(stop) = replay_segment(segment, &contents, sink)? else { continue };
        let at = Position { segment_id: segment.id, offset: stop.offset as u32 };
        let promise = find_promise(&contents, segment.id, stop.offset, at)
            .map_or_else(|| find_promise_in(disk, &segments[index + 1..], at), |found| Ok(Some(found)))?;
        if let Some(promised) = promise {
            return Err(OpenError::Damaged {
                path: segment.path.clone(),
                offset: stop.offset as u64,
                found: stop.found.to_owned(),
                lost: lost(&contents, segment.id, promised),
            });
        }
        cut(disk, segment, stop.offset)?;
    }
    Ok(())
}

fn lost(contents: &[u8], segment_id: i64, promised: Position) -> String {
    let end = if promised.segment_id == segment_id { promised.offset as usize } else { contents.len() };
    format!("the acknowledged writes up to byte {end} are lost on this node as far as no SSTable holds them")
}

/// Where reading a segment stopped before its end.
struct Stop {
    offset: usize,
    found: &'static str,
}

fn replay_segment(
    segment: &OldSegment,
    contents: &Bytes,
    sink: &mut dyn FnMut(LoggedMutation<'_>) -> Result<(), OpenError>,
) -> Result<Option<Stop>, OpenError> {
    match parse_segment_header(contents) {
        SegmentHeader::Good { segment_id } if segment_id == segment.id => {}
        SegmentHeader::Unsupported { version } => {
            return Err(OpenError::Unsupported { path: segment.path.clone(), version });
        }
        SegmentHeader::Good { .. } => {
            return Ok(Some(Stop { offset: 0, found: "the header is another segment's" }));
        }
        SegmentHeader::Bad => {
            return Ok(Some(Stop { offset: 0, found: "the CRC of the header does not match" }));
        }
    }
    let mut dictionaries: HashMap<u64, Arc<Dictionary>> = HashMap::new();
    let mut offset = SEGMENT_HEADER_BYTES;
    loop {
        let record = match read_record(contents, segment.id, offset) {
            Ok(record) => record,
            Err(NoRecord::End) => {
                return Ok(Some(Stop { offset, found: "the file ends before the segment does" }));
            }
            Err(NoRecord::Damaged(found)) => return Ok(Some(Stop { offset, found })),
        };
        let body = contents.slice(record.body_start..record.body_end);
        let position = Position { segment_id: segment.id, offset: record.body_end as u32 };
        let read = match body.first().and_then(|kind| RecordKind::parse(*kind)) {
            Some(RecordKind::Closed) => return Ok(None),
            Some(RecordKind::Dictionary) => {
                decode_dictionary(&mut Input::new(&body[1..])).map(|dictionary| {
                    dictionaries.insert(dictionary.number, Arc::new(dictionary));
                })
            }
            Some(RecordKind::Mutations) => match mutations_of(&body) {
                Ok(mutations) => {
                    for (number, key, update) in mutations {
                        let dictionary = dictionaries.get(&number).ok_or_else(|| {
                            malformed(
                                segment,
                                offset,
                                Malformed("a mutation names a dictionary that is not there"),
                            )
                        })?;
                        sink(LoggedMutation { position, dictionary, key, update })?;
                    }
                    Ok(())
                }
                Err(error) => Err(error),
            },
            None => Err(Malformed("a record of an unknown kind")),
        };
        read.map_err(|error| malformed(segment, offset, error))?;
        offset = record.body_end;
    }
}

/// What a checksum vouches for makes no sense: no crash does that.
fn malformed(segment: &OldSegment, offset: usize, error: Malformed) -> OpenError {
    OpenError::Damaged {
        path: segment.path.clone(),
        offset: offset as u64,
        found: error.0.to_owned(),
        lost: "its writes that no SSTable holds are lost on this node".to_owned(),
    }
}

fn mutations_of(body: &Bytes) -> Result<Vec<(u64, Bytes, Bytes)>, Malformed> {
    let mut input = Input::new(&body[1..]);
    let mut mutations = Vec::new();
    for _ in 0..input.count()? {
        let number = input.unsigned()?;
        let key_bytes = input.count()?;
        let key = body.slice_ref(input.take(key_bytes)?);
        let update_bytes = input.count()?;
        mutations.push((number, key, body.slice_ref(input.take(update_bytes)?)));
    }
    input.finish()?;
    Ok(mutations)
}

/// The latest place named as safe by any record after `from`, if it is after `at`.
fn find_promise(contents: &[u8], segment_id: i64, from: usize, at: Position) -> Option<Position> {
    if contents[from..].iter().all(|byte| *byte == 0) {
        return None;
    }
    let mut latest = None;
    let mut offset = from + 1;
    while offset < contents.len() {
        match read_record(contents, segment_id, offset) {
            Ok(record) => {
                latest = latest.max(Some(record.synced).filter(|synced| *synced > at));
                offset = record.body_end;
            }
            Err(_) => offset += 1,
        }
    }
    latest
}

fn find_promise_in(
    disk: &dyn Disk,
    later: &[OldSegment],
    at: Position,
) -> Result<Option<Position>, OpenError> {
    let mut latest = None;
    for segment in later {
        let contents = disk.read_all(&segment.path).map_err(OpenError::io(&segment.path))?;
        latest = latest.max(find_promise(&contents, segment.id, 0, at));
    }
    Ok(latest)
}

/// Cuts off a torn tail and closes the segment, so that from now on it must be whole.
fn cut(disk: &dyn Disk, segment: &OldSegment, offset: usize) -> Result<(), OpenError> {
    let io = |error| OpenError::io(&segment.path)(error);
    tracing::warn!(
        "{} was torn by a crash at byte {offset} of {}: what follows was not yet acknowledged as safe",
        segment.path.display(),
        segment.bytes
    );
    if offset < SEGMENT_HEADER_BYTES {
        disk.remove_file(&segment.path).map_err(io)?;
        return Ok(());
    }
    let file = disk.open(&segment.path, OpenMode::ReadWrite).map_err(io)?;
    file.set_bytes(offset as u64).map_err(io)?;
    let at = Position { segment_id: segment.id, offset: offset as u32 };
    let body = [RecordKind::Closed as u8];
    let mut closed = Vec::new();
    write_record(&mut closed, at, at, &body, crc32(&body));
    file.write_all_at(&closed, offset as u64).map_err(io)?;
    file.sync_data().map_err(io)
}

/// The shards that have segments, each with its segments.
pub(crate) fn by_shard(segments: &[OldSegment]) -> impl Iterator<Item = &[OldSegment]> {
    segments.chunk_by(|a, b| shard_of_segment(a.id) == shard_of_segment(b.id))
}

/// Whether the file is still there: a torn header has it removed.
pub(crate) fn still_there(disk: &dyn Disk, dir: &Path, segment: &OldSegment) -> Result<bool, OpenError> {
    let path = segment_path(dir, segment.id);
    disk.exists(&path).map_err(OpenError::io(path))
}
