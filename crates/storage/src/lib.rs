//! The storage engine of one node: shards with commit log, memtables, SSTables.
//!
//! A write comes in as a [`model::Mutation`], goes to the commit log of the shard that owns its token, then
//! to that shard's memtable; a flush turns a memtable into an SSTable; a read merges all of them.
//!
//! Read in order: [`Engine`] (what callers use), `commitlog` (what makes a write last), `memtable`, `table` (what a
//! shard holds of one table), then inside `engine`: `write`, `read`, `flush`, `compact`, `truncate`,
//! `open`.
//!
//! Never here: other nodes, CQL, consistency levels.

pub mod options;
pub use options::{
    CommitFailurePolicy, Describe, DiskFailurePolicy, EngineOptions, FailureAction, FailureListener, SyncMode,
};

pub mod error;
pub use error::{OpenError, ReadError, WriteError};

mod engine;
pub use engine::{
    CacheKind, CacheStats, Engine, EngineStats, FlushTarget, Health, PartitionLock, SetAside, TableDetails,
    TableStats,
};
pub use sstable::cache::reads::{BlockReads, leave_thread, waiting};

pub mod compaction;
pub use compaction::{
    CompactScope, CompactionRecord, CompactionStats, History, Operation, OperationKind, TombstoneOption,
};
pub use sstable::scrub::{ScrubOptions, ScrubReport};
pub use sstable::verify::{VerifyFinding, VerifyOptions};

mod shards;

pub mod snapshot;
pub use sstable::{Component, Descriptor};

pub use snapshot::{FailedImport, ImportOptions, SnapshotInfo, SnapshotOptions};

mod metrics;
pub use metrics::HistogramSnapshot;

mod table;

mod memtable;

mod row_cache;

mod commitlog;
pub use commitlog::{Commit, Synced};

/// Entry points for fuzzing.
pub mod fuzz {
    pub use crate::commitlog::replay::fuzz_segment;
    pub use crate::engine::saved::fuzz_saved_cache;
}

#[cfg(test)]
mod tests;
