//! `int_as_blob`, `blob_as_int` and their old spellings, for every native type.

use model::{CqlType, QueryError};

use super::{Function, of_one};

const TYPES: [(&str, CqlType); 20] = [
    ("ascii", CqlType::Ascii),
    ("bigint", CqlType::Bigint),
    ("boolean", CqlType::Boolean),
    ("counter", CqlType::Counter),
    ("date", CqlType::Date),
    ("decimal", CqlType::Decimal),
    ("double", CqlType::Double),
    ("duration", CqlType::Duration),
    ("float", CqlType::Float),
    ("inet", CqlType::Inet),
    ("int", CqlType::Int),
    ("smallint", CqlType::Smallint),
    ("text", CqlType::Text),
    ("time", CqlType::Time),
    ("timestamp", CqlType::Timestamp),
    ("timeuuid", CqlType::Timeuuid),
    ("tinyint", CqlType::Tinyint),
    ("uuid", CqlType::Uuid),
    ("varchar", CqlType::Text),
    ("varint", CqlType::Varint),
];

/// The conversion of that name.
pub fn functions(name: &str) -> Vec<Function> {
    let find = |wanted: &str| TYPES.iter().find(|(ty, _)| *ty == wanted).map(|(_, ty)| ty.clone());
    let to_blob = name.strip_suffix("_as_blob").or_else(|| name.strip_suffix("asblob"));
    if let Some(ty) = to_blob.and_then(find) {
        return vec![of_one(name, ty, CqlType::Blob, |value| Ok(Some(value.clone())))];
    }
    let from_blob = name.strip_prefix("blob_as_").or_else(|| name.strip_prefix("blobas"));
    let Some(ty) = from_blob.and_then(find) else { return Vec::new() };
    let (target, function) = (ty.clone(), name.to_owned());
    vec![of_one(name, CqlType::Blob, ty, move |bytes| {
        // A counter's value is shown as a bigint; its context never leaves the node.
        let checked = if target == CqlType::Counter { &CqlType::Bigint } else { &target };
        checked.validate(bytes).map_err(|_| {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            QueryError::Invalid(format!(
                "In call to function system.{function}, value 0x{hex} is not a valid binary representation for type {}",
                target.cql_name()
            ))
        })?;
        Ok(Some(bytes.clone()))
    })]
}
