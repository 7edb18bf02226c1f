//! Keys: which partition, and where in it.
//!
//! Both kinds of clustering position carry their *order bytes*: the byte-comparable form
//! (`formats: OSS50`), so that any two positions of one table compare by `memcmp` alone, in memory, in
//! merges and in trie indexes.

use std::cmp::Ordering;

use bytes::Bytes;

use crate::token::Token;
use crate::{CqlType, Value};

/// Longest partition key and longest clustering value, in bytes.
pub const MAX_KEY_BYTES: usize = 65_535;

/// A partition key with its token: the order of partitions everywhere (token, then key bytes).
///
/// `key` is the serialised form: the only component's bytes, or for several components, of each
/// its length (2 bytes), its bytes and a zero byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PartitionKey {
    /// Place on the ring.
    pub token: Token,
    /// Serialised key, 1 to 65,535 bytes.
    pub key: Bytes,
}

impl PartitionKey {
    /// The key of one component, or an already composed one.
    pub fn new(key: Bytes) -> PartitionKey {
        PartitionKey { token: Token::of(&key), key }
    }

    /// Joins the components of a partition key into its serialised form.
    pub fn compose<C: AsRef<[u8]>>(components: &[C]) -> Vec<u8> {
        if let [only] = components {
            return only.as_ref().to_vec();
        }
        let mut key = Vec::with_capacity(components.iter().map(|c| c.as_ref().len() + 3).sum());
        for component in components {
            let component = component.as_ref();
            let bytes = u16::try_from(component.len()).expect("checked against MAX_KEY_BYTES");
            key.extend_from_slice(&bytes.to_be_bytes());
            key.extend_from_slice(component);
            key.push(0);
        }
        key
    }

    /// Splits the key into its `count` components; `None` if the bytes are no such key.
    pub fn components(&self, count: usize) -> Option<Vec<Bytes>> {
        if count == 1 {
            return Some(vec![self.key.clone()]);
        }
        let mut components = Vec::with_capacity(count);
        let mut rest = self.key.clone();
        for _ in 0..count {
            if rest.len() < 3 {
                return None;
            }
            let bytes = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
            if rest.len() < bytes + 3 {
                return None;
            }
            components.push(rest.slice(2..2 + bytes));
            rest = rest.slice(bytes + 3..);
        }
        rest.is_empty().then_some(components)
    }
}

impl PartialOrd for PartitionKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PartitionKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.token.cmp(&other.token).then_with(|| self.key.cmp(&other.key))
    }
}

/// The clustering of one row: the values of all clustering columns, in order.
///
/// Of a table without clustering columns, and of a static row, it is [`Clustering::EMPTY`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Clustering {
    /// One value per clustering column; null only in legacy compact tables.
    pub values: Vec<Value>,
    /// Byte-comparable form of all values including the final row terminator.
    pub order: Bytes,
}

impl Clustering {
    /// The clustering of a row where there are no clustering columns, and of every static row.
    pub const EMPTY: Clustering = Clustering {
        values: Vec::new(),
        order: Bytes::from_static(&[crate::value::comparable::ROW_TERMINATOR]),
    };

    /// A clustering of these values under these columns' types (`reversed` per column for DESC).
    pub fn new(values: Vec<Value>, types: &[(CqlType, bool)]) -> Clustering {
        Clustering::encoded(values, |values, order| {
            crate::value::comparable::encode_prefix(values, types, order);
        })
    }

    /// A clustering of these values in these columns, of which there may be more.
    pub fn of_columns(values: Vec<Value>, columns: &[crate::Column]) -> Clustering {
        assert!(values.len() <= columns.len(), "{} values for {} columns", values.len(), columns.len());
        Clustering::encoded(values, |values, order| {
            for (value, column) in values.iter().zip(columns) {
                let value = value.as_deref();
                crate::value::comparable::encode_clustering_value(value, &column.ty, column.reversed, order);
            }
        })
    }

    fn encoded(values: Vec<Value>, encode: impl FnOnce(&[Value], &mut Vec<u8>)) -> Clustering {
        if values.is_empty() {
            return Clustering::EMPTY;
        }
        // What most types take, to the byte: then the bytes need no second allocation.
        let bytes: usize = values.iter().flatten().map(|value| value.len() + 1).sum();
        let mut order = Vec::with_capacity(bytes + 1);
        encode(&values, &mut order);
        order.push(crate::value::comparable::ROW_TERMINATOR);
        Clustering { values, order: order.into() }
    }
}

impl Default for Clustering {
    fn default() -> Self {
        Clustering::EMPTY
    }
}

impl PartialOrd for Clustering {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Clustering {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.cmp(&other.order)
    }
}

/// What a bound includes. The numbers are Cassandra's (`ClusteringPrefix.Kind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum BoundKind {
    /// Ends before the prefix.
    ExclusiveEnd = 0,
    /// Starts with the prefix.
    InclusiveStart = 1,
    /// Ends with the prefix.
    InclusiveEnd = 6,
    /// Starts after the prefix.
    ExclusiveStart = 7,
}

impl BoundKind {
    /// True for the two kinds that open a range.
    pub fn is_start(self) -> bool {
        matches!(self, BoundKind::InclusiveStart | BoundKind::ExclusiveStart)
    }

    /// True if rows that equal or extend the prefix belong to the range.
    pub fn is_inclusive(self) -> bool {
        matches!(self, BoundKind::InclusiveStart | BoundKind::InclusiveEnd)
    }

    /// True if the bound stands before the rows that equal or extend its prefix.
    pub fn is_before(self) -> bool {
        matches!(self, BoundKind::ExclusiveEnd | BoundKind::InclusiveStart)
    }

    /// The kind at the same place on the other side: an end that meets this start, or the reverse.
    pub fn invert(self) -> BoundKind {
        match self {
            BoundKind::ExclusiveEnd => BoundKind::InclusiveStart,
            BoundKind::InclusiveStart => BoundKind::ExclusiveEnd,
            BoundKind::InclusiveEnd => BoundKind::ExclusiveStart,
            BoundKind::ExclusiveStart => BoundKind::InclusiveEnd,
        }
    }
}

/// A place between rows: before or after all rows that begin with a prefix of clustering values.
///
/// Two bounds at one place (an exclusive end and an inclusive start of one prefix) are equal in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bound {
    /// What it includes.
    pub kind: BoundKind,
    /// The first clustering values, at most all of them.
    pub values: Vec<Value>,
    /// Byte-comparable form including the final before/after byte.
    pub order: Bytes,
}

impl Bound {
    /// A bound at this prefix.
    pub fn new(kind: BoundKind, values: Vec<Value>, types: &[(CqlType, bool)]) -> Bound {
        let mut order = Vec::with_capacity(16 * values.len() + 1);
        crate::value::comparable::encode_prefix(&values, types, &mut order);
        order.push(crate::value::comparable::bound_terminator(kind));
        Bound { kind, values, order: order.into() }
    }

    /// Before all rows.
    pub fn bottom() -> Bound {
        Bound { kind: BoundKind::InclusiveStart, values: Vec::new(), order: Bytes::from_static(&[0x20]) }
    }

    /// After all rows.
    pub fn top() -> Bound {
        Bound { kind: BoundKind::InclusiveEnd, values: Vec::new(), order: Bytes::from_static(&[0x60]) }
    }

    /// The same place seen from the other side.
    pub fn invert(&self) -> Bound {
        Bound { kind: self.kind.invert(), ..self.clone() }
    }
}
