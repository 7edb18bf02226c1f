//! What is counted of each table while it is read and written: a few atomic additions an operation at most.
//!
//! Latencies are those of one operation in sixteen. Everything counts from the start of the node on (Cassandra's
//! histograms forget what is older than some minutes).
//!
//! Read in order: [`TableMetrics`], [`Histogram`], [`HistogramSnapshot`] (what is shown of one).

use std::cell::Cell;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One operation in so many has its latency taken.
const SAMPLED_ONE_IN: u32 = 16;
/// Buckets of a histogram, but for the last, which takes what is larger.
const BUCKETS_COUNT: usize = 90;

/// Upper ends of buckets: each a fifth larger than the one before, as in Cassandra.
static OFFSETS: LazyLock<[u64; BUCKETS_COUNT]> = LazyLock::new(|| {
    let mut offsets = [1; BUCKETS_COUNT];
    for i in 1..BUCKETS_COUNT {
        let last = offsets[i - 1];
        offsets[i] = ((last as f64 * 1.2 + 0.5) as u64).max(last + 1);
    }
    offsets
});

/// The end of the bucket before the one that ends here.
fn end_before(end: u64) -> u64 {
    let mut before = 1_u64;
    loop {
        let next = ((before as f64 * 1.2 + 0.5) as u64).max(before + 1);
        if next >= end {
            return before;
        }
        before = next;
    }
}

/// True for one call in sixteen on each thread.
pub(crate) fn is_sampled() -> bool {
    thread_local! {
        static COUNT: Cell<u32> = const { Cell::new(0) };
    }
    COUNT.with(|count| {
        let next = count.get().wrapping_add(1);
        count.set(next);
        next % SAMPLED_ONE_IN == 1
    })
}

/// What is counted of a table.
#[derive(Debug, Default)]
pub(crate) struct TableMetrics {
    pub reads: AtomicU64,
    pub writes: AtomicU64,
    pub read_latency_us: Histogram,
    pub write_latency_us: Histogram,
    pub sstables_per_read: Histogram,
    /// Of sampled reads.
    pub live_per_read: Histogram,
    pub tombstones_per_read: Histogram,
    /// SSTables that were looked into for a key that they do not hold.
    pub false_positives: AtomicU64,
    /// SSTables that held a key that was read.
    pub true_positives: AtomicU64,
    pub memtable_switches: AtomicU64,
}

impl TableMetrics {
    pub(crate) fn note_write(&self, took: Option<Duration>) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        if let Some(took) = took {
            self.write_latency_us.add(took.as_micros() as u64);
        }
    }

    pub(crate) fn note_read(&self, took: Option<Duration>) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if let Some(took) = took {
            self.read_latency_us.add(took.as_micros() as u64);
        }
    }

    pub(crate) fn note_sstables(&self, held_count: usize, false_positives: u64) {
        self.sstables_per_read.add(held_count as u64 + false_positives);
        self.true_positives.fetch_add(held_count as u64, Ordering::Relaxed);
        if false_positives > 0 {
            self.false_positives.fetch_add(false_positives, Ordering::Relaxed);
        }
    }
}

/// Counts of values by their size.
#[derive(Debug)]
pub(crate) struct Histogram {
    counts: Box<[AtomicU64]>,
    zeros: AtomicU64,
    sum: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        let counts = (0..=BUCKETS_COUNT).map(|_| AtomicU64::new(0)).collect();
        Histogram { counts, zeros: AtomicU64::new(0), sum: AtomicU64::new(0) }
    }
}

impl Histogram {
    pub(crate) fn add(&self, value: u64) {
        let count = match value {
            0 => &self.zeros,
            _ => &self.counts[OFFSETS.partition_point(|&offset| offset < value)],
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> HistogramSnapshot {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let buckets = [(0, load(&self.zeros))]
            .into_iter()
            .chain(OFFSETS.iter().copied().chain([u64::MAX]).zip(self.counts.iter().map(load)))
            .collect();
        HistogramSnapshot { buckets, sum: load(&self.sum) as f64 }
    }
}

/// A histogram at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistogramSnapshot {
    /// Upper ends of buckets, ascending, and how many values are in each.
    buckets: Vec<(u64, u64)>,
    sum: f64,
}

impl HistogramSnapshot {
    /// Of buckets that were counted elsewhere.
    pub fn of_buckets(buckets: Vec<(u64, u64)>) -> HistogramSnapshot {
        let sum = buckets.iter().map(|(end, count)| *end as f64 * *count as f64).sum();
        HistogramSnapshot { buckets, sum }
    }

    /// Adds another one's values.
    pub fn merge(&mut self, other: &HistogramSnapshot) {
        self.buckets.extend(other.buckets.iter().filter(|(_, count)| *count > 0));
        self.buckets.sort_unstable();
        self.sum += other.sum;
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// Their mean; NaN if there is none.
    pub fn mean(&self) -> f64 {
        self.sum / self.count() as f64
    }

    /// The end of the bucket below which this share of the values is; 0 if there is none.
    pub fn percentile(&self, share: f64) -> u64 {
        let wanted = (self.count() as f64 * share).floor().max(1.0) as u64;
        let mut seen = 0;
        for (end, count) in &self.buckets {
            seen += count;
            if seen >= wanted {
                return *end;
            }
        }
        0
    }

    /// The least value that can be in the first bucket that has one.
    pub fn min(&self) -> u64 {
        let counts_zeros = self.buckets.first().is_some_and(|(end, _)| *end == 0);
        match self.buckets.iter().find(|(_, count)| *count > 0) {
            None | Some((0, _)) => 0,
            Some((1, _)) => u64::from(counts_zeros),
            Some((end, _)) => end_before(*end) + 1,
        }
    }

    /// The end of the last bucket that has a value.
    pub fn max(&self) -> u64 {
        self.buckets.iter().rev().find(|(_, count)| *count > 0).map_or(0, |(end, _)| *end)
    }
}

#[cfg(test)]
mod tests {
    use super::{Histogram, HistogramSnapshot};

    #[test]
    fn percentiles_are_ends_of_buckets() {
        let histogram = Histogram::default();
        for value in 1..=100 {
            histogram.add(value);
        }
        let snapshot = histogram.snapshot();
        assert_eq!(snapshot.count(), 100);
        assert_eq!((snapshot.min(), snapshot.max()), (1, 103));
        assert_eq!([0.5, 0.75, 0.99].map(|share| snapshot.percentile(share)), [50, 86, 103]);
        assert_eq!(snapshot.mean(), 50.5);
        let nothing = Histogram::default().snapshot();
        assert_eq!((nothing.percentile(0.5), nothing.min(), nothing.max()), (0, 0, 0));
        assert!(nothing.mean().is_nan());
    }

    #[test]
    fn zeros_and_giants_have_buckets_of_their_own() {
        let histogram = Histogram::default();
        histogram.add(0);
        assert_eq!((histogram.snapshot().percentile(0.5), histogram.snapshot().max()), (0, 0));
        histogram.add(u64::MAX);
        assert_eq!(histogram.snapshot().max(), u64::MAX);
    }

    #[test]
    fn the_sizes_of_an_sstable_are_cassandras() {
        // `tablehistograms` says of partitions of 230 bytes: min 216, max 258.
        let sizes = HistogramSnapshot::of_buckets(vec![(179, 0), (215, 0), (258, 100)]);
        assert_eq!((sizes.min(), sizes.max(), sizes.percentile(0.5)), (216, 258, 258));
        let mut both = HistogramSnapshot::default();
        both.merge(&sizes);
        both.merge(&HistogramSnapshot::of_buckets(vec![(179, 1), (3_180_240_371_443, 1)]));
        assert_eq!((both.min(), both.max(), both.count()), (150, 3_180_240_371_443, 102));
    }
}
