//! Definitions of the system tables, from `tables.cql`, once per process.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use model::{Keyspace, QueryError, Schema, Table};

/// What a statement wants to do with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteKind {
    /// INSERT, UPDATE, DELETE.
    Modify,
    /// TRUNCATE.
    Truncate,
}

static KEYSPACES: LazyLock<BTreeMap<Arc<str>, Arc<Keyspace>>> = LazyLock::new(BTreeMap::new);

/// All built-in keyspaces, the virtual ones included, as they are on a new node.
pub fn keyspaces() -> &'static BTreeMap<Arc<str>, Arc<Keyspace>> {
    &KEYSPACES
}

/// The schema of a node where nobody has created anything yet.
pub fn initial_schema() -> Schema {
    Schema { version: uuid::Uuid::nil(), keyspaces: keyspaces().clone() }
}

/// The definition of a built-in table. Panics if there is none: the names are ours.
pub fn table(keyspace: &str, name: &str) -> &'static Arc<Table> {
    &keyspaces()[keyspace].tables[name]
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
    matches!(keyspace, "system_views" | "system_virtual_schema")
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
