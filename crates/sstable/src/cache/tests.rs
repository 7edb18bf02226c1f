use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use model::{Cell, DeletionTime, Liveness, Unfiltered};
use model::{Clustering, ColumnData, ColumnKind, CqlType, PartitionHeader, PartitionKey, Row, Slices, Table};
use runtime::Disk;
use runtime::sim::SimDisk;
use stdx::prng::Prng;

use super::keys::KeyCache;
use super::reads::{BlockReads, leave_thread, waiting};
use super::*;
use crate::tests::random::Case;
use crate::tests::support::{Partition, TableBuilder, drain, drain_all};
use crate::{Descriptor, ReadError, SsTable, Version, WriteOptions, Writer};

fn with_blocks(blocks: &Arc<BlockCache>) -> Caches {
    Caches { blocks: blocks.clone(), keys: Arc::new(KeyCache::new(1 << 20)) }
}

/// Runs a read as a request does; returns how many rounds it took.
#[track_caller]
fn run_to_end<T>(mut run: impl FnMut() -> T) -> (T, u32) {
    let mut reads = BlockReads::default();
    for _ in 0..10_000 {
        let out = reads.cached_only(&mut run);
        if !reads.is_missing() {
            return (out, reads.rounds_count());
        }
        if reads.is_long() {
            return (waiting(&mut run), reads.rounds_count());
        }
        for load in reads.take_loads() {
            let mut stored = vec![0; load.length()];
            load.file().read_exact_at(&mut stored, load.offset()).unwrap();
            load.finish(&stored, &mut reads).unwrap();
        }
    }
    panic!("a read does not come to its end");
}

/// Random partitions read in all ways give the same, also if the cache keeps nothing at all.
#[test]
fn all_ways_to_read_give_the_same() {
    for seed in 0..30 {
        let mut prng = Prng::from_seed(seed);
        let version = [Version::Da, Version::Oa, Version::Nb][seed as usize % 3];
        let case = Case::random_for(&mut prng, version);
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(seed));
        let descriptor = case.write_version(&disk, version);
        let plain = SsTable::open(&disk, &descriptor).unwrap();
        for capacity_bytes in [0, 3000, 1 << 20] {
            let cache = Arc::new(BlockCache::new(capacity_bytes));
            let caches = with_blocks(&cache);
            let sstable = SsTable::open_cached(&disk, &descriptor, &caches).unwrap();
            for partition in &case.partitions {
                let (key, reversed) = (&partition.header.key, prng.chance(0.5));
                let read = |sstable: &Arc<SsTable>| {
                    let read = sstable.read(&case.table, key, &Slices::all(), reversed)?;
                    read.map(|mut stream| drain(&mut *stream)).transpose()
                };
                let want = read(&plain).unwrap();
                let (got, _) = run_to_end(|| read(&sstable));
                assert_eq!(got.unwrap(), want, "seed {seed}, capacity {capacity_bytes}");
                assert_eq!(waiting(|| read(&sstable)).unwrap(), want, "seed {seed}");
                assert_eq!(read(&sstable).unwrap(), want, "seed {seed}");
            }
            let scan = |sstable: &Arc<SsTable>| {
                drain_all(&mut *sstable.scan(&case.table, None, None, Slices::all(), false).unwrap())
            };
            let want = scan(&plain).unwrap();
            assert!(run_to_end(|| scan(&sstable)).0.unwrap() == want, "seed {seed}");
            assert!(scan(&sstable).unwrap() == want, "seed {seed}");
            assert!(cache.stats().bytes <= capacity_bytes, "{:?}", cache.stats());
            // Of each partition's reads the first learns its place, the one on a waiting thread is not counted, and the
            // last knows it.
            let (keys, count) = (caches.keys.stats(), case.partitions.len() as u64);
            let want = if version.is_bti() { (0, 0, 0) } else { (count, count, 2 * count) };
            assert_eq!((keys.entries, keys.hits, keys.requests), want, "seed {seed}");
            drop(sstable);
            assert_eq!(caches.keys.stats().entries, 0, "seed {seed}");
        }
    }
}

fn table() -> Arc<Table> {
    TableBuilder::new("many")
        .column("k", CqlType::Int, ColumnKind::PartitionKey, false)
        .column("v", CqlType::Blob, ColumnKind::Regular, false)
        .build()
}

/// An SSTable of many partitions, each with a random value of 100 bytes; its index does not fit in one block.
fn many(disk: &Arc<dyn Disk>, count: u32) -> (Descriptor, Vec<PartitionKey>, Arc<Table>) {
    let table = table();
    disk.create_dir_all(Path::new("/t")).unwrap();
    let descriptor = Descriptor::new("/t", 1);
    let mut keys: Vec<PartitionKey> =
        (0..count).map(|i| PartitionKey::new(Bytes::copy_from_slice(&i.to_be_bytes()))).collect();
    keys.sort();
    let options =
        WriteOptions { expected_partitions: u64::from(count), ..WriteOptions::for_table(&table).unwrap() };
    let mut writer = Writer::create(disk, &descriptor, &table, options).unwrap();
    let mut prng = Prng::from_seed(3);
    for key in &keys {
        let mut value = vec![0; 100];
        prng.fill(&mut value);
        let mut row = Row::empty(Clustering::EMPTY);
        row.liveness = Liveness { timestamp_us: 1, ..Liveness::NONE };
        row.columns.push((table.regulars[0].id, ColumnData::Cell(Cell::live(1, value.into()))));
        let header = PartitionHeader { key: key.clone(), deletion: DeletionTime::LIVE, static_row: None };
        writer.append(&mut Partition { header, items: vec![Unfiltered::Row(row)] }.stream()).unwrap();
    }
    writer.finish().unwrap();
    (descriptor, keys, table)
}

#[test]
fn a_point_read_fetches_little_once_and_removed_sstables_leave_nothing() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let (descriptor, keys, table) = many(&disk, 10_000);
    let cache = Arc::new(BlockCache::new(64 << 20));
    let sstable = SsTable::open_cached(&disk, &descriptor, &with_blocks(&cache)).unwrap();
    let read = |key: &PartitionKey| {
        run_to_end(|| {
            let mut stream = sstable.read(&table, key, &Slices::all(), false)?.expect("it is there");
            stream.next().map(|row| row.is_some()).map_err(|error| *error.downcast::<ReadError>().unwrap())
        })
    };
    let (found, rounds) = read(&keys[5000]);
    assert!(found.unwrap() && (1..=4).contains(&rounds), "{rounds} rounds");
    assert_eq!(read(&keys[5000]).1, 0, "it is in memory now");
    let stats = cache.stats();
    assert!(stats.entries <= 8 && stats.bytes < 200_000, "{stats:?}");
    assert!(stats.hits > 0 && stats.requests > stats.hits);
    drop(sstable);
    assert_eq!(cache.stats().entries, 0);
}

#[test]
fn scans_of_background_work_leave_the_cache_alone_and_those_of_requests_fill_what_is_free() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let (descriptor, keys, table) = many(&disk, 10_000);
    let cache = Arc::new(BlockCache::new(200_000));
    let sstable = SsTable::open_cached(&disk, &descriptor, &with_blocks(&cache)).unwrap();
    let scan = || {
        let mut scan = sstable.scan(&table, None, None, Slices::all(), false).unwrap();
        assert_eq!(drain_all(&mut *scan).unwrap().len(), keys.len());
    };
    // Opening has read the end of the index.
    let opened = cache.stats().entries;
    scan();
    assert_eq!(cache.stats().entries, opened);
    // A block that is in use stays, whatever a scan reads.
    let read = |key: &PartitionKey| sstable.read(&table, key, &Slices::all(), false).unwrap().is_some();
    assert!(read(&keys[9_999]));
    waiting(scan);
    let stats = cache.stats();
    assert!(stats.bytes > 100_000 && stats.bytes <= 200_000, "{stats:?}");
    let mut reads = BlockReads::default();
    assert!(reads.cached_only(|| read(&keys[9_999])));
    assert!(!reads.is_missing());
    // A scan on a request's thread that lacks something leaves it at once.
    cache.clear();
    let lacks = reads.cached_only(|| {
        let mut scan = sstable.scan(&table, None, None, Slices::all(), false).unwrap();
        drain_all(&mut *scan).is_err()
    });
    assert!(lacks && reads.is_long());
}

#[test]
fn what_open_sstables_keep_in_memory_is_part_of_the_capacity() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let (descriptor, keys, table) = many(&disk, 10_000);
    let cache = Arc::new(BlockCache::new(200_000));
    let sstable = SsTable::open_cached(&disk, &descriptor, &with_blocks(&cache)).unwrap();
    // 10 bits of the Bloom filter for each key, and 8 bytes for each chunk of about 130 keys.
    let held = 200_000 - cache.blocks.capacity();
    assert!((12_500..14_000).contains(&held), "{held}");
    waiting(|| {
        let mut scan = sstable.scan(&table, None, None, Slices::all(), false).unwrap();
        assert_eq!(drain_all(&mut *scan).unwrap().len(), keys.len());
    });
    assert!(cache.stats().bytes > 100_000);
    let room = cache.make_room(100_000);
    assert!(cache.stats().bytes <= 100_000 - held);
    // However much that is, some of the cache is left.
    let much = cache.make_room(1 << 40);
    assert_eq!(cache.blocks.capacity(), 50_000);
    assert!(cache.stats().bytes <= 50_000);
    drop((much, room, sstable));
    assert_eq!(cache.blocks.capacity(), 200_000);
}

#[test]
fn a_damaged_block_is_not_cached_and_the_read_that_waits_says_what_it_is() {
    let sim = SimDisk::new(1);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let (descriptor, keys, table) = many(&disk, 10_000);
    let cache = Arc::new(BlockCache::new(64 << 20));
    let sstable = SsTable::open_cached(&disk, &descriptor, &with_blocks(&cache)).unwrap();
    sim.corrupt(&descriptor.path(crate::Component::Data), 20, 1).unwrap();
    let read = || sstable.read(&table, &keys[0], &Slices::all(), false).map(|_| ());
    let mut reads = BlockReads::default();
    let mut failed = false;
    for _ in 0..4 {
        assert!(matches!(reads.cached_only(read), Err(ReadError::NotCached { .. })));
        for load in reads.take_loads() {
            let mut stored = vec![0; load.length()];
            load.file().read_exact_at(&mut stored, load.offset()).unwrap();
            failed |= load.finish(&stored, &mut reads).is_err();
        }
    }
    assert!(failed);
    assert!(matches!(waiting(read), Err(ReadError::Corrupt { .. })));
}

#[test]
fn a_scope_ends_with_its_closure_also_by_a_panic() {
    static LONG: AtomicUsize = AtomicUsize::new(0);
    let mut reads = BlockReads::default();
    assert!(!leave_thread());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        reads.cached_only(|| {
            LONG.fetch_add(usize::from(leave_thread()), Ordering::Relaxed);
            waiting(|| assert!(!leave_thread()));
            panic!("planted")
        })
    }));
    assert!(panicked.is_err() && !leave_thread());
    assert_eq!(LONG.load(Ordering::Relaxed), 1);
}
