//! Snapshots on an open engine: taken, listed, removed; taken by themselves before a table goes.
//!
//! Files of a table are linked while [`TableState::lock_files`] is held: then none comes or goes.
//!
//! Read in order: `Engine::snapshot`, `link_table` (what all snapshots go through), `remove_dropped`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use model::{Schema, TableId};
use sstable::{Descriptor, SsTable};

use super::{Core, Engine};
use crate::OpenError;
use crate::snapshot::files::{self, BACKUPS, SNAPSHOTS};
use crate::snapshot::manifest::Manifest;
use crate::snapshot::{SnapshotInfo, SnapshotOptions};
use crate::table::TableState;

/// How often expired snapshots are looked for, once there is one that expires.
const EXPIRY_PERIOD: Duration = Duration::from_secs(60);

impl Engine {
    /// Takes a snapshot of tables under one name: on return it is safe. Refused if one of them has a snapshot of that
    /// name already.
    pub async fn snapshot(
        &self,
        tag: &str,
        tables: &[TableId],
        options: SnapshotOptions,
    ) -> Result<(), OpenError> {
        let (core, tag, tables) = (self.core.clone(), tag.to_owned(), tables.to_vec());
        // Not among compactions: who keeps data from an accident cannot wait for these.
        self.core.runtime.flushing(move || core.snapshot(&tag, &tables, options)).await
    }

    /// All snapshots on disk, those of dropped tables too. Blocks.
    pub fn list_snapshots(&self) -> Result<Vec<SnapshotInfo>, OpenError> {
        let found = files::find_all(&**self.core.runtime.disk(), &self.core.options.data_dir)?;
        Ok(found.into_iter().filter(|one| !one.is_unfinished).map(|one| one.info).collect())
    }

    /// Removes the snapshots of this name (all, if `None`) of these keyspaces (all, if there is none) that were made
    /// before this millisecond (whenever, if `None`).
    pub async fn clear_snapshots(
        &self,
        tag: Option<&str>,
        keyspaces: &[String],
        before_ms: Option<i64>,
    ) -> Result<(), OpenError> {
        let (core, tag, keyspaces) = (self.core.clone(), tag.map(str::to_owned), keyspaces.to_vec());
        let work = move || {
            let is_wanted = |info: &SnapshotInfo| {
                tag.as_ref().is_none_or(|tag| *tag == info.tag)
                    && (keyspaces.is_empty() || keyspaces.contains(&info.keyspace))
                    && before_ms.is_none_or(|before_ms| info.created_at_ms.is_some_and(|at| at < before_ms))
            };
            core.remove_snapshots(is_wanted)
        };
        self.core.runtime.flushing(work).await
    }

    /// Whether flushed SSTables are linked into `backups/`.
    pub fn set_incremental_backups(&self, enabled: bool) {
        self.core.incremental_backups.store(enabled, Ordering::Relaxed);
    }

    /// See [`Engine::set_incremental_backups`].
    pub fn incremental_backups(&self) -> bool {
        self.core.incremental_backups.load(Ordering::Relaxed)
    }
}

impl Core {
    fn snapshot(
        self: &Arc<Self>,
        tag: &str,
        ids: &[TableId],
        options: SnapshotOptions,
    ) -> Result<(), OpenError> {
        files::check_tag(tag)?;
        let mut tables = Vec::with_capacity(ids.len());
        for id in ids {
            let table =
                self.table(*id).ok_or_else(|| OpenError::Refused(format!("there is no table {id}")))?;
            let dir = table.dir.join(SNAPSHOTS).join(tag);
            if self.runtime.disk().exists(&dir).map_err(OpenError::io(&dir))? {
                return Err(OpenError::Refused(format!("Snapshot {tag} already exists.")));
            }
            tables.push(table);
        }
        let created_at_ms = self.wall_ms();
        let ttl_ms = options.ttl.map(|ttl| i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX));
        let expires_at_ms = ttl_ms.map(|ttl_ms| created_at_ms.saturating_add(ttl_ms));
        for table in tables {
            if !options.skip_flush {
                for slot in 0..table.slots.len() {
                    self.flush_slot(&table, slot)?;
                }
            }
            let _files_stay = table.lock_files();
            if !table.is_dropped.load(Ordering::Relaxed) {
                self.link_table(&table, tag, created_at_ms, expires_at_ms)?;
            }
        }
        if expires_at_ms.is_some() {
            self.watch_expiry();
        }
        Ok(())
    }

    /// Links what the views of a table hold. The caller holds [`TableState::lock_files`].
    fn link_table(
        &self,
        table: &TableState,
        tag: &str,
        created_at_ms: i64,
        expires_at_ms: Option<i64>,
    ) -> Result<(), OpenError> {
        let sstables = table.sstables();
        self.link_sstables(table, &self.schema.load(), &sstables, tag, created_at_ms, expires_at_ms)
    }

    fn link_sstables(
        &self,
        table: &TableState,
        schema: &Schema,
        sstables: &[Arc<SsTable>],
        tag: &str,
        created_at_ms: i64,
        expires_at_ms: Option<i64>,
    ) -> Result<(), OpenError> {
        self.make_dir(table)?;
        let disk = self.runtime.disk();
        let descriptors: Vec<Descriptor> =
            sstables.iter().map(|sstable| sstable.descriptor().clone()).collect();
        let manifest = Manifest {
            files: descriptors.iter().map(|descriptor| descriptor.file_name("Data.db")).collect(),
            created_at_ms: Some(created_at_ms),
            expires_at_ms,
            ephemeral: false,
        };
        let schema = match &self.options.describe {
            Some(describe) => (describe.0)(schema, &table.table.load()),
            None => String::new(),
        };
        let dir = table.dir.join(SNAPSHOTS).join(tag);
        let taken = files::take(&**disk, &dir, &descriptors, &manifest, &schema);
        if taken.is_err()
            && let Err(error) = files::remove(&**disk, &dir)
        {
            tracing::warn!("{} is an incomplete snapshot and cannot be removed: {error}", dir.display());
        }
        taken
    }

    /// Before a compaction replaces SSTables, if so configured. Blocks.
    pub(super) fn snapshot_before_compaction(&self, table: &TableState) -> Result<(), OpenError> {
        let _files_stay = table.lock_files();
        if table.is_dropped.load(Ordering::Relaxed) {
            return Ok(());
        }
        let now_ms = self.wall_ms();
        let name = table.table.load().name.clone();
        let tag_of = |ms: i64| format!("{ms}-compact-{name}");
        // Several compactions may begin within a millisecond.
        let mut ms = now_ms;
        while self
            .runtime
            .disk()
            .exists(&table.dir.join(SNAPSHOTS).join(tag_of(ms)))
            .map_err(OpenError::io(&table.dir))?
        {
            ms += 1;
        }
        self.link_table(table, &tag_of(ms), now_ms, None)
    }

    /// Keeps what a TRUNCATE is about to remove, if so configured. The caller holds what keeps the files.
    pub(super) fn snapshot_before_truncate(&self, table: &Arc<TableState>) -> Result<(), OpenError> {
        if !self.takes_auto_snapshot(table) {
            return Ok(());
        }
        for slot in 0..table.slots.len() {
            self.flush_locked(table, slot)?;
        }
        let now_ms = self.wall_ms();
        self.link_table(table, &format!("truncated-{now_ms}-{}", table.table.load().name), now_ms, None)
    }

    pub(super) fn takes_auto_snapshot(&self, table: &TableState) -> bool {
        self.options.auto_snapshot && table.table.load().options.allow_auto_snapshot
    }

    /// Removes what dropped tables left behind, after a snapshot of it if so configured. Blocks.
    pub(super) fn remove_dropped(&self) {
        let _one_at_a_time = self.dropping.lock();
        loop {
            if self.compactions.is_closed.load(Ordering::Relaxed) {
                return;
            }
            let next = self.dropped.lock().pop();
            let Some((table, schema)) = next else { break };
            self.compactions.stop(|progress| progress.table_id == table.id);
            // A step of a compaction that runs ends first; the next one finds the table dropped.
            drop(table.compaction.gate.write());
            if self.takes_auto_snapshot(&table)
                && let Err(error) = self.snapshot_dropped(&table, &schema)
            {
                tracing::error!(
                    "dropped table in {} could not be kept as a snapshot, its files stay: {error}",
                    table.dir.display()
                );
                self.forget_dropped(&table);
                continue;
            }
            self.forget_dropped(&table);
            if let Err(error) = self.remove_files(&table) {
                tracing::warn!("{} of a dropped table cannot be removed: {error}", table.dir.display());
            }
        }
    }

    /// The views of a dropped table are left as they were until it has been dealt with.
    fn snapshot_dropped(&self, table: &Arc<TableState>, schema: &Schema) -> Result<(), OpenError> {
        let _files_stay = table.lock_files();
        let mut sstables = table.sstables();
        for slot in &table.slots {
            let view = slot.view.load_full();
            for memtable in view.memtables().filter(|memtable| !memtable.is_empty()) {
                sstables.extend(self.write_sstable(table, memtable)?);
            }
        }
        let now_ms = self.wall_ms();
        let tag = format!("dropped-{now_ms}-{}", table.table.load().name);
        self.link_sstables(table, schema, &sstables, &tag, now_ms, None)
    }

    /// Lets go of a dropped table's memtables and log.
    fn forget_dropped(&self, table: &Arc<TableState>) {
        for slot in 0..table.slots.len() {
            let _no_flush = table.slots[slot].flush.lock();
            let taken = {
                let _shard = self.logs[slot].lock();
                let taken = table.slots[slot].view.load_full();
                table.change_data(slot, |view| *view = Default::default());
                taken
            };
            for memtable in taken.memtables() {
                self.discard_memtable(memtable);
            }
            self.delete_clean_segments(slot);
        }
    }

    /// All files of a dropped table but snapshots and backups.
    fn remove_files(&self, table: &TableState) -> Result<(), OpenError> {
        let (disk, dir) = (self.runtime.disk(), &table.dir);
        if !disk.exists(dir).map_err(OpenError::io(dir))? {
            return Ok(());
        }
        let entries = disk.list(dir).map_err(OpenError::io(dir))?;
        let is_kept = |name: &str| name == SNAPSHOTS || name == BACKUPS;
        if !entries.iter().any(|entry| is_kept(&entry.name)) {
            return disk.remove_dir_all(dir).map_err(OpenError::io(dir));
        }
        for entry in entries.iter().filter(|entry| !is_kept(&entry.name)) {
            let path = dir.join(&entry.name);
            let removed = if entry.is_dir { disk.remove_dir_all(&path) } else { disk.remove_file(&path) };
            removed.map_err(OpenError::io(path))?;
        }
        Ok(())
    }

    /// Links an SSTable into `backups/`, if so configured. A failure is told and harms nothing else.
    pub(super) fn back_up(&self, table: &TableState, descriptor: &Descriptor) {
        let is_wanted = self.incremental_backups.load(Ordering::Relaxed)
            && table.table.load().options.incremental_backups;
        if !is_wanted {
            return;
        }
        let (disk, dir) = (self.runtime.disk(), table.dir.join(BACKUPS));
        let linked = (|| {
            disk.create_dir_all(&dir).map_err(OpenError::io(&dir))?;
            files::link_set(&**disk, descriptor, &dir)?;
            disk.sync_dir(&dir).map_err(OpenError::io(&dir))?;
            disk.sync_dir(&table.dir).map_err(OpenError::io(&table.dir))
        })();
        if let Err(error) = linked {
            tracing::error!("{descriptor} could not be linked into {}: {error}", dir.display());
        }
    }

    /// Removes the backup of an SSTable that a crash left incomplete.
    pub(super) fn remove_backup(&self, descriptor: &Descriptor) -> Result<(), OpenError> {
        let backup = Descriptor { directory: descriptor.directory.join(BACKUPS), ..descriptor.clone() };
        let disk = self.runtime.disk();
        if !disk.exists(&backup.directory).map_err(OpenError::io(&backup.directory))? {
            return Ok(());
        }
        for file in files::files_of(&**disk, &backup)? {
            let path: PathBuf = backup.directory.join(file.name);
            disk.remove_file(&path).map_err(OpenError::io(path))?;
        }
        Ok(())
    }

    fn remove_snapshots(&self, is_wanted: impl Fn(&SnapshotInfo) -> bool) -> Result<(), OpenError> {
        let disk = self.runtime.disk();
        for one in files::find_all(&**disk, &self.options.data_dir)? {
            if is_wanted(&one.info) {
                files::remove(&**disk, &one.dir)?;
            }
        }
        Ok(())
    }

    /// At the start: removes what a crash left of snapshots, and those that were to last no longer than the node ran.
    pub(super) fn tidy_snapshots(self: &Arc<Self>) -> Result<(), OpenError> {
        let disk = self.runtime.disk();
        let mut expires = false;
        for one in files::find_all(&**disk, &self.options.data_dir)? {
            if one.is_unfinished {
                tracing::warn!("{} is an incomplete snapshot and is removed", one.dir.display());
            }
            if one.is_unfinished || one.info.ephemeral {
                files::remove(&**disk, &one.dir)?;
            }
            expires |= one.info.expires_at_ms.is_some();
        }
        if expires {
            self.watch_expiry();
        }
        Ok(())
    }

    /// From now on expired snapshots are removed.
    fn watch_expiry(self: &Arc<Self>) {
        if self.expiry_is_watched.swap(true, Ordering::Relaxed) {
            return;
        }
        let (weak, runtime) = (Arc::downgrade(self), self.runtime.clone());
        self.runtime.spawn_on(0, move || async move {
            loop {
                runtime.sleep(EXPIRY_PERIOD).await;
                let Some(core) = weak.upgrade() else { return };
                let work = move || {
                    if core.compactions.is_closed.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                    let now_ms = core.wall_ms();
                    core.remove_snapshots(|info| info.expires_at_ms.is_some_and(|ms| ms <= now_ms))
                };
                if let Err(error) = runtime.background(work).await {
                    tracing::warn!("expired snapshots could not be removed: {error}");
                }
            }
        });
    }

    fn wall_ms(&self) -> i64 {
        self.runtime.clock().wall_us() / 1_000
    }
}
