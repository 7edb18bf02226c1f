//! Values against types: the header's, and the schema's where it says something else.

use bytes::Bytes;
use model::{Cell, Clustering, ColumnData, ColumnId, CqlType, PartitionKey, Row, Table, Value, counter};

/// The types that a column's values must have.
struct Checked {
    id: ColumnId,
    name: String,
    types: Vec<CqlType>,
}

/// Checks rows of one SSTable.
pub(crate) struct Values {
    key: Vec<Vec<CqlType>>,
    clustering: Vec<Vec<CqlType>>,
    columns: Vec<Checked>,
    /// Types of the header that are not the schema's.
    pub(crate) differing: Vec<String>,
}

impl Values {
    /// `stored`: the table of the SSTable's header; `schema`: as it should be.
    pub(crate) fn new(stored: &Table, schema: Option<&Table>) -> Values {
        let mut differing = Vec::new();
        let mut types = |name: &str, stored: &CqlType, wanted: Option<&CqlType>| {
            let mut types = vec![stored.clone()];
            if let Some(wanted) = wanted.filter(|wanted| *wanted != stored) {
                types.push(wanted.clone());
                if !has_user_type(wanted) {
                    let (stored, wanted) = (stored.cql_name(), wanted.cql_name());
                    differing.push(format!("{name} is {stored} there, {wanted} in the schema"));
                }
            }
            types
        };
        let place = |columns: Option<&Vec<model::Column>>, i: usize| {
            columns.and_then(|columns| columns.get(i)).map(|column| column.ty.clone())
        };
        let key = stored.partition_key.iter().enumerate();
        let key = key.map(|(i, column)| {
            let wanted = place(schema.map(|table| &table.partition_key), i);
            types(&format!("column {} of the partition key", i + 1), &column.ty, wanted.as_ref())
        });
        let key = key.collect();
        let clustering = stored.clustering.iter().enumerate();
        let clustering = clustering.map(|(i, column)| {
            let wanted = place(schema.map(|table| &table.clustering), i);
            types(&format!("clustering column {}", i + 1), &column.ty, wanted.as_ref())
        });
        let clustering = clustering.collect();
        let columns = stored.statics.iter().chain(&stored.regulars).map(|column| {
            let wanted = schema.and_then(|table| table.column(&column.name));
            // A column that was dropped and made anew may have another type: then only what is stored counts.
            let is_dropped = schema.is_some_and(|table| table.dropped.contains_key(&column.name));
            let wanted = wanted.filter(|_| !is_dropped).map(|column| &column.ty);
            let types = types(&format!("column {}", column.name), &column.ty, wanted);
            Checked { id: column.id, name: column.name.to_string(), types }
        });
        let columns = columns.collect();
        Values { key, clustering, columns, differing }
    }

    /// Why the key is none of its types.
    pub(crate) fn check_key(&self, key: &PartitionKey) -> Result<(), String> {
        let components = key.components(self.key.len()).ok_or("the key is not composed as its type says")?;
        for (types, component) in self.key.iter().zip(&components) {
            validate(types, component).map_err(|why| format!("the key is no such value: {why}"))?;
        }
        Ok(())
    }

    /// Why the values of a clustering or bound are none of their types.
    pub(crate) fn check_clustering(&self, values: &[Value]) -> Result<(), String> {
        for (i, (types, value)) in self.clustering.iter().zip(values).enumerate() {
            if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                validate(types, value)
                    .map_err(|why| format!("clustering column {} is no such value: {why}", i + 1))?;
            }
        }
        Ok(())
    }

    /// Why a row's values are none of their types.
    pub(crate) fn check_row(&self, row: &Row) -> Result<(), String> {
        if row.clustering != Clustering::EMPTY {
            self.check_clustering(&row.clustering.values)?;
        }
        for (id, data) in &row.columns {
            let Some(column) = self.columns.iter().find(|column| column.id == *id) else { continue };
            let named = |why: String| format!("column {} is no such value: {why}", column.name);
            match data {
                ColumnData::Cell(cell) => check_cell(&column.types, cell).map_err(named)?,
                ColumnData::Complex { cells, .. } => {
                    let mut last: Option<&Bytes> = None;
                    for (path, cell) in cells {
                        for ty in &column.types {
                            check_element(ty, path, cell).map_err(named)?;
                        }
                        if last.is_some_and(|last| !ascends(&column.types[0], last, path)) {
                            return Err(format!("the elements of column {} do not ascend", column.name));
                        }
                        last = Some(path);
                    }
                }
            }
        }
        Ok(())
    }
}

fn has_user_type(ty: &CqlType) -> bool {
    match ty {
        CqlType::Udt { .. } | CqlType::Tuple(_) => true,
        CqlType::List { element, .. } | CqlType::Set { element, .. } | CqlType::Vector { element, .. } => {
            has_user_type(element)
        }
        CqlType::Map { key, value, .. } => has_user_type(key) || has_user_type(value),
        _ => false,
    }
}

fn validate(types: &[CqlType], value: &[u8]) -> Result<(), String> {
    // Every type may have an empty value on disk.
    types.iter().filter(|_| !value.is_empty()).try_for_each(|ty| ty.validate(value))
}

fn check_cell(types: &[CqlType], cell: &Cell) -> Result<(), String> {
    if cell.is_tombstone() || cell.value.is_empty() {
        return Ok(());
    }
    if types[0] == CqlType::Counter {
        return counter::parse(&cell.value).map(|_| ()).ok_or_else(|| "no counter context".to_owned());
    }
    validate(types, &cell.value)
}

fn check_element(ty: &CqlType, path: &Bytes, cell: &Cell) -> Result<(), String> {
    let value = (!cell.is_tombstone() && !cell.value.is_empty()).then_some(&cell.value);
    let (path_type, value_type) = match ty {
        CqlType::List { element, .. } => (&CqlType::Timeuuid, Some(&**element)),
        CqlType::Set { element, .. } => (&**element, None),
        CqlType::Map { key, value, .. } => (&**key, Some(&**value)),
        CqlType::Udt { definition, .. } => {
            let index = <[u8; 2]>::try_from(&path[..]).map(u16::from_be_bytes);
            let index = index.map_err(|_| format!("a field's number has {} bytes", path.len()))?;
            let field = definition.fields.get(usize::from(index));
            return match (field, value) {
                (Some((_, field)), Some(value)) => field.validate(value),
                _ => Ok(()),
            };
        }
        _ => return Ok(()),
    };
    if !path.is_empty() {
        path_type.validate(path)?;
    }
    match (value_type, value) {
        (Some(ty), Some(value)) => ty.validate(value),
        _ => Ok(()),
    }
}

fn ascends(ty: &CqlType, before: &[u8], after: &[u8]) -> bool {
    match ty {
        CqlType::List { .. } => CqlType::Timeuuid.compare(before, after).is_lt(),
        CqlType::Set { element, .. } => element.compare(before, after).is_lt(),
        CqlType::Map { key, .. } => key.compare(before, after).is_lt(),
        _ => before < after,
    }
}
