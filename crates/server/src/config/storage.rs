//! The keys of the storage engine: limits, memtables, what a failed disk does.

use std::path::PathBuf;
use std::time::Duration;

use storage::{CommitFailurePolicy, DiskFailurePolicy};

use super::ConfigError;
use super::value::Reader;

/// Keys that [`StorageConfig`] reads.
pub(super) const KEYS: [&str; 11] = [
    "accept_commitlog_damage",
    "commit_failure_policy",
    "commitlog_archive_directory",
    "disk_failure_policy",
    "max_mutation_size",
    "max_value_size",
    "memtable_cleanup_threshold",
    "memtable_flush_writers",
    "memtable_heap_space",
    "memtable_offheap_space",
    "write_request_timeout",
];

/// What storage is told.
#[derive(Clone, Debug, PartialEq)]
pub struct StorageConfig {
    /// `disk_failure_policy`
    pub disk_failure_policy: DiskFailurePolicy,
    /// `commit_failure_policy`
    pub commit_failure_policy: CommitFailurePolicy,
    /// `accept_commitlog_damage` (ours): start with a damaged commit log, without what cannot be read of it.
    pub accept_commitlog_damage: bool,
    /// `commitlog_archive_directory` (ours): closed segments of the commit log are kept here.
    pub commitlog_archive_dir: Option<PathBuf>,
    /// `max_mutation_size`: half a segment if it is not given.
    pub max_mutation_bytes: usize,
    /// `max_value_size`
    pub max_value_bytes: usize,
    /// `memtable_heap_space` and `memtable_offheap_space` together: there is one heap here.
    pub memtable_bytes: usize,
    /// `memtable_cleanup_threshold`
    pub memtable_cleanup_threshold: f64,
    /// `memtable_flush_writers`
    pub memtable_flush_writers: usize,
    /// `write_request_timeout`
    pub write_timeout: Duration,
}

impl StorageConfig {
    /// `segment_bytes`: of the commit log.
    pub(super) fn read(reader: &Reader<'_>, segment_bytes: u32) -> Result<StorageConfig, ConfigError> {
        let flush_writers = reader.number("memtable_flush_writers", 1, 16)?.unwrap_or(2) as usize;
        let heap = reader.bytes("memtable_heap_space", 1 << 20, 1 << 40)?.unwrap_or(512 << 20);
        let offheap = reader.bytes("memtable_offheap_space", 0, 1 << 40)?.unwrap_or(0);
        Ok(StorageConfig {
            disk_failure_policy: disk_policy(reader)?,
            commit_failure_policy: commit_policy(reader)?,
            accept_commitlog_damage: reader.boolean("accept_commitlog_damage")?.unwrap_or(false),
            commitlog_archive_dir: reader.text("commitlog_archive_directory")?.map(PathBuf::from),
            max_mutation_bytes: max_mutation(reader, segment_bytes)?,
            max_value_bytes: reader.bytes("max_value_size", 1, 2 << 30)?.unwrap_or(256 << 20) as usize,
            memtable_bytes: (heap + offheap) as usize,
            memtable_cleanup_threshold: threshold(reader, flush_writers)?,
            memtable_flush_writers: flush_writers,
            write_timeout: reader.duration("write_request_timeout")?.unwrap_or(Duration::from_secs(2)),
        })
    }
}

/// A mutation may take half a segment at most.
fn max_mutation(reader: &Reader<'_>, segment_bytes: u32) -> Result<usize, ConfigError> {
    let half = u64::from(segment_bytes) / 2;
    let bytes = reader.bytes("max_mutation_size", 1, u64::MAX)?.unwrap_or(half);
    if bytes > half {
        return Err(ConfigError(format!(
            "commitlog_segment_size ({segment_bytes} bytes) must be at least twice max_mutation_size ({bytes} bytes)"
        )));
    }
    Ok(bytes as usize)
}

/// Cassandra's default: one part for each flush and one to write to.
fn threshold(reader: &Reader<'_>, flush_writers: usize) -> Result<f64, ConfigError> {
    let Some(text) = reader.text("memtable_cleanup_threshold")? else {
        return Ok(1.0 / (flush_writers as f64 + 1.0));
    };
    let value: Option<f64> = text.trim().parse().ok();
    value.filter(|value| (0.01..=0.99).contains(value)).ok_or_else(|| {
        ConfigError(
            "memtable_cleanup_threshold must be >= 0.01 and <= 0.99: the part of memtables beyond which the largest is \
             flushed"
                .to_owned(),
        )
    })
}

fn disk_policy(reader: &Reader<'_>) -> Result<DiskFailurePolicy, ConfigError> {
    match reader.text("disk_failure_policy")?.as_deref() {
        None | Some("stop") => Ok(DiskFailurePolicy::Stop),
        Some("die") => Ok(DiskFailurePolicy::Die),
        Some("stop_paranoid") => Ok(DiskFailurePolicy::StopParanoid),
        Some("best_effort") => Ok(DiskFailurePolicy::BestEffort),
        Some("ignore") => Ok(DiskFailurePolicy::Ignore),
        Some(other) => Err(ConfigError(format!(
            "disk_failure_policy: {other} is no policy; there are die, stop_paranoid, stop (default), best_effort and \
             ignore"
        ))),
    }
}

fn commit_policy(reader: &Reader<'_>) -> Result<CommitFailurePolicy, ConfigError> {
    match reader.text("commit_failure_policy")?.as_deref() {
        None | Some("stop") => Ok(CommitFailurePolicy::Stop),
        Some("die") => Ok(CommitFailurePolicy::Die),
        Some("stop_commit") => Ok(CommitFailurePolicy::StopCommit),
        Some("ignore") => Ok(CommitFailurePolicy::Ignore),
        Some(other) => Err(ConfigError(format!(
            "commit_failure_policy: {other} is no policy; there are die, stop (default), stop_commit and ignore"
        ))),
    }
}
