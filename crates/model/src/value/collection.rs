//! Collections, tuples, user types and vectors: taken apart and put together.
//!
//! The form is that of protocol v3 and later: a 4-byte count, then each element with a 4-byte length.

use bytes::Bytes;

use crate::{CqlType, Value};

/// Joins the elements of a list or set (map: key, value, key, value ... with `count` pairs).
pub fn pack<E: AsRef<[u8]>>(count: usize, elements: &[E]) -> Vec<u8> {
    let _ = (count, elements);
    todo!()
}

/// Takes a list or set apart. Errors are Cassandra's texts, e.g. `Not enough bytes to read a list`.
pub fn unpack_list(value: &Bytes) -> Result<Vec<Bytes>, String> {
    let _ = value;
    todo!()
}

/// Takes a map apart.
pub fn unpack_map(value: &Bytes) -> Result<Vec<(Bytes, Bytes)>, String> {
    let _ = value;
    todo!()
}

/// Joins the fields of a tuple or user type; trailing nulls are kept.
pub fn pack_tuple(fields: &[Value]) -> Vec<u8> {
    let _ = fields;
    todo!()
}

/// Takes a tuple or user type apart; missing trailing fields come as null.
pub fn unpack_tuple(value: &Bytes, field_count: usize) -> Result<Vec<Value>, String> {
    let _ = (value, field_count);
    todo!()
}

/// Joins the elements of a vector.
pub fn pack_vector<E: AsRef<[u8]>>(element: &CqlType, elements: &[E]) -> Vec<u8> {
    let _ = (element, elements);
    todo!()
}

/// Takes a vector apart.
pub fn unpack_vector(value: &Bytes, element: &CqlType, dimension: u32) -> Result<Vec<Bytes>, String> {
    let _ = (value, element, dimension);
    todo!()
}
