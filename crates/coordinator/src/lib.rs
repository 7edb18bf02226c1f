//! Turns a read or a write into requests to replicas, by consistency level.
//!
//! Today the only replica is this node: plans are made and checked as they will be for many, and the one
//! request each gives is a call into the engine. Digests, read repair, hints, Paxos and the batchlog come
//! with the cluster, here.
//!
//! Read in order: [`Consistency`], [`Coordinator`], [`reads`] (reads whose data is not in memory).
//!
//! Never here: CQL text.

mod consistency;
mod reads;

pub use consistency::Consistency;

use std::sync::Arc;

use cluster::{Strategy, Topology};
use model::partition::PartitionIterator;
use model::{Mutation, PartitionKey, QueryError, ReadCommand, TableId};
use storage::{Commit, Engine, PartitionLock, ReadError, WriteError};

/// Sends reads and writes to replicas.
pub struct Coordinator {
    engine: Arc<Engine>,
    topology: Arc<Topology>,
    /// For reads that are run on threads that wait.
    long_reads: Arc<tokio::sync::Semaphore>,
}

impl Coordinator {
    /// A coordinator over this node's engine.
    pub fn new(engine: Arc<Engine>, topology: Arc<Topology>) -> Coordinator {
        let long_reads = Arc::new(tokio::sync::Semaphore::new(reads::LONG_READS_MAX));
        Coordinator { engine, topology, long_reads }
    }

    /// The cluster as of now.
    pub fn topology(&self) -> &Arc<Topology> {
        &self.topology
    }

    /// This node's storage.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Checks that enough replicas live for a request at that level (nothing was applied if not).
    pub fn check(&self, strategy: &Strategy, consistency: Consistency) -> Result<(), QueryError> {
        if *strategy == Strategy::Local {
            return Ok(());
        }
        let data_center = &self.topology.local().data_center;
        let required = consistency.required(
            strategy.replication_factor(&self.topology),
            strategy.replication_factor_in(data_center, &self.topology),
        );
        let up = |node: &&cluster::Node| node.is_up;
        let alive = if consistency.is_local() {
            self.topology.nodes().iter().filter(up).filter(|node| node.data_center == *data_center).count()
        } else {
            self.topology.nodes().iter().filter(up).count()
        };
        let alive = alive.min(strategy.replication_factor(&self.topology));
        if alive < required {
            return Err(QueryError::Unavailable {
                consistency: consistency as u16,
                required: i32::try_from(required).unwrap_or(i32::MAX),
                alive: i32::try_from(alive).unwrap_or(i32::MAX),
            });
        }
        Ok(())
    }

    /// Writes; on return the mutations are visible, and acknowledged by enough replicas once the commit is synced.
    pub fn write(&self, mutations: &[Mutation]) -> Result<Commit, QueryError> {
        self.engine.apply(mutations).map_err(|error| write_failed(error, mutations))
    }

    /// [`Coordinator::write`], after waiting for room if there is none: what comes out as an error after the wait was
    /// not applied. Must run on a shard's thread.
    pub async fn write_waiting(&self, mutations: &[Mutation]) -> Result<Commit, QueryError> {
        self.engine.apply_waiting(mutations).await.map_err(|error| write_failed(error, mutations))
    }

    /// [`Coordinator::write`]; `None`: nothing was applied, it must wait for room ([`Coordinator::write_waiting`]).
    pub fn try_write(&self, mutations: &[Mutation]) -> Result<Option<Commit>, QueryError> {
        match self.engine.apply(mutations) {
            Ok(commit) => Ok(Some(commit)),
            Err(WriteError::Overloaded(_)) => Ok(None),
            Err(error) => Err(write_failed(error, mutations)),
        }
    }

    /// Requests for these partitions are about to come ([`Engine::foresee`]).
    pub fn foresee(&self, keys: &[(TableId, PartitionKey)]) {
        self.engine.foresee(keys);
    }

    /// Reads.
    pub fn read(&self, command: &ReadCommand) -> Result<Box<dyn PartitionIterator>, QueryError> {
        self.engine.read(command).map_err(|error| match error {
            ReadError::UnknownTable(_) => {
                QueryError::Invalid(format!("table {} does not exist", command.table.name))
            }
            other => QueryError::Server(format!("read failed: {other}")),
        })
    }

    /// Waits until no other read-modify-write of this partition is under way.
    pub async fn lock(&self, table: TableId, key: &PartitionKey) -> PartitionLock {
        self.engine.partition_lock(table, key).await
    }

    /// The same for several partitions at once, in an order that cannot deadlock.
    pub async fn lock_all(&self, keys: &[(TableId, PartitionKey)]) -> Result<Vec<PartitionLock>, QueryError> {
        Ok(self.engine.partition_locks(keys).await)
    }
}

/// Partitions of a mutation that is too large are named up to so many characters. Source:
/// `MutationExceededMaxSizeException.PARTITION_MESSAGE_LIMIT`.
const TOP_KEYS_CHARS_MAX: usize = 1024;

/// Cassandra's text for a mutation that is too large. The size is that of our own form of it.
fn oversized(mutations: &[Mutation], bytes: usize, bytes_max: usize) -> String {
    let mut keys = String::new();
    for mutation in mutations {
        let start = mutation.key.key.iter().take(TOP_KEYS_CHARS_MAX / 2);
        let key: String = start.map(|byte| format!("{byte:02x}")).collect();
        let named = format!("{}{}.{key}", if keys.is_empty() { "" } else { ", " }, mutation.table.name);
        if !keys.is_empty() && keys.len() + named.len() > TOP_KEYS_CHARS_MAX {
            break;
        }
        keys.push_str(&named);
    }
    let keyspace = mutations.first().map_or("", |mutation| &*mutation.table.keyspace);
    format!(
        "Rejected an oversized mutation ({bytes}/{bytes_max}) for keyspace: {keyspace}. Top keys are: {keys}"
    )
}

/// What a client is told of a write that the engine refused or lost.
pub fn write_failed(error: WriteError, mutations: &[Mutation]) -> QueryError {
    let table = mutations.first().map_or("", |mutation| &*mutation.table.name);
    match error {
        WriteError::TooLarge { bytes, bytes_max } => {
            QueryError::Invalid(oversized(mutations, bytes, bytes_max))
        }
        WriteError::NegativeDeletion { .. } => QueryError::Invalid(format!("{error}; nothing was written")),
        WriteError::KeyLength { bytes: 0 } => QueryError::invalid("Key may not be empty"),
        WriteError::KeyLength { bytes } => QueryError::Invalid(format!(
            "Key length of {bytes} is longer than maximum of {}",
            model::key::MAX_KEY_BYTES
        )),
        WriteError::UnknownTable(_) => QueryError::Invalid(format!("table {table} does not exist")),
        WriteError::Overloaded(_) | WriteError::NewerSchema(_) | WriteError::Stopping => {
            QueryError::Overloaded(format!("{error}; nothing was written, try again"))
        }
        WriteError::ValueTooLarge { .. } => QueryError::Invalid(format!("{error}; nothing was written")),
        WriteError::DiskFull(_) => {
            QueryError::Overloaded(format!("{error}; nothing was written, reads are served"))
        }
        WriteError::DiskFailed(_) => QueryError::Server(format!("{error}; nothing was written")),
        WriteError::Unsynced(_) => QueryError::WriteFailure {
            consistency: 1,
            received: 0,
            required: 1,
            write_type: "SIMPLE",
            reasons: vec![(std::net::IpAddr::from([127, 0, 0, 1]), 0)],
        },
    }
}

#[cfg(test)]
mod tests;
