//! Partitions: rows and range tombstones together, as they are written and as they are read.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::key::{Bound, PartitionKey};
use crate::plain::{PlainParts, PlainRow};
use crate::row::{DeletionTime, Row};
use crate::schema::Table;

/// The deletion of all rows between two bounds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RangeTombstone {
    /// A start bound.
    pub start: Bound,
    /// An end bound, after `start`.
    pub end: Bound,
    /// When.
    pub deletion: DeletionTime,
}

/// A change of one partition, or all that one source knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionUpdate {
    /// Deletion of the whole partition.
    pub deletion: DeletionTime,
    /// Its static row.
    pub static_row: Option<Row>,
    /// Rows, strictly ascending.
    pub rows: Vec<Row>,
    /// Range tombstones, ascending by start; they may overlap.
    pub range_tombstones: Vec<RangeTombstone>,
}

impl Default for PartitionUpdate {
    fn default() -> Self {
        PartitionUpdate {
            deletion: DeletionTime::LIVE,
            static_row: None,
            rows: Vec::new(),
            range_tombstones: Vec::new(),
        }
    }
}

/// A change sent to the replicas of one partition of one table. Applied whole or not at all.
#[derive(Clone, Debug)]
pub struct Mutation {
    /// The table as of the schema version that the statement was bound to.
    pub table: Arc<Table>,
    /// Which partition.
    pub key: PartitionKey,
    /// What changes.
    pub update: PartitionUpdate,
}

/// One side of a range tombstone, or two that meet, in a partition's stream.
///
/// In the direction of the stream: `close` ends there, `open` begins there; at least one is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The place: for a boundary the kind of its closing side (in stream direction).
    pub bound: Bound,
    /// The deletion that ends here.
    pub close: Option<DeletionTime>,
    /// The deletion that begins here.
    pub open: Option<DeletionTime>,
}

/// One element of a partition's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfiltered {
    /// A row.
    Row(Row),
    /// A range tombstone's side.
    Marker(Marker),
}

impl Unfiltered {
    /// Byte-comparable place in the partition.
    pub fn order(&self) -> &[u8] {
        match self {
            Unfiltered::Row(row) => &row.clustering.order,
            Unfiltered::Marker(marker) => &marker.bound.order,
        }
    }
}

/// What a partition has once: key, deletion, static row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionHeader {
    /// Which partition.
    pub key: PartitionKey,
    /// Deletion of the whole partition.
    pub deletion: DeletionTime,
    /// Its static row.
    pub static_row: Option<Row>,
}

/// Why a source of rows could not go on (a corrupt file, a disk error): shown to the client as a read failure.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Who looks at rows in place. The row at which it breaks is taken too.
pub type TakePlain<'t> = &'t mut dyn FnMut(&PlainRow<'_>) -> ControlFlow<()>;

/// One source's view of one partition: the header, then its unfiltereds in clustering order (or its
/// reverse), range tombstones clipped to the slices asked for.
pub trait PartitionStream: Send {
    /// Key, partition deletion, static row.
    fn header(&self) -> &PartitionHeader;
    /// The next row or marker, `None` at the end.
    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError>;

    /// Gives `take` the rows that come next in place, as long as they are plain, nothing shadows them and `take` goes on;
    /// returns how many. What comes then is left to [`PartitionStream::next`]. Both give the same rows, in any mixture.
    fn plain_rows(&mut self, parts: &mut PlainParts, take: TakePlain<'_>) -> Result<u64, SourceError> {
        let _ = (parts, take);
        Ok(0)
    }
}

/// A source's partitions in token order.
pub trait PartitionIterator: Send {
    /// The next partition, `None` at the end. What is left of the previous one is skipped.
    fn next_partition(&mut self) -> Result<Option<Box<dyn PartitionStream>>, SourceError>;
}
