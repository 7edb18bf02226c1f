//! The load: one thread, some connections, many requests in flight; closed loop (an answer makes room for the next
//! request) or open loop (requests have their times, and a late one counts from when it should have been sent).
//!
//! Requests that become possible together leave in one write for each connection, as with a good driver. What the
//! requests are is said by a [`Work`].

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wire::{Envelope, Opcode, Version};

use crate::client::{Client, Statement, text};
use crate::latency::Latencies;
use crate::{LoadArguments, Outcome, Step, server};

mod keyed;

/// A server that answers nothing for so long has lost a request.
const SILENCE_MAX: Duration = Duration::from_secs(60);
const HEADER_BYTES: usize = 9;
/// What comes before the first seconds are counted in.
const WARM_UP: Duration = Duration::from_millis(500);

/// What is asked of the server, request by request.
pub trait Work {
    /// The statement of all requests.
    fn cql(&self) -> String;
    /// Whether it writes: then it may carry a timestamp.
    fn is_write(&self) -> bool;
    /// Appends the values of the next request, each with its length.
    fn next(&mut self, out: &mut Vec<u8>);
    /// How many values there are.
    fn values_count(&self) -> u16;
    /// True when there is nothing more to ask.
    fn is_done(&self) -> bool;
    /// Complains unless the answer is what it must be.
    fn check(&self, envelope: &Envelope) -> Outcome<()>;
}

/// How hard, and how long.
#[derive(Clone, Debug)]
pub struct Pressure {
    pub version: Version,
    pub connections: usize,
    pub in_flight: usize,
    /// Requests a second; without it as many as there are answers.
    pub rate: Option<f64>,
    /// What is not counted at the start.
    pub warm_up: Duration,
    /// The end, if the work does not end before.
    pub length: Duration,
    pub timestamps: bool,
}

/// What was measured in one step.
#[derive(Clone, Debug)]
pub struct Figures {
    pub operations: u64,
    pub seconds: f64,
    pub cpu_seconds: Option<f64>,
    pub latencies: Latencies,
}

impl Figures {
    /// Operations per second.
    pub fn rate(&self) -> f64 {
        self.operations as f64 / self.seconds
    }

    /// Operations per second of the server's CPU time.
    pub fn per_cpu_second(&self) -> Option<f64> {
        self.cpu_seconds.map(|seconds| self.operations as f64 / seconds.max(0.001))
    }

    /// Over [`Figures::line`].
    pub fn heading() -> String {
        format!(
            "{:<24}{:>12}{:>14}{:>10}{:>10}{:>10}{:>10}",
            "step", "ops/s", "ops/CPU-s", "CPU", "p50 us", "p99 us", "p99.9 us"
        )
    }

    /// One line of the table.
    pub fn line(&self, name: &str) -> String {
        let per_cpu = self.per_cpu_second().map_or("-".to_owned(), |figure| format!("{figure:.0}"));
        let cpu =
            self.cpu_seconds.map_or("-".to_owned(), |cpu| format!("{:.0}%", cpu * 100.0 / self.seconds));
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| self.latencies.quantile_us(share));
        let rate = self.rate();
        format!("{name:<24}{rate:>12.0}{per_cpu:>14}{cpu:>10}{p50:>10.0}{p99:>10.0}{p999:>10.0}")
    }
}

/// Runs one step of the load of `bench run` and `bench compare`.
pub fn run(address: SocketAddr, pid: Option<u32>, step: Step, load: &LoadArguments) -> Outcome<Figures> {
    let is_fill = step == Step::Fill;
    let pressure = Pressure {
        version: load.version()?,
        connections: load.connections,
        in_flight: load.in_flight,
        rate: load.rate.filter(|_| !is_fill),
        warm_up: if is_fill { Duration::ZERO } else { WARM_UP },
        length: if is_fill { Duration::MAX } else { WARM_UP + load.duration() },
        timestamps: load.timestamps,
    };
    let mut work = keyed::Keyed::new(step, load);
    drive(address, pid, &mut work, &pressure).map_err(|error| format!("{step:?}: {error}"))
}

/// Puts any work on a server.
pub fn drive(
    address: SocketAddr,
    pid: Option<u32>,
    work: &mut dyn Work,
    pressure: &Pressure,
) -> Outcome<Figures> {
    let per_lane = (pressure.in_flight / pressure.connections).max(1);
    let mut lanes = Vec::with_capacity(pressure.connections);
    for _ in 0..pressure.connections {
        lanes.push(Lane::connect(address, work, per_lane, pressure)?);
    }
    Run::new(&mut lanes, work, pid, pressure).measure()
}

/// One connection with its requests.
struct Lane {
    client: Client,
    /// A request up to its values, and what comes behind them.
    head: Vec<u8>,
    tail: Vec<u8>,
    /// Envelopes that are to be sent, bare.
    envelopes: Vec<u8>,
    output: Vec<u8>,
    written: usize,
    free: Vec<i16>,
    /// When each stream's request was sent, or should have been.
    since: Vec<Duration>,
}

impl Lane {
    fn connect(address: SocketAddr, work: &dyn Work, streams: usize, pressure: &Pressure) -> Outcome<Lane> {
        let mut client = Client::connect(address, pressure.version)?;
        let statement = client.prepare(&work.cql())?;
        client.stream.set_nonblocking(true).map_err(text)?;
        let (head, tail) = around_values(work, &statement, pressure);
        Ok(Lane {
            client,
            head,
            tail,
            envelopes: Vec::new(),
            output: Vec::new(),
            written: 0,
            free: (0..i16::try_from(streams).map_err(text)?).rev().collect(),
            since: vec![Duration::ZERO; streams],
        })
    }

    fn send(&mut self, stream: i16, work: &mut dyn Work, since: Duration) {
        let start = self.envelopes.len();
        self.envelopes.extend_from_slice(&self.head);
        work.next(&mut self.envelopes);
        self.envelopes.extend_from_slice(&self.tail);
        let body_bytes = (self.envelopes.len() - start - HEADER_BYTES) as u32;
        self.envelopes[start + 2..start + 4].copy_from_slice(&stream.to_be_bytes());
        self.envelopes[start + 5..start + 9].copy_from_slice(&body_bytes.to_be_bytes());
        self.since[stream as usize] = since;
    }

    /// Writes what fits; false if something is left.
    fn flush(&mut self) -> Outcome<bool> {
        if !self.envelopes.is_empty() {
            self.client.encoder.encode(&self.envelopes, &mut self.output);
            self.envelopes.clear();
        }
        while self.written < self.output.len() {
            match self.client.stream.write(&self.output[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(text(error)),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(true)
    }

    /// Reads what there is.
    fn read(&mut self, scratch: &mut [u8]) -> Outcome<()> {
        match self.client.stream.read(scratch) {
            Ok(0) => Err("the server has closed the connection".to_owned()),
            Ok(count) => {
                self.client.input.extend_from_slice(&scratch[..count]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(text(error)),
        }
    }
}

/// EXECUTE with LOCAL_ONE, values and no metadata: the bytes before the values and those behind them.
fn around_values(work: &dyn Work, statement: &Statement, pressure: &Pressure) -> (Vec<u8>, Vec<u8>) {
    let mut head = vec![pressure.version.number(), 0, 0, 0, Opcode::Execute as u8, 0, 0, 0, 0];
    let mut short_bytes = |out: &[u8]| {
        head.extend_from_slice(&(out.len() as u16).to_be_bytes());
        head.extend_from_slice(out);
    };
    short_bytes(&statement.id);
    if pressure.version >= Version::V5 {
        short_bytes(&statement.result_id);
    }
    head.extend_from_slice(&10u16.to_be_bytes());
    let has_timestamp = pressure.timestamps && work.is_write();
    let flags = 0x01 | 0x02 | if has_timestamp { 0x20 } else { 0 };
    if pressure.version >= Version::V5 {
        head.extend_from_slice(&u32::to_be_bytes(flags));
    } else {
        head.push(flags as u8);
    }
    head.extend_from_slice(&work.values_count().to_be_bytes());
    let mut tail = Vec::new();
    if has_timestamp {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        tail.extend_from_slice(&(now.as_micros() as i64).to_be_bytes());
    }
    (head, tail)
}

/// Complains about an answer that is no result, or not the one that is wanted.
pub fn expect(envelope: &Envelope, is_good: bool) -> Outcome<()> {
    if envelope.opcode == Opcode::Result && is_good {
        return Ok(());
    }
    let shown = &envelope.body[..envelope.body.len().min(200)];
    Err(format!("unexpected answer: {}, {}", envelope.opcode.name(), shown.escape_ascii()))
}

/// One step under way.
struct Run<'r> {
    lanes: &'r mut [Lane],
    work: &'r mut dyn Work,
    pid: Option<u32>,
    start: Instant,
    warm_up: Duration,
    length: Duration,
    /// Time between two requests of an open loop.
    interval: Option<Duration>,
    intended_count: u32,
    next_lane: usize,
    in_flight: usize,
    latencies: Latencies,
    operations: u64,
}

impl<'r> Run<'r> {
    fn new(lanes: &'r mut [Lane], work: &'r mut dyn Work, pid: Option<u32>, pressure: &Pressure) -> Run<'r> {
        Run {
            lanes,
            work,
            pid,
            start: Instant::now(),
            warm_up: pressure.warm_up,
            length: pressure.length,
            interval: pressure.rate.map(|rate| Duration::from_secs_f64(1.0 / rate)),
            intended_count: 0,
            next_lane: 0,
            in_flight: 0,
            latencies: Latencies::new(),
            operations: 0,
        }
    }

    fn measure(mut self) -> Outcome<Figures> {
        let mut scratch = vec![0; 256 << 10];
        let mut cpu_start = None;
        let mut end = None;
        let mut last_answer = Duration::ZERO;
        loop {
            let now = self.start.elapsed();
            if cpu_start.is_none() && now >= self.warm_up {
                cpu_start = Some((now, self.cpu()?));
            }
            if end.is_none() && (now >= self.length || (self.work.is_done() && self.in_flight == 0)) {
                end = Some((now, self.cpu()?));
            }
            if end.is_some() && self.in_flight == 0 {
                break;
            }
            if now > last_answer + SILENCE_MAX {
                return Err(format!("{} requests were not answered in {SILENCE_MAX:?}", self.in_flight));
            }
            if end.is_none() {
                self.send_due(now);
            }
            let timeout = self.timeout(now, end.is_some());
            if self.poll(timeout, &mut scratch)? {
                let is_counted = cpu_start.is_some() && end.is_none();
                last_answer = self.start.elapsed();
                self.take_answers(last_answer, is_counted)?;
            }
        }
        let ((from, cpu_from), (to, cpu_to)) = cpu_start.zip(end).ok_or("the step had no time")?;
        Ok(Figures {
            operations: self.operations,
            seconds: (to - from).as_secs_f64(),
            cpu_seconds: cpu_from.zip(cpu_to).map(|(from, to)| to - from),
            latencies: self.latencies,
        })
    }

    fn cpu(&self) -> Outcome<Option<f64>> {
        self.pid.map(server::cpu_seconds).transpose()
    }

    fn send_due(&mut self, now: Duration) {
        let Some(interval) = self.interval else {
            for lane in self.lanes.iter_mut() {
                while !self.work.is_done()
                    && let Some(stream) = lane.free.pop()
                {
                    lane.send(stream, self.work, now);
                    self.in_flight += 1;
                }
            }
            return;
        };
        loop {
            let due = interval * self.intended_count;
            if due > now {
                return;
            }
            let count = self.lanes.len();
            let free = (0..count).map(|step| (self.next_lane + step) % count);
            let Some(index) = free.into_iter().find(|index| !self.lanes[*index].free.is_empty()) else {
                return;
            };
            self.next_lane = (index + 1) % count;
            let lane = &mut self.lanes[index];
            if let Some(stream) = lane.free.pop() {
                lane.send(stream, self.work, due);
                self.in_flight += 1;
                self.intended_count += 1;
            }
        }
    }

    fn timeout(&self, now: Duration, is_over: bool) -> Duration {
        let rest = if is_over { Duration::from_millis(100) } else { self.length - now };
        let due = match self.interval {
            Some(interval) if !is_over && self.lanes.iter().any(|lane| !lane.free.is_empty()) => {
                (interval * self.intended_count).saturating_sub(now)
            }
            _ => rest,
        };
        due.min(rest).min(Duration::from_millis(100))
    }

    /// Writes, waits, reads; true if something was read.
    fn poll(&mut self, timeout: Duration, scratch: &mut [u8]) -> Outcome<bool> {
        let mut flags = Vec::with_capacity(self.lanes.len());
        for lane in self.lanes.iter_mut() {
            let is_flushed = lane.flush()?;
            flags.push(if is_flushed { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT });
        }
        let lanes = self.lanes.iter().zip(flags);
        let mut fds: Vec<PollFd<'_>> =
            lanes.map(|(lane, flags)| PollFd::new(&lane.client.stream, flags)).collect();
        let timeout = Timespec::try_from(timeout).map_err(text)?;
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(false),
            Err(error) => return Err(text(error)),
        }
        let readable: Vec<bool> = fds
            .iter()
            .map(|fd| fd.revents().intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR))
            .collect();
        for (lane, is_readable) in self.lanes.iter_mut().zip(&readable) {
            if *is_readable {
                lane.read(scratch)?;
            }
        }
        Ok(readable.contains(&true))
    }

    fn take_answers(&mut self, now: Duration, is_counted: bool) -> Outcome<()> {
        for lane in self.lanes.iter_mut() {
            while let Some(envelope) = lane.client.next()? {
                self.work.check(&envelope)?;
                let stream = envelope.stream;
                let since = lane.since.get(stream as usize).ok_or("an answer for no request")?;
                if is_counted {
                    self.latencies.add(now.saturating_sub(*since).as_nanos() as u64);
                    self.operations += 1;
                }
                lane.free.push(stream);
                self.in_flight -= 1;
            }
        }
        Ok(())
    }
}
