//! Rows that pass from SSTables into another as they are: no value is touched, only times that count from another
//! base are written anew. Of several inputs the next row is copied from the one that has it; a row that more than one
//! has is decoded and merged.
//!
//! That is for rows without anything that is deleted or expires: of them nothing can be purged, so that nothing need
//! be decided. At the first other element the copy ends, and the rest of the partition goes the way of streams.
//!
//! Read in order: [`CopyMap`] (whether two SSTables are alike enough), [`Writer::copy`], `transcode` (one row).
//!
//! Never here: deletions.

use model::merge::merge_rows;
use model::row::NO_DELETION_TIME;
use model::value::comparable::bound_terminator;
use model::{Bound, BoundKind, Cell, ColumnData, CqlType, PlainRow, Row, Table, Unfiltered};
use stdx::vint;

use crate::cursor::{Cursor, Fault, describe};
use crate::error::{ReadError, WriteError};
use crate::metadata::EncodingStats;
use crate::row::clustering::{Place, decode_values, place_of};
use crate::row::columns::Layout;
use crate::row::deletion::Form;
use crate::row::encode::RowEncoder;
use crate::row::flags::*;
use crate::walk::Walk;
use crate::writer::Writer;

/// Columns of a file that has a bit for each.
const BITMAP_COLUMNS_MAX: usize = 63;

/// How rows of an input become rows of an output.
pub struct CopyMap {
    bases: EncodingStats,
    clustering: Vec<(CqlType, bool)>,
    /// For each regular column of the input its place in the output.
    columns: Vec<Mapped>,
    outputs_count: usize,
}

#[derive(Clone, Copy)]
struct Mapped {
    place: usize,
    is_complex: bool,
    fixed: Option<usize>,
}

/// An input of a copy: it stands in the partition that is copied.
pub struct CopyInput<'a> {
    /// Where it stands.
    pub walk: &'a mut Walk,
    /// How its rows become those of the output.
    pub map: &'a CopyMap,
}

/// How far a copy came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// To the partition's end.
    All,
    /// As many bytes as were allowed.
    Some,
    /// To an element that is to be decided upon: take the rest from [`Walk::stream`] of each input.
    UpToOther,
}

/// Why a copy failed.
#[derive(Debug)]
pub enum CopyError {
    /// An input: its place in the list.
    Read(usize, ReadError),
    /// The output.
    Write(WriteError),
}

/// Of a partition under construction what was copied.
#[derive(Default)]
pub(crate) struct CopyState {
    /// The first and the last row, if they were copied: place, and values as stored.
    first: Option<(Vec<u8>, Vec<u8>)>,
    last: (Place, Vec<u8>),
    pub(crate) has_last: bool,
    body: Vec<u8>,
    /// Where the inputs stand; kept for its buffers.
    heads: Vec<Head>,
}

/// The next element of an input, which was looked at. The input goes back to it if it is not taken.
#[derive(Default)]
struct Head {
    next: Extent,
    position: u64,
    /// Of a row.
    place: Place,
}

impl CopyState {
    pub(crate) fn clear(&mut self) {
        self.first = None;
        self.has_last = false;
    }

    /// The place of the last row, if it was copied.
    pub(crate) fn last_place(&self) -> Option<&[u8]> {
        self.has_last.then_some(self.last.0.bytes())
    }

    pub(crate) fn has_first(&self) -> bool {
        self.first.is_some()
    }

    /// The bounds of the rows that were copied: before the first, behind the last.
    pub(crate) fn bounds(&self, types: &[(CqlType, bool)]) -> (Option<Bound>, Option<Bound>) {
        let bound = |place: &[u8], values: &[u8], kind: BoundKind| {
            let values = decode_values(&mut Cursor::new(values), None, types).unwrap_or_default();
            let mut order = place.to_vec();
            order.pop();
            order.push(bound_terminator(kind));
            Bound { kind, values, order: order.into() }
        };
        (
            self.first.as_ref().map(|(place, values)| bound(place, values, BoundKind::InclusiveStart)),
            self.has_last.then(|| bound(self.last.0.bytes(), &self.last.1, BoundKind::InclusiveEnd)),
        )
    }

    /// The places of the first and the last row, if both were copied.
    pub(crate) fn ends(&self) -> Option<(&[u8], &[u8])> {
        let first = self.first.as_ref().filter(|_| self.has_last)?;
        Some((&first.0, self.last.0.bytes()))
    }
}

/// An element of the input.
#[derive(Clone, Copy, Default)]
enum Extent {
    #[default]
    End,
    Row {
        flags: u8,
        values: (usize, usize),
        body: (usize, usize),
    },
    Other,
}

/// Looks at an element; of a row the byte-comparable place is then in `place`.
#[inline]
fn extent(cursor: &mut Cursor<'_>, types: &[(CqlType, bool)], place: &mut Place) -> Result<Extent, Fault> {
    let flags = cursor.u8()?;
    if flags == END_OF_PARTITION {
        return Ok(Extent::End);
    }
    if flags & !(HAS_TIMESTAMP | HAS_ALL_COLUMNS) != 0 {
        return Ok(Extent::Other);
    }
    let values_start = cursor.position();
    place_of(cursor, types, place)?;
    let values = (values_start, cursor.position());
    let body_bytes = cursor.length()?;
    let body_start = cursor.position();
    cursor.take(body_bytes)?;
    Ok(Extent::Row { flags, values, body: (body_start, cursor.position()) })
}

impl Head {
    /// Goes on to the next element.
    #[inline]
    fn look(&mut self, input: &mut CopyInput<'_>) -> Result<(), ReadError> {
        let source = input.walk.source();
        if source.is_at_end {
            self.next = Extent::End;
            return Ok(());
        }
        self.position = source.cursor.position();
        let (types, place) = (&input.map.clustering, &mut self.place);
        self.next = source.cursor.parse(|_, cursor| extent(cursor, types, place))?;
        source.is_at_end = matches!(self.next, Extent::End);
        Ok(())
    }

    fn is_row(&self) -> bool {
        matches!(self.next, Extent::Row { .. })
    }

    fn is_same_row(&self, other: &Head) -> bool {
        self.is_row() && other.is_row() && self.place == other.place
    }
}

/// The first head whose row comes first, and one that comes next.
fn least(heads: &[Head]) -> Option<(usize, Option<usize>)> {
    let mut rows = heads.iter().enumerate().filter(|(_, head)| head.is_row());
    let (mut first, mut second) = (rows.next()?.0, None);
    for (index, head) in rows {
        if head.place.is_before(&heads[first].place) {
            second = Some(first);
            first = index;
        } else if second.is_none_or(|second: usize| head.place.is_before(&heads[second].place)) {
            second = Some(index);
        }
    }
    Some((first, second))
}

/// True if nothing in the row is deleted or expires.
fn is_plain(row: &Row) -> bool {
    let is_plain_cell = |cell: &Cell| cell.local_deletion_s == NO_DELETION_TIME;
    row.deletion.is_live()
        && row.liveness.local_deletion_s == NO_DELETION_TIME
        && row.columns.iter().all(|(_, data)| match data {
            ColumnData::Cell(cell) => is_plain_cell(cell),
            ColumnData::Complex { deletion, cells } => {
                deletion.is_live() && cells.iter().all(|(_, cell)| is_plain_cell(cell))
            }
        })
}

/// What a row adds to the statistics.
#[derive(Clone, Copy)]
pub(crate) struct RowTimes {
    pub(crate) timestamps_us: Option<(i64, i64)>,
    pub(crate) cells: u64,
    pub(crate) columns: u64,
}

impl RowTimes {
    #[inline]
    fn add(&mut self, timestamp_us: i64) {
        self.timestamps_us = Some(match self.timestamps_us {
            None => (timestamp_us, timestamp_us),
            Some((min, max)) => (min.min(timestamp_us), max.max(timestamp_us)),
        });
    }
}

/// Writes a row's body as the output has it; `None` if something in it is deleted or expires, or nothing is in it.
/// Returns the flags.
#[inline]
fn transcode(
    map: &CopyMap,
    to: &EncodingStats,
    flags: u8,
    body: &[u8],
    previous_bytes: u64,
    out: &mut Vec<u8>,
) -> Result<Option<(u8, RowTimes)>, Fault> {
    let mut cursor = Cursor::new(body);
    let mut times = RowTimes { timestamps_us: None, cells: 0, columns: 0 };
    out.clear();
    vint::write_unsigned_vint(out, previous_bytes);
    cursor.uvint()?;
    let has_liveness = flags & HAS_TIMESTAMP != 0;
    if has_liveness {
        let timestamp_us = map.bases.timestamp(&mut cursor)?;
        to.put_timestamp(out, timestamp_us);
        times.add(timestamp_us);
    }
    let missing = if flags & HAS_ALL_COLUMNS != 0 { 0 } else { cursor.uvint()? };
    if missing >> map.columns.len() != 0 {
        return Err(Fault::Bad("a row has columns that do not exist"));
    }
    let mut missing_there = (1_u64 << map.outputs_count) - 1;
    for (index, column) in map.columns.iter().enumerate() {
        if missing >> index & 1 == 0 {
            missing_there &= !(1 << column.place);
        }
    }
    if missing_there != 0 {
        vint::write_unsigned_vint(out, missing_there);
    }
    for (index, column) in map.columns.iter().enumerate() {
        if missing >> index & 1 != 0 {
            continue;
        }
        let count = if column.is_complex {
            let count = cursor.uvint32()?;
            if count <= 0 {
                return Ok(None);
            }
            vint::write_unsigned_vint32(out, count);
            count
        } else {
            1
        };
        times.columns += 1;
        times.cells += count as u64;
        for _ in 0..count {
            let cell_flags = cursor.u8()?;
            if cell_flags & !(CELL_HAS_EMPTY_VALUE | CELL_USES_ROW_TIMESTAMP) != 0 {
                return Ok(None);
            }
            out.push(cell_flags);
            if cell_flags & CELL_USES_ROW_TIMESTAMP == 0 {
                let timestamp_us = map.bases.timestamp(&mut cursor)?;
                to.put_timestamp(out, timestamp_us);
                times.add(timestamp_us);
            } else if !has_liveness {
                return Err(Fault::Bad("a cell uses times that its row does not have"));
            }
            let from = cursor.position();
            if column.is_complex {
                cursor.vbytes()?;
            }
            if cell_flags & CELL_HAS_EMPTY_VALUE == 0 {
                match column.fixed.filter(|_| !column.is_complex) {
                    Some(count) => cursor.take(count)?,
                    None => cursor.vbytes()?,
                };
            }
            out.extend_from_slice(&body[from..cursor.position()]);
        }
    }
    if !cursor.is_at_end() {
        return Err(Fault::Bad("a row's size does not fit"));
    }
    if times.timestamps_us.is_none() {
        return Ok(None);
    }
    let all = if missing_there == 0 { HAS_ALL_COLUMNS } else { 0 };
    Ok(Some((flags & HAS_TIMESTAMP | all, times)))
}

/// In a row whose size is known too few bytes are no reason to read more.
fn whole(fault: Fault) -> &'static str {
    match fault {
        Fault::Short(_) => "a row's content is longer than its size",
        bad => describe(bad),
    }
}

impl Writer {
    /// How rows can be copied from an input; `None` if they cannot.
    pub fn copy_map(&self, walk: &Walk) -> Option<CopyMap> {
        let layout: &Layout = walk.layout();
        let encoder = self.encoder();
        let is_alike = layout.form == Form::Long
            && encoder.form() == Form::Long
            && self.descriptor().version.is_bti()
            && walk.sstable().descriptor().version.is_bti()
            && layout.clustering == encoder.clustering();
        let outputs_count = encoder.regulars_count();
        if !is_alike || layout.regulars.columns.len().max(outputs_count) > BITMAP_COLUMNS_MAX {
            return None;
        }
        let map = |column: &crate::row::columns::StoredColumn| {
            let (place, is_complex, fixed) = encoder.regular(column.target?)?;
            let is_same = column.keeps_all()
                && is_complex == column.is_complex
                && (is_complex || fixed == column.fixed);
            is_same.then_some(Mapped { place, is_complex, fixed: column.fixed })
        };
        let columns: Vec<Mapped> = layout.regulars.columns.iter().map(map).collect::<Option<_>>()?;
        columns.is_sorted_by(|a, b| a.place < b.place).then_some(CopyMap {
            bases: layout.bases,
            clustering: layout.clustering.clone(),
            columns,
            outputs_count,
        })
    }

    /// Copies rows of the partition where all `inputs` stand into the one that was begun here, about `bytes_max` bytes
    /// of them. None of the inputs may have a deletion of the partition, nor an open range tombstone.
    pub fn copy(
        &mut self,
        table: &Table,
        inputs: &mut [CopyInput<'_>],
        bytes_max: u64,
    ) -> Result<Copied, CopyError> {
        let mut heads = self.take_heads(inputs.len());
        let copied = self.copy_inputs(table, inputs, &mut heads[..inputs.len()], bytes_max);
        self.copy_state().heads = heads;
        copied
    }

    fn take_heads(&mut self, count: usize) -> Vec<Head> {
        let mut heads = std::mem::take(&mut self.copy_state().heads);
        if heads.len() < count {
            heads.resize_with(count, Head::default);
        }
        heads
    }

    fn copy_inputs(
        &mut self,
        table: &Table,
        inputs: &mut [CopyInput<'_>],
        heads: &mut [Head],
        bytes_max: u64,
    ) -> Result<Copied, CopyError> {
        for (index, (input, head)) in inputs.iter_mut().zip(&mut *heads).enumerate() {
            head.look(input).map_err(|error| CopyError::Read(index, error))?;
        }
        let copied = self.copy_heads(table, inputs, heads, bytes_max)?;
        for (input, head) in inputs.iter_mut().zip(&*heads) {
            if !matches!(head.next, Extent::End) {
                input.walk.source().cursor.seek(head.position);
            }
        }
        Ok(copied)
    }

    fn copy_heads(
        &mut self,
        table: &Table,
        inputs: &mut [CopyInput<'_>],
        heads: &mut [Head],
        bytes_max: u64,
    ) -> Result<Copied, CopyError> {
        let until = self.data_bytes().saturating_add(bytes_max);
        while self.data_bytes() < until {
            if heads.iter().any(|head| matches!(head.next, Extent::Other)) {
                return Ok(Copied::UpToOther);
            }
            let Some((first, second)) = least(heads) else { return Ok(Copied::All) };
            if second.is_some_and(|second| heads[first].is_same_row(&heads[second])) {
                if !self.copy_merged(table, inputs, heads, first)? {
                    return Ok(Copied::UpToOther);
                }
                continue;
            }
            // As long as the next row comes from the same input, the others need not be asked.
            loop {
                let (input, head) = (&mut inputs[first], &mut heads[first]);
                if !self.copy_row(input, head, first)? {
                    return Ok(Copied::UpToOther);
                }
                head.look(input).map_err(|error| CopyError::Read(first, error))?;
                let is_next = second.is_none_or(|second| heads[first].place.is_before(&heads[second].place));
                if !(is_next && heads[first].is_row() && self.data_bytes() < until) {
                    break;
                }
            }
        }
        Ok(Copied::Some)
    }

    /// Copies the row of a head; false if it is to be decided upon.
    #[inline]
    fn copy_row(
        &mut self,
        input: &mut CopyInput<'_>,
        head: &mut Head,
        index: usize,
    ) -> Result<bool, CopyError> {
        let Extent::Row { flags, values, body } = head.next else {
            unreachable!("the next element is a row")
        };
        let bases = self.encoder().bases();
        self.check_order(&head.place, input, index)?;
        let cursor = &input.walk.source().cursor;
        let window = cursor.window();
        let (values, body) = (&window[values.0..values.1], &window[body.0..body.1]);
        let (is_first, previous_bytes) = self.before_copied();
        let state = self.copy_state();
        let written = transcode(input.map, &bases, flags, body, previous_bytes, &mut state.body);
        let Some((flags, times)) =
            written.map_err(|fault| CopyError::Read(index, cursor.corrupt(whole(fault))))?
        else {
            return Ok(false);
        };
        if is_first {
            state.first = Some((head.place.bytes().to_vec(), values.to_vec()));
        }
        state.has_last = true;
        std::mem::swap(&mut state.last.0, &mut head.place);
        state.last.1.clear();
        state.last.1.extend_from_slice(values);
        self.put_copied(flags, &times).map_err(CopyError::Write)?;
        Ok(true)
    }

    /// Merges the row that several inputs have, `first` the first of them; false if it is to be decided upon.
    fn copy_merged(
        &mut self,
        table: &Table,
        inputs: &mut [CopyInput<'_>],
        heads: &mut [Head],
        first: usize,
    ) -> Result<bool, CopyError> {
        self.check_order(&heads[first].place, &mut inputs[first], first)?;
        let mut merged: Option<Row> = None;
        for index in first..heads.len() {
            if !heads[index].is_same_row(&heads[first]) {
                continue;
            }
            let row = inputs[index].walk.source().row_again(heads[index].position);
            let row = row.map_err(|error| CopyError::Read(index, error))?;
            let Some(row) = row.filter(is_plain) else { return Ok(false) };
            merged = Some(match merged {
                None => row,
                Some(before) => merge_rows(table, before, row),
            });
        }
        if let Some(row) = merged {
            self.add(Unfiltered::Row(row)).map_err(CopyError::Write)?;
        }
        // The first goes on last: the others are known by it.
        for index in (first..heads.len()).rev() {
            if heads[index].is_same_row(&heads[first]) {
                heads[index].look(&mut inputs[index]).map_err(|error| CopyError::Read(index, error))?;
            }
        }
        Ok(true)
    }

    fn check_order(
        &mut self,
        place: &Place,
        input: &mut CopyInput<'_>,
        index: usize,
    ) -> Result<(), CopyError> {
        let state = self.copy_state();
        let is_in_order = if state.has_last {
            state.last.0.is_before(place)
        } else {
            self.last_place().is_none_or(|last| place.cmp(last).is_gt())
        };
        if is_in_order {
            return Ok(());
        }
        let cursor = &input.walk.source().cursor;
        Err(CopyError::Read(index, cursor.corrupt("the rows of a partition do not ascend")))
    }
}

/// What [`Writer::put_copied`] needs.
impl CopyState {
    /// The last row's values and body.
    pub(crate) fn last_parts(&self) -> (&[u8], &[u8]) {
        (&self.last.1, &self.body)
    }

    /// Makes a plain row the last one; returns its flags.
    pub(crate) fn take_plain(
        &mut self,
        row: &PlainRow<'_>,
        is_first: bool,
        previous_bytes: u64,
        encoder: &mut RowEncoder,
    ) -> Result<u8, WriteError> {
        let (place, values) = &mut self.last;
        place.set(row.order);
        values.clear();
        let flags = encoder.encode_plain(row, previous_bytes, values, &mut self.body)?;
        if is_first {
            self.first = Some((row.order.to_vec(), values.clone()));
        }
        self.has_last = true;
        Ok(flags)
    }

    pub(crate) fn place_of_last(&self) -> &[u8] {
        self.last.0.bytes()
    }
}
