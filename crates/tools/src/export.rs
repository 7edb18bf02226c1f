//! `sstable export`: SSTables written anew in another version.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use model::{Slices, Table};
use runtime::Disk;
use sstable::{Description, Descriptor, SsTable, Version, WriteOptions, Writer};

use crate::error::ToolError;
use crate::progress::ProgressBar;
use crate::{place, target};

/// The table of an SSTable's own header, with the options that shape its files.
pub(crate) fn table_of(sstable: &SsTable, about: &Description) -> Result<Arc<Table>, ToolError> {
    let mut table = Arc::unwrap_or_clone(sstable.header_table("", "")?);
    table.options.bloom_filter_fp_chance = about.bloom_filter_fp_chance;
    table.options.compression = match &about.compressor {
        Some(name) => {
            let name = name.rsplit('.').next().unwrap_or(name);
            let class = format!("org.apache.cassandra.io.compress.{name}");
            [("class".to_owned(), class)].into_iter().collect()
        }
        None => [("enabled".to_owned(), "false".to_owned())].into_iter().collect(),
    };
    Ok(Arc::new(table))
}

/// Writes the SSTables at `path` into `to` as `version`, under the next free ids.
pub fn export(
    disk: &Arc<dyn Disk>,
    path: &Path,
    version: Version,
    to: &Path,
    out: &mut dyn Write,
) -> Result<(), ToolError> {
    let descriptors = target::sstables(disk, path)?;
    if descriptors.is_empty() {
        return Err(ToolError::Usage(format!("{} holds no SSTables", path.display())));
    }
    disk.create_dir_all(to)?;
    for (id, descriptor) in (place::next_id(disk, to)?..).zip(descriptors) {
        let target = Descriptor::new(to, id).with_version(version);
        let (partitions, rows) = rewrite(disk, &descriptor, &target)?;
        writeln!(out, "{descriptor} -> {target} ({partitions} partitions, {rows} rows)")?;
    }
    Ok(())
}

fn rewrite(disk: &Arc<dyn Disk>, source: &Descriptor, target: &Descriptor) -> Result<(u64, u64), ToolError> {
    let sstable = SsTable::open(disk, source)?;
    let about = Description::read(disk, source)?;
    let table = table_of(&sstable, &about)?;
    let metadata = sstable.metadata();
    let options = WriteOptions {
        bases: metadata.bases,
        expected_partitions: metadata.partitions,
        host_id: metadata.host_id,
        commit_log_intervals: metadata.commit_log_intervals.clone(),
        repaired_at_ms: metadata.repaired_at_ms,
        pending_repair: metadata.pending_repair,
        level: metadata.level,
        ..WriteOptions::for_version(&table, target.version)?
    };
    let total = metadata.data_bytes;
    let mut bar = ProgressBar::new(format!("Writing {}", target.file_name("Data.db")));
    let mut writer = Writer::create(disk, target, &table, options)?;
    let mut fill = || -> Result<(), ToolError> {
        let mut scan = sstable.scan(&table, None, None, Slices::all(), false)?;
        let read = |error: model::partition::SourceError| ToolError::Engine(error.to_string());
        while let Some(mut partition) = scan.next_partition().map_err(read)? {
            writer.append(&mut *partition)?;
            bar.update(writer.data_bytes(), total);
        }
        Ok(())
    };
    if let Err(error) = fill() {
        writer.abort();
        return Err(error);
    }
    let written = writer.finish()?;
    Ok((written.partitions, written.rows))
}
