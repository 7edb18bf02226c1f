//! A node's life: lock the directory, open the data, serve, drain.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use query::executor::{self, Executor};
use query::system::virtual_table::NodeState;
use runtime::{DiskLock, Runtime};
use storage::{Describe, EngineOptions, FailureAction};

use crate::admin::{Admin, AdminServer};
use crate::config::Config;
use crate::failure::FailureSignal;
use crate::identity;
use crate::native::{EventHub, NativeLimits, NativeServer, NativeSwitch, Stopper};
use crate::requests::Requests;

/// Held while a node uses a data directory; contains its process id.
const LOCK_FILE: &str = "helenus.lock";
/// How long requests in flight may take when the node is stopped.
const DRAIN_GRACE: Duration = Duration::from_secs(10);

/// Why a node did not start. Nothing was changed.
#[derive(Debug)]
pub enum StartError {
    /// Another process uses the data directory.
    InUse {
        /// The directory.
        data_dir: PathBuf,
        /// Its process id, as it wrote it.
        pid: String,
    },
    /// Anything else, in words.
    Failed(String),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartError::InUse { data_dir, pid } => write!(
                f,
                "{} is in use by another node (process {pid}); stop it, or choose another --data-dir",
                data_dir.display()
            ),
            StartError::Failed(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for StartError {}

/// A running node.
pub struct Node {
    executor: Arc<Executor>,
    native: NativeServer,
    admin: Option<AdminServer>,
    failure: Arc<FailureSignal>,
    /// Given up when the process ends.
    _lock: Box<dyn DiskLock>,
}

impl Node {
    /// Starts a node: on return it answers clients. Call it on a shard's thread; it blocks while data is loaded.
    pub fn start(runtime: &Runtime, config: &Config, pid: u32) -> Result<Node, StartError> {
        let failed =
            |what: &str, error: &dyn std::fmt::Display| StartError::Failed(format!("{what}: {error}"));
        let disk = runtime.disk();
        let dir = config.data_dir.display().to_string();
        disk.create_dir_all(&config.data_dir).map_err(|error| failed(&dir, &error))?;
        let lock = disk
            .lock(&config.data_dir.join(LOCK_FILE), pid.to_string().as_bytes())
            .map_err(|error| failed(&dir, &error))?
            .map_err(|holder| StartError::InUse {
                data_dir: config.data_dir.clone(),
                pid: String::from_utf8_lossy(&holder).trim().to_owned(),
            })?;
        for key in &config.without_effect {
            tracing::warn!(%key, "this setting of Cassandra's has no effect in Helenus yet");
        }
        let identity = identity::load_or_create(runtime, config).map_err(StartError::Failed)?;
        let failure = FailureSignal::new();
        let options = EngineOptions {
            commitlog_dir: config.commitlog_dir(),
            commit_log_sync: config.commitlog_sync,
            segment_bytes: config.commitlog_segment_bytes,
            max_mutation_bytes: config.storage.max_mutation_bytes,
            max_value_bytes: config.storage.max_value_bytes,
            commitlog_bytes_total: config.commitlog_total_bytes,
            describe: Some(Describe(Arc::new(query::schema::outside::snapshot_text))),
            auto_snapshot: config.auto_snapshot,
            incremental_backups: config.incremental_backups,
            snapshot_before_compaction: config.snapshot_before_compaction,
            concurrent_compactors: config.concurrent_compactors,
            compaction_throughput_mib_per_s: config.compaction_throughput_mib_per_s,
            file_cache_bytes: config.file_cache_bytes,
            key_cache_bytes: config.caches.key_bytes,
            key_cache_save_period: config.caches.key_save_period,
            key_cache_keys_to_save: config.caches.keys_to_save,
            row_cache_bytes: config.caches.row_bytes,
            row_cache_save_period: config.caches.row_save_period,
            row_cache_keys_to_save: config.caches.rows_to_save,
            cache_load_timeout: config.caches.load_timeout,
            saved_caches_dir: config
                .caches
                .saved_dir
                .clone()
                .unwrap_or_else(|| config.data_dir.join("saved_caches")),
            commitlog_archive_dir: config.storage.commitlog_archive_dir.clone(),
            accept_commitlog_damage: config.storage.accept_commitlog_damage,
            memtable_bytes_total: config.storage.memtable_bytes,
            memtable_cleanup_threshold: config.storage.memtable_cleanup_threshold,
            flush_writers: config.storage.memtable_flush_writers,
            write_timeout: config.storage.write_timeout,
            disk_failure_policy: config.storage.disk_failure_policy,
            commit_failure_policy: config.storage.commit_failure_policy,
            on_failure: Some(failure.listener()),
            ..EngineOptions::new(config.data_dir.clone(), identity.host_id)
        };
        let started = runtime.clock().monotonic();
        let executor = executor::open(runtime, identity, options, config.batches)
            .map_err(|error| failed("storage", &error))?;
        if let Some((_, why)) = failure.now() {
            return Err(StartError::Failed(why));
        }
        executor.set_node_state(NodeState {
            settings: config.settings.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect(),
            ..NodeState::default()
        });
        let took_ms = (runtime.clock().monotonic() - started).as_millis() as u64;
        let stats = executor.coordinator().engine().stats();
        tracing::info!(took_ms, replayed = stats.replayed_entries_count, "storage is open");
        let hub = EventHub::new();
        let requests = Arc::new(Requests::new(executor.clone(), hub.clone()));
        let address = SocketAddr::new(config.rpc_address, config.native_transport_port);
        let limits = NativeLimits {
            connections_max: config.connections_max,
            request_bytes_max: config.max_frame_bytes,
            ..NativeLimits::default()
        };
        let switch = NativeSwitch::new(address, requests, hub, limits);
        let admin = Admin::new(runtime, executor.clone(), config.clone(), switch.clone());
        let admin = start_admin(runtime, config, admin)?;
        let native =
            switch.start(runtime).map_err(|error| failed(&format!("cannot listen on {address}"), &error))?;
        stop_serving_on_failure(runtime, &failure, native.stopper());
        Ok(Node { executor, native, admin, failure, _lock: lock })
    }

    /// Where `nodetool` finds the node, if anywhere.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(AdminServer::local_addr)
    }

    /// The address that clients use.
    pub fn native_address(&self) -> SocketAddr {
        self.native.local_addr()
    }

    /// What serves statements.
    pub fn executor(&self) -> &Arc<Executor> {
        &self.executor
    }

    /// What waits until a failed disk ends the node, as its policies say; gives the reason.
    pub fn failed(&self) -> impl Future<Output = String> + 'static {
        let failure = self.failure.clone();
        async move { failure.at_least(FailureAction::Die).await }
    }

    /// Drains: refuses new work, finishes what runs, syncs the commit log.
    pub async fn drain(self) -> Result<(), String> {
        self.native.shut_down(DRAIN_GRACE).await;
        self.executor.coordinator().engine().drain().await.map_err(|error| error.to_string())
    }
}

/// A port that somebody else has stops the start if it was asked for; else the node does without, as beside a
/// Cassandra on the same machine.
fn start_admin(
    runtime: &Runtime,
    config: &Config,
    admin: Arc<Admin>,
) -> Result<Option<AdminServer>, StartError> {
    let Some(port) = config.admin_port else { return Ok(None) };
    match AdminServer::start(runtime, port, admin) {
        Ok(server) => Ok(Some(server)),
        Err(error) if config.is_admin_port_set => Err(StartError::Failed(format!(
            "cannot listen on 127.0.0.1:{port} for nodetool (admin_port): {error}"
        ))),
        Err(error) => {
            tracing::warn!(
                "cannot listen on 127.0.0.1:{port}: {error}; nodetool cannot reach this node, choose another --admin-port"
            );
            Ok(None)
        }
    }
}

/// `disk_failure_policy: stop` and its kin: clients are let go, the process stays to be looked at.
fn stop_serving_on_failure(runtime: &Runtime, failure: &Arc<FailureSignal>, stopper: Stopper) {
    let failure = failure.clone();
    runtime.spawn_local(async move {
        let why = failure.at_least(FailureAction::StopServing).await;
        tracing::error!("clients are let go and not served any more: {why}");
        stopper.stop();
    });
}
