//! What follows IF.

use model::{Column, ColumnKind, CqlType, QueryError, Table};

use crate::ast::{self, ColumnPart, ConditionTest, InValues, Operator};
use crate::bind::term::Expr;
use crate::bind::{Markers, Receiver, Scope, column};

/// A statement's condition.
#[derive(Clone, Debug)]
pub enum Condition {
    /// No IF.
    None,
    /// `IF NOT EXISTS`
    NotExists,
    /// `IF EXISTS`
    Exists,
    /// `IF a = 1 AND ...`
    Columns(Vec<ColumnTest>),
}

/// A condition on one column.
#[derive(Clone, Debug)]
pub struct ColumnTest {
    /// The column.
    pub column: Column,
    /// The part of it that is compared.
    pub part: Part,
    /// Type of that part.
    pub ty: CqlType,
    /// The comparison.
    pub test: TestKind,
}

/// Which part of a column.
#[derive(Clone, Debug)]
pub enum Part {
    /// All of it.
    Whole,
    /// A map's value by key, or a list's element by index.
    Element(Expr),
    /// A user type's field by index.
    Field(u16),
}

/// How it is compared.
#[derive(Clone, Debug)]
pub enum TestKind {
    /// With one value.
    Compare(Operator, Expr),
    /// With several.
    In(Vec<Expr>),
    /// With a bound list of several: marker index.
    InMarker(usize),
}

impl Condition {
    /// Binds the condition.
    pub fn bind(
        table: &Table,
        condition: &ast::Condition,
        scope: Scope<'_>,
        markers: &mut Markers,
    ) -> Result<Condition, QueryError> {
        match condition {
            ast::Condition::None => Ok(Condition::None),
            ast::Condition::Exists => Ok(Condition::Exists),
            ast::Condition::Columns(tests) => {
                let bound = tests.iter().map(|test| bind_test(table, test, scope, markers));
                Ok(Condition::Columns(bound.collect::<Result<_, _>>()?))
            }
        }
    }

    /// True if it looks at static columns only.
    pub fn is_static_only(&self) -> bool {
        match self {
            Condition::Columns(tests) => tests.iter().all(|test| test.column.kind == ColumnKind::Static),
            _ => true,
        }
    }
}

fn bind_test(
    table: &Table,
    condition: &ast::ColumnCondition,
    scope: Scope<'_>,
    markers: &mut Markers,
) -> Result<ColumnTest, QueryError> {
    let column = column(table, &condition.column)?;
    if matches!(column.kind, ColumnKind::PartitionKey | ColumnKind::Clustering) {
        return Err(QueryError::Invalid(format!(
            "PRIMARY KEY column '{}' cannot have IF conditions",
            column.name
        )));
    }
    if column.ty == CqlType::Counter {
        return Err(QueryError::invalid("Conditions on counters are not supported"));
    }
    let whole = Receiver::column(table, column);
    let name = &column.name;
    let (part, receiver) = match &condition.part {
        ColumnPart::Whole => (Part::Whole, whole),
        ColumnPart::Element(key) => {
            let (key_receiver, value_receiver) = match &column.ty {
                CqlType::List { element, .. } => (
                    whole.with(format!("idx({name})"), CqlType::Int),
                    whole.with(format!("value({name})"), CqlType::clone(element)),
                ),
                CqlType::Map { key, value, .. } => (
                    whole.with(format!("key({name})"), CqlType::clone(key)),
                    whole.with(format!("value({name})"), CqlType::clone(value)),
                ),
                CqlType::Set { .. } => {
                    return Err(QueryError::Invalid(format!(
                        "Invalid element access syntax for set column {name}"
                    )));
                }
                _ => {
                    return Err(QueryError::Invalid(format!(
                        "Invalid element access syntax for non-collection column {name}"
                    )));
                }
            };
            (Part::Element(Expr::bind(key, &key_receiver, scope, markers)?), value_receiver)
        }
        ColumnPart::Field(field) => {
            let CqlType::Udt { definition, .. } = &column.ty else {
                return Err(QueryError::Invalid(format!(
                    "Invalid field access syntax for non-UDT column {name}"
                )));
            };
            let found = definition.fields.iter().position(|(known, _)| **known == **field);
            let index = found
                .ok_or_else(|| QueryError::Invalid(format!("Unknown field {field} for column {name}")))?;
            let ty = definition.fields[index].1.clone();
            let number = u16::try_from(index).map_err(|_| QueryError::invalid("Too many fields"))?;
            (Part::Field(number), whole.with(format!("{name}.{field}"), ty))
        }
    };
    let ty = receiver.ty.clone();
    if matches!(ty, CqlType::Duration)
        && let ConditionTest::Compare(Operator::Lt | Operator::Lte | Operator::Gt | Operator::Gte, _) =
            condition.test
    {
        return Err(QueryError::invalid("Slice conditions are not supported on durations"));
    }
    let test = match &condition.test {
        ConditionTest::Compare(operator, value) => {
            let receiver = match operator {
                Operator::Contains | Operator::ContainsKey => contains_receiver(&receiver, *operator)?,
                _ => receiver,
            };
            TestKind::Compare(*operator, Expr::bind(value, &receiver, scope, markers)?)
        }
        ConditionTest::In(InValues::List(terms)) => {
            let bound = terms.iter().map(|term| Expr::bind(term, &receiver, scope, markers));
            TestKind::In(bound.collect::<Result<_, _>>()?)
        }
        ConditionTest::In(InValues::Marker(marker)) => {
            let list = CqlType::list(ty.clone(), false);
            markers.bind(marker.index, &receiver.with(format!("in({})", receiver.name), list));
            TestKind::InMarker(marker.index)
        }
    };
    Ok(ColumnTest { column: column.clone(), part, ty, test })
}

fn contains_receiver(receiver: &Receiver, operator: Operator) -> Result<Receiver, QueryError> {
    let name = &receiver.name;
    match (&receiver.ty, operator) {
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
