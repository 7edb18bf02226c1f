//! Deletion times: as one byte or twelve in partition headers and indexes, as deltas in rows.

use model::DeletionTime;
use model::row::{NO_DELETION_TIME, NO_TIMESTAMP};
use stdx::vint;

use crate::cursor::{Cursor, Fault};
use crate::error::WriteError;
use crate::metadata::EncodingStats;

/// The whole field where nothing is deleted.
const LIVE: u8 = 0x80;

/// Appends the form of partition headers and indexes, which has no room for negative timestamps.
pub(crate) fn put_whole(out: &mut Vec<u8>, deletion: &DeletionTime) -> Result<(), WriteError> {
    if deletion.is_live() {
        out.push(LIVE);
        return Ok(());
    }
    if deletion.timestamp_us < 0 {
        return Err(WriteError::NegativeDeletion { timestamp_us: deletion.timestamp_us });
    }
    out.extend_from_slice(&deletion.timestamp_us.to_be_bytes());
    out.extend_from_slice(&deletion.local_deletion_s.to_be_bytes());
    Ok(())
}

/// Reads that form.
pub(crate) fn whole(cursor: &mut Cursor<'_>) -> Result<DeletionTime, Fault> {
    let first = cursor.peek()?;
    if first == LIVE {
        cursor.u8()?;
        return Ok(DeletionTime::LIVE);
    }
    if first & LIVE != 0 {
        return Err(Fault::Bad("a deletion begins with an impossible byte"));
    }
    Ok(DeletionTime { timestamp_us: cursor.i64()?, local_deletion_s: cursor.u32()? })
}

/// Deltas against the bases, as rows have them.
impl EncodingStats {
    pub(crate) fn put_timestamp(&self, out: &mut Vec<u8>, timestamp_us: i64) {
        vint::write_unsigned_vint(out, timestamp_us.wrapping_sub(self.min_timestamp_us) as u64);
    }

    pub(crate) fn put_local_deletion(&self, out: &mut Vec<u8>, local_deletion_s: u32) {
        vint::write_unsigned_vint32(out, local_deletion_s.wrapping_sub(self.min_local_deletion_s) as i32);
    }

    pub(crate) fn put_ttl(&self, out: &mut Vec<u8>, ttl_s: i32) {
        vint::write_unsigned_vint32(out, ttl_s.wrapping_sub(self.min_ttl_s));
    }

    pub(crate) fn put_deletion(&self, out: &mut Vec<u8>, deletion: &DeletionTime) {
        self.put_timestamp(out, deletion.timestamp_us);
        self.put_local_deletion(out, deletion.local_deletion_s);
    }

    #[inline]
    pub(crate) fn timestamp(&self, cursor: &mut Cursor<'_>) -> Result<i64, Fault> {
        Ok((cursor.uvint()? as i64).wrapping_add(self.min_timestamp_us))
    }

    pub(crate) fn local_deletion(&self, cursor: &mut Cursor<'_>) -> Result<u32, Fault> {
        Ok((cursor.uvint32()? as u32).wrapping_add(self.min_local_deletion_s))
    }

    pub(crate) fn ttl(&self, cursor: &mut Cursor<'_>) -> Result<i32, Fault> {
        let ttl_s = cursor.uvint32()?.wrapping_add(self.min_ttl_s);
        if ttl_s <= 0 { Err(Fault::Bad("a time to live is not positive")) } else { Ok(ttl_s) }
    }

    pub(crate) fn deletion(&self, cursor: &mut Cursor<'_>) -> Result<DeletionTime, Fault> {
        let timestamp_us = self.timestamp(cursor)?;
        let local_deletion_s = self.local_deletion(cursor)?;
        if timestamp_us == NO_TIMESTAMP {
            return Ok(DeletionTime::LIVE);
        }
        if local_deletion_s == NO_DELETION_TIME {
            return Err(Fault::Bad("a deletion has no local time"));
        }
        Ok(DeletionTime { timestamp_us, local_deletion_s })
    }
}
