use super::*;

fn keys() -> Vec<SavedKey> {
    let long = Bytes::from(vec![7; 300]);
    [Bytes::from_static(b"a"), Bytes::from_static(b"bc"), long]
        .into_iter()
        .enumerate()
        .map(|(index, key)| (TableId(Uuid::from_u128(index as u128 + 1)), key))
        .collect()
}

#[test]
fn what_is_written_is_read() {
    for kind in SAVED_KINDS {
        for keys in [Vec::new(), keys()] {
            let read = parse(kind, encode(kind, &keys).into());
            assert_eq!(read.map(Vec::from), Ok(keys));
        }
    }
}

#[test]
fn every_damage_is_seen() {
    let whole = encode(CacheKind::Key, &keys());
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        assert!(parse(CacheKind::Key, damaged.into()).is_err(), "byte {at}");
        assert!(parse(CacheKind::Key, whole[..at].to_vec().into()).is_err(), "cut at {at}");
    }
    assert_eq!(parse(CacheKind::Row, whole.into()).unwrap_err(), "it is of another cache");
}

/// As the fuzz target does it, for a short while.
#[test]
fn bytes_of_anybody_are_no_panic() {
    let mut prng = stdx::prng::Prng::from_seed(11);
    let whole = encode(CacheKind::Key, &keys());
    for _ in 0..20_000 {
        // What the fuzz target puts behind the head: count and entries.
        let mut body = whole[HEAD_BYTES - 4..whole.len() - CRC_BYTES].to_vec();
        for _ in 0..prng.below(4) {
            let at = prng.index(body.len());
            body[at] = prng.below(256) as u8;
        }
        body.truncate(prng.index(body.len() + 1));
        fuzz_saved_cache(&body);
    }
}
