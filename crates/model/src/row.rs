//! Rows, cells and deletions: what stands at one place of a partition.

use bytes::Bytes;

use crate::key::Clustering;
use crate::schema::ColumnId;

/// No timestamp: older than all that was ever written.
pub const NO_TIMESTAMP: i64 = i64::MIN;
/// No time to live.
pub const NO_TTL: i32 = 0;
/// Not deleted and not expiring. Local deletion times are unsigned seconds since 1970 (`oa`/`da` files).
pub const NO_DELETION_TIME: u32 = u32::MAX;
/// The TTL of a row marker that is known to be expired already (views).
pub const EXPIRED_TTL: i32 = i32::MAX;
/// Longest TTL a client may ask for: 20 years, in seconds.
pub const MAX_TTL_S: i32 = 630_720_000;

/// When something was deleted: it shadows all data with a timestamp at or below its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeletionTime {
    /// Write time of the deletion, microseconds; `NO_TIMESTAMP` if there is none.
    pub timestamp_us: i64,
    /// Second at which it was made, for its later purge; `NO_DELETION_TIME` if there is none.
    pub local_deletion_s: u32,
}

impl DeletionTime {
    /// Nothing was deleted.
    pub const LIVE: DeletionTime =
        DeletionTime { timestamp_us: NO_TIMESTAMP, local_deletion_s: NO_DELETION_TIME };

    /// True if nothing was deleted.
    pub fn is_live(&self) -> bool {
        self.timestamp_us == NO_TIMESTAMP
    }

    /// True if data written at `timestamp_us` is deleted by this.
    pub fn deletes(&self, timestamp_us: i64) -> bool {
        !self.is_live() && timestamp_us <= self.timestamp_us
    }

    /// True if this deletion wins over `other`: later timestamp, then later local time.
    pub fn supersedes(&self, other: &DeletionTime) -> bool {
        if self.timestamp_us != other.timestamp_us {
            return self.timestamp_us > other.timestamp_us;
        }
        !self.is_live() && self.local_deletion_s > other.local_deletion_s
    }

    /// The one of the two that wins.
    pub fn max(self, other: DeletionTime) -> DeletionTime {
        if other.supersedes(&self) { other } else { self }
    }
}

/// The row marker that an INSERT leaves: it keeps a row alive that has no live cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Liveness {
    /// Write time, microseconds; `NO_TIMESTAMP` if the row has no marker.
    pub timestamp_us: i64,
    /// Time to live in seconds, or `NO_TTL`.
    pub ttl_s: i32,
    /// Second at which it expires, or `NO_DELETION_TIME`.
    pub local_deletion_s: u32,
}

impl Liveness {
    /// No marker.
    pub const NONE: Liveness =
        Liveness { timestamp_us: NO_TIMESTAMP, ttl_s: NO_TTL, local_deletion_s: NO_DELETION_TIME };

    /// True if the row has no marker.
    pub fn is_none(&self) -> bool {
        self.timestamp_us == NO_TIMESTAMP
    }

    /// True if it has a time to live.
    pub fn is_expiring(&self) -> bool {
        self.ttl_s != NO_TTL
    }

    /// True if there is a marker and it has not expired at `now_s`.
    pub fn is_live(&self, now_s: u32) -> bool {
        !self.is_none()
            && (!self.is_expiring() || (self.ttl_s != EXPIRED_TTL && now_s < self.local_deletion_s))
    }
}

/// One value with the times that decide which version wins. A tombstone has a local deletion time and no
/// TTL; an expiring cell has both; a plain cell neither.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    /// Write time, microseconds.
    pub timestamp_us: i64,
    /// Time to live in seconds, or `NO_TTL`.
    pub ttl_s: i32,
    /// Second of deletion or expiry, or `NO_DELETION_TIME`.
    pub local_deletion_s: u32,
    /// The serialised value; empty in a tombstone (and in a set's element, whose value is its path).
    pub value: Bytes,
}

impl Cell {
    /// A plain cell.
    pub fn live(timestamp_us: i64, value: Bytes) -> Cell {
        Cell { timestamp_us, ttl_s: NO_TTL, local_deletion_s: NO_DELETION_TIME, value }
    }

    /// A cell that expires at second `local_deletion_s`, `ttl_s` after it was written.
    pub fn expiring(timestamp_us: i64, ttl_s: i32, local_deletion_s: u32, value: Bytes) -> Cell {
        Cell { timestamp_us, ttl_s, local_deletion_s, value }
    }

    /// A deleted cell.
    pub fn tombstone(timestamp_us: i64, local_deletion_s: u32) -> Cell {
        Cell { timestamp_us, ttl_s: NO_TTL, local_deletion_s, value: Bytes::new() }
    }

    /// True if it is a deletion.
    pub fn is_tombstone(&self) -> bool {
        self.local_deletion_s != NO_DELETION_TIME && self.ttl_s == NO_TTL
    }

    /// True if it has a time to live.
    pub fn is_expiring(&self) -> bool {
        self.ttl_s != NO_TTL
    }

    /// True if a reader at `now_s` sees it.
    pub fn is_live(&self, now_s: u32) -> bool {
        self.local_deletion_s == NO_DELETION_TIME || (self.is_expiring() && now_s < self.local_deletion_s)
    }
}

/// What a row holds of one column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ColumnData {
    /// A simple column: one cell.
    Cell(Cell),
    /// A multi-cell column: its own deletion, and its cells by path in path order.
    ///
    /// A path is a list's timeuuid (16 bytes), a set's element, a map's key, or a user type's field
    /// index (2 bytes).
    Complex {
        /// Deletion of the whole collection (an assignment deletes what was there before).
        deletion: DeletionTime,
        /// Cells with their paths, strictly ascending in path order.
        cells: Vec<(Bytes, Cell)>,
    },
}

/// A row, static or regular.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// Where it stands; `EMPTY` for a static row.
    pub clustering: Clustering,
    /// Its marker.
    pub liveness: Liveness,
    /// Deletion of the whole row.
    pub deletion: DeletionTime,
    /// Its columns, ascending by column id; absent ones are not there.
    pub columns: Vec<(ColumnId, ColumnData)>,
}

impl Row {
    /// A row with nothing in it.
    pub fn empty(clustering: Clustering) -> Row {
        Row { clustering, liveness: Liveness::NONE, deletion: DeletionTime::LIVE, columns: Vec::new() }
    }

    /// True if it holds nothing, not even a deletion.
    pub fn is_empty(&self) -> bool {
        self.liveness.is_none() && self.deletion.is_live() && self.columns.is_empty()
    }

    /// What it holds of a column.
    pub fn column(&self, id: ColumnId) -> Option<&ColumnData> {
        self.columns.binary_search_by_key(&id, |(id, _)| *id).ok().map(|found| &self.columns[found].1)
    }
}
