//! Parameters of functions that are made for their arguments' types: what fits, and the errors where it does not.

use model::{CqlType, QueryError};

use super::Call;

/// What a parameter takes.
pub enum Parameter {
    /// A value of any type.
    Any,
    /// A value of this type.
    Fixed(CqlType),
    /// Text or ascii.
    Text,
    /// A list, set or map.
    Collection,
    /// A list or set.
    SetOrList,
    /// A list or set of numbers.
    NumericSetOrList,
    /// A map.
    Map,
}

impl Parameter {
    /// As the signature shows it.
    fn name(&self) -> String {
        match self {
            Parameter::Any => "any".to_owned(),
            Parameter::Fixed(ty) => ty.cql_name(),
            Parameter::Text => "[text|varchar|ascii]".to_owned(),
            Parameter::Collection => "collection".to_owned(),
            // The server shows the same word for both.
            Parameter::SetOrList | Parameter::NumericSetOrList => "numeric_set_or_list".to_owned(),
            Parameter::Map => "map".to_owned(),
        }
    }

    fn accepts(&self, ty: &CqlType) -> bool {
        let numeric = |element: &CqlType| super::super::number::NUMERIC.contains(element);
        match (self, ty) {
            (Parameter::Any, _) => true,
            (Parameter::Fixed(wanted), given) => {
                wanted == given || *wanted == CqlType::Text && *given == CqlType::Ascii
            }
            (Parameter::Text, given) => matches!(given, CqlType::Text | CqlType::Ascii),
            (Parameter::Collection, given) => given.is_collection(),
            (Parameter::SetOrList, given) => matches!(given, CqlType::List { .. } | CqlType::Set { .. }),
            (Parameter::NumericSetOrList, CqlType::List { element, .. } | CqlType::Set { element, .. }) => {
                numeric(element)
            }
            (Parameter::NumericSetOrList, _) => false,
            (Parameter::Map, given) => matches!(given, CqlType::Map { .. }),
        }
    }

    fn wanted(&self) -> String {
        match self {
            Parameter::Any => "an argument".to_owned(),
            Parameter::Fixed(_) | Parameter::Text => format!("an argument of type {}", self.name()),
            Parameter::Collection => "a collection argument".to_owned(),
            Parameter::SetOrList => "a set or list argument".to_owned(),
            Parameter::NumericSetOrList => "a numeric set/list argument".to_owned(),
            Parameter::Map => "a map argument".to_owned(),
        }
    }
}

/// The types of a call's arguments, checked; the last `optional` parameters may be absent.
pub fn types(
    name: &str,
    parameters: &[Parameter],
    optional: usize,
    call: &Call<'_>,
) -> Result<Vec<CqlType>, QueryError> {
    let required = parameters.len() - optional;
    let given = call.arguments.len();
    if given < required || given > parameters.len() {
        return Err(QueryError::Invalid(format!(
            "Invalid number of arguments for function {}",
            signature(name, parameters, optional)
        )));
    }
    let mut types = Vec::with_capacity(given);
    for (argument, parameter) in call.arguments.iter().zip(parameters) {
        let known = argument.known_type(call.scope, call.in_selection);
        let ty = match (parameter, known) {
            (_, Some(ty)) => ty,
            (Parameter::Fixed(ty), None) => ty.clone(),
            (Parameter::Text, None) => CqlType::Text,
            (_, None) => return Err(unknown(argument, &signature(name, parameters, optional))),
        };
        if !parameter.accepts(&ty) {
            return Err(QueryError::Invalid(format!(
                "Function system.{name} requires {}, but found argument {argument} of type {}",
                parameter.wanted(),
                ty.cql_name()
            )));
        }
        types.push(match parameter {
            Parameter::Fixed(ty) => ty.clone(),
            _ => ty,
        });
    }
    Ok(types)
}

/// The error of an argument whose type nobody knows.
pub fn unknown(argument: &super::Argument<'_>, signature: &str) -> QueryError {
    QueryError::Invalid(format!(
        "Cannot infer type of argument {argument} in call to function {signature}: use type casts to disambiguate"
    ))
}

fn signature(name: &str, parameters: &[Parameter], optional: usize) -> String {
    let required = parameters.len() - optional;
    let shown = parameters.iter().enumerate().map(|(index, parameter)| {
        if index < required { parameter.name() } else { format!("[{}]", parameter.name()) }
    });
    format!("system.{name}({})", shown.collect::<Vec<_>>().join(", "))
}
