//! The partitions of a memtable: found by hash for one key, by token for scans.
//!
//! Partitions stay where they were put, in chunks, and are known by their number; they are only ever put in. A look-up
//! by key touches one place of a hash table and the partition, instead of all the nodes on the way down a tree.
//!
//! Read in order: [`Partitions`], [`Finder`](super::finder::Finder) (by hash), [`Order`] (in order).

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use model::{PartitionKey, Token};
use stdx::prefetch::{prefetch, prefetch_bytes};

use super::Partition;
use super::finder::Finder;
use super::order::Order;

/// Partitions of a chunk.
const CHUNK_COUNT: usize = 1024;
/// Keys up to this size need no allocation of their own.
const INLINE_BYTES: usize = 22;

#[derive(Default)]
pub(super) struct Partitions {
    chunks: Vec<Vec<Slot>>,
    /// The first partition of each token.
    finder: Finder,
    /// The same, in order.
    order: Order,
    /// All partitions, in the order of their keys, of tokens that have several: hardly ever one.
    shared: BTreeMap<Token, Vec<u32>>,
}

struct Slot {
    token: Token,
    key: Key,
    partition: Partition,
}

/// A key's own bytes: not a part of a frame, which must not be kept for it.
enum Key {
    Inline { bytes: u8, key: [u8; INLINE_BYTES] },
    Boxed(Box<[u8]>),
}

impl Partitions {
    /// Heap bytes of a partition beside its key and rows: its slot, and its places in hash table and order.
    pub(super) const ENTRY_BYTES: usize = size_of::<Slot>() + Finder::ENTRY_BYTES + Order::ENTRY_BYTES;

    /// Asks for the memory that a look-up begins with.
    pub(super) fn prefetch(&self, key: &PartitionKey) {
        self.finder.prefetch(key.token);
    }

    /// Asks for the memory of the partition that a look-up will find.
    pub(super) fn prefetch_slot(&self, key: &PartitionKey) {
        if let Some(number) = self.finder.find(key.token) {
            let slot = self.slot(number);
            prefetch(slot);
            prefetch(&slot.partition);
        }
    }

    /// Asks for the memory of its row, if it has one only.
    pub(super) fn prefetch_row(&self, key: &PartitionKey) {
        if let Some(number) = self.finder.find(key.token) {
            prefetch_bytes(self.slot(number).partition.only_row());
        }
    }

    pub(super) fn get(&self, key: &PartitionKey) -> Option<&Partition> {
        self.number(key).map(|number| &self.slot(number).partition)
    }

    pub(super) fn get_mut(&mut self, key: &PartitionKey) -> Option<&mut Partition> {
        let number = self.number(key)? as usize;
        Some(&mut self.chunks[number / CHUNK_COUNT][number % CHUNK_COUNT].partition)
    }

    /// Puts in a partition that is not there yet.
    pub(super) fn insert(&mut self, key: &PartitionKey, partition: Partition) {
        let token = key.token;
        let number = self.push(Slot { token, key: Key::new(&key.key), partition });
        let Some(first) = self.finder.find(token) else {
            self.finder.insert(token, number);
            self.order.insert(token, number);
            return;
        };
        let chunks = &self.chunks;
        let key = |number: u32| slot_of(chunks, number).key.bytes();
        let numbers = self.shared.entry(token).or_insert_with(|| vec![first]);
        let place = numbers.partition_point(|known| key(*known) < key(number));
        numbers.insert(place, number);
    }

    /// Up to `count` partitions between two keys, in order.
    pub(super) fn range(
        &mut self,
        start: Bound<&PartitionKey>,
        end: Bound<&PartitionKey>,
        count: usize,
    ) -> Vec<(PartitionKey, &Partition)> {
        let token = |bound: Bound<&PartitionKey>, otherwise: Token| match bound {
            Bound::Included(key) | Bound::Excluded(key) => key.token,
            Bound::Unbounded => otherwise,
        };
        // Only partitions of the first and the last token may be outside.
        let is_inside = |slot: &Slot| {
            let place = (slot.token, slot.key.bytes());
            let after_start = match start {
                Bound::Included(key) => place >= (key.token, &key.key[..]),
                Bound::Excluded(key) => place > (key.token, &key.key[..]),
                Bound::Unbounded => true,
            };
            after_start
                && match end {
                    Bound::Included(key) => place <= (key.token, &key.key[..]),
                    Bound::Excluded(key) => place < (key.token, &key.key[..]),
                    Bound::Unbounded => true,
                }
        };
        let (chunks, shared) = (&self.chunks, &self.shared);
        let mut found = Vec::new();
        self.order.visit(token(start, Token::MIN), token(end, Token::MAX), |token, number| {
            let several = if shared.is_empty() { None } else { shared.get(&token) };
            let numbers = several.map_or(std::slice::from_ref(&number), Vec::as_slice);
            let slots = numbers.iter().map(|number| slot_of(chunks, *number)).filter(|slot| is_inside(slot));
            found.extend(slots.take(count - found.len()).map(|slot| (slot.partition_key(), &slot.partition)));
            found.len() < count
        });
        found
    }

    fn number(&self, key: &PartitionKey) -> Option<u32> {
        let found = self.finder.find(key.token)?;
        let wanted = &key.key[..];
        if self.slot(found).key.bytes() == wanted {
            return Some(found);
        }
        // Another key of the same token: keys can be made so by those who want to do harm, hence no walk.
        let numbers = self.shared.get(&key.token)?;
        let place = numbers.binary_search_by(|known| self.slot(*known).key.bytes().cmp(wanted)).ok()?;
        Some(numbers[place])
    }

    fn slot(&self, number: u32) -> &Slot {
        slot_of(&self.chunks, number)
    }

    fn push(&mut self, slot: Slot) -> u32 {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK_COUNT) {
            // The first chunk begins small: most tables of a node are.
            let capacity = if self.chunks.is_empty() { 0 } else { CHUNK_COUNT };
            self.chunks.push(Vec::with_capacity(capacity));
        }
        let chunk = self.chunks.len() - 1;
        let number = chunk * CHUNK_COUNT + self.chunks[chunk].len();
        self.chunks[chunk].push(slot);
        u32::try_from(number).expect("so many partitions do not fit into a memtable")
    }
}

fn slot_of(chunks: &[Vec<Slot>], number: u32) -> &Slot {
    &chunks[number as usize / CHUNK_COUNT][number as usize % CHUNK_COUNT]
}

impl Slot {
    fn partition_key(&self) -> PartitionKey {
        PartitionKey { token: self.token, key: Bytes::copy_from_slice(self.key.bytes()) }
    }
}

impl Key {
    fn new(bytes: &[u8]) -> Key {
        if bytes.len() > INLINE_BYTES {
            return Key::Boxed(bytes.into());
        }
        let mut key = [0; INLINE_BYTES];
        key[..bytes.len()].copy_from_slice(bytes);
        Key::Inline { bytes: bytes.len() as u8, key }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Key::Inline { bytes, key } => &key[..usize::from(*bytes)],
            Key::Boxed(key) => key,
        }
    }
}
