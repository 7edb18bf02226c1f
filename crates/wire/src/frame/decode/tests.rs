use std::fmt::Write as _;

use super::*;
use crate::frame::FrameEncoder;
use crate::request::{Request, RequestBody};
use crate::response::{ErrorBody, ErrorKind, Extras, ReplyTo, Response};

/// Bytes of hex with blanks, and of text in quotes.
pub(crate) fn bytes_of(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, part) in text.split('"').enumerate() {
        if index % 2 == 1 {
            out.extend_from_slice(part.as_bytes());
            continue;
        }
        let digits: Vec<u8> = part.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        for pair in digits.chunks(2) {
            let pair = std::str::from_utf8(pair).expect("hex");
            out.push(u8::from_str_radix(pair, 16).expect("hex"));
        }
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes it");
        text
    })
}

fn server(pinned: Option<(Version, Option<Compression>)>) -> FrameDecoder {
    let mut decoder = FrameDecoder::for_server(Limits::default(), 0xcfec_10f7);
    if let Some((version, compression)) = pinned {
        decoder.pin(version, compression);
    }
    decoder
}

/// All that the decoder says about `input`, one line each.
fn told(decoder: &mut FrameDecoder, input: &mut BytesMut) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        match decoder.next(input) {
            Ok(None) => return lines,
            Ok(Some(envelope)) => {
                lines.push(format!("{} stream {}", envelope.opcode.name(), envelope.stream));
            }
            Err(FrameError::Refused(refusal)) => lines.push(format!("refused {}", reply_of(&refusal))),
            Err(FrameError::Broken(refusal)) => {
                lines.push(format!("broken {}", reply_of(&refusal)));
                return lines;
            }
            Err(FrameError::Unanswerable(why)) => {
                lines.push(format!("closed: {why}"));
                return lines;
            }
        }
    }
}

/// Header of the answer in hex, and its text.
fn reply_of(refusal: &Refusal) -> String {
    let (kind, text) = match &refusal.error {
        QueryError::Protocol(text) => (ErrorKind::Protocol, text),
        QueryError::Invalid(text) => (ErrorKind::Invalid, text),
        QueryError::Server(text) => (ErrorKind::Server, text),
        other => panic!("{other:?}"),
    };
    let mut out = Vec::new();
    refusal.encode(&ErrorBody::new(kind, text.as_str()), &mut out);
    let header = if refusal.version_number < 3 { 4 } else { 5 };
    assert_eq!(out[header..header + 4], (out.len() as u32 - header as u32 - 4).to_be_bytes());
    format!("{} {text}", hex(&out[..header]))
}

#[track_caller]
fn check(pinned: Option<(Version, Option<Compression>)>, input: &[u8], want: &[&str]) {
    assert_eq!(told(&mut server(pinned), &mut BytesMut::from(input)), want, "whole");
    // The same, byte by byte.
    let mut decoder = server(pinned);
    let (mut buffer, mut lines) = (BytesMut::new(), Vec::new());
    for byte in input {
        buffer.extend_from_slice(&[*byte]);
        lines.extend(told(&mut decoder, &mut buffer));
        if lines.last().is_some_and(|line| line.starts_with("broken") || line.starts_with("closed")) {
            break;
        }
    }
    assert_eq!(lines, want, "byte by byte");
}

const V3: Option<(Version, Option<Compression>)> = Some((Version::V3, None));
const V4: Option<(Version, Option<Compression>)> = Some((Version::V4, None));
const V5: Option<(Version, Option<Compression>)> = Some((Version::V5, None));

fn then_options(version: u8, first: &str) -> Vec<u8> {
    bytes_of(&format!("{first} {version:02x} 00 0009 05 00000000"))
}

fn unsupported(header: &str, number: u8) -> String {
    format!(
        "refused {header} Invalid or unsupported protocol version ({number}); supported versions are (3/v3, 4/v4, \
         5/v5, 6/v6-beta)"
    )
}

#[test]
fn versions_are_negotiated_as_cassandra_does() {
    for version in [3, 4, 5] {
        check(None, &then_options(version, ""), &["OPTIONS stream 9"]);
    }
    let options = "OPTIONS stream 9";
    // Version, flags, stream, opcode, length; in v1 and v2 the stream has one byte.
    check(None, &then_options(4, "01 00 07 05 00000000"), &[&unsupported("81000700", 1), options]);
    check(None, &then_options(4, "02 00 07 01 00000002 aabb"), &[&unsupported("82000700", 2), options]);
    check(None, &then_options(4, "42 00 0007 01 00000002 aabb"), &[&unsupported("8500000700", 66), options]);
    check(None, &then_options(4, "00 00 0007 05 00000000"), &[&unsupported("8500000000", 0), options]);
    let beta = "refused 8610000700 Beta version of the protocol used (6/v6-beta), but USE_BETA flag is unset";
    check(None, &then_options(4, "06 00 0007 05 00000000"), &[beta, options]);
    check(None, &bytes_of("06 10 0007 05 00000000"), &["OPTIONS stream 7"]);
    let direction =
        "refused 8500000700 Wrong protocol direction (expected REQUEST, got RESPONSE) for opcode 5 (OPTIONS)";
    check(None, &then_options(4, "84 00 0007 05 00000000"), &[direction, options]);
    let result =
        "refused 8500000700 Wrong protocol direction (expected RESPONSE, got REQUEST) for opcode 8 (RESULT)";
    check(None, &then_options(4, "04 00 0007 08 00000000"), &[result, options]);
    check(
        None,
        &then_options(4, "04 00 0007 20 00000000"),
        &["refused 8500000700 Unknown opcode 32", options],
    );
}

#[test]
fn other_protocols_are_told_and_dropped() {
    let mut http = BytesMut::from(&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..]);
    // "ET" is the flags and half the stream, and so on.
    assert_eq!(told(&mut server(None), &mut http), [unsupported("8500542000", 71)]);
    assert!(http.is_empty());
}

#[test]
fn after_startup_the_version_is_fixed() {
    let options = "OPTIONS stream 9";
    check(
        V3,
        &then_options(3, "04 00 0001 07 00000001 aa"),
        &[
            "refused 8300000100 Invalid message version. Got 4/v4 but previous messages on this connection had \
             version 3/v3",
            options,
        ],
    );
    check(V4, &then_options(4, "42 00 0001 07 00000001 aa"), &[&unsupported("8400000100", 66), options]);
    check(
        V4,
        &then_options(4, "04 00 fffe 20 00000001 aa"),
        &["refused 8400fffe00 Unknown opcode 32", options],
    );
    check(
        V4,
        &bytes_of("04 00 0001 07 fffffffc"),
        &["broken 8400000100 Invalid value for envelope header body length field: -4"],
    );
}

#[test]
fn an_envelope_above_the_limit_is_dropped_and_refused_at_its_end() {
    let mut input = bytes_of("04 00 0001 07 00fffff8");
    input.resize(9 + 16_777_208, b'x');
    input.extend(bytes_of("04 00 0009 05 00000000"));
    let mut decoder = server(V4);
    let mut buffer = BytesMut::new();
    let mut lines = Vec::new();
    for read in input.chunks(100_000) {
        buffer.extend_from_slice(read);
        lines.extend(told(&mut decoder, &mut buffer));
        assert!(buffer.is_empty(), "nothing of it is kept");
    }
    let refused =
        "refused 8400000100 Request is too big: length 16777217 exceeds maximum allowed length 16777216.";
    assert_eq!(lines, [refused, "OPTIONS stream 9"]);
}

#[test]
fn a_v5_envelope_above_the_limit_is_refused_at_its_end_too() {
    let mut envelopes = bytes_of("05 00 0001 07 01000001");
    envelopes.resize(9 + 16_777_217, b'x');
    envelopes.extend(bytes_of("05 00 0009 05 00000000"));
    let mut encoder = FrameEncoder::new();
    encoder.pin(Version::V5, None);
    let mut input = Vec::new();
    encoder.encode(&envelopes, &mut input);
    let refused =
        "refused 8500000100 CQL Message of size 16777217 bytes exceeds allowed maximum of 16777216 bytes";
    assert_eq!(told(&mut server(V5), &mut BytesMut::from(&input[..])), [refused, "OPTIONS stream 9"]);
}

/// A v5 segment around `payload`; none of its parts is trusted to the code under test.
fn segment(payload: &str, is_self_contained: bool) -> Vec<u8> {
    let payload = bytes_of(payload);
    let fields = payload.len() as u32 | u32::from(is_self_contained) << 17;
    let mut out = vec![fields as u8, (fields >> 8) as u8, (fields >> 16) as u8];
    let crc = stdx::crc::crc24(&out);
    out.extend([crc as u8, (crc >> 8) as u8, (crc >> 16) as u8]);
    let crc = crc32fast::hash(&[&[0xfa, 0x2d, 0x55, 0xca], &payload[..]].concat());
    out.extend(payload);
    out.extend([crc as u8, (crc >> 8) as u8, (crc >> 16) as u8, (crc >> 24) as u8]);
    out
}

#[test]
fn segments_hold_envelopes_or_parts_of_one() {
    let query = "05 00 0001 07 00000003 aabbcc";
    let options = "05 00 0009 05 00000000";
    check(V5, &segment("", true), &[]);
    check(V5, &segment(&format!("{query} {options}"), true), &["QUERY stream 1", "OPTIONS stream 9"]);
    let parts = [segment("05 00 0001 07 00000003 aa", false), segment("bbcc", false), segment(options, true)]
        .concat();
    check(V5, &parts, &["QUERY stream 1", "OPTIONS stream 9"]);
    check(V5, &segment(query, false), &["QUERY stream 1"]);
    let undecodable = "broken 8500000000 java.io.IOException: Error decoding CQL Message";
    check(V5, &segment("05 00 0001", false), &[undecodable]);
    check(V5, &segment("", false), &[undecodable]);
    check(
        V5,
        &[segment("05 00 0001 07 00000003 aa", false), segment(options, true)].concat(),
        &[undecodable],
    );
    check(
        V5,
        &[segment("05 00 0001 07 00000003 aa", false), segment("bbccdd", false)].concat(),
        &[undecodable],
    );
    let undersized = "broken 8500000000 java.lang.IllegalArgumentException: Undersized buffer supplied. Expected 9, actual 5";
    check(V5, &segment(&format!("{options} 05 00 0001 07"), true), &["OPTIONS stream 9", undersized]);
    let beyond = "broken 8500000000 java.lang.IllegalArgumentException: newPosition > limit: (12 > 10)";
    check(V5, &segment("05 00 0001 07 00000003 aa", true), &[beyond]);
}

#[test]
fn refusals_inside_segments_do_not_end_the_connection() {
    let options = "05 00 0009 05 00000000";
    let check = |envelope: &str, want: &str| {
        check(V5, &segment(&format!("{envelope} {options}"), true), &[want, "OPTIONS stream 9"]);
    };
    check("05 00 0001 20 00000001 aa", "refused 8500000100 Unknown opcode 32");
    check(
        "04 00 0001 07 00000001 aa",
        "refused 8500000100 Invalid message version. Got 4/v4 but previousmessages on this connection had version \
         5/v5",
    );
    check("42 00 0001 07 00000001 aa", &unsupported("8500000100", 66));
    check(
        "06 00 0001 07 00000001 aa",
        "refused 8610000100 Beta version of the protocol used (6/v6-beta), but USE_BETA flag is unset",
    );
    check("01 00 0001 07 00000001 aa", &unsupported("81000100", 1));
    self::check(
        V5,
        &segment("05 00 0001 07 fffffffc", true),
        &["broken 8500000100 Invalid value for envelope header body length field: -4"],
    );
}

#[test]
fn a_wrong_checksum_ends_the_connection() {
    let whole = segment("05 00 0009 05 00000000", true);
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let told = |input: Vec<u8>| told(&mut server(V5), &mut BytesMut::from(&input[..])).join("\n");
    for at in 0..6 {
        let line = told(flipped(at));
        let want =
            "broken 8500000000 cfec10f7 invalid, unrecoverable CRC mismatch detected in frame header. Read ";
        assert!(line.starts_with(want), "{at}: {line}");
    }
    for at in 6..whole.len() {
        let line = told(flipped(at));
        let want =
            "broken 8500000000 cfec10f7 invalid, unrecoverable CRC mismatch detected in frame body. Read ";
        assert!(line.starts_with(want), "{at}: {line}");
    }
    // Seen: header 2f 00 02 has the CRC-24 06f3ac; a bit of it flipped is 06f3ad.
    let line = told(bytes_of("2f0002 adf306 00000000"));
    assert!(line.ends_with("Read 455597, Computed 455596"), "{line}");
}

#[test]
fn a_segment_is_what_cassandra_sends() {
    let mut encoder = FrameEncoder::new();
    encoder.pin(Version::V5, None);
    let mut envelopes = bytes_of("85 00 0002 06 00000066");
    envelopes.resize(111, 0);
    let mut out = Vec::new();
    encoder.encode(&envelopes, &mut out);
    assert_eq!(hex(&out[..6]), "6f00020a9b44");
    assert_eq!(out.len(), 6 + 111 + 4);
    // With LZ4, an envelope that does not shrink goes as it is: READY.
    encoder.pin(Version::V5, Some(Compression::Lz4));
    let mut out = Vec::new();
    Response::Ready.encode(&ReplyTo { version: Version::V5, stream: 1 }, &Extras::default(), &mut out);
    let mut sent = Vec::new();
    encoder.encode(&out, &mut sent);
    assert_eq!(hex(&sent[..8]), "0900000004c2b895");
}

#[test]
fn the_answer_to_startup_is_compressed_in_v4() {
    let mut ready = Vec::new();
    Response::Ready.encode(&ReplyTo { version: Version::V4, stream: 1 }, &Extras::default(), &mut ready);
    let check = |compression: Compression, want: &str| {
        let mut encoder = FrameEncoder::new();
        encoder.pin(Version::V4, Some(compression));
        let mut out = Vec::new();
        encoder.encode(&ready, &mut out);
        assert_eq!(hex(&out), want);
    };
    check(Compression::Lz4, "8401000102000000050000000000");
    check(Compression::Snappy, "84010001020000000100");
}

#[test]
fn what_is_encoded_decodes_in_every_framing() {
    let text = "SELECT * FROM ks.t WHERE k = 1".repeat(20_000);
    for (version, compression) in [
        (Version::V3, None),
        (Version::V4, Some(Compression::Lz4)),
        (Version::V4, Some(Compression::Snappy)),
        (Version::V5, None),
        (Version::V5, Some(Compression::Lz4)),
        (Version::V6, Some(Compression::Lz4)),
    ] {
        let mut envelopes = Vec::new();
        let mut want = Vec::new();
        for (stream, length) in
            [100, 0, 131_049, 131_050, 131_062, 131_063, 600_000, 5].into_iter().enumerate()
        {
            let body = RequestBody::Prepare { text: text[..length].into(), keyspace: None };
            let request = Request::new(version, stream as i16, body);
            request.encode(&mut envelopes);
            want.push(request);
        }
        let mut encoder = FrameEncoder::new();
        encoder.pin(version, compression);
        let mut sent = Vec::new();
        encoder.encode(&envelopes, &mut sent);
        assert!(compression.is_none() || sent.len() < envelopes.len() / 10);
        let mut decoder = server(Some((version, compression)));
        let (mut input, mut got) = (BytesMut::new(), Vec::new());
        for read in sent.chunks(7_001) {
            input.extend_from_slice(read);
            while let Some(envelope) = decoder.next(&mut input).expect("our own bytes") {
                got.push(Request::decode(envelope).expect("our own request"));
            }
        }
        assert_eq!(got, want, "{version} {compression:?}");
    }
}

#[test]
fn a_bomb_is_not_unpacked() {
    let max = Limits::default().envelope_bytes_max;
    // A length above the cap; one that so few bytes cannot expand to; a negative one.
    for bomb in ["01000001 00", "00ffffff 00", "ffffffff 00", "", "0000"] {
        assert!(Compression::Lz4.decompress_body(&bytes_of(bomb), max).is_err(), "{bomb}");
    }
    for bomb in ["ffffffff0f 00", "80808008 00", "", "ff"] {
        assert!(Compression::Snappy.decompress_body(&bytes_of(bomb), max).is_err(), "{bomb}");
    }
    let closed = &["closed: a body does not decompress with lz4"];
    check(
        Some((Version::V4, Some(Compression::Lz4))),
        &bytes_of("04 01 0001 07 00000005 ffffffff00"),
        closed,
    );
    check(Some((Version::V4, Some(Compression::Lz4))), &bytes_of("04 01 0001 05 00000000"), closed);
    // Without the flag a body is taken as it is.
    check(Some((Version::V4, Some(Compression::Lz4))), &then_options(4, ""), &["OPTIONS stream 9"]);
}

#[test]
fn an_unfinished_envelope_can_be_given_up() {
    let busy = || QueryError::Invalid("busy".to_string());
    let mut decoder = server(V4);
    let mut input = BytesMut::from(&bytes_of("04 00 0001 07 00000004 aabb")[..]);
    assert_eq!(decoder.next(&mut input), Ok(None));
    assert!(decoder.refuse_unfinished(&mut input, busy()));
    assert!(told(&mut decoder, &mut input).is_empty());
    input.extend_from_slice(&then_options(4, "ccdd"));
    assert_eq!(told(&mut decoder, &mut input), ["refused 8400000100 busy", "OPTIONS stream 9"]);
    assert!(!decoder.refuse_unfinished(&mut input, busy()));

    let mut decoder = server(V5);
    let mut input = BytesMut::from(&segment("05 00 0001 07 00000003 aa", false)[..]);
    assert_eq!(decoder.next(&mut input), Ok(None));
    assert!(decoder.held_bytes() > 0);
    assert!(decoder.refuse_unfinished(&mut input, busy()));
    assert_eq!(decoder.held_bytes(), 0);
    input.extend_from_slice(&segment("bbcc", false));
    input.extend_from_slice(&segment("05 00 0009 05 00000000", true));
    assert_eq!(told(&mut decoder, &mut input), ["refused 8500000100 busy", "OPTIONS stream 9"]);
}
