//! What Statistics.db claims against what was seen. A claim may be wider than the truth, never narrower: reads
//! skip by it, and compaction drops by it.

use model::row::{NO_DELETION_TIME, NO_TIMESTAMP};

use super::{Findings, Severity};
use crate::descriptor::{Component, Version};
use crate::statistics::Statistics;
use crate::statistics::stats::{Stats, nothing};

/// Compares the stored statistics with those recomputed from all of Data.db.
pub(super) fn check(
    version: Version,
    statistics: &Statistics,
    seen: &Stats,
    partitions: u64,
    findings: &mut Findings,
) {
    let stored = &statistics.stats;
    let mut add = |severity, found: String| findings.add(severity, Component::Statistics, 0, None, found);
    let mut wrong = |found: String| add(Severity::Wrong, found);
    if stored.rows != seen.rows {
        wrong(format!("it says {} rows, there are {}", stored.rows, seen.rows));
    }
    let (has_times, least, greatest) =
        (seen.min_timestamp_us != NO_TIMESTAMP, seen.min_timestamp_us, seen.max_timestamp_us);
    if has_times && stored.min_timestamp_us > least {
        wrong(format!("its least timestamp is {}, there is {least}", stored.min_timestamp_us));
    }
    if has_times && stored.max_timestamp_us < greatest {
        wrong(format!("its greatest timestamp is {}, there is {greatest}", stored.max_timestamp_us));
    }
    if stored.min_local_deletion_s > seen.min_local_deletion_s {
        let (stored, seen) = (second(stored.min_local_deletion_s), second(seen.min_local_deletion_s));
        wrong(format!("its least local deletion time is {stored}, there is {seen}"));
    }
    if stored.max_local_deletion_s < seen.max_local_deletion_s && has_times {
        let (stored, seen) = (second(stored.max_local_deletion_s), second(seen.max_local_deletion_s));
        wrong(format!("its greatest local deletion time is {stored}, there is {seen}"));
    }
    if has_times && (stored.min_ttl_s > seen.min_ttl_s || stored.max_ttl_s < seen.max_ttl_s) {
        wrong(format!(
            "its times to live are {} to {}, there are {} to {}",
            stored.min_ttl_s, stored.max_ttl_s, seen.min_ttl_s, seen.max_ttl_s
        ));
    }
    if seen.has_partition_deletions && !stored.has_partition_deletions {
        wrong("it says that no partition is deleted, and one is".to_owned());
    }
    if seen.covered != nothing()
        && (stored.covered.start.order > seen.covered.start.order
            || stored.covered.end.order < seen.covered.end.order)
    {
        wrong("there are rows outside of the covered slice: reads of them are skipped".to_owned());
    }
    // Cassandra 3.0 counts what never goes, too.
    let never = if version.is_3x() { i64::from(i32::MAX) } else { i64::MAX };
    let tombstones = |stats: &Stats| {
        let bins = stats.droppable.iter().filter(|(second, _)| *second < never);
        bins.map(|(_, count)| u64::from(*count)).sum::<u64>()
    };
    if tombstones(stored) != tombstones(seen) {
        let (stored, seen) = (tombstones(stored), tombstones(seen));
        let severity = if stored == 0 { Severity::Wrong } else { Severity::Doubtful };
        add(severity, format!("its tombstone histogram counts {stored}, there are {seen}"));
    }
    if stored.columns != seen.columns {
        add(Severity::Doubtful, format!("it says {} columns, there are {}", stored.columns, seen.columns));
    }
    let histograms = stored.partition_sizes == seen.partition_sizes && stored.cell_counts == seen.cell_counts;
    // Before Cassandra 5 the bytes of a partition were counted otherwise.
    let is_known = version >= Version::Oa;
    if !histograms && is_known && stored.partition_sizes.count() == partitions {
        add(Severity::Doubtful, "its histograms are not those of the data".to_owned());
    }
}

fn second(local_deletion_s: u32) -> String {
    if local_deletion_s == NO_DELETION_TIME { "none".to_owned() } else { local_deletion_s.to_string() }
}
