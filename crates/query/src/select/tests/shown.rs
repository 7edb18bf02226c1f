//! Values as `record_select.py` writes them down: no reader of the product takes part.

use bytes::Bytes;
use cql::bind::function::decimal::Decimal;
use model::value::collection;
use model::{CqlType, Value};
use num_bigint::BigInt;
use uuid::Uuid;

/// The type without "frozen", which a result's metadata does not carry.
pub fn type_name(ty: &CqlType) -> String {
    match ty {
        CqlType::List { element, .. } => format!("list<{}>", type_name(element)),
        CqlType::Set { element, .. } => format!("set<{}>", type_name(element)),
        CqlType::Map { key, value, .. } => format!("map<{}, {}>", type_name(key), type_name(value)),
        CqlType::Tuple(fields) => {
            format!("tuple<{}>", fields.iter().map(type_name).collect::<Vec<_>>().join(", "))
        }
        CqlType::Vector { element, dimension } => format!("vector<{}, {dimension}>", type_name(element)),
        CqlType::Udt { definition, .. } => definition.name.to_string(),
        other => other.cql_name(),
    }
}

pub fn value(ty: &CqlType, value: &Value) -> String {
    match value {
        Some(bytes) => present(ty, bytes),
        None => "null".to_owned(),
    }
}

fn present(ty: &CqlType, bytes: &Bytes) -> String {
    let all = |ty: &CqlType| {
        // A list of write times may have nulls in it, which no reader of the product takes.
        let mut rest = bytes.slice(4..);
        let mut shown = Vec::new();
        while !rest.is_empty() {
            let length = i32::from_be_bytes(rest.split_to(4).as_ref().try_into().expect("four bytes"));
            shown.push(value(ty, &usize::try_from(length).ok().map(|length| rest.split_to(length))));
        }
        shown.join(", ")
    };
    match ty {
        CqlType::Text | CqlType::Ascii => format!("'{}'", String::from_utf8_lossy(bytes)),
        CqlType::List { element, .. } => {
            format!("[{}]", all(element))
        }
        CqlType::Set { element, .. } => {
            format!("{{{}}}", all(element))
        }
        CqlType::Map { key, value, .. } => {
            let entries = collection::unpack_map(bytes).expect("a map");
            let shown = entries.iter().map(|(k, v)| format!("{}: {}", present(key, k), present(value, v)));
            format!("{{{}}}", shown.collect::<Vec<_>>().join(", "))
        }
        CqlType::Tuple(types) => fields(&mut types.iter(), bytes),
        CqlType::Udt { definition, .. } => fields(&mut definition.fields.iter().map(|(_, ty)| ty), bytes),
        _ if bytes.is_empty() => "empty".to_owned(),
        CqlType::Int
        | CqlType::Bigint
        | CqlType::Smallint
        | CqlType::Tinyint
        | CqlType::Counter
        | CqlType::Timestamp
        | CqlType::Time
        | CqlType::Varint => BigInt::from_signed_bytes_be(bytes).to_string(),
        CqlType::Date => {
            let days = u32::from_be_bytes(bytes.as_ref().try_into().expect("four bytes"));
            (i64::from(days) - (1 << 31)).to_string()
        }
        CqlType::Boolean => (bytes[0] != 0).to_string(),
        CqlType::Decimal => {
            let number = Decimal::from_bytes(bytes).expect("a decimal");
            format!("{}e{}", number.unscaled, -number.scale)
        }
        CqlType::Uuid | CqlType::Timeuuid => Uuid::from_slice(bytes).expect("16 bytes").to_string(),
        CqlType::Duration => {
            let (mut rest, mut parts) = (&bytes[..], Vec::new());
            while !rest.is_empty() {
                let (raw, taken) = stdx::vint::read_unsigned_vint(rest).expect("a vint");
                rest = &rest[taken..];
                parts.push(((raw >> 1) as i64 ^ -((raw & 1) as i64)).to_string());
            }
            parts.join("/")
        }
        _ => format!("0x{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

fn fields(types: &mut dyn Iterator<Item = &CqlType>, bytes: &Bytes) -> String {
    let types: Vec<&CqlType> = types.collect();
    let fields = collection::unpack_tuple(bytes, types.len()).expect("a tuple");
    let shown: Vec<String> = types.iter().zip(&fields).map(|(ty, field)| value(ty, field)).collect();
    format!("({})", shown.join(", "))
}
