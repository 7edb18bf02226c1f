//! Clock: how late it is, monotonic for durations and of the wall for timestamps.
//!
//! Never here: timers; those are [`crate::Runtime::sleep`] and [`crate::Runtime::timeout`].

use std::time::Duration;

/// Where time comes from.
pub trait Clock: Send + Sync {
    /// Time since an arbitrary start; never goes back.
    fn monotonic(&self) -> Duration;

    /// Microseconds since 1970-01-01 UTC; may jump in both directions when somebody sets the clock.
    fn wall_us(&self) -> i64;

    /// Whole seconds since 1970-01-01 UTC, rounded down.
    fn wall_s(&self) -> i64 {
        self.wall_us().div_euclid(1_000_000)
    }
}
