//! Operations on SSTables as callers ask for them.
//!
//! What an operator asks for goes before what the strategies want: these compactions of the table are stopped first.
//!
//! Read in order: [`Engine::compact`], [`Core::claim_each`] (cleanup, upgrade and their like take SSTables one by one).
//!
//! Never here: how a rewrite is carried out ([`super::rewrite`]).

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::{TableId, Token, TokenRange};
use sstable::scrub::ScrubError;
use sstable::verify::Progress as Done;
use sstable::{Descriptor, SsTable, Version, WriteOptions};
use uuid::Uuid;

use super::{Core, Engine};
use crate::compaction::context::{Claim, Pause, Running};
use crate::compaction::facts::{environment_of, facts_of};
use crate::compaction::replace::replace;
use crate::compaction::strategy::OutputPlan;
use crate::compaction::task::Plan;
use crate::compaction::transaction::{Begun, delete_sstable};
use crate::compaction::{CompactScope, CompactionStats, OperationKind, TombstoneOption};
use crate::table::TableState;
use crate::{OpenError, ScrubOptions, ScrubReport, VerifyFinding, VerifyOptions};

impl Engine {
    /// Compacts what `scope` names of each table; on return it is done. An operation that was stopped is an error.
    pub async fn compact(&self, tables: &[TableId], scope: CompactScope) -> Result<(), OpenError> {
        for state in self.core.states(tables) {
            self.core.compact_table(&state, &scope).await?;
        }
        Ok(())
    }

    /// Removes from each SSTable what newer ones shadow (`nodetool garbagecollect`).
    pub async fn garbage_collect(
        &self,
        tables: &[TableId],
        granularity: TombstoneOption,
    ) -> Result<(), OpenError> {
        for state in self.core.states(tables) {
            let purges_repaired = self.core.strategy_of(&state).only_purges_repaired();
            // What was written last shadows what was written before: the oldest first.
            let is_wanted = |one: &SsTable| !purges_repaired || one.metadata().repaired_at_ms > 0;
            let kind = OperationKind::GarbageCollect;
            let change = |plan: Plan| Some(Plan { garbage: Some(granularity), ..plan });
            self.core.rewrite_each(&state, kind, is_wanted, change).await?;
        }
        Ok(())
    }

    /// Removes partitions whose tokens lie in none of the ranges, which must not be empty.
    pub async fn cleanup(&self, tables: &[TableId], owned: Vec<TokenRange>) -> Result<(), OpenError> {
        if owned.is_empty() {
            return Err(OpenError::Stopped {
                what: "cleanup without a range would remove all data".to_owned(),
            });
        }
        for state in self.core.states(tables) {
            let is_wanted = |one: &SsTable| !lies_within(one, &owned);
            let change = |plan: Plan| {
                let is_foreign = plan.inputs.iter().all(|one| !reaches_into(one, &owned));
                let (inputs, expired) =
                    if is_foreign { (Vec::new(), plan.inputs) } else { (plan.inputs, Vec::new()) };
                Some(Plan { inputs, expired, owned: Some(owned.clone()), ..plan })
            };
            self.core.rewrite_each(&state, OperationKind::Cleanup, is_wanted, change).await?;
        }
        Ok(())
    }

    /// Rewrites SSTables of older formats; `also_current`: all of them.
    pub async fn upgrade_sstables(&self, tables: &[TableId], also_current: bool) -> Result<(), OpenError> {
        for state in self.core.states(tables) {
            let is_wanted = |one: &SsTable| also_current || one.descriptor().version != Version::Da;
            self.core.rewrite_each(&state, OperationKind::UpgradeSstables, is_wanted, Some).await?;
        }
        Ok(())
    }

    /// Rewrites SSTables as far as they can be read.
    pub async fn scrub(&self, tables: &[TableId], options: ScrubOptions) -> Result<ScrubReport, OpenError> {
        let mut report = ScrubReport::default();
        for state in self.core.states(tables) {
            for (sstable, claim) in self.core.claim_each(&state, |_| true).await {
                let running = self.core.begin(&state, OperationKind::Scrub, &sstable).await?;
                let (core, state, options) = (self.core.clone(), state.clone(), options.clone());
                let work = move || core.scrub_one(&state, &sstable, claim, &options, &running.0);
                report.absorb(self.core.runtime.background(work).await?);
            }
        }
        Ok(report)
    }

    /// Checks SSTables; an empty answer means that all is well.
    pub async fn verify(
        &self,
        tables: &[TableId],
        options: VerifyOptions,
    ) -> Result<Vec<VerifyFinding>, OpenError> {
        let mut findings = Vec::new();
        for state in self.core.states(tables) {
            for sstable in state.sstables() {
                let running = self.core.begin(&state, OperationKind::Verify, &sstable).await?;
                let (core, table, options) = (self.core.clone(), state.table.load_full(), options.clone());
                let work = move || core.verify_one(&table, &sstable, &options, &running.0);
                findings.extend(self.core.runtime.background(work).await?);
            }
        }
        Ok(findings)
    }

    /// What runs, and what waits.
    pub fn compaction_stats(&self) -> CompactionStats {
        let tables = self.core.tables.load();
        let pending = |state: &Arc<TableState>| {
            let count = state.compaction.pending_count.load(Ordering::Relaxed);
            let table = state.table.load();
            (count > 0).then(|| (table.keyspace.to_string(), table.name.to_string(), count))
        };
        let mut pending: Vec<_> = tables.values().filter_map(pending).collect();
        pending.sort();
        let context = &self.core.compactions;
        CompactionStats { pending, running: context.operations(), ..context.counted() }
    }

    /// Stops operations: of one kind, or with one id, or all. Returns how many were told to.
    pub fn stop_compactions(&self, kind: Option<OperationKind>, id: Option<Uuid>) -> usize {
        self.core.compactions.stop(|progress| {
            kind.is_none_or(|kind| kind == progress.kind) && id.is_none_or(|id| id == progress.id)
        })
    }

    /// Whether tables are compacted without being asked for.
    pub fn set_auto_compaction(&self, tables: &[TableId], enabled: bool) {
        for state in self.core.states(tables) {
            state.auto_compaction.store(enabled, Ordering::Relaxed);
            state.compaction.is_dirty.store(true, Ordering::Relaxed);
        }
        self.core.compactions.wake.notify_one();
    }

    /// Whether a table is compacted without being asked for.
    pub fn auto_compaction(&self, table: TableId) -> bool {
        self.core.table(table).is_some_and(|state| state.auto_compaction.load(Ordering::Relaxed))
    }

    /// Bounds what compactions read, all together; 0: no bound.
    pub fn set_compaction_throughput(&self, mib_per_s: u64) {
        self.core.compactions.throughput_mib_per_s.store(mib_per_s, Ordering::Relaxed);
    }

    /// How many operations may run at once from now on, 1 at least. Those that run are not stopped.
    pub fn set_concurrent_compactors(&self, count: usize) {
        self.core.compactions.set_concurrent(count);
    }

    /// How many operations may run at once.
    pub fn concurrent_compactors(&self) -> usize {
        *self.core.compactions.concurrent.lock()
    }

    /// MiB a second that compactions may read; 0: no bound.
    pub fn compaction_throughput(&self) -> u64 {
        self.core.compactions.throughput_mib_per_s.load(Ordering::Relaxed)
    }
}

impl Core {
    fn states(&self, tables: &[TableId]) -> Vec<Arc<TableState>> {
        tables.iter().filter_map(|id| self.table(*id)).collect()
    }

    /// Stops all operations and waits for their ends.
    pub(super) async fn end_operations(&self) {
        loop {
            let ended = self.compactions.ended.notified();
            if self.compactions.is_idle() {
                return;
            }
            self.compactions.stop(|_| true);
            ended.await;
        }
    }

    /// Nothing of this table is compacted in the background, and nothing begins, as long as this is held.
    async fn pause(&self, state: &Arc<TableState>) -> Pause {
        let pause = Pause::begin(state);
        self.compactions.stop(|progress| progress.is_background && progress.table_id == state.id);
        pause
    }

    fn check_goes_on(&self) -> Result<(), OpenError> {
        if self.is_stopping.load(Ordering::Relaxed) {
            return Err(OpenError::Stopped { what: "storage is being stopped".to_owned() });
        }
        Ok(())
    }

    async fn compact_table(
        self: &Arc<Self>,
        state: &Arc<TableState>,
        scope: &CompactScope,
    ) -> Result<(), OpenError> {
        let pause = self.pause(state).await;
        let ids: Vec<u64> = chosen(state, scope).iter().map(|one| one.descriptor().id.as_u64()).collect();
        state.compaction.until_free(&ids).await;
        let (core, the_state, the_scope) = (self.clone(), state.clone(), scope.clone());
        let prepared = self.runtime.background(move || core.prepare_requested(&the_state, &the_scope)).await;
        drop(pause);
        for ready in prepared? {
            self.check_goes_on()?;
            let _permit = self.compactions.permits.acquire().await;
            self.run_task(ready).await?;
        }
        Ok(())
    }

    fn prepare_requested(
        &self,
        state: &Arc<TableState>,
        scope: &CompactScope,
    ) -> Result<Vec<super::rewrite::Ready>, OpenError> {
        let now_s = self.runtime.clock().wall_s();
        let (all, chosen) = (state.sstables(), chosen(state, scope));
        let strategy = self.strategy_of(state);
        let is_set_aside = |one: &SsTable| self.damage.is_set_aside(one.descriptor());
        let facts = facts_of(state, &chosen, now_s, is_set_aside);
        let env = environment_of(state, &all);
        let decisions = match scope {
            CompactScope::All => strategy.major(&facts, false, now_s, &env),
            CompactScope::SplitOutput => strategy.major(&facts, true, now_s, &env),
            _ => strategy.user_defined(&facts, &env),
        };
        let kind = match scope {
            CompactScope::All | CompactScope::SplitOutput => OperationKind::MajorCompaction,
            _ => OperationKind::Compaction,
        };
        let prepared = decisions.into_iter().map(|decision| self.prepare(state, decision, &all, kind));
        prepared.filter_map(Result::transpose).collect()
    }

    /// Claims each of the SSTables that are wanted, those with the oldest data first.
    async fn claim_each(
        &self,
        state: &Arc<TableState>,
        is_wanted: impl Fn(&SsTable) -> bool,
    ) -> Vec<(Arc<SsTable>, Claim)> {
        let _pause = self.pause(state).await;
        loop {
            let mut wanted = state.sstables();
            wanted.retain(|one| is_wanted(one) && !state.compaction.is_suspect(one.descriptor().id.as_u64()));
            wanted.sort_by_key(|one| one.metadata().max_timestamp_us);
            let ids: Vec<u64> = wanted.iter().map(|one| one.descriptor().id.as_u64()).collect();
            state.compaction.until_free(&ids).await;
            let now: Vec<_> = state.sstables();
            if !wanted.iter().all(|one| now.iter().any(|other| Arc::ptr_eq(one, other))) {
                // An operation that ended meanwhile has put others into their places.
                continue;
            }
            let claimed: Vec<_> = wanted
                .into_iter()
                .filter_map(|one| Some((one.clone(), Claim::take(state, &[one])?)))
                .collect();
            if claimed.len() == ids.len() {
                return claimed;
            }
        }
    }

    /// Rewrites each SSTable that is wanted into one of its level.
    async fn rewrite_each(
        self: &Arc<Self>,
        state: &Arc<TableState>,
        kind: OperationKind,
        is_wanted: impl Fn(&SsTable) -> bool,
        change: impl Fn(Plan) -> Option<Plan>,
    ) -> Result<(), OpenError> {
        for (sstable, claim) in self.claim_each(state, is_wanted).await {
            self.check_goes_on()?;
            if self.damage.is_set_aside(sstable.descriptor()) {
                continue;
            }
            let level = sstable.metadata().level;
            let inputs = vec![sstable];
            let limits = self.limits_of(state, &inputs);
            let (output, expired) = (OutputPlan::Single, Vec::new());
            let plan = Plan { inputs, expired, level, output, limits, owned: None, garbage: None };
            let Some(plan) = change(plan) else { continue };
            let _permit = self.compactions.permits.acquire().await;
            self.run_task(self.ready(state, plan, claim, kind)).await?;
        }
        Ok(())
    }

    /// An operation that reads one SSTable; it has a permit.
    async fn begin(
        &self,
        state: &Arc<TableState>,
        kind: OperationKind,
        sstable: &SsTable,
    ) -> Result<(Running, tokio::sync::OwnedSemaphorePermit), OpenError> {
        let stopped = || OpenError::Stopped { what: "storage is being stopped".to_owned() };
        let permit = self.compactions.permits.clone().acquire_owned().await.map_err(|_| stopped())?;
        self.check_goes_on()?;
        let metadata = sstable.metadata();
        let room = if kind == OperationKind::Scrub { metadata.bytes_on_disk } else { 0 };
        let running = Running::begin(&self.compactions, (kind, false), state, metadata.data_bytes, room);
        Ok((running, permit))
    }

    fn verify_one(
        &self,
        table: &Arc<model::Table>,
        sstable: &SsTable,
        options: &VerifyOptions,
        running: &Running,
    ) -> Result<Vec<VerifyFinding>, OpenError> {
        let descriptor = sstable.descriptor();
        let mut on_progress = follow(running);
        let report =
            sstable::verify::verify(self.runtime.disk(), descriptor, Some(table), options, &mut on_progress);
        let report = report.map_err(|error| ss_table_error(descriptor, Box::new(error)))?;
        if running.progress.is_stopped() {
            return Err(OpenError::Stopped { what: format!("{} was stopped", OperationKind::Verify) });
        }
        Ok(report.findings)
    }

    fn scrub_one(
        &self,
        state: &Arc<TableState>,
        sstable: &Arc<SsTable>,
        claim: Claim,
        options: &ScrubOptions,
        running: &Running,
    ) -> Result<ScrubReport, OpenError> {
        let _files_stay = state.compaction.gate.read();
        let (disk, table) = (self.runtime.disk(), state.table.load_full());
        let descriptor = sstable.descriptor();
        let metadata = sstable.metadata();
        let mut write =
            WriteOptions::for_table(&table).map_err(|error| ss_table_error(descriptor, Box::new(error)))?;
        write.host_id = Some(self.options.host_id);
        write.level = metadata.level;
        (write.repaired_at_ms, write.pending_repair) = (metadata.repaired_at_ms, metadata.pending_repair);
        let mut begun: Vec<Begun> = Vec::new();
        let mut not_begun = None;
        let mut next_output = || {
            let id = state.next_sstable_id.fetch_add(1, Ordering::Relaxed);
            let output = Descriptor::new(&*state.dir, id);
            match Begun::note(&**disk, &output) {
                Ok(mark) => begun.push(mark),
                Err(error) => not_begun = Some(error),
            }
            output
        };
        let mut on_progress = follow(running);
        let report = sstable::scrub::scrub(
            disk,
            descriptor,
            &table,
            options,
            write,
            &mut next_output,
            &mut on_progress,
        );
        let give_up = |outputs: &[Descriptor], begun: Vec<Begun>| {
            let removed = outputs.iter().try_for_each(|output| delete_sstable(&**disk, output));
            if let Err(error) =
                removed.and_then(|()| begun.into_iter().try_for_each(|mark| mark.removed(&**disk)))
            {
                tracing::warn!("what a scrub of {descriptor} wrote stays until the next start: {error}");
            }
        };
        let report = match (report, not_begun) {
            (Ok(report), None) => report,
            (Ok(report), Some(error)) => {
                let outputs: Vec<_> = report.outputs.iter().map(|one| one.descriptor.clone()).collect();
                give_up(&outputs, begun);
                return Err(error);
            }
            (Err(error), _) => {
                give_up(&[], begun);
                return Err(match error {
                    ScrubError::Cancelled => {
                        OpenError::Stopped { what: format!("{} was stopped", OperationKind::Scrub) }
                    }
                    error => ss_table_error(descriptor, Box::new(error)),
                });
            }
        };
        let outputs: Vec<Descriptor> = report.outputs.iter().map(|one| one.descriptor.clone()).collect();
        match replace(&self.compactions, state, std::slice::from_ref(sstable), &outputs, running.progress.id)
        {
            Ok(()) => {
                self.damage.forget(descriptor);
                Ok(report)
            }
            Err((error, is_undone)) => {
                if is_undone {
                    give_up(&outputs, begun);
                } else {
                    claim.leave_alone();
                }
                Err(error)
            }
        }
    }
}

/// Takes note of how far a verification or a scrub is, and ends it when it is stopped.
fn follow(running: &Running) -> impl FnMut(Done) -> ControlFlow<()> {
    let progress = running.progress.clone();
    move |done| {
        progress.completed_bytes.store(done.done_bytes, Ordering::Relaxed);
        if progress.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn ss_table_error(descriptor: &Descriptor, source: model::partition::SourceError) -> OpenError {
    OpenError::SsTable { path: PathBuf::from(descriptor.to_string()), source }
}

/// The SSTables that an operator named.
fn chosen(state: &TableState, scope: &CompactScope) -> Vec<Arc<SsTable>> {
    let mut all = state.sstables();
    match scope {
        CompactScope::All | CompactScope::SplitOutput => {}
        CompactScope::Partition(key) => all.retain(|one| one.may_contain(key)),
        CompactScope::TokenRange { start, end } => {
            let range = TokenRange { start: Token(*start), end: Token(*end) };
            all.retain(|one| reaches_into(one, std::slice::from_ref(&range)));
        }
        CompactScope::SsTables(named) => all.retain(|one| named.contains(one.descriptor())),
    }
    all
}

/// True if all its partitions lie in one of the ranges.
fn lies_within(sstable: &SsTable, ranges: &[TokenRange]) -> bool {
    let (first, last) = (sstable.metadata().first.token, sstable.metadata().last.token);
    ranges.iter().any(|range| {
        let goes_round = range.start >= range.end;
        let is_split = goes_round && range.start != range.end && first <= range.end && last > range.start;
        range.contains(first) && range.contains(last) && !is_split
    })
}

/// True if one of its partitions may lie in one of the ranges.
fn reaches_into(sstable: &SsTable, ranges: &[TokenRange]) -> bool {
    let (first, last) = (sstable.metadata().first.token, sstable.metadata().last.token);
    ranges.iter().any(|range| {
        range.contains(first) || range.contains(last) || (first <= range.start && range.start < last)
    })
}
