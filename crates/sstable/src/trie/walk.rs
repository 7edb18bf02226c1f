//! Ways through a trie: exact lookup, and iteration over payloads in both directions from a key.
//!
//! Positions strictly decrease from parent to child, so that every walk ends.

use super::node::Node;
use super::pages::Pages;
use crate::error::ReadError;

/// Follows `key` as far as there are transitions; returns the last node and how many bytes led to it.
pub(crate) fn follow(pages: &Pages, root: u64, key: &[u8]) -> Result<(Node, usize), ReadError> {
    let mut node = Node::load(pages, root)?;
    for (i, &character) in key.iter().enumerate() {
        let Ok(place) = node.search(character) else { return Ok((node, i)) };
        match node.child(pages, place)? {
            Some(child) => node = node.load_next(pages, child)?,
            None => return Ok((node, i)),
        }
    }
    Ok((node, key.len()))
}

/// Nodes with payload in the order of their keys.
///
/// It holds the nodes between the root and the current one.
pub(crate) struct Ascending {
    path: Vec<Step>,
    /// Nodes of the path to the key whose payload was given or is none.
    prefixes: usize,
}

/// Nodes with payload in the reverse order of their keys.
pub(crate) struct Descending {
    path: Vec<Step>,
    /// The characters that lead to the last node of the path.
    key: Vec<u8>,
}

struct Step {
    node: Node,
    /// Ascending: next place to go to. Descending: places below this are still to come.
    place: usize,
}

impl Ascending {
    /// All payloads of keys at or after `key`, and those of its prefixes.
    pub(crate) fn from(pages: &Pages, root: u64, key: &[u8]) -> Result<Ascending, ReadError> {
        let mut path = Vec::new();
        let mut next = Some(root);
        let mut key = key.iter();
        while let Some(position) = next {
            let node = Node::load(pages, position)?;
            next = None;
            let place = match key.next().map(|&character| node.search(character)) {
                Some(Ok(place)) => {
                    next = node.child(pages, place)?;
                    place + 1
                }
                Some(Err(place)) => place,
                None => 0,
            };
            path.push(Step { node, place });
        }
        Ok(Ascending { path, prefixes: 0 })
    }

    /// The next node with payload.
    pub(crate) fn next(&mut self, pages: &Pages) -> Result<Option<&Node>, ReadError> {
        // Payloads of prefixes come first, the shorter before the longer ones.
        while let Some(step) = self.path.get(self.prefixes) {
            self.prefixes += 1;
            if step.node.payload().0 != 0 {
                return Ok(Some(&self.path[self.prefixes - 1].node));
            }
        }
        self.prefixes = usize::MAX;
        while let Some(step) = self.path.last_mut() {
            if step.place >= step.node.count() {
                self.path.pop();
                continue;
            }
            let child = step.node.child(pages, step.place)?;
            step.place += 1;
            if let Some(position) = child {
                let node = step.node.load_next(pages, position)?;
                let has_payload = node.payload().0 != 0;
                self.path.push(Step { node, place: 0 });
                if has_payload {
                    return Ok(self.path.last().map(|step| &step.node));
                }
            }
        }
        Ok(None)
    }
}

impl Descending {
    /// All payloads of keys at or before `key`.
    pub(crate) fn from(pages: &Pages, root: u64, key: &[u8]) -> Result<Descending, ReadError> {
        let mut path = Vec::new();
        let mut next = Some(root);
        let mut characters = key.iter();
        while let Some(position) = next {
            let node = Node::load(pages, position)?;
            next = None;
            let place = match characters.next().map(|&character| node.search(character)) {
                Some(Ok(place)) => {
                    next = node.child(pages, place)?;
                    place
                }
                Some(Err(place)) => place,
                None => 0,
            };
            path.push(Step { node, place });
        }
        let key = key[..path.len() - 1].to_vec();
        Ok(Descending { path, key })
    }

    /// The node with payload before those given so far, and its key.
    pub(crate) fn next(&mut self, pages: &Pages) -> Result<Option<(Node, Vec<u8>)>, ReadError> {
        while let Some(step) = self.path.last_mut() {
            if step.place > 0 {
                step.place -= 1;
                if let Some(position) = step.node.child(pages, step.place)? {
                    self.key.push(step.node.character(step.place));
                    let node = step.node.load_next(pages, position)?;
                    let place = node.count();
                    self.path.push(Step { node, place });
                }
                continue;
            }
            let done = self.path.pop().expect("it was the last one just now");
            let key = if done.node.payload().0 != 0 { Some(self.key.clone()) } else { None };
            self.key.pop();
            if let Some(key) = key {
                return Ok(Some((done.node, key)));
            }
        }
        Ok(None)
    }
}
