//! Cassandra and Helenus, one after the other, under the same load: the server on one core, the client on another.
//!
//! Cassandra comes first, because the rate of the open loop is half of its own best.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use crate::load::{self, Figures};
use crate::server::{Server, fresh_dir, pin_self, resident_kib};
use crate::{LoadArguments, Outcome, Step, absolute, client};

/// What `bench compare` takes.
#[derive(Args)]
pub struct CompareArguments {
    /// Which servers, in this order
    #[arg(long, value_delimiter = ',', default_value = "cassandra,helenus", value_parser = ["cassandra", "helenus"])]
    servers: Vec<String>,
    /// The binary
    #[arg(long, default_value = "target/release/helenus")]
    helenus: PathBuf,
    /// The script that starts a real Cassandra
    #[arg(long, default_value = "scripts/oracle.sh")]
    oracle: PathBuf,
    /// Where Helenus listens
    #[arg(long, default_value = "127.0.0.1:29042")]
    helenus_address: SocketAddr,
    /// Where Cassandra listens
    #[arg(long, default_value = "127.0.0.1:29142")]
    cassandra_address: SocketAddr,
    /// Core for the server
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// Heap of Cassandra
    #[arg(long, default_value = "6G")]
    heap: String,
    /// Keys of Helenus' configuration, e.g. commitlog_sync=group
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Keys of Cassandra's configuration
    #[arg(long = "cassandra-set", value_name = "KEY=VALUE")]
    cassandra_settings: Vec<String>,
    /// Seconds of load before Cassandra is measured: its code is compiled meanwhile
    #[arg(long, default_value_t = 120.0)]
    cassandra_warm_up: f64,
    /// Seconds of load before Helenus is measured
    #[arg(long, default_value_t = 2.0)]
    helenus_warm_up: f64,
    /// Rounds of insert and read; the table shows medians
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Rate of the open loop; half of Cassandra's best if not given
    #[arg(long)]
    open_rate: Option<f64>,
    /// Directory for the servers' data; emptied
    #[arg(long, default_value = "target/bench-data")]
    dir: PathBuf,
}

/// The medians of one server.
struct Medians {
    name: String,
    insert: Figures,
    read: Figures,
    open: Vec<(Step, f64, Figures)>,
}

/// Measures both and prints a table.
pub fn compare(arguments: &CompareArguments, load: &LoadArguments) -> Outcome<()> {
    let mut load = load.clone();
    load.client_core.get_or_insert(1);
    pin_self(load.client_core)?;
    let mut all: Vec<Medians> = Vec::new();
    for name in &arguments.servers {
        let rates = match (arguments.open_rate, all.first()) {
            (Some(rate), _) => Some((rate, rate)),
            (None, Some(first)) => Some((first.insert.rate() / 2.0, first.read.rate() / 2.0)),
            (None, None) => None,
        };
        println!("{name}: {} keys, {} rounds of {} s", load.keys, arguments.rounds, load.seconds);
        let medians = measure(name, arguments, &load, rates)?;
        all.push(medians);
    }
    print_table(&all);
    Ok(())
}

fn measure(
    name: &str,
    arguments: &CompareArguments,
    load: &LoadArguments,
    rates: Option<(f64, f64)>,
) -> Outcome<Medians> {
    let dir = fresh_dir(&arguments.dir, name)?;
    let core = Some(arguments.server_core);
    let (server, warm_up) = if name == "helenus" {
        let binary = absolute(&arguments.helenus)?;
        let server = Server::helenus(&binary, &dir, arguments.helenus_address, core, &arguments.settings)?;
        (server, arguments.helenus_warm_up)
    } else {
        let script = absolute(&arguments.oracle)?;
        let (address, settings) = (arguments.cassandra_address, &arguments.cassandra_settings);
        let dir = absolute(&dir)?;
        (
            Server::cassandra(&script, &dir, address, core, &arguments.heap, settings)?,
            arguments.cassandra_warm_up,
        )
    };
    wait(&server)?;
    client::create_table(server.address, load)?;
    println!("{}", Figures::heading());
    step(&server, Step::Fill, load, "fill")?;
    warm(&server, load, Duration::from_secs_f64(warm_up))?;
    let (mut inserts, mut reads) = (Vec::new(), Vec::new());
    for round in 1..=arguments.rounds.max(1) {
        inserts.push(step(&server, Step::Insert, load, &format!("insert {round}"))?);
        reads.push(step(&server, Step::Read, load, &format!("read {round}"))?);
    }
    let (insert, read) = (median(inserts), median(reads));
    let (insert_rate, read_rate) = rates.unwrap_or((insert.rate() / 2.0, read.rate() / 2.0));
    let mut open = Vec::new();
    for (what, rate) in [(Step::Insert, insert_rate), (Step::Read, read_rate)] {
        let load = LoadArguments { rate: Some(rate), ..load.clone() };
        let label = format!("{} at {rate:.0}/s", format!("{what:?}").to_lowercase());
        open.push((what, rate, step(&server, what, &load, &label)?));
    }
    println!("memory: {:.0} MB RSS; {}", resident_kib(server.pid)? as f64 / 1024.0, load_average());
    Ok(Medians { name: name.to_owned(), insert, read, open })
}

fn wait(server: &Server) -> Outcome<()> {
    let began = Instant::now();
    loop {
        match client::Client::connect(server.address, wire::Version::V4) {
            Ok(_) => return Ok(()),
            Err(error) if began.elapsed() > Duration::from_secs(30) => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn step(server: &Server, what: Step, load: &LoadArguments, label: &str) -> Outcome<Figures> {
    let figures = load::run(server.address, Some(server.pid), what, load)?;
    println!("{}", figures.line(label));
    Ok(figures)
}

/// Inserts and reads in turns.
fn warm(server: &Server, load: &LoadArguments, length: Duration) -> Outcome<()> {
    let began = Instant::now();
    let mut what = Step::Insert;
    while began.elapsed() < length {
        let rest = (length - began.elapsed()).as_secs_f64();
        let load = LoadArguments { seconds: rest.clamp(0.5, 10.0), ..load.clone() };
        step(server, what, &load, &format!("(warming up: {what:?})").to_lowercase())?;
        what = if what == Step::Insert { Step::Read } else { Step::Insert };
    }
    Ok(())
}

/// The round in the middle by operations per CPU-second.
fn median(mut rounds: Vec<Figures>) -> Figures {
    let figure = |figures: &Figures| figures.per_cpu_second().unwrap_or_default();
    rounds.sort_by(|a, b| figure(a).total_cmp(&figure(b)));
    rounds.swap_remove(rounds.len() / 2)
}

fn load_average() -> String {
    let text = std::fs::read_to_string(Path::new("/proc/loadavg")).unwrap_or_default();
    format!("load average {}", text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

fn print_table(all: &[Medians]) {
    println!("\nmedians\n{}", Figures::heading());
    for server in all {
        println!("{}", server.insert.line(&format!("{} insert", server.name)));
        println!("{}", server.read.line(&format!("{} read", server.name)));
        for (what, rate, figures) in &server.open {
            let what = format!("{what:?}").to_lowercase();
            println!("{}", figures.line(&format!("{} {what}@{rate:.0}", server.name)));
        }
    }
    if let [first, second] = all {
        let ratio = |a: &Figures, b: &Figures| {
            b.per_cpu_second().unwrap_or_default() / a.per_cpu_second().unwrap_or(f64::NAN)
        };
        println!(
            "{} against {}, operations per CPU-second: insert {:.1} times, read {:.1} times",
            second.name,
            first.name,
            ratio(&first.insert, &second.insert),
            ratio(&first.read, &second.read)
        );
    }
}
