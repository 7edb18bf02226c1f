//! Tests of whole SSTables: Cassandra's own files, random ones, damaged ones.

mod bugs;
mod change;
mod columns;
mod copy;
mod damage;
mod expected;
mod export;
mod fixtures;
mod plain;
pub(crate) mod random;
mod scrub;
pub(crate) mod support;
mod verify;
