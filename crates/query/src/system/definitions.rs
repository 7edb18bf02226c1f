//! Definitions of the system tables, from `tables.cql`, once per process.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use cql::ast::{CreateTable, Property, PropertyValue, StatementKind};
use md5::{Digest, Md5};
use model::{Keyspace, QueryError, Schema, Table, TableId};
use uuid::Uuid;

use crate::schema::{rows, system_table};

const TABLES: &str = include_str!("tables.cql");
const VIRTUAL_KEYSPACES: [&str; 2] = ["system_views", "system_virtual_schema"];

/// What a statement wants to do with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteKind {
    /// INSERT, UPDATE, DELETE.
    Modify,
    /// TRUNCATE.
    Truncate,
}

static KEYSPACES: LazyLock<BTreeMap<Arc<str>, Arc<Keyspace>>> = LazyLock::new(|| {
    let mut keyspaces: BTreeMap<Arc<str>, Keyspace> = BTreeMap::new();
    for name in VIRTUAL_KEYSPACES {
        keyspaces.insert(name.into(), empty_keyspace(name, "LocalStrategy", BTreeMap::new(), true));
    }
    for line in TABLES.lines() {
        let (text, _) = line.split_once(';').unwrap_or((line, ""));
        if text.is_empty() || text.starts_with("--") {
            continue;
        }
        let statement = cql::parse(text).unwrap_or_else(|error| panic!("tables.cql: {text}: {error}"));
        match statement.kind {
            StatementKind::CreateKeyspace(create) => {
                let keyspace = built_in_keyspace(&create.keyspace, &create.properties);
                keyspaces.insert(Arc::clone(&keyspace.name), keyspace);
            }
            StatementKind::CreateTable(create) => {
                let table = built_in_table(&create);
                let keyspace = keyspaces
                    .get_mut(&table.keyspace)
                    .expect("tables.cql names the keyspace before its tables");
                keyspace.tables.insert(Arc::clone(&table.name), Arc::new(table));
            }
            other => panic!("tables.cql holds only CREATE KEYSPACE and CREATE TABLE, not {other:?}"),
        }
    }
    keyspaces.into_iter().map(|(name, keyspace)| (name, Arc::new(keyspace))).collect()
});

static INITIAL: LazyLock<Schema> = LazyLock::new(|| {
    let mut schema = Schema { version: Uuid::nil(), keyspaces: KEYSPACES.clone() };
    schema.version = rows::schema_version(&schema);
    schema
});

/// All built-in keyspaces, the virtual ones included, as they are on a new node.
pub fn keyspaces() -> &'static BTreeMap<Arc<str>, Arc<Keyspace>> {
    &KEYSPACES
}

/// The schema of a node where nobody has created anything yet.
pub fn initial_schema() -> Schema {
    INITIAL.clone()
}

/// The definition of a built-in table. Panics if there is none: the names are ours.
pub fn table(keyspace: &str, name: &str) -> &'static Arc<Table> {
    &keyspaces()[keyspace].tables[name]
}

fn empty_keyspace(
    name: &str,
    class: &str,
    mut replication: BTreeMap<String, String>,
    durable_writes: bool,
) -> Keyspace {
    replication.insert("class".to_owned(), format!("org.apache.cassandra.locator.{class}"));
    Keyspace {
        name: name.into(),
        replication,
        durable_writes,
        tables: BTreeMap::new(),
        types: BTreeMap::new(),
    }
}

fn built_in_keyspace(name: &str, properties: &[Property]) -> Keyspace {
    let replication = properties.iter().find_map(|property| match &property.value {
        PropertyValue::Map(entries) => Some(entries.iter().cloned().collect()),
        PropertyValue::Text(_) => None,
    });
    let mut replication: BTreeMap<String, String> = replication.expect("tables.cql gives a replication");
    let class = replication.remove("class").expect("tables.cql gives a class");
    empty_keyspace(name, &class, replication, true)
}

fn built_in_table(create: &CreateTable) -> Table {
    let keyspace = create.table.keyspace.as_deref().expect("tables.cql names the keyspace");
    let id = table_id(keyspace, &create.table.name);
    let mut table = system_table(keyspace, create, id)
        .unwrap_or_else(|error| panic!("tables.cql: {keyspace}.{}: {error}", create.table.name));
    table.is_virtual = is_virtual(keyspace);
    table
}

/// The id that a built-in table has on every node: MD5 of its names, as a version 3 uuid.
pub fn table_id(keyspace: &str, name: &str) -> TableId {
    let digest = Md5::new().chain_update(keyspace).chain_update(name).finalize();
    TableId(uuid::Builder::from_md5_bytes(digest.into()).into_uuid())
}

/// True for `system` and `system_schema`: each node has its own, no statement changes them.
pub fn is_local(keyspace: &str) -> bool {
    matches!(keyspace, "system" | "system_schema")
}

/// True for `system_auth`, `system_distributed` and `system_traces`.
pub fn is_replicated_system(keyspace: &str) -> bool {
    matches!(keyspace, "system_auth" | "system_distributed" | "system_traces")
}

/// True for `system_views` and `system_virtual_schema`.
pub fn is_virtual(keyspace: &str) -> bool {
    VIRTUAL_KEYSPACES.contains(&keyspace)
}

/// True for every built-in keyspace.
pub fn is_system(keyspace: &str) -> bool {
    is_local(keyspace) || is_replicated_system(keyspace) || is_virtual(keyspace)
}

/// Refuses statements of users that write to what is the node's own.
pub fn check_writable(table: &Table, kind: WriteKind) -> Result<(), QueryError> {
    if table.is_virtual {
        let what = match kind {
            WriteKind::Modify => "Modification",
            WriteKind::Truncate => "Truncation",
        };
        return Err(QueryError::Invalid(format!(
            "{what} is not supported by table {}.{}",
            table.keyspace, table.name
        )));
    }
    if is_local(&table.keyspace) {
        return Err(QueryError::Unauthorized(format!("{} keyspace is not user-modifiable.", table.keyspace)));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
