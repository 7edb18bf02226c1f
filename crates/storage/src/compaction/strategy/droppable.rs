//! What can be purged: estimates for single SSTables, and SSTables that can go whole.

use model::row::NO_DELETION_TIME;

use super::facts::SsTableFacts;
use super::options::Common;

/// About how many of the cells can be purged: those whose deletion or expiry lies before `gc_before_s`.
///
/// The histogram's bins are points of a broken line; a bin counts half before its second and half after it.
pub(super) fn droppable_ratio(facts: &SsTableFacts, gc_before_s: i64) -> f64 {
    if facts.cells == 0 {
        return 0.0;
    }
    droppable_count(&facts.droppable, gc_before_s) / facts.cells as f64
}

fn droppable_count(bins: &[(i64, u32)], before_s: i64) -> f64 {
    let mut sum = 0.0;
    let mut previous: Option<(i64, f64)> = None;
    for &(second, count) in bins {
        let count = f64::from(count);
        if second > before_s {
            let Some((start_s, start_count)) = previous else { return 0.0 };
            let share = (before_s - start_s) as f64 / (second - start_s) as f64;
            let here = start_count + (count - start_count) * share;
            return sum - start_count / 2.0 + (start_count + here) * share / 2.0;
        }
        sum += count;
        previous = Some((second, count));
    }
    sum
}

/// True if so much of this SSTable can be purged that it is worth to be compacted alone.
pub(super) fn is_worth_purging(
    facts: &SsTableFacts,
    all: &[SsTableFacts],
    options: &Common,
    now_s: i64,
    gc_before_s: i64,
    memtable_min_timestamp_us: Option<i64>,
) -> bool {
    // The estimate may be wrong, so that nothing is purged: then the new SSTable is left alone for a while.
    if now_s < facts.created_s.saturating_add(options.tombstone_compaction_interval_s) {
        return false;
    }
    let ratio = droppable_ratio(facts, gc_before_s);
    if ratio <= options.tombstone_threshold {
        return false;
    }
    if options.unchecked_tombstone_compaction {
        return true;
    }
    let overlapping: Vec<&SsTableFacts> =
        all.iter().filter(|other| other.id != facts.id && other.overlaps(facts)).collect();
    if overlapping.is_empty()
        || !fully_expired(&[facts], &overlapping, memtable_min_timestamp_us, gc_before_s, false).is_empty()
    {
        return true;
    }
    // What others overlap with may hide something there and must stay.
    share_outside(facts, &overlapping) * ratio > options.tombstone_threshold
}

/// The share of an SSTable's token range that no other covers.
fn share_outside(facts: &SsTableFacts, overlapping: &[&SsTableFacts]) -> f64 {
    let (first, last) = (i128::from(facts.first.token.0), i128::from(facts.last.token.0));
    let mut ranges: Vec<(i128, i128)> = overlapping
        .iter()
        .map(|other| (i128::from(other.first.token.0).max(first), i128::from(other.last.token.0).min(last)))
        .filter(|(start, end)| start <= end)
        .collect();
    ranges.sort_unstable();
    let mut covered = 0;
    let mut next = first;
    for (start, end) in ranges {
        covered += (end + 1 - start.max(next)).max(0);
        next = next.max(end + 1);
    }
    1.0 - covered as f64 / (last - first + 1) as f64
}

/// Those of `candidates` that can go whole: all in them is expired, and they hide nothing that is elsewhere.
///
/// `overlapping` are the SSTables that overlap with them and are not among them; with `ignores_overlaps` only the
/// expiry counts (`unsafe_aggressive_sstable_expiration`).
pub fn fully_expired(
    candidates: &[&SsTableFacts],
    overlapping: &[&SsTableFacts],
    memtable_min_timestamp_us: Option<i64>,
    gc_before_s: i64,
    ignores_overlaps: bool,
) -> Vec<u64> {
    let is_expired = |facts: &SsTableFacts| {
        facts.max_local_deletion_s != NO_DELETION_TIME && i64::from(facts.max_local_deletion_s) < gc_before_s
    };
    let expired = candidates.iter().filter(|facts| is_expired(facts));
    if ignores_overlaps {
        return expired.map(|facts| facts.id).collect();
    }
    // What is written before this may be hidden by a tombstone in a candidate.
    let oldest_us = candidates
        .iter()
        .chain(overlapping)
        .filter(|facts| !is_expired(facts))
        .map(|facts| facts.min_timestamp_us)
        .chain(memtable_min_timestamp_us)
        .min()
        .unwrap_or(i64::MAX);
    expired.filter(|facts| facts.max_timestamp_us < oldest_us).map(|facts| facts.id).collect()
}
