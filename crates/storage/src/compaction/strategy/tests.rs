//! Tests: scripts that a Cassandra user can read (`testdata/compaction`), and laws.

mod simulate;

mod script;

mod laws;
