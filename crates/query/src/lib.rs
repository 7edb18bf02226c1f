//! Runs bound statements: schema changes, system tables, and (next) reads and writes.
//!
//! Read in order: [`schema`] (CREATE, ALTER, DROP, DESCRIBE and how a schema is stored), [`system`] (the tables
//! that are there before anybody creates one).
//!
//! Never here: sockets, clocks, randomness.

pub mod modify;
pub mod schema;
pub mod select;
pub mod system;
