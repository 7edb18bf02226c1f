//! CREATE MATERIALIZED VIEW: what is wrong with a view's definition.
//!
//! Views are not there yet ([`super::unsupported`] says so); a definition that Cassandra would refuse is refused
//! for Cassandra's reason.

use std::collections::BTreeSet;

use cql::ast::{CreateView, Relation, Selectable};
use model::{ColumnKind, CqlType, QueryError, Schema, Table};

use super::change::{ChangeContext, check_modifiable, existing, keyspace_of};

/// Everything that is checked before a view is made.
pub(super) fn check(schema: &Schema, create: &CreateView, ctx: &ChangeContext<'_>) -> Result<(), QueryError> {
    let keyspace_name = keyspace_of(&create.view, ctx)?;
    check_modifiable(keyspace_name, "CREATE", &format!("all tables in {keyspace_name}"))?;
    let keyspace = existing(schema, keyspace_name)?;
    let (name, base) = (&create.view.name, &create.base.name);
    let Some(table) = keyspace.tables.get(base.as_str()) else {
        return invalid(format!("Base table '{base}' doesn't exist"));
    };
    if keyspace.tables.contains_key(name.as_str()) {
        return invalid(format!(
            "Cannot create materialized view '{name}' - a table with the same name already exists"
        ));
    }
    if table.is_counter {
        return invalid("Materialized views are not supported on counter tables".to_owned());
    }
    if table.options.gc_grace_seconds == 0 {
        return invalid(format!(
            "Cannot create materialized view '{name}' for base table '{base}' with gc_grace_seconds of 0, since this \
             value is used to TTL undelivered updates. Setting gc_grace_seconds too low might cause undelivered \
             updates to expire before being replayed."
        ));
    }
    let selected = selected_columns(table, create)?;
    check_primary_key(table, create, &selected)?;
    check_where(table, create)
}

fn invalid<T>(text: String) -> Result<T, QueryError> {
    Err(QueryError::Invalid(text))
}

fn selected_columns<'a>(table: &'a Table, create: &'a CreateView) -> Result<BTreeSet<&'a str>, QueryError> {
    let mut selected = BTreeSet::new();
    for selector in &create.selectors {
        if let Some(alias) = &selector.alias {
            return invalid(format!("Cannot use aliases when defining a materialized view (got {alias})"));
        }
        let Selectable::Column(name) = &selector.selectable else {
            return invalid(
                "Can only select columns by name when defining a materialized view (got an expression)"
                    .to_owned(),
            );
        };
        selected.insert(&*cql::bind::column(table, name)?.name);
    }
    if create.selectors.is_empty() {
        selected.extend(table.columns().map(|column| &*column.name));
    }
    match table.statics.iter().find(|column| selected.contains(&*column.name)) {
        Some(column) => invalid(format!(
            "Cannot include static column '{}' in materialized view '{}'",
            column.name, create.view.name
        )),
        None => Ok(selected),
    }
}

fn primary_key(create: &CreateView) -> impl Iterator<Item = &String> {
    create.primary_key.partition_key.iter().chain(&create.primary_key.clustering)
}

fn check_primary_key(
    table: &Table,
    create: &CreateView,
    selected: &BTreeSet<&str>,
) -> Result<(), QueryError> {
    let view = &create.view.name;
    let mut seen = BTreeSet::new();
    let mut others = Vec::new();
    for name in primary_key(create) {
        let Some(column) = table.column(name).filter(|_| selected.contains(name.as_str())) else {
            return invalid(format!(
                "Unknown column '{name}' referenced in PRIMARY KEY for materialized view '{view}'"
            ));
        };
        if !seen.insert(name.as_str()) {
            return invalid(format!(
                "Duplicate column '{name}' in PRIMARY KEY clause for materialized view '{view}'"
            ));
        }
        if column.ty.is_multi_cell() {
            let what = if column.ty.is_collection() { "collection" } else { "user-defined" };
            return invalid(format!(
                "Invalid non-frozen {what} type '{}' for PRIMARY KEY column '{name}'",
                column.ty.class_name()
            ));
        }
        if column.ty == CqlType::Duration {
            return invalid(format!("duration type is not supported for PRIMARY KEY column '{name}'"));
        }
        if column.kind == ColumnKind::Regular {
            others.push(name.as_str());
        }
    }
    let ordered = create.clustering_order.iter().map(|order| &order.column);
    if !create.clustering_order.is_empty() && !ordered.eq(&create.primary_key.clustering) {
        return invalid(
            "Clustering key columns must exactly match columns in CLUSTERING ORDER BY directive".to_owned(),
        );
    }
    let keys = table.partition_key.iter().chain(&table.clustering).map(|column| &*column.name);
    let missing: Vec<&str> = keys.filter(|name| !seen.contains(name)).collect();
    if !missing.is_empty() {
        return invalid(format!(
            "Cannot create materialized view '{view}' without primary key columns {} from base table '{}'",
            missing.join(", "),
            table.name
        ));
    }
    if others.len() > 1 {
        return invalid(format!(
            "Cannot include more than one non-primary key column in materialized view primary key (got {})",
            others.join(", ")
        ));
    }
    Ok(())
}

fn check_where(table: &Table, create: &CreateView) -> Result<(), QueryError> {
    let relations = &create.where_clause.relations;
    if relations.iter().any(|relation| matches!(relation, Relation::Token { .. })) {
        return invalid("Cannot use token relation when defining a materialized view".to_owned());
    }
    if !create.where_clause.expressions.is_empty() {
        return invalid(format!(
            "WHERE clause for materialized view '{}' cannot contain custom index expressions",
            create.view.name
        ));
    }
    let mut restricted = BTreeSet::new();
    let mut refused: Vec<&str> = Vec::new();
    for relation in relations {
        for name in columns_of(relation) {
            let column = cql::bind::column(table, name)?;
            restricted.insert(name);
            let is_key = primary_key(create).any(|key| key == name);
            if !is_key && !matches!(relation, Relation::IsNotNull { .. }) {
                refused.push(&column.name);
            }
        }
    }
    let keys: BTreeSet<&str> = primary_key(create).map(String::as_str).collect();
    let free: Vec<&str> = table
        .columns()
        .map(|column| &*column.name)
        .filter(|name| keys.contains(name) && !restricted.contains(name))
        .collect();
    if !free.is_empty() {
        return invalid(format!(
            "Primary key columns {} must be restricted with 'IS NOT NULL' or otherwise",
            free.join(", ")
        ));
    }
    if !refused.is_empty() {
        return invalid(format!(
            "Non-primary key columns can only be restricted with 'IS NOT NULL' (got: {} restricted illegally)",
            refused.join(", ")
        ));
    }
    Ok(())
}

fn columns_of(relation: &Relation) -> Vec<&str> {
    match relation {
        Relation::Column { column, .. }
        | Relation::Element { column, .. }
        | Relation::In { column, .. }
        | Relation::IsNotNull { column } => vec![column],
        Relation::Token { columns, .. }
        | Relation::Columns { columns, .. }
        | Relation::ColumnsIn { columns, .. } => columns.iter().map(String::as_str).collect(),
    }
}
