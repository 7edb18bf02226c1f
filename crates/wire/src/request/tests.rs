use bytes::BytesMut;
use model::QueryError;

use super::*;
use crate::frame::{Envelope, FrameDecoder, Limits};
use crate::version::FLAG_CUSTOM_PAYLOAD;

const Q: &[u8] = b"\0\0\0\x08SELECT 1";

#[track_caller]
fn decode(version: Version, opcode: Opcode, flags: u8, parts: &[&[u8]]) -> Result<RequestBody, QueryError> {
    let body = Bytes::from(parts.concat());
    Request::decode(Envelope { version, flags, stream: 1, opcode, body }).map(|request| request.body)
}

#[track_caller]
fn refused(version: Version, opcode: Opcode, parts: &[&[u8]], want: &str) {
    assert_eq!(decode(version, opcode, 0, parts), Err(QueryError::Protocol(want.to_string())));
}

#[track_caller]
fn params(version: Version, parts: &[&[u8]]) -> QueryParams {
    match decode(version, Opcode::Query, 0, &[&[Q], parts].concat()) {
        Ok(RequestBody::Query { params, .. }) => params,
        other => panic!("{other:?}"),
    }
}

#[test]
fn bad_bodies_are_refused_in_cassandras_words() {
    let long = "Not enough bytes to read an UTF8 serialized string preceded by its 4 bytes length";
    let short = "Not enough bytes to read an UTF8 serialized string preceded by its 2 bytes length";
    let id = "Not enough bytes to read a byte array preceded by its 2 bytes length";
    let v4 = Version::V4;
    refused(v4, Opcode::Query, &[], long);
    refused(v4, Opcode::Prepare, &[], long);
    refused(v4, Opcode::Execute, &[], id);
    refused(v4, Opcode::Query, &[Q, b"\0\x77\0"], "Unknown code 119 for a consistency level");
    let value = "Cannot read value of length 5, only 1 bytes remaining in the message";
    refused(v4, Opcode::Query, &[Q, b"\0\x01\x01\0\x01\0\0\0\x05a"], value);
    refused(v4, Opcode::Query, &[Q, b"\0\x01\x01\0\x01\xff\xff\xff\xfd"], "Invalid ByteBuf length -3");
    refused(v4, Opcode::Query, &[Q, b"\0\x01\x41\0\x01\0\x05a"], short);
    refused(v4, Opcode::Query, &[Q, b"\0\x01\x80\0\x05a"], short);
    let kind = "Invalid query kind in BATCH messages. Must be 0 or 1 but got 2";
    refused(v4, Opcode::Batch, &[b"\x03\0\x01\x02"], kind);
    refused(v4, Opcode::Batch, &[b"\x03\0\0\0\x01\0"], "Invalid BATCH message type 3");
    refused(v4, Opcode::Register, &[b"\0\x01\0\x03FOO"], "Invalid value 'FOO' for Type");
    refused(
        v4,
        Opcode::Query,
        &[Q, b"\0\x01\x20\x80\0\0\0\0\0\0\0"],
        "Out of bound timestamp, must be in [-9223372036854775807, 9223372036854775807] (got -9223372036854775808)",
    );
    let payload = decode(Version::V3, Opcode::Query, FLAG_CUSTOM_PAYLOAD, &[Q, b"\0\x01\0"]);
    let text = "Received frame with CUSTOM_PAYLOAD flag for native protocol version < 4";
    assert_eq!(payload, Err(QueryError::Protocol(text.to_string())));
}

#[test]
fn null_and_unset_depend_on_the_version() {
    let body: &[&[u8]] = &[b"\0\x01\x01\0\x03\xff\xff\xff\xff\xff\xff\xff\xfe\0\0\0\x01a"];
    let value = BoundValue::Value(Bytes::from_static(b"a"));
    let want = |second| Values::Positional(vec![BoundValue::Null, second, value.clone()]);
    assert_eq!(params(Version::V3, body).values, want(BoundValue::Null));
    assert_eq!(params(Version::V4, body).values, want(BoundValue::Unset));
}

#[test]
fn flags_are_read_as_cassandra_reads_them() {
    // A paging state without a page size is ignored; a null one is none.
    assert_eq!(params(Version::V4, &[b"\0\x01\x08\0\0\0\x01s"]), QueryParams::default());
    let paged = params(Version::V4, &[b"\0\x01\x0c\0\0\0\x05\xff\xff\xff\xff"]);
    assert_eq!((paged.page_size, paged.paging_state), (Some(5), None));
    // A keyspace is obeyed in v4 already; names without values and unknown bits mean nothing.
    assert_eq!(params(Version::V4, &[b"\0\x01\x80\0\x02ks"]).keyspace, Some("ks".into()));
    assert_eq!(params(Version::V4, &[b"\0\x01\x40"]), QueryParams::default());
    assert_eq!(params(Version::V5, &[b"\0\x01\0\0\x02\0"]), QueryParams::default());
    assert_eq!(params(Version::V5, &[b"\0\x01\0\0\x01\0\0\0\0\x07"]).now_in_seconds, Some(7));
    // What is left over is ignored.
    assert_eq!(params(Version::V4, &[b"\0\x01\0", b"left over"]), QueryParams::default());
}

#[test]
fn a_prepared_statement_of_v5_brings_its_metadata_id() {
    let body: &[&[u8]] = &[b"\0\x02ab\0\x01c\0\x04\0\0\0\x02"];
    let want = RequestBody::Execute {
        id: Bytes::from_static(b"ab"),
        result_metadata_id: Some(Bytes::from_static(b"c")),
        params: QueryParams { consistency: 4, skip_metadata: true, ..QueryParams::default() },
    };
    assert_eq!(decode(Version::V5, Opcode::Execute, 0, body), Ok(want));
}

#[test]
fn event_names_are_read_without_regard_to_case() {
    let body: &[&[u8]] = &[b"\0\x03\0\x0dSchema_change\0\x0dSTATUS_CHANGE\0\x0dschema_CHANGE"];
    let want = RequestBody::Register(vec![EventKind::SchemaChange, EventKind::StatusChange]);
    assert_eq!(decode(Version::V4, Opcode::Register, 0, body), Ok(want));
}

fn requests(version: Version) -> Vec<RequestBody> {
    let v5 = version >= Version::V5;
    let unset = if version >= Version::V4 { BoundValue::Unset } else { BoundValue::Null };
    let values = vec![BoundValue::Null, unset, BoundValue::Value(Bytes::from_static(b"v"))];
    let full = QueryParams {
        consistency: 6,
        values: Values::Named(vec![("a".into(), values[0].clone()), ("b".into(), values[2].clone())]),
        skip_metadata: true,
        page_size: Some(100),
        paging_state: Some(Bytes::from_static(b"state")),
        serial_consistency: Some(9),
        timestamp_us: Some(-5),
        keyspace: Some("ks".into()),
        now_in_seconds: v5.then_some(9),
    };
    let positional = QueryParams { values: Values::Positional(values.clone()), ..QueryParams::default() };
    vec![
        RequestBody::Startup(vec![("CQL_VERSION".into(), "3.0.0".into()), ("X".into(), "".into())]),
        RequestBody::AuthResponse(Some(Bytes::from_static(b"\0u\0p"))),
        RequestBody::AuthResponse(None),
        RequestBody::Options,
        RequestBody::Query { text: "SELECT 1".into(), params: full.clone() },
        RequestBody::Prepare { text: "SELECT 2".into(), keyspace: v5.then(|| "ks".into()) },
        RequestBody::Execute {
            id: Bytes::from_static(b"id"),
            result_metadata_id: v5.then(|| Bytes::from_static(b"mid")),
            params: positional.clone(),
        },
        RequestBody::Batch {
            kind: BatchKind::Counter,
            statements: vec![
                (StatementRef::Text("UPDATE".into()), Vec::new()),
                (StatementRef::Id(Bytes::from_static(b"id")), values),
            ],
            params: QueryParams {
                serial_consistency: Some(8),
                timestamp_us: Some(1),
                ..QueryParams::default()
            },
        },
        RequestBody::Register(vec![EventKind::TopologyChange]),
    ]
}

#[test]
fn decoding_undoes_encoding() {
    for version in [Version::V3, Version::V4, Version::V5, Version::V6] {
        let mut out = Vec::new();
        let mut want = Vec::new();
        for (stream, body) in requests(version).into_iter().enumerate() {
            let mut request = Request::new(version, stream as i16, body);
            request.tracing = stream % 2 == 0;
            if version >= Version::V4 && request.body != RequestBody::Options {
                request.payload = vec![("key".into(), Some(Bytes::from_static(b"value")))];
            }
            request.encode(&mut out);
            want.push(request);
        }
        let mut input = BytesMut::from(&out[..]);
        let mut decoder = FrameDecoder::for_server(Limits::default(), 0);
        for want in want {
            let envelope = decoder.next(&mut input).expect("our own bytes").expect("one more");
            assert_eq!(Request::decode(envelope), Ok(want));
        }
    }
}
