//! `mask_null`, `mask_default`, `mask_replace`, `mask_inner`, `mask_outer`, `mask_hash`.

use bytes::Bytes;
use md5::Md5;
use model::value::collection;
use model::{CqlType, QueryError, Value};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::super::temporal;
use super::parameter::{self, Parameter};
use super::{Call, Function};

/// The function of that name, for an argument of this type.
pub fn function(name: &str, call: &Call<'_>) -> Result<Option<Function>, QueryError> {
    Ok(Some(match name {
        "mask_null" => {
            let ty = parameter::types(name, &[Parameter::Any], 0, call)?.remove(0);
            Function::native(name, vec![ty.clone()], ty, |_, _| Ok(None))
        }
        "mask_default" => {
            let ty = parameter::types(name, &[Parameter::Any], 0, call)?.remove(0);
            let masked = default_value(&ty);
            Function::native(name, vec![ty.clone()], ty, move |_, _| Ok(masked.clone()))
        }
        "mask_replace" => {
            if call.arguments.len() != 2 {
                return Err(QueryError::invalid(
                    "Invalid number of arguments for function system.mask_replace(any, any)",
                ));
            }
            let first = Call { arguments: &call.arguments[..1], ..*call };
            let ty = parameter::types(name, &[Parameter::Any], 0, &first)?.remove(0);
            Function::native(name, vec![ty.clone(), ty.clone()], ty, |values, _| Ok(values[1].clone()))
        }
        "mask_inner" => partial(name, call, true)?,
        "mask_outer" => partial(name, call, false)?,
        "mask_hash" => {
            let parameters = [Parameter::Any, Parameter::Fixed(CqlType::Text)];
            let types = parameter::types(name, &parameters, 1, call)?;
            Function::native(name, types, CqlType::Blob, |values, _| hash(values))
        }
        _ => return Ok(None),
    }))
}

/// What `mask_default` shows for any value of a type.
fn default_value(ty: &CqlType) -> Value {
    let bytes = match ty {
        CqlType::Ascii | CqlType::Text => b"****".to_vec(),
        CqlType::Boolean | CqlType::Tinyint => vec![0],
        CqlType::Smallint => vec![0; 2],
        CqlType::Int | CqlType::Float | CqlType::Inet => vec![0; 4],
        CqlType::Bigint | CqlType::Counter | CqlType::Double | CqlType::Time | CqlType::Timestamp => {
            vec![0; 8]
        }
        CqlType::Date => vec![0x80, 0, 0, 0],
        CqlType::Decimal => vec![0; 5],
        CqlType::Varint => vec![0],
        CqlType::Duration => vec![0; 3],
        CqlType::Uuid => vec![0; 16],
        CqlType::Timeuuid => temporal::time_uuid(0, 0, 0x8080_8080_8080_8080),
        CqlType::List { .. } | CqlType::Set { .. } | CqlType::Map { .. } => collection::pack::<Bytes>(0, &[]),
        CqlType::Tuple(fields) => {
            collection::pack_tuple(&fields.iter().map(default_value).collect::<Vec<_>>())
        }
        CqlType::Udt { definition, .. } => {
            let fields: Vec<Value> = definition.fields.iter().map(|(_, ty)| default_value(ty)).collect();
            collection::pack_tuple(&fields)
        }
        CqlType::Vector { element, dimension } => {
            let parts = vec![default_value(element).unwrap_or_default(); *dimension as usize];
            collection::pack_vector(element, &parts)
        }
        CqlType::Blob | CqlType::Empty | CqlType::Custom(_) => Vec::new(),
    };
    Some(bytes.into())
}

/// Masks all characters but the first and last ones (`inner`), or only those.
fn partial(name: &str, call: &Call<'_>, inner: bool) -> Result<Function, QueryError> {
    let int = || Parameter::Fixed(CqlType::Int);
    let parameters = [Parameter::Text, int(), int(), Parameter::Fixed(CqlType::Text)];
    let types = parameter::types(name, &parameters, 1, call)?;
    let (result, shown) = (types[0].clone(), name.to_owned());
    Ok(Function::native(name, types, result, move |values, _| {
        let padding = padding(&shown, values.get(3).cloned().flatten())?;
        let Some(text) = &values[0] else { return Ok(None) };
        let text = String::from_utf8_lossy(text);
        let count = text.chars().count();
        let (begin, end) = (length(&values[1]), length(&values[2]));
        let masked = text.chars().enumerate().map(|(index, character)| {
            let is_outside = index < begin || index >= count.saturating_sub(end);
            if is_outside == inner { character } else { padding }
        });
        Ok(Some(masked.collect::<String>().into()))
    }))
}

fn length(value: &Value) -> usize {
    let bytes = value.as_ref().and_then(|bytes| bytes.as_ref().try_into().ok());
    bytes.map_or(0, |bytes| usize::try_from(i32::from_be_bytes(bytes)).unwrap_or(0))
}

fn padding(name: &str, value: Value) -> Result<char, QueryError> {
    let Some(value) = value else { return Ok('*') };
    let text = String::from_utf8_lossy(&value);
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(QueryError::Invalid(format!(
            "The padding argument for function system.{name} should be single-character, but '{text}' has {} \
             characters.",
            text.chars().count()
        ))),
    }
}

fn hash(values: &[Value]) -> Result<Value, QueryError> {
    let algorithm = match values.get(1).cloned().flatten() {
        Some(name) => String::from_utf8_lossy(&name).into_owned(),
        None => "SHA-256".to_owned(),
    };
    let Some(value) = &values[0] else { return Ok(None) };
    let digest = match algorithm.to_ascii_uppercase().as_str() {
        "MD5" => Md5::digest(value).to_vec(),
        "SHA-224" => Sha224::digest(value).to_vec(),
        "SHA-256" => Sha256::digest(value).to_vec(),
        "SHA-384" => Sha384::digest(value).to_vec(),
        "SHA-512" => Sha512::digest(value).to_vec(),
        _ => return Err(QueryError::Invalid(format!("Hash algorithm not found: {algorithm}"))),
    };
    Ok(Some(digest.into()))
}
