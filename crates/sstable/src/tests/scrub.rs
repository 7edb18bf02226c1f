//! Salvage: what is whole comes through, what is not is named, and nothing is written that was not there.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use model::{Slices, Table};

use super::copy::Copy;
use super::fixtures::{descriptors, kept};
use super::support::{Partition, drain_all};
use crate::verify::{VerifyOptions, verify};
use crate::{Component, Descriptor, ScrubError, ScrubOptions, ScrubReport, SsTable, WriteOptions, scrub};

impl Copy {
    fn table(&self) -> Arc<Table> {
        SsTable::open(&self.disk, &self.descriptor).unwrap().header_table("ks", "t").unwrap()
    }

    /// Where partitions begin, and the end.
    fn starts(&self) -> Vec<usize> {
        let sstable = SsTable::open(&self.disk, &self.descriptor).unwrap();
        let mut targets = sstable.index.from(None).unwrap();
        let mut starts = Vec::new();
        while let Some(located) = sstable.index.next(&mut targets).unwrap() {
            starts.push(located.data as usize);
        }
        starts.push(sstable.data.data_bytes() as usize);
        starts
    }

    fn partitions(&self, descriptor: &Descriptor, table: &Arc<Table>) -> Vec<Partition> {
        let sstable = SsTable::open(&self.disk, descriptor).unwrap();
        let mut scan = sstable.scan(table, None, None, Slices::all(), false).unwrap();
        drain_all(&mut *scan).unwrap()
    }

    fn scrub(&self, table: &Arc<Table>, options: &ScrubOptions) -> Result<ScrubReport, ScrubError> {
        let mut next = 0;
        let mut name = || {
            next += 1;
            Descriptor::new("/out", next)
        };
        let write = WriteOptions::for_table(table).unwrap();
        scrub(&self.disk, &self.descriptor, table, options, write, &mut name, &mut |_| {
            ControlFlow::Continue(())
        })
    }

    /// All that was saved, output by output; each output must be sound.
    fn saved(&self, table: &Arc<Table>, report: &ScrubReport) -> Vec<Vec<Partition>> {
        let extended = VerifyOptions { extended: true, ..VerifyOptions::default() };
        let mut all = Vec::new();
        for written in &report.outputs {
            let mut step = |_| ControlFlow::Continue(());
            let judged = verify(&self.disk, &written.descriptor, Some(table), &extended, &mut step).unwrap();
            assert!(judged.is_sound(), "{:#?}", judged.findings);
            all.push(self.partitions(&written.descriptor, table));
        }
        all
    }
}

#[test]
fn whole_sstables_come_through_as_they_are() {
    for source in descriptors(&kept()) {
        let name = source.to_string();
        let copy = Copy::of_files(&source);
        let sstable = SsTable::open(&copy.disk, &copy.descriptor).unwrap();
        if sstable.metadata().partitioner != crate::Partitioner::Murmur3 {
            continue;
        }
        let table = copy.table();
        let report =
            copy.scrub(&table, &ScrubOptions::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(report.is_lossless(), "{name}: {:?}", report.losses);
        assert_eq!(report.outputs.len(), 1, "{name}");
        let saved = copy.saved(&table, &report);
        assert_eq!(saved[0], copy.partitions(&copy.descriptor, &table), "{name}");
    }
}

#[test]
fn a_damaged_chunk_costs_only_what_lies_in_it() {
    let copy = Copy::of("skinny");
    let table = copy.table();
    let before = copy.partitions(&copy.descriptor, &table);
    let middle = copy.disk.read_all(&copy.descriptor.path(Component::Data)).unwrap().len() / 2;
    copy.change(Component::Data, |bytes| bytes[middle] ^= 1);
    let report = copy.scrub(&table, &ScrubOptions::default()).unwrap();
    assert!(report.bad_partitions > 0 && report.losses_count > 0 && !report.is_lossless());
    let saved = copy.saved(&table, &report).concat();
    assert!(!saved.is_empty() && saved.len() < before.len());
    assert!(saved.iter().all(|partition| before.contains(partition)));
}

#[test]
fn a_wide_partition_is_saved_around_a_damaged_chunk() {
    let copy = Copy::of("wide_rt");
    let table = copy.table();
    let before = copy.partitions(&copy.descriptor, &table);
    let count = |partitions: &[Partition]| partitions.iter().map(|p| p.items.len()).sum::<usize>();
    let length = copy.disk.read_all(&copy.descriptor.path(Component::Data)).unwrap().len();
    for at in [length / 4, length / 2, length * 3 / 4, length - 20] {
        copy.change(Component::Data, |bytes| bytes[at] ^= 1);
        let report = copy.scrub(&table, &ScrubOptions::default()).unwrap();
        assert!(!report.is_lossless());
        let saved = copy.saved(&table, &report).concat();
        assert!(count(&saved) < count(&before));
        for written in &report.outputs {
            crate::writer::remove(&copy.disk, &written.descriptor);
        }
        copy.change(Component::Data, |bytes| bytes[at] ^= 1);
    }
}

#[test]
fn duplicate_keys_and_partitions_out_of_order_go_to_another_output_and_are_reported() {
    let copy = Copy::of("comp_none");
    let table = copy.table();
    let before = copy.partitions(&copy.descriptor, &table);
    assert!(before.len() >= 3);
    let starts = copy.starts();
    // First, second, first again, then the last two the wrong way round.
    copy.remove(Component::Crc);
    let count = before.len();
    copy.change(Component::Data, |bytes| {
        let part = |i: usize| bytes[starts[i]..starts[i + 1]].to_vec();
        let mut order: Vec<usize> = (0..count).collect();
        order.swap(count - 1, count - 2);
        order.insert(2, 0);
        *bytes = order.into_iter().flat_map(part).collect();
    });
    let report = copy.scrub(&table, &ScrubOptions::default()).unwrap();
    assert_eq!((report.duplicate_keys, report.out_of_order_partitions), (0, 2), "{report:?}");
    assert!(report.is_lossless(), "{:?}", report.losses);
    let saved = copy.saved(&table, &report);
    assert_eq!(saved.len(), 2);
    assert_eq!(saved[0].len() + saved[1].len(), count + 1);
    // The same key right behind itself.
    let copy = Copy::of("comp_none");
    copy.remove(Component::Crc);
    copy.change(Component::Data, |bytes| {
        let first = bytes[..starts[1]].to_vec();
        *bytes = [first, bytes.clone()].concat();
    });
    let report = copy.scrub(&table, &ScrubOptions::default()).unwrap();
    assert_eq!((report.duplicate_keys, report.out_of_order_partitions), (1, 1), "{report:?}");
    assert_eq!(copy.saved(&table, &report)[1], before[..1]);
}

#[test]
fn damaged_counters_are_refused_unless_told() {
    let copy = Copy::of("counters");
    let table = copy.table();
    let middle = copy.disk.read_all(&copy.descriptor.path(Component::Data)).unwrap().len() / 2;
    copy.change(Component::Data, |bytes| bytes[middle] ^= 1);
    let refused = copy.scrub(&table, &ScrubOptions::default());
    assert!(matches!(refused, Err(ScrubError::DamagedCounters(_))));
    assert!(copy.disk.list(Path::new("/out")).unwrap().is_empty());
    let options = ScrubOptions { skip_corrupted: true, ..ScrubOptions::default() };
    let report = copy.scrub(&table, &options).unwrap();
    assert!(!report.is_lossless());
}

/// All components but those that say how Data.db is to be read.
#[test]
fn a_component_that_is_missing_or_garbage_costs_nothing_if_others_say_the_same() {
    for (version, tables) in
        [("da", ["skinny", "wide_rt", "comp_none"]), ("oa", ["wide_rt", "tombs", "comp_none"])]
    {
        for (table, component) in tables.into_iter().flat_map(|table| Component::ALL.map(|one| (table, one)))
        {
            let needed = [Component::Data, Component::Statistics, Component::CompressionInfo];
            let copy = Copy::of_version(version, table);
            if needed.contains(&component) || !copy.disk.exists(&copy.descriptor.path(component)).unwrap() {
                continue;
            }
            let schema = copy.table();
            let before = copy.partitions(&copy.descriptor, &schema);
            for is_missing in [true, false] {
                let what = format!("{version} {table} {component}, missing: {is_missing}");
                if is_missing {
                    copy.remove(component);
                } else {
                    copy.disk.write_all_synced(&copy.descriptor.path(component), b"\x01garbage").unwrap();
                }
                let report = copy.scrub(&schema, &ScrubOptions::default());
                let report = report.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(report.is_lossless(), "{what}: {:?}", report.losses);
                assert_eq!(copy.saved(&schema, &report), std::slice::from_ref(&before), "{what}");
                let is_index = matches!(component, Component::Partitions | Component::Index);
                assert!(!is_index || !report.done_without.is_empty(), "{what}: nobody is told");
                for written in &report.outputs {
                    crate::writer::remove(&copy.disk, &written.descriptor);
                }
            }
        }
    }
}

#[test]
fn without_an_index_what_stands_before_the_damage_is_saved() {
    let copy = Copy::of("comp_none");
    let table = copy.table();
    let before = copy.partitions(&copy.descriptor, &table);
    let start = copy.starts()[2];
    copy.remove(Component::Crc);
    copy.remove(Component::Partitions);
    // The length of the third partition's key.
    copy.change(Component::Data, |bytes| bytes[start] = 0xff);
    let report = copy.scrub(&table, &ScrubOptions::default()).unwrap();
    assert_eq!((report.good_partitions, report.bad_partitions), (2, 1));
    assert!(report.losses[0].found.contains("without an index"), "{:?}", report.losses);
    assert_eq!(copy.saved(&table, &report).concat(), before[..2]);
}

#[test]
fn what_no_other_file_says_is_named() {
    for (component, why) in [
        (Component::Statistics, "what its times count from"),
        (Component::CompressionInfo, "where the chunks of Data.db begin"),
    ] {
        let copy = Copy::of("skinny");
        let table = copy.table();
        copy.remove(component);
        let error = copy.scrub(&table, &ScrubOptions::default()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        copy.disk.write_all_synced(&copy.descriptor.path(component), b"garbage").unwrap();
        let error = copy.scrub(&table, &ScrubOptions::default()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert!(copy.disk.list(Path::new("/out")).unwrap().is_empty());
    }
}

#[test]
fn any_changed_byte_of_plain_data_is_survived() {
    let copy = Copy::of("comp_none");
    let table = copy.table();
    copy.remove(Component::Crc);
    let length = copy.disk.read_all(&copy.descriptor.path(Component::Data)).unwrap().len();
    for at in (0..length).step_by(length / 60 + 1) {
        copy.change(Component::Data, |bytes| bytes[at] ^= 0x41);
        // No panic, no endless loop; whatever is written can be read.
        if let Ok(report) = copy.scrub(&table, &ScrubOptions::default()) {
            for written in &report.outputs {
                copy.partitions(&written.descriptor, &table);
                crate::writer::remove(&copy.disk, &written.descriptor);
            }
        }
        copy.change(Component::Data, |bytes| bytes[at] ^= 0x41);
    }
}
