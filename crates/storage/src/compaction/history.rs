//! What compactions did, for `system.compaction_history`.
//!
//! A record is made when a compaction has ended and its SSTables are in place. How it becomes a row is told to the
//! engine from above ([`crate::EngineOptions::history`]); the row is written like any other, and nobody waits for it.
//!
//! Never here: the table's definition.
//!
//! Source: `CompactionTask.updateCompactionHistory`, `SystemKeyspace.updateCompactionHistory`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use model::Mutation;
use uuid::Uuid;

use super::OperationKind;

/// A finished compaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactionRecord {
    /// Its id, a timeuuid.
    pub id: Uuid,
    /// What it was.
    pub kind: OperationKind,
    /// Keyspace of the table.
    pub keyspace: Arc<str>,
    /// Name of the table.
    pub table: Arc<str>,
    /// Bytes of Data.db files that went.
    pub bytes_in: u64,
    /// Bytes of those that came.
    pub bytes_out: u64,
    /// Of how many partitions so many inputs had a part: by inputs.
    pub merged_partitions: BTreeMap<usize, u64>,
}

/// Makes of a record what is written; nothing for those that are not kept.
#[derive(Clone)]
pub struct History(pub Arc<dyn Fn(&CompactionRecord) -> Vec<Mutation> + Send + Sync>);

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("History")
    }
}
