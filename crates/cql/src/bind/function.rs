//! Functions: what can be called, with which types, and what it does.
//!
//! A call is resolved once, when its statement is bound: by name, then by how well the arguments fit
//! (`FunctionResolver`). Aggregates and functions over rows are resolved by `select`.
//!
//! Read in order: [`Function`], [`resolve`]; the library itself is in [`library`].

use std::fmt;
use std::sync::Arc;

use model::{CqlType, QueryError, Table, Value};

use super::term::{EvalContext, Fit, exact_type, fit, preferred_type, type_fit};
use super::{Receiver, Scope};
use crate::ast::{FunctionName, Term};
use library::Call;

pub mod decimal;
pub mod library;
pub mod number;
mod operation;
mod temporal;
pub mod total;

pub use operation::{arithmetic, cast, negation, resolve_operation};

/// What a function does with its arguments' values. The error is a text without the function's name.
pub type Body = dyn Fn(&[Value], &EvalContext<'_>) -> Result<Value, QueryError> + Send + Sync;

/// A function of certain argument types.
#[derive(Clone)]
pub struct Function {
    /// `system` for native functions.
    pub keyspace: Arc<str>,
    /// Name in lower case.
    pub name: Arc<str>,
    /// Types of the arguments.
    pub arguments: Vec<CqlType>,
    /// Type of the result.
    pub result: CqlType,
    body: Arc<Body>,
}

impl Function {
    /// A native function.
    pub fn native(
        name: &str,
        arguments: Vec<CqlType>,
        result: CqlType,
        body: impl Fn(&[Value], &EvalContext<'_>) -> Result<Value, QueryError> + Send + Sync + 'static,
    ) -> Function {
        Function { keyspace: "system".into(), name: name.into(), arguments, result, body: Arc::new(body) }
    }

    /// `system.now`
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.keyspace, self.name)
    }

    /// `system.avg : (decimal) -> decimal`
    pub fn signature(&self) -> String {
        let arguments: Vec<String> = self.arguments.iter().map(CqlType::cql_name).collect();
        format!("{} : ({}) -> {}", self.full_name(), arguments.join(", "), self.result.cql_name())
    }

    /// As a result column calls it: `system.now()`, `cast(v as text)`.
    pub fn shown(&self, arguments: &[String]) -> String {
        match self.name.strip_prefix("cast_as_") {
            Some(target) => format!("cast({} as {target})", arguments.join(", ")),
            None => format!("{}({})", self.full_name(), arguments.join(", ")),
        }
    }

    /// Calls it.
    pub fn call(&self, arguments: &[Value], ctx: &EvalContext<'_>) -> Result<Value, QueryError> {
        (self.body)(arguments, ctx)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.signature())
    }
}

/// An argument of a call that is being resolved.
#[derive(Clone, Debug)]
pub enum Argument<'a> {
    /// A term, which may fit several types.
    Term(&'a Term),
    /// Something of a known type, and how errors call it.
    Typed(CqlType, String),
}

impl<'a> Argument<'a> {
    fn fit(&self, ty: &CqlType, scope: Scope<'_>) -> Fit {
        match self {
            Argument::Term(term) => fit(term, ty, scope, scope.keyspace.unwrap_or("system")),
            Argument::Typed(given, _) => type_fit(given, ty),
        }
    }

    /// A call inside the call is resolved once, whatever it is tried for afterwards.
    fn settle(self, scope: Scope<'_>) -> Argument<'a> {
        match self {
            Argument::Term(
                term @ (Term::Function(..) | Term::Arithmetic(..) | Term::Negation(_) | Term::Cast(..)),
            ) => match exact_type(term, scope, scope.keyspace.unwrap_or("system")) {
                Some(ty) => Argument::Typed(ty, term.to_string()),
                None => self,
            },
            other => other,
        }
    }

    /// The type it has, or would have if nobody asked for another one.
    pub fn known_type(&self, scope: Scope<'_>, in_selection: bool) -> Option<CqlType> {
        let of = |term: &'a Term| Argument::Term(term).known_type(scope, in_selection);
        match self {
            Argument::Typed(ty, _) => Some(ty.clone()),
            Argument::Term(Term::Literal(literal)) => Some(preferred_type(literal)),
            Argument::Term(Term::Tuple(elements)) if elements.len() == 1 => of(&elements[0]),
            Argument::Term(Term::List(elements)) if in_selection => {
                Some(CqlType::list(elements.iter().find_map(of)?, false))
            }
            Argument::Term(Term::Set(elements)) if in_selection => {
                Some(CqlType::set(elements.iter().find_map(of)?, false))
            }
            Argument::Term(term) => exact_type(term, scope, scope.keyspace.unwrap_or("system")),
        }
    }

    fn has_marker(&self) -> bool {
        matches!(self, Argument::Term(Term::Marker(_)))
    }
}

impl fmt::Display for Argument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Argument::Term(term) => write!(f, "{term}"),
            Argument::Typed(_, name) => f.write_str(name),
        }
    }
}

/// Finds the function that a call among values means. `receiver`: where the result goes, if that is known.
pub fn resolve(
    scope: Scope<'_>,
    name: &FunctionName,
    arguments: &[Argument<'_>],
    receiver: Option<&Receiver>,
) -> Result<Function, QueryError> {
    let table = receiver.and_then(|receiver| scope.schema.table(&receiver.keyspace, &receiver.table));
    let receiver = receiver.map(|receiver| &receiver.ty);
    let candidates = find(scope, name, arguments, receiver, table.map(|table| &**table))?;
    let Some((candidates, settled)) = candidates else {
        let text = if super::select::aggregate::Reduction::named(&name.name).is_some() && is_native(name) {
            "Aggregation function are not supported in the where clause".to_owned()
        } else {
            format!("Unknown function {name} called")
        };
        return Err(QueryError::Invalid(text));
    };
    choose(scope, &name.to_string(), candidates, &settled, receiver)
}

/// The same for a call over a row: its errors read differently.
pub fn resolve_selection(
    scope: Scope<'_>,
    name: &FunctionName,
    arguments: &[Argument<'_>],
    table: &Table,
) -> Result<Function, QueryError> {
    if is_native(name) && name.name == "token" {
        return choose(scope, "token", vec![library::token(table)], arguments, None);
    }
    let call = Call { scope, arguments, receiver: None, in_selection: true };
    let candidates = if is_native(name) { library::candidates(&name.name, &call)? } else { Vec::new() };
    if candidates.is_empty() {
        return Err(QueryError::Invalid(format!("Unknown function '{name}'")));
    }
    choose(scope, &name.to_string(), candidates, arguments, None)
}

fn is_native(name: &FunctionName) -> bool {
    name.keyspace.as_deref().is_none_or(|keyspace| keyspace == "system")
}

type Found<'a> = Option<(Vec<Function>, Vec<Argument<'a>>)>;

fn find<'a>(
    scope: Scope<'_>,
    name: &FunctionName,
    arguments: &[Argument<'a>],
    receiver: Option<&CqlType>,
    table: Option<&Table>,
) -> Result<Found<'a>, QueryError> {
    if !is_native(name) {
        return Ok(None);
    }
    let settled: Vec<Argument<'a>> =
        arguments.iter().map(|argument| argument.clone().settle(scope)).collect();
    let candidates = match (name.name.as_str(), table) {
        ("token", Some(table)) => vec![library::token(table)],
        (other, _) => {
            let call = Call { scope, arguments: &settled, receiver, in_selection: false };
            library::candidates(other, &call)?
        }
    };
    Ok((!candidates.is_empty()).then_some((candidates, settled)))
}

/// Chooses among functions of one name (`FunctionResolver`): the one whose types are the arguments' own, or the only
/// one that they can be converted to. Results that the receiver cannot take are not looked at, unless there is no
/// choice. `name`: as errors call it.
pub fn choose(
    scope: Scope<'_>,
    name: &str,
    candidates: Vec<Function>,
    arguments: &[Argument<'_>],
    receiver: Option<&CqlType>,
) -> Result<Function, QueryError> {
    if let [only] = candidates.as_slice() {
        check_only(scope, only, arguments)?;
        return Ok(only.clone());
    }
    match best(scope, &candidates, arguments, receiver).as_slice() {
        [only] => Ok(Function::clone(only)),
        [] => Err(QueryError::Invalid(format!(
            "Invalid call to function {name}, none of its type signatures match (known type signatures: {})",
            signatures(&mut candidates.iter())
        ))),
        several => Err(QueryError::Invalid(format!(
            "Ambiguous call to function {name} (can be matched by following signatures: {}): use type casts to \
             disambiguate",
            signatures(&mut several.iter().copied())
        ))),
    }
}

/// The functions that fit: the one that fits exactly, or all that fit after conversions.
fn best<'f>(
    scope: Scope<'_>,
    candidates: &'f [Function],
    arguments: &[Argument<'_>],
    receiver: Option<&CqlType>,
) -> Vec<&'f Function> {
    let is_counter = |argument: &Argument<'_>| matches!(argument, Argument::Typed(CqlType::Counter, _));
    let any_counter = arguments.iter().any(is_counter);
    let fitting = candidates.iter().filter(|candidate| {
        // A counter is a bigint to all but itself.
        (any_counter || !candidate.arguments.contains(&CqlType::Counter))
            && candidate.arguments.len() == arguments.len()
            && receiver.is_none_or(|receiver| type_fit(&candidate.result, receiver).is_assignable())
    });
    let mut weak = Vec::new();
    let mut exact = None;
    for candidate in fitting {
        let same = |(ty, argument): (&CqlType, &Argument<'_>)| matches!(argument, Argument::Typed(given, _) if given == ty);
        if candidate.arguments.iter().zip(arguments).all(same) {
            return vec![candidate];
        }
        let fits = candidate.arguments.iter().zip(arguments).map(|(ty, argument)| argument.fit(ty, scope));
        match fits.min().unwrap_or(Fit::Exact) {
            Fit::Exact => exact = exact.or(Some(candidate)),
            Fit::Weak => weak.push(candidate),
            Fit::No => {}
        }
    }
    exact.map_or(weak, |exact| vec![exact])
}

fn check_only(scope: Scope<'_>, only: &Function, arguments: &[Argument<'_>]) -> Result<(), QueryError> {
    if only.arguments.len() != arguments.len() {
        return Err(QueryError::Invalid(format!(
            "Invalid number of arguments in call to function {}: {} required but {} provided",
            only.full_name(),
            only.arguments.len(),
            arguments.len()
        )));
    }
    for (index, (argument, ty)) in arguments.iter().zip(&only.arguments).enumerate() {
        if !argument.fit(ty, scope).is_assignable() {
            return Err(QueryError::Invalid(format!(
                "Type error: {argument} cannot be passed as argument {index} of function {} of type {}",
                only.full_name(),
                ty.cql_name()
            )));
        }
    }
    Ok(())
}

fn signatures(functions: &mut dyn Iterator<Item = &Function>) -> String {
    functions.map(Function::signature).collect::<Vec<_>>().join(", ")
}
