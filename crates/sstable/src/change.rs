//! Changes of `Statistics.db`: the one component that is rewritten after the SSTable was made.
//!
//! Never here: when to change what.

use std::sync::Arc;

use runtime::Disk;
use uuid::Uuid;

use crate::descriptor::{Component, Descriptor};
use crate::error::ReadError;
use crate::statistics::Statistics;
use crate::statistics::stats::NO_POSITION;

/// What is to change; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatisticsChange {
    /// Level of leveled compaction.
    pub level: Option<i32>,
    /// When it was repaired, milliseconds; 0: never.
    pub repaired_at_ms: Option<i64>,
    /// The repair session that it is part of.
    pub pending_repair: Option<Option<Uuid>>,
    /// It no longer says which writes of which node's commit log it holds.
    pub forget_commit_log: bool,
}

/// Replaces `Statistics.db`: after a crash the old one or the new one is there. An SSTable that is open keeps what it
/// read. Files of versions that are not written any more stay as they are: no node of ours has made them.
pub fn change_statistics(
    disk: &Arc<dyn Disk>,
    descriptor: &Descriptor,
    change: &StatisticsChange,
) -> Result<(), ReadError> {
    if !descriptor.version.is_writable() {
        return Ok(());
    }
    let path = descriptor.path(Component::Statistics);
    let io = |source| ReadError::io(Component::Statistics, 0, source);
    let mut statistics = Statistics::parse(&disk.read_all(&path).map_err(io)?, descriptor.version)?;
    let stats = &mut statistics.stats;
    stats.level = change.level.unwrap_or(stats.level);
    stats.repaired_at_ms = change.repaired_at_ms.unwrap_or(stats.repaired_at_ms);
    stats.pending_repair = change.pending_repair.unwrap_or(stats.pending_repair);
    if change.forget_commit_log {
        stats.host_id = None;
        stats.commit_log_intervals.clear();
        stats.commit_log_lower = NO_POSITION;
        stats.commit_log_upper = NO_POSITION;
    }
    disk.write_all_synced(&path, &statistics.encode(descriptor.version)).map_err(io)
}
