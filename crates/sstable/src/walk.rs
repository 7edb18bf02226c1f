//! All partitions of an SSTable one after the other, key first: for compaction.
//!
//! The next partition's key is known before anything else of it is read, so that whoever merges several SSTables
//! chooses which to read on. Data.db is read once, from its start to its end.

use std::sync::{Arc, PoisonError};

use model::partition::PartitionStream;
use model::{ColumnId, PartitionHeader, PartitionKey, Slices, Table};

use crate::chunk::reader::DataCursor;
use crate::descriptor::Component;
use crate::error::ReadError;
use crate::reader::SsTable;
use crate::row::columns::{ColumnList, Layout};
use crate::source::Source;
use crate::stream::{self, Slot};

/// A place between or at the start of the partitions of an SSTable.
pub struct Walk {
    sstable: Arc<SsTable>,
    layout: Arc<Layout>,
    /// Where the stream of the last partition leaves the cursor.
    slot: Slot,
    at: At,
    last: Option<PartitionKey>,
    position: u64,
}

enum At {
    /// Before a partition of which nothing was read.
    Before(DataCursor),
    /// In a partition, behind its key.
    In(Box<Source>),
    /// Its stream was handed out.
    Lent,
    /// Behind the last one.
    End,
}

impl Walk {
    /// Before the first partition, rows being read as those of `table`.
    pub fn new(sstable: &Arc<SsTable>, table: &Arc<Table>) -> Result<Walk, ReadError> {
        Ok(Walk {
            layout: sstable.layout(table)?,
            at: At::Before(sstable.cursor(table).read_ahead()),
            sstable: sstable.clone(),
            slot: Slot::default(),
            last: None,
            position: 0,
        })
    }

    /// Goes to the next partition; what is left of the last one is skipped, whose stream must have been dropped.
    /// `None` at the end.
    pub fn advance(&mut self) -> Result<Option<&PartitionKey>, ReadError> {
        let cursor = match std::mem::replace(&mut self.at, At::End) {
            At::Before(cursor) => cursor,
            At::In(mut source) => {
                let is_at_end = source.is_at_end;
                self.skip(source.take_cursor(), is_at_end)?
            }
            At::Lent => {
                let left = self.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                let (cursor, is_at_end) = left.expect("the stream of the last partition was dropped");
                self.skip(cursor, is_at_end)?
            }
            At::End => return Ok(None),
        };
        self.position = cursor.position();
        if cursor.is_at_end() {
            if self.last.as_ref().is_none_or(|last| *last != self.sstable.metadata().last) {
                return Err(cursor.corrupt("it ends before the last partition"));
            }
            return Ok(None);
        }
        let source = Source::open(self.sstable.clone(), self.layout.clone(), cursor, None, None)?
            .expect("any partition is wanted");
        let key = &source.header.key;
        if self.last.as_ref().is_some_and(|last| last >= key) {
            return Err(ReadError::corrupt(Component::Data, self.position, "partitions do not ascend"));
        }
        let key = self.last.insert(key.clone());
        self.at = At::In(Box::new(source));
        Ok(Some(key))
    }

    fn skip(&self, mut cursor: DataCursor, is_at_end: bool) -> Result<DataCursor, ReadError> {
        if !is_at_end {
            Source::skip(&self.layout, &mut cursor)?;
        }
        Ok(cursor)
    }

    /// The partition that it stands in. Drop the stream before [`Walk::advance`]. Panics if it was taken before.
    pub fn stream(&mut self) -> Box<dyn PartitionStream> {
        let At::In(source) = std::mem::replace(&mut self.at, At::Lent) else {
            panic!("a partition's stream is taken once");
        };
        stream::open_returning(*source, &Slices::all(), false, Some(self.slot.clone()))
    }

    /// Key, deletion and static row of the partition that it stands in. Panics if its stream was taken.
    pub fn header(&self) -> &PartitionHeader {
        let At::In(source) = &self.at else { panic!("it stands in no partition") };
        &source.header
    }

    pub(crate) fn source(&mut self) -> &mut Source {
        let At::In(source) = &mut self.at else { panic!("it stands in no partition") };
        source
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Uncompressed bytes of Data.db before the place that it stands at, or before its partition if its stream was
    /// taken.
    pub fn position(&self) -> u64 {
        match &self.at {
            At::In(source) => source.cursor.position(),
            _ => self.position,
        }
    }

    /// The SSTable.
    pub fn sstable(&self) -> &Arc<SsTable> {
        &self.sstable
    }
}

impl SsTable {
    /// Which static and which regular columns of `table` it may hold.
    pub fn columns_of(&self, table: &Arc<Table>) -> Result<(Vec<ColumnId>, Vec<ColumnId>), ReadError> {
        let layout = self.layout(table)?;
        let targets = |list: &ColumnList| list.columns.iter().filter_map(|column| column.target).collect();
        Ok((targets(&layout.statics), targets(&layout.regulars)))
    }
}
