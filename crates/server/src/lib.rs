//! The node: native transport, configuration, life cycle.
//!
//! Read in order: [`native`] (clients over the native protocol).
//!
//! Never here: query semantics.

pub mod native;
