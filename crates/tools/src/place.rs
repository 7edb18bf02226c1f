//! SSTables from elsewhere into the directory of a table that no node has open.
//!
//! What stands half there after a crash carries the engine's mark of an unfinished SSTable, which the next start
//! removes; our own next run does the same.

use std::io;
use std::path::Path;
use std::sync::Arc;

use runtime::{Disk, OpenMode};
use sstable::{Component, Descriptor};

use crate::error::ToolError;

/// Marks an SSTable that is not complete; `storage` knows this name, too.
const BEGUN: &str = "begun.tmp";
const BUFFER_BYTES: u64 = 1 << 20;

/// How files are brought over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// As second names of the same files; copied where the file system does not allow that.
    Link,
    /// Always copied.
    Copy,
}

/// Brings the files of `source` over as `target`, whose directory exists. Returns the bytes of its components.
pub fn place(
    disk: &Arc<dyn Disk>,
    source: &Descriptor,
    target: &Descriptor,
    how: How,
) -> Result<u64, ToolError> {
    let mark = target.directory.join(target.file_name(BEGUN));
    disk.open(&mark, OpenMode::Create)?.sync_data()?;
    disk.sync_dir(&target.directory)?;
    let mut bytes = 0;
    for component in Component::ALL {
        let (from, to) = (source.path(component), target.path(component));
        if !disk.exists(&from)? {
            continue;
        }
        if disk.exists(&to)? {
            disk.remove_file(&to)?;
        }
        let is_linked = how == How::Link && disk.hard_link(&from, &to).is_ok();
        bytes += if is_linked { disk.open(&to, OpenMode::Read)?.bytes()? } else { copy(disk, &from, &to)? };
    }
    disk.sync_dir(&target.directory)?;
    disk.remove_file(&mark)?;
    disk.sync_dir(&target.directory)?;
    Ok(bytes)
}

fn copy(disk: &Arc<dyn Disk>, from: &Path, to: &Path) -> io::Result<u64> {
    let source = disk.open(from, OpenMode::Read)?;
    let target = disk.open(to, OpenMode::Create)?;
    let total = source.bytes()?;
    let mut at = 0;
    while at < total {
        let mut buffer = vec![0; (total - at).min(BUFFER_BYTES) as usize];
        source.read_exact_at(&mut buffer, at)?;
        target.write_all_at(&buffer, at)?;
        at += buffer.len() as u64;
    }
    target.sync_data()?;
    Ok(total)
}

/// Removes all files of an SSTable.
pub fn remove(disk: &Arc<dyn Disk>, descriptor: &Descriptor) -> io::Result<()> {
    for component in Component::ALL.into_iter().rev() {
        match disk.remove_file(&descriptor.path(component)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    disk.sync_dir(&descriptor.directory)
}

/// The first number that no SSTable of the directory has.
pub fn next_id(disk: &Arc<dyn Disk>, directory: &Path) -> Result<u64, ToolError> {
    let mut next = 1;
    for entry in disk.list(directory)? {
        if let Ok(Some((descriptor, _))) = Descriptor::parse(directory, &entry.name) {
            next = next.max(descriptor.id.number().map_or(0, |number| number.saturating_add(1)));
        }
    }
    Ok(next)
}
