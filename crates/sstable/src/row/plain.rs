//! Plain rows, read in place: where their values stand, instead of the values.
//!
//! What is checked of a row is what [`super::decode`] checks; a row that is not plain is left to it.

use model::plain::Span;
use model::{PlainCell, PlainParts};

use super::clustering::{Place, place_with};
use super::columns::{Layout, StoredColumn};
use super::decode::whole_body;
use super::flags::*;
use crate::cursor::{Cursor, Fault};

/// What makes another element of a row, or a row that is not plain.
const NOT_PLAIN: u8 = END_OF_PARTITION | IS_MARKER | EXTENSION | HAS_DELETION | HAS_COMPLEX_DELETION;

/// Columns that one word tells the absence of.
const WORD_COLUMNS: usize = 64;

impl Layout {
    /// Reads the next row, whose byte-comparable place is then in `place`. False, and nowhere gone, if another element
    /// comes next, a row that is not plain, one without anything, or one at or behind `until`.
    #[inline]
    pub(crate) fn plain(
        &self,
        cursor: &mut Cursor<'_>,
        until: &[u8],
        place: &mut Place,
        parts: &mut PlainParts,
    ) -> Result<bool, Fault> {
        let mut ahead = cursor.again();
        let flags = ahead.u8()?;
        // Spans have 32 bits.
        let is_long = u32::try_from(ahead.position() + ahead.remaining()).is_err();
        if flags & NOT_PLAIN != 0 || !self.regulars.ascending || is_long {
            return Ok(false);
        }
        parts.clear();
        place_with(&mut ahead, &self.clustering, place, |value| parts.clustering.push(value))?;
        if !self.clustering.is_empty() && place.cmp(until).is_ge() {
            return Ok(false);
        }
        let body_bytes = ahead.length()?;
        let mut body = ahead.split(body_bytes)?;
        let is_plain = self.plain_body(&mut body, flags, parts).map_err(whole_body)?;
        if is_plain {
            *cursor = ahead;
        }
        Ok(is_plain)
    }

    /// Reads a row's body, which must end where `body` does.
    #[inline(always)]
    fn plain_body(&self, body: &mut Cursor<'_>, flags: u8, parts: &mut PlainParts) -> Result<bool, Fault> {
        body.uvint()?;
        parts.liveness = self.liveness(body, flags)?;
        let list = &self.regulars;
        let count = list.columns.len();
        if flags & HAS_ALL_COLUMNS != 0 {
            if list.first_complex < count {
                return Ok(false);
            }
            for column in &list.columns {
                self.plain_cell(body, column, parts)?;
            }
        } else {
            if count >= WORD_COLUMNS {
                return Ok(false);
            }
            let missing = body.uvint()?;
            if missing >> count != 0 {
                return Err(Fault::Bad("a row has columns that do not exist"));
            }
            let mut present = !missing & ((1 << count) - 1);
            if present >> list.first_complex != 0 {
                return Ok(false);
            }
            while present != 0 {
                self.plain_cell(body, &list.columns[present.trailing_zeros() as usize], parts)?;
                present &= present - 1;
            }
        }
        if !body.is_at_end() {
            return Err(Fault::Bad("a row's size does not fit"));
        }
        Ok(!(parts.liveness.is_none() && parts.cells.is_empty()))
    }

    #[inline(always)]
    fn plain_cell(
        &self,
        body: &mut Cursor<'_>,
        column: &StoredColumn,
        parts: &mut PlainParts,
    ) -> Result<(), Fault> {
        let flags = body.u8()?;
        let times = self.cell_times(body, flags, &parts.liveness)?;
        let mut value = Span::default();
        if flags & CELL_HAS_EMPTY_VALUE == 0 {
            let bytes = match column.fixed {
                Some(count) => body.take(count)?,
                None => body.vbytes()?,
            };
            if flags & CELL_IS_DELETED == 0 {
                value = Span::new(body.position() - bytes.len(), body.position());
            }
        }
        if let Some(id) = column.target
            && column.keeps(times.timestamp_us)
        {
            parts.cells.push(PlainCell {
                column: id,
                timestamp_us: times.timestamp_us,
                ttl_s: times.ttl_s,
                local_deletion_s: times.local_deletion_s,
                value,
            });
        }
        Ok(())
    }
}
