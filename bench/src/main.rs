//! Measures a CQL server: operations per second and per CPU-second of the server, latencies, start and memory.
//!
//! A raw client that keeps many requests in flight, so that the server and not the client is measured. The README
//! beside this crate says how to read the figures.
//!
//! Read in order: [`load`] (the load and its client), [`client`] (handshake and preparing), [`server`] (the measured
//! process), [`compare`], [`engine`] and [`start`] (whole measurements), [`latency`].
//!
//! Never here: anything that the node needs.
#![expect(clippy::disallowed_methods, reason = "a client of its own, outside the node's runtime")]

mod load;

mod client;

mod server;

mod compare;

mod engine;

mod start;

mod latency;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use wire::Version;

/// What all parts of the program answer with when they fail: one line for the person who runs it.
type Outcome<T> = Result<T, String>;

/// Measures CQL servers.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Puts load on a server that runs already
    Run {
        /// Where it listens
        #[arg(long, default_value = "127.0.0.1:9042")]
        address: SocketAddr,
        /// Its process: CPU time is measured
        #[arg(long)]
        pid: Option<u32>,
        /// What to do, in this order
        #[arg(long, value_delimiter = ',', default_value = "fill,insert,read")]
        steps: Vec<Step>,
        #[command(flatten)]
        load: LoadArguments,
    },
    /// Starts Helenus and Cassandra, one after the other, and measures both in the same way
    Compare {
        #[command(flatten)]
        compare: compare::CompareArguments,
        #[command(flatten)]
        load: LoadArguments,
    },
    /// Data larger than memory: reads, slices, scans, compaction, writes meanwhile, and what more rows cost
    Engine {
        #[command(flatten)]
        engine: engine::EngineArguments,
    },
    /// Time from exec to the first answered query on an empty directory, and idle memory
    Start {
        #[command(flatten)]
        start: start::StartArguments,
    },
}

/// One part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Every key once, in order
    Fill,
    /// Rows of random keys
    Insert,
    /// Random keys
    Read,
}

/// The load.
#[derive(Args, Clone, Debug)]
struct LoadArguments {
    /// Keys, chosen uniformly
    #[arg(long, default_value_t = 1_000_000)]
    keys: u64,
    /// Seconds of each measured step
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Connections
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Requests in flight, over all connections
    #[arg(long, default_value_t = 256)]
    in_flight: usize,
    /// Requests a second (open loop); without it as many as there are answers
    #[arg(long)]
    rate: Option<f64>,
    /// Protocol version: 4 or 5
    #[arg(long, default_value = "4")]
    protocol: u8,
    /// Type of the key
    #[arg(long, default_value = "text", value_parser = ["text", "blob"])]
    key_type: String,
    /// Send a default timestamp with each request, as drivers do
    #[arg(long)]
    timestamps: bool,
    /// Core for this client
    #[arg(long)]
    client_core: Option<usize>,
}

impl LoadArguments {
    fn version(&self) -> Outcome<Version> {
        match self.protocol {
            4 => Ok(Version::V4),
            5 => Ok(Version::V5),
            other => Err(format!("--protocol {other}: 4 or 5")),
        }
    }

    fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run { address, pid, steps, load } => run(address, pid, &steps, &load),
        Command::Compare { compare, load } => compare::compare(&compare, &load),
        Command::Engine { engine } => engine::engine(&engine),
        Command::Start { start } => start::start(&start),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(address: SocketAddr, pid: Option<u32>, steps: &[Step], load: &LoadArguments) -> Outcome<()> {
    server::pin_self(load.client_core)?;
    client::create_table(address, load)?;
    println!("{}", load::Figures::heading());
    for step in steps {
        let figures = load::run(address, pid, *step, load)?;
        println!("{}", figures.line(&format!("{step:?}").to_lowercase()));
    }
    Ok(())
}

/// Where the helpers of a run lie.
fn absolute(path: &std::path::Path) -> Outcome<PathBuf> {
    path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))
}
