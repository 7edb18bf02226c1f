//! The machine's clocks and its randomness.

use std::cell::RefCell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::{Clock, Random};

/// How many random bytes a thread fetches from the system at a time.
const RANDOM_BUFFER_BYTES: usize = 256;

pub(super) struct RealClock {
    start: Instant,
}

impl RealClock {
    pub(super) fn start() -> Self {
        RealClock { start: Instant::now() }
    }
}

impl Clock for RealClock {
    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn wall_us(&self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => since.as_micros() as i64,
            Err(before) => -(before.duration().as_micros() as i64),
        }
    }
}

/// The system's generator, a buffer of it on each thread.
pub(super) struct RealRandom;

struct Buffer {
    bytes: [u8; RANDOM_BUFFER_BYTES],
    used: usize,
}

thread_local! {
    static BUFFER: RefCell<Buffer> =
        const { RefCell::new(Buffer { bytes: [0; RANDOM_BUFFER_BYTES], used: RANDOM_BUFFER_BYTES }) };
}

impl Random for RealRandom {
    fn fill(&self, bytes: &mut [u8]) {
        if bytes.len() > RANDOM_BUFFER_BYTES / 2 {
            return fill_from_system(bytes);
        }
        BUFFER.with_borrow_mut(|buffer| {
            if RANDOM_BUFFER_BYTES - buffer.used < bytes.len() {
                fill_from_system(&mut buffer.bytes);
                buffer.used = 0;
            }
            let taken = &mut buffer.bytes[buffer.used..buffer.used + bytes.len()];
            bytes.copy_from_slice(taken);
            // Nobody reads them a second time, not even out of a core dump.
            taken.fill(0);
            buffer.used += bytes.len();
        });
    }
}

fn fill_from_system(mut bytes: &mut [u8]) {
    while !bytes.is_empty() {
        match rustix::rand::getrandom(&mut *bytes, rustix::rand::GetRandomFlags::empty()) {
            Ok(count) => bytes = &mut bytes[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("the system gives no random numbers: {error}"),
        }
    }
}
