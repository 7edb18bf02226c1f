//! What an operator can choose about storage. The names of the keys in the configuration are the server's.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::{Schema, Table};
use uuid::Uuid;

/// When an acknowledged write is safe from a power loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMode {
    /// Acknowledge after fsync; one fsync serves all that wait. With a window longer than zero the fsync waits
    /// that long for company.
    Group {
        /// How long a fsync waits for company.
        window: Duration,
    },
    /// Acknowledge after fsync, which begins at once (those that come meanwhile share the next).
    Batch,
    /// Acknowledge once the operating system has the bytes; fsync every `period`. A power loss takes the writes of
    /// the last period, a mere kill none.
    Periodic {
        /// Time between two fsyncs.
        period: Duration,
    },
}

/// `disk_failure_policy`: what a failed disk or a damaged SSTable does to the node. A full disk is no failure: writes
/// are refused until there is room again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DiskFailurePolicy {
    /// The process ends, also for one damaged SSTable.
    Die,
    /// The node stops serving clients, also for one damaged SSTable; it does not start with one.
    StopParanoid,
    /// The node stops serving clients if the disk fails. A damaged SSTable is set aside: what lies in it is answered
    /// with an error, all else is served.
    #[default]
    Stop,
    /// What cannot be read is left out of answers.
    BestEffort,
    /// The request fails, and nothing else happens.
    Ignore,
}

/// `commit_failure_policy`: what a failed write or sync of the commit log does to the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CommitFailurePolicy {
    /// The process ends.
    Die,
    /// The node stops serving clients.
    #[default]
    Stop,
    /// Writes are refused from then on, reads are served.
    StopCommit,
    /// The writes that waited fail; later ones go to a new segment.
    Ignore,
}

/// What the node must do because a disk failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureAction {
    /// Serve no clients any more; the process stays, to be looked at.
    StopServing,
    /// End the process.
    Die,
}

/// Is told once for each [`FailureAction`], from any thread, with the reason. Must not block.
#[derive(Clone)]
pub struct FailureListener(pub Arc<dyn Fn(FailureAction, &str) + Send + Sync>);

impl fmt::Debug for FailureListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FailureListener")
    }
}

/// The options of an [`crate::Engine`].
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Holds `<keyspace>/<table>-<id>/` under `data`.
    pub data_dir: PathBuf,
    /// Holds the segments of the commit log.
    pub commitlog_dir: PathBuf,
    /// When a write is acknowledged.
    pub commit_log_sync: SyncMode,
    /// Size at which a segment is closed.
    pub segment_bytes: u32,
    /// Largest entry of the commit log: all mutations of one call that lie in one shard.
    pub max_mutation_bytes: usize,
    /// Longest value of a cell.
    pub max_value_bytes: usize,
    /// Log that may wait for flushes, all shards together: beyond it the tables that hold the oldest segments are
    /// flushed; beyond one and a half of it, writes wait.
    pub commitlog_bytes_total: u64,
    /// Where closed segments are kept, for a later restore to a point in time; `None`: they are not.
    pub commitlog_archive_dir: Option<PathBuf>,
    /// Start although the log is damaged: what can be read of it is replayed, the damaged file is kept aside.
    pub accept_commitlog_damage: bool,
    /// Heap that memtables may take, all shards together, those that are being flushed included: beyond it writes
    /// wait.
    pub memtable_bytes_total: usize,
    /// `file_cache_size`: bytes of the cache of data and index blocks.
    pub file_cache_bytes: u64,
    /// `key_cache_size`: bytes of the cache of places in SSTables of the BIG formats.
    pub key_cache_bytes: u64,
    /// `row_cache_size`: bytes of the cache of partitions' heads; 0: there is none.
    pub row_cache_bytes: u64,
    /// `saved_caches_directory`: holds the keys of what was cached.
    pub saved_caches_dir: PathBuf,
    /// `key_cache_save_period`: time between two saves, and whether it is saved when the engine is drained; zero: it is
    /// not saved.
    pub key_cache_save_period: Duration,
    /// `row_cache_save_period`, likewise.
    pub row_cache_save_period: Duration,
    /// `key_cache_keys_to_save`: at most.
    pub key_cache_keys_to_save: usize,
    /// `row_cache_keys_to_save`: at most.
    pub row_cache_keys_to_save: usize,
    /// `cache_load_timeout`: what is not warmed within this time after the start is not.
    pub cache_load_timeout: Duration,
    /// Part of `memtable_bytes_total` beyond which the largest memtable is flushed, so that nobody has to wait.
    pub memtable_cleanup_threshold: f64,
    /// Memtables that are flushed at once.
    pub flush_writers: usize,
    /// How long a write waits for room before it is refused.
    pub write_timeout: Duration,
    /// What a failed disk or damaged SSTable does.
    pub disk_failure_policy: DiskFailurePolicy,
    /// What a failed commit log does.
    pub commit_failure_policy: CommitFailurePolicy,
    /// Who stops the node if a policy says so.
    pub on_failure: Option<FailureListener>,
    /// MiB a second that compactions may read, all together; 0: no bound.
    pub compaction_throughput_mib_per_s: u64,
    /// Compactions that may run at once.
    pub concurrent_compactors: usize,
    /// Tables are compacted without being asked for, until [`crate::Engine::set_auto_compaction`] says otherwise.
    pub auto_compaction: bool,
    /// Identity of this node in its SSTables: tells whose commit log their positions speak of.
    pub host_id: Uuid,
    /// Text of `schema.cql` in snapshots; without it they have none.
    pub describe: Option<Describe>,
    /// What is written about each finished compaction; without it nothing is.
    pub history: Option<crate::History>,
    /// `auto_snapshot`: a table is kept as a snapshot before it is dropped or truncated.
    pub auto_snapshot: bool,
    /// `incremental_backups`: flushed SSTables are linked into `backups/`.
    pub incremental_backups: bool,
    /// `snapshot_before_compaction`
    pub snapshot_before_compaction: bool,
}

/// Writes a table of a schema as CQL.
#[derive(Clone)]
pub struct Describe(pub Arc<dyn Fn(&Schema, &Table) -> String + Send + Sync>);

impl fmt::Debug for Describe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Describe")
    }
}

impl EngineOptions {
    /// The defaults for a node with its files under `data_dir`.
    pub fn new(data_dir: PathBuf, host_id: Uuid) -> EngineOptions {
        let segment_bytes = 32 << 20;
        EngineOptions {
            commitlog_dir: data_dir.join("commitlog"),
            saved_caches_dir: data_dir.join("saved_caches"),
            data_dir,
            commit_log_sync: SyncMode::Group { window: Duration::ZERO },
            segment_bytes,
            max_mutation_bytes: segment_bytes as usize / 2,
            max_value_bytes: 256 << 20,
            commitlog_bytes_total: 1 << 30,
            commitlog_archive_dir: None,
            accept_commitlog_damage: false,
            memtable_bytes_total: 256 << 20,
            file_cache_bytes: 512 << 20,
            key_cache_bytes: 100 << 20,
            row_cache_bytes: 0,
            key_cache_save_period: Duration::from_secs(4 * 3600),
            row_cache_save_period: Duration::ZERO,
            key_cache_keys_to_save: usize::MAX,
            row_cache_keys_to_save: usize::MAX,
            cache_load_timeout: Duration::from_secs(30),
            memtable_cleanup_threshold: 1.0 / 3.0,
            flush_writers: 2,
            write_timeout: Duration::from_secs(2),
            disk_failure_policy: DiskFailurePolicy::default(),
            commit_failure_policy: CommitFailurePolicy::default(),
            on_failure: None,
            compaction_throughput_mib_per_s: 64,
            concurrent_compactors: 2,
            auto_compaction: true,
            host_id,
            describe: None,
            history: None,
            auto_snapshot: true,
            incremental_backups: false,
            snapshot_before_compaction: false,
        }
    }
}
