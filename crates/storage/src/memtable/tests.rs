use std::collections::BTreeMap;

use bytes::Bytes;
use model::Row;
use model::codec::{encode_row, row_order};
use stdx::prng::Prng;

use super::partitions::Partitions;
use super::tree::RowTree;
use super::{Bound, Partition, PartitionKey};

fn packed(place: u32, mark: i64) -> Bytes {
    let order = Bytes::copy_from_slice(&[&[0x40][..], &place.to_be_bytes(), &[0x38]].concat());
    let mut row = Row::empty(model::Clustering { values: Vec::new(), order });
    row.liveness.timestamp_us = mark;
    let mut bytes = Vec::new();
    encode_row(&row, &mut bytes);
    bytes.into()
}

fn edge(place: u32) -> Bytes {
    Bytes::copy_from_slice(&[&[0x40][..], &place.to_be_bytes(), &[0x20]].concat())
}

/// Every range in both directions is that of a sorted map.
#[track_caller]
fn compare(tree: &RowTree, model: &BTreeMap<u32, Bytes>, prng: &mut Prng, seed: u64) {
    for _ in 0..10 {
        let (a, b) = (prng.below(3_000) as u32, prng.below(3_000) as u32);
        let (from, to) = if prng.chance(0.2) { (0, u32::MAX) } else { (a.min(b), a.max(b)) };
        let expected: Vec<Bytes> = model.range(from..to).map(|(_, row)| row.clone()).collect();
        let rows = |reversed| {
            let mut cursor = tree.range(edge(from), edge(to), reversed);
            std::iter::from_fn(move || cursor.advance().then(|| cursor.row().unwrap().clone()))
        };
        let forward: Vec<Bytes> = rows(false).collect();
        let mut backward: Vec<Bytes> = rows(true).collect();
        backward.reverse();
        assert_eq!(forward, expected, "seed {seed}: {from}..{to}");
        assert_eq!(backward, expected, "seed {seed}: {from}..{to} reversed");
    }
}

#[test]
fn a_tree_is_a_sorted_map_and_its_snapshots_do_not_change() {
    for seed in 0..40 {
        let mut prng = Prng::from_seed(seed);
        let (mut tree, mut model) = (RowTree::default(), BTreeMap::new());
        let mut snapshots = Vec::new();
        let ascending = prng.chance(0.3);
        for step in 0..prng.below(6_000) {
            let place = if ascending { step as u32 / 2 } else { prng.below(3_000) as u32 };
            let row = packed(place, step as i64);
            let old = model.insert(place, row.clone());
            tree.upsert(row_order(&row), |found| {
                assert_eq!(found, old.as_ref(), "seed {seed}");
                row.clone()
            });
            if prng.chance(0.002) {
                snapshots.push((tree.clone(), model.clone()));
            }
        }
        snapshots.push((tree, model));
        for (tree, model) in &snapshots {
            compare(tree, model, &mut prng, seed);
        }
    }
}

/// Ranges of partitions are those of a sorted map.
#[track_caller]
fn compare_partitions(
    partitions: &mut Partitions,
    model: &BTreeMap<PartitionKey, ()>,
    random_key: &mut dyn FnMut() -> PartitionKey,
    seed: u64,
) {
    for count in [1, 7, usize::MAX] {
        let (a, b) = (random_key(), random_key());
        let (a, b) = (a.clone().min(b.clone()), a.max(b));
        for start in [Bound::Unbounded, Bound::Included(&a), Bound::Excluded(&a)] {
            let found = partitions.range(start, Bound::Included(&b), count);
            let found: Vec<PartitionKey> = found.into_iter().map(|(key, _)| key).collect();
            let expected = model.range::<PartitionKey, _>((start, Bound::Included(&b)));
            let expected: Vec<PartitionKey> = expected.take(count).map(|(key, ())| key.clone()).collect();
            assert_eq!(found, expected, "seed {seed}: {count} of {start:?} to {b:?}");
        }
    }
}

#[test]
fn partitions_are_a_sorted_map_even_where_tokens_collide() {
    for seed in 0..20 {
        let mut prng = Prng::from_seed(seed);
        let (mut partitions, mut model) = (Partitions::default(), BTreeMap::new());
        // Few tokens, so that many keys share one; or many, which also begin in order.
        let (tokens, ascending) = if seed % 2 == 0 { (500, 0) } else { (1 << 62, prng.below(2_000)) };
        let random_key = |prng: &mut Prng| {
            let bytes = if prng.chance(0.5) { 4 } else { 30 };
            let mut key = vec![7; bytes];
            key[..4].copy_from_slice(&(prng.below(3_000) as u32).to_be_bytes());
            PartitionKey {
                token: model::Token(prng.below(tokens) as i64 - tokens as i64 / 2),
                key: key.into(),
            }
        };
        for step in 0..5_000 {
            let mut key = random_key(&mut prng);
            if step < ascending {
                key.token = model::Token(step as i64);
            }
            assert_eq!(partitions.get(&key).is_some(), model.contains_key(&key), "seed {seed}: {key:?}");
            if model.insert(key.clone(), ()).is_none() {
                partitions.insert(&key, Partition::default());
                assert!(partitions.get_mut(&key).is_some(), "seed {seed}: {key:?}");
            }
            if prng.chance(0.01) {
                compare_partitions(&mut partitions, &model, &mut || random_key(&mut prng), seed);
            }
        }
        for key in model.keys() {
            assert!(partitions.get(key).is_some(), "seed {seed}: {key:?}");
        }
    }
}
