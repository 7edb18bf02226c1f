//! How large a batch may be: Cassandra's three thresholds, and what it measures with them.
//!
//! Only batches that change more than one partition are measured (the tables of one keyspace share a partition's key),
//! conditional ones never. The size is what Cassandra calls data size: seen on 5.0.9, statement by statement
//! (`batch_size.test`).

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cql::ast::BatchKind;
use model::row::NO_TTL;
use model::{Cell, ColumnData, Mutation, PartitionUpdate, QueryError, Row, Value};

/// `batch_size_warn_threshold`, `batch_size_fail_threshold`, `unlogged_batch_across_partitions_warn_threshold`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Bytes above which the client and the log are warned.
    pub warn_bytes: u64,
    /// Bytes above which a batch is refused.
    pub fail_bytes: u64,
    /// Partitions of a batch that is not logged above which the client and the log are warned.
    pub warn_partitions: usize,
}

impl Default for BatchLimits {
    fn default() -> BatchLimits {
        BatchLimits { warn_bytes: 5 << 10, fail_bytes: 50 << 10, warn_partitions: 10 }
    }
}

/// The log hears of too many partitions once in this time, as in Cassandra.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// When the log was last told; 0: never.
#[derive(Debug, Default)]
pub struct LastTold(AtomicU64);

impl LastTold {
    /// True for one caller in each minute. `now` is monotonic.
    fn may_tell(&self, now: Duration) -> bool {
        let now_ms = (now.as_millis() as u64).max(1);
        let last_ms = self.0.load(Ordering::Relaxed);
        let is_due = last_ms == 0 || now_ms.saturating_sub(last_ms) >= LOG_EVERY.as_millis() as u64;
        is_due && self.0.compare_exchange(last_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Refuses a batch that is too large; what the client is warned of otherwise. `mutations`: one for each partition of a
/// table.
pub fn check(
    limits: &BatchLimits,
    kind: BatchKind,
    mutations: &[Mutation],
    told: &LastTold,
    now: Duration,
) -> Result<Vec<String>, QueryError> {
    let mut warnings = Vec::new();
    let partitions: HashSet<_> =
        mutations.iter().map(|mutation| (&mutation.table.keyspace, &mutation.key.key)).collect();
    if partitions.len() < 2 {
        return Ok(warnings);
    }
    let bytes: u64 = mutations.iter().map(|mutation| data_bytes(&mutation.update)).sum();
    let too_large = |threshold: u64| {
        let tables = table_names(mutations).join(", ");
        format!(
            "Batch for [{tables}] is of size {bytes}, exceeding specified threshold of {threshold} by {}.",
            bytes - threshold
        )
    };
    if bytes > limits.fail_bytes {
        tracing::error!("{} (see batch_size_fail_threshold)", too_large(limits.fail_bytes));
        return Err(QueryError::invalid("Batch too large"));
    }
    if bytes > limits.warn_bytes {
        let warning = too_large(limits.warn_bytes);
        tracing::warn!("{warning}");
        warnings.push(warning);
    }
    let keys_count = partitions.iter().map(|(_, key)| key).collect::<HashSet<_>>().len();
    if kind != BatchKind::Logged && keys_count > limits.warn_partitions {
        let tables = table_names(mutations);
        let warning = format!(
            "Unlogged batch covering {keys_count} partitions detected against table{} [{}]. You should use a logged batch \
             for atomicity, or asynchronous writes for performance.",
            if tables.len() == 1 { "" } else { "s" },
            tables.join(", ")
        );
        if told.may_tell(now) {
            tracing::warn!("{warning}");
        }
        warnings.push(warning);
    }
    Ok(warnings)
}

/// Cassandra's `PartitionUpdate.dataSize`: a partition deletion and a static row are counted whether there or not.
fn data_bytes(update: &PartitionUpdate) -> u64 {
    const PARTITION_DELETION: u64 = 8;
    const RANGES: u64 = 4;
    const RANGE: u64 = 8 + 4;
    let static_row = update.static_row.as_ref().map_or(ROW, row_bytes);
    let rows: u64 = update.rows.iter().map(row_bytes).sum();
    let range = |values: &[Value]| values_bytes(values);
    let ranges: u64 = update
        .range_tombstones
        .iter()
        .map(|tombstone| range(&tombstone.start.values) + range(&tombstone.end.values) + RANGE)
        .sum();
    let ranges = if update.range_tombstones.is_empty() { 0 } else { RANGES + ranges };
    PARTITION_DELETION + static_row + rows + ranges
}

/// A row with nothing in it: time of its marker, deletion, and whether that is a shadow.
const ROW: u64 = 8 + 12 + 1;

fn row_bytes(row: &Row) -> u64 {
    const EXPIRY: u64 = 4 + 8;
    const COLLECTION_DELETION: u64 = 12;
    let expiry = if row.liveness.ttl_s == NO_TTL { 0 } else { EXPIRY };
    let columns: u64 = row
        .columns
        .iter()
        .map(|(_, data)| match data {
            ColumnData::Cell(cell) => cell_bytes(cell),
            ColumnData::Complex { cells, .. } => {
                COLLECTION_DELETION
                    + cells.iter().map(|(path, cell)| path.len() as u64 + cell_bytes(cell)).sum::<u64>()
            }
        })
        .sum();
    ROW + expiry + values_bytes(&row.clustering.values) + columns
}

/// Time, time to live, second of deletion, value.
fn cell_bytes(cell: &Cell) -> u64 {
    8 + 4 + 8 + cell.value.len() as u64
}

fn values_bytes(values: &[Value]) -> u64 {
    values.iter().flatten().map(|value| value.len() as u64).sum()
}

/// The tables' names, in the order in which Cassandra's `HashSet` of them is walked.
fn table_names(mutations: &[Mutation]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    for mutation in mutations {
        if seen.insert(mutation.table.id) {
            names.push(format!("{}.{}", mutation.table.keyspace, mutation.table.name));
        }
    }
    let mut buckets: usize = 16;
    while names.len() > buckets / 4 * 3 {
        buckets *= 2;
    }
    names.sort_by_key(|name| {
        let hash = name.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
        (hash ^ (hash >> 16)) as usize & (buckets - 1)
    });
    names
}
