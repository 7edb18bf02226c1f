//! Deletion times: as one byte or twelve in partition headers and indexes, as deltas in rows.

use model::DeletionTime;
use model::row::{NO_DELETION_TIME, NO_TIMESTAMP};
use stdx::vint;

use crate::cursor::{Cursor, Fault};
use crate::descriptor::Version;
use crate::error::WriteError;
use crate::metadata::EncodingStats;

/// The whole field where nothing is deleted.
const LIVE: u8 = 0x80;
/// The local time that stands for none in [`Form::Short`].
const NO_SHORT_TIME: u32 = i32::MAX as u32;
/// The last second of [`Form::Short`], 2038-01-19: later ones are stored as this.
const LAST_SHORT_TIME: u32 = NO_SHORT_TIME - 1;

/// How local deletion times are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Up to 2038 (Cassandra 3 and 4).
    Short,
    /// Up to 2106.
    Long,
}

impl Form {
    pub(crate) fn of(version: Version) -> Form {
        if version.has_short_deletions() { Form::Short } else { Form::Long }
    }

    /// A time as it can be stored.
    pub(crate) fn clip(self, local_deletion_s: u32) -> u32 {
        match self {
            Form::Short if local_deletion_s != NO_DELETION_TIME => local_deletion_s.min(LAST_SHORT_TIME),
            _ => local_deletion_s,
        }
    }

    /// A signed 32-bit time as [`Form::Short`] stores it where nothing else says that there is none.
    pub(crate) fn short(local_deletion_s: u32) -> u32 {
        local_deletion_s.min(NO_SHORT_TIME)
    }

    /// A time as it was stored; `None` if no time can be meant.
    pub(crate) fn time(self, stored: u32) -> Option<u32> {
        match self {
            Form::Long => Some(stored),
            Form::Short if stored == NO_SHORT_TIME => Some(NO_DELETION_TIME),
            Form::Short if stored > NO_SHORT_TIME => None,
            Form::Short => Some(stored),
        }
    }
}

/// Appends the form of partition headers and indexes, which has no room for negative timestamps unless short.
pub(crate) fn put_whole(out: &mut Vec<u8>, deletion: &DeletionTime, form: Form) -> Result<(), WriteError> {
    if form == Form::Short {
        out.extend_from_slice(&Form::short(form.clip(deletion.local_deletion_s)).to_be_bytes());
        out.extend_from_slice(&deletion.timestamp_us.to_be_bytes());
        return Ok(());
    }
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
pub(crate) fn whole(cursor: &mut Cursor<'_>, form: Form) -> Result<DeletionTime, Fault> {
    if form == Form::Short {
        let (local_deletion_s, timestamp_us) = (cursor.u32()?, cursor.i64()?);
        return checked(timestamp_us, local_deletion_s, form);
    }
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

/// A deletion of times as they were stored.
pub(crate) fn checked(timestamp_us: i64, stored: u32, form: Form) -> Result<DeletionTime, Fault> {
    if timestamp_us == NO_TIMESTAMP {
        return Ok(DeletionTime::LIVE);
    }
    match form.time(stored) {
        None => Err(Fault::Bad("a deletion's local time is out of range")),
        Some(NO_DELETION_TIME) => Err(Fault::Bad("a deletion has no local time")),
        Some(local_deletion_s) => Ok(DeletionTime { timestamp_us, local_deletion_s }),
    }
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

    pub(crate) fn put_deletion(&self, out: &mut Vec<u8>, deletion: &DeletionTime, form: Form) {
        self.put_timestamp(out, deletion.timestamp_us);
        self.put_local_deletion(out, form.clip(deletion.local_deletion_s));
    }

    #[inline]
    pub(crate) fn timestamp(&self, cursor: &mut Cursor<'_>) -> Result<i64, Fault> {
        Ok((cursor.uvint()? as i64).wrapping_add(self.min_timestamp_us))
    }

    /// As it was stored: [`Form::time`] tells what it means.
    pub(crate) fn local_deletion(&self, cursor: &mut Cursor<'_>) -> Result<u32, Fault> {
        Ok((cursor.uvint32()? as u32).wrapping_add(self.min_local_deletion_s))
    }

    pub(crate) fn ttl(&self, cursor: &mut Cursor<'_>) -> Result<i32, Fault> {
        let ttl_s = cursor.uvint32()?.wrapping_add(self.min_ttl_s);
        if ttl_s <= 0 { Err(Fault::Bad("a time to live is not positive")) } else { Ok(ttl_s) }
    }
}
