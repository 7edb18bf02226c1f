//! `sstable metadata`: what Statistics.db says, in the shape of Cassandra's `sstablemetadata`.
//!
//! Times are UTC. Columns come by name (the tool prints them in the order of a hash table); the cardinality of
//! SSTables with more than some thousand keys is estimated a little differently.

use std::io::Write;
use std::sync::Arc;

use model::row::{NO_DELETION_TIME, NO_TIMESTAMP};
use model::{CqlType, PartitionKey};
use runtime::Disk;
use sstable::description::Buckets;
use sstable::{Component, Description, Descriptor, SsTable};

use crate::dump::time::american;
use crate::error::ToolError;

const BAR_WIDTH: f64 = 30.0;

/// Prints one SSTable's. `gc_before_s`: tombstones made before this second are droppable.
pub fn metadata(
    disk: &Arc<dyn Disk>,
    descriptor: &Descriptor,
    gc_before_s: i64,
    out: &mut dyn Write,
) -> Result<(), ToolError> {
    let path = descriptor.path(Component::Statistics);
    if !disk.exists(&path)? {
        return Err(ToolError::Usage(format!("{} is missing", path.display())));
    }
    let about = Description::read(disk, descriptor)?;
    let name = descriptor.to_string();
    writeln!(out, "SSTable: {}", name.trim_end_matches('-'))?;
    writeln!(out, "Partitioner: {}", about.partitioner)?;
    writeln!(out, "Bloom Filter FP chance: {}", double(about.bloom_filter_fp_chance))?;
    let (least, greatest) = about.timestamps_us;
    writeln!(out, "Minimum timestamp: {}", micros(least))?;
    writeln!(out, "Maximum timestamp: {}", micros(greatest))?;
    writeln!(out, "Duration: {}", span(greatest.wrapping_sub(least) / 1_000_000))?;
    writeln!(out, "SSTable min local deletion time: {}", deletion(about.local_deletions_s.0))?;
    writeln!(out, "SSTable max local deletion time: {}", deletion(about.local_deletions_s.1))?;
    writeln!(out, "Compressor: {}", compressor(&about))?;
    if about.compressor.is_some() {
        writeln!(out, "Compression ratio: {}", double(about.compression_ratio))?;
    }
    writeln!(out, "TTL min: {}", ttl(about.ttls_s.0))?;
    writeln!(out, "TTL max: {}", ttl(about.ttls_s.1))?;
    if let Some((first, last)) = keys(disk, descriptor, &about) {
        for (label, key) in [("First", first), ("Last", last)] {
            writeln!(out, "{label} token: {} ({})", key.token.0, key_text(&about.key_types, &key))?;
        }
    }
    let (start, end) = &about.covered;
    if descriptor.version < sstable::Version::Oa && start.is_empty() && end.is_empty() {
        writeln!(out, "Covered clusterings: ALL")?;
    } else {
        writeln!(out, "Covered clusterings: [{}, {}]", start.join(":"), end.join(":"))?;
    }
    writeln!(out, "Estimated droppable tombstones: {}", double(droppable(&about, gc_before_s)))?;
    writeln!(out, "SSTable Level: {}", about.level)?;
    let repaired = about.repaired_at_ms;
    match repaired {
        0 => writeln!(out, "Repaired at: 0")?,
        _ => writeln!(out, "Repaired at: {} ({})", american(repaired / 1000), repaired)?,
    }
    let uuid = |id: Option<uuid::Uuid>| id.map_or_else(|| "--".to_owned(), |id| id.to_string());
    if let Some(host) = about.host_id {
        writeln!(out, "Originating host id: {host}")?;
    }
    writeln!(out, "Pending repair: {}", uuid(about.pending_repair))?;
    let place =
        |(segment, byte): (i64, i32)| format!("CommitLogPosition(segmentId={segment}, position={byte})");
    let intervals = about.commit_log_intervals.iter();
    let intervals: Vec<String> =
        intervals.map(|(start, end)| format!("{}={}", place(*start), place(*end))).collect();
    writeln!(out, "Replay positions covered: {{{}}}", intervals.join(", "))?;
    writeln!(out, "totalColumnsSet: {}", about.columns)?;
    writeln!(out, "totalRows: {}", about.rows)?;
    histograms(&about, out)?;
    writeln!(out, "Local token space coverage: {}", double(about.token_space_coverage))?;
    writeln!(out, "Estimated cardinality: {}", about.cardinality)?;
    let bases = &about.bases;
    writeln!(out, "EncodingStats minTTL: {}", ttl(bases.min_ttl_s))?;
    writeln!(out, "EncodingStats minLocalDeletionTime: {}", deletion(bases.min_local_deletion_s))?;
    writeln!(out, "EncodingStats minTimestamp: {}", micros(bases.min_timestamp_us))?;
    writeln!(out, "KeyType: {}", about.key_type)?;
    writeln!(out, "ClusteringTypes: [{}]", about.clustering_types.join(", "))?;
    writeln!(out, "StaticColumns: {}", columns(&about.statics))?;
    writeln!(out, "RegularColumns: {}", columns(&about.regulars))?;
    writeln!(out, "IsTransient: {}", about.is_transient)?;
    Ok(())
}

fn compressor(about: &Description) -> String {
    match &about.compressor {
        Some(name) if name.contains('.') => name.clone(),
        Some(name) => format!("org.apache.cassandra.io.compress.{name}"),
        None => "-".to_owned(),
    }
}

fn columns(columns: &[(String, String)]) -> String {
    columns.iter().map(|(name, ty)| format!("{name}:{ty}")).collect::<Vec<_>>().join(", ")
}

/// First and last key; of versions that do not keep them in Statistics.db, from the index.
fn keys(
    disk: &Arc<dyn Disk>,
    descriptor: &Descriptor,
    about: &Description,
) -> Option<(PartitionKey, PartitionKey)> {
    let opened = || {
        let sstable = SsTable::open(disk, descriptor).ok()?;
        let metadata = sstable.metadata();
        Some((metadata.first.clone(), metadata.last.clone()))
    };
    about.keys.clone().or_else(opened)
}

fn key_text(types: &[CqlType], key: &PartitionKey) -> String {
    match key.components(types.len()) {
        Some(components) => {
            let shown = types.iter().zip(&components);
            crate::dump::joined(shown.map(|(ty, component)| ty.to_text(component)).collect())
        }
        None => CqlType::Blob.to_text(&key.key),
    }
}

fn double(value: f64) -> String {
    model::value::number::format_double(value)
}

fn micros(timestamp_us: i64) -> String {
    if timestamp_us == NO_TIMESTAMP || timestamp_us == i64::MAX {
        return timestamp_us.to_string();
    }
    format!("{} ({timestamp_us})", american(timestamp_us.div_euclid(1_000_000)))
}

fn deletion(second: u32) -> String {
    if second == NO_DELETION_TIME {
        return format!("no tombstones ({})", i64::MAX);
    }
    format!("{} ({second})", american(i64::from(second)))
}

fn span(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    format!("Days: {days} Hours: {hours} Minutes: {minutes} Seconds: {}", seconds % 60)
}

fn ttl(seconds: i32) -> String {
    if seconds == 0 {
        return "0".to_owned();
    }
    let parts = [
        (seconds / 86_400, "day"),
        (seconds / 3600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let shown = parts.iter().filter(|(count, _)| *count != 0);
    let shown = shown.map(|(count, unit)| format!("{count} {unit}{}", if *count == 1 { "" } else { "s" }));
    format!("{seconds} ({})", shown.collect::<Vec<_>>().join(" "))
}

/// Droppable tombstones by cells.
fn droppable(about: &Description, gc_before_s: i64) -> f64 {
    let cells = &about.cell_counts;
    let sum = cells.offsets.iter().zip(&cells.counts).fold(0.0, |sum, (at, n)| sum + *at as f64 * *n as f64);
    let partitions = cells.counts.iter().fold(0.0, |sum, count| sum + *count as f64);
    if sum <= 0.0 {
        return 0.0;
    }
    let before = about.droppable.iter().filter(|(second, _)| *second <= gc_before_s);
    // The mean is rounded up, as there.
    before.fold(0.0, |sum, (_, count)| sum + f64::from(*count)) / ((sum / partitions).ceil() * partitions)
}

fn histograms(about: &Description, out: &mut dyn Write) -> Result<(), ToolError> {
    writeln!(out, "Estimated tombstone drop times: ")?;
    let date = |second: i64| format!("({})", american(second));
    let rows: Vec<(i64, u64)> =
        about.droppable.iter().map(|(second, count)| (*second, u64::from(*count))).collect();
    let seconds = rows.iter().map(|(second, count)| (u64::try_from(*second).unwrap_or(0), *count));
    let coarse = Buckets::of(seconds);
    let date_or_nothing = |second: i64| if second == 0 { String::new() } else { date(second) };
    table("Drop Time", &rows, &|at| format!("{at} {}", date(at)), out)?;
    percentiles(&coarse, &|at| format!("{at} {}", date_or_nothing(at)), out)?;

    writeln!(out, "Partition Size: ")?;
    let sized = |at: i64| format!("{at} ({})", human(at));
    table("Size (bytes)", &filled(&about.partition_sizes), &sized, out)?;
    percentiles(&about.partition_sizes, &sized, out)?;

    writeln!(out, "Column Count: ")?;
    let plain = |at: i64| at.to_string();
    table("Columns", &filled(&about.cell_counts), &plain, out)?;
    percentiles(&about.cell_counts, &plain, out)
}

fn filled(buckets: &Buckets) -> Vec<(i64, u64)> {
    let pairs = buckets.offsets.iter().copied().zip(buckets.counts.iter().copied());
    pairs.filter(|(_, count)| *count > 0).collect()
}

fn human(bytes: i64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

fn table(
    title: &str,
    rows: &[(i64, u64)],
    show: &dyn Fn(i64) -> String,
    out: &mut dyn Write,
) -> Result<(), ToolError> {
    let shown: Vec<String> = rows.iter().map(|(at, _)| show(*at)).collect();
    let counts: Vec<String> = rows.iter().map(|(_, count)| count.to_string()).collect();
    let longest = |texts: &[String], least: usize| {
        texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(least)
    };
    let (width, count_width) = (longest(&shown, title.len()), longest(&counts, "Count".len()));
    writeln!(out, "   {title:width$} | {:<count_width$}  (%)  Histogram ", "Count")?;
    let (max, sum) = rows.iter().fold((1, 0), |(max, sum), (_, count)| (max.max(*count), sum + count));
    for ((text, count_text), (_, count)) in shown.iter().zip(&counts).zip(rows) {
        let length = BAR_WIDTH * *count as f64 / max as f64;
        let end = match length.fract() {
            part if part >= 0.75 => "o",
            part if part >= 0.25 => ".",
            _ => "",
        };
        let bar = format!("{}{end}", "O".repeat(length as usize));
        let percent = (100.0 * *count as f64 / sum.max(1) as f64) as u64;
        writeln!(out, "   {text:width$} | {count_text:>count_width$} ({percent:>3}) {bar}")?;
    }
    Ok(())
}

fn percentiles(
    buckets: &Buckets,
    show: &dyn Fn(i64) -> String,
    out: &mut dyn Write,
) -> Result<(), ToolError> {
    let sum = buckets.counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count)).min(u64::MAX / 200);
    let first = buckets.counts.iter().position(|count| *count > 0);
    let min = match first {
        None | Some(0) => 0,
        Some(place) => 1 + buckets.offsets[place - 1],
    };
    let last = buckets.counts.iter().rposition(|count| *count > 0);
    let max = last.map_or(0, |place| buckets.offsets.get(place).copied().unwrap_or(i64::MAX));
    writeln!(out, "   Percentiles")?;
    for percent in [50, 75, 95, 98, 99] {
        let wanted = sum * percent;
        let mut seen = 0;
        let mut at = 0;
        for (offset, count) in buckets.offsets.iter().zip(&buckets.counts) {
            seen = u64::saturating_add(seen, count.saturating_mul(100));
            if seen >= wanted && seen > 0 {
                at = *offset;
                break;
            }
        }
        writeln!(out, "   {:<9} {}", format!("{percent}th"), show(at))?;
    }
    writeln!(out, "   {:<9} {}", "Min", show(min))?;
    writeln!(out, "   {:<9} {}", "Max", show(max))?;
    Ok(())
}
