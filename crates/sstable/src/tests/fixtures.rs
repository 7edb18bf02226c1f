//! SSTables that Cassandra 5.0.9 wrote: read to the last row, and written again byte for byte.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::read::{Place, Position};
use model::schema::TableOptions;
use model::{Bound, BoundKind, ColumnId, Slice, Slices, Table, Unfiltered};
use runtime::Disk;
use runtime::real::RealDisk;
use runtime::sim::SimDisk;

use super::expected;
use super::support::{Partition, drain, drain_all, table_of};
use crate::chunk::compressor::{Compression, Compressor};
use crate::chunk::info::CompressionInfo;
use crate::statistics::Statistics;
use crate::{Component, Descriptor, Partitioner, SsTable, Version, WriteOptions, Writer};

fn disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

/// The project's own.
pub(super) fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// Every set of files in a folder and in those inside.
pub(super) fn descriptors(folder: &Path) -> Vec<Descriptor> {
    let mut found = Vec::new();
    for entry in disk().list(folder).unwrap() {
        if entry.is_dir {
            found.extend(descriptors(&folder.join(&entry.name)));
        } else if let Some((descriptor, component)) = Descriptor::parse(folder, &entry.name).unwrap()
            && component == "Data.db"
        {
            found.push(descriptor);
        }
    }
    found
}

fn check_all(check: impl Fn(Descriptor)) {
    let found = descriptors(&kept());
    assert!(found.len() > 20, "there are only {} fixtures", found.len());
    found.into_iter().for_each(check);
}

/// There are more than are kept here: every SSTable below the folder that `SSTABLE_FIXTURES` names, with `rows-*.jsonl`
/// beside it where its rows are known. Takes a minute for 250 of them.
#[test]
#[ignore = "needs a folder of SSTables in SSTABLE_FIXTURES"]
fn all_of_a_given_folder() {
    let folder = std::env::var_os("SSTABLE_FIXTURES").expect("SSTABLE_FIXTURES names a folder");
    let found = descriptors(Path::new(&folder));
    assert!(!found.is_empty());
    let (mut known, mut failed) = (0, Vec::new());
    for descriptor in &found {
        let checked = std::panic::catch_unwind(|| {
            let is_known = check_rows(descriptor.clone());
            check_look_ups(descriptor.clone());
            check_written_again(descriptor.clone());
            check_metadata(descriptor.clone());
            is_known
        });
        match checked {
            Ok(is_known) => known += usize::from(is_known),
            Err(_) => failed.push(descriptor.to_string()),
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    println!("{} SSTables, {known} of them with known rows", found.len());
}

struct Fixture {
    descriptor: Descriptor,
    statistics: Statistics,
    table: Arc<Table>,
    sstable: Arc<SsTable>,
}

impl Fixture {
    fn open(descriptor: Descriptor) -> Fixture {
        let bytes = disk().read_all(&descriptor.path(Component::Statistics)).unwrap();
        let statistics = Statistics::parse(&bytes, descriptor.version).unwrap();
        let options = TableOptions {
            bloom_filter_fp_chance: statistics.bloom_filter_fp_chance,
            ..TableOptions::default()
        };
        let table = table_of(&statistics.header, options).unwrap();
        let sstable = SsTable::open(&disk(), &descriptor).unwrap();
        Fixture { descriptor, statistics, table, sstable }
    }

    fn partitions(&self) -> Vec<Partition> {
        let mut scan = self.sstable.scan(&self.table, None, None, Slices::all(), false).unwrap();
        drain_all(&mut *scan).unwrap()
    }

    fn folder(&self) -> String {
        self.descriptor.directory.file_name().unwrap().to_string_lossy().into_owned()
    }
}

#[test]
fn rows_are_those_that_cassandra_prints() {
    check_all(|descriptor| {
        check_rows(descriptor);
    });
}

/// False if the rows are not known: all are read nevertheless.
fn check_rows(descriptor: Descriptor) -> bool {
    let fixture = Fixture::open(descriptor);
    let partitions = fixture.partitions();
    assert_eq!(partitions.len() as u64, fixture.sstable.metadata().partitions, "{}", fixture.descriptor);
    let rows = |partition: &Partition| {
        let rows = partition.items.iter().filter(|item| matches!(item, Unfiltered::Row(_)));
        rows.count() + usize::from(partition.header.static_row.is_some())
    };
    let rows: usize = partitions.iter().map(rows).sum();
    assert_eq!(rows as u64, fixture.sstable.metadata().rows, "{}", fixture.descriptor);
    let own = fixture.sstable.header_table("ks", "t").unwrap();
    let mut scan = fixture.sstable.scan(&own, None, None, Slices::all(), false).unwrap();
    assert_eq!(drain_all(&mut *scan).unwrap().len(), partitions.len());
    let descriptor = &fixture.descriptor;
    let name = format!("rows-{}.jsonl", descriptor.file_name("").trim_end_matches('-'));
    let own = descriptor.directory.join(&name);
    let of_none = descriptor.directory.with_file_name("comp_none").join(name);
    let is_kept = |path: &PathBuf| disk().exists(path).unwrap();
    let same_rows = ["comp_deflate", "comp_snappy", "comp_zstd"].contains(&fixture.folder().as_str());
    let path = if same_rows && !is_kept(&own) { of_none } else { own };
    if !is_kept(&path) {
        return false;
    }
    let text = String::from_utf8(disk().read_all(&path).unwrap()).unwrap();
    assert_eq!(partitions.len(), text.lines().count(), "{descriptor}");
    for (partition, line) in partitions.iter().zip(text.lines()) {
        let tool = serde_json::from_str(line).unwrap();
        let ours = expected::partition(&fixture.table, partition);
        expected::compare(&descriptor.to_string(), &ours, &tool);
    }
    true
}

#[test]
fn partitions_are_found_by_key_in_both_directions_and_by_slices() {
    check_all(check_look_ups);
}

fn check_look_ups(descriptor: Descriptor) {
    let fixture = Fixture::open(descriptor);
    let name = &fixture.descriptor;
    let (sstable, table) = (&fixture.sstable, &fixture.table);
    let partitions = fixture.partitions();
    for reversed in [false, true] {
        let mut scan = sstable.scan(table, None, None, Slices::all(), reversed).unwrap();
        let want: Vec<_> = partitions.iter().map(|p| p.clipped(&Slices::all(), reversed)).collect();
        assert!(drain_all(&mut *scan).unwrap() == want, "{name}");
    }
    for (i, partition) in partitions.iter().enumerate() {
        for slices in some_slices(table, partition) {
            for reversed in [false, true] {
                let read = sstable.read(table, &partition.header.key, &slices, reversed).unwrap();
                let got = drain(&mut *read.expect("the key is there")).unwrap();
                let want = partition.clipped(&slices, reversed);
                assert_eq!(got, want, "{name} {slices:?} {reversed}");
            }
        }
        if i % 37 == 0 {
            let key = &partition.header.key;
            let start = Some(Position { token: key.token, place: Place::Key(key.key.clone()) });
            for slices in [Slices::all(), Slices(Vec::new())] {
                let mut scan = sstable.scan(table, start.clone(), None, slices, false).unwrap();
                assert_eq!(drain_all(&mut *scan).unwrap().len(), partitions.len() - i - 1, "{name}");
            }
        }
    }
    assert_absent_keys_are_absent(&fixture);
}

fn assert_absent_keys_are_absent(fixture: &Fixture) {
    let first = &fixture.sstable.metadata().first.key;
    for i in 0..200_u32 {
        let mut key = first.to_vec();
        key.extend_from_slice(&i.to_be_bytes());
        let key = model::PartitionKey::new(key.into());
        let read = fixture.sstable.read(&fixture.table, &key, &Slices::all(), false).unwrap();
        assert!(read.is_none(), "{}", fixture.folder());
    }
}

/// All, none, and slices that begin and end at, before and behind some of its rows.
pub(super) fn some_slices(table: &Table, partition: &Partition) -> Vec<Slices> {
    let types = table.clustering_types();
    let mut found = vec![Slices::all(), Slices(Vec::new())];
    if types.is_empty() {
        return found;
    }
    let values = |i: usize| match &partition.items[i] {
        Unfiltered::Row(row) => row.clustering.values.clone(),
        Unfiltered::Marker(marker) => marker.bound.values.clone(),
    };
    let count = partition.items.len();
    let step = (count / 7).max(1);
    let bound = |kind, i: usize, length: usize| {
        let mut values = values(i);
        values.truncate(length);
        Bound::new(kind, values, &types)
    };
    for i in (0..count).step_by(step) {
        let j = (i + step * 2 / 3).min(count - 1);
        for length in [1, types.len()] {
            let open =
                [BoundKind::InclusiveStart, BoundKind::ExclusiveStart].map(|kind| bound(kind, i, length));
            let close = [BoundKind::InclusiveEnd, BoundKind::ExclusiveEnd].map(|kind| bound(kind, j, length));
            for (start, end) in open.into_iter().zip(close) {
                let before = Slice { start: Bound::bottom(), end: start.invert() };
                let behind = Slice { start: end.invert(), end: Bound::top() };
                if start.order < end.order {
                    found.push(Slices(vec![before.clone(), behind.clone()]));
                    found.push(Slices(vec![Slice { start, end }]));
                }
                found.extend([before, behind].map(|slice| Slices(vec![slice])));
            }
        }
    }
    found
}

#[test]
fn written_again_the_bytes_are_the_same() {
    check_all(check_written_again);
}

fn check_written_again(descriptor: Descriptor) {
    let fixture = Fixture::open(descriptor);
    let version = fixture.descriptor.version;
    if !version.is_writable() || fixture.sstable.metadata().partitioner != Partitioner::Murmur3 {
        return;
    }
    let partitions = fixture.partitions();
    // The files do not say how large index blocks were meant to be: the node was told three sizes in turn.
    let sizes = [64 * 1024, 16 * 1024, 4 * 1024, 1024];
    let component = if version.is_bti() { Component::Rows } else { Component::Index };
    let theirs = disk().read_all(&fixture.descriptor.path(component)).unwrap();
    let same = |(memory, written): &(Arc<dyn Disk>, Descriptor)| {
        memory.read_all(&written.path(component)).unwrap() == theirs
    };
    let mut written = sizes.into_iter().map(|bytes| write_again(&fixture, &partitions, bytes));
    let (memory, written) =
        written.find(same).unwrap_or_else(|| panic!("{}: {component} differs", fixture.descriptor));
    compare_files(&fixture, &memory, &written);
    let sstable = SsTable::open(&memory, &written).unwrap();
    let mut scan = sstable.scan(&fixture.table, None, None, Slices::all(), false).unwrap();
    assert!(drain_all(&mut *scan).unwrap() == partitions, "{}", fixture.descriptor);
}

fn write_again(
    fixture: &Fixture,
    partitions: &[Partition],
    column_index_bytes: u64,
) -> (Arc<dyn Disk>, Descriptor) {
    let memory: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    memory.create_dir_all(Path::new("/t")).unwrap();
    let descriptor = Descriptor { directory: "/t".into(), ..fixture.descriptor.clone() };
    let options = WriteOptions { column_index_bytes, ..options_of(fixture, partitions.len() as u64) };
    let mut writer = Writer::create(&memory, &descriptor, &fixture.table, options).unwrap();
    for partition in partitions {
        writer.append(&mut partition.stream()).unwrap();
    }
    writer.finish().unwrap();
    (memory, descriptor)
}

/// As the file was written.
fn options_of(fixture: &Fixture, partitions: u64) -> WriteOptions {
    let (header, stats) = (&fixture.statistics.header, &fixture.statistics.stats);
    let id = |name: &str| -> ColumnId { fixture.table.column(name).unwrap().id };
    WriteOptions {
        bases: header.bases,
        statics: header.statics.iter().map(|column| id(&column.name)).collect(),
        regulars: header.regulars.iter().map(|column| id(&column.name)).collect(),
        expected_partitions: partitions,
        compression: compression_of(&fixture.descriptor),
        column_index_bytes: crate::writer::COLUMN_INDEX_BYTES,
        host_id: stats.host_id,
        commit_log_intervals: stats.commit_log_intervals.clone(),
        repaired_at_ms: stats.repaired_at_ms,
        pending_repair: stats.pending_repair,
        level: stats.level,
    }
}

fn compression_of(descriptor: &Descriptor) -> Option<Compression> {
    let path = descriptor.path(Component::CompressionInfo);
    let file_bytes = disk().read_all(&descriptor.path(Component::Data)).unwrap().len() as u64;
    let bytes = disk().exists(&path).unwrap().then(|| disk().read_all(&path).unwrap())?;
    Some(CompressionInfo::parse(&bytes, file_bytes, descriptor.version.is_3x()).unwrap().compression)
}

fn compare_files(fixture: &Fixture, memory: &Arc<dyn Disk>, written: &Descriptor) {
    let (folder, name) = (fixture.folder(), fixture.descriptor.to_string());
    let theirs = |component| disk().read_all(&fixture.descriptor.path(component)).unwrap();
    let ours = |component| memory.read_all(&written.path(component)).unwrap();
    let same = |component| assert!(theirs(component) == ours(component), "{name}: {component} differs");
    // A compaction sizes the filter by an estimate.
    let is_exact = folder != "compacted";
    let indexes = [Component::Partitions, Component::Index, Component::Summary];
    for component in
        indexes.into_iter().filter(|component| disk().exists(&fixture.descriptor.path(*component)).unwrap())
    {
        same(component);
    }
    if fixture.table.options.bloom_filter_fp_chance < 1.0 && is_exact {
        same(Component::Filter);
    }
    assert!(
        stream_bytes(&disk(), &fixture.descriptor) == stream_bytes(memory, written),
        "{name}: Data.db differs"
    );
    let compression = compression_of(&fixture.descriptor);
    if compression.as_ref().is_none_or(|c| c.compressor == Compressor::Noop) {
        same(Component::Data);
        same(Component::Digest);
        same(if compression.is_some() { Component::CompressionInfo } else { Component::Crc });
    }
    let mut toc = String::from_utf8(theirs(Component::Toc)).unwrap();
    toc = toc.lines().filter(|line| !line.contains("SAI")).map(|line| format!("{line}\n")).collect();
    assert_eq!(toc.into_bytes(), ours(Component::Toc), "{name}");

    let mut ours = Statistics::parse(&ours(Component::Statistics), written.version).unwrap();
    let theirs = &fixture.statistics;
    ours.stats.compression_ratio = theirs.stats.compression_ratio;
    ours.stats.token_space_coverage = theirs.stats.token_space_coverage;
    if !is_exact {
        // It united several nodes' intervals, and its sketch is merged.
        ours.cardinality = theirs.cardinality.clone();
    }
    let (ours, theirs) = (format!("{:#?}", sorted(ours)), format!("{:#?}", sorted(theirs.clone())));
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        assert_eq!(ours, theirs, "{name}: Statistics.db");
    }
}

/// Lists of columns come in different orders.
fn sorted(mut statistics: Statistics) -> Statistics {
    statistics.header.statics.sort_by(|a, b| a.name.cmp(&b.name));
    statistics.header.regulars.sort_by(|a, b| a.name.cmp(&b.name));
    statistics
}

#[test]
fn metadata_written_again_has_the_same_bytes() {
    check_all(check_metadata);
}

fn check_metadata(descriptor: Descriptor) {
    let bytes = disk().read_all(&descriptor.path(Component::Statistics)).unwrap();
    let statistics = Statistics::parse(&bytes, descriptor.version).unwrap();
    if descriptor.version.is_writable() {
        let written = statistics.encode(descriptor.version);
        let same = written.iter().zip(&bytes).take_while(|(a, b)| a == b).count();
        // Before `oa`, Cassandra leaves room for the length of a null clustering that it does not write.
        let has_null = descriptor.version == Version::Nb && descriptor.directory.ends_with("dense_t");
        assert!(has_null || written == bytes, "{descriptor}: Statistics.db differs from byte {same} on");
    }
}

/// The uncompressed stream of Data.db.
fn stream_bytes(disk: &Arc<dyn Disk>, descriptor: &Descriptor) -> Vec<u8> {
    let sstable = SsTable::open(disk, descriptor).unwrap();
    let count = sstable.metadata().data_bytes as usize;
    let mut cursor = crate::chunk::reader::DataCursor::new(sstable.data.clone(), 0);
    cursor.parse(|_, cursor| cursor.take(count).map(<[u8]>::to_vec)).unwrap()
}
