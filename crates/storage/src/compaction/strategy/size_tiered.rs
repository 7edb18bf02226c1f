//! Size-tiered compaction: SSTables of one size are joined to a larger one.

use std::collections::BTreeMap;

use super::facts::SsTableFacts;
use super::options::{Thresholds, invalid, number};
use super::{Decision, Group, OutputPlan, Reason};

/// `--split-output` makes no SSTable smaller than this.
const SMALLEST_SPLIT_BYTES: u64 = 50_000_000;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct SizeTiered {
    pub thresholds: Thresholds,
    /// Smaller ones are all of one size.
    min_sstable_bytes: u64,
    bucket_low: f64,
    bucket_high: f64,
}

impl SizeTiered {
    pub(super) fn parse(map: &BTreeMap<String, String>) -> Result<SizeTiered, String> {
        let options = SizeTiered {
            thresholds: Thresholds::parse(map)?,
            min_sstable_bytes: number(map, "min_sstable_size", 50 << 20)?,
            bucket_low: number(map, "bucket_low", 0.5)?,
            bucket_high: number(map, "bucket_high", 1.5)?,
        };
        if options.bucket_high <= options.bucket_low {
            return Err(invalid("bucket_high", &options.bucket_high.to_string()));
        }
        Ok(options)
    }

    pub(super) fn decide(&self, group: &Group<'_>) -> Option<Decision> {
        let free: Vec<&SsTableFacts> = group.free().collect();
        if let Some(bucket) = self.best_bucket(self.buckets(&free)) {
            let reason = Reason::SimilarSize { average_bytes: average_bytes(&bucket) };
            return Some(Decision::new(bucket, 0, OutputPlan::Single, reason));
        }
        let largest = free.into_iter().filter(|facts| group.is_worth_purging(facts));
        largest
            .max_by_key(|facts| (facts.bytes, facts.id))
            .map(|facts| group.purge(facts, OutputPlan::Single))
    }

    pub(super) fn pending(&self, group: &Group<'_>) -> usize {
        let free: Vec<&SsTableFacts> = group.free().collect();
        self.pending_of(&free)
    }

    /// Compactions that joining these by size takes.
    pub(super) fn pending_of(&self, facts: &[&SsTableFacts]) -> usize {
        let buckets = self.buckets(facts).into_iter().map(|bucket| bucket.len());
        buckets
            .filter(|count| *count >= self.thresholds.min_count)
            .map(|count| count.div_ceil(self.thresholds.max_count))
            .sum()
    }

    pub(super) fn major(&self, group: &Group<'_>, split_output: bool) -> Vec<Decision> {
        let output = if split_output {
            OutputPlan::Halves { smallest_bytes: SMALLEST_SPLIT_BYTES }
        } else {
            OutputPlan::Single
        };
        let free: Vec<&SsTableFacts> = group.free().collect();
        if free.is_empty() { Vec::new() } else { vec![Decision::new(free, 0, output, Reason::Requested)] }
    }

    /// SSTables of one size, smallest first. One belongs to a bucket if it lies between `bucket_low` and `bucket_high`
    /// times its average, or if both are small.
    pub(super) fn buckets<'a>(&self, facts: &[&'a SsTableFacts]) -> Vec<Vec<&'a SsTableFacts>> {
        let mut sorted = facts.to_vec();
        sorted.sort_by_key(|facts| (facts.bytes, facts.id));
        let mut buckets: Vec<(f64, Vec<&SsTableFacts>)> = Vec::new();
        for facts in sorted {
            let bytes = facts.bytes as f64;
            let is_small = facts.bytes < self.min_sstable_bytes;
            let fits = |average: f64| {
                (bytes > average * self.bucket_low && bytes < average * self.bucket_high)
                    || (is_small && average < self.min_sstable_bytes as f64)
            };
            match buckets.iter_mut().find(|(average, _)| fits(*average)) {
                Some((average, bucket)) => {
                    let count = bucket.len() as f64;
                    *average = (*average * count + bytes) / (count + 1.0);
                    bucket.push(facts);
                }
                None => buckets.push((bytes, vec![facts])),
            }
        }
        buckets.into_iter().map(|(_, bucket)| bucket).collect()
    }

    /// The bucket that is read most, of those the one with the smallest SSTables; its most read ones, as many as may
    /// be compacted at once.
    pub(super) fn best_bucket<'a>(
        &self,
        buckets: Vec<Vec<&'a SsTableFacts>>,
    ) -> Option<Vec<&'a SsTableFacts>> {
        let mut best: Option<(f64, u64, Vec<&SsTableFacts>)> = None;
        for mut bucket in buckets {
            bucket.sort_by(|a, b| {
                hotness(b).total_cmp(&hotness(a)).then(a.bytes.cmp(&b.bytes)).then(a.id.cmp(&b.id))
            });
            bucket.truncate(self.thresholds.max_count);
            if bucket.len() < self.thresholds.min_count {
                continue;
            }
            let (heat, bytes) =
                (bucket.iter().map(|facts| hotness(facts)).sum::<f64>(), average_bytes(&bucket));
            let is_better = best.as_ref().is_none_or(|(best_heat, best_bytes, _)| {
                heat > *best_heat || (heat == *best_heat && bytes < *best_bytes)
            });
            if is_better {
                best = Some((heat, bytes, bucket));
            }
        }
        best.map(|(_, _, bucket)| bucket)
    }
}

/// Reads of each partition.
fn hotness(facts: &SsTableFacts) -> f64 {
    facts.reads_per_s / facts.partitions.max(1) as f64
}

fn average_bytes(bucket: &[&SsTableFacts]) -> u64 {
    bucket.iter().map(|facts| facts.bytes).sum::<u64>() / bucket.len().max(1) as u64
}
