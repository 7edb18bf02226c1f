//! A data directory of ours that no node runs on: its schema is read and changed as a node would.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{ColumnData, PartitionSelection, ReadCommand, Schema, Slices, Table, TableId, Unfiltered};
use query::schema::rows;
use query::system::definitions;
use runtime::{DiskLock, Runtime};
use storage::{Engine, EngineOptions, FlushTarget};
use uuid::Uuid;

use crate::error::ToolError;

/// The lock of a running node.
const LOCK_FILE: &str = "helenus.lock";

/// No schema that takes more than this is taken over: it is stored as one entry of the log, which is held in memory.
pub const SCHEMA_BYTES_MAX: usize = 256 << 20;

/// An open data directory.
pub struct StoppedNode {
    runtime: Runtime,
    data_dir: PathBuf,
    engine: Arc<Engine>,
    schema: Arc<Schema>,
    _lock: Box<dyn DiskLock>,
}

impl StoppedNode {
    /// Opens (or makes) the directory; refuses one that a node uses.
    pub fn open(runtime: &Runtime, data_dir: &Path) -> Result<StoppedNode, ToolError> {
        StoppedNode::open_for(runtime, data_dir, 0)
    }

    /// As [`StoppedNode::open`]; a schema of about so many bytes ([`schema_bytes`]) can be stored, whatever a node's
    /// own limit is.
    pub fn open_for(
        runtime: &Runtime,
        data_dir: &Path,
        schema_bytes: usize,
    ) -> Result<StoppedNode, ToolError> {
        if schema_bytes > SCHEMA_BYTES_MAX {
            return Err(ToolError::Usage(format!(
                "the schema takes about {schema_bytes} bytes, {SCHEMA_BYTES_MAX} at most can be taken over"
            )));
        }
        let disk = runtime.disk();
        disk.create_dir_all(data_dir)?;
        let lock = disk.lock(&data_dir.join(LOCK_FILE), b"sstable tools")?.map_err(|holder| {
            let holder = String::from_utf8_lossy(&holder).trim().to_owned();
            let text =
                format!("{} is in use by a running node (process {holder}): stop it", data_dir.display());
            ToolError::Usage(text)
        })?;
        let builtin = definitions::initial_schema();
        let stored = builtin.keyspaces.values().filter(|keyspace| !definitions::is_virtual(&keyspace.name));
        let tables = stored.flat_map(|keyspace| keyspace.tables.values().cloned()).collect();
        // Nothing that is flushed here has places in a commit log that lasts.
        let mut options = EngineOptions {
            auto_compaction: false,
            auto_snapshot: false,
            ..EngineOptions::new(data_dir.to_owned(), Uuid::nil())
        };
        // Names and times come to less than what is named.
        options.max_mutation_bytes = options.max_mutation_bytes.max(2 * schema_bytes);
        let segment_bytes = u32::try_from(2 * options.max_mutation_bytes).unwrap_or(u32::MAX);
        options.segment_bytes = options.segment_bytes.max(segment_bytes);
        let mut loaded = None;
        let engine = Engine::open(runtime, options, tables, |engine| {
            let schema = Arc::new(rows::schema_from_rows(&mut |table| live_rows(engine, table))?);
            loaded = Some(schema.clone());
            Ok(schema)
        });
        let engine = engine.map_err(|error| ToolError::Engine(error.to_string()))?;
        let schema =
            loaded.ok_or_else(|| ToolError::Engine("storage was opened without its schema".to_owned()))?;
        Ok(StoppedNode {
            runtime: runtime.clone(),
            data_dir: data_dir.to_owned(),
            engine,
            schema,
            _lock: lock,
        })
    }

    /// The schema as it was when the directory was opened.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Where the SSTables of a table are.
    pub fn table_dir(&self, keyspace: &str, table: &str, id: TableId) -> PathBuf {
        self.data_dir.join("data").join(keyspace).join(format!("{table}-{}", id.0.simple()))
    }

    /// Stores a changed schema, all or nothing, and makes it last.
    pub async fn store_schema(&self, new: &Schema) -> Result<(), ToolError> {
        let failed = |error: &dyn std::fmt::Display| ToolError::Engine(error.to_string());
        let now_us = self.runtime.clock().wall_us();
        // One call: after a crash all of it is there or nothing.
        let commit = self.engine.apply(&rows::mutations(&self.schema, new, now_us));
        commit.map_err(|error| failed(&error))?.synced().await.map_err(|error| failed(&error))?;
        Ok(())
    }

    /// Closes it: everything is in SSTables then.
    pub async fn close(self) -> Result<(), ToolError> {
        let flushed = self.engine.flush(FlushTarget::All).await;
        flushed.map_err(|error| ToolError::Engine(error.to_string()))?;
        self.engine.drain().await.map_err(|error| ToolError::Engine(error.to_string()))
    }
}

/// About how many bytes storing a schema takes.
pub fn schema_bytes(schema: &Schema) -> usize {
    /// Of a cell beside its value.
    const CELL_BYTES: usize = 32;
    let nothing = Schema { version: Uuid::nil(), keyspaces: Default::default() };
    let of_column = |data: &ColumnData| match data {
        ColumnData::Cell(cell) => cell.value.len() + CELL_BYTES,
        ColumnData::Complex { cells, .. } => {
            cells.iter().map(|(path, cell)| path.len() + cell.value.len() + CELL_BYTES).sum()
        }
    };
    let of_row = |row: &model::Row| -> usize {
        let columns: usize = row.columns.iter().map(|(_, data)| of_column(data)).sum();
        row.clustering.order.len() + CELL_BYTES + columns
    };
    let mutations = rows::mutations(&nothing, schema, 0);
    mutations.iter().flat_map(|mutation| &mutation.update.rows).map(of_row).sum()
}

fn live_rows(
    engine: &Engine,
    table: &Arc<Table>,
) -> Result<Vec<(model::PartitionKey, model::Row)>, model::QueryError> {
    let failed = |error: &dyn std::fmt::Display| model::QueryError::Server(error.to_string());
    let command = ReadCommand {
        table: table.clone(),
        partitions: PartitionSelection::Range { start: None, end: None },
        slices: Slices::all(),
        reversed: false,
    };
    let mut partitions = engine.read(&command).map_err(|error| failed(&error))?;
    let mut found = Vec::new();
    while let Some(mut partition) = partitions.next_partition().map_err(|error| failed(&error))? {
        let key = partition.header().key.clone();
        while let Some(unfiltered) = partition.next().map_err(|error| failed(&error))? {
            if let Unfiltered::Row(row) = unfiltered
                && query::select::row_is_live(&row, 0)
            {
                found.push((key.clone(), row));
            }
        }
    }
    Ok(found)
}
