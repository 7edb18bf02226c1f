//! The vocabulary of the house.
