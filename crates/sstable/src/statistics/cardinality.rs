//! HyperLogLog++ sketch of the partition keys: how many distinct ones several SSTables have together.
//!
//! Precision 13, sparse precision 25, over MurmurHash 2 (64 bits).

/// Bits of a hash that choose a register.
const PRECISION: u32 = 13;
/// Bits that a sparse code keeps.
const SPARSE_PRECISION: u32 = 25;
const REGISTERS: usize = 1 << PRECISION;
/// Sparse codes beyond which the registers are stored.
const SPARSE_MAX: usize = REGISTERS * 3 / 4;
/// Registers in a stored 32-bit word, 5 bits each.
const REGISTERS_PER_WORD: usize = 6;

/// The sketch.
#[derive(Clone, Debug)]
pub(crate) struct Cardinality {
    registers: Vec<u8>,
    /// Codes of all keys, while they are few.
    sparse: Option<Vec<u32>>,
}

impl Cardinality {
    pub(crate) fn new() -> Cardinality {
        Cardinality { registers: vec![0; REGISTERS], sparse: Some(Vec::new()) }
    }

    pub(crate) fn add(&mut self, key: &[u8]) {
        let hash = murmur2_64(key);
        let run = ((hash << PRECISION) | (1 << (PRECISION - 1))).leading_zeros() + 1;
        let register = &mut self.registers[(hash >> (64 - PRECISION)) as usize];
        *register = (*register).max(run.min(31) as u8);
        let Some(sparse) = &mut self.sparse else { return };
        sparse.push(sparse_code(hash, run));
        if sparse.len() > 4 * SPARSE_MAX {
            deduplicate(sparse);
            if sparse.len() > SPARSE_MAX {
                self.sparse = None;
            }
        }
    }

    /// The stored form.
    pub(crate) fn encode(mut self) -> Vec<u8> {
        let mut out = (-2_i32).to_be_bytes().to_vec();
        put_leb128(&mut out, PRECISION);
        put_leb128(&mut out, SPARSE_PRECISION);
        if let Some(mut sparse) = self.sparse.take() {
            deduplicate(&mut sparse);
            if sparse.len() <= SPARSE_MAX {
                put_leb128(&mut out, 1);
                put_leb128(&mut out, sparse.len() as u32);
                let mut previous = 0;
                for code in sparse {
                    put_leb128(&mut out, code - previous);
                    previous = code;
                }
                return out;
            }
        }
        put_leb128(&mut out, 0);
        let words = REGISTERS.div_ceil(REGISTERS_PER_WORD);
        put_leb128(&mut out, 4 * words as u32);
        for registers in self.registers.chunks(REGISTERS_PER_WORD) {
            let word =
                registers.iter().enumerate().fold(0_u32, |word, (i, &r)| word | u32::from(r) << (5 * i));
            out.extend_from_slice(&word.to_be_bytes());
        }
        out
    }
}

/// About how many keys a stored sketch was made of; `None` if the bytes are none.
///
/// Sparse sketches by linear counting over their 2^25 places, as Cassandra; registers by the plain formula of
/// HyperLogLog, without its table of biases (about a percent).
pub(crate) fn estimate(bytes: &[u8]) -> Option<u64> {
    let mut cursor = crate::cursor::Cursor::new(bytes.get(4..)?);
    let mut leb128 = || -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = cursor.u8().ok()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    };
    let (precision, sparse_precision, kind, count) = (leb128()?, leb128()?, leb128()?, leb128()?);
    let linear = |places: f64, taken: f64| (places * (places / (places - taken)).ln()).round() as u64;
    if kind == 1 {
        return Some(linear((1_u64 << sparse_precision.min(60)) as f64, count as f64));
    }
    let registers = 1_usize << precision.min(20);
    let words = cursor.take(usize::try_from(count).ok()?).ok()?.as_chunks::<4>().0;
    let (mut sum, mut zeros) = (0.0, 0_usize);
    for place in 0..registers {
        let word = u32::from_be_bytes(*words.get(place / REGISTERS_PER_WORD)?);
        let register = word >> (5 * (place % REGISTERS_PER_WORD)) & 31;
        sum += 1.0 / (1_u64 << register) as f64;
        zeros += usize::from(register == 0);
    }
    let m = registers as f64;
    let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
    if zeros > 0 && raw < 2.5 * m {
        return Some(linear(m, m - zeros as f64));
    }
    Some(raw.round() as u64)
}

fn sparse_code(hash: u64, run: u32) -> u32 {
    let index = (hash >> (64 - SPARSE_PRECISION)) as u32;
    if index & ((1 << (SPARSE_PRECISION - PRECISION)) - 1) != 0 {
        index << 1
    } else {
        ((index << 6 | (run ^ 63)) << 1) | 1
    }
}

fn deduplicate(sparse: &mut Vec<u32>) {
    sparse.sort_unstable();
    sparse.dedup();
}

fn put_leb128(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// MurmurHash 2 of 64 bits with seed 0, the bytes of the tail sign-extended as in Cassandra.
#[expect(clippy::little_endian_bytes, reason = "Murmur2 reads its blocks little-endian")]
fn murmur2_64(key: &[u8]) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    const R: u32 = 47;
    let mut hash = (key.len() as u64).wrapping_mul(M);
    let (blocks, tail) = key.as_chunks::<8>();
    for block in blocks {
        let k = u64::from_le_bytes(*block).wrapping_mul(M);
        hash = (hash ^ (k ^ (k >> R)).wrapping_mul(M)).wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (i, &byte) in tail.iter().enumerate() {
            hash ^= (i64::from(byte as i8) as u64) << (8 * i);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> R)).wrapping_mul(M);
    hash ^ (hash >> R)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sketch_is_cassandras() {
        let mut cardinality = Cardinality::new();
        assert_eq!(hex(&cardinality.clone().encode()), "fffffffe0d190100");
        for key in [b"0", b"1", b"2", b"3", b"4", b"0"] {
            cardinality.add(key);
        }
        assert_eq!(estimate(&cardinality.clone().encode()), Some(5));
        assert_eq!(hex(&cardinality.encode()), "fffffffe0d19010592f2850190f61ff4b3aa02b2bdfc05e0fcdd10");
    }

    #[test]
    fn many_keys_store_registers() {
        let mut cardinality = Cardinality::new();
        for key in 0..30_000_u32 {
            cardinality.add(&key.to_be_bytes());
        }
        let bytes = cardinality.encode();
        assert_eq!(bytes.len(), 4 + 3 + 2 + 5464);
        let about = estimate(&bytes).unwrap();
        assert!((29_000..31_000).contains(&about), "{about}");
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
