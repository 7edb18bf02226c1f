//! Native transport: clients of the native protocol.
//!
//! A connection is one task on the thread of one shard, and stays there. What has arrived is decoded, each
//! request goes to the [`RequestHandler`], and what is ready together leaves in one write. A request that
//! has to wait (for the commit log's sync, for other replicas) is a future in the connection's set of
//! pending requests; the others go on, answers overtake each other.
//!
//! Everything is bounded ([`NativeLimits`]): a connection that has too much in flight, or does not read its
//! answers, is not read from; a node that has too much in flight answers OVERLOADED.
//!
//! Read in order: [`handler`] (whom requests go to), [`server`] (accepting, shutting down), [`connection`],
//! [`startup`] (OPTIONS and STARTUP), [`pending`], [`events`] (news for clients), [`budget`], [`error`].
//!
//! Never here: CQL, what a request means, threads of its own.

pub mod handler;

pub mod server;

mod connection;

mod startup;

mod pending;

pub mod events;

mod budget;

pub mod error;

use std::time::Duration;

pub use events::EventHub;
pub use handler::{ClientInfo, Handled, Outcome, Reply, RequestContext, RequestHandler};
pub(crate) use pending::synced_outcome;
pub use server::{NativeServer, Stopper};

mod switch;
pub use switch::NativeSwitch;

/// How much clients may ask for at once.
#[derive(Clone, Copy, Debug)]
pub struct NativeLimits {
    /// Connections of the node; further ones are closed at once.
    pub connections_max: usize,
    /// Longest request; a longer one is refused. Cassandra's `native_transport_max_frame_size`.
    pub request_bytes_max: usize,
    /// Requests of one connection that wait for their answer; beyond, nothing more is read from it.
    pub pending_requests_max: usize,
    /// Bytes of those requests; beyond, nothing more is read from it.
    pub pending_bytes_max: usize,
    /// Bytes of answers that a connection has not taken yet; beyond, nothing more is read from it.
    pub unsent_bytes_max: usize,
    /// Bytes of requests and unsent answers of the whole node; beyond, requests are answered OVERLOADED.
    pub node_bytes_max: usize,
    /// Events that a client may be behind; beyond, it is disconnected.
    pub events_max: usize,
    /// How long STARTUP may take.
    pub handshake: Duration,
    /// How long a connection that is being closed may take to get its last answers.
    pub farewell: Duration,
}

impl Default for NativeLimits {
    fn default() -> NativeLimits {
        NativeLimits {
            connections_max: 16_384,
            request_bytes_max: 16 << 20,
            pending_requests_max: 1024,
            pending_bytes_max: 32 << 20,
            unsent_bytes_max: 1 << 20,
            node_bytes_max: 256 << 20,
            events_max: 1024,
            handshake: Duration::from_secs(10),
            farewell: Duration::from_secs(1),
        }
    }
}

#[cfg(test)]
mod tests;
