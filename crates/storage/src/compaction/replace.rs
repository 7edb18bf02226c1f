//! SSTables take the place of others: on the disk by a transaction, in each shard's view by one change.
//!
//! The files of those that went are removed when nobody reads them any more.
//!
//! Never here: what is in them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sstable::{Descriptor, SsTable};
use uuid::Uuid;

use super::context::Context;
use super::transaction::{self, CommitError, Committed, delete_sstable};
use crate::OpenError;
use crate::shards::shard_of;
use crate::table::{TableState, View};

#[cfg(test)]
thread_local! {
    /// Planted bug: inputs are removed before the commit.
    pub(crate) static REMOVES_INPUTS_FIRST: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// The shards of a table that an SSTable reaches into.
pub(crate) fn slots_of(state: &TableState, sstable: &SsTable) -> std::ops::RangeInclusive<usize> {
    let (metadata, count) = (sstable.metadata(), state.slots.len());
    shard_of(metadata.first.token, count)..=shard_of(metadata.last.token, count)
}

/// True if all of these are served.
pub(crate) fn are_there(state: &TableState, sstables: &[Arc<SsTable>]) -> bool {
    sstables.iter().all(|sstable| {
        slots_of(state, sstable).all(|slot| {
            let view = state.slots[slot].view.load();
            view.sstables.iter().any(|other| Arc::ptr_eq(other, sstable))
        })
    })
}

/// As [`replace_by`], for outputs that are not open.
pub(crate) fn replace(
    context: &Arc<Context>,
    state: &Arc<TableState>,
    replaced: &[Arc<SsTable>],
    outputs: &[Descriptor],
    id: Uuid,
) -> Result<(), (OpenError, bool)> {
    let open = |descriptor: &Descriptor| {
        context.open(descriptor).map_err(|error| {
            let path = std::path::PathBuf::from(descriptor.to_string());
            (OpenError::SsTable { path, source: Box::new(error) }, true)
        })
    };
    let outputs = outputs.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    replace_by(context, state, replaced, &outputs, id)
}

/// Puts `outputs`, which are marked as unfinished, into the place of `replaced`, for good. The caller holds the table's
/// gate. An error comes with whether it is as if nothing had been done; otherwise neither may be touched.
pub(crate) fn replace_by(
    context: &Arc<Context>,
    state: &Arc<TableState>,
    replaced: &[Arc<SsTable>],
    outputs: &[Arc<SsTable>],
    id: Uuid,
) -> Result<(), (OpenError, bool)> {
    let names = |sstables: &[Arc<SsTable>]| -> Vec<Descriptor> {
        sstables.iter().map(|sstable| sstable.descriptor().clone()).collect()
    };
    let (disk, dir) = (context.runtime.disk(), &state.dir);
    #[cfg(test)]
    if REMOVES_INPUTS_FIRST.get() {
        for sstable in replaced {
            delete_sstable(&**disk, sstable.descriptor()).map_err(|error| (error, true))?;
        }
    }
    let committed = match transaction::commit(disk, dir, id, &names(outputs), &names(replaced)) {
        Ok(committed) => committed,
        Err(CommitError::Undone(error)) => return Err((error, true)),
        Err(CommitError::Unknown(error)) => return Err((error, false)),
    };
    publish(context, state, replaced, outputs);
    let unmarked = committed.unmark(&names(outputs));
    if let Err(error) = &unmarked {
        tracing::warn!("a compaction of {} is ended by the next start: {error}", dir.display());
    }
    let ending = Arc::new(Ending {
        context: context.clone(),
        state: state.clone(),
        committed,
        left_count: AtomicUsize::new(replaced.len()),
        is_hindered: AtomicBool::new(unmarked.is_err()),
    });
    for sstable in replaced {
        let (ending, descriptor) = (ending.clone(), sstable.descriptor().clone());
        sstable.when_unused(move || ending.remove(descriptor));
    }
    Ok(())
}

/// Of each shard's view one change.
fn publish(context: &Context, state: &TableState, replaced: &[Arc<SsTable>], outputs: &[Arc<SsTable>]) {
    let now_s = context.runtime.clock().wall_s();
    let mut created_s = state.compaction.created_s.lock();
    for sstable in replaced {
        created_s.remove(&sstable.descriptor().id.as_u64());
    }
    created_s.extend(outputs.iter().map(|sstable| (sstable.descriptor().id.as_u64(), now_s)));
    drop(created_s);
    // What was set aside is shown again once it is scrubbed.
    let is_shown = are_there(state, replaced);
    for slot in 0..state.slots.len() {
        let _shard = context.logs[slot].lock();
        let is_gone = |one: &Arc<SsTable>| replaced.iter().any(|gone| Arc::ptr_eq(one, gone));
        let change = |view: &mut View| {
            view.sstables.retain(|old| !is_gone(old));
            let reaching = outputs.iter().filter(|new| slots_of(state, new).contains(&slot));
            view.sstables.extend(reaching.cloned());
        };
        if is_shown {
            state.change_view(slot, change);
        } else {
            state.change_data(slot, change);
        }
    }
}

/// A committed transaction whose inputs are still read.
struct Ending {
    context: Arc<Context>,
    state: Arc<TableState>,
    committed: Committed,
    left_count: AtomicUsize,
    /// Something did not go: the next start does it.
    is_hindered: AtomicBool,
}

impl Ending {
    /// Nobody reads this input any more.
    fn remove(self: Arc<Self>, descriptor: Descriptor) {
        let runtime = self.context.runtime.clone();
        if self.context.is_closed.load(Ordering::Relaxed) {
            return;
        }
        // Nobody waits for it.
        drop(runtime.background(move || {
            let _files_stay = self.state.compaction.gate.read();
            if self.context.is_closed.load(Ordering::Relaxed) {
                return;
            }
            let mut removed = delete_sstable(&**self.context.runtime.disk(), &descriptor);
            if removed.is_err() {
                self.is_hindered.store(true, Ordering::Relaxed);
            }
            let is_last = self.left_count.fetch_sub(1, Ordering::AcqRel) == 1;
            if is_last && !self.is_hindered.load(Ordering::Relaxed) {
                removed = self.committed.end();
            }
            if let Err(error) = removed {
                tracing::debug!("{descriptor} is removed by the next start: {error}");
            }
        }));
    }
}
