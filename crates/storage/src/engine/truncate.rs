//! Truncation: all data of a table goes, at once and for good.
//!
//! A file `truncated` in the table's directory says up to which places of the log its writes are gone, and below which
//! generation its SSTables are. It is safe before anything is deleted: a crash in between resurrects nothing.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::TableId;
use runtime::Disk;
use sstable::SsTable;
use stdx::crc::crc32;

use super::Core;
use crate::OpenError;
use crate::commitlog::Position;
use crate::commitlog::segment::{segment_id, shard_of_segment};
use crate::compaction::transaction::delete_sstable;
use crate::table::{TableState, View};

const FILE_NAME: &str = "truncated";
const FIRST_LINE: &str = "helenus truncated 1";

/// What is gone of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Truncated {
    /// Of each shard's log the place up to which writes are gone.
    pub positions: Vec<Position>,
    /// Writes between these places of the log are gone: purged, with all SSTables that held them.
    pub intervals: Vec<(Position, Position)>,
    /// SSTables of lower generations are gone; 0: none is.
    pub sstables_below: u64,
}

impl Truncated {
    /// True if a logged write is gone.
    pub(super) fn covers(&self, position: Position) -> bool {
        let shard = shard_of_segment(position.segment_id);
        self.positions.iter().any(|upto| shard_of_segment(upto.segment_id) == shard && position <= *upto)
            || self.intervals.iter().any(|(start, end)| *start < position && position <= *end)
    }

    fn add(&mut self, position: Position) {
        let shard = shard_of_segment(position.segment_id);
        match self.positions.iter_mut().find(|old| shard_of_segment(old.segment_id) == shard) {
            Some(old) => *old = position.max(*old),
            None => self.positions.push(position),
        }
    }

    fn to_text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\n");
        for position in &self.positions {
            // Writing to a string cannot fail.
            let _infallible = writeln!(text, "position {} {}", position.segment_id, position.offset);
        }
        for (start, end) in &self.intervals {
            let _infallible = writeln!(
                text,
                "interval {} {} {} {}",
                start.segment_id, start.offset, end.segment_id, end.offset
            );
        }
        let _infallible = writeln!(text, "sstables below {}", self.sstables_below);
        let crc = crc32(text.as_bytes());
        let _infallible = writeln!(text, "crc {crc:08x}");
        text
    }

    fn parse(text: &str) -> Option<Truncated> {
        let body = text.get(..text.trim_end().rfind('\n')? + 1)?;
        let crc = text[body.len()..].trim_end().strip_prefix("crc ")?;
        if u32::from_str_radix(crc, 16).ok()? != crc32(body.as_bytes()) {
            return None;
        }
        let mut lines = body.lines();
        if lines.next()? != FIRST_LINE {
            return None;
        }
        let mut truncated = Truncated::default();
        for line in lines {
            if let Some(place) = line.strip_prefix("position ") {
                let (segment_id, offset) = place.split_once(' ')?;
                truncated
                    .add(Position { segment_id: segment_id.parse().ok()?, offset: offset.parse().ok()? });
            } else if let Some(interval) = line.strip_prefix("interval ") {
                let mut numbers = interval.split(' ');
                let mut place = || -> Option<Position> {
                    let segment_id = numbers.next()?.parse().ok()?;
                    Some(Position { segment_id, offset: numbers.next()?.parse().ok()? })
                };
                truncated.intervals.push((place()?, place()?));
            } else {
                truncated.sstables_below = line.strip_prefix("sstables below ")?.parse().ok()?;
            }
        }
        Some(truncated)
    }

    pub(crate) fn load(disk: &dyn Disk, dir: &Path) -> Result<Truncated, OpenError> {
        let path = dir.join(FILE_NAME);
        if !disk.exists(&path).map_err(OpenError::io(&path))? {
            return Ok(Truncated::default());
        }
        let text = disk.read_all(&path).map_err(OpenError::io(&path))?;
        str::from_utf8(&text).ok().and_then(Truncated::parse).ok_or_else(|| OpenError::Damaged {
            path,
            offset: 0,
            found: "its CRC does not match".to_owned(),
            lost: "writes from before the last TRUNCATE of the table may come back".to_owned(),
        })
    }

    pub(crate) fn store(&self, disk: &dyn Disk, dir: &Path) -> Result<(), OpenError> {
        let path = dir.join(FILE_NAME);
        disk.write_all_synced(&path, self.to_text().as_bytes()).map_err(OpenError::io(path))
    }
}

impl Core {
    pub(super) fn truncate(&self, id: TableId) -> Result<(), OpenError> {
        let Some(table) = self.table(id) else { return Ok(()) };
        let _no_flushes: Vec<_> = table.slots.iter().map(|slot| slot.flush.lock()).collect();
        self.compactions.stop(|progress| progress.table_id == id);
        let _no_compaction = table.compaction.gate.write();
        let _one_at_a_time = table.compaction.truncated_file.lock();
        self.make_dir(&table)?;
        self.snapshot_before_truncate(&table)?;
        let disk = self.runtime.disk();
        let mut truncated = Truncated::load(&**disk, &table.dir)?;
        self.add_older_logs(&mut truncated)?;
        let mut taken = Vec::new();
        for slot in 0..table.slots.len() {
            let shard = self.logs[slot].lock();
            truncated.add(shard.position());
            taken.push(table.slots[slot].view.load_full());
            table.change_data(slot, |view| *view = View::default());
        }
        truncated.sstables_below = table.next_sstable_id.load(Ordering::Relaxed);
        if let Err(error) = truncated.store(&**disk, &table.dir) {
            self.put_back(&table, taken);
            return Err(error);
        }
        for view in &taken {
            for sstable in &view.sstables {
                delete_sstable(&**disk, sstable.descriptor())?;
            }
            for memtable in view.memtables() {
                self.discard_memtable(memtable);
            }
        }
        for damaged in self.damage.set_aside().iter().filter(|damaged| damaged.table == id) {
            delete_sstable(&**disk, &damaged.descriptor)?;
        }
        self.damage.forget_table(id);
        disk.sync_dir(&table.dir).map_err(OpenError::io(&table.dir))?;
        // Files that an operator puts here later shall not be taken for the old ones.
        truncated.sstables_below = 0;
        truncated.store(&**disk, &table.dir)?;
        for slot in 0..table.slots.len() {
            self.delete_clean_segments(slot);
        }
        Ok(())
    }

    /// Logs of shards that the node had in an earlier run may still hold writes of the table, too.
    fn add_older_logs(&self, truncated: &mut Truncated) -> Result<(), OpenError> {
        let dir = &self.options.commitlog_dir;
        for segment in crate::commitlog::replay::list_segments(&**self.runtime.disk(), dir)? {
            let shard = shard_of_segment(segment.id);
            if shard >= self.logs.len() {
                let next = self.log.next_sequence.load(Ordering::Relaxed);
                truncated.add(Position { segment_id: segment_id(shard, next), offset: 0 });
            }
        }
        Ok(())
    }

    /// The truncation could not be made safe: everything is there as before.
    fn put_back(&self, table: &TableState, taken: Vec<Arc<View>>) {
        for (slot, old) in taken.into_iter().enumerate() {
            let _shard = self.logs[slot].lock();
            table.change_data(slot, |view| {
                let older = old.flushing.iter().chain([&old.active]).cloned();
                view.flushing.splice(0..0, older);
                let sstables: Vec<Arc<SsTable>> = old.sstables.clone();
                view.sstables.splice(0..0, sstables);
            });
        }
    }
}
