//! Damaged files: an error or the right rows, never a panic, never rows that were not written.

use std::path::Path;
use std::sync::Arc;

use model::partition::SourceError;
use model::{Slices, Table};
use runtime::real::RealDisk;
use runtime::sim::SimDisk;
use runtime::{Disk, OpenMode};
use stdx::prng::Prng;

use super::fixtures::kept;
use super::random::Case;
use super::support::{Partition, drain, drain_all};
use crate::{Component, Descriptor, ReadError, SsTable, Version};

/// A case with all that can be damaged, and small.
fn case(seed: u64, has_compression: bool, version: Version) -> Case {
    let mut prng = Prng::from_seed(seed);
    loop {
        let mut case = Case::random_for(&mut prng, version);
        case.partitions.truncate(6);
        case.options.column_index_bytes = 128;
        let is_rich = !case.table.clustering.is_empty()
            && !case.table.statics.is_empty()
            && case.table.regulars.len() <= 8
            && case.partitions.iter().any(|p| p.items.len() > 20);
        if is_rich && case.options.compression.is_some() == has_compression {
            return case;
        }
    }
}

fn scan(
    disk: &Arc<dyn Disk>,
    descriptor: &Descriptor,
    table: &Arc<Table>,
) -> Result<Vec<Partition>, SourceError> {
    let sstable = SsTable::open(disk, descriptor)?;
    drain_all(&mut *sstable.scan(table, None, None, Slices::all(), false)?)
}

fn read_each(
    disk: &Arc<dyn Disk>,
    descriptor: &Descriptor,
    case: &Case,
    reversed: bool,
) -> Result<Vec<Option<Partition>>, SourceError> {
    let sstable = SsTable::open(disk, descriptor)?;
    let read = |partition: &Partition| {
        let stream = sstable.read(&case.table, &partition.header.key, &Slices::all(), reversed)?;
        stream.map(|mut stream| drain(&mut *stream)).transpose()
    };
    case.partitions.iter().map(read).collect()
}

#[test]
fn a_flipped_byte_is_an_error_or_does_no_harm() {
    let every_byte = std::env::var_os("SSTABLE_EVERY_BYTE").is_some();
    let cases = [
        (1, true, Version::Da),
        (2, true, Version::Da),
        (3, false, Version::Da),
        (11, true, Version::Oa),
        (12, false, Version::Oa),
        (21, true, Version::Nb),
        (22, false, Version::Nb),
    ];
    for (seed, has_compression, version) in cases {
        let case = case(seed, has_compression, version);
        let memory = SimDisk::new(seed);
        let disk: Arc<dyn Disk> = Arc::new(memory.clone());
        let descriptor = case.write_version(&disk, version);
        let mut prng = Prng::from_seed(seed);
        for component in Component::ALL {
            let path = descriptor.path(component);
            if !disk.exists(&path).unwrap() {
                continue;
            }
            let bytes = disk.read_all(&path).unwrap().len();
            // Every byte takes minutes; of Cassandra's own small files every byte is tried below.
            let step = if every_byte { 1 } else { bytes.div_ceil(200) };
            for at in (0..bytes).step_by(step) {
                let mask = if prng.chance(0.5) { 1 << prng.below(8) } else { prng.between(1, 255) as u8 };
                memory.corrupt(&path, at as u64, mask).unwrap();
                check(
                    &disk,
                    &descriptor,
                    &case,
                    component,
                    &format!("seed {seed} {version:?} {component} byte {at} ^ {mask:02x}"),
                );
                memory.corrupt(&path, at as u64, mask).unwrap();
            }
        }
        assert_eq!(scan(&disk, &descriptor, &case.table).unwrap(), case.partitions);
    }
}

/// What is promised. Data.db has checksums in every version: rows are right, or there is an error. So has
/// Statistics.db from `na` on, and CompressionInfo.db leads to chunks that have one. A scan of whole partitions uses no
/// other component.
///
/// Partitions.db, Rows.db, Index.db and Filter.db have no checksums: look-ups may miss a partition that is there, slices
/// of wide partitions may miss rows, and a range tombstone that is open at a block's edge may have other times. No
/// row is found that was not written. Summary.db has none either, but is compared with Index.db before it is believed:
/// nothing is missed for it.
fn check(disk: &Arc<dyn Disk>, descriptor: &Descriptor, case: &Case, component: Component, place: &str) {
    if let Ok(found) = scan(disk, descriptor, &case.table) {
        assert!(found == case.partitions, "{place}: a scan gives other rows");
    }
    let rows = [Component::Rows, Component::Index];
    let has_no_checksum =
        rows.contains(&component) || matches!(component, Component::Partitions | Component::Filter);
    for reversed in [false, true] {
        let Ok(found) = read_each(disk, descriptor, case, reversed) else { continue };
        for (found, written) in found.into_iter().zip(&case.partitions) {
            let written = written.clipped(&Slices::all(), reversed);
            match found {
                None => assert!(has_no_checksum, "{place}: a partition is not found"),
                Some(found) if rows.contains(&component) => {
                    assert_eq!(found.header, written.header, "{place}");
                    let rows = found.items.iter().filter(|item| matches!(item, model::Unfiltered::Row(_)));
                    for row in rows {
                        assert!(written.items.contains(row), "{place}: a row that was never written");
                    }
                }
                Some(found) => assert!(found == written, "{place}: other rows, reversed {reversed}"),
            }
        }
    }
}

/// CASSANDRA-9530, 11383: files of Cassandra's own, of every version, with each byte flipped in turn.
///
/// Cassandra 3's Statistics.db has no checksum, so that damage there may be read as other times or columns.
#[test]
fn bug_51_each_byte_of_cassandras_files_flipped() {
    let fixtures = [
        "cassandra-legacy/me/legacy_me_simple",
        "cassandra-legacy/me/legacy_me_simple_counter_compact",
        "cassandra-legacy/nb/legacy_nb_simple_counter",
        "cassandra-legacy/oa/legacy_oa_simple",
        "cassandra-legacy/da/legacy_da_simple",
        "cassandra-5.0/nb/tombs",
        "cassandra-5.0/oa/dense_t",
    ];
    for name in fixtures {
        let (memory, descriptor) = copy_of(&kept().join(name));
        let disk: Arc<dyn Disk> = Arc::new(memory.clone());
        let table = SsTable::open(&disk, &descriptor).unwrap().header_table("ks", "t").unwrap();
        let whole = scan(&disk, &descriptor, &table).unwrap();
        let mut prng = Prng::from_seed(1);
        for component in Component::ALL {
            let path = descriptor.path(component);
            if !disk.exists(&path).unwrap() {
                continue;
            }
            for at in 0..disk.read_all(&path).unwrap().len() {
                let mask = prng.between(1, 255) as u8;
                memory.corrupt(&path, at as u64, mask).unwrap();
                let is_checked = component != Component::Statistics || descriptor.version > Version::Me;
                if let Ok(found) = scan(&disk, &descriptor, &table) {
                    let place = format!("{name} {component} byte {at} ^ {mask:02x}");
                    assert!(!is_checked || found == whole, "{place}: a scan gives other rows");
                }
                let _ = SsTable::open(&disk, &descriptor).map(|sstable| {
                    let read = |partition: &Partition| {
                        let key = &partition.header.key;
                        let stream = sstable.read(&table, key, &Slices::all(), true)?;
                        stream.map(|mut stream| drain(&mut *stream)).transpose()
                    };
                    for partition in &whole {
                        let Ok(Some(found)) = read(partition) else { continue };
                        assert!(!is_checked || found == partition.clipped(&Slices::all(), true));
                    }
                });
                memory.corrupt(&path, at as u64, mask).unwrap();
            }
        }
        assert!(scan(&disk, &descriptor, &table).unwrap() == whole, "{name}");
    }
}

/// The first SSTable of a folder, in memory.
pub(super) fn copy_of(folder: &Path) -> (SimDisk, Descriptor) {
    let memory = SimDisk::new(1);
    memory.create_dir_all(Path::new("/t")).unwrap();
    let real = RealDisk;
    let mut found = None;
    for entry in real.list(folder).unwrap() {
        if let Some((descriptor, component)) = Descriptor::parse(Path::new("/t"), &entry.name).unwrap()
            && *found.get_or_insert(descriptor.clone()) == descriptor
        {
            let bytes = real.read_all(&folder.join(&entry.name)).unwrap();
            let path = Path::new("/t").join(descriptor.file_name(&component));
            memory.write_all_synced(&path, &bytes).unwrap();
        }
    }
    (memory, found.expect("there is an SSTable"))
}

#[test]
fn a_file_cut_short_or_missing_is_an_error() {
    for (seed, version) in [(4, Version::Da), (5, Version::Oa), (6, Version::Nb)] {
        let case = case(seed, true, version);
        for component in Component::ALL {
            let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(4));
            let descriptor = case.write_version(&disk, version);
            let path = descriptor.path(component);
            if !disk.exists(&path).unwrap() {
                continue;
            }
            let is_needed = !matches!(component, Component::Digest | Component::Toc | Component::Summary);
            let file = disk.open(&path, OpenMode::ReadWrite).unwrap();
            let bytes = file.bytes().unwrap();
            for keep in [bytes / 2, bytes - 1] {
                file.set_bytes(keep).unwrap();
                let result = scan(&disk, &descriptor, &case.table)
                    .and_then(|_| read_each(&disk, &descriptor, &case, false));
                assert_eq!(result.is_err(), is_needed, "{version:?} {component} cut to {keep} of {bytes}");
            }
            disk.remove_file(&path).unwrap();
            let may_miss = matches!(component, Component::Filter) || !is_needed;
            let result = scan(&disk, &descriptor, &case.table);
            assert_eq!(result.is_ok(), may_miss, "{version:?} {component} missing");
            if let Ok(found) = result {
                let found_by_key = read_each(&disk, &descriptor, &case, true).unwrap();
                assert!(found == case.partitions && found_by_key.iter().all(Option::is_some));
            }
        }
    }
}

#[test]
fn foreign_versions_and_partitioners_are_named() {
    let error = Descriptor::parse(Path::new("/t"), "ea-1-bti-Data.db").unwrap_err();
    assert_eq!(error.to_string(), "SSTable version ea-1-bti is not supported");
    let found = ReadError::corrupt(Component::Data, 4096, "CRC32 is 9f01c2aa, the file says 00000000");
    assert_eq!(
        found.to_string(),
        "Data.db is corrupt at byte 4096: CRC32 is 9f01c2aa, the file says 00000000"
    );
}
