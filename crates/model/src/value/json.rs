//! Values as JSON, the way SELECT JSON prints and INSERT JSON reads them.

use crate::CqlType;

impl CqlType {
    /// The value as JSON text.
    pub fn to_json(&self, value: &[u8]) -> String {
        let _ = value;
        todo!()
    }

    /// The value that JSON means; `Ok(None)` for null. Errors are Cassandra's texts.
    pub fn parse_json(&self, json: &serde_json::Value) -> Result<Option<Vec<u8>>, String> {
        let _ = json;
        todo!()
    }
}
