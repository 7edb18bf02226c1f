//! Names of the simulated disk: directories as a reader sees them and as a power loss would leave them.
//!
//! Each change of a name is pending until the directory is synced. A power loss keeps a prefix of the pending
//! changes, or single ones; a change stands only if the earlier ones of the same file or name do.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path};

use stdx::prng::Prng;

use super::file::File;
use crate::disk::DiskEntry;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileId(u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DirId(u64);

const ROOT: DirId = DirId(0);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Node {
    File(FileId),
    Dir(DirId),
}

#[derive(Clone, Default)]
struct Dir {
    live: BTreeMap<String, Node>,
    safe: BTreeMap<String, Node>,
}

/// Where a name stands.
type Place = (DirId, String);

/// One change of names that happens whole or not at all.
#[derive(Clone)]
struct Change {
    removed: Vec<(Place, Node)>,
    added: Vec<(Place, Node)>,
}

#[derive(Clone)]
pub(super) struct Tree {
    dirs: BTreeMap<DirId, Dir>,
    files: BTreeMap<FileId, File>,
    open_counts: BTreeMap<FileId, u64>,
    pending: Vec<Change>,
    ids_count: u64,
}

impl Tree {
    pub(super) fn new() -> Self {
        Tree {
            dirs: BTreeMap::from([(ROOT, Dir::default())]),
            files: BTreeMap::new(),
            open_counts: BTreeMap::new(),
            pending: Vec::new(),
            ids_count: ROOT.0,
        }
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<Node> {
        let mut node = Node::Dir(ROOT);
        for name in names(path)? {
            let Node::Dir(dir) = node else { return Err(io::ErrorKind::NotADirectory.into()) };
            node = self.child(dir, &name).ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(node)
    }

    pub(super) fn find_file(&self, path: &Path) -> io::Result<FileId> {
        match self.find(path)? {
            Node::File(id) => Ok(id),
            Node::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn find_dir(&self, path: &Path) -> io::Result<DirId> {
        match self.find(path)? {
            Node::Dir(id) => Ok(id),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// The place that `path` names, whether or not something is there; its directory must be.
    fn place(&self, path: &Path) -> io::Result<Place> {
        let mut names = names(path)?;
        let name = names.pop().ok_or(io::ErrorKind::InvalidInput)?;
        let dir: std::path::PathBuf = names.iter().collect();
        Ok((self.find_dir(&dir)?, name))
    }

    fn child(&self, dir: DirId, name: &str) -> Option<Node> {
        self.dir(dir).live.get(name).copied()
    }

    fn at(&self, place: &Place) -> Option<Node> {
        self.child(place.0, &place.1)
    }

    fn dir(&self, id: DirId) -> &Dir {
        self.dirs.get(&id).expect("a directory that is named exists")
    }

    pub(super) fn file(&self, id: FileId) -> &File {
        self.files.get(&id).expect("a file that is named or open exists")
    }

    pub(super) fn file_mut(&mut self, id: FileId) -> &mut File {
        self.files.get_mut(&id).expect("a file that is named or open exists")
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.files.values().map(File::bytes).sum()
    }

    fn next_id(&mut self) -> u64 {
        self.ids_count += 1;
        self.ids_count
    }

    pub(super) fn create_file(&mut self, path: &Path) -> io::Result<FileId> {
        let place = self.place(path)?;
        if self.at(&place).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = FileId(self.next_id());
        self.files.insert(id, File::default());
        self.change(Change { removed: vec![], added: vec![(place, Node::File(id))] });
        Ok(id)
    }

    pub(super) fn create_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let mut dir = ROOT;
        let names = names(path)?;
        let last = names.len().saturating_sub(1);
        for (index, name) in names.into_iter().enumerate() {
            dir = match self.child(dir, &name) {
                Some(Node::Dir(child)) => child,
                Some(Node::File(_)) if index == last => return Err(io::ErrorKind::AlreadyExists.into()),
                Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                None => {
                    let id = DirId(self.next_id());
                    self.dirs.insert(id, Dir::default());
                    self.change(Change { removed: vec![], added: vec![((dir, name), Node::Dir(id))] });
                    id
                }
            };
        }
        Ok(())
    }

    pub(super) fn hard_link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let node = self.find(from)?;
        let place = self.place(to)?;
        if self.at(&place).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let Node::File(id) = node else { return Err(io::ErrorKind::PermissionDenied.into()) };
        self.change(Change { removed: vec![], added: vec![(place, Node::File(id))] });
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (source, target) = (self.place(from)?, self.place(to)?);
        let node = self.at(&source).ok_or(io::ErrorKind::NotFound)?;
        let (from, to) = (names(from)?, names(to)?);
        if self.at(&target) == Some(node) {
            // Two names of one file: nothing happens, as POSIX has it.
            return Ok(());
        }
        if to.starts_with(&from) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if from.starts_with(&to) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let mut removed = vec![(source, node)];
        match (node, self.at(&target)) {
            (_, None) => {}
            (Node::File(_), Some(Node::Dir(_))) => return Err(io::ErrorKind::IsADirectory.into()),
            (Node::Dir(_), Some(Node::File(_))) => return Err(io::ErrorKind::NotADirectory.into()),
            (Node::Dir(_), Some(Node::Dir(id))) if !self.dir(id).live.is_empty() => {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            (_, Some(replaced)) => removed.push((target.clone(), replaced)),
        }
        self.change(Change { removed, added: vec![(target, node)] });
        Ok(())
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        let node = Node::File(self.find_file(path)?);
        let place = self.place(path)?;
        self.change(Change { removed: vec![(place, node)], added: vec![] });
        Ok(())
    }

    pub(super) fn remove_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let id = self.find_dir(path)?;
        let place = self.place(path)?;
        // Children before their directory, as the system's own way is.
        let mut order = vec![(place, Node::Dir(id))];
        let mut next = 0;
        while next < order.len() {
            if let Node::Dir(dir) = order[next].1 {
                order.extend(self.dir(dir).live.iter().map(|(name, node)| ((dir, name.clone()), *node)));
            }
            next += 1;
        }
        for entry in order.into_iter().rev() {
            self.change(Change { removed: vec![entry], added: vec![] });
        }
        Ok(())
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<DiskEntry>> {
        let dir = self.find_dir(path)?;
        let entry = |(name, node): (&String, &Node)| match *node {
            Node::File(id) => DiskEntry { name: name.clone(), is_dir: false, bytes: self.file(id).bytes() },
            Node::Dir(_) => DiskEntry { name: name.clone(), is_dir: true, bytes: 0 },
        };
        Ok(self.dir(dir).live.iter().map(entry).collect())
    }

    fn change(&mut self, change: Change) {
        self.apply(&change, |dir| &mut dir.live);
        self.pending.push(change);
    }

    fn apply(&mut self, change: &Change, side: impl Fn(&mut Dir) -> &mut BTreeMap<String, Node>) {
        for ((dir, name), node) in &change.removed {
            let names = side(self.dirs.get_mut(dir).expect("directories stay while a change names them"));
            if names.get(name) == Some(node) {
                names.remove(name);
            }
        }
        for ((dir, name), node) in &change.added {
            side(self.dirs.get_mut(dir).expect("directories stay while a change names them"))
                .insert(name.clone(), *node);
        }
    }

    /// Makes the changes in the directory last, and those that went before them for the same files or names.
    pub(super) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        let dir = self.find_dir(path)?;
        let mut nodes = BTreeSet::new();
        let mut places = BTreeSet::new();
        let mut lasting = vec![false; self.pending.len()];
        for (index, change) in self.pending.iter().enumerate().rev() {
            let is_earlier = change.nodes().any(|node| nodes.contains(&node))
                || change.places().any(|place| places.contains(place));
            if is_earlier || change.dirs().any(|one| one == dir) {
                lasting[index] = true;
                nodes.extend(change.nodes());
                places.extend(change.places().cloned());
            }
        }
        let pending = std::mem::take(&mut self.pending);
        for (change, lasts) in pending.into_iter().zip(lasting) {
            if lasts {
                self.apply(&change, |dir| &mut dir.safe);
            } else {
                self.pending.push(change);
            }
        }
        self.forget_unnamed();
        Ok(())
    }

    pub(super) fn crash(&mut self, prng: &mut Prng) {
        let pending = std::mem::take(&mut self.pending);
        let prefix = prng.chance(0.5).then(|| prng.index(pending.len() + 1));
        let mut lost_nodes = BTreeSet::new();
        let mut lost_places = BTreeSet::new();
        for (index, change) in pending.iter().enumerate() {
            let kept = match prefix {
                Some(count) => index < count,
                None => prng.chance(0.5),
            };
            let stands = !change.nodes().any(|node| lost_nodes.contains(&node))
                && !change.places().any(|place| lost_places.contains(place));
            if kept && stands {
                self.apply(change, |dir| &mut dir.safe);
            } else {
                lost_nodes.extend(change.nodes());
                lost_places.extend(change.places().cloned());
            }
        }
        self.dirs.values_mut().for_each(|dir| dir.live = dir.safe.clone());
        self.open_counts.clear();
        self.forget_unnamed();
        self.files.values_mut().for_each(|file| file.crash(prng));
    }

    pub(super) fn opened(&mut self, id: FileId) {
        *self.open_counts.entry(id).or_default() += 1;
    }

    pub(super) fn closed(&mut self, id: FileId) {
        let count = self.open_counts.get_mut(&id).expect("a file is closed as often as it was opened");
        *count -= 1;
        if *count == 0 {
            self.open_counts.remove(&id);
        }
    }

    pub(super) fn close_all(&mut self) {
        self.open_counts.clear();
    }

    /// Frees what no directory names, now or after a crash, and nobody has open.
    fn forget_unnamed(&mut self) {
        let mut named: BTreeSet<Node> = self.open_counts.keys().map(|id| Node::File(*id)).collect();
        named.insert(Node::Dir(ROOT));
        for dir in self.dirs.values() {
            named.extend(dir.live.values().chain(dir.safe.values()));
        }
        for change in &self.pending {
            named.extend(change.nodes());
            named.extend(change.dirs().map(Node::Dir));
        }
        self.files.retain(|id, _| named.contains(&Node::File(*id)));
        self.dirs.retain(|id, _| named.contains(&Node::Dir(*id)));
    }
}

impl Change {
    fn entries(&self) -> impl Iterator<Item = &(Place, Node)> {
        self.removed.iter().chain(&self.added)
    }

    fn nodes(&self) -> impl Iterator<Item = Node> {
        self.entries().map(|(_, node)| *node)
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        self.entries().map(|(place, _)| place)
    }

    fn dirs(&self) -> impl Iterator<Item = DirId> {
        self.places().map(|(dir, _)| *dir)
    }
}

/// The names from the root to `path`; a relative path starts at the root too.
fn names(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => {
                let name = name.to_str().ok_or(io::ErrorKind::InvalidFilename)?;
                names.push(name.to_owned());
            }
            Component::ParentDir => {
                names.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Ok(names)
}
