//! Two histograms: of sizes in exponential buckets, and of the seconds at which tombstones may go.

use std::collections::BTreeMap;

use crate::cursor::{Cursor, Fault};

/// Counts values in buckets that grow by a fifth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EstimatedHistogram {
    /// Upper ends of all buckets but the last, which takes what is larger.
    offsets: Vec<i64>,
    counts: Vec<u64>,
}

/// More buckets than any version has.
const BUCKETS_MAX: usize = 4096;

impl EstimatedHistogram {
    /// As partition sizes are counted.
    pub(crate) fn of_partition_sizes() -> EstimatedHistogram {
        EstimatedHistogram::with_offsets(155)
    }

    /// As cells per partition are counted.
    pub(crate) fn of_cell_counts() -> EstimatedHistogram {
        EstimatedHistogram::with_offsets(118)
    }

    fn with_offsets(count: usize) -> EstimatedHistogram {
        let mut offsets = Vec::with_capacity(count);
        let mut offset = 1_i64;
        for _ in 0..count {
            offsets.push(offset);
            let next = (offset as f64 * 1.2 + 0.5).floor() as i64;
            offset = next.max(offset + 1);
        }
        EstimatedHistogram { counts: vec![0; count + 1], offsets }
    }

    pub(crate) fn add(&mut self, value: u64) {
        let bucket = self.offsets.partition_point(|&offset| (offset as u64) < value);
        self.counts[bucket] += 1;
    }

    /// Upper ends of buckets, and how many values are in each.
    pub(crate) fn pairs(&self) -> Vec<(u64, u64)> {
        let ends = self.offsets.iter().map(|offset| *offset as u64).chain([u64::MAX]);
        ends.zip(self.counts.iter().copied()).collect()
    }

    /// Adds a value so many times.
    pub(crate) fn add_many(&mut self, value: u64, count: u64) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        let bucket = self.offsets.partition_point(|offset| *offset < value);
        self.counts[bucket] = self.counts[bucket].saturating_add(count);
    }

    pub(crate) fn buckets(&self) -> crate::description::Buckets {
        crate::description::Buckets { offsets: self.offsets.clone(), counts: self.counts.clone() }
    }

    /// How many values were added.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.counts.len() as u32).to_be_bytes());
        for (i, count) in self.counts.iter().enumerate() {
            let offset = self.offsets[i.saturating_sub(1)];
            out.extend_from_slice(&offset.to_be_bytes());
            out.extend_from_slice(&count.to_be_bytes());
        }
    }

    pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Result<EstimatedHistogram, Fault> {
        let count = cursor.count(16)?;
        if !(2..=BUCKETS_MAX).contains(&count) {
            return Err(Fault::Bad("a histogram has too few or too many buckets"));
        }
        let (mut offsets, mut counts) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for i in 0..count {
            let offset = cursor.i64()?;
            if i > 0 {
                offsets.push(offset);
            }
            counts.push(cursor.i64()? as u64);
        }
        if offsets.is_sorted() {
            Ok(EstimatedHistogram { offsets, counts })
        } else {
            Err(Fault::Bad("the buckets of a histogram do not ascend"))
        }
    }
}

/// Bins of the tombstone histogram.
const BINS_MAX: usize = 100;
/// Distinct seconds that are kept exactly before they are merged into bins.
const SPOOL_MAX: usize = 100_000;
/// Seconds are rounded up to a multiple of this.
const ROUND_S: u32 = 60;
/// The last second that can be stored; larger ones are special.
const LAST_DELETION_S: u32 = 0xffff_fffd;

/// When tombstones may go: second and how many, in at most 100 bins.
///
/// Beyond that the two nearest bins become one at their weighted mean, as in `StreamingTombstoneHistogramBuilder`
/// (its order of merging hangs on a hash table; ours ascends).
#[derive(Clone, Debug, Default)]
pub(crate) struct TombstoneHistogram {
    spool: BTreeMap<u32, u64>,
    bins: BTreeMap<u32, u64>,
}

impl TombstoneHistogram {
    pub(crate) fn add(&mut self, local_deletion_s: u32) {
        let over = local_deletion_s % ROUND_S;
        let second =
            if over == 0 { local_deletion_s } else { local_deletion_s.saturating_add(ROUND_S - over) };
        *self.spool.entry(second.min(LAST_DELETION_S)).or_default() += 1;
        if self.spool.len() > SPOOL_MAX {
            self.merge_spool();
        }
    }

    fn merge_spool(&mut self) {
        for (second, count) in std::mem::take(&mut self.spool) {
            *self.bins.entry(second).or_default() += count;
            if self.bins.len() > BINS_MAX {
                self.merge_nearest();
            }
        }
    }

    fn merge_nearest(&mut self) {
        let seconds = self.bins.keys();
        let Some((first, second)) =
            seconds.clone().copied().zip(seconds.copied().skip(1)).min_by_key(|(a, b)| b - a)
        else {
            return;
        };
        let (a, b) = (self.bins.remove(&first).unwrap_or(0), self.bins.remove(&second).unwrap_or(0));
        let count = a.saturating_add(b).max(1);
        let sum = u128::from(first) * u128::from(a) + u128::from(second) * u128::from(b);
        *self.bins.entry((sum / u128::from(count)) as u32).or_default() += count;
    }

    /// The bins, ascending.
    pub(crate) fn bins(mut self) -> Vec<(i64, u32)> {
        self.merge_spool();
        let clip = |count: u64| count.min(i32::MAX as u64) as u32;
        self.bins.into_iter().map(|(second, count)| (i64::from(second), clip(count))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_grow_by_a_fifth_and_take_their_upper_end() {
        let mut histogram = EstimatedHistogram::of_cell_counts();
        for value in [0, 1, 2, 11, u64::MAX] {
            histogram.add(value);
        }
        assert_eq!(histogram.offsets[..13], [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 20]);
        assert_eq!(
            (histogram.counts[0], histogram.counts[1], histogram.counts[9], histogram.counts[118]),
            (2, 1, 1, 1)
        );
        let mut out = Vec::new();
        histogram.encode(&mut out);
        assert_eq!(EstimatedHistogram::parse(&mut Cursor::new(&out)), Ok(histogram));
    }

    #[test]
    fn a_hundred_bins_keep_all_counts() {
        let mut histogram = TombstoneHistogram::default();
        for i in 0..5000 {
            histogram.add(1_700_000_000 + i * 61);
        }
        histogram.add(u32::MAX - 1);
        let bins = histogram.bins();
        assert_eq!(bins.len(), 100);
        assert_eq!(bins.iter().map(|(_, count)| count).sum::<u32>(), 5001);
        assert!(bins.is_sorted());
        assert_eq!(bins[99], (0xffff_fffd, 1));
    }

    #[test]
    fn a_second_is_rounded_up_to_its_minute() {
        let mut histogram = TombstoneHistogram::default();
        histogram.add(1_795_367_561);
        histogram.add(1_795_367_580);
        assert_eq!(histogram.bins(), [(1_795_367_580, 2)]);
    }
}
