//! Updates: what two changes of one partition are together.

use super::row::{merge_rows, merge_sorted, shadow_row};
use super::tombstones::insert_tombstone;
use crate::partition::{PartitionUpdate, RangeTombstone};
use crate::row::{DeletionTime, Row};
use crate::schema::Table;

/// Merges a change into what is known of a partition. Of the result the range tombstones are disjoint, and
/// nothing is in it that its own deletions shadow.
pub fn merge_updates(table: &Table, a: PartitionUpdate, b: PartitionUpdate) -> PartitionUpdate {
    let deletion = a.deletion.max(b.deletion);
    let static_row = match (a.static_row, b.static_row) {
        (Some(a), Some(b)) => Some(merge_rows(table, a, b)),
        (one, other) => one.or(other),
    };
    let rows =
        merge_sorted(a.rows, b.rows, |a, b| a.clustering.cmp(&b.clustering), |a, b| merge_rows(table, a, b));
    let mut range_tombstones = Vec::with_capacity(a.range_tombstones.len() + b.range_tombstones.len());
    for tombstone in a.range_tombstones.into_iter().chain(b.range_tombstones) {
        insert_tombstone(&mut range_tombstones, tombstone);
    }
    range_tombstones.retain(|tombstone| tombstone.deletion.supersedes(&deletion));
    PartitionUpdate {
        deletion,
        static_row: static_row.map(|row| shadow_row(row, deletion)).filter(|row| !row.is_empty()),
        rows: shadow_rows(rows, deletion, &range_tombstones),
        range_tombstones,
    }
}

fn shadow_rows(rows: Vec<Row>, partition: DeletionTime, tombstones: &[RangeTombstone]) -> Vec<Row> {
    let mut tombstones = tombstones.iter().peekable();
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        while tombstones.next_if(|tombstone| tombstone.end.order <= row.clustering.order).is_some() {}
        let active = match tombstones.peek() {
            Some(tombstone) if tombstone.start.order < row.clustering.order => tombstone.deletion,
            _ => partition,
        };
        let row = shadow_row(row, active);
        if !row.is_empty() {
            kept.push(row);
        }
    }
    kept
}
