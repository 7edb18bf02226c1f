//! Statistics.db changed in place: the rows stay, and so do all other fields.

use std::sync::Arc;

use model::Slices;
use runtime::Disk;
use runtime::sim::SimDisk;
use stdx::prng::Prng;
use uuid::Uuid;

use super::random::Case;
use super::support::drain_all;
use crate::{Component, SsTable, Version, set_level, set_repaired};

#[test]
fn level_and_repair_are_set_and_all_else_stays() {
    for (seed, version) in [(1, Version::Da), (2, Version::Oa), (3, Version::Nb)] {
        let mut prng = Prng::from_seed(seed);
        let case = Case::random_for(&mut prng, version);
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(seed));
        let descriptor = case.write_version(&disk, version);
        let path = descriptor.path(Component::Statistics);
        let before = disk.read_all(&path).unwrap();
        let written = SsTable::open(&disk, &descriptor).unwrap().metadata().clone();
        let session = Uuid::from_u128(7);
        set_level(&disk, &descriptor, 4).unwrap();
        set_repaired(&disk, &descriptor, 1_700_000_000_000, Some(session)).unwrap();
        let sstable = SsTable::open(&disk, &descriptor).unwrap();
        let metadata = sstable.metadata();
        assert_eq!(metadata.level, 4);
        assert_eq!(metadata.repaired_at_ms, 1_700_000_000_000);
        assert_eq!(metadata.pending_repair, Some(session));
        let mut scan = sstable.scan(&case.table, None, None, Slices::all(), false).unwrap();
        assert_eq!(drain_all(&mut *scan).unwrap(), case.partitions);
        set_level(&disk, &descriptor, written.level).unwrap();
        set_repaired(&disk, &descriptor, written.repaired_at_ms, written.pending_repair).unwrap();
        assert_eq!(disk.read_all(&path).unwrap(), before, "{version:?}");
    }
}

#[test]
fn after_a_power_loss_there_is_the_old_or_the_new_level() {
    let case = Case::random(&mut Prng::from_seed(5));
    let memory = SimDisk::new(5);
    let disk: Arc<dyn Disk> = Arc::new(memory.clone());
    let descriptor = case.write(&disk);
    set_level(&disk, &descriptor, 3).unwrap();
    memory.lose_power();
    assert_eq!(SsTable::open(&disk, &descriptor).unwrap().metadata().level, 3);
}
