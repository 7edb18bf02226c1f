//! The order of values of one type (`AbstractType.compare`).
//!
//! For sets, map keys, functions and filters. Rows are ordered by the byte-comparable form instead
//! ([`super::comparable`]), which agrees with this order.

use std::cmp::Ordering;

use super::comparable::uuid_order;
use super::validate::split_vint_element;
use crate::CqlType;

mod number;

impl CqlType {
    /// Compares two serialised values; an empty one sorts first where the type allows it.
    /// Never panics, whatever the bytes. Descending columns: the caller reverses.
    pub fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            CqlType::Empty => return Ordering::Equal,
            CqlType::Ascii
            | CqlType::Text
            | CqlType::Blob
            | CqlType::Inet
            | CqlType::Duration
            | CqlType::Date
            | CqlType::Time
            | CqlType::Custom(_) => return a.cmp(b),
            _ if a.is_empty() || b.is_empty() => return a.len().min(1).cmp(&b.len().min(1)),
            _ => {}
        }
        match self {
            CqlType::Boolean => is_true(a).cmp(&is_true(b)),
            CqlType::Tinyint | CqlType::Smallint | CqlType::Int => number::compare_integers(a, b),
            CqlType::Bigint | CqlType::Counter | CqlType::Timestamp => number::compare_integers(a, b),
            CqlType::Varint => number::compare_integers(a, b),
            CqlType::Decimal => number::compare_decimals(a, b),
            CqlType::Float | CqlType::Double => number::compare_floats(a, b),
            CqlType::Uuid | CqlType::Timeuuid => match (a.try_into(), b.try_into()) {
                (Ok(x), Ok(y)) => {
                    let is_timeuuid = *self == CqlType::Timeuuid;
                    uuid_order(x, is_timeuuid).cmp(&uuid_order(y, is_timeuuid))
                }
                _ => a.cmp(b),
            },
            CqlType::List { element, .. } | CqlType::Set { element, .. } => {
                compare_elements(elements(a), elements(b), &[element])
            }
            CqlType::Map { key, value, .. } => compare_elements(elements(a), elements(b), &[key, value]),
            CqlType::Vector { element, dimension } => compare_elements(
                vector_elements(a, element, *dimension).map(Some),
                vector_elements(b, element, *dimension).map(Some),
                &[element],
            ),
            CqlType::Tuple(types) => compare_fields(a, b, types.iter()),
            CqlType::Udt { definition, .. } => {
                compare_fields(a, b, definition.fields.iter().map(|(_, ty)| ty))
            }
            _ => unreachable!("types that compare by their bytes are above"),
        }
    }
}

fn is_true(value: &[u8]) -> bool {
    value.iter().any(|byte| *byte != 0)
}

/// Null before all values.
fn compare_nullable(ty: &CqlType, a: Option<&[u8]>, b: Option<&[u8]>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => ty.compare(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

/// Elements take the types in turn; the shorter collection is first if it begins the longer one.
fn compare_elements<'a>(
    mut a: impl Iterator<Item = Option<&'a [u8]>>,
    mut b: impl Iterator<Item = Option<&'a [u8]>>,
    types: &[&CqlType],
) -> Ordering {
    for ty in types.iter().cycle() {
        let order = match (a.next(), b.next()) {
            (Some(a), Some(b)) => compare_nullable(ty, a, b),
            (None, None) => return Ordering::Equal,
            (a, b) => a.is_some().cmp(&b.is_some()),
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// Fields one by one; fields that are not there count as null.
fn compare_fields<'a>(a: &[u8], b: &[u8], types: impl Iterator<Item = &'a CqlType>) -> Ordering {
    let (mut a, mut b) = (fields(a), fields(b));
    for ty in types {
        match (a.next(), b.next()) {
            (None, None) => break,
            (a, b) => {
                let order = compare_nullable(ty, a.flatten(), b.flatten());
                if order.is_ne() {
                    return order;
                }
            }
        }
    }
    Ordering::Equal
}

/// The elements of a serialised list or set, or keys and values of a map: as many as the bytes hold.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    fields(value.get(4..).unwrap_or_default())
}

/// The fields of a serialised tuple or user type: as many as the bytes hold.
pub(super) fn fields(mut rest: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    std::iter::from_fn(move || {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            rest = tail;
            return Some(None);
        };
        let (field, tail) = tail.split_at_checked(length)?;
        rest = tail;
        Some(Some(field))
    })
}

/// The elements of a serialised vector: as many as the bytes hold, `dimension` at most.
pub(super) fn vector_elements<'a>(
    value: &'a [u8],
    element: &CqlType,
    dimension: u32,
) -> impl Iterator<Item = &'a [u8]> {
    let fixed = element.fixed_bytes();
    let mut rest = value;
    let next = move || match fixed {
        Some(0) => None,
        Some(bytes) => {
            let (taken, tail) = rest.split_at_checked(bytes)?;
            rest = tail;
            Some(taken)
        }
        None if rest.is_empty() => None,
        None => split_vint_element(value.len(), &mut rest).ok(),
    };
    std::iter::from_fn(next).take(dimension as usize)
}
