//! Unified compaction: a hierarchy of densities.
//!
//! The density of an SSTable is its bytes by the share of the owned tokens that it covers. Each level holds densities
//! up to `fanout` times those of the level below; once `threshold` SSTables of a level overlap at one token, they are
//! compacted. Outputs are cut at fixed tokens, more of them the denser they are, so that parts of a level are compacted
//! beside each other. Tiered (`T4`: fanout 4, threshold 4), leveled (`L10`: fanout 10, threshold 2) and what lies
//! between differ in these two numbers only, for each level.
//!
//! Read in order: [`Unified::decide`], `pick`, `options` (what an operator can choose), `shards` (densities and where
//! outputs are cut), `overlaps` (which SSTables overlap).
//!
//! Source: `UnifiedCompactionStrategy.md` of Cassandra 5.0. Two things differ: of buckets that overlap equally it takes
//! the one with the oldest SSTable, not a random one; and a level below its threshold never keeps another from being
//! compacted.

mod options;
mod overlaps;
mod shards;

use std::collections::{BTreeMap, BTreeSet};

use self::options::Controller;
use self::overlaps::{Bucket, buckets, overlap_sets};
use self::shards::Space;
use super::facts::{Environment, SsTableFacts};
use super::{Decision, Group, OutputPlan, Reason};

/// More levels than any data set has.
const LEVELS_COUNT_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unified {
    controller: Controller,
}

struct Level<'a> {
    index: usize,
    facts: Vec<&'a SsTableFacts>,
}

struct Pick<'a> {
    level: usize,
    overlap: usize,
    facts: Vec<&'a SsTableFacts>,
}

impl Unified {
    pub(super) fn parse(map: &BTreeMap<String, String>) -> Result<Unified, String> {
        Ok(Unified { controller: Controller::parse(map)? })
    }

    pub(super) fn expired_check_s(&self) -> i64 {
        self.controller.expired_check_s
    }

    pub(super) fn ignores_overlaps(&self) -> bool {
        self.controller.ignores_overlaps
    }

    /// `expired` are left out: they go anyway.
    pub(super) fn decide(&self, group: &Group<'_>, expired: &[u64]) -> Option<Decision> {
        let space = Space::of(group.env);
        let free: Vec<&SsTableFacts> = group.free().filter(|facts| !expired.contains(&facts.id)).collect();
        let mut best: Option<Pick<'_>> = None;
        for level in self.levels(&free, group.env, &space) {
            let pick = self.pick(&level);
            // Of equal overlaps the lower level: it covers more tokens.
            if let Some(pick) = pick
                && best.as_ref().is_none_or(|best| pick.overlap > best.overlap)
            {
                best = Some(pick);
            }
        }
        if let Some(Pick { level, overlap, facts }) = best {
            let output = self.output(&facts, group.env, &space);
            return Some(Decision::new(facts, 0, output, Reason::Overlap { level, overlap }));
        }
        let largest = free.into_iter().filter(|facts| group.is_worth_purging(facts));
        largest
            .max_by_key(|facts| (facts.bytes, facts.id))
            .map(|facts| group.purge(facts, self.output(&[facts], group.env, &space)))
    }

    pub(super) fn pending(&self, group: &Group<'_>) -> usize {
        let space = Space::of(group.env);
        let free: Vec<&SsTableFacts> = group.free().collect();
        let mut count = 0;
        for level in self.levels(&free, group.env, &space) {
            let threshold = self.controller.threshold(level.index);
            let buckets = self.buckets(&level);
            count += buckets.iter().map(|bucket| bucket.overlap / threshold).sum::<usize>();
        }
        count
    }

    /// One for each set that overlaps with no other: they can run beside each other.
    pub(super) fn major(&self, group: &Group<'_>) -> Vec<Decision> {
        let space = Space::of(group.env);
        let free: Vec<&SsTableFacts> = group.free().collect();
        let mut apart: Vec<BTreeSet<usize>> = Vec::new();
        for set in overlap_sets(&free) {
            match apart.last_mut() {
                Some(last) if !last.is_disjoint(&set) => last.extend(set),
                _ => apart.push(set),
            }
        }
        let decide = |set: BTreeSet<usize>| {
            let facts: Vec<&SsTableFacts> = set.into_iter().map(|index| free[index]).collect();
            let output = self.output(&facts, group.env, &space);
            Decision::new(facts, 0, output, Reason::Requested)
        };
        apart.into_iter().map(decide).collect()
    }

    pub(super) fn user_defined(&self, chosen: &[&SsTableFacts], env: &Environment) -> Vec<Decision> {
        let output = self.output(chosen, env, &Space::of(env));
        vec![Decision::new(chosen.iter().copied(), 0, output, Reason::Requested)]
    }

    pub(super) fn flush_output(&self, env: &Environment) -> OutputPlan {
        let count = self.controller.shards_count(env.flush_bytes as f64, env.is_system);
        plan(Space::of(env).boundaries(count))
    }

    /// The shards that these are cut into, by the density they have together.
    fn output(&self, facts: &[&SsTableFacts], env: &Environment, space: &Space) -> OutputPlan {
        let (Some(first), Some(last)) =
            (facts.iter().map(|f| f.first.token).min(), facts.iter().map(|f| f.last.token).max())
        else {
            return OutputPlan::Single;
        };
        let count = self.controller.shards_count(space.density_together(facts), env.is_system);
        let mut boundaries = space.boundaries(count);
        boundaries.retain(|boundary| first <= *boundary && *boundary < last);
        plan(boundaries)
    }

    /// SSTables by density, sparsest first; levels without any are left out.
    fn levels<'a>(&self, facts: &[&'a SsTableFacts], env: &Environment, space: &Space) -> Vec<Level<'a>> {
        let mut sorted: Vec<(f64, &SsTableFacts)> =
            facts.iter().map(|facts| (space.density(facts), *facts)).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.id.cmp(&b.1.id)));
        let mut levels: Vec<Level<'a>> = Vec::new();
        let mut index = 0;
        let base_bytes = self.controller.base_bytes(env);
        let mut density_max = (base_bytes * self.controller.fanout(0) as f64).floor();
        for (density, facts) in sorted {
            while density >= density_max && index < LEVELS_COUNT_MAX {
                index += 1;
                density_max = (density_max * self.controller.fanout(index) as f64).floor();
            }
            match levels.last_mut() {
                Some(level) if level.index == index => level.facts.push(facts),
                _ => levels.push(Level { index, facts: vec![facts] }),
            }
        }
        levels
    }

    fn buckets<'a>(&self, level: &Level<'a>) -> Vec<Bucket<'a>> {
        buckets(&level.facts, self.controller.threshold(level.index), self.controller.inclusion)
    }

    /// What to compact of a level: the bucket that overlaps most.
    fn pick<'a>(&self, level: &Level<'a>) -> Option<Pick<'a>> {
        let buckets = self.buckets(level).into_iter();
        let oldest = |bucket: &Bucket<'_>| bucket.facts.iter().map(|facts| facts.id).min();
        let bucket = buckets.max_by_key(|bucket| (bucket.overlap, std::cmp::Reverse(oldest(bucket))))?;
        let overlap = self.pick_size(level.index, bucket.overlap);
        let facts = if overlap < bucket.overlap { bucket.oldest(overlap) } else { bucket.facts };
        Some(Pick { level: level.index, overlap, facts })
    }

    /// How many overlapping SSTables to take at once.
    ///
    /// Usually all. Where compaction is very late, as many as bring the result to the level where it would be by now:
    /// of 55 on a `T4` level 16, and 48 on an `L4` one.
    fn pick_size(&self, index: usize, overlap: usize) -> usize {
        let fanout = self.controller.fanout(index);
        let count_max = self.controller.sstables_count_max.max(fanout);
        if overlap <= fanout {
            return overlap;
        }
        if overlap <= fanout.saturating_mul(self.controller.fanout(index + 1)) || count_max == fanout {
            return overlap.min(count_max);
        }
        let limit = count_max.min(overlap);
        let (mut size, mut next, mut above) = (fanout, fanout, index);
        while next <= limit {
            size = next;
            above += 1;
            next = next.saturating_mul(self.controller.fanout(above));
        }
        if self.controller.is_leveled(index) { size * (limit / size) } else { size }
    }
}

fn plan(boundaries: Vec<model::Token>) -> OutputPlan {
    if boundaries.is_empty() { OutputPlan::Single } else { OutputPlan::Shards(boundaries) }
}
