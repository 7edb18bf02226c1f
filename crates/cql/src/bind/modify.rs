//! INSERT, UPDATE, DELETE, bound: which rows, what happens to which column, under which condition.
//!
//! Read in order: [`Modify`] (a bound statement), [`Operation`] (what happens to one column), [`Test`] (IF).

use std::sync::Arc;

use model::{Column, ColumnKind, CqlType, QueryError, Table};

use super::restrict::{self, KeyRestrictions, KeyTest, TupleExpr};
use super::term::Expr;
use super::{Markers, Receiver, Scope, column};
use crate::ast::{
    self, Condition as AstCondition, Delete, Insert, InsertSource, JsonValue, Relation, Term, Update,
};

mod condition;
mod operation;

pub use condition::{ColumnTest, Condition, Part, TestKind};
pub use operation::Operation;

/// Which statement it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// INSERT: leaves a row marker.
    Insert,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
}

impl Kind {
    /// As error texts say it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Insert => "INSERT",
            Kind::Update => "UPDATE",
            Kind::Delete => "DELETE",
        }
    }
}

/// A bound INSERT, UPDATE or DELETE.
#[derive(Clone, Debug)]
pub struct Modify {
    /// The table.
    pub table: Arc<Table>,
    /// Which statement it was.
    pub kind: Kind,
    /// Equality or IN for each partition key column.
    pub partition: KeyRestrictions,
    /// Rows, or for a DELETE a range of them.
    pub clustering: KeyRestrictions,
    /// What happens to columns; empty: the marker alone (INSERT), or whole rows are deleted (DELETE).
    pub operations: Vec<Operation>,
    /// `USING TIMESTAMP`.
    pub timestamp: Option<Expr>,
    /// `USING TTL`.
    pub ttl: Option<Expr>,
    /// `IF`.
    pub condition: Condition,
    /// The document of INSERT JSON; keys and operations then come from it at each execution.
    pub json: Option<JsonSource>,
}

/// Where the document of an INSERT JSON comes from.
#[derive(Clone, Debug)]
pub struct JsonSource {
    /// A text.
    pub document: Expr,
    /// Columns that are absent are left alone instead of set to null.
    pub default_unset: bool,
}

impl Modify {
    /// True if only static columns change: it then concerns the partition, not a row.
    pub fn is_static_only(&self) -> bool {
        !self.operations.is_empty()
            && self.operations.iter().all(|operation| operation.column().kind == ColumnKind::Static)
    }

    /// True if an operation needs what is there now (list elements by index, list subtraction, sums).
    pub fn needs_read(&self) -> bool {
        self.operations.iter().any(Operation::needs_read)
    }

    /// True if it has an IF.
    pub fn is_conditional(&self) -> bool {
        !matches!(self.condition, Condition::None)
    }
}

/// Binds an INSERT.
pub fn bind_insert(insert: &Insert, scope: Scope<'_>, markers: &mut Markers) -> Result<Modify, QueryError> {
    let table = scope.table(&insert.table)?;
    let mut modify = begin(table, Kind::Insert, &insert.attributes, scope, markers)?;
    if table.is_counter {
        return Err(QueryError::invalid(
            "INSERT statements are not allowed on counter tables, use UPDATE instead",
        ));
    }
    if insert.if_not_exists {
        modify.condition = Condition::NotExists;
    }
    match &insert.source {
        InsertSource::Json { value, default_unset } => {
            let receiver = Receiver::new(table, "[json]", CqlType::Text);
            let term = match value {
                JsonValue::Literal(text) => {
                    Term::Literal(ast::Literal { kind: ast::LiteralKind::String, text: text.clone() })
                }
                JsonValue::Marker(marker) => Term::Marker(*marker),
            };
            let document = Expr::bind(&term, &receiver, scope, markers)?;
            modify.json = Some(JsonSource { document, default_unset: *default_unset });
        }
        InsertSource::Values { columns, values } => {
            if columns.len() != values.len() {
                return Err(QueryError::invalid("Unmatched column names/values"));
            }
            for (index, name) in columns.iter().enumerate() {
                if columns[..index].contains(name) {
                    return Err(QueryError::invalid("The column names contains duplicates"));
                }
            }
            for (name, value) in columns.iter().zip(values) {
                let column = column(table, name)?;
                match column.kind {
                    ColumnKind::PartitionKey | ColumnKind::Clustering => {
                        let receiver = Receiver::column(table, column);
                        let test =
                            restrict::Test::Eq(restrict::bind_single(value, &receiver, scope, markers)?);
                        add_key_test(&mut modify, column, test)?;
                    }
                    _ => modify.operations.push(Operation::bind_set(table, column, value, scope, markers)?),
                }
            }
            check_keys(&modify)?;
        }
    }
    check_attributes(&modify)?;
    Ok(modify)
}

/// Binds an UPDATE.
pub fn bind_update(update: &Update, scope: Scope<'_>, markers: &mut Markers) -> Result<Modify, QueryError> {
    let table = scope.table(&update.table)?;
    let mut modify = begin(table, Kind::Update, &update.attributes, scope, markers)?;
    let is_conditional = !matches!(update.condition, AstCondition::None);
    for assignment in &update.assignments {
        let column = column(table, &assignment.column)?;
        if matches!(column.kind, ColumnKind::PartitionKey | ColumnKind::Clustering) {
            return Err(QueryError::Invalid(format!("PRIMARY KEY part {} found in SET part", column.name)));
        }
        let operation = &assignment.operation;
        modify.operations.push(Operation::bind(table, column, operation, is_conditional, scope, markers)?);
    }
    bind_where(&mut modify, &update.where_clause, scope, markers)?;
    check_keys(&modify)?;
    bind_condition(&mut modify, &update.condition, scope, markers)?;
    check_attributes(&modify)?;
    Ok(modify)
}

/// Binds a DELETE.
pub fn bind_delete(delete: &Delete, scope: Scope<'_>, markers: &mut Markers) -> Result<Modify, QueryError> {
    let table = scope.table(&delete.table)?;
    let mut modify = begin(table, Kind::Delete, &delete.attributes, scope, markers)?;
    for target in &delete.targets {
        let name = match target {
            ast::Deletion::Column(name) | ast::Deletion::Element(name, _) | ast::Deletion::Field(name, _) => {
                name
            }
        };
        let column = column(table, name)?;
        if matches!(column.kind, ColumnKind::PartitionKey | ColumnKind::Clustering) {
            return Err(QueryError::Invalid(format!(
                "Invalid identifier {} for deletion (should not be a PRIMARY KEY part)",
                column.name
            )));
        }
        modify.operations.push(Operation::bind_deletion(table, column, target, scope, markers)?);
    }
    bind_where(&mut modify, &delete.where_clause, scope, markers)?;
    check_keys(&modify)?;
    bind_condition(&mut modify, &delete.condition, scope, markers)?;
    check_attributes(&modify)?;
    let full = modify.clustering.prefix_len() == table.clustering.len() && !modify.clustering.has_slice();
    if modify.is_conditional() && !full && !statics_only(&modify) {
        return Err(QueryError::invalid(
            "DELETE statements must restrict all PRIMARY KEY columns with equality relations in order to delete non \
             static columns",
        ));
    }
    Ok(modify)
}

/// True if neither operations nor conditions concern a row.
fn statics_only(modify: &Modify) -> bool {
    modify.is_static_only() && modify.condition.is_static_only()
}

fn begin(
    table: &Arc<Table>,
    kind: Kind,
    attributes: &ast::Attributes,
    scope: Scope<'_>,
    markers: &mut Markers,
) -> Result<Modify, QueryError> {
    let mut attribute = |term: &Option<Term>, name: &str, ty: CqlType| {
        let receiver = Receiver::new(table, name, ty);
        term.as_ref().map(|term| Expr::bind(term, &receiver, scope, markers)).transpose()
    };
    Ok(Modify {
        table: table.clone(),
        kind,
        partition: KeyRestrictions::default(),
        clustering: KeyRestrictions::default(),
        operations: Vec::new(),
        timestamp: attribute(&attributes.timestamp, "[timestamp]", CqlType::Bigint)?,
        ttl: attribute(&attributes.ttl, "[ttl]", CqlType::Int)?,
        condition: Condition::None,
        json: None,
    })
}

fn add_key_test(modify: &mut Modify, column: &Column, test: restrict::Test) -> Result<(), QueryError> {
    let first = column.position as usize;
    let key_test = KeyTest { first, count: 1, test, is_multi: false };
    let part = match column.kind {
        ColumnKind::PartitionKey => &mut modify.partition,
        _ => &mut modify.clustering,
    };
    part.add(key_test, &[&column.name])
}

fn bind_where(
    modify: &mut Modify,
    clause: &ast::WhereClause,
    scope: Scope<'_>,
    markers: &mut Markers,
) -> Result<(), QueryError> {
    let table = modify.table.clone();
    if !clause.expressions.is_empty() {
        return Err(QueryError::Invalid(format!(
            "Custom index expressions cannot be used in WHERE clauses for {} statements",
            modify.kind.name()
        )));
    }
    let mut others: Vec<&str> = Vec::new();
    for relation in &clause.relations {
        match relation {
            Relation::Token { .. } => {
                return Err(QueryError::Invalid(format!(
                    "The token function cannot be used in WHERE clauses for {} statements",
                    modify.kind.name()
                )));
            }
            Relation::Column { column: name, .. }
            | Relation::In { column: name, .. }
            | Relation::Element { column: name, .. }
            | Relation::IsNotNull { column: name } => {
                let column = column(&table, name)?;
                match column.kind {
                    ColumnKind::PartitionKey | ColumnKind::Clustering => {
                        bind_key_relation(modify, column, relation, scope, markers)?;
                    }
                    _ => others.push(name),
                }
            }
            Relation::Columns { columns, .. } | Relation::ColumnsIn { columns, .. } => {
                bind_multi_relation(modify, columns, relation, scope, markers)?;
            }
        }
    }
    if !others.is_empty() {
        return Err(QueryError::Invalid(format!(
            "Non PRIMARY KEY columns found in where clause: {} ",
            others.join(", ")
        )));
    }
    Ok(())
}

fn bind_key_relation(
    modify: &mut Modify,
    column: &Column,
    relation: &Relation,
    scope: Scope<'_>,
    markers: &mut Markers,
) -> Result<(), QueryError> {
    let receiver = Receiver::column(&modify.table, column);
    let test = match relation {
        Relation::Column { operator, value, .. } => {
            let bound = restrict::bind_single(value, &receiver, scope, markers)?;
            restrict::comparison(*operator, bound).ok_or_else(|| unsupported(relation))?
        }
        Relation::In { values, .. } => restrict::Test::In(restrict::bind_in(
            values,
            std::slice::from_ref(&receiver),
            false,
            scope,
            markers,
        )?),
        _ => return Err(unsupported(relation)),
    };
    if column.kind == ColumnKind::PartitionKey && matches!(test, restrict::Test::Slice { .. }) {
        return Err(QueryError::Invalid(format!(
            "Only EQ and IN relation are supported on the partition key (unless you use the token() function) for {} \
             statements",
            modify.kind.name()
        )));
    }
    add_key_test(modify, column, test)
}

fn unsupported(relation: &Relation) -> QueryError {
    match relation {
        Relation::Column { operator: ast::Operator::Neq, .. } => {
            QueryError::Invalid(format!("Unsupported \"!=\" relation: {relation}"))
        }
        Relation::IsNotNull { column } => {
            QueryError::Invalid(format!("Unsupported restriction: {column} IS NOT NULL"))
        }
        Relation::Column { column, operator, .. } => {
            QueryError::Invalid(format!("Cannot use {operator} on non-collection column {column}"))
        }
        other => QueryError::Invalid(format!("Unsupported restriction: {other}")),
    }
}

fn bind_multi_relation(
    modify: &mut Modify,
    names: &[String],
    relation: &Relation,
    scope: Scope<'_>,
    markers: &mut Markers,
) -> Result<(), QueryError> {
    let table = modify.table.clone();
    let test = bind_multi(&table, names, relation, scope, markers)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    modify.clustering.add(test, &names)
}

/// Binds `(a, b) > (1, 2)` and its kin: clustering columns in key order.
pub fn bind_multi(
    table: &Table,
    names: &[String],
    relation: &Relation,
    scope: Scope<'_>,
    markers: &mut Markers,
) -> Result<KeyTest, QueryError> {
    let mut receivers = Vec::with_capacity(names.len());
    let mut first = None;
    for (index, name) in names.iter().enumerate() {
        let column = column(table, name)?;
        if column.kind != ColumnKind::Clustering {
            return Err(QueryError::Invalid(format!(
                "Multi-column relations can only be applied to clustering columns but was applied to: {}",
                column.name
            )));
        }
        let start = *first.get_or_insert(column.position as usize);
        if names[..index].contains(name) {
            return Err(QueryError::Invalid(format!(
                "Column \"{name}\" appeared twice in a relation: {relation}"
            )));
        }
        if column.position as usize != start + index {
            return Err(QueryError::Invalid(format!(
                "Clustering columns must appear in the PRIMARY KEY order in multi-column relations: {relation}"
            )));
        }
        receivers.push(Receiver::column(table, column));
    }
    let test = match relation {
        Relation::Columns { operator, value, .. } => {
            let value: TupleExpr = restrict::bind_tuple(value, &receivers, scope, markers)?;
            restrict::comparison(*operator, value).ok_or_else(|| unsupported(relation))?
        }
        Relation::ColumnsIn { values, .. } => {
            restrict::Test::In(restrict::bind_in(values, &receivers, true, scope, markers)?)
        }
        other => return Err(unsupported(other)),
    };
    Ok(KeyTest { first: first.unwrap_or(0), count: names.len(), test, is_multi: true })
}

/// Checks that the key is named as far as the statement needs it.
fn check_keys(modify: &Modify) -> Result<(), QueryError> {
    let table = &modify.table;
    let missing = |columns: &[Column], restrictions: &KeyRestrictions| {
        let missing =
            columns.iter().filter(|column| restrictions.covering(column.position as usize).is_none());
        missing.map(|column| column.name.to_string()).collect::<Vec<_>>()
    };
    let partition = missing(&table.partition_key, &modify.partition);
    if !partition.is_empty() {
        return Err(QueryError::Invalid(format!(
            "Some partition key parts are missing: {}",
            partition.join(", ")
        )));
    }
    if modify.is_static_only() && !table.clustering.is_empty() {
        let is_allowed = modify.clustering.is_empty() || modify.kind == Kind::Insert;
        let all_named = missing(&table.clustering, &modify.clustering).is_empty();
        if !is_allowed && (modify.kind != Kind::Delete || all_named) {
            return Err(QueryError::Invalid(format!(
                "Invalid restrictions on clustering columns since the {} statement modifies only static columns",
                modify.kind.name()
            )));
        }
        if modify.clustering.is_empty() {
            return Ok(());
        }
    }
    if modify.kind != Kind::Delete && modify.clustering.has_slice() {
        return Err(QueryError::Invalid(format!(
            "Slice restrictions are not supported on the clustering columns in {} statements",
            modify.kind.name()
        )));
    }
    let clustering = missing(&table.clustering, &modify.clustering);
    if modify.kind != Kind::Delete {
        if !clustering.is_empty() {
            return Err(QueryError::Invalid(format!(
                "Some clustering keys are missing: {}",
                clustering.join(", ")
            )));
        }
        return Ok(());
    }
    if modify.clustering.prefix_len() < modify.clustering.0.last().map_or(0, KeyTest::end) {
        let gap = modify.clustering.prefix_len();
        let beyond = modify.clustering.0.iter().find(|test| test.first > gap);
        if let Some(beyond) = beyond {
            return Err(QueryError::Invalid(format!(
                "PRIMARY KEY column \"{}\" cannot be restricted as preceding column \"{}\" is not restricted",
                table.clustering[beyond.first].name, table.clustering[gap].name
            )));
        }
    }
    if let Some(position) =
        modify.clustering.0.iter().position(|test| matches!(test.test, restrict::Test::Slice { .. }))
        && let Some(after) = modify.clustering.0.get(position + 1)
    {
        return Err(QueryError::Invalid(format!(
            "Clustering column \"{}\" cannot be restricted (preceding column \"{}\" is restricted by a non-EQ relation)",
            table.clustering[after.first].name, table.clustering[modify.clustering.0[position].first].name
        )));
    }
    let is_range = !clustering.is_empty() || modify.clustering.has_slice();
    if is_range && modify.operations.iter().any(|operation| operation.column().kind == ColumnKind::Regular) {
        return Err(QueryError::invalid("Range deletions are not supported for specific columns"));
    }
    Ok(())
}

fn bind_condition(
    modify: &mut Modify,
    condition: &AstCondition,
    scope: Scope<'_>,
    markers: &mut Markers,
) -> Result<(), QueryError> {
    modify.condition = Condition::bind(&modify.table, condition, scope, markers)?;
    if !modify.is_conditional() {
        return Ok(());
    }
    if modify.table.is_counter {
        return Err(QueryError::invalid("Conditional updates are not supported on counter tables"));
    }
    if modify.partition.has_in() {
        return Err(QueryError::invalid("IN on the partition key is not supported with conditional updates"));
    }
    if modify.clustering.has_in() {
        return Err(QueryError::invalid(
            "IN on the clustering key columns is not supported with conditional updates",
        ));
    }
    Ok(())
}

fn check_attributes(modify: &Modify) -> Result<(), QueryError> {
    if modify.table.is_counter {
        if modify.timestamp.is_some() {
            return Err(QueryError::invalid("Cannot provide custom timestamp for counter updates"));
        }
        if modify.ttl.is_some() {
            return Err(QueryError::invalid("Cannot provide custom TTL for counter updates"));
        }
    }
    if modify.is_conditional() && modify.timestamp.is_some() {
        return Err(QueryError::invalid("Cannot provide custom timestamp for conditional updates"));
    }
    Ok(())
}
