//! Whole nodes from one seed: a workload, faults, a checker.
//!
//! A simulated machine runs the node as it is, protocol, storage and all; clients on another machine talk to it
//! over the simulated network. Everything that could differ between two runs is drawn from the seed.
//!
//! Read in order: [`power_loss`] (the scenario), [`client`] (who writes and checks).
//!
//! Never here: anything that the real node does not have.

pub mod client;

pub mod power_loss;
