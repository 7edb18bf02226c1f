//! `cast_as_<type>`: what `CAST(x AS type)` calls.

use model::{CqlType, QueryError};

use super::super::number::Number;
use super::super::temporal;
use super::{Function, of_one};

const NUMBERS: [CqlType; 9] = [
    CqlType::Bigint,
    CqlType::Double,
    CqlType::Varint,
    CqlType::Decimal,
    CqlType::Counter,
    CqlType::Tinyint,
    CqlType::Float,
    CqlType::Smallint,
    CqlType::Int,
];

/// What can be cast to text beside numbers.
const PRINTABLE: [CqlType; 7] = [
    CqlType::Boolean,
    CqlType::Date,
    CqlType::Inet,
    CqlType::Time,
    CqlType::Timestamp,
    CqlType::Timeuuid,
    CqlType::Uuid,
];

/// The casts to the type in that name.
pub fn functions(name: &str) -> Vec<Function> {
    let Some(target) = name.strip_prefix("cast_as_") else { return Vec::new() };
    let target = match target {
        "ascii" => CqlType::Ascii,
        "text" => CqlType::Text,
        "date" => CqlType::Date,
        "timestamp" => CqlType::Timestamp,
        other => match NUMBERS.iter().find(|ty| **ty != CqlType::Counter && ty.cql_name() == other) {
            Some(ty) => ty.clone(),
            None => return Vec::new(),
        },
    };
    match target {
        CqlType::Ascii | CqlType::Text => {
            let ascii = (target == CqlType::Text).then_some(CqlType::Ascii);
            let sources = NUMBERS.iter().chain(&PRINTABLE).cloned().chain(ascii);
            sources.map(|source| to_text(name, source, target.clone())).collect()
        }
        CqlType::Date => [CqlType::Timestamp, CqlType::Timeuuid]
            .map(|source| temporal::conversion(name, source, CqlType::Date))
            .to_vec(),
        CqlType::Timestamp => [CqlType::Timeuuid, CqlType::Date]
            .map(|source| temporal::conversion(name, source, CqlType::Timestamp))
            .to_vec(),
        _ => {
            let sources = NUMBERS.iter().filter(|source| **source != target);
            sources.map(|source| to_number(name, source.clone(), target.clone())).collect()
        }
    }
}

fn to_text(name: &str, source: CqlType, target: CqlType) -> Function {
    let from = if source == CqlType::Counter { CqlType::Bigint } else { source.clone() };
    of_one(name, source, target, move |bytes| {
        if bytes.is_empty() && !matches!(from, CqlType::Ascii) {
            return Ok(None);
        }
        Ok(Some(from.to_text(bytes).into()))
    })
}

fn to_number(name: &str, source: CqlType, target: CqlType) -> Function {
    let (from, to) = (source.clone(), target.clone());
    of_one(name, source, target, move |bytes| {
        let Some(number) = Number::read(&from, bytes) else { return Ok(None) };
        let failed = |text| QueryError::Server(format!("java.lang.NumberFormatException: {text}"));
        number.write(&to).map(|bytes| Some(bytes.into())).map_err(failed)
    })
}
