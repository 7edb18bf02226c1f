//! Table options as text, in the order Cassandra prints them.

use std::collections::BTreeMap;

use model::schema::TableOptions;

/// One option a line, without what joins them.
pub(super) fn option_lines(options: &TableOptions) -> Vec<String> {
    let mut caching = BTreeMap::new();
    caching.insert("keys".to_owned(), options.caching.keys.clone());
    caching.insert("rows_per_partition".to_owned(), options.caching.rows_per_partition.clone());
    let extensions: Vec<String> = options
        .extensions
        .iter()
        .map(|(name, bytes)| {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{}: 0x{hex}", quote_string(name))
        })
        .collect();
    vec![
        format!("additional_write_policy = {}", quote_string(&options.additional_write_policy)),
        format!("allow_auto_snapshot = {}", options.allow_auto_snapshot),
        format!("bloom_filter_fp_chance = {}", java_double(options.bloom_filter_fp_chance)),
        format!("caching = {}", map(&caching)),
        format!("cdc = {}", options.cdc),
        format!("comment = {}", quote_string(&options.comment)),
        format!("compaction = {}", map(&options.compaction)),
        format!("compression = {}", map(&options.compression)),
        format!("memtable = {}", quote_string(options.memtable.as_deref().unwrap_or("default"))),
        format!("crc_check_chance = {}", java_double(options.crc_check_chance)),
        format!("default_time_to_live = {}", options.default_time_to_live),
        format!("extensions = {{{}}}", extensions.join(", ")),
        format!("gc_grace_seconds = {}", options.gc_grace_seconds),
        format!("incremental_backups = {}", options.incremental_backups),
        format!("max_index_interval = {}", options.max_index_interval),
        format!("memtable_flush_period_in_ms = {}", options.memtable_flush_period_in_ms),
        format!("min_index_interval = {}", options.min_index_interval),
        format!("read_repair = {}", quote_string(&options.read_repair)),
        format!("speculative_retry = {}", quote_string(&options.speculative_retry)),
    ]
}

/// A string in single quotes.
pub fn quote_string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn map(entries: &BTreeMap<String, String>) -> String {
    let entries: Vec<String> = entries
        .iter()
        .map(|(key, value)| format!("{}: {}", quote_string(key), quote_string(value)))
        .collect();
    format!("{{{}}}", entries.join(", "))
}

/// A double as Java's `Double.toString` writes it: `0.01`, `1.0`, `1.0E-4`.
pub fn java_double(number: f64) -> String {
    let size = number.abs();
    if number == 0.0 || (1e-3..1e7).contains(&size) || !number.is_finite() {
        return match number {
            number if number.is_nan() => "NaN".to_owned(),
            number if number.is_infinite() => {
                if number > 0.0 {
                    "Infinity".to_owned()
                } else {
                    "-Infinity".to_owned()
                }
            }
            number => format!("{number:?}"),
        };
    }
    let text = format!("{number:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}
