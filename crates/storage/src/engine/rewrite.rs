//! Carries out rewrites of SSTables, in the background by themselves and for operators.
//!
//! A driver on the first shard's thread asks the strategies (on a background thread) whenever something has changed,
//! and at least every minute; each rewrite is a future there, whose steps run on background threads.
//!
//! Read in order: [`Core::run_task`] (one rewrite), [`Core::start_compactions`] (the driver), `choose` (what next).
//!
//! Never here: what callers see ([`super::compact`]), decisions.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use sstable::SsTable;

use super::Core;
use crate::OpenError;
use crate::compaction::context::{Claim, Progress, Running};
use crate::compaction::facts::{environment_of, facts_of};
use crate::compaction::purge::Limits;
use crate::compaction::strategy::{Decision, OutputPlan, Strategy, overlap_most};
use crate::compaction::task::{Failure, Plan, Step, Summary, Task};
use crate::compaction::{History, OperationKind};
use crate::table::TableState;

/// The strategies are asked at least this often: time makes work, too.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// After a failed compaction the next one of the table is not tried before so many milliseconds; each further failure
/// doubles it.
const RETRY_MS: u64 = 10_000;
const RETRY_MS_MAX: u64 = 600_000;
/// A table of which so many SSTables overlap lags behind its writes: a read may have to ask all of them. Its compactions
/// yield to requests no longer, but still to flushes that lag. The number is that of Cassandra's `max_threshold`.
const LAGGING_OVERLAP: usize = 32;
/// Of the disk compactions leave so much free.
const FREE_PERMILLE: u64 = 50;

/// A rewrite that can begin.
pub(super) struct Ready {
    state: Arc<TableState>,
    plan: Plan,
    claim: Claim,
    kind: OperationKind,
    is_background: bool,
    /// Its SSTable keeps all that it holds and gets another level: Cassandra changes a file's field there.
    is_relevel: bool,
    reason: String,
}

impl Core {
    pub(super) fn strategy_of(&self, state: &TableState) -> Strategy {
        let table = state.table.load();
        Strategy::from_options(&table.options.compaction).unwrap_or_else(|error| {
            tracing::warn!("{}.{}: {error}; unified compaction is used", table.keyspace, table.name);
            Strategy::from_options(&std::collections::BTreeMap::new()).expect("the defaults are valid")
        })
    }

    /// What of a table's tombstones may go now.
    pub(super) fn limits_of(&self, state: &TableState, inputs: &[Arc<SsTable>]) -> Limits {
        let now_s = self.runtime.clock().wall_s();
        let limits = Limits::new(now_s, state.table.load().options.gc_grace_seconds);
        let is_unrepaired = inputs.iter().any(|input| input.metadata().repaired_at_ms == 0);
        // What an SSTable holds that is not served could come back with it.
        let hides = |damaged: &super::SetAside| damaged.table == state.id && !damaged.is_served;
        let is_blocked = (is_unrepaired && self.strategy_of(state).only_purges_repaired())
            || self.damage.set_aside().iter().any(hides);
        if is_blocked { limits.without_purge() } else { limits }
    }

    /// Bytes that a new compaction of this table may take.
    fn free_bytes(&self, state: &TableState) -> Result<u64, OpenError> {
        let space = self.runtime.disk().space(&state.dir).map_err(OpenError::io(&state.dir))?;
        let kept = space.total_bytes / 1_000 * FREE_PERMILLE;
        Ok(space.available_bytes.saturating_sub(kept).saturating_sub(self.compactions.reserved_bytes()))
    }

    /// Makes a plan of a decision, if its SSTables are free and there is room.
    pub(super) fn prepare(
        &self,
        state: &Arc<TableState>,
        mut decision: Decision,
        sstables: &[Arc<SsTable>],
        kind: OperationKind,
    ) -> Result<Option<Ready>, OpenError> {
        let facts = facts_of(state, sstables, self.runtime.clock().wall_s(), |_| false);
        let free_bytes = if decision.needed_bytes > 0 { self.free_bytes(state)? } else { u64::MAX };
        let needed_bytes = decision.needed_bytes;
        let wanted_count = decision.inputs.len();
        let counts = &self.compactions.counts;
        if !decision.shrink(&facts, free_bytes) {
            counts.lock().aborted += 1;
            let what = format!(
                "{}: {needed_bytes} bytes are needed to compact {} SSTables, {free_bytes} may be used",
                state.dir.display(),
                decision.inputs.len()
            );
            return Err(OpenError::Stopped { what });
        }
        if decision.needed_bytes < needed_bytes {
            let mut counts = counts.lock();
            counts.reduced += 1;
            counts.dropped_sstables += (wanted_count - decision.inputs.len()) as u64;
            drop(counts);
            tracing::warn!(
                "{}: for want of room {} SSTables are compacted instead of {needed_bytes} bytes of them",
                state.dir.display(),
                decision.inputs.len()
            );
        }
        let find = |id: &u64| sstables.iter().find(|one| one.descriptor().id.as_u64() == *id).cloned();
        let all: Vec<Arc<SsTable>> = decision.inputs.iter().filter_map(find).collect();
        if all.len() != decision.inputs.len() {
            return Ok(None);
        }
        let Some(claim) = Claim::take(state, &all) else { return Ok(None) };
        let (expired, inputs): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|one| decision.expired.contains(&one.descriptor().id.as_u64()));
        let limits = self.limits_of(state, &inputs);
        let plan = Plan {
            inputs,
            expired,
            level: decision.output_level,
            output: decision.output,
            limits,
            owned: None,
            garbage: None,
        };
        let reason = decision.reason.to_string();
        Ok(Some(Ready {
            state: state.clone(),
            plan,
            claim,
            kind,
            is_background: false,
            is_relevel: false,
            reason,
        }))
    }

    /// A rewrite of SSTables that are claimed.
    pub(super) fn ready(
        &self,
        state: &Arc<TableState>,
        plan: Plan,
        claim: Claim,
        kind: OperationKind,
    ) -> Ready {
        let reason = "requested".to_owned();
        Ready { state: state.clone(), plan, claim, kind, is_background: false, is_relevel: false, reason }
    }

    /// Carries a rewrite out; the caller holds a permit.
    pub(super) async fn run_task(self: &Arc<Self>, ready: Ready) -> Result<Summary, OpenError> {
        let Ready { state, plan, claim, kind, is_background, is_relevel, reason } = ready;
        let context = &self.compactions;
        if plan.output == OutputPlan::Relevel {
            return self.relevel(state, plan, claim, is_background).await;
        }
        let data_bytes = plan.inputs.iter().map(|input| input.metadata().data_bytes).sum();
        let room_bytes = plan.inputs.iter().map(|input| input.metadata().bytes_on_disk).sum();
        let running = Running::begin(context, (kind, is_background), &state, data_bytes, room_bytes);
        let begun = self.runtime.clock().monotonic();
        let inputs = plan.inputs.clone();
        if self.options.snapshot_before_compaction && !is_relevel && leaves_snapshot(kind) {
            let (core, the_state) = (self.clone(), state.clone());
            let taken = self.runtime.background(move || core.snapshot_before_compaction(&the_state)).await;
            if let Err(error) = taken {
                return self.task_failed(&state, kind, Failure::Failed(error), &inputs);
            }
        }
        let mut task = Task::new(context, &state, plan, &running.progress, claim);
        let failure = loop {
            let take_step = move || {
                let step = task.step();
                (task, step)
            };
            let hurries = state.compaction.overlap() >= LAGGING_OVERLAP && !self.flushes_lag();
            let step =
                if hurries { self.runtime.hurried(take_step) } else { self.runtime.background(take_step) };
            let (returned, step) = step.await;
            task = returned;
            match step {
                Ok(Step::More(read_bytes)) => context.throttle(read_bytes, &running.progress).await,
                Ok(Step::Done(summary)) => {
                    self.runtime.background(move || drop(task)).await;
                    context.completed(data_bytes, summary.inputs_data_bytes);
                    let took = self.runtime.clock().monotonic().saturating_sub(begun);
                    tracing::debug!(
                        "{kind} of {}: {} SSTables of {} bytes became {} of {} bytes in {took:?} ({reason})",
                        state.dir.display(),
                        summary.inputs_count,
                        summary.inputs_bytes,
                        summary.outputs_count,
                        summary.outputs_bytes
                    );
                    if !is_relevel {
                        self.remember(&running.progress, &summary);
                    }
                    return Ok(summary);
                }
                Err(failure) => break failure,
            }
        };
        if let Failure::Unknown(_) = &failure {
            self.runtime.background(move || drop(task)).await;
        } else {
            self.runtime.background(move || task.abort()).await;
        }
        let core = self.clone();
        self.runtime.background(move || core.task_failed(&state, kind, failure, &inputs)).await
    }

    /// Writes what a compaction did, if anything is to be written of it. Losing it is no harm, so nobody waits.
    fn remember(self: &Arc<Self>, progress: &Progress, summary: &Summary) {
        let Some(History(mutations)) = &self.options.history else { return };
        let mutations = mutations(&progress.record(summary));
        if mutations.is_empty() {
            return;
        }
        if let Err(error) = self.apply(&mutations) {
            tracing::debug!("a row of the history of compactions was lost: {error}");
        }
    }

    /// Says what went wrong, and has those act who must.
    fn task_failed(
        &self,
        state: &Arc<TableState>,
        kind: OperationKind,
        failure: Failure,
        inputs: &[Arc<SsTable>],
    ) -> Result<Summary, OpenError> {
        let dir = state.dir.display();
        if !matches!(failure, Failure::Stopped(_)) {
            self.failures_count.fetch_add(1, Ordering::Relaxed);
        }
        match failure {
            Failure::Stopped(why) => {
                Err(OpenError::Stopped { what: format!("{kind} of {dir} was stopped: {why}") })
            }
            Failure::Failed(error) => {
                tracing::error!("{kind} of {dir} failed, its SSTables stay: {error}");
                self.damage.write_failed(&error, &format!("{kind} of {dir} failed: {error}"));
                Err(error)
            }
            Failure::Corrupt(id, error) => {
                tracing::error!("{kind} of {dir} failed, its SSTables stay: {error}");
                state.compaction.suspects.lock().insert(id);
                if let Some(input) = inputs.iter().find(|input| input.descriptor().id.as_u64() == id) {
                    self.set_aside_sstable(state, input, &error.to_string());
                }
                Err(error)
            }
            Failure::Unknown(error) => {
                tracing::error!(
                    "{kind} of {dir}: nobody knows whether it was committed, the next start will see: {error}"
                );
                Err(error)
            }
        }
    }

    /// Gives SSTables another level, one by one: written anew each.
    async fn relevel(
        self: &Arc<Self>,
        state: Arc<TableState>,
        plan: Plan,
        claim: Claim,
        is_background: bool,
    ) -> Result<Summary, OpenError> {
        drop(claim);
        let mut sum = Summary::default();
        for input in plan.inputs {
            let inputs = vec![input];
            let Some(claim) = Claim::take(&state, &inputs) else { continue };
            let (limits, level, output) = (plan.limits, plan.level, OutputPlan::Single);
            let plan =
                Plan { inputs, expired: Vec::new(), level, output, limits, owned: None, garbage: None };
            let mut ready = self.ready(&state, plan, claim, OperationKind::Compaction);
            ready.reason = "another level".to_owned();
            (ready.is_background, ready.is_relevel) = (is_background, true);
            let summary = Box::pin(self.run_task(ready)).await?;
            sum.inputs_count += summary.inputs_count;
            sum.outputs_count += summary.outputs_count;
            sum.inputs_bytes += summary.inputs_bytes;
            sum.outputs_bytes += summary.outputs_bytes;
        }
        Ok(sum)
    }

    /// Begins to compact in the background.
    pub(super) fn start_compactions(self: &Arc<Self>) {
        for state in self.tables.load().values() {
            state.compaction.is_dirty.store(true, Ordering::Relaxed);
        }
        let (weak, runtime) = (Arc::downgrade(self), self.runtime.clone());
        let wake = self.compactions.wake.clone();
        wake.notify_one();
        self.runtime.spawn_on(0, move || async move {
            loop {
                // It comes to the same who woke it.
                let is_time = runtime.timeout(ASK_EVERY, wake.notified()).await.is_err();
                if !drive(&weak, is_time).await {
                    return;
                }
            }
        });
    }

    /// The next thing to do in the background, if any.
    fn choose(&self) -> Option<Ready> {
        let mut tables: Vec<Arc<TableState>> = self.tables.load().values().cloned().collect();
        // Those that wait for most first.
        tables.sort_by_key(|state| {
            (std::cmp::Reverse(state.compaction.pending_count.load(Ordering::Relaxed)), state.id)
        });
        tables.iter().find_map(|state| self.choose_of(state))
    }

    fn choose_of(&self, state: &Arc<TableState>) -> Option<Ready> {
        let compaction = &state.compaction;
        let is_off = !state.auto_compaction.load(Ordering::Relaxed)
            || compaction.paused_count.load(Ordering::Relaxed) > 0
            || state.is_dropped.load(Ordering::Relaxed)
            || self.now_ms() < compaction.failures.lock().0;
        if is_off || !compaction.is_dirty.swap(false, Ordering::Relaxed) {
            return None;
        }
        let strategy = self.strategy_of(state);
        if !strategy.is_enabled() {
            return None;
        }
        let now_s = self.runtime.clock().wall_s();
        let sstables = state.sstables();
        let damage = &self.damage;
        let facts = facts_of(state, &sstables, now_s, |one| damage.is_set_aside(one.descriptor()));
        let env = environment_of(state, &sstables);
        let decision = strategy.decide(&facts, now_s, &env);
        if strategy.checks_expired(now_s, &env) {
            compaction.last_expired_check_s.store(now_s, Ordering::Relaxed);
        }
        compaction.pending_count.store(strategy.pending(&facts, now_s, &env), Ordering::Relaxed);
        compaction.note_overlap(overlap_most(&facts));
        match self.prepare(state, decision?, &sstables, OperationKind::Compaction) {
            Ok(ready) => {
                // There may be more to do beside it.
                compaction.is_dirty.store(true, Ordering::Relaxed);
                ready.map(|ready| Ready { is_background: true, ..ready })
            }
            Err(error) => {
                tracing::warn!("a compaction is put off: {error}");
                self.put_off(state);
                None
            }
        }
    }

    /// The table is left alone for a while.
    fn put_off(&self, state: &TableState) {
        let mut failures = state.compaction.failures.lock();
        let wait_ms = (RETRY_MS << failures.1.min(10)).min(RETRY_MS_MAX);
        *failures = (self.now_ms() + wait_ms, failures.1 + 1);
    }

    fn background_ended(&self, state: &TableState, result: &Result<Summary, OpenError>) {
        match result {
            Ok(_) => *state.compaction.failures.lock() = (0, 0),
            Err(OpenError::Stopped { what }) => tracing::info!("{what}"),
            Err(_) => self.put_off(state),
        }
        state.compaction.is_dirty.store(true, Ordering::Relaxed);
        self.compactions.wake.notify_one();
    }
}

/// `snapshot_before_compaction` is for these: seen on Cassandra 5.0.9.
fn leaves_snapshot(kind: OperationKind) -> bool {
    match kind {
        OperationKind::Compaction
        | OperationKind::MajorCompaction
        | OperationKind::GarbageCollect
        | OperationKind::UpgradeSstables => true,
        OperationKind::Cleanup | OperationKind::Scrub | OperationKind::Verify => false,
    }
}

/// Begins what can begin; false if the engine is gone.
async fn drive(weak: &Weak<Core>, is_time: bool) -> bool {
    if let (Some(core), true) = (weak.upgrade(), is_time) {
        for state in core.tables.load().values() {
            state.compaction.is_dirty.store(true, Ordering::Relaxed);
        }
    }
    loop {
        let Some(core) = weak.upgrade() else { return false };
        if core.compactions.is_closed.load(Ordering::Relaxed) {
            return false;
        }
        if core.is_stopping.load(Ordering::Relaxed) {
            return true;
        }
        let Ok(permit) = core.compactions.permits.clone().try_acquire_owned() else { return true };
        let chooser = core.clone();
        let Some(ready) = core.runtime.background(move || chooser.choose()).await else { return true };
        let runtime = core.runtime.clone();
        runtime.spawn_local(async move {
            let state = ready.state.clone();
            let result = core.run_task(ready).await;
            drop(permit);
            core.background_ended(&state, &result);
        });
    }
}
