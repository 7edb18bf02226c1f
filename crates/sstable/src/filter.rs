//! Filter.db: the Bloom filter over partition keys.
//!
//! Nothing but lookups ever checks its bits: a wrong filter hides partitions silently.

use model::token::murmur3_x64_128;

use crate::cursor::{Cursor, Fault};

/// Extra bits beyond those per key.
const EXCESS_BITS: u64 = 20;
/// Most bits per key that are ever used.
const BITS_PER_KEY_MAX: u32 = 20;
/// Number of hashes, number of words.
const HEAD_BYTES: usize = 8;
/// The filters of more keys than these would need are left smaller: 2 GiB of bits.
const WORDS_MAX: u64 = 1 << 28;

#[cfg(test)]
thread_local! {
    /// A planted bug: each bit is set beside its place.
    pub(crate) static OFF_BY_ONE_BIT: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// A set of keys that may say yes wrongly, never no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    hashes: u32,
    bits: Vec<u8>,
}

impl Filter {
    /// A filter for so many keys; `None` if the share of false positives is 1 (no filter).
    pub(crate) fn sized(keys: u64, false_positives: f64) -> Option<Filter> {
        if false_positives >= 1.0 {
            return None;
        }
        let (hashes, bits_per_key) = sizing(false_positives);
        let bits = keys.saturating_mul(u64::from(bits_per_key)).saturating_add(EXCESS_BITS);
        let words = ((bits - 1) / 64 + 1).min(WORDS_MAX);
        Some(Filter { hashes, bits: vec![0; words as usize * 8] })
    }

    /// `bytes`: the file, which may be large, so it is not copied. `is_3x`: bits stand in big-endian words.
    pub(crate) fn parse(mut bytes: Vec<u8>, is_3x: bool) -> Result<Filter, Fault> {
        let mut cursor = Cursor::new(&bytes);
        let hashes = cursor.u32()?;
        if hashes == 0 || hashes > 255 {
            return Err(Fault::Bad("the number of hashes is out of range"));
        }
        let words = cursor.count(8)?;
        cursor.take(words * 8)?;
        if !cursor.is_at_end() || words == 0 {
            return Err(Fault::Bad("the length does not fit the number of bits"));
        }
        bytes.drain(..HEAD_BYTES);
        if is_3x {
            bytes.as_chunks_mut::<8>().0.iter_mut().for_each(|word| word.reverse());
        }
        Ok(Filter { hashes, bits: bytes })
    }

    /// The file in two parts: what stands before the bits, and these.
    pub(crate) fn parts(&self) -> ([u8; HEAD_BYTES], &[u8]) {
        let words = (self.bits.len() / 8) as u64;
        ((u64::from(self.hashes) << 32 | words).to_be_bytes(), &self.bits)
    }

    /// Bytes of memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bits.len()
    }

    pub(crate) fn add(&mut self, key: &[u8]) {
        let hash = murmur3_x64_128(key);
        for bit in probes(hash, self.hashes, self.bits.len()) {
            #[cfg(test)]
            let bit = if OFF_BY_ONE_BIT.get() { (bit + 1) % (self.bits.len() * 8) } else { bit };
            self.bits[bit >> 3] |= 1 << (bit & 7);
        }
    }

    /// `hash`: both halves of the key's Murmur3.
    pub(crate) fn may_contain(&self, hash: (i64, i64)) -> bool {
        probes(hash, self.hashes, self.bits.len()).all(|bit| self.bits[bit >> 3] & (1 << (bit & 7)) != 0)
    }
}

fn probes(hash: (i64, i64), hashes: u32, bytes: usize) -> impl Iterator<Item = usize> {
    let capacity = bytes as i64 * 8;
    let (step, mut base) = hash;
    (0..hashes).map(move |_| {
        let bit = (base % capacity).unsigned_abs() as usize;
        base = base.wrapping_add(step);
        bit
    })
}

/// Number of hashes and bits per key for a share of false positives.
///
/// The share is (1 - e^(-k/b))^k, to three digits as in the table that Cassandra uses: the fewest bits
/// that reach it with the best k, then the smallest k that still does. Source: `BloomCalculations.java`.
fn sizing(false_positives: f64) -> (u32, u32) {
    if false_positives >= share(2, 1) {
        return (2, 1);
    }
    let best = |bits: u32| (1..=bits).min_by(|&a, &b| share(bits, a).total_cmp(&share(bits, b))).unwrap_or(1);
    let bits = (2..BITS_PER_KEY_MAX)
        .find(|&bits| share(bits, best(bits)) <= false_positives)
        .unwrap_or(BITS_PER_KEY_MAX);
    let mut hashes = best(bits);
    while hashes > 1 && share(bits, hashes - 1) <= false_positives {
        hashes -= 1;
    }
    (hashes, bits)
}

fn share(bits: u32, hashes: u32) -> f64 {
    let (b, k) = (f64::from(bits), f64::from(hashes));
    let exact = (1.0 - (-k / b).exp()).powf(k);
    let unit = 10_f64.powi(exact.log10().floor() as i32 - 2);
    // Dividing by the unit's inverse keeps 0.01 and its like exact.
    (exact / unit).round() / (1.0 / unit).round()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_cassandra() {
        let known = [
            (0.5, 2, 1),
            (0.25, 2, 3),
            (0.2, 2, 4),
            (0.15, 3, 4),
            (0.1, 3, 5),
            (0.05, 3, 7),
            (0.02, 4, 9),
            (0.01, 5, 10),
            (0.005, 5, 12),
            (0.002, 8, 13),
            (0.001, 7, 15),
            (5e-4, 10, 16),
            (1e-4, 10, 20),
        ];
        for (chance, hashes, bits) in known {
            assert_eq!(sizing(chance), (hashes, bits), "{chance}");
        }
        assert!(Filter::sized(10, 1.0).is_none());
    }

    #[test]
    fn bits_are_those_of_cassandra() {
        let mut filter = Filter::sized(5, 0.01).unwrap();
        for key in [b"0", b"1", b"2", b"3", b"4"] {
            filter.add(key);
            assert!(filter.may_contain(murmur3_x64_128(key)));
        }
        let (head, bits) = filter.parts();
        let bytes = [&head, bits].concat();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "0000000500000002844221060001040000a602200400c008");
        assert_eq!(Filter::parse(bytes, false), Ok(filter.clone()));
        assert!(!filter.may_contain(murmur3_x64_128(b"absent")));
    }
}
