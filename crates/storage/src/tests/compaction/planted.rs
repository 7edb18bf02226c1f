//! Bugs that are planted, and must be caught.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::LocalKey;

use super::crashes::crash_at;
use super::laws::reads_stay;
use crate::compaction::purge::{LOSES_RANGE_ENDS, PURGES_TOO_EARLY};
use crate::compaction::replace::REMOVES_INPUTS_FIRST;

/// How many of these runs fail with the bug.
fn caught(bug: &'static LocalKey<Cell<bool>>, runs: u64, run: impl Fn(u64)) -> usize {
    bug.set(true);
    let caught = (0..runs).filter(|seed| catch_unwind(AssertUnwindSafe(|| run(*seed))).is_err()).count();
    bug.set(false);
    caught
}

#[test]
fn a_purge_that_comes_too_early_is_caught() {
    assert!(caught(&PURGES_TOO_EARLY, 20, reads_stay) >= 2);
}

#[test]
fn a_lost_end_of_a_range_tombstone_is_caught() {
    assert!(caught(&LOSES_RANGE_ENDS, 10, reads_stay) >= 5);
}

#[test]
fn inputs_that_go_before_the_commit_are_caught() {
    let run = |cut| {
        crash_at(cut, false, false);
    };
    assert!(caught(&REMOVES_INPUTS_FIRST, 120, run) >= 5);
}
