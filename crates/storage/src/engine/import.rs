//! Import: SSTables from elsewhere become a table's.
//!
//! Each set gets a new name in the table's directory beside a note that it is incomplete ([`Begun`]); once it is whole
//! and safe the note goes, and only then the source. A crash leaves the set whole in at least one of the two places.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::TableId;
use sstable::{Descriptor, SsTable};

use super::read::source_error;
use super::{Core, Engine};
use crate::OpenError;
use crate::compaction::transaction::{self, Begun, delete_sstable};
use crate::shards::shard_of;
use crate::snapshot::import::{self, SourceSet};
use crate::snapshot::{FailedImport, ImportOptions};
use crate::table::TableState;

impl Engine {
    /// Takes in the SSTables of directories. Of a directory with an SSTable that is damaged, or is no such table's,
    /// none is taken in; such directories are returned.
    pub async fn import_sstables(
        &self,
        table: TableId,
        dirs: &[PathBuf],
        options: ImportOptions,
    ) -> Result<Vec<FailedImport>, OpenError> {
        let (core, dirs) = (self.core.clone(), dirs.to_vec());
        let work = move || {
            let table = core.table_to_import(table)?;
            Ok(dirs.iter().filter_map(|dir| core.import_dir(&table, dir, &options).err()).collect())
        };
        self.core.runtime.background(work).await
    }

    /// Takes in SSTables that somebody put into the table's own directory; returns how many.
    pub async fn load_new_sstables(&self, table: TableId) -> Result<usize, OpenError> {
        let core = self.core.clone();
        let work = move || {
            let table = core.table_to_import(table)?;
            core.load_new(&table)
        };
        self.core.runtime.background(work).await
    }
}

impl Core {
    fn table_to_import(&self, id: TableId) -> Result<Arc<TableState>, OpenError> {
        self.table(id).ok_or_else(|| OpenError::Refused(format!("there is no table {id}")))
    }

    fn import_dir(
        &self,
        table: &Arc<TableState>,
        dir: &std::path::Path,
        options: &ImportOptions,
    ) -> Result<(), FailedImport> {
        let failed = |error: &dyn std::fmt::Display| {
            tracing::error!("nothing more is imported from {}: {error}", dir.display());
            FailedImport::new(dir, error)
        };
        if dir == table.dir {
            return Err(failed(&"it is the table's own directory: use refresh"));
        }
        let disk = self.runtime.disk();
        let sets = import::find_sets(&**disk, dir).map_err(|error| failed(&error))?;
        for set in &sets {
            import::check_set(disk, set, &table.table.load_full(), options)
                .map_err(|error| failed(&format!("{}: {error}", set.descriptor)))?;
        }
        for set in &sets {
            let _files_stay = table.lock_files();
            self.import_set(table, set, options).map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    fn load_new(&self, table: &Arc<TableState>) -> Result<usize, OpenError> {
        let disk = self.runtime.disk();
        if !disk.exists(&table.dir).map_err(OpenError::io(&table.dir))? {
            return Ok(0);
        }
        let _files_stay = table.lock_files();
        let options = ImportOptions::default();
        let replaced = transaction::replaced_in(&**disk, &table.dir)?;
        let mut count = 0;
        for set in import::find_sets(&**disk, &table.dir)? {
            if self.is_ours(table, &replaced, &set.descriptor)? {
                continue;
            }
            import::check_set(disk, &set, &table.table.load_full(), &options)
                .map_err(|source| OpenError::SsTable { path: set.descriptor.to_string().into(), source })?;
            self.import_set(table, &set, &options)?;
            count += 1;
        }
        Ok(count)
    }

    /// True for what reads use, what is being written, and what waits for its removal.
    fn is_ours(
        &self,
        table: &TableState,
        replaced: &[String],
        descriptor: &Descriptor,
    ) -> Result<bool, OpenError> {
        if replaced.iter().any(|prefix| descriptor.file_name("").trim_end_matches('-') == prefix) {
            return Ok(true);
        }
        if table.sstables().iter().any(|sstable| sstable.descriptor() == descriptor) {
            return Ok(true);
        }
        if self.damage.set_aside().iter().any(|damaged| damaged.descriptor == *descriptor) {
            return Ok(true);
        }
        let note = Begun::path_of(descriptor);
        self.runtime.disk().exists(&note).map_err(OpenError::io(note))
    }

    /// Brings one set over. The caller holds [`TableState::lock_files`]: no truncation comes between.
    fn import_set(
        &self,
        table: &Arc<TableState>,
        set: &SourceSet,
        options: &ImportOptions,
    ) -> Result<(), OpenError> {
        let disk = self.runtime.disk();
        self.make_dir(table)?;
        let id = table.next_sstable_id.fetch_add(1, Ordering::Relaxed);
        let target = Descriptor::new(&*table.dir, id).with_version(set.descriptor.version);
        let begun = Begun::note(&**disk, &target)?;
        let brought = import::bring(disk, set, &target, options).and_then(|()| {
            self.open_sstable(&target).map_err(|error| OpenError::SsTable {
                path: target.to_string().into(),
                source: source_error(error),
            })
        });
        let sstable = match brought {
            Ok(sstable) => sstable,
            Err(error) => {
                delete_sstable(&**disk, &target)?;
                begun.removed(&**disk)?;
                return Err(error);
            }
        };
        self.back_up(table, &target);
        disk.sync_dir(&table.dir).map_err(OpenError::io(&table.dir))?;
        begun.done(&**disk)?;
        self.show(table, &sstable)?;
        table.compaction.is_dirty.store(true, Ordering::Relaxed);
        self.compactions.wake.notify_one();
        if !options.copy_data {
            import::remove_source(&**disk, set)?;
        }
        Ok(())
    }

    /// Adds an SSTable to the views of all shards that it reaches over.
    fn show(&self, table: &Arc<TableState>, sstable: &Arc<SsTable>) -> Result<(), OpenError> {
        let metadata = sstable.metadata();
        let shards_count = table.slots.len();
        let slots =
            shard_of(metadata.first.token, shards_count)..=shard_of(metadata.last.token, shards_count);
        for slot in slots {
            let _shard = self.logs[slot].lock();
            if table.is_dropped.load(Ordering::Relaxed) {
                return Err(OpenError::Refused("the table was dropped meanwhile".to_owned()));
            }
            table.change_data(slot, |view| view.sstables.push(sstable.clone()));
        }
        Ok(())
    }
}
