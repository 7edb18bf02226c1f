//! The one row of `system.local`: who this node is. Every driver reads it first.

use std::net::IpAddr;

use model::Mutation;
use uuid::Uuid;

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
    let _ = (info, now_us);
    Vec::new()
}

/// The write that follows each change of the schema: `schema_version` alone.
pub fn schema_version_row(schema_version: Uuid, now_us: i64) -> Vec<Mutation> {
    let _ = (schema_version, now_us);
    Vec::new()
}
