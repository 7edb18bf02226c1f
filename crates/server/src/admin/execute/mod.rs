//! Commands carried out on this node.
//!
//! Read in order: [`Admin`] (what commands work on), [`Console`] (where their words go), `dispatch` (which function
//! is which command), [`operations`] (flush, compact and their kin), [`snapshots`], [`compaction`] (its state and
//! switches), [`cluster`] (who and where), [`statistics`] (numbers of tables).

mod cluster;
mod compaction;
mod operations;
mod snapshots;
mod statistics;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::Table;
use query::executor::Executor;
use query::system::definitions;
use runtime::Runtime;
use storage::Engine;
use tokio::sync::mpsc;

use super::command::{self, CommandError, Parsed};
use super::protocol::{Line, Progress};
use crate::config::Config;
use crate::native::NativeSwitch;

/// How often progress is told.
const PROGRESS_PERIOD: Duration = Duration::from_millis(300);

/// How commands begin that only ask: they are not logged.
const ASKING: [&str; 12] = [
    "compactionhistory",
    "compactionstats",
    "datapaths",
    "describe",
    "get",
    "help",
    "info",
    "list",
    "ring",
    "status",
    "table",
    "version",
];

/// What commands work on.
pub struct Admin {
    runtime: Runtime,
    executor: Arc<Executor>,
    config: Config,
    native: Arc<NativeSwitch>,
    /// Monotonic time at the start.
    started: Duration,
}

/// Where the words of a command go. A client that is gone hears nothing; its command goes on.
#[derive(Clone)]
pub struct Console(mpsc::Sender<Line>);

impl Console {
    pub fn new(lines: mpsc::Sender<Line>) -> Console {
        Console(lines)
    }

    async fn send(&self, line: Line) {
        // Nobody listens any more.
        let _gone = self.0.send(line).await;
    }

    /// Text for standard output; ends with a line's end.
    async fn line(&self, text: impl fmt::Display) {
        self.send(Line::Out(format!("{text}\n"))).await;
    }

    /// Text for standard output as it is.
    async fn text(&self, text: String) {
        if !text.is_empty() {
            self.send(Line::Out(text)).await;
        }
    }
}

/// Why a command failed, by how Cassandra's tool says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The words make no sense: with a hint at `help`; ends with 1.
    Usage(String),
    /// This text alone; ends with 1.
    Plain(String),
    /// It went wrong; ends with 2.
    Failed(String),
}

impl Failure {
    fn usage(text: impl Into<String>) -> Failure {
        Failure::Usage(text.into())
    }
}

impl From<storage::OpenError> for Failure {
    fn from(error: storage::OpenError) -> Failure {
        Failure::Failed(error.to_string())
    }
}

type Outcome = Result<(), Failure>;

impl Admin {
    /// Commands work on this node.
    pub fn new(
        runtime: &Runtime,
        executor: Arc<Executor>,
        config: Config,
        native: Arc<NativeSwitch>,
    ) -> Arc<Admin> {
        let started = runtime.clock().monotonic();
        Arc::new(Admin { runtime: runtime.clone(), executor, config, native, started })
    }

    /// Carries out a command; the console hears all of it, at last how it ended.
    pub async fn run(&self, words: &[String], console: Console) {
        let code = match command::parse(words) {
            Ok(parsed) => {
                if !ASKING.iter().any(|prefix| parsed.spec.name.starts_with(prefix)) {
                    tracing::info!(command = %words.join(" "), "nodetool");
                }
                match self.dispatch(&parsed, &console).await {
                    Ok(()) => 0,
                    Err(failure) => {
                        let (text, code) = match failure {
                            Failure::Usage(text) => (CommandError::Usage(text).to_string(), 1),
                            Failure::Plain(text) => (text, 1),
                            Failure::Failed(text) => (format!("error: {text}"), 2),
                        };
                        console.send(Line::Error(format!("{text}\n"))).await;
                        code
                    }
                }
            }
            Err(error) => {
                console.send(Line::Error(format!("{error}\n"))).await;
                1
            }
        };
        console.send(Line::Exit(code)).await;
    }

    async fn dispatch(&self, parsed: &Parsed, console: &Console) -> Outcome {
        match parsed.spec.name {
            "flush" => self.flush(parsed).await,
            "drain" => self.drain().await,
            "compact" | "forcecompact" => self.compact(parsed, console).await,
            "garbagecollect" => self.garbage_collect(parsed, console).await,
            "cleanup" => self.cleanup(parsed, console).await,
            "scrub" => self.scrub(parsed, console).await,
            "verify" => self.verify(parsed, console).await,
            "upgradesstables" => self.upgrade(parsed, console).await,
            "invalidatekeycache" | "invalidaterowcache" | "invalidatecountercache" => {
                self.invalidate(parsed.spec.name)
            }
            "compactionstats" => self.compaction_stats(parsed, console).await,
            "compactionhistory" => self.compaction_history(parsed, console).await,
            "stop" => self.stop(parsed),
            "enableautocompaction" => self.set_auto_compaction(parsed, true),
            "disableautocompaction" => self.set_auto_compaction(parsed, false),
            "statusautocompaction" => self.auto_compaction(parsed, console).await,
            "getcompactionthroughput" => self.compaction_throughput(console).await,
            "setcompactionthroughput" => self.set_compaction_throughput(parsed),
            "getconcurrentcompactors" => self.concurrent_compactors(console).await,
            "setconcurrentcompactors" => self.set_concurrent_compactors(parsed),
            "getcompactionthreshold" => self.compaction_threshold(parsed, console).await,
            "snapshot" => self.snapshot(parsed, console).await,
            "listsnapshots" => self.list_snapshots(parsed, console).await,
            "clearsnapshot" => self.clear_snapshots(parsed, console).await,
            "import" => self.import(parsed, console).await,
            "refresh" => self.refresh(parsed, console).await,
            "enablebackup" => self.set_backup(true),
            "disablebackup" => self.set_backup(false),
            "statusbackup" => self.backup(console).await,
            "tablestats" => self.table_stats(parsed, console).await,
            "tablehistograms" => self.table_histograms(parsed, console).await,
            "info" => self.info(parsed, console).await,
            "status" => self.status(parsed, console).await,
            "ring" => self.ring(parsed, console).await,
            "version" => self.version(console).await,
            "describecluster" => self.describe_cluster(console).await,
            "disablebinary" => {
                self.native.disable(&self.runtime, parsed.has("-f")).await;
                Ok(())
            }
            "enablebinary" => self.native.enable(&self.runtime).await.map_err(Failure::Failed),
            "statusbinary" => {
                console.line(if self.native.is_running() { "running" } else { "not running" }).await;
                Ok(())
            }
            "statusgossip" => {
                console.line("running").await;
                Ok(())
            }
            "gettimeout" => self.timeout(parsed, console).await,
            "gettraceprobability" => {
                console.line("Current trace probability: 0.0").await;
                Ok(())
            }
            "datapaths" => self.data_paths(parsed, console).await,
            "getendpoints" => self.endpoints(parsed, console).await,
            "getsstables" => self.sstables_of_key(parsed, console).await,
            "help" => {
                console.text(super::usage::help(parsed.argument(0))).await;
                Ok(())
            }
            other => Err(Failure::Plain(CommandError::Later(other.to_owned()).to_string())),
        }
    }

    fn engine(&self) -> &Arc<Engine> {
        self.executor.coordinator().engine()
    }

    /// The tables that an operation on data is for: all of no keyspace named, of one keyspace, or those named.
    fn tables(&self, parsed: &Parsed) -> Result<Vec<Arc<Table>>, Failure> {
        let schema = self.executor.schema();
        let Some(keyspace) = parsed.argument(0) else {
            let stored = schema.tables().filter(|table| !table.is_virtual);
            return Ok(stored.cloned().collect());
        };
        self.tables_of(keyspace, &parsed.arguments[1..])
    }

    fn tables_of(&self, keyspace: &str, names: &[String]) -> Result<Vec<Arc<Table>>, Failure> {
        let schema = self.executor.schema();
        let Some(found) = schema.keyspace(keyspace).filter(|found| !definitions::is_virtual(&found.name))
        else {
            return Err(Failure::usage(format!("Keyspace [{keyspace}] does not exist.")));
        };
        if names.is_empty() {
            return Ok(found.tables.values().cloned().collect());
        }
        let table = |name: &String| {
            let table = found.tables.get(name.as_str()).cloned();
            table.ok_or_else(|| Failure::Failed(format!("Unknown keyspace/cf pair ({keyspace}.{name})")))
        };
        names.iter().map(table).collect()
    }

    /// As [`Admin::tables`], without the system's own unless they are named: nobody wants them rewritten.
    fn users_tables(&self, parsed: &Parsed) -> Result<Vec<Arc<Table>>, Failure> {
        let mut tables = self.tables(parsed)?;
        if parsed.arguments.is_empty() {
            tables.retain(|table| !definitions::is_local(&table.keyspace));
        }
        Ok(tables)
    }

    /// Waits for an operation and tells how far those that run are.
    async fn with_progress<T>(&self, console: &Console, operation: impl Future<Output = T>) -> T {
        let mut operation = std::pin::pin!(operation);
        loop {
            if let Ok(outcome) = self.runtime.timeout(PROGRESS_PERIOD, operation.as_mut()).await {
                return outcome;
            }
            for running in self.engine().compaction_stats().running {
                let what = format!("{} {}.{}", running.kind, running.keyspace, running.table);
                let progress = Progress { what, done: running.completed_bytes, total: running.total_bytes };
                console.send(Line::Progress(progress)).await;
            }
        }
    }
}
