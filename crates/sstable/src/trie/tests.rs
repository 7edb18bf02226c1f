use stdx::prng::Prng;

use super::PAGE_BYTES;
use super::builder::{Builder, Output, Payload};
use super::pages::Pages;
use super::walk::{Ascending, Descending, follow};
use crate::descriptor::Component;
use crate::error::WriteError;

struct Memory(Vec<u8>);

impl Output for Memory {
    fn position(&self) -> u64 {
        self.0.len() as u64
    }
    fn append(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

fn payload(number: u32) -> Payload {
    Payload { kind: 4, bytes: number.to_be_bytes().to_vec() }
}

fn number(payload: (u8, &[u8])) -> u32 {
    assert_eq!(payload.0, 4);
    u32::from_be_bytes(payload.1[..4].try_into().unwrap())
}

fn build(keys: &[Vec<u8>], start: usize) -> (Pages, u64) {
    let mut out = Memory(vec![0xee; start]);
    let mut builder = Builder::new();
    for (i, key) in keys.iter().enumerate() {
        builder.add(key, payload(i as u32), &mut out).unwrap();
    }
    let root = builder.finish(&mut out).unwrap();
    (Pages::whole(Component::Rows, out.0), root)
}

fn random_keys(prng: &mut Prng, count: usize) -> Vec<Vec<u8>> {
    let alphabet = [2, 5, 250][prng.index(3)];
    let mut keys: Vec<Vec<u8>> =
        (0..count).map(|_| (0..prng.between(0, 12)).map(|_| prng.below(alphabet) as u8).collect()).collect();
    if prng.chance(0.3) {
        let prefix = vec![7; prng.index(6000)];
        keys.iter_mut().for_each(|key| {
            key.splice(0..0, prefix.iter().copied());
        });
    }
    keys.sort();
    keys.dedup();
    keys
}

#[test]
fn what_was_added_is_found_in_both_directions() {
    for seed in 0..24 {
        let mut prng = Prng::from_seed(seed);
        let count = [1, 3, 50, 3000][prng.index(4)];
        let keys = random_keys(&mut prng, count);
        let (pages, root) = build(&keys, prng.index(2 * PAGE_BYTES));
        for (i, key) in keys.iter().enumerate() {
            let (node, length) = follow(&pages, root, key).unwrap();
            assert_eq!((length, number(node.payload())), (key.len(), i as u32), "seed {seed}");
        }
        for _ in 0..8 {
            let key = random_keys(&mut prng, 1).remove(0);
            let mut descending = Descending::from(&pages, root, &key).unwrap();
            for want in (0..keys.partition_point(|k| *k <= key)).rev() {
                let (node, found) = descending.next(&pages).unwrap().expect("there are more");
                assert_eq!(
                    (number(node.payload()), &found),
                    (want as u32, &keys[want]),
                    "seed {seed} {key:?}"
                );
            }
            assert!(descending.next(&pages).unwrap().is_none());
            let mut ascending = Ascending::from(&pages, root, &key).unwrap();
            for (i, found) in keys.iter().enumerate() {
                if *found >= key || key.starts_with(found) {
                    let node = ascending.next(&pages).unwrap().expect("there are more");
                    assert_eq!(number(node.payload()), i as u32, "seed {seed} {key:?}");
                }
            }
            assert!(ascending.next(&pages).unwrap().is_none());
        }
    }
}

#[test]
fn a_small_trie_has_cassandras_bytes() {
    // Partitions.db of five partitions "0" to "4" under ByteOrderedPartitioner.
    let leaves: [(u8, &[u8]); 5] =
        [(8, b"\x09\xff"), (8, b"\x37\xe9"), (8, b"\xdd\xd1"), (8, b"\x02\xb9"), (8, b"\x2f\xa1")];
    let mut out = Memory(Vec::new());
    let mut builder = Builder::new();
    for (i, (kind, bytes)) in leaves.iter().enumerate() {
        let payload = Payload { kind: *kind, bytes: bytes.to_vec() };
        builder.add(&[0x40, 0x30 + i as u8], payload, &mut out).unwrap();
    }
    assert_eq!(builder.finish(&mut out).unwrap(), 0x1a);
    let hex: String = out.0.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "0809ff0837e908ddd10802b9082fa1a0300400f00c00900600301b40");
}

#[test]
fn flipped_bytes_are_an_error_or_another_answer_never_a_panic() {
    let mut prng = Prng::from_seed(5);
    let mut keys = random_keys(&mut prng, 100);
    keys.iter_mut().for_each(|key| key.drain(..key.len().saturating_sub(12)).for_each(drop));
    keys.sort();
    keys.dedup();
    let (pages, root) = build(&keys, 0);
    let good = pages.range(0, usize::MAX).unwrap().to_vec();
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        let pages = Pages::whole(Component::Rows, bytes);
        for key in keys.iter().step_by(17) {
            let _ = follow(&pages, root, key);
            if let Ok(mut walk) = Descending::from(&pages, root, key) {
                while let Ok(Some(_)) = walk.next(&pages) {}
            }
        }
    }
}
