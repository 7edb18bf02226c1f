//! What is said to whom.

use runtime::Runtime;
use wire::response::{EventKind, SchemaChange, SchemaChangeKind, SchemaTarget};
use wire::{Compression, ErrorKind, Event, RequestBody, Response, Version};

use super::client::query;
use super::{Fixture, NativeLimits};

pub(super) async fn every_version_and_compression_is_spoken(runtime: Runtime) {
    let fixture = Fixture::start(&runtime, NativeLimits::default());
    for (version, compression) in [
        (Version::V3, None),
        (Version::V3, Some(Compression::Snappy)),
        (Version::V4, None),
        (Version::V4, Some(Compression::Lz4)),
        (Version::V5, None),
        (Version::V5, Some(Compression::Lz4)),
        (Version::V6, None),
    ] {
        let mut client = fixture.connect().await.start(version, compression).await;
        for count in [0, 1, 3000] {
            match client.ask(&format!("rows {count}")).await {
                Response::Rows(rows) => assert_eq!(rows.rows.len(), count),
                other => panic!("{other:?}"),
            }
        }
        // A session is a connection's own.
        assert_eq!(client.ask("count").await, Response::SetKeyspace("4".to_string()));
        match client.ask("SELEC").await {
            Response::Error(error) => assert_eq!(error.kind, ErrorKind::Syntax),
            other => panic!("{other:?}"),
        }
    }
    fixture
        .until("all sessions are closed", || {
            fixture.handler.closed.load(std::sync::atomic::Ordering::SeqCst) == 7
        })
        .await;
    assert_eq!(fixture.server.connection_count(), 0);
}

pub(super) async fn a_client_falls_back_to_a_version_that_we_speak(runtime: Runtime) {
    let fixture = Fixture::start(&runtime, NativeLimits::default());
    let mut client = fixture.connect().await;
    // The Python, Java and Node.js drivers begin with DSE's version.
    client.stream.write_all(&[0x42, 0, 0, 1, 5, 0, 0, 0, 0]).await.expect("the server reads");
    assert_eq!(
        client.receive_error().await,
        "Invalid or unsupported protocol version (66); supported versions are (3/v3, 4/v4, 5/v5, 6/v6-beta)"
    );
    client.send([(2, RequestBody::Options)]).await;
    assert!(matches!(client.receive().await, Some((2, Response::Supported(_)))));
    client.send([(3, RequestBody::Startup(vec![("CQL_VERSION".into(), "1.0.0".into())]))]).await;
    client.receive_error().await;
    let mut client = client.start(Version::V5, None).await;
    assert!(matches!(client.ask("rows 1").await, Response::Rows(_)));
}

pub(super) async fn answers_overtake_those_that_wait(runtime: Runtime) {
    let fixture = Fixture::start(&runtime, NativeLimits::default());
    for version in [Version::V4, Version::V5] {
        let mut client = fixture.connect().await.start(version, None).await;
        client.send([(1, query("later 300")), (2, query("later 30")), (-3, query("rows 1"))]).await;
        let mut streams = Vec::new();
        for _ in 0..3 {
            streams.push(client.receive().await.expect("an answer").0);
        }
        assert_eq!(streams, [-3, 2, 1]);
    }
}

pub(super) async fn a_panic_is_one_requests_error(runtime: Runtime) {
    let fixture = Fixture::start(&runtime, NativeLimits::default());
    let mut client = fixture.connect().await.start(Version::V4, None).await;
    let mut other = fixture.connect().await.start(Version::V4, None).await;
    for statement in ["panic", "panic later"] {
        client.send([(1, query("later 50")), (2, query(statement)), (3, query("rows 1"))]).await;
        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(client.receive().await.expect("an answer"));
        }
        answers.sort_by_key(|(stream, _)| *stream);
        match &answers[..] {
            [(1, Response::SetKeyspace(_)), (2, Response::Error(error)), (3, Response::Rows(_))] => {
                assert_eq!(error.kind, ErrorKind::Server);
                assert!(error.message.contains("planned"), "{}", error.message);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(other.ask("rows 1").await, Response::Rows(_)));
}

pub(super) async fn requests_that_arrive_together_are_foreseen_and_answered_in_turn(runtime: Runtime) {
    const ROUNDS: usize = 20;
    let fixture = Fixture::start(&runtime, NativeLimits::default());
    let mut client = fixture.connect().await.start(Version::V4, None).await;
    for round in 0..ROUNDS {
        let mut together = Vec::new();
        for (stream, text) in [(1, "rows 1"), (2, "count"), (4, "rows 1")] {
            if stream == 4 {
                // An opcode that does not exist.
                together.extend_from_slice(&[4, 0, 0, 3, 0x3f, 0, 0, 0, 0]);
            }
            wire::Request::new(Version::V4, stream, query(text)).encode(&mut together);
        }
        client.stream.write_all(&together).await.expect("the server reads");
        let mut answers = Vec::new();
        for _ in 0..4 {
            answers.push(client.receive().await.expect("an answer"));
        }
        assert_eq!(answers.iter().map(|(stream, _)| *stream).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert!(matches!(answers[2].1, Response::Error(_)), "{:?}", answers[2]);
        assert_eq!(fixture.begun(), 3 * (round + 1));
    }
    let foreseen = fixture.handler.foreseen.load(std::sync::atomic::Ordering::SeqCst);
    assert!((1..=2 * ROUNDS).contains(&foreseen), "{foreseen}");
}

pub(super) async fn requests_before_startup_end_the_connection(runtime: Runtime) {
    let fixture = Fixture::start(&runtime, NativeLimits::default());
    let mut client = fixture.connect().await;
    client.send([(1, query("rows 1")), (2, query("rows 1"))]).await;
    assert_eq!(client.last_words().await, "Unexpected message QUERY, expecting STARTUP or OPTIONS");
    // STARTUP without a map: closed without a word.
    let mut client = fixture.connect().await;
    client.stream.write_all(&[4, 0, 0, 1, 1, 0, 0, 0, 0]).await.expect("the server reads");
    assert_eq!(client.receive().await, None);
    assert_eq!(fixture.begun(), 0);
}

pub(super) async fn a_broken_segment_ends_its_connection_only(runtime: Runtime) {
    let fixture = Fixture::start(&runtime, NativeLimits::default());
    let mut broken = fixture.connect().await.start(Version::V5, None).await;
    let mut other = fixture.connect().await.start(Version::V5, None).await;
    broken.send([(1, query("later 100"))]).await;
    fixture.until("the request has begun", || fixture.begun() == 1).await;
    broken.stream.write_all(&[0xff; 100]).await.expect("the server reads");
    let text = broken.receive_error().await;
    assert!(text.contains("unrecoverable CRC mismatch detected in frame header"), "{text}");
    // What was in flight is still answered.
    assert!(matches!(broken.receive().await, Some((1, Response::SetKeyspace(_)))));
    assert_eq!(broken.receive().await, None);
    assert!(matches!(other.ask("rows 1").await, Response::Rows(_)));
}

pub(super) async fn session_requests_are_answered_here(runtime: Runtime) {
    let fixture = Fixture::start(&runtime, NativeLimits::default());
    let mut client = fixture.connect().await.start(Version::V4, None).await;
    client.send([(1, RequestBody::AuthResponse(Some(vec![0, 1].into())))]).await;
    assert_eq!(client.receive().await, Some((1, Response::AuthSuccess(None))));
    client.send([(1, RequestBody::Register(Vec::new()))]).await;
    assert_eq!(client.receive().await, Some((1, Response::Ready)));
    client.send([(1, RequestBody::Startup(vec![("CQL_VERSION".into(), "3.0.0".into())]))]).await;
    let again = "Unexpected message STARTUP, the connection is already initialized";
    assert_eq!(client.receive_error().await, again);
    client.version = Version::V3;
    client.send([(1, query("rows 1"))]).await;
    let mixed = "Invalid message version. Got 3/v3 but previous messages on this connection had version 4/v4";
    assert_eq!(client.receive_error().await, mixed);
    assert_eq!(fixture.begun(), 0);
}

pub(super) async fn events_go_to_who_has_registered(runtime: Runtime) {
    let fixture = Fixture::start(&runtime, NativeLimits::default());
    let mut listening = fixture.connect().await.start(Version::V5, Some(Compression::Lz4)).await;
    let mut deaf = fixture.connect().await.start(Version::V4, None).await;
    listening.send([(1, RequestBody::Register(vec![EventKind::SchemaChange]))]).await;
    assert_eq!(listening.receive().await, Some((1, Response::Ready)));
    let change = Event::Schema(SchemaChange {
        kind: SchemaChangeKind::Created,
        target: SchemaTarget::Table("t".to_string()),
        keyspace: "ks".to_string(),
    });
    fixture.hub.publish(Event::Up(fixture.server.local_addr()));
    fixture.hub.publish(change.clone());
    assert_eq!(listening.receive().await, Some((-1, Response::Event(change))));
    assert!(matches!(deaf.ask("rows 1").await, Response::Rows(_)));
}
