//! What the engine holds of one table: on each shard a view of memtables and SSTables.
//!
//! A view is replaced as a whole, under the shard's lock; a read takes the one that is current and needs no lock.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use model::{PartitionKey, Table, TableId};
use parking_lot::{Mutex, MutexGuard, RwLockWriteGuard};
use sstable::SsTable;

use crate::compaction::context::TableCompaction;
use crate::memtable::Memtable;
use crate::metrics::TableMetrics;
use crate::row_cache::RowStamps;
use crate::shards::shard_of;

/// Table versions whose dictionary numbers are remembered.
const VERSIONS_COUNT_MAX: usize = 16;

/// One table.
pub(crate) struct TableState {
    pub id: TableId,
    /// The newest definition.
    pub table: ArcSwap<Table>,
    pub dir: PathBuf,
    /// All of it lives in shard 0.
    pub is_local: bool,
    /// Writes go through the commit log.
    pub is_durable: AtomicBool,
    /// It is gone: nothing may be written any more.
    pub is_dropped: AtomicBool,
    /// It is compacted without being asked for.
    pub auto_compaction: AtomicBool,
    pub compaction: TableCompaction,
    /// One per shard; one in all if it is local.
    pub slots: Vec<Slot>,
    pub next_sstable_id: AtomicU64,
    pub metrics: TableMetrics,
    /// For the row cache; empty until the table's `caching` asks for rows for the first time.
    pub rows: OnceLock<RowStamps>,
    /// `dir` and those above it are safe.
    pub has_dir: AtomicBool,
    /// Versions of the table that mutations came with, and their numbers in the log.
    versions: ArcSwap<Vec<(Arc<Table>, u64)>>,
    versions_change: Mutex<()>,
}

/// One table on one shard.
#[derive(Default)]
pub(crate) struct Slot {
    pub view: ArcSwap<View>,
    /// Held while memtables become SSTables, and while these are taken away.
    pub flush: Mutex<()>,
    /// A flush for want of memory or log is at it.
    pub is_chosen: AtomicBool,
}

/// See [`TableState::lock_files`].
pub(crate) struct LockedFiles<'a> {
    _flushes: Vec<MutexGuard<'a, ()>>,
    _gate: RwLockWriteGuard<'a, ()>,
}

/// What a read must look at.
#[derive(Clone, Default)]
pub(crate) struct View {
    pub active: Arc<Memtable>,
    /// Oldest first.
    pub flushing: Vec<Arc<Memtable>>,
    pub sstables: Vec<Arc<SsTable>>,
    /// Another one whenever what it shows changed by something that is no write.
    pub epoch: u64,
}

impl View {
    /// Newest first.
    pub(crate) fn memtables(&self) -> impl Iterator<Item = &Arc<Memtable>> {
        std::iter::once(&self.active).chain(self.flushing.iter().rev())
    }
}

impl TableState {
    pub(crate) fn new(table: Arc<Table>, data_dir: &Path, shards_count: usize, is_local: bool) -> TableState {
        let slots_count = if is_local { 1 } else { shards_count };
        TableState {
            id: table.id,
            dir: table_dir(data_dir, &table),
            versions: ArcSwap::default(),
            versions_change: Mutex::default(),
            table: ArcSwap::new(table),
            is_local,
            is_durable: AtomicBool::new(true),
            is_dropped: AtomicBool::new(false),
            auto_compaction: AtomicBool::new(true),
            compaction: TableCompaction::default(),
            slots: (0..slots_count).map(|_| Slot::default()).collect(),
            next_sstable_id: AtomicU64::new(1),
            has_dir: AtomicBool::new(false),
            metrics: TableMetrics::default(),
            rows: OnceLock::new(),
        }
    }

    /// The shard of a key; a local table has one slot only, that of shard 0.
    pub(crate) fn shard_of(&self, key: &PartitionKey) -> usize {
        shard_of(key.token, self.slots.len())
    }

    /// The number in the log of the version that a mutation came with.
    pub(crate) fn version_number(&self, table: &Arc<Table>, next_number: &AtomicU64) -> u64 {
        let known = |versions: &[(Arc<Table>, u64)]| {
            versions.iter().find(|(version, _)| Arc::ptr_eq(version, table)).map(|(_, number)| *number)
        };
        if let Some(number) = known(&self.versions.load()) {
            return number;
        }
        let _one_at_a_time = self.versions_change.lock();
        let versions = self.versions.load_full();
        if let Some(number) = known(&versions) {
            return number;
        }
        let same = versions
            .iter()
            .find(|(version, _)| version.statics == table.statics && version.regulars == table.regulars);
        let number = match same {
            Some((_, number)) => *number,
            None => next_number.fetch_add(1, Ordering::Relaxed),
        };
        let skipped = (versions.len() + 1).saturating_sub(VERSIONS_COUNT_MAX);
        let mut versions: Vec<_> = versions.iter().skip(skipped).cloned().collect();
        versions.push((table.clone(), number));
        self.versions.store(Arc::new(versions));
        number
    }

    /// Held, no memtable becomes an SSTable, and no file of an SSTable comes or goes. Only background threads may wait
    /// for it.
    pub(crate) fn lock_files(&self) -> LockedFiles<'_> {
        let flushes = self.slots.iter().map(|slot| slot.flush.lock()).collect();
        LockedFiles { _flushes: flushes, _gate: self.compaction.gate.write() }
    }

    /// All its SSTables, each once, the oldest first.
    pub(crate) fn sstables(&self) -> Vec<Arc<SsTable>> {
        let mut all: Vec<Arc<SsTable>> =
            self.slots.iter().flat_map(|slot| slot.view.load().sstables.clone()).collect();
        all.sort_by_key(|sstable| sstable.descriptor().id);
        all.dedup_by(|a, b| Arc::ptr_eq(a, b));
        all
    }

    /// Changes the view of a shard in a way that changes what it shows. The caller holds the shard's lock.
    pub(crate) fn change_data(&self, slot: usize, change: impl FnOnce(&mut View)) {
        self.change_view(slot, |view| {
            let epoch = view.epoch;
            change(view);
            view.epoch = epoch + 1;
        });
    }

    /// Changes the view of a shard; what it shows stays the same. The caller holds the shard's lock.
    pub(crate) fn change_view(&self, slot: usize, change: impl FnOnce(&mut View)) {
        let mut view = View::clone(&self.slots[slot].view.load());
        change(&mut view);
        self.slots[slot].view.store(Arc::new(view));
    }
}

/// `<data_dir>/data/<keyspace>/<table>-<id in hex>`, as in Cassandra.
pub(crate) fn table_dir(data_dir: &Path, table: &Table) -> PathBuf {
    let folder = format!("{}-{}", table.name, table.id.0.simple());
    data_dir.join("data").join(&*table.keyspace).join(folder)
}
