//! Statements and their trees.
