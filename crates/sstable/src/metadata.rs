//! What an SSTable says of itself.

use model::row::{NO_DELETION_TIME, NO_TTL};
use model::{ColumnData, DeletionTime, Liveness, PartitionKey, PartitionUpdate, Row, Slice};
use uuid::Uuid;

pub use crate::partitioner::Partitioner;

/// 2015-09-22T00:00:00Z in microseconds: what timestamps count from where nothing better is known.
pub const EPOCH_TIMESTAMP_US: i64 = 1_442_880_000_000_000;
/// The same in seconds.
pub const EPOCH_LOCAL_DELETION_S: u32 = 1_442_880_000;

/// A place in a commit log: segment id, byte in it. `(-1, 0)`: none.
pub type CommitLogPosition = (i64, i32);
/// Writes between two places of the commit log.
pub type CommitLogInterval = (CommitLogPosition, CommitLogPosition);

/// Where the deltas of times in Data.db count from: the least values, or the epoch where there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodingStats {
    /// Least write time, microseconds.
    pub min_timestamp_us: i64,
    /// Least local deletion time or expiry, seconds.
    pub min_local_deletion_s: u32,
    /// Least TTL, seconds.
    pub min_ttl_s: i32,
}

impl Default for EncodingStats {
    fn default() -> Self {
        EncodingStatsCollector::new().stats()
    }
}

/// Finds the [`EncodingStats`] of what is about to be written.
#[derive(Clone, Copy, Debug)]
pub struct EncodingStatsCollector {
    timestamp_us: Option<i64>,
    local_deletion_s: Option<u32>,
    ttl_s: Option<i32>,
}

impl Default for EncodingStatsCollector {
    fn default() -> Self {
        EncodingStatsCollector::new()
    }
}

impl EncodingStatsCollector {
    /// Of nothing yet.
    pub const fn new() -> EncodingStatsCollector {
        EncodingStatsCollector { timestamp_us: None, local_deletion_s: None, ttl_s: None }
    }

    /// The minima so far.
    pub fn stats(&self) -> EncodingStats {
        EncodingStats {
            min_timestamp_us: self.timestamp_us.unwrap_or(EPOCH_TIMESTAMP_US),
            min_local_deletion_s: self.local_deletion_s.unwrap_or(EPOCH_LOCAL_DELETION_S),
            min_ttl_s: self.ttl_s.unwrap_or(NO_TTL),
        }
    }

    /// Takes in what another has seen.
    pub fn merge(&mut self, other: &EncodingStatsCollector) {
        self.timestamp_us = least(self.timestamp_us, other.timestamp_us);
        self.local_deletion_s = least(self.local_deletion_s, other.local_deletion_s);
        self.ttl_s = least(self.ttl_s, other.ttl_s);
    }

    /// Takes in the bases of an SSTable that is to be merged.
    pub fn add_stats(&mut self, stats: &EncodingStats) {
        if stats.min_timestamp_us != EPOCH_TIMESTAMP_US {
            self.timestamp_us = least(self.timestamp_us, Some(stats.min_timestamp_us));
        }
        if stats.min_local_deletion_s != EPOCH_LOCAL_DELETION_S {
            self.local_deletion_s = least(self.local_deletion_s, Some(stats.min_local_deletion_s));
        }
        if stats.min_ttl_s != NO_TTL {
            self.ttl_s = least(self.ttl_s, Some(stats.min_ttl_s));
        }
    }

    /// Takes in a change.
    pub fn add_update(&mut self, update: &PartitionUpdate) {
        self.add_deletion(&update.deletion);
        for row in update.static_row.iter().chain(&update.rows) {
            self.add_row(row);
        }
        for tombstone in &update.range_tombstones {
            self.add_deletion(&tombstone.deletion);
        }
    }

    /// Takes in a row.
    pub fn add_row(&mut self, row: &Row) {
        self.add_liveness(&row.liveness);
        self.add_deletion(&row.deletion);
        for (_, data) in &row.columns {
            match data {
                ColumnData::Cell(cell) => {
                    self.add_times(cell.timestamp_us, cell.local_deletion_s, cell.ttl_s);
                }
                ColumnData::Complex { deletion, cells } => {
                    self.add_deletion(deletion);
                    for (_, cell) in cells {
                        self.add_times(cell.timestamp_us, cell.local_deletion_s, cell.ttl_s);
                    }
                }
            }
        }
    }

    /// Takes in a deletion.
    pub fn add_deletion(&mut self, deletion: &DeletionTime) {
        if !deletion.is_live() {
            self.add_times(deletion.timestamp_us, deletion.local_deletion_s, NO_TTL);
        }
    }

    fn add_liveness(&mut self, liveness: &Liveness) {
        if !liveness.is_none() {
            self.add_times(liveness.timestamp_us, liveness.local_deletion_s, liveness.ttl_s);
        }
    }

    fn add_times(&mut self, timestamp_us: i64, local_deletion_s: u32, ttl_s: i32) {
        self.timestamp_us = least(self.timestamp_us, Some(timestamp_us));
        if local_deletion_s != NO_DELETION_TIME {
            self.local_deletion_s = least(self.local_deletion_s, Some(local_deletion_s));
        }
        if ttl_s != NO_TTL {
            self.ttl_s = least(self.ttl_s, Some(ttl_s));
        }
    }
}

fn least<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// What `Statistics.db` and the indexes say of one SSTable.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// The order of its partitions.
    pub partitioner: Partitioner,
    /// First partition.
    pub first: PartitionKey,
    /// Last partition.
    pub last: PartitionKey,
    /// How many partitions.
    pub partitions: u64,
    /// Rows, non-empty static ones included.
    pub rows: u64,
    /// Columns that hold at least one cell, summed over all rows.
    pub columns: u64,
    /// Least write time; `i64::MIN` if there is none.
    pub min_timestamp_us: i64,
    /// Greatest write time.
    pub max_timestamp_us: i64,
    /// Least local deletion time or expiry; `NO_DELETION_TIME` if nothing is deleted or expires.
    pub min_local_deletion_s: u32,
    /// Greatest local deletion time or expiry; `NO_DELETION_TIME` if there is data that stays.
    pub max_local_deletion_s: u32,
    /// Least TTL.
    pub min_ttl_s: i32,
    /// Greatest TTL.
    pub max_ttl_s: i32,
    /// Bases of the deltas in Data.db.
    pub bases: EncodingStats,
    /// All rows and range tombstones lie within. Skip by it only through [`Metadata::may_cover`].
    pub covered: Slice,
    /// There is a partition deletion.
    pub has_partition_deletions: bool,
    /// It stores static columns.
    pub has_statics: bool,
    /// Which writes of the commit log it holds; of the node `host_id` only.
    pub commit_log_intervals: Vec<CommitLogInterval>,
    /// The node that wrote it.
    pub host_id: Option<Uuid>,
    /// Level of leveled compaction.
    pub level: i32,
    /// When it was repaired, milliseconds; 0: never.
    pub repaired_at_ms: i64,
    /// The repair session that it is part of.
    pub pending_repair: Option<Uuid>,
    /// Stored bytes of data by uncompressed ones; -1 if it is not compressed.
    pub compression_ratio: f64,
    /// When tombstones and expiring data go: second, rounded up to a minute, and how many.
    pub droppable: Vec<(i64, u32)>,
    /// Uncompressed bytes of Data.db.
    pub data_bytes: u64,
    /// Bytes of Data.db on the disk.
    pub data_file_bytes: u64,
    /// Bytes of all components.
    pub bytes_on_disk: u64,
}

impl Metadata {
    /// False only if no row or range tombstone can lie in `slice`.
    pub fn may_cover(&self, slice: &Slice) -> bool {
        slice.start.order < self.covered.end.order && self.covered.start.order < slice.end.order
    }
}
