//! Damaged statements: an error each, never a panic, never a hang.
