//! Statistics.db in full, as plain values: for tools that show it.

use std::sync::Arc;

use model::{CqlType, PartitionKey};
use runtime::Disk;

use crate::cursor::Cursor;
use crate::descriptor::{Component, Descriptor};
use crate::error::ReadError;
use crate::metadata::{CommitLogInterval, EncodingStats};
use crate::statistics::Statistics;
use crate::statistics::histogram::EstimatedHistogram;
use crate::statistics::stats::Stats;
use uuid::Uuid;

/// A histogram: upper ends of buckets, and how many values are in each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buckets {
    /// Upper ends, ascending.
    pub offsets: Vec<i64>,
    /// One more than `offsets`: the last is of what is larger than all.
    pub counts: Vec<u64>,
}

impl Buckets {
    /// Buckets that grow by a fifth, as Cassandra's, with these values in them.
    pub fn of(values: impl Iterator<Item = (u64, u64)>) -> Buckets {
        let mut histogram = EstimatedHistogram::of_partition_sizes();
        values.for_each(|(value, count)| histogram.add_many(value, count));
        histogram.buckets()
    }
}

/// What Statistics.db says.
#[derive(Clone, Debug)]
pub struct Description {
    /// Class of the partitioner.
    pub partitioner: String,
    /// Share of false positives that the Bloom filter was made for.
    pub bloom_filter_fp_chance: f64,
    /// About how many distinct partition keys.
    pub cardinality: u64,
    /// Bytes of partitions.
    pub partition_sizes: Buckets,
    /// Cells of partitions.
    pub cell_counts: Buckets,
    /// Least and greatest write time, microseconds.
    pub timestamps_us: (i64, i64),
    /// Least and greatest local deletion time, seconds; `u32::MAX`: none.
    pub local_deletions_s: (u32, u32),
    /// Least and greatest time to live.
    pub ttls_s: (i32, i32),
    /// Stored bytes by uncompressed ones; -1: not compressed.
    pub compression_ratio: f64,
    /// Class of the compressor; `None`: not compressed.
    pub compressor: Option<String>,
    /// When tombstones may go, and how many.
    pub droppable: Vec<(i64, u32)>,
    /// Level of leveled compaction.
    pub level: i32,
    /// When it was repaired, milliseconds.
    pub repaired_at_ms: i64,
    /// The covered slice: the values of its start and its end, as text.
    pub covered: (Vec<String>, Vec<String>),
    /// Sum over rows of columns that hold something.
    pub columns: i64,
    /// Rows.
    pub rows: i64,
    /// Which parts of the commit log it holds.
    pub commit_log_intervals: Vec<CommitLogInterval>,
    /// Repair session.
    pub pending_repair: Option<Uuid>,
    /// A transient replica's.
    pub is_transient: bool,
    /// The node that wrote it.
    pub host_id: Option<Uuid>,
    /// First and last key; `None` in versions before `da`, whose Summary.db says them.
    pub keys: Option<(PartitionKey, PartitionKey)>,
    /// Share of the ring between the first and the last token.
    pub token_space_coverage: f64,
    /// What times are stored relative to.
    pub bases: EncodingStats,
    /// Java class of the partition key.
    pub key_type: String,
    /// Types of the columns of the partition key.
    pub key_types: Vec<CqlType>,
    /// Java classes of the clustering columns.
    pub clustering_types: Vec<String>,
    /// Names and Java classes of the static columns.
    pub statics: Vec<(String, String)>,
    /// Names and Java classes of the regular columns.
    pub regulars: Vec<(String, String)>,
}

impl Description {
    /// Reads Statistics.db (and the head of CompressionInfo.db) of an SSTable; nothing else need be there.
    pub fn read(disk: &Arc<dyn Disk>, descriptor: &Descriptor) -> Result<Description, ReadError> {
        let whole = |component| {
            let path = descriptor.path(component);
            disk.read_all(&path).map_err(|source| ReadError::io(component, 0, source))
        };
        let statistics = Statistics::parse(&whole(Component::Statistics)?, descriptor.version)?;
        let compressor = whole(Component::CompressionInfo).ok().and_then(|bytes| {
            let name = Cursor::new(&bytes).shortbytes().ok()?.to_vec();
            String::from_utf8(name).ok()
        });
        let header = &statistics.header;
        let key_types = crate::statistics::header::key_types(&header.key_type)?;
        let stats = &statistics.stats;
        let types = header.clustering_types();
        let text = |values: &[model::Value]| {
            let shown = values.iter().zip(&types).map(|(value, (ty, _))| match value {
                Some(value) => ty.to_text(value),
                None => "null".to_owned(),
            });
            shown.collect()
        };
        let names = |columns: &[crate::statistics::header::HeaderColumn]| {
            columns.iter().map(|column| (column.name.to_string(), column.type_name.clone())).collect()
        };
        Ok(Description {
            cardinality: crate::statistics::cardinality::estimate(&statistics.cardinality).unwrap_or(0),
            partition_sizes: stats.partition_sizes.buckets(),
            cell_counts: stats.cell_counts.buckets(),
            timestamps_us: (stats.min_timestamp_us, stats.max_timestamp_us),
            local_deletions_s: (stats.min_local_deletion_s, stats.max_local_deletion_s),
            ttls_s: (stats.min_ttl_s, stats.max_ttl_s),
            compression_ratio: stats.compression_ratio,
            compressor,
            droppable: stats.droppable.clone(),
            level: stats.level,
            repaired_at_ms: stats.repaired_at_ms,
            covered: (text(&stats.covered.start.values), text(&stats.covered.end.values)),
            columns: stats.columns,
            rows: stats.rows,
            commit_log_intervals: stats.commit_log_intervals.clone(),
            pending_repair: stats.pending_repair,
            is_transient: stats.is_transient,
            host_id: stats.host_id,
            keys: keys(stats),
            token_space_coverage: stats.token_space_coverage,
            bases: header.bases,
            key_type: header.key_type.clone(),
            key_types,
            clustering_types: header.clustering.iter().map(|column| column.name.clone()).collect(),
            statics: names(&header.statics),
            regulars: names(&header.regulars),
            bloom_filter_fp_chance: statistics.bloom_filter_fp_chance,
            partitioner: statistics.partitioner,
        })
    }
}

fn keys(stats: &Stats) -> Option<(PartitionKey, PartitionKey)> {
    let key = |bytes: &Vec<u8>| PartitionKey::new(bytes::Bytes::copy_from_slice(bytes));
    (!stats.first_key.is_empty()).then(|| (key(&stats.first_key), key(&stats.last_key)))
}
