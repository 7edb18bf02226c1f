//! What the numbers in mutations mean: a table version's columns by number, name and type; and how a
//! mutation of that version becomes one of the table as it is now.
//!
//! Column numbers live as long as the process; the log outlives it. So each segment holds, before the first
//! mutation of a table version, a dictionary of it.

use std::sync::Arc;

use model::row::ColumnData;
use model::{Column, ColumnId, ColumnKind, PartitionUpdate, Row, Table, TableId};
use stdx::vint::write_unsigned_vint;
use uuid::Uuid;

use super::input::{Input, Malformed};

/// A table version as a segment describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dictionary {
    pub number: u64,
    pub table_id: TableId,
    pub keyspace: String,
    pub table: String,
    pub columns: Vec<DictionaryColumn>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DictionaryColumn {
    pub id: ColumnId,
    pub name: String,
    pub is_static: bool,
    pub is_multi_cell: bool,
    /// The type's Java class name, for whoever reads the log by other means.
    pub class: String,
}

/// The body of the record, its kind included.
pub(crate) fn encode_dictionary(number: u64, table: &Table) -> Vec<u8> {
    let mut out = vec![super::record::RecordKind::Dictionary as u8];
    write_unsigned_vint(&mut out, number);
    out.extend_from_slice(table.id.0.as_bytes());
    write_text(&mut out, &table.keyspace);
    write_text(&mut out, &table.name);
    let columns: Vec<&Column> = table.statics.iter().chain(&table.regulars).collect();
    write_unsigned_vint(&mut out, columns.len() as u64);
    for column in columns {
        write_unsigned_vint(&mut out, u64::from(column.id.0));
        write_text(&mut out, &column.name);
        let is_static = column.kind == ColumnKind::Static;
        out.push(u8::from(is_static) | u8::from(column.ty.is_multi_cell()) << 1);
        write_text(&mut out, &column.ty.class_name());
    }
    out
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    write_unsigned_vint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// The body after its kind.
pub(crate) fn decode_dictionary(input: &mut Input<'_>) -> Result<Dictionary, Malformed> {
    let number = input.unsigned()?;
    let table_id = TableId(Uuid::from_slice(input.take(16)?).expect("16 bytes are a UUID"));
    let keyspace = input.text()?;
    let table = input.text()?;
    let mut columns = Vec::new();
    for _ in 0..input.count()? {
        let id = ColumnId(
            u32::try_from(input.unsigned()?).map_err(|_| Malformed("a column number beyond 32 bits"))?,
        );
        let name = input.text()?;
        let flags = input.take(1)?[0];
        let class = input.text()?;
        columns.push(DictionaryColumn {
            id,
            name,
            is_static: flags & 1 != 0,
            is_multi_cell: flags & 2 != 0,
            class,
        });
    }
    input.finish()?;
    Ok(Dictionary { number, table_id, keyspace, table, columns })
}

/// From the numbers of a logged table version to those of the table as it is now.
pub(crate) struct Translation {
    pub table: Arc<Table>,
    /// Ascending by the old number.
    columns: Vec<(ColumnId, Option<Target>)>,
}

#[derive(Clone, Copy)]
struct Target {
    id: ColumnId,
    /// A column of this name was dropped: older cells were that one's.
    dropped_at_us: Option<i64>,
}

impl Translation {
    pub(crate) fn new(dictionary: &Dictionary, table: Arc<Table>) -> Translation {
        let mut columns: Vec<_> =
            dictionary.columns.iter().map(|old| (old.id, target_of(old, &table))).collect();
        columns.sort_by_key(|(id, _)| *id);
        Translation { table, columns }
    }

    /// The update in today's numbers; cells of columns that were dropped are gone.
    pub(crate) fn translate(&self, mut update: PartitionUpdate) -> PartitionUpdate {
        for row in update.static_row.iter_mut().chain(&mut update.rows) {
            self.translate_row(row);
        }
        update.static_row = update.static_row.filter(|row| !row.is_empty());
        update.rows.retain(|row| !row.is_empty());
        update
    }

    fn translate_row(&self, row: &mut Row) {
        let columns = std::mem::take(&mut row.columns);
        row.columns = columns.into_iter().filter_map(|(id, data)| self.translate_column(id, data)).collect();
        row.columns.sort_by_key(|(id, _)| *id);
    }

    fn translate_column(&self, id: ColumnId, mut data: ColumnData) -> Option<(ColumnId, ColumnData)> {
        let found = self.columns.binary_search_by_key(&id, |(old, _)| *old).ok()?;
        let target = self.columns[found].1?;
        let Some(dropped_at_us) = target.dropped_at_us else { return Some((target.id, data)) };
        let is_left = match &mut data {
            ColumnData::Cell(cell) => cell.timestamp_us > dropped_at_us,
            ColumnData::Complex { deletion, cells } => {
                if deletion.timestamp_us <= dropped_at_us {
                    *deletion = model::DeletionTime::LIVE;
                }
                cells.retain(|(_, cell)| cell.timestamp_us > dropped_at_us);
                !deletion.is_live() || !cells.is_empty()
            }
        };
        is_left.then_some((target.id, data))
    }
}

fn target_of(old: &DictionaryColumn, table: &Table) -> Option<Target> {
    let column = table.column(&old.name)?;
    let is_same_kind = match column.kind {
        ColumnKind::Static => old.is_static,
        ColumnKind::Regular => !old.is_static,
        _ => false,
    };
    let dropped_at_us = table.dropped.get(&*old.name).map(|dropped| dropped.dropped_at_us);
    let fits = is_same_kind && column.ty.is_multi_cell() == old.is_multi_cell;
    fits.then_some(Target { id: column.id, dropped_at_us })
}
