//! Writes: from mutations to the commit log and the memtables.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::codec::encode_update;
use model::key::MAX_KEY_BYTES;
use model::{Mutation, PartitionUpdate, Table};
use stdx::crc::crc32;
use stdx::vint::write_unsigned_vint;

use super::Core;
use crate::commitlog::record::RecordKind;
use crate::metrics::is_sampled;
use crate::options::SyncMode;
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

thread_local! {
    static BODY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Core {
    pub(super) fn apply(self: &Arc<Self>, mutations: &[Mutation]) -> Result<Commit, WriteError> {
        self.check_accepts()?;
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
            }
            for group in groups {
                self.apply_to_shard(group, &mut commit)?;
                note(group);
            }
        }
        self.schedule_flush_if_needed();
        Ok(commit)
    }

    fn check_accepts(&self) -> Result<(), WriteError> {
        if self.is_stopping.load(Ordering::Relaxed) {
            return Err(WriteError::Stopping);
        }
        if let Some(failure) = self.log.failure.get() {
            return Err(WriteError::DiskFailed(failure.clone()));
        }
        let memtable_bytes = self.memtable_bytes.load(Ordering::Relaxed);
        if memtable_bytes > self.options.memtable_bytes_total.saturating_mul(2) {
            return Err(WriteError::Overloaded(format!("{memtable_bytes} bytes of memtables")));
        }
        let log_bytes = self.log.total_bytes.load(Ordering::Relaxed);
        if log_bytes > self.options.commitlog_bytes_total.saturating_mul(2) {
            return Err(WriteError::Overloaded(format!("{log_bytes} bytes of commit log")));
        }
        Ok(())
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
        let is_logged = BODY.with_borrow_mut(|body| {
            let logged_count = encode_body(group, body);
            self.check_body(body)?;
            let crc = crc32(body);
            fn version<'t>(target: &'t Target<'_>) -> (u64, &'t Table) {
                (target.version, &target.mutation.table)
            }
            let (one, many): ([(u64, &Table); 1], Vec<(u64, &Table)>);
            let versions: &[(u64, &Table)] = if let [only] = group {
                one = [version(only)];
                &one
            } else {
                many = group.iter().map(version).collect();
                &many
            };
            let mut appender = log.lock();
            if let Some(dropped) = group.iter().find(|one| one.state.is_dropped.load(Ordering::Relaxed)) {
                return Err(WriteError::UnknownTable(dropped.state.id));
            }
            let appended = (logged_count > 0).then(|| appender.append(versions, body, crc));
            let mut grown = 0;
            for target in group {
                let view = target.state.slots[target.shard].view.load();
                grown += apply_to_memtable(target, &view.active);
                if let Some(appended) = &appended {
                    view.active.note_logged(appended);
                }
            }
            drop(appender);
            self.memtable_bytes.fetch_add(usize::try_from(grown).unwrap_or(0), Ordering::Relaxed);
            if let Some(appended) = &appended {
                commit.add(log.clone(), appended.end);
            }
            Ok(appended.is_some())
        })?;
        if is_logged && matches!(self.options.commit_log_sync, SyncMode::Periodic { .. }) {
            log.write()?;
        }
        Ok(())
    }
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

fn apply_to_memtable(target: &Target<'_>, memtable: &crate::memtable::Memtable) -> isize {
    let Mutation { table, key, update } = target.mutation;
    let current = target.state.table.load();
    if Arc::ptr_eq(table, &current) {
        return memtable.apply(&current, key, update);
    }
    // Bound to an older version: what it writes to columns that were dropped since is gone.
    let mut update = update.clone();
    for row in update.static_row.iter_mut().chain(&mut update.rows) {
        row.columns.retain(|(id, _)| current.column_by_id(*id).is_some());
    }
    update.static_row = update.static_row.filter(|row| !row.is_empty());
    update.rows.retain(|row| !row.is_empty());
    memtable.apply(&current, key, &update)
}
