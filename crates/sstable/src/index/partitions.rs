//! Partitions.db: the trie that leads from a partition key to its partition.
//!
//! It stores of each key only as many bytes as tell it from its neighbours, so that whatever is found must be
//! compared with the key stored at the target. A byte of the key's hash saves most of these looks.

use model::PartitionKey;
use model::token::murmur3_x64_128;

use crate::chunk::writer::Appender;
use crate::cursor::{Cursor, Fault, describe, put_shortbytes};
use crate::error::{ReadError, WriteError};
use crate::partitioner::Partitioner;
use crate::trie::builder::{Builder, Payload};
use crate::trie::node::Node;
use crate::trie::pages::Pages;
use crate::trie::walk::{Ascending, follow};

const FOOTER_BYTES: u64 = 24;
/// First key, last key and footer at most.
const TAIL_BYTES_MAX: u64 = 2 * (2 + 65_535) + FOOTER_BYTES;
/// Kind of payload from which on there is a hash byte; below, it is the number of bytes.
const WITH_HASH: u8 = 8;

/// Where a partition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// In Data.db, at this byte of the uncompressed stream.
    Data(u64),
    /// It has an index of its rows: the entry in Rows.db.
    Rows(u64),
}

/// An open Partitions.db.
pub(crate) struct PartitionIndex {
    pages: Pages,
    root: u64,
    pub(crate) partitioner: Partitioner,
    pub(crate) count: u64,
    pub(crate) first: PartitionKey,
    pub(crate) last: PartitionKey,
}

impl PartitionIndex {
    /// Bytes of memory that it takes beside the block cache.
    pub(crate) fn held_bytes(&self) -> usize {
        self.pages.held_bytes()
    }

    pub(crate) fn open(pages: Pages, partitioner: Partitioner) -> Result<PartitionIndex, ReadError> {
        let bytes = pages.bytes();
        let tail_bytes = TAIL_BYTES_MAX.min(bytes);
        let tail = pages.range(bytes - tail_bytes, tail_bytes as usize)?;
        let corrupt = |found: &str| pages.corrupt(bytes.saturating_sub(FOOTER_BYTES), found);
        let Some((rest, footer)) = tail.split_last_chunk::<{ FOOTER_BYTES as usize }>() else {
            return Err(corrupt("it is shorter than its footer"));
        };
        let mut cursor = Cursor::new(footer);
        let mut number = || {
            let number = cursor.i64().expect("the footer has three of them");
            u64::try_from(number).map_err(|_| corrupt("the footer has a negative number"))
        };
        let (keys, count, root) = (number()?, number()?, number()?);
        let start = bytes - tail_bytes;
        let keys_at = keys.checked_sub(start).map(|at| at as usize).filter(|at| *at <= rest.len());
        let Some(keys_at) = keys_at.filter(|_| root < keys && count > 0) else {
            return Err(corrupt("the footer points out of the file"));
        };
        let mut cursor = Cursor::new(&rest[keys_at..]);
        let (first, last) =
            first_and_last(&mut cursor, &partitioner).map_err(|fault| corrupt(describe(fault)))?;
        let order = partitioner.compare(&first, &last);
        if !cursor.is_at_end() || order.is_gt() || order.is_eq() != (count == 1) {
            return Err(corrupt("first and last key are out of order"));
        }
        Ok(PartitionIndex { pages, root, partitioner, count, first, last })
    }

    /// Where the partition may be: its key must be compared with the one stored there.
    pub(crate) fn find(&self, key: &PartitionKey) -> Result<Option<Target>, ReadError> {
        let mut encoded = Vec::with_capacity(key.key.len() + 16);
        self.partitioner.encode_key(key, &mut encoded);
        let (node, length) = follow(&self.pages, self.root, &encoded)?;
        if length < encoded.len() && node.count() > 0 {
            return Ok(None);
        }
        let Some((hash, target)) = self.target(&node)? else { return Ok(None) };
        let (_, h2) = murmur3_x64_128(&key.key);
        Ok(if hash.is_none_or(|hash| hash == h2 as u8) { Some(target) } else { None })
    }

    /// All partitions whose encoded key is at or after `encoded`, and perhaps a few before.
    pub(crate) fn from(&self, encoded: &[u8]) -> Result<Targets, ReadError> {
        Ok(Targets(Ascending::from(&self.pages, self.root, encoded)?))
    }

    /// The next one of them.
    pub(crate) fn next(&self, targets: &mut Targets) -> Result<Option<Target>, ReadError> {
        match targets.0.next(&self.pages)? {
            Some(node) => Ok(self.target(node)?.map(|(_, target)| target)),
            None => Ok(None),
        }
    }

    fn target(&self, node: &Node) -> Result<Option<(Option<u8>, Target)>, ReadError> {
        let (kind, bytes) = node.payload();
        if kind == 0 {
            return Ok(None);
        }
        let with_hash = kind >= WITH_HASH;
        let width = usize::from(if with_hash { kind - WITH_HASH + 1 } else { kind });
        let parsed = (|| {
            let mut cursor = Cursor::new(bytes);
            let hash = if with_hash { Some(cursor.u8()?) } else { None };
            Ok((hash, signed(cursor.take(width)?)))
        })();
        let (hash, number) =
            parsed.map_err(|fault: Fault| self.pages.corrupt(node.position(), describe(fault)))?;
        let target = if number < 0 { Target::Data(!number as u64) } else { Target::Rows(number as u64) };
        Ok(Some((hash, target)))
    }
}

/// An iteration over partitions.
pub(crate) struct Targets(Ascending);

fn first_and_last(
    cursor: &mut Cursor<'_>,
    partitioner: &Partitioner,
) -> Result<(PartitionKey, PartitionKey), Fault> {
    let mut key = || {
        let bytes = cursor.shortbytes()?;
        Ok(partitioner.key(bytes::Bytes::copy_from_slice(bytes)))
    };
    Ok((key()?, key()?))
}

/// A big-endian number of 1 to 8 bytes with sign.
pub(crate) fn signed(bytes: &[u8]) -> i64 {
    let start = if bytes.first().is_some_and(|&byte| byte >= 0x80) { -1_i64 } else { 0 };
    bytes.iter().fold(start, |value, &byte| value << 8 | i64::from(byte))
}

/// The fewest big-endian bytes that hold a number with its sign.
pub(crate) fn put_signed(out: &mut Vec<u8>, number: i64) -> usize {
    let bits = 65 - (if number < 0 { !number } else { number }).leading_zeros() as usize;
    let width = bits.div_ceil(8);
    out.extend_from_slice(&number.to_be_bytes()[8 - width..]);
    width
}

/// Partitions.db under construction.
pub(crate) struct PartitionIndexWriter {
    file: Appender,
    trie: Builder,
    /// The last key: it is stored once its next neighbour is known.
    pending: Option<Pending>,
    first_key: Vec<u8>,
    count: u64,
}

struct Pending {
    key: Vec<u8>,
    encoded: Vec<u8>,
    /// Bytes that it has in common with the key before.
    common: usize,
    payload: Payload,
}

impl PartitionIndexWriter {
    pub(crate) fn new(file: Appender) -> PartitionIndexWriter {
        PartitionIndexWriter { file, trie: Builder::new(), pending: None, first_key: Vec::new(), count: 0 }
    }

    pub(crate) fn add(&mut self, key: &PartitionKey, target: Target) -> Result<(), WriteError> {
        let mut encoded = Vec::with_capacity(key.key.len() + 16);
        Partitioner::Murmur3.encode_key(key, &mut encoded);
        let (_, h2) = murmur3_x64_128(&key.key);
        let mut bytes = vec![h2 as u8];
        let width = put_signed(
            &mut bytes,
            match target {
                Target::Data(position) => !(position as i64),
                Target::Rows(position) => position as i64,
            },
        );
        let payload = Payload { kind: WITH_HASH + width as u8 - 1, bytes };
        let mut common = 0;
        if let Some(previous) = self.pending.take() {
            common = previous.encoded.iter().zip(&encoded).take_while(|(a, b)| a == b).count();
            let length = previous.common.max(common) + 1;
            self.trie.add(&previous.encoded[..length], previous.payload, &mut self.file)?;
        } else {
            self.first_key = key.key.to_vec();
        }
        self.count += 1;
        self.pending = Some(Pending { key: key.key.to_vec(), encoded, common, payload });
        Ok(())
    }

    /// Completes and syncs the file; returns its length.
    pub(crate) fn finish(mut self) -> Result<u64, WriteError> {
        let last = self.pending.take().expect("an SSTable has a partition");
        // A single key needs no byte to be told from others.
        let length = if self.count == 1 { 0 } else { last.common + 1 };
        self.trie.add(&last.encoded[..length], last.payload, &mut self.file)?;
        let root = self.trie.finish(&mut self.file)?;
        let keys = self.file.position();
        let mut tail = Vec::new();
        put_shortbytes(&mut tail, &self.first_key);
        put_shortbytes(&mut tail, &last.key);
        for number in [keys, self.count, root] {
            tail.extend_from_slice(&number.to_be_bytes());
        }
        self.file.append(&tail)?;
        self.file.finish()
    }
}
