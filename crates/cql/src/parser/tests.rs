//! Statements run against a real Cassandra: what it accepted must parse, what it refused as syntax must be refused in
//! the same words.

mod corpus;
mod robustness;
mod shapes;
