//! Compression of whole bodies (v3, v4) and of segments (v5).
//!
//! A body with LZ4 is its length (4 bytes, big-endian) and one LZ4 block; with Snappy it is one raw Snappy
//! block, which begins with its length. No block is trusted with its length: it is checked against the cap,
//! and against what that many bytes can expand to, before memory is taken.

use std::fmt;

/// A way to compress, agreed on in STARTUP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// `lz4`
    Lz4,
    /// `snappy`; v3 and v4 only
    Snappy,
}

/// Why a body or segment does not decompress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadCompression;

impl Compression {
    /// The compression of a STARTUP value; case does not matter.
    pub fn from_name(name: &str) -> Option<Compression> {
        match name {
            _ if name.eq_ignore_ascii_case("lz4") => Some(Compression::Lz4),
            _ if name.eq_ignore_ascii_case("snappy") => Some(Compression::Snappy),
            _ => None,
        }
    }

    /// Appends `body`, compressed as v3 and v4 do.
    pub fn compress_body(self, body: &[u8], out: &mut Vec<u8>) {
        match self {
            Compression::Lz4 => {
                crate::codec::put_int(out, crate::codec::int_of(body.len()));
                append_lz4(body, out);
            }
            Compression::Snappy => {
                let start = out.len();
                out.resize(start + snap::raw::max_compress_len(body.len()), 0);
                let written = snap::raw::Encoder::new()
                    .compress(body, &mut out[start..])
                    .expect("the buffer has the length that Snappy asks for");
                out.truncate(start + written);
            }
        }
    }

    /// The body that was compressed, if it is no longer than `bytes_max`.
    pub fn decompress_body(self, compressed: &[u8], bytes_max: usize) -> Result<Vec<u8>, BadCompression> {
        match self {
            Compression::Lz4 => {
                let (length, block) = compressed.split_first_chunk::<4>().ok_or(BadCompression)?;
                let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| BadCompression)?;
                if length > bytes_max {
                    return Err(BadCompression);
                }
                decompress_lz4(block, length)
            }
            Compression::Snappy => {
                let length = snap::raw::decompress_len(compressed).map_err(|_| BadCompression)?;
                // No Snappy element of at least 2 bytes yields more than 64.
                if length > bytes_max || length > compressed.len().saturating_mul(64) {
                    return Err(BadCompression);
                }
                let mut body = vec![0; length];
                let written = snap::raw::Decoder::new()
                    .decompress(compressed, &mut body)
                    .map_err(|_| BadCompression)?;
                if written == length { Ok(body) } else { Err(BadCompression) }
            }
        }
    }
}

/// Appends one LZ4 block; returns its length.
pub(super) fn append_lz4(plain: &[u8], out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.resize(start + lz4_flex::block::get_maximum_output_size(plain.len()), 0);
    let written = lz4_flex::block::compress_into(plain, &mut out[start..])
        .expect("the buffer has the length that LZ4 asks for");
    out.truncate(start + written);
    written
}

/// The `length` bytes of one LZ4 block.
pub(super) fn decompress_lz4(block: &[u8], length: usize) -> Result<Vec<u8>, BadCompression> {
    // A byte of an LZ4 block yields at most 255.
    if length > block.len().saturating_mul(255) {
        return Err(BadCompression);
    }
    let mut plain = vec![0; length];
    match lz4_flex::block::decompress_into(block, &mut plain) {
        Ok(written) if written == length => Ok(plain),
        _ => Err(BadCompression),
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compression::Lz4 => "lz4",
            Compression::Snappy => "snappy",
        })
    }
}
