//! Files and directories.

use std::io::ErrorKind;
use std::path::PathBuf;

use crate::{OpenMode, Runtime};

pub(super) async fn bytes_come_back_from_where_they_were_put(runtime: Runtime, dir: PathBuf) {
    let path = dir.join("a");
    let file = runtime.disk().open(&path, OpenMode::CreateNew).unwrap();
    file.write_all_at(b"hello", 10_000).unwrap();
    file.write_all_at(b"HE", 10_000).unwrap();
    assert_eq!(file.bytes().unwrap(), 10_005);
    let mut bytes = [1; 8];
    file.read_exact_at(&mut bytes, 9_997).unwrap();
    assert_eq!(&bytes, b"\0\0\0HEllo");
    assert_eq!(file.read_at(&mut bytes, 10_003).unwrap(), 2, "a read past the end is short");
    assert_eq!(file.read_at(&mut bytes, 10_005).unwrap(), 0);
    assert_eq!(file.read_at(&mut bytes, 99_999).unwrap(), 0);
    assert_eq!(file.read_exact_at(&mut bytes, 10_000).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    file.sync_data().unwrap();
    assert_eq!(runtime.disk().read_all(&path).unwrap().len(), 10_005);
}

pub(super) async fn open_modes_make_empty_or_refuse(runtime: Runtime, dir: PathBuf) {
    let disk = runtime.disk();
    let path = dir.join("a");
    let kind = |mode| disk.open(&path, mode).map(|_| ()).map_err(|error| error.kind());
    assert_eq!(kind(OpenMode::Read), Err(ErrorKind::NotFound));
    assert_eq!(kind(OpenMode::ReadWrite), Err(ErrorKind::NotFound));
    assert_eq!(kind(OpenMode::Create), Ok(()));
    assert_eq!(kind(OpenMode::CreateNew), Err(ErrorKind::AlreadyExists));
    disk.open(&path, OpenMode::ReadWrite).unwrap().write_all_at(b"x", 0).unwrap();
    assert_eq!(disk.read_all(&path).unwrap(), b"x");
    assert_eq!(kind(OpenMode::Create), Ok(()));
    assert_eq!(disk.read_all(&path).unwrap(), b"");
}

pub(super) async fn a_read_only_file_is_not_written(runtime: Runtime, dir: PathBuf) {
    let path = dir.join("a");
    runtime.disk().write_all_synced(&path, b"x").unwrap();
    let file = runtime.disk().open(&path, OpenMode::Read).unwrap();
    assert!(file.write_all_at(b"y", 0).is_err());
    assert!(file.set_bytes(0).is_err());
    assert_eq!(runtime.disk().read_all(&path).unwrap(), b"x");
}

pub(super) async fn rename_replaces_and_list_is_sorted(runtime: Runtime, dir: PathBuf) {
    let disk = runtime.disk();
    disk.create_dir_all(&dir.join("sub/deep")).unwrap();
    disk.create_dir_all(&dir.join("sub/deep")).unwrap();
    for name in ["b", "c", "a"] {
        disk.open(&dir.join(name), OpenMode::CreateNew).unwrap().write_all_at(name.as_bytes(), 0).unwrap();
    }
    disk.rename(&dir.join("c"), &dir.join("a")).unwrap();
    disk.rename(&dir.join("b"), &dir.join("sub/z")).unwrap();
    disk.rename(&dir.join("sub"), &dir.join("moved")).unwrap();
    disk.sync_dir(&dir).unwrap();
    let listed = |path: PathBuf| -> Vec<(String, bool, u64)> {
        disk.list(&path).unwrap().into_iter().map(|entry| (entry.name, entry.is_dir, entry.bytes)).collect()
    };
    assert_eq!(listed(dir.clone()), [("a".to_owned(), false, 1), ("moved".to_owned(), true, 0)]);
    assert_eq!(listed(dir.join("moved")), [("deep".to_owned(), true, 0), ("z".to_owned(), false, 1)]);
    assert_eq!(disk.read_all(&dir.join("a")).unwrap(), b"c");
    disk.remove_dir_all(&dir.join("moved")).unwrap();
    assert!(!disk.exists(&dir.join("moved")).unwrap());
    assert!(disk.exists(&dir.join("a")).unwrap());
    assert!(disk.space(&dir).unwrap().available_bytes > 0);
}

pub(super) async fn errors_have_the_same_kinds(runtime: Runtime, dir: PathBuf) {
    let disk = runtime.disk();
    disk.write_all_synced(&dir.join("file"), b"").unwrap();
    disk.write_all_synced(&dir.join("dir-holds-this"), b"").unwrap();
    disk.create_dir_all(&dir.join("full/inner")).unwrap();
    disk.create_dir_all(&dir.join("empty")).unwrap();
    let kind = |result: std::io::Result<()>| result.unwrap_err().kind();
    let open = |name: &str, mode| disk.open(&dir.join(name), mode).map(drop);
    assert_eq!(kind(open("full", OpenMode::Read)), ErrorKind::IsADirectory);
    assert_eq!(kind(open("full", OpenMode::ReadWrite)), ErrorKind::IsADirectory);
    assert_eq!(kind(open("none/file", OpenMode::Create)), ErrorKind::NotFound);
    assert_eq!(kind(open("file/below", OpenMode::Create)), ErrorKind::NotADirectory);
    assert_eq!(kind(disk.list(&dir.join("none")).map(drop)), ErrorKind::NotFound);
    assert_eq!(kind(disk.list(&dir.join("file")).map(drop)), ErrorKind::NotADirectory);
    assert_eq!(kind(disk.sync_dir(&dir.join("none"))), ErrorKind::NotFound);
    assert_eq!(kind(disk.remove_file(&dir.join("none"))), ErrorKind::NotFound);
    assert_eq!(kind(disk.remove_dir_all(&dir.join("none"))), ErrorKind::NotFound);
    assert_eq!(kind(disk.rename(&dir.join("none"), &dir.join("x"))), ErrorKind::NotFound);
    assert_eq!(kind(disk.rename(&dir.join("file"), &dir.join("empty"))), ErrorKind::IsADirectory);
    assert_eq!(kind(disk.rename(&dir.join("empty"), &dir.join("full"))), ErrorKind::DirectoryNotEmpty);
    assert_eq!(kind(disk.rename(&dir.join("full"), &dir.join("full/inner/x"))), ErrorKind::InvalidInput);
    assert_eq!(kind(disk.hard_link(&dir.join("none"), &dir.join("x"))), ErrorKind::NotFound);
    assert_eq!(kind(disk.hard_link(&dir.join("file"), &dir.join("empty"))), ErrorKind::AlreadyExists);
    disk.rename(&dir.join("file"), &dir.join("file")).unwrap();
    disk.rename(&dir.join("full"), &dir.join("empty")).unwrap();
    assert!(disk.exists(&dir.join("empty/inner")).unwrap());
}

pub(super) async fn a_removed_file_goes_on_for_who_has_it_open(runtime: Runtime, dir: PathBuf) {
    let disk = runtime.disk();
    let path = dir.join("a");
    disk.write_all_synced(&path, b"old").unwrap();
    let file = disk.open(&path, OpenMode::ReadWrite).unwrap();
    disk.remove_file(&path).unwrap();
    disk.sync_dir(&dir).unwrap();
    disk.write_all_synced(&path, b"new").unwrap();
    file.write_all_at(b"OL", 0).unwrap();
    let mut bytes = [0; 3];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"OLd");
    assert_eq!(disk.read_all(&path).unwrap(), b"new");
}

pub(super) async fn hard_links_are_one_file(runtime: Runtime, dir: PathBuf) {
    let disk = runtime.disk();
    disk.write_all_synced(&dir.join("a"), b"1").unwrap();
    disk.hard_link(&dir.join("a"), &dir.join("b")).unwrap();
    disk.open(&dir.join("a"), OpenMode::ReadWrite).unwrap().write_all_at(b"2", 0).unwrap();
    disk.remove_file(&dir.join("a")).unwrap();
    assert_eq!(disk.read_all(&dir.join("b")).unwrap(), b"2");
}

pub(super) async fn lengths_are_cut_filled_and_reserved(runtime: Runtime, dir: PathBuf) {
    let file = runtime.disk().open(&dir.join("a"), OpenMode::CreateNew).unwrap();
    file.preallocate(4096).unwrap();
    assert_eq!(file.bytes().unwrap(), 4096);
    file.write_all_at(&[7; 100], 0).unwrap();
    file.preallocate(50).unwrap();
    assert_eq!(file.bytes().unwrap(), 4096);
    file.set_bytes(60).unwrap();
    file.set_bytes(80).unwrap();
    let mut bytes = [1; 80];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!((&bytes[..60], &bytes[60..]), (&[7; 60][..], &[0; 20][..]));
}

pub(super) async fn a_lock_refuses_the_second_and_tells_the_first(runtime: Runtime, dir: PathBuf) {
    let disk = runtime.disk();
    let path = dir.join("lock");
    let held = disk.lock(&path, b"1234567").unwrap().expect("nobody holds it");
    assert_eq!(disk.lock(&path, b"99").unwrap().err().expect("it is held"), b"1234567");
    drop(held);
    let held = disk.lock(&path, b"99").unwrap().expect("it was let go");
    assert_eq!(disk.lock(&path, b"1").unwrap().err().expect("it is held"), b"99");
    drop(held);
}

pub(super) async fn a_file_is_replaced_whole(runtime: Runtime, dir: PathBuf) {
    let disk = runtime.disk().clone();
    for contents in [&b"first and longer"[..], b"second", b""] {
        let path = dir.join("a");
        disk.write_all_synced(&path, contents).unwrap();
        assert_eq!(disk.read_all(&path).unwrap(), contents);
    }
    assert_eq!(disk.list(&dir).unwrap().len(), 1, "no temporary file stays");
}

pub(super) async fn reads_that_nobody_waits_for_on_a_thread(runtime: Runtime, dir: PathBuf) {
    let file = runtime.disk().open(&dir.join("a"), OpenMode::CreateNew).unwrap();
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|i| (i / 3 % 253) as u8).collect();
    file.write_all_at(&bytes, 0).unwrap();
    assert_eq!(runtime.read_at(&file, 0, bytes.len()).await.unwrap(), bytes);
    assert_eq!(runtime.read_at(&file, 999_999, 1).await.unwrap(), bytes[999_999..]);
    assert_eq!(runtime.read_at(&file, 5, 0).await.unwrap(), b"");
    for (offset, length) in [(999_999, 2), (1_000_000, 1), (5_000_000, 10)] {
        let error = runtime.read_at(&file, offset, length).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{offset} {length}");
    }
    // A file goes on for a read that has begun, whoever closes it.
    let read = runtime.read_at(&file, 100, 50);
    drop(file);
    assert_eq!(read.await.unwrap(), bytes[100..150]);
}

/// It may refuse; what it gives is right.
pub(super) async fn what_is_read_at_once_is_all_of_it(runtime: Runtime, dir: PathBuf) {
    let file = runtime.disk().open(&dir.join("now"), OpenMode::CreateNew).unwrap();
    let bytes: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
    file.write_all_at(&bytes, 0).unwrap();
    for (offset, length) in [(0, 10), (70_000, 20_000), (99_999, 1), (99_999, 2), (200_000, 5)] {
        let mut found = vec![7; length];
        if file.read_at_once(&mut found, offset as u64) {
            assert_eq!(found, bytes[offset..offset + length]);
        }
    }
}

pub(super) async fn many_reads_at_once_and_some_that_nobody_wants(runtime: Runtime, dir: PathBuf) {
    let file = runtime.disk().open(&dir.join("a"), OpenMode::CreateNew).unwrap();
    let bytes: Vec<u8> = (0..2_000_000_u32).map(|i| (i / 5 % 251) as u8).collect();
    file.write_all_at(&bytes, 0).unwrap();
    let mut reads = Vec::new();
    for i in 0..1000_usize {
        let (offset, length) = (i * 1999, 1 + i * 7);
        let length = length.min(bytes.len() - offset);
        let read = runtime.read_at(&file, offset as u64, length);
        if i % 3 > 0 {
            reads.push((offset, length, read));
        }
    }
    for (offset, length, read) in reads {
        assert_eq!(read.await.unwrap(), bytes[offset..offset + length]);
    }
    // These end with the thread.
    for i in 0..100 {
        drop(runtime.read_at(&file, i * 10_000, 10_000));
    }
}
