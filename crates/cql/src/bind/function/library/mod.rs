//! The native functions (`system.*`) of one value a row.
//!
//! Read in order: [`Call`] (what is called), [`candidates`] (which functions have that name), then a module for
//! each family.
//!
//! Never here: aggregates (`select`), operators (`operation`).

use model::{CqlType, QueryError, Value};

use super::{Argument, Function};
use crate::bind::Scope;

mod blob;
pub mod cast;
mod collection;
mod json;
mod mask;
mod math;
mod parameter;
mod time;
mod vector;

/// A call that is being resolved: some functions are made for the types of their arguments.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// What names mean.
    pub scope: Scope<'a>,
    /// The arguments.
    pub arguments: &'a [Argument<'a>],
    /// Type of where the result goes, if that is known.
    pub receiver: Option<&'a CqlType>,
    /// In the selection clause of a SELECT.
    pub in_selection: bool,
}

/// All native functions of that name.
pub fn candidates(name: &str, call: &Call<'_>) -> Result<Vec<Function>, QueryError> {
    let fixed = [time::functions(name), blob::functions(name), math::functions(name), cast::functions(name)];
    if let Some(functions) = fixed.into_iter().find(|functions| !functions.is_empty()) {
        return Ok(functions);
    }
    let made = match json::function(name, call)? {
        Some(function) => Some(function),
        None => match collection::function(name, call)? {
            Some(function) => Some(function),
            None => match vector::function(name, call)? {
                Some(function) => Some(function),
                None => mask::function(name, call)?,
            },
        },
    };
    Ok(made.into_iter().collect())
}

/// `token(..)` of a table: the token of its partition key columns' values.
pub fn token(table: &model::Table) -> Function {
    let types = table.partition_key.iter().map(|column| column.ty.clone()).collect();
    Function::native("token", types, CqlType::Bigint, |values, _| {
        let mut components = Vec::with_capacity(values.len());
        for value in values {
            let Some(bytes) = value else { return Ok(None) };
            // Alone it is hashed whatever its length; in a composite key its length has two bytes.
            if values.len() > 1 && bytes.len() > model::key::MAX_KEY_BYTES {
                return Err(QueryError::invalid("Key is too long for the token function"));
            }
            components.push(bytes.clone());
        }
        let key = model::PartitionKey::compose(&components);
        Ok(Some(model::Token::of(&key).0.to_be_bytes().to_vec().into()))
    })
}

/// A function of one argument that gives null for null.
fn of_one(
    name: &str,
    argument: CqlType,
    result: CqlType,
    body: impl Fn(&bytes::Bytes) -> Result<Value, QueryError> + Send + Sync + 'static,
) -> Function {
    Function::native(name, vec![argument], result, move |values, _| match &values[0] {
        Some(value) => body(value),
        None => Ok(None),
    })
}

/// Bytes that could not be taken apart although they were checked when they came in.
fn broken(text: String) -> QueryError {
    QueryError::Server(text)
}
