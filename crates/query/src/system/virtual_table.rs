//! Virtual tables: rows that are computed when they are read.
//!
//! Served are `system_virtual_schema` (the definitions of the virtual tables themselves, which drivers read) and
//! of `system_views`: settings, system_properties, clients.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use model::value::collection;
use model::{Cell, Clustering, ColumnData, PartitionKey, Row, Schema, Table, TableId, Value};

use super::definitions;
use super::local::inet;
use crate::schema::rows::column_values;

/// A connected client, for `system_views.clients`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Where it connects from.
    pub address: SocketAddr,
    /// All of STARTUP's options as sent.
    pub options: BTreeMap<String, String>,
    /// `DRIVER_NAME`, `DRIVER_VERSION` of STARTUP.
    pub driver: Option<(String, String)>,
    /// `ready` and the like.
    pub stage: String,
    /// USE.
    pub keyspace: Option<String>,
    /// Protocol version.
    pub protocol_version: i32,
    /// Requests so far.
    pub request_count: i64,
    /// `anonymous` without login.
    pub username: String,
}

/// What the node knows of itself at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeState {
    /// cassandra.yaml's keys with their values as text; `None`: null.
    pub settings: BTreeMap<String, Option<String>>,
    /// System properties and environment worth showing.
    pub properties: BTreeMap<String, String>,
    /// Connected clients.
    pub clients: Vec<Client>,
}

/// What a virtual table's rows are computed from.
#[derive(Clone, Copy, Debug)]
pub struct VirtualContext<'a> {
    /// The schema.
    pub schema: &'a Schema,
    /// The node.
    pub node: &'a NodeState,
}

/// A table whose rows are computed.
pub trait VirtualTable: Send + Sync {
    /// Its definition.
    fn table(&self) -> &Arc<Table>;
    /// All its rows: partitions in the order of their keys (virtual tables have no tokens), rows of a
    /// partition in clustering order.
    fn rows(&self, ctx: &VirtualContext<'_>) -> Vec<(PartitionKey, Row)>;
}

/// The virtual table of that id.
pub fn virtual_table(id: TableId) -> Option<&'static dyn VirtualTable> {
    TABLES.iter().find(|table| table.table.id == id).map(|table| table as &dyn VirtualTable)
}

/// All virtual tables.
pub fn virtual_tables() -> impl Iterator<Item = &'static dyn VirtualTable> {
    TABLES.iter().map(|table| table as &dyn VirtualTable)
}

/// A table and the function that computes its rows.
struct Computed {
    table: &'static Arc<Table>,
    compute: fn(&VirtualContext<'_>, &Arc<Table>) -> Vec<(PartitionKey, Row)>,
}

impl VirtualTable for Computed {
    fn table(&self) -> &Arc<Table> {
        self.table
    }

    fn rows(&self, ctx: &VirtualContext<'_>) -> Vec<(PartitionKey, Row)> {
        let mut rows = (self.compute)(ctx, self.table);
        rows.sort_by(|(a, a_row), (b, b_row)| {
            (&a.key, &a_row.clustering.order).cmp(&(&b.key, &b_row.clustering.order))
        });
        rows
    }
}

static TABLES: LazyLock<Vec<Computed>> = LazyLock::new(|| {
    let table = |keyspace, name, compute| Computed { table: definitions::table(keyspace, name), compute };
    vec![
        table("system_virtual_schema", "keyspaces", schema_keyspaces),
        table("system_virtual_schema", "tables", schema_tables),
        table("system_virtual_schema", "columns", schema_columns),
        table("system_views", "settings", settings),
        table("system_views", "system_properties", properties),
        table("system_views", "clients", clients),
    ]
});

/// A row: one partition key value, clustering values, others by name; null ones are left out.
fn row(
    table: &Table,
    key: Bytes,
    clustering: Vec<Bytes>,
    values: impl IntoIterator<Item = (&'static str, Value)>,
) -> (PartitionKey, Row) {
    let clustering = Clustering::new(clustering.into_iter().map(Some).collect(), &table.clustering_types());
    let mut row = Row::empty(clustering);
    // A virtual row is there though all its values may be null.
    row.liveness.timestamp_us = 0;
    for (name, value) in values {
        if let (Some(value), Some(column)) = (value, table.column(name)) {
            row.columns.push((column.id, ColumnData::Cell(Cell::live(0, value))));
        }
    }
    row.columns.sort_by_key(|(id, _)| *id);
    (PartitionKey::new(key), row)
}

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn virtual_definitions<'a>(ctx: &VirtualContext<'a>) -> impl Iterator<Item = &'a Arc<Table>> {
    ctx.schema.tables().filter(|table| table.is_virtual)
}

fn schema_keyspaces(ctx: &VirtualContext<'_>, table: &Arc<Table>) -> Vec<(PartitionKey, Row)> {
    ctx.schema
        .keyspaces
        .keys()
        .filter(|name| definitions::is_virtual(name))
        .map(|name| row(table, text(name), Vec::new(), []))
        .collect()
}

fn schema_tables(ctx: &VirtualContext<'_>, table: &Arc<Table>) -> Vec<(PartitionKey, Row)> {
    virtual_definitions(ctx)
        .map(|shown| {
            let comment = ("comment", Some(text(&shown.options.comment)));
            row(table, text(&shown.keyspace), vec![text(&shown.name)], [comment])
        })
        .collect()
}

fn schema_columns(ctx: &VirtualContext<'_>, table: &Arc<Table>) -> Vec<(PartitionKey, Row)> {
    virtual_definitions(ctx)
        .flat_map(|shown| {
            shown.columns().map(|column| {
                let values = column_values(column).into_iter().map(|(name, value)| (name, Some(value)));
                row(table, text(&shown.keyspace), vec![text(&shown.name), text(&column.name)], values)
            })
        })
        .collect()
}

fn settings(ctx: &VirtualContext<'_>, table: &Arc<Table>) -> Vec<(PartitionKey, Row)> {
    let value = |value: &Option<String>| ("value", value.as_deref().map(text));
    ctx.node
        .settings
        .iter()
        .map(|(name, setting)| row(table, text(name), Vec::new(), [value(setting)]))
        .collect()
}

fn properties(ctx: &VirtualContext<'_>, table: &Arc<Table>) -> Vec<(PartitionKey, Row)> {
    ctx.node
        .properties
        .iter()
        .map(|(name, value)| row(table, text(name), Vec::new(), [("value", Some(text(value)))]))
        .collect()
}

fn clients(ctx: &VirtualContext<'_>, table: &Arc<Table>) -> Vec<(PartitionKey, Row)> {
    ctx.node.clients.iter().map(|client| client_row(table, client)).collect()
}

fn client_row(table: &Table, client: &Client) -> (PartitionKey, Row) {
    let options: Vec<&str> =
        client.options.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
    let driver = client.driver.as_ref();
    let port = i32::from(client.address.port());
    let values = [
        ("client_options", Some(collection::pack(client.options.len(), &options).into())),
        ("connection_stage", Some(text(&client.stage))),
        ("driver_name", driver.map(|(name, _)| text(name))),
        ("driver_version", driver.map(|(_, version)| text(version))),
        ("keyspace_name", client.keyspace.as_deref().map(text)),
        ("protocol_version", Some(Bytes::copy_from_slice(&client.protocol_version.to_be_bytes()))),
        ("request_count", Some(Bytes::copy_from_slice(&client.request_count.to_be_bytes()))),
        ("ssl_enabled", Some(Bytes::from_static(&[0]))),
        ("username", Some(text(&client.username))),
    ];
    let port = Bytes::copy_from_slice(&port.to_be_bytes());
    row(table, inet(client.address.ip()), vec![port], values)
}

#[cfg(test)]
mod tests;
