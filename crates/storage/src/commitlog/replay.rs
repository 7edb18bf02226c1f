//! Replay: reads the log of an earlier run.
//!
//! A crash may tear what was not yet synced: such a tail is cut off, once, and the segment closed. Damage before a
//! place that a later record names as safe cannot come from a crash: it is an error that names file and offset, and what
//! would be lost; or, if the operator accepts that, what can be read beside it is replayed.
//!
//! Read in order: [`replay_shard`], [`SegmentReader`], [`salvage`] (what damage costs).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use runtime::{Disk, OpenMode};

use super::dictionary::{Dictionary, decode_dictionary};
use super::input::{Input, Malformed};
use super::record::{
    NoRecord, RawRecord, RecordKind, SEGMENT_HEADER_BYTES, SegmentHeader, VERSION, closing_record,
    next_record, parse_segment_header, read_record, segment_header,
};
use super::segment::{Position, parse_segment_name, shard_of_segment};
use crate::OpenError;

mod salvage;

/// One mutation of the log.
pub(crate) struct LoggedMutation<'a> {
    /// After the record that it is part of.
    pub position: Position,
    pub dictionary: &'a Arc<Dictionary>,
    pub key: Bytes,
    /// As [`model::codec::encode_update`] wrote it.
    pub update: Bytes,
}

/// Takes the mutations of a log.
pub(crate) type Sink<'a> = dyn FnMut(LoggedMutation<'_>) -> Result<(), OpenError> + 'a;

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
                    lost: "no segment is that long: move the file away if it is none".to_owned(),
                })?;
                segments.push(OldSegment { id, path, bytes });
            }
        }
    }
    segments.sort_by_key(|segment| segment.id);
    Ok(segments)
}

/// Reads the segments of one shard's log, oldest first, and hands each mutation to `sink`. Cuts off torn tails. With
/// `accepts_damage` it returns the segments that are damaged, of which it read what can be read; otherwise the first one
/// is an error.
pub(crate) fn replay_shard<'s>(
    disk: &dyn Disk,
    segments: &'s [OldSegment],
    accepts_damage: bool,
    sink: &mut Sink<'_>,
) -> Result<Vec<&'s OldSegment>, OpenError> {
    let mut damaged = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        let contents: Bytes = disk.read_all(&segment.path).map_err(OpenError::io(&segment.path))?.into();
        let mut reader = SegmentReader::new(segment, contents);
        let mut is_damaged = false;
        while let Some(stop) = reader.read(sink)? {
            let at = Position { segment_id: segment.id, offset: stop.offset as u32 };
            let is_torn = match stop.kind {
                StopKind::Unreadable => {
                    let known = Known::after(disk, &reader, stop.offset, &segments[index + 1..])?;
                    !known.promises(at)
                }
                StopKind::Senseless => false,
            };
            if is_torn {
                if !is_damaged {
                    cut(disk, segment, reader.version, stop.offset)?;
                }
                break;
            }
            let loss = salvage::loss(&reader, &stop);
            if !accepts_damage {
                return Err(OpenError::Damaged {
                    path: segment.path.clone(),
                    offset: stop.offset as u64,
                    found: stop.found.to_owned(),
                    lost: loss.to_string(),
                });
            }
            is_damaged = true;
            tracing::error!(
                "{} is damaged at byte {}: {}. As accept_commitlog_damage says, it is replayed without: {}",
                segment.path.display(),
                stop.offset,
                stop.found,
                loss.in_short()
            );
            if !reader.skip(&stop) {
                break;
            }
        }
        if is_damaged {
            damaged.push(segment);
        }
    }
    Ok(damaged)
}

/// Where reading a segment stopped before its end.
struct Stop {
    offset: usize,
    found: &'static str,
    kind: StopKind,
}

#[derive(PartialEq)]
enum StopKind {
    /// No record stands there.
    Unreadable,
    /// What a checksum vouches for makes no sense: no crash does that.
    Senseless,
}

/// Reads one segment.
struct SegmentReader<'s> {
    segment: &'s OldSegment,
    contents: Bytes,
    version: u32,
    header: SegmentHeader,
    offset: usize,
    dictionaries: HashMap<u64, Arc<Dictionary>>,
}

impl<'s> SegmentReader<'s> {
    fn new(segment: &'s OldSegment, contents: Bytes) -> SegmentReader<'s> {
        let header = parse_segment_header(&contents);
        let version = if let SegmentHeader::Good { version, .. } = header { version } else { VERSION };
        SegmentReader { segment, contents, version, header, offset: 0, dictionaries: HashMap::new() }
    }

    /// Reads on; `None`: the segment ends as it should.
    fn read(&mut self, sink: &mut Sink<'_>) -> Result<Option<Stop>, OpenError> {
        if self.offset == 0
            && let Some(stop) = self.read_header()?
        {
            return Ok(Some(stop));
        }
        loop {
            let offset = self.offset;
            let stop = |found, kind| Ok(Some(Stop { offset, found, kind }));
            let record = match read_record(&self.contents, self.version, self.segment.id, offset) {
                Ok(record) => record,
                Err(NoRecord::End) => {
                    return stop("the file ends before the segment does", StopKind::Unreadable);
                }
                Err(NoRecord::Damaged(found)) => return stop(found, StopKind::Unreadable),
            };
            match self.take(&record, sink)? {
                Ok(true) => self.offset = record.body_end,
                Ok(false) => return Ok(None),
                Err(Malformed(found)) => return stop(found, StopKind::Senseless),
            }
        }
    }

    fn read_header(&mut self) -> Result<Option<Stop>, OpenError> {
        let found = match self.header {
            SegmentHeader::Good { segment_id, .. } if segment_id == self.segment.id => {
                self.offset = SEGMENT_HEADER_BYTES;
                return Ok(None);
            }
            SegmentHeader::Unsupported { version } => {
                return Err(OpenError::Unsupported { path: self.segment.path.clone(), version });
            }
            SegmentHeader::Good { .. } => "the header is another segment's",
            SegmentHeader::Bad => "the CRC of the header does not match",
        };
        Ok(Some(Stop { offset: 0, found, kind: StopKind::Unreadable }))
    }

    /// Carries out a record; false: it is the last one.
    fn take(
        &mut self,
        record: &RawRecord,
        sink: &mut Sink<'_>,
    ) -> Result<Result<bool, Malformed>, OpenError> {
        let body = self.contents.slice(record.body_start..record.body_end);
        let position = Position { segment_id: self.segment.id, offset: record.body_end as u32 };
        match body.first().and_then(|kind| RecordKind::parse(*kind)) {
            Some(RecordKind::Closed) => return Ok(Ok(false)),
            Some(RecordKind::GivenUp) => {}
            Some(RecordKind::Dictionary) => match decode_dictionary(&mut Input::new(&body[1..])) {
                Ok(dictionary) => {
                    self.dictionaries.insert(dictionary.number, Arc::new(dictionary));
                }
                Err(error) => return Ok(Err(error)),
            },
            Some(RecordKind::Mutations) => {
                let mutations = match mutations_of(&body) {
                    Ok(mutations) => mutations,
                    Err(error) => return Ok(Err(error)),
                };
                if mutations.iter().any(|(number, ..)| !self.dictionaries.contains_key(number)) {
                    return Ok(Err(Malformed("a mutation names a dictionary that is not there")));
                }
                for (number, key, update) in mutations {
                    let dictionary = &self.dictionaries[&number];
                    sink(LoggedMutation { position, dictionary, key, update })?;
                }
            }
            None => return Ok(Err(Malformed("a record of an unknown kind"))),
        }
        Ok(Ok(true))
    }

    /// Goes on with the next record after a stop; false: there is none.
    fn skip(&mut self, stop: &Stop) -> bool {
        match next_record(&self.contents, self.version, self.segment.id, stop.offset + 1) {
            Some((offset, _)) => self.offset = offset,
            None => return false,
        }
        true
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

/// What records after a place say about it.
#[derive(Default)]
struct Known {
    /// The latest place named as safe.
    promised: Option<Position>,
    /// From the one place to the other everything was given up.
    given_up: Vec<(Position, Position)>,
}

impl Known {
    fn after(
        disk: &dyn Disk,
        reader: &SegmentReader<'_>,
        from: usize,
        later: &[OldSegment],
    ) -> Result<Known, OpenError> {
        let mut known = Known::default();
        known.add(&reader.contents, reader.version, reader.segment.id, from + 1);
        for segment in later {
            let contents = disk.read_all(&segment.path).map_err(OpenError::io(&segment.path))?;
            let version = match parse_segment_header(&contents) {
                SegmentHeader::Good { version, .. } => version,
                _ => VERSION,
            };
            known.add(&contents, version, segment.id, 0);
        }
        Ok(known)
    }

    fn add(&mut self, contents: &[u8], version: u32, segment_id: i64, from: usize) {
        let mut offset = from;
        while let Some((_, record)) = next_record(contents, version, segment_id, offset) {
            self.promised = self.promised.max(Some(record.synced));
            let body = &contents[record.body_start..record.body_end];
            match body.first().and_then(|kind| RecordKind::parse(*kind)) {
                // What stands behind it is of the file's earlier use, or nothing.
                Some(RecordKind::Closed) => return,
                Some(RecordKind::GivenUp) => {
                    let place = body.get(1..9).and_then(|id| id.first_chunk());
                    let offset = body.get(9..13).and_then(|offset| offset.first_chunk());
                    if let (Some(id), Some(offset)) = (place, offset) {
                        let segment = i64::from_be_bytes(*id);
                        let start = Position { segment_id: segment, offset: u32::from_be_bytes(*offset) };
                        self.given_up.push((start, Position { segment_id, offset: 0 }));
                    }
                }
                _ => {}
            }
            offset = record.body_end;
        }
    }

    /// True if the bytes after `at` were promised to somebody.
    fn promises(&self, at: Position) -> bool {
        let is_given_up = self.given_up.iter().any(|(start, end)| *start <= at && at < *end);
        !is_given_up && self.promised.is_some_and(|promised| promised > at)
    }
}

/// Cuts off a torn tail and closes the segment, so that from now on it must be whole.
fn cut(disk: &dyn Disk, segment: &OldSegment, version: u32, offset: usize) -> Result<(), OpenError> {
    let io = |error| OpenError::io(&segment.path)(error);
    if offset < SEGMENT_HEADER_BYTES {
        tracing::warn!("{} was made, but not begun, before a crash: it is removed", segment.path.display());
        disk.remove_file(&segment.path).map_err(io)?;
        return Ok(());
    }
    tracing::info!(
        "{} was not closed when the node ended: its records end at byte {offset}",
        segment.path.display()
    );
    let file = disk.open(&segment.path, OpenMode::ReadWrite).map_err(io)?;
    file.set_bytes(offset as u64).map_err(io)?;
    let at = Position { segment_id: segment.id, offset: offset as u32 };
    let closed = closing_record(version, at);
    file.write_all_at(&closed, offset as u64).map_err(io)?;
    file.sync_data().map_err(io)
}

/// The shards that have segments, each with its segments.
pub(crate) fn by_shard(segments: &[OldSegment]) -> impl Iterator<Item = &[OldSegment]> {
    segments.chunk_by(|a, b| shard_of_segment(a.id) == shard_of_segment(b.id))
}

/// Whether the file is still there: a torn header has it removed.
pub(crate) fn still_there(disk: &dyn Disk, segment: &OldSegment) -> Result<bool, OpenError> {
    disk.exists(&segment.path).map_err(OpenError::io(&segment.path))
}

/// Reads these bytes as the segment they say they are: no panic, and nothing that was not written, whatever they are.
/// Returns how many mutations there are. For fuzzing.
pub fn fuzz_segment(bytes: &[u8]) -> u64 {
    let (id, mut contents) = match parse_segment_header(bytes) {
        SegmentHeader::Good { segment_id, .. } => (segment_id, Vec::new()),
        _ => (1 << 44 | 7, segment_header(1 << 44 | 7, uuid::Uuid::nil()).to_vec()),
    };
    contents.extend_from_slice(bytes);
    let segment = OldSegment { id, path: PathBuf::from("fuzz"), bytes: contents.len() as u32 };
    let mut reader = SegmentReader::new(&segment, contents.into());
    let mut count = 0;
    let mut sink = |mutation: LoggedMutation<'_>| {
        count += 1;
        drop(model::codec::decode_update(&mutation.update));
        Ok(())
    };
    let mut is_first = true;
    while let Ok(Some(stop)) = reader.read(&mut sink) {
        if std::mem::take(&mut is_first) {
            drop(salvage::loss(&reader, &stop).to_string());
        }
        if !reader.skip(&stop) {
            break;
        }
    }
    count
}
