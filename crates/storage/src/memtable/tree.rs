//! The rows of one partition: a B+ tree of packed rows that shares its nodes with snapshots.
//!
//! A snapshot is one reference count; a write copies the nodes on its way only while a snapshot holds them. Rows
//! are never taken out, only put in and replaced.

use std::sync::Arc;

use bytes::Bytes;
use model::codec::row_order;
use stdx::prefetch::prefetch_bytes;

/// Most rows of a leaf and most children of an inner node.
const NODE_ENTRIES_MAX: usize = 64;
/// So many rows before it is read a row's memory is asked for: each lies somewhere else.
const AHEAD_COUNT: usize = 4;

/// Packed rows by their order bytes.
#[derive(Clone, Default)]
pub(crate) struct RowTree {
    root: Option<Arc<Node>>,
}

#[derive(Clone)]
enum Node {
    Leaf(Vec<Bytes>),
    /// Children, each with (a row that is) the first of its rows when it was made: none of its rows is before it.
    Inner(Vec<(Bytes, Arc<Node>)>),
}

impl RowTree {
    /// Puts in what `make` makes of the row that is there.
    pub(crate) fn upsert(&mut self, order: &[u8], make: impl FnOnce(Option<&Bytes>) -> Bytes) {
        let Some(root) = &mut self.root else {
            self.root = Some(Arc::new(Node::Leaf(vec![make(None)])));
            return;
        };
        if let Some(right) = upsert(root, order, make) {
            let left = (first_row(root), root.clone());
            self.root = Some(Arc::new(Node::Inner(vec![left, right])));
        }
    }

    /// The rows between two places, in either direction.
    pub(crate) fn range(&self, start: Bytes, end: Bytes, reversed: bool) -> RowCursor {
        let mut cursor = RowCursor { stack: Vec::new(), limit: Bytes::new(), reversed };
        if let Some(root) = &self.root {
            cursor.descend_to(root.clone(), if reversed { &end } else { &start });
        }
        cursor.limit = if reversed { start } else { end };
        cursor
    }
}

/// Returns the new right sibling if the node was split.
fn upsert(
    node: &mut Arc<Node>,
    order: &[u8],
    make: impl FnOnce(Option<&Bytes>) -> Bytes,
) -> Option<(Bytes, Arc<Node>)> {
    match Arc::make_mut(node) {
        Node::Leaf(rows) => {
            // Often rows come in order: then one look is enough.
            let is_behind_all = rows.last().is_some_and(|last| row_order(last) < order);
            let place = if is_behind_all {
                Err(rows.len())
            } else {
                rows.binary_search_by(|row| row_order(row).cmp(order))
            };
            match place {
                Ok(found) => rows[found] = make(Some(&rows[found])),
                Err(place) => rows.insert(place, make(None)),
            }
            let right = split(rows)?;
            Some((right[0].clone(), Arc::new(Node::Leaf(right))))
        }
        Node::Inner(children) => {
            let child = child_for(children, order);
            let new = upsert(&mut children[child].1, order, make)?;
            children.insert(child + 1, new);
            let right = split(children)?;
            Some((right[0].0.clone(), Arc::new(Node::Inner(right))))
        }
    }
}

fn child_for(children: &[(Bytes, Arc<Node>)], order: &[u8]) -> usize {
    match children.last() {
        Some((first, _)) if row_order(first) <= order => children.len() - 1,
        _ => children.partition_point(|(first, _)| row_order(first) <= order).saturating_sub(1),
    }
}

/// The right part of a node that is too full. Of one that grows at its end the left part stays nearly full.
fn split<T>(entries: &mut Vec<T>) -> Option<Vec<T>> {
    if entries.len() <= NODE_ENTRIES_MAX {
        return None;
    }
    let right = entries.split_off(NODE_ENTRIES_MAX * 3 / 4);
    // Of a node that grows at its end nothing comes into this part any more.
    entries.shrink_to_fit();
    Some(right)
}

fn first_row(node: &Node) -> Bytes {
    match node {
        Node::Leaf(rows) => rows[0].clone(),
        Node::Inner(children) => children[0].0.clone(),
    }
}

/// Walks over the rows of a snapshot.
pub(crate) struct RowCursor {
    /// From the root to a leaf; in each node the place of the next entry (reversed: the one after it).
    stack: Vec<(Arc<Node>, usize)>,
    /// Rows at or beyond this place are not wanted.
    limit: Bytes,
    reversed: bool,
}

impl RowCursor {
    fn descend_to(&mut self, root: Arc<Node>, order: &[u8]) {
        let mut node = root;
        loop {
            let (index, child) = match &*node {
                Node::Leaf(rows) => (rows.partition_point(|row| row_order(row) < order), None),
                Node::Inner(children) => {
                    let index = child_for(children, order);
                    (index, Some(children[index].1.clone()))
                }
            };
            self.stack.push((node, index));
            match child {
                Some(child) => node = child,
                None => return,
            }
        }
    }

    fn descend_to_edge(&mut self, root: Arc<Node>) {
        let mut node = root;
        loop {
            let (index, child) = match (&*node, self.reversed) {
                (Node::Leaf(rows), reversed) => (if reversed { rows.len() } else { 0 }, None),
                (Node::Inner(children), false) => (0, Some(children[0].1.clone())),
                (Node::Inner(children), true) => {
                    (children.len() - 1, children.last().map(|(_, child)| child.clone()))
                }
            };
            self.stack.push((node, index));
            match child {
                Some(child) => node = child,
                None => return,
            }
        }
    }

    /// Goes to the next row, if there is one that is wanted.
    #[inline]
    pub(crate) fn advance(&mut self) -> bool {
        if !self.step() {
            return false;
        }
        let is_wanted = self
            .row()
            .map(|row| row_order(row))
            .is_some_and(|order| if self.reversed { order > &*self.limit } else { order < &*self.limit });
        if !is_wanted {
            self.stack.clear();
        }
        is_wanted
    }

    /// The row that was gone to.
    #[inline]
    pub(crate) fn row(&self) -> Option<&Bytes> {
        let (node, index) = self.stack.last()?;
        let Node::Leaf(rows) = &**node else { return None };
        rows.get(if self.reversed { *index } else { index.checked_sub(1)? })
    }

    #[inline]
    fn step(&mut self) -> bool {
        while let Some((node, index)) = self.stack.last_mut() {
            if let Node::Leaf(rows) = &**node {
                if self.reversed && *index > 0 {
                    *index -= 1;
                    return true;
                }
                if !self.reversed && *index < rows.len() {
                    if let Some(ahead) = rows.get(*index + AHEAD_COUNT) {
                        prefetch_bytes(ahead);
                    }
                    *index += 1;
                    return true;
                }
            }
            self.stack.pop();
            let Some((node, index)) = self.stack.last_mut() else { return false };
            let Node::Inner(children) = &**node else { unreachable!("only leaves have no children") };
            let next = if self.reversed { index.checked_sub(1) } else { Some(*index + 1) };
            let child = next.and_then(|next| children.get(next)).map(|(_, child)| child.clone());
            // Without one this node is done too: the next round pops it.
            if let (Some(child), Some(next)) = (child, next) {
                *index = next;
                self.descend_to_edge(child);
            }
        }
        false
    }
}
