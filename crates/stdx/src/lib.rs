//! What std lacks: variable-length integers, checksums, a seeded random number generator.
