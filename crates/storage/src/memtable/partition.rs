//! One partition of a memtable, and a snapshot of it as a source of rows.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use model::codec::{decode_own_row, encode_row, plain_parts, row_order, supersedes};
use model::merge::{Sliced, SlicedRows, clip_tombstones, insert_tombstone, merge_rows, shadow_row};
use model::partition::{PartitionStream, SourceError, TakePlain};
use model::{
    Bound, ColumnData, DeletionTime, PartitionHeader, PartitionKey, PartitionUpdate, PlainParts, PlainRow,
    RangeTombstone, Row, Slices, Table,
};

use super::arena::{ALLOCATION_BYTES, Arena, growth};
use super::tree::{RowCursor, RowTree};

/// All that a memtable knows of one partition. Cloning it is a snapshot: nothing is copied.
#[derive(Clone, Default)]
pub(crate) struct Partition {
    rows: Rows,
    rare: Option<Arc<Rare>>,
}

/// Packed rows ([`model::codec`]).
#[derive(Clone, Default)]
enum Rows {
    #[default]
    None,
    One(Bytes),
    Many(RowTree),
}

/// What few partitions have.
#[derive(Clone)]
struct Rare {
    deletion: DeletionTime,
    static_row: Option<Bytes>,
    /// Disjoint and ascending.
    tombstones: Vec<RangeTombstone>,
}

/// Rows up to this size are copied into a snapshot rather than shared with it: their reference counts lie in memory
/// that nobody has touched for long.
const COPIED_BYTES_MAX: usize = 4 << 10;
/// Copies of a thread share buffers of this size.
const COPIES_BYTES: usize = 64 << 10;

impl Partition {
    /// Merges a change in; returns by how many heap bytes it grew. Its rows have memory of their own.
    pub(crate) fn apply(&mut self, table: &Table, update: &PartitionUpdate, scratch: &mut Vec<u8>) -> isize {
        self.apply_with(&mut Bytes::copy_from_slice, table, update, scratch)
    }

    /// The same; new rows go into the arena.
    pub(super) fn apply_into(
        &mut self,
        arena: &mut Arena,
        table: &Table,
        update: &PartitionUpdate,
        scratch: &mut Vec<u8>,
    ) -> isize {
        self.apply_with(&mut |row| arena.keep(row), table, update, scratch)
    }

    fn apply_with(
        &mut self,
        keep: &mut impl FnMut(&[u8]) -> Bytes,
        table: &Table,
        update: &PartitionUpdate,
        scratch: &mut Vec<u8>,
    ) -> isize {
        let mut grown = 0;
        if !update.deletion.is_live() || update.static_row.is_some() || !update.range_tombstones.is_empty() {
            grown += self.apply_rare(table, update, scratch);
        }
        for row in &update.rows {
            grown += self.apply_row(keep, table, row, scratch);
        }
        grown
    }

    /// The bytes of its row, if it has one only.
    pub(super) fn only_row(&self) -> &[u8] {
        match &self.rows {
            Rows::One(row) => row,
            Rows::None | Rows::Many(_) => &[],
        }
    }

    /// A snapshot for a read that ends soon.
    pub(crate) fn snapshot(&self) -> Partition {
        match &self.rows {
            Rows::One(row) if row.len() <= COPIED_BYTES_MAX => {
                Partition { rows: Rows::One(copy(row)), rare: self.rare.clone() }
            }
            _ => self.clone(),
        }
    }

    fn apply_rare(&mut self, table: &Table, update: &PartitionUpdate, scratch: &mut Vec<u8>) -> isize {
        let mut grown = 0;
        let rare = self.rare.get_or_insert_with(|| {
            grown += (size_of::<Rare>() + ALLOCATION_BYTES) as isize;
            Arc::new(Rare { deletion: DeletionTime::LIVE, static_row: None, tombstones: Vec::new() })
        });
        let rare = Arc::make_mut(rare);
        rare.deletion = rare.deletion.max(update.deletion);
        if let Some(row) = &update.static_row {
            let old = rare.static_row.take();
            let packed = merge_packed(table, old.as_ref(), row, scratch);
            grown += growth(old.as_ref(), &packed);
            rare.static_row = Some(packed);
        }
        for tombstone in &update.range_tombstones {
            let count = rare.tombstones.len();
            let owned = RangeTombstone {
                start: own_bound(&tombstone.start),
                end: own_bound(&tombstone.end),
                deletion: tombstone.deletion,
            };
            let bytes = size_of::<RangeTombstone>() + bound_bytes(&owned.start) + bound_bytes(&owned.end);
            insert_tombstone(&mut rare.tombstones, owned);
            grown += (rare.tombstones.len() as isize - count as isize) * bytes as isize;
        }
        grown
    }

    fn apply_row(
        &mut self,
        keep: &mut impl FnMut(&[u8]) -> Bytes,
        table: &Table,
        row: &Row,
        scratch: &mut Vec<u8>,
    ) -> isize {
        let order = &*row.clustering.order;
        let mut grown = 0;
        match &mut self.rows {
            Rows::None => {
                let packed = keep(pack(row, scratch));
                grown += growth(None, &packed);
                self.rows = Rows::One(packed);
            }
            Rows::One(only) if row_order(only) == order => {
                let packed = merge_packed(table, Some(only), row, scratch);
                grown += growth(Some(only), &packed);
                *only = packed;
            }
            Rows::One(only) => {
                let mut tree = RowTree::default();
                let only = std::mem::take(only);
                tree.upsert(row_order(&only), |_| only.clone());
                let packed = keep(pack(row, scratch));
                grown += growth(None, &packed);
                tree.upsert(order, |_| packed);
                self.rows = Rows::Many(tree);
            }
            Rows::Many(tree) => tree.upsert(order, |old| {
                let packed = match old {
                    None => keep(pack(row, scratch)),
                    old => merge_packed(table, old, row, scratch),
                };
                grown += growth(old, &packed);
                packed
            }),
        }
        grown
    }

    /// Its rows of `slices`, in direction. `keep` says which columns are still the table's; `None`: all.
    pub(crate) fn stream(
        self,
        key: PartitionKey,
        slices: &Slices,
        reversed: bool,
        known: Option<Arc<Table>>,
    ) -> Option<Box<dyn PartitionStream>> {
        let mut header = PartitionHeader { key, deletion: DeletionTime::LIVE, static_row: None };
        let mut markers = Vec::new();
        if let Some(rare) = &self.rare {
            header.deletion = rare.deletion;
            let unpacked = rare.static_row.as_ref().map(|row| unpack(row, known.as_deref()));
            header.static_row =
                unpacked.map(|row| shadow_row(row, rare.deletion)).filter(|row| !row.is_empty());
            markers = clip_tombstones(&rare.tombstones, slices, rare.deletion, reversed);
        }
        let has_header = !header.deletion.is_live() || header.static_row.is_some();
        let mut rows = PackedRows { parts: Vec::new(), is_ahead: false, known };
        match self.rows {
            Rows::None => {}
            Rows::One(row) => {
                if slices.0.iter().any(|slice| slice.contains(row_order(&row))) {
                    rows.parts.push(Part::One { row, is_passed: false });
                }
            }
            Rows::Many(tree) => {
                // The last part is read first.
                let mut parts = slices.0.iter().map(|slice| {
                    Part::Cursor(tree.range(slice.start.order.clone(), slice.end.order.clone(), reversed))
                });
                if reversed { rows.parts.extend(parts) } else { rows.parts.extend(parts.by_ref().rev()) }
            }
        }
        if rows.parts.is_empty() && !has_header && markers.is_empty() {
            return None;
        }
        Some(Box::new(Sliced::new(header, rows, markers, reversed)))
    }
}

/// Unpacks rows as they are asked for.
struct PackedRows {
    /// The last one is read first.
    parts: Vec<Part>,
    /// The next row was gone to.
    is_ahead: bool,
    known: Option<Arc<Table>>,
}

enum Part {
    One { row: Bytes, is_passed: bool },
    Cursor(RowCursor),
}

impl Part {
    /// Goes to the next row, if there is one.
    #[inline]
    fn advance(&mut self) -> bool {
        match self {
            Part::One { is_passed, .. } => !std::mem::replace(is_passed, true),
            Part::Cursor(cursor) => cursor.advance(),
        }
    }

    /// The row that was gone to.
    #[inline]
    fn row(&self) -> Option<&Bytes> {
        match self {
            Part::One { row, .. } => Some(row),
            Part::Cursor(cursor) => cursor.row(),
        }
    }
}

impl PackedRows {
    /// Goes to the next row, if there is one and it was not gone to.
    #[inline]
    fn advance(&mut self) -> bool {
        while !self.is_ahead {
            let Some(part) = self.parts.last_mut() else { break };
            self.is_ahead = part.advance();
            if !self.is_ahead {
                self.parts.pop();
            }
        }
        self.is_ahead
    }

    #[inline]
    fn row(&self) -> Option<&Bytes> {
        self.parts.last().and_then(Part::row)
    }
}

impl SlicedRows for PackedRows {
    fn next(&mut self) -> Result<Option<Row>, SourceError> {
        while self.advance() {
            self.is_ahead = false;
            let row = self.row().map(|packed| unpack(packed, self.known.as_deref()));
            if row.as_ref().is_some_and(|row| !row.is_empty()) {
                return Ok(row);
            }
        }
        Ok(None)
    }

    fn plain_rows(&mut self, parts: &mut PlainParts, take: TakePlain<'_>) -> Result<u64, SourceError> {
        let mut count = 0;
        while self.known.is_none() && self.advance() {
            let Some(packed) = self.row() else { break };
            let Some(order) = plain_parts(packed, parts) else { break };
            count += 1;
            let flow = take(&PlainRow { bytes: packed, order: order.of(packed), parts });
            self.is_ahead = false;
            if flow.is_break() {
                break;
            }
        }
        Ok(count)
    }
}

fn copy(row: &[u8]) -> Bytes {
    thread_local! {
        static COPIES: RefCell<BytesMut> = RefCell::new(BytesMut::with_capacity(COPIES_BYTES));
    }
    COPIES.with_borrow_mut(|copies| {
        copies.extend_from_slice(row);
        copies.split().freeze()
    })
}

fn unpack(packed: &Bytes, known: Option<&Table>) -> Row {
    let mut row = decode_own_row(packed);
    if let Some(table) = known {
        row.columns.retain(|(id, _)| table.column_by_id(*id).is_some());
    }
    row
}

/// Packs what `old` and `row` are together, in one allocation of just the size.
fn merge_packed(table: &Table, old: Option<&Bytes>, row: &Row, scratch: &mut Vec<u8>) -> Bytes {
    scratch.clear();
    match old {
        Some(old) if !table.is_counter && supersedes(row, old) => encode_row(row, scratch),
        Some(old) => encode_row(&merge_rows(table, decode_own_row(old), row.clone()), scratch),
        None => return Bytes::copy_from_slice(pack(row, scratch)),
    }
    Bytes::copy_from_slice(scratch)
}

/// Packs a row that is the first at its place.
fn pack<'s>(row: &Row, scratch: &'s mut Vec<u8>) -> &'s [u8] {
    scratch.clear();
    if shadows_itself(row) {
        encode_row(&shadow_row(row.clone(), DeletionTime::LIVE), scratch);
    } else {
        encode_row(row, scratch);
    }
    scratch
}

fn shadows_itself(row: &Row) -> bool {
    !row.deletion.is_live() || row.columns.iter().any(|(_, data)| matches!(data, ColumnData::Complex { .. }))
}

/// A bound that shares nothing with the frame it came in.
fn own_bound(bound: &Bound) -> Bound {
    let values = bound.values.iter().map(|value| value.as_deref().map(Bytes::copy_from_slice)).collect();
    Bound { kind: bound.kind, values, order: Bytes::copy_from_slice(&bound.order) }
}

fn bound_bytes(bound: &Bound) -> usize {
    let values: usize = bound.values.iter().flatten().map(|value| value.len() + size_of::<Bytes>()).sum();
    values + bound.order.len() + 2 * ALLOCATION_BYTES
}
