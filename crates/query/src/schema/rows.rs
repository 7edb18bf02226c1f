//! A schema as rows of the `system_schema` tables, and back.
//!
//! Every object is one row; the partition is its keyspace. What changed between two schemas is the difference
//! between their rows, so nothing here knows of statements.
//!
//! Read in order: [`encode`] (what the row of a keyspace, table, column ... holds), [`mutations`] (differences),
//! [`decode`] (rows become a schema).

mod decode;
mod encode;

use std::collections::{BTreeMap, BTreeSet};
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
/// Rows of one keyspace.
type Rows = BTreeMap<RowKey, RowValues>;

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
    for (name, old, new) in changed_keyspaces(old, new) {
        match (old, new) {
            (Some(old), None) => mutations.extend(partition_deletions(name, &encode::rows(old), now_us)),
            (old, new) => {
                let (old, new) = encode::differing_rows(old, new);
                mutations.extend(row_changes(name, &old, &new, now_us));
            }
        }
    }
    mutations
}

/// Digest of the stored schema: equal for equal schemas, whatever way they were reached.
///
/// It is the sum without carry of a digest for each row, so that a change costs what changes. `system`,
/// `system_schema` and the virtual keyspaces are left out: each release has its own.
pub fn schema_version(schema: &Schema) -> Uuid {
    let nothing = Schema { version: Uuid::nil(), keyspaces: BTreeMap::new() };
    version_after(&nothing, schema)
}

/// The version of `new`, a successor of `old`, whose version is known.
pub(super) fn version_after(old: &Schema, new: &Schema) -> Uuid {
    let mut sum = old.version.as_u128();
    for (name, old, new) in changed_keyspaces(old, new) {
        if definitions::is_local(name) {
            continue;
        }
        let (old, new) = encode::differing_rows(old, new);
        for (key, values) in old.iter().chain(&new) {
            sum ^= row_digest(name, key, values);
        }
    }
    uuid::Builder::from_md5_bytes(sum.to_be_bytes()).into_uuid()
}

fn row_digest(keyspace: &str, (table, clustering): &RowKey, values: &RowValues) -> u128 {
    let mut digest = Md5::new();
    let mut feed = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    };
    feed(keyspace.as_bytes());
    feed(table.as_bytes());
    clustering.iter().for_each(|value| feed(value));
    for (column, value) in values {
        feed(column.as_bytes());
        feed(value);
    }
    u128::from_be_bytes(digest.finalize().into())
}

/// The stored keyspaces that are not one and the same in both schemas.
fn changed_keyspaces<'a>(
    old: &'a Schema,
    new: &'a Schema,
) -> impl Iterator<Item = (&'a Arc<str>, Option<&'a Keyspace>, Option<&'a Keyspace>)> {
    let names: BTreeSet<&Arc<str>> = old.keyspaces.keys().chain(new.keyspaces.keys()).collect();
    names.into_iter().filter(|name| !definitions::is_virtual(name)).filter_map(|name| {
        let (old, new) = (old.keyspace(name), new.keyspace(name));
        let same = old.zip(new).is_some_and(|(old, new)| Arc::ptr_eq(old, new));
        (!same).then(|| (name, old.map(AsRef::as_ref), new.map(AsRef::as_ref)))
    })
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
fn row_changes(keyspace: &str, old: &Rows, new: &Rows, now_us: i64) -> Vec<Mutation> {
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

fn partition_deletions(keyspace: &str, old: &Rows, now_us: i64) -> Vec<Mutation> {
    let tables: BTreeSet<&'static str> = old.keys().map(|(name, _)| *name).collect();
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
