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
                _ => Err(self.no_match()),
            },
        }
    }

    /// The error of a call with more or fewer arguments than one.
    pub fn wrong_count(self, given: usize) -> QueryError {
        match self {
            Reduction::CountRows | Reduction::Count => QueryError::Invalid(format!(
                "Invalid number of arguments in call to function system.count: 1 required but {given} provided"
            )),
            Reduction::Min | Reduction::Max => QueryError::Invalid(format!(
                "Invalid number of arguments for function system.{}(any)",
                self.name()
            )),
            Reduction::Sum | Reduction::Avg => self.no_match(),
        }
    }

    /// The error of an argument that is no number. The order of the types means nothing; it is one that was seen.
    fn no_match(self) -> QueryError {
        use CqlType::{Bigint, Counter, Decimal, Double, Float, Int, Smallint, Tinyint, Varint};
        let types = match self {
            Reduction::Avg => [Decimal, Counter, Float, Int, Tinyint, Smallint, Double, Bigint, Varint],
            _ => [Int, Tinyint, Bigint, Varint, Double, Decimal, Counter, Smallint, Float],
        };
        let signature = |ty: &CqlType| format!("system.{} : ({1}) -> {1}", self.name(), ty.cql_name());
        QueryError::Invalid(format!(
            "Invalid call to function {}, none of its type signatures match (known type signatures: {})",
            self.name(),
            types.iter().map(signature).collect::<Vec<_>>().join(", ")
        ))
    }
}
