//! What a client is told of conditions that do not hold: which columns, which rows.
//!
//! Cassandra reads only what the request may need, and shows only what it has read: the columns of the
//! conditions, all regular columns if a statement changes a row, all static ones if a statement changes one of them.
//! Source: `CQL3CasRequest`, `ModificationStatement.buildCasFailureResultSet`.

use bytes::Bytes;
use cql::bind::modify::{Condition, Modify};
use cql::bind::select::Access;
use model::row::ColumnData;
use model::schema::ColumnId;
use model::{Clustering, Column, ColumnKind, QueryError, Row, Table};

use super::{CasAnswer, Existing, applied_column, boolean, is_about_row};
use crate::select::row::{RowRef, RowView, column_value};

/// What a refused request shows.
pub(super) struct Shown<'t> {
    /// Columns of the answer after `[applied]`.
    columns: Vec<&'t Column>,
    /// Columns of conditions.
    tested: Vec<ColumnId>,
    /// All regular columns were read.
    changes_rows: bool,
    /// All static columns were read.
    changes_statics: bool,
}

impl<'t> Shown<'t> {
    pub(super) fn new(statements: &[&Modify], table: &'t Table, is_batch: bool) -> Shown<'t> {
        let tested = tested_columns(statements, table);
        let is_static = |column: &Column| column.kind == ColumnKind::Static;
        let is_about_existence =
            |modify: &&Modify| matches!(modify.condition, Condition::Exists | Condition::NotExists);
        let columns = if statements.iter().any(is_about_existence) {
            table.columns().collect()
        } else if is_batch {
            // The key tells which of the rows it is.
            table.partition_key.iter().chain(&table.clustering).chain(tested.iter().copied()).collect()
        } else {
            tested.clone()
        };
        Shown {
            columns,
            tested: tested.iter().map(|column| column.id).collect(),
            changes_rows: statements
                .iter()
                .any(|modify| table.clustering.is_empty() || modify.clustering.prefix_len() > 0),
            changes_statics: statements
                .iter()
                .any(|modify| modify.operations.iter().any(|operation| is_static(operation.column()))),
        }
    }

    fn has_read(&self, id: ColumnId, is_static: bool) -> bool {
        (if is_static { self.changes_statics } else { self.changes_rows }) || self.tested.contains(&id)
    }

    /// True if the row is there for somebody who reads no more than the request does.
    pub(super) fn sees(&self, row: &Row, now_s: u32) -> bool {
        row.liveness.is_live(now_s) || self.sees_cells(row, false, now_s)
    }

    fn sees_cells(&self, row: &Row, is_static: bool, now_s: u32) -> bool {
        row.columns.iter().filter(|(id, _)| self.has_read(*id, is_static)).any(|(_, data)| match data {
            ColumnData::Cell(cell) => cell.is_live(now_s),
            ColumnData::Complex { cells, .. } => cells.iter().any(|(_, cell)| cell.is_live(now_s)),
        })
    }

    /// The answer, from what was found in the order of the rows.
    pub(super) fn answer(&self, components: &[Bytes], found: &[&Existing], now_s: u32) -> CasAnswer {
        let statics = found.first().and_then(|found| found.static_row.as_ref());
        let statics = statics.filter(|row| self.sees_cells(row, true, now_s));
        let live = |found: &&'_ Existing| found.row.as_ref().is_some_and(|row| self.sees(row, now_s));
        let mut rows: Vec<_> =
            found.iter().filter(|found| live(found)).map(|found| found.row.as_ref()).collect();
        if rows.is_empty() && statics.is_some() {
            rows.push(None);
        }
        let mut columns = vec![applied_column()];
        if rows.is_empty() {
            return CasAnswer { applied: false, columns, rows: vec![vec![boolean(false)]] };
        }
        columns.extend(self.columns.iter().map(|column| (column.name.clone(), column.ty.clone())));
        let rows = rows.into_iter().map(|row| {
            let view = RowView { key: components, statics, row: row.map(RowRef::Whole), now_s };
            let value = |column: &&Column| {
                let is_hidden = match column.kind {
                    ColumnKind::Static => !self.has_read(column.id, true),
                    ColumnKind::Regular => !self.has_read(column.id, false),
                    _ => false,
                };
                let value = column_value(Access::of(column), &column.ty, &view).filter(|_| !is_hidden);
                value.map(|value| Bytes::copy_from_slice(&value))
            };
            std::iter::once(boolean(false)).chain(self.columns.iter().map(value)).collect()
        });
        CasAnswer { applied: false, rows: rows.collect(), columns }
    }
}

/// The columns of the conditions as they were written, those of one statement with static columns last.
fn tested_columns<'t>(statements: &[&Modify], table: &'t Table) -> Vec<&'t Column> {
    let mut tested: Vec<&Column> = Vec::new();
    for modify in statements {
        let Condition::Columns(tests) = &modify.condition else { continue };
        for wanted in [&table.regulars, &table.statics] {
            for test in tests {
                let column = wanted.iter().find(|column| column.id == test.column.id);
                tested.extend(column.filter(|column| !tested.iter().any(|known| known.id == column.id)));
            }
        }
    }
    tested
}

/// What a condition asks of a row (`None`: of the static columns).
#[derive(Clone, Copy, PartialEq)]
enum Asks {
    Exists,
    NotExists,
    Columns,
}

/// `IF EXISTS`, `IF NOT EXISTS` and `IF column ...` of one row do not go together.
pub(super) fn check_mixed<'c>(
    conditions: impl Iterator<Item = (&'c Modify, Option<&'c Clustering>)>,
) -> Result<(), QueryError> {
    let mut known: Vec<(Option<&Clustering>, Asks)> = Vec::new();
    for (modify, row) in conditions {
        let (asks, rows) = match &modify.condition {
            Condition::None => continue,
            Condition::Exists => (Asks::Exists, vec![row]),
            Condition::NotExists => (Asks::NotExists, vec![row]),
            Condition::Columns(tests) => {
                let on_row = is_about_row(modify).then_some(row);
                let on_statics = tests.iter().any(|test| test.column.kind == ColumnKind::Static);
                (Asks::Columns, on_row.into_iter().chain(on_statics.then_some(None)).collect())
            }
        };
        for row in rows {
            let before = known.iter().find(|(known, _)| *known == row).map(|(_, before)| *before);
            let text = match (before, asks) {
                (None, _) => {
                    known.push((row, asks));
                    continue;
                }
                (Some(before), _) if before == asks => continue,
                (_, Asks::Columns) | (Some(Asks::Columns), Asks::NotExists) => {
                    "Cannot mix IF conditions and IF NOT EXISTS for the same row"
                }
                (Some(Asks::Columns), Asks::Exists) => {
                    "Cannot mix IF conditions and IF EXISTS for the same row"
                }
                _ => "Cannot mix IF EXISTS and IF NOT EXISTS conditions for the same row",
            };
            return Err(QueryError::invalid(text));
        }
    }
    Ok(())
}
