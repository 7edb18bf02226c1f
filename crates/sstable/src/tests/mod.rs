//! Tests of whole SSTables: Cassandra's own files, random ones, damaged ones.

mod damage;
mod expected;
mod fixtures;
mod random;
mod support;
