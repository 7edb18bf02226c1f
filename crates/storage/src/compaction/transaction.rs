//! Transactions of SSTables: new ones take the place of old ones whole or not at all, whenever the power goes.
//!
//! Before the first file of a new SSTable stands its mark `<prefix>-begun.tmp` ([`Begun`]): as long as it is there the
//! SSTable is unfinished, and the next start removes it. A flush ends by taking the mark away.
//!
//! A compaction has several outputs, and inputs that go: its commit point is a file `compaction-<id>.txn`, which
//! comes into being whole (written aside, synced, renamed). From then on the outputs count, marks or not, and the
//! inputs do not. Then marks and inputs are removed, and at last the file, each step safe before the next begins.
//! [`resolve`] does at the start what a crash left undone; done twice it does nothing more.
//!
//! The file names of each input the bytes of its Data.db and its digest: other files of that name are not touched.
//! If the file is damaged the start is refused before anything is removed.
//!
//! Never here: which shard sees what.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use runtime::{Disk, OpenMode};
use sstable::{Component, Descriptor};
use stdx::crc::crc32;
use uuid::Uuid;

use crate::OpenError;
use crate::engine::damage::remove_mark;

/// What the mark of an unfinished SSTable is called, after the SSTable's prefix. Cassandra removes files that end like
/// this.
pub(crate) const BEGUN_NAME: &str = "begun.tmp";

const FIRST_LINE: &str = "helenus compaction 1";
const PREFIX: &str = "compaction-";
const SUFFIX: &str = ".txn";

/// The mark of an SSTable that may be incomplete: what it holds is elsewhere, too.
pub(crate) struct Begun {
    dir: PathBuf,
    path: PathBuf,
}

impl Begun {
    /// Where the mark of an SSTable is.
    pub(crate) fn path_of(descriptor: &Descriptor) -> PathBuf {
        descriptor.directory.join(descriptor.file_name(BEGUN_NAME))
    }

    /// On return a crash cannot leave files of this SSTable without the mark.
    pub(crate) fn note(disk: &dyn Disk, descriptor: &Descriptor) -> Result<Begun, OpenError> {
        let dir = descriptor.directory.clone();
        let path = Begun::path_of(descriptor);
        disk.open(&path, OpenMode::Create).map_err(OpenError::io(&path))?;
        disk.sync_dir(&dir).map_err(OpenError::io(&dir))?;
        Ok(Begun { dir, path })
    }

    /// The SSTable is whole and safe: on return for good.
    pub(crate) fn done(self, disk: &dyn Disk) -> Result<(), OpenError> {
        disk.remove_file(&self.path).map_err(OpenError::io(&self.path))?;
        disk.sync_dir(&self.dir).map_err(OpenError::io(&self.dir))
    }

    /// The SSTable was given up: first its files go for good.
    pub(crate) fn removed(self, disk: &dyn Disk) -> Result<(), OpenError> {
        disk.sync_dir(&self.dir).map_err(OpenError::io(&self.dir))?;
        self.done(disk)
    }
}

/// Removes the files of an SSTable, as far as they exist; first the one that says that it is whole.
pub(crate) fn delete_sstable(disk: &dyn Disk, descriptor: &Descriptor) -> Result<(), OpenError> {
    for component in Component::ALL.into_iter().rev() {
        let path: PathBuf = descriptor.path(component);
        if disk.exists(&path).map_err(OpenError::io(&path))? {
            disk.remove_file(&path).map_err(OpenError::io(&path))?;
        }
    }
    remove_mark(disk, descriptor)
}

/// An SSTable that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Replaced {
    /// `da-1-bti`
    prefix: String,
    data_bytes: u64,
    /// What its Digest file says; empty if there is none.
    digest: String,
}

/// What a transaction file says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Contents {
    outputs: Vec<String>,
    inputs: Vec<Replaced>,
}

impl Contents {
    fn to_text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\n");
        for output in &self.outputs {
            // Writing to a string cannot fail.
            let _infallible = writeln!(text, "output {output}");
        }
        for Replaced { prefix, data_bytes, digest } in &self.inputs {
            let _infallible = writeln!(text, "input {prefix} {data_bytes} {digest}");
        }
        let crc = crc32(text.as_bytes());
        let _infallible = writeln!(text, "crc {crc:08x}");
        text
    }

    fn parse(text: &str) -> Option<Contents> {
        let body = text.get(..text.strip_suffix('\n')?.rfind('\n')? + 1)?;
        let crc = text[body.len()..].strip_suffix('\n')?.strip_prefix("crc ")?;
        if crc.len() != 8 || u32::from_str_radix(crc, 16).ok()? != crc32(body.as_bytes()) {
            return None;
        }
        let mut lines = body.lines();
        if lines.next()? != FIRST_LINE {
            return None;
        }
        let mut contents = Contents { outputs: Vec::new(), inputs: Vec::new() };
        for line in lines {
            if let Some(output) = line.strip_prefix("output ") {
                contents.outputs.push(output.to_owned());
                continue;
            }
            let mut parts = line.strip_prefix("input ")?.splitn(3, ' ');
            contents.inputs.push(Replaced {
                prefix: parts.next()?.to_owned(),
                data_bytes: parts.next()?.parse().ok()?,
                digest: parts.next()?.to_owned(),
            });
        }
        Some(contents)
    }
}

/// `da-1-bti`
fn prefix(descriptor: &Descriptor) -> String {
    descriptor.file_name("").trim_end_matches('-').to_owned()
}

fn descriptor_of(dir: &Path, prefix: &str) -> Option<Descriptor> {
    let parsed = Descriptor::parse(dir, &format!("{prefix}-TOC.txt")).ok()??;
    Some(parsed.0)
}

fn digest_of(disk: &dyn Disk, descriptor: &Descriptor) -> Result<String, OpenError> {
    let path = descriptor.path(Component::Digest);
    if !disk.exists(&path).map_err(OpenError::io(&path))? {
        return Ok(String::new());
    }
    let bytes = disk.read_all(&path).map_err(OpenError::io(&path))?;
    Ok(String::from_utf8_lossy(&bytes).split_whitespace().collect())
}

/// Why a transaction was not committed.
pub(crate) enum CommitError {
    /// It is as if it had never begun.
    Undone(OpenError),
    /// Nobody knows whether the next start will see it: neither inputs nor outputs may be touched until then.
    Unknown(OpenError),
}

/// A committed transaction whose inputs are still there.
pub(crate) struct Committed {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    path: PathBuf,
}

/// Commits: on return the outputs count and the inputs do not, whatever happens.
pub(crate) fn commit(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    id: Uuid,
    outputs: &[Descriptor],
    inputs: &[Descriptor],
) -> Result<Committed, CommitError> {
    let replaced = |descriptor: &Descriptor| {
        let data = descriptor.path(Component::Data);
        let file = disk.open(&data, OpenMode::Read).map_err(OpenError::io(&data))?;
        Ok(Replaced {
            prefix: prefix(descriptor),
            data_bytes: file.bytes().map_err(OpenError::io(&data))?,
            digest: digest_of(&**disk, descriptor)?,
        })
    };
    let contents = Contents {
        outputs: outputs.iter().map(prefix).collect(),
        inputs: inputs.iter().map(replaced).collect::<Result<_, _>>().map_err(CommitError::Undone)?,
    };
    let path = dir.join(format!("{PREFIX}{id}{SUFFIX}"));
    let Err(error) = disk.write_all_synced(&path, contents.to_text().as_bytes()) else {
        return Ok(Committed { disk: disk.clone(), dir: dir.to_owned(), path });
    };
    let error = OpenError::io(&path)(error);
    let taken_back = (|| {
        for name in [path.clone(), path.with_extension("txn.tmp")] {
            if disk.exists(&name)? {
                disk.remove_file(&name)?;
            }
        }
        disk.sync_dir(dir)
    })();
    Err(match taken_back {
        Ok(()) => CommitError::Undone(error),
        Err(_) => CommitError::Unknown(error),
    })
}

impl Committed {
    /// Takes the marks of the outputs away.
    pub(crate) fn unmark(&self, outputs: &[Descriptor]) -> Result<(), OpenError> {
        for output in outputs {
            let path = output.directory.join(output.file_name(BEGUN_NAME));
            self.disk.remove_file(&path).map_err(OpenError::io(path))?;
        }
        self.disk.sync_dir(&self.dir).map_err(OpenError::io(&self.dir))
    }

    /// The files of all inputs were removed, and the marks are gone for good: the transaction is over.
    pub(crate) fn end(&self) -> Result<(), OpenError> {
        self.disk.sync_dir(&self.dir).map_err(OpenError::io(&self.dir))?;
        self.disk.remove_file(&self.path).map_err(OpenError::io(&self.path))?;
        self.disk.sync_dir(&self.dir).map_err(OpenError::io(&self.dir))
    }
}

/// Ends the transactions that a crash left in a table's directory. Before the SSTables there are looked at.
pub(crate) fn resolve(disk: &dyn Disk, dir: &Path) -> Result<(), OpenError> {
    let mut found = Vec::new();
    for entry in disk.list(dir).map_err(OpenError::io(dir))? {
        let path = dir.join(&entry.name);
        if !entry.name.starts_with(PREFIX) || entry.is_dir {
            continue;
        }
        if entry.name.ends_with(".txn.tmp") {
            // Its transaction was not committed.
            disk.remove_file(&path).map_err(OpenError::io(&path))?;
        } else if entry.name.ends_with(SUFFIX) {
            found.push((load(disk, &path)?, path));
        }
    }
    // Nothing is removed before all of them are known to be right.
    let mut work = Vec::new();
    for (contents, path) in &found {
        work.push((check(disk, dir, contents, path)?, path));
    }
    for ((outputs, inputs), path) in work {
        tracing::info!("{}: {} SSTables give way to {}", path.display(), inputs.len(), outputs.len());
        for input in &inputs {
            delete_sstable(disk, input)?;
        }
        for output in &outputs {
            let mark = dir.join(output.file_name(BEGUN_NAME));
            if disk.exists(&mark).map_err(OpenError::io(&mark))? {
                disk.remove_file(&mark).map_err(OpenError::io(&mark))?;
            }
        }
        disk.sync_dir(dir).map_err(OpenError::io(dir))?;
        disk.remove_file(path).map_err(OpenError::io(path))?;
        disk.sync_dir(dir).map_err(OpenError::io(dir))?;
    }
    Ok(())
}

/// SSTables that were replaced and whose files may still be there: `da-1-bti`.
pub(crate) fn replaced_in(disk: &dyn Disk, dir: &Path) -> Result<Vec<String>, OpenError> {
    let mut replaced = Vec::new();
    for entry in disk.list(dir).map_err(OpenError::io(dir))? {
        if entry.name.starts_with(PREFIX) && entry.name.ends_with(SUFFIX) {
            let contents = load(disk, &dir.join(&entry.name))?;
            replaced.extend(contents.inputs.into_iter().map(|input| input.prefix));
        }
    }
    Ok(replaced)
}

fn load(disk: &dyn Disk, path: &Path) -> Result<Contents, OpenError> {
    let text = disk.read_all(path).map_err(OpenError::io(path))?;
    str::from_utf8(&text)
        .ok()
        .and_then(Contents::parse)
        .ok_or_else(|| damaged(path, "its CRC does not match".to_owned()))
}

fn damaged(path: &Path, found: String) -> OpenError {
    OpenError::Damaged {
        path: path.to_owned(),
        offset: 0,
        found,
        lost: "deleted data of this table may come back, no other is lost".to_owned(),
    }
}

/// The outputs and the inputs that are still there, if these are the ones that were meant.
fn check(
    disk: &dyn Disk,
    dir: &Path,
    contents: &Contents,
    path: &Path,
) -> Result<(Vec<Descriptor>, Vec<Descriptor>), OpenError> {
    let descriptor = |prefix: &str| {
        descriptor_of(dir, prefix).ok_or_else(|| damaged(path, format!("{prefix} is no SSTable")))
    };
    let outputs = contents.outputs.iter().map(|prefix| descriptor(prefix)).collect::<Result<_, _>>()?;
    let mut inputs = Vec::with_capacity(contents.inputs.len());
    for replaced in &contents.inputs {
        let input = descriptor(&replaced.prefix)?;
        let data = input.path(Component::Data);
        let other =
            |what: &str| damaged(path, format!("{} is not what was compacted: {what}", data.display()));
        if disk.exists(&data).map_err(OpenError::io(&data))? {
            let file = disk.open(&data, OpenMode::Read).map_err(OpenError::io(&data))?;
            let bytes = file.bytes().map_err(OpenError::io(&data))?;
            if bytes != replaced.data_bytes {
                return Err(other(&format!("it has {bytes} bytes instead of {}", replaced.data_bytes)));
            }
            let digest = digest_of(disk, &input)?;
            // It goes before Data.db.
            if !digest.is_empty() && digest != replaced.digest {
                return Err(other(&format!("its digest is {digest} instead of {}", replaced.digest)));
            }
        }
        inputs.push(input);
    }
    Ok((outputs, inputs))
}
