//! The keys that bound batches.

use query::executor::BatchLimits;

use super::ConfigError;
use super::value::Reader;

/// Keys that [`read`] reads: the older names count KiB.
pub(super) const KEYS: [&str; 5] = [
    "batch_size_fail_threshold",
    "batch_size_fail_threshold_in_kb",
    "batch_size_warn_threshold",
    "batch_size_warn_threshold_in_kb",
    "unlogged_batch_across_partitions_warn_threshold",
];

/// Most bytes of a threshold: it is an `int` of KiB in Cassandra.
const BYTES_MAX: u64 = (i32::MAX as u64) << 10;

pub(super) fn read(reader: &Reader<'_>) -> Result<BatchLimits, ConfigError> {
    let default = BatchLimits::default();
    let bytes = |key, older_key| {
        let older = reader.number(older_key, 0, BYTES_MAX >> 10)?.map(|kib| kib << 10);
        Ok(reader.bytes(key, 0, BYTES_MAX)?.or(older))
    };
    let partitions = reader.number("unlogged_batch_across_partitions_warn_threshold", 0, i32::MAX as u64)?;
    Ok(BatchLimits {
        warn_bytes: bytes("batch_size_warn_threshold", "batch_size_warn_threshold_in_kb")?
            .unwrap_or(default.warn_bytes),
        fail_bytes: bytes("batch_size_fail_threshold", "batch_size_fail_threshold_in_kb")?
            .unwrap_or(default.fail_bytes),
        warn_partitions: partitions.map_or(default.warn_partitions, |count| count as usize),
    })
}
