//! `map_keys`, `map_values` and what is counted, found or summed up inside one collection.

use bytes::Bytes;
use model::value::collection;
use model::{CqlType, QueryError};

use super::super::total::{Total, Want};
use super::parameter::{self, Parameter};
use super::{Call, Function, broken, of_one};

/// The function of that name, for a collection of this type.
pub fn function(name: &str, call: &Call<'_>) -> Result<Option<Function>, QueryError> {
    let parameter = match name {
        "map_keys" | "map_values" => Parameter::Map,
        "collection_count" => Parameter::Collection,
        "collection_min" | "collection_max" => Parameter::SetOrList,
        "collection_sum" | "collection_avg" => Parameter::NumericSetOrList,
        _ => return Ok(None),
    };
    let ty = parameter::types(name, &[parameter], 0, call)?.remove(0);
    Ok(Some(match name {
        "map_keys" | "map_values" => of_map(name, ty),
        "collection_count" => of_one(name, ty.clone(), CqlType::Int, move |value| {
            let count = elements(&ty, value)?.len() as i32;
            Ok(Some(count.to_be_bytes().to_vec().into()))
        }),
        "collection_min" => extreme(name, ty, std::cmp::Ordering::Less),
        "collection_max" => extreme(name, ty, std::cmp::Ordering::Greater),
        _ => {
            let want = if name == "collection_sum" { Want::Sum } else { Want::Average };
            let element = element_type(&ty);
            of_one(name, ty.clone(), element.clone(), move |value| {
                let mut total = Total::new(want, &element);
                for part in elements(&ty, value)? {
                    total.add(&part).map_err(broken)?;
                }
                Ok(Some(total.result().map_err(broken)?.into()))
            })
        }
    }))
}

fn of_map(name: &str, ty: CqlType) -> Function {
    let CqlType::Map { key, value, .. } = &ty else {
        // The parameter takes maps only.
        return of_one(name, ty.clone(), ty, |value| Ok(Some(value.clone())));
    };
    let keys = name == "map_keys";
    let result = if keys {
        CqlType::set(CqlType::clone(key), false)
    } else {
        CqlType::list(CqlType::clone(value), false)
    };
    of_one(name, ty.clone(), result, move |map| {
        let entries = collection::unpack_map(map).map_err(broken)?;
        let parts: Vec<Bytes> =
            entries.into_iter().map(|(key, value)| if keys { key } else { value }).collect();
        Ok(Some(collection::pack(parts.len(), &parts).into()))
    })
}

fn extreme(name: &str, ty: CqlType, wanted: std::cmp::Ordering) -> Function {
    let element = element_type(&ty);
    of_one(name, ty.clone(), element.clone(), move |value| {
        let mut best: Option<Bytes> = None;
        for part in elements(&ty, value)? {
            if best.as_ref().is_none_or(|best| element.compare(&part, best) == wanted) {
                best = Some(part);
            }
        }
        Ok(best)
    })
}

fn element_type(ty: &CqlType) -> CqlType {
    match ty {
        CqlType::List { element, .. } | CqlType::Set { element, .. } => CqlType::clone(element),
        other => other.clone(),
    }
}

/// Elements of a list or set, values of a map.
fn elements(ty: &CqlType, value: &Bytes) -> Result<Vec<Bytes>, QueryError> {
    match ty {
        CqlType::Map { .. } => {
            let entries = collection::unpack_map(value).map_err(broken)?;
            Ok(entries.into_iter().map(|(_, value)| value).collect())
        }
        _ => collection::unpack_list(value).map_err(broken),
    }
}
