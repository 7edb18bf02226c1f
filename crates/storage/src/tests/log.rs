//! The commit log: cut and damaged files.

use std::path::{Path, PathBuf};

use runtime::sim::{SimDisk, SimRuntime};
use runtime::{Disk, OpenMode, Runtime};

use super::support::{on_real, open, options, put, scan, table, try_open};
use crate::OpenError;
use crate::commitlog::record::{RecordKind, SEGMENT_HEADER_BYTES, VERSION, read_record};
use crate::commitlog::replay::list_segments;

const ENTRIES_COUNT: u32 = 30;
/// On the real disk, where each start syncs files.
const REAL_ENTRIES_COUNT: u32 = 8;

/// What entry `number` writes: two rows of two partitions, to be seen both or not at all.
fn rows_of_entry(number: u32) -> [(u32, u8, String); 2] {
    let value = format!("value {number}").repeat(number as usize % 4 + 1);
    [(number, 1, value.clone()), (1_000_000 + number, 2, value)]
}

/// Writes the entries in a row, each synced, without a clean end; returns the bytes of the segment.
async fn write_log(runtime: Runtime, entries_count: u32) -> (PathBuf, Vec<u8>) {
    let dir = PathBuf::from("/node");
    let table = table();
    let engine = open(&runtime, options(&dir), &[&table]);
    for number in 0..entries_count {
        let mutations = rows_of_entry(number)
            .map(|(key, place, value)| put(&table, key, place, &value, i64::from(number)));
        engine.apply(&mutations).unwrap().synced().await.unwrap();
    }
    let log_dir = dir.join("commitlog");
    let segments = list_segments(&**runtime.disk(), &log_dir).unwrap();
    assert_eq!(segments.len(), 1, "one shard, one segment");
    let mut bytes = runtime.disk().read_all(&segments[0].path).unwrap();
    assert_eq!(bytes.len(), options(&dir).segment_bytes as usize, "its room is reserved");
    let end = ends_of_entries(&segments[0].path, &bytes).0.last().copied();
    bytes.truncate(end.unwrap());
    (segments[0].path.clone(), bytes)
}

/// Where each entry's record ends, and the place named as safe by the last record.
fn ends_of_entries(path: &Path, bytes: &[u8]) -> (Vec<usize>, usize) {
    let name = path.file_name().unwrap().to_str().unwrap();
    let id = crate::commitlog::segment::parse_segment_name(name).unwrap().unwrap();
    let mut ends = Vec::new();
    let (mut offset, mut promised) = (SEGMENT_HEADER_BYTES, 0);
    while let Ok(record) = read_record(bytes, VERSION, id, offset) {
        if bytes[record.body_start] == RecordKind::Mutations as u8 {
            ends.push(record.body_end);
        }
        promised = record.synced.offset as usize;
        offset = record.body_end;
    }
    (ends, promised)
}

fn expected(entries_count: usize) -> Vec<(u32, u8, String)> {
    let mut rows: Vec<_> = (0..entries_count as u32).flat_map(rows_of_entry).collect();
    rows.sort();
    rows
}

fn write_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) {
    let file = disk.open(path, OpenMode::Create).unwrap();
    file.write_all_at(bytes, 0).unwrap();
}

/// Opens a node whose log is these bytes, twice: what stands whole before the cut is replayed, and nothing else.
fn check_cut(runtime: &Runtime, path: &Path, bytes: &[u8], cut: usize, ends: &[usize], dir: &Path) {
    let log_dir = dir.join("commitlog");
    runtime.disk().create_dir_all(&log_dir).unwrap();
    write_file(&**runtime.disk(), &log_dir.join(path.file_name().unwrap()), &bytes[..cut]);
    let whole = ends.iter().filter(|end| **end <= cut).count();
    for start in 0..2 {
        let engine = open(runtime, options(dir), &[&table()]);
        assert_eq!(scan(&engine, &table()), expected(whole), "cut at {cut}, start {start}");
    }
}

#[test]
fn the_log_cut_at_every_byte_replays_what_is_before_the_cut_in_the_simulation() {
    let (path, bytes) = SimRuntime::new(1).block_on(|runtime| write_log(runtime, ENTRIES_COUNT));
    let (ends, _) = ends_of_entries(&path, &bytes);
    assert_eq!(ends.len(), ENTRIES_COUNT as usize);
    for cut in 0..=bytes.len() {
        let sim = SimRuntime::new(cut as u64);
        let runtime = sim.runtime();
        check_cut(&runtime, &path, &bytes, cut, &ends, Path::new("/node"));
    }
}

#[test]
fn the_log_cut_at_every_byte_replays_what_is_before_the_cut_on_the_machine() {
    // One shard, so that there is one segment: its bytes come from the simulation, the disk is real.
    let (path, bytes) = SimRuntime::new(1).block_on(|runtime| write_log(runtime, REAL_ENTRIES_COUNT));
    on_real("cut", move |runtime, dir| {
        let (path, bytes) = (path.clone(), bytes.clone());
        async move {
            let (ends, _) = ends_of_entries(&path, &bytes);
            for cut in 0..=bytes.len() {
                let dir = dir.join("cut");
                check_cut(&runtime, &path, &bytes, cut, &ends, &dir);
                runtime.disk().remove_dir_all(&dir).unwrap();
            }
        }
    });
}

#[test]
fn damage_before_what_is_known_as_safe_stops_the_start_and_names_the_place() {
    let (path, bytes) = SimRuntime::new(1).block_on(|runtime| write_log(runtime, ENTRIES_COUNT));
    let (ends, promised) = ends_of_entries(&path, &bytes);
    assert_eq!(promised, ends[ENTRIES_COUNT as usize - 2], "all but the last entry are known as safe");
    for offset in 0..bytes.len() {
        let sim = SimRuntime::new(offset as u64);
        let (runtime, dir) = (sim.runtime(), PathBuf::from("/node"));
        runtime.disk().create_dir_all(&dir.join("commitlog")).unwrap();
        let mut damaged = bytes.clone();
        damaged[offset] ^= 1 << (offset % 8);
        write_file(&**runtime.disk(), &dir.join("commitlog").join(path.file_name().unwrap()), &damaged);
        match try_open(&runtime, options(&dir), &[&table()]) {
            Ok(engine) => {
                assert!(offset >= promised, "damage at {offset} passed");
                assert_eq!(scan(&engine, &table()), expected(ENTRIES_COUNT as usize - 1));
            }
            Err(OpenError::Damaged { path: named, offset: at, .. }) => {
                assert!(offset < promised, "damage at {offset} is a torn tail");
                assert_eq!(named.file_name(), path.file_name());
                let record = ends.iter().rev().find(|end| **end <= offset);
                assert!(record.is_none_or(|start| at as usize == *start), "{offset}: {at}");
            }
            Err(other) => panic!("damage at {offset}: {other}"),
        }
    }
}

#[test]
fn a_failed_sync_refuses_the_write_and_all_that_follow() {
    let sim = SimRuntime::new(3);
    let disk: SimDisk = sim.disk().clone();
    sim.block_on(move |runtime| async move {
        let table = table();
        let engine = open(&runtime, options(Path::new("/node")), &[&table]);
        engine.apply(&[put(&table, 1, 1, "a", 1)]).unwrap().synced().await.unwrap();
        let commit = engine.apply(&[put(&table, 2, 1, "b", 1)]).unwrap();
        disk.cut_power_after(0);
        assert!(matches!(commit.synced().await, Err(crate::WriteError::Unsynced(_))));
        let refused = engine.apply(&[put(&table, 3, 1, "c", 1)]);
        assert!(matches!(refused.err(), Some(crate::WriteError::DiskFailed(_))));
    });
}

#[test]
fn a_write_to_many_shards_or_of_many_rows_is_bounded() {
    let sim = SimRuntime::with_shards(4, 3);
    sim.block_on(|runtime| async move {
        let table = table();
        let mut options = options(Path::new("/node"));
        options.max_mutation_bytes = 1_000;
        let engine = open(&runtime, options, &[&table]);
        let mut mutations: Vec<_> = (0..50).map(|number| put(&table, number, 1, "small", 1)).collect();
        engine.apply(&mutations).unwrap().synced().await.unwrap();
        assert_eq!(scan(&engine, &table).len(), 50);
        mutations.push(put(&table, 51, 1, &"x".repeat(1_000), 2));
        let refused = engine.apply(&mutations).err();
        assert!(matches!(refused, Some(crate::WriteError::TooLarge { .. })), "{refused:?}");
        assert_eq!(scan(&engine, &table).len(), 50, "nothing was applied to any shard");
    });
}

#[test]
fn many_writers_share_a_sync() {
    on_real("group", |runtime, dir| async move {
        let table = table();
        let engine = open(&runtime, options(&dir), &[&table]);
        let mut commits = Vec::new();
        for number in 0..2_000 {
            commits.push(engine.apply(&[put(&table, number, 1, "v", 1)]).unwrap().synced());
        }
        for commit in commits {
            commit.await.unwrap();
        }
        let stats = engine.stats();
        assert_eq!(stats.log_entries_count, 2_000);
        assert!(stats.log_syncs_count < 20, "{stats:?}");
    });
}
