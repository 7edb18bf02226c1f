//! One open file, read block by block.

use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use runtime::DiskFile;

use super::reads::{self, Answer};
use super::{BlockCache, BlockKey};
use crate::descriptor::Component;
use crate::error::ReadError;

/// How the blocks of a file lie in it.
pub(crate) trait BlockFile: Send + Sync {
    /// Which file, for errors.
    fn component(&self) -> Component;
    /// The file.
    fn file(&self) -> &Arc<dyn DiskFile>;
    /// How many blocks.
    fn count(&self) -> u64;
    /// Where a block that exists is stored, and how many bytes that are.
    fn place(&self, index: u64) -> Result<(u64, usize), ReadError>;
    /// Checks and unpacks the stored bytes of a block.
    fn decode(&self, index: u64, stored: &[u8]) -> Result<Bytes, ReadError>;

    /// Reads a block from disk.
    fn read(&self, index: u64) -> Result<Bytes, ReadError> {
        let (offset, length) = self.place(index)?;
        let mut stored = vec![0; length];
        self.file()
            .read_exact_at(&mut stored, offset)
            .map_err(|source| ReadError::io(self.component(), offset, source))?;
        self.decode(index, &stored)
    }
}

/// A file and the cache of its blocks.
pub(crate) struct CachedFile {
    pub(crate) blocks: Arc<dyn BlockFile>,
    cache: Option<Arc<BlockCache>>,
    number: u64,
}

impl CachedFile {
    pub(crate) fn new(blocks: Arc<dyn BlockFile>, cache: Option<&Arc<BlockCache>>) -> CachedFile {
        let number = cache.map_or(0, |cache| cache.number_file());
        CachedFile { blocks, cache: cache.cloned(), number }
    }

    /// A block: from the cache, or from disk if the read may wait for it.
    #[inline]
    pub(crate) fn block(&self, index: u64) -> Result<Bytes, ReadError> {
        let Some(cache) = &self.cache else { return self.blocks.read(index) };
        let key = BlockKey { file: self.number, index };
        match cache.blocks.get(&key) {
            Some(block) => Ok(block),
            None => self.absent(cache, key),
        }
    }

    #[cold]
    fn absent(&self, cache: &Arc<BlockCache>, key: BlockKey) -> Result<Bytes, ReadError> {
        match reads::ask(cache, &self.blocks, key) {
            Answer::Pinned(block) => Ok(block),
            Answer::Missing => Err(ReadError::NotCached { component: self.blocks.component() }),
            Answer::Fill | Answer::Unscoped => {
                let block = self.blocks.read(key.index)?;
                cache.blocks.insert(key, block.clone());
                Ok(block)
            }
        }
    }
}

impl Drop for CachedFile {
    fn drop(&mut self) {
        if let Some(cache) = &self.cache {
            cache.forget_file(self.number);
        }
    }
}

/// Stored bytes that a sequential read has fetched in one piece: so few that they are still in a core's cache when they
/// are unpacked.
const AHEAD_BYTES_MIN: usize = 64 << 10;
const AHEAD_BYTES_MAX: usize = 128 << 10;

/// Reads blocks one after the other: it fetches larger and larger pieces, and puts nothing into a cache that
/// is full.
#[derive(Default)]
pub(crate) struct Ahead {
    stored: Vec<u8>,
    /// Where `stored` begins in the file.
    offset: u64,
    /// Bytes of the next piece.
    next_bytes: Cell<usize>,
}

impl Ahead {
    /// A block.
    pub(crate) fn block(&mut self, file: &CachedFile, index: u64) -> Result<Bytes, ReadError> {
        let key = BlockKey { file: file.number, index };
        let mut fill = None;
        if let Some(cache) = &file.cache {
            if let Some(block) = cache.blocks.peek(&key) {
                return Ok(block);
            }
            match reads::ask_for_scan(cache, &file.blocks, key) {
                Answer::Pinned(block) => return Ok(block),
                Answer::Missing => return Err(ReadError::NotCached { component: file.blocks.component() }),
                Answer::Fill if cache.has_room() => fill = Some(cache),
                Answer::Fill | Answer::Unscoped => {}
            }
        }
        let blocks = &*file.blocks;
        let (offset, length) = blocks.place(index)?;
        let start = match self.start_of(offset, length) {
            Some(start) => start,
            None => {
                self.fetch(blocks, index, offset, length)?;
                0
            }
        };
        let block = blocks.decode(index, &self.stored[start..start + length])?;
        if let Some(cache) = fill {
            cache.blocks.insert(key, block.clone());
        }
        Ok(block)
    }

    fn start_of(&self, offset: u64, length: usize) -> Option<usize> {
        let start = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        (start.checked_add(length)? <= self.stored.len()).then_some(start)
    }

    fn fetch(
        &mut self,
        blocks: &dyn BlockFile,
        index: u64,
        offset: u64,
        length: usize,
    ) -> Result<(), ReadError> {
        let wanted = self.next_bytes.get().max(AHEAD_BYTES_MIN);
        self.next_bytes.set((wanted * 2).min(AHEAD_BYTES_MAX));
        // As many whole blocks as fit; what is wrong with a later one is said when it is its turn.
        let mut total = length;
        for next in index + 1..blocks.count() {
            match blocks.place(next) {
                Ok((at, more)) if at == offset + total as u64 && total + more <= wanted => total += more,
                _ => break,
            }
        }
        self.stored.resize(total, 0);
        self.offset = offset;
        let read = blocks.file().read_exact_at(&mut self.stored, offset);
        if read.is_err() {
            // The first block alone says what is wrong with it.
            self.stored.truncate(length);
            let alone = blocks.file().read_exact_at(&mut self.stored, offset);
            if let Err(source) = alone {
                self.stored.clear();
                return Err(ReadError::io(blocks.component(), offset, source));
            }
        }
        Ok(())
    }
}
