//! Refusals that need no data of Cassandra's.

use std::path::Path;
use std::sync::Arc;

use runtime::sim::SimDisk;
use runtime::{Disk, OpenMode};

use super::source::Source;

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
