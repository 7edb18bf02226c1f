//! The load: one thread, some connections, many requests in flight; closed loop (an answer makes room for the next
//! request) or open loop (requests have their times, and a late one counts from when it should have been sent).
//!
//! Requests that become possible together leave in one write for each connection, as with a good driver.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use stdx::prng::Prng;
use wire::{Envelope, Opcode, Version};

use crate::client::{self, Client, Statement, text};
use crate::latency::Latencies;
use crate::{LoadArguments, Outcome, Step, server};

const VALUES_COUNT: usize = 5;
const VALUE_BYTES: usize = 34;
const KEY_BYTES: usize = 16;
/// A server that answers nothing for so long has lost a request.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// What comes before the first seconds are counted in.
const WARM_UP: Duration = Duration::from_millis(500);

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

/// Runs one step.
pub fn run(address: SocketAddr, pid: Option<u32>, step: Step, load: &LoadArguments) -> Outcome<Figures> {
    let version = load.version()?;
    let per_lane = (load.in_flight / load.connections).max(1);
    let mut lanes = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        lanes.push(Lane::connect(address, version, step, per_lane, load)?);
    }
    let seed = std::process::id();
    let mut keys = Keys { step, next: 0, count: load.keys, random: Prng::from_seed(seed.into()) };
    let result = Run::new(&mut lanes, &mut keys, pid, step, load).measure();
    result.map_err(|error| format!("{step:?}: {error}"))
}

/// Which keys come.
struct Keys {
    step: Step,
    next: u64,
    count: u64,
    random: Prng,
}

impl Keys {
    fn next(&mut self) -> u64 {
        if self.step == Step::Fill {
            self.next += 1;
            return self.next - 1;
        }
        self.random.below(self.count)
    }

    fn is_done(&self) -> bool {
        self.step == Step::Fill && self.next >= self.count
    }
}

/// One connection with its requests.
struct Lane {
    client: Client,
    request: Template,
    /// Envelopes that are to be sent, bare.
    envelopes: Vec<u8>,
    output: Vec<u8>,
    written: usize,
    free: Vec<i16>,
    /// When each stream's request was sent, or should have been.
    since: Vec<Duration>,
}

impl Lane {
    fn connect(
        address: SocketAddr,
        version: Version,
        step: Step,
        streams: usize,
        load: &LoadArguments,
    ) -> Outcome<Lane> {
        let mut client = Client::connect(address, version)?;
        let table = client::table(load);
        let cql = match step {
            Step::Read => format!("SELECT * FROM bench.{table} WHERE k = ?"),
            _ => format!("INSERT INTO bench.{table} (k, c0, c1, c2, c3, c4) VALUES (?, ?, ?, ?, ?, ?)"),
        };
        let statement = client.prepare(&cql)?;
        client.stream.set_nonblocking(true).map_err(text)?;
        Ok(Lane {
            request: Template::new(version, step, &statement, load.timestamps),
            client,
            envelopes: Vec::new(),
            output: Vec::new(),
            written: 0,
            free: (0..i16::try_from(streams).map_err(text)?).rev().collect(),
            since: vec![Duration::ZERO; streams],
        })
    }

    fn send(&mut self, stream: i16, key: u64, since: Duration) {
        self.request.append(stream, key, &mut self.envelopes);
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

/// A request with places for what differs: stream, key, first bytes of the values.
struct Template {
    bytes: Vec<u8>,
    key_at: usize,
    values_at: Option<usize>,
}

impl Template {
    fn new(version: Version, step: Step, statement: &Statement, timestamps: bool) -> Template {
        let mut bytes = vec![version.number(), 0, 0, 0, Opcode::Execute as u8, 0, 0, 0, 0];
        let mut short_bytes = |out: &[u8]| {
            bytes.extend_from_slice(&(out.len() as u16).to_be_bytes());
            bytes.extend_from_slice(out);
        };
        short_bytes(&statement.id);
        if version >= Version::V5 {
            short_bytes(&statement.result_id);
        }
        // LOCAL_ONE; values, no metadata.
        bytes.extend_from_slice(&10u16.to_be_bytes());
        let has_timestamp = timestamps && step != Step::Read;
        let flags = 0x01 | 0x02 | if has_timestamp { 0x20 } else { 0 };
        if version >= Version::V5 {
            bytes.extend_from_slice(&u32::to_be_bytes(flags));
        } else {
            bytes.push(flags as u8);
        }
        let values_count = if step == Step::Read { 1 } else { 1 + VALUES_COUNT };
        bytes.extend_from_slice(&(values_count as u16).to_be_bytes());
        bytes.extend_from_slice(&(KEY_BYTES as u32).to_be_bytes());
        let key_at = bytes.len();
        bytes.extend_from_slice(&[b'0'; KEY_BYTES]);
        let values_at = (step != Step::Read).then_some(bytes.len());
        for value in 1..values_count {
            bytes.extend_from_slice(&(VALUE_BYTES as u32).to_be_bytes());
            bytes.extend((0..VALUE_BYTES).map(|index| (index * 7 + value * 31) as u8));
        }
        if has_timestamp {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            bytes.extend_from_slice(&(now.as_micros() as i64).to_be_bytes());
        }
        let body_bytes = (bytes.len() - 9) as u32;
        bytes[5..9].copy_from_slice(&body_bytes.to_be_bytes());
        Template { bytes, key_at, values_at }
    }

    fn append(&self, stream: i16, key: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let bytes = &mut out[start..];
        bytes[2..4].copy_from_slice(&stream.to_be_bytes());
        write_key(key, &mut bytes[self.key_at..self.key_at + KEY_BYTES]);
        if let Some(at) = self.values_at {
            for value in 0..VALUES_COUNT {
                let at = at + value * (4 + VALUE_BYTES) + 4;
                bytes[at..at + 8].copy_from_slice(&key.wrapping_add(value as u64).to_be_bytes());
            }
        }
    }
}

/// `user` and twelve digits.
fn write_key(mut key: u64, out: &mut [u8]) {
    out[..4].copy_from_slice(b"user");
    for digit in out[4..].iter_mut().rev() {
        *digit = b'0' + (key % 10) as u8;
        key /= 10;
    }
}

/// Complains unless the answer is what it must be.
fn check(step: Step, envelope: &Envelope) -> Outcome<()> {
    let is_good = match step {
        Step::Read => {
            // Kind, flags, columns, rows; then the key and its values.
            let row_bytes = 4 + KEY_BYTES + VALUES_COUNT * (4 + VALUE_BYTES);
            let body = &envelope.body;
            body.len() == 16 + row_bytes && body[..4] == [0, 0, 0, 2] && body[12..16] == [0, 0, 0, 1]
        }
        _ => envelope.body[..] == [0, 0, 0, 1],
    };
    if envelope.opcode == Opcode::Result && is_good {
        return Ok(());
    }
    Err(format!("unexpected answer: {}, {}", envelope.opcode.name(), envelope.body.escape_ascii()))
}

/// One step under way.
struct Run<'r> {
    lanes: &'r mut [Lane],
    keys: &'r mut Keys,
    pid: Option<u32>,
    step: Step,
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
    fn new(
        lanes: &'r mut [Lane],
        keys: &'r mut Keys,
        pid: Option<u32>,
        step: Step,
        load: &LoadArguments,
    ) -> Run<'r> {
        let is_fill = step == Step::Fill;
        Run {
            lanes,
            keys,
            pid,
            step,
            start: Instant::now(),
            warm_up: if is_fill { Duration::ZERO } else { WARM_UP },
            length: if is_fill { Duration::MAX } else { WARM_UP + load.duration() },
            interval: load.rate.filter(|_| !is_fill).map(|rate| Duration::from_secs_f64(1.0 / rate)),
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
            if end.is_none() && (now >= self.length || (self.keys.is_done() && self.in_flight == 0)) {
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
                while !self.keys.is_done()
                    && let Some(stream) = lane.free.pop()
                {
                    lane.send(stream, self.keys.next(), now);
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
                lane.send(stream, self.keys.next(), due);
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
                check(self.step, &envelope)?;
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
