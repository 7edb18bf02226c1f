//! Scans: the partitions of a token range, shard after shard, each from all its sources.

use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Arc;

use model::merge::merge_streams;
use model::partition::{PartitionIterator, PartitionStream, SourceError};
use model::read::Position;
use model::{PartitionKey, ReadCommand};
use sstable::SsTable;

use super::damage::Watch;
use super::read::{known_columns, source_error};
use crate::memtable::{Memtable, Partition};
use crate::shards::{clamp, keys_after, keys_up_to, shard_tokens};
use crate::table::View;

/// Partitions that are taken from a memtable at once.
const CHUNK_COUNT: usize = 64;

/// All partitions of a range.
pub(super) struct RangeScan {
    command: ReadCommand,
    watch: Watch,
    /// Parts that were not begun, the last one first.
    parts: Vec<(Arc<View>, Position, Position)>,
    current: Option<ShardScan>,
}

impl RangeScan {
    /// `views`: one for each shard.
    pub(super) fn new(
        command: ReadCommand,
        views: Vec<Arc<View>>,
        watch: Watch,
        start: &Option<Position>,
        end: &Option<Position>,
    ) -> RangeScan {
        let shards_count = views.len();
        let mut parts = Vec::with_capacity(shards_count);
        for (shard, view) in views.into_iter().enumerate() {
            if let Some((start, end)) = clamp(start, end, shard_tokens(shard, shards_count)) {
                parts.push((view, start, end));
            }
        }
        parts.reverse();
        RangeScan { command, watch, parts, current: None }
    }
}

impl PartitionIterator for RangeScan {
    fn next_partition(&mut self) -> Result<Option<Box<dyn PartitionStream>>, SourceError> {
        loop {
            if let Some(current) = &mut self.current
                && let Some(stream) = current.next_partition(&self.command, &self.watch)?
            {
                return Ok(Some(stream));
            }
            let Some((view, start, end)) = self.parts.pop() else { return Ok(None) };
            self.current = Some(ShardScan::new(&self.command, &self.watch, &view, start, end)?);
        }
    }
}

/// The partitions of one shard: those of all its sources, merged.
struct ShardScan {
    sources: Vec<Source>,
}

struct Source {
    partitions: Box<dyn PartitionIterator>,
    /// Its next partition; `None` if it must be asked, or has no more.
    head: Option<Box<dyn PartitionStream>>,
    is_done: bool,
    /// Where it comes from; `None`: a memtable.
    sstable: Option<Arc<SsTable>>,
}

impl ShardScan {
    fn new(
        command: &ReadCommand,
        watch: &Watch,
        view: &View,
        start: Position,
        end: Position,
    ) -> Result<ShardScan, SourceError> {
        let mut sources = Vec::new();
        let mut add = |partitions, sstable| {
            sources.push(Source { partitions, head: None, is_done: false, sstable });
        };
        for memtable in view.memtables().filter(|memtable| !memtable.is_empty()) {
            let scan = MemtableScan {
                memtable: memtable.clone(),
                command: command.clone(),
                start: keys_after(&start),
                end: keys_up_to(&end),
                chunk: VecDeque::new(),
                is_done: false,
            };
            add(Box::new(scan), None);
        }
        for sstable in &view.sstables {
            let metadata = sstable.metadata();
            if metadata.last.token < start.token || end.token < metadata.first.token {
                continue;
            }
            let (start, end) = (Some(start.clone()), Some(end.clone()));
            let scan = sstable
                .scan(&command.table, start, end, command.slices.clone(), command.reversed)
                .inspect_err(|error| watch.failed(sstable, error))
                .map_err(source_error)?;
            add(scan, Some(sstable.clone()));
        }
        Ok(ShardScan { sources })
    }

    fn next_partition(
        &mut self,
        command: &ReadCommand,
        watch: &Watch,
    ) -> Result<Option<Box<dyn PartitionStream>>, SourceError> {
        for source in &mut self.sources {
            if source.head.is_none() && !source.is_done {
                source.head = source.next_partition(watch)?;
                source.is_done = source.head.is_none();
            }
        }
        let heads = self.sources.iter().filter_map(|source| source.head.as_ref());
        let Some(key) = heads.map(|head| &head.header().key).min().cloned() else { return Ok(None) };
        let mut streams = Vec::new();
        let mut only_memtables = true;
        for source in &mut self.sources {
            if source.head.as_ref().is_some_and(|head| head.header().key == key) {
                streams.extend(source.head.take());
                only_memtables &= source.sstable.is_none();
            }
        }
        if only_memtables && streams.len() == 1 {
            return Ok(streams.pop());
        }
        merge_streams(command.table.clone(), streams, command.reversed).map(Some)
    }
}

impl Source {
    fn next_partition(&mut self, watch: &Watch) -> Result<Option<Box<dyn PartitionStream>>, SourceError> {
        let Some(sstable) = &self.sstable else { return self.partitions.next_partition() };
        let next = self.partitions.next_partition().inspect_err(|error| watch.failed(sstable, &**error))?;
        Ok(next.map(|stream| watch.stream(sstable, stream)))
    }
}

/// The partitions of one memtable. It is locked for a chunk at a time only; what is written meanwhile may
/// be seen or not.
struct MemtableScan {
    memtable: Arc<Memtable>,
    command: ReadCommand,
    start: Bound<PartitionKey>,
    end: Bound<PartitionKey>,
    chunk: VecDeque<(PartitionKey, Partition)>,
    is_done: bool,
}

impl PartitionIterator for MemtableScan {
    fn next_partition(&mut self) -> Result<Option<Box<dyn PartitionStream>>, SourceError> {
        loop {
            while let Some((key, partition)) = self.chunk.pop_front() {
                let known = known_columns(&self.memtable, &self.command.table);
                let stream = partition.stream(key, &self.command.slices, self.command.reversed, known);
                if stream.is_some() {
                    return Ok(stream);
                }
            }
            if self.is_done {
                return Ok(None);
            }
            let chunk = self.memtable.partitions(self.start.as_ref(), self.end.as_ref(), CHUNK_COUNT);
            match chunk.last() {
                Some((last, _)) => self.start = Bound::Excluded(last.clone()),
                None => self.is_done = true,
            }
            self.chunk = chunk.into();
        }
    }
}
