//! ALTER TABLE.

use std::sync::Arc;

use cql::ast::{AlterTable, ColumnDefinition, Property, TableChange};
use model::schema::DroppedColumn;
use model::{Column, ColumnId, ColumnKind, CqlType, Keyspace, QueryError, Schema, Table};

use super::change::{
    ChangeContext, ChangeKind, ChangeTarget, Effect, SchemaChange, check_modifiable, existing, keyspace_of,
    types,
};
use super::options;
use super::properties::Properties;
use super::resolve::{Types, expand_user_types, is_compatible};
use super::table::{missing, static_without_clustering, ttl_on_counters, validate};
use super::unsupported::refuse_mask;

pub(super) fn alter(
    schema: &Schema,
    statement: &AlterTable,
    ctx: &ChangeContext<'_>,
) -> Result<SchemaChange, QueryError> {
    let keyspace_name = keyspace_of(&statement.table, ctx)?;
    let name = statement.table.name.as_str();
    check_modifiable(keyspace_name, "ALTER", &format!("table {keyspace_name}.{name}"))?;
    let Some(old) = schema.table(keyspace_name, name) else {
        return missing(schema, keyspace_name, name, statement.if_exists);
    };
    let keyspace = existing(schema, keyspace_name)?;
    let mut table = Table::clone(old);
    match &statement.change {
        TableChange::AlterType { .. } => {
            return Err(QueryError::invalid("Altering column types is no longer supported"));
        }
        TableChange::Mask { column, if_exists, mask } => {
            match table.column(column) {
                Some(_) if mask.is_some() => refuse_mask(column, mask.as_ref())?,
                None if !if_exists => {
                    return Err(QueryError::Invalid(format!(
                        "Column with name '{column}' doesn't exist on table '{name}'"
                    )));
                }
                _ => {} // no column has a mask
            }
        }
        TableChange::Add { if_not_exists, columns } => {
            for column in columns {
                add(&mut table, types(keyspace), column, *if_not_exists)?;
            }
        }
        TableChange::Drop { if_exists, columns, timestamp_us } => {
            for column in columns {
                drop(&mut table, column, *if_exists, timestamp_us.unwrap_or(ctx.now_us))?;
            }
        }
        TableChange::Rename { columns, .. } => {
            for (from, to) in columns {
                rename(&mut table, from, to)?;
            }
        }
        TableChange::DropCompactStorage => {
            return Err(QueryError::invalid(if table.is_compact {
                "DROP COMPACT STORAGE is not supported by Helenus"
            } else {
                "Cannot DROP COMPACT STORAGE on table without COMPACT STORAGE"
            }));
        }
        TableChange::Properties(properties) => set_options(&mut table, properties)?,
    }
    validate(&table)?;
    let mut keyspace = Keyspace::clone(keyspace);
    keyspace.tables.insert(Arc::clone(&table.name), Arc::new(table));
    let effect = Effect::new(ChangeKind::Updated, ChangeTarget::Table, keyspace_name, name);
    Ok(SchemaChange::put(schema, keyspace, effect))
}

fn set_options(table: &mut Table, properties: &[Property]) -> Result<(), QueryError> {
    let properties = Properties(properties);
    options::check_names(properties)?;
    if options::table_id(properties)?.is_some() {
        return Err(QueryError::Config("Cannot alter table id.".to_owned()));
    }
    table.options = options::alter(&table.options, properties)?;
    if table.is_counter && table.options.default_time_to_live > 0 {
        return Err(ttl_on_counters());
    }
    Ok(())
}

fn add(
    table: &mut Table,
    types: Types<'_>,
    definition: &ColumnDefinition,
    if_not_exists: bool,
) -> Result<(), QueryError> {
    let name = &definition.name;
    if table.is_compact {
        return Err(QueryError::invalid("Cannot add new column to a COMPACT STORAGE table"));
    }
    refuse_mask(name, definition.mask.as_ref())?;
    if table.column(name).is_some() {
        if if_not_exists {
            return Ok(());
        }
        return Err(QueryError::Invalid(format!("Column with name '{name}' already exists")));
    }
    let ty = types.resolve_column(&definition.column_type)?;
    if definition.is_static && table.clustering.is_empty() {
        return Err(static_without_clustering());
    }
    let kind = if definition.is_static { ColumnKind::Static } else { ColumnKind::Regular };
    if let Some(dropped) = table.dropped.get(name.as_str()) {
        check_added_again(dropped, &ty, kind)?;
    }
    let id = ColumnId(table.next_column_id);
    table.next_column_id += 1;
    let column = Column { id, name: name.as_str().into(), ty, kind, position: 0, reversed: false };
    let columns = if definition.is_static { &mut table.statics } else { &mut table.regulars };
    let place = columns.partition_point(|other| other.answer_order() < column.answer_order());
    columns.insert(place, column);
    Ok(())
}

/// Older files may still hold cells of the dropped column: they must be readable as the new one's.
fn check_added_again(dropped: &DroppedColumn, ty: &CqlType, kind: ColumnKind) -> Result<(), QueryError> {
    let name = &dropped.name;
    let kind_name = |kind| if kind == ColumnKind::Static { "STATIC" } else { "REGULAR" };
    if kind != dropped.kind {
        return Err(QueryError::Invalid(format!(
            "Cannot re-add previously dropped column '{name}' of kind {}, incompatible with previous kind {}",
            kind_name(kind),
            kind_name(dropped.kind)
        )));
    }
    if !is_compatible(ty, &dropped.ty) {
        return Err(QueryError::Invalid(format!(
            "Cannot add a column '{name}' of type {}, incompatible with previously dropped column '{name}' of \
             type {}",
            ty.cql_name(),
            dropped.ty.cql_name()
        )));
    }
    if *ty == CqlType::Counter {
        return Err(QueryError::Invalid(format!("Cannot re-add previously dropped counter column {name}")));
    }
    Ok(())
}

fn drop(table: &mut Table, name: &str, if_exists: bool, dropped_at_us: i64) -> Result<(), QueryError> {
    if table.is_compact {
        return Err(QueryError::invalid("Cannot drop columns from a COMPACT STORAGE table"));
    }
    let Some(column) = table.column(name).cloned() else {
        if if_exists {
            return Ok(());
        }
        return Err(QueryError::Invalid(format!(
            "Column {name} was not found in table '{}.{}'",
            table.keyspace, table.name
        )));
    };
    if matches!(column.kind, ColumnKind::PartitionKey | ColumnKind::Clustering) {
        return Err(QueryError::Invalid(format!("Cannot drop PRIMARY KEY column {name}")));
    }
    if let CqlType::Udt { definition, frozen: false } = &column.ty {
        return Err(QueryError::Invalid(format!(
            "Cannot drop non-frozen column {name} of user type {}",
            definition.name
        )));
    }
    table.statics.retain(|other| *other.name != *name);
    table.regulars.retain(|other| *other.name != *name);
    let dropped = DroppedColumn {
        name: Arc::clone(&column.name),
        ty: expand_user_types(&column.ty),
        kind: column.kind,
        // `system_schema.dropped_columns` keeps milliseconds: the same before and after a restart.
        dropped_at_us: dropped_at_us.div_euclid(1000) * 1000,
    };
    table.dropped.insert(column.name, dropped);
    Ok(())
}

fn rename(table: &mut Table, from: &str, to: &str) -> Result<(), QueryError> {
    let Some(column) = table.column(from) else {
        return Err(QueryError::Invalid(format!(
            "Undefined column name {from} in table {}.{}",
            table.keyspace, table.name
        )));
    };
    if !matches!(column.kind, ColumnKind::PartitionKey | ColumnKind::Clustering) {
        return Err(QueryError::Invalid(format!("Cannot rename non PRIMARY KEY column {from}")));
    }
    if table.column(to).is_some() {
        return Err(QueryError::Invalid(format!(
            "Cannot rename column {from} to {to} in table '{}.{}'; another column with that name already exists",
            table.keyspace, table.name
        )));
    }
    let renamed = table
        .partition_key
        .iter_mut()
        .chain(&mut table.clustering)
        .find(|column| *column.name == *from)
        .expect("it was found above and is part of the key");
    renamed.name = to.into();
    Ok(())
}
