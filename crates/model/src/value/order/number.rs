//! The order of numbers by their bytes.

use std::cmp::Ordering;

use crate::value::comparable::{encode_decimal, strip_sign_bytes};

/// Two's complement integers of any length, each of at least one byte.
pub fn compare_integers(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (strip_sign_bytes(a), strip_sign_bytes(b));
    let is_positive = |value: &[u8]| value[0] < 0x80;
    let by_sign = is_positive(a).cmp(&is_positive(b));
    let by_length = if is_positive(a) { a.len().cmp(&b.len()) } else { b.len().cmp(&a.len()) };
    by_sign.then(by_length).then_with(|| a.cmp(b))
}

/// As numbers, whatever their scales: 1.0 equals 1.00.
pub fn compare_decimals(a: &[u8], b: &[u8]) -> Ordering {
    let (mut order_a, mut order_b) = (Vec::new(), Vec::new());
    encode_decimal(a, &mut order_a);
    encode_decimal(b, &mut order_b);
    order_a.cmp(&order_b)
}

/// As Java's `Double.compare`: -0.0 before 0.0, every NaN equal and above all.
pub fn compare_floats(a: &[u8], b: &[u8]) -> Ordering {
    match (to_double(a), to_double(b)) {
        (Some(x), Some(y)) if x.is_nan() || y.is_nan() => x.is_nan().cmp(&y.is_nan()),
        (Some(x), Some(y)) => x.total_cmp(&y),
        _ => a.cmp(b),
    }
}

fn to_double(value: &[u8]) -> Option<f64> {
    match value.len() {
        4 => value.try_into().ok().map(|bytes| f64::from(f32::from_be_bytes(bytes))),
        8 => value.try_into().ok().map(f64::from_be_bytes),
        _ => None,
    }
}
