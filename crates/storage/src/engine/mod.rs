//! The engine: what callers use.

mod open;

mod write;

mod room;
use room::Room;

mod read;
mod row_read;
mod scan;

mod cached_read;

mod foresee;

mod caches;
pub use caches::{CacheKind, CacheStats};

pub(crate) mod saved;
use saved::SAVED_KINDS;

pub(crate) mod flush;

mod compact;
mod rewrite;

mod schema;

pub(crate) mod truncate;

mod snapshots;

mod import;

mod details;
pub use details::TableDetails;

mod stats;
pub use stats::{EngineStats, TableStats};

pub(crate) mod damage;
use damage::Damage;
pub use damage::{Health, SetAside};

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use model::partition::{PartitionIterator, PartitionStream, SourceError};
use model::{Mutation, PartitionKey, ReadCommand, Schema, Slices, Table, TableId};
use parking_lot::Mutex;
use runtime::Runtime;
use sstable::{Caches, Descriptor, SsTable};

use crate::commitlog::{LogShared, ShardLog};
use crate::compaction::context::Context;
use crate::row_cache::RowCache;
use crate::table::TableState;
use crate::{Commit, EngineOptions, OpenError, ReadError, WriteError};

/// Stripes of the locks of partitions.
const LOCKS_COUNT: usize = 1024;

/// The storage of one node. Used from every shard's thread, in an `Arc`.
pub struct Engine {
    core: Arc<Core>,
}

/// What background work shares with the engine.
struct Core {
    runtime: Runtime,
    options: EngineOptions,
    /// Of all SSTables that serve reads.
    caches: Caches,
    rows: RowCache,
    damage: Arc<Damage>,
    log: Arc<LogShared>,
    /// One per shard. Their locks are the shards' locks.
    logs: Vec<Arc<ShardLog>>,
    tables: ArcSwap<HashMap<TableId, Arc<TableState>, foldhash::fast::FixedState>>,
    /// One schema change at a time.
    schema_change: Mutex<()>,
    next_version_number: AtomicU64,
    memtable_bytes: AtomicUsize,
    /// Of them those of memtables that are on their way to the disk.
    flushing_bytes: AtomicUsize,
    /// Writes that wait for room.
    room: Arc<Room>,
    /// Flushes that run on their own account.
    flushers_count: AtomicUsize,
    /// Why the last flush failed, and whether for want of room on the disk.
    flush_failure: Mutex<Option<(String, bool)>>,
    /// Milliseconds of the monotonic clock before which no flush is tried again.
    flush_not_before_ms: AtomicU64,
    flushes_count: AtomicU64,
    /// Work in the background that failed.
    failures_count: AtomicU64,
    replayed_entries_count: AtomicU64,
    is_stopping: AtomicBool,
    compactions: Arc<Context>,
    incremental_backups: AtomicBool,
    expiry_is_watched: AtomicBool,
    /// The newest schema that the engine was told.
    schema: ArcSwap<Schema>,
    /// Dropped tables whose files are still there, and the schema that they were part of.
    dropped: Mutex<Vec<(Arc<TableState>, Arc<Schema>)>>,
    /// Held while they are dealt with.
    dropping: Mutex<()>,
    locks: Vec<Arc<tokio::sync::Mutex<()>>>,
    lock_hasher: foldhash::fast::FixedState,
}

/// What to flush.
#[derive(Clone, Debug)]
pub enum FlushTarget {
    /// All tables.
    All,
    /// These.
    Tables(Vec<TableId>),
}

/// Held while a partition is read and then written (LWT, counters). Dropping it lets the next one in.
pub struct PartitionLock {
    _guard: tokio::sync::OwnedMutexGuard<()>,
}

impl Engine {
    /// Opens the storage: system tables first (SSTables, then their part of the commit log), then `load_schema`, which
    /// reads `system_schema` through the engine, then all other tables and the rest of the log.
    ///
    /// `system_tables` live in shard 0, so that all changes of one call to them are one entry of one log; so does every
    /// table of a keyspace that one of them is in, or whose replication class is `LocalStrategy`. Blocks. The caller
    /// holds the lock of the data directory.
    pub fn open(
        runtime: &Runtime,
        options: EngineOptions,
        system_tables: Vec<Arc<Table>>,
        load_schema: impl FnOnce(&Engine) -> Result<Arc<Schema>, SourceError>,
    ) -> Result<Arc<Engine>, OpenError> {
        let engine = Engine { core: Arc::new(Core::new(runtime, options)) };
        open::open(&engine, system_tables, load_schema)?;
        Ok(Arc::new(engine))
    }

    /// Takes over a changed schema. Call it before statements bound to the new schema arrive. New tables get ready,
    /// dropped ones are closed and their files deleted in the background, changed ones swap their definition.
    pub fn update_tables(&self, schema: &Schema) -> Result<(), OpenError> {
        self.core.update_tables(schema)
    }

    /// Writes to the commit log and the memtables: the write is visible on return, and safe once
    /// [`Commit::synced`] answers. All mutations that lie in one shard are one entry of its log: they are there after a
    /// crash all together or not at all. An error means that nothing was applied ([`WriteError::Unsynced`]: unknown).
    pub fn apply(&self, mutations: &[Mutation]) -> Result<Commit, WriteError> {
        self.core.apply(mutations)
    }

    /// As [`Engine::apply`]; where that refuses for want of room this waits for it, as long as
    /// [`EngineOptions::write_timeout`] says, in turn with all who wait. Must run on a shard's thread.
    pub async fn apply_waiting(&self, mutations: &[Mutation]) -> Result<Commit, WriteError> {
        self.core.apply_waiting(mutations).await
    }

    /// Requests for these partitions are about to come: asks for the memory that they will need, so that they need not
    /// wait for it one by one. Changes nothing else.
    pub fn foresee(&self, keys: &[(TableId, PartitionKey)]) {
        self.core.foresee(keys);
    }

    /// Reads partitions in token order: what was applied before this call, and no part of a mutation of one partition.
    ///
    /// Reads of SSTables block on the disk while the streams are read.
    pub fn read(&self, command: &ReadCommand) -> Result<Box<dyn PartitionIterator>, ReadError> {
        self.core.read(command)
    }

    /// Reads one partition; `None` if nothing is known of it (not even a tombstone in the slices).
    pub fn read_partition(
        &self,
        table: &Arc<Table>,
        key: &PartitionKey,
        slices: &Slices,
        reversed: bool,
    ) -> Result<Option<Box<dyn PartitionStream>>, ReadError> {
        self.core.read_partition(table, key, slices, reversed)
    }

    /// Removes all data of a table that was applied before this call; on return for good.
    pub async fn truncate(&self, table: TableId) -> Result<(), OpenError> {
        let core = self.core.clone();
        self.core.runtime.flushing(move || core.truncate(table)).await
    }

    /// Writes memtables out as SSTables; on return these are safe.
    pub async fn flush(&self, target: FlushTarget) -> Result<(), OpenError> {
        let core = self.core.clone();
        self.core.runtime.flushing(move || core.flush(&target)).await
    }

    /// Refuses new writes, waits for running flushes and syncs the commit log. Memtables stay in the log; what no log has
    /// (of keyspaces without durable writes) is flushed.
    pub async fn drain(&self) -> Result<(), WriteError> {
        self.core.is_stopping.store(true, Ordering::SeqCst);
        self.core.end_operations().await;
        let core = self.core.clone();
        self.core.let_in();
        self.core.runtime.flushing(move || core.drain()).await
    }

    /// Waits until nobody else holds the lock of this partition (or of one that shares its stripe).
    pub async fn partition_lock(&self, table: TableId, key: &PartitionKey) -> PartitionLock {
        self.core.lock_stripe(self.core.stripe(table, key)).await
    }

    /// Locks several partitions at once, in an order that cannot deadlock.
    pub async fn partition_locks(&self, keys: &[(TableId, PartitionKey)]) -> Vec<PartitionLock> {
        let mut stripes: Vec<usize> = keys.iter().map(|(table, key)| self.core.stripe(*table, key)).collect();
        stripes.sort_unstable();
        stripes.dedup();
        let mut locks = Vec::with_capacity(stripes.len());
        for stripe in stripes {
            locks.push(self.core.lock_stripe(stripe).await);
        }
        locks
    }

    /// The way out to the world, for work on the engine's behalf.
    pub fn runtime(&self) -> &Runtime {
        &self.core.runtime
    }

    /// Whether reads and writes are taken, and why not.
    pub fn health(&self) -> Health {
        self.core.health()
    }

    /// Damaged SSTables, of which not all can be served.
    pub fn set_aside(&self) -> Vec<SetAside> {
        self.core.damage.set_aside()
    }

    /// The engine's numbers.
    pub fn stats(&self) -> EngineStats {
        self.core.stats()
    }

    /// One table's numbers.
    pub fn table_stats(&self, table: TableId) -> Option<TableStats> {
        self.core.table_stats(table)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let core = &self.core;
        core.compactions.is_closed.store(true, Ordering::SeqCst);
        core.compactions.stop(|_| true);
        core.compactions.wake.notify_one();
        for table in core.tables.load().values() {
            // The step that runs ends; no other one touches the files, which the next engine may have.
            drop(table.compaction.gate.write());
        }
    }
}

impl Core {
    fn new(runtime: &Runtime, mut options: EngineOptions) -> Core {
        // The segments that are being written stay whatever is flushed: below them there is no bound to keep.
        let active_bytes = u64::from(options.segment_bytes) * runtime.shard_count() as u64;
        options.commitlog_bytes_total = options.commitlog_bytes_total.max(2 * active_bytes);
        let log = LogShared::new(runtime, &options);
        let logs: Vec<_> = (0..runtime.shard_count()).map(|shard| ShardLog::new(&log, shard)).collect();
        let compactions = Arc::new(Context::new(runtime, &options, &logs));
        let incremental_backups = AtomicBool::new(options.incremental_backups);
        let room = Room::new((options.memtable_bytes_total / 8).max(1 << 20));
        Core {
            runtime: runtime.clone(),
            rows: RowCache::new(options.row_cache_bytes),
            caches: compactions.caches.clone(),
            damage: Damage::new(&options),
            options,
            log,
            logs,
            tables: ArcSwap::default(),
            schema_change: Mutex::default(),
            next_version_number: AtomicU64::new(1),
            memtable_bytes: AtomicUsize::new(0),
            flushing_bytes: AtomicUsize::new(0),
            room,
            flushers_count: AtomicUsize::new(0),
            flush_failure: Mutex::default(),
            flush_not_before_ms: AtomicU64::new(0),
            flushes_count: AtomicU64::new(0),
            failures_count: AtomicU64::new(0),
            replayed_entries_count: AtomicU64::new(0),
            is_stopping: AtomicBool::new(false),
            compactions,
            incremental_backups,
            expiry_is_watched: AtomicBool::new(false),
            schema: ArcSwap::from_pointee(Schema {
                version: uuid::Uuid::nil(),
                keyspaces: Default::default(),
            }),
            dropped: Mutex::default(),
            dropping: Mutex::default(),
            locks: (0..LOCKS_COUNT).map(|_| Arc::default()).collect(),
            lock_hasher: foldhash::fast::FixedState::default(),
        }
    }

    fn stripe(&self, table: TableId, key: &PartitionKey) -> usize {
        self.lock_hasher.hash_one((table, &key.key)) as usize % LOCKS_COUNT
    }

    async fn lock_stripe(&self, stripe: usize) -> PartitionLock {
        PartitionLock { _guard: self.locks[stripe].clone().lock_owned().await }
    }

    /// Opens an SSTable that is to serve reads.
    fn open_sstable(&self, descriptor: &Descriptor) -> Result<Arc<SsTable>, sstable::ReadError> {
        self.compactions.open(descriptor)
    }

    fn table(&self, id: TableId) -> Option<Arc<TableState>> {
        self.tables.load().get(&id).cloned()
    }

    fn drain(&self) -> Result<(), WriteError> {
        self.remove_dropped();
        for table in self.tables.load().values() {
            for (slot, one) in table.slots.iter().enumerate() {
                drop(one.flush.lock());
                let has_unlogged =
                    |memtable: &Arc<crate::memtable::Memtable>| memtable.has_unlogged.load(Ordering::Relaxed);
                if one.view.load().memtables().any(has_unlogged)
                    && let Err(error) = self.flush_slot(table, slot)
                {
                    tracing::error!("{} is lost, no log has it: {error}", table.dir.display());
                }
            }
        }
        for log in &self.logs {
            log.write_and_sync()?;
            // What it says of itself as safe now covers all: damage is told from a torn tail.
            log.lock().close(true);
            log.write_and_sync()?;
        }
        for kind in SAVED_KINDS {
            self.save_cache(kind);
        }
        Ok(())
    }
}
