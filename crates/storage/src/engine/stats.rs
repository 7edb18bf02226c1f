//! Numbers for whoever watches.

use std::sync::atomic::Ordering;

use model::TableId;

use super::Core;

/// What one table takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableStats {
    /// Heap bytes of its memtables.
    pub memtable_bytes: usize,
    /// Partitions in its memtables.
    pub memtable_partitions_count: usize,
    /// SSTables.
    pub sstables_count: usize,
    /// Bytes of their files.
    pub sstables_bytes: u64,
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
            flushes_count: self.flushes_count.load(Ordering::Relaxed),
        }
    }

    pub(super) fn table_stats(&self, id: TableId) -> Option<TableStats> {
        let table = self.table(id)?;
        let mut stats = TableStats::default();
        let mut seen = std::collections::HashSet::new();
        for slot in &table.slots {
            let view = slot.view.load();
            for memtable in view.memtables() {
                stats.memtable_bytes += memtable.heap_bytes();
                stats.memtable_partitions_count += memtable.partitions_count();
            }
            for sstable in &view.sstables {
                // One SSTable may reach over several shards.
                if seen.insert(sstable.descriptor().id) {
                    stats.sstables_count += 1;
                    stats.sstables_bytes += sstable.metadata().bytes_on_disk;
                }
            }
        }
        Some(stats)
    }
}
