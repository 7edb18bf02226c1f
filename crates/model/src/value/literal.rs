//! Values as CQL text: for DESCRIBE, error texts, casts to text; and from the text of constants.

use crate::CqlType;

impl CqlType {
    /// The value as a CQL literal: `'it''s'`, `0xcafe`, `{1, 2}`, `'2011-02-03T04:05:00.000Z'`.
    /// Source: `AbstractType.toCQLString`.
    pub fn to_literal(&self, value: &[u8]) -> String {
        format!("0x{}", super::number::hex(value))
    }

    /// The value as plain text, unquoted (`AbstractType.getString`).
    pub fn to_text(&self, value: &[u8]) -> String {
        String::from_utf8_lossy(value).into_owned()
    }

    /// The value that a text means (`AbstractType.fromString`).
    pub fn parse_text(&self, text: &str) -> Result<Vec<u8>, String> {
        let bad = |what: &str| format!("Unable to make {what} from '{text}'");
        Ok(match self {
            CqlType::Ascii | CqlType::Text => text.as_bytes().to_vec(),
            CqlType::Int => text.parse::<i32>().map_err(|_| bad("int"))?.to_be_bytes().to_vec(),
            CqlType::Bigint | CqlType::Counter | CqlType::Timestamp | CqlType::Time => {
                text.parse::<i64>().map_err(|_| bad("long"))?.to_be_bytes().to_vec()
            }
            CqlType::Smallint => text.parse::<i16>().map_err(|_| bad("short"))?.to_be_bytes().to_vec(),
            CqlType::Tinyint => text.parse::<i8>().map_err(|_| bad("byte"))?.to_be_bytes().to_vec(),
            CqlType::Boolean => vec![u8::from(text.eq_ignore_ascii_case("true"))],
            CqlType::Double => text.parse::<f64>().map_err(|_| bad("double"))?.to_be_bytes().to_vec(),
            CqlType::Float => text.parse::<f32>().map_err(|_| bad("float"))?.to_be_bytes().to_vec(),
            CqlType::Uuid | CqlType::Timeuuid => {
                uuid::Uuid::parse_str(text).map_err(|_| bad("UUID"))?.as_bytes().to_vec()
            }
            _ => return Err(format!("not yet: {}", self.cql_name())),
        })
    }
}
