use stdx::prng::Prng;

use super::*;
use crate::merge::tests::random::{self, Shape};

#[test]
fn what_is_encoded_comes_back() {
    for seed in 0..2_000 {
        let mut prng = Prng::from_seed(seed);
        let update = random::update(&mut prng, Shape::Everything);
        let mut bytes = Vec::new();
        encode_update(&update, &mut bytes);
        assert_eq!(decode_update(&Bytes::from(bytes)), Ok(update.clone()), "seed {seed}");
        for row in update.rows {
            let mut bytes = Vec::new();
            encode_row(&row, &mut bytes);
            assert_eq!(row_order(&bytes), row.clustering.order, "seed {seed}");
            assert_eq!(decode_row(&Bytes::from(bytes)), Ok(row), "seed {seed}");
        }
    }
}

#[test]
fn short_or_wild_bytes_are_an_error_not_a_panic() {
    for seed in 0..50 {
        let mut prng = Prng::from_seed(seed);
        let mut bytes = Vec::new();
        encode_update(&random::update(&mut prng, Shape::Everything), &mut bytes);
        for cut in 0..bytes.len() {
            let short = Bytes::copy_from_slice(&bytes[..cut]);
            assert!(decode_update(&short).is_err(), "seed {seed}, cut at {cut}");
            let mut wild = bytes.clone();
            wild[cut] ^= 1 << prng.below(8);
            // Any answer is fine but a panic or a giant allocation.
            let _answer = decode_update(&Bytes::from(wild));
        }
    }
}

#[test]
fn a_row_that_supersedes_another_is_what_merging_gives() {
    let table = random::table();
    let mut count = 0;
    for seed in 0..20_000 {
        let mut prng = Prng::from_seed(seed);
        let old = random::update(&mut prng, Shape::Everything);
        let mut new = random::update(&mut prng, Shape::Everything);
        for (old, new) in old.rows.into_iter().zip(&mut new.rows) {
            new.clustering = old.clustering.clone();
            let mut bytes = Vec::new();
            encode_row(&old, &mut bytes);
            if supersedes(new, &bytes) {
                count += 1;
                assert_eq!(crate::merge::merge_rows(&table, old, new.clone()), *new, "seed {seed}");
            }
        }
    }
    assert!(count > 100, "only {count} rows of the test superseded another");
}
