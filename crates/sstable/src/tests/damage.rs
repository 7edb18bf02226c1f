//! Damaged files: an error or the right rows, never a panic, never rows that were not written.

use std::path::Path;
use std::sync::Arc;

use model::partition::SourceError;
use model::{Slices, Table};
use runtime::sim::SimDisk;
use runtime::{Disk, OpenMode};
use stdx::prng::Prng;

use super::random::Case;
use super::support::{Partition, drain, drain_all};
use crate::{Component, Descriptor, ReadError, SsTable};

/// A case with all that can be damaged, and small.
fn case(seed: u64, has_compression: bool) -> Case {
    let mut prng = Prng::from_seed(seed);
    loop {
        let mut case = Case::random(&mut prng);
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
    for (seed, has_compression) in [(1, true), (2, true), (3, false)] {
        let case = case(seed, has_compression);
        let memory = SimDisk::new(seed);
        let disk: Arc<dyn Disk> = Arc::new(memory.clone());
        let descriptor = case.write(&disk);
        let mut prng = Prng::from_seed(seed);
        for component in Component::ALL {
            let path = descriptor.path(component);
            if !disk.exists(&path).unwrap() {
                continue;
            }
            let bytes = disk.read_all(&path).unwrap().len();
            // One SSTable byte by byte, of the others some.
            let step = if seed == 1 { 1 } else { bytes.div_ceil(300) };
            for at in (0..bytes).step_by(step) {
                let mask = if prng.chance(0.5) { 1 << prng.below(8) } else { prng.between(1, 255) as u8 };
                memory.corrupt(&path, at as u64, mask).unwrap();
                check(
                    &disk,
                    &descriptor,
                    &case,
                    component,
                    &format!("seed {seed} {component} byte {at} ^ {mask:02x}"),
                );
                memory.corrupt(&path, at as u64, mask).unwrap();
            }
        }
        assert_eq!(scan(&disk, &descriptor, &case.table).unwrap(), case.partitions);
    }
}

/// Partitions.db, Rows.db and Filter.db have no checksums, so that look-ups through them may miss what is there;
/// a scan of whole partitions uses none of them.
fn check(disk: &Arc<dyn Disk>, descriptor: &Descriptor, case: &Case, component: Component, place: &str) {
    if let Ok(found) = scan(disk, descriptor, &case.table) {
        assert!(found == case.partitions, "{place}: a scan gives other rows");
    }
    let has_no_checksum = matches!(component, Component::Partitions | Component::Rows | Component::Filter);
    for reversed in [false, true] {
        let Ok(found) = read_each(disk, descriptor, case, reversed) else { continue };
        for (found, written) in found.into_iter().zip(&case.partitions) {
            let written = written.clipped(&Slices::all(), reversed);
            match found {
                None => assert!(has_no_checksum, "{place}: a partition is not found"),
                Some(found) if component == Component::Rows => {
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

#[test]
fn a_file_cut_short_or_missing_is_an_error() {
    let case = case(4, true);
    for component in Component::ALL {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(4));
        let descriptor = case.write(&disk);
        let path = descriptor.path(component);
        if !disk.exists(&path).unwrap() {
            continue;
        }
        let is_needed = !matches!(component, Component::Digest | Component::Toc);
        let file = disk.open(&path, OpenMode::ReadWrite).unwrap();
        let bytes = file.bytes().unwrap();
        for keep in [bytes / 2, bytes - 1] {
            file.set_bytes(keep).unwrap();
            let result = scan(&disk, &descriptor, &case.table)
                .and_then(|_| read_each(&disk, &descriptor, &case, false));
            assert_eq!(result.is_err(), is_needed, "{component} cut to {keep} of {bytes}");
        }
        disk.remove_file(&path).unwrap();
        let may_miss = matches!(component, Component::Filter) || !is_needed;
        assert_eq!(scan(&disk, &descriptor, &case.table).is_ok(), may_miss, "{component} missing");
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
