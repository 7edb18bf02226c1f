//! DESCRIBE: which objects, in which order, under which columns. The texts come from [`cql::describe`].

mod paging;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use cql::ast::{self, DescribeTarget, FunctionName, QualifiedName};
use cql::describe::quote_name;
use model::types::UserType;
use model::value::collection;
use model::{CqlType, Keyspace, QueryError, Schema, Table, Value};

use crate::system::definitions;

pub use paging::{DescribePosition, page};

/// What DESCRIBE needs to know.
#[derive(Clone, Copy, Debug)]
pub struct DescribeContext<'a> {
    /// The schema.
    pub schema: &'a Schema,
    /// The session's keyspace (USE).
    pub keyspace: Option<&'a str>,
    /// Name of the cluster.
    pub cluster_name: &'a str,
    /// For `DESCRIBE CLUSTER` with a keyspace: token as text, and its replicas as `/address:storage port`.
    pub range_ownership: &'a [(String, Vec<String>)],
}

/// The answer to a DESCRIBE: all columns are of `system.describe`.
#[derive(Clone, Debug, PartialEq)]
pub struct DescribeResult {
    /// Column names and types.
    pub columns: Vec<(&'static str, CqlType)>,
    /// Rows in order.
    pub rows: Vec<Vec<Value>>,
}

/// One object; without `create_statement` in lists of names.
struct Element {
    keyspace: String,
    kind: &'static str,
    name: String,
    create_statement: Option<String>,
}

/// Answers a DESCRIBE.
pub fn describe(statement: &ast::Describe, ctx: &DescribeContext<'_>) -> Result<DescribeResult, QueryError> {
    let internals = statement.internals;
    let schema = ctx.schema;
    let elements = match &statement.target {
        DescribeTarget::Cluster => return Ok(cluster(ctx)),
        DescribeTarget::Keyspaces => {
            return Ok(names(schema.keyspaces.values().map(|keyspace| keyspace_element(keyspace, false))));
        }
        DescribeTarget::Tables => {
            let tables = listed(ctx).flat_map(|keyspace| tables(keyspace, None));
            return Ok(names(tables));
        }
        DescribeTarget::Types => {
            let types = listed(ctx).flat_map(|keyspace| {
                let mut types: Vec<&Arc<UserType>> = keyspace.types.values().collect();
                types.sort_by_cached_key(|user_type| user_type.name.to_lowercase());
                types.into_iter().map(|user_type| type_element(user_type, false)).collect::<Vec<_>>()
            });
            return Ok(names(types));
        }
        DescribeTarget::Functions | DescribeTarget::Aggregates => return Ok(names(std::iter::empty())),
        DescribeTarget::Schema { full } => schema
            .keyspaces
            .values()
            .filter(|keyspace| *full || !definitions::is_system(&keyspace.name))
            .flat_map(|keyspace| keyspace_with_contents(keyspace, internals))
            .collect(),
        DescribeTarget::Keyspace { keyspace, only } => {
            let keyspace = keyspace_named(ctx, keyspace.as_deref())?;
            if *only {
                vec![keyspace_element(keyspace, true)]
            } else {
                keyspace_with_contents(keyspace, internals)
            }
        }
        DescribeTarget::Table(name) => {
            let keyspace = keyspace_named(ctx, name.keyspace.as_deref())?;
            let table = keyspace.tables.get(name.name.as_str()).ok_or_else(|| {
                not_found(format!("Table '{}' not found in keyspace '{}'", name.name, keyspace.name))
            })?;
            vec![table_element(table, Some(internals))]
        }
        DescribeTarget::Type(name) => {
            let keyspace = keyspace_named(ctx, name.keyspace.as_deref())?;
            let user_type = keyspace.types.get(name.name.as_str()).ok_or_else(|| {
                not_found(format!("User defined type '{}' not found in '{}'", name.name, keyspace.name))
            })?;
            vec![type_element(user_type, true)]
        }
        DescribeTarget::Index(name) => return nothing(ctx, name, "Table for existing index"),
        DescribeTarget::View(name) => return nothing(ctx, name, "Materialized view"),
        DescribeTarget::Function(name) => return no_function(ctx, name, "User defined function"),
        DescribeTarget::Aggregate(name) => return no_function(ctx, name, "User defined aggregate"),
        DescribeTarget::Generic(name) => generic(ctx, name, internals)?,
    };
    Ok(statements(elements))
}

fn not_found(text: String) -> QueryError {
    QueryError::Invalid(text)
}

fn nothing(
    ctx: &DescribeContext<'_>,
    name: &QualifiedName,
    kind: &str,
) -> Result<DescribeResult, QueryError> {
    let keyspace = keyspace_named(ctx, name.keyspace.as_deref())?;
    Err(not_found(format!("{kind} '{}' not found in '{}'", name.name, keyspace.name)))
}

fn no_function(
    ctx: &DescribeContext<'_>,
    name: &FunctionName,
    kind: &str,
) -> Result<DescribeResult, QueryError> {
    let keyspace = keyspace_named(ctx, name.keyspace.as_deref())?;
    Err(not_found(format!("{kind} '{}' not found in '{}'", name.name, keyspace.name)))
}

/// `DESCRIBE name`: a keyspace, else a table of the session's keyspace.
fn generic(
    ctx: &DescribeContext<'_>,
    name: &QualifiedName,
    internals: bool,
) -> Result<Vec<Element>, QueryError> {
    let missing_keyspace = |name: &str| not_found(format!("'{name}' not found in keyspaces"));
    let keyspace = match &name.keyspace {
        Some(keyspace) => keyspace.as_str(),
        None => {
            if let Some(keyspace) = ctx.schema.keyspace(&name.name) {
                return Ok(keyspace_with_contents(keyspace, internals));
            }
            ctx.keyspace.ok_or_else(|| missing_keyspace(&name.name))?
        }
    };
    let keyspace = ctx.schema.keyspace(keyspace).ok_or_else(|| missing_keyspace(keyspace))?;
    match keyspace.tables.get(name.name.as_str()) {
        Some(table) => Ok(vec![table_element(table, Some(internals))]),
        None => Err(not_found(format!("'{}' not found in keyspace '{}'", name.name, keyspace.name))),
    }
}

/// The keyspace that is named, else the session's.
fn keyspace_named<'a>(
    ctx: &DescribeContext<'a>,
    name: Option<&str>,
) -> Result<&'a Arc<Keyspace>, QueryError> {
    let Some(name) = name.or(ctx.keyspace) else {
        return Err(not_found("No keyspace specified and no current keyspace".to_owned()));
    };
    ctx.schema.keyspace(name).ok_or_else(|| not_found(format!("'{name}' not found in keyspaces")))
}

/// The keyspaces whose objects are listed: the session's, else all.
fn listed<'a>(ctx: &DescribeContext<'a>) -> impl Iterator<Item = &'a Arc<Keyspace>> {
    let only = ctx.keyspace.map(str::to_owned);
    ctx.schema
        .keyspaces
        .values()
        .filter(move |keyspace| only.as_deref().is_none_or(|only| *keyspace.name == *only))
}

fn keyspace_with_contents(keyspace: &Arc<Keyspace>, internals: bool) -> Vec<Element> {
    let mut elements = vec![keyspace_element(keyspace, true)];
    elements.extend(types_in_order(keyspace).into_iter().map(|user_type| type_element(user_type, true)));
    elements.extend(tables(keyspace, Some(internals)));
    elements
}

/// Types by name, each after those that it uses.
pub(crate) fn types_in_order(keyspace: &Keyspace) -> Vec<&Arc<UserType>> {
    fn place<'a>(
        keyspace: &'a Keyspace,
        user_type: &'a Arc<UserType>,
        placed: &mut BTreeSet<&'a str>,
        order: &mut Vec<&'a Arc<UserType>>,
    ) {
        if !placed.insert(&user_type.name) {
            return;
        }
        let uses = |other: &&Arc<UserType>| {
            user_type.fields.iter().any(|(_, ty)| ty.mentions(&keyspace.name, &other.name))
        };
        for other in keyspace.types.values().filter(uses) {
            place(keyspace, other, placed, order);
        }
        order.push(user_type);
    }
    let (mut placed, mut order) = (BTreeSet::new(), Vec::new());
    for user_type in keyspace.types.values() {
        place(keyspace, user_type, &mut placed, &mut order);
    }
    order
}

/// Tables by name without regard to case; `internals`: with their statements.
fn tables(keyspace: &Arc<Keyspace>, internals: Option<bool>) -> Vec<Element> {
    let mut tables: Vec<&Arc<Table>> = keyspace.tables.values().collect();
    tables.sort_by_cached_key(|table| table.name.to_lowercase());
    tables.into_iter().map(|table| table_element(table, internals)).collect()
}

fn keyspace_element(keyspace: &Keyspace, with_statement: bool) -> Element {
    let name = quote_name(&keyspace.name).into_owned();
    let create_statement = with_statement.then(|| cql::describe::keyspace(keyspace));
    Element { keyspace: name.clone(), kind: "keyspace", name, create_statement }
}

fn type_element(user_type: &UserType, with_statement: bool) -> Element {
    Element {
        keyspace: quote_name(&user_type.keyspace).into_owned(),
        kind: "type",
        name: quote_name(&user_type.name).into_owned(),
        create_statement: with_statement.then(|| cql::describe::user_type(user_type)),
    }
}

fn table_element(table: &Table, internals: Option<bool>) -> Element {
    Element {
        keyspace: quote_name(&table.keyspace).into_owned(),
        kind: "table",
        name: quote_name(&table.name).into_owned(),
        create_statement: internals.map(|internals| cql::describe::table(table, internals)),
    }
}

fn text(text: String) -> Value {
    Some(Bytes::from(text))
}

fn names(elements: impl Iterator<Item = Element>) -> DescribeResult {
    DescribeResult {
        columns: ["keyspace_name", "type", "name"].map(|name| (name, CqlType::Text)).to_vec(),
        rows: elements
            .map(|element| vec![text(element.keyspace), text(element.kind.to_owned()), text(element.name)])
            .collect(),
    }
}

fn statements(elements: Vec<Element>) -> DescribeResult {
    let row = |element: Element| {
        vec![
            text(element.keyspace),
            text(element.kind.to_owned()),
            text(element.name),
            element.create_statement.and_then(text),
        ]
    };
    DescribeResult {
        columns: ["keyspace_name", "type", "name", "create_statement"]
            .map(|name| (name, CqlType::Text))
            .to_vec(),
        rows: elements.into_iter().map(row).collect(),
    }
}

fn cluster(ctx: &DescribeContext<'_>) -> DescribeResult {
    let mut columns = ["cluster", "partitioner", "snitch"].map(|name| (name, CqlType::Text)).to_vec();
    let mut row = vec![
        text(ctx.cluster_name.to_owned()),
        text("Murmur3Partitioner".to_owned()),
        text("DynamicEndpointSnitch".to_owned()),
    ];
    if ctx
        .keyspace
        .is_some_and(|keyspace| !definitions::is_local(keyspace) && !definitions::is_virtual(keyspace))
    {
        let replicas = CqlType::list(CqlType::Text, true);
        columns.push(("range_ownership", CqlType::map(CqlType::Text, replicas, false)));
        let mut ownership: Vec<&(String, Vec<String>)> = ctx.range_ownership.iter().collect();
        ownership.sort();
        let entries: Vec<Vec<u8>> = ownership
            .iter()
            .flat_map(|(token, replicas)| {
                [token.clone().into_bytes(), collection::pack(replicas.len(), replicas)]
            })
            .collect();
        row.push(Some(collection::pack(ownership.len(), &entries).into()));
    }
    DescribeResult { columns, rows: vec![row] }
}

#[cfg(test)]
mod tests;
