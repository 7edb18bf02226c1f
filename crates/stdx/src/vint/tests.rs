use super::*;
use crate::prng::Prng;

#[track_caller]
fn check(bytes: &[u8], want: Result<(u64, usize), Truncated>) {
    assert_eq!(read_unsigned_vint(bytes), want, "{bytes:02x?}");
    // With much behind it, it is read another way.
    let longer = [bytes, &[0xa5; VINT_BYTES_MAX]].concat();
    if want.is_ok() {
        assert_eq!(read_unsigned_vint(&longer), want, "{longer:02x?}");
    }
}

#[track_caller]
fn check_both_ways(value: u64, bytes: &[u8]) {
    let mut out = Vec::new();
    write_unsigned_vint(&mut out, value);
    assert_eq!(out, bytes, "{value:#x}");
    assert_eq!(unsigned_vint_bytes(value), bytes.len(), "{value:#x}");
    check(bytes, Ok((value, bytes.len())));
}

#[test]
fn value_uses_the_bits_after_the_length() {
    check(&[0x7f], Ok((127, 1)));
    check(&[0xc3, 0xe8, 0x00], Ok((256_000, 3))); // the specification's own example
    check(&[0xff; 9], Ok((u64::MAX, 9)));
    check(&[0x80, 0x05, 0xaa], Ok((5, 2))); // longer than needed, and a byte left over
}

#[test]
fn bytes_are_those_of_cassandra() {
    check_both_ways(0, &[0x00]);
    check_both_ways(127, &[0x7f]);
    check_both_ways(128, &[0x80, 0x80]);
    check_both_ways(16383, &[0xbf, 0xff]);
    check_both_ways(16384, &[0xc0, 0x40, 0x00]);
    check_both_ways(2_097_152, &[0xe0, 0x20, 0x00, 0x00]);
    check_both_ways(u64::from(u32::MAX), &[0xf0, 0xff, 0xff, 0xff, 0xff]);
    check_both_ways((1 << 56) - 1, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    check_both_ways(1 << 56, &[0xff, 1, 0, 0, 0, 0, 0, 0, 0]);
    check_both_ways(u64::MAX, &[0xff; 9]);
}

#[test]
fn signed_form_is_zig_zag() {
    for (value, bytes) in [
        (0_i64, &[0x00][..]),
        (-1, &[0x01]),
        (1, &[0x02]),
        (-64, &[0x7f]),
        (64, &[0x80, 0x80]),
        (-65, &[0x80, 0x81]),
        (-7, &[0x0d]),
        (i64::MIN, &[0xff; 9]),
    ] {
        let mut out = Vec::new();
        write_vint(&mut out, value);
        assert_eq!(out, bytes, "{value}");
        assert_eq!(vint_bytes(value), bytes.len());
        assert_eq!(read_vint(bytes), Ok((value, bytes.len())));
    }
}

#[test]
fn negative_32_bit_values_take_nine_bytes() {
    let mut out = Vec::new();
    write_unsigned_vint32(&mut out, -1);
    assert_eq!(out, [0xff; 9]);
    assert_eq!(read_unsigned_vint32(&out), Ok((-1, 9)));
    assert_eq!(
        read_unsigned_vint32(&[0xf0, 0xff, 0xff, 0xff, 0xff]),
        Err(Vint32Error::OutOfRange(0xffff_ffff))
    );
    assert_eq!(read_vint32(&[0xf0, 0xff, 0xff, 0xff, 0xff]), Ok((i32::MIN, 5)));
    assert_eq!(read_vint32(&[0xf1, 0, 0, 0, 0]), Err(Vint32Error::OutOfRange(1 << 32)));
    assert_eq!(read_vint32(&[0xf1, 0, 0, 0]), Err(Vint32Error::Truncated));
}

#[test]
fn short_input_is_an_error_not_a_panic() {
    check(&[], Err(Truncated));
    for first in 0x80..=0xff_u8 {
        let whole = vint_bytes_from_first(first);
        for count in 1..whole {
            let mut bytes = vec![0x55; count];
            bytes[0] = first;
            check(&bytes, Err(Truncated));
        }
    }
}

#[test]
fn decode_of_encode_is_the_same() {
    let seed = 7;
    let mut prng = Prng::from_seed(seed);
    for _ in 0..20_000 {
        let value = prng.next_u64() >> prng.below(64);
        let mut out = Vec::new();
        write_unsigned_vint(&mut out, value);
        assert_eq!(read_unsigned_vint(&out), Ok((value, out.len())), "seed {seed}");
        assert_eq!(zigzag_decode(zigzag_encode(value as i64)), value as i64, "seed {seed}");
    }
}
