//! Whether a new version of a row replaces an encoded one as it is, seen without decoding.

use stdx::vint::{read_unsigned_vint, read_vint};

use crate::row::{ColumnData, Row};

/// True if merging `old` (bytes of [`super::encode_row`]) with `new` gives `new`: each thing that `old` holds is
/// written again, later. False may also mean that it was not looked into: deletions, collections.
///
/// Not for counters, whose versions add up.
pub fn supersedes(new: &Row, old: &[u8]) -> bool {
    new.deletion.is_live() && Walk { rest: old }.is_superseded_by(new).unwrap_or(false)
}

struct Walk<'a> {
    rest: &'a [u8],
}

impl Walk<'_> {
    fn is_superseded_by(&mut self, new: &Row) -> Option<bool> {
        let order_bytes = self.unsigned()?;
        self.skip(order_bytes)?;
        for _ in 0..self.unsigned()? {
            let value_bytes = self.unsigned()?.saturating_sub(1);
            self.skip(value_bytes)?;
        }
        let flags = self.byte()?;
        if flags & 4 != 0 {
            return Some(false);
        }
        let mut marker_us = None;
        if flags & 1 != 0 {
            let timestamp_us = self.signed()?;
            if flags & 2 != 0 {
                self.signed()?;
                self.unsigned()?;
            }
            if new.liveness.is_none() || new.liveness.timestamp_us <= timestamp_us {
                return Some(false);
            }
            marker_us = Some(timestamp_us);
        }
        let mut columns = new.columns.iter();
        for _ in 0..self.unsigned()? {
            let head = self.unsigned()?;
            if head & 1 != 0 {
                return Some(false);
            }
            let timestamp_us = self.cell(marker_us)?;
            // Both lists ascend.
            let Some((_, ColumnData::Cell(cell))) = columns.find(|(id, _)| u64::from(id.0) == head >> 1)
            else {
                return Some(false);
            };
            if cell.timestamp_us <= timestamp_us {
                return Some(false);
            }
        }
        Some(new.columns.iter().all(|(_, data)| matches!(data, ColumnData::Cell(_))))
    }

    /// Passes over a cell; returns its timestamp.
    fn cell(&mut self, marker_us: Option<i64>) -> Option<i64> {
        let flags = self.byte()?;
        let timestamp_us = if flags & 8 != 0 { marker_us? } else { self.signed()? };
        if flags & 1 != 0 {
            self.signed()?;
        }
        if flags & 2 != 0 {
            self.unsigned()?;
        }
        if flags & 4 != 0 {
            let value_bytes = self.unsigned()?;
            self.skip(value_bytes)?;
        }
        Some(timestamp_us)
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn unsigned(&mut self) -> Option<u64> {
        let (value, taken) = read_unsigned_vint(self.rest).ok()?;
        self.rest = &self.rest[taken..];
        Some(value)
    }

    fn signed(&mut self) -> Option<i64> {
        let (value, taken) = read_vint(self.rest).ok()?;
        self.rest = &self.rest[taken..];
        Some(value)
    }

    fn skip(&mut self, bytes: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(bytes).ok()?..)?;
        Some(())
    }
}
