//! Rows of `system_schema` become a schema again.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use cql::ast::TypeName;
use model::schema::{Caching, Column, DroppedColumn, TableOptions};
use model::types::UserType;
use model::value::collection;
use model::{
    ColumnData, ColumnId, ColumnKind, CqlType, Keyspace, PartitionKey, QueryError, Row, Schema, Table,
    TableId,
};
use uuid::Uuid;

use super::schema_version;
use crate::schema::resolve::Types;
use crate::system::definitions;

/// The schema that the rows of `system_schema` describe, with the built-in keyspaces
/// (`system`, `system_schema`, the virtual ones) as this version defines them.
///
/// `read` yields all live rows of a table of `system_schema`.
pub fn schema_from_rows(
    read: &mut dyn FnMut(&Arc<Table>) -> Result<Vec<(PartitionKey, Row)>, QueryError>,
) -> Result<Schema, QueryError> {
    let mut schema = Schema { version: Uuid::nil(), keyspaces: definitions::keyspaces().clone() };
    let mut stored = Stored::read(read)?;
    for keyspace in std::mem::take(&mut stored.keyspaces) {
        let name: Arc<str> = keyspace.keyspace()?.into();
        if definitions::is_local(&name) || definitions::is_virtual(&name) {
            continue;
        }
        let mut keyspace = stored.keyspace(&name, &keyspace)?;
        if let Some(built_in) = definitions::keyspaces().get(&name) {
            for (table, definition) in &built_in.tables {
                keyspace.tables.entry(Arc::clone(table)).or_insert_with(|| Arc::clone(definition));
            }
        }
        schema.keyspaces.insert(name, Arc::new(keyspace));
    }
    schema.version = schema_version(&schema);
    Ok(schema)
}

/// The rows by keyspace.
struct Stored {
    keyspaces: Vec<StoredRow>,
    types: BTreeMap<String, Vec<StoredRow>>,
    tables: BTreeMap<String, Vec<StoredRow>>,
    /// By keyspace and table.
    columns: BTreeMap<(String, String), Vec<StoredRow>>,
    /// By keyspace and table.
    dropped: BTreeMap<(String, String), Vec<StoredRow>>,
}

impl Stored {
    fn read(
        read: &mut dyn FnMut(&Arc<Table>) -> Result<Vec<(PartitionKey, Row)>, QueryError>,
    ) -> Result<Stored, QueryError> {
        let mut rows = |name: &str| -> Result<Vec<StoredRow>, QueryError> {
            let table = definitions::table("system_schema", name);
            let rows = read(table)?;
            Ok(rows.into_iter().map(|(key, row)| StoredRow { table: Arc::clone(table), key, row }).collect())
        };
        Ok(Stored {
            keyspaces: rows("keyspaces")?,
            types: by_keyspace(rows("types")?)?,
            tables: by_keyspace(rows("tables")?)?,
            columns: by_table(rows("columns")?)?,
            dropped: by_table(rows("dropped_columns")?)?,
        })
    }

    fn keyspace(&mut self, name: &Arc<str>, row: &StoredRow) -> Result<Keyspace, QueryError> {
        let mut keyspace = Keyspace {
            name: Arc::clone(name),
            replication: row.map("replication")?,
            durable_writes: row.boolean("durable_writes", true),
            tables: BTreeMap::new(),
            types: BTreeMap::new(),
        };
        read_types(&mut keyspace, &self.types.remove(&**name).unwrap_or_default())?;
        for row in self.tables.remove(&**name).unwrap_or_default() {
            let table_name = row.clustering(0)?;
            let key = ((**name).to_owned(), table_name);
            let columns = self.columns.remove(&key).unwrap_or_default();
            let dropped = self.dropped.remove(&key).unwrap_or_default();
            let table = read_table(&keyspace, &key.1, &row, &columns, &dropped)?;
            keyspace.tables.insert(Arc::clone(&table.name), Arc::new(table));
        }
        Ok(keyspace)
    }
}

fn by_keyspace(rows: Vec<StoredRow>) -> Result<BTreeMap<String, Vec<StoredRow>>, QueryError> {
    let mut by_keyspace: BTreeMap<String, Vec<StoredRow>> = BTreeMap::new();
    for row in rows {
        by_keyspace.entry(row.keyspace()?).or_default().push(row);
    }
    Ok(by_keyspace)
}

fn by_table(rows: Vec<StoredRow>) -> Result<BTreeMap<(String, String), Vec<StoredRow>>, QueryError> {
    let mut by_table: BTreeMap<(String, String), Vec<StoredRow>> = BTreeMap::new();
    for row in rows {
        by_table.entry((row.keyspace()?, row.clustering(0)?)).or_default().push(row);
    }
    Ok(by_table)
}

/// Reads the user types: each once those that it uses are there.
fn read_types(keyspace: &mut Keyspace, rows: &[StoredRow]) -> Result<(), QueryError> {
    let mut waiting: Vec<&StoredRow> = rows.iter().collect();
    while !waiting.is_empty() {
        let mut later = Vec::new();
        let mut reason = None;
        for row in &waiting {
            match read_type(keyspace, row) {
                Ok(definition) => {
                    keyspace.types.insert(Arc::clone(&definition.name), Arc::new(definition));
                }
                Err(error) => {
                    reason = Some(error);
                    later.push(*row);
                }
            }
        }
        if later.len() == waiting.len() {
            return Err(reason.expect("a type that waits has a reason"));
        }
        waiting = later;
    }
    Ok(())
}

fn read_type(keyspace: &Keyspace, row: &StoredRow) -> Result<UserType, QueryError> {
    let (names, types) = (row.list("field_names")?, row.list("field_types")?);
    if names.len() != types.len() {
        return Err(row.broken("field_types"));
    }
    let mut fields = Vec::new();
    for (name, ty) in names.into_iter().zip(&types) {
        fields.push((name.into(), parse_type(keyspace, ty)?));
    }
    Ok(UserType { keyspace: Arc::clone(&keyspace.name), name: row.clustering(0)?.into(), fields })
}

fn parse_type(keyspace: &Keyspace, text: &str) -> Result<CqlType, QueryError> {
    let name = cql::parse_type(text)
        .map_err(|error| QueryError::Server(format!("system_schema holds the type {text}: {error}")))?;
    if matches!(&name, TypeName::User(user) if user.name == "empty" && !keyspace.types.contains_key("empty"))
    {
        return Ok(CqlType::Empty); // the value column of a legacy table without one
    }
    Types { keyspace: &keyspace.name, types: &keyspace.types }.resolve(&name)
}

fn read_table(
    keyspace: &Keyspace,
    name: &str,
    row: &StoredRow,
    columns: &[StoredRow],
    dropped: &[StoredRow],
) -> Result<Table, QueryError> {
    let flags = row.list("flags")?;
    let id = row.uuid("id")?;
    let mut table = Table {
        id: TableId(id),
        keyspace: Arc::clone(&keyspace.name),
        name: name.into(),
        partition_key: Vec::new(),
        clustering: Vec::new(),
        statics: Vec::new(),
        regulars: Vec::new(),
        is_counter: flags.iter().any(|flag| flag == "counter"),
        is_compact: !flags.iter().any(|flag| flag == "compound"),
        is_virtual: false,
        options: read_options(row)?,
        dropped: BTreeMap::new(),
        next_column_id: 0,
    };
    for row in columns {
        let column = read_column(keyspace, row)?;
        match column.kind {
            ColumnKind::PartitionKey => table.partition_key.push(column),
            ColumnKind::Clustering => table.clustering.push(column),
            ColumnKind::Static => table.statics.push(column),
            ColumnKind::Regular => table.regulars.push(column),
        }
    }
    if table.partition_key.is_empty() {
        return Err(QueryError::Server(format!(
            "system_schema.columns has no partition key of {}.{name}",
            keyspace.name
        )));
    }
    for row in dropped {
        let column = read_dropped(keyspace, row)?;
        table.dropped.insert(Arc::clone(&column.name), column);
    }
    number_columns(&mut table);
    Ok(table)
}

/// Orders the columns and numbers them as CREATE TABLE does.
fn number_columns(table: &mut Table) {
    table.partition_key.sort_by_key(|column| column.position);
    table.clustering.sort_by_key(|column| column.position);
    let mut next = 0;
    let mut number = |columns: &mut Vec<Column>| {
        for column in columns {
            column.id = ColumnId(next);
            next += 1;
        }
    };
    number(&mut table.partition_key);
    number(&mut table.clustering);
    for columns in [&mut table.statics, &mut table.regulars] {
        columns.sort_by(|a, b| a.stored_order().cmp(&b.stored_order()));
        number(columns);
        columns.sort_by(|a, b| a.answer_order().cmp(&b.answer_order()));
    }
    table.next_column_id = next;
}

fn read_kind(row: &StoredRow) -> Result<ColumnKind, QueryError> {
    match row.text("kind")?.as_str() {
        "partition_key" => Ok(ColumnKind::PartitionKey),
        "clustering" => Ok(ColumnKind::Clustering),
        "static" => Ok(ColumnKind::Static),
        "regular" => Ok(ColumnKind::Regular),
        _ => Err(row.broken("kind")),
    }
}

fn read_column(keyspace: &Keyspace, row: &StoredRow) -> Result<Column, QueryError> {
    Ok(Column {
        id: ColumnId(0),
        name: row.clustering(1)?.into(),
        ty: parse_type(keyspace, &row.text("type")?)?,
        kind: read_kind(row)?,
        position: u32::try_from(row.integer("position")?).unwrap_or(0),
        reversed: row.text("clustering_order")?.eq_ignore_ascii_case("desc"),
    })
}

fn read_dropped(keyspace: &Keyspace, row: &StoredRow) -> Result<DroppedColumn, QueryError> {
    let dropped_ms = i64::from_be_bytes(row.fixed("dropped_time")?);
    Ok(DroppedColumn {
        name: row.clustering(1)?.into(),
        ty: parse_type(keyspace, &row.text("type")?)?,
        kind: read_kind(row)?,
        dropped_at_us: dropped_ms.saturating_mul(1000),
    })
}

fn read_options(row: &StoredRow) -> Result<TableOptions, QueryError> {
    let caching = row.map("caching")?;
    let sub_option = |name: &str| caching.get(name).cloned().unwrap_or_else(|| "NONE".to_owned());
    Ok(TableOptions {
        additional_write_policy: row.text("additional_write_policy")?,
        allow_auto_snapshot: row.boolean("allow_auto_snapshot", true),
        bloom_filter_fp_chance: f64::from_be_bytes(row.fixed("bloom_filter_fp_chance")?),
        caching: Caching { keys: sub_option("keys"), rows_per_partition: sub_option("rows_per_partition") },
        cdc: row.boolean("cdc", false),
        comment: row.text("comment")?,
        compaction: row.map("compaction")?,
        compression: row.map("compression")?,
        memtable: row.value("memtable").map(|_| row.text("memtable")).transpose()?,
        crc_check_chance: f64::from_be_bytes(row.fixed("crc_check_chance")?),
        default_time_to_live: row.integer("default_time_to_live")?,
        extensions: row.bytes_map("extensions")?,
        gc_grace_seconds: row.integer("gc_grace_seconds")?,
        incremental_backups: row.boolean("incremental_backups", true),
        max_index_interval: row.integer("max_index_interval")?,
        memtable_flush_period_in_ms: row.integer("memtable_flush_period_in_ms")?,
        min_index_interval: row.integer("min_index_interval")?,
        read_repair: row.text("read_repair")?,
        speculative_retry: row.text("speculative_retry")?,
    })
}

/// One row, read by the names of its columns.
struct StoredRow {
    table: Arc<Table>,
    key: PartitionKey,
    row: Row,
}

impl StoredRow {
    fn broken(&self, column: &str) -> QueryError {
        QueryError::Server(format!(
            "system_schema.{} of keyspace {} holds no usable {column}",
            self.table.name,
            String::from_utf8_lossy(&self.key.key)
        ))
    }

    fn keyspace(&self) -> Result<String, QueryError> {
        String::from_utf8(self.key.key.to_vec()).map_err(|_| self.broken("keyspace_name"))
    }

    fn clustering(&self, index: usize) -> Result<String, QueryError> {
        let value = self.row.clustering.values.get(index).and_then(Option::as_ref);
        value
            .and_then(|value| String::from_utf8(value.to_vec()).ok())
            .ok_or_else(|| self.broken(&self.table.clustering[index].name))
    }

    fn value(&self, column: &str) -> Option<&Bytes> {
        match self.row.column(self.table.column(column)?.id)? {
            ColumnData::Cell(cell) if !cell.is_tombstone() => Some(&cell.value),
            _ => None,
        }
    }

    fn needed(&self, column: &str) -> Result<&Bytes, QueryError> {
        self.value(column).ok_or_else(|| self.broken(column))
    }

    fn text(&self, column: &str) -> Result<String, QueryError> {
        String::from_utf8(self.needed(column)?.to_vec()).map_err(|_| self.broken(column))
    }

    fn boolean(&self, column: &str, default: bool) -> bool {
        self.value(column).map_or(default, |value| value.first() == Some(&1))
    }

    fn fixed<const N: usize>(&self, column: &str) -> Result<[u8; N], QueryError> {
        <[u8; N]>::try_from(self.needed(column)?.as_ref()).map_err(|_| self.broken(column))
    }

    fn integer(&self, column: &str) -> Result<i32, QueryError> {
        Ok(i32::from_be_bytes(self.fixed(column)?))
    }

    fn uuid(&self, column: &str) -> Result<Uuid, QueryError> {
        Ok(Uuid::from_bytes(self.fixed(column)?))
    }

    fn list(&self, column: &str) -> Result<Vec<String>, QueryError> {
        let Some(value) = self.value(column) else { return Ok(Vec::new()) };
        let elements = collection::unpack_list(value).map_err(|_| self.broken(column))?;
        elements
            .into_iter()
            .map(|element| String::from_utf8(element.to_vec()).map_err(|_| self.broken(column)))
            .collect()
    }

    fn bytes_map(&self, column: &str) -> Result<BTreeMap<String, Vec<u8>>, QueryError> {
        let Some(value) = self.value(column) else { return Ok(BTreeMap::new()) };
        let entries = collection::unpack_map(value).map_err(|_| self.broken(column))?;
        entries
            .into_iter()
            .map(|(key, value)| {
                Ok((String::from_utf8(key.to_vec()).map_err(|_| self.broken(column))?, value.to_vec()))
            })
            .collect()
    }

    fn map(&self, column: &str) -> Result<BTreeMap<String, String>, QueryError> {
        self.bytes_map(column)?
            .into_iter()
            .map(|(key, value)| Ok((key, String::from_utf8(value).map_err(|_| self.broken(column))?)))
            .collect()
    }
}
