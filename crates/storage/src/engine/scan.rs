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
use super::read::{known_columns, may_concern, source_error};
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
            self.current = Some(ShardScan::new(&self.command, &view, start, end));
        }
    }
}

/// The partitions of one shard: those of all its sources, merged.
struct ShardScan {
    /// Those that have been opened and have more.
    sources: Vec<Source>,
    /// SSTables that begin behind what was read so far, the first one last.
    unopened: Vec<Arc<SsTable>>,
    start: Position,
    end: Position,
}

struct Source {
    partitions: Box<dyn PartitionIterator>,
    /// Its next partition; `None` if it must be asked.
    head: Option<Box<dyn PartitionStream>>,
    /// Where it comes from; `None`: a memtable.
    sstable: Option<Arc<SsTable>>,
}

impl ShardScan {
    fn new(command: &ReadCommand, view: &View, start: Position, end: Position) -> ShardScan {
        let mut sources = Vec::new();
        for memtable in view.memtables().filter(|memtable| !memtable.is_empty()) {
            let scan = MemtableScan {
                memtable: memtable.clone(),
                command: command.clone(),
                start: keys_after(&start),
                end: keys_up_to(&end),
                chunk: VecDeque::new(),
                is_done: false,
            };
            sources.push(Source { partitions: Box::new(scan), head: None, sstable: None });
        }
        let is_in_range = |sstable: &&Arc<SsTable>| {
            let metadata = sstable.metadata();
            let overlaps = start.token <= metadata.last.token && metadata.first.token <= end.token;
            overlaps && may_concern(sstable, &command.table, &command.slices)
        };
        let mut unopened: Vec<_> = view.sstables.iter().filter(is_in_range).cloned().collect();
        unopened.sort_by(|a, b| b.metadata().first.cmp(&a.metadata().first));
        ShardScan { sources, unopened, start, end }
    }

    /// Opens the next SSTable: the one that begins first.
    fn open_next(&mut self, command: &ReadCommand, watch: &Watch) -> Result<(), SourceError> {
        let Some(sstable) = self.unopened.pop() else { return Ok(()) };
        let (start, end) = (Some(self.start.clone()), Some(self.end.clone()));
        let partitions = sstable
            .scan(&command.table, start, end, command.slices.clone(), command.reversed)
            .inspect_err(|error| watch.failed(&sstable, error))
            .map_err(source_error)?;
        self.sources.push(Source { partitions, head: None, sstable: Some(sstable) });
        Ok(())
    }

    /// Sees to it that every source that holds the next partition has it as its head.
    fn fill_heads(&mut self, command: &ReadCommand, watch: &Watch) -> Result<(), SourceError> {
        loop {
            let mut at = 0;
            while at < self.sources.len() {
                let source = &mut self.sources[at];
                if source.head.is_none() {
                    source.head = source.next_partition(watch)?;
                }
                // One that has no more is let go, with what it holds in memory.
                if self.sources[at].head.is_none() { drop(self.sources.remove(at)) } else { at += 1 }
            }
            let first = self.sources.iter().filter_map(Source::key).min();
            let Some(next) = self.unopened.last() else { return Ok(()) };
            if first.is_some_and(|first| *first < next.metadata().first) {
                return Ok(());
            }
            self.open_next(command, watch)?;
        }
    }

    fn next_partition(
        &mut self,
        command: &ReadCommand,
        watch: &Watch,
    ) -> Result<Option<Box<dyn PartitionStream>>, SourceError> {
        self.fill_heads(command, watch)?;
        let Some(key) = self.sources.iter().filter_map(Source::key).min().cloned() else { return Ok(None) };
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
    fn key(&self) -> Option<&PartitionKey> {
        self.head.as_ref().map(|head| &head.header().key)
    }

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
