use bytes::Bytes;
use model::QueryError;

use super::*;

#[track_caller]
fn check<T: PartialEq + std::fmt::Debug>(
    read: impl Fn(&mut Reader) -> Result<T, QueryError>,
    bytes: &[u8],
    want: Result<T, &str>,
) {
    let got = read(&mut Reader::new(Bytes::copy_from_slice(bytes)));
    assert_eq!(got, want.map_err(|text| QueryError::Protocol(text.to_string())), "{bytes:02x?}");
}

#[test]
fn short_input_is_told_in_cassandras_words() {
    let short = "Not enough bytes to read an UTF8 serialized string preceded by its 2 bytes length";
    let long = "Not enough bytes to read an UTF8 serialized string preceded by its 4 bytes length";
    check(Reader::string, &[], Err(short));
    check(Reader::string, &[0, 5, b'a'], Err(short));
    check(Reader::long_string, &[0, 0, 0], Err(long));
    check(Reader::long_string, &[0xff, 0xff, 0xff, 0xff], Err(long));
    check(Reader::long_string, &[0x7f, 0xff, 0xff, 0xff, b'a'], Err(long));
    let array = "Not enough bytes to read a byte array preceded by its 2 bytes length";
    check(Reader::short_bytes, &[0, 16, b'a'], Err(array));
    check(
        Reader::bytes,
        &[0, 0, 0, 5, b'a'],
        Err("Cannot read value of length 5, only 1 bytes remaining in the message"),
    );
    check(Reader::bytes, &[0xff, 0xff, 0xff, 0xfd], Ok(None));
    check(Reader::int, &[0, 0], Err("Not enough bytes to read an int: 4 needed, 2 left in the message"));
}

#[test]
fn bad_utf8_is_told_in_javas_words() {
    // Seen from Cassandra 5.0.9: the hex runs from the first bad byte to the end of the string.
    let bad = |hex: &str, length: usize| {
        format!(
            "Cannot decode string as UTF8: '{hex}'; java.nio.charset.MalformedInputException: Input length = {length}"
        )
    };
    check(Reader::string, &[0, 2, 0xff, 0xfe], Err(&bad("fffe", 1)));
    check(Reader::string, &[0, 3, b'S', 0xe2, 0x82], Err(&bad("e282", 2)));
    check(Reader::string, &[0, 4, 0xc3, 0x28, 0x20, 0x78], Err(&bad("c3282078", 1)));
}

#[test]
fn a_long_string_is_cut_at_a_character() {
    let mut out = Vec::new();
    put_string(&mut out, &"ü".repeat(40_000));
    assert_eq!(out.len(), 2 + 65_534);
    check(|reader| reader.string().map(|text| text.chars().count()), &out, Ok(32_767));
}
