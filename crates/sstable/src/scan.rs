//! Partitions of an SSTable one after the other.
//!
//! A scan of whole partitions just reads on in Data.db; one of slices, or backwards, takes each partition's
//! place from Partitions.db so that row indexes are used.

use std::sync::{Arc, PoisonError};

use model::partition::{PartitionIterator, PartitionStream, SourceError};
use model::read::Position;
use model::{PartitionKey, Slices, Table};

use crate::chunk::reader::DataCursor;
use crate::descriptor::Component;
use crate::error::ReadError;
use crate::index::Targets;
use crate::reader::SsTable;
use crate::row::columns::Layout;
use crate::source::Source;
use crate::stream::{self, Slot};

pub(crate) struct Scan {
    sstable: Arc<SsTable>,
    table: Arc<Table>,
    layout: Arc<Layout>,
    start: Option<Position>,
    end: Option<Position>,
    slices: Slices,
    reversed: bool,
    way: Way,
    /// The partition given last: where it begins, and its key.
    last: Option<(u64, PartitionKey)>,
    slot: Slot,
    is_done: bool,
}

/// How the next partition is found.
enum Way {
    /// Behind the last one; before the first: here.
    Linear(u64),
    /// By the index.
    Indexed(Targets),
    /// There is none in the range.
    Nowhere,
}

impl Scan {
    pub(crate) fn new(
        sstable: Arc<SsTable>,
        table: &Arc<Table>,
        start: Option<Position>,
        end: Option<Position>,
        slices: Slices,
        reversed: bool,
    ) -> Result<Scan, ReadError> {
        let layout = sstable.layout(table)?;
        let is_linear = !reversed && slices == Slices::all();
        let index = &sstable.index;
        let way = match (&start, is_linear) {
            (None, true) => Way::Linear(0),
            (_, false) => Way::Indexed(index.from(start.as_ref())?),
            (Some(_), true) => {
                let located = index.next(&mut index.from(start.as_ref())?)?;
                located.map_or(Way::Nowhere, |located| Way::Linear(located.data))
            }
        };
        let (table, slot) = (table.clone(), Slot::default());
        Ok(Scan {
            sstable,
            table,
            layout,
            start,
            end,
            slices,
            reversed,
            way,
            last: None,
            slot,
            is_done: false,
        })
    }

    fn step(&mut self) -> Result<Option<Box<dyn PartitionStream>>, ReadError> {
        while !self.is_done {
            let Some((position, source)) = self.open_next()? else { break };
            let key = &source.header.key;
            let partitioner = self.sstable.index.partitioner();
            if self.last.as_ref().is_some_and(|(_, last)| partitioner.compare(last, key).is_ge()) {
                return Err(ReadError::corrupt(Component::Data, position, "partitions do not ascend"));
            }
            if self.end.as_ref().is_some_and(|end| partitioner.is_behind(key, end)) {
                break;
            }
            self.last = Some((position, key.clone()));
            let slot = Some(self.slot.clone());
            let is_wanted = self.start.as_ref().is_none_or(|start| partitioner.is_behind(key, start));
            let stream = stream::open_returning(source, &self.slices, self.reversed, slot);
            if is_wanted {
                return Ok(Some(stream));
            }
        }
        self.is_done = true;
        Ok(None)
    }

    fn open_next(&mut self) -> Result<Option<(u64, Source)>, ReadError> {
        let left = self.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Way::Indexed(targets) = &mut self.way {
            let Some(located) = self.sstable.index.next(targets)? else { return Ok(None) };
            let cursor = left.map_or_else(|| self.sstable.cursor(&self.table), |(cursor, _)| cursor);
            let source = self.sstable.open_located(&self.layout, located, cursor, None)?;
            return Ok(source.map(|source| (source.start(), source)));
        }
        let Way::Linear(first) = self.way else { return Ok(None) };
        let cursor = self.behind_last(left, first)?;
        if cursor.is_at_end() {
            if self.last.as_ref().is_none_or(|(_, last)| *last != self.sstable.metadata().last) {
                return Err(cursor.corrupt("it ends before the last partition"));
            }
            return Ok(None);
        }
        let source = Source::open(self.sstable.clone(), self.layout.clone(), cursor, None, None)?;
        Ok(source.map(|source| (source.start(), source)))
    }

    /// A cursor where the next partition begins.
    fn behind_last(&self, left: Option<(DataCursor, bool)>, first: u64) -> Result<DataCursor, ReadError> {
        let Some((start, _)) = &self.last else {
            let mut cursor = self.sstable.cursor(&self.table).read_ahead();
            cursor.seek(first);
            return Ok(cursor);
        };
        match left {
            Some((cursor, true)) => Ok(cursor),
            Some((mut cursor, false)) => {
                Source::skip(&self.layout, &mut cursor)?;
                Ok(cursor)
            }
            // Its stream is still in use: read past it from its start.
            None => {
                let mut cursor = self.sstable.cursor(&self.table).read_ahead();
                cursor.seek(*start);
                let (sstable, layout) = (self.sstable.clone(), self.layout.clone());
                let source = Source::open(sstable, layout, cursor, None, None)?;
                let mut cursor = source.expect("any key is wanted").take_cursor();
                Source::skip(&self.layout, &mut cursor)?;
                Ok(cursor)
            }
        }
    }
}

impl PartitionIterator for Scan {
    fn next_partition(&mut self) -> Result<Option<Box<dyn PartitionStream>>, SourceError> {
        self.step().map_err(SourceError::from)
    }
}
