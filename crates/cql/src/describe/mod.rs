//! Schema objects as CQL text, byte for byte as Cassandra's DESCRIBE prints them.
//!
//! Never here: which objects are described, and in which order (`query::schema::describe`).

use model::schema::{Keyspace, Table};
use model::types::UserType;

/// `CREATE KEYSPACE`, or the note that it is virtual.
pub fn keyspace(keyspace: &Keyspace) -> String {
    let _ = keyspace;
    String::new()
}

/// `CREATE TABLE` with all options; `internals`: with id and dropped columns.
pub fn table(table: &Table, internals: bool) -> String {
    let _ = (table, internals);
    String::new()
}

/// `CREATE TYPE`
pub fn user_type(definition: &UserType) -> String {
    let _ = definition;
    String::new()
}
