//! The simulated disk: a file system in memory that tells what was synced from what was only written.
//!
//! A power loss keeps synced bytes and synced names. Of the rest a seeded part survives: single 512-byte
//! sectors of a write, single creations, renames and removals of a directory. A failed sync loses the bytes for
//! good, though they can still be read and the next sync succeeds, as on Linux.
//!
//! Read in order: [`SimDisk`], [`tree`] (names), [`file`] (bytes), [`faults`].
//!
//! Never here: time. Operations take none; [`crate::Runtime::blocking`] draws a delay for each job.

mod faults;

mod file;

mod tree;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use stdx::crc::crc32;
use stdx::prng::Prng;

use super::trace::Trace;
use crate::disk::{Disk, DiskEntry, DiskFile, DiskLock, DiskSpace, Locked, OpenMode};
pub use faults::{Fault, FaultError, Operation};
use faults::{Faults, Verdict};
use file::File;
use tree::{FileId, Node, Tree};

/// A file larger than this is refused: memory is what the simulation has.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// What the disk claims to hold.
const DISK_BYTES: u64 = 1 << 40;

/// A disk in memory. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    trace: Arc<Trace>,
    state: Arc<Mutex<State>>,
}

struct State {
    tree: Tree,
    faults: Faults,
    prng: Prng,
    /// How often power or process was lost: handles of an earlier life are dead.
    life: u64,
    locked: BTreeSet<FileId>,
    operations_count: u64,
    /// Bytes that files may have together; `None`: as many as memory.
    capacity_bytes: Option<u64>,
}

impl SimDisk {
    /// An empty disk, of use without a [`super::SimRuntime`] too.
    pub fn new(seed: u64) -> Self {
        SimDisk::with_trace(seed, Arc::new(Trace::new(seed)))
    }

    pub(super) fn with_trace(seed: u64, trace: Arc<Trace>) -> Self {
        SimDisk::with_tree(Tree::new(), Prng::from_seed(seed), trace)
    }

    fn with_tree(tree: Tree, prng: Prng, trace: Arc<Trace>) -> Self {
        let state = State {
            tree,
            faults: Faults::default(),
            prng,
            life: 0,
            locked: BTreeSet::new(),
            operations_count: 0,
            capacity_bytes: None,
        };
        SimDisk { trace, state: Arc::new(Mutex::new(state)) }
    }

    /// Power loss: what was not synced may be lost, open files and locks are dead, and power is back.
    pub fn lose_power(&self) {
        let mut state = self.state.lock();
        let state = &mut *state;
        state.tree.crash(&mut state.prng);
        state.start_life();
        self.trace.record("disk crash", [state.life, 0, 0, 0]);
    }

    /// kill -9 of the process: open files and locks are dead, what was written is there.
    pub fn kill_process(&self) {
        self.state.lock().start_life();
    }

    /// A new disk with what a power loss at this moment would leave; this one goes on.
    pub fn crash_copy(&self) -> SimDisk {
        let mut state = self.state.lock();
        let mut tree = state.tree.clone();
        let mut prng = state.prng.fork();
        tree.crash(&mut prng);
        SimDisk::with_tree(tree, prng, Arc::clone(&self.trace))
    }

    /// Gives the disk a size: what would make files larger than that, together, fails for want of room. `None`: it has
    /// no end.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.lock().capacity_bytes = bytes;
    }

    /// Bytes that all files have together.
    pub fn used_bytes(&self) -> u64 {
        self.state.lock().tree.used_bytes()
    }

    /// Lets operations fail from now on.
    pub fn inject(&self, fault: Fault) {
        self.state.lock().faults.add(fault);
    }

    /// Takes all injected faults away.
    pub fn clear_faults(&self) {
        self.state.lock().faults.clear();
    }

    /// Cuts power after `operations_count` more operations: the next one and all others fail until
    /// [`SimDisk::lose_power`] or [`super::SimNode::crash`]. With every count in turn, code is crashed at
    /// each of its steps.
    pub fn cut_power_after(&self, operations_count: u64) {
        let mut state = self.state.lock();
        let at = state.operations_count + operations_count;
        state.faults.cut_power_at(at);
    }

    /// How many operations there were.
    pub fn operations_count(&self) -> u64 {
        self.state.lock().operations_count
    }

    /// Flips bits of the file at `path`, synced or not: what a bad disk does. `mask` is XORed.
    pub fn corrupt(&self, path: &Path, offset: u64, mask: u8) -> io::Result<()> {
        let mut state = self.state.lock();
        let id = state.tree.find_file(path)?;
        state.tree.file_mut(id).corrupt(offset, mask)
    }

    /// Begins an operation: counts and records it, and says no where a fault does.
    fn begin(
        &self,
        state: &mut State,
        operation: Operation,
        path: &Path,
        detail: u64,
    ) -> Result<(), Verdict> {
        state.operations_count += 1;
        let name = path.to_string_lossy();
        let verdict = state.faults.judge(operation, &name, state.operations_count);
        let path_crc = u64::from(crc32(name.as_bytes()));
        self.trace.record(operation.name(), [path_crc, detail, u64::from(verdict.is_some()), 0]);
        verdict.map_or(Ok(()), Err)
    }

    /// A whole operation on names.
    fn with_tree_of<T>(
        &self,
        operation: Operation,
        path: &Path,
        run: impl FnOnce(&mut Tree) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state.lock();
        self.begin(&mut state, operation, path, 0).map_err(Verdict::error)?;
        run(&mut state.tree)
    }
}

impl State {
    fn start_life(&mut self) {
        self.life += 1;
        self.locked.clear();
        self.faults.power_on();
        self.tree.close_all();
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state.lock();
        let existing = state.tree.find_file(path);
        let makes = mode == OpenMode::CreateNew || mode == OpenMode::Create && existing.is_err();
        let operation = if makes { Operation::Create } else { Operation::Open };
        self.begin(&mut state, operation, path, mode as u64).map_err(Verdict::error)?;
        let id = match (mode, existing) {
            (OpenMode::CreateNew, _) if state.tree.find(path).is_ok() => {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            (OpenMode::Create | OpenMode::CreateNew, Err(error))
                if error.kind() == io::ErrorKind::NotFound =>
            {
                state.tree.create_file(path)?
            }
            (_, Err(error)) => return Err(error),
            (OpenMode::Create, Ok(id)) => {
                state.tree.file_mut(id).set_bytes(0);
                id
            }
            (_, Ok(id)) => id,
        };
        state.tree.opened(id);
        let writable = mode != OpenMode::Read;
        Ok(Arc::new(SimFile { disk: self.clone(), id, life: state.life, path: path.into(), writable }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.with_tree_of(Operation::Rename, from, |tree| tree.rename(from, to))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.with_tree_of(Operation::Create, to, |tree| tree.hard_link(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.with_tree_of(Operation::Remove, path, |tree| tree.remove_file(path))
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.with_tree_of(Operation::Remove, path, |tree| tree.remove_dir_all(path))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.with_tree_of(Operation::Create, path, |tree| tree.create_dir_all(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DiskEntry>> {
        self.with_tree_of(Operation::Read, dir, |tree| tree.list(dir))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.with_tree_of(Operation::Read, path, |tree| Ok(tree.find(path).is_ok()))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.with_tree_of(Operation::SyncDir, dir, |tree| tree.sync_dir(dir))
    }

    fn lock(&self, path: &Path, contents: &[u8]) -> io::Result<Locked> {
        let mut state = self.state.lock();
        self.begin(&mut state, Operation::Create, path, 0).map_err(Verdict::error)?;
        let id = match state.tree.find(path) {
            Ok(Node::File(id)) => id,
            Ok(Node::Dir(_)) => return Err(io::ErrorKind::IsADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => state.tree.create_file(path)?,
            Err(error) => return Err(error),
        };
        if !state.locked.insert(id) {
            return Ok(Err(state.tree.file(id).contents().to_vec()));
        }
        let file = state.tree.file_mut(id);
        file.set_bytes(0);
        file.write(contents, 0);
        state.tree.opened(id);
        Ok(Ok(Box::new(SimLock { disk: self.clone(), id, life: state.life })))
    }

    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        let total_bytes = self.state.lock().capacity_bytes.unwrap_or(DISK_BYTES);
        self.with_tree_of(Operation::Read, path, |tree| {
            tree.find(path)?;
            let available_bytes = total_bytes.saturating_sub(tree.used_bytes());
            Ok(DiskSpace { total_bytes, available_bytes })
        })
    }
}

struct SimLock {
    disk: SimDisk,
    id: FileId,
    life: u64,
}

impl DiskLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.state.lock();
        if state.life == self.life {
            state.locked.remove(&self.id);
            state.tree.closed(self.id);
        }
    }
}

struct SimFile {
    disk: SimDisk,
    id: FileId,
    life: u64,
    path: Box<Path>,
    writable: bool,
}

impl SimFile {
    fn with<T>(&self, operation: Operation, detail: u64, run: impl FnOnce(&mut File) -> T) -> io::Result<T> {
        self.with_or(operation, detail, run, |_, _, _| {})
    }

    /// Does `run`, or what is left of it when it fails.
    fn with_or<T>(
        &self,
        operation: Operation,
        detail: u64,
        run: impl FnOnce(&mut File) -> T,
        fail: impl FnOnce(Verdict, &mut File, &mut Prng),
    ) -> io::Result<T> {
        let mut state = self.disk.state.lock();
        if state.life != self.life {
            return Err(Verdict::NoPower.error());
        }
        if !self.writable && operation == Operation::Write {
            return Err(io::Error::from_raw_os_error(rustix::io::Errno::BADF.raw_os_error()));
        }
        let begun = self.disk.begin(&mut state, operation, &self.path, detail);
        let state = &mut *state;
        let file = state.tree.file_mut(self.id);
        match begun {
            Ok(()) => Ok(run(file)),
            Err(verdict) => {
                fail(verdict, file, &mut state.prng);
                Err(verdict.error())
            }
        }
    }

    /// Whether the file may be so long.
    fn check_bytes(&self, bytes: u64) -> io::Result<()> {
        if bytes > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let state = self.disk.state.lock();
        let Some(capacity) = state.capacity_bytes.filter(|_| state.life == self.life) else { return Ok(()) };
        let growth = bytes.saturating_sub(state.tree.file(self.id).bytes());
        if growth > 0 && state.tree.used_bytes() + growth > capacity {
            return Err(Verdict::Fault(FaultError::NoSpace).error());
        }
        Ok(())
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(Operation::Read, offset, |file| file.read(buf, offset))
    }

    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.check_bytes(offset.saturating_add(buf.len() as u64))?;
        let detail = offset << 32 ^ u64::from(crc32(buf));
        let write = |file: &mut File| file.write(buf, offset);
        self.with_or(Operation::Write, detail, write, |verdict, file, prng| {
            // A write that fails has written some of it.
            if verdict != Verdict::NoPower && !buf.is_empty() {
                file.write(&buf[..prng.index(buf.len())], offset);
            }
        })
    }

    fn bytes(&self) -> io::Result<u64> {
        self.with(Operation::Read, 0, |file| file.bytes())
    }

    fn set_bytes(&self, bytes: u64) -> io::Result<()> {
        self.check_bytes(bytes)?;
        self.with(Operation::Write, bytes, |file| file.set_bytes(bytes))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with_or(Operation::Sync, 0, File::sync, |verdict, file, _| {
            if matches!(verdict, Verdict::Fault(_)) {
                file.fail_sync();
            }
        })
    }

    fn preallocate(&self, bytes: u64) -> io::Result<()> {
        self.check_bytes(bytes)?;
        self.with(Operation::Write, bytes, |file| file.set_bytes(file.bytes().max(bytes)))
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut state = self.disk.state.lock();
        if state.life == self.life {
            state.tree.closed(self.id);
        }
    }
}

#[cfg(test)]
mod tests;
