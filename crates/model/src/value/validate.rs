//! Are these bytes a value of this type? Error texts are Cassandra's (`TypeSerializer.validate`).

use crate::CqlType;

impl CqlType {
    /// Checks the serialised value. The error is the text that a client gets after the column's name is known,
    /// e.g. `Expected 4 or 0 byte int (3)`.
    pub fn validate(&self, value: &[u8]) -> Result<(), String> {
        let _ = value;
        todo!()
    }
}
