//! Restrictions: what a WHERE clause says of the primary key.
//!
//! Relations are sorted by the part of the key they speak of and merged, with Cassandra's errors where
//! two do not go together (`StatementRestrictions`, `PrimaryKeyRestrictions`). Evaluated with a
//! request's values they become partition keys, clustering rows and slices.
//!
//! Read in order: [`Test`] (one restriction), [`KeyRestrictions`] (those of one statement).

use std::cmp::Ordering;

use bytes::Bytes;
use model::key::MAX_KEY_BYTES;
use model::value::collection;
use model::{
    Bound, BoundKind, BoundValue, Clustering, Column, CqlType, PartitionKey, QueryError, Slice, Slices,
    Table, Value,
};

use super::term::{EvalContext, Expr, validate};
use super::{Markers, Receiver, Scope};
use crate::ast::{InValues, Operator, Term};

/// Largest number of partitions, and of rows of one partition, that IN may multiply up to.
const MAX_IN_COMBINATIONS: usize = 65_535;

/// The values of one or several columns on the right-hand side of a relation.
#[derive(Clone, Debug)]
pub enum TupleExpr {
    /// One term a column.
    Parts(Vec<Expr>),
    /// `?` for several columns: a tuple of these types.
    Marker {
        /// Index into the request's values.
        index: usize,
        /// Types of the columns.
        types: Vec<CqlType>,
    },
}

/// The right-hand side of IN.
#[derive(Clone, Debug)]
pub enum InExpr {
    /// Values written one by one.
    List(Vec<TupleExpr>),
    /// `?`: a list of values (of one column) or of tuples (of several).
    Marker {
        /// Index into the request's values.
        index: usize,
        /// Types of the columns.
        types: Vec<CqlType>,
    },
}

/// One side of a range: values and whether they are included.
pub type Side = (TupleExpr, bool);

/// What the clause says of a run of columns.
#[derive(Clone, Debug)]
pub enum Test {
    /// Equal to one value.
    Eq(TupleExpr),
    /// Equal to one of several.
    In(InExpr),
    /// Between.
    Slice {
        /// From.
        lower: Option<Side>,
        /// To.
        upper: Option<Side>,
    },
}

/// A test of `count` key columns from `first` on.
#[derive(Clone, Debug)]
pub struct KeyTest {
    /// Index of the first column in its part of the key.
    pub first: usize,
    /// Number of columns.
    pub count: usize,
    /// The test.
    pub test: Test,
    /// Written with brackets: `(a, b) > (1, 2)`.
    pub is_multi: bool,
}

impl KeyTest {
    /// Index after its last column.
    pub fn end(&self) -> usize {
        self.first + self.count
    }
}

impl TupleExpr {
    /// The values, none of them null or unset. `columns`: names for errors.
    pub fn evaluate(&self, columns: &[&str], ctx: &EvalContext<'_>) -> Result<Vec<Bytes>, QueryError> {
        match self {
            TupleExpr::Parts(parts) => {
                let mut values = Vec::with_capacity(parts.len());
                for (part, column) in parts.iter().zip(columns) {
                    values.push(key_value(part.evaluate(ctx)?, column)?);
                }
                Ok(values)
            }
            TupleExpr::Marker { index, types } => {
                let value = ctx.values.get(*index).cloned().unwrap_or(BoundValue::Null);
                let bytes = key_value(value, &format!("({})", columns.join(",")))?;
                split_tuple(&bytes, types, columns)
            }
        }
    }
}

impl TupleExpr {
    /// Number of columns it speaks of.
    pub fn count(&self) -> usize {
        match self {
            TupleExpr::Parts(parts) => parts.len(),
            TupleExpr::Marker { types, .. } => types.len(),
        }
    }

    /// True if it is a single null.
    fn is_null(&self, ctx: &EvalContext<'_>) -> Result<bool, QueryError> {
        match self {
            TupleExpr::Parts(parts) if parts.len() == 1 => Ok(parts[0].evaluate(ctx)? == BoundValue::Null),
            _ => Ok(false),
        }
    }
}

fn split_tuple(bytes: &Bytes, types: &[CqlType], columns: &[&str]) -> Result<Vec<Bytes>, QueryError> {
    validate(&CqlType::Tuple(types.to_vec().into()), bytes)?;
    let fields = collection::unpack_tuple(bytes, types.len()).map_err(QueryError::Invalid)?;
    fields.into_iter().zip(columns).map(|(field, column)| key_value(field.into(), column)).collect()
}

/// A value that must be there.
pub fn key_value(value: BoundValue, column: &str) -> Result<Bytes, QueryError> {
    match value {
        BoundValue::Value(bytes) => Ok(bytes),
        BoundValue::Null => {
            Err(QueryError::Invalid(format!("Invalid null value in condition for column {column}")))
        }
        BoundValue::Unset => Err(QueryError::Invalid(format!("Invalid unset value for column {column}"))),
    }
}

impl InExpr {
    /// All alternatives, in the order written.
    pub fn evaluate(&self, columns: &[&str], ctx: &EvalContext<'_>) -> Result<Vec<Vec<Bytes>>, QueryError> {
        match self {
            InExpr::List(tuples) => tuples.iter().map(|tuple| tuple.evaluate(columns, ctx)).collect(),
            InExpr::Marker { index, types } => {
                let name = if columns.len() == 1 {
                    columns[0].to_owned()
                } else {
                    format!("({})", columns.join(","))
                };
                let list = match ctx.values.get(*index) {
                    Some(BoundValue::Value(bytes)) => bytes,
                    Some(BoundValue::Unset) => {
                        return Err(QueryError::Invalid(format!("Invalid unset value for column {name}")));
                    }
                    _ => return Err(QueryError::Invalid(format!("Invalid null value for column {name}"))),
                };
                let elements = unpack_in(list, &name)?;
                if let [ty] = types.as_slice() {
                    return elements
                        .into_iter()
                        .map(|element| validate(ty, &element).map(|()| vec![element]))
                        .collect();
                }
                elements.iter().map(|element| split_tuple(element, types, columns)).collect()
            }
        }
    }
}

/// Takes the list of `IN ?` apart; a null in it has an error of its own.
fn unpack_in(list: &Bytes, name: &str) -> Result<Vec<Bytes>, QueryError> {
    collection::unpack_list(list).map_err(|text| {
        if text == "Null value read when not allowed" {
            QueryError::Invalid(format!("Invalid null value in condition for column {name}"))
        } else {
            QueryError::Invalid(text)
        }
    })
}

/// Binds the right-hand side of a comparison with one column.
pub fn bind_single(
    term: &Term,
    receiver: &Receiver,
    scope: Scope<'_>,
    markers: &mut Markers,
) -> Result<TupleExpr, QueryError> {
    Ok(TupleExpr::Parts(vec![Expr::bind(term, receiver, scope, markers)?]))
}

/// Binds the right-hand side of a comparison with several columns.
pub fn bind_tuple(
    term: &Term,
    receivers: &[Receiver],
    scope: Scope<'_>,
    markers: &mut Markers,
) -> Result<TupleExpr, QueryError> {
    let types: Vec<CqlType> = receivers.iter().map(|receiver| receiver.ty.clone()).collect();
    match term {
        Term::Tuple(parts) => {
            if parts.len() != receivers.len() {
                return Err(QueryError::Invalid(format!(
                    "Expected {} elements in value tuple, but got {}: {term}",
                    receivers.len(),
                    parts.len()
                )));
            }
            let parts = parts.iter().zip(receivers);
            let bound = parts.map(|(part, receiver)| Expr::bind(part, receiver, scope, markers));
            Ok(TupleExpr::Parts(bound.collect::<Result<_, _>>()?))
        }
        Term::Marker(marker) => {
            let names: Vec<&str> = receivers.iter().map(|receiver| &*receiver.name).collect();
            let tuple = CqlType::Tuple(types.clone().into());
            markers.bind(marker.index, &receivers[0].with(format!("({})", names.join(",")), tuple));
            Ok(TupleExpr::Marker { index: marker.index, types })
        }
        other => {
            Err(QueryError::Invalid(format!("Invalid tuple literal {other} in a multi-column relation")))
        }
    }
}

/// Binds the right-hand side of IN.
pub fn bind_in(
    values: &InValues,
    receivers: &[Receiver],
    is_multi: bool,
    scope: Scope<'_>,
    markers: &mut Markers,
) -> Result<InExpr, QueryError> {
    match values {
        InValues::List(terms) => {
            let mut bound = Vec::with_capacity(terms.len());
            for term in terms {
                bound.push(if is_multi {
                    bind_tuple(term, receivers, scope, markers)?
                } else {
                    bind_single(term, &receivers[0], scope, markers)?
                });
            }
            Ok(InExpr::List(bound))
        }
        InValues::Marker(marker) => {
            let types: Vec<CqlType> = receivers.iter().map(|receiver| receiver.ty.clone()).collect();
            let names: Vec<&str> = receivers.iter().map(|receiver| &*receiver.name).collect();
            let element = if is_multi { CqlType::Tuple(types.clone().into()) } else { types[0].clone() };
            let receiver =
                receivers[0].with(format!("in({})", names.join(",")), CqlType::list(element, false));
            markers.bind(marker.index, &receiver);
            if is_multi && types.len() == 1 {
                return Err(QueryError::invalid(
                    "IN ? on one column in brackets is not supported; leave them out",
                ));
            }
            Ok(InExpr::Marker { index: marker.index, types })
        }
    }
}

/// What a comparison means for a key column; `None` for operators that are no key restriction.
pub fn comparison(operator: Operator, value: TupleExpr) -> Option<Test> {
    Some(match operator {
        Operator::Eq => Test::Eq(value),
        Operator::Lt => Test::Slice { lower: None, upper: Some((value, false)) },
        Operator::Lte => Test::Slice { lower: None, upper: Some((value, true)) },
        Operator::Gt => Test::Slice { lower: Some((value, false)), upper: None },
        Operator::Gte => Test::Slice { lower: Some((value, true)), upper: None },
        _ => return None,
    })
}

/// Merges a second restriction into the first. `names`: the columns that both speak of, for errors; `bound_names`: the
/// same for two bounds on one side.
pub fn merge(first: Test, second: Test, names: &str, bound_names: &str) -> Result<Test, QueryError> {
    match (first, second) {
        (Test::Slice { lower, upper }, Test::Slice { lower: lower2, upper: upper2 }) => {
            let one = |a: Option<Side>, b: Option<Side>, what: &str| match (a, b) {
                (Some(_), Some(_)) => Err(QueryError::Invalid(format!(
                    "More than one restriction was found for the {what} bound on {bound_names}"
                ))),
                (a, b) => Ok(a.or(b)),
            };
            Ok(Test::Slice { lower: one(lower, lower2, "start")?, upper: one(upper, upper2, "end")? })
        }
        (Test::Eq(_), _) | (_, Test::Eq(_)) => Err(QueryError::Invalid(format!(
            "{names} cannot be restricted by more than one relation if it includes an Equal"
        ))),
        _ => Err(QueryError::Invalid(format!(
            "{names} cannot be restricted by more than one relation if it includes a IN"
        ))),
    }
}

/// Restrictions of one part of the key (partition key or clustering), by first column, not overlapping.
#[derive(Clone, Debug, Default)]
pub struct KeyRestrictions(pub Vec<KeyTest>);

impl KeyRestrictions {
    /// Adds a test, merging it with one of the same columns. `names`: its columns.
    ///
    /// Two ranges go together if they begin with the same column: `(a) > (1) AND (a, b) < (2, 3)`.
    pub fn add(&mut self, test: KeyTest, names: &[&str]) -> Result<(), QueryError> {
        for old in &mut self.0 {
            if test.first >= old.end() || old.first >= test.end() {
                continue;
            }
            let both_ranges = matches!((&old.test, &test.test), (Test::Slice { .. }, Test::Slice { .. }));
            if both_ranges && old.first != test.first {
                return Err(QueryError::Invalid(format!(
                    "Column \"{}\" cannot be restricted by two inequalities not starting with the same column",
                    names[0]
                )));
            }
            let shared =
                &names[old.first.saturating_sub(test.first)..names.len().min(old.end() - test.first)];
            let nothing = Test::Slice { lower: None, upper: None };
            let before = std::mem::replace(&mut old.test, nothing);
            old.test = merge(before, test.test, &shared.join(", "), &shared.join(" ,"))?;
            old.count = old.count.max(test.count);
            old.is_multi |= test.is_multi;
            return Ok(());
        }
        let at = self.0.partition_point(|old| old.first < test.first);
        self.0.insert(at, test);
        Ok(())
    }

    /// Number of columns from the first on that are restricted without a gap.
    pub fn prefix_len(&self) -> usize {
        let mut end = 0;
        for test in &self.0 {
            if test.first != end {
                break;
            }
            end = test.end();
        }
        end
    }

    /// True if nothing is restricted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if a test is a range.
    pub fn has_slice(&self) -> bool {
        self.0.iter().any(|test| matches!(test.test, Test::Slice { .. }))
    }

    /// True if a test is IN.
    pub fn has_in(&self) -> bool {
        self.0.iter().any(|test| matches!(test.test, Test::In(_)))
    }

    /// The test that covers a column.
    pub fn covering(&self, column: usize) -> Option<&KeyTest> {
        self.0.iter().find(|test| test.first <= column && column < test.end())
    }

    /// The values of the first `count` columns, if all that is said are equalities with one value for each of them.
    /// `None` says nothing: [`KeyRestrictions::prefixes`] has the values, or the error.
    pub fn only_values(&self, count: usize, ctx: &EvalContext<'_>) -> Option<Vec<Bytes>> {
        if self.0.len() != count {
            return None;
        }
        let mut values = Vec::with_capacity(count);
        for (column, test) in self.0.iter().enumerate() {
            let Test::Eq(TupleExpr::Parts(parts)) = &test.test else { return None };
            let [part] = &parts[..] else { return None };
            match part.evaluate(ctx) {
                Ok(BoundValue::Value(value)) if test.first == column => values.push(value),
                _ => return None,
            }
        }
        Some(values)
    }

    /// All value prefixes that the leading equalities and INs allow, in the order written (the product),
    /// and the number of tests used.
    pub fn prefixes(
        &self,
        columns: &[&str],
        ctx: &EvalContext<'_>,
    ) -> Result<(Vec<Vec<Bytes>>, usize), QueryError> {
        let mut prefixes: Vec<Vec<Bytes>> = vec![Vec::with_capacity(columns.len())];
        let mut end = 0;
        for (used, test) in self.0.iter().enumerate() {
            if test.first != end {
                return Ok((prefixes, used));
            }
            let names = &columns[test.first..test.end()];
            let alternatives = match &test.test {
                Test::Eq(value) => {
                    let values = value.evaluate(names, ctx).map_err(|error| match error {
                        // Of several columns at once the server says it in other words.
                        QueryError::Invalid(text) if test.count > 1 => {
                            QueryError::Invalid(text.replace("null value in condition for", "null value for"))
                        }
                        other => other,
                    })?;
                    prefixes.iter_mut().for_each(|prefix| prefix.extend(values.iter().cloned()));
                    end = test.end();
                    continue;
                }
                Test::In(values) => values.evaluate(names, ctx)?,
                Test::Slice { .. } => return Ok((prefixes, used)),
            };
            if prefixes.len().saturating_mul(alternatives.len()) > MAX_IN_COMBINATIONS {
                return Err(QueryError::Invalid(format!(
                    "The IN restrictions select more than {MAX_IN_COMBINATIONS} combinations; ask for fewer at a time"
                )));
            }
            let product = prefixes.iter().flat_map(|prefix| {
                alternatives.iter().map(|tail| prefix.iter().chain(tail).cloned().collect::<Vec<Bytes>>())
            });
            prefixes = product.collect();
            end = test.end();
        }
        Ok((prefixes, self.0.len()))
    }
}

/// The partition keys that equalities and INs on all partition key columns name: each once, in the order of their
/// values (not of their tokens).
pub fn partition_keys(
    restrictions: &KeyRestrictions,
    table: &Table,
    ctx: &EvalContext<'_>,
) -> Result<Vec<PartitionKey>, QueryError> {
    if let Some(values) = restrictions.only_values(table.partition_key.len(), ctx) {
        return Ok(vec![partition_key(values)?]);
    }
    let names: Vec<&str> = table.partition_key.iter().map(|column| &*column.name).collect();
    let (mut prefixes, _) = restrictions.prefixes(&names, ctx)?;
    if prefixes.len() > 1 {
        let order = |a: &Vec<Bytes>, b: &Vec<Bytes>| {
            let columns = table.partition_key.iter().zip(a.iter().zip(b));
            columns.map(|(column, (a, b))| column.ty.compare(a, b)).fold(Ordering::Equal, Ordering::then)
        };
        prefixes.sort_by(order);
        prefixes.dedup();
    }
    prefixes.into_iter().map(partition_key).collect()
}

/// The key of these components, checked.
pub fn partition_key(mut components: Vec<Bytes>) -> Result<PartitionKey, QueryError> {
    if let [only] = &mut components[..] {
        if only.is_empty() {
            return Err(QueryError::invalid("Key may not be empty"));
        }
        check_key_bytes(only.len())?;
        return Ok(PartitionKey::new(std::mem::take(only)));
    }
    // As in Cassandra: first the components alone, then with their lengths.
    check_key_bytes(components.iter().map(Bytes::len).sum())?;
    let key = PartitionKey::compose(&components);
    check_key_bytes(key.len())?;
    Ok(PartitionKey::new(key.into()))
}

fn check_key_bytes(bytes: usize) -> Result<(), QueryError> {
    if bytes > MAX_KEY_BYTES {
        return Err(QueryError::Invalid(format!(
            "Key length of {bytes} is longer than maximum of {MAX_KEY_BYTES}"
        )));
    }
    Ok(())
}

/// The clustering of complete values, checked.
pub fn clustering(values: Vec<Bytes>, columns: &[Column]) -> Result<Clustering, QueryError> {
    check_key_bytes(values.iter().map(Bytes::len).sum())?;
    Ok(Clustering::of_columns(values.into_iter().map(Some).collect(), columns))
}

/// The slices of a partition that leading restrictions select, sorted and merged; `used` tests of them.
/// What comes after a slice, or after a gap, is the caller's to filter.
pub fn slices(
    restrictions: &KeyRestrictions,
    table: &Table,
    ctx: &EvalContext<'_>,
) -> Result<(Slices, usize), QueryError> {
    if restrictions.is_empty() {
        return Ok((Slices::all(), 0));
    }
    let types = table.clustering_types();
    let names: Vec<&str> = table.clustering.iter().map(|column| &*column.name).collect();
    let (prefixes, used) = restrictions.prefixes(&names, ctx)?;
    let prefix_len = restrictions.0[..used].last().map_or(0, KeyTest::end);
    let slice = restrictions.0.get(used).filter(|test| test.first == prefix_len);
    let mut found = Vec::with_capacity(prefixes.len());
    let Some(KeyTest { first, count, test: Test::Slice { lower, upper }, is_multi }) = slice else {
        for prefix in prefixes {
            let values: Vec<Value> = prefix.into_iter().map(Some).collect();
            found.push(Slice {
                start: Bound::new(BoundKind::InclusiveStart, values.clone(), &types),
                end: Bound::new(BoundKind::InclusiveEnd, values, &types),
            });
        }
        return Ok((normalise(found), used));
    };
    let columns = &names[*first..first + count];
    let (mut lower, mut upper) = (lower, upper);
    if !is_multi {
        // Null stands before all values in the order of the rows, so a range from it on is the whole and one up to it
        // is empty.
        let before = |side: &Option<Side>| match side {
            Some((value, _)) => value.is_null(ctx),
            None => Ok(false),
        };
        let (from, to) = if types[*first].1 { (&mut upper, &mut lower) } else { (&mut lower, &mut upper) };
        if before(to)? {
            return Ok((Slices(Vec::new()), used + 1));
        }
        if before(from)? {
            *from = &None;
        }
    }
    let side = |side: &Option<Side>| match side {
        Some((value, inclusive)) => {
            let columns = &columns[..columns.len().min(value.count())];
            value.evaluate(columns, ctx).map(|values| Some((values, *inclusive)))
        }
        None => Ok(None),
    };
    let (lower, upper) = (side(lower)?, side(upper)?);
    for prefix in &prefixes {
        found.extend(range_slices(prefix, &lower, &upper, *first, &types));
    }
    Ok((normalise(found), used + 1))
}

/// Values of one side of a range, and whether they are included.
type Edge = Option<(Vec<Bytes>, bool)>;

/// The slices of `prefix < lower .. upper`: several, where ascending and descending columns are compared together.
fn range_slices(
    prefix: &[Bytes],
    lower: &Edge,
    upper: &Edge,
    first: usize,
    types: &[(CqlType, bool)],
) -> Vec<Slice> {
    let width = lower.as_ref().map_or(0, |l| l.0.len()).max(upper.as_ref().map_or(0, |u| u.0.len()));
    let directions = &types[first..first + width];
    let reversed = directions.first().is_some_and(|(_, reversed)| *reversed);
    if directions.iter().all(|(_, other)| *other == reversed) {
        let (from, to) = if reversed { (upper, lower) } else { (lower, upper) };
        return vec![slice_between(prefix, from, to, types)];
    }
    let Slices(above) = one_sided(prefix, lower, true, first, types);
    let Slices(below) = one_sided(prefix, upper, false, first, types);
    above.iter().flat_map(|a| below.iter().map(|b| intersection(a, b))).collect()
}

/// The rows above (or below) some values: `(a, b) > (x, y)` is `a > x`, or `a = x` and `b > y`. One slice for each column
/// that decides, and one for the values themselves.
fn one_sided(
    prefix: &[Bytes],
    edge: &Edge,
    is_lower: bool,
    first: usize,
    types: &[(CqlType, bool)],
) -> Slices {
    let Some((values, inclusive)) = edge else {
        return Slices(vec![slice_between(prefix, &None, &None, types)]);
    };
    let exact = |values: &[Bytes]| prefix.iter().chain(values).cloned().collect::<Vec<Bytes>>();
    let mut found = Vec::with_capacity(values.len() + 1);
    for (decided, value) in values.iter().enumerate() {
        let here = Some((vec![value.clone()], false));
        let reversed = types[first + decided].1;
        let (from, to) = if is_lower == reversed { (None, here) } else { (here, None) };
        found.push(slice_between(&exact(&values[..decided]), &from, &to, types));
    }
    if *inclusive {
        found.push(slice_between(&exact(values), &None, &None, types));
    }
    normalise(found)
}

fn intersection(a: &Slice, b: &Slice) -> Slice {
    let start = if a.start.order >= b.start.order { &a.start } else { &b.start };
    let end = if a.end.order <= b.end.order { &a.end } else { &b.end };
    Slice { start: start.clone(), end: end.clone() }
}

fn slice_between(prefix: &[Bytes], from: &Edge, to: &Edge, types: &[(CqlType, bool)]) -> Slice {
    let values = |side: &Edge| -> Vec<Value> {
        let tail = side.as_ref().map(|(values, _)| values.as_slice()).unwrap_or_default();
        prefix.iter().chain(tail).cloned().map(Some).collect()
    };
    let inclusive = |side: &Edge| side.as_ref().is_none_or(|(_, inclusive)| *inclusive);
    let start = if inclusive(from) { BoundKind::InclusiveStart } else { BoundKind::ExclusiveStart };
    let end = if inclusive(to) { BoundKind::InclusiveEnd } else { BoundKind::ExclusiveEnd };
    Slice { start: Bound::new(start, values(from), types), end: Bound::new(end, values(to), types) }
}

/// Sorts slices, drops empty ones and joins those that touch or overlap.
fn normalise(mut slices: Vec<Slice>) -> Slices {
    slices.retain(|slice| slice.start.order < slice.end.order);
    slices.sort_by(|a, b| a.start.order.cmp(&b.start.order));
    let mut joined: Vec<Slice> = Vec::with_capacity(slices.len());
    for slice in slices {
        match joined.last_mut() {
            Some(last) if slice.start.order <= last.end.order => {
                if slice.end.order > last.end.order {
                    last.end = slice.end;
                }
            }
            _ => joined.push(slice),
        }
    }
    Slices(joined)
}
