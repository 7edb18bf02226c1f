//! Taking over, without a Cassandra; with one it is `tests/judge/take_over.py`.

use std::path::Path;

use runtime::OpenMode;
use runtime::real::{RealDisk, RealRuntime};
use runtime::sim::SimDisk;

use super::*;

#[test]
fn a_directory_without_a_schema_is_refused_and_commit_logs_are_counted() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    disk.create_dir_all(Path::new("/c/data/ks")).unwrap();
    assert!(Source::find(&disk, Path::new("/c"), None).is_err());
    disk.create_dir_all(Path::new("/c/data/system_schema/tables-afddfb9dbc1e30688056eed6c302ba09")).unwrap();
    disk.create_dir_all(Path::new("/c/commitlog")).unwrap();
    let log = disk.open(Path::new("/c/commitlog/CommitLog-8-1.log"), OpenMode::Create).unwrap();
    log.write_all_at(&[0; 77], 0).unwrap();
    let source = Source::find(&disk, Path::new("/c"), None).unwrap();
    assert_eq!(source.commit_log(&disk).unwrap(), (1, 77));
    assert_eq!(Source::find(&disk, Path::new("/c/data"), None).unwrap().commit_log(&disk).unwrap(), (1, 77));
}

/// A folder of its own for a test, removed with it.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("helenus-tools-{name}-{}", runtime::real::process_id());
        let folder = Folder(std::env::temp_dir().join(name));
        folder.remove();
        folder
    }

    fn remove(&self) {
        // It may not be there.
        let _ = RealDisk.remove_dir_all(&self.0);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.remove();
    }
}

fn command(from: &Path, to: &Path) -> ImportCommand {
    ImportCommand {
        cassandra_data_dir: from.to_owned(),
        data_dir: to.to_owned(),
        snapshot: None,
        copy: false,
        skip_damaged: false,
    }
}

/// Our own directories are laid out as Cassandra's: one stands for it here.
#[test]
fn a_directory_is_taken_over_once_and_again_after_a_crash() {
    let (from, to) = (Folder::new("from"), Folder::new("to"));
    let (from_dir, to_dir) = (from.0.clone(), to.0.clone());
    let real = RealRuntime::start(1).unwrap();
    real.block_on(move |runtime| async move {
        let disk = runtime.disk().clone();
        let fixture =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../sstable/testdata/cassandra-5.0/da/skinny");
        let source = crate::target::sstables(&disk, &fixture).unwrap().remove(0);
        let opened = SsTable::open(&disk, &source).unwrap();
        let mut table = Arc::unwrap_or_clone(opened.header_table("ks", "t").unwrap());
        table.id = model::TableId(uuid::Uuid::from_u128(0x6eef_9040_e697_11f1_b662_233e_7d93_99c2));
        let node = StoppedNode::open(&runtime, &from_dir).unwrap();
        let mut schema = (**node.schema()).clone();
        let directory = node.table_dir("ks", "t", table.id);
        let simple = ("class".to_owned(), "org.apache.cassandra.locator.SimpleStrategy".to_owned());
        let keyspace = Keyspace {
            name: "ks".into(),
            replication: [simple, ("replication_factor".to_owned(), "1".to_owned())].into_iter().collect(),
            durable_writes: true,
            tables: [("t".into(), Arc::new(table.clone()))].into_iter().collect(),
            types: BTreeMap::new(),
        };
        schema.keyspaces.insert("ks".into(), Arc::new(keyspace));
        node.store_schema(&schema).await.unwrap();
        node.close().await.unwrap();
        disk.create_dir_all(&directory).unwrap();
        place::place(&disk, &source, &Descriptor::new(&directory, 7_u64), How::Copy).unwrap();

        // A first run broke off: there is a marker, and half an SSTable.
        let target = to_dir.join("data/ks").join(directory.file_name().unwrap());
        disk.create_dir_all(&target).unwrap();
        disk.write_all_synced(&to_dir.join(MARKER), from_dir.join("data").display().to_string().as_bytes())
            .unwrap();
        disk.write_all_synced(&target.join("da-1-bti-Data.db"), b"half").unwrap();
        let mut out = Vec::new();
        let command = command(&from_dir, &to_dir);
        assert!(import(&runtime, &command, &mut out).await.unwrap());
        let said = String::from_utf8(out).unwrap();
        assert!(said.contains("was begun before") && said.contains("ks.t: 1 SSTables"), "{said}");
        assert!(!disk.exists(&to_dir.join(MARKER)).unwrap());
        let taken = crate::target::sstables(&disk, &target).unwrap();
        assert_eq!(taken, [Descriptor::new(&target, 1_u64)]);
        crate::import::check(&disk, &taken[0], &Arc::new(table.clone())).unwrap();
        let node = StoppedNode::open(&runtime, &to_dir).unwrap();
        let theirs = node.schema().table("ks", "t").unwrap().clone();
        assert_eq!((theirs.id, &theirs.regulars), (table.id, &table.regulars));
        node.close().await.unwrap();

        // A second import is refused; one of which only the marker is left touches nothing.
        let refused = import(&runtime, &command, &mut Vec::new()).await;
        assert!(refused.is_err_and(|error| error.to_string() == "keyspace ks is there already"));
        disk.remove_file(&to_dir.join(MARKER)).unwrap_or_default();
        disk.write_all_synced(&to_dir.join(MARKER), from_dir.join("data").display().to_string().as_bytes())
            .unwrap();
        place::place(&disk, &source, &Descriptor::new(&target, 2_u64), How::Copy).unwrap();
        assert!(import(&runtime, &command, &mut Vec::new()).await.unwrap());
        assert_eq!(crate::target::sstables(&disk, &target).unwrap().len(), 2);
        assert!(!disk.exists(&to_dir.join(MARKER)).unwrap());
    });
}

#[test]
fn a_schema_may_take_more_than_a_node_takes_in_one_write() {
    let (from, to) = (Folder::new("large_from"), Folder::new("large_to"));
    let (from_dir, to_dir) = (from.0.clone(), to.0.clone());
    let real = RealRuntime::start(1).unwrap();
    real.block_on(move |runtime| async move {
        let comment = "x".repeat(20 << 20);
        let node = StoppedNode::open_for(&runtime, &from_dir, comment.len()).unwrap();
        let mut schema = (**node.schema()).clone();
        let known = schema.keyspaces.values().flat_map(|keyspace| keyspace.tables.values()).next().unwrap();
        let mut table = Table::clone(known);
        (table.keyspace, table.name) = ("ks".into(), "t".into());
        table.id = model::TableId(uuid::Uuid::from_u128(0x6eef_9040_e697_11f1_b662_233e_7d93_99c2));
        table.options.comment = comment.clone();
        let simple = ("class".to_owned(), "org.apache.cassandra.locator.SimpleStrategy".to_owned());
        let keyspace = Keyspace {
            name: "ks".into(),
            replication: [simple, ("replication_factor".to_owned(), "1".to_owned())].into_iter().collect(),
            durable_writes: true,
            tables: [("t".into(), Arc::new(table.clone()))].into_iter().collect(),
            types: BTreeMap::new(),
        };
        schema.keyspaces.insert("ks".into(), Arc::new(keyspace));
        let disk = runtime.disk();
        disk.create_dir_all(&node.table_dir("ks", "t", table.id)).unwrap();
        node.store_schema(&schema).await.unwrap();
        node.close().await.unwrap();
        assert!(import(&runtime, &command(&from_dir, &to_dir), &mut Vec::new()).await.unwrap());
        let node = StoppedNode::open(&runtime, &to_dir).unwrap();
        assert_eq!(node.schema().table("ks", "t").unwrap().options.comment, comment);
        node.close().await.unwrap();
        let refused = StoppedNode::open_for(&runtime, &to_dir, (256 << 20) + 1);
        assert!(matches!(refused, Err(ToolError::Usage(text)) if text.contains("268435457 bytes")));
    });
}
