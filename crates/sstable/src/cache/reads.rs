//! Reads that must not wait for the disk.
//!
//! A request's thread runs a read inside [`BlockReads::cached_only`]: what is in the cache is there at once, a few blocks
//! that the kernel has in memory are read on the spot, and the first one that neither has ends the read with [`ReadError::NotCached`] and is noted. Whoever runs the read fetches
//! what was noted ([`BlockReads::take_loads`], [`BlockLoad::finish`]) and runs it again from its start; the fetched
//! blocks are held for that request, so that it goes on even if the cache has dropped them. A thread that may wait
//! runs the read inside [`waiting`], or in no scope at all.
//!
//! The scope is a thing of the thread: streams are pulled inside the closure, and so nothing between here and the
//! caller has to know of it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use runtime::DiskFile;

use super::file::BlockFile;
use super::{BlockCache, BlockKey};
use crate::error::ReadError;

/// Blocks that a request's thread reads and unpacks on the spot, at most: about a millisecond's work.
const AT_ONCE_MAX: u32 = 16;
/// Bytes that one load fetches at most.
const LOAD_BYTES_MAX: usize = 1 << 20;

thread_local! {
    static SCOPE: RefCell<Scope> = const { RefCell::new(Scope::None) };
}

enum Scope {
    None,
    CachedOnly(BlockReads),
    Waiting,
    /// As it waits, and nobody asked for it.
    Warming,
}

/// What a read outside the cache gets.
pub(crate) enum Answer {
    /// It was fetched for this request.
    Pinned(Bytes),
    /// It was noted.
    Missing,
    /// It may be read from disk here, by a request.
    Fill,
    /// It may be read from disk here, by work that is no request.
    Unscoped,
}

/// Says how to come by a block that is not in the cache.
pub(crate) fn ask(cache: &Arc<BlockCache>, blocks: &Arc<dyn BlockFile>, key: BlockKey) -> Answer {
    ask_as(cache, blocks, key, false)
}

fn ask_as(cache: &Arc<BlockCache>, blocks: &Arc<dyn BlockFile>, key: BlockKey, is_scan: bool) -> Answer {
    SCOPE.with_borrow_mut(|scope| match scope {
        Scope::None => Answer::Unscoped,
        Scope::Waiting | Scope::Warming => Answer::Fill,
        Scope::CachedOnly(reads) => match reads.held.get(&key) {
            Some(block) => Answer::Pinned(block.clone()),
            None => {
                if !is_scan && let Some(block) = reads.read_at_once(&**blocks, key.index) {
                    cache.blocks.insert(key, block.clone());
                    return Answer::Pinned(block);
                }
                if reads.missing.iter().all(|missing| missing.key != key) {
                    reads.missing.push(Missing { cache: cache.clone(), blocks: blocks.clone(), key });
                }
                Answer::Missing
            }
        },
    })
}

/// As [`ask`], for a scan: once it misses something it is going to miss more.
pub(crate) fn ask_for_scan(cache: &Arc<BlockCache>, blocks: &Arc<dyn BlockFile>, key: BlockKey) -> Answer {
    let answer = ask_as(cache, blocks, key, true);
    if matches!(answer, Answer::Missing) {
        leave_thread();
    }
    answer
}

/// True if this runs on a request's thread, inside [`BlockReads::cached_only`]: then it is to end here, with whatever
/// error, and will be run again where it may take its time.
pub fn leave_thread() -> bool {
    SCOPE.with_borrow_mut(|scope| match scope {
        Scope::CachedOnly(reads) => {
            reads.is_long = true;
            true
        }
        Scope::None | Scope::Waiting | Scope::Warming => false,
    })
}

/// True if a request's read is run once more, because it lacked something before: what it asks for was counted then.
pub fn is_repeated() -> bool {
    SCOPE.with_borrow(|scope| match scope {
        Scope::CachedOnly(reads) => reads.rounds_count > 0,
        Scope::Waiting | Scope::Warming => true,
        Scope::None => false,
    })
}

/// True inside [`warming`].
pub(crate) fn is_warming() -> bool {
    SCOPE.with_borrow(|scope| matches!(scope, Scope::Warming))
}

/// Puts the scope before back, also after a panic.
struct Restore(Scope);

impl Drop for Restore {
    fn drop(&mut self) {
        SCOPE.set(mem::replace(&mut self.0, Scope::None));
    }
}

/// Runs a request's read on a thread that may wait for the disk. What it reads gets into the cache; what a scan
/// reads only while there is room.
pub fn waiting<T>(run: impl FnOnce() -> T) -> T {
    let _restore = Restore(SCOPE.replace(Scope::Waiting));
    run()
}

/// As [`waiting`], for a read that only fills caches: these count no request.
pub fn warming<T>(run: impl FnOnce() -> T) -> T {
    let _restore = Restore(SCOPE.replace(Scope::Warming));
    run()
}

/// The blocks that one request fetched and still needs.
#[derive(Default)]
pub struct BlockReads {
    missing: Vec<Missing>,
    held: HashMap<BlockKey, Bytes, foldhash::fast::FixedState>,
    held_bytes: usize,
    /// How often something was missing: the more often, the more is fetched at once.
    rounds_count: u32,
    /// Blocks that were read on the spot.
    at_once_count: u32,
    /// It is more than a request's thread should do.
    is_long: bool,
}

struct Missing {
    cache: Arc<BlockCache>,
    blocks: Arc<dyn BlockFile>,
    key: BlockKey,
}

impl BlockReads {
    /// Runs a read that takes what is in the cache or was fetched, and nothing else. If [`BlockReads::is_missing`]
    /// then, what it returned is worth nothing.
    #[inline]
    pub fn cached_only<T>(&mut self, run: impl FnOnce() -> T) -> T {
        self.missing.clear();
        let mut restore = Restore(SCOPE.replace(Scope::CachedOnly(mem::take(self))));
        let out = run();
        let outer = mem::replace(&mut restore.0, Scope::None);
        if let Scope::CachedOnly(reads) = SCOPE.replace(outer) {
            *self = reads;
        }
        mem::forget(restore);
        out
    }

    /// A block that needs no wait for the disk. One that is damaged is missing: whoever may wait meets the error.
    fn read_at_once(&mut self, blocks: &dyn BlockFile, index: u64) -> Option<Bytes> {
        if self.at_once_count == AT_ONCE_MAX {
            return None;
        }
        let (offset, length) = blocks.place(index).ok()?;
        let mut stored = vec![0; length];
        if !blocks.file().read_at_once(&mut stored, offset) {
            return None;
        }
        self.at_once_count += 1;
        blocks.decode(index, &stored).ok()
    }

    /// True if the last run lacked something, or was too long.
    pub fn is_missing(&self) -> bool {
        self.is_long || !self.missing.is_empty()
    }

    /// True if the read should be run where it may wait for the disk, and take its time.
    pub fn is_long(&self) -> bool {
        self.is_long
    }

    /// How often a run lacked something.
    pub fn rounds_count(&self) -> u32 {
        self.rounds_count
    }

    /// Bytes that are held for this request.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// What to fetch before the next run: the blocks that were missing, and with each round more of those behind them.
    pub fn take_loads(&mut self) -> Vec<BlockLoad> {
        let count = 1_u64 << self.rounds_count.min(6);
        self.rounds_count += 1;
        let mut loads = Vec::with_capacity(self.missing.len());
        for missing in mem::take(&mut self.missing) {
            // What is wrong with its place is said where it is read without the cache.
            if let Ok((offset, length)) = missing.blocks.place(missing.key.index) {
                let mut load = BlockLoad { missing, offset, lengths: vec![length], length };
                load.extend(count);
                loads.push(load);
            }
        }
        loads
    }
}

/// Stored bytes of one file that are to be fetched.
pub struct BlockLoad {
    missing: Missing,
    offset: u64,
    length: usize,
    /// Of each block.
    lengths: Vec<usize>,
}

impl BlockLoad {
    fn extend(&mut self, count: u64) {
        let (blocks, first) = (&self.missing.blocks, self.missing.key.index);
        for index in first + 1..blocks.count().min(first.saturating_add(count)) {
            match blocks.place(index) {
                Ok((at, more))
                    if at == self.offset + self.length as u64 && self.length + more <= LOAD_BYTES_MAX =>
                {
                    self.length += more;
                    self.lengths.push(more);
                }
                _ => break,
            }
        }
    }

    /// The file to read.
    pub fn file(&self) -> &Arc<dyn DiskFile> {
        self.missing.blocks.file()
    }

    /// Where the bytes begin.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Unpacks the fetched bytes into the cache, and holds the blocks for this request. An error means that the next
    /// run has to be one that may wait: it will meet the same damage and say so.
    pub fn finish(self, stored: &[u8], reads: &mut BlockReads) -> Result<(), ReadError> {
        let Missing { cache, blocks, key } = self.missing;
        let mut at = 0;
        for (index, length) in (key.index..).zip(self.lengths) {
            let piece = stored.get(at..at + length).ok_or_else(|| {
                ReadError::corrupt(blocks.component(), self.offset, "the file ends too early")
            })?;
            at += length;
            let key = BlockKey { index, ..key };
            let block = match blocks.decode(index, piece) {
                Ok(block) => block,
                // Nobody has asked for the later ones yet.
                Err(_) if at > length => break,
                Err(error) => return Err(error),
            };
            cache.blocks.insert(key, block.clone());
            reads.held_bytes += block.len();
            reads.held.insert(key, block);
        }
        Ok(())
    }
}
