//! The vocabulary of the house: types and values, schema, keys, rows, mutations, and how they merge.
//!
//! Everything above speaks in these words. Values stay the bytes that came off the wire
//! ([`Value`]); a [`CqlType`] knows how to check, order and print them.
//!
//! Read in order: [`types`] (what a column can hold), [`schema`] (what there is), [`key`] (where a row
//! stands), [`row`] (what it holds), [`partition`] (rows and tombstones together, mutations), [`plain`] (rows in place),
//! [`merge`] (which of two versions wins), [`read`] (what a replica is asked for).
//!
//! Never here: I/O, clocks, randomness, async. Nothing here knows of nodes.

pub mod types;
pub mod value;

pub mod schema;

pub mod key;
pub mod token;

pub mod partition;
pub mod plain;
pub mod row;

pub mod merge;

pub mod codec;

pub mod bound;
pub mod counter;

pub mod error;
pub mod read;

pub use bound::BoundValue;
pub use error::QueryError;
pub use key::{Bound, BoundKind, Clustering, PartitionKey};
pub use partition::{Marker, Mutation, PartitionHeader, PartitionUpdate, RangeTombstone, Unfiltered};
pub use plain::{PlainCell, PlainParts, PlainRow};
pub use read::{PartitionSelection, ReadCommand, Slice, Slices};
pub use row::{Cell, ColumnData, DeletionTime, Liveness, Row};
pub use schema::{Column, ColumnId, ColumnKind, Keyspace, Schema, Table, TableId};
pub use token::{Token, TokenRange};
pub use types::{CqlType, UserType};

/// The serialised form of one CQL value, as it stands in a protocol frame: `None` is null.
pub type Value = Option<bytes::Bytes>;
