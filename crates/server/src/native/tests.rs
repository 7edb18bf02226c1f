//! One suite on real sockets and in the simulated network, with a handler whose statements are the test's
//! own: `rows N`, `later MS`, `hold`, `panic`, `panic later`, `fail`.

mod client;

mod limits;

mod protocol;

use std::cell::Cell;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use model::{CqlType, QueryError};
use runtime::Runtime;
use runtime::real::RealRuntime;
use runtime::sim::SimRuntime;
use tokio::sync::Semaphore;
use wire::response::SentMetadata;
use wire::{ColumnSpec, Extras, RequestBody, Response, ResultMetadata, RowsWriter};

use super::{
    ClientInfo, EventHub, Handled, NativeLimits, NativeServer, Reply, RequestContext, RequestHandler,
};
use client::Client;

/// Seeds of each case in the simulation.
const SEEDS: u64 = 20;

/// How long a case may take on the machine.
const CASE_MAX: Duration = Duration::from_secs(60);

/// The suite's handler.
struct Statements {
    runtime: Runtime,
    metadata: ResultMetadata,
    /// What `hold` waits for.
    gate: Arc<Semaphore>,
    /// Requests that were handed over.
    begun: AtomicUsize,
    /// Requests that were foreseen.
    foreseen: AtomicUsize,
    opened: AtomicUsize,
    closed: AtomicUsize,
}

impl RequestHandler for Statements {
    /// Requests of this connection.
    type Session = Cell<usize>;

    fn open(&self, _: ClientInfo) -> Rc<Cell<usize>> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        Rc::new(Cell::new(0))
    }

    fn foresee(&self, requests: &mut dyn Iterator<Item = &RequestBody>) {
        self.foreseen.fetch_add(requests.count(), Ordering::SeqCst);
    }

    fn handle(
        &self,
        session: &Rc<Cell<usize>>,
        request: RequestBody,
        ctx: &RequestContext,
        out: &mut Vec<u8>,
    ) -> Handled {
        self.begun.fetch_add(1, Ordering::SeqCst);
        session.set(session.get() + 1);
        let RequestBody::Query { text, .. } = request else { return Handled::Ready(Ok(Reply::void())) };
        let (verb, argument) = text.split_once(' ').unwrap_or((&text, ""));
        match (verb, argument) {
            ("rows", count) => {
                let mut rows = RowsWriter::begin(out, &ctx.reply, &self.metadata, SentMetadata::Full);
                for _ in 0..count.parse().expect("a number") {
                    rows.value(Some(&[b'x'; 100]));
                    rows.end_row();
                }
                rows.finish(None, &Extras::default());
                Handled::Written
            }
            ("count", _) => Handled::Ready(Ok(Response::SetKeyspace(session.get().to_string()).into())),
            ("later", ms) => {
                let sleep = self.runtime.sleep(Duration::from_millis(ms.parse().expect("a number")));
                Handled::Pending(Box::pin(async {
                    sleep.await;
                    Ok(Response::SetKeyspace("later".to_string()).into())
                }))
            }
            ("hold", _) => {
                let gate = self.gate.clone();
                Handled::Pending(Box::pin(async move {
                    gate.acquire().await.expect("it stays open").forget();
                    Ok(Reply::void())
                }))
            }
            ("panic", "later") => Handled::Pending(Box::pin(async { panic!("planned, later") })),
            ("panic", _) => {
                out.extend_from_slice(b"torn");
                panic!("planned");
            }
            _ => Handled::Ready(Err(QueryError::Syntax(format!("no statement {text}")))),
        }
    }

    fn close(&self, _: &Rc<Cell<usize>>) {
        self.closed.fetch_add(1, Ordering::SeqCst);
    }
}

/// A server with that handler.
struct Fixture {
    runtime: Runtime,
    server: NativeServer,
    hub: Arc<EventHub>,
    handler: Arc<Statements>,
}

impl Fixture {
    fn start(runtime: &Runtime, limits: NativeLimits) -> Fixture {
        let column =
            ColumnSpec { keyspace: "ks".into(), table: "t".into(), name: "c".into(), ty: CqlType::Blob };
        let handler = Arc::new(Statements {
            runtime: runtime.clone(),
            metadata: ResultMetadata::new(vec![column]),
            gate: Arc::new(Semaphore::new(0)),
            begun: AtomicUsize::new(0),
            foreseen: AtomicUsize::new(0),
            opened: AtomicUsize::new(0),
            closed: AtomicUsize::new(0),
        });
        let hub = EventHub::new();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = NativeServer::start(runtime, address, handler.clone(), hub.clone(), limits)
            .expect("the port is chosen by the system");
        Fixture { runtime: runtime.clone(), server, hub, handler }
    }

    async fn connect(&self) -> Client {
        Client::connect(&self.runtime, self.server.local_addr()).await
    }

    /// Waits until `condition` holds.
    async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        for _ in 0..2000 {
            if condition() {
                return;
            }
            self.runtime.sleep(Duration::from_millis(5)).await;
        }
        panic!("in vain: {what}");
    }

    fn begun(&self) -> usize {
        self.handler.begun.load(Ordering::SeqCst)
    }
}

fn on_real<Fut: Future<Output = ()> + 'static>(case: fn(Runtime) -> Fut) {
    let real = RealRuntime::start(2).expect("threads start");
    real.block_on(move |runtime| async move {
        runtime.timeout(CASE_MAX, case(runtime.clone())).await.expect("a case that hangs has failed");
    });
}

fn on_sim<Fut: Future<Output = ()> + 'static>(case: fn(Runtime) -> Fut) {
    for seed in 0..SEEDS {
        SimRuntime::with_shards(seed, 2).block_on(case);
    }
}

macro_rules! both {
    ($($room:ident::$case:ident)*) => {
        mod on_the_machine {
            $(#[test] fn $case() { super::on_real(super::$room::$case); })*
        }
        mod in_the_simulation {
            $(#[test] fn $case() { super::on_sim(super::$room::$case); })*
        }
    };
}

both! {
    protocol::every_version_and_compression_is_spoken
    protocol::a_client_falls_back_to_a_version_that_we_speak
    protocol::answers_overtake_those_that_wait
    protocol::a_panic_is_one_requests_error
    protocol::requests_that_arrive_together_are_foreseen_and_answered_in_turn
    protocol::requests_before_startup_end_the_connection
    protocol::a_broken_segment_ends_its_connection_only
    protocol::session_requests_are_answered_here
    protocol::events_go_to_who_has_registered
    limits::pending_requests_are_bounded_and_all_are_answered
    limits::who_does_not_read_is_not_read_from
    limits::a_full_node_refuses_early
    limits::a_long_unfinished_request_is_given_up_when_the_node_is_full
    limits::who_is_behind_with_events_is_disconnected
    limits::connections_are_bounded
    limits::shutting_down_finishes_what_is_in_flight
    limits::shutting_down_does_not_wait_for_ever
}

/// Only in the simulation: it takes ten seconds.
#[test]
fn a_silent_client_is_disconnected() {
    on_sim(limits::a_silent_client_is_disconnected);
}
