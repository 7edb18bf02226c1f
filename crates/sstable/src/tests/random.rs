//! Random partitions written and read back, in both directions, by slices, over ranges of the ring.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use model::read::{Place, Position};
use model::row::NO_DELETION_TIME;
use model::{
    Bound, BoundKind, Cell, Clustering, Column, ColumnData, ColumnKind, CqlType, DeletionTime, Liveness,
    Marker, PartitionHeader, PartitionKey, Row, Slices, Table, Token, Unfiltered,
};
use runtime::Disk;
use runtime::sim::SimDisk;
use stdx::prng::Prng;

use super::fixtures::some_slices;
use super::support::{Partition, TableBuilder, drain, drain_all};
use crate::metadata::EncodingStatsCollector;
use crate::{
    Component, Compression, Compressor, Copied, CopyInput, Descriptor, SsTable, Version, Walk, WriteError,
    WriteOptions, Writer,
};

const NOW_US: i64 = 1_700_000_000_000_000;

pub(crate) struct Case {
    pub(crate) table: Arc<Table>,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) options: WriteOptions,
}

impl Case {
    pub(crate) fn random(prng: &mut Prng) -> Case {
        let table = random_table(prng);
        let mut keys = BTreeMap::new();
        for _ in 0..prng.between(1, 40) {
            let mut key = vec![0; prng.between(1, 12) as usize];
            prng.fill(&mut key);
            let key = PartitionKey::new(key.into());
            keys.insert(key.clone(), random_partition(prng, &table, key));
        }
        let partitions: Vec<Partition> = keys.into_values().collect();
        let mut stats = EncodingStatsCollector::new();
        for partition in partitions.iter().filter(|_| prng.chance(0.9)) {
            stats.add_deletion(&partition.header.deletion);
            for item in &partition.items {
                if let Unfiltered::Row(row) = item {
                    stats.add_row(row);
                }
            }
        }
        let compressors =
            [Compressor::Lz4, Compressor::Snappy, Compressor::Deflate, Compressor::Zstd, Compressor::Noop];
        let compression = prng.chance(0.9).then(|| Compression {
            compressor: *prng.choose(&compressors).unwrap(),
            chunk_bytes: 1 << prng.between(8, 14),
            max_compressed_bytes: if prng.chance(0.5) { i32::MAX as u32 } else { 300 },
            ..Compression::default()
        });
        let options = WriteOptions {
            bases: stats.stats(),
            compression,
            expected_partitions: partitions.len() as u64,
            column_index_bytes: 1 << prng.between(7, 12),
            host_id: Some(uuid::Uuid::from_u128(7)),
            commit_log_intervals: vec![((1, 2), (3, 4)), ((3, 9), (5, 6))],
            ..WriteOptions::for_table(&table).unwrap()
        };
        Case { table, partitions, options }
    }

    /// Of what `version` can say: before `oa` no second after 2038.
    pub(crate) fn random_for(prng: &mut Prng, version: Version) -> Case {
        let mut case = Case::random(prng);
        if version == Version::Nb {
            case.partitions.iter_mut().for_each(clip);
        }
        case
    }

    pub(crate) fn write(&self, disk: &Arc<dyn Disk>) -> Descriptor {
        self.write_version(disk, Version::Da)
    }

    pub(crate) fn write_version(&self, disk: &Arc<dyn Disk>, version: Version) -> Descriptor {
        disk.create_dir_all(Path::new("/t")).unwrap();
        let descriptor = Descriptor::new("/t", 1).with_version(version);
        let mut writer = Writer::create(disk, &descriptor, &self.table, self.options.clone()).unwrap();
        for partition in &self.partitions {
            writer.append(&mut partition.stream()).unwrap();
        }
        let written = writer.finish().unwrap();
        assert_eq!(written.partitions, self.partitions.len() as u64);
        descriptor
    }
}

/// Makes all seconds such that 31 bits hold them.
pub(super) fn clip(partition: &mut Partition) {
    let second = |second: &mut u32| {
        if *second != NO_DELETION_TIME {
            *second = (*second).min(i32::MAX as u32 - 1);
        }
    };
    second(&mut partition.header.deletion.local_deletion_s);
    let row = |row: &mut Row| {
        second(&mut row.liveness.local_deletion_s);
        second(&mut row.deletion.local_deletion_s);
        for (_, data) in &mut row.columns {
            match data {
                ColumnData::Cell(cell) => second(&mut cell.local_deletion_s),
                ColumnData::Complex { deletion, cells } => {
                    second(&mut deletion.local_deletion_s);
                    cells.iter_mut().for_each(|(_, cell)| second(&mut cell.local_deletion_s));
                }
            }
        }
    };
    partition.header.static_row.iter_mut().for_each(row);
    for item in &mut partition.items {
        match item {
            Unfiltered::Row(own) => row(own),
            Unfiltered::Marker(marker) => {
                let sides = [&mut marker.close, &mut marker.open].into_iter().flatten();
                sides.for_each(|deletion| second(&mut deletion.local_deletion_s));
            }
        }
    }
}

fn random_table(prng: &mut Prng) -> Arc<Table> {
    let mut table = TableBuilder::new("r").column("k", CqlType::Blob, ColumnKind::PartitionKey, false);
    let clustering = [CqlType::Int, CqlType::Text, CqlType::Bigint, CqlType::Blob, CqlType::Smallint];
    for i in 0..prng.below(4) {
        let ty = prng.choose(&clustering).unwrap().clone();
        table = table.column(&format!("c{i}"), ty, ColumnKind::Clustering, prng.chance(0.4));
    }
    let has_rows = !table.0.clustering.is_empty();
    let types = [
        CqlType::Int,
        CqlType::Text,
        CqlType::Boolean,
        CqlType::Counter,
        CqlType::Tinyint,
        CqlType::list(CqlType::Int, false),
        CqlType::set(CqlType::Text, false),
        CqlType::map(CqlType::Text, CqlType::Bigint, false),
        CqlType::list(CqlType::Int, true),
    ];
    let count = *prng.choose(&[0, 1, 3, 8, 63, 64, 65, 130]).unwrap();
    for i in 0..count {
        let ty = if count > 8 { CqlType::Int } else { prng.choose(&types).unwrap().clone() };
        table = table.column(&format!("r{i:03}"), ty, ColumnKind::Regular, false);
    }
    for i in 0..if has_rows { prng.below(3) } else { 0 } {
        let ty = prng.choose(&types).unwrap().clone();
        table = table.column(&format!("s{i}"), ty, ColumnKind::Static, false);
    }
    table.build()
}

fn random_partition(prng: &mut Prng, table: &Table, key: PartitionKey) -> Partition {
    let deletion = if prng.chance(0.1) { random_deletion(prng) } else { DeletionTime::LIVE };
    let static_row = (!table.statics.is_empty() && prng.chance(0.7))
        .then(|| random_row(prng, Clustering::EMPTY, &table.statics, true))
        .filter(|row| !row.is_empty());
    let mut items = random_items(prng, table);
    if items.is_empty() && deletion.is_live() && static_row.is_none() {
        let mut row = Row::empty(random_clustering(prng, table));
        row.liveness.timestamp_us = NOW_US;
        items.push(Unfiltered::Row(row));
    }
    Partition { header: PartitionHeader { key, deletion, static_row }, items }
}

fn random_items(prng: &mut Prng, table: &Table) -> Vec<Unfiltered> {
    let types = table.clustering_types();
    let count = if types.is_empty() { prng.below(2) } else { *prng.choose(&[0, 1, 5, 60]).unwrap() };
    let mut rows = BTreeMap::new();
    for _ in 0..count {
        let clustering = random_clustering(prng, table);
        let row = random_row(prng, clustering.clone(), &table.regulars, false);
        if !row.is_empty() {
            rows.insert(clustering.order, Unfiltered::Row(row));
        }
    }
    // Markers at places drawn from rows and prefixes, made to open and close in turn.
    let mut places = BTreeMap::new();
    for _ in 0..if types.is_empty() { 0 } else { *prng.choose(&[0, 0, 2, 12]).unwrap() } {
        let mut values = random_clustering(prng, table).values;
        values.truncate(prng.index(types.len() + 1));
        let kind = *prng.choose(&[BoundKind::InclusiveStart, BoundKind::ExclusiveStart]).unwrap();
        let bound = Bound::new(kind, values, &types);
        places.insert(bound.order.clone(), bound);
    }
    let count = places.len();
    let mut open = None;
    for (i, (order, start)) in places.into_iter().enumerate() {
        let next = (i + 1 < count && prng.chance(0.7)).then(|| random_deletion(prng));
        if open.is_none() && next.is_none() {
            continue;
        }
        let bound = if open.is_some() { start.invert() } else { start };
        rows.insert(order, Unfiltered::Marker(Marker { bound, close: open, open: next }));
        open = next;
    }
    rows.into_values().collect()
}

fn random_clustering(prng: &mut Prng, table: &Table) -> Clustering {
    let values = table.clustering.iter().map(|column| {
        Some(match column.ty {
            CqlType::Int => Bytes::copy_from_slice(&(prng.below(40) as i32 - 20).to_be_bytes()),
            CqlType::Bigint => Bytes::copy_from_slice(&(prng.below(400) as i64 - 200).to_be_bytes()),
            CqlType::Smallint => Bytes::copy_from_slice(&(prng.below(9) as i16 - 5).to_be_bytes()),
            _ => (0..prng.below(6)).map(|_| b"\x00ab"[prng.index(2)]).collect::<Vec<u8>>().into(),
        })
    });
    Clustering::new(values.collect(), &table.clustering_types())
}

fn random_row(prng: &mut Prng, clustering: Clustering, columns: &[Column], is_static: bool) -> Row {
    let mut row = Row::empty(clustering);
    if !is_static && prng.chance(0.7) {
        row.liveness.timestamp_us = random_timestamp(prng);
        if prng.chance(0.3) {
            let (ttl_s, local_deletion_s) = random_expiry(prng);
            row.liveness = Liveness { ttl_s, local_deletion_s, ..row.liveness };
        }
    }
    if !is_static && prng.chance(0.1) {
        row.deletion = random_deletion(prng);
    }
    let share = *prng.choose(&[0.02, 0.5, 0.9, 1.0]).unwrap();
    for column in columns {
        if !prng.chance(share) {
            continue;
        }
        let data = if column.ty.is_multi_cell() {
            let deletion = if prng.chance(0.4) { random_deletion(prng) } else { DeletionTime::LIVE };
            let paths: BTreeMap<Vec<u8>, ()> =
                (0..prng.below(5)).map(|_| (random_path(prng, &column.ty), ())).collect();
            let is_set = matches!(column.ty, CqlType::Set { .. });
            let cells: Vec<_> = paths
                .into_keys()
                .map(|path| {
                    let value = if is_set {
                        Vec::new()
                    } else {
                        prng.next_u64().to_be_bytes()[..prng.index(9)].to_vec()
                    };
                    (Bytes::from(path), random_cell(prng, &row.liveness, value))
                })
                .collect();
            if cells.is_empty() && deletion.is_live() {
                continue;
            }
            ColumnData::Complex { deletion, cells }
        } else {
            let value = match column.ty.fixed_bytes() {
                Some(count) if prng.chance(0.9) => vec![7; count],
                Some(_) => Vec::new(),
                None => vec![b'x'; [0, 1, 20, 700][prng.index(4)]],
            };
            ColumnData::Cell(random_cell(prng, &row.liveness, value))
        };
        row.columns.push((column.id, data));
    }
    row.columns.sort_by_key(|(id, _)| *id);
    row
}

fn random_path(prng: &mut Prng, ty: &CqlType) -> Vec<u8> {
    let length = if matches!(ty, CqlType::List { .. }) { 16 } else { prng.index(4) };
    (0..length).map(|_| prng.below(3) as u8).collect()
}

fn random_cell(prng: &mut Prng, liveness: &Liveness, value: Vec<u8>) -> Cell {
    let timestamp_us =
        if !liveness.is_none() && prng.chance(0.5) { liveness.timestamp_us } else { random_timestamp(prng) };
    match prng.below(5) {
        0 => Cell::tombstone(timestamp_us, random_second(prng)),
        1 if liveness.is_expiring() => {
            Cell::expiring(timestamp_us, liveness.ttl_s, liveness.local_deletion_s, value.into())
        }
        2 => {
            let (ttl_s, local_deletion_s) = random_expiry(prng);
            Cell::expiring(timestamp_us, ttl_s, local_deletion_s, value.into())
        }
        _ => Cell::live(timestamp_us, value.into()),
    }
}

fn random_timestamp(prng: &mut Prng) -> i64 {
    match prng.below(20) {
        0 => -5,
        1 => i64::MAX,
        2 => i64::MIN + 1,
        _ => NOW_US + prng.below(1000) as i64,
    }
}

fn random_second(prng: &mut Prng) -> u32 {
    match prng.below(10) {
        0 => 0,
        1 => 0xffff_fffd,
        _ => 1_700_000_000 + prng.below(5000) as u32,
    }
}

fn random_expiry(prng: &mut Prng) -> (i32, u32) {
    (prng.between(1, 100_000) as i32, random_second(prng))
}

/// Indexes and partition headers have no room for negative timestamps.
fn random_deletion(prng: &mut Prng) -> DeletionTime {
    DeletionTime { timestamp_us: NOW_US + prng.below(1000) as i64, local_deletion_s: random_second(prng) }
}

#[test]
fn what_is_written_is_read() {
    let seeds = std::env::var("SSTABLE_SEEDS").map_or(36, |count| count.parse().unwrap());
    for seed in 0..seeds {
        let mut prng = Prng::from_seed(seed);
        let version = [Version::Da, Version::Oa, Version::Nb][seed as usize % 3];
        let case = Case::random_for(&mut prng, version);
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(seed));
        let descriptor = case.write_version(&disk, version);
        let sstable = SsTable::open(&disk, &descriptor).unwrap();
        let table = &case.table;
        for reversed in [false, true] {
            let mut scan = sstable.scan(table, None, None, Slices::all(), reversed).unwrap();
            let want: Vec<_> = case.partitions.iter().map(|p| p.clipped(&Slices::all(), reversed)).collect();
            assert!(drain_all(&mut *scan).unwrap() == want, "seed {seed} reversed {reversed}");
            for partition in &case.partitions {
                for slices in some_slices(table, partition) {
                    let read = sstable.read(table, &partition.header.key, &slices, reversed).unwrap();
                    let got = drain(&mut *read.expect("the key is there")).unwrap();
                    assert_eq!(
                        got,
                        partition.clipped(&slices, reversed),
                        "seed {seed} {slices:?} {reversed}"
                    );
                }
            }
        }
        for _ in 0..5 {
            check_range(&mut prng, &case, &sstable, seed);
        }
        check_metadata(&case, &sstable, seed);
    }
}

/// Rows that are copied as they are, and what comes after them, are those that were written; so are the statistics.
#[test]
fn what_is_copied_is_what_was_written() {
    let mut copied_count = 0;
    for seed in 0..80 {
        let mut prng = Prng::from_seed(seed);
        let case = Case::random(&mut prng);
        let table = &case.table;
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(seed));
        let input = SsTable::open(&disk, &case.write(&disk)).unwrap();
        let descriptor = Descriptor::new(&*input.descriptor().directory, 99);
        let all = WriteOptions::for_table(table).unwrap();
        let options = if prng.chance(0.5) { all } else { case.options.clone() };
        let mut writer = Writer::create(&disk, &descriptor, table, options).unwrap();
        let mut walk = Walk::new(&input, table).unwrap();
        let map = writer.copy_map(&walk);
        while walk.advance().unwrap().is_some() {
            let header = walk.header().clone();
            let map = map.as_ref().filter(|_| header.deletion.is_live());
            let mut copied = Copied::UpToOther;
            if let Some(map) = map {
                writer.begin_partition(&header).unwrap();
                copied = Copied::Some;
                while copied == Copied::Some {
                    let input = CopyInput { walk: &mut walk, map };
                    copied = writer.copy(table, &mut [input], 1 + prng.below(100)).unwrap();
                    copied_count += 1;
                }
                if writer.is_partition_empty() {
                    writer.cancel_partition();
                } else {
                    if copied == Copied::UpToOther {
                        let mut rest = walk.stream();
                        while let Some(unfiltered) = rest.next().unwrap() {
                            writer.add(unfiltered).unwrap();
                        }
                    }
                    writer.end_partition().unwrap();
                    continue;
                }
            }
            if copied == Copied::UpToOther {
                writer.append(&mut *walk.stream()).unwrap();
            }
        }
        writer.finish().unwrap();
        let output = SsTable::open(&disk, &descriptor).unwrap();
        let mut scan = output.scan(table, None, None, Slices::all(), false).unwrap();
        assert!(drain_all(&mut *scan).unwrap() == case.partitions, "seed {seed}");
        for partition in &case.partitions {
            let slices = some_slices(table, partition).pop().unwrap();
            let read = output.read(table, &partition.header.key, &slices, true).unwrap();
            let got = drain(&mut *read.expect("the key is there")).unwrap();
            assert_eq!(got, partition.clipped(&slices, true), "seed {seed}");
        }
        let (was, is) = (input.metadata(), output.metadata());
        let numbers = |metadata: &crate::Metadata| {
            (
                (metadata.partitions, metadata.rows, metadata.columns, metadata.covered.clone()),
                (metadata.min_timestamp_us, metadata.max_timestamp_us, metadata.has_partition_deletions),
                (metadata.min_local_deletion_s, metadata.max_local_deletion_s),
                (metadata.min_ttl_s, metadata.max_ttl_s, metadata.droppable.clone()),
            )
        };
        assert_eq!(numbers(is), numbers(was), "seed {seed}");
    }
    assert!(copied_count > 1_000, "only {copied_count}");
}

/// A part of a case: an input that shares some rows with the others, some of them of other times.
fn part_of(prng: &mut Prng, case: &Case, is_plain: bool) -> Case {
    let mut partitions = case.partitions.clone();
    let later = |prng: &mut Prng, timestamp_us: &mut i64| {
        *timestamp_us = timestamp_us.saturating_add(prng.below(3) as i64);
    };
    for partition in &mut partitions {
        if is_plain {
            partition.header.deletion = DeletionTime::LIVE;
        }
        if prng.chance(0.7) {
            partition.header.static_row = None;
        }
        let keeps_markers = !is_plain && prng.chance(0.3);
        partition.items.retain_mut(|item| match item {
            Unfiltered::Marker(_) => keeps_markers,
            Unfiltered::Row(row) => {
                let is_changed = prng.chance(0.5);
                if is_plain {
                    row.deletion = DeletionTime::LIVE;
                    row.liveness = Liveness { timestamp_us: NOW_US, ..Liveness::NONE };
                }
                for (_, data) in &mut row.columns {
                    let cells: Vec<&mut Cell> = match data {
                        ColumnData::Cell(cell) => vec![cell],
                        ColumnData::Complex { deletion, cells } => {
                            if is_plain {
                                *deletion = DeletionTime::LIVE;
                            }
                            cells.iter_mut().map(|(_, cell)| cell).collect()
                        }
                    };
                    for cell in cells {
                        if is_plain {
                            *cell = Cell::live(cell.timestamp_us, cell.value.clone());
                        }
                        if is_changed {
                            later(prng, &mut cell.timestamp_us);
                        }
                    }
                }
                prng.chance(0.5) && !row.is_empty()
            }
        });
    }
    partitions.retain(|partition| {
        let header = &partition.header;
        !partition.items.is_empty() || header.static_row.is_some() || !header.deletion.is_live()
    });
    Case { table: case.table.clone(), partitions, options: case.options.clone() }
}

/// Copied from several inputs is, byte by byte, what their merged streams give.
#[test]
fn what_is_copied_of_several_is_what_they_merge_to() {
    let mut copied_bytes = 0;
    for seed in 0..150 {
        let mut prng = Prng::from_seed(seed);
        let case = Case::random(&mut prng);
        let table = &case.table;
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(seed));
        disk.create_dir_all(Path::new("/t")).unwrap();
        let is_plain = prng.chance(0.7);
        let mut inputs = Vec::new();
        for id in 1..=prng.between(2, 4) {
            let part = part_of(&mut prng, &case, is_plain);
            if part.partitions.is_empty() {
                continue;
            }
            let descriptor = Descriptor::new("/t", id);
            let mut writer = Writer::create(&disk, &descriptor, table, part.options.clone()).unwrap();
            for partition in &part.partitions {
                writer.append(&mut partition.stream()).unwrap();
            }
            writer.finish().unwrap();
            inputs.push(SsTable::open(&disk, &descriptor).unwrap());
        }
        let outputs: Vec<SsTableBytes> = [true, false]
            .into_iter()
            .zip(98..)
            .filter_map(|(copies, id)| {
                let descriptor = Descriptor::new("/t", id);
                let writer = Writer::create(&disk, &descriptor, table, case.options.clone()).unwrap();
                let written = merge_into(writer, table, &inputs, copies.then_some(&mut prng));
                copied_bytes += written?;
                Some(SsTableBytes::of(&disk, &descriptor))
            })
            .collect();
        assert!(outputs.is_empty() || outputs[0] == outputs[1], "seed {seed}");
    }
    assert!(copied_bytes > 100_000, "only {copied_bytes}");
}

/// What of an output must be the same however its rows came there.
#[derive(PartialEq)]
pub(super) struct SsTableBytes(Vec<Vec<u8>>);

impl SsTableBytes {
    pub(super) fn of(disk: &Arc<dyn Disk>, descriptor: &Descriptor) -> SsTableBytes {
        let components = [
            Component::Data,
            Component::Partitions,
            Component::Rows,
            Component::Filter,
            Component::Statistics,
        ];
        SsTableBytes(components.map(|one| disk.read_all(&descriptor.path(one)).unwrap()).to_vec())
    }
}

/// Merges all partitions, copying what can be if there is a `prng`; returns the bytes that were copied. `None` if
/// there was nothing.
fn merge_into(
    mut writer: Writer,
    table: &Arc<Table>,
    inputs: &[Arc<SsTable>],
    mut prng: Option<&mut Prng>,
) -> Option<u64> {
    let mut copied_bytes = 0;
    let mut walks: Vec<Walk> = inputs.iter().map(|input| Walk::new(input, table).unwrap()).collect();
    let maps: Vec<_> = walks.iter().map(|walk| writer.copy_map(walk)).collect();
    let mut heads: Vec<Option<PartitionKey>> =
        walks.iter_mut().map(|walk| walk.advance().unwrap().cloned()).collect();
    while let Some(key) = heads.iter().flatten().min().cloned() {
        let is_here = |index: &usize| heads[*index].as_ref() == Some(&key);
        let here: Vec<usize> = (0..heads.len()).filter(is_here).collect();
        let is_live = here.iter().all(|index| {
            let header = walks[*index].header();
            header.deletion.is_live() && header.static_row.is_none() && maps[*index].is_some()
        });
        let mut begun = false;
        if let Some(prng) = prng.as_mut().filter(|_| is_live) {
            let header = walks[here[0]].header().clone();
            writer.begin_partition(&header).unwrap();
            begun = true;
            let before = writer.data_bytes();
            let mut copied = Copied::Some;
            while copied == Copied::Some {
                let chosen = walks.iter_mut().enumerate().filter(|(index, _)| here.contains(index));
                let mut copies: Vec<_> = chosen
                    .map(|(index, walk)| CopyInput { walk, map: maps[index].as_ref().unwrap() })
                    .collect();
                copied = writer.copy(table, &mut copies, 1 + prng.below(100)).unwrap();
            }
            copied_bytes += writer.data_bytes() - before;
            if writer.is_partition_empty() {
                writer.cancel_partition();
                begun = false;
            }
        }
        let streams = here.iter().map(|index| walks[*index].stream()).collect();
        let mut merged = model::merge::merge_streams(table.clone(), streams, false).unwrap();
        if begun {
            while let Some(unfiltered) = merged.next().unwrap() {
                writer.add(unfiltered).unwrap();
            }
            writer.end_partition().unwrap();
        } else {
            writer.append(&mut *merged).unwrap();
        }
        drop(merged);
        for index in here {
            heads[index] = walks[index].advance().unwrap().cloned();
        }
    }
    if writer.partitions() == 0 {
        writer.abort();
        return None;
    }
    writer.finish().unwrap();
    Some(copied_bytes)
}

/// A scan of a part of the ring whose streams are read in part, dropped, or kept.
fn check_range(prng: &mut Prng, case: &Case, sstable: &Arc<SsTable>, seed: u64) {
    let mut position = |chance| {
        prng.chance(chance).then(|| {
            let key = &prng.choose(&case.partitions).unwrap().header.key;
            match prng.below(4) {
                0 => Position { token: key.token, place: Place::BeforeAll },
                1 => Position { token: key.token, place: Place::AfterAll },
                2 => Position { token: key.token, place: Place::Key(key.key.clone()) },
                _ => Position { token: Token(prng.next_u64() as i64), place: Place::AfterAll },
            }
        })
    };
    let (start, end) = (position(0.8), position(0.8));
    let is_behind = |key: &PartitionKey, position: &Position| match &position.place {
        Place::BeforeAll => key.token >= position.token,
        Place::AfterAll => key.token > position.token,
        Place::Key(place) => (key.token, &key.key) > (position.token, place),
    };
    let want: Vec<&Partition> = case
        .partitions
        .iter()
        .filter(|p| start.as_ref().is_none_or(|start| is_behind(&p.header.key, start)))
        .filter(|p| end.as_ref().is_none_or(|end| !is_behind(&p.header.key, end)))
        .collect();
    let slices = if prng.chance(0.3) { Slices(Vec::new()) } else { Slices::all() };
    let mut scan = sstable.scan(&case.table, start, end, slices.clone(), false).unwrap();
    let mut kept = Vec::new();
    for partition in want {
        let mut stream = scan.next_partition().unwrap().unwrap_or_else(|| panic!("seed {seed}: too few"));
        assert_eq!(*stream.header(), partition.header, "seed {seed}");
        let items = partition.clipped(&slices, false).items;
        let count = prng.index(items.len() + 2);
        for i in 0..count {
            assert_eq!(stream.next().unwrap().as_ref(), items.get(i), "seed {seed}");
        }
        if prng.chance(0.3) {
            kept.push(stream);
        }
    }
    assert!(scan.next_partition().unwrap().is_none(), "seed {seed}: too many");
}

fn check_metadata(case: &Case, sstable: &SsTable, seed: u64) {
    let metadata = sstable.metadata();
    assert_eq!(metadata.partitions, case.partitions.len() as u64);
    assert_eq!(metadata.first, case.partitions[0].header.key);
    assert_eq!(metadata.commit_log_intervals, case.options.commit_log_intervals);
    let deletions = case.partitions.iter().any(|p| !p.header.deletion.is_live());
    // Before `oa` nothing says it.
    let may_be = sstable.descriptor().version == Version::Nb;
    assert_eq!(metadata.has_partition_deletions, deletions || may_be);
    let rows = |p: &Partition| p.items.iter().filter(|item| matches!(item, Unfiltered::Row(_))).count();
    let statics = case.partitions.iter().filter(|p| p.header.static_row.is_some()).count();
    assert_eq!(
        metadata.rows,
        (case.partitions.iter().map(rows).sum::<usize>() + statics) as u64,
        "seed {seed}"
    );
    for item in case.partitions.iter().flat_map(|p| &p.items).filter(|item| !item.order().is_empty()) {
        let covered = &metadata.covered;
        let inside = &*covered.start.order <= item.order() && item.order() <= &*covered.end.order;
        assert!(inside, "seed {seed}: {item:?} is not covered by {covered:?}");
    }
}

#[test]
fn what_the_format_cannot_say_is_refused() {
    let mut prng = Prng::from_seed(1);
    let case = loop {
        let case = Case::random(&mut prng);
        if !case.table.clustering.is_empty() && case.partitions.len() > 2 {
            break case;
        }
    };
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    disk.create_dir_all(Path::new("/t")).unwrap();
    let descriptor = Descriptor::new("/t", 1);
    let attempt = |partitions: &[Partition]| {
        let mut writer = Writer::create(&disk, &descriptor, &case.table, case.options.clone()).unwrap();
        let result = partitions.iter().try_for_each(|partition| writer.append(&mut partition.stream()));
        writer.abort();
        assert!(disk.list(Path::new("/t")).unwrap().is_empty(), "something is left");
        result
    };
    let mut negative = case.partitions[0].clone();
    negative.header.deletion = DeletionTime { timestamp_us: -5, local_deletion_s: 1 };
    assert!(matches!(attempt(&[negative]), Err(WriteError::NegativeDeletion { timestamp_us: -5 })));
    let twice = [case.partitions[1].clone(), case.partitions[0].clone()];
    assert!(matches!(attempt(&twice), Err(WriteError::OutOfOrder { .. })));
    let mut open = case.partitions[0].clone();
    let deletion = Some(DeletionTime { timestamp_us: 1, local_deletion_s: 1 });
    open.items = vec![Unfiltered::Marker(Marker { bound: Bound::bottom(), close: None, open: deletion })];
    assert!(matches!(attempt(&[open]), Err(WriteError::OutOfOrder { .. })));
}
