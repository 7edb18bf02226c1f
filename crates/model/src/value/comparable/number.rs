//! Byte-comparable forms of numbers of any size.
//!
//! Source: `ByteSource.SignedFixedLengthNumber` and kin, `IntegerType` and `DecimalType` of Cassandra 5.0.

use num_bigint::{BigInt, Sign};
use stdx::vint::encode_unsigned_vint;

/// Variable length, signed: the more bytes, the farther from zero.
pub fn encode_signed(value: i64, out: &mut Vec<u8>) {
    match short_signed(value) {
        Some((form, count)) => out.extend_from_slice(&form.to_be_bytes()[..count]),
        None => {
            out.push(if value < 0 { 0 } else { 0xff });
            out.extend_from_slice(&(value as u64 ^ 1 << 63).to_be_bytes());
        }
    }
}

/// As [`encode_signed`] in the high bytes of a word, zeros below, and the number of bytes; `None` if that is nine.
#[inline]
pub fn short_signed(value: i64) -> Option<(u64, usize)> {
    let flip = (value >> 63) as u64;
    let magnitude = value as u64 ^ flip;
    let bits = 64 - (magnitude | 1).leading_zeros() as usize;
    let count = bits / 7 + 1;
    if count > 8 {
        return None;
    }
    let unused = 64 - 8 * count as u32;
    let ones = (-0x100_i64 >> count) as u64 & 0xff;
    let form = magnitude << unused | ones << 56;
    Some((form ^ flip >> unused << unused, count))
}

/// The bytes of a varint without redundant sign bytes; at least one is left of at least one.
pub fn strip_sign_bytes(value: &[u8]) -> &[u8] {
    let mut rest = value;
    while let [first, second, ..] = rest {
        let redundant = (*first == 0 && *second < 0x80) || (*first == 0xff && *second >= 0x80);
        if !redundant {
            break;
        }
        rest = &rest[1..];
    }
    rest
}

/// A varint of at least one byte.
pub fn encode_varint(value: &[u8], out: &mut Vec<u8>) {
    let flip = if value[0] & 0x80 == 0 { 0 } else { 0xff };
    let sign = if flip == 0 { 0x00 } else { 0xff };
    // All leading sign bytes go, even one that the next byte needs: the form below does not.
    let stripped = value.iter().take(value.len() - 1).take_while(|byte| **byte == sign).count();
    let digits = &value[stripped..];
    if digits.len() < 7 {
        let number = digits
            .iter()
            .fold(if flip == 0 { 0 } else { -1 }, |number: i64, byte| number << 8 | i64::from(*byte));
        encode_signed(number, out);
        return;
    }
    out.push(0xff ^ flip);
    let (length, count) = encode_unsigned_vint(digits.len() as u64 - 7);
    out.extend(length[..count].iter().map(|byte| byte ^ flip));
    out.extend_from_slice(digits);
}

/// A decimal: sign, exponent of 100, then pairs of digits.
pub fn encode_decimal(value: &[u8], out: &mut Vec<u8>) {
    let Some((scale, unscaled)) = value.split_first_chunk::<4>() else {
        super::encode_bytes(value, out);
        return;
    };
    let scale = i64::from(i32::from_be_bytes(*scale));
    let (sign, magnitude) = BigInt::from_signed_bytes_be(unscaled).into_parts();
    let mut digits = magnitude.to_radix_be(10);
    if sign == Sign::NoSign {
        out.push(0x80);
        return;
    }
    // value = 0.d1d2d3... * 10^point, then the point moves to a whole power of 100.
    let point = digits.len() as i64 - scale;
    let exponent = (point + 1).div_euclid(2);
    if point.rem_euclid(2) == 1 {
        digits.insert(0, 0);
    }
    while digits.last() == Some(&0) {
        digits.pop();
    }
    let negative = sign == Sign::Minus;
    let modulated = if negative { -exponent } else { exponent };
    let count = (8 - modulated.unsigned_abs().leading_zeros() as usize / 8) as i64;
    let length = if modulated < 0 { -count } else { count };
    out.push((0x40 + length + if negative { 0 } else { 0x80 }) as u8);
    out.extend_from_slice(&modulated.to_be_bytes()[8 - count as usize..]);
    let pairs_count = digits.len().div_ceil(2);
    for (index, pair) in digits.chunks(2).enumerate() {
        let pair = 10 * pair[0] + pair.get(1).copied().unwrap_or(0);
        // A negative mantissa is written as its floor: the first pair goes down, what follows counts up to it.
        let (is_first, is_last) = (index == 0, index + 1 == pairs_count);
        out.push(match (negative, is_first) {
            (false, _) => 0x80 + pair,
            (true, true) => 0x80 - pair - u8::from(!is_last),
            (true, false) => 0x80 + 99 + u8::from(is_last) - pair,
        });
    }
    out.push(0);
}
