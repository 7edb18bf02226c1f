//! What std lacks: variable-length integers, checksums, a seeded random number generator, prefetching.
//!
//! The ground floor: every crate may use it.
//!
//! Read in order: [`vint`], [`crc`], [`prng`], [`prefetch`].
//!
//! Never here: anything of Cassandra beyond the bytes of an integer, I/O, clocks, OS randomness.

pub mod vint;

pub mod crc;

pub mod prng;

pub mod prefetch;
