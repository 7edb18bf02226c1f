//! Values as CQL text: for DESCRIBE, error texts, casts to text; and from the text of constants.

use crate::CqlType;

impl CqlType {
    /// The value as a CQL literal: `'it''s'`, `0xcafe`, `{1, 2}`, `'2011-02-03T04:05:00.000Z'`.
    /// Source: `AbstractType.toCQLString`.
    pub fn to_literal(&self, value: &[u8]) -> String {
        let _ = value;
        todo!()
    }

    /// The value as plain text, unquoted (`AbstractType.getString`).
    pub fn to_text(&self, value: &[u8]) -> String {
        let _ = value;
        todo!()
    }

    /// The value that a text means (`AbstractType.fromString`): `'2011-02-03'` as a timestamp, `'127.0.0.1'`
    /// as an inet, `12` as an int ... Errors are Cassandra's texts, e.g. `Unable to make int from 'a'`.
    pub fn parse_text(&self, text: &str) -> Result<Vec<u8>, String> {
        let _ = text;
        todo!()
    }
}
