//! Which SSTables to compact: a value, made from numbers, without a clock and without I/O.
//!
//! A compaction hands in what it knows of a table's SSTables and gets the next thing to do, or nothing; carrying it
//! out is its own task. SSTables that are being compacted, or suspect, are never chosen, but they count where levels,
//! windows and overlaps are seen. Repaired, unrepaired and pending SSTables are never mixed.
//!
//! Read in order: [`SsTableFacts`] and [`Environment`] (what goes in), [`Decision`] (what comes out), [`Strategy`]
//! (what callers use), `options` (what all strategies share), `droppable` (what can be purged), then
//! `size_tiered`, `leveled`, `time_window`, `unified`.
//!
//! Never here: files, clocks, randomness, what runs when.

mod facts;
pub use facts::{Environment, RepairState, SsTableFacts, overlap_most};

mod decision;
pub use decision::{Decision, OutputPlan, Reason};

mod options;
pub use options::OverlappingTombstones;

mod droppable;
pub use droppable::fully_expired;

mod group;
use group::Group;

mod size_tiered;

mod leveled;

mod time_window;

mod unified;

use std::collections::BTreeMap;

use self::leveled::Leveled;
use self::options::Common;
use self::size_tiered::SizeTiered;
use self::time_window::TimeWindow;
use self::unified::Unified;

/// The compaction strategy of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Strategy {
    common: Common,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    SizeTiered(SizeTiered),
    Leveled(Leveled),
    TimeWindow(TimeWindow),
    Unified(Unified),
}

impl Strategy {
    /// From the table option `compaction`: the class, by its full or its simple name, and its options. Options that
    /// are missing have Cassandra's defaults; a map without a class is unified compaction.
    pub fn from_options(options: &BTreeMap<String, String>) -> Result<Strategy, String> {
        let class = options.get("class").map_or("UnifiedCompactionStrategy", String::as_str);
        let kind = match class.rsplit('.').next().unwrap_or(class) {
            "SizeTieredCompactionStrategy" => Kind::SizeTiered(SizeTiered::parse(options)?),
            "LeveledCompactionStrategy" => Kind::Leveled(Leveled::parse(options)?),
            "TimeWindowCompactionStrategy" => Kind::TimeWindow(TimeWindow::parse(options)?),
            "UnifiedCompactionStrategy" => Kind::Unified(Unified::parse(options)?),
            _ => return Err(format!("unable to find compaction strategy class '{class}'")),
        };
        Ok(Strategy { common: Common::parse(options)?, kind })
    }

    /// `enabled`: whether it runs by itself.
    pub fn is_enabled(&self) -> bool {
        self.common.is_enabled
    }

    /// The class's simple name.
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::SizeTiered(_) => "SizeTieredCompactionStrategy",
            Kind::Leveled(_) => "LeveledCompactionStrategy",
            Kind::TimeWindow(_) => "TimeWindowCompactionStrategy",
            Kind::Unified(_) => "UnifiedCompactionStrategy",
        }
    }

    /// `only_purge_repaired_tombstones`: tombstones of SSTables that are not repaired must stay.
    pub fn only_purges_repaired(&self) -> bool {
        self.common.only_purge_repaired_tombstones
    }

    /// `provide_overlapping_tombstones`: what tombstones of other SSTables remove during a compaction.
    pub fn overlapping_tombstones(&self) -> OverlappingTombstones {
        self.common.provide_overlapping_tombstones
    }

    /// `log_all`: every decision is to be logged.
    pub fn logs_all(&self) -> bool {
        self.common.log_all
    }

    /// The next thing to do, if any. Ask again (with its inputs marked as being compacted) for what can run beside it.
    ///
    /// Whether it is [enabled](Strategy::is_enabled) is the caller's to ask.
    pub fn decide(&self, facts: &[SsTableFacts], now_s: i64, env: &Environment) -> Option<Decision> {
        let mut groups = self.groups(facts, now_s, env);
        // Most work first; SSTables of repair sessions before all.
        groups.sort_by_key(|group| (!group.is_pending_repair(), std::cmp::Reverse(self.pending_of(group))));
        groups.iter().find_map(|group| self.decide_in(group))
    }

    /// True if fully expired SSTables are looked for now. The caller then notes `now_s` as
    /// [`Environment::last_expired_check_s`] of the next decisions.
    pub fn checks_expired(&self, now_s: i64, env: &Environment) -> bool {
        let every_s = match &self.kind {
            Kind::TimeWindow(strategy) => strategy.expired_check_s,
            Kind::Unified(strategy) => strategy.expired_check_s(),
            Kind::SizeTiered(_) | Kind::Leveled(_) => return false,
        };
        now_s.saturating_sub(env.last_expired_check_s) > every_s
    }

    /// About how many compactions are to be done.
    pub fn pending(&self, facts: &[SsTableFacts], now_s: i64, env: &Environment) -> usize {
        self.groups(facts, now_s, env).iter().map(|group| self.pending_of(group)).sum()
    }

    /// Major compaction: everything that is free.
    pub fn major(
        &self,
        facts: &[SsTableFacts],
        split_output: bool,
        now_s: i64,
        env: &Environment,
    ) -> Vec<Decision> {
        let groups = self.groups(facts, now_s, env);
        let major_of = |group: &Group<'_>| match &self.kind {
            Kind::SizeTiered(strategy) => strategy.major(group, split_output),
            Kind::Leveled(strategy) => strategy.major(group),
            Kind::TimeWindow(strategy) => strategy.major(group, split_output),
            Kind::Unified(strategy) => strategy.major(group),
        };
        groups.iter().flat_map(major_of).collect()
    }

    /// Compaction of SSTables that the operator chose: all of `facts` that are free.
    pub fn user_defined(&self, facts: &[SsTableFacts], env: &Environment) -> Vec<Decision> {
        let mut decisions = Vec::new();
        for group in self.groups(facts, 0, env) {
            let free: Vec<&SsTableFacts> = group.free().collect();
            if free.is_empty() {
                continue;
            }
            decisions.extend(match &self.kind {
                Kind::SizeTiered(_) | Kind::TimeWindow(_) => {
                    vec![Decision::new(free, 0, OutputPlan::Single, Reason::Requested)]
                }
                Kind::Leveled(strategy) => strategy.user_defined(&free),
                Kind::Unified(strategy) => strategy.user_defined(&free, env),
            });
        }
        decisions
    }

    /// How a flush cuts its output.
    pub fn flush_output(&self, env: &Environment) -> OutputPlan {
        match &self.kind {
            Kind::Unified(strategy) => strategy.flush_output(env),
            Kind::SizeTiered(_) | Kind::Leveled(_) | Kind::TimeWindow(_) => OutputPlan::Single,
        }
    }

    fn groups<'a>(&'a self, facts: &'a [SsTableFacts], now_s: i64, env: &'a Environment) -> Vec<Group<'a>> {
        Group::all(facts, &self.common, now_s, env)
    }

    fn pending_of(&self, group: &Group<'_>) -> usize {
        match &self.kind {
            Kind::SizeTiered(strategy) => strategy.pending(group),
            Kind::Leveled(strategy) => strategy.pending(group),
            Kind::TimeWindow(strategy) => strategy.pending(group),
            Kind::Unified(strategy) => strategy.pending(group),
        }
    }

    fn decide_in(&self, group: &Group<'_>) -> Option<Decision> {
        let (ignores_overlaps, checks) = match &self.kind {
            Kind::SizeTiered(strategy) => return strategy.decide(group),
            Kind::Leveled(strategy) => return strategy.decide(group),
            Kind::TimeWindow(strategy) => {
                (strategy.ignores_overlaps, self.checks_expired(group.now_s, group.env))
            }
            Kind::Unified(strategy) => {
                (strategy.ignores_overlaps(), self.checks_expired(group.now_s, group.env))
            }
        };
        let expired = if checks { group.fully_expired(ignores_overlaps) } else { Vec::new() };
        let ids: Vec<u64> = expired.iter().map(|facts| facts.id).collect();
        let decision = match &self.kind {
            Kind::TimeWindow(strategy) => strategy.decide(group, &ids),
            Kind::Unified(strategy) => strategy.decide(group, &ids),
            Kind::SizeTiered(_) | Kind::Leveled(_) => None,
        };
        if expired.is_empty() {
            return decision;
        }
        let decision = decision.unwrap_or_else(|| Decision::new([], 0, OutputPlan::Nothing, Reason::Expired));
        Some(decision.with_expired(expired))
    }
}

#[cfg(test)]
mod tests;
