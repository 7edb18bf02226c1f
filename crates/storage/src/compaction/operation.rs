//! What callers ask for and see of operations on SSTables.

use std::fmt;

use model::{PartitionKey, TableId};
use sstable::Descriptor;
use uuid::Uuid;

/// What is being done to SSTables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// Merged, because a strategy asked for it, or an operator for some SSTables.
    Compaction,
    /// A table's SSTables merged, because an operator asked for it.
    MajorCompaction,
    /// What this node does not own goes.
    Cleanup,
    /// Rewritten as far as they can be read.
    Scrub,
    /// Read and checked.
    Verify,
    /// Rewritten in the current format.
    UpgradeSstables,
    /// What newer SSTables shadow goes.
    GarbageCollect,
}

impl OperationKind {
    /// All kinds.
    pub const ALL: [OperationKind; 7] = [
        OperationKind::Compaction,
        OperationKind::MajorCompaction,
        OperationKind::Cleanup,
        OperationKind::Scrub,
        OperationKind::Verify,
        OperationKind::UpgradeSstables,
        OperationKind::GarbageCollect,
    ];

    /// The name of Cassandra's constant, as `nodetool stop` takes it.
    pub fn constant(self) -> &'static str {
        match self {
            OperationKind::Compaction => "COMPACTION",
            OperationKind::MajorCompaction => "MAJOR_COMPACTION",
            OperationKind::Cleanup => "CLEANUP",
            OperationKind::Scrub => "SCRUB",
            OperationKind::Verify => "VERIFY",
            OperationKind::UpgradeSstables => "UPGRADE_SSTABLES",
            OperationKind::GarbageCollect => "GARBAGE_COLLECT",
        }
    }
}

/// As `nodetool compactionstats` shows it. Source: `OperationType.java`.
impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OperationKind::Compaction => "Compaction",
            OperationKind::MajorCompaction => "Major compaction",
            OperationKind::Cleanup => "Cleanup",
            OperationKind::Scrub => "Scrub",
            OperationKind::Verify => "Verify",
            OperationKind::UpgradeSstables => "Upgrade sstables",
            OperationKind::GarbageCollect => "Remove deleted data",
        })
    }
}

/// One operation that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its id, a timeuuid.
    pub id: Uuid,
    /// What it does.
    pub kind: OperationKind,
    /// Keyspace of the table.
    pub keyspace: String,
    /// Name of the table.
    pub table: String,
    /// The table.
    pub table_id: TableId,
    /// Uncompressed bytes of the inputs that were read so far.
    pub completed_bytes: u64,
    /// All of them.
    pub total_bytes: u64,
}

/// What compaction is doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CompactionStats {
    /// Keyspace, table, and how many compactions its strategy wants: where there are any.
    pub pending: Vec<(String, String, usize)>,
    /// What runs.
    pub running: Vec<Operation>,
    /// Operations finished since the start.
    pub completed_tasks: u64,
    /// Uncompressed bytes of their inputs.
    pub bytes_compacted: u64,
    /// Bytes of their inputs' Data.db files.
    pub file_bytes_compacted: u64,
    /// Compactions that did not begin for want of room.
    pub aborted: u64,
    /// Compactions that took fewer SSTables for want of room.
    pub reduced: u64,
    /// How many fewer.
    pub dropped_sstables: u64,
    /// Operations finished a second, averaged over the last 15 minutes.
    pub rate_15_minutes: f64,
}

/// Which SSTables a compaction that an operator asks for takes, and what it makes of them.
#[derive(Clone, Debug)]
pub enum CompactScope {
    /// All of the table: a major compaction.
    All,
    /// All of the table, into SSTables of falling size (`nodetool compact -s`).
    SplitOutput,
    /// Those that may hold a partition.
    Partition(PartitionKey),
    /// Those that may hold tokens of `(start, end]`; it wraps around the ring if `start >= end`.
    TokenRange {
        /// Exclusive.
        start: i64,
        /// Inclusive.
        end: i64,
    },
    /// These (`nodetool compact --user-defined`).
    SsTables(Vec<Descriptor>),
}

/// What `nodetool garbagecollect -g` takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TombstoneOption {
    /// What deletions of partitions, ranges and rows shadow.
    Row,
    /// Overwritten and deleted cells too.
    Cell,
}
