//! From bytes to values. Every length is checked against what is left before anything is made of it.

use std::fmt;

use bytes::Bytes;
use stdx::vint::{read_unsigned_vint, read_vint};

use crate::Value;
use crate::key::{Bound, BoundKind, Clustering};
use crate::partition::{PartitionUpdate, RangeTombstone};
use crate::row::{Cell, ColumnData, DeletionTime, Liveness, NO_DELETION_TIME, NO_TTL, Row};
use crate::schema::ColumnId;

/// The bytes contradict themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

/// Reads a row that fills `bytes`; its values share them.
pub fn decode_row(bytes: &Bytes) -> Result<Row, Malformed> {
    let mut input = Input { whole: bytes, at: 0 };
    let row = input.row()?;
    input.finish()?;
    Ok(row)
}

/// Reads an update that fills `bytes`; its values share them.
pub fn decode_update(bytes: &Bytes) -> Result<PartitionUpdate, Malformed> {
    let mut input = Input { whole: bytes, at: 0 };
    let flags = input.byte()?;
    if flags > 3 {
        return Err(Malformed("unknown flags of an update"));
    }
    let deletion = if flags & 1 != 0 { input.deletion()? } else { DeletionTime::LIVE };
    let static_row = if flags & 2 != 0 { Some(input.row_with_length()?) } else { None };
    let mut rows: Vec<Row> = Vec::new();
    for _ in 0..input.count()? {
        let row = input.row_with_length()?;
        if rows.last().is_some_and(|last| last.clustering.order >= row.clustering.order) {
            return Err(Malformed("rows out of order"));
        }
        rows.push(row);
    }
    let mut range_tombstones = Vec::new();
    for _ in 0..input.count()? {
        range_tombstones.push(input.tombstone()?);
    }
    input.finish()?;
    Ok(PartitionUpdate { deletion, static_row, rows, range_tombstones })
}

struct Input<'a> {
    whole: &'a Bytes,
    at: usize,
}

impl Input<'_> {
    fn rest(&self) -> &[u8] {
        &self.whole[self.at..]
    }

    fn finish(&self) -> Result<(), Malformed> {
        if self.rest().is_empty() { Ok(()) } else { Err(Malformed("bytes are left over")) }
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let byte = *self.rest().first().ok_or(Malformed("the bytes end too early"))?;
        self.at += 1;
        Ok(byte)
    }

    fn unsigned(&mut self) -> Result<u64, Malformed> {
        let (value, taken) =
            read_unsigned_vint(self.rest()).map_err(|_| Malformed("the bytes end inside a number"))?;
        self.at += taken;
        Ok(value)
    }

    fn signed(&mut self) -> Result<i64, Malformed> {
        let (value, taken) =
            read_vint(self.rest()).map_err(|_| Malformed("the bytes end inside a number"))?;
        self.at += taken;
        Ok(value)
    }

    fn ttl(&mut self) -> Result<i32, Malformed> {
        i32::try_from(self.signed()?).map_err(|_| Malformed("a time to live beyond 32 bits"))
    }

    fn deletion_second(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.unsigned()?).map_err(|_| Malformed("a deletion time beyond 32 bits"))
    }

    /// A number of things that take at least a byte each.
    fn count(&mut self) -> Result<usize, Malformed> {
        let count = self.unsigned()?;
        match usize::try_from(count) {
            Ok(count) if count <= self.rest().len() => Ok(count),
            _ => Err(Malformed("more elements than bytes")),
        }
    }

    fn take(&mut self, bytes: usize) -> Result<Bytes, Malformed> {
        if bytes > self.rest().len() {
            return Err(Malformed("a length beyond the end"));
        }
        let taken = self.whole.slice(self.at..self.at + bytes);
        self.at += bytes;
        Ok(taken)
    }

    fn bytes(&mut self) -> Result<Bytes, Malformed> {
        let bytes = self.count()?;
        self.take(bytes)
    }

    fn deletion(&mut self) -> Result<DeletionTime, Malformed> {
        Ok(DeletionTime { timestamp_us: self.signed()?, local_deletion_s: self.deletion_second()? })
    }

    fn place(&mut self) -> Result<(Bytes, Vec<Value>), Malformed> {
        let order = self.bytes()?;
        let count = self.count()?;
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            let value = match self.count_or_null()? {
                None => None,
                Some(bytes) => Some(self.take(bytes)?),
            };
            values.push(value);
        }
        Ok((order, values))
    }

    fn count_or_null(&mut self) -> Result<Option<usize>, Malformed> {
        let raw = self.unsigned()?;
        let Some(bytes) = raw.checked_sub(1) else { return Ok(None) };
        usize::try_from(bytes).map(Some).map_err(|_| Malformed("a length beyond the end"))
    }

    fn row_with_length(&mut self) -> Result<Row, Malformed> {
        let length = self.take(4)?;
        let bytes = u32::from_be_bytes([length[0], length[1], length[2], length[3]]);
        decode_row(&self.take(bytes as usize)?)
    }

    fn row(&mut self) -> Result<Row, Malformed> {
        let (order, values) = self.place()?;
        let flags = self.byte()?;
        if flags > 7 || flags & 3 == 2 {
            return Err(Malformed("unknown flags of a row"));
        }
        let mut row = Row::empty(Clustering { values, order });
        if flags & 1 != 0 {
            let timestamp_us = self.signed()?;
            let (ttl_s, local_deletion_s) = if flags & 2 != 0 {
                (self.ttl()?, self.deletion_second()?)
            } else {
                (NO_TTL, NO_DELETION_TIME)
            };
            row.liveness = Liveness { timestamp_us, ttl_s, local_deletion_s };
        }
        if flags & 4 != 0 {
            row.deletion = self.deletion()?;
        }
        let count = self.count()?;
        row.columns.reserve_exact(count.min(self.rest().len() / 2));
        for _ in 0..count {
            let (id, data) = self.column(&row.liveness)?;
            if row.columns.last().is_some_and(|(last, _)| *last >= id) {
                return Err(Malformed("columns out of order"));
            }
            row.columns.push((id, data));
        }
        Ok(row)
    }

    fn column(&mut self, marker: &Liveness) -> Result<(ColumnId, ColumnData), Malformed> {
        let head = self.unsigned()?;
        let id = u32::try_from(head >> 1).map_err(|_| Malformed("a column number beyond 32 bits"))?;
        if head & 1 == 0 {
            return Ok((ColumnId(id), ColumnData::Cell(self.cell(marker)?)));
        }
        let deletion = self.deletion()?;
        let count = self.count()?;
        let mut cells = Vec::with_capacity(count.min(self.rest().len() / 2));
        for _ in 0..count {
            let path = self.bytes()?;
            cells.push((path, self.cell(marker)?));
        }
        Ok((ColumnId(id), ColumnData::Complex { deletion, cells }))
    }

    fn cell(&mut self, marker: &Liveness) -> Result<Cell, Malformed> {
        let flags = self.byte()?;
        if flags > 15 {
            return Err(Malformed("unknown flags of a cell"));
        }
        Ok(Cell {
            timestamp_us: if flags & 8 != 0 { marker.timestamp_us } else { self.signed()? },
            ttl_s: if flags & 1 != 0 { self.ttl()? } else { NO_TTL },
            local_deletion_s: if flags & 2 != 0 { self.deletion_second()? } else { NO_DELETION_TIME },
            value: if flags & 4 != 0 { self.bytes()? } else { Bytes::new() },
        })
    }

    fn tombstone(&mut self) -> Result<RangeTombstone, Malformed> {
        let start = self.bound()?;
        let end = self.bound()?;
        if !start.kind.is_start() || end.kind.is_start() {
            return Err(Malformed("a range tombstone's bounds are the wrong way round"));
        }
        Ok(RangeTombstone { start, end, deletion: self.deletion()? })
    }

    fn bound(&mut self) -> Result<Bound, Malformed> {
        let kind = match self.byte()? {
            0 => BoundKind::ExclusiveEnd,
            1 => BoundKind::InclusiveStart,
            6 => BoundKind::InclusiveEnd,
            7 => BoundKind::ExclusiveStart,
            _ => return Err(Malformed("no such kind of bound")),
        };
        let (order, values) = self.place()?;
        Ok(Bound { kind, values, order })
    }
}
