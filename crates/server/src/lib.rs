//! The node: native transport, configuration, life cycle.
//!
//! Read in order: [`node`] (start, serve, drain), [`config`] (cassandra.yaml and what overrides it), [`identity`]
//! (what a node keeps of itself), [`requests`] (requests carried out), [`native`] (clients over the native protocol), [`admin`] (nodetool).
//!
//! Never here: query semantics.

pub mod node;

pub mod config;

pub mod failure;

pub mod identity;

pub mod requests;

pub mod native;

pub mod admin;
