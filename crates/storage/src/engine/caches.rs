//! The engine's caches: what they hold, and emptying them.

use std::time::Duration;

use sstable::BlockCacheStats;
use sstable::cache::reads::BlockReads;

use super::{Core, Engine};

/// Which cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheKind {
    /// Where partitions are in SSTables with an Index.db, of tables whose `caching` asks for keys. BTI indexes need
    /// none, as in Cassandra; blocks of indexes are in [`CacheKind::Block`].
    Key,
    /// Heads of partitions, of tables whose `caching` asks for it.
    Row,
    /// Counters. They are read like all else: always empty.
    Counter,
    /// Blocks of data and indexes: Cassandra's chunk cache.
    Block,
}

/// What a cache holds, and how often it had what was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Entries.
    pub entries: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Bytes at most.
    pub capacity_bytes: u64,
    /// How often what was asked for was there.
    pub hits: u64,
    /// How often it was asked.
    pub requests: u64,
}

impl Engine {
    /// Empties a cache.
    pub fn invalidate_cache(&self, kind: CacheKind) {
        match kind {
            CacheKind::Block => self.core.caches.blocks.clear(),
            CacheKind::Key => self.core.caches.keys.clear(),
            CacheKind::Row => self.core.rows.clear(),
            CacheKind::Counter => {}
        }
    }

    /// A cache's numbers.
    pub fn cache_stats(&self, kind: CacheKind) -> CacheStats {
        match kind {
            CacheKind::Block => shared_stats(self.core.caches.blocks.stats()),
            CacheKind::Key => shared_stats(self.core.caches.keys.stats()),
            CacheKind::Row => self.core.rows.stats(),
            CacheKind::Counter => CacheStats::default(),
        }
    }

    /// How often a cache's keys are saved; zero: they are not.
    pub fn cache_save_period(&self, kind: CacheKind) -> Duration {
        match kind {
            CacheKind::Key => self.core.options.key_cache_save_period,
            CacheKind::Row => self.core.options.row_cache_save_period,
            CacheKind::Counter | CacheKind::Block => Duration::ZERO,
        }
    }

    /// Fetches what a read missed ([`BlockReads::cached_only`]). False: not all could be had, and the read must be run
    /// where it may wait ([`sstable::cache::reads::waiting`]), to meet the error in its place.
    pub async fn fetch(&self, reads: &mut BlockReads) -> bool {
        self.core.fetch(reads).await
    }
}

impl Core {
    async fn fetch(&self, reads: &mut BlockReads) -> bool {
        let loads = reads.take_loads();
        if loads.is_empty() {
            return false;
        }
        // All are under way before the first is waited for.
        let under_way: Vec<_> = loads
            .iter()
            .map(|load| self.runtime.read_at(load.file(), load.offset(), load.length()))
            .collect();
        let mut is_whole = true;
        for (load, read) in loads.into_iter().zip(under_way) {
            is_whole &= match read.await {
                Ok(stored) => load.finish(&stored, reads).is_ok(),
                Err(_) => false,
            };
        }
        is_whole
    }
}

fn shared_stats(stats: BlockCacheStats) -> CacheStats {
    CacheStats {
        entries: stats.entries,
        bytes: stats.bytes,
        capacity_bytes: stats.capacity_bytes,
        hits: stats.hits,
        requests: stats.requests,
    }
}
