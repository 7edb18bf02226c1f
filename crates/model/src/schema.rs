//! The schema: which keyspaces, tables, columns and types there are, as one immutable, versioned value.
//!
//! A change makes a new [`Schema`] that shares what did not change. Statements are bound to the value
//! that was current, and hold it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::types::{CqlType, UserType};

mod options;
pub use options::{Caching, TableOptions};

/// A table's identity: survives renames of columns and changes of options; a re-created table has a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub Uuid);

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The order of columns in the rows of files, and in DESCRIBE: one cell before many, then names that begin with a byte
/// above 127, then by unsigned bytes.
///
/// Source: `ColumnMetadata.comparisonOrder` shifts the first bytes of a name down with their flipped sign.
pub fn stored_order(name: &str, is_multi_cell: bool) -> (bool, bool, &[u8]) {
    (is_multi_cell, is_ascii_first(name), name.as_bytes())
}

/// The order of columns in `SELECT *`: by unsigned bytes, but names that begin with a byte above 127 come first if they
/// have one cell. As seen in Cassandra's answers.
pub fn answer_order(name: &str, is_multi_cell: bool) -> (u8, &[u8]) {
    let group = if is_ascii_first(name) { 1 } else { u8::from(is_multi_cell) * 2 };
    (group, name.as_bytes())
}

fn is_ascii_first(name: &str) -> bool {
    name.as_bytes().first().is_none_or(u8::is_ascii)
}

/// A column's number in its table: stable while the process runs, never given to another column of the
/// table (not even to one of the same name after a DROP). Not stored: files and logs say names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnId(pub u32);

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// Part of the partition key, at `Column::position`.
    PartitionKey,
    /// Clustering column, at `Column::position`.
    Clustering,
    /// One value a partition.
    Static,
    /// One value a row.
    Regular,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    /// Number in the table.
    pub id: ColumnId,
    /// Name, without quotes.
    pub name: Arc<str>,
    /// Type.
    pub ty: CqlType,
    /// What it is for.
    pub kind: ColumnKind,
    /// Place in the partition or clustering key, from 0; 0 for others.
    pub position: u32,
    /// Clustering column in descending order.
    pub reversed: bool,
}

/// A column that was dropped: what older files and logs still hold of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedColumn {
    /// Its name.
    pub name: Arc<str>,
    /// Its type, frozen where user types were in it.
    pub ty: CqlType,
    /// Static or regular.
    pub kind: ColumnKind,
    /// Cells with a timestamp at or below this are gone.
    pub dropped_at_us: i64,
}

/// A table's definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Identity.
    pub id: TableId,
    /// Keyspace.
    pub keyspace: Arc<str>,
    /// Name, without quotes.
    pub name: Arc<str>,
    /// Partition key columns in order.
    pub partition_key: Vec<Column>,
    /// Clustering columns in order.
    pub clustering: Vec<Column>,
    /// Static columns in their [`answer_order`].
    pub statics: Vec<Column>,
    /// Regular columns in their [`answer_order`].
    pub regulars: Vec<Column>,
    /// All columns are counters but those of the key.
    pub is_counter: bool,
    /// Created `WITH COMPACT STORAGE`.
    pub is_compact: bool,
    /// Computed from the node's state, not stored (`system_views`, `system_virtual_schema`).
    pub is_virtual: bool,
    /// Options.
    pub options: TableOptions,
    /// Dropped columns by name.
    pub dropped: BTreeMap<Arc<str>, DroppedColumn>,
    /// The next unused column number.
    pub next_column_id: u32,
}

impl Column {
    /// See [`stored_order`].
    pub fn stored_order(&self) -> (bool, bool, &[u8]) {
        stored_order(&self.name, self.ty.is_multi_cell())
    }

    /// See [`answer_order`].
    pub fn answer_order(&self) -> (u8, &[u8]) {
        answer_order(&self.name, self.ty.is_multi_cell())
    }
}

impl Table {
    /// All columns in the order of `SELECT *`: partition key, clustering, static, regular.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        self.partition_key.iter().chain(&self.clustering).chain(&self.statics).chain(&self.regulars)
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns().find(|column| &*column.name == name)
    }

    /// The static or regular column of that number.
    pub fn column_by_id(&self, id: ColumnId) -> Option<&Column> {
        self.columns().find(|column| column.id == id)
    }

    /// Types of the clustering columns with "descending", as [`crate::Clustering::new`] takes them.
    pub fn clustering_types(&self) -> Vec<(CqlType, bool)> {
        self.clustering.iter().map(|column| (column.ty.clone(), column.reversed)).collect()
    }

    /// True if the table has a static column.
    pub fn has_statics(&self) -> bool {
        !self.statics.is_empty()
    }
}

/// A keyspace.
#[derive(Clone, Debug, PartialEq)]
pub struct Keyspace {
    /// Name, without quotes.
    pub name: Arc<str>,
    /// Replication options as in `system_schema.keyspaces`: `class` (full class name) and the strategy's options.
    pub replication: BTreeMap<String, String>,
    /// Writes go through the commit log.
    pub durable_writes: bool,
    /// Tables by name.
    pub tables: BTreeMap<Arc<str>, Arc<Table>>,
    /// User types by name.
    pub types: BTreeMap<Arc<str>, Arc<UserType>>,
}

/// All keyspaces at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// Digest of the stored schema (version 3 uuid): equal on nodes that have the same schema.
    pub version: Uuid,
    /// Keyspaces by name, system ones included.
    pub keyspaces: BTreeMap<Arc<str>, Arc<Keyspace>>,
}

impl Schema {
    /// The keyspace of that name.
    pub fn keyspace(&self, name: &str) -> Option<&Arc<Keyspace>> {
        self.keyspaces.get(name)
    }

    /// The table of that name.
    pub fn table(&self, keyspace: &str, name: &str) -> Option<&Arc<Table>> {
        self.keyspace(keyspace)?.tables.get(name)
    }

    /// All tables.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.keyspaces.values().flat_map(|keyspace| keyspace.tables.values())
    }
}
