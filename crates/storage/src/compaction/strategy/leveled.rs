//! Leveled compaction: SSTables of one size in levels; in each but level 0 they do not overlap, and each holds
//! `fanout_size` times what the one below does. A key is in one SSTable of a level at most.
//!
//! Read in order: [`Leveled::decide`] (which level is next), `level_zero`, `level_up`, [`Levels`].
//!
//! Where Cassandra remembers the last key that it compacted of a level, and goes on behind it, this takes the SSTable
//! that has been in the level for longest: the same order without a memory. Cassandra's extra inputs from levels that
//! were not compacted for 25 rounds are not taken.

use std::collections::BTreeMap;

use model::Token;

use super::facts::SsTableFacts;
use super::options::{flag, invalid, number};
use super::size_tiered::SizeTiered;
use super::{Decision, Group, OutputPlan, Reason};

/// Levels 0 to 8.
const LEVELS_COUNT: usize = 9;
/// With more SSTables in level 0 they are joined by size first.
const LEVEL_ZERO_COUNT_MAX: usize = 32;
/// A level may be fuller by this.
const SCORE_MAX: f64 = 1.001;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Leveled {
    sstable_bytes: u64,
    fanout: u32,
    relevels_single: bool,
    by_size: SizeTiered,
}

/// SSTables by level.
struct Levels<'a>([Vec<&'a SsTableFacts>; LEVELS_COUNT]);

impl<'a> Levels<'a> {
    /// What overlaps with another of its level is treated as of level 0: it may have come from elsewhere.
    fn of(group: &Group<'a>) -> Levels<'a> {
        let mut levels = Levels(std::array::from_fn(|_| Vec::new()));
        let mut sorted = group.all.clone();
        sorted.sort_by(|a, b| a.first.cmp(&b.first).then(a.id.cmp(&b.id)));
        for facts in sorted {
            let level = facts.level.clamp(0, LEVELS_COUNT as i32 - 1) as usize;
            let overlaps = levels.0[level].last().is_some_and(|before| facts.first <= before.last);
            levels.0[if overlaps { 0 } else { level }].push(facts);
        }
        levels
    }

    fn level_of(&self, id: u64) -> usize {
        self.0.iter().position(|level| level.iter().any(|facts| facts.id == id)).unwrap_or(0)
    }
}

impl Leveled {
    pub(super) fn parse(map: &BTreeMap<String, String>) -> Result<Leveled, String> {
        let megabytes: u64 = number(map, "sstable_size_in_mb", 160)?;
        let fanout: u32 = number(map, "fanout_size", 10)?;
        if megabytes == 0 || megabytes > 1 << 30 {
            return Err(invalid("sstable_size_in_mb", &megabytes.to_string()));
        }
        if fanout == 0 {
            return Err(invalid("fanout_size", "0"));
        }
        Ok(Leveled {
            sstable_bytes: megabytes << 20,
            fanout,
            relevels_single: flag(map, "single_sstable_uplevel", true)?,
            by_size: SizeTiered::parse(map)?,
        })
    }

    pub(super) fn decide(&self, group: &Group<'_>) -> Option<Decision> {
        let levels = Levels::of(group);
        // Higher levels first: else level 0 would be merged with a level 1 that is too large, again and again.
        for level in (1..LEVELS_COUNT - 1).rev() {
            let bytes: u64 = levels.0[level].iter().filter(|f| !f.is_being_compacted).map(|f| f.bytes).sum();
            if bytes as f64 / self.level_bytes_max(level) > SCORE_MAX {
                // Reads suffer more from a level 0 that is far behind.
                if let Some(decision) = self.level_zero_by_size(&levels) {
                    return Some(decision);
                }
                if let Some(decision) = self.level_up(&levels, level) {
                    return Some(decision);
                }
            }
        }
        self.level_zero(&levels)
            .or_else(|| self.level_zero_by_size(&levels))
            .or_else(|| self.purge(group, &levels))
    }

    fn level_bytes_max(&self, level: usize) -> f64 {
        match level {
            0 => 4.0 * self.sstable_bytes as f64,
            _ => f64::from(self.fanout).powi(level as i32) * self.sstable_bytes as f64,
        }
    }

    fn level_zero_by_size(&self, levels: &Levels<'_>) -> Option<Decision> {
        let free: Vec<&SsTableFacts> = levels.0[0].iter().copied().filter(|facts| facts.is_free()).collect();
        if levels.0[0].len() <= LEVEL_ZERO_COUNT_MAX {
            return None;
        }
        let bucket = self.by_size.best_bucket(self.by_size.buckets(&free))?;
        Some(Decision::new(bucket, 0, OutputPlan::Single, Reason::LevelZeroBehind))
    }

    /// The oldest SSTables of level 0, all that overlap with them, and what they overlap with in level 1.
    fn level_zero(&self, levels: &Levels<'_>) -> Option<Decision> {
        let busy: Vec<&SsTableFacts> =
            levels.0[0].iter().copied().filter(|facts| facts.is_being_compacted).collect();
        let busy_span = span(&busy);
        let mut waiting: Vec<&SsTableFacts> =
            levels.0[0].iter().copied().filter(|facts| facts.is_free()).collect();
        waiting.sort_by_key(|facts| (facts.max_timestamp_us, facts.id));
        let count_max = self.by_size.thresholds.max_count;
        let mut inputs: Vec<&SsTableFacts> = Vec::new();
        while !waiting.is_empty() && inputs.len() <= count_max {
            let oldest = waiting[0];
            let (together, others): (Vec<_>, Vec<_>) = waiting
                .into_iter()
                .partition(|facts| facts.id == oldest.id || shares_tokens(facts, span(&[oldest])));
            waiting = others;
            if overlapping(&busy, span(&together)).is_empty() {
                inputs.extend(together.into_iter().filter(|facts| !shares_tokens(facts, busy_span)));
            }
        }
        inputs.sort_by_key(|facts| (facts.max_timestamp_us, facts.id));
        inputs.truncate(count_max);
        let bytes: u64 = inputs.iter().map(|facts| facts.bytes).sum();
        let level_zero: Vec<u64> = inputs.iter().map(|facts| facts.id).collect();
        let mut output_level = 0;
        if bytes > self.sstable_bytes {
            // Where the output will lie nothing else may be at work.
            let above = overlapping(&levels.0[1], span(&inputs));
            if above.iter().any(|facts| !facts.is_free()) || !overlapping(&busy, span(&inputs)).is_empty() {
                return None;
            }
            inputs.extend(above);
            output_level = 1;
        }
        if inputs.len() < 2 {
            return None;
        }
        let decision =
            Decision::new(inputs, output_level, OutputPlan::MaxBytes(self.sstable_bytes), Reason::LevelZero);
        Some(decision.with_optional(level_zero, 1))
    }

    /// One SSTable of a level and what it overlaps with in the next.
    fn level_up(&self, levels: &Levels<'_>, level: usize) -> Option<Decision> {
        let mut candidates: Vec<&SsTableFacts> =
            levels.0[level].iter().copied().filter(|facts| facts.is_free()).collect();
        candidates.sort_by_key(|facts| facts.id);
        for candidate in candidates {
            let mut inputs = overlapping(&levels.0[level + 1], span(&[candidate]));
            if inputs.iter().any(|facts| !facts.is_free()) {
                continue;
            }
            inputs.push(candidate);
            let output = if inputs.len() == 1 && self.relevels_single {
                OutputPlan::Relevel
            } else {
                OutputPlan::MaxBytes(self.sstable_bytes)
            };
            let reason = Reason::LevelFull { level: level as i32 };
            let decision = Decision::new(inputs, level as i32 + 1, output, reason);
            return Some(decision.with_optional(Vec::new(), 0));
        }
        None
    }

    /// The SSTable of the highest level of which most can be purged.
    fn purge(&self, group: &Group<'_>, levels: &Levels<'_>) -> Option<Decision> {
        let ratio = |facts: &SsTableFacts| group.droppable_ratio(facts);
        let chosen = levels.0.iter().rev().find_map(|level| {
            let free = level.iter().copied().filter(|facts| facts.is_free());
            free.filter(|facts| group.is_worth_purging(facts))
                .max_by(|a, b| ratio(a).total_cmp(&ratio(b)).then(a.id.cmp(&b.id)))
        })?;
        let mut decision = group.purge(chosen, OutputPlan::MaxBytes(self.sstable_bytes));
        decision.output_level = levels.level_of(chosen.id) as i32;
        Some(decision)
    }

    pub(super) fn pending(&self, group: &Group<'_>) -> usize {
        let levels = Levels::of(group);
        let mut count = 0;
        for (level, facts) in levels.0.iter().enumerate() {
            let bytes: u64 = facts.iter().map(|facts| facts.bytes).sum();
            let excess = bytes as f64 - (self.level_bytes_max(level) * SCORE_MAX).floor();
            count += (excess.max(0.0) / self.sstable_bytes as f64).ceil() as usize;
        }
        let max_count = self.by_size.thresholds.max_count;
        if levels.0[0].len() > max_count {
            count += levels.0[0].len() / max_count;
        }
        count
    }

    pub(super) fn major(&self, group: &Group<'_>) -> Vec<Decision> {
        let free: Vec<&SsTableFacts> = group.free().collect();
        if free.is_empty() {
            return Vec::new();
        }
        let output = OutputPlan::Levels { max_bytes: self.sstable_bytes, fanout: self.fanout };
        vec![Decision::new(free, 1, output, Reason::Requested).with_optional(Vec::new(), 0)]
    }

    /// Several go to level 0; one stays in its level.
    pub(super) fn user_defined(&self, chosen: &[&SsTableFacts]) -> Vec<Decision> {
        let level = if let [only] = chosen { only.level } else { 0 };
        let output = if level == 0 { OutputPlan::Single } else { OutputPlan::MaxBytes(self.sstable_bytes) };
        vec![Decision::new(chosen.iter().copied(), level, output, Reason::Requested)]
    }
}

/// First and last token of all.
fn span(facts: &[&SsTableFacts]) -> Option<(Token, Token)> {
    let first = facts.iter().map(|facts| facts.first.token).min()?;
    let last = facts.iter().map(|facts| facts.last.token).max()?;
    Some((first, last))
}

fn shares_tokens(facts: &SsTableFacts, span: Option<(Token, Token)>) -> bool {
    span.is_some_and(|(first, last)| facts.first.token <= last && first <= facts.last.token)
}

fn overlapping<'a>(facts: &[&'a SsTableFacts], span: Option<(Token, Token)>) -> Vec<&'a SsTableFacts> {
    facts.iter().copied().filter(|facts| shares_tokens(facts, span)).collect()
}
