//! Snapshots, incremental backups and import: whole sets of files under other names.
//!
//! A snapshot is a hard link of every component of every SSTable of a table, below `snapshots/<tag>/` in the
//! table's directory, with `manifest.json` and `schema.cql` beside them, as Cassandra lays them out.
//!
//! Read in order: [`SnapshotOptions`], [`SnapshotInfo`], [`ImportOptions`] (what callers use), then
//! [`files`] (sets of files linked, found, removed), [`import`] (sets taken in), [`manifest`].
//!
//! Never here: which SSTables a table has, and what a schema looks like as CQL (the engine, the caller).

pub(crate) mod files;
pub(crate) mod import;
pub(crate) mod manifest;
mod time;

use std::path::PathBuf;
use std::time::Duration;

/// How to take a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotOptions {
    /// Leave out what is only in memtables.
    pub skip_flush: bool,
    /// It is removed by itself after so long.
    pub ttl: Option<Duration>,
}

/// One snapshot of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Its name.
    pub tag: String,
    /// Keyspace.
    pub keyspace: String,
    /// Table.
    pub table: String,
    /// Bytes of files that only the snapshot holds: what its removal would free.
    pub true_bytes: u64,
    /// Bytes of all its files.
    pub bytes_on_disk: u64,
    /// When it was taken; `None` if its manifest does not say.
    pub created_at_ms: Option<i64>,
    /// When it goes by itself.
    pub expires_at_ms: Option<i64>,
    /// It goes with the next start.
    pub ephemeral: bool,
}

/// How to import SSTables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportOptions {
    /// `-l`: keep the level, else 0.
    pub keep_level: bool,
    /// `-r`: keep when it was repaired, else never.
    pub keep_repaired: bool,
    /// Not `-v`: verify.
    pub verify: bool,
    /// Not `-t`: check that this node owns all tokens.
    pub verify_tokens: bool,
    /// Not `-c`: let go of what row and key caches hold of the table.
    pub invalidate_caches: bool,
    /// `-e`: verify every value.
    pub extended_verify: bool,
    /// `-p`: copy the files; else they are moved.
    pub copy_data: bool,
}

/// A directory that was not imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedImport {
    /// The directory.
    pub dir: PathBuf,
    /// Why.
    pub why: String,
}

impl Default for ImportOptions {
    fn default() -> ImportOptions {
        ImportOptions {
            keep_level: false,
            keep_repaired: false,
            verify: true,
            verify_tokens: true,
            invalidate_caches: true,
            extended_verify: false,
            copy_data: false,
        }
    }
}

/// The reverse of [`moment_text`]; `None` for anything else.
pub fn moment_of_text(text: &str) -> Option<i64> {
    time::from_text(text)
}

/// Milliseconds since 1970 as manifests hold them: `2026-11-22T21:46:45.270Z`.
pub fn moment_text(ms: i64) -> String {
    time::to_text(ms)
}
