//! Our own compact form of updates and rows: what the commit log and the memtable keep.
//!
//! Columns are numbers ([`crate::ColumnId`]): whoever stores the bytes longer than the process lives keeps a
//! list of names beside them.

use bytes::Bytes;

use crate::partition::PartitionUpdate;
use crate::row::Row;

/// The bytes contradict themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// Appends a row.
pub fn encode_row(row: &Row, out: &mut Vec<u8>) {
    let _ = (row, out);
    todo!()
}

/// Reads a row that fills `bytes`; its values share them. Checks every length.
pub fn decode_row(bytes: &Bytes) -> Result<Row, Malformed> {
    let _ = bytes;
    todo!()
}

/// Appends an update.
pub fn encode_update(update: &PartitionUpdate, out: &mut Vec<u8>) {
    let _ = (update, out);
    todo!()
}

/// Reads an update that fills `bytes`.
pub fn decode_update(bytes: &Bytes) -> Result<PartitionUpdate, Malformed> {
    let _ = bytes;
    todo!()
}
