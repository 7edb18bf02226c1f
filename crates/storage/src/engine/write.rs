//! Writes: from mutations to the commit log and the memtables.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::codec::encode_update;
use model::key::MAX_KEY_BYTES;
use model::{Cell, ColumnData, Mutation, PartitionKey, PartitionUpdate, Row, Table};
use stdx::crc::crc32;
use stdx::vint::write_unsigned_vint;

use super::Core;
use crate::commitlog::Appended;
use crate::commitlog::NoSegment;
use crate::commitlog::record::RecordKind;
use crate::commitlog::shard_log::Appender;
use crate::memtable::Memtable;
use crate::metrics::is_sampled;
use crate::options::SyncMode;
use crate::row_cache::RowStamps;
use crate::table::TableState;
use crate::{Commit, WriteError};

/// A mutation with what the engine knows of its table.
struct Target<'a> {
    mutation: &'a Mutation,
    state: &'a Arc<TableState>,
    shard: usize,
    /// Number of the table version in the log.
    version: u64,
}

impl Target<'_> {
    fn with_memtable(&self, act: impl FnOnce(&Memtable, &PartitionKey)) {
        act(&self.state.slots[self.shard].view.load().active, &self.mutation.key);
    }
}

thread_local! {
    static BODY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Core {
    pub(super) fn apply(self: &Arc<Self>, mutations: &[Mutation]) -> Result<Commit, WriteError> {
        self.check_accepts(false)?;
        self.apply_now(mutations)
    }

    /// Applies, or waits for room first: for as long as a write may take, in turn with all others that wait.
    pub(super) async fn apply_waiting(
        self: &Arc<Self>,
        mutations: &[Mutation],
    ) -> Result<Commit, WriteError> {
        let mut refused = match self.apply(mutations) {
            Err(error @ WriteError::Overloaded(_)) => error,
            answer => return answer,
        };
        let bytes = mutations.iter().map(|mutation| approximate_bytes(&mutation.update)).sum();
        let Some(place) = self.room.queue_up(bytes) else { return Err(refused) };
        self.schedule_flush_if_needed();
        let deadline = self.runtime.clock().monotonic() + self.options.write_timeout;
        // Room may have come before the place was taken.
        self.let_in();
        loop {
            let left = deadline.saturating_sub(self.runtime.clock().monotonic());
            if self.runtime.timeout(left, place.turn()).await.is_err() {
                drop(place);
                self.let_in();
                return Err(refused);
            }
            let answer = self.check_accepts(true).and_then(|()| self.apply_now(mutations));
            match answer {
                Err(error @ WriteError::Overloaded(_)) => refused = error,
                answer => {
                    drop(place);
                    self.let_in();
                    return answer;
                }
            }
            place.wait_again();
            if self.log.supply.has_ready() {
                self.let_in();
            }
        }
    }

    fn apply_now(self: &Arc<Self>, mutations: &[Mutation]) -> Result<Commit, WriteError> {
        let tables = self.tables.load();
        let target = |mutation| self.target(&tables, mutation);
        let mut commit = Commit::nothing();
        let began = is_sampled().then(|| self.runtime.clock().monotonic());
        let note = |group: &[Target<'_>]| {
            let took = began.map(|began| self.runtime.clock().monotonic().saturating_sub(began));
            group.iter().for_each(|target| target.state.metrics.note_write(took));
        };
        if let [mutation] = mutations {
            let group = [target(mutation)?];
            self.apply_to_shard(&group, &mut commit)?;
            note(&group);
        } else {
            let mut targets = mutations.iter().map(target).collect::<Result<Vec<_>, _>>()?;
            targets.sort_by_key(|target| target.shard);
            let groups: Vec<_> = targets.chunk_by(|a, b| a.shard == b.shard).collect();
            if groups.len() > 1 {
                // Nothing may be applied to one shard if another's part is refused.
                groups.iter().try_for_each(|group| self.check_bytes(group))?;
                self.apply_to_shards(&groups, &mut commit)?;
                groups.iter().for_each(|group| note(group));
            } else if let [group] = groups[..] {
                self.apply_to_shard(group, &mut commit)?;
                note(group);
            }
        }
        self.schedule_flush_if_needed();
        Ok(commit)
    }

    /// Whether a write is taken now. `in_turn`: it has waited for its turn.
    fn check_accepts(self: &Arc<Self>, in_turn: bool) -> Result<(), WriteError> {
        if self.is_stopping.load(Ordering::Relaxed) {
            return Err(WriteError::Stopping);
        }
        if let Some(failure) = self.log.failure.get() {
            return Err(WriteError::DiskFailed(failure.clone()));
        }
        if self.damage.is_stopped() {
            return Err(WriteError::DiskFailed(self.damage.stopped().unwrap_or_default()));
        }
        if let Some(what) = self.lack_of_room() {
            self.schedule_flush_if_needed();
            return Err(self.no_room(what));
        }
        if !in_turn && self.room.has_waiting() {
            return Err(WriteError::Overloaded("writes that came before wait for room".to_owned()));
        }
        Ok(())
    }

    /// What is full; `None`: nothing is.
    pub(super) fn lack_of_room(&self) -> Option<String> {
        let memtable_bytes = self.memtable_bytes.load(Ordering::Relaxed);
        if memtable_bytes >= self.options.memtable_bytes_total {
            return Some(format!("{memtable_bytes} bytes of memtables"));
        }
        let log_bytes = self.log.total_bytes.load(Ordering::Relaxed);
        let limit = self.options.commitlog_bytes_total.saturating_add(self.options.commitlog_bytes_total / 2);
        (log_bytes > limit).then(|| format!("{log_bytes} bytes of commit log"))
    }

    /// Why a write that lacks room is refused: with a full disk waiting is of no use.
    fn no_room(&self, what: String) -> WriteError {
        match self.flush_failure.lock().as_ref() {
            Some((why, true)) => WriteError::DiskFull(why.clone()),
            Some((why, false)) => WriteError::Overloaded(format!("{what}; flushes fail: {why}")),
            None => WriteError::Overloaded(what),
        }
    }

    /// Why the log has no segment for a write.
    fn no_segment(&self) -> WriteError {
        match self.log.supply.failure() {
            Some(why) => WriteError::DiskFull(why),
            None => WriteError::Overloaded("the commit log's next segment is not ready".to_owned()),
        }
    }

    fn target<'a>(
        &self,
        tables: &'a std::collections::HashMap<model::TableId, Arc<TableState>, foldhash::fast::FixedState>,
        mutation: &'a Mutation,
    ) -> Result<Target<'a>, WriteError> {
        let bytes = mutation.key.key.len();
        if bytes == 0 || bytes > MAX_KEY_BYTES {
            return Err(WriteError::KeyLength { bytes });
        }
        let table = &mutation.table;
        let state = tables.get(&table.id).ok_or(WriteError::UnknownTable(table.id))?;
        if table.next_column_id > state.table.load().next_column_id {
            return Err(WriteError::NewerSchema(table.id));
        }
        check_deletions(&mutation.update)?;
        check_values(&mutation.update, self.options.max_value_bytes)?;
        let version = state.version_number(table, &self.next_version_number);
        Ok(Target { mutation, state, shard: state.shard_of(&mutation.key), version })
    }

    fn check_bytes(&self, group: &[Target<'_>]) -> Result<(), WriteError> {
        BODY.with_borrow_mut(|body| {
            encode_body(group, body);
            self.check_body(body)
        })
    }

    fn check_body(&self, body: &[u8]) -> Result<(), WriteError> {
        let bytes_max = self.options.max_mutation_bytes;
        if body.len() > bytes_max {
            return Err(WriteError::TooLarge { bytes: body.len(), bytes_max });
        }
        Ok(())
    }

    /// `group` is all of one shard.
    fn apply_to_shard(&self, group: &[Target<'_>], commit: &mut Commit) -> Result<(), WriteError> {
        let log = &self.logs[group[0].shard];
        // The memory of the partitions comes while the record is made.
        group.iter().for_each(|target| target.with_memtable(|memtable, key| memtable.prefetch(key)));
        BODY.with_borrow_mut(|body| {
            let logged_count = encode_body(group, body);
            self.check_body(body)?;
            group.iter().for_each(|target| target.with_memtable(|memtable, key| memtable.prefetch_slot(key)));
            let crc = crc32(body);
            let mut appender = log.lock();
            self.apply_locked(group, &mut appender, (logged_count > 0).then_some((&**body, crc)), commit)
        })?;
        self.write_through(group[0].shard)
    }

    /// Groups of several shards: all of them, or none. Their locks are taken in the order of the shards, and all places
    /// in the logs before anything is applied.
    fn apply_to_shards(&self, groups: &[&[Target<'_>]], commit: &mut Commit) -> Result<(), WriteError> {
        let bodies: Vec<(Vec<u8>, usize)> = groups
            .iter()
            .map(|group| {
                let mut body = Vec::new();
                let count = encode_body(group, &mut body);
                (body, count)
            })
            .collect();
        {
            let mut appenders: Vec<_> = groups.iter().map(|group| self.logs[group[0].shard].lock()).collect();
            for ((group, appender), (body, count)) in groups.iter().zip(&mut appenders).zip(&bodies) {
                check_not_dropped(group)?;
                if *count > 0 {
                    let versions: Vec<_> = group.iter().map(version).collect();
                    appender.make_room(&versions, body.len()).map_err(|NoSegment| self.no_segment())?;
                }
            }
            for ((group, appender), (body, count)) in groups.iter().zip(&mut appenders).zip(&bodies) {
                let logged = (*count > 0).then(|| (&**body, crc32(body)));
                self.apply_locked(group, appender, logged, commit)?;
            }
        }
        groups.iter().try_for_each(|group| self.write_through(group[0].shard))
    }

    /// Under the shard's lock: to the log, then to the memtables.
    fn apply_locked(
        &self,
        group: &[Target<'_>],
        appender: &mut Appender,
        logged: Option<(&[u8], u32)>,
        commit: &mut Commit,
    ) -> Result<(), WriteError> {
        check_not_dropped(group)?;
        let (one, many): ([(u64, &Table); 1], Vec<(u64, &Table)>);
        let versions: &[(u64, &Table)] = if let [only] = group {
            one = [version(only)];
            &one
        } else {
            many = group.iter().map(version).collect();
            &many
        };
        let appended = match logged {
            Some((body, crc)) => {
                Some(appender.append(versions, body, crc).map_err(|NoSegment| self.no_segment())?)
            }
            None => None,
        };
        let mut grown = 0;
        for target in group {
            let view = target.state.slots[target.shard].view.load();
            let is_logged = target.state.is_durable.load(Ordering::Relaxed);
            let appended = appended.as_ref().filter(|_| is_logged);
            grown += match target.state.rows.get() {
                None => apply_to_memtable(target, &view.active, appended),
                Some(stamps) => self.apply_and_forget(stamps, target, &view.active, appended),
            };
            if appended.is_none() {
                view.active.has_unlogged.store(true, Ordering::Relaxed);
            }
            self.note_time(target.state, &view.active);
        }
        self.memtable_bytes.fetch_add(usize::try_from(grown).unwrap_or(0), Ordering::Relaxed);
        if let Some(appended) = &appended {
            commit.add(self.logs[group[0].shard].clone(), appended.end);
        }
        Ok(())
    }

    /// As [`apply_to_memtable`], for tables that have used the row cache: what it has of the partition is not served
    /// from before the change on, and what reads put there meanwhile never.
    #[cold]
    fn apply_and_forget(
        &self,
        stamps: &RowStamps,
        target: &Target<'_>,
        memtable: &Memtable,
        appended: Option<&Appended>,
    ) -> isize {
        let key = &target.mutation.key;
        #[cfg(test)]
        if crate::tests::planted::write_keeps_rows() {
            return apply_to_memtable(target, memtable, appended);
        }
        stamps.change(target.shard, key);
        let grown = apply_to_memtable(target, memtable, appended);
        stamps.change(target.shard, key);
        self.rows.forget(stamps.table, key);
        grown
    }

    /// For tables that are flushed after a time.
    pub(super) fn note_time(&self, state: &TableState, memtable: &Memtable) {
        if state.table.load().options.memtable_flush_period_in_ms > 0
            && memtable.since_ms.load(Ordering::Relaxed) == 0
        {
            memtable.since_ms.store(self.now_ms().max(1), Ordering::Relaxed);
        }
    }

    /// Periodic mode: the operating system gets the bytes before the write is acknowledged.
    fn write_through(&self, shard: usize) -> Result<(), WriteError> {
        match self.options.commit_log_sync {
            SyncMode::Periodic { .. } => self.logs[shard].write(),
            SyncMode::Group { .. } | SyncMode::Batch => Ok(()),
        }
    }
}

fn version<'t>(target: &'t Target<'_>) -> (u64, &'t Table) {
    (target.version, &target.mutation.table)
}

fn check_not_dropped(group: &[Target<'_>]) -> Result<(), WriteError> {
    match group.iter().find(|one| one.state.is_dropped.load(Ordering::Relaxed)) {
        Some(dropped) => Err(WriteError::UnknownTable(dropped.state.id)),
        None => Ok(()),
    }
}

/// No value may be longer than so many bytes.
fn check_values(update: &PartitionUpdate, bytes_max: usize) -> Result<(), WriteError> {
    let check = |cell: &Cell| match cell.value.len() {
        bytes if bytes > bytes_max => Err(WriteError::ValueTooLarge { bytes, bytes_max }),
        _ => Ok(()),
    };
    for row in update.static_row.iter().chain(&update.rows) {
        for (_, data) in &row.columns {
            match data {
                ColumnData::Cell(cell) => check(cell)?,
                ColumnData::Complex { cells, .. } => cells.iter().try_for_each(|(_, cell)| check(cell))?,
            }
        }
    }
    Ok(())
}

/// About what an update takes in a memtable.
fn approximate_bytes(update: &PartitionUpdate) -> usize {
    const ROW_BYTES: usize = 128;
    const CELL_BYTES: usize = 32;
    let row_bytes = |row: &Row| {
        let columns = row.columns.iter().map(|(_, data)| match data {
            ColumnData::Cell(cell) => CELL_BYTES + cell.value.len(),
            ColumnData::Complex { cells, .. } => {
                cells.iter().map(|(path, cell)| CELL_BYTES + path.len() + cell.value.len()).sum()
            }
        });
        ROW_BYTES + columns.sum::<usize>()
    };
    let rows = update.static_row.iter().chain(&update.rows).map(row_bytes).sum::<usize>();
    2 * ROW_BYTES + rows + ROW_BYTES * update.range_tombstones.len()
}

/// SSTables cannot say that a partition or range was deleted before 1970.
fn check_deletions(update: &PartitionUpdate) -> Result<(), WriteError> {
    let ranges = update.range_tombstones.iter().map(|tombstone| tombstone.deletion);
    for deletion in ranges.chain([update.deletion]) {
        if !deletion.is_live() && deletion.timestamp_us < 0 {
            return Err(WriteError::NegativeDeletion { timestamp_us: deletion.timestamp_us });
        }
    }
    Ok(())
}

/// The body of a record of these mutations; returns how many of them are logged.
fn encode_body(group: &[Target<'_>], body: &mut Vec<u8>) -> usize {
    body.clear();
    body.push(RecordKind::Mutations as u8);
    let logged = || group.iter().filter(|target| target.state.is_durable.load(Ordering::Relaxed));
    let count = logged().count();
    write_unsigned_vint(body, count as u64);
    for target in logged() {
        let key = &target.mutation.key.key;
        write_unsigned_vint(body, target.version);
        write_unsigned_vint(body, key.len() as u64);
        body.extend_from_slice(key);
        UPDATE.with_borrow_mut(|update| {
            update.clear();
            encode_update(&target.mutation.update, update);
            write_unsigned_vint(body, update.len() as u64);
            body.extend_from_slice(update);
        });
    }
    count
}

thread_local! {
    static UPDATE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn apply_to_memtable(target: &Target<'_>, memtable: &Memtable, appended: Option<&Appended>) -> isize {
    let Mutation { table, key, update } = target.mutation;
    let current = target.state.table.load();
    if Arc::ptr_eq(table, &current) {
        return memtable.apply(&current, key, update, appended);
    }
    // Bound to an older version: what it writes to columns that were dropped since is gone.
    let mut update = update.clone();
    for row in update.static_row.iter_mut().chain(&mut update.rows) {
        row.columns.retain(|(id, _)| current.column_by_id(*id).is_some());
    }
    update.static_row = update.static_row.filter(|row| !row.is_empty());
    update.rows.retain(|row| !row.is_empty());
    memtable.apply(&current, key, &update, appended)
}
