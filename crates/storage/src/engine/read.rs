//! Reads: memtables and SSTables of a shard, merged.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::merge::merge_streams;
use model::partition::{PartitionHeader, PartitionIterator, PartitionStream, SourceError, TakePlain};
use model::{PartitionKey, PartitionSelection, PlainParts, ReadCommand, Slices, Table, Unfiltered};
use sstable::SsTable;

use super::Core;
use super::damage::Watch;
use super::row_read::{RowRead, is_one_row, newest_first};
use super::scan::RangeScan;
use crate::ReadError;
use crate::memtable::Memtable;
use crate::metrics::{TableMetrics, is_sampled};
use crate::table::{TableState, View};

impl Core {
    pub(super) fn read(&self, command: &ReadCommand) -> Result<Box<dyn PartitionIterator>, ReadError> {
        match &command.partitions {
            PartitionSelection::Key(key) => {
                let stream = self.read_partition(&command.table, key, &command.slices, command.reversed)?;
                Ok(Box::new(One(stream)))
            }
            PartitionSelection::Range { start, end } => {
                let id = command.table.id;
                let state = self.table(id).ok_or(ReadError::UnknownTable(id))?;
                self.damage.check(id, start.as_ref(), end.as_ref())?;
                let views = state.slots.iter().map(|slot| slot.view.load_full()).collect();
                Ok(Box::new(RangeScan::new(command.clone(), views, self.damage.watch(&state), start, end)))
            }
        }
    }

    pub(super) fn read_partition(
        &self,
        table: &Arc<Table>,
        key: &PartitionKey,
        slices: &Slices,
        reversed: bool,
    ) -> Result<Option<Box<dyn PartitionStream>>, ReadError> {
        let tables = self.tables.load();
        let state = tables.get(&table.id).ok_or(ReadError::UnknownTable(table.id))?;
        self.damage.check_token(table.id, key.token)?;
        let began = is_sampled().then(|| self.runtime.clock().monotonic());
        let asked = Asked { table, key, slices, reversed, is_warming: false };
        let stream = self.read_state(state, asked)?;
        let metrics = &state.metrics;
        metrics.note_read(began.map(|began| self.runtime.clock().monotonic().saturating_sub(began)));
        Ok(match (stream, began) {
            (Some(stream), Some(_)) => Some(Box::new(Counting::new(stream, state.clone()))),
            (stream, _) => stream,
        })
    }

    #[inline]
    pub(super) fn read_state(
        &self,
        state: &Arc<TableState>,
        asked: Asked<'_>,
    ) -> Result<Option<Box<dyn PartitionStream>>, ReadError> {
        let slot = state.shard_of(asked.key);
        if let Some(stamps) = state.rows.get()
            && asked.table.options.caching.rows_count_max() > 0
        {
            // In this order: what is read later is as new or newer, and an entry says so of itself.
            let version = stamps.version(slot, asked.key);
            let view = state.slots[slot].view.load();
            let is_current = Arc::ptr_eq(asked.table, &state.table.load());
            if version.is_multiple_of(2) && is_current {
                return self.read_through_cache(state, stamps, version, &view, asked);
            }
        }
        let view = state.slots[slot].view.load();
        read_view(&view, &state.metrics, &self.damage.watch(state), asked)
    }
}

/// A read of one partition.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub table: &'a Arc<Table>,
    pub key: &'a PartitionKey,
    pub slices: &'a Slices,
    pub reversed: bool,
    /// Nobody asked: a cache is filled.
    pub is_warming: bool,
}

pub(super) fn read_view(
    view: &View,
    metrics: &TableMetrics,
    watch: &Watch,
    asked: Asked<'_>,
) -> Result<Option<Box<dyn PartitionStream>>, ReadError> {
    let Asked { table, key, slices, reversed, .. } = asked;
    let from_memtable = |memtable: &Arc<Memtable>| {
        let partition = memtable.partition(key)?;
        partition.stream(key.clone(), slices, reversed, known_columns(memtable, table))
    };
    let newest = from_memtable(&view.active);
    if view.flushing.is_empty() && view.sstables.is_empty() {
        // Of a memtable nothing comes that its own deletions shadow: there is nothing to merge.
        return Ok(newest);
    }
    let sources_count = usize::from(newest.is_some()) + view.flushing.len() + view.sstables.len();
    let memtables = newest.into_iter().chain(view.flushing.iter().rev().filter_map(from_memtable));
    read_merged(memtables, sources_count, view, metrics, watch, asked)
}

/// Merges what memtables gave, newest first, with the SSTables of a view. `sources_count`: how many there may be.
pub(super) fn read_merged(
    memtables: impl Iterator<Item = Box<dyn PartitionStream>>,
    sources_count: usize,
    view: &View,
    metrics: &TableMetrics,
    watch: &Watch,
    asked: Asked<'_>,
) -> Result<Option<Box<dyn PartitionStream>>, ReadError> {
    let Asked { table, key, slices, reversed, .. } = asked;
    let wanted = |sstable: &&Arc<SsTable>| sstable.may_contain(key) && may_concern(sstable, table, slices);
    let sstables = view.sstables.iter().filter(wanted);
    if sources_count > 1 && is_one_row(table, slices) {
        return read_row(memtables, newest_first(sstables), metrics, watch, asked);
    }
    let mut sources: Vec<Box<dyn PartitionStream>> = memtables.collect();
    let memtables_count = sources.len();
    let mut false_positives = 0;
    let mut not_cached = None;
    for sstable in sstables {
        match sstable.read(table, key, slices, reversed) {
            Ok(Some(stream)) => sources.push(watch.stream(sstable, stream)),
            Ok(None) => false_positives += 1,
            // What the others lack is fetched together with it.
            Err(error @ sstable::ReadError::NotCached { .. }) => not_cached = Some(error),
            Err(error) => {
                watch.failed(sstable, &error);
                return Err(source_error(error).into());
            }
        }
    }
    if let Some(error) = not_cached {
        return Err(source_error(error).into());
    }
    metrics.note_sstables(sources.len() - memtables_count, false_positives);
    if sources.len() <= 1 && sources.len() == memtables_count {
        return Ok(sources.pop());
    }
    Ok(Some(merge_streams(table.clone(), sources, reversed)?))
}

/// A stream that counts what is read of it.
struct Counting {
    stream: Box<dyn PartitionStream>,
    table: Arc<TableState>,
    live: u64,
    tombstones: u64,
}

impl Counting {
    fn new(stream: Box<dyn PartitionStream>, table: Arc<TableState>) -> Counting {
        Counting { stream, table, live: 0, tombstones: 0 }
    }
}

impl PartitionStream for Counting {
    fn header(&self) -> &PartitionHeader {
        self.stream.header()
    }

    fn plain_rows(&mut self, parts: &mut PlainParts, take: TakePlain<'_>) -> Result<u64, SourceError> {
        let count = self.stream.plain_rows(parts, take)?;
        self.live += count;
        Ok(count)
    }

    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        let next = self.stream.next()?;
        match &next {
            Some(Unfiltered::Row(row)) if row.deletion.is_live() => self.live += 1,
            Some(_) => self.tombstones += 1,
            None => {}
        }
        Ok(next)
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.table.metrics.live_per_read.add(self.live);
        self.table.metrics.tombstones_per_read.add(self.tombstones);
    }
}

/// Reads one row at most: the newest sources first, as many as are needed.
fn read_row(
    memtables: impl Iterator<Item = Box<dyn PartitionStream>>,
    sstables: Vec<&Arc<SsTable>>,
    metrics: &TableMetrics,
    watch: &Watch,
    asked: Asked<'_>,
) -> Result<Option<Box<dyn PartitionStream>>, ReadError> {
    let Asked { table, key, slices, reversed, .. } = asked;
    let mut found = RowRead::new(table);
    let (mut read_count, mut false_positives) = (0, 0);
    for stream in memtables {
        found.add(stream)?;
    }
    for sstable in sstables {
        // Those behind it are as old or older, but may hold what it does not: a partition's deletion, statics.
        if found.is_final_without(sstable) {
            continue;
        }
        let stream = sstable.read(table, key, slices, reversed).inspect_err(|error| {
            watch.failed(sstable, error);
        });
        match stream.map_err(source_error)? {
            Some(stream) => {
                read_count += 1;
                found.add(watch.stream(sstable, stream))?;
            }
            None => false_positives += 1,
        }
    }
    metrics.note_sstables(read_count, false_positives);
    let sources = found.into_sources();
    if sources.is_empty() {
        return Ok(None);
    }
    Ok(Some(merge_streams(table.clone(), sources, reversed)?))
}

/// False only if an SSTable holds nothing that a read of these slices sees: no row or range tombstone in them, no static
/// row, no deletion of the partition.
pub(super) fn may_concern(sstable: &SsTable, table: &Table, slices: &Slices) -> bool {
    let metadata = sstable.metadata();
    metadata.has_statics
        || metadata.has_partition_deletions
        || table.clustering.is_empty()
        || slices.0.iter().any(|slice| metadata.may_cover(slice))
}

/// The table whose columns are to be kept, if the memtable may hold others.
pub(super) fn known_columns(memtable: &Memtable, table: &Arc<Table>) -> Option<Arc<Table>> {
    memtable.has_dropped_columns.load(Ordering::Relaxed).then(|| table.clone())
}

pub(super) fn source_error(error: impl std::error::Error + Send + Sync + 'static) -> SourceError {
    Box::new(error)
}

struct One(Option<Box<dyn PartitionStream>>);

impl PartitionIterator for One {
    fn next_partition(&mut self) -> Result<Option<Box<dyn PartitionStream>>, SourceError> {
        Ok(self.0.take())
    }
}
