//! Aggregates: what a group of rows is reduced to.

use model::{CqlType, QueryError};

use super::selection::Selector;

/// How values are reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// `count(*)`, `count(1)`: rows.
    CountRows,
    /// `count(c)`: values that are not null.
    Count,
    /// The least value, in the type's order.
    Min,
    /// The greatest value.
    Max,
    /// The sum, in the type itself (integers wrap around).
    Sum,
    /// The mean, in the type itself (integers truncate).
    Avg,
}

/// One aggregate of a selection.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// How.
    pub reduction: Reduction,
    /// Of what.
    pub argument: Option<Selector>,
    /// Type of the argument.
    pub ty: CqlType,
}

impl Reduction {
    /// The aggregate of that name.
    pub fn named(name: &str) -> Option<Reduction> {
        Some(match name {
            "count" => Reduction::Count,
            "min" => Reduction::Min,
            "max" => Reduction::Max,
            "sum" => Reduction::Sum,
            "avg" => Reduction::Avg,
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Reduction::CountRows | Reduction::Count => "count",
            Reduction::Min => "min",
            Reduction::Max => "max",
            Reduction::Sum => "sum",
            Reduction::Avg => "avg",
        }
    }

    /// The type of the result over arguments of type `ty`.
    pub fn result(self, ty: &CqlType) -> Result<CqlType, QueryError> {
        use CqlType::{Bigint, Counter, Decimal, Double, Float, Int, Smallint, Tinyint, Varint};
        match self {
            Reduction::CountRows | Reduction::Count => Ok(Bigint),
            Reduction::Min | Reduction::Max => Ok(ty.freeze()),
            Reduction::Sum | Reduction::Avg => match ty {
                Bigint | Counter | Decimal | Double | Float | Int | Smallint | Tinyint | Varint => {
                    Ok(ty.clone())
                }
                _ => {
                    let types = [Int, Tinyint, Bigint, Varint, Double, Decimal, Counter, Float, Smallint];
                    let signatures: Vec<String> = types
                        .iter()
                        .map(|ty| {
                            format!("system.{} : ({}) -> {}", self.name(), ty.cql_name(), ty.cql_name())
                        })
                        .collect();
                    Err(QueryError::Invalid(format!(
                        "Invalid call to function {}, none of its type signatures match (known type signatures: {})",
                        self.name(),
                        signatures.join(", ")
                    )))
                }
            },
        }
    }
}
