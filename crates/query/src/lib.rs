//! Runs bound statements: paging, filters, functions, aggregates, conditions, schema changes, system tables.
//!
//! Read in order: [`executor`] (what the server calls), [`statement`] (what is prepared), [`select`], [`modify`],
//! [`schema`] (CREATE, ALTER, DROP, DESCRIBE and how a schema is stored), [`system`] (the tables that are there
//! before anybody creates one).
//!
//! Never here: sockets, frames, threads; time and randomness come through `runtime`.

pub mod executor;
pub mod modify;
pub mod prepared;
pub mod schema;
pub mod select;
pub mod statement;
pub mod system;
