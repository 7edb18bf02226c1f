//! `similarity_cosine`, `similarity_euclidean`, `similarity_dot_product` of two float vectors.

use bytes::Bytes;
use model::value::collection;
use model::{CqlType, QueryError};

use super::{Argument, Call, Function, broken, parameter};
use crate::ast::Term;

/// The function of that name, for vectors of this dimension.
pub fn function(name: &str, call: &Call<'_>) -> Result<Option<Function>, QueryError> {
    let similarity: fn(&str, &[f32], &[f32]) -> Result<f32, QueryError> = match name {
        "similarity_cosine" => cosine,
        "similarity_euclidean" => |_, a, b| {
            let distance: f32 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
            Ok(1.0 / (1.0 + distance))
        },
        "similarity_dot_product" => |_, a, b| Ok((1.0 + dot(a, b)) / 2.0),
        _ => return Ok(None),
    };
    let ty = vector_type(name, call)?;
    let (argument, shown) = (ty.clone(), name.to_owned());
    Ok(Some(Function::native(name, vec![ty.clone(), ty], CqlType::Float, move |values, _| {
        let (Some(a), Some(b)) = (&values[0], &values[1]) else { return Ok(None) };
        let result = similarity(&shown, &floats(&argument, a)?, &floats(&argument, b)?)?;
        Ok(Some(result.to_be_bytes().to_vec().into()))
    })))
}

/// The type of both arguments.
fn vector_type(name: &str, call: &Call<'_>) -> Result<CqlType, QueryError> {
    let signature = format!("system.{name}(vector<float, n>, vector<float, n>)");
    if call.arguments.len() != 2 {
        return Err(QueryError::Invalid(format!("Invalid number of arguments for function {signature}")));
    }
    let mut found: Option<CqlType> = None;
    for argument in call.arguments {
        let ty = match argument {
            Argument::Term(Term::List(elements)) if call.in_selection => {
                let dimension = u32::try_from(elements.len()).unwrap_or(u32::MAX);
                Some(CqlType::vector(CqlType::Float, dimension))
            }
            other => other.known_type(call.scope, call.in_selection),
        };
        let Some(ty) = ty else { continue };
        let is_vector = matches!(&ty, CqlType::Vector { element, .. } if **element == CqlType::Float);
        if !is_vector {
            return Err(QueryError::Invalid(format!(
                "Function system.{name} requires a float vector argument, but found argument {argument} of type {}",
                ty.cql_name()
            )));
        }
        if found.as_ref().is_some_and(|found| *found != ty) {
            return Err(QueryError::invalid("All arguments must have the same vector dimensions"));
        }
        found = Some(ty);
    }
    found.ok_or_else(|| parameter::unknown(&call.arguments[0], &signature))
}

fn floats(ty: &CqlType, value: &Bytes) -> Result<Vec<f32>, QueryError> {
    let CqlType::Vector { element, dimension } = ty else { return Ok(Vec::new()) };
    let parts = collection::unpack_vector(value, element, *dimension).map_err(broken)?;
    Ok(parts.iter().map(|part| part.as_ref().try_into().map_or(0.0, f32::from_be_bytes)).collect())
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn cosine(name: &str, a: &[f32], b: &[f32]) -> Result<f32, QueryError> {
    let is_zero = |vector: &[f32]| vector.iter().all(|part| *part == 0.0);
    if is_zero(a) || is_zero(b) {
        return Err(QueryError::Invalid(format!("Function system.{name} doesn't support all-zero vectors.")));
    }
    let norms = f64::from(dot(a, a)) * f64::from(dot(b, b));
    Ok((1.0 + (f64::from(dot(a, b)) / norms.sqrt()) as f32) / 2.0)
}
