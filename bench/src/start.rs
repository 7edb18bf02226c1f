//! From exec to the first answered query on an empty directory, and the memory of an idle node.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use wire::Version;

use crate::client::Client;
use crate::server::{Server, fresh_dir, resident_kib};
use crate::{Outcome, absolute};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// What `bench start` takes.
#[derive(Args)]
pub struct StartArguments {
    /// The binary
    #[arg(long, default_value = "target/release/helenus")]
    helenus: PathBuf,
    /// Where it shall listen
    #[arg(long, default_value = "127.0.0.1:29042")]
    address: SocketAddr,
    /// Directory for its data; emptied
    #[arg(long, default_value = "target/bench-data")]
    dir: PathBuf,
    /// How many starts
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds before the idle memory is read
    #[arg(long, default_value_t = 5.0)]
    idle_seconds: f64,
    /// Core for the server
    #[arg(long)]
    server_core: Option<usize>,
    /// Keys of the configuration
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

/// Measures it.
pub fn start(arguments: &StartArguments) -> Outcome<()> {
    let binary = absolute(&arguments.helenus)?;
    let mut times = Vec::new();
    let mut memory = Vec::new();
    for round in 0..arguments.rounds.max(1) {
        let dir = fresh_dir(&arguments.dir, "start")?;
        let began = Instant::now();
        let server =
            Server::helenus(&binary, &dir, arguments.address, arguments.server_core, &arguments.settings)?;
        let took = first_answer(arguments.address, began)?;
        println!("start {}: first answer after {:.1} ms", round + 1, took.as_secs_f64() * 1e3);
        times.push(took);
        if round == 0 || arguments.rounds <= 2 {
            std::thread::sleep(Duration::from_secs_f64(arguments.idle_seconds));
            memory.push(resident_kib(server.pid)?);
        }
    }
    times.sort();
    println!("median of {}: {:.1} ms", times.len(), times[times.len() / 2].as_secs_f64() * 1e3);
    let idle = memory.iter().max().copied().unwrap_or_default();
    println!("idle memory after {} s: {:.1} MB RSS", arguments.idle_seconds, idle as f64 * 1024.0 / 1e6);
    Ok(())
}

fn first_answer(address: SocketAddr, began: Instant) -> Outcome<Duration> {
    loop {
        let answered = Client::connect(address, Version::V4)
            .and_then(|mut client| client.query("SELECT release_version FROM system.local"));
        match answered {
            Ok(_) => return Ok(began.elapsed()),
            Err(error) if began.elapsed() > ANSWER_TIMEOUT => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}
