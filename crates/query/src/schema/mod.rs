//! Schema statements as pure functions: a schema and a statement give the next schema.
//!
//! Nothing is stored or sent from here. The caller takes the [`change::SchemaChange`], writes
//! [`rows::mutations`] into `system_schema`, publishes the new [`model::Schema`] and sends the events.
//!
//! Read in order: [`change`] (the door), then a file for each noun, [`rows`] (a schema as rows of the
//! `system_schema` tables and back), [`describe`] (DESCRIBE).
//!
//! Never here: I/O, clocks, randomness: times and new ids come with [`change::ChangeContext`].

pub mod change;
pub mod describe;
pub mod rows;
