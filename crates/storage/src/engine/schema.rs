//! Schema changes: tables come, change and go.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::{Keyspace, Schema, Table};

use super::Core;
use crate::OpenError;
use crate::table::TableState;

impl Core {
    pub(super) fn update_tables(self: &Arc<Self>, schema: &Schema) -> Result<(), OpenError> {
        let _one_at_a_time = self.schema_change.lock();
        let mut tables = (*self.tables.load_full()).clone();
        let mut wanted = HashSet::new();
        for keyspace in schema.keyspaces.values() {
            for table in keyspace.tables.values().filter(|table| !table.is_virtual) {
                wanted.insert(table.id);
                match tables.get(&table.id) {
                    Some(state) => {
                        state.is_durable.store(keyspace.durable_writes, Ordering::Relaxed);
                        self.change_table(state, table);
                    }
                    None => {
                        // Its directory may be that of a dropped table of the same id.
                        self.remove_dropped();
                        let state = self.new_table(table, self.is_local(keyspace));
                        state.is_durable.store(keyspace.durable_writes, Ordering::Relaxed);
                        tables.insert(table.id, state);
                    }
                }
            }
        }
        let mut dropped = Vec::new();
        tables.retain(|id, state| {
            let is_kept = wanted.contains(id) || state.is_local;
            if !is_kept {
                dropped.push(state.clone());
            }
            is_kept
        });
        self.tables.store(Arc::new(tables));
        for state in dropped {
            self.drop_table(state);
        }
        self.schema.store(Arc::new(schema.clone()));
        Ok(())
    }

    pub(super) fn new_table(&self, table: &Arc<Table>, is_local: bool) -> Arc<TableState> {
        let state = TableState::new(table.clone(), &self.options.data_dir, self.logs.len(), is_local);
        state.auto_compaction.store(self.options.auto_compaction, Ordering::Relaxed);
        self.prepare_row_cache(&state, table);
        Arc::new(state)
    }

    pub(super) fn is_local(&self, keyspace: &Keyspace) -> bool {
        let class = keyspace.replication.get("class").map_or("", String::as_str);
        let is_system = self
            .tables
            .load()
            .values()
            .any(|state| state.is_local && state.table.load().keyspace == keyspace.name);
        is_system || class.ends_with("LocalStrategy")
    }

    fn change_table(&self, state: &TableState, table: &Arc<Table>) {
        let old = state.table.load_full();
        if Arc::ptr_eq(&old, table) || *old == **table {
            return;
        }
        let columns = || old.statics.iter().chain(&old.regulars);
        let has_dropped = columns().any(|column| table.column_by_id(column.id).is_none());
        // Nothing may be written between the mark and the change.
        let _shards: Vec<_> = self.logs.iter().map(|log| log.lock()).collect();
        if has_dropped {
            for slot in &state.slots {
                for memtable in slot.view.load().memtables() {
                    memtable.has_dropped_columns.store(true, Ordering::Relaxed);
                }
            }
        }
        self.prepare_row_cache(state, table);
        state.table.store(table.clone());
        // After the new table: whoever read this epoch under the old one finds that it is not the current one.
        for slot in 0..state.slots.len() {
            state.change_data(slot, |_| {});
        }
    }

    /// From now on writes to the table say so to the row cache.
    fn prepare_row_cache(&self, state: &TableState, table: &Table) {
        if table.options.caching.rows_count_max() > 0
            && state.rows.get().is_none()
            && let Some(stamps) = self.rows.stamps(state.slots.len())
        {
            // Schema changes come one at a time.
            let _only_once = state.rows.set(stamps);
        }
    }

    /// The table is not in the map any more. Writes that found it there before are refused under the shard's lock.
    fn drop_table(self: &Arc<Self>, state: Arc<TableState>) {
        for slot in 0..state.slots.len() {
            let _shard = self.logs[slot].lock();
            state.is_dropped.store(true, Ordering::Relaxed);
        }
        self.damage.forget_table(state.id);
        if let Some(stamps) = state.rows.get() {
            self.rows.forget_table(stamps.table);
        }
        self.dropped.lock().push((state, self.schema.load_full()));
        let core = self.clone();
        // Who drops a table need not wait for its snapshot, and for the removal of its files.
        drop(self.runtime.flushing(move || core.remove_dropped()));
    }
}
