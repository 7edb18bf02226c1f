//! Values as JSON, the way SELECT JSON prints and INSERT JSON reads them.

use super::literal::{array, integer, join};
use super::number::hex;
use super::order::{elements, fields, vector_elements};
use super::time::format_timestamp;
use crate::CqlType;

mod parse;

/// A JSON string, escaped as Jackson does: only what must be.
pub fn quote_json(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            control if control < ' ' => quoted.push_str(&format!("\\u{:04X}", u32::from(control))),
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

impl CqlType {
    /// The value as JSON text. An empty value of a type that has none is `""`, as in Cassandra; a field that a
    /// tuple lacks is null.
    pub fn to_json(&self, value: &[u8]) -> String {
        match self {
            CqlType::Ascii | CqlType::Text => quote_json(&String::from_utf8_lossy(value)),
            CqlType::Blob | CqlType::Custom(_) => format!("\"0x{}\"", hex(value)),
            CqlType::Udt { definition, .. } => {
                let mut given = fields(value);
                let shown = definition.fields.iter().map(|(name, ty)| {
                    let is_plain = !name.chars().any(char::is_uppercase);
                    let key = if is_plain { name.to_string() } else { format!("\"{name}\"") };
                    format!("{}: {}", quote_json(&key), ty.to_nullable_json(given.next().flatten()))
                });
                format!("{{{}}}", join(shown))
            }
            CqlType::Tuple(types) => {
                let mut given = fields(value);
                format!("[{}]", join(types.iter().map(|ty| ty.to_nullable_json(given.next().flatten()))))
            }
            _ if value.is_empty() => "\"\"".to_owned(),
            CqlType::List { element, .. } | CqlType::Set { element, .. } => {
                format!("[{}]", join(elements(value).map(|each| element.to_nullable_json(each))))
            }
            CqlType::Map { key, value: of, .. } => {
                let mut parts = elements(value);
                let shown = std::iter::from_fn(|| {
                    let (one, two) =
                        (key.to_nullable_json(parts.next()?), of.to_nullable_json(parts.next()?));
                    let one = if one.starts_with('"') { one } else { quote_json(&one) };
                    Some(format!("{one}: {two}"))
                });
                format!("{{{}}}", join(shown))
            }
            CqlType::Vector { element, dimension } => {
                format!(
                    "[{}]",
                    join(vector_elements(value, element, *dimension).map(|each| element.to_json(each)))
                )
            }
            CqlType::Timestamp => match array(value) {
                Some(bytes) => quote_json(&format_timestamp(i64::from_be_bytes(bytes), ' ')),
                None => quote_json(&hex(value)),
            },
            CqlType::Counter => integer(value).map_or_else(|| quote_json(&hex(value)), |n| n.to_string()),
            CqlType::Float | CqlType::Double => match self.to_text(value) {
                text if text.ends_with(['N', 'y']) => "null".to_owned(),
                text => text,
            },
            CqlType::Bigint
            | CqlType::Int
            | CqlType::Smallint
            | CqlType::Tinyint
            | CqlType::Boolean
            | CqlType::Varint
            | CqlType::Decimal => self.to_text(value),
            CqlType::Date
            | CqlType::Time
            | CqlType::Duration
            | CqlType::Inet
            | CqlType::Uuid
            | CqlType::Timeuuid
            | CqlType::Empty => quote_json(&self.to_text(value)),
        }
    }

    fn to_nullable_json(&self, value: Option<&[u8]>) -> String {
        value.map_or_else(|| "null".to_owned(), |value| self.to_json(value))
    }
}
