//! Merge: which of two versions wins. Deterministic, commutative, associative, idempotent (P6).
//!
//! Cells by timestamp, then by the tie rules; rows and partitions cell by cell after what deletions shadow
//! is gone; streams of several sources into one. No rule looks at the clock, so replicas agree whenever they
//! merge.
//!
//! Read in order: [`cell`], [`row`], [`tombstones`] (ranges that overlap), [`update`], [`stream`].
//!
//! Never here: what is old enough to be purged, and what has expired; readers decide that.

mod cell;
pub use cell::{newer_liveness, reconcile_cells};

mod row;
pub use row::{merge_rows, shadow_row};

mod tombstones;
pub use tombstones::{clip_tombstones, insert_tombstone};

mod update;
pub use update::merge_updates;

mod single;

mod stream;
pub use stream::{Sliced, SlicedRows, merge_streams, update_stream};

#[cfg(test)]
pub(crate) mod tests;
