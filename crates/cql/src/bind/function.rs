//! Functions: what can be called, with which types, and what it does.
//!
//! A call is resolved once, when its statement is bound: by name, then by how well the arguments fit
//! (`FunctionResolver`). Aggregates and functions over rows are resolved by `select`.
//!
//! Read in order: [`Function`], [`resolve`]; the library itself is in [`library`].

use std::fmt;
use std::sync::Arc;

use model::{CqlType, QueryError, Value};

use super::term::{EvalContext, Fit, fit, type_fit};
use super::{Receiver, Scope};
use crate::ast::{FunctionName, Term};

pub mod library;
mod operation;

pub use operation::{arithmetic, arithmetic_type, cast, negation, resolve_operation};

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

impl Argument<'_> {
    fn fit(&self, ty: &CqlType, scope: Scope<'_>) -> Fit {
        match self {
            Argument::Term(term) => fit(term, ty, scope, scope.keyspace.unwrap_or("system")),
            Argument::Typed(given, _) => type_fit(given, ty),
        }
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

/// Finds the function that a call means. `receiver`: where the result goes, which some functions look at.
pub fn resolve(
    scope: Scope<'_>,
    name: &FunctionName,
    arguments: &[Argument<'_>],
    receiver: Option<&Receiver>,
) -> Result<Function, QueryError> {
    let is_native = name.keyspace.as_deref().is_none_or(|keyspace| keyspace == "system");
    let candidates = if is_native {
        library::candidates(&name.name, arguments, receiver.map(|receiver| &receiver.ty))?
    } else {
        Vec::new()
    };
    if candidates.is_empty() {
        return Err(QueryError::Invalid(format!("Unknown function {name} called")));
    }
    choose(scope, name, candidates, arguments)
}

/// The same for a call over a row: its errors read differently, and `token` knows the table.
pub fn resolve_selection(
    scope: Scope<'_>,
    name: &FunctionName,
    arguments: &[Argument<'_>],
    table: &model::Table,
) -> Result<Function, QueryError> {
    let is_native = name.keyspace.as_deref().is_none_or(|keyspace| keyspace == "system");
    let candidates = match name.name.as_str() {
        _ if !is_native => Vec::new(),
        "token" => vec![library::token(table)],
        other => library::candidates(other, arguments, None)?,
    };
    if candidates.is_empty() {
        return Err(QueryError::Invalid(format!("Unknown function '{name}'")));
    }
    choose(scope, name, candidates, arguments)
}

/// Chooses among functions of one name.
pub fn choose(
    scope: Scope<'_>,
    name: &FunctionName,
    candidates: Vec<Function>,
    arguments: &[Argument<'_>],
) -> Result<Function, QueryError> {
    if let [only] = candidates.as_slice() {
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
        return Ok(only.clone());
    }
    let mut weak: Vec<&Function> = Vec::new();
    for candidate in &candidates {
        if candidate.arguments.len() != arguments.len() {
            continue;
        }
        let fits = candidate.arguments.iter().zip(arguments).map(|(ty, argument)| argument.fit(ty, scope));
        match fits.min().unwrap_or(Fit::Exact) {
            Fit::Exact => return Ok(candidate.clone()),
            Fit::Weak => weak.push(candidate),
            Fit::No => {}
        }
    }
    let signatures = |functions: &mut dyn Iterator<Item = &Function>| {
        functions.map(Function::signature).collect::<Vec<_>>().join(", ")
    };
    match weak.as_slice() {
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
