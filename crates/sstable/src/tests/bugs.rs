//! Bugs that others had: what they were is told at each test.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use model::{
    Bound, BoundKind, Cell, Clustering, ColumnData, ColumnKind, CqlType, DeletionTime, Marker,
    PartitionHeader, PartitionKey, Row, Slice, Slices, Table, Unfiltered,
};
use runtime::Disk;
use runtime::sim::SimDisk;

use super::support::{Partition, TableBuilder, drain};
use crate::filter::OFF_BY_ONE_BIT;
use crate::{Descriptor, SsTable, Version, WriteError, WriteOptions, Writer};

const WRITTEN: [Version; 3] = [Version::Da, Version::Oa, Version::Nb];

fn table(reversed: bool) -> Arc<Table> {
    TableBuilder::new("t")
        .column("k", CqlType::Text, ColumnKind::PartitionKey, false)
        .column("c", CqlType::Int, ColumnKind::Clustering, reversed)
        .column("s", CqlType::Int, ColumnKind::Static, false)
        .column("v", CqlType::Text, ColumnKind::Regular, false)
        .build()
}

fn int(value: i32) -> Bytes {
    Bytes::copy_from_slice(&value.to_be_bytes())
}

fn bound(table: &Table, kind: BoundKind, value: i32) -> Bound {
    Bound::new(kind, vec![Some(int(value))], &table.clustering_types())
}

fn row(table: &Table, clustering: i32) -> Unfiltered {
    let mut row = Row::empty(Clustering::new(vec![Some(int(clustering))], &table.clustering_types()));
    let cell = Cell::live(1, vec![b'x'; 60].into());
    row.columns.push((table.regulars[0].id, ColumnData::Cell(cell)));
    Unfiltered::Row(row)
}

fn partition(items: Vec<Unfiltered>) -> Partition {
    let key = PartitionKey::new(Bytes::from_static(b"key"));
    Partition { header: PartitionHeader { key, deletion: DeletionTime::LIVE, static_row: None }, items }
}

fn write(
    disk: &Arc<dyn Disk>,
    table: &Arc<Table>,
    version: Version,
    partition: &Partition,
) -> Result<Descriptor, WriteError> {
    disk.create_dir_all(Path::new("/t")).unwrap();
    let descriptor = Descriptor::new("/t", 1).with_version(version);
    let options =
        WriteOptions { column_index_bytes: 128, ..WriteOptions::for_version(table, version).unwrap() };
    let mut writer = Writer::create(disk, &descriptor, table, options).unwrap();
    match writer.append(&mut partition.stream()) {
        Ok(()) => Ok(writer.finish().unwrap().descriptor),
        Err(error) => {
            writer.abort();
            Err(error)
        }
    }
}

fn memory() -> Arc<dyn Disk> {
    Arc::new(SimDisk::new(1))
}

/// A range tombstone over the rows 10 to 19 of 30.
fn ranged(table: &Table, deletion: DeletionTime) -> Partition {
    let reversed = table.clustering[0].reversed;
    let (low, high) = if reversed { (19, 10) } else { (10, 19) };
    let mut items: Vec<Unfiltered> = (0..30).map(|i| row(table, i)).collect();
    let side = |bound, close, open| Unfiltered::Marker(Marker { bound, close, open });
    items.push(side(bound(table, BoundKind::InclusiveStart, low), None, Some(deletion)));
    items.push(side(bound(table, BoundKind::InclusiveEnd, high), Some(deletion), None));
    items.sort_by(|a, b| a.order().cmp(b.order()));
    partition(items)
}

/// CASSANDRA-14861, 15690: least and greatest clusterings that leave out range tombstones, partition deletions or
/// statics make reads skip an SSTable whose deletion they need.
#[test]
fn bug_48_an_sstable_is_not_skipped_where_it_deletes() {
    for (version, reversed) in WRITTEN.into_iter().flat_map(|v| [(v, false), (v, true)]) {
        let table = table(reversed);
        let deletion = DeletionTime { timestamp_us: 5, local_deletion_s: 7 };
        let mut partition = ranged(&table, deletion);
        // The tombstone alone, wider than any row.
        partition.items.retain(|item| matches!(item, Unfiltered::Marker(_)));
        let disk = memory();
        let descriptor = write(&disk, &table, version, &partition).unwrap();
        let sstable = SsTable::open(&disk, &descriptor).unwrap();
        let kinds = [BoundKind::InclusiveStart, BoundKind::InclusiveEnd];
        for value in 0..30 {
            let [start, end] = kinds.map(|kind| bound(&table, kind, value));
            let slice = Slice { start, end };
            let want = partition.clipped(&Slices(vec![slice.clone()]), false);
            let may_cover = sstable.metadata().may_cover(&slice);
            assert!(may_cover || want.items.is_empty(), "{version:?} {reversed} {value}");
            let outside = !(10..20).contains(&value);
            assert!(!(outside && may_cover), "{version:?} {reversed}: {value} is not skipped");
            let slices = Slices(vec![slice]);
            let read = sstable.read(&table, &partition.header.key, &slices, false).unwrap();
            assert_eq!(drain(&mut *read.expect("the key is there")).unwrap(), want);
        }
        assert!(!sstable.metadata().has_partition_deletions || version == Version::Nb);
        assert!(sstable.metadata().has_statics, "its statics lie outside of all slices");
        // Deletions of partitions lie outside of all slices, too: the flag says that there are some.
        partition.header.deletion = deletion;
        partition.items.clear();
        let disk = memory();
        let descriptor = write(&disk, &table, version, &partition).unwrap();
        assert!(SsTable::open(&disk, &descriptor).unwrap().metadata().has_partition_deletions);
    }
}

/// 5.0.9 flushes deletions of a partition before 1970, and range tombstones that are open where a block begins or
/// ends, in a form that it cannot read again. `nb` can say them.
#[test]
fn bug_62_negative_deletion_times_are_never_written_where_they_cannot_be_read() {
    let deletion = DeletionTime { timestamp_us: -5, local_deletion_s: 7 };
    let table = table(false);
    let mut deleted = partition(Vec::new());
    deleted.header.deletion = deletion;
    let open_at_block = ranged(&table, deletion);
    let mut inside = ranged(&table, deletion);
    // Within one block only the markers say it: these have room.
    inside.items.truncate(0);
    inside
        .items
        .extend(ranged(&table, deletion).items.into_iter().filter(|i| matches!(i, Unfiltered::Marker(_))));
    for version in WRITTEN {
        for (partition, fits) in [(&deleted, false), (&open_at_block, false), (&inside, true)] {
            let disk = memory();
            let written = write(&disk, &table, version, partition);
            if fits || version == Version::Nb {
                let sstable = SsTable::open(&disk, &written.unwrap()).unwrap();
                for reversed in [false, true] {
                    let read = sstable.read(&table, &partition.header.key, &Slices::all(), reversed).unwrap();
                    let got = drain(&mut *read.expect("the key is there")).unwrap();
                    assert_eq!(got, partition.clipped(&Slices::all(), reversed), "{version:?}");
                }
            } else {
                let error = written.unwrap_err();
                assert!(matches!(error, WriteError::NegativeDeletion { timestamp_us: -5 }), "{version:?}");
                let said = "a deletion with the negative timestamp -5 cannot be stored";
                assert_eq!(error.to_string(), said);
                assert!(disk.list(Path::new("/t")).unwrap().is_empty(), "something is left");
            }
        }
    }
}

/// Local deletion times after 2038 do not fit `nb`: they become its last second, as in 5.0.
#[test]
fn seconds_after_2038_are_the_last_one_of_nb() {
    let table = table(false);
    let last = i32::MAX as u32 - 1;
    let late = DeletionTime { timestamp_us: 5, local_deletion_s: u32::MAX - 7 };
    let mut partition = ranged(&table, late);
    partition.header.deletion = late;
    let cell = Cell::expiring(9, 100, last + 10, Bytes::from_static(b"v"));
    if let Unfiltered::Row(row) = &mut partition.items[0] {
        row.columns[0].1 = ColumnData::Cell(cell);
    }
    let disk = memory();
    let descriptor = write(&disk, &table, Version::Nb, &partition).unwrap();
    let sstable = SsTable::open(&disk, &descriptor).unwrap();
    let mut want = partition.clone();
    super::random::clip(&mut want);
    let read = sstable.read(&table, &partition.header.key, &Slices::all(), false).unwrap();
    assert_eq!(drain(&mut *read.expect("the key is there")).unwrap(), want);
    assert_eq!(want.header.deletion.local_deletion_s, last);
    assert_eq!(sstable.metadata().min_local_deletion_s, last);
}

/// Writes 300 partitions; the keys that a read by key does not find.
fn keys_not_found(version: Version) -> Vec<PartitionKey> {
    let (disk, table) = (memory(), table(false));
    disk.create_dir_all(Path::new("/t")).unwrap();
    let descriptor = Descriptor::new("/t", 1).with_version(version);
    // A filter for fewer keys has all its bits set.
    let options =
        WriteOptions { expected_partitions: 300, ..WriteOptions::for_version(&table, version).unwrap() };
    let mut keys: Vec<_> =
        (0..300_i32).map(|number| PartitionKey::new(Bytes::from(number.to_string()))).collect();
    keys.sort();
    let mut writer = Writer::create(&disk, &descriptor, &table, options).unwrap();
    for key in &keys {
        let mut one = partition(vec![row(&table, 1)]);
        one.header.key = key.clone();
        writer.append(&mut one.stream()).unwrap();
    }
    let sstable = SsTable::open(&disk, &writer.finish().unwrap().descriptor).unwrap();
    let is_found = |key: &PartitionKey| {
        sstable.may_contain(key) && sstable.read(&table, key, &Slices::all(), false).unwrap().is_some()
    };
    keys.retain(|key| !is_found(key));
    keys
}

#[test]
fn every_key_is_found_by_key() {
    for version in WRITTEN {
        assert_eq!(keys_not_found(version), [], "{version:?}");
    }
}

#[test]
fn a_filter_that_is_off_by_one_bit_is_caught() {
    for version in WRITTEN {
        OFF_BY_ONE_BIT.set(true);
        let lost = keys_not_found(version);
        OFF_BY_ONE_BIT.set(false);
        assert!(lost.len() > 100, "{version:?}: {} of 300 keys are lost", lost.len());
    }
}

/// Rows before a slice are gone past undecoded: that they ascend is looked at all the same.
#[test]
fn rows_out_of_order_before_a_slice_are_found() {
    use runtime::OpenMode;
    for version in WRITTEN {
        let table = table(false);
        let written = partition((0..10).map(|i| row(&table, i)).collect());
        let disk = memory();
        disk.create_dir_all(Path::new("/t")).unwrap();
        let descriptor = Descriptor::new("/t", 1).with_version(version);
        let options =
            WriteOptions { compression: None, ..WriteOptions::for_version(&table, version).unwrap() };
        let mut writer = Writer::create(&disk, &descriptor, &table, options).unwrap();
        writer.append(&mut written.stream()).unwrap();
        writer.finish().unwrap();
        // The rows 2 and 3 change places.
        let path = descriptor.path(crate::Component::Data);
        let mut bytes = disk.read_all(&path).unwrap();
        let places = [int(2), int(3)].map(|value| {
            let at = bytes.windows(4).position(|window| *window == *value);
            at.expect("the value stands there as it is")
        });
        for (place, value) in places.into_iter().zip([int(3), int(2)]) {
            bytes[place..place + 4].copy_from_slice(&value);
        }
        disk.open(&path, OpenMode::Create).unwrap().write_all_at(&bytes, 0).unwrap();
        disk.remove_file(&descriptor.path(crate::Component::Crc)).unwrap();
        let sstable = SsTable::open(&disk, &descriptor).unwrap();
        let slice = Slice {
            start: bound(&table, BoundKind::InclusiveStart, 5),
            end: bound(&table, BoundKind::InclusiveEnd, 8),
        };
        for reversed in [false, true] {
            let slices = Slices(vec![slice.clone()]);
            let read = sstable.read(&table, &written.header.key, &slices, reversed).unwrap();
            let error = drain(&mut *read.expect("the key is there")).unwrap_err().to_string();
            assert!(error.contains("do not ascend"), "{version:?}, reversed {reversed}: {error}");
        }
    }
}
