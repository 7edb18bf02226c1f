//! The storage engine under data larger than its memory: `bench engine`.
//!
//! All servers are up on one core, and take turns with the same work, part by part: fill, point reads, slices, a full
//! scan, `compact` of what was filled, writes at a rate beside an idle server and beside flushes and compactions, and
//! the cost of small rows as they become more. A turn begins when the others have come to rest.
//!
//! Read in order: [`EngineArguments`], [`engine`], [`Part`], the parts in [`Bench`], [`rows`] (what is asked), [`report`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use stdx::prng::Prng;
use wire::Version;

use crate::client::Client;
use crate::load::{Figures, Pressure, Work, drive};
use crate::server::{Server, cpu_seconds, fresh_dir, pin_self};
use crate::{Outcome, absolute};

mod rows;

mod scan;

mod watch;

mod report;

use report::{Report, Row};
use rows::{Fill, Layout, PointRead, Slice, Small};
use watch::{MemoryWatch, data_files};

const KEYSPACE: &str = "CREATE KEYSPACE IF NOT EXISTS bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}";
const START_MAX: Duration = Duration::from_secs(60);
const WARM_UP: Duration = Duration::from_millis(500);
/// Writes at a rate: this share of what the fill reached.
const RATE_SHARE: f64 = 0.25;
const AFTER_COMPACT: Duration = Duration::from_secs(3);
/// A server rests if it takes less than this share of a core for this long; it is waited for this long at most.
const REST_SHARE: f64 = 0.05;
const REST: Duration = Duration::from_secs(2);
const REST_WAIT_MAX: Duration = Duration::from_secs(300);
const MIB: u64 = 1 << 20;

/// Shares of the time of one server that a part may take at most; `compact` takes what it takes.
const FILL: f64 = 0.40;
const READ: f64 = 0.05;
const SCAN: f64 = 0.10;
const WRITE: f64 = 0.08;
const SMALL: f64 = 0.15;

/// What `bench engine` takes.
#[derive(Args)]
pub struct EngineArguments {
    /// Which servers; they take turns in this order
    #[arg(long, value_delimiter = ',', default_value = "helenus", value_parser = ["cassandra", "helenus"])]
    servers: Vec<String>,
    /// Minutes for each server, about; parts that would take longer are cut, and the table says so
    #[arg(long, default_value_t = 20.0)]
    minutes: f64,
    /// Memory for memtables and file cache together, half for each
    #[arg(long, default_value_t = 512)]
    memory_mib: u64,
    /// Seconds that reads, and writes at a rate, are measured at most
    #[arg(long)]
    seconds: Option<f64>,
    /// GiB of rows to fill; four times the memory if not given
    #[arg(long)]
    gib: Option<f64>,
    /// Rows in each partition
    #[arg(long, default_value_t = 200)]
    rows_per_partition: u64,
    /// How often reads, slices and the scan are measured; the table shows medians
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// How many small rows, one table after the other
    #[arg(long, value_delimiter = ',', default_value = "1000000,10000000")]
    small_rows: Vec<u64>,
    /// Writes a second beside flush and compaction; a quarter of the fill's rate if not given
    #[arg(long)]
    rate: Option<f64>,
    /// Where the figures go as JSON
    #[arg(long, default_value = "target/bench-engine.json")]
    json: PathBuf,
    /// The binary
    #[arg(long, default_value = "target/release/helenus")]
    helenus: PathBuf,
    /// The script that starts a real Cassandra
    #[arg(long, default_value = "scripts/oracle.sh")]
    oracle: PathBuf,
    /// Where Helenus listens
    #[arg(long, default_value = "127.0.0.1:29042")]
    helenus_address: SocketAddr,
    /// Helenus' port for nodetool
    #[arg(long, default_value_t = 29043)]
    admin_port: u16,
    /// Where Cassandra listens
    #[arg(long, default_value = "127.0.0.1:29142")]
    cassandra_address: SocketAddr,
    /// Core for the server
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// Core for this client
    #[arg(long, default_value_t = 1)]
    client_core: usize,
    /// Heap of Cassandra
    #[arg(long, default_value = "4G")]
    heap: String,
    /// Keys of Helenus' configuration
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Keys of Cassandra's configuration
    #[arg(long = "cassandra-set", value_name = "KEY=VALUE")]
    cassandra_settings: Vec<String>,
    /// Requests in flight
    #[arg(long, default_value_t = 256)]
    in_flight: usize,
    /// Directory for the servers' data; emptied
    #[arg(long, default_value = "target/bench-data")]
    dir: PathBuf,
}

/// Measures all servers and prints one table.
pub fn engine(arguments: &EngineArguments) -> Outcome<()> {
    pin_self(Some(arguments.client_core))?;
    let mut benches =
        arguments.servers.iter().map(|name| Bench::start(name, arguments)).collect::<Outcome<Vec<_>>>()?;
    for part in Part::all(arguments) {
        println!("\n{part:?}\n{}", Row::heading());
        for turn in 0..benches.len() {
            for other in benches.iter().filter(|bench| !bench.has_failed) {
                other.rest()?;
            }
            let bench = &mut benches[turn];
            if bench.has_failed {
                continue;
            }
            if let Err(error) = bench.part(part) {
                println!("{} FAILED in {part:?}: {error}", bench.report.name);
                // Without rows there is nothing to measure; all else stands for itself.
                bench.has_failed = part == Part::Fill;
            }
        }
    }
    benches.iter().for_each(Bench::say_memory);
    let reports: Vec<Report> = benches.into_iter().map(|bench| bench.report).collect();
    report::print_table(&reports);
    report::write_json(&arguments.json, &reports)?;
    println!("{}", arguments.json.display());
    Ok(())
}

/// What all servers do before any does the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Fill,
    ReadsBeforeCompact,
    Compact,
    Reads,
    /// Among rows that all have room in the file cache.
    CachedReads,
    Scan,
    Writes,
    Small(u64),
}

impl Part {
    fn all(arguments: &EngineArguments) -> Vec<Part> {
        let mut parts = vec![Part::Fill, Part::ReadsBeforeCompact, Part::Compact];
        for _ in 0..arguments.rounds.max(1) {
            parts.extend([Part::Reads, Part::CachedReads, Part::Scan]);
        }
        parts.push(Part::Writes);
        parts.extend(arguments.small_rows.iter().map(|count| Part::Small(*count)));
        parts
    }
}

/// One server under its work.
struct Bench<'a> {
    arguments: &'a EngineArguments,
    server: Server,
    dir: PathBuf,
    layout: Layout,
    memory: MemoryWatch,
    random: Prng,
    fill_rate: f64,
    has_failed: bool,
    report: Report,
}

impl Bench<'_> {
    fn start<'a>(name: &str, arguments: &'a EngineArguments) -> Outcome<Bench<'a>> {
        let dir = fresh_dir(&arguments.dir, name)?;
        let half = arguments.memory_mib / 2;
        let memory = [format!("memtable_heap_space={half}MiB"), format!("file_cache_size={half}MiB")];
        let core = Some(arguments.server_core);
        let server = if name == "helenus" {
            let binary = absolute(&arguments.helenus)?;
            let own = [format!("admin_port={}", arguments.admin_port)];
            let settings: Vec<String> =
                memory.iter().chain(&own).chain(&arguments.settings).cloned().collect();
            Server::helenus(&binary, &dir, arguments.helenus_address, core, &settings)?
        } else {
            let script = absolute(&arguments.oracle)?;
            let settings: Vec<String> = memory.iter().chain(&arguments.cassandra_settings).cloned().collect();
            let dir = absolute(&dir)?;
            Server::cassandra(&script, &dir, arguments.cassandra_address, core, &arguments.heap, &settings)?
        };
        let bytes = arguments.gib.map_or(4 * arguments.memory_mib * MIB, |gib| (gib * 1024.0) as u64 * MIB);
        let bench = Bench {
            memory: MemoryWatch::start(server.pid),
            layout: Layout::of_bytes(bytes, arguments.rows_per_partition),
            arguments,
            server,
            dir,
            random: Prng::from_seed(std::process::id().into()),
            fill_rate: 0.0,
            has_failed: false,
            report: Report::new(name),
        };
        let mut client = bench.connect()?;
        client.query(KEYSPACE)?;
        client.query(&Layout::create())?;
        Ok(bench)
    }

    fn connect(&self) -> Outcome<Client> {
        let began = Instant::now();
        loop {
            match Client::connect(self.server.address, Version::V4) {
                Err(_) if began.elapsed() < START_MAX => std::thread::sleep(Duration::from_millis(5)),
                outcome => return outcome,
            }
        }
    }

    fn part(&mut self, part: Part) -> Outcome<()> {
        let all = self.layout.clone();
        match part {
            Part::Fill => self.fill(),
            Part::ReadsBeforeCompact => self.reads(all, "before compact"),
            Part::Compact => self.compact(),
            Part::Reads => self.reads(all, ""),
            Part::CachedReads => self.reads(all.few(), "cached"),
            Part::Scan => self.scan(),
            Part::Writes => self.writes(),
            Part::Small(count) => self.small(count),
        }
    }

    /// Waits until the server has done what it still does after its turn, or for so long that it never may.
    fn rest(&self) -> Outcome<()> {
        let began = Instant::now();
        loop {
            let before = cpu_seconds(self.server.pid)?;
            std::thread::sleep(REST);
            let share = (cpu_seconds(self.server.pid)? - before) / REST.as_secs_f64();
            if share < REST_SHARE {
                return Ok(());
            }
            if began.elapsed() > REST_WAIT_MAX {
                println!("{} does not rest: {:.0} % of a core", self.report.name, share * 100.0);
                return Ok(());
            }
        }
    }

    fn say_memory(&self) {
        let (most, given) = (self.report.memory_mib_most(), self.arguments.memory_mib);
        let ratio = most / given as f64;
        println!(
            "{}: at most {most:.0} MiB resident; {given} MiB given for memtables and file cache: {ratio:.2} times",
            self.report.name
        );
    }

    fn time(&self, share: f64) -> Duration {
        Duration::from_secs_f64(self.arguments.minutes * 60.0 * share)
    }

    /// As [`Bench::time`], for a part that could go on for ever.
    fn measured(&self, share: f64) -> Duration {
        let most = self.arguments.seconds.map_or(Duration::MAX, Duration::from_secs_f64);
        self.time(share).min(most)
    }

    fn random(&mut self) -> Prng {
        self.random.fork()
    }

    fn drive(
        &self,
        work: &mut dyn Work,
        length: Duration,
        rate: Option<f64>,
        is_fill: bool,
    ) -> Outcome<Figures> {
        let pressure = Pressure {
            version: Version::V4,
            connections: 8,
            in_flight: self.arguments.in_flight,
            rate,
            warm_up: if is_fill { Duration::ZERO } else { WARM_UP },
            length,
            timestamps: false,
        };
        drive(self.server.address, Some(self.server.pid), work, &pressure)
    }

    fn add(&mut self, row: Row) {
        let memory_mib = self.memory.take_most_mib();
        self.report.add(row.memory(memory_mib));
    }

    fn nodetool(&self, words: &[&str]) -> Outcome<()> {
        let done = self.server.nodetool(words).output().map_err(|error| format!("nodetool: {error}"))?;
        if done.status.success() {
            return Ok(());
        }
        Err(format!("nodetool {}: {}", words.join(" "), String::from_utf8_lossy(&done.stderr).trim()))
    }

    fn fill(&mut self) -> Outcome<()> {
        let mut work = Fill { layout: self.layout.clone(), next: Some(0), random: self.random() };
        let figures = self.drive(&mut work, self.time(FILL), None, true)?;
        let written = work.next.unwrap_or_default();
        if written < self.layout.rows {
            self.layout.cut(written);
        }
        if self.layout.rows == 0 {
            return Err(format!(
                "only {written} rows were filled, less than a group of partitions: more time is needed"
            ));
        }
        self.fill_rate = figures.rate();
        let note = format!("{} MiB in rows", self.layout.bytes() / MIB);
        self.add(Row::of("fill", "insert", &figures).note(note));
        Ok(())
    }

    fn reads(&mut self, layout: Layout, when: &str) -> Outcome<()> {
        self.rest()?;
        let mut points = PointRead { layout: layout.clone(), random: self.random() };
        let figures = self.drive(&mut points, self.measured(READ), None, false)?;
        self.add(Row::of(&format!("point read {when}"), "read", &figures));
        let mut slices = Slice { layout, random: self.random() };
        let figures = self.drive(&mut slices, self.measured(READ), None, false)?;
        self.add(Row::of(&format!("slice of 100 {when}"), "slice", &figures));
        Ok(())
    }

    fn compact(&mut self) -> Outcome<()> {
        self.nodetool(&["flush", "bench"])?;
        let (bytes, files) = data_files(&self.dir, "engine");
        let (began, cpu) = (Instant::now(), cpu_seconds(self.server.pid)?);
        self.nodetool(&["setcompactionthroughput", "0"])?;
        self.nodetool(&["compact", "bench", "engine"])?;
        let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds(self.server.pid)? - cpu);
        // Files that were replaced go a moment later.
        std::thread::sleep(AFTER_COMPACT);
        let (bytes_after, files_after) = data_files(&self.dir, "engine");
        let mib = bytes as f64 / MIB as f64;
        let note = format!("{files} files of {mib:.0} MiB to {files_after} of {} MiB", bytes_after / MIB);
        self.add(Row::plain("compact", "MiB of input", mib, seconds, cpu).note(note));
        self.nodetool(&["setcompactionthroughput", "64"])
    }

    fn scan(&mut self) -> Outcome<()> {
        let scan = scan::scan(self.server.address, self.server.pid, self.time(SCAN))?;
        if scan.is_whole && scan.rows < self.layout.rows {
            return Err(format!("the scan found {} rows of {}", scan.rows, self.layout.rows));
        }
        let note = if scan.is_whole { "all".to_owned() } else { "cut".to_owned() };
        self.add(
            Row::plain("scan by token ranges", "row", scan.rows as f64, scan.seconds, scan.cpu_seconds)
                .note(note),
        );
        Ok(())
    }

    /// The same rate of writes twice: with nothing else to do, and with flushes and compactions all the time.
    fn writes(&mut self) -> Outcome<()> {
        let rate = self.arguments.rate.unwrap_or(self.fill_rate * RATE_SHARE).max(1.0);
        self.nodetool(&["flush", "bench"])?;
        let idle = self.write_at(rate)?;
        self.add(Row::of("writes, idle", "insert", &idle));
        let is_over = AtomicBool::new(false);
        let (busy, rounds) = std::thread::scope(|scope| {
            let background = scope.spawn(|| self.keep_compacting(&is_over));
            let busy = self.write_at(rate);
            is_over.store(true, Ordering::Relaxed);
            let rounds = background.join().map_err(|_| "the compacting thread has panicked".to_owned());
            (busy, rounds)
        });
        let (busy, rounds) = (busy?, rounds??);
        let note = format!(
            "{rounds} flushes and compactions; p99.9 {:.1} times idle",
            busy.latencies.quantile_us(0.999) / idle.latencies.quantile_us(0.999)
        );
        self.add(Row::of("writes, compacting", "insert", &busy).note(note));
        Ok(())
    }

    fn write_at(&self, rate: f64) -> Outcome<Figures> {
        let mut work = Fill { layout: self.layout.clone(), next: None, random: self.random.clone() };
        self.drive(&mut work, self.measured(WRITE), Some(rate), false)
    }

    fn keep_compacting(&self, is_over: &AtomicBool) -> Outcome<u64> {
        let mut rounds = 0;
        while !is_over.load(Ordering::Relaxed) {
            self.nodetool(&["flush", "bench", "engine"])?;
            self.nodetool(&["compact", "bench", "engine"])?;
            rounds += 1;
        }
        Ok(rounds)
    }

    fn small(&mut self, count: u64) -> Outcome<()> {
        let table = format!("bench.small_{count}");
        self.connect()?
            .query(&format!("CREATE TABLE IF NOT EXISTS {table} (k bigint PRIMARY KEY, v bigint)"))?;
        let mut work = Small { table: table.clone(), count, next: Some(0), random: self.random() };
        let time = self.time(SMALL);
        let figures = self.drive(&mut work, time, None, true)?;
        let written = work.next.unwrap_or_default();
        let note = if written < count { format!("cut at {written}") } else { String::new() };
        self.add(Row::of(&format!("insert of {count} small rows"), "insert", &figures).note(note));
        // What was put off while rows came in is done first.
        self.rest()?;
        let (_, files) = data_files(&self.dir, &format!("small_{count}"));
        let mut work = Small { table, count: written.min(count).max(1), next: None, random: self.random() };
        let figures = self.drive(&mut work, self.measured(READ), None, false)?;
        let note = format!("in {files} files");
        self.add(Row::of(&format!("read among {count} small rows"), "read", &figures).note(note));
        Ok(())
    }
}
