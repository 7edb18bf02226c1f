//! A data directory of Cassandra's: where its files are, and what its schema says.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::merge::merge_streams;
use model::partition::SourceError;
use model::{PartitionKey, QueryError, Row, Schema, Slices, Table, TableId, Unfiltered};
use query::schema::rows::schema_from_rows;
use query::system::definitions;
use runtime::{Disk, OpenMode};
use sstable::{Descriptor, Partitioner, SsTable};

use super::has_data;
use crate::error::ToolError;

/// More bytes than the log of a transaction ever has.
const TRANSACTION_BYTES_MAX: u64 = 16 << 20;

/// Where Cassandra's files are.
pub(super) struct Source {
    data_dir: PathBuf,
    snapshot: Option<String>,
}

impl Source {
    /// Finds the directory that holds `system_schema`: `path`, or `data` in it.
    pub(super) fn find(
        disk: &Arc<dyn Disk>,
        path: &Path,
        snapshot: Option<&str>,
    ) -> Result<Source, ToolError> {
        for data_dir in [path.to_owned(), path.join("data")] {
            if disk.list(&data_dir.join("system_schema")).is_ok_and(|entries| !entries.is_empty()) {
                return Ok(Source { data_dir, snapshot: snapshot.map(str::to_owned) });
            }
        }
        Err(ToolError::Usage(format!(
            "{} is no data directory of Cassandra's: system_schema is missing",
            path.display()
        )))
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// How many files, and bytes of them, lie in the commit log.
    pub(super) fn commit_log(&self, disk: &Arc<dyn Disk>) -> Result<(usize, u64), ToolError> {
        let above = self.data_dir.parent().unwrap_or(&self.data_dir);
        let mut sum = (0, 0);
        for dir in [above.join("commitlog"), self.data_dir.join("commitlog")] {
            let Ok(entries) = disk.list(&dir) else { continue };
            for entry in entries.iter().filter(|entry| entry.name.starts_with("CommitLog-")) {
                sum = (sum.0 + 1, sum.1 + entry.bytes);
            }
        }
        Ok(sum)
    }

    /// The directories of a table: `<name>-<id>`. Without `id`: any.
    fn table_dirs(
        &self,
        disk: &Arc<dyn Disk>,
        keyspace: &str,
        table: &str,
        id: Option<TableId>,
    ) -> Vec<PathBuf> {
        let above = self.data_dir.join(keyspace);
        let Ok(entries) = disk.list(&above) else { return Vec::new() };
        let is_it = |name: &str| match name.rsplit_once('-') {
            Some((before, digits)) => {
                before == table
                    && digits.len() == 32
                    && id.is_none_or(|id| id.0.simple().to_string() == digits)
            }
            None => false,
        };
        let dirs = entries.iter().filter(|entry| entry.is_dir && is_it(&entry.name));
        let dirs = dirs.map(|entry| above.join(&entry.name));
        match &self.snapshot {
            None => dirs.collect(),
            Some(tag) => dirs.map(|dir| dir.join("snapshots").join(tag)).collect(),
        }
    }

    /// The SSTables of a table, without those of transactions that are not done or whose work is superseded.
    pub(super) fn sstables(
        &self,
        disk: &Arc<dyn Disk>,
        keyspace: &str,
        table: &str,
        id: TableId,
    ) -> Result<Vec<Descriptor>, ToolError> {
        self.sstables_in(disk, self.table_dirs(disk, keyspace, table, Some(id)))
    }

    fn sstables_in(&self, disk: &Arc<dyn Disk>, dirs: Vec<PathBuf>) -> Result<Vec<Descriptor>, ToolError> {
        let mut found = Vec::new();
        for dir in dirs {
            if !disk.exists(&dir)? {
                continue;
            }
            let void = void_names(disk, &dir)?;
            for descriptor in crate::target::sstables(disk, &dir)? {
                if !void.contains(&descriptor.file_name("")) && has_data(disk, &descriptor)? {
                    found.push(descriptor);
                }
            }
        }
        Ok(found)
    }

    /// The schema, from the SSTables of `system_schema`.
    pub(super) fn schema(&self, disk: &Arc<dyn Disk>) -> Result<Schema, ToolError> {
        let mut failed = None;
        let schema = schema_from_rows(&mut |table| {
            self.rows(disk, table).map_err(|error| {
                let text = error.to_string();
                failed = Some(error);
                QueryError::Server(text)
            })
        });
        schema.map_err(|error| {
            failed.unwrap_or_else(|| ToolError::Engine(format!("Cassandra's schema cannot be read: {error}")))
        })
    }

    /// The live rows of a table of `system_schema`.
    pub(super) fn rows(
        &self,
        disk: &Arc<dyn Disk>,
        table: &Arc<Table>,
    ) -> Result<Vec<(PartitionKey, Row)>, ToolError> {
        let mut dirs = self.table_dirs(disk, &table.keyspace, &table.name, Some(table.id));
        if dirs.is_empty() {
            dirs = self.table_dirs(disk, &table.keyspace, &table.name, None);
        }
        let mut sstables = Vec::new();
        for descriptor in self.sstables_in(disk, dirs)? {
            let sstable = SsTable::open(disk, &descriptor)?;
            if !matches!(sstable.metadata().partitioner, Partitioner::Murmur3) {
                let text = format!(
                    "{descriptor}: its partitioner is not Murmur3Partitioner: nothing can be taken over"
                );
                return Err(ToolError::Usage(text));
            }
            sstables.push(sstable);
        }
        let failed = |error: SourceError| ToolError::Engine(format!("system_schema: {error}"));
        let mut keys = BTreeSet::new();
        for sstable in &sstables {
            let mut scan = sstable.scan(table, None, None, Slices(Vec::new()), false)?;
            while let Some(partition) = scan.next_partition().map_err(failed)? {
                keys.insert(partition.header().key.clone());
            }
        }
        let mut rows = Vec::new();
        for key in keys {
            let mut streams = Vec::new();
            for sstable in &sstables {
                streams.extend(sstable.read(table, &key, &Slices::all(), false)?);
            }
            if streams.is_empty() {
                continue;
            }
            let mut merged = merge_streams(table.clone(), streams, false).map_err(failed)?;
            while let Some(unfiltered) = merged.next().map_err(failed)? {
                if let Unfiltered::Row(row) = unfiltered
                    && query::select::row_is_live(&row, 0)
                {
                    rows.push((key.clone(), row));
                }
            }
        }
        Ok(rows)
    }

    /// A built-in table of `system_schema`, if we know one of that name.
    pub(super) fn system_table(name: &str) -> Option<&'static Arc<Table>> {
        definitions::keyspaces().get("system_schema")?.tables.get(name)
    }
}

/// The names (`da-1-bti-`) of SSTables that Cassandra itself would remove at its start: added by a transaction that
/// was not committed, or removed by one that was.
fn void_names(disk: &Arc<dyn Disk>, dir: &Path) -> Result<HashSet<String>, ToolError> {
    let mut void = HashSet::new();
    for entry in disk.list(dir)? {
        if !entry.name.contains("_txn_") || !entry.name.ends_with(".log") {
            continue;
        }
        let file = disk.open(&dir.join(&entry.name), OpenMode::Read)?;
        let mut bytes = vec![0; file.bytes()?.min(TRANSACTION_BYTES_MAX) as usize];
        file.read_exact_at(&mut bytes, 0)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let is_committed = text.lines().any(|line| line.starts_with("COMMIT:"));
        let kind = if is_committed { "REMOVE:[" } else { "ADD:[" };
        for line in text.lines().filter_map(|line| line.strip_prefix(kind)) {
            let path = line.split(',').next().unwrap_or("");
            if let Some(name) = path.rsplit('/').next().filter(|name| !name.is_empty()) {
                void.insert(name.to_owned());
            }
        }
    }
    Ok(void)
}
