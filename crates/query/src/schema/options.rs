//! Table options: parsed, normalised to the form `system_schema.tables` shows, checked.
//!
//! Parsing comes before the statement looks at the schema, checking after it: the order of errors is Cassandra's.

mod compaction;
mod compression;
mod speculative;

use std::collections::BTreeMap;

use cql::describe::java_double;
use model::QueryError;
use model::row::MAX_TTL_S;
use model::schema::{Caching, TableOptions};
use uuid::Uuid;

use super::properties::Properties;

/// Everything that may stand after WITH of a table.
const KNOWN: [&str; 20] = [
    "additional_write_policy",
    "allow_auto_snapshot",
    "bloom_filter_fp_chance",
    "caching",
    "cdc",
    "comment",
    "compaction",
    "compression",
    "crc_check_chance",
    "default_time_to_live",
    "extensions",
    "gc_grace_seconds",
    "id",
    "incremental_backups",
    "max_index_interval",
    "memtable",
    "memtable_flush_period_in_ms",
    "min_index_interval",
    "read_repair",
    "speculative_retry",
];

/// The smallest share of false positives that a Bloom filter can reach.
const BLOOM_FILTER_FP_CHANCE_MIN: f64 = 6.71e-5;
/// Where leveled compaction is asked for and no share is: half the size, as Cassandra does.
const LEVELED_BLOOM_FILTER_FP_CHANCE: f64 = 0.1;

/// Refuses unknown names.
pub(crate) fn check_names(properties: Properties<'_>) -> Result<(), QueryError> {
    properties.check_names(&KNOWN)
}

/// `id = …`
pub(crate) fn table_id(properties: Properties<'_>) -> Result<Option<Uuid>, QueryError> {
    let Some(text) = properties.text("id")? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| QueryError::Config("Invalid table id".to_owned()))
}

/// The options of a new table.
pub(crate) fn create(properties: Properties<'_>) -> Result<TableOptions, QueryError> {
    let mut options = alter(&TableOptions::default(), properties)?;
    if properties.double("bloom_filter_fp_chance")?.is_none() && compaction::is_leveled(&options.compaction) {
        options.bloom_filter_fp_chance = LEVELED_BLOOM_FILTER_FP_CHANCE;
    }
    Ok(options)
}

/// The options of a table after `WITH …`; each one that is named replaces the old one as a whole.
pub(crate) fn alter(base: &TableOptions, properties: Properties<'_>) -> Result<TableOptions, QueryError> {
    fn set<T>(field: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *field = value;
        }
    }
    let mut options = base.clone();
    set(&mut options.allow_auto_snapshot, properties.boolean("allow_auto_snapshot")?);
    set(&mut options.bloom_filter_fp_chance, properties.double("bloom_filter_fp_chance")?);
    set(&mut options.caching, properties.map("caching")?.map(caching).transpose()?);
    set(&mut options.cdc, properties.boolean("cdc")?);
    set(&mut options.comment, properties.text("comment")?.map(str::to_owned));
    set(&mut options.compaction, properties.map("compaction")?.map(compaction::parse).transpose()?);
    set(&mut options.compression, properties.map("compression")?.map(compression::parse).transpose()?);
    set(&mut options.memtable, properties.text("memtable")?.map(memtable).transpose()?);
    set(&mut options.crc_check_chance, properties.double("crc_check_chance")?);
    set(&mut options.default_time_to_live, properties.integer("default_time_to_live")?);
    properties.map("extensions")?; // taken and forgotten, as Cassandra does
    set(&mut options.gc_grace_seconds, properties.integer("gc_grace_seconds")?);
    set(&mut options.incremental_backups, properties.boolean("incremental_backups")?);
    set(&mut options.max_index_interval, properties.integer("max_index_interval")?);
    set(&mut options.memtable_flush_period_in_ms, properties.integer("memtable_flush_period_in_ms")?);
    set(&mut options.min_index_interval, properties.integer("min_index_interval")?);
    set(&mut options.read_repair, properties.text("read_repair")?.map(read_repair).transpose()?);
    set(
        &mut options.speculative_retry,
        properties.text("speculative_retry")?.map(speculative::parse).transpose()?,
    );
    set(
        &mut options.additional_write_policy,
        properties.text("additional_write_policy")?.map(speculative::parse).transpose()?,
    );
    Ok(options)
}

/// What is wrong with the values, once all else is right.
pub(crate) fn validate(options: &TableOptions) -> Result<(), QueryError> {
    compaction::validate(&options.compaction)?;
    let bloom = options.bloom_filter_fp_chance;
    if !(bloom > BLOOM_FILTER_FP_CHANCE_MIN && bloom <= 1.0) {
        return Err(QueryError::Config(format!(
            "bloom_filter_fp_chance must be larger than {} and less than or equal to 1.0 (got {})",
            java_double(BLOOM_FILTER_FP_CHANCE_MIN),
            java_double(bloom)
        )));
    }
    let crc = options.crc_check_chance;
    if !(0.0..=1.0).contains(&crc) {
        return Err(QueryError::Config(format!(
            "crc_check_chance must be larger than or equal to 0 and smaller than or equal to 1.0 (got {})",
            java_double(crc)
        )));
    }
    at_least("default_time_to_live", options.default_time_to_live, 0)?;
    if options.default_time_to_live > MAX_TTL_S {
        return Err(QueryError::Config(format!(
            "default_time_to_live must be less than or equal to {MAX_TTL_S} (got {})",
            options.default_time_to_live
        )));
    }
    at_least("gc_grace_seconds", options.gc_grace_seconds, 0)?;
    at_least("min_index_interval", options.min_index_interval, 1)?;
    if options.max_index_interval < options.min_index_interval {
        return Err(QueryError::Config(format!(
            "max_index_interval must be greater than or equal to min_index_interval ({}) (got {})",
            options.min_index_interval, options.max_index_interval
        )));
    }
    at_least("memtable_flush_period_in_ms", options.memtable_flush_period_in_ms, 0)
}

fn at_least(name: &str, value: i32, least: i32) -> Result<(), QueryError> {
    if value < least {
        return Err(QueryError::Config(format!(
            "{name} must be greater than or equal to {least} (got {value})"
        )));
    }
    Ok(())
}

/// Sub-options that are left out are NONE.
fn caching(map: BTreeMap<String, String>) -> Result<Caching, QueryError> {
    let unknown: Vec<&str> =
        map.keys().map(String::as_str).filter(|key| !matches!(*key, "keys" | "rows_per_partition")).collect();
    if !unknown.is_empty() {
        return Err(QueryError::Config(format!(
            "Invalid caching sub-options [{}]: only 'keys' and 'rows_per_partition' are allowed",
            unknown.join(", ")
        )));
    }
    let keys = map.get("keys").map_or("NONE", String::as_str);
    let upper_keys = keys.to_ascii_uppercase();
    if !matches!(upper_keys.as_str(), "ALL" | "NONE") {
        return Err(QueryError::Config(format!(
            "Invalid value '{keys}' for caching sub-option 'keys': only 'ALL' and 'NONE' are allowed"
        )));
    }
    let rows = map.get("rows_per_partition").map_or("NONE", String::as_str);
    let upper_rows = rows.to_ascii_uppercase();
    let is_number =
        !rows.is_empty() && rows.bytes().all(|byte| byte.is_ascii_digit()) && rows.parse::<i32>().is_ok();
    if !is_number && !matches!(upper_rows.as_str(), "ALL" | "NONE") {
        return Err(QueryError::Config(format!(
            "Invalid value '{rows}' for caching sub-option 'rows_per_partition': only 'ALL', 'NONE', and \
             integer values are allowed"
        )));
    }
    Ok(Caching { keys: upper_keys, rows_per_partition: upper_rows })
}

fn memtable(name: &str) -> Result<Option<String>, QueryError> {
    if name == "default" {
        return Ok(None);
    }
    Err(QueryError::Config(format!("Memtable configuration \"{name}\" not found.")))
}

/// The code 0000 and the words of the answer to a wrong value are those of Cassandra.
fn read_repair(text: &str) -> Result<String, QueryError> {
    let upper = text.to_ascii_uppercase();
    if matches!(upper.as_str(), "BLOCKING" | "NONE") {
        return Ok(upper);
    }
    Err(QueryError::Server(format!(
        "java.lang.IllegalArgumentException: No enum constant \
         org.apache.cassandra.service.reads.repair.ReadRepairStrategy.{upper}"
    )))
}
