//! Byte-comparable form ("OSS50"): `memcmp` of encodings is the typed order.
//!
//! Clusterings, bounds and partition keys carry this form, so that one comparison of bytes serves memtables,
//! merges and the tries of SSTables. It goes one way: the value itself is kept beside it.
//!
//! The one difference to [`CqlType::compare`]: NaNs of different bits are equal there, apart here (as in Cassandra).
//! Malformed values are encoded like blobs: no panic, some order.
//!
//! Source: `ByteComparable.md`, `ByteSource.java` of Cassandra 5.0; facts in the SSTable format notes.

use bytes::Bytes;

use crate::key::BoundKind;
use crate::{CqlType, Value};

mod number;

pub(super) use number::{encode_decimal, strip_sign_bytes};

/// Ends the encoding of a complete clustering, and of a value of several components.
pub const ROW_TERMINATOR: u8 = 0x38;

/// The class of values that are partition keys, in their order.
const PARTITION_KEY_CLASS: &str = "PartitionerDefinedOrder(org.apache.cassandra.dht.Murmur3Partitioner";
/// Before a component that has a value.
pub const NEXT: u8 = 0x40;
/// Instead of a component that is null.
const NEXT_NULL: u8 = 0x3e;
/// Instead of a clustering column's value that is empty where its type has no empty values.
const NEXT_EMPTY: u8 = 0x3f;
/// As `NEXT_EMPTY`, in a column of descending order.
const NEXT_EMPTY_REVERSED: u8 = 0x41;

/// The last byte of a bound's encoding: before or after all that begins with its prefix.
pub fn bound_terminator(kind: BoundKind) -> u8 {
    if kind.is_before() { 0x20 } else { 0x60 }
}

/// Appends the components of a clustering prefix, each with its separator; no terminator.
/// `types` may be longer than `values`; the flag says that the column is in descending order.
pub fn encode_prefix(values: &[Value], types: &[(CqlType, bool)], out: &mut Vec<u8>) {
    assert!(values.len() <= types.len(), "{} clustering values for {} columns", values.len(), types.len());
    for (value, (ty, reversed)) in values.iter().zip(types) {
        encode_clustering_value(value.as_deref(), ty, *reversed, out);
    }
}

/// Appends one value of a clustering with its separator.
#[inline]
pub fn encode_clustering_value(value: Option<&[u8]>, ty: &CqlType, reversed: bool, out: &mut Vec<u8>) {
    let Some(value) = value else { return out.push(NEXT_NULL) };
    let start = out.len();
    out.push(NEXT);
    if !encode_value(ty, value, out) {
        out[start] = if reversed { NEXT_EMPTY_REVERSED } else { NEXT_EMPTY };
    } else if reversed {
        out[start + 1..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}

/// Appends the byte-comparable form of a decorated key: token, then key bytes, terminator 0x38.
pub fn encode_partition_key(key: &crate::PartitionKey, out: &mut Vec<u8>) {
    out.push(NEXT);
    out.extend_from_slice(&((key.token.0 as u64) ^ 1 << 63).to_be_bytes());
    out.push(NEXT);
    encode_bytes(&key.key, out);
    out.push(ROW_TERMINATOR);
}

/// Appends the form of one value, without separator or terminator. False, and nothing appended, if the
/// value is empty and its type has no form for that: the separator must say so.
pub fn encode_value(ty: &CqlType, value: &[u8], out: &mut Vec<u8>) -> bool {
    match ty {
        // In tables behind secondary indexes: a partition key of the base table.
        CqlType::Custom(class) if class.contains(PARTITION_KEY_CLASS) => {
            if value.is_empty() {
                return false;
            }
            encode_partition_key(&crate::PartitionKey::new(Bytes::copy_from_slice(value)), out);
        }
        CqlType::Ascii
        | CqlType::Text
        | CqlType::Blob
        | CqlType::Inet
        | CqlType::Duration
        | CqlType::Custom(_) => {
            encode_bytes(value, out);
            return true;
        }
        _ if value.is_empty() => return false,
        CqlType::Empty => return false,
        CqlType::Tinyint => signed::<1>(value, out),
        CqlType::Smallint => signed::<2>(value, out),
        CqlType::Int => signed::<4>(value, out),
        CqlType::Timestamp => signed::<8>(value, out),
        CqlType::Date => raw::<4>(value, out),
        CqlType::Time => raw::<8>(value, out),
        CqlType::Boolean => out.push(u8::from(value.iter().any(|byte| *byte != 0))),
        CqlType::Float => float::<4>(value, out),
        CqlType::Double => float::<8>(value, out),
        CqlType::Bigint | CqlType::Counter => match value.try_into() {
            Ok(bytes) => number::encode_signed(i64::from_be_bytes(bytes), out),
            Err(_) => encode_bytes(value, out),
        },
        CqlType::Varint => number::encode_varint(value, out),
        CqlType::Decimal => number::encode_decimal(value, out),
        CqlType::Uuid | CqlType::Timeuuid => match value.try_into() {
            Ok(bytes) => out.extend_from_slice(&uuid_order(bytes, *ty == CqlType::Timeuuid)),
            Err(_) => encode_bytes(value, out),
        },
        CqlType::List { element, .. } | CqlType::Set { element, .. } => {
            encode_elements(super::order::elements(value), &[element], out);
        }
        CqlType::Map { key, value: of, .. } => {
            encode_elements(super::order::elements(value), &[key, of], out)
        }
        CqlType::Vector { element, dimension } => {
            let elements = super::order::vector_elements(value, element, *dimension).map(Some);
            encode_elements(elements, &[element], out);
        }
        CqlType::Tuple(types) => encode_fields(value, types.iter(), out),
        CqlType::Udt { definition, .. } => {
            encode_fields(value, definition.fields.iter().map(|(_, ty)| ty), out)
        }
    }
    true
}

/// As [`encode_value`] for a value whose form has eight bytes at most and needs no look at memory: the form in the
/// high bytes of a word, zeros below, and how many bytes it has. `None`: only [`encode_value`] knows it.
#[inline]
pub fn short_form(ty: &CqlType, value: &[u8]) -> Option<(u64, usize)> {
    const SIGN: u64 = 1 << 63;
    let four = || Some(u64::from(u32::from_be_bytes(value.try_into().ok()?)) << 32);
    let eight = || Some(u64::from_be_bytes(value.try_into().ok()?));
    match ty {
        CqlType::Int => Some((four()? ^ SIGN, 4)),
        CqlType::Date => Some((four()?, 4)),
        CqlType::Timestamp => Some((eight()? ^ SIGN, 8)),
        CqlType::Time => Some((eight()?, 8)),
        CqlType::Bigint => number::short_signed(eight()? as i64),
        _ => None,
    }
}

/// Bytes that may hold zeros, so that no encoding is the beginning of another.
fn encode_bytes(value: &[u8], out: &mut Vec<u8>) {
    let mut in_zeros = false;
    for &byte in value {
        match (in_zeros, byte) {
            (true, 0) => out.push(0xfe),
            (true, _) => out.extend_from_slice(&[0xff, byte]),
            (false, _) => out.push(byte),
        }
        in_zeros = byte == 0;
    }
    out.push(if in_zeros { 0xfe } else { 0 });
}

fn raw<const N: usize>(value: &[u8], out: &mut Vec<u8>) {
    if value.len() == N { out.extend_from_slice(value) } else { encode_bytes(value, out) }
}

fn signed<const N: usize>(value: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    raw::<N>(value, out);
    out[start] ^= 0x80;
}

fn float<const N: usize>(value: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    raw::<N>(value, out);
    if out[start] & 0x80 == 0 {
        out[start] |= 0x80;
    } else {
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}

/// The 16 bytes in the order that makes them comparable: version, time (of version 1), the rest.
pub(super) fn uuid_order(uuid: [u8; 16], as_timeuuid: bool) -> [u8; 16] {
    let high = u64::from_be_bytes(uuid[..8].try_into().expect("eight of sixteen bytes"));
    let high = if as_timeuuid || uuid[6] >> 4 == 1 {
        high << 48 | (high << 16 & 0xffff_0000_0000) | high >> 32
    } else {
        let version = high >> 12 & 0xf;
        version << 60 | (high >> 4 & 0x0fff_ffff_ffff_f000) | (high & 0xfff)
    };
    let mut ordered = uuid;
    ordered[..8].copy_from_slice(&high.to_be_bytes());
    if as_timeuuid {
        ordered[8..].iter_mut().for_each(|byte| *byte ^= 0x80);
    }
    ordered
}

fn encode_component(ty: &CqlType, value: Option<&[u8]>, out: &mut Vec<u8>) {
    let start = out.len();
    out.push(NEXT);
    if !value.is_some_and(|value| encode_value(ty, value, out)) {
        out[start] = NEXT_NULL;
    }
}

/// Elements take the types in turn.
fn encode_elements<'a>(
    elements: impl Iterator<Item = Option<&'a [u8]>>,
    types: &[&CqlType],
    out: &mut Vec<u8>,
) {
    for (element, ty) in elements.zip(types.iter().cycle()) {
        encode_component(ty, element, out);
    }
    out.push(ROW_TERMINATOR);
}

/// Fields up to the last that is not null.
fn encode_fields<'a>(value: &[u8], types: impl Iterator<Item = &'a CqlType>, out: &mut Vec<u8>) {
    let mut nulls_count = 0;
    for (field, ty) in super::order::fields(value).zip(types) {
        if field.is_none() {
            nulls_count += 1;
            continue;
        }
        out.extend(std::iter::repeat_n(NEXT_NULL, nulls_count));
        nulls_count = 0;
        encode_component(ty, field, out);
    }
    out.push(ROW_TERMINATOR);
}
