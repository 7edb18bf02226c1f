//! Administration: `nodetool`'s commands over a port on loopback.
//!
//! The client sends the words that were typed, the node carries them out and answers with lines of JSON: text to
//! show, progress, at last how the client is to end. Everything that is shown is written here, next to what it shows.
//!
//! Read in order: [`command`] (what is typed) and [`specs`] (all commands), [`protocol`] (what goes over the wire),
//! [`http`] (the port), [`execute`] (commands carried out), [`nodetool`] (the client), [`usage`] (help).
//!
//! Never here: what a command does to data (`storage`); any address but loopback.

pub mod command;
pub mod specs;

pub mod protocol;

mod execute;
mod http;
mod stream;

pub mod nodetool;
mod usage;

mod history;
mod table;
mod tablestats;
mod units;

pub use execute::Admin;
pub use http::AdminServer;
