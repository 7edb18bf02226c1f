//! A simulated file: what a reader sees, and for each sector written since the last sync what lies under it.

use std::collections::BTreeMap;
use std::io;

use stdx::prng::Prng;

/// The unit that a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

#[derive(Clone, Default)]
pub(super) struct File {
    contents: Vec<u8>,
    /// The length that outlasts a power loss.
    safe_bytes: usize,
    /// The sectors that a sync would have to write, by number.
    unsynced: BTreeMap<usize, Unsynced>,
}

#[derive(Clone)]
struct Unsynced {
    /// What the disk holds; zeros past its end.
    safe: Box<[u8; SECTOR_BYTES]>,
    /// A sync of it failed: the kernel thinks it is written, and no later sync writes it.
    abandoned: bool,
}

impl File {
    pub(super) fn contents(&self) -> &[u8] {
        &self.contents
    }

    pub(super) fn bytes(&self) -> u64 {
        self.contents.len() as u64
    }

    pub(super) fn read(&self, buf: &mut [u8], offset: u64) -> usize {
        let start = (offset as usize).min(self.contents.len());
        let count = buf.len().min(self.contents.len() - start);
        buf[..count].copy_from_slice(&self.contents[start..start + count]);
        count
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        if bytes.is_empty() {
            return;
        }
        let start = offset as usize;
        let end = start + bytes.len();
        self.mark_unsynced(start, end);
        if self.contents.len() < end {
            self.contents.resize(end, 0);
        }
        self.contents[start..end].copy_from_slice(bytes);
    }

    pub(super) fn set_bytes(&mut self, bytes: u64) {
        let bytes = bytes as usize;
        if bytes < self.contents.len() {
            self.mark_unsynced(bytes, self.contents.len());
        }
        if self.contents.is_empty() {
            // Memory that nobody has touched costs nothing: files are reserved by the dozen of MiB.
            self.contents = vec![0; bytes];
        }
        self.contents.resize(bytes, 0);
    }

    /// Remembers what lies under the sectors of `start..end`, before they change.
    fn mark_unsynced(&mut self, start: usize, end: usize) {
        for sector in start / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
            let contents = &self.contents;
            let unsynced = self.unsynced.entry(sector).or_insert_with(|| {
                let mut safe = Box::new([0; SECTOR_BYTES]);
                let rest = contents.get(sector * SECTOR_BYTES..).unwrap_or(&[]);
                let count = rest.len().min(SECTOR_BYTES);
                safe[..count].copy_from_slice(&rest[..count]);
                Unsynced { safe, abandoned: false }
            });
            unsynced.abandoned = false;
        }
    }

    pub(super) fn sync(&mut self) {
        self.unsynced.retain(|_, sector| sector.abandoned);
        self.safe_bytes = self.contents.len();
    }

    pub(super) fn fail_sync(&mut self) {
        self.unsynced.values_mut().for_each(|sector| sector.abandoned = true);
    }

    pub(super) fn corrupt(&mut self, offset: u64, mask: u8) -> io::Result<()> {
        let byte = self.contents.get_mut(offset as usize).ok_or(io::ErrorKind::UnexpectedEof)?;
        *byte ^= mask;
        Ok(())
    }

    /// Power loss: of what was not synced all, nothing, or single sectors survive.
    pub(super) fn crash(&mut self, prng: &mut Prng) {
        let written_bytes = self.contents.len();
        let survival = [0.0, 0.5, 1.0][prng.index(3)];
        let bytes = if survival == 0.5 {
            let (low, high) = (self.safe_bytes.min(written_bytes), self.safe_bytes.max(written_bytes));
            prng.between(low as u64, high as u64) as usize
        } else if survival == 1.0 {
            written_bytes
        } else {
            self.safe_bytes
        };
        self.contents.resize(self.safe_bytes.max(written_bytes).next_multiple_of(SECTOR_BYTES), 0);
        for (sector, unsynced) in std::mem::take(&mut self.unsynced) {
            if unsynced.abandoned || !prng.chance(survival) {
                let start = sector * SECTOR_BYTES;
                if self.contents.len() < start + SECTOR_BYTES {
                    self.contents.resize(start + SECTOR_BYTES, 0);
                }
                self.contents[start..start + SECTOR_BYTES].copy_from_slice(&*unsynced.safe);
            }
        }
        self.contents.resize(bytes, 0);
        self.safe_bytes = bytes;
    }
}
