//! Supply: files that are ready to become segments.
//!
//! A segment's room is reserved before its first record is taken: when the disk is full the next segment is missing, and
//! writes are refused before anything of them is applied. A segment that nobody needs any more becomes a spare file: its
//! blocks are written already, so that syncs of its next use have no metadata to write.
//!
//! A spare's old name is gone for good (the directory is synced) before it is used again: otherwise a crash could bring
//! the old segment's name back with the new one's bytes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use runtime::{OpenMode, Runtime};

use super::Segment;
use super::segment::{parse_spare_name, spare_path};

/// After a failure the next attempt waits so many milliseconds.
const RETRY_MS: u64 = 200;

/// So many files at most are made ahead of need: one for each shard, on nodes of usual size.
const READY_COUNT_MAX: usize = 8;

/// The spare files of a node.
pub(crate) struct Supply {
    runtime: Runtime,
    dir: PathBuf,
    segment_bytes: u32,
    /// So many are made ahead of need.
    ready_count: usize,
    /// Of more than these segments' files are removed.
    kept_count: usize,
    state: Mutex<State>,
    /// One prepares at a time.
    is_preparing: AtomicBool,
}

#[derive(Default)]
struct State {
    spares: Vec<PathBuf>,
    next_number: u64,
    /// Why there is none: asked again after the time.
    failure: Option<(String, u64)>,
    recycled_count: u64,
}

impl Supply {
    pub(crate) fn new(runtime: &Runtime, dir: &Path, segment_bytes: u32) -> Supply {
        let shards_count = runtime.shard_count();
        Supply {
            runtime: runtime.clone(),
            dir: dir.to_owned(),
            segment_bytes,
            ready_count: shards_count.min(READY_COUNT_MAX),
            kept_count: shards_count + 1,
            state: Mutex::default(),
            is_preparing: AtomicBool::new(false),
        }
    }

    /// A file that is ready.
    pub(crate) fn take(&self) -> Option<PathBuf> {
        self.state.lock().spares.pop()
    }

    /// True if a file is ready.
    pub(crate) fn has_ready(&self) -> bool {
        !self.state.lock().spares.is_empty()
    }

    /// Why none could be made at the last attempt.
    pub(crate) fn failure(&self) -> Option<String> {
        self.state.lock().failure.as_ref().map(|(why, _)| why.clone())
    }

    /// How often a segment's file was used again.
    pub(crate) fn recycled_count(&self) -> u64 {
        self.state.lock().recycled_count
    }

    /// True if a file should be made ready now.
    pub(crate) fn wants_more(&self) -> bool {
        let state = self.state.lock();
        let may_try = state.failure.as_ref().is_none_or(|(_, not_before)| *not_before <= self.now_ms());
        state.spares.len() < self.ready_count && may_try && !self.is_preparing.load(Ordering::Acquire)
    }

    fn now_ms(&self) -> u64 {
        self.runtime.clock().monotonic().as_millis() as u64
    }

    /// Takes over the spare files of an earlier run, and removes what cannot be used.
    pub(crate) fn adopt(&self) -> io::Result<()> {
        let disk = self.runtime.disk();
        for entry in disk.list(&self.dir)? {
            let Some(number) = parse_spare_name(&entry.name) else { continue };
            let path = self.dir.join(&entry.name);
            let mut state = self.state.lock();
            state.next_number = state.next_number.max(number + 1);
            if entry.bytes == u64::from(self.segment_bytes) && state.spares.len() < self.kept_count {
                state.spares.push(path);
                continue;
            }
            drop(state);
            disk.remove_file(&path)?;
        }
        Ok(())
    }

    /// Makes files until there are enough. Blocks. The error is kept for [`Supply::failure`] too.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        if self.is_preparing.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let result = self.prepare_all();
        let mut state = self.state.lock();
        state.failure = match &result {
            Ok(()) => None,
            Err(error) => Some((format!("{}: {error}", self.dir.display()), self.now_ms() + RETRY_MS)),
        };
        self.is_preparing.store(false, Ordering::Release);
        result
    }

    fn prepare_all(&self) -> io::Result<()> {
        loop {
            let path = {
                let mut state = self.state.lock();
                if state.spares.len() >= self.ready_count {
                    return Ok(());
                }
                state.next_number += 1;
                spare_path(&self.dir, state.next_number)
            };
            if let Err(error) = self.make(&path) {
                // It may not exist at all; a leftover is removed at the next start.
                let _may_be_missing = self.runtime.disk().remove_file(&path);
                return Err(error);
            }
            self.state.lock().spares.push(path);
        }
    }

    fn make(&self, path: &Path) -> io::Result<()> {
        let file = self.runtime.disk().open(path, OpenMode::Create)?;
        file.preallocate(u64::from(self.segment_bytes))
    }

    /// Makes a spare file of a segment that nobody needs any more, or removes it. Blocks.
    pub(crate) fn recycle(&self, segment: &Arc<Segment>) -> io::Result<()> {
        let disk = self.runtime.disk();
        let path = {
            let mut state = self.state.lock();
            let is_wanted = state.spares.len() < self.kept_count;
            state.next_number += 1;
            (is_wanted && segment.is_recyclable.load(Ordering::Acquire))
                .then(|| spare_path(&self.dir, state.next_number))
        };
        let Some(path) = path else { return disk.remove_file(&segment.path) };
        disk.rename(&segment.path, &path)?;
        disk.sync_dir(&self.dir)?;
        let mut state = self.state.lock();
        state.spares.push(path);
        state.recycled_count += 1;
        Ok(())
    }
}
