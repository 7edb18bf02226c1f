//! That everything is bounded.

use std::time::Duration;

use bytes::BytesMut;
use runtime::Runtime;
use wire::response::EventKind;
use wire::{ErrorKind, Event, RequestBody, Response, Version};

use super::client::query;
use super::{Fixture, NativeLimits};

pub(super) async fn pending_requests_are_bounded_and_all_are_answered(runtime: Runtime) {
    let limits = NativeLimits { pending_requests_max: 4, ..NativeLimits::default() };
    let fixture = Fixture::start(&runtime, limits);
    let mut client = fixture.connect().await.start(Version::V4, None).await;
    client.send((0..10).map(|stream| (stream, query("hold")))).await;
    fixture.until("four have begun", || fixture.begun() == 4).await;
    runtime.sleep(Duration::from_millis(50)).await;
    assert_eq!(fixture.begun(), 4);
    fixture.handler.gate.add_permits(3);
    fixture.until("three more have begun", || fixture.begun() == 7).await;
    fixture.handler.gate.add_permits(7);
    let mut streams = Vec::new();
    for _ in 0..10 {
        streams.push(client.receive().await.expect("an answer").0);
    }
    streams.sort_unstable();
    assert_eq!(streams, (0..10).collect::<Vec<_>>());
}

pub(super) async fn who_does_not_read_is_not_read_from(runtime: Runtime) {
    const REQUESTS: usize = 400;
    let limits = NativeLimits { unsent_bytes_max: 200_000, ..NativeLimits::default() };
    let fixture = Fixture::start(&runtime, limits);
    let mut client = fixture.connect().await.start(Version::V4, None).await;
    let mut other = fixture.connect().await.start(Version::V4, None).await;
    // 104 kB each, 41 MB together: more than the kernel's buffers take.
    client.send((0..REQUESTS).map(|stream| (stream as i16, query("rows 1000")))).await;
    fixture.until("it has begun", || fixture.begun() > 0).await;
    runtime.sleep(Duration::from_millis(200)).await;
    let begun = fixture.begun();
    assert!(begun < REQUESTS, "{begun} answers stand in memory");
    assert!(matches!(other.ask("rows 1").await, Response::Rows(_)));
    for _ in 0..REQUESTS {
        assert!(matches!(client.receive().await, Some((_, Response::Rows(_)))));
    }
    assert_eq!(fixture.begun(), REQUESTS + 1);
}

pub(super) async fn a_full_node_refuses_early(runtime: Runtime) {
    let limits = NativeLimits { node_bytes_max: 1000, ..NativeLimits::default() };
    let fixture = Fixture::start(&runtime, limits);
    let mut full = fixture.connect().await.start(Version::V4, None).await;
    let mut other = fixture.connect().await.start(Version::V4, None).await;
    full.send([(1, query(&format!("hold {}", "x".repeat(1000))))]).await;
    fixture.until("it has begun", || fixture.begun() == 1).await;
    runtime.sleep(Duration::from_millis(20)).await;
    match other.ask("rows 1").await {
        Response::Error(error) => assert_eq!(error.kind, ErrorKind::Overloaded),
        response => panic!("{response:?}"),
    }
    // Who asks whether we live gets an answer.
    other.send([(2, RequestBody::Options)]).await;
    assert!(matches!(other.receive().await, Some((2, Response::Supported(_)))));
    fixture.handler.gate.add_permits(1);
    assert_eq!(full.receive().await, Some((1, Response::Void)));
    runtime.sleep(Duration::from_millis(20)).await;
    assert!(matches!(other.ask("rows 1").await, Response::Rows(_)));
}

pub(super) async fn a_long_unfinished_request_is_given_up_when_the_node_is_full(runtime: Runtime) {
    let limits = NativeLimits { node_bytes_max: 1000, ..NativeLimits::default() };
    for version in [Version::V4, Version::V5] {
        let fixture = Fixture::start(&runtime, limits);
        let mut client = fixture.connect().await.start(version, None).await;
        client.send([(1, query(&"x".repeat(4 << 20))), (2, RequestBody::Options)]).await;
        match client.receive().await {
            Some((1, Response::Error(error))) => assert_eq!(error.kind, ErrorKind::Overloaded),
            other => panic!("{other:?}"),
        }
        assert!(matches!(client.receive().await, Some((2, Response::Supported(_)))));
        assert_eq!(fixture.begun(), 0);
    }
}

pub(super) async fn who_is_behind_with_events_is_disconnected(runtime: Runtime) {
    let limits = NativeLimits { events_max: 10, unsent_bytes_max: 100_000, ..NativeLimits::default() };
    let fixture = Fixture::start(&runtime, limits);
    let mut slow = fixture.connect().await.start(Version::V4, None).await;
    slow.send([(1, RequestBody::Register(vec![EventKind::StatusChange]))]).await;
    assert_eq!(slow.receive().await, Some((1, Response::Ready)));
    // It asks for more than it reads, so that its answers pile up.
    slow.send((0..400).map(|stream| (stream, query("rows 1000")))).await;
    runtime.sleep(Duration::from_millis(100)).await;
    for _ in 0..11 {
        fixture.hub.publish(Event::Up(fixture.server.local_addr()));
    }
    fixture.until("it is disconnected", || fixture.server.connection_count() == 0).await;
}

pub(super) async fn connections_are_bounded(runtime: Runtime) {
    let limits = NativeLimits { connections_max: 2, ..NativeLimits::default() };
    let fixture = Fixture::start(&runtime, limits);
    let mut first = fixture.connect().await.start(Version::V4, None).await;
    let second = fixture.connect().await.start(Version::V4, None).await;
    let mut third = fixture.connect().await;
    assert_eq!(third.receive().await, None);
    drop(second);
    fixture.until("the second has gone", || fixture.server.connection_count() == 1).await;
    let mut fourth = fixture.connect().await.start(Version::V4, None).await;
    assert!(matches!(fourth.ask("rows 1").await, Response::Rows(_)));
    assert!(matches!(first.ask("rows 1").await, Response::Rows(_)));
}

pub(super) async fn shutting_down_finishes_what_is_in_flight(runtime: Runtime) {
    let fixture = Fixture::start(&runtime, NativeLimits::default());
    let address = fixture.server.local_addr();
    let mut busy = fixture.connect().await.start(Version::V5, None).await;
    let mut idle = fixture.connect().await.start(Version::V5, None).await;
    busy.send([(1, query("later 200"))]).await;
    fixture.until("it has begun", || fixture.begun() == 1).await;
    let (heard, all_heard) = tokio::sync::oneshot::channel();
    let reader = async move {
        assert!(matches!(busy.receive().await, Some((1, Response::SetKeyspace(_)))));
        assert_eq!(busy.receive().await, None);
        assert_eq!(idle.receive().await, None);
        heard.send(()).expect("somebody waits for it");
    };
    runtime.spawn_local(reader);
    fixture.server.shut_down(Duration::from_secs(5)).await;
    all_heard.await.expect("both clients heard what they had to");
    assert!(runtime.connect(address).await.is_err(), "nobody listens any more");
}

pub(super) async fn shutting_down_does_not_wait_for_ever(runtime: Runtime) {
    let fixture = Fixture::start(&runtime, NativeLimits::default());
    let mut client = fixture.connect().await.start(Version::V4, None).await;
    client.send([(1, query("hold"))]).await;
    fixture.until("it has begun", || fixture.begun() == 1).await;
    fixture.server.shut_down(Duration::from_millis(100)).await;
    assert_eq!(client.receive().await, None);
}

pub(super) async fn a_silent_client_is_disconnected(runtime: Runtime) {
    let fixture = Fixture::start(&runtime, NativeLimits::default());
    let mut silent = fixture.connect().await;
    let mut served = fixture.connect().await.start(Version::V4, None).await;
    let start = runtime.clock().monotonic();
    assert_eq!(silent.stream.read(&mut BytesMut::new()).await.expect("an orderly end"), 0);
    let waited = runtime.clock().monotonic() - start;
    assert!(waited >= Duration::from_secs(9) && waited < Duration::from_secs(12), "{waited:?}");
    // Who has said STARTUP may be silent for as long as it likes.
    runtime.sleep(Duration::from_secs(3600)).await;
    assert!(matches!(served.ask("rows 1").await, Response::Rows(_)));
}
