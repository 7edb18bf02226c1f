//! CompressionInfo.db: where each chunk of Data.db begins.

use std::collections::BTreeMap;

use super::compressor::{CHUNK_BYTES_MAX, Compression, Compressor};
use crate::cursor::{Cursor, Fault, put_shortbytes};
use crate::descriptor::Component;
use crate::error::ReadError;

/// The chunk map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CompressionInfo {
    pub(crate) compression: Compression,
    /// Uncompressed bytes of Data.db.
    pub(crate) data_bytes: u64,
    /// Byte in Data.db at which each chunk begins.
    pub(crate) offsets: Vec<u64>,
}

impl CompressionInfo {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let compression = &self.compression;
        let mut out = Vec::with_capacity(64 + 8 * self.offsets.len());
        put_shortbytes(&mut out, compression.compressor.name().as_bytes());
        out.extend_from_slice(&(compression.options.len() as u32).to_be_bytes());
        for (name, value) in &compression.options {
            put_shortbytes(&mut out, name.as_bytes());
            put_shortbytes(&mut out, value.as_bytes());
        }
        out.extend_from_slice(&compression.chunk_bytes.to_be_bytes());
        out.extend_from_slice(&compression.max_compressed_bytes.to_be_bytes());
        out.extend_from_slice(&self.data_bytes.to_be_bytes());
        out.extend_from_slice(&(self.offsets.len() as u32).to_be_bytes());
        for offset in &self.offsets {
            out.extend_from_slice(&offset.to_be_bytes());
        }
        out
    }

    /// Reads the file's bytes; `file_bytes` is the length of Data.db. `is_3x`: a chunk's greatest length is not there.
    pub(crate) fn parse(bytes: &[u8], file_bytes: u64, is_3x: bool) -> Result<CompressionInfo, ReadError> {
        let mut cursor = Cursor::new(bytes);
        let (name, parsed) = parse(&mut cursor, is_3x).map_err(|fault| {
            let found = crate::cursor::describe(fault);
            ReadError::corrupt(Component::CompressionInfo, cursor.position() as u64, found)
        })?;
        let Some(compressor) = Compressor::from_name(&name) else {
            return Err(ReadError::Unsupported { version: format!("compressor {name}") });
        };
        let info =
            CompressionInfo { compression: Compression { compressor, ..parsed.compression }, ..parsed };
        info.check(file_bytes).map_err(|found| ReadError::corrupt(Component::CompressionInfo, 0, found))?;
        Ok(info)
    }

    fn check(&self, file_bytes: u64) -> Result<(), String> {
        let chunk_bytes = u64::from(self.compression.chunk_bytes);
        let chunks = self.data_bytes.div_ceil(chunk_bytes);
        let count = self.offsets.len() as u64;
        if count == 0 || (count != chunks && count != chunks + 1) {
            return Err(format!(
                "{count} chunks of {chunk_bytes} bytes cannot hold {} bytes",
                self.data_bytes
            ));
        }
        let ends = self.offsets.iter().skip(1).copied().chain([file_bytes]);
        if self.offsets[0] != 0
            || self.offsets.iter().zip(ends).any(|(&start, end)| end < start.saturating_add(4))
        {
            return Err("the offsets of chunks do not ascend to the end of Data.db".to_owned());
        }
        Ok(())
    }

    /// Where the payload of a chunk is in Data.db: offset and length, without its CRC.
    pub(crate) fn stored(&self, index: usize, file_bytes: u64) -> Option<(u64, u64)> {
        let start = *self.offsets.get(index)?;
        let end = self.offsets.get(index + 1).copied().unwrap_or(file_bytes);
        Some((start, end.checked_sub(start)?.checked_sub(4)?))
    }
}

fn parse(cursor: &mut Cursor<'_>, is_3x: bool) -> Result<(String, CompressionInfo), Fault> {
    let text = |bytes: &[u8]| {
        String::from_utf8(bytes.to_vec()).map_err(|_| Fault::Bad("a name is not readable text"))
    };
    let name = text(cursor.shortbytes()?)?;
    let mut options = BTreeMap::new();
    for _ in 0..cursor.count(4)? {
        let name = text(cursor.shortbytes()?)?;
        options.insert(name, text(cursor.shortbytes()?)?);
    }
    let chunk_bytes = cursor.u32()?;
    if !chunk_bytes.is_power_of_two() || chunk_bytes > CHUNK_BYTES_MAX {
        return Err(Fault::Bad("the chunk length is no power of two or too large"));
    }
    let max_compressed_bytes = if is_3x { i32::MAX as u32 } else { cursor.u32()? };
    if max_compressed_bytes > i32::MAX as u32 {
        return Err(Fault::Bad("the maximum compressed length is negative"));
    }
    let data_bytes = cursor.i64()?;
    let data_bytes = u64::try_from(data_bytes).map_err(|_| Fault::Bad("the data length is negative"))?;
    let count = cursor.count(8)?;
    let mut offsets = Vec::with_capacity(count);
    for _ in 0..count {
        let offset = cursor.i64()?;
        offsets.push(u64::try_from(offset).map_err(|_| Fault::Bad("a chunk's offset is negative"))?);
    }
    if !cursor.is_at_end() {
        return Err(Fault::Bad("bytes follow the last chunk's offset"));
    }
    let compression =
        Compression { compressor: Compressor::Noop, chunk_bytes, max_compressed_bytes, options };
    Ok((name, CompressionInfo { compression, data_bytes, offsets }))
}
