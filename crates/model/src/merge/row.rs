//! Rows: two versions into one, and what a deletion leaves of one.

use std::cmp::Ordering;

use bytes::Bytes;

use super::cell::{newer_liveness, reconcile_cells, reconcile_counters};
use crate::row::{Cell, ColumnData, DeletionTime, Liveness, Row};
use crate::schema::{ColumnId, Table};
use crate::types::CqlType;

/// Merges two versions of one row. What either's deletions shadow is dropped.
pub fn merge_rows(table: &Table, a: Row, b: Row) -> Row {
    // Values that are equal in order may differ in bytes (1.0 and 1.00): both sides must choose the same.
    let clustering = if b.clustering.values < a.clustering.values { b.clustering } else { a.clustering };
    let merged = Row {
        clustering,
        liveness: newer_liveness(a.liveness, b.liveness),
        deletion: a.deletion.max(b.deletion),
        columns: merge_columns(table, a.columns, b.columns),
    };
    shadow_row(merged, DeletionTime::LIVE)
}

/// What is left of a row under a deletion of something that holds it: its partition, a range.
#[inline]
pub fn shadow_row(row: Row, by: DeletionTime) -> Row {
    let deletes = |(_, data): &(ColumnId, ColumnData)| match data {
        ColumnData::Cell(_) => false,
        ColumnData::Complex { .. } => true,
    };
    if by.is_live() && row.deletion.is_live() && !row.columns.iter().any(deletes) {
        return row;
    }
    take_shadowed(row, by)
}

fn take_shadowed(mut row: Row, by: DeletionTime) -> Row {
    if by.supersedes(&row.deletion) {
        row.deletion = DeletionTime::LIVE;
    }
    let active = row.deletion.max(by);
    if active.deletes(row.liveness.timestamp_us) {
        row.liveness = Liveness::NONE;
    }
    row.columns.retain_mut(|(_, data)| keep_column(data, active));
    row
}

/// Takes away what `active` or the column's own deletion shadows; false if nothing is left.
fn keep_column(data: &mut ColumnData, active: DeletionTime) -> bool {
    match data {
        ColumnData::Cell(cell) => !active.deletes(cell.timestamp_us),
        ColumnData::Complex { deletion, cells } => {
            if !deletion.supersedes(&active) {
                *deletion = DeletionTime::LIVE;
            }
            let active = active.max(*deletion);
            if !active.is_live() {
                cells.retain(|(_, cell)| !active.deletes(cell.timestamp_us));
            }
            !deletion.is_live() || !cells.is_empty()
        }
    }
}

fn merge_columns(
    table: &Table,
    a: Vec<(ColumnId, ColumnData)>,
    b: Vec<(ColumnId, ColumnData)>,
) -> Vec<(ColumnId, ColumnData)> {
    if a.is_empty() {
        return b;
    }
    merge_sorted(
        a,
        b,
        |(a, _), (b, _)| a.cmp(b),
        |(id, a), (_, b)| {
            let data = merge_column(table, id, a, b);
            (id, data)
        },
    )
}

fn merge_column(table: &Table, id: ColumnId, a: ColumnData, b: ColumnData) -> ColumnData {
    match (a, b) {
        (ColumnData::Cell(a), ColumnData::Cell(b)) => {
            ColumnData::Cell(if table.is_counter { merge_counters(a, b) } else { merge_cells(a, b) })
        }
        (
            ColumnData::Complex { deletion: deletion_a, cells: a },
            ColumnData::Complex { deletion: deletion_b, cells: b },
        ) => {
            let deletion = deletion_a.max(deletion_b);
            let path_type = path_type(table, id);
            let cells = merge_sorted(a, b, |(a, _), (b, _)| compare_paths(path_type, a, b), merge_elements);
            ColumnData::Complex { deletion, cells }
        }
        // A column is never both. Should damaged bytes say so, all replicas must still agree.
        (cell @ ColumnData::Cell(_), _) | (_, cell @ ColumnData::Cell(_)) => cell,
    }
}

fn merge_cells(a: Cell, b: Cell) -> Cell {
    if std::ptr::eq(reconcile_cells(&a, &b), &a) { a } else { b }
}

fn merge_counters(a: Cell, b: Cell) -> Cell {
    reconcile_counters(&a, &b).into_owned()
}

/// Two elements whose paths are equal in order, though perhaps not in bytes (decimals 1.0 and 1.00).
fn merge_elements(a: (Bytes, Cell), b: (Bytes, Cell)) -> (Bytes, Cell) {
    let a_wins = if a.1 == b.1 { a.0 >= b.0 } else { std::ptr::eq(reconcile_cells(&a.1, &b.1), &a.1) };
    if a_wins { a } else { b }
}

/// The type that orders the paths of a multi-cell column; `None`: plain bytes (fields of user types, and columns
/// that the table does not know).
fn path_type(table: &Table, id: ColumnId) -> Option<&CqlType> {
    match &table.column_by_id(id)?.ty {
        CqlType::List { .. } => Some(&CqlType::Timeuuid),
        CqlType::Set { element, .. } => Some(element),
        CqlType::Map { key, .. } => Some(key),
        _ => None,
    }
}

fn compare_paths(path_type: Option<&CqlType>, a: &[u8], b: &[u8]) -> Ordering {
    match path_type {
        _ if a == b => Ordering::Equal,
        Some(ty) => ty.compare(a, b),
        None => a.cmp(b),
    }
}

/// Merges two strictly ascending lists; `join` makes one of two equal ones.
pub(super) fn merge_sorted<T>(
    a: Vec<T>,
    b: Vec<T>,
    compare: impl Fn(&T, &T) -> Ordering,
    mut join: impl FnMut(T, T) -> T,
) -> Vec<T> {
    let mut merged = Vec::with_capacity(a.len().max(b.len()));
    let (mut left, mut right) = (a.into_iter(), b.into_iter());
    let (mut l, mut r) = (left.next(), right.next());
    loop {
        match (l, r) {
            (Some(x), Some(y)) => match compare(&x, &y) {
                Ordering::Less => {
                    merged.push(x);
                    (l, r) = (left.next(), Some(y));
                }
                Ordering::Greater => {
                    merged.push(y);
                    (l, r) = (Some(x), right.next());
                }
                Ordering::Equal => {
                    merged.push(join(x, y));
                    (l, r) = (left.next(), right.next());
                }
            },
            (Some(x), None) => {
                merged.push(x);
                merged.extend(left);
                return merged;
            }
            (None, Some(y)) => {
                merged.push(y);
                merged.extend(right);
                return merged;
            }
            (None, None) => return merged,
        }
    }
}
