//! Statistics.db: four blocks, each with its CRC.
//!
//! Read in order: [`header`] (types, columns and bases: how Data.db is to be read), [`stats`] (what it holds),
//! [`collector`] (how that is gathered while writing), [`histogram`], [`cardinality`], [`change`].

pub(crate) mod cardinality;
pub mod change;
pub(crate) mod collector;
pub(crate) mod header;
pub(crate) mod histogram;
pub(crate) mod stats;

use stdx::crc::{Crc32, crc32};

use crate::cursor::{Cursor, Fault, describe};
use crate::descriptor::{Component, Version};
use crate::error::ReadError;
use header::SerializationHeader;
use stats::Stats;

/// The partitioner whose order our files are in.
pub(crate) const MURMUR3_PARTITIONER: &str = "org.apache.cassandra.dht.Murmur3Partitioner";

/// Numbers of the blocks.
const VALIDATION: u32 = 0;
const COMPACTION: u32 = 1;
const STATS: u32 = 2;
const HEADER: u32 = 3;
/// More blocks than any version has.
const BLOCKS_MAX: u32 = 64;

/// The parsed file.
#[derive(Clone, Debug)]
pub(crate) struct Statistics {
    pub(crate) partitioner: String,
    pub(crate) bloom_filter_fp_chance: f64,
    /// HyperLogLog++ of the partition keys, as stored.
    pub(crate) cardinality: Vec<u8>,
    pub(crate) stats: Stats,
    pub(crate) header: SerializationHeader,
}

impl Statistics {
    pub(crate) fn encode(&self, version: Version) -> Vec<u8> {
        let mut validation = Vec::new();
        crate::cursor::put_shortbytes(&mut validation, self.partitioner.as_bytes());
        validation.extend_from_slice(&self.bloom_filter_fp_chance.to_be_bytes());
        let mut compaction = (self.cardinality.len() as u32).to_be_bytes().to_vec();
        compaction.extend_from_slice(&self.cardinality);
        let bodies = [
            (VALIDATION, validation),
            (COMPACTION, compaction),
            (STATS, self.stats.encode(&self.header.clustering_types(), version)),
            (HEADER, self.header.encode()),
        ];
        encode_blocks(&bodies, !version.is_3x())
    }

    pub(crate) fn parse(bytes: &[u8], version: Version) -> Result<Statistics, ReadError> {
        let blocks = blocks(bytes, !version.is_3x())?;
        let validation = block(&blocks, VALIDATION)?;
        let mut cursor = Cursor::new(validation.body);
        let (partitioner, bloom_filter_fp_chance) =
            parse_validation(&mut cursor).map_err(|fault| validation.corrupt(fault))?;
        let compaction = block(&blocks, COMPACTION)?;
        let mut cursor = Cursor::new(compaction.body);
        let cardinality = cursor.count(1).and_then(|count| cursor.take(count));
        let cardinality = cardinality.map_err(|fault| compaction.corrupt(fault))?.to_vec();
        let header_block = block(&blocks, HEADER)?;
        let mut cursor = Cursor::new(header_block.body);
        let header =
            SerializationHeader::parse(&mut cursor).map_err(|fault| header_block.corrupt(fault))??;
        let stats_block = block(&blocks, STATS)?;
        let mut cursor = Cursor::new(stats_block.body);
        let (stats, _) =
            Stats::parse(&mut cursor, &header, version).map_err(|fault| stats_block.corrupt(fault))?;
        Ok(Statistics { partitioner, bloom_filter_fp_chance, cardinality, stats, header })
    }
}

fn parse_validation(cursor: &mut Cursor<'_>) -> Result<(String, f64), Fault> {
    let name = String::from_utf8(cursor.shortbytes()?.to_vec())
        .map_err(|_| Fault::Bad("the partitioner's name is not readable text"))?;
    Ok((name, cursor.f64()?))
}

fn encode_blocks(bodies: &[(u32, Vec<u8>)], has_crcs: bool) -> Vec<u8> {
    let mut out = (bodies.len() as u32).to_be_bytes().to_vec();
    let crc_bytes = if has_crcs { 4 } else { 0 };
    let put_crc = |out: &mut Vec<u8>, crc: u32| {
        if has_crcs {
            out.extend_from_slice(&crc.to_be_bytes());
        }
    };
    let mut crc = Crc32::new();
    crc.update(&out);
    put_crc(&mut out, crc.value());
    let mut offset = 4 + 8 * bodies.len() + 2 * crc_bytes;
    let mut contents = Vec::with_capacity(8 * bodies.len());
    for (kind, body) in bodies {
        contents.extend_from_slice(&kind.to_be_bytes());
        contents.extend_from_slice(&(offset as u32).to_be_bytes());
        offset += body.len() + crc_bytes;
    }
    crc.update(&contents);
    out.extend_from_slice(&contents);
    put_crc(&mut out, crc.value());
    for (_, body) in bodies {
        out.extend_from_slice(body);
        put_crc(&mut out, crc32(body));
    }
    out
}

/// The same blocks with checksums that fit, for what stands behind them.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn with_checksums(bytes: &[u8], version: Version) -> Result<Vec<u8>, ReadError> {
    let bodies: Vec<_> =
        blocks(bytes, false)?.iter().map(|block| (block.kind, block.body.to_vec())).collect();
    Ok(encode_blocks(&bodies, !version.is_3x()))
}

struct Block<'a> {
    kind: u32,
    offset: usize,
    body: &'a [u8],
}

impl Block<'_> {
    fn corrupt(&self, fault: Fault) -> ReadError {
        ReadError::corrupt(Component::Statistics, self.offset as u64, describe(fault))
    }
}

fn block<'a, 'b>(blocks: &'b [Block<'a>], kind: u32) -> Result<&'b Block<'a>, ReadError> {
    let found = || ReadError::corrupt(Component::Statistics, 0, format!("block {kind} is missing"));
    blocks.iter().find(|block| block.kind == kind).ok_or_else(found)
}

/// Takes the file apart and checks all CRCs, if it has any.
fn blocks(bytes: &[u8], has_crcs: bool) -> Result<Vec<Block<'_>>, ReadError> {
    let corrupt =
        |offset: usize, found: &str| ReadError::corrupt(Component::Statistics, offset as u64, found);
    let mut cursor = Cursor::new(bytes);
    let contents =
        contents(&mut cursor, has_crcs).map_err(|fault| corrupt(cursor.position(), describe(fault)))?;
    let ends = contents.iter().skip(1).map(|(_, offset)| *offset).chain([bytes.len()]);
    let mut blocks = Vec::with_capacity(contents.len());
    let mut expected = cursor.position();
    for (&(kind, offset), end) in contents.iter().zip(ends) {
        let Some(stored) = bytes.get(offset..end).filter(|_| offset == expected) else {
            return Err(corrupt(offset, "a block lies outside of the file or over another"));
        };
        let body = match stored.split_last_chunk::<4>() {
            _ if !has_crcs => stored,
            None => return Err(corrupt(offset, "a block is too short for its CRC")),
            Some((body, crc)) if crc32(body) == u32::from_be_bytes(*crc) => body,
            Some(_) => return Err(corrupt(offset, "the CRC of a block does not match")),
        };
        blocks.push(Block { kind, offset, body });
        expected = end;
    }
    Ok(blocks)
}

fn contents(cursor: &mut Cursor<'_>, has_crcs: bool) -> Result<Vec<(u32, usize)>, Fault> {
    let count = cursor.u32()?;
    let mut crc = Crc32::new();
    crc.update(&count.to_be_bytes());
    if (has_crcs && cursor.u32()? != crc.value()) || count > BLOCKS_MAX {
        return Err(Fault::Bad("the CRC of the block count does not match"));
    }
    let mut contents = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let (kind, offset) = (cursor.u32()?, cursor.u32()?);
        crc.update(&kind.to_be_bytes());
        crc.update(&offset.to_be_bytes());
        contents.push((kind, offset as usize));
    }
    if has_crcs && cursor.u32()? != crc.value() {
        return Err(Fault::Bad("the CRC of the table of contents does not match"));
    }
    Ok(contents)
}

#[cfg(test)]
mod tests;
