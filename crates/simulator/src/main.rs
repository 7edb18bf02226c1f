//! Whole nodes from one seed.
fn main() {}
