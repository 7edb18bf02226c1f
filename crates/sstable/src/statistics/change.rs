//! The only change that files of an SSTable ever see: its level, and whether it was repaired.
//!
//! Only those bytes of Statistics.db change, whatever version and padding it has.

use std::sync::Arc;

use runtime::Disk;
use uuid::Uuid;

use super::header::SerializationHeader;
use super::stats::{Places, Stats};
use super::{Block, HEADER, STATS, block, blocks, encode_blocks};
use crate::cursor::Cursor;
use crate::descriptor::{Component, Descriptor, Version};
use crate::error::{ReadError, WriteError};

/// Sets the level that leveled compaction gave the SSTable. After a crash it has the old or the new one.
/// An [`crate::SsTable`] that is open does not see it.
pub fn set_level(disk: &Arc<dyn Disk>, descriptor: &Descriptor, level: i32) -> Result<(), WriteError> {
    change(disk, descriptor, |body, places| {
        body[places.level..places.level + 4].copy_from_slice(&level.to_be_bytes());
        Ok(())
    })
}

/// Sets when it was repaired (milliseconds, 0: never) and of which repair session it is part. Cassandra 3's files
/// cannot say the latter.
pub fn set_repaired(
    disk: &Arc<dyn Disk>,
    descriptor: &Descriptor,
    repaired_at_ms: i64,
    pending_repair: Option<Uuid>,
) -> Result<(), WriteError> {
    change(disk, descriptor, |body, places| {
        let at = places.level + 4;
        body[at..at + 8].copy_from_slice(&repaired_at_ms.to_be_bytes());
        let session = pending_repair.map(|id| [&[1], id.as_bytes().as_slice()].concat());
        match &places.pending_repair {
            Some(place) => {
                body.splice(place.clone(), session.unwrap_or_else(|| vec![0]));
                Ok(())
            }
            None if session.is_none() => Ok(()),
            None => Err(WriteError::Unsupported {
                option: format!("a repair session in version {}", descriptor.version.letters()),
            }),
        }
    })
}

fn change(
    disk: &Arc<dyn Disk>,
    descriptor: &Descriptor,
    edit: impl FnOnce(&mut Vec<u8>, &Places) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    let component = Component::Statistics;
    let path = descriptor.path(component);
    let io = |source| WriteError::Io { component, source };
    let bytes = disk.read_all(&path).map_err(io)?;
    let read = |error: ReadError| WriteError::Source(error.into());
    let blocks = blocks(&bytes, !descriptor.version.is_3x()).map_err(read)?;
    let places = places(&blocks, descriptor.version).map_err(read)?;
    let mut bodies: Vec<_> = blocks.iter().map(|block| (block.kind, block.body.to_vec())).collect();
    if let Some((_, body)) = bodies.iter_mut().find(|(kind, _)| *kind == STATS) {
        edit(body, &places)?;
    }
    disk.write_all_synced(&path, &encode_blocks(&bodies, !descriptor.version.is_3x())).map_err(io)
}

fn places(blocks: &[Block<'_>], version: Version) -> Result<Places, ReadError> {
    let header = block(blocks, HEADER)?;
    let mut cursor = Cursor::new(header.body);
    let header = SerializationHeader::parse(&mut cursor).map_err(|fault| header.corrupt(fault))??;
    let stats = block(blocks, STATS)?;
    let mut cursor = Cursor::new(stats.body);
    let (_, places) = Stats::parse(&mut cursor, &header, version).map_err(|fault| stats.corrupt(fault))?;
    Ok(places)
}
