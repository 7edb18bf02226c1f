//! An index file's pages: all of them in memory if it is small, else the last ones used.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use runtime::DiskFile;

use super::PAGE_BYTES;
use crate::descriptor::Component;
use crate::error::ReadError;

/// Files up to this size are held whole.
const WHOLE_BYTES_MAX: u64 = 2 << 20;
/// Pages kept of larger files. A page has one place, so that replacing it needs no book-keeping.
const SLOTS: usize = 256;

/// An index file.
pub(crate) struct Pages {
    component: Component,
    bytes: u64,
    source: Source,
}

enum Source {
    Whole(Bytes),
    Paged { file: Arc<dyn DiskFile>, slots: Mutex<Vec<Option<(u64, Bytes)>>> },
}

impl Pages {
    pub(crate) fn open(component: Component, file: Arc<dyn DiskFile>) -> Result<Pages, ReadError> {
        Pages::open_up_to(WHOLE_BYTES_MAX, component, file)
    }

    fn open_up_to(
        whole_bytes_max: u64,
        component: Component,
        file: Arc<dyn DiskFile>,
    ) -> Result<Pages, ReadError> {
        let bytes = file.bytes().map_err(|source| ReadError::io(component, 0, source))?;
        let source = if bytes <= whole_bytes_max {
            let mut whole = vec![0; bytes as usize];
            file.read_exact_at(&mut whole, 0).map_err(|source| ReadError::io(component, 0, source))?;
            Source::Whole(whole.into())
        } else {
            Source::Paged { file, slots: Mutex::new(vec![None; SLOTS]) }
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
        let end = ((position / PAGE_BYTES as u64 + 1) * PAGE_BYTES as u64).min(self.bytes);
        if position >= end {
            return Err(self.corrupt(position, "a pointer leads out of the file"));
        }
        match &self.source {
            Source::Whole(whole) => Ok(whole.slice(position as usize..end as usize)),
            Source::Paged { .. } => {
                let page = self.page(position / PAGE_BYTES as u64)?;
                Ok(page.slice((position % PAGE_BYTES as u64) as usize..))
            }
        }
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

    fn page(&self, number: u64) -> Result<Bytes, ReadError> {
        let Source::Paged { file, slots } = &self.source else {
            unreachable!("only paged files have pages to load")
        };
        let slot = number as usize % SLOTS;
        if let Some((held, page)) = &slots.lock().unwrap_or_else(PoisonError::into_inner)[slot]
            && *held == number
        {
            return Ok(page.clone());
        }
        let start = number * PAGE_BYTES as u64;
        let mut page = vec![0; (self.bytes - start).min(PAGE_BYTES as u64) as usize];
        file.read_exact_at(&mut page, start)
            .map_err(|source| ReadError::io(self.component, start, source))?;
        let page = Bytes::from(page);
        slots.lock().unwrap_or_else(PoisonError::into_inner)[slot] = Some((number, page.clone()));
        Ok(page)
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
        // More pages than places for them.
        let bytes: Vec<u8> = (0..(SLOTS + 3) * PAGE_BYTES + 100).map(|i| (i / 7 % 251) as u8).collect();
        file.write_all_at(&bytes, 0).unwrap();
        let paged = Pages::open_up_to(0, Component::Partitions, file.clone()).unwrap();
        let whole = Pages::open_up_to(u64::MAX, Component::Partitions, file).unwrap();
        let last = bytes.len() as u64 - 1;
        for at in [0, 4095, 4096, 70_000, (SLOTS * PAGE_BYTES) as u64, last, 5, last + 1] {
            let rest = |pages: &Pages| pages.rest_of_page(at).ok();
            assert_eq!(rest(&paged), rest(&whole), "{at}");
            assert_eq!(paged.range(at, 10_000).unwrap(), whole.range(at, 10_000).unwrap(), "{at}");
        }
        assert!(paged.rest_of_page(last + 1).is_err());
    }
}
