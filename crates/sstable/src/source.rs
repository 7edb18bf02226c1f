//! One partition of one SSTable, read element by element with all that must hold between them.

use std::sync::Arc;

use model::partition::TakePlain;
use model::{DeletionTime, PartitionHeader, PartitionKey, PlainParts, PlainRow, Row};

use crate::chunk::reader::DataCursor;
use crate::error::ReadError;
use crate::index::{Block, Blocks, RowIndex};
use crate::reader::SsTable;
use crate::row::clustering::{Place, Places};
use crate::row::columns::Layout;
use crate::row::decode::Item;

/// An open partition.
pub(crate) struct Source {
    sstable: Arc<SsTable>,
    layout: Arc<Layout>,
    pub(crate) cursor: DataCursor,
    /// Where the partition begins.
    start: u64,
    /// Where its rows begin.
    rows_start: u64,
    rows: Option<RowIndex>,
    pub(crate) header: PartitionHeader,
    /// The range deletion that is open here.
    pub(crate) open: Option<DeletionTime>,
    /// Where the last element stood; empty: there was none. Copied, as a shared one would cost an allocation a row.
    last_place: Box<Place>,
    places: Places,
    /// The block that was gone to begins at or behind this place.
    separator: Option<(Vec<u8>, bool)>,
    /// The end marker was read.
    pub(crate) is_at_end: bool,
}

/// No row stands at or behind this place.
const BEHIND_ALL: &[u8] = &[u8::MAX];
const NOT_ASCENDING: &str = "the rows of a partition do not ascend";
const CHANGED: &str = "a row is another one when it is read again";
const ELSEWHERE: &str = "an index block begins with another row than the index says";

/// True if a block's first element cannot stand at this place.
fn is_elsewhere(place: &[u8], (separator, is_exact): &(Vec<u8>, bool)) -> bool {
    if *is_exact { *place != **separator } else { *place < **separator }
}

impl Source {
    /// Opens the partition where the cursor stands; `None` if it is another than `wanted`.
    pub(crate) fn open(
        sstable: Arc<SsTable>,
        layout: Arc<Layout>,
        mut cursor: DataCursor,
        rows: Option<RowIndex>,
        wanted: Option<&PartitionKey>,
    ) -> Result<Option<Source>, ReadError> {
        let start = cursor.position();
        let (key, deletion) = cursor.parse(|buffer, cursor| layout.partition_header(buffer, cursor))?;
        if wanted.is_some_and(|wanted| *wanted != key) {
            return Ok(None);
        }
        let static_row = if layout.statics.columns.is_empty() {
            None
        } else {
            cursor.parse(|buffer, cursor| layout.static_row(buffer, cursor))?
        };
        Ok(Some(Source {
            sstable,
            layout,
            start,
            rows_start: cursor.position(),
            cursor,
            rows,
            header: PartitionHeader { key, deletion, static_row },
            open: None,
            last_place: Box::default(),
            places: Places::default(),
            separator: None,
            is_at_end: false,
        }))
    }

    /// Where it begins in Data.db.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The next element; rows at or before `after` are skipped, nothing at or behind `until` is taken.
    #[inline]
    pub(crate) fn next(&mut self, after: &[u8], until: &[u8]) -> Result<Item, ReadError> {
        if self.is_at_end {
            return Ok(Item::End);
        }
        let position = self.cursor.position();
        let (layout, places) = (&self.layout, &mut self.places);
        let item = self.cursor.parse(|buffer, cursor| layout.item(buffer, cursor, after, until, places))?;
        let place = match &item {
            Item::Row(row) => &row.clustering.order,
            Item::Skipped(place) => place,
            Item::Marker(marker) => {
                if marker.close.is_some() != self.open.is_some() {
                    return Err(self.cursor.corrupt("range tombstones do not open and close in turn"));
                }
                self.open = marker.open;
                &marker.bound.order
            }
            Item::Beyond => {
                self.cursor.seek(position);
                return Ok(item);
            }
            Item::End => {
                self.is_at_end = true;
                if self.open.is_some() {
                    return Err(self.cursor.corrupt("a range tombstone stays open"));
                }
                return Ok(item);
            }
        };
        if !self.last_place.is_empty() && self.last_place.cmp(place).is_ge() {
            return Err(self.cursor.corrupt(NOT_ASCENDING));
        }
        if self.separator.take().is_some_and(|separator| is_elsewhere(place, &separator)) {
            return Err(self.cursor.corrupt(ELSEWHERE));
        }
        self.last_place.set(place);
        Ok(item)
    }

    /// Goes past the rows that come next at or before `after`, which are not decoded; returns if there were any.
    pub(crate) fn pass(&mut self, after: &[u8]) -> Result<bool, ReadError> {
        if self.is_at_end || !self.layout.has_rows_before(after) {
            return Ok(false);
        }
        let mut is_any = false;
        loop {
            let (layout, place) = (&self.layout, &mut self.places.place);
            if !self.cursor.parse(|_, cursor| layout.pass(cursor, after, place))? {
                return Ok(is_any);
            }
            is_any = true;
            self.arrive()?;
        }
    }

    /// Reads the next row in place, if one comes next that is plain and stands before `until`. What is open here is not
    /// looked at.
    #[inline(always)]
    pub(crate) fn next_plain(&mut self, until: &[u8], parts: &mut PlainParts) -> Result<bool, ReadError> {
        let (layout, place) = (&self.layout, &mut self.places.place);
        if self.is_at_end || !self.cursor.parse(|_, cursor| layout.plain(cursor, until, place, parts))? {
            return Ok(false);
        }
        self.arrive()?;
        Ok(true)
    }

    /// As [`PartitionStream::plain_rows`](model::partition::PartitionStream::plain_rows), of the rows before `until`.
    pub(crate) fn plain_rows(
        &mut self,
        until: &[u8],
        parts: &mut PlainParts,
        take: TakePlain<'_>,
    ) -> Result<u64, ReadError> {
        let mut count = 0;
        while self.next_plain(until, parts)? {
            count += 1;
            let row = PlainRow { bytes: self.cursor.window(), order: self.last_place.bytes(), parts };
            if take(&row).is_break() {
                break;
            }
        }
        Ok(count)
    }

    /// The plain row that was read at this place before, in place.
    #[inline]
    pub(crate) fn plain_at<'r>(
        &'r mut self,
        position: u64,
        until: &[u8],
        parts: &'r mut PlainParts,
    ) -> Result<PlainRow<'r>, ReadError> {
        self.cursor.seek(position);
        let (layout, place) = (&self.layout, &mut self.places.place);
        if !self.cursor.parse(|_, cursor| layout.plain(cursor, until, place, parts))? {
            return Err(self.cursor.corrupt(CHANGED));
        }
        Ok(PlainRow { bytes: self.cursor.window(), order: self.places.place.bytes(), parts })
    }

    /// As [`Source::plain_at`], taken out.
    pub(crate) fn row_at(&mut self, position: u64, until: &[u8]) -> Result<Row, ReadError> {
        self.row_before(position, until)?.ok_or_else(|| self.cursor.corrupt(CHANGED))
    }

    /// The row that was looked at in this place; `None` if nothing is in it.
    pub(crate) fn row_again(&mut self, position: u64) -> Result<Option<Row>, ReadError> {
        self.row_before(position, BEHIND_ALL)
    }

    fn row_before(&mut self, position: u64, until: &[u8]) -> Result<Option<Row>, ReadError> {
        self.cursor.seek(position);
        let (layout, places) = (&self.layout, &mut self.places);
        match self.cursor.parse(|buffer, cursor| layout.item(buffer, cursor, &[], until, places))? {
            Item::Row(row) => Ok(Some(row)),
            _ => Ok(None),
        }
    }

    /// Goes on to the row whose place was just read.
    #[inline]
    fn arrive(&mut self) -> Result<(), ReadError> {
        let place = &mut self.places.place;
        if !self.last_place.is_before(place) {
            return Err(self.cursor.corrupt(NOT_ASCENDING));
        }
        if self.separator.take().is_some_and(|separator| is_elsewhere(place.bytes(), &separator)) {
            return Err(self.cursor.corrupt(ELSEWHERE));
        }
        std::mem::swap(&mut self.last_place, place);
        Ok(())
    }

    /// What the next element says of the size of the one before; it is not gone past.
    pub(crate) fn previous_bytes(&mut self) -> Result<Option<u64>, ReadError> {
        let position = self.cursor.position();
        let layout = &self.layout;
        let stored = self.cursor.parse(|_, cursor| layout.previous_bytes(cursor));
        self.cursor.seek(position);
        stored
    }

    /// The index of its rows, if the partition is wide.
    pub(crate) fn rows(&self) -> Option<&RowIndex> {
        self.rows.as_ref()
    }

    /// Goes to the block that may hold the first element at `place`, if that saves reading.
    pub(crate) fn advance_to(&mut self, place: &[u8]) -> Result<(), ReadError> {
        let Some(mut blocks) = self.blocks(place)? else { return Ok(()) };
        if let Some(block) = self.next_block(&mut blocks)?
            && self.position_of(&block) > self.cursor.position()
        {
            self.go_to(&block)?;
        }
        Ok(())
    }

    /// The blocks that may hold elements before `place`, the last first; `None` without row index.
    pub(crate) fn blocks(&self, place: &[u8]) -> Result<Option<Blocks>, ReadError> {
        self.rows.as_ref().map(|rows| self.sstable.index.blocks(rows, place)).transpose()
    }

    /// The next one of these.
    pub(crate) fn next_block(&self, blocks: &mut Blocks) -> Result<Option<Block>, ReadError> {
        self.sstable.index.next_block(blocks)
    }

    /// Goes to the start of a block.
    pub(crate) fn go_to(&mut self, block: &Block) -> Result<(), ReadError> {
        if self.position_of(block) < self.rows_start {
            return Err(self.cursor.corrupt("an index block begins before the rows of its partition"));
        }
        self.cursor.seek(self.position_of(block));
        self.open = block.open;
        let separator = Some((block.separator.clone(), block.is_exact));
        self.separator = separator.filter(|(separator, _)| !separator.is_empty());
        self.last_place.clear();
        self.is_at_end = false;
        Ok(())
    }

    /// All rows as one block.
    pub(crate) fn whole(&self) -> Block {
        Block { separator: Vec::new(), is_exact: false, offset: self.rows_start - self.start, open: None }
    }

    /// Where a block begins in Data.db.
    pub(crate) fn position_of(&self, block: &Block) -> u64 {
        self.start.saturating_add(block.offset)
    }

    /// Puts the cursor behind the partition, wherever it stands in it.
    pub(crate) fn skip(layout: &Layout, cursor: &mut DataCursor) -> Result<(), ReadError> {
        while let Some(body_bytes) = cursor.parse(|_, cursor| layout.skip(cursor))? {
            cursor.skip(body_bytes);
        }
        Ok(())
    }

    /// Gives the cursor up.
    pub(crate) fn take_cursor(&mut self) -> DataCursor {
        std::mem::replace(&mut self.cursor, DataCursor::new(self.sstable.data.clone(), 0))
    }
}
