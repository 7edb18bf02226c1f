//! Conditional updates: does the condition hold, and what the client is told.
//!
//! The shape of the answer is Cassandra's: `[applied]` alone when it was applied; else with what there was.

use std::sync::Arc;

use bytes::Bytes;
use cql::ast::Operator;
use cql::bind::modify::{ColumnTest, Condition, Modify, Part, TestKind};
use cql::bind::select::Access;
use cql::bind::term::{EvalContext, Expr};
use model::value::collection;
use model::{BoundValue, Clustering, ColumnKind, CqlType, PartitionKey, QueryError, Row, Value};

use super::{Existing, ReadExisting, WriteContext};
use crate::select::row::{RowRef, RowView, column_value, compare, is_live};

mod refusal;

use refusal::{Shown, check_mixed};

/// The answer to a conditional statement or batch.
#[derive(Clone, Debug)]
pub struct CasAnswer {
    /// It was applied.
    pub applied: bool,
    /// Columns of the result: the first is `[applied]`.
    pub columns: Vec<(Arc<str>, CqlType)>,
    /// Rows of the result, at least one.
    pub rows: Vec<Vec<Value>>,
}

impl CasAnswer {
    /// Applied: one row that says so.
    pub fn applied() -> CasAnswer {
        CasAnswer { applied: true, columns: vec![applied_column()], rows: vec![vec![boolean(true)]] }
    }
}

fn applied_column() -> (Arc<str>, CqlType) {
    ("[applied]".into(), CqlType::Boolean)
}

fn boolean(value: bool) -> Value {
    Some(Bytes::from_static(if value { &[1] } else { &[0] }))
}

/// Reads what a condition looks at: a row, or the static row with the first row of the partition that this
/// predicate takes.
pub struct Reads<'r> {
    /// One row (`None`: the static row only).
    pub row: &'r mut ReadExisting<'r>,
    /// The static row and the first row that is taken.
    pub first: &'r mut ReadFirst<'r>,
}

/// Reads the static row of a partition and its first row that the predicate takes.
pub type ReadFirst<'r> = dyn FnMut(&PartitionKey, &dyn Fn(&Row) -> bool) -> Result<Existing, QueryError> + 'r;

/// Tests the conditions of statements on one partition, each with its own values; `None` if all hold.
pub fn refuse(
    statements: &[(&Modify, WriteContext<'_>)],
    key: &PartitionKey,
    is_batch: bool,
    reads: &mut Reads<'_>,
) -> Result<Option<CasAnswer>, QueryError> {
    let Some((first, first_ctx)) = statements.first() else { return Ok(None) };
    let now_s = first_ctx.now_s;
    let table = first.table.clone();
    let components = key
        .components(table.partition_key.len())
        .ok_or_else(|| QueryError::Server("a partition key does not have its columns".to_owned()))?;
    let mut conditional = Vec::new();
    for (modify, ctx) in statements.iter().filter(|(modify, _)| modify.is_conditional()) {
        conditional.push((*modify, ctx, condition_row(modify, ctx)?));
    }
    check_mixed(conditional.iter().map(|(modify, _, clustering)| (*modify, clustering.as_ref())))?;
    let mut looked_at: Vec<(Option<Clustering>, Existing)> = Vec::new();
    let mut holds = true;
    for (modify, ctx, clustering) in &conditional {
        if !looked_at.iter().any(|(known, _)| known == clustering) {
            let found = (reads.row)(key, clustering.as_ref())?;
            looked_at.push((clustering.clone(), found));
        }
        let (_, found) =
            looked_at.iter().find(|(known, _)| known == clustering).expect("it was put there just now");
        let row = found.row.as_ref().filter(|row| is_live(row, ctx.now_s));
        let statics = found.static_row.as_ref().filter(|row| is_live(row, ctx.now_s));
        let view = RowView { key: &components, statics, row: row.map(RowRef::Whole), now_s: ctx.now_s };
        let exists = match &clustering {
            Some(_) => row.is_some(),
            None => statics.is_some(),
        };
        holds &= match &modify.condition {
            Condition::None => true,
            Condition::NotExists => !exists,
            Condition::Exists => exists,
            Condition::Columns(tests) => {
                let mut all = true;
                for test in tests {
                    all &= test_holds(test, &view, &ctx.eval)?;
                }
                all
            }
        };
    }
    if holds {
        return Ok(None);
    }
    let statements: Vec<&Modify> = statements.iter().map(|(modify, _)| *modify).collect();
    let shown = Shown::new(&statements, &table, is_batch);
    // A condition on static columns alone concerns no row: then the first of the partition is shown.
    let rows_tested = conditional.iter().filter(|(modify, ..)| is_about_row(modify));
    let mut rows_tested: Vec<_> = rows_tested.filter_map(|(_, _, clustering)| clustering.as_ref()).collect();
    if rows_tested.is_empty() {
        let found = (reads.first)(key, &|row| shown.sees(row, now_s))?;
        return Ok(Some(shown.answer(&components, &[&found], now_s)));
    }
    rows_tested.sort_by(|a, b| a.order.cmp(&b.order));
    rows_tested.dedup();
    let found = |wanted: &Clustering| {
        let known = looked_at.iter().find(|(known, _)| known.as_ref() == Some(wanted));
        &known.expect("all that is tested was read").1
    };
    let rows: Vec<&Existing> = rows_tested.into_iter().map(found).collect();
    Ok(Some(shown.answer(&components, &rows, now_s)))
}

/// The row that a statement's condition looks at; `None`: the static row.
fn condition_row(modify: &Modify, ctx: &WriteContext<'_>) -> Result<Option<Clustering>, QueryError> {
    if modify.table.clustering.is_empty() {
        return Ok(Some(Clustering::EMPTY));
    }
    if modify.clustering.prefix_len() < modify.table.clustering.len() {
        return Ok(None);
    }
    Ok(super::clusterings(modify, ctx)?.into_iter().next())
}

/// True if the condition concerns a row, not only the partition's static columns.
fn is_about_row(modify: &Modify) -> bool {
    match &modify.condition {
        Condition::Columns(tests) => tests.iter().any(|test| test.column.kind != ColumnKind::Static),
        _ => true,
    }
}

/// True if one condition holds.
fn test_holds(test: &ColumnTest, view: &RowView<'_>, ctx: &EvalContext<'_>) -> Result<bool, QueryError> {
    let whole =
        column_value(Access::of(&test.column), &test.column.ty, view).map(|v| Bytes::copy_from_slice(&v));
    let found = part_value(test, whole, ctx)?;
    match &test.test {
        TestKind::Compare(operator, expr) => {
            let wanted = condition_value(expr, ctx)?;
            compare_values(test, found.as_ref(), *operator, wanted.as_ref())
        }
        TestKind::In(exprs) => {
            for expr in exprs {
                let wanted = condition_value(expr, ctx)?;
                if compare_values(test, found.as_ref(), Operator::Eq, wanted.as_ref())? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        TestKind::InMarker(index) => {
            let list = match ctx.values.get(*index) {
                Some(BoundValue::Value(list)) => list,
                Some(BoundValue::Unset) => {
                    return Err(QueryError::invalid("Invalid 'unset' value in condition"));
                }
                _ => {
                    return Err(QueryError::Invalid(format!(
                        "Invalid null list in IN condition of {}",
                        test.column.name
                    )));
                }
            };
            for wanted in collection::unpack_list(list).map_err(QueryError::Invalid)? {
                cql::bind::term::validate(&test.ty, &wanted)?;
                if compare_values(test, found.as_ref(), Operator::Eq, Some(&wanted))? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

fn condition_value(expr: &Expr, ctx: &EvalContext<'_>) -> Result<Value, QueryError> {
    match expr.evaluate(ctx)? {
        BoundValue::Value(bytes) => Ok(Some(bytes)),
        BoundValue::Null => Ok(None),
        BoundValue::Unset => Err(QueryError::invalid("Invalid 'unset' value in condition")),
    }
}

fn part_value(test: &ColumnTest, whole: Value, ctx: &EvalContext<'_>) -> Result<Value, QueryError> {
    match &test.part {
        Part::Whole => Ok(whole),
        Part::Field(index) => {
            let CqlType::Udt { definition, .. } = &test.column.ty else { return Ok(None) };
            let Some(whole) = whole else { return Ok(None) };
            let fields =
                collection::unpack_tuple(&whole, definition.fields.len()).map_err(QueryError::Server)?;
            Ok(fields.get(usize::from(*index)).cloned().flatten())
        }
        Part::Element(key) => {
            let is_list = matches!(test.column.ty, CqlType::List { .. });
            let key = match key.evaluate(ctx)? {
                BoundValue::Value(key) => key,
                _ if is_list => {
                    return Err(QueryError::invalid("Invalid null value for list element access"));
                }
                _ => return Err(QueryError::invalid("Invalid null value for map element access")),
            };
            let Some(whole) = whole else { return Ok(None) };
            if is_list {
                let index = key.as_ref().try_into().map(i32::from_be_bytes).unwrap_or(-1);
                if index < 0 {
                    return Err(QueryError::Invalid(format!("Invalid negative list index {index}")));
                }
                let elements = collection::unpack_list(&whole).map_err(QueryError::Server)?;
                return Ok(elements.get(index as usize).cloned());
            }
            let CqlType::Map { key: key_type, .. } = &test.column.ty else { return Ok(None) };
            let entries = collection::unpack_map(&whole).map_err(QueryError::Server)?;
            Ok(entries
                .into_iter()
                .find(|(known, _)| key_type.compare(known, &key).is_eq())
                .map(|(_, value)| value))
        }
    }
}

/// Null equals null and differs from all else; no order with null is possible.
fn compare_values(
    test: &ColumnTest,
    found: Option<&Bytes>,
    operator: Operator,
    wanted: Option<&Bytes>,
) -> Result<bool, QueryError> {
    // An empty collection of cells is the same as none.
    let is_empty =
        |value: &Bytes| test.ty.is_multi_cell() && value.len() == 4 && value.iter().all(|byte| *byte == 0);
    let wanted = wanted.filter(|value| !is_empty(value));
    match operator {
        Operator::Contains | Operator::ContainsKey => {
            let (Some(found), Some(wanted)) = (found, wanted) else { return Ok(false) };
            crate::select::row::test(&test.ty, found, operator, None, std::slice::from_ref(wanted))
        }
        Operator::Eq | Operator::Neq => {
            let equal = match (found, wanted) {
                (None, None) => true,
                (Some(found), Some(wanted)) => compare(&test.ty, found, Operator::Eq, wanted),
                _ => false,
            };
            Ok(equal == (operator == Operator::Eq))
        }
        _ => {
            let Some(wanted) = wanted else {
                return Err(QueryError::Invalid(format!(
                    "Invalid comparison with null for operator \"{}\"",
                    operator.sign()
                )));
            };
            Ok(found.is_some_and(|found| compare(&test.ty, found, operator, wanted)))
        }
    }
}
