//! What requests that are about to come will look at, asked for before.
//!
//! A look-up in a memtable waits for memory three times: for a place of the hash table, the partition, its row. Of
//! many requests that have arrived together all first places are asked for, then all second ones, so that the processor
//! waits for one while it asks for the next.

use model::{PartitionKey, TableId};

use super::Core;

impl Core {
    pub(super) fn foresee(&self, keys: &[(TableId, PartitionKey)]) {
        let tables = self.tables.load();
        let mut views = Vec::with_capacity(keys.len());
        for (id, key) in keys {
            let Some(state) = tables.get(id) else { continue };
            let view = state.slots[state.shard_of(key)].view.load();
            if !view.active.is_empty() {
                view.active.prefetch(key);
                views.push((view, key));
            }
        }
        views.iter().for_each(|(view, key)| view.active.prefetch_slot(key));
        views.iter().for_each(|(view, key)| view.active.prefetch_row(key));
    }
}
