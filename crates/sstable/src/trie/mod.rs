//! On-disk tries: what Partitions.db and Rows.db are made of.
//!
//! Children lie before their parent in the file, and no node crosses a page of 4,096 bytes, so that a lookup
//! reads few pages.
//!
//! Read in order: [`pages`] (bytes of the file), [`node`] (one node), [`walk`] (lookups and iteration),
//! [`builder`] (packing nodes into pages while writing).

pub(crate) mod builder;
pub(crate) mod node;
pub(crate) mod pages;
pub(crate) mod walk;

/// Bytes of a page.
pub(crate) const PAGE_BYTES: usize = 4096;

#[cfg(test)]
mod tests;
