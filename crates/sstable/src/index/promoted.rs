//! The promoted index: inside Index.db, the blocks of a wide partition.
//!
//! An entry of Index.db ends with a description of each block and a list of where each of these stands, so that
//! a search reads only some of them, however wide the partition is.

use std::sync::Arc;

use model::value::comparable::{ROW_TERMINATOR, encode_prefix};
use model::{CqlType, DeletionTime, Marker, Unfiltered};
use stdx::vint;

use super::Block;
use crate::cursor::{Cursor, Fault, describe};
use crate::error::{ReadError, WriteError};
use crate::row::clustering::{decode_values, encode_values};
use crate::row::deletion::{self, Form};
use crate::row::encode::marker_kind;
use crate::row::flags::{EXCLUSIVE_END_INCLUSIVE_START, INCLUSIVE_END_EXCLUSIVE_START};
use crate::trie::pages::Pages;

/// The kind of a row's place.
const CLUSTERING: u8 = 4;
/// What a block's width is stored relative to.
const WIDTH_BASE: i64 = 64 * 1024;
/// What stands before the descriptions at most.
const HEAD_BYTES_MAX: usize = 9 + 12 + 9;
/// Two places of as many columns as there can be take less.
const INFO_BYTES_MAX: u64 = 64 << 20;

/// What is needed to read promoted indexes of one SSTable.
#[derive(Clone)]
pub(crate) struct Shape {
    pub(crate) clustering: Arc<[(CqlType, bool)]>,
    pub(crate) form: Form,
}

/// Where a partition's blocks are described.
#[derive(Clone)]
pub(crate) struct Promoted {
    shape: Shape,
    /// The first description.
    infos: u64,
    /// The list of where they are.
    offsets: u64,
    count: u32,
}

/// A block's description.
struct Info {
    /// The place of its first element.
    first: Vec<u8>,
    offset: u64,
    width: u64,
    /// The range deletion that is open where it ends.
    open_at_end: Option<DeletionTime>,
}

impl Promoted {
    /// Opens the bytes `start..end` of Index.db.
    pub(crate) fn open(file: &Pages, shape: &Shape, start: u64, end: u64) -> Result<Promoted, ReadError> {
        let head = file.range(start, HEAD_BYTES_MAX.min((end - start) as usize))?;
        let mut cursor = Cursor::new(&head);
        let count =
            parse_head(&mut cursor, shape.form).map_err(|fault| file.corrupt(start, describe(fault)))?;
        let infos = start + cursor.position() as u64;
        let offsets = end.checked_sub(4 * u64::from(count)).filter(|offsets| *offsets > infos);
        let offsets =
            offsets.ok_or_else(|| file.corrupt(start, "there are more blocks than bytes for them"))?;
        Ok(Promoted { shape: shape.clone(), infos, offsets, count })
    }

    fn info(&self, file: &Pages, i: u32) -> Result<Info, ReadError> {
        let at = self.offsets + 4 * u64::from(i);
        let is_last = i + 1 == self.count;
        let bytes = file.range(at, if is_last { 4 } else { 8 })?;
        let corrupt = |found: &str| file.corrupt(at, found);
        let mut cursor = Cursor::new(&bytes);
        let mut place = || {
            let offset = u64::from(cursor.u32().map_err(|fault| corrupt(describe(fault)))?);
            Ok::<u64, ReadError>(self.infos + offset)
        };
        let start = place()?;
        let end = if is_last { self.offsets } else { place()? };
        let bytes = end.checked_sub(start).filter(|bytes| end <= self.offsets && *bytes <= INFO_BYTES_MAX);
        let Some(bytes) = bytes.filter(|_| i > 0 || start == self.infos) else {
            return Err(corrupt("a block's description lies outside of the entry"));
        };
        let bytes = file.range(start, bytes as usize)?;
        let mut cursor = Cursor::new(&bytes);
        let info = self.shape.info(&mut cursor).map_err(|fault| file.corrupt(start, describe(fault)))?;
        if cursor.is_at_end() { Ok(info) } else { Err(corrupt("a block's description is too long")) }
    }
}

fn parse_head(cursor: &mut Cursor<'_>, form: Form) -> Result<u32, Fault> {
    cursor.uvint()?;
    deletion::whole(cursor, form)?;
    u32::try_from(cursor.uvint32()?)
        .ok()
        .filter(|count| *count > 0)
        .ok_or(Fault::Bad("a count of blocks is not positive"))
}

impl Shape {
    fn info(&self, cursor: &mut Cursor<'_>) -> Result<Info, Fault> {
        let first = self.place(cursor)?;
        if self.place(cursor)? < first {
            return Err(Fault::Bad("a block ends before it begins"));
        }
        let offset = cursor.uvint()?;
        let width = cursor.vint()?.wrapping_add(WIDTH_BASE);
        let open_at_end = if cursor.bool()? { Some(deletion::whole(cursor, self.form)?) } else { None };
        Ok(Info {
            first,
            offset,
            width: u64::try_from(width).map_err(|_| Fault::Bad("a block's width is negative"))?,
            open_at_end: open_at_end.filter(|deletion| !deletion.is_live()),
        })
    }

    /// A row's or marker's place in byte-comparable form.
    fn place(&self, cursor: &mut Cursor<'_>) -> Result<Vec<u8>, Fault> {
        let terminator = match cursor.u8()? {
            CLUSTERING => ROW_TERMINATOR,
            0 | 1 | EXCLUSIVE_END_INCLUSIVE_START => 0x20,
            6 | 7 | INCLUSIVE_END_EXCLUSIVE_START => 0x60,
            _ => return Err(Fault::Bad("a block begins or ends with something unknown")),
        };
        let types = if terminator == ROW_TERMINATOR {
            &*self.clustering
        } else {
            let count = usize::from(cursor.u16()?);
            self.clustering.get(..count).ok_or(Fault::Bad("a block's end has too many values"))?
        };
        let values = decode_values(cursor, None, types)?;
        let mut place = Vec::new();
        encode_prefix(&values, types, &mut place);
        place.push(terminator);
        Ok(place)
    }

    /// Appends a row's or marker's place as it is stored.
    pub(crate) fn put_place(&self, unfiltered: &Unfiltered, out: &mut Vec<u8>) -> Result<(), WriteError> {
        let values = match unfiltered {
            Unfiltered::Row(row) => {
                out.push(CLUSTERING);
                &row.clustering.values
            }
            Unfiltered::Marker(marker @ Marker { bound, .. }) => {
                out.push(marker_kind(marker)?);
                out.extend_from_slice(&(bound.values.len() as u16).to_be_bytes());
                &bound.values
            }
        };
        encode_values(values, &self.clustering, out);
        Ok(())
    }
}

/// The blocks of a partition from one downwards.
pub(crate) struct Blocks {
    promoted: Promoted,
    /// The next one's number and description.
    next: Option<(u32, Info)>,
}

impl Blocks {
    /// From the one that may hold something right before or at `place` (byte-comparable).
    pub(crate) fn down_from(file: &Pages, promoted: &Promoted, place: &[u8]) -> Result<Blocks, ReadError> {
        let (mut low, mut found) = (0, promoted.info(file, 0)?);
        let mut high = promoted.count;
        // Block `low` begins at or before the place, or is the first; `high` begins behind it.
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let info = promoted.info(file, middle)?;
            if *info.first <= *place {
                (low, found) = (middle, info);
            } else {
                high = middle;
            }
        }
        Ok(Blocks { promoted: promoted.clone(), next: Some((low, found)) })
    }

    pub(crate) fn next(&mut self, file: &Pages) -> Result<Option<Block>, ReadError> {
        let Some((i, info)) = self.next.take() else { return Ok(None) };
        let mut open = None;
        if i > 0 {
            let before = self.promoted.info(file, i - 1)?;
            if before.offset.checked_add(before.width) != Some(info.offset) || before.first >= info.first {
                return Err(
                    file.corrupt(self.promoted.infos, "the blocks of a partition do not follow each other")
                );
            }
            open = before.open_at_end;
            self.next = Some((i - 1, before));
        }
        Ok(Some(Block { separator: info.first, is_exact: true, offset: info.offset, open }))
    }
}

/// The promoted index of one partition under construction. Nothing is kept before its second block.
pub(crate) struct PromotedWriter {
    shape: Shape,
    granularity: u64,
    infos: Vec<u8>,
    /// Where each description begins.
    offsets: Vec<u32>,
    /// Where the block that is not full begins, and the place of its first element as it is stored.
    current: Option<(u64, Vec<u8>)>,
    /// The last element's place.
    last: Vec<u8>,
}

impl PromotedWriter {
    pub(crate) fn new(shape: Shape, granularity: u64) -> PromotedWriter {
        let (infos, offsets, last) = (Vec::new(), Vec::new(), Vec::new());
        PromotedWriter { shape, granularity, infos, offsets, current: None, last }
    }

    /// Takes note of an element: where it starts and ends from the partition's start, and the deletion that is
    /// open behind it.
    pub(crate) fn add(
        &mut self,
        unfiltered: &Unfiltered,
        start: u64,
        end: u64,
        open_behind: Option<DeletionTime>,
    ) -> Result<(), WriteError> {
        self.last.clear();
        self.shape.put_place(unfiltered, &mut self.last)?;
        let block_start = self.current.get_or_insert_with(|| (start, self.last.clone())).0;
        if end - block_start >= self.granularity { self.close_block(end, open_behind) } else { Ok(()) }
    }

    fn close_block(&mut self, end: u64, open: Option<DeletionTime>) -> Result<(), WriteError> {
        let Some((start, first)) = self.current.take() else { return Ok(()) };
        let offset = u32::try_from(self.infos.len()).ok().filter(|offset| *offset <= i32::MAX as u32);
        self.offsets.push(offset.ok_or_else(too_large)?);
        self.infos.extend_from_slice(&first);
        self.infos.extend_from_slice(&self.last);
        vint::write_unsigned_vint(&mut self.infos, start);
        vint::write_vint(&mut self.infos, (end - start) as i64 - WIDTH_BASE);
        self.infos.push(u8::from(open.is_some()));
        if let Some(open) = open {
            deletion::put_whole(&mut self.infos, &open, self.shape.form)?;
        }
        Ok(())
    }

    /// Completes the index; `header`: bytes before the first element, `end`: offset of the end marker. Nothing if
    /// the partition is not wide enough for an index.
    pub(crate) fn finish(
        mut self,
        header: u64,
        deletion: &DeletionTime,
        end: u64,
    ) -> Result<Vec<u8>, WriteError> {
        if !self.offsets.is_empty() {
            // The end marker belongs to the last block, if that is not full.
            self.close_block(end + 1, None)?;
        }
        let mut out = Vec::new();
        if self.offsets.len() < 2 {
            return Ok(out);
        }
        vint::write_unsigned_vint(&mut out, header);
        deletion::put_whole(&mut out, deletion, self.shape.form)?;
        vint::write_unsigned_vint32(&mut out, i32::try_from(self.offsets.len()).map_err(|_| too_large())?);
        out.extend_from_slice(&self.infos);
        for offset in &self.offsets {
            out.extend_from_slice(&offset.to_be_bytes());
        }
        if out.len() > i32::MAX as usize { Err(too_large()) } else { Ok(out) }
    }
}

fn too_large() -> WriteError {
    WriteError::TooLarge { found: "a row index of more than 2 GiB".to_owned() }
}
