//! What of Cassandra's schema we cannot serve: named, one by one.

use std::io::Write;
use std::sync::Arc;

use model::{Keyspace, Schema, Table};
use query::system::definitions;
use runtime::Disk;

use super::source::Source;
use crate::error::ToolError;

/// The data centre that a node of ours says it is in.
const OUR_DATA_CENTER: &str = "datacenter1";

/// The keyspaces that are taken over: all but the built-in ones.
pub(super) fn keyspaces(theirs: &Schema) -> impl Iterator<Item = &Arc<Keyspace>> {
    theirs.keyspaces.values().filter(|keyspace| !definitions::is_system(&keyspace.name))
}

/// False for tables that we have no way to read rightly.
pub(super) fn is_servable(table: &Table) -> bool {
    !table.is_compact
}

/// The tables that are taken over.
pub(super) fn servable(theirs: &Schema) -> impl Iterator<Item = &Arc<Table>> {
    keyspaces(theirs).flat_map(|keyspace| keyspace.tables.values()).filter(|table| is_servable(table))
}

/// Names what is left out; true if there is such a thing.
pub(super) fn tell(
    disk: &Arc<dyn Disk>,
    source: &Source,
    theirs: &Schema,
    out: &mut dyn Write,
) -> Result<bool, ToolError> {
    let mut left_out = false;
    for table in keyspaces(theirs).flat_map(|keyspace| keyspace.tables.values()) {
        if !is_servable(table) {
            left_out = true;
            let name = format!("{}.{}", table.keyspace, table.name);
            writeln!(out, "{name}: LEFT OUT: it is WITH COMPACT STORAGE; drop that in Cassandra first")?;
        }
    }
    let kinds = [
        ("indexes", "index", "the table is taken over without it"),
        ("views", "materialized view", "its base table is taken over"),
        ("functions", "function", ""),
        ("aggregates", "aggregate", ""),
        ("triggers", "trigger", "the table is taken over without it"),
    ];
    for (table, kind, rest) in kinds {
        let Some(table) = Source::system_table(table) else { continue };
        for (key, row) in source.rows(disk, table)? {
            let keyspace = String::from_utf8_lossy(&key.key).into_owned();
            if definitions::is_system(&keyspace) {
                continue;
            }
            left_out = true;
            let names = row.clustering.values.iter().flatten();
            let types = table.clustering.iter().map(|column| &column.ty);
            let names: Vec<String> = names.zip(types).map(|(value, ty)| ty.to_text(value)).collect();
            let rest = if rest.is_empty() { String::new() } else { format!("; {rest}") };
            writeln!(out, "{keyspace}.{}: LEFT OUT: {kind}{rest}", names.join("."))?;
        }
    }
    for keyspace in keyspaces(theirs) {
        let is_network =
            keyspace.replication.get("class").is_some_and(|class| class.ends_with("NetworkTopologyStrategy"));
        if is_network && !keyspace.replication.contains_key(OUR_DATA_CENTER) {
            writeln!(
                out,
                "note: keyspace {} is replicated to other data centres than {OUR_DATA_CENTER}: ALTER KEYSPACE it before use",
                keyspace.name
            )?;
        }
    }
    Ok(left_out)
}
