//! Values as CQL text: for DESCRIBE, error texts, casts to text; and from the text of constants.
//!
//! Bytes that are no value of the type (they cannot come in, see [`super::validate`]) are shown as hex.

use std::fmt::Display;

use super::name::quote_identifier;
use super::number::{Decimal, format_double, format_float, hex, varint_to_bigint};
use super::order::{elements, fields, vector_elements};
use super::time::{Duration, format_date, format_time, format_timestamp};
use crate::CqlType;

mod parse;

/// The value of a fixed-length type.
pub(super) fn array<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
    value.try_into().ok()
}

/// A serialised integer of 1, 2, 4 or 8 bytes.
pub(super) fn integer(value: &[u8]) -> Option<i64> {
    match value.len() {
        1 => array(value).map(|bytes| i64::from(i8::from_be_bytes(bytes))),
        2 => array(value).map(|bytes| i64::from(i16::from_be_bytes(bytes))),
        4 => array(value).map(|bytes| i64::from(i32::from_be_bytes(bytes))),
        8 => array(value).map(i64::from_be_bytes),
        _ => None,
    }
}

impl CqlType {
    /// The value as a CQL literal: `'it''s'`, `0xcafe`, `{1, 2}`, `'2011-02-03T04:05:00.000Z'`.
    /// Source: `AbstractType.toCQLString`.
    pub fn to_literal(&self, value: &[u8]) -> String {
        match self {
            CqlType::Ascii | CqlType::Text => quoted(&String::from_utf8_lossy(value)),
            CqlType::Blob | CqlType::Custom(_) => format!("0x{}", hex(value)),
            CqlType::Tuple(types) => {
                let shown = fields(value).zip(types.iter()).map(|(field, ty)| ty.to_nullable_literal(field));
                format!("({})", join(shown))
            }
            CqlType::Udt { definition, .. } => {
                let shown = fields(value).zip(&definition.fields).map(|(field, (name, ty))| {
                    format!("{}: {}", quote_identifier(name), ty.to_nullable_literal(field))
                });
                format!("{{{}}}", join(shown))
            }
            _ if value.is_empty() => "null".to_owned(),
            CqlType::List { element, .. } => {
                format!("[{}]", join(elements(value).map(|each| element.to_nullable_literal(each))))
            }
            CqlType::Set { element, .. } => {
                format!("{{{}}}", join(elements(value).map(|each| element.to_nullable_literal(each))))
            }
            CqlType::Map { key, value: of, .. } => {
                let mut parts = elements(value);
                let shown = std::iter::from_fn(|| {
                    let (one, two) = (parts.next()?, parts.next()?);
                    Some(format!("{}: {}", key.to_nullable_literal(one), of.to_nullable_literal(two)))
                });
                format!("{{{}}}", join(shown))
            }
            CqlType::Vector { element, dimension } => {
                let shown = vector_elements(value, element, *dimension).map(|each| element.to_literal(each));
                format!("[{}]", join(shown))
            }
            CqlType::Date | CqlType::Time | CqlType::Timestamp | CqlType::Inet => {
                quoted(&self.to_text(value))
            }
            CqlType::Counter => integer(value).map_or_else(|| format!("0x{}", hex(value)), |n| n.to_string()),
            _ => self.to_text(value),
        }
    }

    fn to_nullable_literal(&self, value: Option<&[u8]>) -> String {
        value.map_or_else(|| "null".to_owned(), |value| self.to_literal(value))
    }

    /// The value as plain text, unquoted (`AbstractType.getString`): hex for blobs, counters, collections and
    /// vectors; `a:b` for tuples and user types.
    pub fn to_text(&self, value: &[u8]) -> String {
        if value.is_empty() {
            return String::new();
        }
        let known = match self {
            CqlType::Ascii | CqlType::Text => Some(String::from_utf8_lossy(value).into_owned()),
            CqlType::Bigint | CqlType::Int | CqlType::Smallint | CqlType::Tinyint => show(integer(value)),
            CqlType::Boolean => show((value.len() == 1).then_some(value[0] != 0)),
            CqlType::Date => show(array(value).map(|bytes| format_date(u32::from_be_bytes(bytes)))),
            CqlType::Time => show(array(value).map(|bytes| format_time(i64::from_be_bytes(bytes)))),
            CqlType::Timestamp => {
                show(array(value).map(|bytes| format_timestamp(i64::from_be_bytes(bytes), 'T')))
            }
            CqlType::Decimal => show(Decimal::from_bytes(value)),
            CqlType::Varint => show(Some(varint_to_bigint(value))),
            CqlType::Float => show(array(value).map(|bytes| format_float(f32::from_be_bytes(bytes)))),
            CqlType::Double => show(array(value).map(|bytes| format_double(f64::from_be_bytes(bytes)))),
            CqlType::Duration => show(Duration::from_bytes(value)),
            CqlType::Uuid | CqlType::Timeuuid => show(array(value).map(uuid::Uuid::from_bytes)),
            CqlType::Inet => format_inet(value),
            CqlType::Tuple(types) => Some(fields_text(value, types.iter())),
            CqlType::Udt { definition, .. } => {
                Some(fields_text(value, definition.fields.iter().map(|(_, ty)| ty)))
            }
            CqlType::Blob
            | CqlType::Counter
            | CqlType::Empty
            | CqlType::Custom(_)
            | CqlType::List { .. }
            | CqlType::Set { .. }
            | CqlType::Map { .. }
            | CqlType::Vector { .. } => None,
        };
        known.unwrap_or_else(|| hex(value))
    }
}

fn show(value: Option<impl Display>) -> Option<String> {
    value.map(|value| value.to_string())
}

pub(super) fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn fields_text<'a>(value: &[u8], types: impl Iterator<Item = &'a CqlType>) -> String {
    let shown = fields(value).zip(types).map(|(field, ty)| match field {
        Some(field) => ty.to_text(field).replace(':', "\\:").replace('@', "\\@"),
        None => "@".to_owned(),
    });
    shown.collect::<Vec<_>>().join(":")
}

/// As Java's `InetAddress.getHostAddress`: no `::`, and an IPv4 address in IPv6 as IPv4.
fn format_inet(value: &[u8]) -> Option<String> {
    if let Some(bytes) = array::<4>(value) {
        return Some(std::net::Ipv4Addr::from(bytes).to_string());
    }
    let address = std::net::Ipv6Addr::from(array::<16>(value)?);
    if let Some(v4) = address.to_ipv4_mapped() {
        return Some(v4.to_string());
    }
    let groups = address.segments().map(|group| format!("{group:x}"));
    Some(groups.join(":"))
}
