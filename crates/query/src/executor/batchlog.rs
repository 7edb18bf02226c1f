//! Batchlog: a logged batch over several shards is kept in `system.batches` until all its parts are safe.
//!
//! Each shard has a commit log of its own, so a crash can come between the parts of a batch. What is found in the
//! batchlog at the next start is applied again: mutations are idempotent.
//!
//! A blob of `system.batches.mutations` is ours: table id, key, numbers and names of the columns (numbers change
//! with a restart, names do not), then the update as [`model::codec`] writes it.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use coordinator::write_failed;
use model::partition::SourceError;
use model::value::collection;
use model::{
    Cell, Clustering, ColumnData, ColumnId, DeletionTime, Mutation, PartitionKey, PartitionUpdate,
    QueryError, Row, Schema, Table, TableId,
};
use storage::Commit;
use uuid::Uuid;

use super::Executor;
use super::start::all_rows;
use crate::system::definitions;
use cql::bind::term::ValueSource;

/// Form of our blobs.
const BLOB_VERSION: i32 = 1_000;

impl Executor {
    /// True if a crash could leave a part of these mutations.
    pub(super) fn needs_batchlog(&self, mutations: &[Mutation]) -> bool {
        mutations.len() > 1 && self.runtime.shard_count() > 1
    }

    /// Applies mutations through the batchlog: all of them, also if the node dies in between.
    pub(super) async fn write_logged(self: &Arc<Self>, mutations: Vec<Mutation>) -> Result<(), QueryError> {
        let id = self.timeuuid();
        let entry = entry(id, &mutations, self.unique_us());
        let logged = self.coordinator.write_waiting(std::slice::from_ref(&entry)).await?;
        logged.synced().await.map_err(|error| write_failed(error, &mutations))?;
        let commit = match self.coordinator.write_waiting(&mutations).await {
            Ok(commit) => commit,
            Err(error) => {
                // Nothing was applied and nothing shall be.
                self.forget_batch(id);
                return Err(error);
            }
        };
        commit.synced().await.map_err(|error| write_failed(error, &mutations))?;
        self.forget_batch(id);
        Ok(())
    }

    /// Deletes a batch whose parts are safe. If that is lost with a crash, the batch is applied once more.
    fn forget_batch(&self, id: Uuid) {
        let deletion = DeletionTime {
            timestamp_us: self.unique_us(),
            local_deletion_s: self.runtime.clock().wall_s().clamp(0, i64::from(u32::MAX) - 2) as u32,
        };
        let update = PartitionUpdate { deletion, ..PartitionUpdate::default() };
        let mutation = Mutation { table: batches().clone(), key: key_of(id), update };
        if let Err(error) = self.coordinator.write(&[mutation]) {
            tracing::warn!(%error, %id, "a finished batch stays in the batchlog until the next start");
        }
    }

    /// Applies what a crash left in the batchlog.
    pub(super) fn replay_batches(self: &Arc<Self>, schema: &Schema) -> Result<(), SourceError> {
        for (key, row) in all_rows(self.coordinator.engine(), batches())? {
            let Ok(id) = Uuid::from_slice(&key.key) else { continue };
            let mutations = mutations_of(&row, schema)?;
            tracing::info!(%id, parts = mutations.len(), "a batch that a crash interrupted is applied");
            let commit: Commit = self.coordinator.write(&mutations)?;
            let executor = self.clone();
            self.runtime.spawn_local(async move {
                match commit.synced().await {
                    Ok(()) => executor.forget_batch(id),
                    Err(error) => tracing::warn!(%error, %id, "a replayed batch is not safe yet"),
                }
            });
        }
        Ok(())
    }
}

fn batches() -> &'static Arc<Table> {
    definitions::table("system", "batches")
}

fn key_of(id: Uuid) -> PartitionKey {
    PartitionKey::new(Bytes::copy_from_slice(id.as_bytes()))
}

fn column(name: &str) -> ColumnId {
    batches().column(name).expect("system.batches is ours").id
}

/// The row of `system.batches` that holds a batch.
fn entry(id: Uuid, mutations: &[Mutation], timestamp_us: i64) -> Mutation {
    let mut row = Row::empty(Clustering::EMPTY);
    row.liveness = model::Liveness { timestamp_us, ..model::Liveness::NONE };
    let version = Cell::live(timestamp_us, Bytes::copy_from_slice(&BLOB_VERSION.to_be_bytes()));
    let mut cells = Vec::with_capacity(mutations.len());
    for (index, mutation) in mutations.iter().enumerate() {
        // Paths of a list are timeuuids; ascending ones will do.
        let path = Uuid::from_fields(index as u32, 0, 0x1000, &[0x80; 8]);
        cells.push((
            Bytes::copy_from_slice(path.as_bytes()),
            Cell::live(timestamp_us, encode(mutation).into()),
        ));
    }
    row.columns.push((column("version"), ColumnData::Cell(version)));
    row.columns.push((column("mutations"), ColumnData::Complex { deletion: DeletionTime::LIVE, cells }));
    row.columns.sort_by_key(|(id, _)| *id);
    let update = PartitionUpdate { rows: vec![row], ..PartitionUpdate::default() };
    Mutation { table: batches().clone(), key: key_of(id), update }
}

fn mutations_of(row: &Row, schema: &Schema) -> Result<Vec<Mutation>, QueryError> {
    let mut mutations = Vec::new();
    if let Some(ColumnData::Complex { cells, .. }) = row.column(column("mutations")) {
        for (_, cell) in cells {
            let damaged = || QueryError::Server("an entry of system.batches is damaged".to_owned());
            mutations.extend(decode(cell.value.clone(), schema).ok_or_else(damaged)?);
        }
    }
    Ok(mutations)
}

fn encode(mutation: &Mutation) -> Vec<u8> {
    let mut out = mutation.table.id.0.as_bytes().to_vec();
    let columns: Vec<_> = mutation.table.statics.iter().chain(&mutation.table.regulars).collect();
    let mut names: Vec<Bytes> = vec![mutation.key.key.clone()];
    for column in &columns {
        names.push(Bytes::copy_from_slice(&column.id.0.to_be_bytes()));
        names.push(Bytes::copy_from_slice(column.name.as_bytes()));
    }
    let packed = collection::pack(names.len(), &names);
    out.extend_from_slice(&(packed.len() as u32).to_be_bytes());
    out.extend_from_slice(&packed);
    model::codec::encode_update(&mutation.update, &mut out);
    out
}

/// `None`: damaged. A table that was dropped since gives no mutation.
fn decode(mut blob: Bytes, schema: &Schema) -> Option<Option<Mutation>> {
    if blob.len() < 20 {
        return None;
    }
    let id = TableId(Uuid::from_slice(&blob.split_to(16)).ok()?);
    let names_bytes = blob.get_u32() as usize;
    if blob.len() < names_bytes {
        return None;
    }
    let names = collection::unpack_list(&blob.split_to(names_bytes)).ok()?;
    let (key, columns) = names.split_first()?;
    let Some(table) = schema.tables().find(|table| table.id == id) else { return Some(None) };
    let mut numbers: Vec<(ColumnId, ColumnId)> = Vec::with_capacity(columns.len() / 2);
    for pair in columns.chunks_exact(2) {
        let old = ColumnId(u32::from_be_bytes(pair[0].as_ref().try_into().ok()?));
        let name = std::str::from_utf8(&pair[1]).ok()?;
        if let Some(column) = table.column(name) {
            numbers.push((old, column.id));
        }
    }
    let mut update = model::codec::decode_update(&blob).ok()?;
    for row in update.rows.iter_mut().chain(&mut update.static_row) {
        renumber(row, &numbers);
    }
    Some(Some(Mutation { table: table.clone(), key: PartitionKey::new(key.clone()), update }))
}

/// Columns that were dropped since are left out.
fn renumber(row: &mut Row, numbers: &[(ColumnId, ColumnId)]) {
    let old = std::mem::take(&mut row.columns);
    for (id, data) in old {
        if let Some((_, new)) = numbers.iter().find(|(known, _)| *known == id) {
            row.columns.push((*new, data));
        }
    }
    row.columns.sort_by_key(|(id, _)| *id);
}
