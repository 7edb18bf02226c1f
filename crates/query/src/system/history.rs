//! `system.compaction_history`: a row for each finished compaction, kept for a week.
//!
//! Cassandra records merges, `garbagecollect` and `upgradesstables`, not `cleanup` and `scrub`, and nothing of this
//! table itself: a row about it would lead to the next one.
//!
//! Source: `SystemKeyspace.updateCompactionHistory`; which kinds: seen on Cassandra 5.0.9.

use bytes::Bytes;
use model::value::collection;
use model::{Clustering, ColumnData, Mutation, PartitionKey, PartitionUpdate, Row};
use storage::{CompactionRecord, OperationKind};
use uuid::Uuid;

use super::definitions;
use super::row::{RowBuilder, Times};

const KEYSPACE: &str = "system";
const TABLE: &str = "compaction_history";

/// The write of a compaction that ended at `now_us`; nothing for those that are not recorded.
pub fn mutations(record: &CompactionRecord, now_us: i64) -> Vec<Mutation> {
    let is_kept = match record.kind {
        OperationKind::Compaction
        | OperationKind::MajorCompaction
        | OperationKind::GarbageCollect
        | OperationKind::UpgradeSstables => true,
        OperationKind::Cleanup | OperationKind::Scrub | OperationKind::Verify => false,
    };
    if !is_kept || (&*record.keyspace, &*record.table) == (KEYSPACE, TABLE) {
        return Vec::new();
    }
    let table = definitions::table(KEYSPACE, TABLE);
    let times = Times::new(now_us, table.options.default_time_to_live);
    let bigint = |number: u64| i64::try_from(number).unwrap_or(i64::MAX).to_be_bytes();
    let mut row = RowBuilder::new(table, Clustering::EMPTY, times);
    row.set("bytes_in", &bigint(record.bytes_in));
    row.set("bytes_out", &bigint(record.bytes_out));
    row.set("columnfamily_name", record.table.as_bytes());
    row.set("compacted_at", &now_us.div_euclid(1_000).to_be_bytes());
    let properties = ["compaction_type".to_owned(), record.kind.to_string()];
    row.set("compaction_properties", &collection::pack(1, &properties));
    row.set("keyspace_name", record.keyspace.as_bytes());
    let merged: Vec<([u8; 4], [u8; 8])> = record
        .merged_partitions
        .iter()
        .map(|(inputs, count)| (i32::try_from(*inputs).unwrap_or(i32::MAX).to_be_bytes(), bigint(*count)))
        .collect();
    row.set_map("rows_merged", &merged);
    vec![Mutation {
        table: table.clone(),
        key: PartitionKey::new(Bytes::copy_from_slice(record.id.as_bytes())),
        update: PartitionUpdate { rows: vec![row.row], ..PartitionUpdate::default() },
    }]
}

/// A row of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PastCompaction {
    /// Its id, a timeuuid.
    pub id: Uuid,
    /// Keyspace of the table.
    pub keyspace: String,
    /// Name of the table.
    pub table: String,
    /// When it ended, milliseconds since 1970.
    pub compacted_at_ms: i64,
    /// Bytes of Data.db files that went.
    pub bytes_in: i64,
    /// Bytes of those that came.
    pub bytes_out: i64,
    /// Inputs, and how many partitions so many of them had a part of; ascending.
    pub rows_merged: Vec<(i32, i64)>,
    /// What else is said of it, such as `compaction_type`.
    pub properties: Vec<(String, String)>,
}

/// Reads a row as of `now_s`; what has expired, and what is not as we write it, is left out.
pub(crate) fn read(key: &PartitionKey, row: &Row, now_s: u32) -> Option<PastCompaction> {
    let table = definitions::table(KEYSPACE, TABLE);
    let bytes = |name: &str| {
        let Some(ColumnData::Cell(cell)) = row.column(table.column(name)?.id) else { return None };
        (cell.local_deletion_s > now_s).then(|| cell.value.clone())
    };
    let text = |name: &str| String::from_utf8(bytes(name)?.to_vec()).ok();
    let bigint = |name: &str| bytes(name)?.as_ref().try_into().ok().map(i64::from_be_bytes);
    let mut past = PastCompaction {
        id: Uuid::from_slice(&key.key).ok()?,
        keyspace: text("keyspace_name")?,
        table: text("columnfamily_name")?,
        compacted_at_ms: bigint("compacted_at")?,
        bytes_in: bigint("bytes_in")?,
        bytes_out: bigint("bytes_out")?,
        ..PastCompaction::default()
    };
    if let Some(ColumnData::Complex { cells, .. }) = row.column(table.column("rows_merged")?.id) {
        let pair = |(path, value): (&[u8], &[u8])| {
            Some((i32::from_be_bytes(path.try_into().ok()?), i64::from_be_bytes(value.try_into().ok()?)))
        };
        let live = cells.iter().filter(|(_, cell)| cell.local_deletion_s > now_s);
        past.rows_merged.extend(live.filter_map(|(path, cell)| pair((path, &cell.value))));
    }
    if let Some(packed) = bytes("compaction_properties") {
        let word = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let pairs = collection::unpack_map(&packed).unwrap_or_default();
        past.properties.extend(pairs.iter().map(|(name, value)| (word(name), word(value))));
    }
    Some(past)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(keyspace: &str, table: &str, kind: OperationKind) -> CompactionRecord {
        CompactionRecord {
            id: Uuid::from_u128(7),
            kind,
            keyspace: keyspace.into(),
            table: table.into(),
            bytes_in: 162,
            bytes_out: 126,
            merged_partitions: [(1, 4), (2, 1)].into(),
        }
    }

    #[test]
    fn what_is_written_is_read_for_a_week() {
        let now_us = 1_795_398_464_585_000;
        let mutations = mutations(&record("ks", "t", OperationKind::MajorCompaction), now_us);
        let [mutation] = &mutations[..] else { panic!("{mutations:?}") };
        let row = &mutation.update.rows[0];
        let found = read(&mutation.key, row, 1_795_398_464 + 604_799);
        let want = PastCompaction {
            id: Uuid::from_u128(7),
            keyspace: "ks".to_owned(),
            table: "t".to_owned(),
            compacted_at_ms: 1_795_398_464_585,
            bytes_in: 162,
            bytes_out: 126,
            rows_merged: vec![(1, 4), (2, 1)],
            properties: vec![("compaction_type".to_owned(), "Major compaction".to_owned())],
        };
        assert_eq!(found, Some(want));
        assert_eq!(read(&mutation.key, row, 1_795_398_464 + 604_800), None);
    }

    #[test]
    fn what_cassandra_does_not_record_is_not_recorded() {
        for (keyspace, table, kind, count) in [
            ("system", "local", OperationKind::Compaction, 1),
            ("system", "compaction_history", OperationKind::Compaction, 0),
            ("ks", "compaction_history", OperationKind::Compaction, 1),
            ("ks", "t", OperationKind::Cleanup, 0),
            ("ks", "t", OperationKind::Scrub, 0),
        ] {
            assert_eq!(
                mutations(&record(keyspace, table, kind), 0).len(),
                count,
                "{keyspace}.{table} {kind}"
            );
        }
    }
}
