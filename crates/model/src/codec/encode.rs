//! From values to bytes.

use stdx::vint::{write_unsigned_vint, write_vint};

use crate::Value;
use crate::key::Bound;
use crate::partition::{PartitionUpdate, RangeTombstone};
use crate::row::{Cell, ColumnData, DeletionTime, Liveness, NO_DELETION_TIME, NO_TTL, Row};

/// Appends a row.
pub fn encode_row(row: &Row, out: &mut Vec<u8>) {
    encode_place(&row.clustering.order, &row.clustering.values, out);
    let expires = row.liveness.ttl_s != NO_TTL || row.liveness.local_deletion_s != NO_DELETION_TIME;
    let has_marker = !row.liveness.is_none();
    let has_deletion = !row.deletion.is_live();
    out.push(u8::from(has_marker) | u8::from(has_marker && expires) << 1 | u8::from(has_deletion) << 2);
    if has_marker {
        write_vint(out, row.liveness.timestamp_us);
        if expires {
            write_vint(out, i64::from(row.liveness.ttl_s));
            write_unsigned_vint(out, u64::from(row.liveness.local_deletion_s));
        }
    }
    if has_deletion {
        encode_deletion(row.deletion, out);
    }
    write_unsigned_vint(out, row.columns.len() as u64);
    for (id, data) in &row.columns {
        match data {
            ColumnData::Cell(cell) => {
                write_unsigned_vint(out, u64::from(id.0) << 1);
                encode_cell(cell, &row.liveness, out);
            }
            ColumnData::Complex { deletion, cells } => {
                write_unsigned_vint(out, u64::from(id.0) << 1 | 1);
                encode_deletion(*deletion, out);
                write_unsigned_vint(out, cells.len() as u64);
                for (path, cell) in cells {
                    encode_bytes(path, out);
                    encode_cell(cell, &row.liveness, out);
                }
            }
        }
    }
}

fn encode_cell(cell: &Cell, marker: &Liveness, out: &mut Vec<u8>) {
    let has_ttl = cell.ttl_s != NO_TTL;
    let has_deletion_time = cell.local_deletion_s != NO_DELETION_TIME;
    let has_value = !cell.value.is_empty();
    let is_markers = cell.timestamp_us == marker.timestamp_us;
    out.push(
        u8::from(has_ttl)
            | u8::from(has_deletion_time) << 1
            | u8::from(has_value) << 2
            | u8::from(is_markers) << 3,
    );
    if !is_markers {
        write_vint(out, cell.timestamp_us);
    }
    if has_ttl {
        write_vint(out, i64::from(cell.ttl_s));
    }
    if has_deletion_time {
        write_unsigned_vint(out, u64::from(cell.local_deletion_s));
    }
    if has_value {
        encode_bytes(&cell.value, out);
    }
}

fn encode_deletion(deletion: DeletionTime, out: &mut Vec<u8>) {
    write_vint(out, deletion.timestamp_us);
    write_unsigned_vint(out, u64::from(deletion.local_deletion_s));
}

fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_unsigned_vint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn encode_place(order: &[u8], values: &[Value], out: &mut Vec<u8>) {
    encode_bytes(order, out);
    write_unsigned_vint(out, values.len() as u64);
    for value in values {
        match value {
            None => out.push(0),
            Some(bytes) => {
                write_unsigned_vint(out, bytes.len() as u64 + 1);
                out.extend_from_slice(bytes);
            }
        }
    }
}

/// Appends an update.
pub fn encode_update(update: &PartitionUpdate, out: &mut Vec<u8>) {
    let has_deletion = !update.deletion.is_live();
    out.push(u8::from(has_deletion) | u8::from(update.static_row.is_some()) << 1);
    if has_deletion {
        encode_deletion(update.deletion, out);
    }
    if let Some(row) = &update.static_row {
        encode_row_with_length(row, out);
    }
    write_unsigned_vint(out, update.rows.len() as u64);
    for row in &update.rows {
        encode_row_with_length(row, out);
    }
    write_unsigned_vint(out, update.range_tombstones.len() as u64);
    for tombstone in &update.range_tombstones {
        encode_tombstone(tombstone, out);
    }
}

/// The length has four bytes, big-endian, so that the row can be written straight behind it.
fn encode_row_with_length(row: &Row, out: &mut Vec<u8>) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    encode_row(row, out);
    let bytes = u32::try_from(out.len() - at - 4).expect("a row is far smaller than 4 GiB");
    out[at..at + 4].copy_from_slice(&bytes.to_be_bytes());
}

fn encode_tombstone(tombstone: &RangeTombstone, out: &mut Vec<u8>) {
    for Bound { kind, values, order } in [&tombstone.start, &tombstone.end] {
        out.push(*kind as u8);
        encode_place(order, values, out);
    }
    encode_deletion(tombstone.deletion, out);
}
