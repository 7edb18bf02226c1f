//! Values as CQL literals, from their bytes and the type that the result metadata names.
//!
//! Written apart from the node's own printing on purpose: an error there must show in a script.

use std::net::IpAddr;

use model::CqlType;
use num_bigint::BigInt;

/// The value as a CQL literal; `null` for none, `''` for a value without bytes that is no text.
pub fn literal(ty: &CqlType, value: Option<&[u8]>) -> String {
    match value {
        None => "null".to_owned(),
        Some(bytes) => present(ty, bytes).unwrap_or_else(|| format!("<bad {}>", hex(bytes))),
    }
}

fn present(ty: &CqlType, bytes: &[u8]) -> Option<String> {
    match ty {
        CqlType::Ascii | CqlType::Text => return std::str::from_utf8(bytes).ok().map(quoted),
        CqlType::Blob | CqlType::Custom(_) => return Some(hex(bytes)),
        _ if bytes.is_empty() => return Some("''".to_owned()),
        _ => {}
    }
    Some(match ty {
        CqlType::Boolean => (bytes != [0]).to_string(),
        CqlType::Tinyint => i8::from_be_bytes(bytes.try_into().ok()?).to_string(),
        CqlType::Smallint => i16::from_be_bytes(bytes.try_into().ok()?).to_string(),
        CqlType::Int => int(bytes)?.to_string(),
        CqlType::Bigint | CqlType::Counter => long(bytes)?.to_string(),
        CqlType::Float => float(format!("{:?}", f32::from_be_bytes(bytes.try_into().ok()?))),
        CqlType::Double => float(format!("{:?}", f64::from_be_bytes(bytes.try_into().ok()?))),
        CqlType::Varint => BigInt::from_signed_bytes_be(bytes).to_string(),
        CqlType::Decimal => decimal(int(bytes.get(..4)?)?, &BigInt::from_signed_bytes_be(bytes.get(4..)?)),
        CqlType::Uuid | CqlType::Timeuuid => uuid(bytes)?,
        CqlType::Inet => quoted(&inet(bytes)?.to_string()),
        CqlType::Date => {
            let days = i64::from(u32::from_be_bytes(bytes.try_into().ok()?)) - (1 << 31);
            quoted(&date(days))
        }
        CqlType::Time => quoted(&time(long(bytes)?, 9)),
        CqlType::Timestamp => {
            let ms = long(bytes)?;
            let of_day_ns = ms.rem_euclid(86_400_000) * 1_000_000;
            quoted(&format!("{}T{}Z", date(ms.div_euclid(86_400_000)), time(of_day_ns, 3)))
        }
        CqlType::Duration => duration(bytes)?,
        CqlType::List { element, .. } => format!("[{}]", collection(&[element], bytes)?.join(", ")),
        CqlType::Set { element, .. } => format!("{{{}}}", collection(&[element], bytes)?.join(", ")),
        CqlType::Map { key, value, .. } => {
            let flat = collection(&[key, value], bytes)?;
            let pairs: Vec<String> = flat.chunks(2).map(|pair| pair.join(": ")).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        CqlType::Tuple(fields) => format!("({})", tuple(fields.iter(), bytes)?.join(", ")),
        CqlType::Udt { definition, .. } => {
            let values = tuple(definition.fields.iter().map(|(_, ty)| ty), bytes)?;
            let names = definition.fields.iter().map(|(name, _)| name);
            let pairs: Vec<String> =
                names.zip(values).map(|(name, value)| format!("{name}: {value}")).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        CqlType::Vector { element, dimension } => vector(element, *dimension, bytes)?,
        CqlType::Empty | CqlType::Ascii | CqlType::Text | CqlType::Blob | CqlType::Custom(_) => hex(bytes),
    })
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

fn int(bytes: &[u8]) -> Option<i32> {
    Some(i32::from_be_bytes(bytes.try_into().ok()?))
}

fn long(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.try_into().ok()?))
}

/// The shortest digits that mean the same number; infinity as CQL spells it.
fn float(text: String) -> String {
    text.replace("inf", "Infinity")
}

/// Plain notation, whatever the scale, but for scales that would fill the line.
fn decimal(scale: i32, unscaled: &BigInt) -> String {
    let digits = unscaled.magnitude().to_string();
    let sign = if unscaled.sign() == num_bigint::Sign::Minus { "-" } else { "" };
    match usize::try_from(scale) {
        Ok(0) => format!("{sign}{digits}"),
        Ok(scale) if scale < 40 => {
            let padded = format!("{digits:0>width$}", width = scale + 1);
            let (whole, fraction) = padded.split_at(padded.len() - scale);
            format!("{sign}{whole}.{fraction}")
        }
        _ => format!("{sign}{digits}E{}", -i64::from(scale)),
    }
}

fn uuid(bytes: &[u8]) -> Option<String> {
    let text = hex(bytes.get(..16)?);
    Some([&text[2..10], &text[10..14], &text[14..18], &text[18..22], &text[22..]].join("-"))
}

fn inet(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => None,
    }
}

/// The civil date of a day since 1970-01-01, by the usual count of 400-year eras from March on.
fn date(days: i64) -> String {
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

fn time(nanoseconds: i64, fraction_digits: usize) -> String {
    let seconds = nanoseconds / 1_000_000_000;
    let fraction = format!("{:09}", nanoseconds % 1_000_000_000);
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{h:02}:{m:02}:{s:02}.{}", &fraction[..fraction_digits])
}

/// Months, days, nanoseconds: three zigzag vints.
fn duration(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes;
    let mut parts = [0_i64; 3];
    for part in &mut parts {
        let raw = vint(&mut rest)?;
        *part = (raw >> 1) as i64 ^ -((raw & 1) as i64);
    }
    let sign = if parts.iter().any(|part| *part < 0) { "-" } else { "" };
    let [months, days, nanoseconds] = parts.map(i64::unsigned_abs);
    Some(format!("{sign}{months}mo{days}d{nanoseconds}ns"))
}

fn vint(rest: &mut &[u8]) -> Option<u64> {
    let (&first, tail) = rest.split_first()?;
    let extra = first.leading_ones() as usize;
    let (taken, tail) = tail.split_at_checked(extra)?;
    *rest = tail;
    let head = u64::from(first) & (0x7f_u64 >> extra);
    Some(taken.iter().fold(head, |value, byte| value << 8 | u64::from(*byte)))
}

/// A value with a length of 4 bytes in front; negative is null.
fn sized<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let (length, tail) = rest.split_at_checked(4)?;
    let Ok(length) = usize::try_from(int(length)?) else {
        *rest = tail;
        return Some(None);
    };
    let (value, tail) = tail.split_at_checked(length)?;
    *rest = tail;
    Some(Some(value))
}

/// The elements of a collection as literals; `types` repeat (a map has two).
fn collection(types: &[&CqlType], bytes: &[u8]) -> Option<Vec<String>> {
    let (count, mut rest) = bytes.split_at_checked(4)?;
    let count = usize::try_from(int(count)?).ok()?;
    let mut literals = Vec::new();
    for _ in 0..count {
        for ty in types {
            literals.push(literal(ty, sized(&mut rest)?));
        }
    }
    rest.is_empty().then_some(literals)
}

fn tuple<'a>(types: impl Iterator<Item = &'a CqlType>, bytes: &[u8]) -> Option<Vec<String>> {
    let mut rest = bytes;
    let literals = types
        .map(|ty| Some(if rest.is_empty() { "null".to_owned() } else { literal(ty, sized(&mut rest)?) }))
        .collect::<Option<Vec<_>>>()?;
    rest.is_empty().then_some(literals)
}

fn vector(element: &CqlType, dimension: u32, bytes: &[u8]) -> Option<String> {
    let mut rest = bytes;
    let mut literals = Vec::new();
    for _ in 0..dimension {
        let length = match element.fixed_bytes() {
            Some(bytes) => bytes,
            None => usize::try_from(vint(&mut rest)?).ok()?,
        };
        let (value, tail) = rest.split_at_checked(length)?;
        rest = tail;
        literals.push(literal(element, Some(value)));
    }
    rest.is_empty().then(|| format!("[{}]", literals.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_before_and_after_the_epoch() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(-1), "1969-12-31");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!(literal(&CqlType::Timestamp, Some(&(-1_i64).to_be_bytes())), "'1969-12-31T23:59:59.999Z'");
    }

    #[test]
    fn decimals_keep_their_scale() {
        assert_eq!(decimal(2, &BigInt::from(-5)), "-0.05");
        assert_eq!(decimal(0, &BigInt::from(12)), "12");
        assert_eq!(decimal(-3, &BigInt::from(12)), "12E3");
    }

    #[test]
    fn torn_values_are_named_not_guessed() {
        let list = CqlType::list(CqlType::Int, false);
        assert_eq!(literal(&list, Some(&[0, 0, 0, 1, 0, 0, 0, 4, 0])), "<bad 0x000000010000000400>");
    }
}
