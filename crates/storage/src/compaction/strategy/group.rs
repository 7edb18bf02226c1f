//! SSTables that may be compacted together, and what can be asked of them.

use super::droppable::{droppable_ratio, fully_expired, is_worth_purging};
use super::facts::{Environment, RepairState, SsTableFacts};
use super::options::Common;
use super::{Decision, OutputPlan, Reason};

/// All SSTables of one repair state.
pub(super) struct Group<'a> {
    repair: RepairState,
    /// Busy and suspect ones too.
    pub all: Vec<&'a SsTableFacts>,
    /// Those of the other groups as well: what they hold may not come back.
    table: &'a [SsTableFacts],
    common: &'a Common,
    pub now_s: i64,
    pub env: &'a Environment,
}

impl<'a> Group<'a> {
    pub(super) fn all(
        facts: &'a [SsTableFacts],
        common: &'a Common,
        now_s: i64,
        env: &'a Environment,
    ) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        for each in facts {
            match groups.iter_mut().find(|group| group.repair == each.repair) {
                Some(group) => group.all.push(each),
                None => {
                    groups.push(Group {
                        repair: each.repair,
                        all: vec![each],
                        table: facts,
                        common,
                        now_s,
                        env,
                    });
                }
            }
        }
        groups.sort_by_key(|group| group.repair);
        groups
    }

    pub(super) fn is_pending_repair(&self) -> bool {
        matches!(self.repair, RepairState::Pending(_))
    }

    pub(super) fn free(&self) -> impl Iterator<Item = &'a SsTableFacts> + use<'a, '_> {
        self.all.iter().copied().filter(|facts| facts.is_free())
    }

    fn gc_before_s(&self) -> i64 {
        self.now_s.saturating_sub(self.env.gc_grace_s)
    }

    /// Nothing may be purged before it was repaired.
    fn keeps_tombstones(&self) -> bool {
        self.common.only_purge_repaired_tombstones && self.repair != RepairState::Repaired
    }

    pub(super) fn droppable_ratio(&self, facts: &SsTableFacts) -> f64 {
        droppable_ratio(facts, self.gc_before_s())
    }

    pub(super) fn is_worth_purging(&self, facts: &SsTableFacts) -> bool {
        if self.keeps_tombstones() {
            return false;
        }
        let memtables_us = self.env.memtable_min_timestamp_us;
        is_worth_purging(facts, self.table, self.common, self.now_s, self.gc_before_s(), memtables_us)
    }

    /// The compaction of one SSTable for what can be purged in it.
    pub(super) fn purge(&self, facts: &SsTableFacts, output: OutputPlan) -> Decision {
        let permille = (self.droppable_ratio(facts).min(1.0) * 1000.0) as u32;
        Decision::new([facts], facts.level, output, Reason::Droppable { permille })
    }

    /// Free SSTables that can go whole.
    pub(super) fn fully_expired(&self, unsafe_wanted: bool) -> Vec<&'a SsTableFacts> {
        if self.keeps_tombstones() {
            return Vec::new();
        }
        let free: Vec<&SsTableFacts> = self.free().collect();
        let others: Vec<&SsTableFacts> = self
            .table
            .iter()
            .filter(|other| other.repair != self.repair || !other.is_free())
            .filter(|other| free.iter().any(|facts| facts.overlaps(other)))
            .collect();
        let ignores_overlaps = unsafe_wanted && self.env.allows_unsafe_expiration;
        let memtables_us = self.env.memtable_min_timestamp_us;
        let expired = fully_expired(&free, &others, memtables_us, self.gc_before_s(), ignores_overlaps);
        free.into_iter().filter(|facts| expired.contains(&facts.id)).collect()
    }
}
