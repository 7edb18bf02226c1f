//! Table options, by Cassandra's names and with its defaults.

use std::collections::BTreeMap;

/// `caching`: what of a table the caches keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caching {
    /// `ALL` or `NONE`.
    pub keys: String,
    /// `ALL`, `NONE` or a number.
    pub rows_per_partition: String,
}

impl Caching {
    /// True if the key cache keeps the places of its partitions.
    pub fn has_keys(&self) -> bool {
        self.keys != "NONE"
    }

    /// How many rows of a partition the row cache keeps at most (`usize::MAX`: all); 0: nothing of it.
    pub fn rows_count_max(&self) -> usize {
        match &*self.rows_per_partition {
            "ALL" => usize::MAX,
            count => count.parse().unwrap_or(0),
        }
    }
}

/// The options of a table. Maps hold what `system_schema.tables` shows (full class names).
#[derive(Clone, Debug, PartialEq)]
pub struct TableOptions {
    /// Extra write to a further replica after this latency.
    pub additional_write_policy: String,
    /// Snapshot before DROP and TRUNCATE.
    pub allow_auto_snapshot: bool,
    /// Target share of false positives of Bloom filters; 1.0: no filter.
    pub bloom_filter_fp_chance: f64,
    /// Key and row cache.
    pub caching: Caching,
    /// Change data capture.
    pub cdc: bool,
    /// Free text.
    pub comment: String,
    /// Strategy class and its options.
    pub compaction: BTreeMap<String, String>,
    /// Compressor class and its options; `enabled: false` for none.
    pub compression: BTreeMap<String, String>,
    /// Memtable configuration's name; `None`: the default.
    pub memtable: Option<String>,
    /// Share of reads that check the CRC of a compressed chunk.
    pub crc_check_chance: f64,
    /// TTL of writes that name none, in seconds; 0: none.
    pub default_time_to_live: i32,
    /// Opaque settings of extensions.
    pub extensions: BTreeMap<String, Vec<u8>>,
    /// Seconds that a tombstone is kept.
    pub gc_grace_seconds: i32,
    /// Hard links of flushed SSTables.
    pub incremental_backups: bool,
    /// Sparsest index summary of BIG SSTables.
    pub max_index_interval: i32,
    /// Flush at least this often, in milliseconds; 0: only when needed.
    pub memtable_flush_period_in_ms: i32,
    /// Densest index summary of BIG SSTables.
    pub min_index_interval: i32,
    /// `BLOCKING` or `NONE`.
    pub read_repair: String,
    /// Ask another replica after this latency.
    pub speculative_retry: String,
}

impl Default for TableOptions {
    fn default() -> Self {
        let map = |entries: &[(&str, &str)]| {
            entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        TableOptions {
            additional_write_policy: "99p".to_owned(),
            allow_auto_snapshot: true,
            bloom_filter_fp_chance: 0.01,
            caching: Caching { keys: "ALL".to_owned(), rows_per_partition: "NONE".to_owned() },
            cdc: false,
            comment: String::new(),
            compaction: map(&[
                ("class", "org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy"),
                ("max_threshold", "32"),
                ("min_threshold", "4"),
            ]),
            compression: map(&[
                ("chunk_length_in_kb", "16"),
                ("class", "org.apache.cassandra.io.compress.LZ4Compressor"),
            ]),
            memtable: None,
            crc_check_chance: 1.0,
            default_time_to_live: 0,
            extensions: BTreeMap::new(),
            gc_grace_seconds: 864_000,
            incremental_backups: true,
            max_index_interval: 2048,
            memtable_flush_period_in_ms: 0,
            min_index_interval: 128,
            read_repair: "BLOCKING".to_owned(),
            speculative_retry: "99p".to_owned(),
        }
    }
}
