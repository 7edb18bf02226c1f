//! Byte-comparable form ("OSS50"): `memcmp` of encodings is the typed order.
//!
//! Source: `ByteComparable.md`, `ByteSource.java` of Cassandra 5.0; facts in the SSTable format notes.

use crate::key::BoundKind;
use crate::{CqlType, Value};

/// Ends the encoding of a complete clustering.
pub const ROW_TERMINATOR: u8 = 0x38;

/// The last byte of a bound's encoding: before or after all that begins with its prefix.
pub fn bound_terminator(kind: BoundKind) -> u8 {
    if kind.is_before() { 0x20 } else { 0x60 }
}

/// Appends the components of a clustering prefix, each with its separator; no terminator.
/// `types` may be longer than `values`; the flag says that the column is in descending order.
pub fn encode_prefix(values: &[Value], types: &[(CqlType, bool)], out: &mut Vec<u8>) {
    let _ = (values, types, out);
    todo!()
}

/// Appends the byte-comparable form of a decorated key: token, then key bytes, terminator 0x38.
pub fn encode_partition_key(key: &crate::PartitionKey, out: &mut Vec<u8>) {
    let _ = (key, out);
    todo!()
}
