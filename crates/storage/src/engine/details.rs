//! Numbers of one table that cost reads of the disk: sizes of components, histograms of SSTables, its snapshots.

use std::path::PathBuf;

use model::{PartitionKey, Table, TableId};
use sstable::{Component, Descriptor};

use super::{Core, Engine};
use crate::metrics::HistogramSnapshot;
use crate::snapshot::files;
use crate::table::{TableState, table_dir};
use crate::{OpenError, TableStats};

/// What `nodetool tablestats` and `tablehistograms` show beyond [`TableStats`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableDetails {
    /// What is known without the disk.
    pub stats: TableStats,
    /// Bytes of everything in the table's directory but snapshots and backups.
    pub bytes_total: u64,
    /// Bytes that only snapshots hold.
    pub snapshot_bytes: u64,
    /// Bytes of Bloom filters.
    pub filter_bytes: u64,
    /// Bytes of the places of compressed chunks.
    pub compression_info_bytes: u64,
    /// Bytes of index summaries.
    pub summary_bytes: u64,
    /// Sizes of partitions in SSTables.
    pub partition_bytes: HistogramSnapshot,
    /// Cells of partitions in SSTables.
    pub partition_cells: HistogramSnapshot,
    /// Read latency in microseconds.
    pub read_latency_us: HistogramSnapshot,
    /// Write latency in microseconds.
    pub write_latency_us: HistogramSnapshot,
    /// SSTables that a read looked into.
    pub sstables_per_read: HistogramSnapshot,
    /// Live rows a read.
    pub live_per_read: HistogramSnapshot,
    /// Tombstones a read.
    pub tombstones_per_read: HistogramSnapshot,
}

impl Engine {
    /// All numbers of a table; `None` if it is gone. Reads the disk.
    pub fn table_details(&self, id: TableId) -> Result<Option<TableDetails>, OpenError> {
        let Some(table) = self.core.table(id) else { return Ok(None) };
        let stats = self.core.table_stats(id).unwrap_or_default();
        self.core.details(&table, stats).map(Some)
    }

    /// The SSTables of a table.
    pub fn sstables(&self, id: TableId) -> Vec<Descriptor> {
        let table = self.core.table(id);
        let sstables = table.map(|table| table.sstables()).unwrap_or_default();
        sstables.iter().map(|sstable| sstable.descriptor().clone()).collect()
    }

    /// Those that may hold a partition.
    pub fn sstables_with(&self, id: TableId, key: &PartitionKey) -> Vec<Descriptor> {
        let table = self.core.table(id);
        let sstables = table.map(|table| table.sstables()).unwrap_or_default();
        let those = sstables.iter().filter(|sstable| sstable.may_contain(key));
        those.map(|sstable| sstable.descriptor().clone()).collect()
    }

    /// Where a table's files are.
    pub fn table_dir(&self, table: &Table) -> PathBuf {
        table_dir(&self.core.options.data_dir, table)
    }
}

impl Core {
    fn details(&self, table: &TableState, stats: TableStats) -> Result<TableDetails, OpenError> {
        let disk = self.runtime.disk();
        let metrics = &table.metrics;
        let mut details = TableDetails {
            stats,
            read_latency_us: metrics.read_latency_us.snapshot(),
            write_latency_us: metrics.write_latency_us.snapshot(),
            sstables_per_read: metrics.sstables_per_read.snapshot(),
            live_per_read: metrics.live_per_read.snapshot(),
            tombstones_per_read: metrics.tombstones_per_read.snapshot(),
            ..TableDetails::default()
        };
        if !disk.exists(&table.dir).map_err(OpenError::io(&table.dir))? {
            return Ok(details);
        }
        for file in disk.list(&table.dir).map_err(OpenError::io(&table.dir))? {
            details.bytes_total += file.bytes;
            let sum = [
                (Component::Filter, &mut details.filter_bytes),
                (Component::CompressionInfo, &mut details.compression_info_bytes),
                (Component::Summary, &mut details.summary_bytes),
            ];
            for (component, bytes) in sum {
                if file.name.ends_with(&format!("-{}", component.file_name())) {
                    *bytes += file.bytes;
                }
            }
        }
        for sstable in table.sstables() {
            // One that was just compacted away is not counted any more.
            if let Ok(histograms) = sstable::read_histograms(disk, sstable.descriptor()) {
                details.partition_bytes.merge(&HistogramSnapshot::of_buckets(histograms.partition_bytes));
                details.partition_cells.merge(&HistogramSnapshot::of_buckets(histograms.partition_cells));
            }
        }
        details.snapshot_bytes = files::true_bytes_of(&**disk, &table.dir)?;
        Ok(details)
    }
}
