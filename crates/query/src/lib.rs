//! Runs bound statements.
