//! One node of a trie: 16 types by how many children it has and how far away they are.
//!
//! Source: `BtiFormat.md`, `TrieNode.java`.

use bytes::Bytes;

use super::pages::Pages;
use crate::error::ReadError;

/// How a node's type stores its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// No children.
    Leaf,
    /// One child; a distance of 4 bits in the first byte, no payload.
    Single4,
    /// One child; a distance of 12 bits that begins in the first byte, no payload.
    Single12,
    /// One child.
    Single { bits: u8 },
    /// Listed characters.
    Sparse { bits: u8 },
    /// All characters of a range; distance 0: no child.
    Dense { bits: u8 },
}

/// Shapes by the first byte's high nibble.
pub(crate) const SHAPES: [Shape; 16] = [
    Shape::Leaf,
    Shape::Single4,
    Shape::Single { bits: 8 },
    Shape::Single12,
    Shape::Single { bits: 16 },
    Shape::Sparse { bits: 8 },
    Shape::Sparse { bits: 12 },
    Shape::Sparse { bits: 16 },
    Shape::Sparse { bits: 24 },
    Shape::Sparse { bits: 40 },
    Shape::Dense { bits: 12 },
    Shape::Dense { bits: 16 },
    Shape::Dense { bits: 24 },
    Shape::Dense { bits: 32 },
    Shape::Dense { bits: 40 },
    Shape::Dense { bits: 64 },
];

/// Bytes of a node without its payload; `count`: children, or characters spanned by a dense one.
pub(crate) fn node_bytes(shape: Shape, count: usize) -> usize {
    match shape {
        Shape::Leaf => 1,
        Shape::Single4 => 2,
        Shape::Single12 => 3,
        Shape::Single { bits } => 2 + usize::from(bits) / 8,
        Shape::Sparse { bits } => 2 + count + (count * usize::from(bits)).div_ceil(8),
        Shape::Dense { bits } => 3 + (count * usize::from(bits)).div_ceil(8),
    }
}

/// A node, checked to lie within its page.
pub(crate) struct Node {
    position: u64,
    shape: Shape,
    /// Low nibble of the first byte where it belongs to the payload.
    payload_bits: u8,
    count: usize,
    page: Bytes,
    /// Where in the page it begins.
    at: usize,
}

impl Node {
    pub(crate) fn load(pages: &Pages, position: u64) -> Result<Node, ReadError> {
        let (page, at) = pages.page(position)?;
        Node::parse(pages, position, page, at)
    }

    /// Loads a node to which this one leads; most often it lies on the same page.
    pub(crate) fn load_next(&self, pages: &Pages, position: u64) -> Result<Node, ReadError> {
        let page_start = self.position - self.at as u64;
        match position.checked_sub(page_start).filter(|at| *at < self.page.len() as u64) {
            Some(at) => Node::parse(pages, position, self.page.clone(), at as usize),
            None => Node::load(pages, position),
        }
    }

    fn parse(pages: &Pages, position: u64, page: Bytes, at: usize) -> Result<Node, ReadError> {
        let bytes = &page[at..];
        let cut = || pages.corrupt(position, "a trie node crosses its page");
        let shape = SHAPES[usize::from(bytes[0] >> 4)];
        let count = match shape {
            Shape::Leaf => 0,
            Shape::Single4 | Shape::Single12 | Shape::Single { .. } => 1,
            Shape::Sparse { .. } => usize::from(*bytes.get(1).ok_or_else(cut)?),
            Shape::Dense { .. } => usize::from(*bytes.get(2).ok_or_else(cut)?) + 1,
        };
        if bytes.len() < node_bytes(shape, count) {
            return Err(cut());
        }
        let bad = match shape {
            Shape::Sparse { .. } => count == 0 || !bytes[2..2 + count].is_sorted_by(|a, b| a < b),
            Shape::Dense { .. } => usize::from(bytes[1]) + count > 256,
            _ => false,
        };
        if bad {
            return Err(pages.corrupt(position, "the characters of a trie node do not ascend"));
        }
        let payload_bits = match shape {
            Shape::Single4 | Shape::Single12 => 0,
            _ => bytes[0] & 0x0f,
        };
        Ok(Node { position, shape, payload_bits, count, page, at })
    }

    /// From its first byte to the end of the page.
    fn bytes(&self) -> &[u8] {
        &self.page[self.at..]
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Places for children: some of a dense node are empty.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Kind of payload, 0 if there is none, and the bytes from it to the end of the page.
    pub(crate) fn payload(&self) -> (u8, &[u8]) {
        (self.payload_bits, &self.bytes()[node_bytes(self.shape, self.count)..])
    }

    /// The place of the child for `character`, or the place of the next greater one.
    pub(crate) fn search(&self, character: u8) -> Result<usize, usize> {
        let single = |own: u8| match character.cmp(&own) {
            std::cmp::Ordering::Less => Err(0),
            std::cmp::Ordering::Equal => Ok(0),
            std::cmp::Ordering::Greater => Err(1),
        };
        match self.shape {
            Shape::Leaf => Err(0),
            Shape::Single12 => single(self.bytes()[2]),
            Shape::Single4 | Shape::Single { .. } => single(self.bytes()[1]),
            Shape::Sparse { .. } => self.bytes()[2..2 + self.count].binary_search(&character),
            Shape::Dense { .. } => {
                let first = self.bytes()[1];
                let place = usize::from(character.saturating_sub(first));
                if character < first || place >= self.count {
                    return Err(if character < first { 0 } else { self.count });
                }
                if self.distance(place) == 0 { Err(place) } else { Ok(place) }
            }
        }
    }

    /// The character of a place.
    pub(crate) fn character(&self, place: usize) -> u8 {
        match self.shape {
            Shape::Leaf => 0,
            Shape::Single12 => self.bytes()[2],
            Shape::Single4 | Shape::Single { .. } => self.bytes()[1],
            Shape::Sparse { .. } => self.bytes()[2 + place],
            Shape::Dense { .. } => self.bytes()[1].wrapping_add(place as u8),
        }
    }

    /// Where the child at a place lies; `None` where a dense node has none.
    pub(crate) fn child(&self, pages: &Pages, place: usize) -> Result<Option<u64>, ReadError> {
        let distance = self.distance(place);
        if distance == 0 && matches!(self.shape, Shape::Dense { .. }) {
            return Ok(None);
        }
        match self.position.checked_sub(distance) {
            Some(child) if distance > 0 => Ok(Some(child)),
            _ => Err(pages.corrupt(self.position, "a trie node points to itself or before the file")),
        }
    }

    fn distance(&self, place: usize) -> u64 {
        match self.shape {
            Shape::Leaf => 0,
            Shape::Single4 => u64::from(self.bytes()[0] & 0x0f),
            Shape::Single12 => u64::from(self.bytes()[0] & 0x0f) << 8 | u64::from(self.bytes()[1]),
            Shape::Single { bits } => packed(&self.bytes()[2..], bits, 0),
            Shape::Sparse { bits } => packed(&self.bytes()[2 + self.count..], bits, place),
            Shape::Dense { bits } => packed(&self.bytes()[3..], bits, place),
        }
    }
}

/// The number at a place of a packed array of big-endian numbers.
fn packed(bytes: &[u8], bits: u8, place: usize) -> u64 {
    if bits == 12 {
        let at = place / 2 * 3 + place % 2;
        let pair = u64::from(bytes[at]) << 8 | u64::from(bytes[at + 1]);
        return if place.is_multiple_of(2) { pair >> 4 } else { pair & 0xfff };
    }
    let width = usize::from(bits) / 8;
    bytes[place * width..(place + 1) * width].iter().fold(0, |value, &byte| value << 8 | u64::from(byte))
}
