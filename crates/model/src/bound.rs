//! A value that came with a request for a bind marker.

use bytes::Bytes;

/// What a client sent for one marker, or what a term evaluated to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoundValue {
    /// No value: deletes.
    Null,
    /// Leaves what is there alone.
    Unset,
    /// A serialised value.
    Value(Bytes),
}

impl BoundValue {
    /// The bytes, if there is a value.
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            BoundValue::Value(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl From<Vec<u8>> for BoundValue {
    fn from(bytes: Vec<u8>) -> Self {
        BoundValue::Value(bytes.into())
    }
}

impl From<Option<Bytes>> for BoundValue {
    fn from(value: Option<Bytes>) -> Self {
        value.map_or(BoundValue::Null, BoundValue::Value)
    }
}
