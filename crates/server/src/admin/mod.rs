//! Administration: `nodetool`'s commands over a port on loopback.
//!
//! Read in order: [`nodetool`] (the client).
//!
//! Never here: what a command does to data (`storage`); any address but loopback.

pub mod nodetool;
