//! A plain client of the native protocol, for asking any node, Helenus or Cassandra, the same things.
//!
//! One connection, one request at a time, blocking. Read in order: [`client`], [`statements`] (from a
//! text with many statements to each), [`literal`] (values as CQL text), [`bind`] (and back, for markers).

pub mod bind;
pub mod client;
pub mod literal;
pub mod statements;

pub use client::Client;
