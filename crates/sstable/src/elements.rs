//! Everything that an SSTable holds, element by element with its place in Data.db: for tools that show it.

use std::sync::Arc;

use model::{PartitionHeader, PartitionKey, Table, Unfiltered};

use crate::chunk::reader::DataCursor;
use crate::error::ReadError;
use crate::reader::SsTable;
use crate::row::columns::Layout;
use crate::row::decode::Item;
use crate::source::Source;

/// Nothing stands before or behind these, not even a bound at a partition's very end.
const BEFORE_ALL: &[u8] = &[];
const BEHIND_ALL: &[u8] = &[0xff];

/// A walk over partitions, in the order of Data.db.
pub struct Elements {
    sstable: Arc<SsTable>,
    layout: Arc<Layout>,
    cursor: Option<DataCursor>,
    source: Option<Source>,
}

impl SsTable {
    /// All that it holds, from its first partition on.
    pub fn elements(self: &Arc<Self>, table: &Arc<Table>) -> Result<Elements, ReadError> {
        let cursor = DataCursor::new(self.data.clone(), 0);
        let layout = self.layout(table)?;
        Ok(Elements { sstable: self.clone(), layout, cursor: Some(cursor), source: None })
    }
}

impl Elements {
    /// Goes to a partition, so that it comes next; false if it is not there.
    pub fn seek(&mut self, key: &PartitionKey) -> Result<bool, ReadError> {
        let key = &self.sstable.metadata().partitioner.key(key.key.clone());
        if !self.sstable.may_contain(key) {
            return Ok(false);
        }
        let Some(located) = self.sstable.index.find(key, false)? else { return Ok(false) };
        let mut cursor = DataCursor::new(self.sstable.data.clone(), located.data);
        let layout = &self.layout;
        let (found, _) = cursor.parse(|buffer, cursor| layout.partition_header(buffer, cursor))?;
        cursor.seek(located.data);
        self.source = None;
        self.cursor = Some(cursor);
        Ok(found == *key)
    }

    /// The next partition, and where its rows begin in the uncompressed Data.db. What is left of the last one is
    /// skipped.
    pub fn next_partition(&mut self) -> Result<Option<(PartitionHeader, u64)>, ReadError> {
        if let Some(mut source) = self.source.take() {
            let is_at_end = source.is_at_end;
            let mut cursor = source.take_cursor();
            if !is_at_end {
                Source::skip(&self.layout, &mut cursor)?;
            }
            self.cursor = Some(cursor);
        }
        let Some(cursor) = self.cursor.take().filter(|cursor| !cursor.is_at_end()) else { return Ok(None) };
        let source = Source::open(self.sstable.clone(), self.layout.clone(), cursor, None, None)?;
        let source = source.expect("any key is wanted");
        let first = (source.header.clone(), source.cursor.position());
        self.source = Some(source);
        Ok(Some(first))
    }

    /// The next row or marker of the partition, and where it begins.
    pub fn next_element(&mut self) -> Result<Option<(u64, Unfiltered)>, ReadError> {
        let Some(source) = &mut self.source else { return Ok(None) };
        loop {
            let position = source.cursor.position();
            match source.next(BEFORE_ALL, BEHIND_ALL)? {
                Item::Row(row) => return Ok(Some((position, Unfiltered::Row(row)))),
                Item::Marker(marker) => return Ok(Some((position, Unfiltered::Marker(marker)))),
                Item::Skipped(_) => {}
                Item::Beyond | Item::End => return Ok(None),
            }
        }
    }
}
