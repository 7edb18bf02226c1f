//! Configuration: cassandra.yaml's keys, with defaults that need no file.
//!
//! Sources, later ones win: defaults, the file of `--config`, environment variables `HELENUS_<KEY>`, `--set key=value`,
//! flags. A key that neither we nor Cassandra 5.0 know stops the start; one of Cassandra's that has no effect here (yet)
//! is named in a warning.
//!
//! Read in order: [`Config`], [`Sources`], [`value`] (durations and sizes as Cassandra writes them).

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ::storage::SyncMode;
use query::executor::BatchLimits;
use runtime::real::FileReads;
use serde_json::Value;

use crate::admin::protocol::DEFAULT_PORT;

mod batches;
mod caches;
mod nearest;
mod storage;
mod value;

use caches::CachesConfig;
use nearest::nearest;
pub use storage::StorageConfig;

/// Keys of Cassandra's, one a line.
const CASSANDRA_KEYS: &str = include_str!("config/cassandra_keys.txt");

/// What a node is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `cluster_name`
    pub cluster_name: String,
    /// `num_tokens`: tokens of a new node.
    pub num_tokens: usize,
    /// `data_dir`: everything is under it unless named on its own (ours).
    pub data_dir: PathBuf,
    /// `commitlog_directory`
    pub commitlog_directory: Option<PathBuf>,
    /// `rpc_address`: where clients connect; `listen_address` if it is not given.
    pub rpc_address: IpAddr,
    /// `native_transport_port`
    pub native_transport_port: u16,
    /// `listen_address`: where other nodes connect.
    pub listen_address: IpAddr,
    /// `storage_port`
    pub storage_port: u16,
    /// `commitlog_sync` with its period or window.
    pub commitlog_sync: SyncMode,
    /// `commitlog_segment_size`
    pub commitlog_segment_bytes: u32,
    /// `commitlog_total_space`
    pub commitlog_total_bytes: u64,
    /// `file_cache_size`: memory for blocks of SSTables.
    pub file_cache_bytes: u64,
    /// `file_reads` (ours): how files are read without making a request's thread wait: `auto`, `io_uring`, `threads`.
    pub file_reads: FileReads,
    /// The other caches.
    pub caches: CachesConfig,
    /// How large batches may be.
    pub batches: BatchLimits,
    /// The keys of the storage engine.
    pub storage: StorageConfig,
    /// `native_transport_max_frame_size`
    pub max_frame_bytes: usize,
    /// `native_transport_max_concurrent_connections`
    pub connections_max: usize,
    /// `admin_port` (ours): where `nodetool` finds the node, on 127.0.0.1; `None`: nowhere.
    pub admin_port: Option<u16>,
    /// `admin_port` was set: that it is taken stops the start.
    pub is_admin_port_set: bool,
    /// `auto_snapshot`
    pub auto_snapshot: bool,
    /// `incremental_backups`
    pub incremental_backups: bool,
    /// `snapshot_before_compaction`
    pub snapshot_before_compaction: bool,
    /// `concurrent_compactors`
    pub concurrent_compactors: usize,
    /// `compaction_throughput` in MiB/s; 0: no limit.
    pub compaction_throughput_mib_per_s: u64,
    /// `allow_anonymous_clients` (ours): serve clients without login on an address that others can reach.
    pub allow_anonymous_clients: bool,
    /// All that was set, for `system_views.settings`.
    pub settings: BTreeMap<String, String>,
    /// Keys of Cassandra's that have no effect.
    pub without_effect: Vec<String>,
}

/// Where settings come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The text of the file, and its name for errors.
    pub file: Option<(String, String)>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// `--set key=value`, in order.
    pub settings: Vec<(String, String)>,
}

/// Why the configuration cannot be used. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// Keys that are ours, or have an effect here.
const OUR_KEYS: [&str; 17] = [
    "allow_anonymous_clients",
    "authenticator",
    "authorizer",
    "cluster_name",
    "commitlog_directory",
    "commitlog_segment_size",
    "commitlog_sync",
    "commitlog_sync_group_window",
    "commitlog_sync_period",
    "commitlog_total_space",
    "data_dir",
    "data_file_directories",
    "listen_address",
    "native_transport_port",
    "num_tokens",
    "rpc_address",
    "storage_port",
];
/// More of them.
const OUR_LIMIT_KEYS: [&str; 4] = [
    "file_cache_size",
    "file_reads",
    "native_transport_max_concurrent_connections",
    "native_transport_max_frame_size",
];
/// What operators choose of administration, snapshots and compaction.
const OUR_OPERATOR_KEYS: [&str; 6] = [
    "admin_port",
    "auto_snapshot",
    "compaction_throughput",
    "concurrent_compactors",
    "incremental_backups",
    "snapshot_before_compaction",
];

/// Every key that has an effect here.
fn our_keys() -> impl Iterator<Item = &'static str> {
    OUR_KEYS
        .into_iter()
        .chain(OUR_LIMIT_KEYS)
        .chain(OUR_OPERATOR_KEYS)
        .chain(batches::KEYS)
        .chain(caches::KEYS)
        .chain(storage::KEYS)
}

/// Prefix of environment variables.
const ENVIRONMENT_PREFIX: &str = "HELENUS_";

impl Config {
    /// Reads all sources.
    pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
        let mut settings: BTreeMap<String, Value> = BTreeMap::new();
        if let Some((text, name)) = &sources.file {
            settings.extend(parse_file(text, name)?);
        }
        for (variable, text) in &sources.environment {
            if let Some(key) = variable.strip_prefix(ENVIRONMENT_PREFIX) {
                let key = key.to_lowercase();
                check_key(&key, &format!("environment variable {variable}"))?;
                settings.insert(key, scalar(text));
            }
        }
        for (key, text) in &sources.settings {
            check_key(key, &format!("--set {key}={text}"))?;
            settings.insert(key.clone(), scalar(text));
        }
        Config::from_settings(settings)
    }

    fn from_settings(settings: BTreeMap<String, Value>) -> Result<Config, ConfigError> {
        let known = |key: &str| our_keys().any(|known| known == key);
        let without_effect = settings.keys().filter(|key| !known(key)).cloned().collect();
        let shown = settings.iter().map(|(key, value)| (key.clone(), value::text(value))).collect();
        let reader = value::Reader::new(&settings);
        let data_dir = match reader.text("data_dir")? {
            Some(dir) => PathBuf::from(dir),
            None => reader.data_file_directory()?.unwrap_or_else(|| PathBuf::from("helenus-data")),
        };
        for (key, supported) in
            [("authenticator", "AllowAllAuthenticator"), ("authorizer", "AllowAllAuthorizer")]
        {
            if let Some(class) = reader.class(key)?
                && class.rsplit('.').next() != Some(supported)
            {
                return Err(ConfigError(format!(
                    "{key}: {class} is not yet supported by Helenus; only {supported} is. Logins and permissions come \
                     with a later step (see COMPAT.md)"
                )));
            }
        }
        let listen_address = reader.address("listen_address")?.unwrap_or(IpAddr::from([127, 0, 0, 1]));
        let segment_bytes =
            reader.bytes("commitlog_segment_size", 1 << 20, 1 << 30)?.unwrap_or(32 << 20) as u32;
        let config = Config {
            cluster_name: reader.text("cluster_name")?.unwrap_or_else(|| "Test Cluster".to_owned()),
            num_tokens: reader.number("num_tokens", 1, 1536)?.unwrap_or(16) as usize,
            data_dir,
            commitlog_directory: reader.text("commitlog_directory")?.map(PathBuf::from),
            rpc_address: reader.address("rpc_address")?.unwrap_or(listen_address),
            native_transport_port: reader.number("native_transport_port", 0, 65_535)?.unwrap_or(9042) as u16,
            listen_address,
            storage_port: reader.number("storage_port", 1, 65_535)?.unwrap_or(7000) as u16,
            commitlog_sync: sync_mode(&reader)?,
            commitlog_segment_bytes: segment_bytes,
            commitlog_total_bytes: reader
                .bytes("commitlog_total_space", 2 << 20, u64::MAX)?
                .unwrap_or(1 << 30),
            file_cache_bytes: reader
                .bytes("file_cache_size", 0, 1 << 40)?
                .unwrap_or_else(default_file_cache_bytes),
            file_reads: file_reads(&reader)?,
            caches: CachesConfig::read(&reader)?,
            batches: batches::read(&reader)?,
            storage: StorageConfig::read(&reader, segment_bytes)?,
            max_frame_bytes: reader
                .bytes("native_transport_max_frame_size", 1 << 10, 1 << 30)?
                .unwrap_or(16 << 20) as usize,
            connections_max: match reader.signed("native_transport_max_concurrent_connections")? {
                Some(count) if count > 0 => usize::try_from(count).unwrap_or(usize::MAX),
                _ => 16_384,
            },
            admin_port: admin_port(&reader)?,
            is_admin_port_set: reader.text("admin_port")?.is_some(),
            auto_snapshot: reader.boolean("auto_snapshot")?.unwrap_or(true),
            incremental_backups: reader.boolean("incremental_backups")?.unwrap_or(false),
            snapshot_before_compaction: reader.boolean("snapshot_before_compaction")?.unwrap_or(false),
            concurrent_compactors: reader.number("concurrent_compactors", 1, 1024)?.unwrap_or(2) as usize,
            compaction_throughput_mib_per_s: reader.mib_per_s("compaction_throughput")?.unwrap_or(64),
            allow_anonymous_clients: reader.boolean("allow_anonymous_clients")?.unwrap_or(false),
            settings: shown,
            without_effect,
        };
        config.check_exposure()?;
        Ok(config)
    }

    /// An address that others can reach without any login must be asked for by name (D13).
    fn check_exposure(&self) -> Result<(), ConfigError> {
        if self.rpc_address.is_loopback() || self.allow_anonymous_clients {
            return Ok(());
        }
        Err(ConfigError(format!(
            "rpc_address {} can be reached by others, and there is no login: anybody could read and delete everything. \
             Listen on 127.0.0.1, or say `allow_anonymous_clients: true` (--set allow_anonymous_clients=true) if that \
             is what you want",
            self.rpc_address
        )))
    }

    /// Where the commit log is.
    pub fn commitlog_dir(&self) -> PathBuf {
        self.commitlog_directory.clone().unwrap_or_else(|| self.data_dir.join("commitlog"))
    }
}

/// A port; `off` or 0 for none.
fn admin_port(reader: &value::Reader<'_>) -> Result<Option<u16>, ConfigError> {
    if matches!(reader.text("admin_port")?.as_deref(), Some("off" | "false" | "no")) {
        return Ok(None);
    }
    let port = reader.number("admin_port", 0, 65_535)?.map_or(DEFAULT_PORT, |port| port as u16);
    Ok((port != 0).then_some(port))
}

fn sync_mode(reader: &value::Reader<'_>) -> Result<SyncMode, ConfigError> {
    let period = reader.duration("commitlog_sync_period")?;
    let window = reader.duration("commitlog_sync_group_window")?;
    match reader.text("commitlog_sync")?.as_deref() {
        None | Some("group") => Ok(SyncMode::Group { window: window.unwrap_or(Duration::ZERO) }),
        Some("batch") => Ok(SyncMode::Batch),
        Some("periodic") => Ok(SyncMode::Periodic { period: period.unwrap_or(Duration::from_secs(10)) }),
        Some(other) => Err(ConfigError(format!(
            "commitlog_sync: {other} is no mode; there are group (default), batch and periodic"
        ))),
    }
}

/// As in Cassandra: 512 MiB, on a small machine a sixteenth of its memory.
fn default_file_cache_bytes() -> u64 {
    (runtime::real::memory_bytes().unwrap_or(u64::MAX) / 16).min(512 << 20)
}

fn file_reads(reader: &value::Reader<'_>) -> Result<FileReads, ConfigError> {
    match reader.text("file_reads")?.as_deref() {
        None | Some("auto") => Ok(FileReads::Best),
        Some("io_uring") => Ok(FileReads::Uring),
        Some("threads") => Ok(FileReads::Threads),
        Some(other) => Err(ConfigError(format!(
            "file_reads: {other} is no way to read; there are auto (default), io_uring and threads"
        ))),
    }
}

fn parse_file(text: &str, name: &str) -> Result<BTreeMap<String, Value>, ConfigError> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(BTreeMap::new());
    }
    let parsed: BTreeMap<String, Value> =
        serde_saphyr::from_str(text).map_err(|error| ConfigError(format!("{name}: {error}")))?;
    for key in parsed.keys() {
        let line =
            text.lines().position(|line| line.split(':').next().is_some_and(|start| start.trim_end() == key));
        let place = line.map_or_else(|| name.to_owned(), |line| format!("{name}, line {}", line + 1));
        check_key(key, &place)?;
    }
    // An empty value means the default.
    Ok(parsed.into_iter().filter(|(_, value)| !value.is_null()).collect())
}

fn cassandra_keys() -> impl Iterator<Item = &'static str> {
    CASSANDRA_KEYS.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

fn check_key(key: &str, place: &str) -> Result<(), ConfigError> {
    let all = || our_keys().chain(cassandra_keys());
    if all().any(|known| known == key) {
        return Ok(());
    }
    let hint = nearest(key, all()).map_or_else(String::new, |known| format!("; did you mean {known}?"));
    Err(ConfigError(format!("{place}: there is no setting {key}{hint}")))
}

/// A value given as text on the command line or in the environment.
fn scalar(text: &str) -> Value {
    Value::String(text.to_owned())
}

#[cfg(test)]
mod tests;
