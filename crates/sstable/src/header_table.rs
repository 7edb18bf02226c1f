//! A table made of what an SSTable says of its own types and columns, for tools that have no schema.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::schema::TableOptions;
use model::{Column, ColumnId, ColumnKind, CqlType, Table, TableId};
use uuid::Uuid;

use crate::error::ReadError;
use crate::reader::SsTable;
use crate::statistics::header::{HeaderColumn, SerializationHeader, key_types};

impl SsTable {
    /// The table that this SSTable's header describes.
    ///
    /// The header does not name the columns of the keys: they are `key`, or `key1`, `key2`, … and `clustering1`, ….
    /// It knows only columns that occur in this file, and no options but the Bloom filter's.
    pub fn header_table(&self, keyspace: &str, name: &str) -> Result<Arc<Table>, ReadError> {
        table(self.header(), keyspace, name, TableOptions::default())
    }
}

pub(crate) fn table(
    header: &SerializationHeader,
    keyspace: &str,
    name: &str,
    options: TableOptions,
) -> Result<Arc<Table>, ReadError> {
    let mut columns = Columns::default();
    let keys = key_types(&header.key_type)?;
    let is_composite = keys.len() > 1;
    // A regular column may have such a name, too.
    let free = |mut name: String| {
        while header.statics.iter().chain(&header.regulars).any(|column| *column.name == *name) {
            name.push('_');
        }
        name
    };
    let key_name = |i: usize| free(if is_composite { format!("key{}", i + 1) } else { "key".to_owned() });
    let partition_key = keys
        .into_iter()
        .enumerate()
        .map(|(i, ty)| columns.add(&key_name(i), ty, ColumnKind::PartitionKey, i, false))
        .collect();
    let clustering = header.clustering.iter().enumerate().map(|(i, column)| {
        let name = free(format!("clustering{}", i + 1));
        columns.add(&name, column.ty.clone(), ColumnKind::Clustering, i, column.reversed)
    });
    let clustering = clustering.collect();
    let statics = columns.list(&header.statics, ColumnKind::Static);
    let regulars = columns.list(&header.regulars, ColumnKind::Regular);
    let is_counter = statics.iter().chain(&regulars).any(|column: &Column| column.ty == CqlType::Counter);
    Ok(Arc::new(Table {
        id: TableId(Uuid::nil()),
        keyspace: keyspace.into(),
        name: name.into(),
        partition_key,
        clustering,
        statics,
        regulars,
        is_counter,
        is_compact: false,
        is_virtual: false,
        options,
        dropped: BTreeMap::new(),
        next_column_id: columns.next,
    }))
}

/// Gives out columns' numbers.
#[derive(Default)]
struct Columns {
    next: u32,
}

impl Columns {
    fn add(&mut self, name: &str, ty: CqlType, kind: ColumnKind, position: usize, reversed: bool) -> Column {
        let id = ColumnId(self.next);
        self.next += 1;
        Column { id, name: name.into(), ty, kind, position: position as u32, reversed }
    }

    fn list(&mut self, stored: &[HeaderColumn], kind: ColumnKind) -> Vec<Column> {
        let mut sorted: Vec<&HeaderColumn> = stored.iter().collect();
        sorted.sort_by(|a, b| a.answer_order().cmp(&b.answer_order()));
        sorted.into_iter().map(|column| self.add(&column.name, column.ty.clone(), kind, 0, false)).collect()
    }
}
