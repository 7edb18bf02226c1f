//! Rows that pass from one SSTable into another as they are: no value is touched, only times that count from another
//! base are written anew.
//!
//! That is for rows without anything that is deleted or expires: of them nothing can be purged, so that nothing need
//! be decided. At the first other element the copy ends, and the rest of the partition goes the way of streams.
//!
//! Read in order: [`CopyMap`] (whether two SSTables are alike enough), [`Writer::copy`], `transcode` (one row).
//!
//! Never here: merging.

use bytes::Bytes;
use model::value::comparable::bound_terminator;
use model::{Bound, BoundKind, CqlType};
use stdx::vint;

use crate::cursor::{Cursor, Fault, describe};
use crate::error::{ReadError, WriteError};
use crate::metadata::EncodingStats;
use crate::row::clustering::{Place, decode_values, place_of, skip_values};
use crate::row::columns::Layout;
use crate::row::deletion::Form;
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

/// How far a copy came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// To the partition's end.
    All,
    /// As many bytes as were allowed.
    Some,
    /// To an element that is to be decided upon: take the rest from [`Walk::stream`].
    UpToOther,
}

/// Why a copy failed.
#[derive(Debug)]
pub enum CopyError {
    /// The input.
    Read(ReadError),
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
    place: Place,
    body: Vec<u8>,
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
enum Extent {
    End,
    Row { flags: u8, values: (usize, usize), body: (usize, usize) },
    Other,
}

fn extent(cursor: &mut Cursor<'_>, types: &[(CqlType, bool)]) -> Result<Extent, Fault> {
    let flags = cursor.u8()?;
    if flags == END_OF_PARTITION {
        return Ok(Extent::End);
    }
    if flags & !(HAS_TIMESTAMP | HAS_ALL_COLUMNS) != 0 {
        return Ok(Extent::Other);
    }
    let values_start = cursor.position();
    skip_values(cursor, types)?;
    let values = (values_start, cursor.position());
    let body_bytes = cursor.length()?;
    let body_start = cursor.position();
    cursor.take(body_bytes)?;
    Ok(Extent::Row { flags, values, body: (body_start, cursor.position()) })
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

    /// Copies rows of the partition where `walk` stands into the one that was begun here, about `bytes_max` bytes of
    /// them. The partition must have no deletion, and no range tombstone may be open.
    pub fn copy(&mut self, walk: &mut Walk, map: &CopyMap, bytes_max: u64) -> Result<Copied, CopyError> {
        let source = walk.source();
        let bases = self.encoder().bases();
        let mut copied = 0;
        while copied < bytes_max {
            let position = source.cursor.position();
            let element = source.cursor.parse(|_, cursor| extent(cursor, &map.clustering));
            let (flags, values, body) = match element.map_err(CopyError::Read)? {
                Extent::Row { flags, values, body } => (flags, values, body),
                Extent::End => {
                    source.is_at_end = true;
                    return Ok(Copied::All);
                }
                Extent::Other => {
                    source.cursor.seek(position);
                    return Ok(Copied::UpToOther);
                }
            };
            let window: &Bytes = source.cursor.window();
            let (values, body) = (&window[values.0..values.1], &window[body.0..body.1]);
            let corrupt = |fault: Fault| CopyError::Read(source.cursor.corrupt(whole(fault)));
            let (state, previous_bytes) = self.copy_state();
            place_of(&mut Cursor::new(values), &map.clustering, &mut state.place).map_err(corrupt)?;
            if state.has_last && !state.last.0.is_before(&state.place) {
                return Err(CopyError::Read(source.cursor.corrupt("the rows of a partition do not ascend")));
            }
            let written = transcode(map, &bases, flags, body, previous_bytes, &mut state.body);
            let Some((flags, times)) = written.map_err(corrupt)? else {
                source.cursor.seek(position);
                return Ok(Copied::UpToOther);
            };
            if state.first.is_none() {
                state.first = Some((state.place.bytes().to_vec(), values.to_vec()));
            }
            state.has_last = true;
            std::mem::swap(&mut state.last.0, &mut state.place);
            state.last.1.clear();
            state.last.1.extend_from_slice(values);
            copied += self.put_copied(flags, values, &times).map_err(CopyError::Write)?;
        }
        Ok(Copied::Some)
    }
}

/// What [`Writer::put_copied`] needs.
impl CopyState {
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn place_of_last(&self) -> &[u8] {
        self.last.0.bytes()
    }
}
