//! Reads Data.db chunk by chunk, and parses pieces of the uncompressed stream that may span chunks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use runtime::DiskFile;
use stdx::crc::crc32;
use stdx::prefetch::prefetch_bytes;

use super::PLAIN_CHUNK_BYTES;
use super::info::CompressionInfo;
use crate::cache::BlockCache;
use crate::cache::file::{Ahead, BlockFile, CachedFile};
use crate::cursor::{Cursor, Fault, describe};
use crate::descriptor::Component;
use crate::error::ReadError;

/// Data.db, open.
pub(crate) struct DataFile {
    chunks: Arc<DataChunks>,
    file: CachedFile,
}

/// How its chunks are stored.
struct DataChunks {
    file: Arc<dyn DiskFile>,
    file_bytes: u64,
    layout: Layout,
    /// Which part of the CRCs is checked: bits of a float.
    crc_check_chance: AtomicU64,
    /// Chunks read so far: decides which CRCs are checked when not all are.
    reads: AtomicU64,
}

enum Layout {
    Compressed(CompressionInfo),
    /// CRC.db's CRCs, if it was there.
    Plain(Option<Vec<u32>>),
}

impl DataFile {
    pub(crate) fn compressed(
        file: Arc<dyn DiskFile>,
        file_bytes: u64,
        info: CompressionInfo,
        cache: Option<&Arc<BlockCache>>,
    ) -> DataFile {
        DataFile::new(file, file_bytes, Layout::Compressed(info), cache)
    }

    /// `crc`: the bytes of CRC.db.
    pub(crate) fn plain(
        file: Arc<dyn DiskFile>,
        file_bytes: u64,
        crc: Option<&[u8]>,
        cache: Option<&Arc<BlockCache>>,
    ) -> Result<DataFile, ReadError> {
        let crcs = crc.map(|bytes| parse_crcs(bytes, file_bytes)).transpose()?;
        Ok(DataFile::new(file, file_bytes, Layout::Plain(crcs), cache))
    }

    fn new(
        file: Arc<dyn DiskFile>,
        file_bytes: u64,
        layout: Layout,
        cache: Option<&Arc<BlockCache>>,
    ) -> DataFile {
        let crc_check_chance = AtomicU64::new(1_f64.to_bits());
        let chunks =
            Arc::new(DataChunks { file, file_bytes, layout, crc_check_chance, reads: AtomicU64::new(0) });
        let file = CachedFile::new(chunks.clone(), cache);
        DataFile { chunks, file }
    }

    /// Uncompressed bytes.
    pub(crate) fn data_bytes(&self) -> u64 {
        self.chunks.data_bytes()
    }

    /// Bytes on the disk.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.chunks.file_bytes
    }

    /// Bytes of memory that its open file takes: where chunks are, or their CRCs.
    pub(crate) fn held_bytes(&self) -> usize {
        match &self.chunks.layout {
            Layout::Compressed(info) => size_of_val(&*info.offsets),
            Layout::Plain(crcs) => crcs.as_ref().map_or(0, |crcs| size_of_val(&**crcs)),
        }
    }

    fn chunk_bytes(&self) -> u64 {
        self.chunks.chunk_bytes()
    }

    /// How many chunks there are.
    pub(crate) fn chunks(&self) -> u64 {
        self.data_bytes().div_ceil(self.chunk_bytes())
    }

    /// Reads and checks a chunk; returns how far the uncompressed stream is done with it.
    pub(crate) fn check_chunk(&self, index: u64) -> Result<u64, ReadError> {
        self.file.block(index)?;
        Ok(((index + 1) * self.chunk_bytes()).min(self.data_bytes()))
    }

    /// From now on CRCs are checked with this chance.
    pub(crate) fn set_crc_check_chance(&self, chance: f64) {
        let held = &self.chunks.crc_check_chance;
        if held.load(Ordering::Relaxed) != chance.to_bits() {
            held.store(chance.to_bits(), Ordering::Relaxed);
        }
    }
}

impl DataChunks {
    fn data_bytes(&self) -> u64 {
        match &self.layout {
            Layout::Compressed(info) => info.data_bytes,
            Layout::Plain(_) => self.file_bytes,
        }
    }

    fn chunk_bytes(&self) -> u64 {
        match &self.layout {
            Layout::Compressed(info) => u64::from(info.compression.chunk_bytes),
            Layout::Plain(_) => u64::from(PLAIN_CHUNK_BYTES),
        }
    }

    fn corrupt(&self, index: u64, found: impl Into<String>) -> ReadError {
        ReadError::corrupt(Component::Data, index * self.chunk_bytes(), found)
    }

    fn is_crc_due(&self) -> bool {
        let chance = f64::from_bits(self.crc_check_chance.load(Ordering::Relaxed));
        if chance >= 1.0 {
            return true;
        }
        let count = self.reads.fetch_add(1, Ordering::Relaxed) as f64;
        (count * chance).floor() != ((count + 1.0) * chance).floor()
    }
}

impl BlockFile for DataChunks {
    fn component(&self) -> Component {
        Component::Data
    }

    fn file(&self) -> &Arc<dyn DiskFile> {
        &self.file
    }

    fn count(&self) -> u64 {
        self.data_bytes().div_ceil(self.chunk_bytes())
    }

    fn place(&self, index: u64) -> Result<(u64, usize), ReadError> {
        match &self.layout {
            Layout::Plain(_) => {
                let start = index * self.chunk_bytes();
                let length = self.chunk_bytes().min(self.file_bytes.saturating_sub(start));
                Ok((start, length as usize))
            }
            Layout::Compressed(info) => {
                let (offset, stored) = info
                    .stored(index as usize, self.file_bytes)
                    .ok_or_else(|| self.corrupt(index, "there is no such chunk"))?;
                if stored > 2 * self.chunk_bytes() + 65_536 {
                    let found = format!("a chunk of {stored} bytes is larger than any can be");
                    return Err(self.corrupt(index, found));
                }
                Ok((offset, stored as usize + 4))
            }
        }
    }

    fn decode(&self, index: u64, stored: &[u8]) -> Result<Bytes, ReadError> {
        let corrupt = |found: String| self.corrupt(index, found);
        let start = index * self.chunk_bytes();
        let length = self.chunk_bytes().min(self.data_bytes().saturating_sub(start)) as usize;
        let check = self.is_crc_due();
        match &self.layout {
            Layout::Plain(crcs) => {
                if let Some(crcs) = crcs.as_ref().filter(|_| check) {
                    compare_crc(crc32(stored), crcs.get(index as usize).copied()).map_err(corrupt)?;
                }
                Ok(Bytes::copy_from_slice(stored))
            }
            Layout::Compressed(info) => {
                let (payload, crc) = stored.split_last_chunk::<4>().expect("place() counts 4 bytes for it");
                if check {
                    compare_crc(crc32(payload), Some(u32::from_be_bytes(*crc))).map_err(corrupt)?;
                }
                if payload.len() as u64 >= u64::from(info.compression.max_compressed_bytes) {
                    let Some(raw) = payload.get(..length) else {
                        let found = format!("a raw chunk has {} bytes instead of {length}", payload.len());
                        return Err(corrupt(found));
                    };
                    return Ok(Bytes::copy_from_slice(raw));
                }
                let mut bytes = vec![0; length];
                info.compression.compressor.decompress(payload, &mut bytes).map_err(corrupt)?;
                Ok(bytes.into())
            }
        }
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

/// Bytes behind a piece of two chunks that are copied together with it: the most rows end within them.
const JOINED_BYTES: usize = 256;

/// How far in front of what is parsed its memory is asked for: a few rows.
const LOOK_AHEAD_BYTES: usize = 1024;

/// A place in the uncompressed stream, with the bytes around it.
pub(crate) struct DataCursor {
    data: Arc<DataFile>,
    /// Set if it goes on for long: then it fetches large pieces.
    ahead: Option<Box<Ahead>>,
    /// The chunk that was read last.
    last: Option<(u64, Bytes)>,
    window: Bytes,
    window_start: u64,
    at: usize,
}

impl DataCursor {
    pub(crate) fn new(data: Arc<DataFile>, position: u64) -> DataCursor {
        DataCursor { data, ahead: None, last: None, window: Bytes::new(), window_start: position, at: 0 }
    }

    /// From now on it reads ahead, and does not push others out of the cache.
    pub(crate) fn read_ahead(mut self) -> DataCursor {
        self.ahead.get_or_insert_default();
        self
    }

    fn chunk(&mut self, index: u64) -> Result<Bytes, ReadError> {
        if let Some((at, chunk)) = &self.last
            && *at == index
        {
            return Ok(chunk.clone());
        }
        let chunk = match &mut self.ahead {
            Some(ahead) => ahead.block(&self.data.file, index),
            None => self.data.file.block(index),
        }?;
        self.last = Some((index, chunk.clone()));
        Ok(chunk)
    }

    pub(crate) fn position(&self) -> u64 {
        self.window_start + self.at as u64
    }

    /// The bytes around it: what the last piece was parsed from.
    pub(crate) fn window(&self) -> &Bytes {
        &self.window
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
                    let end = cursor.position();
                    self.look_ahead(end);
                    self.at = end;
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

    /// Asks for the memory some way behind `end`, up to which the piece goes that was just parsed: of a block that was
    /// not used for long each row would have to wait for it.
    #[inline]
    fn look_ahead(&self, end: usize) {
        let wanted = (self.at + LOOK_AHEAD_BYTES)..(end + LOOK_AHEAD_BYTES).min(self.window.len());
        if let Some(bytes) = self.window.get(wanted) {
            prefetch_bytes(bytes);
        }
    }

    /// Makes at least `count` bytes from here on available; so many must exist.
    fn fill(&mut self, count: usize) -> Result<(), ReadError> {
        let position = self.position();
        let chunk_bytes = self.data.chunk_bytes();
        let index = position / chunk_bytes;
        let inside = (position - index * chunk_bytes) as usize;
        let has_rest = self.at < self.window.len();
        if !has_rest || (inside + count) as u64 <= chunk_bytes {
            self.window = self.chunk(index)?;
            self.window_start = index * chunk_bytes;
            self.at = inside;
            if self.window.len() - self.at >= count {
                return Ok(());
            }
            return self.fill(count);
        }
        // What begins in one chunk and ends in another: a little more than that, as the next piece is whole again.
        let wanted = count + JOINED_BYTES;
        let rest = &self.window[self.at..];
        let mut bytes = Vec::with_capacity(wanted.max(rest.len()));
        bytes.extend_from_slice(rest);
        while bytes.len() < count {
            let next = position + bytes.len() as u64;
            let index = next / chunk_bytes;
            let chunk = self.chunk(index)?;
            let skip = (next - index * chunk_bytes) as usize;
            if skip >= chunk.len() {
                return Err(self.corrupt("it ends too early"));
            }
            let end = chunk.len().min(skip + wanted.saturating_sub(bytes.len()));
            bytes.extend_from_slice(&chunk[skip..end]);
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
