//! How many operations end a second, averaged over 15 minutes: what was long ago counts ever less.
//!
//! Never here: clocks; what time it is comes as an argument.
//!
//! Source: Dropwizard's `EWMA`, whose numbers Cassandra shows.

use std::time::Duration;

/// The average moves in steps of so many seconds.
const STEP_S: u64 = 5;
const WINDOW_S: f64 = 900.0;

#[derive(Default)]
pub(super) struct Rate {
    begun: Option<Duration>,
    steps: u64,
    /// Of the step that is not over.
    counted: u64,
    /// None before the first step is over.
    per_second: Option<f64>,
}

impl Rate {
    /// One ended at `now`, a monotonic time.
    pub(super) fn mark(&mut self, now: Duration) {
        self.step(now);
        self.counted += 1;
    }

    pub(super) fn per_second(&mut self, now: Duration) -> f64 {
        self.step(now);
        self.per_second.unwrap_or(0.0)
    }

    fn step(&mut self, now: Duration) {
        let begun = *self.begun.get_or_insert(now);
        let steps = now.saturating_sub(begun).as_secs() / STEP_S;
        let passed = steps.saturating_sub(self.steps);
        if passed == 0 {
            return;
        }
        self.steps = steps;
        let current = std::mem::take(&mut self.counted) as f64 / STEP_S as f64;
        let keeps = (-(STEP_S as f64) / WINDOW_S).exp();
        let first = match self.per_second {
            None => current,
            Some(before) => current + keeps * (before - current),
        };
        let idle = i32::try_from(passed - 1).unwrap_or(i32::MAX);
        self.per_second = Some(first * keeps.powi(idle));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_the_first_step_and_then_fades() {
        let at = Duration::from_secs;
        let mut rate = Rate::default();
        for _ in 0..10 {
            rate.mark(at(100));
        }
        assert_eq!(rate.per_second(at(104)), 0.0);
        assert_eq!(rate.per_second(at(105)), 2.0);
        let later = rate.per_second(at(105 + 900));
        assert!((later - 2.0 * (-1.0_f64).exp()).abs() < 1e-9, "{later}");
        assert!(rate.per_second(at(1_000_000_000)) < 1e-9);
    }
}
