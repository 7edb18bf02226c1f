//! Builds a trie from ascending keys and packs its nodes into pages.
//!
//! Nodes become complete in post-order. A complete branch stays in memory while it is smaller than a page;
//! a larger one has its children laid out, the largest that fit into the rest of the page first. So a lookup
//! reads few pages, and the bytes are those that Cassandra writes.
//!
//! Source of the rules: `IncrementalTrieWriterPageAware.java`, `BtiFormat.md`, "Trie serialization".

use super::PAGE_BYTES;
use super::node::{SHAPES, Shape, node_bytes};
use crate::chunk::writer::Appender;
use crate::error::WriteError;

/// Where nodes go: the end of a file.
pub(crate) trait Output {
    fn position(&self) -> u64;
    fn append(&mut self, bytes: &[u8]) -> Result<(), WriteError>;
}

impl Output for Appender {
    fn position(&self) -> u64 {
        Appender::position(self)
    }
    fn append(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        Appender::append(self, bytes)
    }
}

/// What a key leads to: 4 bits of kind (not 0) and bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) kind: u8,
    pub(crate) bytes: Vec<u8>,
}

/// A trie under construction: the nodes on the way to the last key, with their complete branches.
pub(crate) struct Builder {
    path: Vec<Draft>,
    last_key: Vec<u8>,
}

/// A node that is not written yet, or whose parent is not.
#[derive(Default)]
struct Draft {
    character: u8,
    payload: Option<Payload>,
    children: Vec<Draft>,
    /// Where it was written.
    placed: Option<u64>,
    /// Bytes of the node; 0 once it is placed.
    own: usize,
    /// Bytes of what is not placed below it.
    branch: usize,
    /// Some children are placed.
    has_placed_children: bool,
    /// Some deeper nodes have placed children.
    has_placed_below: bool,
}

impl Draft {
    fn total(&self) -> usize {
        self.own + self.branch
    }

    fn unplaced(&self) -> impl Iterator<Item = &Draft> {
        self.children.iter().filter(|child| child.placed.is_none())
    }

    /// The farthest child's distance from a node at `position`.
    fn distance_max(&self, position: u64) -> u64 {
        let branch = self.unplaced().next().map_or(0, |first| (self.branch - first.branch) as u64);
        let placed = self.children.iter().filter_map(|child| child.placed);
        placed.map(|child| position.saturating_sub(child)).fold(branch, u64::max)
    }

    fn shape(&self, position: u64) -> (usize, Shape) {
        let distance = self.distance_max(position);
        let limits = [1_u64 << 4, 1 << 8, 1 << 12, 1 << 16, 1 << 24, 1 << 32, 1 << 40];
        let size = limits.iter().position(|limit| distance < *limit).unwrap_or(limits.len());
        let code = match self.children.as_slice() {
            [] => 0,
            [_] => {
                const SINGLES: [usize; 8] = [1, 2, 3, 4, 12, 13, 14, 15];
                let without_room = matches!(SHAPES[SINGLES[size]], Shape::Single4 | Shape::Single12);
                SINGLES[size + usize::from(without_room && self.payload.is_some())]
            }
            _ => {
                const SPARSE: [usize; 8] = [5, 5, 6, 7, 8, 9, 9, 15];
                const DENSE: [usize; 8] = [10, 10, 10, 11, 12, 13, 14, 15];
                let (sparse, dense) = (SPARSE[size], DENSE[size]);
                let is_smaller = node_bytes(SHAPES[sparse], self.places(SHAPES[sparse]))
                    < node_bytes(SHAPES[dense], self.places(SHAPES[dense]));
                if is_smaller { sparse } else { dense }
            }
        };
        (code, SHAPES[code])
    }

    /// Children, or characters that a dense node spans.
    fn places(&self, shape: Shape) -> usize {
        match (shape, self.children.first(), self.children.last()) {
            (Shape::Dense { .. }, Some(first), Some(last)) => {
                usize::from(last.character - first.character) + 1
            }
            _ => self.children.len(),
        }
    }

    fn bytes_at(&self, position: u64) -> usize {
        let (_, shape) = self.shape(position);
        node_bytes(shape, self.places(shape)) + self.payload.as_ref().map_or(0, |payload| payload.bytes.len())
    }

    /// Computes sizes anew for a branch that would begin at `start`.
    fn measure(&mut self, start: u64) -> usize {
        if self.has_placed_below {
            let mut branch = 0;
            for child in self.children.iter_mut().filter(|child| child.placed.is_none()) {
                branch += child.measure(start + branch as u64);
            }
            self.branch = branch;
        }
        if self.has_placed_children || self.has_placed_below {
            self.own = self.bytes_at(start + self.branch as u64);
        }
        self.total()
    }

    /// Writes the branch; what was below it is forgotten.
    fn place(&mut self, out: &mut dyn Output) -> Result<(), WriteError> {
        for child in self.children.iter_mut().filter(|child| child.placed.is_none()) {
            child.place(out)?;
        }
        let position = out.position();
        let bytes = self.encode(position);
        debug_assert!(position as usize % PAGE_BYTES + bytes.len() <= PAGE_BYTES, "a node crosses its page");
        out.append(&bytes)?;
        *self = Draft { character: self.character, placed: Some(position), ..Draft::default() };
        Ok(())
    }

    fn encode(&self, position: u64) -> Vec<u8> {
        let (code, shape) = self.shape(position);
        let payload = self.payload.clone().unwrap_or_default();
        let mut out = Vec::with_capacity(16);
        let first = (code as u8) << 4;
        let distance =
            |child: &Draft| position - child.placed.expect("children are placed before their parent");
        match shape {
            Shape::Leaf => out.push(first | payload.kind),
            Shape::Single4 | Shape::Single12 | Shape::Single { .. } => {
                let child = &self.children[0];
                let distance = distance(child);
                match shape {
                    Shape::Single4 => out.extend([first | distance as u8, child.character]),
                    Shape::Single12 => {
                        out.extend([first | (distance >> 8) as u8, distance as u8, child.character]);
                    }
                    _ => {
                        out.extend([first | payload.kind, child.character]);
                        let Shape::Single { bits } = shape else { unreachable!("the others are above") };
                        put_packed(&mut out, bits, [distance].into_iter());
                    }
                }
            }
            Shape::Sparse { bits } => {
                out.extend([first | payload.kind, self.children.len() as u8]);
                out.extend(self.children.iter().map(|child| child.character));
                put_packed(&mut out, bits, self.children.iter().map(distance));
            }
            Shape::Dense { bits } => {
                let start = self.children[0].character;
                let span = self.places(shape);
                out.extend([first | payload.kind, start, (span - 1) as u8]);
                let mut distances = vec![0; span];
                for child in &self.children {
                    distances[usize::from(child.character - start)] = distance(child);
                }
                put_packed(&mut out, bits, distances.into_iter());
            }
        }
        out.extend_from_slice(&payload.bytes);
        out
    }
}

fn put_packed(out: &mut Vec<u8>, bits: u8, numbers: impl Iterator<Item = u64>) {
    if bits != 12 {
        let width = usize::from(bits) / 8;
        numbers.for_each(|number| out.extend_from_slice(&number.to_be_bytes()[8 - width..]));
        return;
    }
    for (i, number) in numbers.enumerate() {
        if i % 2 == 0 {
            out.extend([(number >> 4) as u8, (number << 4) as u8]);
        } else {
            *out.last_mut().expect("the even number before it left half a byte") |= (number >> 8) as u8;
            out.push(number as u8);
        }
    }
}

fn bytes_left_in_page(out: &dyn Output) -> usize {
    PAGE_BYTES - out.position() as usize % PAGE_BYTES
}

fn pad_page(out: &mut dyn Output) -> Result<(), WriteError> {
    let left = bytes_left_in_page(out);
    if left < PAGE_BYTES { out.append(&[0; PAGE_BYTES][..left]) } else { Ok(()) }
}

impl Builder {
    pub(crate) fn new() -> Builder {
        Builder { path: vec![Draft::default()], last_key: Vec::new() }
    }

    /// Adds a key, which must be greater than all before. The empty one may come first.
    pub(crate) fn add(
        &mut self,
        key: &[u8],
        payload: Payload,
        out: &mut dyn Output,
    ) -> Result<(), WriteError> {
        let is_first =
            self.path.len() == 1 && self.path[0].payload.is_none() && self.path[0].children.is_empty();
        if !is_first && key <= self.last_key.as_slice() {
            return Err(WriteError::OutOfOrder { found: "keys of an index do not ascend".to_owned() });
        }
        let common = key.iter().zip(&self.last_key).take_while(|(a, b)| a == b).count();
        while self.path.len() > common + 1 {
            self.complete_last(out)?;
        }
        for &character in &key[common..] {
            self.path.push(Draft { character, ..Draft::default() });
        }
        self.path.last_mut().expect("the root stays").payload = Some(payload);
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        Ok(())
    }

    /// Writes what is left; returns the root's position.
    pub(crate) fn finish(mut self, out: &mut dyn Output) -> Result<u64, WriteError> {
        while self.path.len() > 1 {
            self.complete_last(out)?;
        }
        let mut root = self.path.pop().expect("the root stays");
        complete(&mut root, out)?;
        let mut total = root.measure(out.position());
        if total > bytes_left_in_page(out) {
            if total <= PAGE_BYTES {
                pad_page(out)?;
                total = root.measure(out.position());
            }
            if total > bytes_left_in_page(out) {
                lay_out_children(&mut root, out)?;
                if root.own > bytes_left_in_page(out) {
                    pad_page(out)?;
                    root.measure(out.position());
                }
            }
        }
        root.place(out)?;
        Ok(root.placed.expect("it was placed just now"))
    }

    fn complete_last(&mut self, out: &mut dyn Output) -> Result<(), WriteError> {
        let mut node = self.path.pop().expect("callers leave the root");
        complete(&mut node, out)?;
        self.path.last_mut().expect("callers leave the root").children.push(node);
        Ok(())
    }
}

/// Sizes a node whose children are all there, and lays them out if they get too large together.
fn complete(node: &mut Draft, out: &mut dyn Output) -> Result<(), WriteError> {
    node.branch = node.children.iter().map(Draft::total).sum();
    node.has_placed_children = node.children.iter().any(|child| child.placed.is_some());
    let own = node.bytes_at(out.position());
    if own + node.branch >= PAGE_BYTES {
        return lay_out_children(node, out);
    }
    node.own = own;
    node.has_placed_below =
        node.children.iter().any(|child| child.has_placed_children || child.has_placed_below);
    Ok(())
}

/// Writes all children of a node, choosing what fits best into the rest of the page.
fn lay_out_children(node: &mut Draft, out: &mut dyn Output) -> Result<(), WriteError> {
    loop {
        let unplaced = || (0..node.children.len()).filter(|&i| node.children[i].placed.is_none());
        let size = |i: usize| node.children[i].total();
        let mut left = bytes_left_in_page(out);
        let fitting = unplaced().filter(|&i| size(i) <= left).max_by_key(|&i| (size(i), i));
        let Some(chosen) = fitting.or_else(|| unplaced().max_by_key(|&i| (size(i), i))) else { break };
        if fitting.is_none() {
            pad_page(out)?;
            left = PAGE_BYTES;
        }
        let child = &mut node.children[chosen];
        if child.has_placed_children || child.has_placed_below {
            let total = child.measure(out.position());
            if total > left {
                if left == PAGE_BYTES {
                    lay_out_children(child, out)?;
                }
                continue;
            }
        }
        child.place(out)?;
    }
    node.branch = 0;
    node.has_placed_children = true;
    node.has_placed_below = false;
    node.own = node.bytes_at(out.position());
    Ok(())
}
