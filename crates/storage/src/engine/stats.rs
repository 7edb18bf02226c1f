//! Numbers for whoever watches.

use std::sync::atomic::{AtomicU64, Ordering};

use model::TableId;
use sstable::{Descriptor, Metadata};

use super::Core;

/// Levels beyond this are counted as this one: no strategy has so many.
const LEVELS_MAX: usize = 20;

/// What one table takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableStats {
    /// Heap bytes of its memtables.
    pub memtable_bytes: usize,
    /// Partitions in its memtables.
    pub memtable_partitions_count: usize,
    /// Rows and deletions that were written into its memtables, as often as they were.
    pub memtable_operations_count: u64,
    /// SSTables.
    pub sstables_count: usize,
    /// Bytes of their files.
    pub sstables_bytes: u64,
    /// Uncompressed bytes of their data.
    pub uncompressed_bytes: u64,
    /// Uncompressed bytes of those that were repaired.
    pub repaired_bytes: u64,
    /// Uncompressed bytes of those that a repair is under way for.
    pub pending_repair_bytes: u64,
    /// Bytes of the largest.
    pub largest_sstable_bytes: u64,
    /// SSTables of older formats.
    pub old_sstables_count: usize,
    /// SSTables of each level, from 0 on.
    pub levels: Vec<usize>,
    /// Bytes of the SSTables of each level.
    pub levels_bytes: Vec<u64>,
    /// Bytes of stored data, of those that are compressed, and of the data.
    pub compressed: (u64, u64),
    /// Partitions of all SSTables; one that is in several is counted as often.
    pub sstable_partitions_count: u64,
    /// Columns with cells, summed over the rows of all SSTables.
    pub sstable_columns_count: u64,
    /// Tombstones and expiring cells that may go by now, as far as `gc_grace_seconds` is concerned.
    pub droppable_count: u64,
    /// Memtables that wait for their flush.
    pub pending_flushes: usize,
    /// Flushed memtables.
    pub memtable_switches: u64,
    /// Reads of partitions.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
    /// SSTables that were looked into for a key that they do not hold.
    pub bloom_false_positives: u64,
    /// SSTables that held a key that was read.
    pub bloom_true_positives: u64,
}

/// What the engine is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// Entries appended to the commit log since the start.
    pub log_entries_count: u64,
    /// Bytes of them.
    pub log_entries_bytes: u64,
    /// Syncs of the commit log since the start.
    pub log_syncs_count: u64,
    /// Bytes of all segments that exist.
    pub log_bytes: u64,
    /// Mutations replayed at the start.
    pub replayed_entries_count: u64,
    /// Heap bytes of all memtables.
    pub memtable_bytes: usize,
    /// Flushes finished since the start.
    pub flushes_count: u64,
    /// Writes that wait for room.
    pub waiting_writes_count: usize,
    /// Flushes, compactions and their like that failed since the start.
    pub failures_count: u64,
    /// Files of the log that were used again since the start.
    pub log_recycled_count: u64,
}

impl Core {
    pub(super) fn stats(&self) -> EngineStats {
        EngineStats {
            log_entries_count: self.log.entries_count.load(Ordering::Relaxed),
            log_entries_bytes: self.log.entries_bytes.load(Ordering::Relaxed),
            log_syncs_count: self.log.syncs_count.load(Ordering::Relaxed),
            log_bytes: self.log.total_bytes.load(Ordering::Relaxed),
            replayed_entries_count: self.replayed_entries_count.load(Ordering::Relaxed),
            memtable_bytes: self.memtable_bytes.load(Ordering::Relaxed),
            waiting_writes_count: self.room.len(),
            log_recycled_count: self.log.supply.recycled_count(),
            failures_count: self.failures_count.load(Ordering::Relaxed),
            flushes_count: self.flushes_count.load(Ordering::Relaxed),
        }
    }

    pub(super) fn table_stats(&self, id: TableId) -> Option<TableStats> {
        let table = self.table(id)?;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let metrics = &table.metrics;
        let mut stats = TableStats {
            memtable_switches: count(&metrics.memtable_switches),
            reads: count(&metrics.reads),
            writes: count(&metrics.writes),
            bloom_false_positives: count(&metrics.false_positives),
            bloom_true_positives: count(&metrics.true_positives),
            ..TableStats::default()
        };
        for slot in &table.slots {
            let view = slot.view.load();
            stats.pending_flushes += view.flushing.len();
            for memtable in view.memtables() {
                stats.memtable_bytes += memtable.heap_bytes();
                stats.memtable_partitions_count += memtable.partitions_count();
                stats.memtable_operations_count += memtable.operations_count();
            }
        }
        let gc_before_s =
            self.runtime.clock().wall_s() - i64::from(table.table.load().options.gc_grace_seconds);
        // One SSTable may reach over several shards.
        for sstable in table.sstables() {
            stats.add(sstable.descriptor(), sstable.metadata(), gc_before_s);
        }
        Some(stats)
    }
}

impl TableStats {
    fn add(&mut self, descriptor: &Descriptor, metadata: &Metadata, gc_before_s: i64) {
        let bytes = metadata.bytes_on_disk;
        self.sstables_count += 1;
        self.sstables_bytes += bytes;
        self.uncompressed_bytes += metadata.data_bytes;
        if metadata.pending_repair.is_some() {
            self.pending_repair_bytes += metadata.data_bytes;
        } else if metadata.repaired_at_ms > 0 {
            self.repaired_bytes += metadata.data_bytes;
        }
        self.largest_sstable_bytes = self.largest_sstable_bytes.max(bytes);
        self.old_sstables_count += usize::from(descriptor.version != sstable::Version::Da);
        let level = usize::try_from(metadata.level).unwrap_or(0).min(LEVELS_MAX);
        if self.levels.len() <= level {
            self.levels.resize(level + 1, 0);
            self.levels_bytes.resize(level + 1, 0);
        }
        self.levels[level] += 1;
        self.levels_bytes[level] += bytes;
        if metadata.compression_ratio >= 0.0 {
            let stored = metadata.compression_ratio * metadata.data_bytes as f64;
            self.compressed.0 += stored as u64;
            self.compressed.1 += metadata.data_bytes;
        }
        self.sstable_partitions_count += metadata.partitions;
        self.sstable_columns_count += metadata.columns;
        let droppable = metadata.droppable.iter().filter(|(second, _)| *second <= gc_before_s);
        self.droppable_count += droppable.map(|(_, count)| u64::from(*count)).sum::<u64>();
    }
}
