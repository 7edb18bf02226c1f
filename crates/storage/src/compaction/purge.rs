//! What may go: tombstones that nobody needs any more, and what has expired.
//!
//! A tombstone goes when it is older than `gc_grace_seconds` and nothing outside of the compaction can hold data that
//! it shadows: no memtable, and no SSTable whose key range and Bloom filter admit the key, may hold anything as old as
//! it. What has expired becomes a tombstone as of its write, and that may go at once; it stays as it is while others may
//! hold a cell of the same time, because a tombstone wins ties that an expired cell loses (to a cell that expires later).
//!
//! Read in order: [`Limits`] (by time), [`Elsewhere`] (what others hold), [`Purge`] (a partition without it).
//!
//! Never here: what shadows what (`model::merge`), clocks.
//!
//! Source: `PurgeFunction.java`, `AbstractCell.purge`, `BTreeRow.purge`, `CompactionController.getPurgeEvaluator`.

use std::sync::Arc;

use model::partition::{PartitionStream, SourceError};
use model::{
    Cell, ColumnData, DeletionTime, Liveness, Marker, PartitionHeader, PartitionKey, Row, Unfiltered,
};
use sstable::SsTable;

use crate::table::TableState;

/// What is old enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// What expires at or before this second has expired.
    pub now_s: u32,
    /// Tombstones of before this second may go; 0: none may.
    pub gc_before_s: u32,
}

impl Limits {
    /// As of `now_s` for a table with this `gc_grace_seconds`.
    pub(crate) fn new(now_s: i64, gc_grace_s: i32) -> Limits {
        let clip = |second: i64| u32::try_from(second.max(0)).unwrap_or(u32::MAX - 1);
        Limits { now_s: clip(now_s), gc_before_s: clip(now_s - i64::from(gc_grace_s)) }
    }

    /// Tombstones stay, whatever their age.
    pub(crate) fn without_purge(self) -> Limits {
        Limits { gc_before_s: 0, ..self }
    }

    /// True if the time alone may change something in this row.
    pub(crate) fn concern(&self, row: &Row) -> bool {
        // Whatever is deleted or expires carries the second of it.
        let concerns = |second: u32| second <= self.now_s.max(self.gc_before_s);
        concerns(row.deletion.local_deletion_s)
            || concerns(row.liveness.local_deletion_s)
            || row.liveness.ttl_s == model::row::EXPIRED_TTL
            || row.columns.iter().any(|(_, data)| match data {
                ColumnData::Cell(cell) => concerns(cell.local_deletion_s),
                ColumnData::Complex { deletion, cells } => {
                    concerns(deletion.local_deletion_s)
                        || cells.iter().any(|(_, cell)| concerns(cell.local_deletion_s))
                }
            })
    }
}

#[cfg(test)]
thread_local! {
    /// Planted bug: what lies elsewhere is not looked at.
    pub(crate) static PURGES_TOO_EARLY: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    /// Planted bug: a range tombstone's end is lost.
    pub(crate) static LOSES_RANGE_ENDS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// What of a table lies outside of a compaction.
pub(crate) struct Elsewhere {
    state: Arc<TableState>,
    /// Ascending.
    inputs: Vec<u64>,
}

impl Elsewhere {
    pub(crate) fn new<'a>(
        state: &Arc<TableState>,
        inputs: impl IntoIterator<Item = &'a Arc<SsTable>>,
    ) -> Elsewhere {
        let mut inputs: Vec<u64> =
            inputs.into_iter().map(|sstable| sstable.descriptor().id.as_u64()).collect();
        inputs.sort_unstable();
        Elsewhere { state: state.clone(), inputs }
    }

    /// Nothing elsewhere that a deletion in this partition could shadow is older than this; as of now.
    pub(crate) fn min_timestamp_us(&self, key: &PartitionKey) -> i64 {
        #[cfg(test)]
        if PURGES_TOO_EARLY.get() {
            return i64::MAX;
        }
        let view = self.state.slots[self.state.shard_of(key)].view.load();
        // Memtables first: what is flushed meanwhile is then seen twice, not never.
        let memtables = view.memtables().filter(|memtable| memtable.partition(key).is_some());
        let memtables = memtables.map(|memtable| memtable.seen().0.min_timestamp_us);
        let sstables = view.sstables.iter().filter(|sstable| {
            self.inputs.binary_search(&sstable.descriptor().id.as_u64()).is_err() && sstable.may_contain(key)
        });
        let sstables = sstables.map(|sstable| sstable.metadata().min_timestamp_us);
        memtables.chain(sstables).min().unwrap_or(i64::MAX)
    }
}

/// A partition without what may go.
pub(crate) struct Purge {
    stream: Box<dyn PartitionStream>,
    header: PartitionHeader,
    rule: Rule,
}

/// Decides for one partition.
struct Rule {
    limits: Limits,
    elsewhere: Arc<Elsewhere>,
    key: PartitionKey,
    /// Asked for when first needed.
    min_timestamp_us: Option<i64>,
}

impl Purge {
    pub(crate) fn new(stream: Box<dyn PartitionStream>, limits: Limits, elsewhere: &Arc<Elsewhere>) -> Purge {
        let mut header = stream.header().clone();
        let key = header.key.clone();
        let mut rule = Rule { limits, elsewhere: elsewhere.clone(), key, min_timestamp_us: None };
        if rule.purges(&header.deletion) {
            header.deletion = DeletionTime::LIVE;
        }
        header.static_row = header.static_row.and_then(|row| rule.row(row));
        Purge { stream, header, rule }
    }
}

impl PartitionStream for Purge {
    fn header(&self) -> &PartitionHeader {
        &self.header
    }

    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        while let Some(unfiltered) = self.stream.next()? {
            let kept = match unfiltered {
                Unfiltered::Row(row) => self.rule.row(row).map(Unfiltered::Row),
                Unfiltered::Marker(marker) => self.rule.marker(marker).map(Unfiltered::Marker),
            };
            if kept.is_some() {
                return Ok(kept);
            }
        }
        Ok(None)
    }
}

impl Rule {
    fn is_purgeable(&mut self, timestamp_us: i64, local_deletion_s: u32) -> bool {
        #[cfg(test)]
        if let Some(answer) =
            crate::tests::planted::purges_too_early(local_deletion_s, self.limits.gc_before_s)
        {
            return answer;
        }
        local_deletion_s < self.limits.gc_before_s && self.is_oldest(timestamp_us)
    }

    /// True if all that others hold of the partition is younger.
    fn is_oldest(&mut self, timestamp_us: i64) -> bool {
        let elsewhere = &self.elsewhere;
        let key = &self.key;
        timestamp_us < *self.min_timestamp_us.get_or_insert_with(|| elsewhere.min_timestamp_us(key))
    }

    fn purges(&mut self, deletion: &DeletionTime) -> bool {
        !deletion.is_live() && self.is_purgeable(deletion.timestamp_us, deletion.local_deletion_s)
    }

    fn marker(&mut self, marker: Marker) -> Option<Marker> {
        #[cfg(test)]
        if LOSES_RANGE_ENDS.get() && marker.open.is_none() {
            return None;
        }
        let close = marker.close.filter(|deletion| !self.purges(deletion));
        let open = marker.open.filter(|deletion| !self.purges(deletion));
        let bound = match (close.is_some(), open.is_some()) {
            (false, false) => return None,
            // Of a boundary, whose bound is that of its closing side, the opening side is left.
            (false, true) if marker.close.is_some() => marker.bound.invert(),
            _ => marker.bound,
        };
        Some(Marker { bound, close, open })
    }

    fn row(&mut self, mut row: Row) -> Option<Row> {
        if !self.limits.concern(&row) {
            return Some(row);
        }
        let Liveness { timestamp_us, local_deletion_s, .. } = row.liveness;
        let has_expired = !row.liveness.is_none() && !row.liveness.is_live(self.limits.now_s);
        if has_expired && self.is_purgeable(timestamp_us, local_deletion_s) {
            row.liveness = Liveness::NONE;
        }
        if self.purges(&row.deletion) {
            row.deletion = DeletionTime::LIVE;
        }
        row.columns.retain_mut(|(_, data)| self.column(data));
        (!row.is_empty()).then_some(row)
    }

    /// False if nothing is left of it.
    fn column(&mut self, data: &mut ColumnData) -> bool {
        match data {
            ColumnData::Cell(cell) => self.cell(cell),
            ColumnData::Complex { deletion, cells } => {
                if self.purges(deletion) {
                    *deletion = DeletionTime::LIVE;
                }
                cells.retain_mut(|(_, cell)| self.cell(cell));
                !deletion.is_live() || !cells.is_empty()
            }
        }
    }

    /// False if it goes.
    fn cell(&mut self, cell: &mut Cell) -> bool {
        if cell.is_live(self.limits.now_s) {
            return true;
        }
        if self.is_purgeable(cell.timestamp_us, cell.local_deletion_s) {
            return false;
        }
        if !cell.is_expiring() || !self.is_oldest(cell.timestamp_us) {
            return true;
        }
        let written_s = cell.local_deletion_s.saturating_sub(u32::try_from(cell.ttl_s).unwrap_or(0));
        *cell = Cell::tombstone(cell.timestamp_us, written_s);
        !self.is_purgeable(cell.timestamp_us, written_s)
    }
}
