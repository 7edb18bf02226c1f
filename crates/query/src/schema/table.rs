//! CREATE TABLE and DROP TABLE.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cql::ast::{ClusteringOrder, ColumnDefinition, CreateTable, DropObject, PrimaryKey};
use model::schema::{TableOptions, stored_order};
use model::{Column, ColumnId, ColumnKind, CqlType, Keyspace, QueryError, Schema, Table, TableId};

use super::change::{
    ChangeContext, ChangeKind, ChangeTarget, Effect, SchemaChange, check_modifiable, existing, keyspace_of,
    types,
};
use super::keyspace::is_plain_name;
use super::options;
use super::properties::Properties;
use super::resolve::{self, Types};
use super::unsupported::refuse_mask;

const NAME_CHARACTERS_MAX: usize = 222;

pub(super) fn create(
    schema: &Schema,
    statement: &CreateTable,
    ctx: &ChangeContext<'_>,
) -> Result<SchemaChange, QueryError> {
    let primary_key = check_shape(statement)?;
    let keyspace_name = keyspace_of(&statement.table, ctx)?;
    check_modifiable(keyspace_name, "CREATE", &format!("all tables in {keyspace_name}"))?;
    let name = statement.table.name.as_str();
    let properties = Properties(&statement.properties);
    let table_options = options::create(properties)?;
    let keyspace = existing(schema, keyspace_name)?;
    if keyspace.tables.contains_key(name) {
        if statement.if_not_exists {
            return Ok(SchemaChange::none(schema));
        }
        return Err(QueryError::AlreadyExists {
            keyspace: keyspace_name.to_owned(),
            table: name.to_owned(),
            message: format!("Cannot add already existing table \"{name}\" to keyspace \"{keyspace_name}\""),
        });
    }
    options::check_names(properties)?;
    let id = options::table_id(properties)?;
    if let Some(twin) = id.and_then(|id| schema.tables().find(|table| table.id.0 == id)) {
        return Err(QueryError::Config(format!(
            "Table id {} is already taken by {}.{}",
            twin.id, twin.keyspace, twin.name
        )));
    }
    let id = TableId(id.unwrap_or(ctx.new_table_id));
    let table = build(types(keyspace), statement, primary_key, table_options, id)?;
    if statement.compact_storage {
        check_compact(&table)?;
    }
    validate(&table)?;
    let mut keyspace = Keyspace::clone(keyspace);
    keyspace.tables.insert(Arc::clone(&table.name), Arc::new(table));
    let effect = Effect::new(ChangeKind::Created, ChangeTarget::Table, keyspace_name, name);
    Ok(SchemaChange::put(schema, keyspace, effect))
}

/// What can be said without a schema: no column twice, one primary key.
fn check_shape(statement: &CreateTable) -> Result<&PrimaryKey, QueryError> {
    let table = &statement.table;
    for column in &statement.columns {
        resolve::check_class_names(&column.column_type)?;
    }
    let mut seen = BTreeSet::new();
    for column in &statement.columns {
        if !seen.insert(&column.name) {
            return Err(QueryError::Invalid(format!(
                "Duplicate column '{}' declaration for table '{table}'",
                column.name
            )));
        }
    }
    let mut ordered = BTreeSet::new();
    for order in &statement.clustering_order {
        if !ordered.insert(&order.column) {
            return Err(QueryError::Invalid(format!(
                "Duplicate column '{}' in CLUSTERING ORDER BY clause for table '{table}'",
                order.column
            )));
        }
    }
    match statement.primary_keys.as_slice() {
        [only] => Ok(only),
        [] => Err(QueryError::Invalid(format!(
            "No PRIMARY KEY specifed for table '{table}' (exactly one required)"
        ))),
        _ => Err(QueryError::Invalid(format!(
            "Multiple PRIMARY KEY specified for table '{table}' (exactly one required)"
        ))),
    }
}

/// The table that a CREATE TABLE of the right shape defines; its name and options are not checked yet.
pub(crate) fn build(
    types: Types<'_>,
    statement: &CreateTable,
    primary_key: &PrimaryKey,
    options: TableOptions,
    id: TableId,
) -> Result<Table, QueryError> {
    let name = statement.table.name.as_str();
    let mut columns: BTreeMap<&str, (&ColumnDefinition, CqlType)> = BTreeMap::new();
    for column in &statement.columns {
        refuse_mask(&column.name, column.mask.as_ref())?;
        columns.insert(&column.name, (column, types.resolve_column(&column.column_type)?));
    }
    let mut numbers = 0..;
    let mut key = Vec::new();
    for (part, kind) in [
        (&primary_key.partition_key, ColumnKind::PartitionKey),
        (&primary_key.clustering, ColumnKind::Clustering),
    ] {
        let mut key_columns = Vec::new();
        for (position, column) in (0..).zip(part) {
            let Some((definition, ty)) = columns.remove(column.as_str()) else {
                return Err(key_column_error(statement, column));
            };
            check_key_column(definition, &ty)?;
            key_columns.push(new_column(&mut numbers, column, ty, kind, position));
        }
        key.push(key_columns);
    }
    let mut clustering = key.pop().expect("two parts were pushed");
    let partition_key = key.pop().expect("two parts were pushed");
    apply_order(&statement.clustering_order, &mut clustering)?;
    let (statics, regulars): (Vec<_>, Vec<_>) =
        columns.into_values().partition(|(definition, _)| definition.is_static);
    if clustering.is_empty() && !statics.is_empty() {
        return Err(static_without_clustering());
    }
    let counters = statics.iter().chain(&regulars).filter(|(_, ty)| *ty == CqlType::Counter).count();
    if counters != 0 && counters != statics.len() + regulars.len() {
        return Err(QueryError::invalid("Cannot mix counter and non counter columns in the same table"));
    }
    if counters != 0 && options.default_time_to_live > 0 {
        return Err(ttl_on_counters());
    }
    let statics = number_columns(&mut numbers, statics, ColumnKind::Static);
    let regulars = number_columns(&mut numbers, regulars, ColumnKind::Regular);
    Ok(Table {
        id,
        keyspace: types.keyspace.into(),
        name: name.into(),
        partition_key,
        clustering,
        statics,
        regulars,
        is_counter: counters != 0,
        is_compact: statement.compact_storage,
        is_virtual: false,
        options,
        dropped: BTreeMap::new(),
        next_column_id: numbers.start,
    })
}

/// Gives the columns numbers in the order in which rows hold them in files (one cell before many, then by
/// name), and returns them by name.
fn number_columns(
    numbers: &mut std::ops::RangeFrom<u32>,
    mut columns: Vec<(&ColumnDefinition, CqlType)>,
    kind: ColumnKind,
) -> Vec<Column> {
    columns.sort_by(|(a, a_type), (b, b_type)| {
        stored_order(&a.name, a_type.is_multi_cell()).cmp(&stored_order(&b.name, b_type.is_multi_cell()))
    });
    let mut columns: Vec<Column> = columns
        .into_iter()
        .map(|(definition, ty)| new_column(numbers, &definition.name, ty, kind, 0))
        .collect();
    columns.sort_by(|a, b| a.answer_order().cmp(&b.answer_order()));
    columns
}

fn new_column(
    numbers: &mut std::ops::RangeFrom<u32>,
    name: &str,
    ty: CqlType,
    kind: ColumnKind,
    position: u32,
) -> Column {
    let id = ColumnId(numbers.start);
    numbers.start += 1;
    Column { id, name: name.into(), ty, kind, position, reversed: false }
}

fn key_column_error(statement: &CreateTable, column: &str) -> QueryError {
    let table = &statement.table.name;
    QueryError::Invalid(if statement.columns.iter().any(|definition| definition.name == column) {
        format!("Duplicate column '{column}' in PRIMARY KEY clause for table '{table}'")
    } else {
        format!("Unknown column '{column}' referenced in PRIMARY KEY for table '{table}'")
    })
}

fn check_key_column(definition: &ColumnDefinition, ty: &CqlType) -> Result<(), QueryError> {
    let name = &definition.name;
    if definition.is_static {
        return Err(QueryError::Invalid(format!("Static column '{name}' cannot be part of the PRIMARY KEY")));
    }
    match ty {
        CqlType::Counter => {
            Err(QueryError::Invalid(format!("counter type is not supported for PRIMARY KEY column '{name}'")))
        }
        ty if ty.is_multi_cell() && ty.is_collection() => Err(QueryError::Invalid(format!(
            "Invalid non-frozen collection type {} for PRIMARY KEY column '{name}'",
            definition.column_type
        ))),
        CqlType::Udt { definition, frozen: false } => Err(QueryError::Invalid(format!(
            "Invalid non-frozen user-defined type \"{}.{}\" for PRIMARY KEY column '{name}'",
            definition.keyspace, definition.name
        ))),
        ty if mentions_duration(ty) => Err(QueryError::Invalid(format!(
            "duration type is not supported for PRIMARY KEY column '{name}'"
        ))),
        _ => Ok(()),
    }
}

/// Durations have no order.
fn mentions_duration(ty: &CqlType) -> bool {
    match ty {
        CqlType::Duration => true,
        CqlType::List { element, .. } | CqlType::Set { element, .. } | CqlType::Vector { element, .. } => {
            mentions_duration(element)
        }
        CqlType::Map { key, value, .. } => mentions_duration(key) || mentions_duration(value),
        CqlType::Tuple(fields) => fields.iter().any(mentions_duration),
        CqlType::Udt { definition, .. } => definition.fields.iter().any(|(_, ty)| mentions_duration(ty)),
        _ => false,
    }
}

fn apply_order(order: &[ClusteringOrder], clustering: &mut [Column]) -> Result<(), QueryError> {
    let strangers: Vec<&str> = order
        .iter()
        .map(|order| order.column.as_str())
        .filter(|name| !clustering.iter().any(|column| &*column.name == *name))
        .collect();
    if !strangers.is_empty() {
        return Err(QueryError::Invalid(format!(
            "Only clustering key columns can be defined in CLUSTERING ORDER directive: [{}] are not clustering \
             columns",
            strangers.join(", ")
        )));
    }
    for (given, column) in order.iter().zip(clustering) {
        if given.column != *column.name {
            let comes_later = order.iter().any(|order| order.column == *column.name);
            return Err(QueryError::Invalid(if comes_later {
                format!(
                    "The order of columns in the CLUSTERING ORDER directive must match that of the clustering \
                     columns ({} must appear before {})",
                    column.name, given.column
                )
            } else {
                format!("Missing CLUSTERING ORDER for column {}", column.name)
            }));
        }
        column.reversed = given.descending;
    }
    Ok(())
}

pub(super) fn static_without_clustering() -> QueryError {
    QueryError::invalid(
        "Static columns are only useful (and thus allowed) if the table has at least one clustering column",
    )
}

pub(super) fn ttl_on_counters() -> QueryError {
    QueryError::invalid("Cannot set default_time_to_live on a table with counters")
}

/// Legacy tables are read, not made: after Cassandra's own errors comes ours.
fn check_compact(table: &Table) -> Result<(), QueryError> {
    if table.regulars.iter().any(|column| column.ty.is_multi_cell()) {
        return Err(QueryError::invalid(
            "Non-frozen collections and UDTs are not supported with COMPACT STORAGE",
        ));
    }
    if table.has_statics() {
        return Err(QueryError::invalid("Static columns are not supported in COMPACT STORAGE tables"));
    }
    if table.clustering.is_empty() && table.regulars.is_empty() {
        return Err(QueryError::invalid("No definition found that is not part of the PRIMARY KEY"));
    }
    if !table.clustering.is_empty() && table.regulars.len() > 1 {
        let names: Vec<&str> = table.regulars.iter().map(|column| &*column.name).collect();
        return Err(QueryError::Invalid(format!(
            "COMPACT STORAGE with composite PRIMARY KEY allows no more than one column not part of the PRIMARY \
             KEY (got: {})",
            names.join(", ")
        )));
    }
    Err(QueryError::invalid(
        "COMPACT STORAGE is not supported by Helenus (CREATE TABLE); leave it out to get an ordinary table",
    ))
}

/// What is checked of a table as a whole, after each change.
pub(super) fn validate(table: &Table) -> Result<(), QueryError> {
    let Table { keyspace, name, .. } = table;
    if !is_plain_name(name) {
        return Err(QueryError::Config(format!(
            "{keyspace}.{name}: Table name must not be empty or not contain non-alphanumeric-underscore \
             characters (got \"{name}\")"
        )));
    }
    if name.len() > NAME_CHARACTERS_MAX {
        return Err(QueryError::Config(format!(
            "{keyspace}.{name}: Table name must not be more than {NAME_CHARACTERS_MAX} characters long (got {} \
             characters for \"{name}\")",
            name.len()
        )));
    }
    options::validate(&table.options)?;
    for column in table.statics.iter().chain(&table.regulars) {
        let is_counter = column.ty == CqlType::Counter;
        if is_counter != table.is_counter {
            let (article, kind) = if is_counter { ("a counter", "a non") } else { ("a non counter", "a") };
            return Err(QueryError::Config(format!(
                "{keyspace}.{name}: Cannot have {article} column (\"{}\") in {kind} counter table",
                column.name
            )));
        }
    }
    Ok(())
}

pub(super) fn drop(
    schema: &Schema,
    statement: &DropObject,
    ctx: &ChangeContext<'_>,
) -> Result<SchemaChange, QueryError> {
    let keyspace_name = keyspace_of(&statement.name, ctx)?;
    let name = statement.name.name.as_str();
    check_modifiable(keyspace_name, "DROP", &format!("table {keyspace_name}.{name}"))?;
    if schema.table(keyspace_name, name).is_none() {
        return missing(schema, keyspace_name, name, statement.if_exists);
    }
    let mut keyspace = Keyspace::clone(existing(schema, keyspace_name)?);
    keyspace.tables.remove(name);
    let effect = Effect::new(ChangeKind::Dropped, ChangeTarget::Table, keyspace_name, name);
    Ok(SchemaChange::put(schema, keyspace, effect))
}

/// The answer where the table is not there.
pub(super) fn missing(
    schema: &Schema,
    keyspace: &str,
    name: &str,
    if_exists: bool,
) -> Result<SchemaChange, QueryError> {
    if if_exists {
        return Ok(SchemaChange::none(schema));
    }
    Err(QueryError::Invalid(format!("Table '{keyspace}.{name}' doesn't exist")))
}
