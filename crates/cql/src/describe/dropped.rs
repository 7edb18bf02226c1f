//! The order in which dropped columns are shown.

use model::schema::{DroppedColumn, Table};

/// Dropped columns in the order of the hash map in which Cassandra keeps them, as after one DROP for each.
///
/// Clients compare DESCRIBE's text with that of other nodes, so the order is kept although it means nothing.
pub(super) fn in_order(table: &Table) -> Vec<&DroppedColumn> {
    let buckets = buckets(table.dropped.len());
    let mut columns: Vec<&DroppedColumn> = table.dropped.values().collect();
    columns.sort_by_key(|column| bucket(column.name.as_bytes(), buckets));
    columns
}

/// Size of a Java `HashMap` that was filled with `count - 1` entries at once and then got one more.
fn buckets(count: usize) -> u32 {
    let Some(before) = count.checked_sub(1).filter(|before| *before > 0) else { return 16 };
    let buckets = (before * 4 / 3 + 1).next_power_of_two();
    let grown = if count * 4 > buckets * 3 { buckets * 2 } else { buckets };
    u32::try_from(grown).unwrap_or(u32::MAX)
}

/// Where the hash map keeps a `ByteBuffer`.
fn bucket(name: &[u8], buckets: u32) -> u32 {
    let hash = name
        .iter()
        .rev()
        .fold(1_i32, |hash, &byte| hash.wrapping_mul(31).wrapping_add(i32::from(byte.cast_signed())));
    let hash = hash.cast_unsigned();
    (hash ^ (hash >> 16)) & buckets.wrapping_sub(1)
}
