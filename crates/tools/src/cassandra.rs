//! `helenus import`: the schema and data of a stopped Cassandra into a data directory of ours.
//!
//! Files are brought over first, table by table, and the schema last: until it is stored nothing of it is served,
//! and a run that broke off is simply started again (a marker tells it what is its own).
//!
//! Read in order: [`import`], `source` (what lies where, what Cassandra's schema says), `survey` (what we cannot
//! serve).
//!
//! Never here: Cassandra's commit log. Whoever did not run `nodetool drain` loses what lies only there.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use model::{Keyspace, Schema, Table};
use runtime::{Disk, Runtime};
use sstable::{Component, Descriptor, ReadError, SsTable};

use crate::command::ImportCommand;
use crate::error::ToolError;
use crate::node::{StoppedNode, schema_bytes};
use crate::place::{self, How};
use crate::progress::ProgressBar;
use source::Source;

mod source;
mod survey;

/// Tells that an import has begun and is not done; holds the path of its source.
const MARKER: &str = "import-from-cassandra";

/// Takes over what lies in Cassandra's directory; true if nothing had to be left out.
pub async fn import(
    runtime: &Runtime,
    command: &ImportCommand,
    out: &mut dyn Write,
) -> Result<bool, ToolError> {
    let disk = runtime.disk();
    let source = Source::find(disk, &command.cassandra_data_dir, command.snapshot.as_deref())?;
    let (count, bytes) = source.commit_log(disk)?;
    if bytes > 0 && command.snapshot.is_none() {
        writeln!(
            out,
            "note: {count} commit log files of {bytes} bytes lie there. Cassandra's commit log is not read: what was \
             written after the last flush is missing unless `nodetool drain` ran before Cassandra was stopped."
        )?;
    }
    let theirs = source.schema(disk)?;
    let mut left_out = survey::tell(disk, &source, &theirs, out)?;

    let node = StoppedNode::open_for(runtime, &command.data_dir, schema_bytes(&theirs))?;
    let marker = command.data_dir.join(MARKER);
    let origin = source.data_dir().display().to_string();
    let is_again = disk.exists(&marker)?;
    if is_again {
        let begun = String::from_utf8_lossy(&disk.read_all(&marker)?).into_owned();
        if begun != origin {
            let found =
                format!("an import from {begun} was begun here and is not done; finish that one first");
            return Err(ToolError::Usage(found));
        }
        writeln!(out, "An import from {origin} was begun before: it is done again.")?;
    }
    if is_again && is_there(node.schema(), &theirs) {
        // It was stored, only the marker was left: what lies there is in use since.
        node.close().await?;
        disk.remove_file(&marker)?;
        disk.sync_dir(&command.data_dir)?;
        writeln!(out, "The import was done already, but for its last step.")?;
        return Ok(!left_out);
    }
    let new = joined(node.schema(), &theirs)?;
    disk.write_all_synced(&marker, origin.as_bytes())?;

    let how = if command.copy { How::Copy } else { How::Link };
    let (mut sstables, mut bytes) = (0, 0);
    for table in survey::servable(&theirs) {
        let taken = take(disk, &source, &node, table, how, command.skip_damaged, out)?;
        left_out |= taken.left_out;
        sstables += taken.sstables;
        bytes += taken.bytes;
    }
    node.store_schema(&new).await?;
    node.close().await?;
    disk.remove_file(&marker)?;
    disk.sync_dir(&command.data_dir)?;
    let tables = survey::servable(&theirs).count();
    let keyspaces = survey::keyspaces(&theirs).count();
    writeln!(out, "Taken over: {keyspaces} keyspaces, {tables} tables, {sstables} SSTables, {bytes} bytes.")?;
    writeln!(out, "Start with: helenus --data-dir {}", command.data_dir.display())?;
    Ok(!left_out)
}

/// True if all of theirs is in our schema, under the same ids.
fn is_there(ours: &Schema, theirs: &Schema) -> bool {
    let has_tables = survey::servable(theirs)
        .all(|table| ours.table(&table.keyspace, &table.name).is_some_and(|own| own.id == table.id));
    has_tables && survey::keyspaces(theirs).all(|keyspace| ours.keyspace(&keyspace.name).is_some())
}

/// Our schema with theirs in it.
fn joined(ours: &Schema, theirs: &Schema) -> Result<Schema, ToolError> {
    let mut new = ours.clone();
    for keyspace in survey::keyspaces(theirs) {
        if ours.keyspace(&keyspace.name).is_some() {
            return Err(ToolError::Usage(format!("keyspace {} is there already", keyspace.name)));
        }
        let mut taken: Keyspace = (**keyspace).clone();
        taken.tables = keyspace
            .tables
            .iter()
            .filter(|(_, table)| survey::is_servable(table))
            .map(|(name, table)| (name.clone(), table.clone()))
            .collect::<BTreeMap<_, _>>();
        new.keyspaces.insert(keyspace.name.clone(), Arc::new(taken));
    }
    new.version = query::schema::rows::schema_version(&new);
    Ok(new)
}

#[derive(Default)]
struct Taken {
    sstables: u64,
    bytes: u64,
    left_out: bool,
}

/// Brings a table's SSTables over and verifies them there.
fn take(
    disk: &Arc<dyn Disk>,
    source: &Source,
    node: &StoppedNode,
    table: &Arc<Table>,
    how: How,
    skip_damaged: bool,
    out: &mut dyn Write,
) -> Result<Taken, ToolError> {
    let name = format!("{}.{}", table.keyspace, table.name);
    let descriptors = source.sstables(disk, &table.keyspace, &table.name, table.id)?;
    let mut taken = Taken::default();
    if descriptors.is_empty() {
        writeln!(out, "{name}: no data")?;
        return Ok(taken);
    }
    let directory = node.table_dir(&table.keyspace, &table.name, table.id);
    disk.create_dir_all(&directory)?;
    // Only an earlier run of ours was here: the schema does not know the table yet.
    for left in crate::target::sstables(disk, &directory)? {
        place::remove(disk, &left)?;
    }
    let mut partitions = 0;
    let mut bar = ProgressBar::new(name.clone());
    for (i, descriptor) in descriptors.iter().enumerate() {
        bar.update(i as u64, descriptors.len() as u64);
        match crate::import::check(disk, descriptor, table) {
            Ok(()) => {}
            Err(error) if skip_damaged && is_damage(&error) => {
                writeln!(out, "{name}: LEFT OUT: {error}")?;
                taken.left_out = true;
                continue;
            }
            Err(error) => return Err(ToolError::Engine(format!("{name}: {descriptor}: {error}"))),
        }
        let target = Descriptor::new(&directory, i as u64 + 1).with_version(descriptor.version);
        taken.bytes += place::place(disk, descriptor, &target, how)?;
        taken.sstables += 1;
        partitions += SsTable::open(disk, &target)?.metadata().partitions;
    }
    drop(bar);
    let (sstables, bytes) = (taken.sstables, taken.bytes);
    writeln!(out, "{name}: {sstables} SSTables, {partitions} partitions in them, {bytes} bytes")?;
    Ok(taken)
}

fn is_damage(error: &ToolError) -> bool {
    matches!(error, ToolError::Engine(_) | ToolError::Read(ReadError::Corrupt { .. }))
}

/// True if a set has the files that reading needs.
fn has_data(disk: &Arc<dyn Disk>, descriptor: &Descriptor) -> Result<bool, ToolError> {
    Ok(disk.exists(&descriptor.path(Component::Statistics))?)
}

#[cfg(test)]
mod tests;
