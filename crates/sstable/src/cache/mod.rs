//! Block cache: pieces of SSTables' files, uncompressed and verified, shared by all reads of a node.
//!
//! A block is a chunk of Data.db or a few pages of an index. Its key is the number of the open file (numbers never
//! come again) and its place there. Memory grows with use up to the capacity; who evicts is quick_cache.
//!
//! Read in order: [`BlockCache`], [`file`] (how one file gets its blocks), [`reads`] (reads that must not wait for
//! the disk, and what they missed), [`keys`] (where partitions are).
//!
//! Never here: what the bytes mean, which blocks will be wanted next.

pub(crate) mod file;
pub(crate) mod keys;
pub mod reads;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

/// What an entry takes beside its bytes: the key, the entry, the allocation.
const ENTRY_BYTES: u64 = 128;
/// How many blocks the cache expects to hold at first: its tables grow when there are more.
const ENTRIES_COUNT_MIN: usize = 1024;

/// Parts of the cache, each with a lock of its own, and how small one may be.
const SHARDS_COUNT_MAX: u64 = 32;
const SHARD_BYTES_MIN: u64 = 4 << 20;

/// What open SSTables keep for themselves takes all but this part of the capacity.
const LEFT_PART: u64 = 4;

/// A block of an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BlockKey {
    pub(crate) file: u64,
    pub(crate) index: u64,
}

#[derive(Clone)]
struct Weigh;

impl Weighter<BlockKey, Bytes> for Weigh {
    fn weight(&self, _: &BlockKey, block: &Bytes) -> u64 {
        block.len() as u64 + ENTRY_BYTES
    }
}

/// What all SSTables of a node share.
#[derive(Clone)]
pub struct Caches {
    /// Blocks of their files.
    pub blocks: Arc<BlockCache>,
    /// Places of their partitions.
    pub keys: Arc<keys::KeyCache>,
}

/// Blocks of all SSTables that were opened with it.
pub struct BlockCache {
    blocks: Cache<BlockKey, Bytes, Weigh, foldhash::fast::FixedState, DefaultLifecycle<BlockKey, Bytes>>,
    capacity_bytes: u64,
    /// What open SSTables keep for themselves: Bloom filters, where chunks are.
    held_bytes: Mutex<u64>,
    next_file: AtomicU64,
}

/// Memory of an open SSTable, which the cache does without as long as this lives: both together keep to the capacity.
pub(crate) struct HeldRoom {
    cache: Arc<BlockCache>,
    bytes: u64,
}

impl Drop for HeldRoom {
    fn drop(&mut self) {
        self.cache.change_held(|held| held - self.bytes);
    }
}

/// What a cache holds, and how often it had what was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockCacheStats {
    /// Blocks, or keys, in it.
    pub entries: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Bytes at most; what open SSTables keep of Bloom filters and the like counts, too.
    pub capacity_bytes: u64,
    /// Those that were asked for and there.
    pub hits: u64,
    /// Those that were asked for.
    pub requests: u64,
}

impl BlockCache {
    /// An empty cache. With a capacity of 0 it keeps nothing.
    pub fn new(capacity_bytes: u64) -> BlockCache {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(ENTRIES_COUNT_MIN)
            .weight_capacity(capacity_bytes)
            // Each has its part of the capacity, and must have room for many blocks.
            .shards((capacity_bytes / SHARD_BYTES_MIN).clamp(1, SHARDS_COUNT_MAX) as usize)
            .build()
            .expect("capacities are given");
        let hasher = foldhash::fast::FixedState::default();
        let blocks = Cache::with_options(options, Weigh, hasher, DefaultLifecycle::default());
        BlockCache { blocks, capacity_bytes, held_bytes: Mutex::new(0), next_file: AtomicU64::new(1) }
    }

    /// Makes room for what an SSTable keeps in memory.
    pub(crate) fn make_room(self: &Arc<Self>, bytes: u64) -> HeldRoom {
        self.change_held(|held| held + bytes);
        HeldRoom { cache: self.clone(), bytes }
    }

    fn change_held(&self, change: impl FnOnce(u64) -> u64) {
        let mut held_bytes = self.held_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        *held_bytes = change(*held_bytes);
        if self.capacity_bytes > 0 {
            let least = self.capacity_bytes.div_ceil(LEFT_PART);
            self.blocks.set_capacity(self.capacity_bytes.saturating_sub(*held_bytes).max(least));
        }
    }

    /// Forgets all blocks.
    pub fn clear(&self) {
        self.blocks.clear();
    }

    /// Its numbers.
    pub fn stats(&self) -> BlockCacheStats {
        let (hits, misses) = (self.blocks.hits(), self.blocks.misses());
        BlockCacheStats {
            entries: self.blocks.len() as u64,
            bytes: self.blocks.weight(),
            capacity_bytes: self.capacity_bytes,
            hits,
            requests: hits + misses,
        }
    }

    /// True if blocks can come in without one that must go.
    fn has_room(&self) -> bool {
        self.blocks.weight() < self.blocks.capacity() / 10 * 9
    }

    fn number_file(&self) -> u64 {
        self.next_file.fetch_add(1, Ordering::Relaxed)
    }

    fn forget_file(&self, file: u64) {
        self.blocks.retain(|key, _| key.file != file);
    }
}

#[cfg(test)]
mod tests;
