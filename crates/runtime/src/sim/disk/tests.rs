use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;
use crate::real::RealDisk;

const SEEDS: u64 = 200;

fn path(name: &str) -> PathBuf {
    Path::new("/d").join(name)
}

/// A disk with a synced, empty directory `/d`.
fn disk(seed: u64) -> SimDisk {
    let disk = SimDisk::new(seed);
    disk.create_dir_all(Path::new("/d")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk
}

/// As [`disk`], with the synced file `a`.
fn disk_with_file(seed: u64, contents: &[u8]) -> (SimDisk, Arc<dyn DiskFile>) {
    let disk = disk(seed);
    disk.write_all_synced(&path("a"), contents).unwrap();
    let file = disk.open(&path("a"), OpenMode::ReadWrite).unwrap();
    (disk, file)
}

/// What `outcome` gives after a power loss, over many seeds.
fn outcomes<T: Ord>(outcome: impl Fn(u64) -> T) -> BTreeSet<T> {
    (0..SEEDS).map(outcome).collect()
}

fn names_of(disk: &SimDisk) -> Vec<String> {
    disk.list(Path::new("/d")).unwrap().into_iter().map(|entry| entry.name).collect()
}

#[test]
fn synced_bytes_survive_every_power_loss() {
    for seed in 0..SEEDS {
        let (disk, file) = disk_with_file(seed, &[1; 3000]);
        file.write_all_at(&[2; 1000], 500).unwrap();
        file.sync_data().unwrap();
        disk.lose_power();
        let contents = disk.read_all(&path("a")).unwrap();
        let want = [&[1; 500][..], &[2; 1000], &[1; 1500]].concat();
        assert!(contents == want, "seed {seed}");
        assert!(file.bytes().is_err(), "handles of before are dead");
    }
}

#[test]
fn of_unsynced_bytes_all_or_none_or_single_sectors_survive() {
    let survived = outcomes(|seed| {
        let (disk, file) = disk_with_file(seed, &[1; 4 * 512]);
        file.write_all_at(&[2; 4 * 512], 0).unwrap();
        disk.lose_power();
        let contents = disk.read_all(&path("a")).unwrap();
        assert!(contents.chunks(512).all(|sector| sector == [1; 512] || sector == [2; 512]), "seed {seed}");
        contents.chunks(512).map(|sector| sector[0]).collect::<Vec<_>>()
    });
    assert!(survived.contains(&vec![1; 4]) && survived.contains(&vec![2; 4]));
    assert!(survived.len() > 10, "torn writes: {survived:?}");
}

#[test]
fn an_unsynced_append_may_be_cut_anywhere() {
    let lengths = outcomes(|seed| {
        let (disk, file) = disk_with_file(seed, &[1; 100]);
        file.write_all_at(&[2; 2000], 100).unwrap();
        disk.lose_power();
        let contents = disk.read_all(&path("a")).unwrap();
        assert!(contents.len() >= 100 && contents[..100] == [1; 100], "seed {seed}");
        assert!(contents[100..].iter().all(|byte| [0, 2].contains(byte)), "seed {seed}");
        contents.len()
    });
    assert!(lengths.contains(&100) && lengths.contains(&2100) && lengths.len() > 10, "{lengths:?}");
}

#[test]
fn an_unsynced_cut_may_be_undone() {
    let contents = outcomes(|seed| {
        let (disk, file) = disk_with_file(seed, &[1; 600]);
        file.set_bytes(10).unwrap();
        disk.lose_power();
        disk.read_all(&path("a")).unwrap()
    });
    assert!(contents.contains(&vec![1; 600]) && contents.contains(&vec![1; 10]));
}

#[test]
fn a_new_file_needs_its_directory_synced() {
    let found = outcomes(|seed| {
        let disk = disk(seed);
        let file = disk.open(&path("a"), OpenMode::CreateNew).unwrap();
        file.write_all_at(b"x", 0).unwrap();
        file.sync_data().unwrap();
        let copy = disk.crash_copy();
        assert!(disk.exists(&path("a")).unwrap(), "the original goes on");
        disk.sync_dir(Path::new("/d")).unwrap();
        disk.lose_power();
        assert_eq!(disk.read_all(&path("a")).unwrap(), b"x", "seed {seed}");
        copy.exists(&path("a")).unwrap()
    });
    assert_eq!(found.len(), 2, "it survives or not: {found:?}");
}

#[test]
fn a_rename_without_directory_sync_happens_or_not_but_whole() {
    let found = outcomes(|seed| {
        let (disk, _) = disk_with_file(seed, b"x");
        disk.write_all_synced(&path("b"), b"y").unwrap();
        disk.rename(&path("a"), &path("b")).unwrap();
        disk.lose_power();
        (names_of(&disk), disk.read_all(&path("b")).unwrap())
    });
    let before = (vec!["a".to_owned(), "b".to_owned()], b"y".to_vec());
    let after = (vec!["b".to_owned()], b"x".to_vec());
    assert_eq!(found, BTreeSet::from([before, after]));
}

#[test]
fn a_rename_between_directories_lasts_with_either_one_synced() {
    for seed in 0..SEEDS {
        let (disk, _) = disk_with_file(seed, b"x");
        disk.create_dir_all(&path("sub")).unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        disk.rename(&path("a"), &path("sub/a")).unwrap();
        disk.sync_dir(&path("sub")).unwrap();
        disk.lose_power();
        assert_eq!(names_of(&disk), ["sub"], "seed {seed}");
        assert_eq!(disk.read_all(&path("sub/a")).unwrap(), b"x", "seed {seed}");
    }
}

#[test]
fn removals_come_back_in_any_mixture() {
    let left = outcomes(|seed| {
        let disk = disk(seed);
        for name in ["a", "b", "c"] {
            disk.write_all_synced(&path(name), name.as_bytes()).unwrap();
        }
        for name in ["a", "b", "c"] {
            disk.remove_file(&path(name)).unwrap();
        }
        disk.lose_power();
        for name in names_of(&disk) {
            assert_eq!(disk.read_all(&path(&name)).unwrap(), name.as_bytes(), "seed {seed}");
        }
        names_of(&disk)
    });
    assert_eq!(left.len(), 8, "{left:?}");
}

/// Replaces a file, loses power at each operation in turn, and returns what is found.
fn replace_with_power_loss(seed: u64, replace: fn(&SimDisk) -> io::Result<()>) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    for operations_count in 0.. {
        let (disk, _) = disk_with_file(seed, &[1; 2000]);
        disk.cut_power_after(operations_count);
        let done = replace(&disk).is_ok();
        disk.lose_power();
        let contents = disk.read_all(&path("a")).unwrap_or_default();
        if done {
            assert!(contents == [2; 2000], "seed {seed}: it was said to be safe");
            return found;
        }
        found.insert(contents);
    }
    unreachable!("a replacement ends");
}

#[test]
fn write_all_synced_leaves_the_old_or_the_new_at_every_crash() {
    let mut found = BTreeSet::new();
    for seed in 0..SEEDS {
        found
            .append(&mut replace_with_power_loss(seed, |disk| disk.write_all_synced(&path("a"), &[2; 2000])));
    }
    assert_eq!(found, BTreeSet::from([vec![1; 2000], vec![2; 2000]]));
}

#[test]
fn the_simulation_finds_a_replacement_without_sync() {
    let mut found = BTreeSet::new();
    for seed in 0..SEEDS {
        found.append(&mut replace_with_power_loss(seed, |disk| {
            let file = disk.open(&path("new"), OpenMode::Create)?;
            file.write_all_at(&[2; 2000], 0)?;
            disk.rename(&path("new"), &path("a"))?;
            disk.sync_dir(Path::new("/d"))?;
            file.sync_data()
        }));
    }
    assert!(found.len() > 2, "a torn file is found");
}

#[test]
fn a_failed_sync_loses_the_bytes_though_the_next_one_succeeds() {
    let (disk, file) = disk_with_file(1, &[1; 512]);
    disk.inject(Fault::once("/d/a", Operation::Sync, FaultError::Device));
    file.write_all_at(&[2; 512], 0).unwrap();
    assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(5));
    file.sync_data().unwrap();
    let mut bytes = [0; 512];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(bytes, [2; 512], "the kernel still shows them");
    disk.lose_power();
    assert_eq!(disk.read_all(&path("a")).unwrap(), [1; 512]);
}

#[test]
fn faults_hit_what_they_name_as_often_as_they_say() {
    let (disk, file) = disk_with_file(1, b"");
    let other = disk.open(&path("b"), OpenMode::Create).unwrap();
    disk.inject(Fault { after_count: 1, ..Fault::once("/d/a", Operation::Write, FaultError::NoSpace) });
    let kinds: Vec<_> =
        (0..4).map(|_| file.write_all_at(&[1; 10], 0).err().map(|error| error.kind())).collect();
    assert_eq!(kinds, [None, Some(io::ErrorKind::StorageFull), None, None]);
    other.write_all_at(b"x", 0).unwrap();
    disk.inject(Fault::always("", Operation::Open, FaultError::Device));
    assert!(disk.open(&path("a"), OpenMode::Read).is_err());
    disk.clear_faults();
    disk.open(&path("a"), OpenMode::Read).unwrap();
}

#[test]
fn corrupt_flips_bits_that_stay_flipped() {
    let (disk, _) = disk_with_file(1, &[0; 10]);
    disk.corrupt(&path("a"), 3, 0x10).unwrap();
    assert!(disk.corrupt(&path("a"), 10, 1).is_err());
    disk.lose_power();
    assert_eq!(disk.read_all(&path("a")).unwrap(), [0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0]);
}

/// Draws one operation, does it, and says in words what came of it.
fn step(prng: &mut Prng, disk: &dyn Disk, root: &Path) -> String {
    let names = ["a", "b", "dir", "dir/a", "dir/b", "dir/sub", "dir/sub/a", "none/a"];
    let mut draw = || root.join(prng.choose(&names).expect("there are names"));
    let (one, two) = (draw(), draw());
    let place = prng.below(2000);
    let count = prng.index(1500);
    let byte = prng.next_u64() as u8;
    let operation = prng.below(12);
    let outcome = match operation {
        0 => disk.rename(&one, &two),
        1 => disk.remove_file(&one),
        2 => disk.remove_dir_all(&one),
        3 | 4 => disk.create_dir_all(&one),
        5 => disk.hard_link(&one, &two),
        6 => disk.sync_dir(&one),
        7 => disk.write_all_synced(&one, &vec![byte; count]),
        8 => disk.open(&one, OpenMode::Create).map(drop),
        9 => {
            disk.open(&one, OpenMode::CreateNew).and_then(|file| file.write_all_at(&vec![byte; count], place))
        }
        10 => disk.open(&one, OpenMode::ReadWrite).and_then(|file| file.set_bytes(place)),
        _ => {
            disk.open(&one, OpenMode::ReadWrite).and_then(|file| file.write_all_at(&vec![byte; count], place))
        }
    };
    let found = disk.read_all(&one).map(|bytes| (bytes.len(), crc32(&bytes)));
    let listed = disk.list(&one);
    let outcome = outcome.map_err(|error| error.kind());
    let (found, listed) = (found.map_err(|error| error.kind()), listed.map_err(|error| error.kind()));
    format!("{operation} {} {}: {outcome:?} {found:?} {listed:?}", one.display(), two.display())
}

#[test]
fn random_operations_end_as_on_the_machine() {
    let root = std::env::temp_dir().join(format!("helenus-sim-disk-{}", std::process::id()));
    for seed in 0..10 {
        RealDisk.create_dir_all(&root).unwrap();
        let sim = SimDisk::new(seed);
        sim.create_dir_all(&root).unwrap();
        let (mut one, mut other) = (Prng::from_seed(seed), Prng::from_seed(seed));
        for number in 0..500 {
            let want = step(&mut one, &RealDisk, &root);
            let found = step(&mut other, &sim, &root);
            assert_eq!(found, want, "seed {seed}, step {number}");
        }
        RealDisk.remove_dir_all(&root).unwrap();
    }
}

#[test]
fn what_is_all_synced_is_unchanged_by_a_power_loss() {
    let root = Path::new("/d");
    for seed in 0..50 {
        let disk = disk(seed);
        let mut prng = Prng::from_seed(seed);
        for _ in 0..200 {
            step(&mut prng, &disk, root);
        }
        let before = sync_and_dump(&disk, root);
        disk.lose_power();
        assert_eq!(sync_and_dump(&disk, root), before, "seed {seed}");
    }
}

/// Syncs every directory and file under `root` and lists them with their contents' checksums.
fn sync_and_dump(disk: &SimDisk, root: &Path) -> Vec<(PathBuf, Option<u32>)> {
    let mut dump = Vec::new();
    let mut dirs = vec![root.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        disk.sync_dir(&dir).unwrap();
        for entry in disk.list(&dir).unwrap() {
            let path = dir.join(&entry.name);
            if entry.is_dir {
                dirs.push(path.clone());
                dump.push((path, None));
            } else {
                disk.open(&path, OpenMode::ReadWrite).unwrap().sync_data().unwrap();
                let crc = crc32(&disk.read_all(&path).unwrap());
                dump.push((path, Some(crc)));
            }
        }
    }
    dump
}

#[test]
fn a_later_change_of_a_file_stands_on_the_earlier_ones() {
    let found = outcomes(|seed| {
        let (disk, _) = disk_with_file(seed, b"x");
        disk.rename(&path("a"), &path("b")).unwrap();
        disk.rename(&path("b"), &path("c")).unwrap();
        disk.lose_power();
        names_of(&disk)
    });
    assert_eq!(found, BTreeSet::from(["a", "b", "c"].map(|name| vec![name.to_owned()])));
}

#[test]
fn a_lock_ends_with_its_process_and_is_not_let_go_by_a_dead_one() {
    let disk = disk(1);
    let dead = disk.lock(&path("lock"), b"1").unwrap().expect("free");
    disk.kill_process();
    let held = disk.lock(&path("lock"), b"2").unwrap().expect("its holder is dead");
    drop(dead);
    assert_eq!(disk.lock(&path("lock"), b"3").unwrap().err().expect("held"), b"2");
    drop(held);
}
