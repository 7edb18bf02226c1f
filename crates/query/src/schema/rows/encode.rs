//! What the rows of a keyspace hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use model::schema::{Column, ColumnKind, DroppedColumn, TableOptions};
use model::types::UserType;
use model::value::collection;
use model::{Keyspace, Table};

use super::{RowValues, Rows};

/// All rows of a keyspace.
pub(super) fn rows(keyspace: &Keyspace) -> Rows {
    differing_rows(None, Some(keyspace)).1
}

/// The rows of both for the objects that are not one and the same in both.
pub(super) fn differing_rows(old: Option<&Keyspace>, new: Option<&Keyspace>) -> (Rows, Rows) {
    (rows_beside(old, new), rows_beside(new, old))
}

/// The rows of `keyspace` without those of objects that it shares with `other`.
fn rows_beside(keyspace: Option<&Keyspace>, other: Option<&Keyspace>) -> Rows {
    let mut rows = BTreeMap::new();
    let Some(keyspace) = keyspace else { return rows };
    rows.insert(("keyspaces", Vec::new()), keyspace_values(keyspace));
    for (name, user_type) in &keyspace.types {
        let twin = other.and_then(|other| other.types.get(name));
        if !twin.is_some_and(|twin| Arc::ptr_eq(twin, user_type)) {
            rows.insert(("types", vec![text(name)]), type_values(user_type));
        }
    }
    for (name, table) in &keyspace.tables {
        let twin = other.and_then(|other| other.tables.get(name));
        if !twin.is_some_and(|twin| Arc::ptr_eq(twin, table)) {
            add_table(&mut rows, table);
        }
    }
    rows
}

fn add_table(rows: &mut Rows, table: &Table) {
    rows.insert(("tables", vec![text(&table.name)]), table_values(table));
    for column in table.columns() {
        rows.insert(("columns", vec![text(&table.name), text(&column.name)]), column_values(column));
    }
    for column in table.dropped.values() {
        let key = ("dropped_columns", vec![text(&table.name), text(&column.name)]);
        rows.insert(key, dropped_values(column));
    }
}

fn keyspace_values(keyspace: &Keyspace) -> RowValues {
    RowValues::from([
        ("durable_writes", boolean(keyspace.durable_writes)),
        ("replication", map(&keyspace.replication)),
    ])
}

fn type_values(user_type: &UserType) -> RowValues {
    let names: Vec<&str> = user_type.fields.iter().map(|(name, _)| &**name).collect();
    let types: Vec<String> = user_type.fields.iter().map(|(_, ty)| ty.cql_name()).collect();
    RowValues::from([("field_names", list(&names)), ("field_types", list(&types))])
}

/// Options with a default that Cassandra leaves null are null here too.
fn table_values(table: &Table) -> RowValues {
    let TableOptions { caching, .. } = &table.options;
    let options = &table.options;
    let caching = BTreeMap::from([
        ("keys".to_owned(), caching.keys.clone()),
        ("rows_per_partition".to_owned(), caching.rows_per_partition.clone()),
    ]);
    let flags: &[&str] = match (table.is_compact, table.is_counter) {
        (false, false) => &["compound"],
        (false, true) => &["compound", "counter"],
        (true, false) if table.clustering.is_empty() => &[],
        (true, true) if table.clustering.is_empty() => &["counter"],
        (true, false) => &["dense"],
        (true, true) => &["counter", "dense"],
    };
    let extensions: Vec<&[u8]> =
        options.extensions.iter().flat_map(|(name, bytes)| [name.as_bytes(), bytes.as_slice()]).collect();
    let mut values = RowValues::from([
        ("additional_write_policy", text(&options.additional_write_policy)),
        ("bloom_filter_fp_chance", double(options.bloom_filter_fp_chance)),
        ("caching", map(&caching)),
        ("comment", text(&options.comment)),
        ("compaction", map(&options.compaction)),
        ("compression", map(&options.compression)),
        ("crc_check_chance", double(options.crc_check_chance)),
        ("dclocal_read_repair_chance", double(0.0)),
        ("default_time_to_live", integer(options.default_time_to_live)),
        ("extensions", collection::pack(options.extensions.len(), &extensions).into()),
        ("flags", list(flags)),
        ("gc_grace_seconds", integer(options.gc_grace_seconds)),
        ("id", Bytes::copy_from_slice(table.id.0.as_bytes())),
        ("max_index_interval", integer(options.max_index_interval)),
        ("memtable_flush_period_in_ms", integer(options.memtable_flush_period_in_ms)),
        ("min_index_interval", integer(options.min_index_interval)),
        ("read_repair", text(&options.read_repair)),
        ("read_repair_chance", double(0.0)),
        ("speculative_retry", text(&options.speculative_retry)),
    ]);
    if !options.allow_auto_snapshot {
        values.insert("allow_auto_snapshot", boolean(false));
    }
    if options.cdc {
        values.insert("cdc", boolean(true));
    }
    if !options.incremental_backups {
        values.insert("incremental_backups", boolean(false));
    }
    if let Some(memtable) = &options.memtable {
        values.insert("memtable", text(memtable));
    }
    values
}

fn kind_name(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::PartitionKey => "partition_key",
        ColumnKind::Clustering => "clustering",
        ColumnKind::Static => "static",
        ColumnKind::Regular => "regular",
    }
}

/// The values of a row of `columns`; `system_virtual_schema.columns` has the same.
pub(crate) fn column_values(column: &Column) -> RowValues {
    let order = match (column.kind, column.reversed) {
        (ColumnKind::Clustering, true) => "desc",
        (ColumnKind::Clustering, false) => "asc",
        _ => "none",
    };
    let position = match column.kind {
        ColumnKind::PartitionKey | ColumnKind::Clustering => {
            i32::try_from(column.position).expect("a key has few columns")
        }
        ColumnKind::Static | ColumnKind::Regular => -1,
    };
    RowValues::from([
        ("clustering_order", text(order)),
        ("column_name_bytes", text(&column.name)),
        ("kind", text(kind_name(column.kind))),
        ("position", integer(position)),
        ("type", text(&column.ty.cql_name())),
    ])
}

fn dropped_values(column: &DroppedColumn) -> RowValues {
    let dropped_ms = column.dropped_at_us.div_euclid(1000);
    RowValues::from([
        ("dropped_time", Bytes::copy_from_slice(&dropped_ms.to_be_bytes())),
        ("kind", text(kind_name(column.kind))),
        ("type", text(&column.ty.cql_name())),
    ])
}

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn boolean(value: bool) -> Bytes {
    Bytes::from_static(if value { &[1] } else { &[0] })
}

fn integer(value: i32) -> Bytes {
    Bytes::copy_from_slice(&value.to_be_bytes())
}

fn double(value: f64) -> Bytes {
    Bytes::copy_from_slice(&value.to_be_bytes())
}

fn list<E: AsRef<str>>(elements: &[E]) -> Bytes {
    let elements: Vec<&[u8]> = elements.iter().map(|element| element.as_ref().as_bytes()).collect();
    collection::pack(elements.len(), &elements).into()
}

fn map(entries: &BTreeMap<String, String>) -> Bytes {
    let elements: Vec<&[u8]> =
        entries.iter().flat_map(|(key, value)| [key.as_bytes(), value.as_bytes()]).collect();
    collection::pack(entries.len(), &elements).into()
}
