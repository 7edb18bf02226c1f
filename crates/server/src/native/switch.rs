//! The native transport off and on again while the node runs: `nodetool disablebinary`, `enablebinary`.
//!
//! Off: nothing listens on the port, and no client is connected. On: as after a start, on the same address.
//!
//! Never here: connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use runtime::Runtime;

use super::events::{EventHub, Stage};
use super::handler::RequestHandler;
use super::{NativeLimits, NativeServer};

/// How long requests in flight may take when the transport is switched off.
const GRACE: Duration = Duration::from_secs(10);

type Start = dyn Fn(&Runtime, SocketAddr) -> io::Result<NativeServer> + Send + Sync;

/// Starts and stops a node's native transport.
pub struct NativeSwitch {
    start: Box<Start>,
    hub: Arc<EventHub>,
    /// Where it listens when it is on; one change at a time.
    address: tokio::sync::Mutex<SocketAddr>,
    /// It was closed for good, and why.
    closed: Mutex<Option<&'static str>>,
}

impl NativeSwitch {
    /// A switch that is off.
    pub fn new<H: RequestHandler>(
        address: SocketAddr,
        handler: Arc<H>,
        hub: Arc<EventHub>,
        limits: NativeLimits,
    ) -> Arc<NativeSwitch> {
        let server_hub = hub.clone();
        let start = move |runtime: &Runtime, address: SocketAddr| {
            NativeServer::start(runtime, address, handler.clone(), server_hub.clone(), limits)
        };
        let (start, address) = (Box::new(start), tokio::sync::Mutex::new(address));
        Arc::new(NativeSwitch { start, hub, address, closed: Mutex::default() })
    }

    /// Listens for the first time; must be called on a shard's thread. The port is kept, if the system chose it.
    pub fn start(&self, runtime: &Runtime) -> io::Result<NativeServer> {
        let mut address = self.address.try_lock().map_err(|_| io::Error::other("it is being switched"))?;
        let server = (self.start)(runtime, *address)?;
        *address = server.local_addr();
        Ok(server)
    }

    /// True if clients are served.
    pub fn is_running(&self) -> bool {
        self.hub.is_open()
    }

    /// Stops listening and lets all clients go: what they asked is answered first, unless `force` says otherwise.
    /// Nothing happens if it is off.
    pub async fn disable(&self, runtime: &Runtime, force: bool) {
        let _one_at_a_time = self.address.lock().await;
        if self.is_running() {
            self.hub.close(runtime, if force { Duration::ZERO } else { GRACE }).await;
        }
    }

    /// Listens again, on a shard's thread; nothing happens if it is on. An error is for the operator.
    pub async fn enable(&self, runtime: &Runtime) -> Result<(), String> {
        let address = self.address.lock().await;
        if let Some(why) = *self.closed.lock() {
            return Err(format!("Unable to start native transport because {why}."));
        }
        if self.is_running() {
            return Ok(());
        }
        self.hub.set_stage(Stage::Open);
        (self.start)(runtime, *address).map(drop).map_err(|error| {
            self.hub.set_stage(Stage::Closing);
            format!("cannot listen on {address}: {error}")
        })
    }

    /// As [`NativeSwitch::disable`], and [`NativeSwitch::enable`] refuses from then on: the node is drained.
    pub async fn close_for_good(&self, runtime: &Runtime, grace: Duration) {
        *self.closed.lock() = Some("the node is draining");
        let _one_at_a_time = self.address.lock().await;
        self.hub.close(runtime, grace).await;
        *self.closed.lock() = Some("the node was drained");
    }
}
