//! `compaction = {…}`

use std::collections::BTreeMap;

use cql::describe::java_double;
use model::QueryError;

const PACKAGE: &str = "org.apache.cassandra.db.compaction.";
const THRESHOLDS: [(&str, &str); 2] = [("max_threshold", "32"), ("min_threshold", "4")];
const COMMON: [&str; 7] = [
    "enabled",
    "log_all",
    "only_purge_repaired_tombstones",
    "provide_overlapping_tombstones",
    "tombstone_compaction_interval",
    "tombstone_threshold",
    "unchecked_tombstone_compaction",
];
const SIZE_TIERED: [&str; 3] = ["bucket_high", "bucket_low", "min_sstable_size"];
const LEVELED: [&str; 3] = ["fanout_size", "single_sstable_uplevel", "sstable_size_in_mb"];
const TIME_WINDOW: [&str; 5] = [
    "compaction_window_size",
    "compaction_window_unit",
    "expired_sstable_check_frequency_seconds",
    "timestamp_resolution",
    "unsafe_aggressive_sstable_expiration",
];
const UNIFIED: [&str; 11] = [
    "base_shard_count",
    "expired_sstable_check_frequency_seconds",
    "flush_size_override",
    "max_sstables_to_compact",
    "min_sstable_size",
    "overlap_inclusion_method",
    "parallelize_output_shards",
    "scaling_parameters",
    "sstable_growth",
    "target_sstable_size",
    "unsafe_aggressive_sstable_expiration",
];

/// Resolves the class; adds the thresholds to the strategies that have them.
pub(super) fn parse(mut map: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, QueryError> {
    let Some(class) = map.remove("class") else {
        return config("Missing sub-option 'class' for the 'compaction' option".to_owned());
    };
    let class = if class.contains('.') { class } else { format!("{PACKAGE}{class}") };
    if strategy_options(&class).is_none() {
        return config(format!("Unable to find compaction strategy class '{class}'"));
    }
    if let Some(method) = map.get("provide_overlapping_tombstones") {
        let method = method.to_ascii_uppercase();
        if !matches!(method.as_str(), "NONE" | "ROW" | "CELL") {
            return config(format!(
                "Invalid value {method} for 'provide_overlapping_tombstones' compaction sub-option - must be \
                 one of the following [NONE, ROW, CELL]."
            ));
        }
    }
    if !class.ends_with(".UnifiedCompactionStrategy") {
        for (name, default) in THRESHOLDS {
            map.entry(name.to_owned()).or_insert_with(|| default.to_owned());
        }
    }
    map.insert("class".to_owned(), class);
    Ok(map)
}

/// True for leveled compaction, whose Bloom filters are smaller unless asked otherwise.
pub(super) fn is_leveled(map: &BTreeMap<String, String>) -> bool {
    map.get("class").is_some_and(|class| class.ends_with(".LeveledCompactionStrategy"))
}

/// The lists of options of a strategy beside the common ones.
fn strategy_options(class: &str) -> Option<&'static [&'static [&'static str]]> {
    match class.strip_prefix(PACKAGE)? {
        "SizeTieredCompactionStrategy" => Some(&[&SIZE_TIERED]),
        "LeveledCompactionStrategy" => Some(&[&LEVELED, &SIZE_TIERED]),
        "TimeWindowCompactionStrategy" => Some(&[&TIME_WINDOW, &SIZE_TIERED]),
        "UnifiedCompactionStrategy" => Some(&[&UNIFIED]),
        _ => None,
    }
}

fn config<T>(text: String) -> Result<T, QueryError> {
    Err(QueryError::Config(text))
}

/// Checks the values of all options.
pub(super) fn validate(map: &BTreeMap<String, String>) -> Result<(), QueryError> {
    let class = map.get("class").map_or("", String::as_str);
    let Some(own) = strategy_options(class) else {
        return config(format!("Unable to find compaction strategy class '{class}'"));
    };
    let simple = class.rsplit('.').next().unwrap_or(class);
    thresholds(map)?;
    common(map)?;
    size_tiered(map)?;
    match simple {
        "LeveledCompactionStrategy" => {
            positive(map, "sstable_size_in_mb")?;
            positive(map, "fanout_size")?;
        }
        "TimeWindowCompactionStrategy" => time_window(map)?,
        "UnifiedCompactionStrategy" => unified(map)?,
        _ => {}
    }
    let is_known = |key: &str| {
        key == "class"
            || COMMON.contains(&key)
            || own.iter().any(|list| list.contains(&key))
            || (simple != "UnifiedCompactionStrategy" && THRESHOLDS.iter().any(|(name, _)| *name == key))
    };
    let unknown: Vec<&str> = map.keys().map(String::as_str).filter(|key| !is_known(key)).collect();
    if !unknown.is_empty() {
        return config(format!(
            "Properties specified [{}] are not understood by {simple}",
            unknown.join(", ")
        ));
    }
    Ok(())
}

fn thresholds(map: &BTreeMap<String, String>) -> Result<(), QueryError> {
    let threshold = |name: &str| -> Result<Option<i32>, QueryError> {
        let Some(text) = map.get(name) else { return Ok(None) };
        match text.parse::<i32>() {
            Ok(number) => Ok(Some(number)),
            Err(_) => config(format!(
                "Invalid value {text} for '{name}' compaction sub-option - must be an integer"
            )),
        }
    };
    let (Some(least), Some(most)) = (threshold("min_threshold")?, threshold("max_threshold")?) else {
        return Ok(());
    };
    if least <= 0 || most <= 0 {
        return config(
            "Disabling compaction by setting compaction thresholds to 0 has been removed, set the compaction \
             option 'enabled' to false instead."
                .to_owned(),
        );
    }
    if least < 2 {
        return config(format!("Min compaction threshold cannot be less than 2 (got {least})"));
    }
    if least > most {
        return config(format!(
            "Min compaction threshold (got {least}) cannot be greater than max compaction threshold (got {most})"
        ));
    }
    Ok(())
}

fn common(map: &BTreeMap<String, String>) -> Result<(), QueryError> {
    if let Some(text) = map.get("enabled")
        && !is_boolean(text)
    {
        return config(format!("enabled should either be 'true' or 'false', not {text}"));
    }
    if let Some(text) = map.get("tombstone_threshold") {
        match text.parse::<f64>() {
            Err(_) => {
                return config(format!("{text} is not a parsable int (base10) for tombstone_threshold"));
            }
            Ok(threshold) if threshold < 0.0 => {
                return config(format!("tombstone_threshold must be greater than 0, but was {threshold:.6}"));
            }
            Ok(_) => {}
        }
    }
    if let Some(text) = map.get("tombstone_compaction_interval") {
        match text.parse::<i64>() {
            Err(_) => {
                return config(format!(
                    "{text} is not a parsable int (base10) for tombstone_compaction_interval"
                ));
            }
            Ok(seconds) if seconds < 0 => {
                return config(format!(
                    "tombstone_compaction_interval must be greater than 0, but was {seconds}"
                ));
            }
            Ok(_) => {}
        }
    }
    if let Some(text) = map.get("unchecked_tombstone_compaction")
        && !is_boolean(text)
    {
        return config(format!(
            "'unchecked_tombstone_compaction' should be either 'true' or 'false', not '{text}'"
        ));
    }
    if let Some(text) = map.get("log_all")
        && !is_boolean(text)
    {
        return config(format!("'log_all' should either be 'true' or 'false', not {text}"));
    }
    Ok(())
}

fn size_tiered(map: &BTreeMap<String, String>) -> Result<(), QueryError> {
    let low = float(map, "bucket_low")?.unwrap_or(0.5);
    let high = float(map, "bucket_high")?.unwrap_or(1.5);
    if high <= low {
        return config(format!(
            "bucket_high value ({}) is less than or equal to the bucket_low value ({})",
            java_double(high),
            java_double(low)
        ));
    }
    let Some(text) = map.get("min_sstable_size") else { return Ok(()) };
    if map.get("class").is_some_and(|class| class.ends_with(".UnifiedCompactionStrategy")) {
        return Ok(()); // there it has a unit
    }
    match text.parse::<i64>() {
        Err(_) => config(format!("{text} is not a parsable int (base10) for min_sstable_size")),
        Ok(bytes) if bytes < 0 => config(format!("min_sstable_size must be non negative: {bytes}")),
        Ok(_) => Ok(()),
    }
}

fn time_window(map: &BTreeMap<String, String>) -> Result<(), QueryError> {
    let unit_is_known = |name: &str, units: &[&str]| match map.get(name) {
        Some(text) if !units.contains(&text.as_str()) => config(format!("{text} is not valid for {name}")),
        _ => Ok(()),
    };
    unit_is_known("timestamp_resolution", &TIME_UNITS)?;
    unit_is_known("compaction_window_unit", &["MINUTES", "HOURS", "DAYS"])?;
    if let Some(size) = integer(map, "compaction_window_size")?
        && size < 1
    {
        return config(format!("{size} must be greater than 1 for compaction_window_size"));
    }
    expired_check(map)
}

const TIME_UNITS: [&str; 7] =
    ["NANOSECONDS", "MICROSECONDS", "MILLISECONDS", "SECONDS", "MINUTES", "HOURS", "DAYS"];

fn expired_check(map: &BTreeMap<String, String>) -> Result<(), QueryError> {
    if let Some(seconds) = integer(map, "expired_sstable_check_frequency_seconds")?
        && seconds < 0
    {
        return config(format!(
            "expired_sstable_check_frequency_seconds must not be negative, but was {seconds}"
        ));
    }
    if map.get("unsafe_aggressive_sstable_expiration").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        return config(
            "unsafe_aggressive_sstable_expiration is requested but not allowed, restart cassandra with \
             -Dcassandra.allow_unsafe_aggressive_sstable_expiration=true to allow it"
                .to_owned(),
        );
    }
    Ok(())
}

fn unified(map: &BTreeMap<String, String>) -> Result<(), QueryError> {
    for parameter in map.get("scaling_parameters").into_iter().flat_map(|list| list.split(',')) {
        let parameter = parameter.trim();
        let digits = parameter.trim_start_matches(['L', 'T', '+', '-']);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if parameter != "N" && !(is_number && parameter.len() - digits.len() <= 1) {
            return config(format!("Scaling parameter {parameter} must match N|L[0-9]+|T[0-9]+|[+-]?[0-9]+"));
        }
    }
    if let Some(size) = map.get("target_sstable_size")
        && !size.ends_with('B')
    {
        return config(format!(
            "target_sstable_size {size} is not a valid size in bytes: {size} does not end in unit B"
        ));
    }
    if let Some(count) = integer(map, "base_shard_count")?
        && count < 1
    {
        return config(format!("Invalid configuration, base_shard_count should be positive: {count}"));
    }
    expired_check(map)
}

fn is_boolean(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}

fn positive(map: &BTreeMap<String, String>, name: &str) -> Result<(), QueryError> {
    match integer(map, name)? {
        Some(number) if number < 1 => config(format!("{name} must be larger than 0, but was {number}")),
        _ => Ok(()),
    }
}

fn integer(map: &BTreeMap<String, String>, name: &str) -> Result<Option<i32>, QueryError> {
    let Some(text) = map.get(name) else { return Ok(None) };
    match text.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => config(format!("{text} is not a parsable int (base10) for {name}")),
    }
}

fn float(map: &BTreeMap<String, String>, name: &str) -> Result<Option<f64>, QueryError> {
    let Some(text) = map.get(name) else { return Ok(None) };
    match text.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => config(format!("{text} is not a parsable float for {name}")),
    }
}
