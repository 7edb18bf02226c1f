//! Tests of whole SSTables: Cassandra's own files, random ones, damaged ones.

mod columns;
mod damage;
mod expected;
mod export;
mod fixtures;
pub(crate) mod random;
pub(crate) mod support;
