//! Sets of files: linked into other directories, found there again, removed.
//!
//! A directory that holds [`UNFINISHED`] is incomplete: a crash came between. The next start removes it.

use std::io;
use std::path::{Path, PathBuf};

use runtime::{Disk, DiskEntry, OpenMode};
use sstable::Descriptor;

use super::SnapshotInfo;
use super::manifest::{self, Manifest};
use crate::OpenError;

/// Where snapshots are, below a table's directory.
pub(crate) const SNAPSHOTS: &str = "snapshots";
/// Where incremental backups are, below a table's directory.
pub(crate) const BACKUPS: &str = "backups";
/// The table as CQL.
const SCHEMA_FILE: &str = "schema.cql";
/// Stands in a snapshot that is not whole, or no longer.
const UNFINISHED: &str = "unfinished.tmp";
/// Most bytes of a manifest that are believed.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;
/// Longest name of a file.
const NAME_BYTES_MAX: usize = 255;
/// Bytes copied at once.
const COPY_BYTES: usize = 1 << 20;

/// Why a snapshot cannot have this name, if it cannot.
pub(crate) fn check_tag(tag: &str) -> Result<(), OpenError> {
    let refused = |why: &str| Err(OpenError::Refused(why.to_owned()));
    if tag.is_empty() {
        return refused("You must supply a snapshot name.");
    }
    if tag.contains('/') {
        return refused("Snapshot name cannot contain /");
    }
    if tag == "." || tag == ".." || tag.len() > NAME_BYTES_MAX || tag.contains(['\\', '\0']) {
        return refused(&format!("Snapshot name {tag:?} is no name of a directory"));
    }
    if tag.chars().any(char::is_control) {
        return refused("Snapshot name cannot contain control characters");
    }
    Ok(())
}

/// Makes the snapshot directory `dir` of these SSTables; on return it is safe.
pub(crate) fn take(
    disk: &dyn Disk,
    dir: &Path,
    sstables: &[Descriptor],
    manifest: &Manifest,
    schema: &str,
) -> Result<(), OpenError> {
    disk.create_dir_all(dir).map_err(OpenError::io(dir))?;
    note_unfinished(disk, dir)?;
    for descriptor in sstables {
        link_set(disk, descriptor, dir)?;
    }
    let put = |name: &str, text: &str| {
        let path = dir.join(name);
        disk.write_all_synced(&path, text.as_bytes()).map_err(OpenError::io(path))
    };
    if !schema.is_empty() {
        put(SCHEMA_FILE, schema)?;
    }
    put(manifest::FILE_NAME, &manifest.to_text())?;
    let mark = dir.join(UNFINISHED);
    disk.remove_file(&mark).map_err(OpenError::io(&mark))?;
    disk.sync_dir(dir).map_err(OpenError::io(dir))
}

fn note_unfinished(disk: &dyn Disk, dir: &Path) -> Result<(), OpenError> {
    let mark = dir.join(UNFINISHED);
    disk.open(&mark, OpenMode::Create).map_err(OpenError::io(&mark))?;
    // The snapshot's own name, and that of `snapshots`, must last with it.
    for made in dir.ancestors().take(3) {
        disk.sync_dir(made).map_err(OpenError::io(made))?;
    }
    Ok(())
}

/// The files of an SSTable, all components that are there.
pub(crate) fn files_of(disk: &dyn Disk, descriptor: &Descriptor) -> Result<Vec<DiskEntry>, OpenError> {
    let prefix = descriptor.file_name("");
    let dir = &descriptor.directory;
    let mut files = disk.list(dir).map_err(OpenError::io(dir))?;
    files.retain(|file| !file.is_dir && file.name.starts_with(&prefix) && !file.name.ends_with(".tmp"));
    Ok(files)
}

/// Links all files of an SSTable into another directory, under the same names. Not yet safe.
pub(crate) fn link_set(disk: &dyn Disk, descriptor: &Descriptor, into: &Path) -> Result<(), OpenError> {
    for file in files_of(disk, descriptor)? {
        let (from, to) = (descriptor.directory.join(&file.name), into.join(&file.name));
        match disk.hard_link(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            linked => linked.map_err(OpenError::io(to))?,
        }
    }
    Ok(())
}

/// Copies a file; on return its bytes are safe, its name is not.
pub(crate) fn copy_file(disk: &dyn Disk, from: &Path, to: &Path) -> Result<(), OpenError> {
    let source = disk.open(from, OpenMode::Read).map_err(OpenError::io(from))?;
    let target = disk.open(to, OpenMode::Create).map_err(OpenError::io(to))?;
    let mut buffer = vec![0; COPY_BYTES];
    let mut offset = 0;
    loop {
        let count = source.read_at(&mut buffer, offset).map_err(OpenError::io(from))?;
        if count == 0 {
            break;
        }
        target.write_all_at(&buffer[..count], offset).map_err(OpenError::io(to))?;
        offset += count as u64;
    }
    target.sync_data().map_err(OpenError::io(to))
}

/// Removes a snapshot; a crash in between leaves one that is known to be incomplete.
pub(crate) fn remove(disk: &dyn Disk, dir: &Path) -> Result<(), OpenError> {
    let mark = dir.join(UNFINISHED);
    disk.open(&mark, OpenMode::Create).map_err(OpenError::io(&mark))?;
    disk.sync_dir(dir).map_err(OpenError::io(dir))?;
    disk.remove_dir_all(dir).map_err(OpenError::io(dir))?;
    if let Some(snapshots) = dir.parent() {
        disk.sync_dir(snapshots).map_err(OpenError::io(snapshots))?;
    }
    Ok(())
}

/// A snapshot's directory, and what is known of it.
pub(crate) struct Found {
    pub dir: PathBuf,
    pub is_unfinished: bool,
    pub info: SnapshotInfo,
}

/// All snapshots below `<data_dir>/data`, those of dropped tables too.
pub(crate) fn find_all(disk: &dyn Disk, data_dir: &Path) -> Result<Vec<Found>, OpenError> {
    let mut found = Vec::new();
    for (keyspace, keyspace_dir) in directories(disk, &data_dir.join("data"))? {
        for (folder, table_dir) in directories(disk, &keyspace_dir)? {
            let table = folder.rsplit_once('-').map_or(folder.as_str(), |(name, _)| name);
            for (tag, dir) in directories(disk, &table_dir.join(SNAPSHOTS))? {
                let mut one = describe(disk, &table_dir, dir)?;
                (one.info.tag, one.info.keyspace, one.info.table) = (tag, keyspace.clone(), table.to_owned());
                found.push(one);
            }
        }
    }
    Ok(found)
}

/// Bytes that only the snapshots of one table hold.
pub(crate) fn true_bytes_of(disk: &dyn Disk, table_dir: &Path) -> Result<u64, OpenError> {
    let mut bytes = 0;
    for (_, dir) in directories(disk, &table_dir.join(SNAPSHOTS))? {
        bytes += describe(disk, table_dir, dir)?.info.true_bytes;
    }
    Ok(bytes)
}

/// Directories in a directory; none if it is not there.
fn directories(disk: &dyn Disk, dir: &Path) -> Result<Vec<(String, PathBuf)>, OpenError> {
    match disk.list(dir) {
        Ok(entries) => Ok(entries
            .into_iter()
            .filter(|entry| entry.is_dir)
            .map(|entry| (entry.name.clone(), dir.join(entry.name)))
            .collect()),
        // It may just have been removed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(OpenError::io(dir)(error)),
    }
}

fn describe(disk: &dyn Disk, table_dir: &Path, dir: PathBuf) -> Result<Found, OpenError> {
    let live: std::collections::HashSet<String> = match disk.list(table_dir) {
        Ok(entries) => entries.into_iter().map(|entry| entry.name).collect(),
        Err(_) => Default::default(),
    };
    let files = match disk.list(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        files => files.map_err(OpenError::io(&dir))?,
    };
    let (mut true_bytes, mut bytes_on_disk, mut is_unfinished) = (0, 0, false);
    let mut manifest = Manifest::default();
    for file in &files {
        bytes_on_disk += file.bytes;
        if !live.contains(&file.name) {
            true_bytes += file.bytes;
        }
        is_unfinished |= file.name == UNFINISHED;
        if file.name == manifest::FILE_NAME && file.bytes <= MANIFEST_BYTES_MAX {
            let text = disk.read_all(&dir.join(&file.name)).unwrap_or_default();
            manifest = Manifest::parse(&String::from_utf8_lossy(&text));
        }
    }
    let info = SnapshotInfo {
        tag: String::new(),
        keyspace: String::new(),
        table: String::new(),
        true_bytes,
        bytes_on_disk,
        created_at_ms: manifest.created_at_ms,
        expires_at_ms: manifest.expires_at_ms,
        ephemeral: manifest.ephemeral,
    };
    Ok(Found { dir, is_unfinished, info })
}
