//! Memtable: the sorted, in-memory half of one table on one shard.
//!
//! A write arrives here once the commit log has it. A flush turns the whole memtable into one SSTable and drops it;
//! reads merge it with the SSTables until then.
//!
//! Read in order: [`Memtable`] (what callers use), [`partition`] (how rows merge), [`tree`] (where they are),
//! [`arena`] (in what memory), [`partitions`] (how a
//! partition is found).
//!
//! Never here: I/O, clocks. Sizes are heap bytes, estimated.

mod partition;
pub(crate) use partition::Partition;

mod tree;

mod arena;
use arena::Arena;

mod partitions;
use partitions::Partitions;

mod finder;

mod order;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use model::{ColumnId, PartitionKey, PartitionUpdate, Table};
use parking_lot::Mutex;
use sstable::EncodingStats;
use sstable::metadata::EncodingStatsCollector;

use crate::commitlog::{Appended, Position, Segment};

/// Heap bytes that a partition takes beside its key and rows.
const PARTITION_BYTES: usize = Partitions::ENTRY_BYTES;

/// The memtable of one table on one shard.
#[derive(Default)]
pub(crate) struct Memtable {
    inner: Mutex<Inner>,
    heap_bytes: AtomicUsize,
    partitions_count: AtomicUsize,
    /// Rows and deletions that were written into it, as often as they were.
    operations_count: AtomicU64,
    /// It may hold cells of columns that were dropped since.
    pub has_dropped_columns: AtomicBool,
    /// It holds writes that no log holds.
    pub has_unlogged: AtomicBool,
    /// It takes no writes any more: counted among those that are on their way to the disk.
    pub is_flushing: AtomicBool,
    /// When it took its first write, in milliseconds of the monotonic clock; 0: none yet, or nobody asks.
    pub since_ms: AtomicU64,
}

#[derive(Default)]
struct Inner {
    partitions: Partitions,
    arena: Arena,
    stats: EncodingStatsCollector,
    columns: BTreeSet<ColumnId>,
    /// Segments of the log that hold its writes.
    segments: Vec<Arc<Segment>>,
    /// The writes of this run's log that it holds lie between these places.
    interval: Option<(Position, Position)>,
}

impl Memtable {
    /// Merges a change in, of which the log holds a record (or not). The caller holds the shard's lock. Returns by how
    /// many heap bytes it grew.
    pub(crate) fn apply(
        &self,
        table: &Table,
        key: &PartitionKey,
        update: &PartitionUpdate,
        appended: Option<&Appended>,
    ) -> isize {
        thread_local! {
            static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        inner.partitions.prefetch_row(key);
        if let Some(appended) = appended {
            inner.note_logged(appended);
        }
        inner.stats.add_update(update);
        for row in update.static_row.iter().chain(&update.rows) {
            for (id, _) in &row.columns {
                if !inner.columns.contains(id) {
                    inner.columns.insert(*id);
                }
            }
        }
        let operations = update.static_row.iter().len() + update.rows.len() + update.range_tombstones.len();
        let operations = operations + usize::from(!update.deletion.is_live());
        // Whoever changes it holds the lock.
        self.operations_count.store(self.operations_count() + operations as u64, Ordering::Relaxed);
        let arena = &mut inner.arena;
        let grown = SCRATCH.with_borrow_mut(|scratch| match inner.partitions.get_mut(key) {
            Some(partition) => partition.apply_into(arena, table, update, scratch),
            None => {
                let mut partition = Partition::default();
                let grown = partition.apply_into(arena, table, update, scratch);
                let bytes = PARTITION_BYTES + key.key.len();
                inner.partitions.insert(key, partition);
                self.partitions_count.fetch_add(1, Ordering::Relaxed);
                grown + bytes as isize
            }
        });
        self.heap_bytes.store(self.heap_bytes().saturating_add_signed(grown), Ordering::Relaxed);
        grown
    }

    /// Asks for the memory that [`Memtable::apply`] begins with.
    pub(crate) fn prefetch(&self, key: &PartitionKey) {
        self.inner.lock().partitions.prefetch(key);
    }

    /// Asks for the memory of the partition, once that of [`Memtable::prefetch`] is there.
    pub(crate) fn prefetch_slot(&self, key: &PartitionKey) {
        self.inner.lock().partitions.prefetch_slot(key);
    }

    /// Asks for the memory of the partition's row, once that of [`Memtable::prefetch_slot`] is there.
    pub(crate) fn prefetch_row(&self, key: &PartitionKey) {
        self.inner.lock().partitions.prefetch_row(key);
    }

    /// Notes that a write was replayed from a segment of an earlier run.
    pub(crate) fn note_replayed(&self, segment: &Arc<Segment>) {
        self.inner.lock().hold(segment);
    }

    /// Lets go of the log: its writes are safe in an SSTable, or no longer wanted.
    pub(crate) fn release_log(&self) {
        for segment in std::mem::take(&mut self.inner.lock().segments) {
            segment.release();
        }
    }

    /// Id of the oldest segment that it needs.
    pub(crate) fn oldest_segment(&self) -> Option<i64> {
        self.inner.lock().segments.iter().map(|segment| segment.id).min()
    }

    /// The part of this run's log that it holds.
    pub(crate) fn interval(&self) -> Option<(Position, Position)> {
        self.inner.lock().interval
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.heap_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn partitions_count(&self) -> usize {
        self.partitions_count.load(Ordering::Relaxed)
    }

    /// Rows and deletions that were written, as often as they were: what Cassandra calls its cells.
    pub(crate) fn operations_count(&self) -> u64 {
        self.operations_count.load(Ordering::Relaxed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.partitions_count() == 0
    }

    /// What it has seen: bases for times, and columns.
    pub(crate) fn seen(&self) -> (EncodingStats, BTreeSet<ColumnId>) {
        let inner = self.inner.lock();
        (inner.stats.stats(), inner.columns.clone())
    }

    /// A snapshot of one partition.
    pub(crate) fn partition(&self, key: &PartitionKey) -> Option<Partition> {
        self.inner.lock().partitions.get(key).map(Partition::snapshot)
    }

    /// Snapshots of up to `count` partitions.
    pub(crate) fn partitions(
        &self,
        start: Bound<&PartitionKey>,
        end: Bound<&PartitionKey>,
        count: usize,
    ) -> Vec<(PartitionKey, Partition)> {
        let mut inner = self.inner.lock();
        let range = inner.partitions.range(start, end, count);
        range.into_iter().map(|(key, partition)| (key, partition.clone())).collect()
    }
}

impl Inner {
    /// Notes where in the log a write stands.
    fn note_logged(&mut self, appended: &Appended) {
        self.interval = Some((self.interval.map_or(appended.before, |(start, _)| start), appended.after));
        self.hold(&appended.segment);
    }

    fn hold(&mut self, segment: &Arc<Segment>) {
        let is_held = self.segments.iter().rev().any(|held| held.id == segment.id);
        if !is_held {
            segment.hold();
            self.segments.push(segment.clone());
        }
    }
}

#[cfg(test)]
mod tests;
