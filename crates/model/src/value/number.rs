//! Varint and decimal: any size, Java's text and byte forms; floats as Java prints and reads them; hex.

use std::fmt;

use num_bigint::BigInt;

/// Bytes as lower-case hex, without prefix.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The bytes that hex digits of either case stand for; `None` if they are no such digits or an odd number.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibble = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some((nibble(pair[0])? << 4 | nibble(*pair.get(1)?)?) as u8)).collect()
}

/// The number that a varint's bytes (two's complement) stand for; no bytes are zero.
pub fn varint_to_bigint(value: &[u8]) -> BigInt {
    BigInt::from_signed_bytes_be(value)
}

/// A varint's bytes, as few as there can be and at least one.
pub fn bigint_to_varint(value: &BigInt) -> Vec<u8> {
    value.to_signed_bytes_be()
}

/// Reads digits after an optional sign, as Java's `new BigInteger(text)`.
pub fn parse_bigint(text: &str) -> Option<BigInt> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// A decimal number: `unscaled` times ten to the power of `-scale`. 1.0 and 1.00 differ (in bytes), and are equal in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// The digits.
    pub unscaled: BigInt,
    /// How many of them stand after the point; negative for zeros before it.
    pub scale: i32,
}

impl Decimal {
    /// Reads the serialised form: 4 bytes of scale, then a varint. `None` if it is too short.
    pub fn from_bytes(value: &[u8]) -> Option<Decimal> {
        let (scale, unscaled) = value.split_first_chunk::<4>()?;
        Some(Decimal { unscaled: varint_to_bigint(unscaled), scale: i32::from_be_bytes(*scale) })
    }

    /// The serialised form.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.scale.to_be_bytes(), bigint_to_varint(&self.unscaled).as_slice()].concat()
    }

    /// Reads what Java's `new BigDecimal(text)` reads: `-1.50`, `.5`, `5.`, `1e-400`. Nothing is expanded: a
    /// huge exponent costs nothing.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let unscaled = parse_bigint(&format!("{whole}{fraction}"))?;
        let scale = i64::try_from(fraction.len()).ok()? - i64::from(exponent);
        Some(Decimal { unscaled, scale: i32::try_from(scale).ok()? })
    }
}

/// As Java's `BigDecimal.toString`: with an exponent where there would be zeros without meaning.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.unscaled.to_string();
        let (sign, digits) = all.strip_prefix('-').map_or(("", all.as_str()), |digits| ("-", digits));
        let scale = i64::from(self.scale);
        let exponent = digits.len() as i64 - 1 - scale;
        if scale < 0 || exponent < -6 {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            return write!(f, "{sign}{first}{point}{rest}E{exponent:+}");
        }
        let after = self.scale as usize;
        if after == 0 {
            return f.write_str(&all);
        }
        let padded = format!("{digits:0>width$}", width = after + 1);
        let (whole, fraction) = padded.split_at(padded.len() - after);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

/// As Java's `Double.toString` (of JDK 19 and later: the shortest digits that read back the same).
pub fn format_double(value: f64) -> String {
    if !value.is_finite() {
        return format_infinite(value);
    }
    let shortest = format!("{value:e}");
    let two_digits = format!("{value:.1e}");
    java_form(if two_digits.parse() == Ok(value) { &two_digits } else { &shortest })
}

/// As Java's `Float.toString`.
pub fn format_float(value: f32) -> String {
    if !value.is_finite() {
        return format_infinite(f64::from(value));
    }
    let shortest = format!("{value:e}");
    let two_digits = format!("{value:.1e}");
    java_form(if two_digits.parse() == Ok(value) { &two_digits } else { &shortest })
}

fn format_infinite(value: f64) -> String {
    let name = if value.is_nan() { "NaN" } else { "Infinity" };
    let sign = if value == f64::NEG_INFINITY { "-" } else { "" };
    format!("{sign}{name}")
}

/// From `d.ddde-n`: without exponent from 10^-3 to 10^7, else with `E`; always a digit after the point.
fn java_form(scientific: &str) -> String {
    let (mantissa, exponent) = scientific.split_once('e').expect("formatted with an exponent");
    let exponent: i32 = exponent.parse().expect("formatted as a number");
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |mantissa| ("-", mantissa));
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let digits = match digits.trim_end_matches('0') {
        "" => "0",
        trimmed => trimmed,
    };
    let (whole, fraction, suffix) = match exponent {
        0..=6 => {
            let before = exponent as usize + 1;
            let padded = format!("{digits:0<before$}");
            (padded[..before].to_owned(), padded[before..].to_owned(), String::new())
        }
        -3..=-1 => {
            ("0".to_owned(), format!("{}{digits}", "0".repeat((-exponent - 1) as usize)), String::new())
        }
        _ => (digits[..1].to_owned(), digits[1..].to_owned(), format!("E{exponent}")),
    };
    let fraction = if fraction.is_empty() { "0" } else { &fraction };
    format!("{sign}{whole}.{fraction}{suffix}")
}

/// What is left to read of a float's text after blanks and Java's suffix; `None` if Java would not read it.
/// Java's hexadecimal floats are not read.
fn float_text(text: &str) -> Option<&str> {
    let trimmed = text.trim_matches(|c: char| c <= ' ');
    let unsigned = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    if matches!(unsigned, "NaN" | "Infinity") {
        return Some(if unsigned == "NaN" { unsigned } else { trimmed });
    }
    let number = trimmed.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(trimmed);
    let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    number.bytes().all(is_part).then_some(number)
}

/// As Java's `Double.parseDouble`.
pub fn parse_double(text: &str) -> Option<f64> {
    float_text(text)?.parse().ok()
}

/// As Java's `Float.parseFloat`.
pub fn parse_float(text: &str) -> Option<f32> {
    float_text(text)?.parse().ok()
}
