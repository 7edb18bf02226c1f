//! Accepts connections and spreads them over the shards; shuts down.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use runtime::{Listener, Runtime, Stream};

use super::NativeLimits;
use super::budget::Budget;
use super::connection::{self, Shared};
use super::events::{EventHub, Stage, Subscription};
use super::handler::RequestHandler;

/// How long accepting rests after an error: it is a lack of descriptors, mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The native transport of a node, on one address.
pub struct NativeServer {
    runtime: Runtime,
    address: SocketAddr,
    hub: Arc<EventHub>,
}

impl NativeServer {
    /// Listens on `address` (port 0: the system chooses) and serves clients from then on. Must be called on
    /// a shard's thread, which will accept for all of them.
    pub fn start<H: RequestHandler>(
        runtime: &Runtime,
        address: SocketAddr,
        handler: Arc<H>,
        hub: Arc<EventHub>,
        limits: NativeLimits,
    ) -> io::Result<NativeServer> {
        let listener = runtime.listen(address)?;
        let address = listener.local_addr();
        let budget = Budget::new(limits.node_bytes_max);
        let shared = Arc::new(Shared { runtime: runtime.clone(), handler, limits, budget });
        // The acceptor is a subscriber too: that is how it hears of the shutdown.
        let acceptor = Acceptor { listener, shared, hub: hub.clone(), next_shard: 0 };
        runtime.spawn_local(acceptor.run(hub.subscribe(0)));
        Ok(NativeServer { runtime: runtime.clone(), address, hub })
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What ends serving for good, while the process stays.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.hub.clone())
    }

    /// How many clients are connected.
    pub fn connection_count(&self) -> usize {
        self.hub.connection_count().saturating_sub(1)
    }

    /// Accepts nothing more, lets every connection finish what is in flight, for `grace` at most, and then
    /// ends those that are left. Returns when all have ended.
    pub async fn shut_down(self, grace: Duration) {
        self.hub.close(&self.runtime, grace).await;
    }
}

/// Ends a [`NativeServer`]'s service from where it is not owned.
pub struct Stopper(Arc<EventHub>);

impl Stopper {
    /// Accepts nothing more and ends all connections at once: what is in flight may not be answered by a node whose
    /// disk failed.
    pub fn stop(&self) {
        self.0.set_stage(Stage::Aborting);
    }
}

struct Acceptor<H> {
    listener: Listener,
    shared: Arc<Shared<H>>,
    hub: Arc<EventHub>,
    next_shard: usize,
}

impl<H: RequestHandler> Acceptor<H> {
    async fn run(mut self, subscription: Subscription) {
        while let Some(accepted) = self.accept(&subscription).await {
            match accepted {
                Ok(stream) => self.place(stream),
                Err(error) => {
                    tracing::warn!("a connection could not be accepted: {error}");
                    self.shared.runtime.sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// The next connection; `None` when the node shuts down.
    async fn accept(&self, subscription: &Subscription) -> Option<io::Result<Stream>> {
        let mut accept = pin!(self.listener.accept());
        poll_fn(|cx| {
            if subscription.take(cx, false).stage > Stage::Open {
                return Poll::Ready(None);
            }
            accept.as_mut().poll(cx).map(Some)
        })
        .await
    }

    /// Gives a connection to a shard, to each in turn.
    fn place(&mut self, stream: Stream) {
        // The acceptor's own subscription is among them.
        if self.hub.connection_count() > self.shared.limits.connections_max {
            tracing::warn!(peer = %stream.peer_addr(), "refused: there are as many connections as are allowed");
            return;
        }
        let runtime = &self.shared.runtime;
        let shard = self.next_shard;
        self.next_shard = (shard + 1) % runtime.shard_count();
        let subscription = self.hub.subscribe(self.shared.limits.events_max);
        let shared = self.shared.clone();
        if runtime.current_shard() == Some(shard) {
            runtime.spawn_local(connection::serve(shared, stream, subscription));
            return;
        }
        match stream.detach() {
            Ok(detached) => runtime.spawn_on(shard, move || async move {
                match detached.attach() {
                    Ok(stream) => connection::serve(shared, stream, subscription).await,
                    Err(error) => tracing::warn!("a connection could not be moved to its shard: {error}"),
                }
            }),
            Err(error) => tracing::warn!("a connection could not be moved to its shard: {error}"),
        }
    }
}
