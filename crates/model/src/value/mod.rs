//! Values: how the bytes of each type are checked, ordered, printed and parsed.
//!
//! Read in order: [`validate`], [`order`], [`comparable`] (byte-comparable form), [`collection`] (taking
//! collections, tuples, vectors apart and putting them together), [`name`] (names of types),
//! [`literal`] (CQL text), [`json`].

pub mod collection;
pub mod comparable;
pub mod json;
pub mod literal;
pub mod name;
pub mod number;
pub mod order;
pub mod time;
pub mod validate;

#[cfg(test)]
mod tests;
