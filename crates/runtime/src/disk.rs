//! Disk: files and directories, with positional reads and writes that block.
//!
//! Callers on a shard's thread wrap calls in [`crate::Runtime::blocking`]. What a crash leaves behind is
//! part of the contract: bytes are safe after [`DiskFile::sync_data`], names after [`Disk::sync_dir`] of
//! the directory that holds them, nothing before.
//!
//! Read in order: [`Disk`], [`DiskFile`], [`DiskLock`].
//!
//! Never here: what the bytes mean, caches, compression, retries.

use std::any::Any;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest file [`Disk::read_all`] takes in.
const READ_ALL_BYTES_MAX: u64 = 1 << 30;

/// A file system.
pub trait Disk: Send + Sync {
    /// Opens the file at `path`.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives `from` the name `to`, in one step; a file at `to` is replaced. Lasts after [`Disk::sync_dir`].
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives the file `from` a second name, `to`, which must be free.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Takes a file's name away; open handles and other names go on.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory and all that is in it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Makes a directory and those above it, as far as they are missing.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// What is in a directory, sorted by name.
    fn list(&self, dir: &Path) -> io::Result<Vec<DiskEntry>>;

    /// Whether a file or directory has this path.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Makes the names in `dir` (creations, renames, removals) outlast a power loss.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the lock file at `path` and writes `contents` into it, or tells what its holder wrote.
    ///
    /// Held until dropped; the operating system releases it when the process dies.
    fn lock(&self, path: &Path, contents: &[u8]) -> io::Result<Locked>;

    /// How much room the file system of `path` has.
    fn space(&self, path: &Path) -> io::Result<DiskSpace>;

    /// The whole file at `path`, 1 GiB at most.
    fn read_all(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path, OpenMode::Read)?;
        let bytes = file.bytes()?;
        if bytes > READ_ALL_BYTES_MAX {
            return Err(io::Error::other(format!(
                "{} has {bytes} bytes, too many to read at once",
                path.display()
            )));
        }
        let mut contents = vec![0; bytes as usize];
        file.read_exact_at(&mut contents, 0)?;
        Ok(contents)
    }

    /// Replaces the file at `path` with `contents`: after a crash it has the old or the new bytes, whole.
    /// On return the new ones are safe.
    fn write_all_synced(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        let temporary = temporary_path(path)?;
        let file = self.open(&temporary, OpenMode::Create)?;
        file.write_all_at(contents, 0)?;
        file.sync_data()?;
        self.rename(&temporary, path)?;
        self.sync_dir(path.parent().unwrap_or(Path::new("")))
    }
}

fn temporary_path(path: &Path) -> io::Result<PathBuf> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} names no file", path.display())));
    };
    let mut name = name.to_os_string();
    name.push(".tmp");
    Ok(path.with_file_name(name))
}

/// An open file. Dropping it closes it and syncs nothing.
pub trait DiskFile: Send + Sync {
    /// Reads up to `buf.len()` bytes from `offset` on; 0 means the end.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Reads exactly `buf.len()` bytes, or fails with `UnexpectedEof`.
    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buf.is_empty() {
            let count = self.read_at(buf, offset)?;
            if count == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "file ends before the bytes asked for",
                ));
            }
            buf = &mut buf[count..];
            offset += count as u64;
        }
        Ok(())
    }

    /// Reads exactly `buf.len()` bytes if that needs no wait for the disk. False: not all of them could be had so, and what
    /// is in `buf` is worth nothing.
    fn read_at_once(&self, buf: &mut [u8], offset: u64) -> bool {
        let _ = (buf, offset);
        false
    }

    /// Writes all of `buf` at `offset`; a gap before it reads as zeros.
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()>;

    /// The file's length.
    fn bytes(&self) -> io::Result<u64>;

    /// The system's descriptor, if it has one: what [`crate::Runtime::read_at`] hands to the kernel.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Cuts the file, or lengthens it with zeros.
    fn set_bytes(&self, bytes: u64) -> io::Result<()>;

    /// Makes everything written so far, and the length, outlast a power loss.
    ///
    /// After an error nothing written since the last success may be trusted, and trying again proves
    /// nothing: the kernel may have dropped the bytes.
    fn sync_data(&self) -> io::Result<()>;

    /// Reserves room, so that the file is at least `bytes` long; new bytes read as zeros.
    fn preallocate(&self, bytes: u64) -> io::Result<()>;
}

/// How to open a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Read what exists.
    Read,
    /// Read and write what exists.
    ReadWrite,
    /// Read and write; made if missing, emptied if not.
    Create,
    /// Read and write; fails with `AlreadyExists` if it is there.
    CreateNew,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskEntry {
    /// The name, without the directory. Bytes that are not UTF-8 are replaced.
    pub name: String,
    /// A directory, not a file.
    pub is_dir: bool,
    /// The file's length; 0 for a directory.
    pub bytes: u64,
}

/// Room on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// All there is.
    pub total_bytes: u64,
    /// What this process may still use.
    pub available_bytes: u64,
}

/// A lock that is held; dropping it lets go.
pub trait DiskLock: Send + Sync + Any {}

/// The answer of [`Disk::lock`]: the lock, or what its holder wrote.
pub type Locked = Result<Box<dyn DiskLock>, Vec<u8>>;
