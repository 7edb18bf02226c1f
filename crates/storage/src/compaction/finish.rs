//! The end of a rewrite: the commit, and what goes after it.
//!
//! Never here: the merge.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sstable::{Descriptor, SsTable};

use super::context::Context;
use super::task::{Failure, Summary, Task};
use super::transaction::{self, CommitError, Committed, delete_sstable};
use crate::OpenError;
use crate::commitlog::Position;
use crate::commitlog::replay::list_segments;
use crate::engine::truncate::Truncated;
use crate::shards::shard_of;
use crate::table::TableState;

type StoredInterval = ((i64, i32), (i64, i32));

/// The shards of a table that an SSTable reaches into.
pub(crate) fn slots_of(state: &TableState, sstable: &SsTable) -> std::ops::RangeInclusive<usize> {
    let (metadata, count) = (sstable.metadata(), state.slots.len());
    shard_of(metadata.first.token, count)..=shard_of(metadata.last.token, count)
}

impl Task {
    /// Puts the outputs into the place of the inputs, for good.
    pub(super) fn finish(&mut self) -> Result<Summary, Failure> {
        self.check_wanted()?;
        let replaced: Vec<Arc<SsTable>> = self.plan.replaced().cloned().collect();
        let is_there = |sstable: &Arc<SsTable>| {
            slots_of(&self.state, sstable).all(|slot| {
                let view = self.state.slots[slot].view.load();
                view.sstables.iter().any(|other| Arc::ptr_eq(other, sstable))
            })
        };
        if !replaced.iter().all(is_there) {
            return Err(Failure::Stopped("its SSTables are gone".to_owned()));
        }
        if self.outputs.is_empty() {
            self.remember_intervals().map_err(Failure::Failed)?;
        }
        let names = |sstables: &[Arc<SsTable>]| -> Vec<Descriptor> {
            sstables.iter().map(|sstable| sstable.descriptor().clone()).collect()
        };
        let outputs: Vec<Arc<SsTable>> = self.outputs.iter().map(|(sstable, _)| sstable.clone()).collect();
        let disk = self.context.runtime.disk();
        let (dir, id) = (&self.state.dir, self.progress.id);
        let committed = transaction::commit(disk, dir, id, &names(&outputs), &names(&replaced));
        let committed = match committed {
            Ok(committed) => committed,
            Err(CommitError::Undone(error)) => return Err(Failure::Failed(error)),
            Err(CommitError::Unknown(error)) => {
                self.outputs.clear();
                self.claim.take().into_iter().for_each(super::context::Claim::keep_for_ever);
                return Err(Failure::Unknown(error));
            }
        };
        self.publish(&replaced, &outputs);
        self.outputs.clear();
        let unmarked = committed.unmark(&names(&outputs));
        if let Err(error) = &unmarked {
            tracing::warn!("a compaction of {} is ended by the next start: {error}", dir.display());
        }
        let ending = Ending {
            context: self.context.clone(),
            committed,
            left_count: AtomicUsize::new(replaced.len()),
            is_hindered: AtomicBool::new(unmarked.is_err()),
        };
        let ending = Arc::new(ending);
        for sstable in &replaced {
            let (ending, descriptor) = (ending.clone(), sstable.descriptor().clone());
            sstable.when_unused(move || ending.remove(descriptor));
        }
        let bytes = |sstables: &[Arc<SsTable>]| {
            sstables.iter().map(|sstable| sstable.metadata().bytes_on_disk).sum::<u64>()
        };
        Ok(Summary {
            inputs_count: replaced.len(),
            outputs_count: outputs.len(),
            inputs_bytes: bytes(&replaced),
            outputs_bytes: bytes(&outputs),
        })
    }

    /// Of each shard's view one change.
    fn publish(&self, replaced: &[Arc<SsTable>], outputs: &[Arc<SsTable>]) {
        let now_s = self.context.runtime.clock().wall_s();
        let mut created_s = self.state.compaction.created_s.lock();
        replaced.iter().for_each(|sstable| {
            created_s.remove(&sstable.descriptor().id.as_u64());
        });
        created_s.extend(outputs.iter().map(|sstable| (sstable.descriptor().id.as_u64(), now_s)));
        drop(created_s);
        for slot in 0..self.state.slots.len() {
            let _shard = self.context.logs[slot].lock();
            self.state.change_view(slot, |view| {
                view.sstables.retain(|old| !replaced.iter().any(|gone| Arc::ptr_eq(old, gone)));
                let reaching = outputs.iter().filter(|new| slots_of(&self.state, new).contains(&slot));
                view.sstables.extend(reaching.cloned());
            });
        }
    }

    /// Which writes of this node's log the SSTables that go hold, as far as that log still exists.
    pub(super) fn intervals(&self) -> Result<Vec<StoredInterval>, Failure> {
        let ours =
            self.plan.replaced().filter(|old| old.metadata().host_id == Some(self.context.host_id));
        let mut all: Vec<StoredInterval> =
            ours.flat_map(|old| old.metadata().commit_log_intervals.iter().copied()).collect();
        all.sort_unstable();
        let mut united: Vec<StoredInterval> = Vec::with_capacity(all.len());
        for (start, end) in all {
            match united.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => united.push((start, end)),
            }
        }
        let segments = self.live_segments().map_err(Failure::Failed)?;
        // The last one stays whatever happens: new segments are numbered after it.
        let last = united.iter().max_by_key(|(_, end)| *end).copied();
        united.retain(|interval| {
            let (start, end) = interval;
            Some(*interval) == last || segments.iter().any(|id| start.0 <= *id && *id <= end.0)
        });
        Ok(united)
    }

    fn live_segments(&self) -> Result<Vec<i64>, OpenError> {
        let (disk, dir) = (&**self.context.runtime.disk(), &self.context.commitlog_dir);
        // A segment that was removed, and comes back with a power loss, would be replayed.
        disk.sync_dir(dir).map_err(OpenError::io(dir))?;
        Ok(list_segments(disk, dir)?.into_iter().map(|segment| segment.id).collect())
    }

    /// Nothing is left that could say which writes need not be replayed: a file of the table says it.
    fn remember_intervals(&self) -> Result<(), OpenError> {
        let intervals = match self.intervals() {
            Ok(intervals) => intervals,
            Err(Failure::Failed(error)) => return Err(error),
            Err(_) => return Ok(()),
        };
        let segments = self.live_segments()?;
        let disk = &**self.context.runtime.disk();
        let _one_at_a_time = self.state.compaction.truncated_file.lock();
        let mut truncated = Truncated::load(disk, &self.state.dir)?;
        let place = |(segment_id, offset): (i64, i32)| Position { segment_id, offset: offset as u32 };
        truncated.intervals.extend(intervals.iter().map(|(start, end)| (place(*start), place(*end))));
        truncated.intervals.retain(|(start, end)| {
            segments.iter().any(|id| start.segment_id <= *id && *id <= end.segment_id)
        });
        truncated.store(disk, &self.state.dir)
    }
}

/// A committed rewrite whose inputs are still read.
struct Ending {
    context: Arc<Context>,
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
