//! What a replica is asked for.

use std::sync::Arc;

use crate::key::{Bound, PartitionKey};
use crate::schema::Table;
use crate::token::Token;

/// Rows between two bounds, both included in their own way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// A start bound.
    pub start: Bound,
    /// An end bound.
    pub end: Bound,
}

impl Slice {
    /// True if a row whose clustering has these order bytes is in it.
    pub fn contains(&self, order: &[u8]) -> bool {
        *self.start.order < *order && *order < *self.end.order
    }
}

/// Slices of a partition: in clustering order, not overlapping. Empty: no rows (the static row only).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slices(pub Vec<Slice>);

impl Slices {
    /// The whole partition.
    pub fn all() -> Slices {
        Slices(vec![Slice { start: Bound::bottom(), end: Bound::top() }])
    }
}

/// Which partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionSelection {
    /// One partition.
    Key(PartitionKey),
    /// All partitions with `start < position <= end`, positions being token and key.
    Range {
        /// Exclusive; `None`: from the beginning of the ring.
        start: Option<Position>,
        /// Inclusive; `None`: to the end of the ring.
        end: Option<Position>,
    },
}

/// A place in the order of partitions: before or after everything of a token, or right after a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The token.
    pub token: Token,
    /// Where among the partitions of that token.
    pub place: Place,
}

/// Where among the partitions of one token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Before all of them.
    BeforeAll,
    /// Right at this key (inclusive as an end, exclusive as a start).
    Key(bytes::Bytes),
    /// After all of them.
    AfterAll,
}

/// A read of one table on one replica.
#[derive(Clone, Debug)]
pub struct ReadCommand {
    /// The table as of the schema version that the statement was bound to.
    pub table: Arc<Table>,
    /// Which partitions.
    pub partitions: PartitionSelection,
    /// Which rows of each.
    pub slices: Slices,
    /// Rows of each partition come in reverse clustering order.
    pub reversed: bool,
}
