//! The one binary: starts a node, or does one of the jobs that a subcommand names. (`shell` and the rest come later.)

use std::path::PathBuf;
use std::process::ExitCode;
use std::task::Poll;

use clap::{Parser, Subcommand};
use runtime::Disk;
use runtime::real::{RealDisk, RealRuntime, default_shard_count, process_id};
use server::config::{Config, Sources};
use server::node::Node;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Helenus: a database that every Cassandra client already knows how to use.
///
/// Without arguments it starts a node on 127.0.0.1:9042 with its data in ./helenus-data.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    job: Option<Job>,
    /// Directory for all data
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Address to listen on, for clients and other nodes
    #[arg(long, value_name = "ADDR")]
    listen_address: Option<String>,
    /// Port for CQL clients
    #[arg(long, value_name = "PORT")]
    native_transport_port: Option<u16>,
    /// Port for `helenus nodetool`, on 127.0.0.1 only; 0 for none
    #[arg(long, value_name = "PORT")]
    admin_port: Option<u16>,
    /// A cassandra.yaml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Overrides a key of cassandra.yaml; may repeat
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// How log lines look
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    log_format: String,
}

/// What else the binary can do. Each job is a function of a crate below; here is only which.
#[derive(Subcommand)]
enum Job {
    /// Speaks to a running node, with the commands of Cassandra's nodetool
    #[command(disable_help_flag = true)]
    Nodetool {
        /// See `helenus nodetool help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Looks at SSTables, judges and saves them, without a node
    #[command(subcommand)]
    Sstable(tools::SsTableCommand),
    /// Takes over the schema and data of a stopped Cassandra
    Import(tools::ImportCommand),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(job) = arguments.job {
        return match job {
            Job::Nodetool { arguments } => server::admin::nodetool::run(arguments),
            Job::Sstable(command) => tools::command::sstable(command),
            Job::Import(command) => tools::command::import(command),
        };
    }
    init_log(&arguments.log_format);
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("helenus: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), String> {
    let config = Config::load(&sources(&arguments)?).map_err(|error| error.to_string())?;
    let real = RealRuntime::start_with(default_shard_count(), config.file_reads)
        .map_err(|error| format!("cannot start threads: {error}"))?;
    real.block_on(move |runtime| async move {
        let node = Node::start(&runtime, &config, process_id()).map_err(|error| error.to_string())?;
        tracing::info!(address = %node.native_address(), data_dir = %config.data_dir.display(), "ready for CQL clients");
        let mut failed = std::pin::pin!(node.failed());
        let mut termination = std::pin::pin!(runtime.termination());
        let ended = std::future::poll_fn(|cx| match failed.as_mut().poll(cx) {
            Poll::Ready(why) => Poll::Ready(Err(why)),
            Poll::Pending => termination.as_mut().poll(cx).map(Ok),
        });
        match ended.await {
            Ok(signal) => {
                let signal = signal.map_err(|error| format!("cannot wait for signals: {error}"))?;
                tracing::info!(?signal, "draining");
            }
            // As `disk_failure_policy: die` wants it: at once.
            Err(why) => return Err(why),
        }
        node.drain().await?;
        tracing::info!("drained");
        Ok(())
    })
}

fn sources(arguments: &Arguments) -> Result<Sources, String> {
    let mut sources = Sources { environment: std::env::vars().collect(), ..Sources::default() };
    if let Some(path) = &arguments.config {
        let name = path.display().to_string();
        let bytes = RealDisk.read_all(path).map_err(|error| format!("{name}: {error}"))?;
        let text = String::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8 text"))?;
        sources.file = Some((text, name));
    }
    for setting in &arguments.settings {
        let (key, value) =
            setting.split_once('=').ok_or_else(|| format!("--set {setting}: write --set key=value"))?;
        sources.settings.push((key.trim().to_owned(), value.to_owned()));
    }
    let mut set = |key: &str, value: String| sources.settings.push((key.to_owned(), value));
    if let Some(dir) = &arguments.data_dir {
        set("data_dir", dir.display().to_string());
    }
    if let Some(address) = &arguments.listen_address {
        set("listen_address", address.clone());
        set("rpc_address", address.clone());
    }
    if let Some(port) = arguments.admin_port {
        set("admin_port", port.to_string());
    }
    if let Some(port) = arguments.native_transport_port {
        set("native_transport_port", port.to_string());
    }
    Ok(sources)
}

/// Lines for people, or JSON. `RUST_LOG` chooses what is logged; `info` if it is not set.
fn init_log(format: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if format == "json" {
        builder.json().init();
    } else {
        builder.with_target(false).init();
    }
}
