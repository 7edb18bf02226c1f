//! An SSTable of each version that we write, for a real Cassandra to judge, by hand:
//!
//! ```text
//! CREATE TABLE ks.judged (k int, c int, d text, s text static, v text, n int, l list<int>, m map<text, bigint>,
//!   PRIMARY KEY (k, c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC);
//! SSTABLE_EXPORT=/dir cargo test -p sstable export -- --ignored
//! nodetool import -e ks judged /dir/oa      # or da, nb
//! ```

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use model::{
    Bound, BoundKind, Cell, Clustering, ColumnData, ColumnKind, CqlType, DeletionTime, Liveness, Marker,
    PartitionHeader, PartitionKey, Row, Table, Unfiltered,
};
use runtime::Disk;
use runtime::real::RealDisk;

use super::support::{Partition, TableBuilder};
use crate::metadata::EncodingStatsCollector;
use crate::{Descriptor, Version, WriteOptions, Writer};

const T: i64 = 1_700_000_000_000_000;
const S: u32 = 1_700_000_000;
/// Rows with a time to live go then.
const EXPIRY_S: u32 = 2_000_000_000;

fn table() -> Arc<Table> {
    TableBuilder::new("judged")
        .column("k", CqlType::Int, ColumnKind::PartitionKey, false)
        .column("c", CqlType::Int, ColumnKind::Clustering, true)
        .column("d", CqlType::Text, ColumnKind::Clustering, false)
        .column("s", CqlType::Text, ColumnKind::Static, false)
        .column("l", CqlType::list(CqlType::Int, false), ColumnKind::Regular, false)
        .column("m", CqlType::map(CqlType::Text, CqlType::Bigint, false), ColumnKind::Regular, false)
        .column("n", CqlType::Int, ColumnKind::Regular, false)
        .column("v", CqlType::Text, ColumnKind::Regular, false)
        .build()
}

fn int(value: i32) -> Bytes {
    Bytes::copy_from_slice(&value.to_be_bytes())
}

fn row(table: &Table, k: i32, c: i32, d: &str) -> Row {
    let values = vec![Some(int(c)), Some(Bytes::copy_from_slice(d.as_bytes()))];
    let mut row = Row::empty(Clustering::new(values, &table.clustering_types()));
    row.liveness = Liveness { timestamp_us: T, ..Liveness::NONE };
    let (mut ttl_s, mut local_deletion_s) = (0, u32::MAX);
    if k % 11 == 0 {
        (ttl_s, local_deletion_s) = (1000, EXPIRY_S);
        row.liveness = Liveness { timestamp_us: T, ttl_s, local_deletion_s };
    }
    let cell = |value: Bytes| Cell { timestamp_us: T, ttl_s, local_deletion_s, value };
    let id = |name: &str| table.column(name).unwrap().id;
    let path = |i: u128| {
        Bytes::copy_from_slice(&(0x6f12_cfb0_e697_11f1_b662_233e_7d93_99c2_u128 + (i << 96)).to_be_bytes())
    };
    let deletion = DeletionTime { timestamp_us: T - 1, local_deletion_s: S };
    row.columns = vec![
        (id("v"), ColumnData::Cell(cell(format!("v{k}-{c}").into()))),
        (id("n"), ColumnData::Cell(if k % 5 == 0 { Cell::tombstone(T, S) } else { cell(int(k)) })),
        (
            id("m"),
            ColumnData::Complex {
                deletion: DeletionTime::LIVE,
                cells: vec![("a".into(), Cell::live(T, Bytes::copy_from_slice(&i64::from(k).to_be_bytes())))],
            },
        ),
        (
            id("l"),
            ColumnData::Complex { deletion, cells: vec![(path(0), cell(int(k))), (path(1), cell(int(c)))] },
        ),
    ];
    row.columns.sort_by_key(|(id, _)| *id);
    row
}

fn partitions(table: &Table) -> Vec<Partition> {
    let header = |k: i32| PartitionHeader {
        key: PartitionKey::new(int(k)),
        deletion: if k % 97 == 0 {
            DeletionTime { timestamp_us: T - 5, local_deletion_s: S }
        } else {
            DeletionTime::LIVE
        },
        static_row: (k % 3 == 0).then(|| {
            let mut row = Row::empty(Clustering::EMPTY);
            let cell = Cell::live(T, format!("s{k}").into());
            row.columns.push((table.column("s").unwrap().id, ColumnData::Cell(cell)));
            row
        }),
    };
    let narrow = (0..20_000).map(|k| {
        let mut items = vec![Unfiltered::Row(row(table, k, k % 7, "a"))];
        if k % 13 == 0 {
            let values = vec![Some(int(-1)), Some("x".into())];
            let mut gone = Row::empty(Clustering::new(values, &table.clustering_types()));
            gone.deletion = DeletionTime { timestamp_us: T, local_deletion_s: S };
            items.push(Unfiltered::Row(gone));
        }
        Partition { header: header(k), items }
    });
    let types = table.clustering_types();
    let bound = |kind, c: i32| Bound::new(kind, vec![Some(int(c))], &types);
    let at = |timestamp_us: i64| Some(DeletionTime { timestamp_us, local_deletion_s: S });
    let marker = |bound: Bound, close, open| Unfiltered::Marker(Marker { bound, close, open });
    // Cassandra does not look whether a file's own tombstones shadow its rows: such rows must not be there.
    let is_gone = |c: i32| (c > 100 && c <= 2000) || (3000..3500).contains(&c);
    let alive = (0..5000).filter(|c| !is_gone(*c));
    let mut items: Vec<_> = alive.map(|c| Unfiltered::Row(row(table, -1, c, "z"))).collect();
    // c > 100 AND c <= 2000; c >= 3000 AND c < 3500 meets c >= 3500 AND c <= 4000 (the latter older than the rows).
    items.extend([
        marker(bound(BoundKind::InclusiveStart, 2000), None, at(T + 1)),
        marker(bound(BoundKind::ExclusiveEnd, 100), at(T + 1), None),
        marker(bound(BoundKind::InclusiveStart, 4000), None, at(T - 9)),
        marker(bound(BoundKind::InclusiveEnd, 3500), at(T - 9), at(T + 2)),
        marker(bound(BoundKind::InclusiveEnd, 3000), at(T + 2), None),
    ]);
    items.sort_by(|a, b| a.order().cmp(b.order()));
    let mut partitions: Vec<_> = narrow.chain([Partition { header: header(-1), items }]).collect();
    partitions.sort_by(|a, b| a.header.key.cmp(&b.header.key));
    partitions
}

#[test]
#[ignore = "writes files for a real Cassandra"]
fn export() {
    let directory =
        PathBuf::from(std::env::var_os("SSTABLE_EXPORT").expect("SSTABLE_EXPORT names a directory"));
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    disk.create_dir_all(&directory).unwrap();
    let table = table();
    let partitions = partitions(&table);
    let mut stats = EncodingStatsCollector::new();
    for partition in &partitions {
        stats.add_deletion(&partition.header.deletion);
        partition.items.iter().for_each(|item| match item {
            Unfiltered::Row(row) => stats.add_row(row),
            Unfiltered::Marker(marker) => marker.open.iter().for_each(|open| stats.add_deletion(open)),
        });
    }
    for version in [Version::Da, Version::Oa, Version::Nb] {
        let directory = directory.join(version.letters());
        disk.create_dir_all(&directory).unwrap();
        let options = WriteOptions {
            bases: stats.stats(),
            expected_partitions: partitions.len() as u64,
            // More blocks than by default: the wide partition shall have many.
            column_index_bytes: 4096,
            ..WriteOptions::for_version(&table, version).unwrap()
        };
        let descriptor = Descriptor::new(directory, 1).with_version(version);
        let mut writer = Writer::create(&disk, &descriptor, &table, options).unwrap();
        for partition in &partitions {
            writer.append(&mut partition.stream()).unwrap();
        }
        println!("{:?}", writer.finish().unwrap());
    }
}
