//! Arithmetic and casts: operators as functions.

use model::{CqlType, QueryError};

use super::{Argument, Function};
use crate::ast::{ArithmeticOperator, Term};
use crate::bind::{Receiver, Scope};

/// The type of `left op right`, if there is such an operation (`OperationFcts.returnType`).
///
/// Integers widen to the larger of the two, any float makes a double unless both are floats of 32 bits,
/// varint and decimal win.
pub fn arithmetic_type(operator: ArithmeticOperator, left: &CqlType, right: &CqlType) -> Option<CqlType> {
    use CqlType::*;
    let plain = |ty: &CqlType| if *ty == Counter { Bigint } else { ty.clone() };
    let (left, right) = (plain(left), plain(right));
    let additive = matches!(operator, ArithmeticOperator::Add | ArithmeticOperator::Subtract);
    if additive && matches!(left, Timestamp | Date) && right == Duration {
        return Some(left);
    }
    let rank = |ty: &CqlType| {
        Some(match ty {
            Tinyint => 0,
            Smallint => 1,
            Int => 2,
            Bigint => 3,
            Varint => 4,
            Float => 5,
            Double => 6,
            Decimal => 7,
            _ => return None,
        })
    };
    let (l, r) = (rank(&left)?, rank(&right)?);
    Some(match l.max(r) {
        // An integer wider than a float's mantissa makes the pair a double, a varint makes it a decimal.
        5 | 6 if l == 4 || r == 4 => Decimal,
        5 if l == 3 || r == 3 => Double,
        _ if l >= r => left,
        _ => right,
    })
}

/// Resolves `CAST`, arithmetic or negation in a term to a function and its arguments.
pub fn resolve_operation(
    scope: Scope<'_>,
    term: &Term,
    receiver: &Receiver,
) -> Result<(Function, Vec<Term>), QueryError> {
    let _ = (scope, receiver);
    Err(QueryError::Invalid(format!(
        "Arithmetic and casts in values are not yet supported by Helenus ({term})"
    )))
}

/// Resolves `left op right`. `receiver`: where the result goes, if that is known.
pub fn arithmetic(
    operator: ArithmeticOperator,
    left: &Argument<'_>,
    right: &Argument<'_>,
    receiver: Option<&CqlType>,
    scope: Scope<'_>,
) -> Result<Function, QueryError> {
    let _ = (receiver, scope);
    Err(QueryError::Invalid(format!(
        "the '{}' operation is not yet supported by Helenus between {left} and {right}",
        operator.sign()
    )))
}

/// Resolves `-argument`.
pub fn negation(argument: &Argument<'_>, scope: Scope<'_>) -> Result<Function, QueryError> {
    let _ = scope;
    Err(QueryError::Invalid(format!("the '-' operation is not yet supported by Helenus on {argument}")))
}

/// Resolves `cast(argument as target)`.
pub fn cast(argument: &Argument<'_>, target: &CqlType, scope: Scope<'_>) -> Result<Function, QueryError> {
    let _ = scope;
    Err(QueryError::Invalid(format!("{argument} cannot be cast to {}", target.cql_name())))
}
