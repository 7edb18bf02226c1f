//! From JSON to a value's bytes.
//!
//! Error texts name Java's classes because Cassandra's do.

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::{Map, Number, Value as Json};

use crate::value::collection::{pack, pack_tuple, pack_vector};
use crate::value::literal::join;
use crate::value::number::{format_double, parse_bigint, unhex};
use crate::{CqlType, Value};

impl CqlType {
    /// The value that JSON means; `Ok(None)` for null. Errors are Cassandra's texts.
    ///
    /// Recursion goes as deep as the type.
    pub fn parse_json(&self, json: &Json) -> Result<Option<Vec<u8>>, String> {
        if json.is_null() {
            return Ok(None);
        }
        self.parse_present_json(json).map(Some)
    }

    fn parse_present_json(&self, json: &Json) -> Result<Vec<u8>, String> {
        let wrong = |wanted: &str| {
            Err(format!("Expected {wanted}, but got a {}: {}", java_class(json), java_text(json)))
        };
        match (self, json) {
            (CqlType::Blob | CqlType::Custom(_), _) => parse_blob(json),
            (CqlType::Varint | CqlType::Decimal, _) => self.parse_big_number(json),
            (CqlType::Counter, _) => Err("java.lang.UnsupportedOperationException".to_owned()),
            (CqlType::Empty, Json::String(text)) => self.parse_text(text),
            (CqlType::Empty, _) => Err(format!("Expected an empty string, but got: {}", java_text(json))),
            (CqlType::List { .. }, _) => self.parse_list(json),
            (CqlType::Set { .. }, _) => self.parse_list(json),
            (CqlType::Vector { .. }, _) => self.parse_list(json),
            (CqlType::Map { key, value, .. }, _) => parse_map(key, value, json),
            (CqlType::Tuple(types), _) => parse_tuple(types, json),
            (CqlType::Udt { definition, .. }, _) => parse_udt(&definition.name, &definition.fields, json),
            (_, Json::String(text)) => self.parse_text(text),
            (CqlType::Boolean, Json::Bool(value)) => Ok(vec![u8::from(*value)]),
            (CqlType::Int, Json::Number(_)) if java_class(json) == "Integer" => {
                self.parse_text(&java_text(json))
            }
            (CqlType::Bigint, Json::Number(_)) if matches!(java_class(json), "Integer" | "Long") => {
                self.parse_text(&java_text(json))
            }
            (CqlType::Smallint | CqlType::Tinyint, Json::Number(_)) => self.parse_text(&java_text(json)),
            (CqlType::Float, Json::Number(number)) => Ok((double_of(number) as f32).to_be_bytes().to_vec()),
            (CqlType::Double, Json::Number(number)) => Ok(double_of(number).to_be_bytes().to_vec()),
            (CqlType::Timestamp, Json::Number(_)) if java_class(json) == "Long" => {
                self.parse_text(&java_text(json))
            }
            (CqlType::Ascii, _) => wrong("an ascii string"),
            (CqlType::Text, _) => wrong("a UTF-8 string"),
            (CqlType::Boolean, _) => wrong("a boolean value"),
            (CqlType::Int, _) => wrong("an int value"),
            (CqlType::Bigint, _) => wrong("a bigint value"),
            (CqlType::Smallint, _) => wrong("a short value"),
            (CqlType::Tinyint, _) => wrong("a byte value"),
            (CqlType::Float, _) => wrong("a float value"),
            (CqlType::Double, _) => wrong("a double value"),
            (CqlType::Date, _) => wrong("a string representation of a date value"),
            (CqlType::Time, _) => wrong("a string representation of a time value"),
            (CqlType::Timestamp, _) => wrong("a long or a datestring representation of a timestamp value"),
            (CqlType::Duration, _) => wrong("a string representation of a duration"),
            (CqlType::Inet, _) => wrong("a string representation of an inet value"),
            (CqlType::Uuid, _) => wrong("a string representation of a uuid"),
            (CqlType::Timeuuid, _) => wrong("a string representation of a timeuuid"),
        }
    }

    fn parse_big_number(&self, json: &Json) -> Result<Vec<u8>, String> {
        let text = java_text(json);
        let is_number = json.is_number() || json.is_string();
        let may_be_empty = *self == CqlType::Decimal;
        if is_number
            && (may_be_empty || !text.is_empty())
            && let Ok(bytes) = self.parse_text(&text)
        {
            return Ok(bytes);
        }
        let name = if *self == CqlType::Varint { "varint" } else { "decimal" };
        Err(format!("Value '{text}' is not a valid representation of a {name} value"))
    }

    /// A list, set or vector.
    fn parse_list(&self, json: &Json) -> Result<Vec<u8>, String> {
        let decoded = decode_string(json)?;
        let json = decoded.as_ref().unwrap_or(json);
        let (element, wanted, kind) = match self {
            CqlType::Set { element, .. } => (element, "a list (representing a set)", "set"),
            CqlType::List { element, .. } | CqlType::Vector { element, .. } => (element, "a list", "list"),
            _ => unreachable!("called for these three"),
        };
        let Json::Array(items) = json else {
            return Err(format!("Expected {wanted}, but got a {}: {}", java_class(json), java_text(json)));
        };
        if let CqlType::Vector { dimension, .. } = self
            && items.len() != *dimension as usize
        {
            let given = items.len();
            let text = java_text(json);
            return Err(format!("List had incorrect size: expected {dimension} but given {given}; {text}"));
        }
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            let value = element.parse_json(item)?;
            values.push(value.ok_or_else(|| format!("Invalid null element in {kind}"))?);
        }
        if let CqlType::Set { .. } = self {
            values.sort_by(|a, b| element.compare(a, b));
            values.dedup_by(|a, b| element.compare(a, b) == Ordering::Equal);
        }
        Ok(match self {
            CqlType::Vector { .. } => pack_vector(element, &values),
            _ => pack(values.len(), &values),
        })
    }
}

fn parse_blob(json: &Json) -> Result<Vec<u8>, String> {
    let invalid =
        |why: String| format!("Value '{}' is not a valid blob representation: {why}", java_text(json));
    let Json::String(text) = json else {
        let class = match java_class(json) {
            class @ "BigInteger" => format!("java.math.{class}"),
            class @ ("ArrayList" | "LinkedHashMap") => format!("java.util.{class}"),
            class => format!("java.lang.{class}"),
        };
        return Err(invalid(format!(
            "class {class} cannot be cast to class java.lang.String ({class} and java.lang.String are in module \
             java.base of loader 'bootstrap')"
        )));
    };
    let digits = text
        .strip_prefix("0x")
        .ok_or_else(|| invalid(format!("String representation of blob is missing 0x prefix: {text}")))?;
    unhex(digits).ok_or_else(|| invalid(format!("cannot parse '{digits}' as hex bytes")))
}

fn parse_map(key_type: &CqlType, value_type: &CqlType, json: &Json) -> Result<Vec<u8>, String> {
    let decoded = decode_string(json)?;
    let object = object_of(decoded.as_ref().unwrap_or(json))?;
    let mut entries = Vec::with_capacity(object.len());
    for (key, value) in object {
        if value.is_null() {
            return Err("Invalid null value in map".to_owned());
        }
        let key = key_type.parse_present_json(&Json::String(key.clone()))?;
        entries.push((key, value_type.parse_present_json(value)?));
    }
    // Of keys that mean the same, the last counts: it is first after the reversal, and the sort is stable.
    entries.reverse();
    entries.sort_by(|(a, _), (b, _)| key_type.compare(a, b));
    entries.dedup_by(|(a, _), (b, _)| key_type.compare(a, b) == Ordering::Equal);
    let count = entries.len();
    let parts: Vec<Vec<u8>> = entries.into_iter().flat_map(|(key, value)| [key, value]).collect();
    Ok(pack(count, &parts))
}

fn parse_tuple(types: &[CqlType], json: &Json) -> Result<Vec<u8>, String> {
    let decoded = decode_string(json)?;
    let json = decoded.as_ref().unwrap_or(json);
    let Json::Array(items) = json else {
        let (class, text) = (java_class(json), java_text(json));
        return Err(format!("Expected a list representation of a tuple, but got a {class}: {text}"));
    };
    let complaint = match items.len().cmp(&types.len()) {
        Ordering::Greater => "contains extra items",
        Ordering::Less => "is missing items",
        Ordering::Equal => {
            let fields = items.iter().zip(types).map(|(item, ty)| nullable(ty, item));
            return Ok(pack_tuple(&fields.collect::<Result<Vec<_>, _>>()?));
        }
    };
    Err(format!("Tuple {complaint} (expected {}): {}", types.len(), java_text(json)))
}

/// Keys are field names: in any case, or exact in double quotes of their own.
fn parse_udt(name: &str, types: &[(Arc<str>, CqlType)], json: &Json) -> Result<Vec<u8>, String> {
    let decoded = decode_string(json)?;
    let object = object_of(decoded.as_ref().unwrap_or(json))?;
    let exact = |key: &str| match key.strip_prefix('"').and_then(|key| key.strip_suffix('"')) {
        Some(inner) => inner.to_owned(),
        None => key.to_lowercase(),
    };
    let given: Vec<(String, &Json)> = object.iter().map(|(key, value)| (exact(key), value)).collect();
    let mut fields: Vec<Value> = Vec::with_capacity(types.len());
    for (field, ty) in types {
        let value = given.iter().rfind(|(key, _)| **key == **field);
        fields.push(value.map_or(Ok(None), |(_, value)| nullable(ty, value))?);
    }
    match given.iter().find(|(key, _)| !types.iter().any(|(field, _)| **key == **field)) {
        Some((key, _)) => Err(format!("Unknown field '{key}' in value of user defined type {name}")),
        None => Ok(pack_tuple(&fields)),
    }
}

fn nullable(ty: &CqlType, json: &Json) -> Result<Value, String> {
    Ok(ty.parse_json(json)?.map(Into::into))
}

fn object_of(json: &Json) -> Result<&Map<String, Json>, String> {
    let wrong = || format!("Expected a map, but got a {}: {}", java_class(json), java_text(json));
    json.as_object().ok_or_else(wrong)
}

/// A collection may stand in a string (as map keys must): the JSON in it.
fn decode_string(json: &Json) -> Result<Option<Json>, String> {
    let Json::String(text) = json else { return Ok(None) };
    serde_json::from_str(text).map(Some).map_err(|error| format!("Error decoding JSON string: {error}"))
}

fn is_integer(number: &Number) -> bool {
    !number.as_str().contains(['.', 'e', 'E'])
}

/// Infinity for what is too big, as in Java; the integer -0 has no sign.
fn double_of(number: &Number) -> f64 {
    let value: f64 = number.as_str().parse().expect("a JSON number is a number");
    if is_integer(number) { value + 0.0 } else { value }
}

/// The class that Cassandra's JSON reader gives such a value.
fn java_class(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "Boolean",
        Json::String(_) => "String",
        Json::Array(_) => "ArrayList",
        Json::Object(_) => "LinkedHashMap",
        Json::Number(number) if !is_integer(number) => "Double",
        Json::Number(number) if number.as_str().parse::<i32>().is_ok() => "Integer",
        Json::Number(number) if number.as_str().parse::<i64>().is_ok() => "Long",
        Json::Number(_) => "BigInteger",
    }
}

/// The value as Java's `toString` shows it.
fn java_text(json: &Json) -> String {
    match json {
        Json::Null => "null".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::String(text) => text.clone(),
        Json::Array(items) => format!("[{}]", join(items.iter().map(java_text))),
        Json::Object(object) => {
            format!("{{{}}}", join(object.iter().map(|(key, value)| format!("{key}={}", java_text(value)))))
        }
        Json::Number(number) if is_integer(number) => {
            parse_bigint(number.as_str()).map_or_else(|| number.to_string(), |number| number.to_string())
        }
        Json::Number(number) => format_double(double_of(number)),
    }
}
