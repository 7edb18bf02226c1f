//! The bytes of Data.db: partitions, rows, markers, cells.
//!
//! Read in order: [`flags`] (the flag bytes), [`deletion`] and [`clustering`] (pieces), [`columns`] (which stored
//! column is which of the table), [`encode`], [`decode`], [`plain`] (rows in place).

pub(crate) mod clustering;
pub(crate) mod columns;
pub(crate) mod decode;
pub(crate) mod deletion;
pub(crate) mod encode;
pub(crate) mod flags;
pub(crate) mod plain;
