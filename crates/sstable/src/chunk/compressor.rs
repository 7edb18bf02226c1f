//! The compressors, and how table options name them.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use crate::error::WriteError;

/// A compression algorithm, by the simple name of its Java class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compressor {
    /// A raw LZ4 block behind its uncompressed length (little-endian).
    Lz4,
    /// A raw Snappy block.
    Snappy,
    /// A zlib stream.
    Deflate,
    /// One Zstandard frame.
    Zstd,
    /// The bytes as they are.
    Noop,
}

const DEFAULT_CHUNK_BYTES: u32 = 16 * 1024;
/// The largest chunk we write or read.
pub(crate) const CHUNK_BYTES_MAX: u32 = 128 << 20;
const ZSTD_DEFAULT_LEVEL: i32 = 3;

/// Compression of Data.db.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compression {
    /// The algorithm.
    pub compressor: Compressor,
    /// Uncompressed bytes of a chunk, a power of two.
    pub chunk_bytes: u32,
    /// A chunk that does not get smaller than this is stored as it is; `i32::MAX`: never.
    pub max_compressed_bytes: u32,
    /// The compressor's own options, recorded in CompressionInfo.db.
    pub options: BTreeMap<String, String>,
}

impl Default for Compression {
    fn default() -> Self {
        Compression {
            compressor: Compressor::Lz4,
            chunk_bytes: DEFAULT_CHUNK_BYTES,
            max_compressed_bytes: i32::MAX as u32,
            options: BTreeMap::new(),
        }
    }
}

impl Compression {
    /// What a table's `compression` option asks for; `None`: no compression.
    pub fn from_options(options: &BTreeMap<String, String>) -> Result<Option<Compression>, WriteError> {
        let option = |names: &[&str]| names.iter().find_map(|name| options.get(*name));
        if option(&["enabled"]).is_some_and(|enabled| enabled.eq_ignore_ascii_case("false")) {
            return Ok(None);
        }
        let Some(class) = option(&["class", "sstable_compression"]).filter(|class| !class.is_empty()) else {
            return Ok(None);
        };
        let bad = |what: &str, value: &str| WriteError::Unsupported {
            option: format!("compression option {what} = '{value}'"),
        };
        let simple = class.rsplit('.').next().unwrap_or(class);
        let compressor = Compressor::from_name(simple).ok_or_else(|| bad("class", class))?;
        let chunk_bytes = match option(&["chunk_length_in_kb", "chunk_length_kb"]) {
            None => DEFAULT_CHUNK_BYTES,
            Some(text) => text
                .parse::<u32>()
                .ok()
                .and_then(|kib| kib.checked_mul(1024))
                .filter(|bytes| bytes.is_power_of_two() && *bytes <= CHUNK_BYTES_MAX)
                .ok_or_else(|| bad("chunk_length_in_kb", text))?,
        };
        let max_compressed_bytes = match option(&["min_compress_ratio"]) {
            None => i32::MAX as u32,
            Some(text) => text
                .parse::<f64>()
                .ok()
                .filter(|ratio| *ratio == 0.0 || *ratio >= 1.0)
                .map(|ratio| (f64::from(chunk_bytes) / ratio).ceil().min(f64::from(i32::MAX)) as u32)
                .ok_or_else(|| bad("min_compress_ratio", text))?,
        };
        const OURS: [&str; 8] = [
            "class",
            "sstable_compression",
            "enabled",
            "chunk_length_in_kb",
            "chunk_length_kb",
            "min_compress_ratio",
            "max_compressed_length",
            "crc_check_chance",
        ];
        let own = options.iter().filter(|(name, _)| !OURS.contains(&name.as_str()));
        let options = own.map(|(name, value)| (name.clone(), value.clone())).collect();
        Ok(Some(Compression { compressor, chunk_bytes, max_compressed_bytes, options }))
    }

    /// What `flush_compression: fast` makes of it: slow algorithms become LZ4 in chunks of 16 KiB.
    pub fn fast(self) -> Compression {
        let high = self.options.get("lz4_compressor_type").is_some_and(|kind| kind == "high");
        match self.compressor {
            Compressor::Deflate | Compressor::Zstd => Compression::default(),
            Compressor::Lz4 if high => Compression::default(),
            _ => self,
        }
    }

    pub(crate) fn level(&self) -> i32 {
        self.options
            .get("compression_level")
            .and_then(|level| level.parse().ok())
            .unwrap_or(ZSTD_DEFAULT_LEVEL)
    }
}

impl Compressor {
    const ALL: [Compressor; 5] =
        [Compressor::Lz4, Compressor::Snappy, Compressor::Deflate, Compressor::Zstd, Compressor::Noop];

    /// The simple class name.
    pub fn name(self) -> &'static str {
        match self {
            Compressor::Lz4 => "LZ4Compressor",
            Compressor::Snappy => "SnappyCompressor",
            Compressor::Deflate => "DeflateCompressor",
            Compressor::Zstd => "ZstdCompressor",
            Compressor::Noop => "NoopCompressor",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Compressor> {
        Compressor::ALL.into_iter().find(|compressor| compressor.name() == name)
    }

    /// Puts the payload of `input` into `out`, which is emptied first.
    pub(crate) fn compress(self, input: &[u8], level: i32, out: &mut Vec<u8>) -> Result<(), String> {
        out.clear();
        match self {
            Compressor::Lz4 => {
                put_lz4_length(input, out)?;
                let bound = lz4_flex::block::get_maximum_output_size(input.len());
                out.resize(4 + bound, 0);
                let taken = lz4_flex::block::compress_into(input, &mut out[4..])
                    .map_err(|error| error.to_string())?;
                out.truncate(4 + taken);
            }
            Compressor::Snappy => {
                out.resize(snap::raw::max_compress_len(input.len()), 0);
                let taken =
                    snap::raw::Encoder::new().compress(input, out).map_err(|error| error.to_string())?;
                out.truncate(taken);
            }
            Compressor::Deflate => {
                let mut encoder = flate2::write::ZlibEncoder::new(out, flate2::Compression::default());
                encoder.write_all(input).map_err(|error| error.to_string())?;
                encoder.finish().map_err(|error| error.to_string())?;
            }
            Compressor::Zstd => {
                let mut encoder = zstd::bulk::Compressor::new(level).map_err(|error| error.to_string())?;
                encoder.include_checksum(true).map_err(|error| error.to_string())?;
                out.reserve(zstd::zstd_safe::compress_bound(input.len()));
                encoder.compress_to_buffer(input, out).map_err(|error| error.to_string())?;
            }
            Compressor::Noop => out.extend_from_slice(input),
        }
        Ok(())
    }

    /// As [`Compressor::compress`], without an attempt to make it smaller; an algorithm that is quick to see for
    /// itself that it cannot makes the attempt.
    pub(crate) fn store(self, input: &[u8], level: i32, out: &mut Vec<u8>) -> Result<(), String> {
        if self != Compressor::Lz4 {
            return self.compress(input, level, out);
        }
        out.clear();
        put_lz4_length(input, out)?;
        // A block of one sequence: nothing but literals (lz4_Block_format.md, "End of block conditions").
        let (token, mut more) =
            if input.len() < 15 { (input.len(), None) } else { (15, Some(input.len() - 15)) };
        out.push((token as u8) << 4);
        while let Some(length) = more {
            out.push(length.min(255) as u8);
            more = length.checked_sub(255);
        }
        out.extend_from_slice(input);
        Ok(())
    }

    /// Fills `out` from a payload that must hold exactly so much.
    pub(crate) fn decompress(self, payload: &[u8], out: &mut [u8]) -> Result<(), String> {
        let wrong = |got: usize, want: usize| format!("a chunk holds {got} bytes instead of {want}");
        let expected = out.len();
        let taken = match self {
            Compressor::Lz4 => {
                let (length, block) = payload.split_first_chunk::<4>().ok_or("a chunk is too short")?;
                #[expect(clippy::little_endian_bytes, reason = "LZ4Compressor.java writes it so")]
                let length = u32::from_le_bytes(*length) as usize;
                if length != expected {
                    return Err(wrong(length, expected));
                }
                if expected == 0 {
                    return Ok(());
                }
                lz4_flex::block::decompress_into(block, out).map_err(|error| error.to_string())?
            }
            Compressor::Snappy => {
                let length = snap::raw::decompress_len(payload).map_err(|error| error.to_string())?;
                if length != expected {
                    return Err(wrong(length, expected));
                }
                snap::raw::Decoder::new().decompress(payload, out).map_err(|error| error.to_string())?
            }
            Compressor::Deflate => {
                let mut decoder = flate2::read::ZlibDecoder::new(payload);
                decoder.read_exact(out).map_err(|error| error.to_string())?;
                let more = decoder.read(&mut [0]).map_err(|error| error.to_string())?;
                expected + more
            }
            Compressor::Zstd => {
                let mut decoder = zstd::bulk::Decompressor::new().map_err(|error| error.to_string())?;
                decoder.decompress_to_buffer(payload, out).map_err(|error| error.to_string())?
            }
            Compressor::Noop => {
                if payload.len() == expected {
                    out.copy_from_slice(payload);
                }
                payload.len()
            }
        };
        if taken != expected {
            return Err(wrong(taken, expected));
        }
        Ok(())
    }
}

/// What stands before an LZ4 block.
fn put_lz4_length(input: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let length = u32::try_from(input.len()).map_err(|_| "a chunk is too large".to_owned())?;
    #[expect(clippy::little_endian_bytes, reason = "LZ4Compressor.java writes it so")]
    out.extend_from_slice(&length.to_le_bytes());
    Ok(())
}
