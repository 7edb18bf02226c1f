//! Who this node is, where data is, and what the cluster looks like: of one node today.

use std::time::Duration;

use cluster::Strategy;
use model::{PartitionKey, Table, Token};
use storage::CacheKind;

use super::{Admin, Console, Failure, Outcome};
use crate::admin::command::Parsed;
use crate::admin::table::TextTable;
use crate::admin::units;

/// Cassandra's version whose answers these are.
const RELEASE_VERSION: &str = "5.0.9";

impl Admin {
    pub(super) fn uptime(&self) -> Duration {
        self.runtime.clock().monotonic().saturating_sub(self.started)
    }

    pub(super) async fn version(&self, console: &Console) -> Outcome {
        console.line(format!("ReleaseVersion: {RELEASE_VERSION}")).await;
        Ok(())
    }

    /// Bytes of all SSTables: as stored, and uncompressed.
    fn load(&self) -> (u64, u64) {
        let schema = self.executor.schema();
        let stats = schema.tables().filter_map(|table| self.engine().table_stats(table.id));
        stats.fold((0, 0), |(stored, plain), one| {
            (stored + one.sstables_bytes, plain + one.uncompressed_bytes)
        })
    }

    pub(super) async fn info(&self, parsed: &Parsed, console: &Console) -> Outcome {
        let identity = self.executor.identity();
        let (stored, plain) = self.load();
        let engine = self.engine().stats();
        let mut lines: Vec<(&str, String)> = vec![
            ("ID", identity.host_id.to_string()),
            ("Gossip active", "true".to_owned()),
            ("Native Transport active", self.native.is_running().to_string()),
            ("Load", units::bytes(stored as f64)),
            ("Uncompressed load", units::bytes(plain as f64)),
            ("Generation No", self.generation_s().to_string()),
            ("Uptime (seconds)", self.uptime().as_secs().to_string()),
        ];
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let memtable_bytes_max = self.config.storage.memtable_bytes as u64;
        lines.push((
            "Heap Memory (MB)",
            format!("{:.2} / {:.2}", mib(engine.memtable_bytes as u64), mib(memtable_bytes_max)),
        ));
        lines.push(("Off Heap Memory (MB)", format!("{:.2}", mib(self.resident_bytes()))));
        lines.push(("Data Center", identity.data_center.clone()));
        lines.push(("Rack", identity.rack.clone()));
        lines.push(("Exceptions", engine.failures_count.to_string()));
        lines.extend(self.cache_lines());
        lines.push(("Percent Repaired", format!("{}%", units::java_double(self.percent_repaired()))));
        if parsed.has("-T") {
            let mut tokens = identity.tokens.clone();
            tokens.sort_unstable();
            lines.extend(tokens.iter().map(|token| ("Token", token.0.to_string())));
        } else {
            let count = identity.tokens.len();
            lines.push(("Token", format!("(invoke with -T/--tokens to see all {count} tokens)")));
        }
        lines.push(("Bootstrap state", "COMPLETED".to_owned()));
        lines.push(("Bootstrap failed", "false".to_owned()));
        lines.push(("Decommissioning", "false".to_owned()));
        lines.push(("Decommission failed", "false".to_owned()));
        let text: String = lines.iter().map(|(name, value)| format!("{name:<23}: {value}\n")).collect();
        console.text(text).await;
        Ok(())
    }

    /// Of the data that has other replicas, as Cassandra counts it.
    fn percent_repaired(&self) -> f64 {
        let schema = self.executor.schema();
        let topology = self.executor.coordinator().topology();
        let is_shared = |keyspace: &&std::sync::Arc<model::Keyspace>| {
            Strategy::of(&keyspace.replication).replication_factor(topology) > 1
        };
        let tables = schema.keyspaces.values().filter(is_shared).flat_map(|one| one.tables.values());
        let (repaired, all) = tables
            .filter_map(|table| self.engine().table_stats(table.id))
            .fold((0, 0), |(repaired, all), one| {
                (repaired + one.repaired_bytes, all + one.uncompressed_bytes)
            });
        if all == 0 { 100.0 } else { repaired as f64 * 100.0 / all as f64 }
    }

    fn cache_lines(&self) -> Vec<(&'static str, String)> {
        let kinds = [
            ("Key Cache", CacheKind::Key),
            ("Row Cache", CacheKind::Row),
            ("Counter Cache", CacheKind::Counter),
            ("Chunk Cache", CacheKind::Block),
        ];
        let line = |kind: CacheKind| {
            let stats = self.engine().cache_stats(kind);
            let rate = match stats.requests {
                0 => "NaN".to_owned(),
                requests => format!("{:.3}", stats.hits as f64 / requests as f64),
            };
            format!(
                "entries {}, size {}, capacity {}, {} hits, {} requests, {rate} recent hit rate, \
                 {} save period in seconds",
                stats.entries,
                units::bytes(stats.bytes as f64),
                units::bytes(stats.capacity_bytes as f64),
                stats.hits,
                stats.requests,
                self.engine().cache_save_period(kind).as_secs()
            )
        };
        kinds.map(|(name, kind)| (name, line(kind))).to_vec()
    }

    /// Second at which the node came up.
    fn generation_s(&self) -> i64 {
        let up_s = i64::try_from(self.uptime().as_secs()).unwrap_or(0);
        self.runtime.clock().wall_s() - up_s
    }

    /// Memory that the process takes, as the kernel counts it; 0 where it does not say.
    fn resident_bytes(&self) -> u64 {
        let disk = self.runtime.disk();
        let path = std::path::Path::new("/proc/self/statm");
        let mut text = [0; 128];
        let read = disk.open(path, runtime::OpenMode::Read).and_then(|file| file.read_at(&mut text, 0));
        let text = String::from_utf8_lossy(&text[..read.unwrap_or(0)]).into_owned();
        let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        pages * 4096
    }

    pub(super) async fn status(&self, parsed: &Parsed, console: &Console) -> Outcome {
        if let Some(keyspace) = parsed.argument(0)
            && self.executor.schema().keyspace(keyspace).is_none()
        {
            return Err(Failure::Failed(format!("The keyspace {keyspace}, does not exist")));
        }
        let identity = self.executor.identity();
        let (stored, _) = self.load();
        let mut text = format!("Datacenter: {}\n", identity.data_center);
        text.push_str(&"=".repeat(text.trim_end().len()));
        text.push_str("\nStatus=Up/Down\n|/ State=Normal/Leaving/Joining/Moving\n");
        let mut table = TextTable::new("  ");
        table.row(["--", "Address", "Load", "Tokens", "Owns (effective)", "Host ID", "Rack"]);
        let address = identity.storage.0;
        let is_loopback = address.is_loopback();
        let address = match parsed.has("-r") && is_loopback {
            true => "localhost".to_owned(),
            false => address.to_string(),
        };
        table.row([
            "UN".to_owned(),
            address,
            units::bytes(stored as f64),
            identity.tokens.len().to_string(),
            "100.0%".to_owned(),
            identity.host_id.to_string(),
            identity.rack.clone(),
        ]);
        text.push_str(&table.to_text());
        console.text(format!("{text}\n")).await;
        Ok(())
    }

    pub(super) async fn ring(&self, parsed: &Parsed, console: &Console) -> Outcome {
        if let Some(keyspace) = parsed.argument(0)
            && self.executor.schema().keyspace(keyspace).is_none()
        {
            return Err(Failure::Failed(format!("The keyspace {keyspace}, does not exist")));
        }
        let identity = self.executor.identity();
        let mut tokens = identity.tokens.clone();
        tokens.sort_unstable();
        let load = units::bytes(self.load().0 as f64);
        let address = identity.storage.0.to_string();
        let width = address.len().max("Address".len());
        let row =
            |address: &str, rack: &str, status: &str, state: &str, load: &str, owns: &str, token: &str| {
                format!("{address:<width$}  {rack:<12}{status:<7}{state:<8}{load:<16}{owns:<20}{token:<44}\n")
            };
        let mut text = format!("\nDatacenter: {}\n==========\n", identity.data_center);
        text.push_str(&row("Address", "Rack", "Status", "State", "Load", "Owns", "Token"));
        if let Some(last) = tokens.last() {
            text.push_str(&row("", "", "", "", "", "", &last.0.to_string()));
        }
        for token in &tokens {
            let token = token.0.to_string();
            text.push_str(&row(&address, &identity.rack, "Up", "Normal", &load, "100.00%", &token));
        }
        text.push_str(
            "\n  Warning: \"nodetool ring\" is used to output all the tokens of a node.\n  \
             To view status related info of a node use \"nodetool status\" instead.\n\n\n  ",
        );
        console.text(text).await;
        Ok(())
    }

    pub(super) async fn describe_cluster(&self, console: &Console) -> Outcome {
        let identity = self.executor.identity();
        let schema = self.executor.schema();
        let address = identity.storage.0;
        let mut text = format!(
            "Cluster Information:\n\tName: {}\n\tSnitch: org.apache.cassandra.locator.SimpleSnitch\n\
             \tDynamicEndPointSnitch: enabled\n\tPartitioner: org.apache.cassandra.dht.Murmur3Partitioner\n\
             \tSchema versions:\n\t\t{}: [{address}]\n\nStats for all nodes:\n\tLive: 1\n\tJoining: 0\n\tMoving: 0\n\
             \tLeaving: 0\n\tUnreachable: 0\n\nData Centers: \n\t{} #Nodes: 1 #Down: 0\n\nDatabase versions:\n\
             \t{RELEASE_VERSION}: [{address}:{}]\n\nKeyspaces:\n",
            identity.cluster_name, schema.version, identity.data_center, identity.storage.1
        );
        for keyspace in schema.keyspaces.values() {
            if query::system::definitions::is_virtual(&keyspace.name) {
                continue;
            }
            let class = keyspace.replication.get("class").map_or("", String::as_str);
            let class = class.rsplit('.').next().unwrap_or(class);
            let options: Vec<String> = keyspace
                .replication
                .iter()
                .filter(|(name, _)| *name != "class")
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            text.push_str(&format!(
                "\t{} -> Replication class: {class} {{{}}}\n",
                keyspace.name,
                options.join(", ")
            ));
        }
        console.text(text).await;
        Ok(())
    }

    /// Those of a single node's requests: Cassandra's defaults.
    pub(super) async fn timeout(&self, parsed: &Parsed, console: &Console) -> Outcome {
        let Some(kind) = parsed.argument(0) else {
            return Err(Failure::usage("gettimeout requires a timeout type"));
        };
        let key = match kind {
            "read" => "read_request_timeout",
            "range" => "range_request_timeout",
            "write" => "write_request_timeout",
            "counterwrite" => "counter_write_request_timeout",
            "cascontention" => "cas_contention_timeout",
            "truncate" => "truncate_request_timeout",
            "misc" => "request_timeout",
            "internodeconnect" | "internodeuser" | "internodestreaminguser" => {
                return Err(Failure::Plain(format!(
                    "nodetool: {kind}: there are no connections between nodes yet"
                )));
            }
            other => {
                return Err(Failure::usage(format!(
                    "Invalid timeout type: {other}; there are read, range, write, counterwrite, cascontention, \
                     truncate, misc"
                )));
            }
        };
        let default_ms = match kind {
            "read" => "5000",
            "write" => "2000",
            "counterwrite" => "5000",
            "cascontention" => "1800",
            "truncate" => "60000",
            _ => "10000",
        };
        let value = self.config.settings.get(key).map_or(default_ms, String::as_str).trim_end_matches("ms");
        console.line(format!("Current timeout for type {kind}: {value} ms")).await;
        Ok(())
    }

    pub(super) async fn data_paths(&self, parsed: &Parsed, console: &Console) -> Outcome {
        let mut tables = Vec::new();
        if parsed.arguments.is_empty() {
            tables = self.tables(parsed)?;
        }
        for wanted in &parsed.arguments {
            let (keyspace, name) = match wanted.split_once('.') {
                Some((keyspace, name)) => (keyspace, vec![name.to_owned()]),
                None => (wanted.as_str(), Vec::new()),
            };
            tables.extend(self.tables_of(keyspace, &name)?);
        }
        let mut last = None;
        for table in tables {
            if last.as_ref() != Some(&table.keyspace) {
                console.line(format!("Keyspace: {}", table.keyspace)).await;
                last = Some(table.keyspace.clone());
            }
            let path = self.engine().table_dir(&table);
            console.line(format!("\tTable: {}\n\tPaths:\n\t\t{}\n", table.name, path.display())).await;
        }
        Ok(())
    }

    /// A partition key as typed: columns with `:` between them.
    pub(super) fn partition_key(&self, table: &Table, text: &str) -> Result<PartitionKey, Failure> {
        let parts: Vec<&str> = match table.partition_key.len() {
            1 => vec![text],
            count => text.splitn(count, ':').collect(),
        };
        if parts.len() != table.partition_key.len() {
            return Err(Failure::usage(format!(
                "the partition key of {}.{} has {} columns: write them with ':' between them",
                table.keyspace,
                table.name,
                table.partition_key.len()
            )));
        }
        query::schema::outside::partition_key_of_text(table, &parts)
            .map_err(|why| Failure::usage(format!("{text} is no partition key: {why}")))
    }

    pub(super) async fn endpoints(&self, parsed: &Parsed, console: &Console) -> Outcome {
        let [keyspace, name, key] = &parsed.arguments[..] else {
            return Err(Failure::usage("getendpoints requires keyspace, table and partition key arguments"));
        };
        let table = self.tables_of(keyspace, std::slice::from_ref(name))?.remove(0);
        let token: Token = self.partition_key(&table, key)?.token;
        let schema = self.executor.schema();
        let replication =
            schema.keyspace(keyspace).map(|found| found.replication.clone()).unwrap_or_default();
        let topology = self.executor.coordinator().topology();
        for node in Strategy::of(&replication).replicas(topology, token) {
            console.line(node.address).await;
        }
        Ok(())
    }

    pub(super) async fn sstables_of_key(&self, parsed: &Parsed, console: &Console) -> Outcome {
        let [keyspace, name, key] = &parsed.arguments[..] else {
            return Err(Failure::usage("getsstables requires ks, cf and key args"));
        };
        let table = self.tables_of(keyspace, std::slice::from_ref(name))?.remove(0);
        let key = self.partition_key(&table, key)?;
        for descriptor in self.engine().sstables_with(table.id, &key) {
            console.line(descriptor.path(storage::Component::Data).display()).await;
        }
        Ok(())
    }
}
