//! Partitioners: the order of partitions in an SSTable, as comparison and as bytes.

use std::cmp::Ordering;

use bytes::Bytes;
use model::read::{Place, Position};
use model::value::comparable::{ROW_TERMINATOR, encode_partition_key, encode_prefix};
use model::{CqlType, PartitionKey, Token};

use crate::error::ReadError;
use crate::statistics::header::SerializationHeader;

/// Byte-comparable separators and ends of a decorated key. Source: `ByteSource.java`.
const NEXT_COMPONENT: u8 = 0x40;
const BEFORE_ALL: u8 = 0x20;
const AFTER_ALL: u8 = 0x60;

/// What stands before the short names in Statistics.db.
const PACKAGE: &str = "org.apache.cassandra.dht.";

/// In which order an SSTable's partitions stand.
///
/// Under any but Murmur3 a key's token is [`OTHER_TOKEN`], and [`Partitioner::compare`] is the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Partitioner {
    /// By token, then key: the only one that the engine serves.
    Murmur3,
    /// By the key's bytes.
    ByteOrdered,
    /// By the key's value of this type: tables behind secondary indexes.
    Local(CqlType),
}

/// The token of keys where the partitioner is not Murmur3.
pub const OTHER_TOKEN: Token = Token(0);

impl Partitioner {
    /// The partitioner of that class.
    pub(crate) fn from_class(class: &str, header: &SerializationHeader) -> Result<Partitioner, ReadError> {
        let unsupported = || ReadError::Unsupported { version: format!("partitioner {class}") };
        match class.strip_prefix(PACKAGE).ok_or_else(unsupported)? {
            "Murmur3Partitioner" => Ok(Partitioner::Murmur3),
            "ByteOrderedPartitioner" => Ok(Partitioner::ByteOrdered),
            "LocalPartitioner" => match CqlType::parse_class_name(&header.key_type) {
                Ok((ty, _)) => Ok(Partitioner::Local(ty)),
                Err(_) => Err(ReadError::Unsupported { version: format!("key type {}", header.key_type) }),
            },
            _ => Err(unsupported()),
        }
    }

    /// A partition key as it stands in files of this partitioner.
    pub fn key(&self, key: Bytes) -> PartitionKey {
        match self {
            Partitioner::Murmur3 => PartitionKey::new(key),
            _ => PartitionKey { token: OTHER_TOKEN, key },
        }
    }

    /// The order of two partitions in files.
    pub fn compare(&self, a: &PartitionKey, b: &PartitionKey) -> Ordering {
        match self {
            Partitioner::Murmur3 => a.cmp(b),
            Partitioner::ByteOrdered => a.key.cmp(&b.key),
            Partitioner::Local(_) => {
                let encode = |key| {
                    let mut out = Vec::new();
                    self.encode_key(key, &mut out);
                    out
                };
                encode(a).cmp(&encode(b))
            }
        }
    }

    /// Appends the byte-comparable form of a key's place.
    pub(crate) fn encode_key(&self, key: &PartitionKey, out: &mut Vec<u8>) {
        let ty = match self {
            Partitioner::Murmur3 => return encode_partition_key(key, out),
            Partitioner::ByteOrdered => &CqlType::Blob,
            Partitioner::Local(ty) => ty,
        };
        let component = |ty: &CqlType| (Some(key.key.clone()), (ty.clone(), false));
        let (values, types): (Vec<_>, Vec<_>) =
            [component(ty), component(&CqlType::Blob)].into_iter().unzip();
        encode_prefix(&values, &types, out);
        out.push(ROW_TERMINATOR);
    }

    /// The byte-comparable form of a position.
    pub(crate) fn encode_position(&self, position: &Position) -> Vec<u8> {
        let mut out = Vec::new();
        let place = match &position.place {
            Place::Key(key) => {
                self.encode_key(&PartitionKey { token: position.token, key: key.clone() }, &mut out);
                return out;
            }
            // Without tokens there is nothing before which to begin.
            _ if *self != Partitioner::Murmur3 => return out,
            Place::BeforeAll => BEFORE_ALL,
            Place::AfterAll => AFTER_ALL,
        };
        out.push(NEXT_COMPONENT);
        out.extend_from_slice(&((position.token.0 as u64) ^ (1 << 63)).to_be_bytes());
        out.push(place);
        out
    }

    /// True if the key comes after the position. Places before or after a token are only known to Murmur3.
    pub(crate) fn is_behind(&self, key: &PartitionKey, position: &Position) -> bool {
        match &position.place {
            Place::Key(place) => {
                let at = PartitionKey { token: position.token, key: place.clone() };
                self.compare(key, &at).is_gt()
            }
            Place::BeforeAll => key.token >= position.token,
            Place::AfterAll => key.token > position.token,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_keys_are_in_the_order_of_their_type() {
        let partitioner = Partitioner::Local(CqlType::Int);
        let key = |number: i32| partitioner.key(number.to_be_bytes().to_vec().into());
        assert!(partitioner.compare(&key(-1), &key(1)).is_lt());
        assert!(Partitioner::ByteOrdered.compare(&key(-1), &key(1)).is_gt());
        let text = Partitioner::Local(CqlType::Text);
        let mut encoded = Vec::new();
        text.encode_key(&text.key(Bytes::from_static(b"a")), &mut encoded);
        assert_eq!(encoded, [0x40, b'a', 0, 0x40, b'a', 0, 0x38]);
    }
}
