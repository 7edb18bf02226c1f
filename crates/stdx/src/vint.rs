//! Variable-length integers: 1 to 9 bytes, the length in the leading 1-bits of the first byte.
//!
//! SSTables, the commit log and the native protocol (v5 durations) all use them. Three forms: unsigned
//! 64-bit, signed 64-bit (zig-zag), and 32-bit ones that are sign-extended or range-checked.
//!
//! Never here: any meaning of the numbers.

use std::fmt;

/// The most bytes a vint takes.
pub const VINT_BYTES_MAX: usize = 9;

/// The input ended inside a vint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncated;

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("input ends inside a variable-length integer")
    }
}

impl std::error::Error for Truncated {}

/// Why a 32-bit vint could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vint32Error {
    /// The input ended inside the vint: more bytes may help.
    Truncated,
    /// The vint is whole and its value does not fit 32 bits: the bytes are corrupt.
    OutOfRange(u64),
}

impl fmt::Display for Vint32Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Vint32Error::Truncated => Truncated.fmt(f),
            Vint32Error::OutOfRange(value) => write!(f, "variable-length integer {value:#x} exceeds 32 bits"),
        }
    }
}

impl std::error::Error for Vint32Error {}

impl From<Truncated> for Vint32Error {
    fn from(_: Truncated) -> Self {
        Vint32Error::Truncated
    }
}

/// Reads an unsigned vint from the front of `input`; returns the value and the bytes taken, 1 to 9.
///
/// Layout: as many leading 1-bits in the first byte as bytes follow it (0 to 8); the bits after
/// the first 0 and then those bytes, most significant first, are the value.
///
/// `input` may be longer than the vint; it fails only when it is shorter. Longer encodings than
/// needed are accepted, as Cassandra accepts them.
///
/// Source: native protocol v5, "Notations", `[unsigned vint]`; same bytes as `VIntCoding.java`.
#[inline]
pub fn read_unsigned_vint(input: &[u8]) -> Result<(u64, usize), Truncated> {
    let (&first, rest) = input.split_first().ok_or(Truncated)?;
    if first < 0x80 {
        return Ok((u64::from(first), 1));
    }
    let extra = first.leading_ones() as usize;
    if let Some(next) = rest.first_chunk() {
        let tail = u64::from_be_bytes(*next) >> (64 - 8 * extra);
        // Nothing is left of the first byte when eight follow.
        let head = u64::from(first) & (0x7f_u64 >> extra);
        return Ok((head << ((8 * extra) & 63) | tail, 1 + extra));
    }
    let tail = rest.get(..extra).ok_or(Truncated)?;
    let head = u64::from(first) & (0x7f_u64 >> extra);
    let value = tail.iter().fold(head, |value, &byte| value << 8 | u64::from(byte));
    Ok((value, 1 + extra))
}

/// Reads a signed (zig-zag) vint; returns the value and the bytes taken.
#[inline]
pub fn read_vint(input: &[u8]) -> Result<(i64, usize), Truncated> {
    let (raw, taken) = read_unsigned_vint(input)?;
    Ok((zigzag_decode(raw), taken))
}

/// Reads a 32-bit signed integer that was sign-extended to 64 bits and written as an unsigned vint.
#[inline]
pub fn read_unsigned_vint32(input: &[u8]) -> Result<(i32, usize), Vint32Error> {
    let (raw, taken) = read_unsigned_vint(input)?;
    let value = i32::try_from(raw as i64).map_err(|_| Vint32Error::OutOfRange(raw))?;
    Ok((value, taken))
}

/// Reads a signed (zig-zag) vint that must fit 32 bits.
#[inline]
pub fn read_vint32(input: &[u8]) -> Result<(i32, usize), Vint32Error> {
    let (raw, taken) = read_unsigned_vint(input)?;
    let value = i32::try_from(zigzag_decode(raw)).map_err(|_| Vint32Error::OutOfRange(raw))?;
    Ok((value, taken))
}

/// Appends `value` as an unsigned vint of the least length, 1 to 9 bytes.
#[inline]
pub fn write_unsigned_vint(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(value as u8);
        return;
    }
    let (bytes, count) = encode_unsigned_vint(value);
    out.extend_from_slice(&bytes[..count]);
}

/// Appends `value` as a signed (zig-zag) vint.
#[inline]
pub fn write_vint(out: &mut Vec<u8>, value: i64) {
    write_unsigned_vint(out, zigzag_encode(value));
}

/// Appends a 32-bit integer sign-extended to 64 bits, as an unsigned vint: a negative one takes 9 bytes.
#[inline]
pub fn write_unsigned_vint32(out: &mut Vec<u8>, value: i32) {
    write_unsigned_vint(out, i64::from(value) as u64);
}

/// Appends a 32-bit integer as a signed (zig-zag) vint.
#[inline]
pub fn write_vint32(out: &mut Vec<u8>, value: i32) {
    write_vint(out, i64::from(value));
}

/// The unsigned vint of `value` in a fixed array, and how many of its bytes count.
#[inline]
pub fn encode_unsigned_vint(value: u64) -> ([u8; VINT_BYTES_MAX], usize) {
    let count = unsigned_vint_bytes(value);
    let mut bytes = [0; VINT_BYTES_MAX];
    if count == VINT_BYTES_MAX {
        bytes[0] = 0xff;
        bytes[1..].copy_from_slice(&value.to_be_bytes());
    } else {
        let big_endian = value.to_be_bytes();
        bytes[..count].copy_from_slice(&big_endian[8 - count..]);
        bytes[0] |= !(0xff_u8 >> (count - 1));
    }
    (bytes, count)
}

/// How many bytes `value` takes as an unsigned vint, 1 to 9.
#[inline]
pub fn unsigned_vint_bytes(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    if bits > 56 { 9 } else { bits.div_ceil(7) }
}

/// How many bytes `value` takes as a signed vint, 1 to 9.
#[inline]
pub fn vint_bytes(value: i64) -> usize {
    unsigned_vint_bytes(zigzag_encode(value))
}

/// How many bytes the vint takes whose first byte is `first`, 1 to 9.
#[inline]
pub fn vint_bytes_from_first(first: u8) -> usize {
    1 + first.leading_ones() as usize
}

/// Maps signed to unsigned so that small magnitudes stay small: 0, -1, 1, -2 become 0, 1, 2, 3.
#[inline]
pub fn zigzag_encode(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag_encode`].
#[inline]
pub fn zigzag_decode(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}

#[cfg(test)]
mod tests;
