//! The commit log: segments that are used again, kept in an archive, damaged (bug 54).

use std::path::{Path, PathBuf};

use runtime::OpenMode;
use runtime::sim::SimRuntime;

use super::support::{open, options, put, scan, table, try_open};
use crate::commitlog::record::IGNORE_CRC;
use crate::commitlog::replay::list_segments;
use crate::{Engine, EngineOptions, FlushTarget};

const NODE: &str = "/node";

fn small() -> EngineOptions {
    EngineOptions { segment_bytes: 2_000, max_mutation_bytes: 1_000, ..options(Path::new(NODE)) }
}

/// Each of the same length, so that records of a file's uses stand at the same places.
async fn write(engine: &Engine, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let one = put(&table(), number, 1, &format!("value {number:06}"), 1);
        engine.apply_waiting(&[one]).await.unwrap().synced().await.unwrap();
    }
}

/// The segments of a node that wrote these rows.
fn segments(seed: u64, numbers: std::ops::Range<u32>) -> Vec<(PathBuf, Vec<u8>)> {
    SimRuntime::new(seed).block_on(move |runtime| async move {
        let engine = open(&runtime, small(), &[&table()]);
        write(&engine, numbers).await;
        let all = list_segments(&**runtime.disk(), &Path::new(NODE).join("commitlog")).unwrap();
        all.into_iter().map(|one| (one.path.clone(), runtime.disk().read_all(&one.path).unwrap())).collect()
    })
}

/// A segment, its path, what the file held before it was used again, and the rows that the segment holds.
fn recycled_segment() -> (PathBuf, Vec<u8>, Vec<u8>, Vec<(u32, u8, String)>) {
    let (_, old) = segments(1, 0..60).swap_remove(0);
    let (path, new) = segments(2, 500..545).pop().unwrap();
    assert_eq!(old.len(), new.len());
    let rows = rows_after_replay(&path, &new);
    assert!(rows.len() > 3 && rows.iter().all(|(number, ..)| *number >= 500), "{rows:?}");
    (path, new, old, rows)
}

/// Opens a node whose only segment is this; the rows that it finds.
fn rows_after_replay(path: &Path, bytes: &[u8]) -> Vec<(u32, u8, String)> {
    let sim = SimRuntime::new(2);
    let runtime = sim.runtime();
    runtime.disk().create_dir_all(path.parent().unwrap()).unwrap();
    let file = runtime.disk().open(path, OpenMode::Create).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    let first = scan(&open(&runtime, small(), &[&table()]), &table());
    let second = scan(&open(&runtime, small(), &[&table()]), &table());
    assert_eq!(first, second, "a second start finds the same");
    first
}

/// The rows at every cut of a write into a used file: those of the new use before the cut, and nothing else.
fn check_recycled_cuts() -> Result<(), String> {
    let (path, new, old, rows) = recycled_segment();
    let mut found_count = 0;
    for cut in 0..=new.len() {
        let torn = [&new[..cut], &old[cut..]].concat();
        let found = rows_after_replay(&path, &torn);
        if !rows.starts_with(&found) {
            return Err(format!("cut at {cut}: {found:?}"));
        }
        if found.len() < found_count {
            return Err(format!("cut at {cut}: rows are lost"));
        }
        found_count = found.len();
    }
    if found_count == rows.len() { Ok(()) } else { Err(format!("{found_count} of {} rows", rows.len())) }
}

#[test]
fn a_segment_in_a_used_file_cut_at_every_byte_replays_its_own_records_only() {
    check_recycled_cuts().unwrap();
}

#[test]
fn a_reader_that_ignores_checksums_is_caught() {
    IGNORE_CRC.set(true);
    let caught = std::panic::catch_unwind(check_recycled_cuts);
    IGNORE_CRC.set(false);
    assert!(!matches!(caught, Ok(Ok(()))), "records of the file's earlier use were taken for new ones");
}

#[test]
fn files_of_segments_are_used_again_and_nothing_is_lost() {
    for seed in 0..5 {
        let sim = SimRuntime::new(seed);
        sim.block_on(|runtime| async move {
            let engine = open(&runtime, small(), &[&table()]);
            for round in 0..4 {
                write(&engine, round * 100..round * 100 + 100).await;
                engine.flush(FlushTarget::All).await.unwrap();
            }
            assert!(engine.stats().log_recycled_count > 2, "{:?}", engine.stats());
            write(&engine, 400..450).await;
        });
        sim.first_node().crash();
        sim.block_on(|runtime| async move {
            assert_eq!(scan(&open(&runtime, small(), &[&table()]), &table()).len(), 450);
        });
    }
}

#[test]
fn closed_segments_are_kept_in_the_archive_unchanged() {
    let sim = SimRuntime::new(1);
    sim.block_on(|runtime| async move {
        let archive = PathBuf::from("/archive");
        let options = EngineOptions { commitlog_archive_dir: Some(archive.clone()), ..small() };
        let engine = open(&runtime, options, &[&table()]);
        write(&engine, 0..100).await;
        engine.flush(FlushTarget::All).await.unwrap();
        let kept = list_segments(&**runtime.disk(), &archive).unwrap();
        assert!(kept.len() >= 3, "{kept:?}");
        let bytes: Vec<_> = kept.iter().map(|one| runtime.disk().read_all(&one.path).unwrap()).collect();
        write(&engine, 100..200).await;
        engine.flush(FlushTarget::All).await.unwrap();
        for (segment, bytes) in kept.iter().zip(bytes) {
            assert_eq!(
                runtime.disk().read_all(&segment.path).unwrap(),
                bytes,
                "no other segment overwrites it"
            );
        }
        // What is archived is all that was written.
        let dir = PathBuf::from("/restored/commitlog");
        runtime.disk().create_dir_all(&dir).unwrap();
        for segment in list_segments(&**runtime.disk(), &archive).unwrap() {
            let name = segment.path.file_name().unwrap().to_owned();
            runtime.disk().hard_link(&segment.path, &dir.join(name)).unwrap();
        }
        let restored = open(&runtime, super::support::options(Path::new("/restored")), &[&table()]);
        assert!(scan(&restored, &table()).len() > 150);
    });
}

#[test]
fn a_damaged_log_says_what_would_be_lost_and_can_be_accepted() {
    for seed in 0..10 {
        let sim = SimRuntime::new(seed);
        let damaged = sim.block_on(|runtime| async move {
            let engine = open(&runtime, options(Path::new(NODE)), &[&table()]);
            write(&engine, 0..40).await;
            let dir = Path::new(NODE).join("commitlog");
            list_segments(&**runtime.disk(), &dir).unwrap()[0].path.clone()
        });
        sim.first_node().kill();
        sim.disk().corrupt(&damaged, 700 + seed * 10, 0x01).unwrap();
        sim.block_on(move |runtime| async move {
            let refused =
                try_open(&runtime, options(Path::new(NODE)), &[&table()]).err().unwrap().to_string();
            for part in ["is damaged at byte", "at most", "of ks.t", "accept_commitlog_damage=true"] {
                assert!(refused.contains(part), "{refused}");
            }
            let accepting = EngineOptions { accept_commitlog_damage: true, ..options(Path::new(NODE)) };
            let engine = open(&runtime, accepting, &[&table()]);
            let found = scan(&engine, &table()).len();
            assert!((38..40).contains(&found), "seed {seed}: {found} of 40 rows");
            let mut kept = damaged.into_os_string();
            kept.push(".damaged");
            assert!(runtime.disk().exists(Path::new(&kept)).unwrap(), "the file is kept aside");
            drop(engine);
            let engine = open(&runtime, options(Path::new(NODE)), &[&table()]);
            assert_eq!(scan(&engine, &table()).len(), found, "the next start needs no flag");
        });
    }
}

/// Random bytes, and real segments with random changes: an answer, never a panic. `SEGMENT_MUTATIONS` of them, else
/// 20,000.
#[test]
fn any_bytes_can_be_read_as_a_segment() {
    let (_, segment, _, rows) = recycled_segment();
    let mut prng = stdx::prng::Prng::from_seed(11);
    let header = crate::commitlog::record::SEGMENT_HEADER_BYTES;
    let count = std::env::var("SEGMENT_MUTATIONS").map_or(20_000, |count| count.parse().unwrap());
    for _ in 0..count {
        let mut bytes = segment.clone();
        match prng.below(4) {
            0 => prng.fill(&mut bytes),
            1 => bytes.truncate(prng.index(segment.len())),
            _ => {
                for _ in 0..1 + prng.index(4) {
                    let at = header + prng.index(bytes.len() - header);
                    bytes[at] ^= 1 << prng.index(8);
                }
            }
        }
        assert!(crate::fuzz::fuzz_segment(&bytes) <= 4 * rows.len() as u64);
    }
}
