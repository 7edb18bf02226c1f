//! Writes Data.db: cuts the stream into chunks, compresses them, and keeps the CRCs.

use std::sync::Arc;

use runtime::{Disk, DiskFile, OpenMode};
use stdx::crc::{Crc32, crc32};

use super::PLAIN_CHUNK_BYTES;
use super::compressor::{Compression, Compressor};
use super::effort::Effort;
use super::info::CompressionInfo;
use crate::descriptor::{Component, Descriptor};
use crate::error::WriteError;

/// Bytes that are gathered before one write: so few that the kernel copies them out of a core's cache.
const WRITE_BYTES: usize = 128 << 10;

/// A file that is written from its start to its end.
pub(crate) struct Appender {
    component: Component,
    file: Arc<dyn DiskFile>,
    pending: Vec<u8>,
    written: u64,
}

impl Appender {
    pub(crate) fn create(
        disk: &Arc<dyn Disk>,
        descriptor: &Descriptor,
        component: Component,
    ) -> Result<Appender, WriteError> {
        let file = disk
            .open(&descriptor.path(component), OpenMode::CreateNew)
            .map_err(|source| WriteError::Io { component, source })?;
        Ok(Appender { component, file, pending: Vec::new(), written: 0 })
    }

    pub(crate) fn position(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= WRITE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        self.file.write_all_at(&self.pending, self.written).map_err(|source| self.error(source))?;
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Writes what is left and makes it outlast a power loss; returns the file's length.
    pub(crate) fn finish(mut self) -> Result<u64, WriteError> {
        self.flush()?;
        self.file.sync_data().map_err(|source| self.error(source))?;
        Ok(self.written)
    }

    fn error(&self, source: std::io::Error) -> WriteError {
        WriteError::Io { component: self.component, source }
    }
}

/// Data.db under construction.
pub(crate) struct DataWriter {
    file: Appender,
    chunk: Vec<u8>,
    chunk_bytes: usize,
    /// Uncompressed bytes in full chunks.
    flushed: u64,
    compression: Option<Compression>,
    effort: Effort,
    compressed: Vec<u8>,
    offsets: Vec<u64>,
    /// Stored bytes without CRCs.
    payload_bytes: u64,
    crcs: Vec<u8>,
    digest: Crc32,
}

/// What is known once Data.db is complete.
pub(crate) struct DataWritten {
    pub(crate) file_bytes: u64,
    pub(crate) data_bytes: u64,
    pub(crate) compression_ratio: f64,
    /// CompressionInfo.db or CRC.db.
    pub(crate) map: (Component, Vec<u8>),
    /// Digest.crc32.
    pub(crate) digest: String,
}

impl DataWriter {
    pub(crate) fn new(file: Appender, compression: Option<Compression>) -> DataWriter {
        let chunk_bytes = compression.as_ref().map_or(PLAIN_CHUNK_BYTES, |c| c.chunk_bytes) as usize;
        DataWriter {
            file,
            chunk: Vec::with_capacity(chunk_bytes),
            chunk_bytes,
            flushed: 0,
            compression,
            effort: Effort::default(),
            compressed: Vec::new(),
            offsets: Vec::new(),
            payload_bytes: 0,
            crcs: Vec::new(),
            digest: Crc32::new(),
        }
    }

    /// Place in the uncompressed stream.
    pub(crate) fn position(&self) -> u64 {
        self.flushed + self.chunk.len() as u64
    }

    /// Bytes of the file, without the chunk that is not full.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.file.position()
    }

    pub(crate) fn append(&mut self, mut bytes: &[u8]) -> Result<(), WriteError> {
        while !bytes.is_empty() {
            let room = self.chunk_bytes - self.chunk.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.chunk.extend_from_slice(now);
            bytes = later;
            if self.chunk.len() == self.chunk_bytes {
                self.flush_chunk()?;
            }
        }
        Ok(())
    }

    fn flush_chunk(&mut self) -> Result<(), WriteError> {
        self.flushed += self.chunk.len() as u64;
        let Some(compression) = &self.compression else {
            self.crcs.extend_from_slice(&crc32(&self.chunk).to_be_bytes());
            self.digest.update(&self.chunk);
            self.file.append(&self.chunk)?;
            self.chunk.clear();
            return Ok(());
        };
        self.offsets.push(self.file.position());
        let (compressor, level) = (compression.compressor, compression.level());
        let is_tried = self.effort.pays();
        let put = if is_tried { Compressor::compress } else { Compressor::store };
        put(compressor, &self.chunk, level, &mut self.compressed)
            .map_err(|found| WriteError::Compression { found })?;
        let max = compression.max_compressed_bytes as usize;
        if self.compressed.len() >= max {
            self.compressed.clear();
            self.compressed.extend_from_slice(&self.chunk);
            if self.compressed.len() < max {
                self.compressed.resize(max, 0);
            }
        }
        if is_tried {
            self.effort.note(self.chunk.len(), self.compressed.len());
        }
        self.payload_bytes += self.compressed.len() as u64;
        let crc = crc32(&self.compressed);
        self.compressed.extend_from_slice(&crc.to_be_bytes());
        self.digest.update(&self.compressed);
        self.file.append(&self.compressed)?;
        self.chunk.clear();
        Ok(())
    }

    /// Completes and syncs Data.db.
    pub(crate) fn finish(mut self) -> Result<DataWritten, WriteError> {
        if !self.chunk.is_empty() {
            self.flush_chunk()?;
        }
        let data_bytes = self.flushed;
        let file_bytes = self.file.finish()?;
        let digest = self.digest.value().to_string();
        let (map, compression_ratio) = match self.compression {
            None => {
                let mut crc = PLAIN_CHUNK_BYTES.to_be_bytes().to_vec();
                crc.extend_from_slice(&self.crcs);
                ((Component::Crc, crc), -1.0)
            }
            Some(compression) => {
                let info = CompressionInfo { compression, data_bytes, offsets: self.offsets };
                let ratio = self.payload_bytes as f64 / data_bytes as f64;
                ((Component::CompressionInfo, info.encode()), ratio)
            }
        };
        Ok(DataWritten { file_bytes, data_bytes, compression_ratio, map, digest })
    }
}
