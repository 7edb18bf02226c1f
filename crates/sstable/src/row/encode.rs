//! Rows and markers to bytes.

use model::plain::Span;
use model::row::{NO_DELETION_TIME, NO_TTL};
use model::{
    BoundKind, Cell, ColumnData, ColumnId, CqlType, DeletionTime, Liveness, Marker, PlainCell, PlainRow, Row,
};
use stdx::vint;

use super::clustering::{encode_values, encode_values_with};
use super::deletion::Form;
use super::flags::*;
use crate::cursor::put_vbytes;
use crate::error::WriteError;
use crate::metadata::EncodingStats;
use crate::statistics::header::fixed_bytes;

/// Turns rows of one table into bytes.
pub(crate) struct RowEncoder {
    bases: EncodingStats,
    form: Form,
    clustering: Vec<(CqlType, bool)>,
    statics: Superset,
    regulars: Superset,
    body: Vec<u8>,
    /// The cells of a plain row: places in the order of rows, and which they are. Kept for its memory.
    arranged: Vec<(usize, usize)>,
}

/// The static or the regular columns of the file.
struct Superset {
    /// Length of each column's values, in the order of rows, if it is not stored.
    fixed: Vec<Option<usize>>,
    is_complex: Vec<bool>,
    /// The table's numbers and the places in that order, ascending by number.
    places: Vec<(ColumnId, usize)>,
}

impl Superset {
    /// `columns`: in the order of rows.
    fn new(columns: &[(ColumnId, CqlType)]) -> Superset {
        let mut places: Vec<_> = columns.iter().enumerate().map(|(place, (id, _))| (*id, place)).collect();
        places.sort_unstable();
        Superset {
            fixed: columns.iter().map(|(_, ty)| fixed_bytes(ty)).collect(),
            is_complex: columns.iter().map(|(_, ty)| ty.is_multi_cell()).collect(),
            places,
        }
    }

    /// The row's columns with their places, in the order of rows.
    fn arrange<'a>(&self, row: &'a Row) -> Result<Vec<(usize, &'a ColumnData)>, WriteError> {
        let mut arranged = Vec::with_capacity(row.columns.len());
        for (id, data) in &row.columns {
            let is_complex = matches!(data, ColumnData::Complex { .. });
            arranged.push((self.place(*id, is_complex)?, data));
        }
        arranged.sort_unstable_by_key(|(place, _)| *place);
        Ok(arranged)
    }

    /// The place of a column in the order of rows.
    #[inline]
    fn place(&self, id: ColumnId, is_complex: bool) -> Result<usize, WriteError> {
        let found = self.places.binary_search_by_key(&id, |(id, _)| *id);
        let place = found.map_err(|_| WriteError::ColumnNotNamed { column: id.0 })?;
        let place = self.places[place].1;
        assert_eq!(is_complex, self.is_complex[place], "column {} holds the wrong kind of data", id.0);
        Ok(place)
    }
}

impl RowEncoder {
    /// Columns come in the order of rows.
    pub(crate) fn new(
        bases: EncodingStats,
        form: Form,
        clustering: Vec<(CqlType, bool)>,
        statics: &[(ColumnId, CqlType)],
        regulars: &[(ColumnId, CqlType)],
    ) -> RowEncoder {
        let (statics, regulars) = (Superset::new(statics), Superset::new(regulars));
        RowEncoder { bases, form, clustering, statics, regulars, body: Vec::new(), arranged: Vec::new() }
    }

    pub(crate) fn bases(&self) -> EncodingStats {
        self.bases
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    pub(crate) fn clustering(&self) -> &[(CqlType, bool)] {
        &self.clustering
    }

    pub(crate) fn regulars_count(&self) -> usize {
        self.regulars.fixed.len()
    }

    /// Of a regular column its place in the order of rows, whether it is multi-cell, and the length of its values.
    pub(crate) fn regular(&self, id: ColumnId) -> Option<(usize, bool, Option<usize>)> {
        let found = self.regulars.places.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        let place = self.regulars.places[found].1;
        Some((place, self.regulars.is_complex[place], self.regulars.fixed[place]))
    }

    pub(crate) fn has_statics(&self) -> bool {
        !self.statics.fixed.is_empty()
    }

    /// Appends the static row; an absent one is stored too.
    pub(crate) fn encode_static(&mut self, row: Option<&Row>, out: &mut Vec<u8>) -> Result<(), WriteError> {
        let empty = Row::empty(model::Clustering::EMPTY);
        let row = row.unwrap_or(&empty);
        let flags = self.encode_body(row, true, 0)?;
        out.push(flags | EXTENSION);
        out.push(IS_STATIC);
        self.put_body(out);
        Ok(())
    }

    /// Appends a row that begins `previous_bytes` after the one before.
    pub(crate) fn encode_row(
        &mut self,
        row: &Row,
        previous_bytes: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), WriteError> {
        let flags = self.encode_body(row, false, previous_bytes)?;
        out.push(flags);
        encode_values(&row.clustering.values, &self.clustering, out);
        self.put_body(out);
        Ok(())
    }

    /// The parts of a plain row that begins `previous_bytes` after the one before: appends its clustering to `values`,
    /// puts what follows its size into `body`, and returns its flags.
    pub(crate) fn encode_plain(
        &mut self,
        row: &PlainRow<'_>,
        previous_bytes: u64,
        values: &mut Vec<u8>,
        body: &mut Vec<u8>,
    ) -> Result<u8, WriteError> {
        let (bases, form, superset) = (&self.bases, self.form, &self.regulars);
        let parts = row.parts;
        let value = |span: &Option<Span>| span.map(|span| span.of(row.bytes));
        encode_values_with(&parts.clustering, value, &self.clustering, values);
        body.clear();
        vint::write_unsigned_vint(body, previous_bytes);
        let mut flags = put_liveness((bases, form), body, &parts.liveness);
        let arranged = &mut self.arranged;
        arranged.clear();
        for (index, cell) in parts.cells.iter().enumerate() {
            arranged.push((superset.place(cell.column, false)?, index));
        }
        arranged.sort_unstable();
        if arranged.len() == superset.fixed.len() {
            flags |= HAS_ALL_COLUMNS;
        } else {
            put_subset(body, arranged, superset.fixed.len());
        }
        for (place, index) in arranged {
            let cell = &parts.cells[*index];
            let stored = StoredCell::plain(cell, row.value(cell));
            put_cell((bases, form), body, &parts.liveness, None, &stored, superset.fixed[*place]);
        }
        Ok(flags)
    }

    /// Appends a marker.
    pub(crate) fn encode_marker(
        &mut self,
        marker: &Marker,
        previous_bytes: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), WriteError> {
        let bound = &marker.bound;
        let kind = marker_kind(marker)?;
        out.push(IS_MARKER);
        out.push(kind);
        out.extend_from_slice(&(bound.values.len() as u16).to_be_bytes());
        encode_values(&bound.values, &self.clustering, out);
        self.body.clear();
        vint::write_unsigned_vint(&mut self.body, previous_bytes);
        for deletion in [&marker.close, &marker.open].into_iter().flatten() {
            self.bases.put_deletion(&mut self.body, deletion, self.form);
        }
        self.put_body(out);
        Ok(())
    }

    fn put_body(&self, out: &mut Vec<u8>) {
        put_vbytes(out, &self.body);
    }

    /// Fills `self.body`; returns the flags.
    fn encode_body(&mut self, row: &Row, is_static: bool, previous_bytes: u64) -> Result<u8, WriteError> {
        let superset = if is_static { &self.statics } else { &self.regulars };
        let (bases, form, body) = (&self.bases, self.form, &mut self.body);
        body.clear();
        vint::write_unsigned_vint(body, previous_bytes);
        let liveness = &row.liveness;
        let mut flags = put_liveness((bases, form), body, liveness);
        if !row.deletion.is_live() {
            flags |= HAS_DELETION;
            bases.put_deletion(body, &row.deletion, form);
        }
        let arranged = superset.arrange(row)?;
        if arranged.len() == superset.fixed.len() {
            flags |= HAS_ALL_COLUMNS;
        } else {
            put_subset(body, &arranged, superset.fixed.len());
        }
        let has_complex_deletion = arranged
            .iter()
            .any(|(_, data)| matches!(data, ColumnData::Complex { deletion, .. } if !deletion.is_live()));
        if has_complex_deletion {
            flags |= HAS_COMPLEX_DELETION;
        }
        for (place, data) in arranged {
            match data {
                ColumnData::Cell(cell) => {
                    let cell = StoredCell::of(cell);
                    put_cell((bases, form), body, liveness, None, &cell, superset.fixed[place]);
                }
                ColumnData::Complex { deletion, cells } => {
                    if has_complex_deletion {
                        let live = deletion.is_live();
                        bases.put_deletion(body, if live { &DeletionTime::LIVE } else { deletion }, form);
                    }
                    let count = i32::try_from(cells.len());
                    let count = count
                        .map_err(|_| WriteError::TooLarge { found: format!("{} cells", cells.len()) })?;
                    vint::write_unsigned_vint32(body, count);
                    for (path, cell) in cells {
                        put_cell((bases, form), body, liveness, Some(path), &StoredCell::of(cell), None);
                    }
                }
            }
        }
        Ok(flags)
    }
}

/// The number of a marker's kind.
pub(crate) fn marker_kind(marker: &Marker) -> Result<u8, WriteError> {
    let kind = marker.bound.kind;
    let as_start = |kind: BoundKind| if kind.is_start() { kind } else { kind.invert() };
    match (&marker.close, &marker.open) {
        (Some(_), Some(_)) if kind.is_before() => Ok(EXCLUSIVE_END_INCLUSIVE_START),
        (Some(_), Some(_)) => Ok(INCLUSIVE_END_EXCLUSIVE_START),
        (None, Some(_)) => Ok(as_start(kind) as u8),
        (Some(_), None) => Ok(as_start(kind).invert() as u8),
        (None, None) => Err(WriteError::OutOfOrder { found: "a marker neither opens nor closes".to_owned() }),
    }
}

/// Appends a row's marker; returns its flags.
#[inline]
fn put_liveness((bases, form): (&EncodingStats, Form), body: &mut Vec<u8>, liveness: &Liveness) -> u8 {
    if liveness.is_none() {
        return 0;
    }
    bases.put_timestamp(body, liveness.timestamp_us);
    if !liveness.is_expiring() {
        return HAS_TIMESTAMP;
    }
    bases.put_ttl(body, liveness.ttl_s);
    bases.put_local_deletion(body, form.clip(liveness.local_deletion_s));
    HAS_TIMESTAMP | HAS_TTL
}

/// Says which of `superset_count` columns the row has.
fn put_subset<T>(body: &mut Vec<u8>, arranged: &[(usize, T)], superset_count: usize) {
    let present = || arranged.iter().map(|(place, _)| *place);
    if superset_count < 64 {
        let missing = present().fold((1_u64 << superset_count) - 1, |missing, place| missing & !(1 << place));
        vint::write_unsigned_vint(body, missing);
        return;
    }
    let put = |body: &mut Vec<u8>, place: usize| vint::write_unsigned_vint(body, place as u64);
    put(body, superset_count - arranged.len());
    if arranged.len() < superset_count / 2 {
        present().for_each(|place| put(body, place));
    } else {
        let mut next = 0;
        for place in present().chain([superset_count]) {
            (next..place).for_each(|missing| put(body, missing));
            next = place + 1;
        }
    }
}

/// A cell, wherever its value stands.
struct StoredCell<'a> {
    timestamp_us: i64,
    ttl_s: i32,
    local_deletion_s: u32,
    value: &'a [u8],
}

impl StoredCell<'_> {
    fn of(cell: &Cell) -> StoredCell<'_> {
        let Cell { timestamp_us, ttl_s, local_deletion_s, ref value } = *cell;
        StoredCell { timestamp_us, ttl_s, local_deletion_s, value }
    }

    #[inline]
    fn plain<'a>(cell: &PlainCell, value: &'a [u8]) -> StoredCell<'a> {
        let PlainCell { timestamp_us, ttl_s, local_deletion_s, .. } = *cell;
        StoredCell { timestamp_us, ttl_s, local_deletion_s, value }
    }
}

#[inline]
fn put_cell(
    (bases, form): (&EncodingStats, Form),
    body: &mut Vec<u8>,
    liveness: &Liveness,
    path: Option<&[u8]>,
    cell: &StoredCell<'_>,
    fixed: Option<usize>,
) {
    let is_expiring = cell.ttl_s != NO_TTL;
    let is_tombstone = cell.local_deletion_s != NO_DELETION_TIME && !is_expiring;
    let has_value = !cell.value.is_empty() && !is_tombstone;
    let uses_timestamp = !liveness.is_none() && cell.timestamp_us == liveness.timestamp_us;
    let uses_ttl = is_expiring
        && liveness.is_expiring()
        && !liveness.is_none()
        && (cell.ttl_s, cell.local_deletion_s) == (liveness.ttl_s, liveness.local_deletion_s);
    let flag = |condition: bool, flag: u8| if condition { flag } else { 0 };
    body.push(
        flag(is_tombstone, CELL_IS_DELETED)
            | flag(is_expiring, CELL_IS_EXPIRING)
            | flag(!has_value, CELL_HAS_EMPTY_VALUE)
            | flag(uses_timestamp, CELL_USES_ROW_TIMESTAMP)
            | flag(uses_ttl, CELL_USES_ROW_TTL),
    );
    if !uses_timestamp {
        bases.put_timestamp(body, cell.timestamp_us);
    }
    if (is_tombstone || is_expiring) && !uses_ttl {
        bases.put_local_deletion(body, form.clip(cell.local_deletion_s));
    }
    if is_expiring && !uses_ttl {
        bases.put_ttl(body, cell.ttl_s);
    }
    if let Some(path) = path {
        put_vbytes(body, path);
    }
    if has_value {
        match fixed {
            Some(count) => {
                assert_eq!(cell.value.len(), count, "a value has another length than all of its type");
                body.extend_from_slice(cell.value);
            }
            None => put_vbytes(body, cell.value),
        }
    }
}
