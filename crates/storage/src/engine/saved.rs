//! Saved caches: which keys were cached, so that a node that starts again can fetch what was wanted before.
//!
//! Of the key cache and of the row cache the keys are saved, not what they were mapped to: warming looks them up as a
//! read does, so nothing in a file can make an answer wrong. Blocks are not saved.
//!
//! Layout of a file, numbers big-endian: `HELCACHE`, version (1 byte: 1), kind (1 byte: `K` or `R`), count of entries
//! (4), the entries, CRC-32 of all before (4). An entry: id of the table (16), bytes of the partition key (2), the key.
//! A file that is damaged, of another version or foreign is left alone and said to be so, and nothing is warmed by it.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use model::{PartitionKey, Slices, TableId};
use runtime::{Disk, OpenMode};
use sstable::cache::reads::warming;
use stdx::crc::crc32;
use uuid::Uuid;

use super::caches::CacheKind;
use super::read::Asked;
use super::{Core, open::make_dir_synced};

const MAGIC: &[u8; 8] = b"HELCACHE";
const VERSION: u8 = 1;
/// Magic, version, kind, count.
const HEAD_BYTES: usize = 14;
const CRC_BYTES: usize = 4;
/// An entry without its key.
const ENTRY_BYTES: usize = 18;
/// A file is not longer than this: what does not fit is not saved, and a longer one is not ours.
const FILE_BYTES_MAX: usize = 64 << 20;
/// Keys that are warmed in one piece of background work.
const PIECE_COUNT: usize = 64;

/// The caches whose keys are saved.
pub(super) const SAVED_KINDS: [CacheKind; 2] = [CacheKind::Key, CacheKind::Row];

type SavedKey = (TableId, Bytes);

fn letter(kind: CacheKind) -> u8 {
    if kind == CacheKind::Row { b'R' } else { b'K' }
}

/// The file of keys; those that do not fit are left out.
fn encode(kind: CacheKind, keys: &[SavedKey]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + keys.len() * (ENTRY_BYTES + 16));
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[VERSION, letter(kind)]);
    bytes.extend_from_slice(&[0; 4]);
    let mut count = 0_u32;
    for (table, key) in keys {
        let Ok(key_bytes) = u16::try_from(key.len()) else { continue };
        if bytes.len() + ENTRY_BYTES + key.len() + CRC_BYTES > FILE_BYTES_MAX {
            break;
        }
        bytes.extend_from_slice(table.0.as_bytes());
        bytes.extend_from_slice(&key_bytes.to_be_bytes());
        bytes.extend_from_slice(key);
        count += 1;
    }
    bytes[HEAD_BYTES - 4..HEAD_BYTES].copy_from_slice(&count.to_be_bytes());
    let crc = crc32(&bytes);
    bytes.extend_from_slice(&crc.to_be_bytes());
    bytes
}

/// The keys of a file, or what is wrong with it.
fn parse(kind: CacheKind, bytes: Bytes) -> Result<VecDeque<SavedKey>, &'static str> {
    if !bytes.starts_with(MAGIC) {
        return Err("it is no saved cache");
    }
    let body_bytes = bytes.len().checked_sub(CRC_BYTES).filter(|body_bytes| *body_bytes >= HEAD_BYTES);
    let body_bytes = body_bytes.ok_or("it is too short")?;
    if bytes[MAGIC.len()] != VERSION {
        return Err("it is of another version");
    }
    if bytes[MAGIC.len() + 1] != letter(kind) {
        return Err("it is of another cache");
    }
    if bytes[body_bytes..] != crc32(&bytes[..body_bytes]).to_be_bytes() {
        return Err("its CRC does not match");
    }
    let number = |from: usize, count: usize| {
        bytes[from..from + count].iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    let count = number(HEAD_BYTES - 4, 4);
    if count > (body_bytes - HEAD_BYTES) / ENTRY_BYTES {
        return Err("it has less entries than it says");
    }
    let mut keys = VecDeque::with_capacity(count);
    let mut at = HEAD_BYTES;
    for _ in 0..count {
        let key_at = at + ENTRY_BYTES;
        if key_at > body_bytes || key_at + number(key_at - 2, 2) > body_bytes {
            return Err("an entry goes beyond its end");
        }
        let end = key_at + number(key_at - 2, 2);
        let table = Uuid::from_slice(&bytes[at..at + 16]).map_err(|_| "an id of a table is none")?;
        keys.push_back((TableId(table), bytes.slice(key_at..end)));
        at = end;
    }
    if at == body_bytes { Ok(keys) } else { Err("it has more bytes than entries") }
}

/// Bytes of anybody as a saved cache: keys or a complaint, never a panic.
pub fn fuzz_saved_cache(data: &[u8]) {
    for kind in SAVED_KINDS {
        let _ = parse(kind, Bytes::copy_from_slice(data));
        // Behind a checksum that fits, too.
        let mut whole = MAGIC.to_vec();
        whole.extend_from_slice(&[VERSION, letter(kind)]);
        whole.extend_from_slice(data);
        let crc = crc32(&whole);
        whole.extend_from_slice(&crc.to_be_bytes());
        if let Ok(keys) = parse(kind, Bytes::from(whole.clone())) {
            let keys: Vec<_> = keys.into();
            assert_eq!(encode(kind, &keys), whole, "what was read is not what was written");
        }
    }
}

fn file_name(kind: CacheKind) -> &'static str {
    if kind == CacheKind::Row { "RowCache-helenus-1.db" } else { "KeyCache-helenus-1.db" }
}

/// Reads a file of keys; `None`: there is none. What is wrong with it is said in the log.
fn load(disk: &dyn Disk, path: &Path, kind: CacheKind) -> Option<VecDeque<SavedKey>> {
    let read = || -> io::Result<Bytes> {
        let file = disk.open(path, OpenMode::Read)?;
        let count = usize::try_from(file.bytes()?).ok().filter(|count| *count <= FILE_BYTES_MAX);
        let mut bytes = vec![0; count.ok_or_else(|| io::Error::other("it is too long"))?];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes.into())
    };
    let keys = match read() {
        Ok(bytes) => parse(kind, bytes).map_err(str::to_owned),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => Err(error.to_string()),
    };
    match keys {
        Ok(keys) => Some(keys),
        Err(why) => {
            tracing::warn!("saved cache {} is ignored: {why}", path.display());
            None
        }
    }
}

impl Core {
    fn saved_path(&self, kind: CacheKind) -> PathBuf {
        self.options.saved_caches_dir.join(file_name(kind))
    }

    fn save_period(&self, kind: CacheKind) -> Duration {
        match kind {
            CacheKind::Row => self.options.row_cache_save_period,
            _ => self.options.key_cache_save_period,
        }
    }

    /// Saves the keys of a cache that is to be saved. What goes wrong is no more than a line of the log. Blocks.
    pub(super) fn save_cache(&self, kind: CacheKind) {
        if self.save_period(kind).is_zero() {
            return;
        }
        let keys = self.keys_to_save(kind);
        let (disk, path) = (self.runtime.disk(), self.saved_path(kind));
        // A node that never cached anything leaves no files.
        if keys.is_empty() && !disk.exists(&path).unwrap_or(false) {
            return;
        }
        let saved = make_dir_synced(&**disk, &self.options.saved_caches_dir)
            .map_err(|error| error.to_string())
            .and_then(|()| {
                disk.write_all_synced(&path, &encode(kind, &keys)).map_err(|error| error.to_string())
            });
        match saved {
            Ok(()) => tracing::debug!("saved {} keys in {}", keys.len(), path.display()),
            Err(error) => tracing::warn!("{} cannot be saved: {error}", path.display()),
        }
    }

    fn keys_to_save(&self, kind: CacheKind) -> Vec<SavedKey> {
        let tables = self.tables.load();
        let mut numbers: HashMap<u64, TableId> = HashMap::new();
        for state in tables.values() {
            match kind {
                CacheKind::Row => numbers.extend(state.rows.get().map(|stamps| (stamps.table, state.id))),
                _ => {
                    let sstables = state.sstables();
                    let own = sstables.iter().filter_map(|sstable| sstable.key_cache_number());
                    numbers.extend(own.map(|number| (number, state.id)));
                }
            }
        }
        let cached = match kind {
            CacheKind::Row => self.rows.keys(self.options.row_cache_keys_to_save),
            _ => self.caches.keys.keys(self.options.key_cache_keys_to_save),
        };
        let named = |(number, key)| Some((*numbers.get(&number)?, key));
        let mut keys: Vec<SavedKey> = cached.into_iter().filter_map(named).collect();
        // The key cache has one for each SSTable.
        keys.sort_unstable_by(|a, b| (a.0.0, &a.1).cmp(&(b.0.0, &b.1)));
        keys.dedup();
        keys
    }

    /// Warms the caches and saves them from time to time, for as long as the engine lives.
    pub(super) fn start_caches(self: &Arc<Self>) {
        for kind in SAVED_KINDS {
            let (weak, runtime) = (Arc::downgrade(self), self.runtime.clone());
            let period = self.save_period(kind);
            self.runtime.spawn_on(0, move || async move {
                if let Some(core) = weak.upgrade() {
                    core.warm(kind).await;
                }
                if period.is_zero() {
                    return;
                }
                loop {
                    runtime.sleep(period).await;
                    let Some(core) = weak.upgrade() else { return };
                    if core.is_ending() {
                        return;
                    }
                    runtime.background(move || core.save_cache(kind)).await;
                }
            });
        }
    }

    fn is_ending(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed) || self.compactions.is_closed.load(Ordering::Relaxed)
    }

    /// Fetches what was cached when the cache was saved, in small pieces and for a limited time.
    async fn warm(self: Arc<Self>, kind: CacheKind) {
        let capacity_bytes = match kind {
            CacheKind::Row => self.options.row_cache_bytes,
            _ => self.options.key_cache_bytes,
        };
        if capacity_bytes == 0 {
            return;
        }
        let runtime = self.runtime.clone();
        let deadline = runtime.clock().monotonic() + self.options.cache_load_timeout;
        let core = self.clone();
        let loaded =
            runtime.background(move || load(&**core.runtime.disk(), &core.saved_path(kind), kind)).await;
        let Some(mut left) = loaded else { return };
        let total_count = left.len();
        while !left.is_empty() && !self.is_ending() && runtime.clock().monotonic() < deadline {
            let piece: Vec<SavedKey> = left.drain(..left.len().min(PIECE_COUNT)).collect();
            let core = self.clone();
            runtime.background(move || piece.iter().for_each(|key| core.warm_key(kind, key))).await;
        }
        let path = self.saved_path(kind);
        tracing::info!("warmed {} of {total_count} keys of {}", total_count - left.len(), path.display());
    }

    /// What fails is left to the read that wants it.
    fn warm_key(&self, kind: CacheKind, (id, key): &SavedKey) {
        let Some(state) = self.table(*id).filter(|_| !self.is_ending() && !key.is_empty()) else { return };
        let (table, key) = (state.table.load_full(), PartitionKey::new(key.clone()));
        if self.damage.check_token(*id, key.token).is_err() {
            return;
        }
        warming(|| match kind {
            CacheKind::Row => {
                let slices = Slices::all();
                let asked =
                    Asked { table: &table, key: &key, slices: &slices, reversed: false, is_warming: true };
                let _left_to_reads = self.read_state(&state, asked);
            }
            _ if table.options.caching.has_keys() => {
                for sstable in &state.slots[state.shard_of(&key)].view.load().sstables {
                    let _left_to_reads = sstable.warm_key(&key);
                }
            }
            _ => {}
        });
    }
}

#[cfg(test)]
mod tests;
