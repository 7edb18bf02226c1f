//! Opening: SSTables, then what the log has beyond them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::codec::decode_update;
use model::partition::SourceError;
use model::{PartitionKey, Schema, Table, TableId};
use runtime::Disk;
use sstable::{Descriptor, Partitioner, SsTableId};

use super::damage::{LogEvents, MARK_NAME, Mark, load_mark, remove_mark};
use super::read::source_error;
use super::truncate::Truncated;
use super::{Core, Engine, FlushTarget};
use crate::OpenError;
use crate::commitlog::dictionary::{Dictionary, Translation};
use crate::commitlog::replay::{
    LoggedMutation, OldSegment, by_shard, list_segments, replay_shard, still_there,
};
use crate::commitlog::segment::{Segment, sequence_of_segment, shard_of_segment};
use crate::commitlog::{LogListener, Position};
use crate::compaction::transaction::{self, BEGUN_NAME, delete_sstable};
use crate::shards::shard_of;
use crate::table::TableState;

/// What the log need not bring back of a table.
#[derive(Default)]
struct Covered {
    /// Writes between these places are in SSTables.
    intervals: Vec<(Position, Position)>,
    truncated: Truncated,
}

impl Covered {
    fn covers(&self, position: Position) -> bool {
        self.truncated.covers(position)
            || self.intervals.iter().any(|(start, end)| *start < position && position <= *end)
    }

    fn last_sequence(&self) -> u64 {
        let ends = self.intervals.iter().map(|(_, end)| end);
        ends.chain(&self.truncated.positions)
            .map(|end| sequence_of_segment(end.segment_id))
            .max()
            .unwrap_or(0)
    }
}

pub(super) fn open(
    engine: &Engine,
    system_tables: Vec<Arc<Table>>,
    load_schema: impl FnOnce(&Engine) -> Result<Arc<Schema>, SourceError>,
) -> Result<(), OpenError> {
    let core = &engine.core;
    let disk = core.runtime.disk().clone();
    let dir = core.options.commitlog_dir.clone();
    disk.create_dir_all(&dir).map_err(OpenError::io(&dir))?;
    let segments = list_segments(&*disk, &dir)?;
    if segments.is_empty() {
        // The first segment is made only after this.
        make_dir_synced(&*disk, &dir)?;
    }
    core.log.supply.adopt().map_err(OpenError::io(&dir))?;
    let listener: Box<dyn LogListener> = Box::new(LogEvents(Arc::downgrade(core)));
    let _only_once = core.log.listener.set(listener);
    if let Some(dir) = &core.options.commitlog_archive_dir {
        make_dir_synced(&*disk, dir)?;
    }
    let mut opening = Opening::new(core, segments);

    // System tables live in shard 0, however many there are: their writes are in its log.
    opening.add_tables(system_tables.iter().map(|table| core.new_table(table, true)).collect())?;
    opening.replay(|shard| shard == 0)?;

    let schema = load_schema(engine).map_err(OpenError::Schema)?;
    let before: HashSet<TableId> = core.tables.load().keys().copied().collect();
    core.update_tables(&schema)?;
    let tables = core.tables.load_full();
    let added = tables.values().filter(|table| !before.contains(&table.id)).cloned().collect();
    opening.add_tables(added)?;
    opening.replay(|_| true)?;
    opening.finish()?;
    core.damage.start(core);
    core.start_compactions();
    for log in &core.logs {
        log.start_periodic_syncs();
    }
    if let Err(error) = core.tidy_snapshots() {
        tracing::warn!("snapshots could not be looked through: {error}");
    }
    core.start_periodic_flushes();
    core.start_caches();
    Ok(())
}

/// Makes a directory and those above it, so that it outlasts a power loss.
pub(super) fn make_dir_synced(disk: &dyn Disk, dir: &Path) -> Result<(), OpenError> {
    disk.create_dir_all(dir).map_err(OpenError::io(dir))?;
    for parent in dir.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
        match disk.sync_dir(parent) {
            // Nothing of ours is missing in a directory that we may not open.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
            synced => synced.map_err(OpenError::io(parent))?,
        }
    }
    Ok(())
}

/// The state of opening an engine.
struct Opening<'a> {
    core: &'a Arc<Core>,
    segments: Vec<OldSegment>,
    held: HashMap<i64, Arc<Segment>>,
    covered: HashMap<TableId, Covered>,
    /// Tables whose part of the log is still to be read.
    fresh: HashSet<TableId>,
    last_sequence: u64,
    /// Segments that were replayed as far as they can be read.
    damaged: BTreeSet<PathBuf>,
}

impl<'a> Opening<'a> {
    fn new(core: &'a Arc<Core>, segments: Vec<OldSegment>) -> Opening<'a> {
        let last_sequence = segments.iter().map(|segment| sequence_of_segment(segment.id)).max().unwrap_or(0);
        let mut held = HashMap::new();
        for old in &segments {
            let segment = Segment::at(old.path.clone(), old.id);
            segment.is_safe.store(true, Ordering::Relaxed);
            segment.awaits_archive.store(core.options.commitlog_archive_dir.is_some(), Ordering::Relaxed);
            segment.bytes.store(old.bytes, Ordering::Relaxed);
            segment.complete.store(true, Ordering::Relaxed);
            held.insert(old.id, segment);
        }
        Opening {
            core,
            segments,
            held,
            covered: HashMap::new(),
            fresh: HashSet::new(),
            last_sequence,
            damaged: BTreeSet::new(),
        }
    }

    /// Opens the SSTables of tables and makes them known.
    fn add_tables(&mut self, tables: Vec<Arc<TableState>>) -> Result<(), OpenError> {
        self.fresh.clear();
        let mut known = (*self.core.tables.load_full()).clone();
        for table in tables {
            let covered = open_table(self.core, &table)?;
            self.last_sequence = self.last_sequence.max(covered.last_sequence());
            self.covered.insert(table.id, covered);
            self.fresh.insert(table.id);
            known.insert(table.id, table);
        }
        self.core.tables.store(Arc::new(known));
        Ok(())
    }

    /// Replays the logs of the shards that are wanted, for the tables that were added last.
    fn replay(&mut self, is_wanted: impl Fn(usize) -> bool) -> Result<(), OpenError> {
        let core = self.core;
        let mut translations: HashMap<*const Dictionary, (Arc<Dictionary>, Option<Translation>)> =
            HashMap::new();
        let (fresh, covered, held) = (&self.fresh, &self.covered, &self.held);
        let mut sink = |logged: LoggedMutation<'_>| {
            let id = logged.dictionary.table_id;
            if !fresh.contains(&id) || covered.get(&id).is_some_and(|covered| covered.covers(logged.position))
            {
                return Ok(());
            }
            let (_, translation) = translations.entry(Arc::as_ptr(logged.dictionary)).or_insert_with(|| {
                let table = core.table(id).map(|state| state.table.load_full());
                let translation = table.map(|table| Translation::new(logged.dictionary, table));
                (logged.dictionary.clone(), translation)
            });
            let (Some(translation), Some(segment)) = (translation, held.get(&logged.position.segment_id))
            else {
                return Ok(());
            };
            replay_mutation(core, &logged, translation, segment)
        };
        for segments in by_shard(&self.segments) {
            if is_wanted(shard_of_segment(segments[0].id)) {
                let accepts_damage = core.options.accept_commitlog_damage;
                let damaged = replay_shard(&**core.runtime.disk(), segments, accepts_damage, &mut sink)?;
                self.damaged.extend(damaged.into_iter().map(|segment| segment.path.clone()));
            }
        }
        // A torn segment may have been removed.
        let mut kept = Vec::new();
        for segment in std::mem::take(&mut self.segments) {
            if still_there(&**core.runtime.disk(), &segment)? {
                kept.push(segment);
            }
        }
        self.segments = kept;
        Ok(())
    }

    /// Hands the old segments to the logs that go on, and deletes those that nobody needs.
    fn finish(mut self) -> Result<(), OpenError> {
        let core = self.core;
        self.keep_damaged_aside()?;
        // Ids never come again, even if all segments are gone and the clock was set back.
        let now_ms = u64::try_from(core.runtime.clock().wall_us() / 1_000).unwrap_or(0);
        core.log.next_sequence.store(now_ms.max(self.last_sequence + 1), Ordering::Relaxed);
        for segment in self.segments.iter().rev() {
            let shard = shard_of_segment(segment.id);
            let log = core.logs.get(shard).unwrap_or(&core.logs[0]);
            if let Some(segment) = self.held.get(&segment.id) {
                log.lock().adopt(segment.clone());
            }
        }
        for shard in 0..core.logs.len() {
            core.delete_clean_segments(shard);
        }
        if let Err(error) = core.log.supply.prepare() {
            // Reads are served; writes are refused until there is room.
            tracing::error!("the commit log has no room for new segments: {error}");
        }
        Ok(())
    }

    /// What could be read of damaged segments is made safe, then they are renamed: the next start does without them.
    fn keep_damaged_aside(&mut self) -> Result<(), OpenError> {
        if self.damaged.is_empty() {
            return Ok(());
        }
        self.core.flush(&FlushTarget::All)?;
        let disk = self.core.runtime.disk();
        for path in std::mem::take(&mut self.damaged) {
            let mut kept = path.clone().into_os_string();
            kept.push(".damaged");
            disk.rename(&path, Path::new(&kept)).map_err(OpenError::io(&path))?;
            tracing::error!("{} is damaged: it is kept as {}", path.display(), Path::new(&kept).display());
            self.segments.retain(|segment| segment.path != path);
        }
        let dir = &self.core.options.commitlog_dir;
        disk.sync_dir(dir).map_err(OpenError::io(dir))
    }
}

fn replay_mutation(
    core: &Arc<Core>,
    logged: &LoggedMutation<'_>,
    translation: &Translation,
    segment: &Arc<Segment>,
) -> Result<(), OpenError> {
    let update = match decode_update(&logged.update) {
        Ok(update) => update,
        Err(error) if core.options.accept_commitlog_damage => {
            let (path, offset) = (segment.path.display(), logged.position.offset);
            tracing::error!(
                "{path}: the write that ends at byte {offset} cannot be read and is left out: {error}"
            );
            return Ok(());
        }
        Err(error) => {
            let dictionary = logged.dictionary;
            return Err(OpenError::Damaged {
                path: segment.path.clone(),
                offset: u64::from(logged.position.offset),
                found: format!("a mutation cannot be read: {error}"),
                lost: format!(
                    "1 write of {}.{} ({} bytes) would be lost; --set accept_commitlog_damage=true leaves it out",
                    dictionary.keyspace,
                    dictionary.table,
                    logged.update.len()
                ),
            });
        }
    };
    let Some(state) = core.table(logged.dictionary.table_id) else { return Ok(()) };
    let key = PartitionKey::new(logged.key.clone());
    let shard = state.shard_of(&key);
    {
        let _shard = core.logs[shard].lock();
        let view = state.slots[shard].view.load();
        let grown = view.active.apply(&translation.table, &key, &translation.translate(update), None);
        view.active.note_replayed(segment);
        core.note_time(&state, &view.active);
        core.memtable_bytes.fetch_add(usize::try_from(grown).unwrap_or(0), Ordering::Relaxed);
    }
    core.replayed_entries_count.fetch_add(1, Ordering::Relaxed);
    while core.memtable_bytes.load(Ordering::Relaxed) > core.options.memtable_bytes_total {
        let Some((table, slot)) = core.largest_slot() else { break };
        let flushed = core.flush_slot(&table, slot);
        table.slots[slot].is_chosen.store(false, Ordering::Release);
        flushed?;
    }
    Ok(())
}

/// Opens the SSTables of a table; removes what a crash left of unfinished and truncated ones.
fn open_table(core: &Core, state: &TableState) -> Result<Covered, OpenError> {
    let disk = core.runtime.disk();
    let mut covered = Covered::default();
    if !disk.exists(&state.dir).map_err(OpenError::io(&state.dir))? {
        return Ok(covered);
    }
    transaction::resolve(&**disk, &state.dir)?;
    covered.truncated = Truncated::load(&**disk, &state.dir)?;
    let mut ids: HashMap<SsTableId, (Descriptor, BTreeSet<String>)> = HashMap::new();
    for entry in disk.list(&state.dir).map_err(OpenError::io(&state.dir))? {
        let failed =
            |error| OpenError::SsTable { path: state.dir.join(&entry.name), source: source_error(error) };
        let begun = entry.name.strip_suffix(BEGUN_NAME).map(|prefix| format!("{prefix}begun"));
        let name = begun.as_deref().unwrap_or(&entry.name);
        if let Some((descriptor, component)) = Descriptor::parse(&state.dir, name).map_err(failed)? {
            ids.entry(descriptor.id).or_insert_with(|| (descriptor, BTreeSet::new())).1.insert(component);
        }
    }
    let mut found: Vec<_> = ids.into_values().collect();
    found.sort_by_key(|(descriptor, _)| descriptor.id);
    for (descriptor, mut components) in found {
        let below = covered.truncated.sstables_below;
        // Only numbers are given here: what has a UUID was there before the truncation.
        let is_truncated = descriptor.id.number().map_or(below > 0, |number| number < below);
        if let Some(number) = descriptor.id.number() {
            state.next_sstable_id.fetch_max(number.saturating_add(1), Ordering::Relaxed);
        }
        let is_begun = components.contains("begun");
        let has_mark = components.remove(MARK_NAME);
        if components.is_empty() {
            // The SSTable is gone, its mark was to follow.
            remove_mark(&**disk, &descriptor)?;
            continue;
        }
        if !is_begun && !is_truncated {
            let mark = if has_mark { Some(load_mark(&**disk, &descriptor)?) } else { None };
            add_sstable(core, state, &descriptor, mark.as_ref(), &mut covered)?;
            continue;
        }
        delete_sstable(&**disk, &descriptor)?;
        if is_begun {
            core.remove_backup(&descriptor)?;
            // Only once the others are gone for good: without it they would be taken for whole.
            disk.sync_dir(&state.dir).map_err(OpenError::io(&state.dir))?;
            let path = descriptor.directory.join(descriptor.file_name(BEGUN_NAME));
            disk.remove_file(&path).map_err(OpenError::io(path))?;
        }
    }
    if covered.truncated.sstables_below > 0 {
        disk.sync_dir(&state.dir).map_err(OpenError::io(&state.dir))?;
        covered.truncated.sstables_below = 0;
        covered.truncated.store(&**disk, &state.dir)?;
    }
    Ok(covered)
}

fn add_sstable(
    core: &Core,
    state: &TableState,
    descriptor: &Descriptor,
    mark: Option<&Mark>,
    covered: &mut Covered,
) -> Result<(), OpenError> {
    let sstable = match core.open_sstable(descriptor) {
        Ok(sstable) => sstable,
        Err(error) => return core.set_aside_unopened(state, descriptor, mark, error),
    };
    let metadata = sstable.metadata();
    if metadata.partitioner != Partitioner::Murmur3 {
        let version = format!("with {:?}Partitioner", metadata.partitioner);
        return Err(OpenError::SsTable {
            path: descriptor.to_string().into(),
            source: source_error(sstable::ReadError::Unsupported { version }),
        });
    }
    if metadata.host_id == Some(core.options.host_id) {
        let place = |(segment_id, offset): (i64, i32)| Position { segment_id, offset: offset as u32 };
        covered
            .intervals
            .extend(metadata.commit_log_intervals.iter().map(|(start, end)| (place(*start), place(*end))));
    }
    if mark.is_some_and(|mark| !core.is_served_with_mark(state, &sstable, mark)) {
        return Ok(());
    }
    let shards_count = state.slots.len();
    for slot in shard_of(metadata.first.token, shards_count)..=shard_of(metadata.last.token, shards_count) {
        let _shard = core.logs[slot].lock();
        state.change_view(slot, |view| view.sstables.push(sstable.clone()));
    }
    Ok(())
}
