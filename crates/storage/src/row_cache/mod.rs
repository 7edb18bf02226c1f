//! Row cache: heads of partitions, merged from memtables and SSTables, of tables whose `caching` asks for rows.
//!
//! An entry says what a partition was when its read began, and carries a [`Stamp`] of that moment: the version of the
//! partition's stripe, which every write changes before and after it touches the memtable, and the epoch of the view,
//! which changes with all that is no write (truncation, import, a changed table, an SSTable that is set aside). It is
//! served as long as both are the same. So a read that raced a write may put in what it likes: its stamp is of before
//! the write, and nobody takes it. Flushes and compactions change neither: what a partition shows stays the same.
//!
//! Deletions, TTLs and expired cells are kept as they are read, and judged by who reads the entry.
//!
//! Read in order: [`RowCache`], [`RowStamps`] (what a write does), [`head`] (what an entry is, how it is made and read).
//!
//! Never here: I/O, which reads go through the cache (that is `engine::cached_read`).
//!
//! Cassandra has a sentinel in the place of an entry that is being read (`RowCacheSentinel.java`): there the read marks
//! the entry, here the write does.

mod head;
pub(crate) use head::{Built, Head, build, head_slices, rest_slices};

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use model::PartitionKey;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, OptionsBuilder, Weighter};

use crate::engine::CacheStats;

/// What an entry takes beside its key and its rows.
const ENTRY_BYTES: u64 = 256;
const ENTRIES_COUNT_MIN: usize = 256;

/// Parts of the cache, each with a lock of its own, and how small one may be.
const SHARDS_COUNT_MAX: u64 = 32;
const SHARD_BYTES_MIN: u64 = 4 << 20;

/// Stripes of versions, for each table and shard: a write to one partition makes others of its stripe miss once.
const STRIPES_COUNT: usize = 1024;

/// When an entry was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Of the partition's stripe; odd: a write is at it.
    pub version: u64,
    /// Of the view.
    pub epoch: u64,
}

/// An entry.
pub(crate) struct Cached {
    pub stamp: Stamp,
    /// `None`: it is too large to be kept, and need not be tried again before the next write.
    pub head: Option<Head>,
}

impl Cached {
    fn bytes(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.bytes as u64) + ENTRY_BYTES
    }
}

#[derive(Clone, PartialEq, Eq)]
struct OwnedKey {
    table: u64,
    key: Bytes,
}

struct KeyRef<'a> {
    table: u64,
    key: &'a [u8],
}

impl Hash for OwnedKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        KeyRef { table: self.table, key: &self.key }.hash(state);
    }
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.table.hash(state);
        self.key.hash(state);
    }
}

impl Equivalent<OwnedKey> for KeyRef<'_> {
    fn equivalent(&self, owned: &OwnedKey) -> bool {
        self.table == owned.table && *self.key == *owned.key
    }
}

#[derive(Clone)]
struct Weigh;

impl Weighter<OwnedKey, Arc<Cached>> for Weigh {
    fn weight(&self, key: &OwnedKey, cached: &Arc<Cached>) -> u64 {
        key.key.len() as u64 + cached.bytes()
    }
}

type Entries =
    Cache<OwnedKey, Arc<Cached>, Weigh, foldhash::fast::FixedState, DefaultLifecycle<OwnedKey, Arc<Cached>>>;

/// The row cache of a node.
pub(crate) struct RowCache {
    entries: Entries,
    capacity_bytes: u64,
    next_table: AtomicU64,
    hits_count: AtomicU64,
    misses_count: AtomicU64,
}

impl RowCache {
    /// An empty cache; with a capacity of 0 no table uses it.
    pub(crate) fn new(capacity_bytes: u64) -> RowCache {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(ENTRIES_COUNT_MIN)
            .weight_capacity(capacity_bytes)
            .shards((capacity_bytes / SHARD_BYTES_MIN).clamp(1, SHARDS_COUNT_MAX) as usize)
            .build()
            .expect("capacities are given");
        let hasher = foldhash::fast::FixedState::default();
        RowCache {
            entries: Cache::with_options(options, Weigh, hasher, DefaultLifecycle::default()),
            capacity_bytes,
            next_table: AtomicU64::new(1),
            hits_count: AtomicU64::new(0),
            misses_count: AtomicU64::new(0),
        }
    }

    /// What a table needs to use the cache; `None` if there is no cache.
    pub(crate) fn stamps(&self, slots_count: usize) -> Option<RowStamps> {
        let table = self.next_table.fetch_add(1, Ordering::Relaxed);
        (self.capacity_bytes > 0).then(|| RowStamps::new(table, slots_count))
    }

    /// Bytes that one head may have: an entry must have room beside others.
    pub(crate) fn head_bytes_max(&self) -> usize {
        (self.entries.shard_capacity() / 4) as usize
    }

    pub(crate) fn find(&self, table: u64, key: &PartitionKey) -> Option<Arc<Cached>> {
        self.entries.get(&KeyRef { table, key: &key.key })
    }

    pub(crate) fn insert(&self, table: u64, key: &PartitionKey, cached: Arc<Cached>) {
        // A copy of its own: the one at hand may be a slice of a whole request.
        let key = OwnedKey { table, key: Bytes::copy_from_slice(&key.key) };
        self.entries.insert(key, cached);
    }

    /// Lets go of an entry that will not be served any more.
    pub(crate) fn forget(&self, table: u64, key: &PartitionKey) {
        self.entries.remove(&KeyRef { table, key: &key.key });
    }

    pub(crate) fn forget_table(&self, table: u64) {
        self.entries.retain(|key, _| key.table != table);
    }

    pub(crate) fn clear(&self) {
        self.entries.clear();
    }

    /// Counts a read that was answered, or not, by an entry.
    pub(crate) fn note(&self, is_hit: bool) {
        let counter = if is_hit { &self.hits_count } else { &self.misses_count };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> CacheStats {
        let hits = self.hits_count.load(Ordering::Relaxed);
        CacheStats {
            entries: self.entries.len() as u64,
            bytes: self.entries.weight(),
            capacity_bytes: self.capacity_bytes,
            hits,
            requests: hits + self.misses_count.load(Ordering::Relaxed),
        }
    }

    /// Up to `count_max` keys, each with its table ([`RowStamps::table`]), in no order.
    pub(crate) fn keys(&self, count_max: usize) -> Vec<(u64, Bytes)> {
        self.entries.iter().take(count_max).map(|(key, _)| (key.table, key.key)).collect()
    }
}

/// The versions of a table's partitions.
pub(crate) struct RowStamps {
    /// Its number in the cache; numbers never come again.
    pub table: u64,
    slots: Vec<Box<[AtomicU64]>>,
    hasher: foldhash::fast::FixedState,
}

impl RowStamps {
    fn new(table: u64, slots_count: usize) -> RowStamps {
        let stripes = || (0..STRIPES_COUNT).map(|_| AtomicU64::new(0)).collect();
        let slots = (0..slots_count).map(|_| stripes()).collect();
        RowStamps { table, slots, hasher: foldhash::fast::FixedState::default() }
    }

    fn stripe(&self, slot: usize, key: &PartitionKey) -> &AtomicU64 {
        &self.slots[slot][self.hasher.hash_one(&*key.key) as usize % STRIPES_COUNT]
    }

    /// The version of a partition; odd: a write is at it.
    pub(crate) fn version(&self, slot: usize, key: &PartitionKey) -> u64 {
        self.stripe(slot, key).load(Ordering::SeqCst)
    }

    /// A write begins or ends. The caller holds the shard's lock: there is one at a time.
    pub(crate) fn change(&self, slot: usize, key: &PartitionKey) {
        self.stripe(slot, key).fetch_add(1, Ordering::SeqCst);
    }
}
