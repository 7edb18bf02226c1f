//! The partitions of a memtable: found by hash for one key, by token for scans.
//!
//! Partitions stay where they were put, in chunks, and are known by their number; they are only ever put in. A look-up
//! by key touches one place of a hash table and the partition, instead of all the nodes on the way down a tree.

use std::collections::{BTreeMap, btree_map};
use std::ops::Bound;

use bytes::Bytes;
use hashbrown::HashTable;
use model::{PartitionKey, Token};

use super::Partition;

/// Partitions of a chunk.
const CHUNK_COUNT: usize = 1024;
/// Hash tables, so that the growing of one takes only microseconds.
const TABLES_COUNT: usize = 64;
/// Keys up to this size need no allocation of their own.
const INLINE_BYTES: usize = 22;

#[derive(Default)]
pub(super) struct Partitions {
    chunks: Vec<Vec<Slot>>,
    /// Numbers of the first partition of each token; the token is a good hash already.
    by_hash: Vec<HashTable<u32>>,
    by_token: BTreeMap<Token, Numbers>,
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

/// The partitions of one token, in the order of their keys: nearly always one.
enum Numbers {
    One(u32),
    Many(Vec<u32>),
}

impl Partitions {
    /// Heap bytes of a partition beside its key and rows: its slot, and its places in hash table and tree.
    pub(super) const ENTRY_BYTES: usize =
        size_of::<Slot>() + 2 * size_of::<u32>() + 2 * size_of::<(Token, Numbers)>();

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
        if self.by_hash.is_empty() {
            self.by_hash.resize_with(TABLES_COUNT, HashTable::new);
        }
        let chunks = &self.chunks;
        let slot = |number: u32| &chunks[number as usize / CHUNK_COUNT][number as usize % CHUNK_COUNT];
        match self.by_token.entry(token) {
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(Numbers::One(number));
                let table = &mut self.by_hash[table_of(token)];
                table.insert_unique(token.0 as u64, number, |number| slot(*number).token.0 as u64);
            }
            btree_map::Entry::Occupied(mut occupied) => {
                let numbers = occupied.get_mut().make_many();
                let key = slot(number).key.bytes();
                let place = numbers.partition_point(|known| slot(*known).key.bytes() < key);
                numbers.insert(place, number);
            }
        }
    }

    /// The partitions between two keys, in order.
    pub(super) fn range<'p>(
        &'p self,
        start: Bound<&'p PartitionKey>,
        end: Bound<&'p PartitionKey>,
    ) -> impl Iterator<Item = (PartitionKey, &'p Partition)> + 'p {
        let token = |bound: Bound<&PartitionKey>, otherwise: Token| match bound {
            Bound::Included(key) | Bound::Excluded(key) => key.token,
            Bound::Unbounded => otherwise,
        };
        let (first, last) = (token(start, Token::MIN), token(end, Token::MAX));
        let tokens = (first <= last).then(|| self.by_token.range(first..=last));
        let slots = tokens.into_iter().flatten().flat_map(|(_, numbers)| numbers.as_slice());
        let slots = slots.map(|number| self.slot(*number));
        // Only partitions of the first and the last token may be outside.
        let is_inside = move |slot: &&Slot| {
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
        slots.filter(is_inside).map(|slot| (slot.partition_key(), &slot.partition))
    }

    fn number(&self, key: &PartitionKey) -> Option<u32> {
        let table = self.by_hash.get(table_of(key.token))?;
        let found = *table.find(key.token.0 as u64, |number| self.slot(*number).token == key.token)?;
        let wanted = &key.key[..];
        if self.slot(found).key.bytes() == wanted {
            return Some(found);
        }
        // Another key of the same token: keys can be made so by those who want to do harm, hence no walk.
        let Numbers::Many(numbers) = self.by_token.get(&key.token)? else { return None };
        let place = numbers.binary_search_by(|known| self.slot(*known).key.bytes().cmp(wanted)).ok()?;
        Some(numbers[place])
    }

    fn slot(&self, number: u32) -> &Slot {
        &self.chunks[number as usize / CHUNK_COUNT][number as usize % CHUNK_COUNT]
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

/// Not by the bits that the table itself looks at: the lowest and the highest.
fn table_of(token: Token) -> usize {
    (token.0 >> 40) as usize % TABLES_COUNT
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

impl Numbers {
    fn make_many(&mut self) -> &mut Vec<u32> {
        if let Numbers::One(number) = *self {
            *self = Numbers::Many(vec![number]);
        }
        match self {
            Numbers::Many(numbers) => numbers,
            Numbers::One(_) => unreachable!("it was made many"),
        }
    }

    fn as_slice(&self) -> &[u32] {
        match self {
            Numbers::One(number) => std::slice::from_ref(number),
            Numbers::Many(numbers) => numbers,
        }
    }
}
