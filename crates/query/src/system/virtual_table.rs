//! Virtual tables: rows that are computed when they are read.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use model::{PartitionKey, Row, Schema, Table, TableId};

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
    /// cassandra.yaml's keys with their values as text.
    pub settings: BTreeMap<String, String>,
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
    /// All its rows: partitions in token order, rows of a partition in clustering order.
    fn rows(&self, ctx: &VirtualContext<'_>) -> Vec<(PartitionKey, Row)>;
}

/// The virtual table of that id.
pub fn virtual_table(id: TableId) -> Option<&'static dyn VirtualTable> {
    let _ = id;
    None
}
