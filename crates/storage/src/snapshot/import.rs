//! SSTables in a directory that is not (yet) a table's: found, checked, brought over.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use model::partition::SourceError;
use model::{Slices, Table};
use runtime::{Disk, OpenMode};
use sstable::verify::Severity;
use sstable::{Component, Descriptor, SsTable, StatisticsChange, VerifyOptions, verify};

use super::files::copy_file;
use super::{FailedImport, ImportOptions};
use crate::OpenError;

/// One SSTable somewhere.
#[derive(Clone, Debug)]
pub(crate) struct SourceSet {
    pub descriptor: Descriptor,
    /// The components that are there, by the last part of their names.
    components: BTreeSet<String>,
}

/// All SSTables of a directory, oldest first. Those with a Data.db: others are no SSTables.
pub(crate) fn find_sets(disk: &dyn Disk, dir: &Path) -> Result<Vec<SourceSet>, OpenError> {
    let mut sets: BTreeMap<(u64, String), SourceSet> = BTreeMap::new();
    for entry in disk.list(dir).map_err(OpenError::io(dir))? {
        let parsed = Descriptor::parse(dir, &entry.name)
            .map_err(|error| OpenError::SsTable { path: dir.join(&entry.name), source: Box::new(error) })?;
        if let Some((descriptor, component)) = parsed.filter(|_| !entry.is_dir) {
            let key = (descriptor.id.as_u64(), descriptor.file_name(""));
            let set =
                sets.entry(key).or_insert_with(|| SourceSet { descriptor, components: BTreeSet::new() });
            set.components.insert(component);
        }
    }
    Ok(sets.into_values().filter(|set| set.components.contains(Component::Data.file_name())).collect())
}

/// Opens an SSTable as one of `table`; with `verify` all of it is proved, as `sstable verify` does it.
pub(crate) fn check_set(
    disk: &Arc<dyn Disk>,
    set: &SourceSet,
    table: &Arc<Table>,
    options: &ImportOptions,
) -> Result<(), SourceError> {
    let sstable = SsTable::open(disk, &set.descriptor)?;
    // Its columns must be the table's.
    drop(sstable.scan(table, None, None, Slices::all(), false)?);
    if !options.verify {
        return Ok(());
    }
    let looked_at = VerifyOptions { extended: options.extended_verify, ..VerifyOptions::default() };
    let go_on = &mut |_| ControlFlow::Continue(());
    let report = verify(disk, &set.descriptor, Some(table), &looked_at, go_on)?;
    match report.findings.iter().find(|finding| finding.severity == Severity::Wrong) {
        Some(finding) => Err(finding.to_string().into()),
        None if report.is_sound() => Ok(()),
        None => Err(format!("{} findings", report.wrong_count).into()),
    }
}

/// Gives the files of `set` the names of `target`, by hard links where that is possible; what the SSTable says of this
/// node's commit log is forgotten. On return the bytes are safe and the names are not.
pub(crate) fn bring(
    disk: &Arc<dyn Disk>,
    set: &SourceSet,
    target: &Descriptor,
    options: &ImportOptions,
) -> Result<(), OpenError> {
    let known: Vec<Component> =
        Component::ALL.into_iter().filter(|one| set.components.contains(one.file_name())).collect();
    let is_all_known = known.len() == set.components.len();
    for component in &known {
        let (from, to) = (set.descriptor.path(*component), target.path(*component));
        match component {
            // These are changed below: the source keeps its own.
            Component::Statistics => copy_file(&**disk, &from, &to)?,
            Component::Toc if !is_all_known => write_toc(&**disk, &known, &to)?,
            _ => link_or_copy(&**disk, &from, &to)?,
        }
    }
    let change = StatisticsChange {
        level: (!options.keep_level).then_some(0),
        repaired_at_ms: (!options.keep_repaired).then_some(0),
        pending_repair: (!options.keep_repaired).then_some(None),
        forget_commit_log: true,
    };
    sstable::change_statistics(disk, target, &change).map_err(|error| OpenError::SsTable {
        path: set.descriptor.path(Component::Statistics),
        source: Box::new(error),
    })
}

/// Components of secondary indexes are left behind: their list is made anew.
fn write_toc(disk: &dyn Disk, known: &[Component], to: &Path) -> Result<(), OpenError> {
    let text: String = known.iter().map(|component| format!("{component}\n")).collect();
    disk.write_all_synced(to, text.as_bytes()).map_err(OpenError::io(to))
}

fn link_or_copy(disk: &dyn Disk, from: &Path, to: &Path) -> Result<(), OpenError> {
    if disk.hard_link(from, to).is_err() {
        // Another file system, or one without links.
        return copy_file(disk, from, to);
    }
    // Whoever put it there need not have synced it.
    let file = disk.open(to, OpenMode::Read).map_err(OpenError::io(to))?;
    file.sync_data().map_err(OpenError::io(to))
}

/// Removes the files of a set that was brought over; first the one that says that it is whole.
pub(crate) fn remove_source(disk: &dyn Disk, set: &SourceSet) -> Result<(), OpenError> {
    let toc = Component::Toc.file_name();
    let rest = set.components.iter().map(String::as_str).filter(|name| *name != toc);
    for component in set.components.get(toc).map(String::as_str).into_iter().chain(rest) {
        let path = set.descriptor.directory.join(set.descriptor.file_name(component));
        disk.remove_file(&path).map_err(OpenError::io(path))?;
    }
    let dir = &set.descriptor.directory;
    disk.sync_dir(dir).map_err(OpenError::io(dir))
}

impl FailedImport {
    pub(crate) fn new(dir: &Path, why: &dyn std::fmt::Display) -> FailedImport {
        FailedImport { dir: dir.to_owned(), why: why.to_string() }
    }
}
