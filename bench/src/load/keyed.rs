//! The load of `bench run` and `bench compare`: rows of five values under a key.

use stdx::prng::Prng;
use wire::Envelope;

use super::Work;
use crate::{LoadArguments, Outcome, Step, client};

const VALUES_COUNT: usize = 5;
const VALUE_BYTES: usize = 34;
const KEY_BYTES: usize = 16;

/// Every key once, or random ones.
pub struct Keyed {
    step: Step,
    table: String,
    next: u64,
    count: u64,
    random: Prng,
    values: Vec<u8>,
}

impl Keyed {
    pub fn new(step: Step, load: &LoadArguments) -> Keyed {
        let mut values = Vec::new();
        for value in 0..VALUES_COUNT {
            values.extend_from_slice(&(VALUE_BYTES as u32).to_be_bytes());
            values.extend((0..VALUE_BYTES).map(|index| (index * 7 + (value + 1) * 31) as u8));
        }
        Keyed {
            step,
            table: client::table(load),
            next: 0,
            count: load.keys,
            random: Prng::from_seed(std::process::id().into()),
            values,
        }
    }

    fn key(&mut self) -> u64 {
        if self.step == Step::Fill {
            self.next += 1;
            return self.next - 1;
        }
        self.random.below(self.count)
    }
}

impl Work for Keyed {
    fn cql(&self) -> String {
        let table = &self.table;
        match self.step {
            Step::Read => format!("SELECT * FROM bench.{table} WHERE k = ?"),
            _ => format!("INSERT INTO bench.{table} (k, c0, c1, c2, c3, c4) VALUES (?, ?, ?, ?, ?, ?)"),
        }
    }

    fn is_write(&self) -> bool {
        self.step != Step::Read
    }

    fn values_count(&self) -> u16 {
        if self.is_write() { 1 + VALUES_COUNT as u16 } else { 1 }
    }

    fn next(&mut self, out: &mut Vec<u8>) {
        let key = self.key();
        out.extend_from_slice(&(KEY_BYTES as u32).to_be_bytes());
        let at = out.len();
        out.resize(at + KEY_BYTES, 0);
        write_key(key, &mut out[at..]);
        if self.is_write() {
            let at = out.len();
            out.extend_from_slice(&self.values);
            for value in 0..VALUES_COUNT {
                let at = at + value * (4 + VALUE_BYTES) + 4;
                out[at..at + 8].copy_from_slice(&key.wrapping_add(value as u64).to_be_bytes());
            }
        }
    }

    fn is_done(&self) -> bool {
        self.step == Step::Fill && self.next >= self.count
    }

    fn check(&self, envelope: &Envelope) -> Outcome<()> {
        let is_good = match self.step {
            Step::Read => {
                // Kind, flags, columns, rows; then the key and its values.
                let row_bytes = 4 + KEY_BYTES + VALUES_COUNT * (4 + VALUE_BYTES);
                let body = &envelope.body;
                body.len() == 16 + row_bytes && body[..4] == [0, 0, 0, 2] && body[12..16] == [0, 0, 0, 1]
            }
            _ => envelope.body[..] == [0, 0, 0, 1],
        };
        super::expect(envelope, is_good)
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
