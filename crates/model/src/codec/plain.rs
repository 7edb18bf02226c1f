//! Encoded rows looked at in place.

use stdx::vint::{Truncated, read_unsigned_vint, read_vint};

use crate::plain::{PlainCell, PlainParts, Span};
use crate::row::{Liveness, NO_DELETION_TIME, NO_TTL};
use crate::schema::ColumnId;

/// Finds the parts of a plain row; returns where its order bytes stand. `None` if it is not plain or has nothing in it.
///
/// As [`super::decode_own_row`] for bytes that [`super::encode_row`] made in this process: panics if they are no row.
pub fn plain_parts(row: &[u8], parts: &mut PlainParts) -> Option<Span> {
    // Spans have 32 bits.
    u32::try_from(row.len()).ok()?;
    parts.clear();
    Walk { bytes: row, at: 0 }.row(parts).expect("this process encoded the row")
}

struct Walk<'r> {
    bytes: &'r [u8],
    at: usize,
}

impl Walk<'_> {
    /// Returns where the order bytes stand, if the row is plain.
    #[inline]
    fn row(&mut self, parts: &mut PlainParts) -> Result<Option<Span>, Truncated> {
        let order = self.span()?;
        for _ in 0..self.unsigned()? {
            let value = match self.unsigned()? {
                0 => None,
                more => Some(self.skip(more - 1)?),
            };
            parts.clustering.push(value);
        }
        let flags = self.byte()?;
        if flags & 4 != 0 {
            return Ok(None);
        }
        if flags & 1 != 0 {
            let timestamp_us = self.signed()?;
            let (ttl_s, local_deletion_s) = self.expiry(flags & 2 != 0, flags & 2 != 0)?;
            parts.liveness = Liveness { timestamp_us, ttl_s, local_deletion_s };
        }
        for _ in 0..self.unsigned()? {
            let head = self.unsigned()?;
            if head & 1 != 0 {
                return Ok(None);
            }
            let flags = self.byte()?;
            let timestamp_us = if flags & 8 != 0 { parts.liveness.timestamp_us } else { self.signed()? };
            let (ttl_s, local_deletion_s) = self.expiry(flags & 1 != 0, flags & 2 != 0)?;
            let value = if flags & 4 != 0 { self.span()? } else { Span::default() };
            let column = ColumnId((head >> 1) as u32);
            parts.cells.push(PlainCell { column, timestamp_us, ttl_s, local_deletion_s, value });
        }
        let is_something = !(parts.liveness.is_none() && parts.cells.is_empty());
        Ok(is_something.then_some(order))
    }

    #[inline]
    fn expiry(&mut self, has_ttl: bool, has_deletion_time: bool) -> Result<(i32, u32), Truncated> {
        let ttl_s = if has_ttl { self.signed()? as i32 } else { NO_TTL };
        let local_deletion_s = if has_deletion_time { self.unsigned()? as u32 } else { NO_DELETION_TIME };
        Ok((ttl_s, local_deletion_s))
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, Truncated> {
        let byte = *self.bytes.get(self.at).ok_or(Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    fn unsigned(&mut self) -> Result<u64, Truncated> {
        let (value, taken) = read_unsigned_vint(&self.bytes[self.at..])?;
        self.at += taken;
        Ok(value)
    }

    #[inline]
    fn signed(&mut self) -> Result<i64, Truncated> {
        let (value, taken) = read_vint(&self.bytes[self.at..])?;
        self.at += taken;
        Ok(value)
    }

    /// Goes past `count` bytes.
    #[inline]
    fn skip(&mut self, count: u64) -> Result<Span, Truncated> {
        let left = (self.bytes.len() - self.at) as u64;
        if count > left {
            return Err(Truncated);
        }
        let start = self.at;
        self.at += count as usize;
        Ok(Span::new(start, self.at))
    }

    /// Goes past bytes with their length before them.
    #[inline]
    fn span(&mut self) -> Result<Span, Truncated> {
        let count = self.unsigned()?;
        self.skip(count)
    }
}
