use super::*;

#[test]
fn blocks_of_any_number_are_found_again() {
    let bytes = encode_blocks(&[(0, b"abc".to_vec()), (2, Vec::new()), (9, b"z".to_vec())], true);
    let found: Vec<_> =
        blocks(&bytes, true).unwrap().iter().map(|block| (block.kind, block.body.to_vec())).collect();
    assert_eq!(found, [(0, b"abc".to_vec()), (2, Vec::new()), (9, b"z".to_vec())]);
}

#[test]
fn every_flipped_bit_is_seen() {
    let bytes = encode_blocks(&[(0, b"abc".to_vec()), (2, vec![0; 9])], true);
    for at in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        assert!(blocks(&bytes, true).is_err(), "bit {at}");
    }
}
