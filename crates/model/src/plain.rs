//! Plain rows: rows that are looked at where they stand, in a block of a file or in a memtable.
//!
//! Most rows hold cells of one value each and nothing else. Of such a row a source need not make a [`Row`], whose parts
//! are allocations and reference counts: it says where its values stand in the bytes around it
//! ([`PartitionStream::plain_rows`](crate::partition::PartitionStream::plain_rows)). A row with a deletion of its own
//! or with a multi-cell column is not plain and comes as a [`Row`].
//!
//! Never here: what a deletion outside the row shadows. A plain row is one that nothing shadows.

use bytes::Bytes;

use crate::key::Clustering;
use crate::row::{Cell, ColumnData, DeletionTime, Liveness, NO_DELETION_TIME, NO_TTL, Row};
use crate::schema::ColumnId;

/// Where a value stands in the bytes around its row. The default is an empty value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// From `start` up to `end`, positions below 4 GiB.
    #[inline]
    pub fn new(start: usize, end: usize) -> Span {
        debug_assert!(start <= end && u32::try_from(end).is_ok(), "{start}..{end}");
        Span { start: start as u32, end: end as u32 }
    }

    /// The value; `bytes` are those that it was found in.
    #[inline]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end as usize]
    }
}

/// A cell of a plain row; the fields are those of [`Cell`].
#[derive(Clone, Copy, Debug)]
pub struct PlainCell {
    /// Which column's.
    pub column: ColumnId,
    /// Write time, microseconds.
    pub timestamp_us: i64,
    /// Time to live in seconds, or `NO_TTL`.
    pub ttl_s: i32,
    /// Second of deletion or expiry, or `NO_DELETION_TIME`.
    pub local_deletion_s: u32,
    /// Where its value stands.
    pub value: Span,
}

impl PlainCell {
    /// True if a reader at `now_s` sees it; as [`Cell::is_live`].
    #[inline]
    pub fn is_live(&self, now_s: u32) -> bool {
        self.local_deletion_s == NO_DELETION_TIME || (self.ttl_s != NO_TTL && now_s < self.local_deletion_s)
    }
}

/// The parts of the plain row that was read last. Kept from row to row, so that one takes no allocation.
#[derive(Debug)]
pub struct PlainParts {
    /// Its clustering values.
    pub clustering: Vec<Option<Span>>,
    /// Its marker.
    pub liveness: Liveness,
    /// Its cells, ascending by column id.
    pub cells: Vec<PlainCell>,
}

impl Default for PlainParts {
    fn default() -> Self {
        PlainParts { clustering: Vec::new(), liveness: Liveness::NONE, cells: Vec::new() }
    }
}

impl PlainParts {
    /// Forgets the last row.
    #[inline]
    pub fn clear(&mut self) {
        self.clustering.clear();
        self.liveness = Liveness::NONE;
        self.cells.clear();
    }
}

/// A row in place.
#[derive(Clone, Copy, Debug)]
pub struct PlainRow<'r> {
    /// The bytes that its spans are of.
    pub bytes: &'r [u8],
    /// Byte-comparable place in the partition.
    pub order: &'r [u8],
    /// What it is made of.
    pub parts: &'r PlainParts,
}

impl<'r> PlainRow<'r> {
    /// A value of its clustering.
    #[inline]
    pub fn clustering_value(&self, index: usize) -> Option<&'r [u8]> {
        self.parts.clustering.get(index).copied().flatten().map(|span| span.of(self.bytes))
    }

    /// What it holds of a column.
    #[inline]
    pub fn cell(&self, column: ColumnId) -> Option<&'r PlainCell> {
        let cells = &self.parts.cells;
        cells.binary_search_by_key(&column, |cell| cell.column).ok().map(|found| &cells[found])
    }

    /// The value of one of its cells.
    #[inline]
    pub fn value(&self, cell: &PlainCell) -> &'r [u8] {
        cell.value.of(self.bytes)
    }

    /// True if a reader at `now_s` sees it: its marker or any cell lives.
    #[inline]
    pub fn is_live(&self, now_s: u32) -> bool {
        self.parts.liveness.is_live(now_s) || self.parts.cells.iter().any(|cell| cell.is_live(now_s))
    }

    /// A copy of its place.
    pub fn clustering(&self) -> Clustering {
        let values = self.parts.clustering.iter();
        Clustering {
            values: values.map(|span| span.map(|span| Bytes::copy_from_slice(span.of(self.bytes)))).collect(),
            order: Bytes::copy_from_slice(self.order),
        }
    }

    /// A copy of a cell.
    pub fn to_cell(&self, cell: &PlainCell) -> Cell {
        Cell {
            timestamp_us: cell.timestamp_us,
            ttl_s: cell.ttl_s,
            local_deletion_s: cell.local_deletion_s,
            value: Bytes::copy_from_slice(self.value(cell)),
        }
    }

    /// A copy of the row.
    pub fn to_row(&self) -> Row {
        let cells = self.parts.cells.iter();
        Row {
            clustering: self.clustering(),
            liveness: self.parts.liveness,
            deletion: DeletionTime::LIVE,
            columns: cells.map(|cell| (cell.column, ColumnData::Cell(self.to_cell(cell)))).collect(),
        }
    }
}
