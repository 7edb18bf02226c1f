//! Reads Data.db chunk by chunk, and parses pieces of the uncompressed stream that may span chunks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use runtime::DiskFile;
use stdx::crc::crc32;

use super::PLAIN_CHUNK_BYTES;
use super::info::CompressionInfo;
use crate::cursor::{Cursor, Fault, describe};
use crate::descriptor::Component;
use crate::error::ReadError;

/// Data.db, open.
pub(crate) struct DataFile {
    file: Arc<dyn DiskFile>,
    file_bytes: u64,
    layout: Layout,
    /// Chunks read so far: decides which CRCs are checked when not all are.
    reads: AtomicU64,
}

enum Layout {
    Compressed(CompressionInfo),
    /// CRC.db's CRCs, if it was there.
    Plain(Option<Vec<u32>>),
}

impl DataFile {
    pub(crate) fn compressed(file: Arc<dyn DiskFile>, file_bytes: u64, info: CompressionInfo) -> DataFile {
        DataFile { file, file_bytes, layout: Layout::Compressed(info), reads: AtomicU64::new(0) }
    }

    /// `crc`: the bytes of CRC.db.
    pub(crate) fn plain(
        file: Arc<dyn DiskFile>,
        file_bytes: u64,
        crc: Option<&[u8]>,
    ) -> Result<DataFile, ReadError> {
        let crcs = crc.map(|bytes| parse_crcs(bytes, file_bytes)).transpose()?;
        Ok(DataFile { file, file_bytes, layout: Layout::Plain(crcs), reads: AtomicU64::new(0) })
    }

    /// Uncompressed bytes.
    pub(crate) fn data_bytes(&self) -> u64 {
        match &self.layout {
            Layout::Compressed(info) => info.data_bytes,
            Layout::Plain(_) => self.file_bytes,
        }
    }

    pub(crate) fn chunk_bytes(&self) -> u64 {
        match &self.layout {
            Layout::Compressed(info) => u64::from(info.compression.chunk_bytes),
            Layout::Plain(_) => u64::from(PLAIN_CHUNK_BYTES),
        }
    }

    /// The uncompressed bytes of a chunk, which must exist.
    fn chunk(&self, index: u64, crc_check_chance: f64) -> Result<Bytes, ReadError> {
        let start = index * self.chunk_bytes();
        let length = self.chunk_bytes().min(self.data_bytes().saturating_sub(start)) as usize;
        let check = self.is_crc_due(crc_check_chance);
        let corrupt = |found: String| ReadError::corrupt(Component::Data, start, found);
        match &self.layout {
            Layout::Plain(crcs) => {
                let mut bytes = vec![0; length];
                self.read(&mut bytes, start)?;
                if let Some(crcs) = crcs.as_ref().filter(|_| check) {
                    let stored = crcs.get(index as usize).copied();
                    compare_crc(crc32(&bytes), stored).map_err(corrupt)?;
                }
                Ok(bytes.into())
            }
            Layout::Compressed(info) => {
                let (offset, stored) = info
                    .stored(index as usize, self.file_bytes)
                    .ok_or_else(|| corrupt("there is no such chunk".to_owned()))?;
                let limit = 2 * self.chunk_bytes() + 65_536;
                if stored > limit {
                    return Err(corrupt(format!("a chunk of {stored} bytes is larger than any can be")));
                }
                let mut payload = vec![0; stored as usize + 4];
                self.read(&mut payload, offset)?;
                let crc = payload.split_off(stored as usize);
                if check {
                    let crc = u32::from_be_bytes(crc.try_into().expect("4 bytes were read for it"));
                    compare_crc(crc32(&payload), Some(crc)).map_err(corrupt)?;
                }
                if stored >= u64::from(info.compression.max_compressed_bytes) {
                    if payload.len() < length {
                        return Err(corrupt(format!("a raw chunk has {stored} bytes instead of {length}")));
                    }
                    payload.truncate(length);
                    return Ok(payload.into());
                }
                let mut bytes = vec![0; length];
                info.compression.compressor.decompress(&payload, &mut bytes).map_err(corrupt)?;
                Ok(bytes.into())
            }
        }
    }

    /// How many chunks there are.
    pub(crate) fn chunks(&self) -> u64 {
        self.data_bytes().div_ceil(self.chunk_bytes())
    }

    /// Reads and checks a chunk; returns how far the uncompressed stream is done with it.
    pub(crate) fn check_chunk(&self, index: u64) -> Result<u64, ReadError> {
        self.chunk(index, 1.0)?;
        Ok(((index + 1) * self.chunk_bytes()).min(self.data_bytes()))
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), ReadError> {
        self.file
            .read_exact_at(buffer, offset)
            .map_err(|source| ReadError::io(Component::Data, offset, source))
    }

    fn is_crc_due(&self, chance: f64) -> bool {
        if chance >= 1.0 {
            return true;
        }
        let count = self.reads.fetch_add(1, Ordering::Relaxed) as f64;
        (count * chance).floor() != ((count + 1.0) * chance).floor()
    }
}

fn parse_crcs(bytes: &[u8], file_bytes: u64) -> Result<Vec<u32>, ReadError> {
    let corrupt = |found: &str| ReadError::corrupt(Component::Crc, 0, found);
    let (head, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| corrupt("it ends too early"))?;
    let chunk_bytes = u32::from_be_bytes(*head);
    if chunk_bytes != PLAIN_CHUNK_BYTES {
        return Err(ReadError::Unsupported { version: format!("CRC.db with chunks of {chunk_bytes} bytes") });
    }
    let (crcs, rest) = rest.as_chunks::<4>();
    if !rest.is_empty() || crcs.len() as u64 != file_bytes.div_ceil(u64::from(chunk_bytes)) {
        return Err(corrupt("it does not have one CRC for each chunk of Data.db"));
    }
    Ok(crcs.iter().map(|crc| u32::from_be_bytes(*crc)).collect())
}

fn compare_crc(computed: u32, stored: Option<u32>) -> Result<(), String> {
    match stored {
        Some(stored) if stored == computed => Ok(()),
        Some(stored) => Err(format!("CRC32 is {computed:08x}, the file says {stored:08x}")),
        None => Err("a chunk has no CRC".to_owned()),
    }
}

/// A place in the uncompressed stream, with the bytes around it.
pub(crate) struct DataCursor {
    data: Arc<DataFile>,
    crc_check_chance: f64,
    window: Bytes,
    window_start: u64,
    at: usize,
}

impl DataCursor {
    pub(crate) fn new(data: Arc<DataFile>, position: u64, crc_check_chance: f64) -> DataCursor {
        DataCursor { data, crc_check_chance, window: Bytes::new(), window_start: position, at: 0 }
    }

    pub(crate) fn position(&self) -> u64 {
        self.window_start + self.at as u64
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.position() >= self.data.data_bytes()
    }

    pub(crate) fn seek(&mut self, position: u64) {
        let inside = position.checked_sub(self.window_start).filter(|at| *at < self.window.len() as u64);
        match inside {
            Some(at) => self.at = at as usize,
            None => {
                self.window = Bytes::new();
                self.window_start = position;
                self.at = 0;
            }
        }
    }

    /// Goes `count` bytes on; they need not be read.
    pub(crate) fn skip(&mut self, count: u64) {
        self.seek(self.position().saturating_add(count));
    }

    /// Parses one piece that begins here, and goes past it. `parse` gets the bytes (for values to share) and
    /// a cursor into them; it is called again with more bytes when these end too early.
    #[inline]
    pub(crate) fn parse<T>(
        &mut self,
        mut parse: impl FnMut(&Bytes, &mut Cursor<'_>) -> Result<T, Fault>,
    ) -> Result<T, ReadError> {
        loop {
            let mut cursor = Cursor::starting_at(&self.window, self.at);
            match parse(&self.window, &mut cursor) {
                Ok(parsed) => {
                    self.at = cursor.position();
                    return Ok(parsed);
                }
                Err(Fault::Bad(found)) => return Err(self.corrupt(found)),
                Err(fault @ Fault::Short(needed)) => {
                    let more = needed.saturating_sub(self.at).max(self.window.len() - self.at + 1);
                    if more as u64 > self.data.data_bytes().saturating_sub(self.position()) {
                        return Err(self.corrupt(describe(fault)));
                    }
                    self.fill(more)?;
                }
            }
        }
    }

    /// Makes at least `count` bytes from here on available; so many must exist.
    fn fill(&mut self, count: usize) -> Result<(), ReadError> {
        let position = self.position();
        let rest = self.window.split_off(self.at);
        let chunk_bytes = self.data.chunk_bytes();
        if rest.is_empty() {
            let index = position / chunk_bytes;
            self.window = self.data.chunk(index, self.crc_check_chance)?;
            self.window_start = index * chunk_bytes;
            self.at = (position - self.window_start) as usize;
            if self.window.len() - self.at >= count {
                return Ok(());
            }
            return self.fill(count);
        }
        let mut bytes = Vec::with_capacity(count.max(rest.len()) + chunk_bytes as usize);
        bytes.extend_from_slice(&rest);
        while bytes.len() < count {
            let next = position + bytes.len() as u64;
            let index = next / chunk_bytes;
            let chunk = self.data.chunk(index, self.crc_check_chance)?;
            let skip = (next - index * chunk_bytes) as usize;
            if skip >= chunk.len() {
                return Err(self.corrupt("it ends too early"));
            }
            bytes.extend_from_slice(&chunk[skip..]);
        }
        self.window = bytes.into();
        self.window_start = position;
        self.at = 0;
        Ok(())
    }

    pub(crate) fn corrupt(&self, found: impl Into<String>) -> ReadError {
        ReadError::corrupt(Component::Data, self.position(), found)
    }
}
