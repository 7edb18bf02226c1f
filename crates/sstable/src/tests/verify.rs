//! The verifier: files of Cassandra's have nothing to find, and each kind of damage is found.

use std::ops::ControlFlow;
use std::sync::Arc;

use runtime::Disk;
use runtime::real::RealDisk;

use super::copy::Copy;
use super::fixtures::{descriptors, kept};
use crate::statistics::Statistics;
use crate::verify::{Severity, VerifyOptions, VerifyReport, verify};
use crate::{Component, Descriptor};

const EXTENDED: VerifyOptions =
    VerifyOptions { extended: true, quick: false, owned: None, check_version: false };

fn report(disk: &Arc<dyn Disk>, descriptor: &Descriptor, options: &VerifyOptions) -> VerifyReport {
    verify(disk, descriptor, None, options, &mut |_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn nothing_is_wrong_with_what_cassandra_wrote() {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    for descriptor in descriptors(&kept()) {
        for options in [VerifyOptions::default(), EXTENDED] {
            let report = report(&disk, &descriptor, &options);
            assert!(report.is_sound() && report.findings.is_empty(), "{descriptor}: {:#?}", report.findings);
            assert!(report.partitions > 0);
        }
    }
}

impl Copy {
    fn change_statistics(&self, change: impl FnOnce(&mut Statistics)) {
        self.change(Component::Statistics, |bytes| {
            let mut statistics = Statistics::parse(bytes, crate::Version::Da).unwrap();
            change(&mut statistics);
            *bytes = statistics.encode(crate::Version::Da);
        });
    }

    #[track_caller]
    fn check(&self, severity: Severity, component: Component, found: &str) {
        let report = report(&self.disk, &self.descriptor, &EXTENDED);
        let is_it = |finding: &&crate::VerifyFinding| {
            finding.severity == severity && finding.component == component && finding.found.contains(found)
        };
        assert!(report.findings.iter().any(|finding| is_it(&finding)), "{:#?}", report.findings);
        assert_eq!(report.is_sound(), severity == Severity::Doubtful);
    }
}

use Severity::{Doubtful, Wrong};

#[test]
fn wrong_checksums() {
    let copy = Copy::of("skinny");
    copy.change(Component::Digest, |bytes| bytes[0] ^= 1);
    copy.check(Wrong, Component::Digest, "checksum of Data.db");
    let copy = Copy::of("comp_none");
    copy.change(Component::Crc, |bytes| bytes[5] ^= 1);
    copy.check(Wrong, Component::Data, "CRC32");
    let copy = Copy::of("skinny");
    copy.change(Component::Data, |bytes| bytes[100] ^= 1);
    copy.check(Wrong, Component::Data, "CRC32");
    let copy = Copy::of("skinny");
    copy.change(Component::Statistics, |bytes| {
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
    });
    copy.check(Wrong, Component::Statistics, "CRC");
}

#[test]
fn missing_components() {
    for component in [Component::Digest, Component::Toc, Component::Filter] {
        let copy = Copy::of("skinny");
        copy.remove(component);
        copy.check(Doubtful, component, "missing");
    }
    for component in [Component::Statistics, Component::Partitions, Component::Rows, Component::Data] {
        let copy = Copy::of("skinny");
        copy.remove(component);
        copy.check(Wrong, component, "missing");
    }
    let copy = Copy::of("skinny");
    copy.change(Component::Toc, |bytes| *bytes = b"Data.db\n".to_vec());
    copy.check(Doubtful, Component::Toc, "does not list Filter.db");
}

#[test]
fn keys_that_no_lookup_finds() {
    let copy = Copy::of("skinny");
    copy.change(Component::Filter, |bytes| bytes[8..].fill(0));
    copy.check(Wrong, Component::Filter, "denies a key");
    // Leaves are `0000 1nnn` with the hash byte behind it: the first one is the first byte of the file.
    let copy = Copy::of("skinny");
    copy.change(Component::Partitions, |bytes| {
        assert!((0x08..0x10).contains(&bytes[0]));
        bytes[1] ^= 1;
    });
    copy.check(Wrong, Component::Partitions, "a lookup does not find");
    let copy = Copy::of("skinny");
    copy.change(Component::Partitions, |bytes| bytes[2] ^= 1);
    copy.check(Wrong, Component::Partitions, "where no partition begins");
    copy.check(Wrong, Component::Partitions, "is not in it");
    let copy = Copy::of("skinny");
    copy.change(Component::Partitions, |bytes| {
        let count = bytes.len() - 16;
        bytes[count..count + 8].copy_from_slice(&7_u64.to_be_bytes());
    });
    copy.check(Wrong, Component::Partitions, "it says 7 partitions");
}

#[test]
fn row_indexes_that_lie() {
    let copy = Copy::of("wide_rt");
    let bytes = copy.disk.read_all(&copy.descriptor.path(Component::Rows)).unwrap();
    let mut found = 0;
    // Every byte of the index changed in turn is either found or of no meaning (padding, spare bits).
    for at in 0..bytes.len() {
        copy.change(Component::Rows, |bytes| bytes[at] ^= 0x10);
        found += u32::from(!report(&copy.disk, &copy.descriptor, &EXTENDED).findings.is_empty());
        copy.change(Component::Rows, |bytes| bytes[at] ^= 0x10);
    }
    assert!(found + 30 > bytes.len() as u32, "only {found} of {} changes were found", bytes.len());
}

#[test]
fn statistics_that_lie() {
    let check = |table: &str, severity, found: &str, change: fn(&mut Statistics)| {
        let copy = Copy::of(table);
        copy.change_statistics(change);
        copy.check(severity, Component::Statistics, found);
    };
    check("tombs", Wrong, "rows outside of the covered slice", |s| {
        s.stats.covered.end = model::Bound::bottom()
    });
    check("tombs", Wrong, "it says 0 rows", |s| s.stats.rows = 0);
    check("tombs", Wrong, "its greatest timestamp", |s| s.stats.max_timestamp_us -= 1);
    check("tombs", Wrong, "its least timestamp", |s| s.stats.min_timestamp_us += 1);
    check("tombs", Wrong, "tombstone histogram counts 0", |s| s.stats.droppable.clear());
    check("tombs", Wrong, "no partition is deleted", |s| s.stats.has_partition_deletions = false);
    check("tombs", Wrong, "least local deletion time is none", |s| s.stats.min_local_deletion_s = u32::MAX);
    check("ttls", Wrong, "its times to live", |s| s.stats.max_ttl_s = 0);
    check("skinny", Doubtful, "histogram of partition sizes has 0 partitions", |s| {
        s.stats.partition_sizes = crate::statistics::histogram::EstimatedHistogram::of_partition_sizes();
    });
    check("skinny", Doubtful, "sketch of the keys is empty", |s| {
        s.cardinality = crate::statistics::cardinality::Cardinality::new().encode();
    });
    check("skinny", Doubtful, "its commit log position is (0, 0)", |s| {
        s.stats.commit_log_intervals.clear();
        s.stats.commit_log_lower = (0, 0);
    });
    let copy = Copy::of("native");
    copy.change_statistics(|s| {
        let column = s.header.regulars.iter_mut().find(|c| c.ty == model::CqlType::Text).unwrap();
        column.ty = model::CqlType::Inet;
        column.type_name = column.ty.class_name();
    });
    copy.check(Wrong, Component::Data, "column c_text is no such value: Expected 4 or 16 byte inetaddress");
}

#[test]
fn a_wrong_partitioner_is_refused_and_a_changed_chance_is_named() {
    let copy = Copy::of("skinny");
    copy.change_statistics(|s| s.partitioner = "org.apache.cassandra.dht.RandomPartitioner".to_owned());
    let result = verify(&copy.disk, &copy.descriptor, None, &EXTENDED, &mut |_| ControlFlow::Continue(()));
    assert!(result.is_err_and(|error| error.to_string().contains("RandomPartitioner")));
    let copy = Copy::of("skinny");
    let table = crate::SsTable::open(&copy.disk, &copy.descriptor).unwrap().header_table("ks", "t").unwrap();
    copy.change_statistics(|s| s.bloom_filter_fp_chance = 0.5);
    let report =
        verify(&copy.disk, &copy.descriptor, Some(&table), &EXTENDED, &mut |_| ControlFlow::Continue(()));
    let report = report.unwrap();
    assert!(report.is_sound() && report.findings.iter().any(|f| f.found.contains("a chance of 0.5")));
}

#[test]
fn foreign_tokens_are_found_and_the_callback_ends_the_work() {
    let copy = Copy::of("skinny");
    let owned = Some(vec![model::TokenRange { start: model::Token(0), end: model::Token(i64::MAX) }]);
    let options = VerifyOptions { owned, ..EXTENDED };
    let found = report(&copy.disk, &copy.descriptor, &options);
    assert!(found.wrong_count > 0 && found.wrong_count < found.partitions);
    assert!(found.findings.len() <= crate::verify::FINDINGS_MAX);
    let mut left = 5;
    let mut step = |_| {
        left -= 1;
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let broken_off = verify(&copy.disk, &copy.descriptor, None, &EXTENDED, &mut step).unwrap();
    assert!(!broken_off.is_complete && !broken_off.is_sound());
}
