//! Rows.db: for each wide partition a trie of its blocks, and an entry that says where that is.

use model::{DeletionTime, PartitionKey};
use stdx::vint;

use crate::chunk::writer::Appender;
use crate::cursor::{Cursor, Fault, describe, put_shortbytes};
use crate::error::{ReadError, WriteError};
use crate::row::deletion::{self, Form};
use crate::trie::builder::{Builder, Payload};
use crate::trie::node::Node;
use crate::trie::pages::Pages;
use crate::trie::walk::{Ascending, Descending};

use super::Block;
use super::partitions::{put_signed, signed};

/// An entry without its key at most.
const ENTRY_BYTES_MAX: usize = 9 + 9 + 9 + 12;
/// In a payload's kind: a deletion follows the offset.
const HAS_OPEN_DELETION: u8 = 8;

/// A wide partition's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowIndexEntry {
    pub(crate) key: Vec<u8>,
    /// The partition in Data.db.
    pub(crate) data: u64,
    pub(crate) root: u64,
}

/// Reads the entry at a position of Rows.db.
pub(crate) fn entry(pages: &Pages, position: u64) -> Result<RowIndexEntry, ReadError> {
    let corrupt = |fault: Fault| pages.corrupt(position, describe(fault));
    let head = pages.range(position, 2)?;
    let key_bytes = usize::from(Cursor::new(&head).u16().map_err(corrupt)?);
    let bytes = pages.range(position, 2 + key_bytes + ENTRY_BYTES_MAX)?;
    parse_entry(&mut Cursor::new(&bytes), position).map_err(corrupt)
}

fn parse_entry(cursor: &mut Cursor<'_>, position: u64) -> Result<RowIndexEntry, Fault> {
    let key = cursor.shortbytes()?.to_vec();
    let base = position + cursor.position() as u64;
    let data = cursor.uvint()?;
    let distance = cursor.vint()?;
    if cursor.uvint32()? < 0 {
        return Err(Fault::Bad("a count of blocks is negative"));
    }
    deletion::whole(cursor, Form::Long)?;
    let root = u64::try_from((base as i64).wrapping_add(distance)).ok().filter(|root| *root < position);
    Ok(RowIndexEntry {
        key,
        data,
        root: root.ok_or(Fault::Bad("a partition's row index is not before its entry"))?,
    })
}

/// The blocks of a partition from the one that may hold a place downwards.
pub(crate) struct Blocks(Descending);

impl Blocks {
    /// `place`: byte-comparable.
    pub(crate) fn down_from(pages: &Pages, root: u64, place: &[u8]) -> Result<Blocks, ReadError> {
        Ok(Blocks(Descending::from(pages, root, place)?))
    }

    pub(crate) fn next(&mut self, pages: &Pages) -> Result<Option<Block>, ReadError> {
        let Some((node, separator)) = self.0.next(pages)? else { return Ok(None) };
        block(&node, separator).map(Some).map_err(|fault| pages.corrupt(node.position(), describe(fault)))
    }
}

/// The blocks of a partition from the first upwards, without separators; the last one is the end of the
/// partition.
pub(crate) struct BlocksUp(Ascending);

impl BlocksUp {
    pub(crate) fn of(pages: &Pages, root: u64) -> Result<BlocksUp, ReadError> {
        Ok(BlocksUp(Ascending::from(pages, root, &[])?))
    }

    pub(crate) fn next(&mut self, pages: &Pages) -> Result<Option<Block>, ReadError> {
        let Some(node) = self.0.next(pages)? else { return Ok(None) };
        block(node, Vec::new()).map(Some).map_err(|fault| pages.corrupt(node.position(), describe(fault)))
    }
}

fn block(node: &Node, separator: Vec<u8>) -> Result<Block, Fault> {
    let (kind, bytes) = node.payload();
    let mut cursor = Cursor::new(bytes);
    let offset = signed(cursor.take(usize::from(kind & 7))?);
    let open =
        if kind & HAS_OPEN_DELETION != 0 { Some(deletion::whole(&mut cursor, Form::Long)?) } else { None };
    Ok(Block {
        separator,
        is_exact: false,
        offset: u64::try_from(offset).map_err(|_| Fault::Bad("a block's offset is negative"))?,
        open: open.filter(|deletion| !deletion.is_live()),
    })
}

/// The row index of one partition under construction. Nothing is written before its second block.
pub(crate) struct RowIndexWriter {
    granularity: u64,
    trie: Option<Builder>,
    blocks: u32,
    /// The first block, while it is the only one.
    only: Option<Payload>,
    current: Option<Current>,
    /// Where the last element of the last full block stands.
    previous_last: Vec<u8>,
    /// Where the last element so far stands.
    last: Vec<u8>,
    /// The last key of the trie.
    separator: Vec<u8>,
}

/// A block that is not full.
struct Current {
    /// Where its first element stands.
    first: Vec<u8>,
    offset: u64,
    open: Option<DeletionTime>,
}

impl RowIndexWriter {
    pub(crate) fn new(granularity: u64) -> RowIndexWriter {
        RowIndexWriter {
            granularity,
            trie: None,
            blocks: 0,
            only: None,
            current: None,
            previous_last: Vec::new(),
            last: Vec::new(),
            separator: Vec::new(),
        }
    }

    /// Takes note of an element: its place, where it starts and ends from the partition's start, and the
    /// deletion that was open before it.
    pub(crate) fn add(
        &mut self,
        place: &[u8],
        start: u64,
        end: u64,
        open_before: Option<DeletionTime>,
        out: &mut Appender,
    ) -> Result<(), WriteError> {
        let block = || Current { first: place.to_vec(), offset: start, open: open_before };
        let block_start = self.current.get_or_insert_with(block).offset;
        self.last.clear();
        self.last.extend_from_slice(place);
        if end - block_start >= self.granularity { self.close_block(out) } else { Ok(()) }
    }

    fn close_block(&mut self, out: &mut Appender) -> Result<(), WriteError> {
        let Some(Current { first, offset, open }) = self.current.take() else { return Ok(()) };
        let payload = payload(offset, open)?;
        self.blocks += 1;
        if self.blocks == 1 {
            self.only = Some(payload);
        } else {
            let mut trie = self.trie.take().unwrap_or_else(Builder::new);
            if let Some(only) = self.only.take() {
                trie.add(&[], only, out)?;
            }
            separate(&self.previous_last, &first, &mut self.separator);
            trie.add(&self.separator, payload, out)?;
            self.trie = Some(trie);
        }
        std::mem::swap(&mut self.previous_last, &mut self.last);
        Ok(())
    }

    /// Completes the index; `end`: offset of the end marker. Returns the entry's position, `None` if the
    /// partition is not wide enough for an index.
    pub(crate) fn finish(
        mut self,
        key: &PartitionKey,
        data: u64,
        deletion: &DeletionTime,
        end: u64,
        out: &mut Appender,
    ) -> Result<Option<u64>, WriteError> {
        if self.blocks > 0 {
            self.close_block(out)?;
        }
        let Some(mut trie) = self.trie.take() else { return Ok(None) };
        let last = after(&self.previous_last, &self.separator);
        trie.add(&last, payload(end, None)?, out)?;
        let root = trie.finish(out)?;
        let position = out.position();
        let mut entry = Vec::with_capacity(key.key.len() + 2 + ENTRY_BYTES_MAX);
        put_shortbytes(&mut entry, &key.key);
        let base = position + entry.len() as u64;
        vint::write_unsigned_vint(&mut entry, data);
        vint::write_vint(&mut entry, root as i64 - base as i64);
        vint::write_unsigned_vint32(&mut entry, self.blocks as i32);
        deletion::put_whole(&mut entry, deletion, Form::Long)?;
        out.append(&entry)?;
        Ok(Some(position))
    }
}

fn payload(offset: u64, open: Option<DeletionTime>) -> Result<Payload, WriteError> {
    let mut bytes = Vec::with_capacity(16);
    let width = put_signed(&mut bytes, offset as i64);
    let mut kind = width as u8;
    if let Some(open) = open {
        kind |= HAS_OPEN_DELETION;
        deletion::put_whole(&mut bytes, &open, Form::Long)?;
    }
    Ok(Payload { kind, bytes })
}

/// The shortest key after `last` and not after `first`.
fn separate(last: &[u8], first: &[u8], out: &mut Vec<u8>) {
    let common = last.iter().zip(first).take_while(|(a, b)| a == b).count();
    out.clear();
    out.extend_from_slice(&last[..common]);
    // Places are free of prefixes of one another, so that both go on; 0xff cannot be, `first` being greater.
    out.push(last.get(common).map_or(0, |byte| byte.saturating_add(1)));
}

/// A short key after `last`, which is at or after `separator`.
fn after(last: &[u8], separator: &[u8]) -> Vec<u8> {
    let common = last.iter().zip(separator).take_while(|(a, b)| a == b).count();
    let mut out = last.to_vec();
    for at in common..out.len() {
        if out[at] != 0xff {
            out[at] += 1;
            out.truncate(at + 1);
            return out;
        }
    }
    out.push(0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_short_and_between() {
        let check = |last: &[u8], first: &[u8], want: &[u8]| {
            let mut out = Vec::new();
            separate(last, first, &mut out);
            assert_eq!(out, want);
            assert!(out.as_slice() > last && out.as_slice() <= first);
        };
        check(b"\x40\x30\x38", b"\x40\x32\x38", b"\x40\x31");
        check(b"\x40\x31\x39\x00\x38", b"\x40\x31\x40\x00\x38", b"\x40\x31\x3a");
        assert_eq!(after(b"\x40\x39\x39\x38", b"\x40\x38"), b"\x40\x3a");
        assert_eq!(after(b"\x40\xff\x07\x38", b"\x40\x38"), b"\x40\xff\x08");
    }

    #[test]
    fn numbers_take_as_few_bytes_as_their_sign_allows() {
        for (number, width) in
            [(0, 1), (127, 1), (128, 2), (-1, 1), (-128, 1), (-129, 2), (i64::MAX, 8), (i64::MIN, 8)]
        {
            let mut out = Vec::new();
            assert_eq!(put_signed(&mut out, number), width, "{number}");
            assert_eq!(signed(&out), number);
        }
    }
}
