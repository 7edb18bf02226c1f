//! A full scan: ranges of tokens one after the other, each with all its pages, over some connections.
//!
//! Pages are counted, not decoded: rows at the price of reading their bytes.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use wire::codec::Text;
use wire::response::Decoded;
use wire::{Opcode, QueryParams, RequestBody, Response};

use super::rows::TABLE;
use crate::client::{Client, text};
use crate::{Outcome, server};

const PAGE_ROWS: i32 = 5_000;
const RANGES: i128 = 256;
const CONNECTIONS: usize = 2;

/// What a scan took.
pub struct Scan {
    pub rows: u64,
    pub seconds: f64,
    pub cpu_seconds: f64,
    /// False if the time was over before the last range.
    pub is_whole: bool,
}

/// Scans until all is read or the time is over.
pub fn scan(address: SocketAddr, pid: u32, time: Duration) -> Outcome<Scan> {
    let (began, cpu) = (Instant::now(), server::cpu_seconds(pid)?);
    let next = Mutex::new(0);
    let counts = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..CONNECTIONS).map(|_| scope.spawn(|| scan_ranges(address, &next, began, time))).collect();
        let ended = threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a scanning thread has panicked".to_owned())?);
        ended.collect::<Outcome<Vec<(u64, bool)>>>()
    })?;
    Ok(Scan {
        rows: counts.iter().map(|(rows, _)| rows).sum(),
        seconds: began.elapsed().as_secs_f64(),
        cpu_seconds: server::cpu_seconds(pid)? - cpu,
        is_whole: counts.iter().all(|(_, is_whole)| *is_whole),
    })
}

fn scan_ranges(
    address: SocketAddr,
    next: &Mutex<i128>,
    began: Instant,
    time: Duration,
) -> Outcome<(u64, bool)> {
    let mut client = Client::connect(address, wire::Version::V4)?;
    let mut rows = 0;
    loop {
        let range = {
            let mut next = next.lock().map_err(text)?;
            *next += 1;
            *next - 1
        };
        if range >= RANGES {
            return Ok((rows, true));
        }
        if began.elapsed() > time {
            return Ok((rows, false));
        }
        let bound = |index: i128| i128::from(i64::MIN) + (index << 64) / RANGES;
        let upper = if range + 1 == RANGES { i128::from(i64::MAX) } else { bound(range + 1) };
        let cql =
            format!("SELECT p, c, v FROM {TABLE} WHERE token(p) > {} AND token(p) <= {upper}", bound(range));
        rows += scan_range(&mut client, &cql)?;
    }
}

fn scan_range(client: &mut Client, cql: &str) -> Outcome<u64> {
    let mut params = QueryParams { page_size: Some(PAGE_ROWS), ..QueryParams::default() };
    let mut rows = 0;
    loop {
        let body = RequestBody::Query { text: Text::from(cql), params: params.clone() };
        let envelope = client.exchange(body)?;
        if envelope.opcode != Opcode::Result {
            let Decoded { response, .. } = Decoded::decode(envelope).map_err(|error| format!("{error:?}"))?;
            return Err(format!(
                "{cql}: {}",
                if let Response::Error(error) = response {
                    format!("{error:?}")
                } else {
                    "no rows".to_owned()
                }
            ));
        }
        let (count, paging_state) = page(&envelope.body).ok_or("an answer that is no page")?;
        rows += count;
        match paging_state {
            Some(state) => params.paging_state = Some(state.to_vec().into()),
            None => return Ok(rows),
        }
    }
}

/// How many rows a page has, and where the next one begins.
fn page(body: &[u8]) -> Option<(u64, Option<&[u8]>)> {
    let int = |at: usize| {
        body.get(at..at + 4).map(|bytes| bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
    };
    let short =
        |at: usize| body.get(at..at + 2).map(|bytes| usize::from(bytes[0]) << 8 | usize::from(bytes[1]));
    let (flags, columns) = (int(4)?, int(8)?);
    let mut at = 12;
    let mut state = None;
    if flags & 2 != 0 {
        let bytes = int(at)?;
        state = Some(body.get(at + 4..at + 4 + bytes)?);
        at += 4 + bytes;
    }
    if flags & 4 == 0 {
        // One keyspace and table for all columns, each with a name and a type of two bytes.
        for _ in 0..2 {
            at += 2 + short(at)?;
        }
        for _ in 0..columns {
            at += 4 + short(at)?;
        }
    }
    Some((int(at)? as u64, state))
}
