//! Operators
