//! Compaction as callers ask for it.

use std::sync::atomic::Ordering;

use model::{TableId, TokenRange};
use uuid::Uuid;

use super::Engine;
use crate::OpenError;
use crate::compaction::{
    CompactScope, CompactionStats, OperationKind, ScrubOptions, ScrubReport, TombstoneOption, VerifyFinding,
    VerifyOptions,
};

/// What can be asked for is refused until it is there.
fn not_yet() -> OpenError {
    OpenError::Stopped { what: "not yet available".to_owned() }
}

impl Engine {
    /// Compacts what `scope` names of each table; on return it is done. A major compaction of a whole table takes
    /// what no other operation holds. An operation that was stopped is an error.
    pub async fn compact(&self, _tables: &[TableId], _scope: CompactScope) -> Result<(), OpenError> {
        Err(not_yet())
    }

    /// Removes from each SSTable what newer ones shadow (`nodetool garbagecollect`).
    pub async fn garbage_collect(
        &self,
        _tables: &[TableId],
        _granularity: TombstoneOption,
    ) -> Result<(), OpenError> {
        Err(not_yet())
    }

    /// Removes partitions whose tokens lie in none of the ranges.
    pub async fn cleanup(&self, _tables: &[TableId], _owned: Vec<TokenRange>) -> Result<(), OpenError> {
        Err(not_yet())
    }

    /// Rewrites SSTables of older formats; `also_current`: all of them.
    pub async fn upgrade_sstables(&self, _tables: &[TableId], _also_current: bool) -> Result<(), OpenError> {
        Err(not_yet())
    }

    /// Rewrites SSTables as far as they can be read.
    pub async fn scrub(&self, _tables: &[TableId], _options: ScrubOptions) -> Result<ScrubReport, OpenError> {
        Err(not_yet())
    }

    /// Checks SSTables; an empty answer means that all is well.
    pub async fn verify(
        &self,
        _tables: &[TableId],
        _options: VerifyOptions,
    ) -> Result<Vec<VerifyFinding>, OpenError> {
        Err(not_yet())
    }

    /// What runs, and what waits.
    pub fn compaction_stats(&self) -> CompactionStats {
        CompactionStats::default()
    }

    /// Stops operations: of one kind, or with one id, or all. Returns how many were told to.
    pub fn stop_compactions(&self, _kind: Option<OperationKind>, _id: Option<Uuid>) -> usize {
        0
    }

    /// Whether tables are compacted without being asked for.
    pub fn set_auto_compaction(&self, tables: &[TableId], enabled: bool) {
        for table in tables.iter().filter_map(|id| self.core.table(*id)) {
            table.auto_compaction.store(enabled, Ordering::Relaxed);
        }
    }

    /// Whether a table is compacted without being asked for.
    pub fn auto_compaction(&self, table: TableId) -> bool {
        self.core.table(table).is_some_and(|table| table.auto_compaction.load(Ordering::Relaxed))
    }

    /// Bounds what compactions read, all together; 0: no bound.
    pub fn set_compaction_throughput(&self, mib_per_s: u64) {
        self.core.compactions.throughput_mib_per_s.store(mib_per_s, Ordering::Relaxed);
    }

    /// MiB a second that compactions may read; 0: no bound.
    pub fn compaction_throughput(&self) -> u64 {
        self.core.compactions.throughput_mib_per_s.load(Ordering::Relaxed)
    }
}
