//! A schema as rows of the `system_schema` tables, and back.
//!
//! Every object is one row; the partition is its keyspace. What changed between two schemas is the difference
//! between their rows, so nothing here knows of statements.
//!
//! Read in order: [`encode`] (what the row of a keyspace, table, column ... holds), [`mutations`] (differences),
//! [`decode`] (rows become a schema).

mod decode;
mod encode;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use md5::{Digest, Md5};
use model::row::NO_DELETION_TIME;
use model::{
    Cell, Clustering, ColumnData, DeletionTime, Keyspace, Liveness, Mutation, PartitionKey, PartitionUpdate,
    Row, Schema, Table,
};
use uuid::Uuid;

use crate::system::definitions;

pub use decode::schema_from_rows;
pub(crate) use encode::column_values;

/// Which row of `system_schema`: table, clustering values. The partition is the keyspace's name.
type RowKey = (&'static str, Vec<Bytes>);
/// Its values by column.
type RowValues = BTreeMap<&'static str, Bytes>;

/// The rows of one keyspace in all tables of `system_schema`.
pub fn rows_of_keyspace(keyspace: &Keyspace, timestamp_us: i64) -> Vec<(Arc<Table>, PartitionKey, Row)> {
    let key = partition_key(&keyspace.name);
    encode::rows(keyspace)
        .iter()
        .map(|((name, clustering), values)| {
            let table = definitions::table("system_schema", name);
            (Arc::clone(table), key.clone(), live_row(table, clustering, values, None, timestamp_us))
        })
        .collect()
}

/// What to write into `system_schema` to get from `old` to `new`: one mutation a table and keyspace,
/// differences only. `now_us` must be later than the time of every earlier change.
pub fn mutations(old: &Schema, new: &Schema, now_us: i64) -> Vec<Mutation> {
    let mut mutations = Vec::new();
    let empty = BTreeMap::new();
    let stored = |schema: &Schema, name: &str| {
        schema.keyspace(name).filter(|_| !definitions::is_virtual(name)).cloned()
    };
    let names: std::collections::BTreeSet<&Arc<str>> =
        old.keyspaces.keys().chain(new.keyspaces.keys()).collect();
    for name in names {
        match (stored(old, name), stored(new, name)) {
            (None, None) => {}
            (Some(old), Some(new)) if Arc::ptr_eq(&old, &new) => {}
            (Some(old), Some(new)) => {
                let (old, new) = (encode::rows(&old), encode::rows(&new));
                mutations.extend(row_changes(name, &old, &new, now_us));
            }
            (None, Some(new)) => mutations.extend(row_changes(name, &empty, &encode::rows(&new), now_us)),
            (Some(old), None) => mutations.extend(partition_deletions(name, &encode::rows(&old), now_us)),
        }
    }
    mutations
}

/// Digest of the stored schema: equal for equal schemas, whatever way they were reached.
///
/// `system`, `system_schema` and the virtual keyspaces are left out: each release has its own.
pub fn schema_version(schema: &Schema) -> Uuid {
    let mut digest = Md5::new();
    let mut feed = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    };
    for (name, keyspace) in &schema.keyspaces {
        if definitions::is_local(name) || definitions::is_virtual(name) {
            continue;
        }
        feed(name.as_bytes());
        for ((table, clustering), values) in encode::rows(keyspace) {
            feed(table.as_bytes());
            clustering.iter().for_each(|value| feed(value));
            for (column, value) in values {
                feed(column.as_bytes());
                feed(&value);
            }
        }
    }
    uuid::Builder::from_md5_bytes(digest.finalize().into()).into_uuid()
}

fn partition_key(keyspace: &str) -> PartitionKey {
    PartitionKey::new(Bytes::copy_from_slice(keyspace.as_bytes()))
}

fn deletion(now_us: i64) -> DeletionTime {
    let seconds = now_us.div_euclid(1_000_000);
    DeletionTime {
        timestamp_us: now_us,
        local_deletion_s: u32::try_from(seconds).unwrap_or(NO_DELETION_TIME - 1),
    }
}

fn clustering_of(table: &Table, values: &[Bytes]) -> Clustering {
    Clustering::new(values.iter().cloned().map(Some).collect(), &table.clustering_types())
}

fn live_row(
    table: &Table,
    clustering: &[Bytes],
    values: &RowValues,
    old: Option<&RowValues>,
    timestamp_us: i64,
) -> Row {
    let mut columns = Vec::with_capacity(values.len());
    for column in &table.regulars {
        let cell = match values.get(&*column.name) {
            Some(value) => Cell::live(timestamp_us, value.clone()),
            None if old.is_some_and(|old| old.contains_key(&*column.name)) => {
                Cell::tombstone(timestamp_us, deletion(timestamp_us).local_deletion_s)
            }
            None => continue,
        };
        columns.push((column.id, ColumnData::Cell(cell)));
    }
    columns.sort_by_key(|(id, _)| *id);
    Row {
        clustering: clustering_of(table, clustering),
        liveness: Liveness { timestamp_us, ..Liveness::NONE },
        deletion: DeletionTime::LIVE,
        columns,
    }
}

/// Differences between the rows of one keyspace.
fn row_changes(
    keyspace: &str,
    old: &BTreeMap<RowKey, RowValues>,
    new: &BTreeMap<RowKey, RowValues>,
    now_us: i64,
) -> Vec<Mutation> {
    let mut rows: BTreeMap<&'static str, Vec<Row>> = BTreeMap::new();
    for (key @ (name, clustering), values) in new {
        if old.get(key) != Some(values) {
            let table = definitions::table("system_schema", name);
            rows.entry(name).or_default().push(live_row(table, clustering, values, old.get(key), now_us));
        }
    }
    for (name, clustering) in old.keys().filter(|key| !new.contains_key(*key)) {
        let table = definitions::table("system_schema", name);
        let row = Row { deletion: deletion(now_us), ..Row::empty(clustering_of(table, clustering)) };
        rows.entry(name).or_default().push(row);
    }
    rows.into_iter()
        .map(|(name, mut rows)| {
            rows.sort_by(|a, b| a.clustering.cmp(&b.clustering));
            Mutation {
                table: Arc::clone(definitions::table("system_schema", name)),
                key: partition_key(keyspace),
                update: PartitionUpdate { rows, ..PartitionUpdate::default() },
            }
        })
        .collect()
}

fn partition_deletions(keyspace: &str, old: &BTreeMap<RowKey, RowValues>, now_us: i64) -> Vec<Mutation> {
    let tables: std::collections::BTreeSet<&'static str> = old.keys().map(|(name, _)| *name).collect();
    tables
        .into_iter()
        .map(|name| Mutation {
            table: Arc::clone(definitions::table("system_schema", name)),
            key: partition_key(keyspace),
            update: PartitionUpdate { deletion: deletion(now_us), ..PartitionUpdate::default() },
        })
        .collect()
}

#[cfg(test)]
mod tests;
