//! The keys of the caches of places and of rows, and of what is saved of them.

use std::path::PathBuf;
use std::time::Duration;

use super::ConfigError;
use super::value::Reader;

/// Keys that [`CachesConfig`] reads.
pub(super) const KEYS: [&str; 8] = [
    "cache_load_timeout",
    "key_cache_keys_to_save",
    "key_cache_save_period",
    "key_cache_size",
    "row_cache_keys_to_save",
    "row_cache_save_period",
    "row_cache_size",
    "saved_caches_directory",
];

/// What is cached beside blocks of files.
#[derive(Clone, Debug, PartialEq)]
pub struct CachesConfig {
    /// `key_cache_size`: memory for places in SSTables with an Index.db.
    pub key_bytes: u64,
    /// `key_cache_save_period`; zero: it is not saved.
    pub key_save_period: Duration,
    /// `key_cache_keys_to_save`
    pub keys_to_save: usize,
    /// `row_cache_size`: memory for heads of partitions; 0: there are none.
    pub row_bytes: u64,
    /// `row_cache_save_period`; zero: it is not saved.
    pub row_save_period: Duration,
    /// `row_cache_keys_to_save`
    pub rows_to_save: usize,
    /// `cache_load_timeout`
    pub load_timeout: Duration,
    /// `saved_caches_directory`; `saved_caches` below the data directory if it is not given.
    pub saved_dir: Option<PathBuf>,
}

impl CachesConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Result<CachesConfig, ConfigError> {
        let count = |key| {
            let count = reader.number(key, 0, u64::MAX)?;
            // As in Cassandra, where 0 is not told from no number.
            Ok(count.filter(|count| *count > 0).map_or(usize::MAX, |count| count as usize))
        };
        Ok(CachesConfig {
            key_bytes: reader.bytes("key_cache_size", 0, 1 << 40)?.unwrap_or_else(default_key_bytes),
            key_save_period: period(reader, "key_cache_save_period")?
                .unwrap_or(Duration::from_secs(4 * 3600)),
            keys_to_save: count("key_cache_keys_to_save")?,
            row_bytes: reader.bytes("row_cache_size", 0, 1 << 40)?.unwrap_or(0),
            row_save_period: period(reader, "row_cache_save_period")?.unwrap_or(Duration::ZERO),
            rows_to_save: count("row_cache_keys_to_save")?,
            load_timeout: reader.duration("cache_load_timeout")?.unwrap_or(Duration::from_secs(30)),
            saved_dir: reader.text("saved_caches_directory")?.map(PathBuf::from),
        })
    }
}

/// A duration; a bare number counts seconds, as in older files.
fn period(reader: &Reader<'_>, key: &str) -> Result<Option<Duration>, ConfigError> {
    if let Some(text) = reader.text(key)?
        && let Ok(seconds) = text.trim().parse()
    {
        return Ok(Some(Duration::from_secs(seconds)));
    }
    reader.duration(key)
}

/// Cassandra takes a twentieth of its heap and 100 MiB at most. There is no heap here: its default one is a quarter of a
/// machine's memory.
fn default_key_bytes() -> u64 {
    (runtime::real::memory_bytes().unwrap_or(u64::MAX) / 80).min(100 << 20)
}
