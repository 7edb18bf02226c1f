//! The engine: what callers use (bodies follow).

use std::sync::Arc;

use model::partition::SourceError;
use model::partition::{PartitionIterator, PartitionStream};
use model::{Mutation, PartitionKey, ReadCommand, Schema, Slices, Table, TableId};
use runtime::Runtime;

use crate::{Commit, EngineOptions, OpenError, ReadError, WriteError};

/// The storage of one node. Used from every shard's thread, in an `Arc`.
pub struct Engine {}

/// What to flush.
#[derive(Clone, Debug)]
pub enum FlushTarget {
    /// All tables.
    All,
    /// These.
    Tables(Vec<TableId>),
}

/// Held while a partition is read and then written (LWT, counters). Dropping it lets the next one in.
pub struct PartitionLock {}

/// What one table takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableStats {
    /// Heap bytes of its memtables.
    pub memtable_bytes: usize,
    /// Partitions in its memtables.
    pub memtable_partitions_count: usize,
    /// SSTables.
    pub sstables_count: usize,
    /// Bytes of their files.
    pub sstables_bytes: u64,
}

/// What the engine is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// Entries appended to the commit log since the start.
    pub log_entries_count: u64,
    /// Bytes of them.
    pub log_entries_bytes: u64,
    /// Syncs of the commit log since the start.
    pub log_syncs_count: u64,
    /// Bytes of all segments that exist.
    pub log_bytes: u64,
    /// Entries replayed at the start.
    pub replayed_entries_count: u64,
    /// Heap bytes of all memtables.
    pub memtable_bytes: usize,
    /// Flushes finished since the start.
    pub flushes_count: u64,
}

impl Engine {
    /// Opens the storage: system tables first (SSTables, then their part of the commit log), then `load_schema`, which
    /// reads `system_schema` through the engine, then all other tables and the rest of the log.
    ///
    /// `system_tables` live in shard 0, so that all changes of one call to them are one entry of one log; every table
    /// whose keyspace has one of them, too. Blocks. The caller holds the lock of the data directory.
    pub fn open(
        runtime: &Runtime,
        options: EngineOptions,
        system_tables: Vec<Arc<Table>>,
        load_schema: impl FnOnce(&Engine) -> Result<Arc<Schema>, SourceError>,
    ) -> Result<Arc<Engine>, OpenError> {
        let _ = (runtime, options, system_tables, load_schema);
        todo!()
    }

    /// Takes over a changed schema. Call it before statements bound to the new schema arrive. New tables get ready,
    /// dropped ones are closed and their files deleted, changed ones swap their definition.
    pub fn update_tables(&self, schema: &Schema) -> Result<(), OpenError> {
        let _ = schema;
        todo!()
    }

    /// Writes to the commit log and the memtables: the write is visible on return, and safe once
    /// [`Commit::synced`] answers. All mutations that lie in one shard are one entry of its log: they are there after a
    /// crash all together or not at all. An error means that nothing was applied.
    pub fn apply(&self, mutations: &[Mutation]) -> Result<Commit, WriteError> {
        let _ = mutations;
        todo!()
    }

    /// Reads partitions in token order: what was applied before this call, and no part of a mutation of one partition.
    pub fn read(&self, command: &ReadCommand) -> Result<Box<dyn PartitionIterator>, ReadError> {
        let _ = command;
        todo!()
    }

    /// Reads one partition; `None` if nothing is known of it (not even a tombstone in the slices).
    pub fn read_partition(
        &self,
        table: &Arc<Table>,
        key: &PartitionKey,
        slices: &Slices,
        reversed: bool,
    ) -> Result<Option<Box<dyn PartitionStream>>, ReadError> {
        let _ = (table, key, slices, reversed);
        todo!()
    }

    /// Removes all data of a table that was applied before this call; on return for good.
    pub async fn truncate(&self, table: TableId) -> Result<(), OpenError> {
        let _ = table;
        todo!()
    }

    /// Writes memtables out as SSTables; on return these are safe.
    pub async fn flush(&self, target: FlushTarget) -> Result<(), OpenError> {
        let _ = target;
        todo!()
    }

    /// Refuses new writes, waits for running flushes and syncs the commit log. Memtables stay in the log.
    pub async fn drain(&self) -> Result<(), WriteError> {
        todo!()
    }

    /// Waits until nobody else holds the lock of this partition (or of one that shares its stripe).
    pub async fn partition_lock(&self, table: TableId, key: &PartitionKey) -> PartitionLock {
        let _ = (table, key);
        todo!()
    }

    /// Locks several partitions at once, in an order that cannot deadlock.
    pub async fn partition_locks(&self, keys: &[(TableId, PartitionKey)]) -> Vec<PartitionLock> {
        let _ = keys;
        todo!()
    }

    /// The engine's numbers.
    pub fn stats(&self) -> EngineStats {
        todo!()
    }

    /// One table's numbers.
    pub fn table_stats(&self, table: TableId) -> Option<TableStats> {
        let _ = table;
        todo!()
    }
}
