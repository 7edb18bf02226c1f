use super::*;

#[track_caller]
fn check(key: &[u8], token: i64, h2: u64) {
    assert_eq!(Token::of(key), Token(token), "{key:02x?}");
    assert_eq!(murmur3_x64_128(key).1 as u64, h2, "{key:02x?}");
}

#[test]
fn tokens_are_cassandras_own() {
    check(&[0, 0, 0, 1], -4069959284402364209, 0x798c330cbcdfe0e6);
    check(b"test", -6017608668500074083, 0x9a128231f9bd4d82);
    check(&[0xff], -4442228696663692417, 0xac0bbee7ce7542c7);
    check("\u{4f60}\u{597d}".as_bytes(), -4526287532570196542, 0x4d7ea9e270936fbf);
    check(b"0123456789abcdef\x80\x81", 6711181747700646835, 0x49de4a702886914d);
    let mut zeros_and_ff = vec![0; 16];
    zeros_and_ff.push(0xff);
    check(&zeros_and_ff, -3596036377748105869, 0xdfe0248dd2b6b09e);
    let composite = b"\x00\x08\x01\x23\x45\x67\x89\xab\xcd\xef\x00\x00\x05\x01\x00\x02\x00\x03\x00";
    check(composite, 8721339615409184318, 0x5d35c8b44d7515bb);
}

#[test]
fn a_range_that_wraps_holds_both_ends_of_the_ring() {
    let range = TokenRange { start: Token(10), end: Token(-10) };
    assert!(range.contains(Token(11)) && range.contains(Token::MAX) && range.contains(Token(-10)));
    assert!(!range.contains(Token(10)) && !range.contains(Token(0)));
}
