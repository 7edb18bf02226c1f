//! The one row of `system.local`: who this node is. Every driver reads it first.

use std::net::IpAddr;

use bytes::Bytes;
use model::row::NO_DELETION_TIME;
use model::{
    Cell, Clustering, ColumnData, DeletionTime, Liveness, Mutation, PartitionKey, PartitionUpdate, Row,
};
use uuid::Uuid;

use super::definitions;
use super::{CQL_VERSION, RELEASE_VERSION};

const PARTITIONER: &str = "org.apache.cassandra.dht.Murmur3Partitioner";
/// The newest protocol that is no beta.
const NATIVE_PROTOCOL_VERSION: &str = "5";

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Name of the cluster.
    pub cluster_name: String,
    /// Data centre, such as `datacenter1`.
    pub data_center: String,
    /// Rack, such as `rack1`.
    pub rack: String,
    /// Identity of the node.
    pub host_id: Uuid,
    /// Address and port that other nodes use (broadcast).
    pub broadcast: (IpAddr, u16),
    /// Address and port that it listens on for other nodes.
    pub listen: (IpAddr, u16),
    /// Address and port that clients use.
    pub native: (IpAddr, u16),
    /// Start of this process in seconds since 1970.
    pub generation_s: i32,
    /// Its tokens.
    pub tokens: Vec<i64>,
    /// Digest of the schema.
    pub schema_version: Uuid,
}

/// The write of the row of `system.local` at `now_us`. `truncated_at` is left alone.
pub fn local_row(info: &NodeInfo, now_us: i64) -> Vec<Mutation> {
    let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let port = |port: u16| Bytes::copy_from_slice(&i32::from(port).to_be_bytes());
    let mut row = LocalRow::new(now_us);
    row.put("bootstrapped", text("COMPLETED"));
    row.put("broadcast_address", inet(info.broadcast.0));
    row.put("broadcast_port", port(info.broadcast.1));
    row.put("cluster_name", text(&info.cluster_name));
    row.put("cql_version", text(CQL_VERSION));
    row.put("data_center", text(&info.data_center));
    row.put("gossip_generation", Bytes::copy_from_slice(&info.generation_s.to_be_bytes()));
    row.put("host_id", Bytes::copy_from_slice(info.host_id.as_bytes()));
    row.put("listen_address", inet(info.listen.0));
    row.put("listen_port", port(info.listen.1));
    row.put("native_protocol_version", text(NATIVE_PROTOCOL_VERSION));
    row.put("partitioner", text(PARTITIONER));
    row.put("rack", text(&info.rack));
    row.put("release_version", text(RELEASE_VERSION));
    row.put("rpc_address", inet(info.native.0));
    row.put("rpc_port", port(info.native.1));
    row.put("schema_version", Bytes::copy_from_slice(info.schema_version.as_bytes()));
    row.put_set("tokens", info.tokens.iter().map(|token| token.to_string().into()).collect());
    vec![row.into_mutation()]
}

/// The write that follows each change of the schema: `schema_version` alone.
pub fn schema_version_row(schema_version: Uuid, now_us: i64) -> Vec<Mutation> {
    let mut row = LocalRow::new(now_us);
    row.put("schema_version", Bytes::copy_from_slice(schema_version.as_bytes()));
    vec![row.into_mutation()]
}

/// An address as an `inet` value: 4 or 16 bytes.
pub(crate) fn inet(address: IpAddr) -> Bytes {
    match address {
        IpAddr::V4(address) => Bytes::copy_from_slice(&address.octets()),
        IpAddr::V6(address) => Bytes::copy_from_slice(&address.octets()),
    }
}

struct LocalRow {
    now_us: i64,
    row: Row,
}

impl LocalRow {
    fn new(now_us: i64) -> LocalRow {
        let liveness = Liveness { timestamp_us: now_us, ..Liveness::NONE };
        LocalRow { now_us, row: Row { liveness, ..Row::empty(Clustering::EMPTY) } }
    }

    fn push(&mut self, name: &str, data: ColumnData) {
        let column = definitions::table("system", "local").column(name).expect("a column of tables.cql");
        self.row.columns.push((column.id, data));
    }

    fn put(&mut self, name: &str, value: Bytes) {
        let cell = Cell::live(self.now_us, value);
        self.push(name, ColumnData::Cell(cell));
    }

    /// Assigns a set: what was in it before is deleted one microsecond earlier.
    fn put_set(&mut self, name: &str, mut elements: Vec<Bytes>) {
        elements.sort();
        elements.dedup();
        let seconds = self.now_us.div_euclid(1_000_000);
        let deletion = DeletionTime {
            timestamp_us: self.now_us - 1,
            local_deletion_s: u32::try_from(seconds).unwrap_or(NO_DELETION_TIME - 1),
        };
        let cells =
            elements.into_iter().map(|element| (element, Cell::live(self.now_us, Bytes::new()))).collect();
        self.push(name, ColumnData::Complex { deletion, cells });
    }

    fn into_mutation(mut self) -> Mutation {
        self.row.columns.sort_by_key(|(id, _)| *id);
        Mutation {
            table: definitions::table("system", "local").clone(),
            key: PartitionKey::new(Bytes::from_static(b"local")),
            update: PartitionUpdate { rows: vec![self.row], ..PartitionUpdate::default() },
        }
    }
}

#[cfg(test)]
mod tests;
