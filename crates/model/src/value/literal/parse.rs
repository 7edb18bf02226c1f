//! From the text of a constant to a value's bytes.

use crate::value::name::composite_components;
use crate::value::number::{Decimal, bigint_to_varint, parse_bigint, parse_double, parse_float, unhex};
use crate::value::time::{Duration, parse_date, parse_time, parse_timestamp};
use crate::{CqlType, Value};

impl CqlType {
    /// The value that a text means (`AbstractType.fromString`): `'2011-02-03'` as a timestamp, `'127.0.0.1'`
    /// as an inet, `12` as an int ... Errors are Cassandra's texts, e.g. `Unable to make int from 'a'`.
    ///
    /// Not here: the timestamp `'now'` and host names, which need a clock and a network.
    pub fn parse_text(&self, text: &str) -> Result<Vec<u8>, String> {
        match self {
            CqlType::Ascii if !text.is_ascii() => Err(format!(
                "Invalid ASCII character in string literal: {}: Input length = 1",
                "java.nio.charset.UnmappableCharacterException"
            )),
            CqlType::Ascii | CqlType::Text => Ok(text.as_bytes().to_vec()),
            CqlType::Boolean => match text.to_ascii_lowercase().as_str() {
                "true" => Ok(vec![1]),
                "false" | "" => Ok(vec![0]),
                _ => Err(format!("Unable to make boolean from '{text}'")),
            },
            CqlType::Date => parse_date(text).map(|date| date.to_be_bytes().to_vec()),
            CqlType::Time => parse_time(text).map(|time_ns| time_ns.to_be_bytes().to_vec()),
            _ if text.is_empty() => Ok(Vec::new()),
            CqlType::Bigint => {
                make(text.parse::<i64>().ok().map(i64::to_be_bytes), "Unable to make long", text)
            }
            CqlType::Int => make(text.parse::<i32>().ok().map(i32::to_be_bytes), "Unable to make int", text),
            CqlType::Smallint => {
                make(text.parse::<i16>().ok().map(i16::to_be_bytes), "Unable to make short", text)
            }
            CqlType::Tinyint => {
                make(text.parse::<i8>().ok().map(i8::to_be_bytes), "Unable to make byte", text)
            }
            CqlType::Varint => {
                make(parse_bigint(text).map(|n| bigint_to_varint(&n)), "unable to make int", text)
            }
            CqlType::Decimal => {
                make(Decimal::parse(text).map(|n| n.to_bytes()), "unable to make BigDecimal", text)
            }
            CqlType::Float => make(parse_float(text).map(f32::to_be_bytes), "Unable to make float", text),
            CqlType::Double => make(parse_double(text).map(f64::to_be_bytes), "Unable to make double", text),
            CqlType::Timestamp => parse_timestamp(text).map(|ms| ms.to_be_bytes().to_vec()),
            CqlType::Duration => Duration::parse(text).map(Duration::to_bytes),
            CqlType::Inet => make(parse_inet(text), "Unable to make inet address", text),
            CqlType::Uuid => make(parse_uuid(text), "Unable to make UUID", text),
            CqlType::Timeuuid => match parse_uuid(text) {
                None => Err(format!("Unknown timeuuid representation: {text}")),
                Some(uuid) if uuid[6] >> 4 != 1 => Err("TimeUUID supports only version 1 UUIDs".to_owned()),
                Some(uuid) => Ok(uuid.to_vec()),
            },
            CqlType::Empty => Err(format!("'{text}' is not empty")),
            CqlType::Tuple(types) => self.parse_fields(&types.iter().collect::<Vec<_>>(), text),
            CqlType::Udt { definition, .. } => {
                self.parse_fields(&definition.fields.iter().map(|(_, ty)| ty).collect::<Vec<_>>(), text)
            }
            CqlType::Custom(class) if let Some(types) = composite_components(class) => {
                parse_composite(&types, text)
            }
            CqlType::Counter
            | CqlType::Blob
            | CqlType::Custom(_)
            | CqlType::List { .. }
            | CqlType::Set { .. }
            | CqlType::Map { .. }
            | CqlType::Vector { .. } => {
                unhex(text).ok_or_else(|| format!("cannot parse '{text}' as hex bytes"))
            }
        }
    }

    /// `a:b:@`: fields between colons, `@` for null, a backslash before a colon or `@` of a field's own.
    fn parse_fields(&self, types: &[&CqlType], text: &str) -> Result<Vec<u8>, String> {
        let parts = split_fields(text);
        if parts.len() > types.len() {
            return Err(format!(
                "Invalid tuple literal: too many elements. Type {} expects {} but got {}",
                self.cql_name(),
                types.len(),
                parts.len()
            ));
        }
        let mut fields: Vec<Value> = Vec::with_capacity(parts.len());
        for (part, ty) in parts.iter().zip(types) {
            fields.push(match part.as_str() {
                "@" => None,
                part => Some(ty.parse_text(&part.replace("\\:", ":").replace("\\@", "@"))?.into()),
            });
        }
        Ok(crate::value::collection::pack_tuple(&fields))
    }
}

/// `a:b:c`, fewer than all at will: each component is a length of two bytes, the value, and a zero. A last `!`
/// makes the last zero a one: what follows everything that begins so.
fn parse_composite(types: &[CqlType], text: &str) -> Result<Vec<u8>, String> {
    let mut parts = split_fields(text);
    let is_after = parts.pop_if(|part| part == "!").is_some();
    if parts.len() > types.len() {
        return Err(format!("Invalid composite literal: {} components of {}", parts.len(), types.len()));
    }
    let mut bytes = Vec::with_capacity(text.len() + 3 * parts.len());
    for (part, ty) in parts.iter().zip(types) {
        let component = ty.parse_text(&part.replace("\\:", ":"))?;
        let length = u16::try_from(component.len())
            .map_err(|_| format!("Invalid composite literal: a component of {} bytes", component.len()))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&component);
        bytes.push(0);
    }
    match bytes.last_mut() {
        Some(last) => *last = u8::from(is_after),
        None => return Err("Invalid composite literal: it has no components".to_owned()),
    }
    Ok(bytes)
}

fn make(bytes: Option<impl AsRef<[u8]>>, complaint: &str, text: &str) -> Result<Vec<u8>, String> {
    bytes.map(|bytes| bytes.as_ref().to_vec()).ok_or_else(|| format!("{complaint} from '{text}'"))
}

/// At colons that have no backslash before them.
fn split_fields(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut last = ' ';
    for c in text.chars() {
        if c == ':' && last != '\\' {
            parts.push(String::new());
        } else {
            parts.last_mut().expect("there is always one").push(c);
        }
        last = c;
    }
    parts
}

/// Hyphens where they belong, hex digits else.
fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let is_hyphenated = text.len() == 36 && [8, 13, 18, 23].iter().all(|at| text.as_bytes()[*at] == b'-');
    if !is_hyphenated {
        return None;
    }
    uuid::Uuid::try_parse(text).ok().map(uuid::Uuid::into_bytes)
}

/// An address, not a name: IPv6 with or without brackets, IPv4 of one to four numbers, the last of which
/// fills what is left (as Java's `InetAddress.getByName`).
fn parse_inet(text: &str) -> Option<Vec<u8>> {
    if text.contains(':') {
        let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let address: std::net::Ipv6Addr = inner.parse().ok()?;
        let v4 = address.to_ipv4_mapped().map(|v4| v4.octets().to_vec());
        return Some(v4.unwrap_or_else(|| address.octets().to_vec()));
    }
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() > 4
        || !parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    {
        return None;
    }
    let (last, first) = parts.split_last()?;
    let mut bytes: Vec<u8> = first.iter().map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let last: u32 = last.parse().ok()?;
    let last = last.to_be_bytes();
    let (above, below) = last.split_at(first.len());
    bytes.extend_from_slice(below);
    above.iter().all(|byte| *byte == 0).then_some(bytes)
}
