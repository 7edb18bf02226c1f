//! The tables that are there before anybody creates one: their definitions and what stands in them.
//!
//! `system` and `system_schema` are the node's own; `system_auth`, `system_distributed` and `system_traces`
//! are replicated like any other; `system_views` and `system_virtual_schema` are computed when they are read.
//!
//! Read in order: [`definitions`] (what there is), [`local`] (the row of `system.local`), [`history`] (of compactions),
//! [`virtual_table`].
//!
//! Never here: I/O. Rows are values; who stores or sends them is the caller's business.

pub mod definitions;
pub mod history;
pub mod local;
pub(crate) mod row;
pub mod virtual_table;

/// The release that we are a twin of.
pub const RELEASE_VERSION: &str = "5.0.9";
/// The version of CQL that we speak.
pub const CQL_VERSION: &str = "3.4.7";
