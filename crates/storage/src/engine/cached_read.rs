//! Reads of one partition through the row cache.
//!
//! A read whose rows are all in the partition's head is answered by it. One that begins in the head and goes on behind
//! it gets the head first, and the rest from the memtables and SSTables as they were when the head was found: nobody
//! sees half a write. A read from the partition's start that found no head makes one first; others leave the cache
//! alone, unless all rows are to be kept.

use std::sync::Arc;

use arc_swap::Guard;
use model::partition::{PartitionHeader, PartitionStream, SourceError};
use model::{DeletionTime, PartitionKey, Slices, Table, Unfiltered};
use sstable::cache::reads::is_repeated;

use super::Core;
use super::damage::Watch;
use super::read::{Asked, known_columns, read_merged};
use crate::ReadError;
use crate::memtable::Partition;
use crate::row_cache::{Built, Cached, Head, RowStamps, Stamp, build, head_slices, rest_slices};
use crate::table::{TableState, View};

impl Core {
    /// Reads through the cache. `view` is of this moment or a little before, but was taken after `version`.
    pub(super) fn read_through_cache(
        &self,
        state: &Arc<TableState>,
        stamps: &RowStamps,
        version: u64,
        view: &Guard<Arc<View>>,
        asked: Asked<'_>,
    ) -> Result<Option<Box<dyn PartitionStream>>, ReadError> {
        let stamp = Stamp { version, epoch: view.epoch };
        let found = self.rows.find(stamps.table, asked.key).filter(|cached| cached.stamp == stamp);
        if let Some(cached) = &found
            && let Some(head) = &cached.head
        {
            if head.covers(asked.slices) {
                self.note_rows(true, asked);
                return Ok(head.stream(asked.key.clone(), asked.slices, asked.reversed));
            }
            if !asked.reversed && head.end_within(asked.slices).is_some() {
                let snapshot = Snapshot::take(view, asked.key, asked.table);
                if stamps.version(state.shard_of(asked.key), asked.key) == version {
                    self.note_rows(true, asked);
                    return Ok(Some(self.head_and_rest(state, head, snapshot, asked)));
                }
            }
        }
        let rows_count = asked.table.options.caching.rows_count_max();
        let is_from_start = asked.slices.0.first().is_some_and(|slice| slice.start.values.is_empty());
        let makes_head = found.is_none() && (rows_count == usize::MAX || (is_from_start && !asked.reversed));
        if !makes_head {
            let stream = super::read::read_view(view, &state.metrics, &self.damage.watch(state), asked)?;
            self.note_rows(false, asked);
            return Ok(stream);
        }
        let snapshot = Snapshot::take(view, asked.key, asked.table);
        let all = Slices::all();
        let whole = Asked { slices: &all, reversed: false, ..asked };
        let Some(mut stream) = snapshot.read(state, &self.damage.watch(state), whole)? else {
            self.note_rows(false, asked);
            return Ok(None);
        };
        let now_s = u32::try_from(self.runtime.clock().wall_s()).unwrap_or(0);
        let built = build(&mut *stream, asked.table, rows_count, self.rows.head_bytes_max(), now_s)?;
        drop(stream);
        #[cfg(test)]
        let stamp = crate::tests::planted::during_head_read(stamp, || Stamp {
            version: stamps.version(state.shard_of(asked.key), asked.key),
            ..stamp
        });
        self.note_rows(false, asked);
        let head = match built {
            Built::Head(head) => Some(head),
            Built::TooLarge => None,
        };
        let cached = Arc::new(Cached { stamp, head });
        self.rows.insert(stamps.table, asked.key, cached.clone());
        match &cached.head {
            None => snapshot.read(state, &self.damage.watch(state), asked),
            Some(head) if head.covers(asked.slices) => {
                Ok(head.stream(asked.key.clone(), asked.slices, asked.reversed))
            }
            Some(head) if !asked.reversed && head.end_within(asked.slices).is_some() => {
                Ok(Some(self.head_and_rest(state, head, snapshot, asked)))
            }
            Some(_) => snapshot.read(state, &self.damage.watch(state), asked),
        }
    }

    /// Counts a read that was answered by the cache, or not.
    fn note_rows(&self, is_hit: bool, asked: Asked<'_>) {
        // A read that is run again, for want of what is behind the head, finds what it put there itself.
        if !(asked.is_warming || is_hit && is_repeated()) {
            self.rows.note(is_hit);
        }
    }

    fn head_and_rest(
        &self,
        state: &Arc<TableState>,
        head: &Head,
        snapshot: Snapshot,
        asked: Asked<'_>,
    ) -> Box<dyn PartitionStream> {
        let Some(end) = head.end_within(asked.slices) else {
            unreachable!("a head without end covers all slices")
        };
        let first = head.stream(asked.key.clone(), &head_slices(asked.slices, end), false);
        let header = match &first {
            Some(stream) => stream.header().clone(),
            None => {
                PartitionHeader { key: asked.key.clone(), deletion: DeletionTime::LIVE, static_row: None }
            }
        };
        let rest = Rest {
            snapshot,
            state: state.clone(),
            watch: self.damage.watch(state),
            table: asked.table.clone(),
            slices: rest_slices(asked.slices, end),
        };
        Box::new(HeadAndRest { header, head: first, rest: Some(rest), stream: None })
    }
}

/// What is known of one partition at one moment.
struct Snapshot {
    view: Arc<View>,
    /// Newest first.
    memtables: Vec<(Partition, Option<Arc<Table>>)>,
}

impl Snapshot {
    fn take(view: &Guard<Arc<View>>, key: &PartitionKey, table: &Arc<Table>) -> Snapshot {
        let memtables = view.memtables().filter_map(|memtable| {
            let partition = memtable.partition(key)?;
            Some((partition, known_columns(memtable, table)))
        });
        Snapshot { memtables: memtables.collect(), view: Arc::clone(view) }
    }

    fn read(
        &self,
        state: &TableState,
        watch: &Watch,
        asked: Asked<'_>,
    ) -> Result<Option<Box<dyn PartitionStream>>, ReadError> {
        let memtables = self.memtables.iter().filter_map(|(partition, known)| {
            partition.clone().stream(asked.key.clone(), asked.slices, asked.reversed, known.clone())
        });
        let streams: Vec<_> = memtables.collect();
        let sources_count = streams.len() + self.view.sstables.len();
        read_merged(streams.into_iter(), sources_count, &self.view, &state.metrics, watch, asked)
    }
}

/// What is to be read behind a head.
struct Rest {
    snapshot: Snapshot,
    state: Arc<TableState>,
    watch: Watch,
    table: Arc<Table>,
    slices: Slices,
}

/// The head of a partition, and what is behind it once somebody asks.
struct HeadAndRest {
    header: PartitionHeader,
    head: Option<Box<dyn PartitionStream>>,
    rest: Option<Rest>,
    stream: Option<Box<dyn PartitionStream>>,
}

impl PartitionStream for HeadAndRest {
    fn header(&self) -> &PartitionHeader {
        &self.header
    }

    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        if let Some(head) = &mut self.head {
            if let Some(element) = head.next()? {
                return Ok(Some(element));
            }
            self.head = None;
        }
        if let Some(rest) = &self.rest {
            let Rest { snapshot, state, watch, table, slices } = rest;
            let asked = Asked { table, key: &self.header.key, slices, reversed: false, is_warming: false };
            self.stream = snapshot.read(state, watch, asked).map_err(Box::new)?;
            self.rest = None;
        }
        match &mut self.stream {
            Some(stream) => stream.next(),
            None => Ok(None),
        }
    }
}
