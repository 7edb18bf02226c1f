//! One door for fuzzers: bytes of anybody in the place of each component.
//!
//! A small SSTable of each version is made, one of its files is replaced, and all of it is opened, scanned, read by
//! key in both directions and verified: an error or rows, never a panic, never memory beyond what the files justify.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use model::partition::{PartitionIterator, PartitionStream, SourceError};
use model::schema::TableOptions;
use model::{
    Bound, BoundKind, Cell, Clustering, ColumnData, DeletionTime, Liveness, Marker, PartitionHeader,
    PartitionKey, Row, Slices, Table, Unfiltered,
};
use runtime::Disk;
use runtime::sim::SimDisk;

use crate::chunk::compressor::{Compression, Compressor};
use crate::header_table;
use crate::metadata::EncodingStats;
use crate::statistics::header::{ClusteringType, HeaderColumn, SerializationHeader};
use crate::statistics::{Statistics, with_checksums};
use crate::verify::{VerifyOptions, verify};
use crate::{Component, Descriptor, SsTable, Version, WriteOptions, Writer};

/// Most bytes that a compressor is asked for.
const CHUNK_BYTES: usize = 1 << 16;
/// Rows that are taken of each stream: damaged files may hold more than there is time for.
const ROWS_MAX: usize = 10_000;

/// An SSTable to be damaged.
pub struct Sample {
    table: Arc<Table>,
    descriptor: Descriptor,
    keys: Vec<PartitionKey>,
    /// The files by name.
    files: Vec<(Component, Vec<u8>)>,
}

impl Sample {
    /// A small SSTable with statics, lists, range tombstones, a wide partition and all kinds of times.
    pub fn new(version: Version, has_compression: bool) -> Sample {
        let table = table();
        let partitions = partitions(&table);
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
        let written = "memory holds a small SSTable";
        disk.create_dir_all(Path::new("/t")).expect(written);
        let descriptor = Descriptor::new("/t", 1).with_version(version);
        let options = WriteOptions {
            compression: has_compression.then(|| Compression { chunk_bytes: 1024, ..Compression::default() }),
            column_index_bytes: 256,
            expected_partitions: 3,
            ..WriteOptions::for_version(&table, version).expect(written)
        };
        let mut writer = Writer::create(&disk, &descriptor, &table, options).expect(written);
        let keys = partitions.iter().map(|partition| partition.header.key.clone()).collect();
        for mut partition in partitions {
            writer.append(&mut partition).expect(written);
        }
        writer.finish().expect(written);
        let read = |component: Component| {
            disk.read_all(&descriptor.path(component)).ok().map(|bytes| (component, bytes))
        };
        let files = Component::ALL.into_iter().filter_map(read).collect();
        Sample { table, descriptor, keys, files }
    }

    /// The bytes of a component; `None` if it has no such one.
    pub fn bytes(&self, component: Component) -> Option<&[u8]> {
        self.files.iter().find(|(own, _)| *own == component).map(|(_, bytes)| &**bytes)
    }

    /// Reads all there is with `data` in the place of a component. True if the SSTable could be opened.
    pub fn read_with(&self, component: Component, data: &[u8]) -> bool {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
        let written = "memory holds a small SSTable";
        disk.create_dir_all(Path::new("/t")).expect(written);
        // Without its checksums, Data.db's content is read whatever it is.
        let is_kept = |own: Component| component != Component::Data || own != Component::Crc;
        for (own, bytes) in self.files.iter().filter(|(own, _)| is_kept(*own)) {
            let bytes = if *own == component { data } else { bytes };
            disk.write_all_synced(&self.descriptor.path(*own), bytes).expect(written);
        }
        let options = VerifyOptions { extended: true, ..VerifyOptions::default() };
        let _ = verify(&disk, &self.descriptor, Some(&self.table), &options, &mut |_| {
            std::ops::ControlFlow::Continue(())
        });
        let Ok(sstable) = SsTable::open(&disk, &self.descriptor) else { return false };
        let _ = self.read(&sstable);
        let _ = sstable.header_table("ks", "t");
        true
    }

    fn read(&self, sstable: &Arc<SsTable>) -> Result<(), SourceError> {
        for reversed in [false, true] {
            let mut scan = sstable.scan(&self.table, None, None, Slices::all(), reversed)?;
            take(&mut *scan);
            for key in &self.keys {
                if let Ok(Some(mut stream)) = sstable.read(&self.table, key, &Slices::all(), reversed) {
                    drain(&mut *stream);
                }
            }
        }
        Ok(())
    }
}

fn take(scan: &mut dyn PartitionIterator) {
    for _ in 0..ROWS_MAX {
        let Ok(Some(mut stream)) = scan.next_partition() else { return };
        drain(&mut *stream);
    }
}

fn drain(stream: &mut dyn PartitionStream) {
    for _ in 0..ROWS_MAX {
        if !matches!(stream.next(), Ok(Some(_))) {
            return;
        }
    }
}

/// `data` in the place of a component of every version that has it.
pub fn component(component: Component, data: &[u8]) {
    let has_compression = component == Component::CompressionInfo;
    for version in [Version::Da, Version::Oa, Version::Nb] {
        let sample = Sample::new(version, has_compression);
        if sample.bytes(component).is_some() {
            sample.read_with(component, data);
        }
    }
    if component == Component::Statistics {
        statistics(data);
    }
}

/// Statistics.db behind its checksums, of all versions.
fn statistics(data: &[u8]) {
    for version in Version::ALL {
        let _ = Statistics::parse(data, version);
        if let Ok(checked) = with_checksums(data, version) {
            let _ = Statistics::parse(&checked, version).map(|statistics| statistics.encode(version));
        }
    }
}

/// `data` as what a compressor wrote, and as what it is given.
pub fn compressors(data: &[u8]) {
    for compressor in
        [Compressor::Lz4, Compressor::Snappy, Compressor::Deflate, Compressor::Zstd, Compressor::Noop]
    {
        let length = data.first_chunk::<2>().map_or(0, |bytes| usize::from(u16::from_be_bytes(*bytes)));
        let _ = compressor.decompress(data, &mut vec![0; length]);
        let input = &data[..data.len().min(CHUNK_BYTES)];
        let mut compressed = Vec::new();
        compressor.compress(input, 3, &mut compressed).expect("a chunk can be compressed");
        let mut output = vec![0; input.len()];
        compressor.decompress(&compressed, &mut output).expect("what was compressed is read");
        assert_eq!(output, input, "{compressor:?}");
    }
}

fn table() -> Arc<Table> {
    const TYPES: &str = "org.apache.cassandra.db.marshal.";
    let class = |name: &str| format!("{TYPES}{name}");
    let column = |name: &str, type_name: &str| {
        let type_name = class(type_name);
        let (ty, _) = model::CqlType::parse_class_name(&type_name).expect("a type of Cassandra's");
        HeaderColumn { name: name.into(), type_name, ty }
    };
    let (ty, reversed) = (model::CqlType::Int, false);
    let header = SerializationHeader {
        bases: EncodingStats::default(),
        key_type: class("UTF8Type"),
        clustering: vec![ClusteringType { name: class("Int32Type"), ty, reversed }],
        statics: vec![column("s", "UTF8Type")],
        regulars: vec![column("l", &format!("ListType({TYPES}Int32Type)")), column("v", "UTF8Type")],
    };
    header_table::table(&header, "ks", "t", TableOptions::default()).expect("types of Cassandra's")
}

/// A partition in memory.
struct Partition {
    header: PartitionHeader,
    items: std::vec::IntoIter<Unfiltered>,
}

impl PartitionStream for Partition {
    fn header(&self) -> &PartitionHeader {
        &self.header
    }

    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        Ok(self.items.next())
    }
}

fn partitions(table: &Table) -> Vec<Partition> {
    const T: i64 = 1_700_000_000_000_000;
    let types = table.clustering_types();
    let int = |value: i32| Some(Bytes::copy_from_slice(&value.to_be_bytes()));
    let column = |name: &str| table.column(name).expect("it is the table's").id;
    let deletion = DeletionTime { timestamp_us: T, local_deletion_s: 1_700_000_000 };
    let row = |c: i32| {
        let mut row = Row::empty(Clustering::new(vec![int(c)], &types));
        row.liveness = Liveness { timestamp_us: T + 1, ..Liveness::NONE };
        let cell = match c % 3 {
            0 => Cell::live(T + 1, vec![b'v'; 20].into()),
            1 => Cell::tombstone(T + 2, 1_700_000_001),
            _ => Cell::expiring(T + 3, 60, 1_700_000_061, Bytes::from_static(b"e")),
        };
        let path = Bytes::copy_from_slice(&(0x6f12_cfb0_e697_11f1_u128 << 64 | c as u128).to_be_bytes());
        let cells = vec![(path, Cell::live(T + 1, Bytes::from_static(&[0, 0, 0, 1])))];
        row.columns.push((column("l"), ColumnData::Complex { deletion, cells }));
        row.columns.push((column("v"), ColumnData::Cell(cell)));
        row.columns.sort_by_key(|(id, _)| *id);
        Unfiltered::Row(row)
    };
    let side = |kind, c: i32, close, open| {
        Unfiltered::Marker(Marker { bound: Bound::new(kind, vec![int(c)], &types), close, open })
    };
    let mut wide: Vec<Unfiltered> = (0..40).map(row).collect();
    wide.push(side(BoundKind::ExclusiveStart, 4, None, Some(deletion)));
    wide.push(side(BoundKind::ExclusiveEnd, 30, Some(deletion), None));
    wide.sort_by(|a, b| a.order().cmp(b.order()));
    let mut statics = Row::empty(Clustering::EMPTY);
    statics.columns.push((column("s"), ColumnData::Cell(Cell::live(T, Bytes::from_static(b"s")))));
    let partition = |key: &'static str, deletion, static_row, items: Vec<Unfiltered>| {
        let key = PartitionKey::new(Bytes::from_static(key.as_bytes()));
        Partition { header: PartitionHeader { key, deletion, static_row }, items: items.into_iter() }
    };
    let mut partitions = vec![
        partition("wide", DeletionTime::LIVE, Some(statics), wide),
        partition("gone", deletion, None, Vec::new()),
        partition("one", DeletionTime::LIVE, None, vec![row(7)]),
    ];
    partitions.sort_by(|a, b| a.header.key.cmp(&b.header.key));
    partitions
}

#[cfg(test)]
mod tests {
    use stdx::prng::Prng;

    use super::*;

    /// Bytes that were whole, changed in a few places, cut or grown.
    fn mutate(prng: &mut Prng, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..prng.between(1, 6) {
            let at = prng.index(bytes.len() + 1);
            match prng.below(6) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, prng.next_u64() as u8),
                2 if at < bytes.len() => bytes[at] = *prng.choose(&[0, 1, 0x7f, 0x80, 0xff]).unwrap(),
                3 if at + 4 <= bytes.len() => {
                    let number = *prng.choose(&[0, 1, -1, i32::MAX, i32::MIN]).unwrap();
                    bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
                }
                _ if at < bytes.len() => bytes[at] ^= 1 << prng.below(8),
                _ => {}
            }
        }
        bytes
    }

    /// `SSTABLE_MUTATIONS` of them for each component and version, else 40.
    fn count() -> u64 {
        std::env::var("SSTABLE_MUTATIONS").map_or(40, |count| count.parse().unwrap())
    }

    #[test]
    fn mutated_components_never_panic() {
        for (version, has_compression) in
            [Version::Da, Version::Oa, Version::Nb].into_iter().flat_map(|v| [(v, false), (v, true)])
        {
            let sample = Sample::new(version, has_compression);
            for own in Component::ALL {
                let Some(bytes) = sample.bytes(own) else { continue };
                assert!(sample.read_with(own, bytes));
                for seed in 0..count() {
                    let mutated = mutate(&mut Prng::from_seed(seed), bytes);
                    let run = || {
                        sample.read_with(own, &mutated);
                        if own == Component::Statistics {
                            statistics(&mutated);
                        }
                    };
                    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
                    assert!(result.is_ok(), "{version:?} {has_compression} {own} seed {seed}");
                }
            }
        }
    }

    #[test]
    fn mutated_chunks_never_panic() {
        for seed in 0..10 * count() {
            let mut prng = Prng::from_seed(seed);
            let mut plain = vec![0; prng.index(3000)];
            prng.fill(&mut plain);
            plain.extend_from_slice(&[7; 500]);
            compressors(&plain);
            let mut compressed = Vec::new();
            for compressor in [Compressor::Lz4, Compressor::Snappy, Compressor::Deflate, Compressor::Zstd] {
                compressor.compress(&plain, 3, &mut compressed).unwrap();
                let mutated = mutate(&mut prng, &compressed);
                let mut out = vec![0; plain.len()];
                let _ = compressor.decompress(&mutated, &mut out);
            }
        }
    }
}
