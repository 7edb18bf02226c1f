//! Start: storage is opened, the schema is read from it, and the node writes what it says of itself.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};

use arc_swap::ArcSwap;
use cluster::{Node, Topology};
use coordinator::Coordinator;
use model::partition::SourceError;
use model::{
    PartitionKey, PartitionSelection, QueryError, ReadCommand, Row, Schema, Slices, Table, Token, Unfiltered,
};
use parking_lot::RwLock;
use runtime::Runtime;
use storage::{Engine, EngineOptions, History};
use uuid::Uuid;

use super::batch_size::LastTold;
use super::seal::Seal;
use super::{BatchLimits, Executor, Published};
use crate::prepared::PreparedCache;
use crate::schema::rows;
use crate::system::definitions;
use crate::system::history::{self, PastCompaction};
use crate::system::local::{self, NodeInfo};
use crate::system::virtual_table::NodeState;

/// What a node is, beyond its configuration: kept over restarts.
#[derive(Clone, Debug)]
pub struct NodeIdentity {
    /// Name of the cluster.
    pub cluster_name: String,
    /// Data centre.
    pub data_center: String,
    /// Rack.
    pub rack: String,
    /// Identity.
    pub host_id: Uuid,
    /// Its tokens.
    pub tokens: Vec<Token>,
    /// Key of the seals of paging states.
    pub seal_key: [u8; 32],
    /// Address and port for other nodes.
    pub storage: (IpAddr, u16),
    /// Address and port for clients.
    pub native: (IpAddr, u16),
}

/// Opens the data of a node and makes it ready for statements. Blocks; the caller holds the directory's lock.
pub fn open(
    runtime: &Runtime,
    identity: NodeIdentity,
    mut options: EngineOptions,
    batch_limits: BatchLimits,
) -> Result<Arc<Executor>, SourceError> {
    let clock = runtime.clone();
    options.history =
        Some(History(Arc::new(move |record| history::mutations(record, clock.clock().wall_us()))));
    let builtin = definitions::initial_schema();
    let stored = builtin.keyspaces.values().filter(|keyspace| !definitions::is_virtual(&keyspace.name));
    let system_tables: Vec<Arc<Table>> =
        stored.flat_map(|keyspace| keyspace.tables.values().cloned()).collect();
    let mut loaded = None;
    let engine = Engine::open(runtime, options, system_tables, |engine| {
        let schema = Arc::new(rows::schema_from_rows(&mut |table| all_rows(engine, table))?);
        loaded = Some(schema.clone());
        Ok(schema)
    })?;
    let schema = loaded.ok_or("storage was opened without its schema")?;
    let node = Node {
        host_id: identity.host_id,
        address: identity.storage.0,
        storage_port: identity.storage.1,
        native_address: identity.native.0,
        native_port: identity.native.1,
        data_center: identity.data_center.clone(),
        rack: identity.rack.clone(),
        tokens: identity.tokens.clone(),
        is_up: true,
    };
    let coordinator = Coordinator::new(engine, Arc::new(Topology::new(vec![node])));
    let executor = Executor {
        runtime: runtime.clone(),
        coordinator,
        seal: Seal::new(&identity.seal_key),
        batch_limits,
        batches_told: LastTold::default(),
        identity,
        published: ArcSwap::from_pointee(Published { schema: schema.clone(), epoch: 1 }),
        epoch: AtomicU64::new(1),
        changing: tokio::sync::Mutex::new(()),
        prepared: PreparedCache::default(),
        last_us: AtomicI64::new(0),
        last_ticks: AtomicU64::new(0),
        // The multicast bit says that it is no network card's address.
        uuid_low: (runtime.random().next_u64() & 0x3fff_ffff_ffff_ffff) | 0x8000_0100_0000_0000,
        node_state: RwLock::new(Arc::new(NodeState::default())),
    };
    let executor = Arc::new(executor);
    executor.introduce(&schema)?;
    executor.replay_batches(&schema)?;
    Ok(executor)
}

/// All live rows of a table.
pub(super) fn all_rows(engine: &Engine, table: &Arc<Table>) -> Result<Vec<(PartitionKey, Row)>, QueryError> {
    let failed = |error: SourceError| QueryError::Server(error.to_string());
    let command = ReadCommand {
        table: table.clone(),
        partitions: PartitionSelection::Range { start: None, end: None },
        slices: Slices::all(),
        reversed: false,
    };
    let mut found = Vec::new();
    let mut partitions = engine.read(&command).map_err(|error| failed(Box::new(error)))?;
    while let Some(mut partition) = partitions.next_partition().map_err(failed)? {
        let key = partition.header().key.clone();
        while let Some(unfiltered) = partition.next().map_err(failed)? {
            if let Unfiltered::Row(row) = unfiltered
                && crate::select::row_is_live(&row, 0)
            {
                found.push((key.clone(), row));
            }
        }
    }
    Ok(found)
}

impl Executor {
    /// The compactions of the last week, the newest first. Reads the disk.
    pub fn compaction_history(&self) -> Result<Vec<PastCompaction>, QueryError> {
        let now_s = u32::try_from(self.runtime.clock().wall_s()).unwrap_or(0);
        let table = definitions::table("system", "compaction_history");
        let rows = all_rows(self.coordinator.engine(), table)?;
        let mut past: Vec<PastCompaction> =
            rows.iter().filter_map(|(key, row)| history::read(key, row, now_s)).collect();
        past.sort_by_key(|one| (std::cmp::Reverse(one.compacted_at_ms), one.id));
        Ok(past)
    }

    /// Writes the definitions of the built-in tables, if they are not there, and the row of `system.local`.
    fn introduce(&self, schema: &Arc<Schema>) -> Result<(), SourceError> {
        let now_us = self.unique_us();
        let keyspaces = definitions::table("system_schema", "keyspaces");
        let mut mutations = Vec::new();
        let stored = all_rows(self.coordinator.engine(), keyspaces)?;
        let system = PartitionKey::new("system".into());
        if !stored.iter().any(|(key, _)| *key == system) {
            let nothing = Schema { version: Uuid::nil(), keyspaces: Default::default() };
            let mut builtin = (**schema).clone();
            builtin.keyspaces.retain(|name, _| definitions::keyspaces().contains_key(name));
            mutations.extend(rows::mutations(&nothing, &builtin, now_us));
        }
        let (storage_address, native) = (self.identity.storage, self.identity.native);
        let info = NodeInfo {
            cluster_name: self.identity.cluster_name.clone(),
            data_center: self.identity.data_center.clone(),
            rack: self.identity.rack.clone(),
            host_id: self.identity.host_id,
            broadcast: storage_address,
            listen: storage_address,
            native,
            generation_s: i32::try_from(self.runtime.clock().wall_s()).unwrap_or(i32::MAX),
            tokens: self.identity.tokens.iter().map(|token| token.0).collect(),
            schema_version: schema.version,
        };
        mutations.extend(local::local_row(&info, now_us));
        // Nobody waits for the sync: what is lost with a crash is written again by the next start.
        let commit = self.coordinator.write(&mutations)?;
        drop(commit);
        Ok(())
    }
}
