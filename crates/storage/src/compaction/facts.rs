//! What a strategy is told of a table.
//!
//! Never here: what it decides.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use sstable::SsTable;

use super::strategy::{Environment, RepairState, SsTableFacts};
use crate::table::TableState;

/// The facts of each of a table's SSTables.
pub(crate) fn facts_of(
    state: &TableState,
    sstables: &[Arc<SsTable>],
    now_s: i64,
    is_set_aside: impl Fn(&SsTable) -> bool,
) -> Vec<SsTableFacts> {
    let created_s = state.compaction.created_s.lock();
    let suspects = state.compaction.suspects.lock();
    let facts = |sstable: &Arc<SsTable>| {
        let metadata = sstable.metadata();
        let id = sstable.descriptor().id.as_u64();
        let ratio = if metadata.compression_ratio > 0.0 { metadata.compression_ratio } else { 1.0 };
        let repair = match metadata.pending_repair {
            Some(session) => RepairState::Pending(session),
            None if metadata.repaired_at_ms > 0 => RepairState::Repaired,
            None => RepairState::Unrepaired,
        };
        SsTableFacts {
            id,
            bytes: (metadata.data_bytes as f64 * ratio) as u64,
            data_bytes: metadata.data_bytes,
            partitions: metadata.partitions,
            cells: metadata.columns,
            first: metadata.first.clone(),
            last: metadata.last.clone(),
            min_timestamp_us: metadata.min_timestamp_us,
            max_timestamp_us: metadata.max_timestamp_us,
            min_local_deletion_s: metadata.min_local_deletion_s,
            max_local_deletion_s: metadata.max_local_deletion_s,
            level: metadata.level,
            repair,
            droppable: metadata.droppable.clone().into(),
            token_coverage: None,
            // Of an earlier run: not before its newest write, if clients' clocks are right.
            created_s: created_s
                .get(&id)
                .copied()
                .unwrap_or_else(|| (metadata.max_timestamp_us / 1_000_000).clamp(0, now_s)),
            reads_per_s: 0.0,
            is_being_compacted: state.compaction.is_busy(id),
            is_suspect: suspects.contains(&id) || is_set_aside(sstable),
        }
    };
    sstables.iter().map(facts).collect()
}

/// What else there is to know.
pub(crate) fn environment_of(state: &TableState, sstables: &[Arc<SsTable>]) -> Environment {
    let table = state.table.load();
    let compaction = &state.compaction;
    let flushed_count = compaction.flushed_count.load(Ordering::Relaxed);
    let views = state.slots.iter().map(|slot| slot.view.load_full());
    let memtable_min_timestamp_us = views
        .flat_map(|view| view.memtables().cloned().collect::<Vec<_>>())
        .filter(|memtable| !memtable.is_empty())
        .map(|memtable| memtable.seen().0.min_timestamp_us)
        .min();
    Environment {
        gc_grace_s: i64::from(table.options.gc_grace_seconds),
        flush_bytes: compaction.flushed_bytes.load(Ordering::Relaxed) / flushed_count.max(1),
        memtable_min_timestamp_us,
        partitions: sstables.iter().map(|sstable| sstable.metadata().partitions).sum(),
        last_expired_check_s: compaction.last_expired_check_s.load(Ordering::Relaxed),
        is_system: state.is_local,
        ..Environment::default()
    }
}
