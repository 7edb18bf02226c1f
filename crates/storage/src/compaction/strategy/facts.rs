//! What a decision is made from: SSTables as numbers, and what surrounds them.

use std::sync::Arc;

use model::row::NO_DELETION_TIME;
use model::{PartitionKey, TokenRange};
use uuid::Uuid;

/// SSTables of different states are never compacted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RepairState {
    /// Part of a repair session that has not ended.
    Pending(Uuid),
    /// Not repaired since it was written.
    Unrepaired,
    /// All replicas hold the same.
    Repaired,
}

/// One SSTable as a strategy sees it.
#[derive(Clone, Debug)]
pub struct SsTableFacts {
    /// The caller's number of it; a younger SSTable has a greater one.
    pub id: u64,
    /// Bytes of Data.db on the disk. All sizes in a strategy's options are such.
    pub bytes: u64,
    /// The same uncompressed.
    pub data_bytes: u64,
    /// How many partitions.
    pub partitions: u64,
    /// Cells (or columns with cells) in all of them.
    pub cells: u64,
    /// First partition.
    pub first: PartitionKey,
    /// Last partition.
    pub last: PartitionKey,
    /// Least write time.
    pub min_timestamp_us: i64,
    /// Greatest write time.
    pub max_timestamp_us: i64,
    /// Least local deletion time or expiry; `NO_DELETION_TIME` if nothing is deleted or expires.
    pub min_local_deletion_s: u32,
    /// Greatest local deletion time or expiry; `NO_DELETION_TIME` if there is data that stays.
    pub max_local_deletion_s: u32,
    /// Level of leveled compaction.
    pub level: i32,
    /// Whether it was repaired.
    pub repair: RepairState,
    /// When tombstones and expiring data go: second and how many, ascending.
    pub droppable: Arc<[(i64, u32)]>,
    /// Share of the ring (0 to 1) that the writer gave it; `None` if it is not known.
    pub token_coverage: Option<f64>,
    /// When it was written, seconds since 1970.
    pub created_s: i64,
    /// Reads a second; 0 if they are not counted.
    pub reads_per_s: f64,
    /// A running operation has it.
    pub is_being_compacted: bool,
    /// It could not be read: it is left alone.
    pub is_suspect: bool,
}

impl SsTableFacts {
    /// True if a compaction may take it.
    pub fn is_free(&self) -> bool {
        !self.is_being_compacted && !self.is_suspect
    }

    /// True if the ranges of partitions have a token in common.
    pub fn overlaps(&self, other: &SsTableFacts) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// True if nothing in it is deleted or expires.
    pub fn has_no_tombstones(&self) -> bool {
        self.min_local_deletion_s == NO_DELETION_TIME
    }
}

/// How many of these overlap at the token where most do: so many a read may have to ask.
pub fn overlap_most(facts: &[SsTableFacts]) -> usize {
    let mut firsts: Vec<_> = facts.iter().map(|facts| &facts.first).collect();
    let mut lasts: Vec<_> = facts.iter().map(|facts| &facts.last).collect();
    firsts.sort_unstable();
    lasts.sort_unstable();
    let mut ended = 0;
    let at = |(begun, first): (usize, &&PartitionKey)| {
        while lasts[ended] < *first {
            ended += 1;
        }
        begun + 1 - ended
    };
    firsts.iter().enumerate().map(at).max().unwrap_or(0)
}

/// What a decision depends on beside the SSTables.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `gc_grace_seconds` of the table.
    pub gc_grace_s: i64,
    /// The tokens that these SSTables may hold; empty: the whole ring. Unified compaction splits them evenly.
    pub owned: Vec<TokenRange>,
    /// Average bytes of a flushed SSTable; 0: none was flushed.
    pub flush_bytes: u64,
    /// Least write time in the memtables.
    pub memtable_min_timestamp_us: Option<i64>,
    /// Partitions in all SSTables of the table.
    pub partitions: u64,
    /// When fully expired SSTables were looked for the last time, seconds since 1970.
    pub last_expired_check_s: i64,
    /// A table of a system keyspace: unified compaction does not split it.
    pub is_system: bool,
    /// The operator allowed `unsafe_aggressive_sstable_expiration`.
    pub allows_unsafe_expiration: bool,
}
