//! Which column of a file is which of a table.

use model::row::NO_TIMESTAMP;
use model::{ColumnId, ColumnKind, CqlType, Table};

use super::deletion::Form;
use crate::error::ReadError;
use crate::metadata::EncodingStats;
use crate::partitioner::Partitioner;
use crate::statistics::header::{HeaderColumn, SerializationHeader, fixed_bytes};

/// How rows of one file become rows of one table.
pub(crate) struct Layout {
    pub(crate) bases: EncodingStats,
    pub(crate) clustering: Vec<(CqlType, bool)>,
    pub(crate) statics: ColumnList,
    pub(crate) regulars: ColumnList,
    /// How local deletion times are stored.
    pub(crate) form: Form,
    pub(crate) partitioner: Partitioner,
}

/// The static or the regular columns of a file, in the order of rows.
pub(crate) struct ColumnList {
    pub(crate) columns: Vec<StoredColumn>,
    /// The table's numbers ascend in this order, too.
    pub(crate) ascending: bool,
    /// The first column that is multi-cell, behind all others; none: how many there are.
    pub(crate) first_complex: usize,
}

/// A column of a file.
pub(crate) struct StoredColumn {
    /// The table's column; `None` if it was dropped.
    pub(crate) target: Option<ColumnId>,
    /// What is not newer than this is gone.
    pub(crate) dropped_at_us: i64,
    pub(crate) is_complex: bool,
    /// Length of every value, if it is not stored.
    pub(crate) fixed: Option<usize>,
}

impl Layout {
    pub(crate) fn new(
        header: &SerializationHeader,
        table: &Table,
        form: Form,
        partitioner: Partitioner,
    ) -> Result<Layout, ReadError> {
        let clustering = header.clustering_types();
        if clustering.len() != table.clustering.len() {
            return Err(ReadError::UnknownColumn {
                column: format!("number {} of the clustering key", clustering.len()),
                reason: format!("is no column of {}.{}", table.keyspace, table.name),
            });
        }
        Ok(Layout {
            bases: header.bases,
            clustering,
            statics: ColumnList::new(&header.statics, ColumnKind::Static, table)?,
            regulars: ColumnList::new(&header.regulars, ColumnKind::Regular, table)?,
            form,
            partitioner,
        })
    }
}

impl ColumnList {
    fn new(stored: &[HeaderColumn], kind: ColumnKind, table: &Table) -> Result<ColumnList, ReadError> {
        let mut sorted: Vec<&HeaderColumn> = stored.iter().collect();
        sorted.sort_by_key(|column| column.sort_key());
        let columns: Vec<StoredColumn> = sorted
            .into_iter()
            .map(|column| StoredColumn::new(column, kind, table))
            .collect::<Result<_, _>>()?;
        let ascending = columns.iter().filter_map(|column| column.target).is_sorted();
        let first_complex = columns.iter().position(|column| column.is_complex).unwrap_or(columns.len());
        Ok(ColumnList { columns, ascending, first_complex })
    }
}

impl StoredColumn {
    fn new(stored: &HeaderColumn, kind: ColumnKind, table: &Table) -> Result<StoredColumn, ReadError> {
        let is_complex = stored.ty.is_multi_cell();
        let current = table.column(&stored.name).filter(|column| column.kind == kind);
        let dropped = table.dropped.get(&*stored.name).filter(|column| column.kind == kind);
        let unknown = |reason: &str| ReadError::UnknownColumn {
            column: stored.name.to_string(),
            reason: format!("{reason} {}.{}", table.keyspace, table.name),
        };
        let target = match (current, dropped) {
            (Some(column), _) if column.ty.is_multi_cell() == is_complex => Some(column.id),
            (_, Some(_)) => None,
            (Some(_), None) => return Err(unknown("has another kind of type in")),
            (None, None) => return Err(unknown("is no column of")),
        };
        Ok(StoredColumn {
            target,
            dropped_at_us: dropped.map_or(NO_TIMESTAMP, |column| column.dropped_at_us),
            is_complex,
            fixed: fixed_bytes(&stored.ty),
        })
    }

    /// The table has all of it, whatever its time.
    pub(crate) fn keeps_all(&self) -> bool {
        self.target.is_some() && self.dropped_at_us == NO_TIMESTAMP
    }

    /// What the table has of a cell or deletion of this time.
    pub(crate) fn keeps(&self, timestamp_us: i64) -> bool {
        self.target.is_some() && (self.dropped_at_us == NO_TIMESTAMP || timestamp_us > self.dropped_at_us)
    }
}
