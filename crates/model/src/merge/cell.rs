//! Cells and row markers: which of two versions wins.
//!
//! Source: `Cells.java`, `LivenessInfo.java`; facts in the SSTable format notes, "Robustness rules".

use std::borrow::Cow;

use crate::counter;
use crate::row::{Cell, EXPIRED_TTL, Liveness, NO_DELETION_TIME};

#[cfg(test)]
thread_local! {
    /// A planted bug: of two cells of one timestamp the lesser wins.
    pub(crate) static TIES_INVERTED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// The winner of two versions of one cell that is no counter.
///
/// Later timestamp; a cell with a local deletion time over a plain one; a tombstone over an expiring cell;
/// later local deletion time; larger value.
pub fn reconcile_cells<'a>(a: &'a Cell, b: &'a Cell) -> &'a Cell {
    #[cfg(test)]
    if TIES_INVERTED.get() && a.timestamp_us == b.timestamp_us {
        return if rank(a) <= rank(b) { a } else { b };
    }
    if rank(a) >= rank(b) { a } else { b }
}

fn rank(cell: &Cell) -> (i64, bool, bool, u32, &[u8], i32) {
    let has_deletion_time = cell.local_deletion_s != NO_DELETION_TIME;
    (
        cell.timestamp_us,
        has_deletion_time,
        cell.is_tombstone(),
        cell.local_deletion_s,
        &cell.value,
        // Cassandra takes either of two that differ in nothing else; one has to be the rule.
        cell.ttl_s,
    )
}

/// The result of two versions of one counter cell: a tombstone wins whatever its timestamp, then a cell without
/// value (the column was not fetched); contexts are merged.
pub(super) fn reconcile_counters<'a>(a: &'a Cell, b: &'a Cell) -> Cow<'a, Cell> {
    let class = |cell: &Cell| (cell.is_tombstone(), cell.value.is_empty());
    if class(a) != class(b) {
        return Cow::Borrowed(if class(a) > class(b) { a } else { b });
    }
    if a.is_tombstone() || a.value.is_empty() {
        return Cow::Borrowed(reconcile_cells(a, b));
    }
    let timestamp_us = a.timestamp_us.max(b.timestamp_us);
    match counter::merge(&a.value, &b.value) {
        Some(value) => Cow::Owned(Cell::live(timestamp_us, value)),
        None => Cow::Borrowed(reconcile_cells(a, b)),
    }
}

/// The winner of two versions of one row marker.
///
/// Later timestamp; one known to be expired; of two of a kind the one that expires later; the expiring one.
pub fn newer_liveness(a: Liveness, b: Liveness) -> Liveness {
    let rank = |liveness: &Liveness| {
        (
            liveness.timestamp_us,
            liveness.ttl_s == EXPIRED_TTL,
            liveness.is_expiring(),
            liveness.local_deletion_s,
            liveness.ttl_s,
        )
    };
    if rank(&a) >= rank(&b) { a } else { b }
}
