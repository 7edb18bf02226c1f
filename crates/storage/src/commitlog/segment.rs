//! One segment: a file of the log, its name, and who still needs it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

/// Segment ids: the shard in the upper bits, a sequence number that only grows in the lower ones, so that the ids of
/// one shard's log ascend and no other shard's lie between them.
const SEQUENCE_BITS: u32 = 44;

/// A place in the log: right after a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position {
    pub segment_id: i64,
    pub offset: u32,
}

impl Position {
    /// Before everything.
    pub(crate) const NONE: Position = Position { segment_id: -1, offset: 0 };
}

pub(crate) fn segment_id(shard: usize, sequence: u64) -> i64 {
    assert!(sequence < 1 << SEQUENCE_BITS, "{sequence} is beyond all sequence numbers");
    (shard as i64) << SEQUENCE_BITS | sequence as i64
}

pub(crate) fn shard_of_segment(id: i64) -> usize {
    (id >> SEQUENCE_BITS) as usize
}

pub(crate) fn sequence_of_segment(id: i64) -> u64 {
    id as u64 & ((1 << SEQUENCE_BITS) - 1)
}

/// `commitlog-<version>-<shard>-<sequence>.log`
pub(crate) fn segment_path(dir: &Path, id: i64) -> PathBuf {
    let version = super::record::VERSION;
    dir.join(format!("commitlog-{version}-{}-{}.log", shard_of_segment(id), sequence_of_segment(id)))
}

/// `spare-<number>.log`: a file that will become a segment.
pub(crate) fn spare_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("spare-{number}.log"))
}

/// The number in the name of a spare file.
pub(crate) fn parse_spare_name(name: &str) -> Option<u64> {
    name.strip_prefix("spare-")?.strip_suffix(".log")?.parse().ok()
}

/// The segment id in a file name: `None` if it is no segment's, `Err` with the version if it is a later one's.
pub(crate) fn parse_segment_name(name: &str) -> Option<Result<i64, u32>> {
    let mut parts = name.strip_prefix("commitlog-")?.strip_suffix(".log")?.split('-');
    let version: u32 = parts.next()?.parse().ok()?;
    if !(super::record::VERSION_MIN..=super::record::VERSION).contains(&version) {
        return Some(Err(version));
    }
    let shard: u16 = parts.next()?.parse().ok()?;
    let sequence: u64 = parts.next()?.parse().ok()?;
    let fits = parts.next().is_none() && sequence < 1 << SEQUENCE_BITS;
    fits.then(|| Ok(segment_id(usize::from(shard), sequence)))
}

/// A segment that exists, or will once its first bytes are written.
#[derive(Debug)]
pub(crate) struct Segment {
    pub id: i64,
    pub path: PathBuf,
    /// Memtables that hold writes of it.
    unflushed_count: AtomicUsize,
    /// Nothing will be appended, and all bytes are in the file.
    pub complete: AtomicBool,
    pub bytes: AtomicU32,
    /// All of it is safe from a power loss.
    pub is_safe: AtomicBool,
    /// It shall be archived, and has not been.
    pub awaits_archive: AtomicBool,
    /// Its file may become another segment: it is of full size, and no archive shares it.
    pub is_recyclable: AtomicBool,
}

impl Segment {
    pub(crate) fn new(dir: &Path, id: i64) -> Arc<Segment> {
        Segment::at(segment_path(dir, id), id)
    }

    /// The segment that is in this file.
    pub(crate) fn at(path: PathBuf, id: i64) -> Arc<Segment> {
        Arc::new(Segment {
            id,
            path,
            is_safe: AtomicBool::new(false),
            awaits_archive: AtomicBool::new(false),
            is_recyclable: AtomicBool::new(false),
            unflushed_count: AtomicUsize::new(0),
            complete: AtomicBool::new(false),
            bytes: AtomicU32::new(0),
        })
    }

    /// A memtable holds writes of this segment; until [`Segment::release`].
    pub(crate) fn hold(&self) {
        self.unflushed_count.fetch_add(1, Ordering::AcqRel);
    }

    /// A memtable that held it is safe in SSTables, or no longer wanted.
    pub(crate) fn release(&self) {
        let before = self.unflushed_count.fetch_sub(1, Ordering::AcqRel);
        assert!(before > 0, "segment {} was released more often than held", self.id);
    }

    /// True if nobody needs it any more.
    pub(crate) fn is_clean(&self) -> bool {
        self.complete.load(Ordering::Acquire)
            && self.unflushed_count.load(Ordering::Acquire) == 0
            && !self.awaits_archive.load(Ordering::Acquire)
    }
}
