//! Checksums: CRC-32 (SSTables, commit log, v5 payloads) and CRC-24 (v5 segment headers).
//!
//! Never here: where a checksum stands in a file or frame, and in which byte order.

/// CRC-32 (IEEE) of `bytes`.
#[inline]
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// A CRC-32 that takes its input in pieces; [`Crc32::value`] may be asked at any time.
#[derive(Debug, Clone, Default)]
pub struct Crc32(crc32fast::Hasher);

impl Crc32 {
    /// The CRC of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on from `crc`, the CRC of the bytes before.
    pub fn resume(crc: u32) -> Self {
        Crc32(crc32fast::Hasher::new_with_initial(crc))
    }

    /// Takes in the next bytes.
    #[inline]
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The CRC of all bytes so far.
    #[inline]
    pub fn value(&self) -> u32 {
        self.0.clone().finalize()
    }
}

const CRC24_INIT: u32 = 0x87_5060;
const CRC24_POLYNOMIAL: u32 = 0x197_4f0b;
static CRC24_TABLE: [u32; 256] = crc24_table();

/// CRC-24 of `bytes` as the native protocol v5 uses it; the upper 8 bits are 0.
///
/// Source: native protocol v5, "Framing"; same values as `Crc.java`.
#[inline]
pub fn crc24(bytes: &[u8]) -> u32 {
    bytes.iter().fold(CRC24_INIT, |crc, &byte| {
        let index = (crc >> 16) as u8 ^ byte;
        (crc << 8 & 0xff_ffff) ^ CRC24_TABLE[usize::from(index)]
    })
}

const fn crc24_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = (index as u32) << 16;
        let mut bit = 0;
        while bit < 8 {
            crc <<= 1;
            if crc & 0x100_0000 != 0 {
                crc ^= CRC24_POLYNOMIAL;
            }
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests;
