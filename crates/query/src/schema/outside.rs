//! What tools outside of CQL need: a table as a file that makes it again, and values as they are typed.

use bytes::Bytes;
use model::{CqlType, PartitionKey, Schema, Table};

use crate::system::definitions;

/// `schema.cql` of a snapshot: the types of a table, then the table with its id and dropped columns. Nothing of
/// tables that are there on every node.
///
/// Source: what `nodetool snapshot` of Cassandra 5.0.9 writes.
pub fn snapshot_text(schema: &Schema, table: &Table) -> String {
    if definitions::keyspaces().contains_key(&table.keyspace) {
        return String::new();
    }
    let mut text = String::new();
    if let Some(keyspace) = schema.keyspace(&table.keyspace) {
        for user_type in super::describe::types_in_order(keyspace) {
            let uses = |ty: &CqlType| ty.mentions(&keyspace.name, &user_type.name);
            if table.columns().any(|column| uses(&column.ty)) {
                let statement = cql::describe::user_type(user_type);
                text.push_str(&statement.replacen("CREATE TYPE", "CREATE TYPE IF NOT EXISTS", 1));
                text.push('\n');
            }
        }
    }
    let statement = cql::describe::table(table, true);
    text.push_str(&statement.replacen("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1));
    text.push('\n');
    text
}

/// The partition key that somebody typed, its columns one by one.
pub fn partition_key_of_text(table: &Table, columns: &[&str]) -> Result<PartitionKey, String> {
    let mut values = Vec::with_capacity(columns.len());
    for (column, text) in table.partition_key.iter().zip(columns) {
        let value = column.ty.parse_json(&serde_json::Value::String((*text).to_owned()))?;
        values.push(value.ok_or_else(|| format!("{} must not be null", column.name))?);
    }
    Ok(PartitionKey::new(Bytes::from(PartitionKey::compose(&values))))
}
