//! The commit log: what makes a write last until its memtable is an SSTable.
//!
//! Each shard has a log of its own, a row of segments. [`ShardLog::append`] puts a record into the shard's queue
//! (no I/O); a sync pass on a thread for blocking work writes the queue and syncs the files, for all who wait at once;
//! who comes meanwhile is served by the next pass, which follows immediately.
//!
//! Read in order: [`record`] (the bytes), [`segment`], [`supply`] (their files), [`dictionary`] (what column numbers mean), [`shard_log`],
//! [`commit`] (who waits), [`replay`].
//!
//! Never here: memtables.

pub(crate) mod record;

pub(crate) mod input;

pub(crate) mod segment;
pub(crate) use segment::{Position, Segment};

pub(crate) mod supply;

pub(crate) mod dictionary;

pub(crate) mod shard_log;
pub(crate) use shard_log::{Appended, LogListener, LogShared, NoSegment, ShardLog};

mod commit;
pub use commit::{Commit, Synced};

pub(crate) mod replay;
