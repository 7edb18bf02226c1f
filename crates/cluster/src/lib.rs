//! Membership, token ring, replication strategies: who holds which data.
//!
//! A [`Topology`] is an immutable value like the schema: a change makes a new one. Today it has one node, this
//! one; joining, leaving and liveness come with the cluster.
//!
//! Read in order: [`topology`] (nodes and the ring), [`replication`] (which nodes hold a token).
//!
//! Never here: CQL, storage.

pub mod replication;
pub mod topology;

pub use replication::Strategy;
pub use topology::{Node, Topology};
