//! A read of one row: sources from the newest to the oldest, until no older one can change the answer.
//!
//! An SSTable says how new its newest data is. Once the row has a marker and a cell in every column, all newer than
//! that, or is deleted by something newer, what is older makes no difference. Collections and counters are merged from
//! all sources.
//!
//! Source of the idea: `SinglePartitionReadCommand.queryMemtableAndSSTablesInTimestampOrder`.

use std::collections::VecDeque;
use std::sync::Arc;

use model::merge::merge_rows;
use model::partition::{PartitionStream, SourceError};
use model::row::NO_TIMESTAMP;
use model::{ColumnData, DeletionTime, PartitionHeader, Row, Slices, Table, Unfiltered};
use sstable::SsTable;

/// True if slices of this table select one row at most.
pub(super) fn is_one_row(table: &Table, slices: &Slices) -> bool {
    let [slice] = slices.0.as_slice() else { return false };
    let count = table.clustering.len();
    count == 0 || (slice.start.values.len() == count && slice.start.values == slice.end.values)
}

/// What was found so far.
pub(super) struct RowRead<'t> {
    table: &'t Table,
    row: Option<Row>,
    /// The newest deletion that covers the row.
    deletion: DeletionTime,
    sources: Vec<Box<dyn PartitionStream>>,
}

impl<'t> RowRead<'t> {
    pub(super) fn new(table: &'t Table) -> RowRead<'t> {
        RowRead { table, row: None, deletion: DeletionTime::LIVE, sources: Vec::new() }
    }

    /// True if this SSTable, and those that are as old, cannot change the answer.
    pub(super) fn is_final_without(&self, sstable: &SsTable) -> bool {
        let metadata = sstable.metadata();
        let newest = metadata.max_timestamp_us;
        if self.partition_deletion().is_some_and(|timestamp_us| timestamp_us >= newest) {
            return true;
        }
        if metadata.has_statics || metadata.has_partition_deletions || self.table.is_counter {
            return false;
        }
        // A row's own deletion hides what is older; what it does not hide is told by the times below.
        if self.deletion.timestamp_us != NO_TIMESTAMP && self.deletion.timestamp_us >= newest {
            return true;
        }
        let Some(row) = &self.row else { return false };
        let is_newer = |timestamp_us: i64| timestamp_us > newest;
        let is_whole = row.columns.len() == self.table.regulars.len();
        is_whole
            && is_newer(row.liveness.timestamp_us)
            && row.columns.iter().all(|(_, data)| match data {
                ColumnData::Cell(cell) => is_newer(cell.timestamp_us),
                ColumnData::Complex { .. } => false,
            })
    }

    fn partition_deletion(&self) -> Option<i64> {
        let deletions = self.sources.iter().map(|source| source.header().deletion);
        deletions.filter(|deletion| !deletion.is_live()).map(|deletion| deletion.timestamp_us).max()
    }

    /// Takes in what a source has of the row.
    pub(super) fn add(&mut self, mut stream: Box<dyn PartitionStream>) -> Result<(), SourceError> {
        let header = stream.header().clone();
        self.deletion = self.deletion.max(header.deletion);
        let mut items = VecDeque::new();
        let mut open: Option<DeletionTime> = None;
        while let Some(item) = stream.next()? {
            match &item {
                Unfiltered::Row(row) => {
                    self.deletion = self.deletion.max(row.deletion).max(open.unwrap_or(DeletionTime::LIVE));
                    let row = row.clone();
                    self.row = Some(match self.row.take() {
                        Some(known) => merge_rows(self.table, known, row),
                        None => row,
                    });
                }
                Unfiltered::Marker(marker) => {
                    open = marker.open;
                    // Clipped to one row, a range covers it.
                    self.deletion = self.deletion.max(open.unwrap_or(DeletionTime::LIVE));
                }
            }
            items.push_back(item);
        }
        self.sources.push(Box::new(Held { header, items }));
        Ok(())
    }

    /// All that was taken in.
    pub(super) fn into_sources(self) -> Vec<Box<dyn PartitionStream>> {
        self.sources
    }
}

/// A partition's part, in memory.
struct Held {
    header: PartitionHeader,
    items: VecDeque<Unfiltered>,
}

impl PartitionStream for Held {
    fn header(&self) -> &PartitionHeader {
        &self.header
    }

    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        Ok(self.items.pop_front())
    }
}

/// SSTables with the newest data first.
pub(super) fn newest_first<'s>(sstables: impl Iterator<Item = &'s Arc<SsTable>>) -> Vec<&'s Arc<SsTable>> {
    let mut sorted: Vec<_> = sstables.collect();
    sorted.sort_by_key(|sstable| std::cmp::Reverse(sstable.metadata().max_timestamp_us));
    sorted
}
