//! A histogram of latencies: 64 steps for each doubling, so that a figure is 1.6 % off at most.

const STEPS: u64 = 64;
const STEP_BITS: u32 = STEPS.trailing_zeros();

/// Counts latencies in nanoseconds.
#[derive(Clone, Debug)]
pub struct Latencies {
    counts: Vec<u64>,
    total: u64,
}

impl Latencies {
    /// None yet.
    pub fn new() -> Latencies {
        Latencies { counts: vec![0; ((64 - STEP_BITS as usize) + 1) * STEPS as usize], total: 0 }
    }

    /// Counts one.
    pub fn add(&mut self, nanos: u64) {
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
    }

    /// The latency in microseconds that this share of all requests does not exceed.
    pub fn quantile_us(&self, share: f64) -> f64 {
        let wanted = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return upper(index) as f64 / 1000.0;
            }
        }
        0.0
    }
}

fn bucket(nanos: u64) -> usize {
    if nanos < STEPS {
        return nanos as usize;
    }
    let shift = 63 - nanos.leading_zeros() - STEP_BITS;
    ((u64::from(shift) + 1) * STEPS + ((nanos >> shift) - STEPS)) as usize
}

/// The largest value of a bucket.
fn upper(index: usize) -> u64 {
    let index = index as u64;
    if index < STEPS {
        return index;
    }
    let shift = index / STEPS - 1;
    ((STEPS + index % STEPS + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_falls_into_it() {
        for nanos in [0, 1, 63, 64, 65, 127, 128, 1000, 123_456, 7_500_000, 10_000_000_000] {
            let above = upper(bucket(nanos));
            assert!(above >= nanos && above as f64 <= nanos as f64 * 1.016 + 1.0, "{nanos}: {above}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let mut latencies = Latencies::new();
        (1..=1000u64).for_each(|us| latencies.add(us * 1000));
        for (share, us) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0)] {
            let found = latencies.quantile_us(share);
            assert!((found - us).abs() <= us * 0.017, "{share}: {found}");
        }
    }
}
