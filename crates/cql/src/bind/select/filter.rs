//! The WHERE clause of a SELECT: what selects partitions and slices, and what is left to test on each row.

use model::{Column, ColumnKind, CqlType, QueryError, Table};

use super::selection::Access;
use crate::ast::{Operator, Relation, WhereClause};
use crate::bind::restrict::{self, InExpr, KeyRestrictions, KeyTest, Side, Test, TupleExpr};
use crate::bind::term::Expr;
use crate::bind::{Markers, Receiver, Scope, column};

/// Which partitions are read.
#[derive(Clone, Debug)]
pub enum Partitions {
    /// Those whose key columns all have an equality or an IN.
    Keys(KeyRestrictions),
    /// Those of a token range; the tests of key columns are then filters.
    Range {
        /// `token(..) >` or `>=`.
        lower: Option<(Expr, bool)>,
        /// `token(..) <` or `<=`.
        upper: Option<(Expr, bool)>,
    },
}

/// A test of one column of each row.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Where the value is.
    pub access: Access,
    /// The column's name, for errors.
    pub name: String,
    /// Type of the column.
    pub ty: CqlType,
    /// The test.
    pub kind: FilterKind,
}

/// What is tested. A missing value never passes.
#[derive(Clone, Debug)]
pub enum FilterKind {
    /// Compares with a value.
    Compare(Operator, Expr),
    /// Equals one of these.
    In(Vec<Expr>),
    /// Equals one of a bound list: marker index.
    InMarker(usize),
    /// `c[key] op value`
    Element(Expr, Operator, Expr),
    /// `(a, b) IN ..`: this and the following columns of the key, all equal to those of one alternative.
    TupleIn(Vec<(Access, CqlType)>, InExpr),
}

/// A bound WHERE clause, before it is known what ALLOW FILTERING permits.
#[derive(Debug)]
pub struct BoundWhere {
    /// Which partitions.
    pub partitions: Partitions,
    /// Restrictions of clustering columns: those that become slices, after [`BoundWhere::check`].
    pub clustering: KeyRestrictions,
    /// Tests of each row.
    pub filters: Vec<Filter>,
    partition_key: KeyRestrictions,
    needs_filtering: bool,
    has_token: bool,
}

impl BoundWhere {
    /// True if each partition key column has an equality or an IN.
    pub fn names_partition(&self) -> bool {
        matches!(self.partitions, Partitions::Keys(_))
    }

    /// True if something other than partition key and static columns is restricted.
    pub fn restricts_other_than_partition(&self) -> bool {
        !self.clustering.is_empty()
            || self
                .filters
                .iter()
                .any(|filter| !matches!(filter.access, Access::PartitionKey(_) | Access::Static(_)))
    }

    /// True if the primary key column at this position is fixed by an equality.
    pub fn is_fixed(&self, table: &Table, position: usize) -> bool {
        let partition_columns = table.partition_key.len();
        let test = if position < partition_columns {
            self.partition_key.covering(position)
        } else {
            self.clustering.covering(position - partition_columns)
        };
        test.is_some_and(|test| matches!(test.test, Test::Eq(_)))
    }

    /// Decides what becomes a slice and what a filter, and whether that is allowed.
    pub fn check(&mut self, table: &Table, allow_filtering: bool) -> Result<(), QueryError> {
        let mut needs_filtering = self.needs_filtering;
        let mut end = 0;
        let mut after_slice: Option<usize> = None;
        let mut kept = Vec::new();
        for test in std::mem::take(&mut self.clustering.0) {
            let name = |index: usize| &table.clustering[index].name;
            if let Some(slice) = after_slice {
                if !allow_filtering {
                    return Err(QueryError::Invalid(format!(
                        "Clustering column \"{}\" cannot be restricted (preceding column \"{}\" is restricted by a \
                         non-EQ relation)",
                        name(test.first),
                        name(slice)
                    )));
                }
            } else if test.first != end && self.names_partition() && !allow_filtering {
                return Err(QueryError::Invalid(format!(
                    "PRIMARY KEY column \"{}\" cannot be restricted as preceding column \"{}\" is not restricted",
                    name(test.first),
                    name(end)
                )));
            }
            if after_slice.is_some() || test.first != end {
                needs_filtering = true;
                self.filters.extend(filters_of(&table.clustering, test, Access::Clustering)?);
                continue;
            }
            end = test.end();
            if matches!(test.test, Test::Slice { .. }) {
                after_slice = Some(test.first);
            }
            kept.push(test);
        }
        if !self.names_partition() && !kept.is_empty() {
            needs_filtering = true;
        }
        self.clustering = KeyRestrictions(kept);
        if needs_filtering && !allow_filtering {
            return Err(QueryError::invalid(super::NEEDS_FILTERING));
        }
        Ok(())
    }
}

/// Binds the clause.
pub fn bind_where(
    clause: &WhereClause,
    table: &Table,
    scope: Scope<'_>,
    markers: &mut Markers,
) -> Result<BoundWhere, QueryError> {
    if let Some(expression) = clause.expressions.first() {
        return Err(QueryError::Invalid(format!(
            "Invalid index name {} in custom index expression",
            expression.index
        )));
    }
    let mut token: Option<Test> = None;
    let mut partition_key = KeyRestrictions::default();
    let mut clustering = KeyRestrictions::default();
    let mut filters = Vec::new();
    for relation in &clause.relations {
        match relation {
            Relation::Token { columns, operator, value } => {
                let test = bind_token(columns, *operator, value, table, scope, markers)?;
                token = Some(match token {
                    Some(first) => restrict::merge(first, test, &columns.join(", "), &columns.join(", "))?,
                    None => test,
                });
            }
            Relation::Columns { columns, .. } | Relation::ColumnsIn { columns, .. } => {
                let test = super::super::modify::bind_multi(table, columns, relation, scope, markers)?;
                let names: Vec<&str> = columns.iter().map(String::as_str).collect();
                clustering.add(test, &names)?;
            }
            Relation::Column { column: name, .. }
            | Relation::In { column: name, .. }
            | Relation::Element { column: name, .. }
            | Relation::IsNotNull { column: name } => {
                let column = column(table, name)?;
                match bind_relation(column, relation, table, scope, markers)? {
                    Bound::Key(test) => {
                        let first = column.position as usize;
                        let test = KeyTest { first, count: 1, test, is_multi: false };
                        let part = if column.kind == ColumnKind::PartitionKey {
                            &mut partition_key
                        } else {
                            &mut clustering
                        };
                        part.add(test, &[name])?;
                    }
                    Bound::Filter(filter) => {
                        check_duplicate(&filters, &filter)?;
                        filters.push(filter);
                    }
                }
            }
        }
    }
    let needs_filtering = !filters.is_empty();
    let mut bound = BoundWhere {
        partitions: Partitions::Range { lower: None, upper: None },
        clustering,
        filters,
        partition_key: partition_key.clone(),
        needs_filtering,
        has_token: token.is_some(),
    };
    bound.set_partitions(table, partition_key, token)?;
    Ok(bound)
}

impl BoundWhere {
    fn set_partitions(
        &mut self,
        table: &Table,
        key: KeyRestrictions,
        token: Option<Test>,
    ) -> Result<(), QueryError> {
        let all_named = key.prefix_len() == table.partition_key.len() && !key.has_slice();
        if all_named && !self.has_token {
            self.partitions = Partitions::Keys(key);
            return Ok(());
        }
        if !key.is_empty() {
            self.needs_filtering = true;
            for test in key.0 {
                self.filters.extend(filters_of(&table.partition_key, test, Access::PartitionKey)?);
            }
        }
        let side = |side: Option<Side>| {
            side.map(|(value, inclusive)| match value {
                TupleExpr::Parts(mut parts) => (parts.remove(0), inclusive),
                TupleExpr::Marker { index, .. } => (Expr::Marker { index, ty: CqlType::Bigint }, inclusive),
            })
        };
        self.partitions = match token {
            None => Partitions::Range { lower: None, upper: None },
            Some(Test::Slice { lower, upper }) => {
                Partitions::Range { lower: side(lower), upper: side(upper) }
            }
            Some(Test::Eq(value)) => {
                let both = side(Some((value, true)));
                Partitions::Range { lower: both.clone(), upper: both }
            }
            Some(Test::In(_)) => {
                return Err(QueryError::invalid("IN is not supported with the token function"));
            }
        };
        Ok(())
    }
}

/// The filters that test what a key test says, column by column.
fn filters_of(
    columns: &[Column],
    test: KeyTest,
    access: fn(usize) -> Access,
) -> Result<Vec<Filter>, QueryError> {
    let filter = |offset: usize, kind: FilterKind| {
        let column = &columns[test.first + offset];
        Filter {
            access: access(test.first + offset),
            name: column.name.to_string(),
            ty: column.ty.clone(),
            kind,
        }
    };
    let tuple = |alternatives: InExpr| {
        let members = (test.first..test.end()).map(|index| (access(index), columns[index].ty.clone()));
        Ok(vec![filter(0, FilterKind::TupleIn(members.collect(), alternatives))])
    };
    let single = |value: TupleExpr| match value {
        TupleExpr::Parts(mut parts) if parts.len() == 1 => Ok(parts.remove(0)),
        _ => Err(QueryError::invalid("Multi-column slice restrictions cannot be used for filtering.")),
    };
    match test.test.clone() {
        Test::Eq(TupleExpr::Parts(parts)) => {
            let parts = parts.into_iter().enumerate();
            Ok(parts.map(|(offset, part)| filter(offset, FilterKind::Compare(Operator::Eq, part))).collect())
        }
        Test::Eq(marker @ TupleExpr::Marker { .. }) => tuple(InExpr::List(vec![marker])),
        Test::In(InExpr::Marker { index, types }) if types.len() == 1 => {
            Ok(vec![filter(0, FilterKind::InMarker(index))])
        }
        Test::In(InExpr::List(values)) if test.count == 1 => {
            let values = values.into_iter().map(single).collect::<Result<Vec<_>, _>>()?;
            Ok(vec![filter(0, FilterKind::In(values))])
        }
        Test::In(alternatives) => tuple(alternatives),
        Test::Slice { lower, upper } => {
            let mut filters = Vec::new();
            if let Some((value, inclusive)) = lower {
                let operator = if inclusive { Operator::Gte } else { Operator::Gt };
                filters.push(filter(0, FilterKind::Compare(operator, single(value)?)));
            }
            if let Some((value, inclusive)) = upper {
                let operator = if inclusive { Operator::Lte } else { Operator::Lt };
                filters.push(filter(0, FilterKind::Compare(operator, single(value)?)));
            }
            Ok(filters)
        }
    }
}

enum Bound {
    Key(Test),
    Filter(Filter),
}

fn bind_relation(
    column: &Column,
    relation: &Relation,
    table: &Table,
    scope: Scope<'_>,
    markers: &mut Markers,
) -> Result<Bound, QueryError> {
    let receiver = Receiver::column(table, column);
    let name = &column.name;
    let is_key = matches!(column.kind, ColumnKind::PartitionKey | ColumnKind::Clustering);
    let filter = |kind: FilterKind| {
        Bound::Filter(Filter {
            access: Access::of(column),
            name: name.to_string(),
            ty: column.ty.clone(),
            kind,
        })
    };
    match relation {
        Relation::IsNotNull { .. } => {
            Err(QueryError::Invalid(format!("Unsupported restriction: {name} IS NOT NULL")))
        }
        Relation::In { values, .. } => {
            check_not_multi_cell(column, "IN")?;
            let bound = restrict::bind_in(values, std::slice::from_ref(&receiver), false, scope, markers)?;
            if is_key {
                return Ok(Bound::Key(Test::In(bound)));
            }
            match bound {
                InExpr::Marker { index, .. } => Ok(filter(FilterKind::InMarker(index))),
                InExpr::List(values) => {
                    let parts = values.into_iter().flat_map(|value| match value {
                        TupleExpr::Parts(parts) => parts,
                        TupleExpr::Marker { .. } => Vec::new(),
                    });
                    Ok(filter(FilterKind::In(parts.collect())))
                }
            }
        }
        Relation::Element { key, operator, value, .. } => {
            let CqlType::Map { key: key_type, value: value_type, .. } = &column.ty else {
                if matches!(column.ty, CqlType::List { .. }) {
                    return Err(QueryError::invalid(
                        "Indexes on list entries (l[index] = value) are not currently supported.",
                    ));
                }
                return Err(QueryError::Invalid(format!("Column {name} cannot be used as a map")));
            };
            if *operator != Operator::Eq {
                return Err(QueryError::invalid("Only EQ relations are supported on map entries"));
            }
            let key = Expr::bind(
                key,
                &receiver.with(format!("key({name})"), CqlType::clone(key_type)),
                scope,
                markers,
            )?;
            let value_receiver = receiver.with(format!("value({name})"), CqlType::clone(value_type));
            let value = Expr::bind(value, &value_receiver, scope, markers)?;
            Ok(filter(FilterKind::Element(key, *operator, value)))
        }
        Relation::Column { operator, value, .. } => {
            let receiver = match operator {
                Operator::Contains | Operator::ContainsKey => {
                    contains_receiver(column, &receiver, *operator)?
                }
                _ => receiver,
            };
            if let Operator::Eq | Operator::Lt | Operator::Lte | Operator::Gt | Operator::Gte = operator {
                check_not_multi_cell(column, operator.sign())?;
                if column.ty == CqlType::Duration && *operator != Operator::Eq {
                    return Err(QueryError::invalid(
                        "Slice restrictions are not supported on duration columns",
                    ));
                }
            }
            let bound = Expr::bind(value, &receiver, scope, markers)?;
            match operator {
                Operator::Neq => {
                    return Err(QueryError::Invalid(format!("Unsupported \"!=\" relation: {relation}")));
                }
                Operator::Like => {
                    return Err(QueryError::Invalid(format!(
                        "LIKE restriction is only supported on properly indexed columns. {relation} is not valid."
                    )));
                }
                _ => {}
            }
            if is_key && !matches!(operator, Operator::Contains | Operator::ContainsKey) {
                let value = TupleExpr::Parts(vec![bound]);
                if let Some(test) = restrict::comparison(*operator, value) {
                    return Ok(Bound::Key(test));
                }
                return Err(QueryError::Invalid(format!("Unsupported restriction: {relation}")));
            }
            Ok(filter(FilterKind::Compare(*operator, bound)))
        }
        _ => Err(QueryError::Invalid(format!("Unsupported restriction: {relation}"))),
    }
}

fn check_not_multi_cell(column: &Column, operator: &str) -> Result<(), QueryError> {
    if column.ty.is_multi_cell() {
        let what = if column.ty.is_collection() { "Collection column" } else { "UDT column" };
        if !column.ty.is_collection() {
            return Err(QueryError::Invalid(format!(
                "Non-frozen {what} '{}' ({}) cannot be restricted by any relation",
                column.name,
                column.ty.cql_name()
            )));
        }
        return Err(QueryError::Invalid(format!(
            "{what} '{}' ({}) cannot be restricted by a '{operator}' relation",
            column.name,
            column.ty.cql_name()
        )));
    }
    Ok(())
}

fn contains_receiver(
    column: &Column,
    receiver: &Receiver,
    operator: Operator,
) -> Result<Receiver, QueryError> {
    let name = &column.name;
    match (&column.ty, operator) {
        (CqlType::Map { key, .. }, Operator::ContainsKey) => {
            Ok(receiver.with(format!("key({name})"), CqlType::clone(key)))
        }
        (_, Operator::ContainsKey) => {
            Err(QueryError::Invalid(format!("Cannot use CONTAINS KEY on non-map column {name}")))
        }
        (CqlType::List { element, .. } | CqlType::Set { element, .. }, _) => {
            Ok(receiver.with(format!("value({name})"), CqlType::clone(element)))
        }
        (CqlType::Map { value, .. }, _) => Ok(receiver.with(format!("value({name})"), CqlType::clone(value))),
        _ => Err(QueryError::Invalid(format!("Cannot use CONTAINS on non-collection column {name}"))),
    }
}

/// Two restrictions of one column must be the two sides of a range, or CONTAINS.
fn check_duplicate(filters: &[Filter], new: &Filter) -> Result<(), QueryError> {
    use FilterKind::Compare;
    use Operator::{Contains, ContainsKey, Gt, Gte, Lt, Lte};
    for old in filters.iter().filter(|old| old.name == new.name) {
        match (&old.kind, &new.kind) {
            (Compare(Contains | ContainsKey, _), Compare(Contains | ContainsKey, _)) => {}
            (FilterKind::Element(..), FilterKind::Element(..)) => {}
            (Compare(Gt | Gte, _), Compare(Lt | Lte, _)) | (Compare(Lt | Lte, _), Compare(Gt | Gte, _)) => {}
            (Compare(Gt | Gte, _), Compare(Gt | Gte, _)) => {
                return Err(QueryError::Invalid(format!(
                    "More than one restriction was found for the start bound on {}",
                    new.name
                )));
            }
            (Compare(Lt | Lte, _), Compare(Lt | Lte, _)) => {
                return Err(QueryError::Invalid(format!(
                    "More than one restriction was found for the end bound on {}",
                    new.name
                )));
            }
            (FilterKind::In(_) | FilterKind::InMarker(_), other)
            | (other, FilterKind::In(_) | FilterKind::InMarker(_))
                if !matches!(other, Compare(Operator::Eq, _)) =>
            {
                return Err(QueryError::Invalid(format!(
                    "{} cannot be restricted by more than one relation if it includes a IN",
                    new.name
                )));
            }
            _ => {
                return Err(QueryError::Invalid(format!(
                    "{} cannot be restricted by more than one relation if it includes an Equal",
                    new.name
                )));
            }
        }
    }
    Ok(())
}

fn bind_token(
    columns: &[String],
    operator: Operator,
    value: &crate::ast::Term,
    table: &Table,
    scope: Scope<'_>,
    markers: &mut Markers,
) -> Result<Test, QueryError> {
    for name in columns {
        let column = column(table, name)?;
        if column.kind != ColumnKind::PartitionKey {
            return Err(QueryError::invalid(
                "The token() function must be applied to all partition key components or none of them",
            ));
        }
    }
    if columns.len() != table.partition_key.len() {
        return Err(QueryError::invalid(
            "The token() function must be applied to all partition key components or none of them",
        ));
    }
    if columns.iter().zip(&table.partition_key).any(|(name, column)| **name != *column.name) {
        let names: Vec<&str> = table.partition_key.iter().map(|column| &*column.name).collect();
        return Err(QueryError::Invalid(format!(
            "The token function arguments must be in the partition key order: {}",
            names.join(", ")
        )));
    }
    let receiver = Receiver::new(table, "partition key token", CqlType::Bigint);
    let bound = match value {
        // token(1, 2) on the right: the partition key columns are its receivers.
        crate::ast::Term::Function(name, arguments) if name.keyspace.is_none() && name.name == "token" => {
            token_of_terms(arguments, table, scope, markers)?
        }
        other => Expr::bind(other, &receiver, scope, markers)?,
    };
    restrict::comparison(operator, TupleExpr::Parts(vec![bound])).ok_or_else(|| {
        QueryError::Invalid(format!("Unsupported operator {operator} with the token function"))
    })
}

fn token_of_terms(
    arguments: &[crate::ast::Term],
    table: &Table,
    scope: Scope<'_>,
    markers: &mut Markers,
) -> Result<Expr, QueryError> {
    let function = crate::bind::function::library::token(table);
    if arguments.len() != function.arguments.len() {
        return Err(QueryError::Invalid(format!(
            "Invalid number of arguments in call to function system.token: {} required but {} provided",
            function.arguments.len(),
            arguments.len()
        )));
    }
    let mut bound = Vec::with_capacity(arguments.len());
    for (term, column) in arguments.iter().zip(&table.partition_key) {
        bound.push(Expr::bind(term, &Receiver::column(table, column), scope, markers)?);
    }
    Ok(Expr::Call { function, arguments: bound })
}
