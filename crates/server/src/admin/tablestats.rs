//! `tablestats`: labels and order of Cassandra 5.0.9, as text, JSON and YAML.
//!
//! Read in order: [`TableNumbers`] (one table), [`text`], [`json`], [`yaml`], [`sort`].

use serde_json::{Map, Value, json};
use storage::TableDetails;

use super::units;

/// What is sorted by, as typed after `-s`.
pub const SORT_KEYS: [&str; 42] = [
    "average_live_cells_per_slice_last_five_minutes",
    "average_tombstones_per_slice_last_five_minutes",
    "bloom_filter_false_positives",
    "bloom_filter_false_ratio",
    "bloom_filter_off_heap_memory_used",
    "bloom_filter_space_used",
    "compacted_partition_maximum_bytes",
    "compacted_partition_mean_bytes",
    "compacted_partition_minimum_bytes",
    "compression_metadata_off_heap_memory_used",
    "dropped_mutations",
    "full_name",
    "index_summary_off_heap_memory_used",
    "local_read_count",
    "local_read_latency_ms",
    "local_write_latency_ms",
    "maximum_live_cells_per_slice_last_five_minutes",
    "maximum_tombstones_per_slice_last_five_minutes",
    "memtable_cell_count",
    "memtable_data_size",
    "memtable_off_heap_memory_used",
    "memtable_switch_count",
    "number_of_partitions_estimate",
    "off_heap_memory_used_total",
    "pending_flushes",
    "percent_repaired",
    "read_latency",
    "reads",
    "space_used_by_snapshots_total",
    "space_used_live",
    "space_used_total",
    "sstable_compression_ratio",
    "sstable_count",
    "table_name",
    "write_latency",
    "writes",
    "max_sstable_size",
    "local_read_write_ratio",
    "twcs_max_duration",
    "sai_local_query_latency_ms",
    "sai_disk_used_bytes",
    "sai_total_query_timeouts",
];

/// One table's numbers.
#[derive(Clone, Debug)]
pub struct TableNumbers {
    /// Keyspace.
    pub keyspace: String,
    /// Name.
    pub name: String,
    /// All that the engine knows.
    pub details: TableDetails,
    /// It is compacted by levels.
    pub is_leveled: bool,
}

impl TableNumbers {
    fn partitions(&self) -> u64 {
        let stats = &self.details.stats;
        stats.sstable_partitions_count + stats.memtable_partitions_count as u64
    }

    fn off_heap_bytes(&self) -> u64 {
        self.details.filter_bytes + self.details.compression_info_bytes + self.details.summary_bytes
    }

    fn compression_ratio(&self) -> f64 {
        match self.details.stats.compressed {
            (_, 0) => -1.0,
            (stored, plain) => stored as f64 / plain as f64,
        }
    }

    fn percent_repaired(&self) -> f64 {
        let stats = &self.details.stats;
        match stats.uncompressed_bytes {
            0 => 100.0,
            all => (stats.repaired_bytes as f64 * 10_000.0 / all as f64).round() / 100.0,
        }
    }

    fn unrepaired_bytes(&self) -> u64 {
        let stats = &self.details.stats;
        stats.uncompressed_bytes.saturating_sub(stats.repaired_bytes + stats.pending_repair_bytes)
    }

    fn false_ratio(&self) -> f64 {
        let stats = &self.details.stats;
        match stats.bloom_false_positives + stats.bloom_true_positives {
            0 => 0.0,
            all => stats.bloom_false_positives as f64 / all as f64,
        }
    }

    fn droppable_ratio(&self) -> f64 {
        let stats = &self.details.stats;
        match stats.sstable_columns_count {
            0 => 0.0,
            columns => stats.droppable_count as f64 / columns as f64,
        }
    }

    fn read_write_ratio(&self) -> f64 {
        let stats = &self.details.stats;
        match stats.writes {
            0 => 0.0,
            writes => stats.reads as f64 / writes as f64,
        }
    }

    fn compacted_mean(&self) -> u64 {
        let mean = self.details.partition_bytes.mean();
        if mean.is_nan() { 0 } else { mean as u64 }
    }

    /// Label and value, in Cassandra's order.
    fn labelled(&self, is_human: bool) -> Vec<(&'static str, String)> {
        let (details, stats) = (&self.details, &self.details.stats);
        let size = |bytes: u64| if is_human { units::bytes(bytes as f64) } else { bytes.to_string() };
        let latency = |us: f64| format!("{} ms", three_digits(us / 1_000.0));
        let mut lines = vec![
            ("SSTable count", stats.sstables_count.to_string()),
            ("Old SSTable count", stats.old_sstables_count.to_string()),
            ("Max SSTable size", units::short_bytes(stats.largest_sstable_bytes)),
        ];
        if self.is_leveled {
            let list = |items: Vec<String>| format!("[{}]", items.join(", "));
            lines.push(("SSTables in each level", list(stats.levels.iter().map(usize::to_string).collect())));
            let bytes = stats.levels_bytes.iter().map(u64::to_string).collect();
            lines.push(("SSTable bytes in each level", list(bytes)));
        }
        lines.extend([
            ("Space used (live)", size(stats.sstables_bytes)),
            ("Space used (total)", size(details.bytes_total.max(stats.sstables_bytes))),
            ("Space used by snapshots (total)", size(details.snapshot_bytes)),
            ("Off heap memory used (total)", size(self.off_heap_bytes())),
            ("SSTable Compression Ratio", format!("{:.5}", self.compression_ratio())),
            ("Number of partitions (estimate)", self.partitions().to_string()),
            ("Memtable cell count", stats.memtable_operations_count.to_string()),
            ("Memtable data size", size(stats.memtable_bytes as u64)),
            ("Memtable off heap memory used", size(0)),
            ("Memtable switch count", stats.memtable_switches.to_string()),
            ("Speculative retries", "0".to_owned()),
            ("Local read count", stats.reads.to_string()),
            ("Local read latency", latency(details.read_latency_us.mean())),
            ("Local write count", stats.writes.to_string()),
            ("Local write latency", latency(details.write_latency_us.mean())),
            ("Local read/write ratio", format!("{:.5}", self.read_write_ratio())),
            ("Pending flushes", stats.pending_flushes.to_string()),
            ("Percent repaired", units::java_double(self.percent_repaired())),
            ("Bytes repaired", units::short_bytes(stats.repaired_bytes)),
            ("Bytes unrepaired", units::short_bytes(self.unrepaired_bytes())),
            ("Bytes pending repair", units::short_bytes(stats.pending_repair_bytes)),
            ("Bloom filter false positives", stats.bloom_false_positives.to_string()),
            ("Bloom filter false ratio", format!("{:.5}", self.false_ratio())),
            ("Bloom filter space used", size(details.filter_bytes)),
            ("Bloom filter off heap memory used", size(details.filter_bytes)),
            ("Index summary off heap memory used", size(details.summary_bytes)),
            ("Compression metadata off heap memory used", size(details.compression_info_bytes)),
            ("Compacted partition minimum bytes", details.partition_bytes.min().to_string()),
            ("Compacted partition maximum bytes", details.partition_bytes.max().to_string()),
            ("Compacted partition mean bytes", self.compacted_mean().to_string()),
            (
                "Average live cells per slice (last five minutes)",
                units::java_double(details.live_per_read.mean()),
            ),
            ("Maximum live cells per slice (last five minutes)", details.live_per_read.max().to_string()),
            (
                "Average tombstones per slice (last five minutes)",
                units::java_double(details.tombstones_per_read.mean()),
            ),
            (
                "Maximum tombstones per slice (last five minutes)",
                details.tombstones_per_read.max().to_string(),
            ),
            ("Droppable tombstone ratio", format!("{:.5}", self.droppable_ratio())),
        ]);
        lines
    }

    /// By Cassandra's names, in the order of its hash map.
    fn to_json(&self, is_human: bool) -> Value {
        let (details, stats) = (&self.details, &self.details.stats);
        let size =
            |bytes: u64| Value::String(if is_human { units::bytes(bytes as f64) } else { bytes.to_string() });
        let ratio = |number: f64| Value::String(format!("{number:.5}"));
        let mean_ms = |us: f64| Value::String(three_digits(us / 1_000.0));
        let (levels, levels_bytes) = match self.is_leveled {
            true => (
                stats.levels.iter().map(usize::to_string).collect(),
                stats.levels_bytes.iter().map(u64::to_string).collect(),
            ),
            false => (Vec::new(), Vec::new()),
        };
        let fields = vec![
            ("twcs", Value::Null),
            ("sai_total_queryable_index_ratio", Value::Null),
            ("memtable_switch_count", json!(stats.memtable_switches)),
            ("sai_post_filtering_read_latency", json!("0.000")),
            ("speculative_retries", json!(0)),
            ("average_live_cells_per_slice_last_five_minutes", number(details.live_per_read.mean())),
            ("local_read_latency_ms", mean_ms(details.read_latency_us.mean())),
            ("sstable_count", json!(stats.sstables_count)),
            ("compacted_partition_minimum_bytes", json!(details.partition_bytes.min())),
            ("sstable_compression_ratio", number(self.compression_ratio())),
            ("max_sstable_size", json!(stats.largest_sstable_bytes)),
            ("sai_index_segments_hit", json!(0.0)),
            ("memtable_off_heap_memory_used", size(0)),
            ("bloom_filter_space_used", size(details.filter_bytes)),
            ("compacted_partition_maximum_bytes", json!(details.partition_bytes.max())),
            ("sai_rows_filtered", json!(0.0)),
            ("droppable_tombstone_ratio", ratio(self.droppable_ratio())),
            ("compression_metadata_off_heap_memory_used", size(details.compression_info_bytes)),
            ("bloom_filter_false_ratio", ratio(self.false_ratio())),
            ("percent_repaired", number(self.percent_repaired())),
            ("average_tombstones_per_slice_last_five_minutes", number(details.tombstones_per_read.mean())),
            ("top_tombstone_partitions", json!({})),
            ("sai_total_query_timeouts", json!(0)),
            ("bloom_filter_off_heap_memory_used", size(details.filter_bytes)),
            ("bytes_pending_repair", json!(stats.pending_repair_bytes)),
            ("maximum_tombstones_per_slice_last_five_minutes", json!(details.tombstones_per_read.max())),
            ("memtable_cell_count", json!(stats.memtable_operations_count)),
            ("memtable_data_size", size(stats.memtable_bytes as u64)),
            ("local_write_latency_ms", mean_ms(details.write_latency_us.mean())),
            ("pending_flushes", json!(stats.pending_flushes)),
            ("local_read_count", json!(stats.reads)),
            ("top_size_partitions", json!({})),
            ("bloom_filter_false_positives", json!(stats.bloom_false_positives)),
            ("off_heap_memory_used_total", size(self.off_heap_bytes())),
            ("index_summary_off_heap_memory_used", size(details.summary_bytes)),
            ("sai_local_query_latency_ms", json!("0.000")),
            ("sstables_in_each_level", json!(levels)),
            ("sstable_bytes_in_each_level", json!(levels_bytes)),
            ("space_used_total", size(details.bytes_total.max(stats.sstables_bytes))),
            ("local_write_count", json!(stats.writes)),
            ("sai_sstable_indexes_hit", json!(0.0)),
            ("local_read_write_ratio", ratio(self.read_write_ratio())),
            ("number_of_partitions_estimate", json!(self.partitions())),
            ("sai_disk_used_bytes", Value::Null),
            ("bytes_repaired", json!(stats.repaired_bytes)),
            ("maximum_live_cells_per_slice_last_five_minutes", json!(details.live_per_read.max())),
            ("space_used_live", size(stats.sstables_bytes)),
            ("compacted_partition_mean_bytes", json!(self.compacted_mean())),
            ("old_sstable_count", json!(stats.old_sstables_count)),
            ("bytes_unrepaired", json!(self.unrepaired_bytes())),
            ("space_used_by_snapshots_total", size(details.snapshot_bytes)),
        ];
        let named = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
        Value::Object(named.collect())
    }

    fn sort_value(&self, key: &str) -> f64 {
        let (details, stats) = (&self.details, &self.details.stats);
        match key {
            "average_live_cells_per_slice_last_five_minutes" => details.live_per_read.mean(),
            "average_tombstones_per_slice_last_five_minutes" => details.tombstones_per_read.mean(),
            "bloom_filter_false_positives" => stats.bloom_false_positives as f64,
            "bloom_filter_false_ratio" => self.false_ratio(),
            "bloom_filter_off_heap_memory_used" | "bloom_filter_space_used" => details.filter_bytes as f64,
            "compacted_partition_maximum_bytes" => details.partition_bytes.max() as f64,
            "compacted_partition_mean_bytes" => self.compacted_mean() as f64,
            "compacted_partition_minimum_bytes" => details.partition_bytes.min() as f64,
            "compression_metadata_off_heap_memory_used" => details.compression_info_bytes as f64,
            "index_summary_off_heap_memory_used" => details.summary_bytes as f64,
            "local_read_count" | "reads" => stats.reads as f64,
            "local_read_latency_ms" | "read_latency" => details.read_latency_us.mean(),
            "local_write_latency_ms" | "write_latency" => details.write_latency_us.mean(),
            "writes" => stats.writes as f64,
            "maximum_live_cells_per_slice_last_five_minutes" => details.live_per_read.max() as f64,
            "maximum_tombstones_per_slice_last_five_minutes" => details.tombstones_per_read.max() as f64,
            "memtable_cell_count" => stats.memtable_operations_count as f64,
            "memtable_data_size" => stats.memtable_bytes as f64,
            "memtable_switch_count" => stats.memtable_switches as f64,
            "number_of_partitions_estimate" => self.partitions() as f64,
            "off_heap_memory_used_total" => self.off_heap_bytes() as f64,
            "pending_flushes" => stats.pending_flushes as f64,
            "percent_repaired" => self.percent_repaired(),
            "space_used_by_snapshots_total" => details.snapshot_bytes as f64,
            "space_used_live" => stats.sstables_bytes as f64,
            "space_used_total" => details.bytes_total as f64,
            "sstable_compression_ratio" => self.compression_ratio(),
            "sstable_count" => stats.sstables_count as f64,
            "max_sstable_size" => stats.largest_sstable_bytes as f64,
            "local_read_write_ratio" => self.read_write_ratio(),
            _ => 0.0,
        }
    }
}

fn three_digits(number: f64) -> String {
    if number.is_nan() { "NaN".to_owned() } else { format!("{number:.3}") }
}

/// A double; "NaN" as text where JSON has no number for it.
fn number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!("NaN") }
}

/// Largest first; names ascend.
pub fn sort(tables: &mut [TableNumbers], key: &str) {
    let name = |table: &TableNumbers| (table.keyspace.clone(), table.name.clone());
    match key {
        "full_name" => tables.sort_by_key(name),
        "table_name" => tables.sort_by_key(|table| table.name.clone()),
        _ => tables.sort_by(|a, b| {
            let order = |one: &TableNumbers| {
                let value = one.sort_value(key);
                if value.is_nan() { f64::MIN } else { value }
            };
            order(b).total_cmp(&order(a)).then_with(|| name(a).cmp(&name(b)))
        }),
    }
}

/// Reads, their mean milliseconds, writes, theirs, waiting flushes: of a keyspace.
fn sums(tables: &[&TableNumbers]) -> (u64, f64, u64, f64, usize) {
    let reads: u64 = tables.iter().map(|one| one.details.stats.reads).sum();
    let writes: u64 = tables.iter().map(|one| one.details.stats.writes).sum();
    let mean = |count: u64, parts: &mut dyn Iterator<Item = (u64, f64)>| {
        let total: f64 = parts.filter(|(count, _)| *count > 0).map(|(count, mean)| count as f64 * mean).sum();
        if count == 0 { f64::NAN } else { total / count as f64 / 1_000.0 }
    };
    let read_ms = mean(
        reads,
        &mut tables.iter().map(|one| (one.details.stats.reads, finite(one.details.read_latency_us.mean()))),
    );
    let write_ms = mean(
        writes,
        &mut tables.iter().map(|one| (one.details.stats.writes, finite(one.details.write_latency_us.mean()))),
    );
    let flushes = tables.iter().map(|one| one.details.stats.pending_flushes).sum();
    (reads, read_ms, writes, write_ms, flushes)
}

fn finite(number: f64) -> f64 {
    if number.is_finite() { number } else { 0.0 }
}

fn by_keyspace(tables: &[TableNumbers]) -> Vec<Vec<&TableNumbers>> {
    let mut groups: Vec<Vec<&TableNumbers>> = Vec::new();
    for table in tables {
        match groups.iter_mut().find(|group| group[0].keyspace == table.keyspace) {
            Some(group) => group.push(table),
            None => groups.push(vec![table]),
        }
    }
    groups
}

/// For people.
pub fn text(tables: &[TableNumbers], is_human: bool, sorted_by: Option<(&str, usize)>) -> String {
    if let Some((key, total)) = sorted_by {
        let shown = match tables.len() < total {
            true => format!(" (showing top {} by {key})", tables.len()),
            false => format!(" (sorted by {key})"),
        };
        let mut text = format!("Total number of tables: {total}{shown}\n----------------\n");
        for table in tables {
            text.push_str(&format!("\tTable: {}.{}\n", table.keyspace, table.name));
            push_lines(&mut text, table, is_human, "\t");
        }
        text.push_str("----------------\n");
        return text;
    }
    let mut text = format!("Total number of tables: {}\n----------------\n", tables.len());
    for group in by_keyspace(tables) {
        let (reads, read_ms, writes, write_ms, flushes) = sums(&group);
        text.push_str(&format!(
            "Keyspace: {}\n\tRead Count: {reads}\n\tRead Latency: {} ms\n\tWrite Count: {writes}\n\
             \tWrite Latency: {} ms\n\tPending Flushes: {flushes}\n",
            group[0].keyspace,
            units::java_double(read_ms),
            units::java_double(write_ms)
        ));
        for table in group {
            text.push_str(&format!("\t\tTable: {}\n", table.name));
            push_lines(&mut text, table, is_human, "\t\t");
        }
        text.push_str("----------------\n");
    }
    text
}

fn push_lines(text: &mut String, table: &TableNumbers, is_human: bool, indent: &str) {
    for (label, value) in table.labelled(is_human) {
        text.push_str(&format!("{indent}{label}: {value}\n"));
    }
    text.push('\n');
}

fn document(tables: &[TableNumbers], is_human: bool, total: usize) -> Map<String, Value> {
    let mut document = Map::new();
    document.insert("total_number_of_tables".to_owned(), json!(total));
    for group in by_keyspace(tables) {
        let (reads, read_ms, writes, write_ms, flushes) = sums(&group);
        let of_tables: Map<String, Value> =
            group.iter().map(|table| (table.name.clone(), table.to_json(is_human))).collect();
        let keyspace = json!({
            "write_latency_ms": number(write_ms),
            "tables": of_tables,
            "read_latency_ms": number(read_ms),
            "pending_flushes": flushes,
            "write_count": writes,
            "read_latency": number(read_ms),
            "read_count": reads,
        });
        document.insert(group[0].keyspace.clone(), keyspace);
    }
    document
}

/// `-F json`
pub fn json(tables: &[TableNumbers], is_human: bool, total: usize) -> String {
    let text = serde_json::to_string_pretty(&document(tables, is_human, total)).unwrap_or_default();
    format!("{text}\n")
}

/// `-F yaml`
pub fn yaml(tables: &[TableNumbers], is_human: bool, total: usize) -> String {
    let mut text = String::new();
    push_yaml(&mut text, &document(tables, is_human, total), 0);
    text.push('\n');
    text
}

fn push_yaml(text: &mut String, object: &Map<String, Value>, indent: usize) {
    for (key, value) in object {
        text.push_str(&format!("{:indent$}{key}:", ""));
        match value {
            Value::Object(inner) if inner.is_empty() => text.push_str(" {}\n"),
            Value::Object(inner) => {
                text.push('\n');
                push_yaml(text, inner, indent + 2);
            }
            Value::Array(items) if items.is_empty() => text.push_str(" []\n"),
            Value::Array(items) => {
                text.push('\n');
                for item in items {
                    text.push_str(&format!("{:indent$}- {}\n", "", scalar(item)));
                }
            }
            scalar_value => text.push_str(&format!(" {}\n", scalar(scalar_value))),
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
