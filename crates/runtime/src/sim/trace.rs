//! The trace: one running hash over all that happens, and the last events in words.

use std::collections::VecDeque;
use std::fmt::Write;

use parking_lot::Mutex;

/// How many events are kept in words.
const RECENT_COUNT: usize = 200;
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

pub(crate) struct Trace {
    state: Mutex<State>,
}

struct State {
    hash: u64,
    count: u64,
    recent: VecDeque<(u64, &'static str, [u64; 4])>,
}

impl Trace {
    pub(crate) fn new(seed: u64) -> Self {
        let recent = VecDeque::with_capacity(RECENT_COUNT);
        Trace { state: Mutex::new(State { hash: FNV_OFFSET ^ seed, count: 0, recent }) }
    }

    /// Takes in one event: what happened, to whom, and with which numbers.
    pub(crate) fn record(&self, what: &'static str, numbers: [u64; 4]) {
        let mut state = self.state.lock();
        let mut hash = state.hash;
        for byte in what.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
        for number in numbers {
            hash = (hash ^ number).wrapping_mul(FNV_PRIME);
            hash ^= hash >> 29;
        }
        state.hash = hash;
        state.count += 1;
        if state.recent.len() == RECENT_COUNT {
            state.recent.pop_front();
        }
        let count = state.count;
        state.recent.push_back((count, what, numbers));
    }

    pub(crate) fn hash(&self) -> u64 {
        self.state.lock().hash
    }

    pub(crate) fn recent(&self) -> String {
        let state = self.state.lock();
        let mut lines = String::new();
        for (count, what, [a, b, c, d]) in &state.recent {
            writeln!(lines, "{count} {what} {a} {b} {c} {d}").expect("a string takes every text");
        }
        lines
    }
}
