//! Data.db as chunks: compressed ones with a map in CompressionInfo.db, or plain ones with CRC.db.
//!
//! Read in order: [`compressor`] (algorithms and table options), [`effort`] (when compressing pays), [`info`] (the
//! chunk map), [`reader`], [`writer`].

pub(crate) mod compressor;
mod effort;
pub(crate) mod info;
pub(crate) mod reader;
pub(crate) mod writer;

/// Bytes that CRC.db has a CRC for each.
pub(crate) const PLAIN_CHUNK_BYTES: u32 = 65_536;

#[cfg(test)]
mod tests;
