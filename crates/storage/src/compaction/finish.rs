//! The end of a rewrite, and what it says of the commit log.
//!
//! Never here: the merge, the commit itself ([`super::replace`]).

use std::sync::Arc;

use sstable::SsTable;

use super::replace::{are_there, replace_by};
use super::task::{Failure, Summary, Task};
use crate::OpenError;
use crate::commitlog::Position;
use crate::commitlog::replay::list_segments;
use crate::engine::truncate::Truncated;

type StoredInterval = ((i64, i32), (i64, i32));

impl Task {
    /// Puts the outputs into the place of the inputs, for good.
    pub(super) fn finish(&mut self) -> Result<Summary, Failure> {
        self.check_wanted()?;
        let replaced: Vec<Arc<SsTable>> = self.plan.replaced().cloned().collect();
        if !are_there(&self.state, &replaced) {
            return Err(Failure::Stopped("its SSTables are gone".to_owned()));
        }
        if self.outputs.is_empty() {
            self.remember_intervals().map_err(Failure::Failed)?;
        }
        let opened: Vec<Arc<SsTable>> = self.outputs.iter().map(|(sstable, _)| sstable.clone()).collect();
        if let Err((error, is_undone)) =
            replace_by(&self.context, &self.state, &replaced, &opened, self.progress.id)
        {
            if is_undone {
                return Err(Failure::Failed(error));
            }
            self.outputs.clear();
            self.claim.take().into_iter().for_each(super::context::Claim::leave_alone);
            return Err(Failure::Unknown(error));
        }
        self.outputs.clear();
        let bytes = |sstables: &[Arc<SsTable>]| {
            sstables.iter().map(|sstable| sstable.metadata().bytes_on_disk).sum::<u64>()
        };
        let data_bytes = |sstables: &[Arc<SsTable>]| {
            sstables.iter().map(|sstable| sstable.metadata().data_file_bytes).sum::<u64>()
        };
        Ok(Summary {
            inputs_count: replaced.len(),
            outputs_count: opened.len(),
            inputs_bytes: bytes(&replaced),
            outputs_bytes: bytes(&opened),
            inputs_data_bytes: data_bytes(&replaced),
            outputs_data_bytes: data_bytes(&opened),
            merged_partitions: self
                .merge
                .as_ref()
                .map(|merge| merge.merged_partitions().clone())
                .unwrap_or_default(),
        })
    }

    /// Which writes of this node's log the SSTables that go hold, as far as that log still exists.
    pub(super) fn intervals(&self) -> Result<Vec<StoredInterval>, Failure> {
        let ours = self.plan.replaced().filter(|old| old.metadata().host_id == Some(self.context.host_id));
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
