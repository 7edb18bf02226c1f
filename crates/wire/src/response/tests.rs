use std::net::IpAddr;

use bytes::BytesMut;
use model::CqlType;

use super::*;
use crate::frame::{FrameDecoder, Limits};

/// Bytes of hex with blanks, and of text in quotes.
fn bytes_of(text: &str) -> Vec<u8> {
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

fn encoded(version: Version, response: &Response) -> Vec<u8> {
    let mut out = Vec::new();
    response.encode(&ReplyTo { version, stream: 3 }, &Extras::default(), &mut out);
    out
}

/// Compares what stands behind the header.
#[track_caller]
fn check(version: Version, response: &Response, want: &str) {
    let out = encoded(version, response);
    assert_eq!(out[9..], bytes_of(want), "{version}: {:02x?}", &out[9..]);
}

fn column(name: &str, ty: CqlType) -> ColumnSpec {
    ColumnSpec { keyspace: "system".into(), table: "local".into(), name: name.into(), ty }
}

fn key_of_local() -> ResultMetadata {
    ResultMetadata::new(vec![column("key", CqlType::Text)])
}

#[test]
fn rows_are_what_cassandra_sends() {
    // SELECT key FROM system.local
    let want = "84 00 0003 08 0000002f 00000002 00000001 00000001 0006 \"system\" 0005 \"local\" 0003 \"key\" 000d \
                00000001 00000005 \"local\"";
    let reply = ReplyTo { version: Version::V4, stream: 3 };
    let mut out = Vec::new();
    let mut writer = RowsWriter::begin(&mut out, &reply, &key_of_local(), SentMetadata::Full);
    writer.value(Some(b"local"));
    writer.end_row();
    writer.finish(None, &Extras::default());
    assert_eq!(out, bytes_of(want));
    let rows = Rows {
        metadata: Arc::new(key_of_local()),
        sent: SentMetadata::Full,
        paging_state: None,
        rows: vec![vec![Some(Bytes::from_static(b"local"))]],
    };
    assert_eq!(encoded(Version::V4, &Response::Rows(rows)), bytes_of(want));
}

#[test]
fn the_parts_of_a_result_stand_in_their_places() {
    let check = |version: Version, sent, state: Option<&[u8]>, extras: &Extras, want: &str| {
        let mut out = b"before".to_vec();
        let reply = ReplyTo { version, stream: 3 };
        let mut writer = RowsWriter::begin(&mut out, &reply, &key_of_local(), sent);
        writer.value_with(|out| out.extend_from_slice(b"ab"));
        writer.end_row();
        writer.value(None);
        writer.end_row();
        assert_eq!(writer.rows(), 2);
        writer.finish(state, extras);
        assert_eq!(out, [b"before".as_slice(), &bytes_of(want)].concat(), "{out:02x?}");
    };
    let specs = "0006 \"system\" 0005 \"local\" 0003 \"key\" 000d";
    let rows = "00000002 00000002 \"ab\" ffffffff";
    let none = Extras::default();
    check(
        Version::V4,
        SentMetadata::Skipped,
        Some(b"s"),
        &none,
        &format!("84 00 0003 08 0000001f 00000002 00000007 00000001 00000001 \"s\" {rows}"),
    );
    check(
        Version::V4,
        SentMetadata::Full,
        Some(b"s"),
        &none,
        &format!("84 00 0003 08 00000035 00000002 00000003 00000001 00000001 \"s\" {specs} {rows}"),
    );
    let extras = Extras { tracing_id: Some([7; 16]), warnings: vec!["w".to_string()], payload: Vec::new() };
    let id = "07070707070707070707070707070707";
    check(
        Version::V4,
        SentMetadata::Skipped,
        None,
        &extras,
        &format!("84 0a 0003 08 0000002f {id} 0001 0001 \"w\" 00000002 00000005 00000001 {rows}"),
    );
    check(
        Version::V3,
        SentMetadata::Skipped,
        None,
        &extras,
        &format!("83 02 0003 08 0000002a {id} 00000002 00000005 00000001 {rows}"),
    );
}

#[test]
fn small_answers_are_what_cassandra_sends() {
    let v4 = Version::V4;
    assert_eq!(encoded(v4, &Response::Ready), bytes_of("84 00 0003 02 00000000"));
    check(v4, &Response::Void, "00000001");
    check(v4, &Response::SetKeyspace("system".to_string()), "00000003 0006 \"system\"");
    check(v4, &Response::AuthSuccess(None), "ffffffff");
    let class = "org.apache.cassandra.auth.PasswordAuthenticator".to_string();
    check(v4, &Response::Authenticate(class), "002f \"org.apache.cassandra.auth.PasswordAuthenticator\"");
    let event = Event::NewNode("127.0.0.2:9142".parse().expect("an address"));
    check(v4, &Response::Event(event), "000f \"TOPOLOGY_CHANGE\" 0008 \"NEW_NODE\" 04 7f000002 000023b6");
    let strings = |values: &[&str]| values.iter().map(|value| value.to_string()).collect::<Vec<_>>();
    let supported = Response::Supported(vec![
        ("PROTOCOL_VERSIONS".to_string(), strings(&["3/v3", "4/v4", "5/v5", "6/v6-beta"])),
        ("COMPRESSION".to_string(), strings(&["snappy", "lz4"])),
        ("CQL_VERSION".to_string(), strings(&["3.4.7"])),
    ]);
    assert_eq!(encoded(v4, &supported).len(), 9 + 102);
    assert_eq!(encoded(Version::V6, &Response::Ready), bytes_of("86 10 0003 02 00000000"));
}

#[test]
fn markers_are_described_by_version() {
    let prepared = Response::Prepared(Box::new(Prepared {
        id: Bytes::from_static(b"0123456789abcdef"),
        bind: PreparedMetadata {
            columns: vec![column("key", CqlType::Text)],
            partition_key_indices: vec![0],
        },
        result: None,
    }));
    let id = "0010 \"0123456789abcdef\"";
    let specs = "0006 \"system\" 0005 \"local\" 0003 \"key\" 000d";
    check(Version::V3, &prepared, &format!("00000004 {id} 00000001 00000001 {specs} 00000004 00000000"));
    let bind = format!("00000001 00000001 00000001 0000 {specs}");
    check(Version::V4, &prepared, &format!("00000004 {id} {bind} 00000004 00000000"));
    let none = "0010 d41d8cd98f00b204e9800998ecf8427e";
    check(Version::V5, &prepared, &format!("00000004 {id} {none} {bind} 00000004 00000000"));
    let other = ColumnSpec { table: "peers".into(), ..column("peer", CqlType::Inet) };
    let mixed = Response::Prepared(Box::new(Prepared {
        id: Bytes::new(),
        bind: PreparedMetadata {
            columns: vec![column("key", CqlType::Text), other],
            partition_key_indices: Vec::new(),
        },
        result: None,
    }));
    check(
        Version::V4,
        &mixed,
        "00000004 0000 00000000 00000002 00000000 0006 \"system\" 0005 \"local\" 0003 \"key\" 000d 0006 \"system\" \
         0005 \"peers\" 0004 \"peer\" 0010 00000004 00000000",
    );
}

#[test]
fn a_schema_change_is_told_by_version() {
    let change =
        |target| SchemaChange { kind: SchemaChangeKind::Created, target, keyspace: "zz".to_string() };
    let table = change(SchemaTarget::Table("t".to_string()));
    check(
        Version::V3,
        &Response::SchemaChange(table.clone()),
        "00000005 0007 \"CREATED\" 0005 \"TABLE\" 0002 \"zz\" 0001 \"t\"",
    );
    let event = Response::Event(Event::Schema(table));
    check(
        Version::V4,
        &event,
        "000d \"SCHEMA_CHANGE\" 0007 \"CREATED\" 0005 \"TABLE\" 0002 \"zz\" 0001 \"t\"",
    );
    let function =
        Response::SchemaChange(change(SchemaTarget::Function("f".to_string(), vec!["int".to_string()])));
    check(Version::V3, &function, "00000005 0007 \"UPDATED\" 0008 \"KEYSPACE\" 0002 \"zz\" 0000");
    check(
        Version::V4,
        &function,
        "00000005 0007 \"CREATED\" 0008 \"FUNCTION\" 0002 \"zz\" 0001 \"f\" 0001 0003 \"int\"",
    );
}

#[test]
fn errors_are_told_by_version() {
    let check = |version, kind: ErrorKind, want: &str| {
        self::check(version, &Response::Error(ErrorBody::new(kind, "m")), want);
    };
    let (v3, v4, v5) = (Version::V3, Version::V4, Version::V5);
    check(v4, ErrorKind::Protocol, "0000000a 0001 \"m\"");
    check(
        v4,
        ErrorKind::Unavailable { consistency: 4, required: 2, alive: 1 },
        "00001000 0001 \"m\" 0004 00000002 00000001",
    );
    let failures = vec![(IpAddr::from([127, 0, 0, 2]), 3)];
    let read = ErrorKind::ReadFailure {
        consistency: 1,
        received: 0,
        required: 1,
        data_present: true,
        failures: failures.clone(),
    };
    let timeout = "\"Operation timed out - received only 0 responses.\"";
    check(v3, read.clone(), &format!("00001200 0030 {timeout} 0001 00000000 00000001 01"));
    check(v4, read.clone(), "00001300 0001 \"m\" 0001 00000000 00000001 00000001 01");
    check(v5, read, "00001300 0001 \"m\" 0001 00000000 00000001 00000001 04 7f000002 0003 01");
    let write = ErrorKind::WriteFailure {
        consistency: 1,
        received: 0,
        required: 1,
        write_type: "SIMPLE".into(),
        failures,
    };
    check(v3, write.clone(), &format!("00001100 0030 {timeout} 0001 00000000 00000001 0006 \"SIMPLE\""));
    check(v5, write, "00001500 0001 \"m\" 0001 00000000 00000001 00000001 04 7f000002 0003 0006 \"SIMPLE\"");
    let cas = ErrorKind::WriteTimeout {
        consistency: 8,
        received: 1,
        required: 2,
        write_type: "CAS".into(),
        contentions: 0,
    };
    check(v4, cas.clone(), "00001100 0001 \"m\" 0008 00000001 00000002 0003 \"CAS\"");
    check(
        v5,
        cas,
        "00001100 0056 \"CAS operation timed out: received 1 of 2 required responses after 0 contention retries\" \
         0008 00000001 00000002 0003 \"CAS\" 0000",
    );
    let function =
        ErrorKind::FunctionFailure { keyspace: "k".into(), name: "f".into(), arguments: vec!["int".into()] };
    check(v3, function.clone(), "00002200 0019 \"ERROR FUNCTION_FAILURE: m\"");
    check(v4, function, "00001400 0001 \"m\" 0001 \"k\" 0001 \"f\" 0001 0003 \"int\"");
    check(v4, ErrorKind::Unprepared { id: b"id".to_vec() }, "00002500 0001 \"m\" 0002 \"id\"");
    let exists = ErrorKind::AlreadyExists { keyspace: "k".into(), table: String::new() };
    check(v4, exists, "00002400 0001 \"m\" 0001 \"k\" 0000");
}

#[test]
fn types_that_every_version_has_go_by_their_number() {
    let udt = CqlType::Udt {
        definition: Arc::new(model::UserType {
            keyspace: "k".into(),
            name: "u".into(),
            fields: vec![("a".into(), CqlType::Int)],
        }),
        frozen: true,
    };
    for (ty, want) in [
        (CqlType::Ascii, "0001"),
        (CqlType::Inet, "0010"),
        (CqlType::list(CqlType::Int, true), "0020 0009"),
        (CqlType::map(CqlType::Text, CqlType::set(CqlType::Uuid, true), false), "0021 000d 0022 000c"),
        (CqlType::Tuple([CqlType::Int, CqlType::Text].into()), "0031 0002 0009 000d"),
        (udt, "0030 0001 \"k\" 0001 \"u\" 0001 0001 \"a\" 0009"),
        (CqlType::Custom("a.B".into()), "0000 0003 \"a.B\""),
    ] {
        let mut out = Vec::new();
        types::encode(&ty, Version::V3, &mut out);
        assert_eq!(out, bytes_of(want), "{ty:?}");
    }
    for (ty, version, want) in [
        (CqlType::Smallint, Version::V4, "0013"),
        (CqlType::Date, Version::V4, "0011"),
        (CqlType::Duration, Version::V5, "0015"),
    ] {
        let mut out = Vec::new();
        types::encode(&ty, version, &mut out);
        assert_eq!(out, bytes_of(want), "{ty:?}");
    }
}

fn responses(version: Version) -> Vec<Response> {
    let v4 = version >= Version::V4;
    let metadata = Arc::new(ResultMetadata::new(vec![column("a", CqlType::Int), column("b", CqlType::Text)]));
    let value = |text: &'static [u8]| Some(Bytes::from_static(text));
    let rows = Rows {
        metadata: metadata.clone(),
        sent: SentMetadata::Full,
        paging_state: value(b"state"),
        rows: vec![vec![value(b"\0\0\0\x01"), None], vec![None, value(b"")]],
    };
    let bind = PreparedMetadata {
        columns: metadata.columns().to_vec(),
        partition_key_indices: if v4 { vec![1, 0] } else { Vec::new() },
    };
    let id = Bytes::from_static(b"id");
    let schema = |kind, target| SchemaChange { kind, target, keyspace: "ks".to_string() };
    let mut all = vec![
        Response::Ready,
        Response::Authenticate("class".to_string()),
        Response::Supported(vec![("K".to_string(), vec!["a".to_string(), "b".to_string()])]),
        Response::AuthChallenge(value(b"x")),
        Response::AuthSuccess(None),
        Response::Event(Event::Up("[::1]:9042".parse().expect("an address"))),
        Response::Event(Event::Schema(schema(SchemaChangeKind::Dropped, SchemaTarget::Keyspace))),
        Response::Void,
        Response::Rows(rows),
        Response::SetKeyspace("ks".to_string()),
        Response::Prepared(Box::new(Prepared { id: id.clone(), bind: bind.clone(), result: Some(metadata) })),
        Response::Prepared(Box::new(Prepared { id, bind, result: None })),
        Response::SchemaChange(schema(SchemaChangeKind::Updated, SchemaTarget::Type("t".to_string()))),
        Response::Error(ErrorBody::new(ErrorKind::Overloaded, "busy")),
        Response::Error(ErrorBody::new(ErrorKind::Unprepared { id: b"id".to_vec() }, "m")),
    ];
    if v4 {
        let target = SchemaTarget::Aggregate("a".to_string(), vec!["int".to_string()]);
        all.push(Response::SchemaChange(schema(SchemaChangeKind::Created, target)));
    }
    all
}

#[test]
fn decoding_undoes_encoding() {
    for version in [Version::V3, Version::V4, Version::V5, Version::V6] {
        let extras =
            Extras { tracing_id: Some([9; 16]), warnings: vec!["careful".to_string()], payload: Vec::new() };
        for response in responses(version) {
            let mut out = Vec::new();
            response.encode(&ReplyTo { version, stream: -1 }, &extras, &mut out);
            let mut decoder = FrameDecoder::for_client(Limits::default());
            let envelope = decoder.next(&mut BytesMut::from(&out[..])).expect("our own bytes").expect("one");
            let decoded = Decoded::decode(envelope).expect("our own response");
            assert_eq!(decoded.response, response);
            assert_eq!((decoded.stream, decoded.tracing_id), (-1, Some([9; 16])));
            assert_eq!(decoded.warnings.len(), usize::from(version >= Version::V4));
        }
    }
}

/// The table of `testdata/cassandra-5.0/prepared_*.hex`, columns in the order of SELECT *.
fn every_type() -> Vec<ColumnSpec> {
    let text_to_int = CqlType::map(CqlType::Text, CqlType::Int, true);
    let udt = |frozen| CqlType::Udt {
        definition: Arc::new(model::UserType {
            keyspace: "wirek".into(),
            name: "u".into(),
            fields: vec![("a".into(), CqlType::Int), ("b".into(), CqlType::list(CqlType::Smallint, true))],
        }),
        frozen,
    };
    let columns = [
        ("k", CqlType::Text),
        ("c", CqlType::Timestamp),
        ("a", CqlType::Ascii),
        ("bi", CqlType::Bigint),
        ("bl", CqlType::Blob),
        ("bo", CqlType::Boolean),
        ("d", CqlType::Date),
        ("de", CqlType::Decimal),
        ("do", CqlType::Double),
        ("du", CqlType::Duration),
        ("fl", CqlType::Float),
        ("id", CqlType::Uuid),
        ("inn", CqlType::Inet),
        ("l", CqlType::list(text_to_int, false)),
        ("m", CqlType::map(CqlType::Text, CqlType::list(CqlType::Int, true), false)),
        ("s", CqlType::set(CqlType::Tinyint, false)),
        ("sm", CqlType::Smallint),
        ("t", CqlType::Tuple([CqlType::Int, CqlType::Text].into())),
        ("ti", CqlType::Time),
        ("tu", CqlType::Timeuuid),
        ("u", udt(false)),
        ("uf", udt(true)),
        ("v", CqlType::vector(CqlType::Float, 3)),
        ("vi", CqlType::Varint),
    ];
    let spec = |(name, ty): (&str, CqlType)| ColumnSpec {
        keyspace: "wirek".into(),
        table: "t".into(),
        name: name.into(),
        ty,
    };
    columns.into_iter().map(spec).collect()
}

#[test]
fn metadata_of_every_type_is_what_cassandra_sends() {
    for (version, file) in [
        (Version::V3, include_str!("../../testdata/cassandra-5.0/prepared_v3.hex")),
        (Version::V4, include_str!("../../testdata/cassandra-5.0/prepared_v4.hex")),
        (Version::V5, include_str!("../../testdata/cassandra-5.0/prepared_v5.hex")),
    ] {
        let hex: String = file.lines().filter(|line| !line.starts_with('#')).collect();
        let columns = every_type();
        let bind = PreparedMetadata { columns: columns[..2].to_vec(), partition_key_indices: vec![0] };
        let prepared = Response::Prepared(Box::new(Prepared {
            id: bytes_of("1c981e14cef5b066d6d822ecb41918d2").into(),
            bind,
            result: Some(Arc::new(ResultMetadata::new(columns))),
        }));
        check(version, &prepared, &hex);
    }
}
