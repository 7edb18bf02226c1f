//! INSERT JSON: a document becomes an INSERT of its columns.

mod refusal;

use std::collections::HashMap;
use std::fmt::Display;

use cql::bind::modify::{JsonSource, Modify, Operation};
use cql::bind::restrict::{KeyRestrictions, KeyTest, Test, TupleExpr};
use cql::bind::term::{EvalContext, Expr};
use model::{BoundValue, Column, ColumnKind, QueryError};

/// The statement that an INSERT JSON means with its document, all values constant.
pub fn expand(modify: &Modify, source: &JsonSource, ctx: &EvalContext<'_>) -> Result<Modify, QueryError> {
    let document = match source.document.evaluate(ctx)? {
        BoundValue::Value(bytes) => bytes,
        _ => return Err(QueryError::invalid("Got null for INSERT JSON values")),
    };
    let text = std::str::from_utf8(&document).map_err(|_| QueryError::invalid("String didn't validate."))?;
    let mut values = parse(text)?;
    let mut expanded = Modify { json: None, ..modify.clone() };
    expanded.partition = KeyRestrictions::default();
    expanded.clustering = KeyRestrictions::default();
    expanded.operations = Vec::new();
    let table = modify.table.clone();
    for column in table.columns() {
        let value = match values.remove(&*column.name) {
            Some(json) => json_value(column, &json)?,
            None if source.default_unset && !is_key(column) => continue,
            None => Expr::Null,
        };
        match column.kind {
            ColumnKind::PartitionKey | ColumnKind::Clustering => {
                let first = column.position as usize;
                let test = Test::Eq(TupleExpr::Parts(vec![value]));
                let part = if column.kind == ColumnKind::PartitionKey {
                    &mut expanded.partition
                } else {
                    &mut expanded.clustering
                };
                part.add(KeyTest { first, count: 1, test, is_multi: false }, &[&column.name])?;
            }
            _ if column.ty.is_multi_cell() => {
                expanded.operations.push(Operation::Replace { column: column.clone(), value });
            }
            _ => expanded.operations.push(Operation::Set { column: column.clone(), value }),
        }
    }
    if let Some(unknown) = values.into_keys().min() {
        return Err(QueryError::Invalid(format!("JSON values map contains unrecognized column: {unknown}")));
    }
    Ok(expanded)
}

fn is_key(column: &Column) -> bool {
    matches!(column.kind, ColumnKind::PartitionKey | ColumnKind::Clustering)
}

fn json_value(column: &Column, json: &serde_json::Value) -> Result<Expr, QueryError> {
    let failed = |text| QueryError::Invalid(format!("Error decoding JSON value for {}: {text}", column.name));
    match column.ty.parse_json(json).map_err(failed)? {
        Some(bytes) => Ok(Expr::Constant(bytes.into())),
        None => Ok(Expr::Null),
    }
}

/// Columns with their values: names are folded unless they carry quotes of their own.
fn parse(text: &str) -> Result<HashMap<String, serde_json::Value>, QueryError> {
    let refused = |problem: &dyn Display| {
        QueryError::Invalid(format!("Could not decode JSON string as a map: {problem}. (String was: {text})"))
    };
    // Only the first document counts: Cassandra leaves what follows it unread.
    let first = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>().next();
    let object = match first {
        Some(Ok(serde_json::Value::Object(object))) => object,
        Some(Ok(serde_json::Value::Null)) => {
            return Err(QueryError::invalid("Got null for INSERT JSON values"));
        }
        Some(Ok(other)) => return Err(refused(&refusal::no_object(text, &other))),
        Some(Err(error)) => match refusal::unknown_word(text) {
            Some(problem) => return Err(refused(&problem)),
            None => return Err(refused(&error)),
        },
        None => return Err(refused(&refusal::empty(text))),
    };
    let mut values = HashMap::with_capacity(object.len());
    for (name, value) in object {
        let quoted = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        values.insert(quoted.map_or_else(|| name.to_lowercase(), str::to_owned), value);
    }
    Ok(values)
}
