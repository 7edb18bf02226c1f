//! Our own compact form of updates and rows: what the commit log and the memtable keep.
//!
//! Columns are numbers ([`crate::ColumnId`]): whoever stores the bytes longer than the process lives keeps a
//! list of names beside them. All integers are vints.
//!
//! ```text
//! row    := place flags [timestamp [ttl ldt]] [timestamp ldt] count column*
//!           flags: 1 marker, 2 that expires, 4 row deletion
//! place  := length order-bytes count value*          value := 0 (null) | length+1 bytes
//! column := id*2 cell | id*2+1 timestamp ldt count (length path cell)*
//! cell   := flags [timestamp] [ttl] [ldt] [length value]
//!           flags: 1 ttl, 2 ldt, 4 value, 8 timestamp is the marker's
//! update := flags [timestamp ldt] [length row] count (length row)* count tombstone*
//!           flags: 1 partition deletion, 2 static row
//! tombstone := kind place kind place timestamp ldt
//! ```
//!
//! Never here: versions and checksums; the commit log has them.

mod decode;
pub use decode::{Malformed, decode_row, decode_update};

mod encode;
pub use encode::{encode_row, encode_update};

mod plain;
pub use plain::plain_parts;

mod supersede;
pub use supersede::supersedes;

use bytes::Bytes;

/// The order bytes of an encoded row, without reading the rest of it.
///
/// Panics if the bytes are no row: for bytes that [`encode_row`] made in this process.
pub fn row_order(row: &[u8]) -> &[u8] {
    let (bytes, taken) = stdx::vint::read_unsigned_vint(row).expect("an encoded row begins with a length");
    &row[taken..taken + bytes as usize]
}

/// As [`decode_row`], for bytes that [`encode_row`] made in this process: panics if they are no row.
pub fn decode_own_row(row: &Bytes) -> crate::Row {
    decode_row(row).expect("this process encoded the row")
}

#[cfg(test)]
mod tests;
