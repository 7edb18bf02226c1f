//! Bytes to rows and markers. Nothing here trusts a length, a count or a flag.

use bytes::Bytes;
use model::row::{NO_DELETION_TIME, NO_TTL};
use model::{
    Bound, BoundKind, Cell, Clustering, ColumnData, ColumnId, DeletionTime, Liveness, Marker, PartitionKey,
    Row,
};

use super::clustering::{Place, Places, decode_value, decode_values, place_of};
use super::columns::{ColumnList, Layout, StoredColumn};
use super::deletion;
use super::flags::*;
use crate::cursor::{Cursor, Fault};

/// One element of a partition, as far as it was asked for.
#[derive(Debug)]
pub(crate) enum Item {
    /// The end marker.
    End,
    /// A row within the limits.
    Row(Row),
    /// A marker before or within the limits.
    Marker(Marker),
    /// A row before the limits (or one of which nothing is left): its place, to check the order.
    Skipped(Bytes),
    /// A row or marker at or behind the upper limit. It was not gone past.
    Beyond,
}

impl Layout {
    /// Reads a partition's key and deletion.
    pub(crate) fn partition_header(
        &self,
        buffer: &Bytes,
        cursor: &mut Cursor<'_>,
    ) -> Result<(PartitionKey, DeletionTime), Fault> {
        let length = usize::from(cursor.u16()?);
        if length == 0 {
            return Err(Fault::Bad("a partition key is empty"));
        }
        let key = decode_value(cursor, Some(buffer), Some(length))?;
        let deletion = deletion::whole(cursor, self.form)?;
        // The key outlives the chunk in many places: it gets bytes of its own.
        Ok((self.partitioner.key(Bytes::copy_from_slice(&key)), deletion))
    }

    /// Reads a deletion as rows have it.
    fn deletion(&self, cursor: &mut Cursor<'_>) -> Result<DeletionTime, Fault> {
        let timestamp_us = self.bases.timestamp(cursor)?;
        deletion::checked(timestamp_us, self.bases.local_deletion(cursor)?, self.form)
    }

    /// Reads the second at which something expires or was deleted.
    fn local_deletion(&self, cursor: &mut Cursor<'_>) -> Result<u32, Fault> {
        let stored = self.bases.local_deletion(cursor)?;
        self.form.time(stored).ok_or(Fault::Bad("a local deletion time is out of range"))
    }

    /// Reads the static row of a file that has static columns; `None` if it is empty.
    pub(crate) fn static_row(&self, buffer: &Bytes, cursor: &mut Cursor<'_>) -> Result<Option<Row>, Fault> {
        let flags = cursor.u8()?;
        if flags & EXTENSION == 0 || cursor.u8()? != IS_STATIC || flags & (END_OF_PARTITION | IS_MARKER) != 0
        {
            return Err(Fault::Bad("the static row is missing"));
        }
        let body_bytes = cursor.length()?;
        let mut body = cursor.split(body_bytes)?;
        let row = self.row(buffer, &mut body, flags, Clustering::EMPTY, true).map_err(whole_body)?;
        Ok((!row.is_empty()).then_some(row))
    }

    /// Reads the next element. Rows at or before `after` are skipped, rows and markers at or behind `until`
    /// are not taken; both are byte-comparable places.
    #[inline]
    pub(crate) fn item(
        &self,
        buffer: &Bytes,
        cursor: &mut Cursor<'_>,
        after: &[u8],
        until: &[u8],
        places: &mut Places,
    ) -> Result<Item, Fault> {
        let flags = cursor.u8()?;
        if flags & END_OF_PARTITION != 0 {
            return if flags == END_OF_PARTITION {
                Ok(Item::End)
            } else {
                Err(Fault::Bad("the end of a partition has other flags"))
            };
        }
        if flags & IS_MARKER != 0 {
            return if flags == IS_MARKER {
                self.marker(buffer, cursor, until)
            } else {
                Err(Fault::Bad("a marker has flags of a row"))
            };
        }
        if flags & EXTENSION != 0 && cursor.u8()? & !HAS_SHADOWABLE_DELETION != 0 {
            return Err(Fault::Bad("a static row stands among the rows"));
        }
        if self.has_rows_before(after) {
            let mut ahead = cursor.again();
            place_of(&mut ahead, &self.clustering, &mut places.place)?;
            if places.place.cmp(after).is_le() {
                let body_bytes = ahead.length()?;
                ahead.split(body_bytes)?;
                *cursor = ahead;
                return Ok(Item::Skipped(places.keep()));
            }
        }
        let mut clustering = Clustering::EMPTY;
        if !self.clustering.is_empty() {
            clustering.values = decode_values(cursor, Some(buffer), &self.clustering)?;
            places.set(&clustering.values, &self.clustering);
            if places.place.cmp(until).is_ge() {
                return Ok(Item::Beyond);
            }
        }
        let body_bytes = cursor.length()?;
        let mut body = cursor.split(body_bytes)?;
        let mut row = self.row(buffer, &mut body, flags, clustering, false).map_err(whole_body)?;
        if !self.clustering.is_empty() {
            row.clustering.order = places.keep();
        }
        if row.is_empty() {
            return Ok(Item::Skipped(row.clustering.order));
        }
        Ok(Item::Row(row))
    }

    /// Only a start with values has rows before it.
    pub(crate) fn has_rows_before(&self, after: &[u8]) -> bool {
        after.len() > 1 && !self.clustering.is_empty()
    }

    /// Goes past a row at or before `after`, whose place is then in `place`; false, and nowhere, if another element
    /// comes next. Not for an `after` without rows before it.
    #[inline]
    pub(crate) fn pass(
        &self,
        cursor: &mut Cursor<'_>,
        after: &[u8],
        place: &mut Place,
    ) -> Result<bool, Fault> {
        let mut ahead = cursor.again();
        let flags = ahead.u8()?;
        if flags & (END_OF_PARTITION | IS_MARKER | EXTENSION) != 0 {
            return Ok(false);
        }
        place_of(&mut ahead, &self.clustering, place)?;
        if place.cmp(after).is_gt() {
            return Ok(false);
        }
        let body_bytes = ahead.length()?;
        ahead.take(body_bytes)?;
        *cursor = ahead;
        Ok(true)
    }

    /// Reads the head of an element that is not wanted; returns how many bytes its body has, `None` at the end
    /// marker.
    pub(crate) fn skip(&self, cursor: &mut Cursor<'_>) -> Result<Option<u64>, Fault> {
        let flags = cursor.u8()?;
        if flags & END_OF_PARTITION != 0 {
            return Ok(None);
        }
        let mut types = self.clustering.as_slice();
        if flags & IS_MARKER != 0 {
            cursor.u8()?;
            let count = usize::from(cursor.u16()?);
            types = types.get(..count).ok_or(Fault::Bad("a marker has too many values"))?;
        } else if flags & EXTENSION != 0 {
            cursor.u8()?;
        }
        super::clustering::skip_values(cursor, types)?;
        Ok(Some(cursor.length()? as u64))
    }

    /// What the next element says of the size of the one before; `None` at the end marker.
    pub(crate) fn previous_bytes(&self, cursor: &mut Cursor<'_>) -> Result<Option<u64>, Fault> {
        match self.skip(cursor)? {
            Some(_) => Ok(Some(cursor.uvint()?)),
            None => Ok(None),
        }
    }

    fn marker(&self, buffer: &Bytes, cursor: &mut Cursor<'_>, until: &[u8]) -> Result<Item, Fault> {
        let (kind, closes, opens) = match cursor.u8()? {
            0 => (BoundKind::ExclusiveEnd, true, false),
            1 => (BoundKind::InclusiveStart, false, true),
            EXCLUSIVE_END_INCLUSIVE_START => (BoundKind::ExclusiveEnd, true, true),
            INCLUSIVE_END_EXCLUSIVE_START => (BoundKind::InclusiveEnd, true, true),
            6 => (BoundKind::InclusiveEnd, true, false),
            7 => (BoundKind::ExclusiveStart, false, true),
            _ => return Err(Fault::Bad("a marker is of an unknown kind")),
        };
        let count = usize::from(cursor.u16()?);
        let types = self.clustering.get(..count);
        let types = types.ok_or(Fault::Bad("a marker has more values than there are clustering columns"))?;
        let values = decode_values(cursor, Some(buffer), types)?;
        let bound = Bound::new(kind, values, &self.clustering);
        if &*bound.order >= until {
            return Ok(Item::Beyond);
        }
        let body_bytes = cursor.length()?;
        let mut body = cursor.split(body_bytes)?;
        let (close, open) = self.marker_deletions(&mut body, closes, opens).map_err(whole_body)?;
        if !body.is_at_end() {
            return Err(Fault::Bad("a marker's size does not fit"));
        }
        Ok(Item::Marker(Marker { bound, close, open }))
    }

    fn marker_deletions(
        &self,
        body: &mut Cursor<'_>,
        closes: bool,
        opens: bool,
    ) -> Result<(Option<DeletionTime>, Option<DeletionTime>), Fault> {
        body.uvint()?;
        let mut deletion = |is_there: bool| {
            let deletion = if is_there { Some(self.deletion(body)?) } else { None };
            match deletion {
                Some(deletion) if deletion.is_live() => Err(Fault::Bad("a marker's deletion is none")),
                deletion => Ok(deletion),
            }
        };
        Ok((deletion(closes)?, deletion(opens)?))
    }

    /// Reads a row's body, which must end where `body` does.
    fn row(
        &self,
        buffer: &Bytes,
        body: &mut Cursor<'_>,
        flags: u8,
        clustering: Clustering,
        is_static: bool,
    ) -> Result<Row, Fault> {
        let list = if is_static { &self.statics } else { &self.regulars };
        body.uvint()?;
        let liveness = self.liveness(body, flags)?;
        let deletion = if flags & HAS_DELETION != 0 { self.deletion(body)? } else { DeletionTime::LIVE };
        let mut row = Row { clustering, liveness, deletion, columns: Vec::new() };
        let mut reader = CellReader { layout: self, buffer, liveness, flags, columns: Vec::new() };
        if flags & HAS_ALL_COLUMNS != 0 {
            reader.columns.reserve(list.columns.len());
            for column in &list.columns {
                reader.column(body, column)?;
            }
        } else {
            for place in subset(body, list.columns.len())? {
                reader.column(body, &list.columns[place])?;
            }
        }
        row.columns = reader.columns;
        if !body.is_at_end() {
            return Err(Fault::Bad("a row's size does not fit"));
        }
        self.arrange(&mut row, list);
        Ok(row)
    }

    /// Reads the marker of a row.
    #[inline(always)]
    pub(super) fn liveness(&self, body: &mut Cursor<'_>, flags: u8) -> Result<Liveness, Fault> {
        let mut liveness = Liveness::NONE;
        if flags & HAS_TIMESTAMP != 0 {
            liveness.timestamp_us = self.bases.timestamp(body)?;
            if flags & HAS_TTL != 0 {
                liveness.ttl_s = self.bases.ttl(body)?;
                liveness.local_deletion_s = self.local_deletion(body)?;
            }
        } else if flags & HAS_TTL != 0 {
            return Err(Fault::Bad("a row without timestamp has a time to live"));
        }
        Ok(liveness)
    }

    /// Reads the times of a cell with these flags.
    #[inline(always)]
    pub(super) fn cell_times(
        &self,
        body: &mut Cursor<'_>,
        flags: u8,
        liveness: &Liveness,
    ) -> Result<CellTimes, Fault> {
        let has = |flag: u8| flags & flag != 0;
        let (is_deleted, is_expiring) = (has(CELL_IS_DELETED), has(CELL_IS_EXPIRING));
        if flags > 0x1f || (is_deleted && is_expiring) || (has(CELL_USES_ROW_TTL) && !is_expiring) {
            return Err(Fault::Bad("a cell's flags contradict each other"));
        }
        if (has(CELL_USES_ROW_TIMESTAMP) && liveness.is_none())
            || (has(CELL_USES_ROW_TTL) && !liveness.is_expiring())
        {
            return Err(Fault::Bad("a cell uses times that its row does not have"));
        }
        let timestamp_us =
            if has(CELL_USES_ROW_TIMESTAMP) { liveness.timestamp_us } else { self.bases.timestamp(body)? };
        let (mut ttl_s, mut local_deletion_s) = (NO_TTL, NO_DELETION_TIME);
        if has(CELL_USES_ROW_TTL) {
            (ttl_s, local_deletion_s) = (liveness.ttl_s, liveness.local_deletion_s);
        } else if is_deleted || is_expiring {
            local_deletion_s = self.local_deletion(body)?;
            if local_deletion_s == NO_DELETION_TIME {
                return Err(Fault::Bad("a deleted or expiring cell has no time for it"));
            }
            if is_expiring {
                ttl_s = self.bases.ttl(body)?;
            }
        }
        Ok(CellTimes { timestamp_us, ttl_s, local_deletion_s })
    }

    fn arrange(&self, row: &mut Row, list: &ColumnList) {
        if !list.ascending {
            row.columns.sort_unstable_by_key(|(id, _)| *id);
        }
    }
}

/// The times of a cell, as [`Cell`] has them.
pub(super) struct CellTimes {
    pub(super) timestamp_us: i64,
    pub(super) ttl_s: i32,
    pub(super) local_deletion_s: u32,
}

/// Within a body whose size is known, too few bytes are no reason to read more.
pub(super) fn whole_body(fault: Fault) -> Fault {
    match fault {
        Fault::Short(_) => Fault::Bad("a row's content is longer than its size"),
        bad => bad,
    }
}

/// Reads which of `count` columns a row has.
fn subset(body: &mut Cursor<'_>, count: usize) -> Result<Vec<usize>, Fault> {
    let wrong = Fault::Bad("a row has columns that do not exist");
    if count < 64 {
        let missing = body.uvint()?;
        if missing >> count != 0 {
            return Err(wrong);
        }
        return Ok((0..count).filter(|place| missing >> place & 1 == 0).collect());
    }
    let missing = body.length()?;
    let present = count.checked_sub(missing).ok_or(wrong)?;
    let listed = if present < count / 2 { present } else { missing };
    if missing == 0 {
        return Ok((0..count).collect());
    }
    let mut places = Vec::with_capacity(listed.min(body.remaining()));
    for _ in 0..listed {
        let place = body.length()?;
        if place >= count || places.last().is_some_and(|last| place <= *last) {
            return Err(wrong);
        }
        places.push(place);
    }
    if present < count / 2 {
        return Ok(places);
    }
    let mut missing = places.into_iter().peekable();
    Ok((0..count).filter(|place| missing.next_if_eq(place).is_none()).collect())
}

struct CellReader<'a> {
    layout: &'a Layout,
    buffer: &'a Bytes,
    liveness: Liveness,
    flags: u8,
    columns: Vec<(ColumnId, ColumnData)>,
}

impl CellReader<'_> {
    #[inline]
    fn column(&mut self, body: &mut Cursor<'_>, column: &StoredColumn) -> Result<(), Fault> {
        if !column.is_complex {
            let cell = self.cell(body, column, None)?;
            if let Some(id) = column.target
                && column.keeps(cell.timestamp_us)
            {
                self.columns.push((id, ColumnData::Cell(cell)));
            }
            return Ok(());
        }
        let mut deletion = DeletionTime::LIVE;
        if self.flags & HAS_COMPLEX_DELETION != 0 {
            deletion = self.layout.deletion(body)?;
            if !column.keeps(deletion.timestamp_us) {
                deletion = DeletionTime::LIVE;
            }
        }
        let count =
            usize::try_from(body.uvint32()?).map_err(|_| Fault::Bad("a count of cells is negative"))?;
        let mut cells = Vec::with_capacity(count.min(body.remaining() / 2));
        for _ in 0..count {
            let mut path = Bytes::new();
            let cell = self.cell(body, column, Some(&mut path))?;
            if column.keeps(cell.timestamp_us) {
                cells.push((path, cell));
            }
        }
        if let Some(id) = column.target
            && !(cells.is_empty() && deletion.is_live())
        {
            self.columns.push((id, ColumnData::Complex { deletion, cells }));
        }
        Ok(())
    }

    #[inline]
    fn cell(
        &self,
        body: &mut Cursor<'_>,
        column: &StoredColumn,
        path: Option<&mut Bytes>,
    ) -> Result<Cell, Fault> {
        let flags = body.u8()?;
        let times = self.layout.cell_times(body, flags, &self.liveness)?;
        let CellTimes { timestamp_us, ttl_s, local_deletion_s } = times;
        let is_complex = path.is_some();
        if let Some(path) = path {
            *path = decode_value(body, Some(self.buffer), None)?;
        }
        let value = if flags & CELL_HAS_EMPTY_VALUE != 0 {
            Bytes::new()
        } else {
            let fixed = if is_complex { None } else { column.fixed };
            let value = decode_value(body, Some(self.buffer), fixed)?;
            if flags & CELL_IS_DELETED != 0 { Bytes::new() } else { value }
        };
        Ok(Cell { timestamp_us, ttl_s, local_deletion_s, value })
    }
}
