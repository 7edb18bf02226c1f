//! Time-window compaction: what was written in one window of time becomes one SSTable, which goes whole once all in it
//! is expired.

use std::collections::BTreeMap;

use super::facts::SsTableFacts;
use super::options::{flag, invalid, number};
use super::size_tiered::SizeTiered;
use super::{Decision, Group, OutputPlan, Reason};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct TimeWindow {
    window_s: i64,
    resolution: Resolution,
    pub expired_check_s: i64,
    pub ignores_overlaps: bool,
    /// One of the options of tombstone compaction is given: without, there is none.
    purges_single: bool,
    by_size: SizeTiered,
}

/// `timestamp_resolution`: what write times count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
    Days,
}

impl Resolution {
    fn parse(text: &str) -> Option<Resolution> {
        Some(match text {
            "NANOSECONDS" => Resolution::Nanoseconds,
            "MICROSECONDS" => Resolution::Microseconds,
            "MILLISECONDS" => Resolution::Milliseconds,
            "SECONDS" => Resolution::Seconds,
            "MINUTES" => Resolution::Minutes,
            "HOURS" => Resolution::Hours,
            "DAYS" => Resolution::Days,
            _ => return None,
        })
    }

    fn to_ms(self, timestamp: i64) -> i64 {
        match self {
            Resolution::Nanoseconds => timestamp / 1_000_000,
            Resolution::Microseconds => timestamp / 1_000,
            Resolution::Milliseconds => timestamp,
            Resolution::Seconds => timestamp.saturating_mul(1_000),
            Resolution::Minutes => timestamp.saturating_mul(60_000),
            Resolution::Hours => timestamp.saturating_mul(3_600_000),
            Resolution::Days => timestamp.saturating_mul(86_400_000),
        }
    }
}

impl TimeWindow {
    pub(super) fn parse(map: &BTreeMap<String, String>) -> Result<TimeWindow, String> {
        let unit_s = match map.get("compaction_window_unit").map_or("DAYS", String::as_str) {
            "MINUTES" => 60,
            "HOURS" => 3_600,
            "DAYS" => 86_400,
            other => return Err(invalid("compaction_window_unit", other)),
        };
        let count: i64 = number(map, "compaction_window_size", 1)?;
        if count < 1 || count > i64::from(i32::MAX) {
            return Err(invalid("compaction_window_size", &count.to_string()));
        }
        let resolution = map.get("timestamp_resolution").map_or("MICROSECONDS", String::as_str);
        let asks_for_purges =
            ["unchecked_tombstone_compaction", "tombstone_compaction_interval", "tombstone_threshold"];
        Ok(TimeWindow {
            window_s: count * unit_s,
            resolution: Resolution::parse(resolution)
                .ok_or_else(|| invalid("timestamp_resolution", resolution))?,
            expired_check_s: number(map, "expired_sstable_check_frequency_seconds", 600)?,
            ignores_overlaps: flag(map, "unsafe_aggressive_sstable_expiration", false)?,
            purges_single: asks_for_purges
                .iter()
                .any(|name| map.get(*name).is_some_and(|text| text != "false")),
            by_size: SizeTiered::parse(map)?,
        })
    }

    /// `expired` are left out: they go anyway.
    pub(super) fn decide(&self, group: &Group<'_>, expired: &[u64]) -> Option<Decision> {
        let free: Vec<&SsTableFacts> = group.free().filter(|facts| !expired.contains(&facts.id)).collect();
        let current_ms = self.current_window_ms(group);
        for (start_ms, mut bucket) in self.windows(&free).into_iter().rev() {
            if start_ms >= current_ms {
                let chosen = self.by_size.best_bucket(self.by_size.buckets(&bucket));
                if let Some(chosen) = chosen {
                    return Some(Decision::new(chosen, 0, OutputPlan::Single, Reason::CurrentWindow));
                }
            } else if bucket.len() >= 2 {
                bucket.sort_by_key(|facts| (facts.bytes, facts.id));
                bucket.truncate(self.by_size.thresholds.max_count);
                let reason = Reason::PastWindow { start_ms };
                return Some(Decision::new(bucket, 0, OutputPlan::Single, reason));
            }
        }
        if !self.purges_single {
            return None;
        }
        let smallest = free.into_iter().filter(|facts| group.is_worth_purging(facts));
        smallest
            .min_by_key(|facts| (facts.bytes, facts.id))
            .map(|facts| group.purge(facts, OutputPlan::Single))
    }

    pub(super) fn pending(&self, group: &Group<'_>) -> usize {
        let free: Vec<&SsTableFacts> = group.free().collect();
        let current_ms = self.current_window_ms(group);
        let count_of = |start_ms: i64, bucket: &[&SsTableFacts]| match start_ms >= current_ms {
            true => self.by_size.pending_of(bucket),
            false if bucket.len() >= 2 => bucket.len().div_ceil(self.by_size.thresholds.max_count),
            false => 0,
        };
        self.windows(&free).iter().map(|(start_ms, bucket)| count_of(*start_ms, bucket)).sum()
    }

    /// All in one; with split output one for each window.
    pub(super) fn major(&self, group: &Group<'_>, split_output: bool) -> Vec<Decision> {
        let free: Vec<&SsTableFacts> = group.free().collect();
        let buckets = if split_output { self.windows(&free).into_values().collect() } else { vec![free] };
        let buckets = buckets.into_iter().filter(|bucket| !bucket.is_empty());
        buckets.map(|bucket| Decision::new(bucket, 0, OutputPlan::Single, Reason::Requested)).collect()
    }

    fn windows<'a>(&self, facts: &[&'a SsTableFacts]) -> BTreeMap<i64, Vec<&'a SsTableFacts>> {
        let mut windows: BTreeMap<i64, Vec<&SsTableFacts>> = BTreeMap::new();
        for facts in facts {
            windows.entry(self.window_ms(facts)).or_default().push(facts);
        }
        windows
    }

    /// First millisecond of the window in which the youngest write lies. Rounded towards 1970, as in Cassandra.
    fn window_ms(&self, facts: &SsTableFacts) -> i64 {
        let second = self.resolution.to_ms(facts.max_timestamp_us) / 1_000;
        (second - second % self.window_s).saturating_mul(1_000)
    }

    /// The youngest window of all SSTables, busy ones too.
    fn current_window_ms(&self, group: &Group<'_>) -> i64 {
        group.all.iter().map(|facts| self.window_ms(facts)).max().unwrap_or(0).max(0)
    }
}
