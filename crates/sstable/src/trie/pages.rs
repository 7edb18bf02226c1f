//! An index file's pages: all of them in memory if it is small, else through the block cache.

use std::sync::Arc;

use bytes::Bytes;
use runtime::DiskFile;

use super::PAGE_BYTES;
use crate::cache::BlockCache;
use crate::cache::file::{BlockFile, CachedFile};
use crate::descriptor::Component;
use crate::error::ReadError;

/// Files up to this size are held whole: there may be thousands.
const WHOLE_BYTES_MAX: u64 = 64 << 10;
/// Bytes of a block: a few pages, as neighbours are likely to be wanted too.
const BLOCK_BYTES: u64 = 4 * PAGE_BYTES as u64;

/// Bytes that a file opened without a cache keeps in memory.
const OWN_CACHE_BYTES: u64 = 1 << 20;

/// An index file.
pub(crate) struct Pages {
    component: Component,
    bytes: u64,
    source: Source,
}

enum Source {
    Whole(Bytes),
    Blocks(CachedFile),
}

/// How the blocks of an index file are stored: as they are.
struct PlainBlocks {
    component: Component,
    file: Arc<dyn DiskFile>,
    bytes: u64,
}

impl BlockFile for PlainBlocks {
    fn component(&self) -> Component {
        self.component
    }

    fn file(&self) -> &Arc<dyn DiskFile> {
        &self.file
    }

    fn count(&self) -> u64 {
        self.bytes.div_ceil(BLOCK_BYTES)
    }

    fn place(&self, index: u64) -> Result<(u64, usize), ReadError> {
        let start = index * BLOCK_BYTES;
        Ok((start, self.bytes.saturating_sub(start).min(BLOCK_BYTES) as usize))
    }

    fn decode(&self, _: u64, stored: &[u8]) -> Result<Bytes, ReadError> {
        Ok(Bytes::copy_from_slice(stored))
    }
}

impl Pages {
    /// Bytes of memory that it takes beside the block cache.
    pub(crate) fn held_bytes(&self) -> usize {
        match &self.source {
            Source::Whole(bytes) => bytes.len(),
            Source::Blocks(_) => 0,
        }
    }

    pub(crate) fn open(
        component: Component,
        file: Arc<dyn DiskFile>,
        cache: Option<&Arc<BlockCache>>,
    ) -> Result<Pages, ReadError> {
        Pages::open_up_to(WHOLE_BYTES_MAX, component, file, cache)
    }

    fn open_up_to(
        whole_bytes_max: u64,
        component: Component,
        file: Arc<dyn DiskFile>,
        cache: Option<&Arc<BlockCache>>,
    ) -> Result<Pages, ReadError> {
        let bytes = file.bytes().map_err(|source| ReadError::io(component, 0, source))?;
        let source = if bytes <= whole_bytes_max {
            let mut whole = vec![0; bytes as usize];
            file.read_exact_at(&mut whole, 0).map_err(|source| ReadError::io(component, 0, source))?;
            Source::Whole(whole.into())
        } else {
            // Without a cache for all it has a small one of its own: a walk comes to the same pages again and again.
            let own;
            let cache = match cache {
                Some(cache) => cache,
                None => {
                    own = Arc::new(BlockCache::new(OWN_CACHE_BYTES));
                    &own
                }
            };
            Source::Blocks(CachedFile::new(Arc::new(PlainBlocks { component, file, bytes }), Some(cache)))
        };
        Ok(Pages { component, bytes, source })
    }

    #[cfg(test)]
    pub(crate) fn whole(component: Component, bytes: Vec<u8>) -> Pages {
        Pages { component, bytes: bytes.len() as u64, source: Source::Whole(bytes.into()) }
    }

    /// The file's length.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// From `position` to the end of its page or of the file.
    pub(crate) fn rest_of_page(&self, position: u64) -> Result<Bytes, ReadError> {
        let (page, at) = self.page(position)?;
        Ok(page.slice(at..))
    }

    /// The page that holds a position, and where in it that is.
    pub(crate) fn page(&self, position: u64) -> Result<(Bytes, usize), ReadError> {
        let start = position / PAGE_BYTES as u64 * PAGE_BYTES as u64;
        let end = (start + PAGE_BYTES as u64).min(self.bytes);
        if position >= end {
            return Err(self.corrupt(position, "a pointer leads out of the file"));
        }
        let page = match &self.source {
            Source::Whole(whole) => whole.slice(start as usize..end as usize),
            Source::Blocks(file) => {
                let index = start / BLOCK_BYTES;
                let from = index * BLOCK_BYTES;
                file.block(index)?.slice((start - from) as usize..(end - from) as usize)
            }
        };
        Ok((page, (position - start) as usize))
    }

    /// So many bytes from `position` on, fewer at the end of the file.
    pub(crate) fn range(&self, position: u64, count: usize) -> Result<Bytes, ReadError> {
        let mut out = Vec::new();
        while out.len() < count && position + (out.len() as u64) < self.bytes {
            let rest = self.rest_of_page(position + out.len() as u64)?;
            out.extend_from_slice(&rest[..rest.len().min(count - out.len())]);
        }
        Ok(out.into())
    }

    pub(crate) fn corrupt(&self, position: u64, found: &str) -> ReadError {
        ReadError::corrupt(self.component, position, found)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use runtime::sim::SimDisk;
    use runtime::{Disk, OpenMode};

    use super::*;

    #[test]
    fn a_file_read_by_pages_has_the_bytes_of_one_held_whole() {
        let disk = SimDisk::new(1);
        let file = disk.open(Path::new("/f"), OpenMode::Create).unwrap();
        // More than the cache holds.
        let bytes: Vec<u8> = (0..50 * PAGE_BYTES + 100).map(|i| (i / 7 % 251) as u8).collect();
        file.write_all_at(&bytes, 0).unwrap();
        let cache = Arc::new(BlockCache::new(64 << 10));
        let paged = Pages::open_up_to(0, Component::Partitions, file.clone(), Some(&cache)).unwrap();
        let whole = Pages::open_up_to(u64::MAX, Component::Partitions, file, None).unwrap();
        let last = bytes.len() as u64 - 1;
        for at in [0, 4095, 4096, 70_000, (40 * PAGE_BYTES) as u64, last, 5, last + 1] {
            let rest = |pages: &Pages| pages.rest_of_page(at).ok();
            assert_eq!(rest(&paged), rest(&whole), "{at}");
            assert_eq!(paged.range(at, 10_000).unwrap(), whole.range(at, 10_000).unwrap(), "{at}");
        }
        assert!(paged.rest_of_page(last + 1).is_err());
    }
}
