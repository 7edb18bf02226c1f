//! A copy in memory of an SSTable that Cassandra wrote, to be broken.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use runtime::real::RealDisk;
use runtime::sim::SimDisk;
use runtime::{Disk, OpenMode};

use super::fixtures::descriptors;
use crate::{Component, Descriptor};

pub(super) struct Copy {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) descriptor: Descriptor,
}

impl Copy {
    /// Of Cassandra 5.0's `da` files.
    pub(super) fn of(table: &str) -> Copy {
        Copy::of_version("da", table)
    }

    pub(super) fn of_version(version: &str, table: &str) -> Copy {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cassandra-5.0").join(version).join(table);
        let found = descriptors(&folder).into_iter().find(|source| source.directory == folder);
        Copy::of_files(&found.expect("the fixture is there"))
    }

    /// In `/d`; `/out` is there and empty.
    pub(super) fn of_files(source: &Descriptor) -> Copy {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
        for dir in ["/d", "/out"] {
            disk.create_dir_all(Path::new(dir)).unwrap();
        }
        let descriptor = Descriptor { directory: PathBuf::from("/d"), ..source.clone() };
        for component in Component::ALL {
            if let Ok(bytes) = RealDisk.read_all(&source.path(component)) {
                disk.write_all_synced(&descriptor.path(component), &bytes).unwrap();
            }
        }
        Copy { disk, descriptor }
    }

    pub(super) fn change(&self, component: Component, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.descriptor.path(component);
        let mut bytes = self.disk.read_all(&path).unwrap();
        change(&mut bytes);
        self.disk.open(&path, OpenMode::Create).unwrap().write_all_at(&bytes, 0).unwrap();
    }

    pub(super) fn remove(&self, component: Component) {
        self.disk.remove_file(&self.descriptor.path(component)).unwrap();
    }
}
