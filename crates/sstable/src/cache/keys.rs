//! Key cache: where partitions are in SSTables with an Index.db (BIG), so that a look-up need not search it.
//!
//! The key of an entry is the number of the open SSTable (numbers never come again) and the partition key; its value is
//! what Index.db says of it. It is bounded in bytes, and what an SSTable had in it goes when the SSTable is closed. The
//! trie indexes (BTI) need none, as in Cassandra.
//!
//! Read in order: [`KeyCache`], [`OwnKeys`] (one SSTable's part).
//!
//! Never here: which tables want it; that a position holds what is wanted, which whoever reads there checks.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, OptionsBuilder, Weighter};

use super::BlockCacheStats;
use super::reads::{is_repeated, is_warming};
use crate::index::promoted::Promoted;

/// What an entry takes beside the bytes of its key: hash table, list, allocation, place and row index.
const ENTRY_BYTES: u64 = 160;
const ENTRIES_COUNT_MIN: usize = 1024;

/// Parts of the cache, each with a lock of its own, and how small one may be.
const SHARDS_COUNT_MAX: u64 = 32;
const SHARD_BYTES_MIN: u64 = 1 << 20;

/// What Index.db says of a partition.
#[derive(Clone)]
pub(crate) struct KeyEntry {
    pub(crate) data: u64,
    pub(crate) rows: Option<Promoted>,
}

#[derive(Clone, PartialEq, Eq)]
struct OwnedKey {
    sstable: u64,
    key: Bytes,
}

struct KeyRef<'a> {
    sstable: u64,
    key: &'a [u8],
}

impl Hash for OwnedKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        KeyRef { sstable: self.sstable, key: &self.key }.hash(state);
    }
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sstable.hash(state);
        self.key.hash(state);
    }
}

impl Equivalent<OwnedKey> for KeyRef<'_> {
    fn equivalent(&self, owned: &OwnedKey) -> bool {
        self.sstable == owned.sstable && *self.key == *owned.key
    }
}

#[derive(Clone)]
struct Weigh;

impl Weighter<OwnedKey, KeyEntry> for Weigh {
    fn weight(&self, key: &OwnedKey, _: &KeyEntry) -> u64 {
        key.key.len() as u64 + ENTRY_BYTES
    }
}

type Entries =
    Cache<OwnedKey, KeyEntry, Weigh, foldhash::fast::FixedState, DefaultLifecycle<OwnedKey, KeyEntry>>;

/// Places of partitions in all SSTables that were opened with it.
pub struct KeyCache {
    entries: Entries,
    capacity_bytes: u64,
    next_sstable: AtomicU64,
    hits_count: AtomicU64,
    misses_count: AtomicU64,
}

impl KeyCache {
    /// An empty cache. With a capacity of 0 it keeps nothing, and counts nothing.
    pub fn new(capacity_bytes: u64) -> KeyCache {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(ENTRIES_COUNT_MIN)
            .weight_capacity(capacity_bytes)
            .shards((capacity_bytes / SHARD_BYTES_MIN).clamp(1, SHARDS_COUNT_MAX) as usize)
            .build()
            .expect("capacities are given");
        let hasher = foldhash::fast::FixedState::default();
        KeyCache {
            entries: Cache::with_options(options, Weigh, hasher, DefaultLifecycle::default()),
            capacity_bytes,
            next_sstable: AtomicU64::new(1),
            hits_count: AtomicU64::new(0),
            misses_count: AtomicU64::new(0),
        }
    }

    /// Forgets all entries.
    pub fn clear(&self) {
        self.entries.clear();
    }

    /// Its numbers. A read that had to wait for blocks and was run again is counted once.
    pub fn stats(&self) -> BlockCacheStats {
        let hits = self.hits_count.load(Ordering::Relaxed);
        BlockCacheStats {
            entries: self.entries.len() as u64,
            bytes: self.entries.weight(),
            capacity_bytes: self.capacity_bytes,
            hits,
            requests: hits + self.misses_count.load(Ordering::Relaxed),
        }
    }

    /// Up to `count_max` of its keys, each with the number of its SSTable ([`crate::SsTable::key_cache_number`]), in no
    /// order.
    pub fn keys(&self, count_max: usize) -> Vec<(u64, Bytes)> {
        self.entries.iter().take(count_max).map(|(key, _)| (key.sstable, key.key)).collect()
    }
}

/// One SSTable's part of a [`KeyCache`].
pub(crate) struct OwnKeys {
    cache: Arc<KeyCache>,
    pub(crate) sstable: u64,
}

impl OwnKeys {
    /// `None` if the cache keeps nothing.
    pub(crate) fn new(cache: &Arc<KeyCache>) -> Option<OwnKeys> {
        let sstable = cache.next_sstable.fetch_add(1, Ordering::Relaxed);
        (cache.capacity_bytes > 0).then(|| OwnKeys { cache: cache.clone(), sstable })
    }

    /// What is known of a partition.
    pub(crate) fn find(&self, key: &[u8]) -> Option<KeyEntry> {
        let found = self.cache.entries.get(&KeyRef { sstable: self.sstable, key });
        // What a read found that lacked something else afterwards it finds again.
        if found.is_some() && !is_repeated() {
            self.cache.hits_count.fetch_add(1, Ordering::Relaxed);
        }
        found
    }

    /// [`OwnKeys::find`] found nothing, and the index was searched to the end.
    pub(crate) fn note_miss(&self) {
        if is_warming() {
            return;
        }
        self.cache.misses_count.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps what the index said.
    pub(crate) fn insert(&self, key: &[u8], entry: KeyEntry) {
        // A copy of its own: the one at hand may be a slice of a whole request.
        let key = OwnedKey { sstable: self.sstable, key: Bytes::copy_from_slice(key) };
        self.cache.entries.insert(key, entry);
    }
}

impl Drop for OwnKeys {
    fn drop(&mut self) {
        self.cache.entries.retain(|key, _| key.sstable != self.sstable);
    }
}
