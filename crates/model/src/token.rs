//! Tokens: a partition's place on the ring.

/// A Murmur3 token. `Token::MIN` is no partition's token; as a range's end it means "to the end of the ring".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub i64);

/// Tokens in `(start, end]`; if `start >= end` the range wraps around the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenRange {
    /// Exclusive.
    pub start: Token,
    /// Inclusive.
    pub end: Token,
}

impl Token {
    /// Before every partition's token.
    pub const MIN: Token = Token(i64::MIN);
    /// The last token of the ring.
    pub const MAX: Token = Token(i64::MAX);

    /// The token of a partition key: Murmur3Partitioner's.
    pub fn of(key: &[u8]) -> Token {
        if key.is_empty() {
            return Token::MIN;
        }
        let (h1, _) = murmur3_x64_128(key);
        Token(if h1 == i64::MIN { i64::MAX } else { h1 })
    }
}

impl TokenRange {
    /// True if `token` lies in the range.
    pub fn contains(&self, token: Token) -> bool {
        if self.start < self.end {
            token > self.start && token <= self.end
        } else {
            token > self.start || token <= self.end
        }
    }
}

/// MurmurHash3_x64_128 with seed 0 as Cassandra computes it: bytes of the tail are sign-extended.
///
/// Both 64-bit halves: the first is the token, the second feeds Bloom filters.
/// Source: `org.apache.cassandra.utils.MurmurHash.hash3_x64_128`.
#[expect(clippy::little_endian_bytes, reason = "Murmur3 reads its blocks little-endian")]
pub fn murmur3_x64_128(data: &[u8]) -> (i64, i64) {
    const C1: u64 = 0x87c3_7b91_1142_53d5;
    const C2: u64 = 0x4cf5_ad43_2745_937f;
    let mix1 = |k: u64| k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2);
    let mix2 = |k: u64| k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1);
    let (mut h1, mut h2) = (0_u64, 0_u64);
    let (blocks, tail) = data.as_chunks::<16>();
    for block in blocks {
        let (low, high) = block.split_at(8);
        let k1 = u64::from_le_bytes(low.try_into().expect("half of 16 bytes"));
        let k2 = u64::from_le_bytes(high.try_into().expect("half of 16 bytes"));
        h1 = (h1 ^ mix1(k1)).rotate_left(27).wrapping_add(h2).wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 = (h2 ^ mix2(k2)).rotate_left(31).wrapping_add(h1).wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let (mut k1, mut k2) = (0_u64, 0_u64);
    for (i, &byte) in tail.iter().enumerate() {
        let extended = i64::from(byte as i8) as u64;
        if i < 8 {
            k1 ^= extended << (8 * i);
        } else {
            k2 ^= extended << (8 * (i - 8));
        }
    }
    if tail.len() > 8 {
        h2 ^= mix2(k2);
    }
    if !tail.is_empty() {
        h1 ^= mix1(k1);
    }
    let length = data.len() as u64;
    h1 ^= length;
    h2 ^= length;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    h1 = finalise(h1);
    h2 = finalise(h2);
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    (h1 as i64, h2 as i64)
}

fn finalise(mut k: u64) -> u64 {
    k = (k ^ (k >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    k = (k ^ (k >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ (k >> 33)
}

#[cfg(test)]
mod tests;
