//! Flag bytes of Data.db. Source: `UnfilteredSerializer.java`, `Cell.java`.

/// Nothing else follows in the partition.
pub(crate) const END_OF_PARTITION: u8 = 0x01;
/// A range tombstone's marker, not a row.
pub(crate) const IS_MARKER: u8 = 0x02;
/// The row has liveness.
pub(crate) const HAS_TIMESTAMP: u8 = 0x04;
/// That liveness expires.
pub(crate) const HAS_TTL: u8 = 0x08;
/// The row is deleted.
pub(crate) const HAS_DELETION: u8 = 0x10;
/// All columns of the header are there.
pub(crate) const HAS_ALL_COLUMNS: u8 = 0x20;
/// A deletion stands before the cells of each complex column.
pub(crate) const HAS_COMPLEX_DELETION: u8 = 0x40;
/// Another byte of flags follows.
pub(crate) const EXTENSION: u8 = 0x80;

/// In the second byte: the static row.
pub(crate) const IS_STATIC: u8 = 0x01;
/// In the second byte: the row deletion is a shadowable one (materialized views before 4.0).
pub(crate) const HAS_SHADOWABLE_DELETION: u8 = 0x02;

/// A tombstone.
pub(crate) const CELL_IS_DELETED: u8 = 0x01;
/// It has a TTL.
pub(crate) const CELL_IS_EXPIRING: u8 = 0x02;
/// No value follows.
pub(crate) const CELL_HAS_EMPTY_VALUE: u8 = 0x04;
/// Its timestamp is the row's.
pub(crate) const CELL_USES_ROW_TIMESTAMP: u8 = 0x08;
/// Its TTL and expiry are the row's.
pub(crate) const CELL_USES_ROW_TTL: u8 = 0x10;

/// Kinds of boundaries (`ClusteringPrefix.Kind`): one range ends where another starts.
pub(crate) const EXCLUSIVE_END_INCLUSIVE_START: u8 = 2;
/// As above, the place being after the prefix.
pub(crate) const INCLUSIVE_END_EXCLUSIVE_START: u8 = 5;
