//! Arithmetic and casts: operators as functions.
//!
//! Result types and texts are those of `OperationFcts` and `FunctionResolver`, seen on Cassandra 5.0.9.

use bytes::Bytes;
use model::{CqlType, QueryError, Value};

use super::number::{self, NUMERIC, Number};
use super::temporal::{self, Duration};
use super::{Argument, Function, best, choose, library, signatures};
use crate::ast::{ArithmeticOperator, NativeType, Term};
use crate::bind::Scope;
use crate::bind::term::exact_type;

/// The type of `left op right` for two numbers: integers widen to the larger of the two, floats win over integers
/// (wide ones make them doubles), varint and a float make a decimal, decimal wins over all.
fn result_type(left: &CqlType, right: &CqlType) -> CqlType {
    use CqlType::{Bigint, Decimal, Double, Float, Int, Smallint, Tinyint, Varint};
    let either = |ty: &CqlType| left == ty || right == ty;
    let any_float = either(&Float) || either(&Double);
    let order = [Decimal, Varint, Double, Float, Bigint, Int, Smallint, Tinyint];
    let widest = order.into_iter().find(|ty| either(ty)).unwrap_or(Decimal);
    match widest {
        Varint if any_float => Decimal,
        Float if either(&Bigint) => Double,
        other => other,
    }
}

fn operator_name(operator: ArithmeticOperator) -> &'static str {
    match operator {
        ArithmeticOperator::Add => "_add",
        ArithmeticOperator::Subtract => "_substract",
        ArithmeticOperator::Multiply => "_multiply",
        ArithmeticOperator::Divide => "_divide",
        ArithmeticOperator::Modulo => "_modulo",
    }
}

/// Everything that an operator can do.
fn operations(operator: ArithmeticOperator) -> Vec<Function> {
    use CqlType::{Ascii, Date, Text, Timestamp};
    let numbers = || NUMERIC.iter().filter(|ty| **ty != CqlType::Counter);
    let mut functions: Vec<Function> = numbers()
        .flat_map(|left| numbers().map(move |right| (left, right)))
        .map(|(left, right)| {
            let result = result_type(left, right);
            let types = (left.clone(), right.clone(), result.clone());
            binary(operator, left, right, &result, move |l, r| {
                let (Some(l), Some(r)) = (Number::read(&types.0, l), Number::read(&types.1, r)) else {
                    return Ok(None);
                };
                number::compute(operator, &l, &r, &types.2).map(|bytes| Some(bytes.into()))
            })
        })
        .collect();
    let sign = match operator {
        ArithmeticOperator::Add => 1,
        ArithmeticOperator::Subtract => -1,
        _ => return functions,
    };
    for ty in [Timestamp, Date] {
        let source = ty.clone();
        functions.push(binary(operator, &ty, &CqlType::Duration, &ty, move |l, r| {
            let (Some(millis), Some(duration)) = (temporal::millis(&source, l), Duration::read(r)) else {
                return Ok(None);
            };
            check_precision(&source, &duration, r)?;
            Ok(Some(temporal::write(&source, duration.add_to(millis, sign)).into()))
        }));
    }
    if operator == ArithmeticOperator::Add {
        for (left, right, result) in
            [(Ascii, Ascii, Ascii), (Ascii, Text, Text), (Text, Ascii, Text), (Text, Text, Text)]
        {
            functions
                .push(binary(operator, &left, &right, &result, |l, r| Ok(Some([&l[..], r].concat().into()))));
        }
    }
    functions
}

/// A date moves by whole days only, a timestamp by whole milliseconds.
fn check_precision(ty: &CqlType, duration: &Duration, bytes: &[u8]) -> Result<(), String> {
    let (fits, what) = match ty {
        CqlType::Date => (duration.nanoseconds == 0, "day"),
        _ => (duration.nanoseconds % 1_000_000 == 0, "millisecond"),
    };
    if fits {
        return Ok(());
    }
    Err(format!("The duration must have a {what} precision. Was: {}", CqlType::Duration.to_text(bytes)))
}

/// An operation whose body knows that both operands are there.
fn binary(
    operator: ArithmeticOperator,
    left: &CqlType,
    right: &CqlType,
    result: &CqlType,
    body: impl Fn(&Bytes, &Bytes) -> Result<Value, String> + Send + Sync + 'static,
) -> Function {
    let types = [left.cql_name(), right.cql_name()];
    let arguments = vec![left.clone(), right.clone()];
    Function::native(operator_name(operator), arguments, result.clone(), move |values, _| {
        let (Some(l), Some(r)) = (&values[0], &values[1]) else { return Ok(None) };
        body(l, r).map_err(|text| QueryError::Function {
            keyspace: "system".to_owned(),
            name: operator_name(operator).to_owned(),
            arguments: types.to_vec(),
            message: format!("the operation '{} {} {}' failed: {text}", types[0], operator.sign(), types[1]),
        })
    })
}

/// Resolves `CAST`, arithmetic or negation in a term to a function and its arguments.
pub fn resolve_operation(
    scope: Scope<'_>,
    term: &Term,
    receiver: Option<&CqlType>,
) -> Result<(Function, Vec<Term>), QueryError> {
    let argument = |term| Argument::Term(term).settle(scope);
    match term {
        Term::Arithmetic(operator, left, right) => {
            let function = arithmetic(*operator, &argument(left), &argument(right), receiver, scope)?;
            Ok((function, vec![Term::clone(left), Term::clone(right)]))
        }
        Term::Negation(inner) => {
            let function = negation(&argument(inner), receiver, scope)?;
            Ok((function, vec![Term::clone(inner)]))
        }
        Term::Cast(inner, target) => {
            let known = exact_type(inner, scope, scope.keyspace.unwrap_or("system"));
            let same = crate::bind::types::native(*target);
            let function = if known.as_ref() == Some(&same) {
                identity(&format!("cast_as_{}", target.name()), same)
            } else {
                cast(&argument(inner), *target, receiver, scope)?
            };
            Ok((function, vec![Term::clone(inner)]))
        }
        other => Err(QueryError::Invalid(format!("{other} is no operation"))),
    }
}

fn identity(name: &str, ty: CqlType) -> Function {
    Function::native(name, vec![ty.clone()], ty, |values, _| Ok(values[0].clone()))
}

/// Resolves `left op right`. `receiver`: where the result goes, if that is known.
pub fn arithmetic(
    operator: ArithmeticOperator,
    left: &Argument<'_>,
    right: &Argument<'_>,
    receiver: Option<&CqlType>,
    scope: Scope<'_>,
) -> Result<Function, QueryError> {
    let candidates = operations(operator);
    let arguments = [left.clone(), right.clone()];
    let found = best(scope, &candidates, &arguments, receiver);
    match found.as_slice() {
        [only] => Ok(Function::clone(only)),
        [] => Err(QueryError::Invalid(format!(
            "the '{}' operation is not supported between {left} and {right}",
            operator.sign()
        ))),
        several => {
            let has_marker = left.has_marker() || right.has_marker();
            let of_receiver = receiver.filter(|_| !has_marker).and_then(|receiver| {
                several.iter().find(|function| function.arguments.iter().all(|ty| ty == receiver))
            });
            of_receiver.map(|function| Function::clone(function)).ok_or_else(|| {
                QueryError::Invalid(format!(
                    "Ambiguous '{}' operation with args {left} and {right}: use type hint to disambiguate, example \
                     '(int) ?'",
                    operator.sign()
                ))
            })
        }
    }
}

/// Resolves `-argument`.
pub fn negation(
    argument: &Argument<'_>,
    receiver: Option<&CqlType>,
    scope: Scope<'_>,
) -> Result<Function, QueryError> {
    let one = |ty: &CqlType| {
        let source = ty.clone();
        Function::native("_negate", vec![ty.clone()], ty.clone(), move |values, _| {
            let number = values[0].as_ref().and_then(|bytes| Number::read(&source, bytes));
            let Some(number) = number else { return Ok(None) };
            number::negate(&number, &source).map(|bytes| Some(bytes.into())).map_err(QueryError::Server)
        })
    };
    let candidates: Vec<Function> = NUMERIC.iter().map(one).collect();
    let arguments = [argument.clone()];
    match best(scope, &candidates, &arguments, receiver).as_slice() {
        [only] => Ok(Function::clone(only)),
        [] => Err(QueryError::Invalid(format!(
            "Invalid call to function system._negate, none of its type signatures match (known type signatures: {})",
            signatures(&mut candidates.iter())
        ))),
        _ => Err(QueryError::invalid("Ambiguous negation: use type casts to disambiguate")),
    }
}

/// Resolves `cast(argument as target)`.
pub fn cast(
    argument: &Argument<'_>,
    target: NativeType,
    receiver: Option<&CqlType>,
    scope: Scope<'_>,
) -> Result<Function, QueryError> {
    let name = format!("cast_as_{}", target.name());
    let candidates = library::cast::functions(&name);
    if candidates.is_empty() {
        return Err(QueryError::Invalid(format!("{argument} cannot be cast to {}", target.name())));
    }
    choose(scope, &format!("system.{name}"), candidates, std::slice::from_ref(argument), receiver)
}
