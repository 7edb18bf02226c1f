//! The owned tokens as a line from 0 to 1: densities, and where outputs are cut.

use model::Token;

use super::super::facts::{Environment, SsTableFacts};

/// Shares below this are those of SSTables with few partitions, or outside of the owned tokens.
const SHARE_MIN: f64 = 1.0 / (1_u64 << 48) as f64;

/// What is owned.
pub(super) struct Space {
    /// `(start, end]`, ascending, without overlaps.
    ranges: Vec<(i128, i128)>,
    tokens_count: i128,
    /// What a partition covers on average.
    partition_share: f64,
    /// Share of the ring that is owned.
    ring_share: f64,
}

impl Space {
    pub(super) fn of(env: &Environment) -> Space {
        const MIN: i128 = i64::MIN as i128;
        const MAX: i128 = i64::MAX as i128;
        let mut ranges = Vec::new();
        for range in &env.owned {
            let (start, end) = (i128::from(range.start.0), i128::from(range.end.0));
            if start < end {
                ranges.push((start, end));
            } else {
                ranges.extend([(start, MAX), (MIN, end)]);
            }
        }
        ranges.sort_unstable();
        let mut joined: Vec<(i128, i128)> = Vec::new();
        for (start, end) in ranges.into_iter().filter(|(start, end)| start < end) {
            match joined.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => joined.push((start, end)),
            }
        }
        if joined.is_empty() {
            joined.push((MIN, MAX));
        }
        let tokens_count: i128 = joined.iter().map(|(start, end)| end - start).sum();
        Space {
            ranges: joined,
            tokens_count,
            partition_share: 1.0 / env.partitions.max(1) as f64,
            ring_share: tokens_count as f64 / (MAX - MIN) as f64,
        }
    }

    /// Bytes by share of the owned tokens.
    pub(super) fn density(&self, facts: &SsTableFacts) -> f64 {
        let written = facts.token_coverage.filter(|share| *share > 0.0).map(|share| share / self.ring_share);
        let share = written.unwrap_or_else(|| self.share(facts.first.token, facts.last.token));
        facts.bytes as f64 / self.at_least(share, facts.partitions)
    }

    /// The density that these have as one.
    pub(super) fn density_together(&self, facts: &[&SsTableFacts]) -> f64 {
        let (Some(first), Some(last)) =
            (facts.iter().map(|f| f.first.token).min(), facts.iter().map(|f| f.last.token).max())
        else {
            return 0.0;
        };
        let bytes: u64 = facts.iter().map(|facts| facts.bytes).sum();
        let partitions = facts.iter().map(|facts| facts.partitions).sum();
        bytes as f64 / self.at_least(self.share(first, last), partitions)
    }

    fn at_least(&self, share: f64, partitions: u64) -> f64 {
        if share >= SHARE_MIN {
            return share;
        }
        share.max((partitions.max(1) as f64 * self.partition_share).min(1.0))
    }

    /// Share of the owned tokens between two, both included.
    fn share(&self, first: Token, last: Token) -> f64 {
        let (first, last) = (i128::from(first.0), i128::from(last.0));
        let count_of = |(start, end): &(i128, i128)| (last.min(*end) - (first - 1).max(*start)).max(0);
        self.ranges.iter().map(count_of).sum::<i128>() as f64 / self.tokens_count as f64
    }

    /// The last token of each of so many equal shards, but of the last one.
    pub(super) fn boundaries(&self, count: u32) -> Vec<Token> {
        let count = i128::from(count.max(1));
        let mut boundaries = Vec::new();
        let mut ranges = self.ranges.iter();
        let (mut range, mut before) = (ranges.next(), 0);
        for index in 1..count {
            let position = self.tokens_count * index / count;
            while let Some((start, end)) = range {
                if position <= before + (end - start) {
                    boundaries.push(Token((start + position - before) as i64));
                    break;
                }
                before += end - start;
                range = ranges.next();
            }
        }
        boundaries.dedup();
        boundaries
    }
}
