use stdx::prng::Prng;

use super::fuzz_decode;
use crate::frame::{Compression, FrameEncoder};
use crate::request::{BoundValue, QueryParams, Request, RequestBody, Values};
use crate::response::{ErrorBody, ErrorKind, Event, Extras, ReplyTo, Response};
use crate::version::Version;

/// Good frames of both sides, in every framing.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (version, compression) in [
        (Version::V3, None),
        (Version::V4, Some(Compression::Lz4)),
        (Version::V4, Some(Compression::Snappy)),
        (Version::V5, None),
        (Version::V5, Some(Compression::Lz4)),
    ] {
        let mut encoder = FrameEncoder::new();
        encoder.pin(version, compression);
        let values = vec![BoundValue::Value(vec![7; 40].into()), BoundValue::Null];
        let params =
            QueryParams { values: Values::Positional(values), page_size: Some(9), ..Default::default() };
        let query = RequestBody::Query { text: "SELECT * FROM ks.t".into(), params };
        let mut envelopes = Vec::new();
        Request::new(version, 5, query).encode(&mut envelopes);
        seeds.push(framed(&encoder, &envelopes));
        let reply = ReplyTo { version, stream: 5 };
        let extras = Extras::warnings(vec!["w".to_string()]);
        for response in [
            Response::Void,
            Response::Event(Event::Up("127.0.0.1:9042".parse().expect("an address"))),
            Response::Error(ErrorBody::new(ErrorKind::Unprepared { id: vec![1; 16] }, "gone")),
        ] {
            let mut envelopes = Vec::new();
            response.encode(&reply, &extras, &mut envelopes);
            seeds.push(framed(&encoder, &envelopes));
        }
        let mut rows = Vec::new();
        let metadata = crate::response::ResultMetadata::new(vec![crate::response::ColumnSpec {
            keyspace: "ks".into(),
            table: "t".into(),
            name: "c".into(),
            ty: model::CqlType::list(model::CqlType::Int, false),
        }]);
        let mut writer = crate::RowsWriter::begin(&mut rows, &reply, &metadata, Default::default());
        writer.value(Some(b"value"));
        writer.end_row();
        writer.finish(Some(b"state"), &extras);
        seeds.push(framed(&encoder, &rows));
    }
    seeds
}

/// With the byte in front that says how the input is cut.
fn framed(encoder: &FrameEncoder, envelopes: &[u8]) -> Vec<u8> {
    let mut out = vec![255];
    encoder.encode(envelopes, &mut out);
    out
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Prng) {
    for _ in 0..=random.index(4) {
        let at = random.index(bytes.len());
        match random.index(5) {
            0 => bytes[at] ^= 1 << random.index(8),
            1 => bytes[at] = *random.choose(&[0, 1, 0x7f, 0x80, 0xff]).expect("there are some"),
            2 => bytes.truncate(at.max(1)),
            3 => {
                let part = bytes[at..].to_vec();
                bytes.extend(part);
            }
            _ => bytes[at] = random.next_u64() as u8,
        }
    }
}

#[test]
fn mutated_frames_are_errors_not_panics() {
    let seeds = seeds();
    let seed = 3;
    let mut random = Prng::from_seed(seed);
    for round in 0..50_000 {
        let mut bytes = random.choose(&seeds).expect("there are some").clone();
        mutate(&mut bytes, &mut random);
        let outcome = std::panic::catch_unwind(|| fuzz_decode(&bytes));
        assert!(outcome.is_ok(), "seed {seed}, round {round}: {bytes:02x?}");
    }
}
