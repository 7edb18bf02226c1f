//! Summary.db: every 128th partition of Index.db with its place, held in memory.
//!
//! It says nothing that Index.db does not: if it is missing or makes no sense it is made anew, and the entry that a
//! look-up starts from is compared with what Index.db has there, since the file has no checksum.

use crate::cursor::{Cursor, Fault};

/// Partitions for each entry, unless the table's options say otherwise.
pub(crate) const INTERVAL: u32 = 128;
/// "All entries are kept".
const FULL_SAMPLING: i32 = 128;
/// Of an entry's place in Index.db.
const PLACE_BYTES: usize = 8;

/// Some partitions and their places in Index.db, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Partitions for each entry, if none was left out.
    pub(crate) interval: u32,
    /// No entry was left out to save memory.
    pub(crate) is_full: bool,
    /// Keys, each with its place behind it.
    entries: Vec<u8>,
    /// Where each entry ends.
    ends: Vec<u32>,
    pub(crate) first: Vec<u8>,
    pub(crate) last: Vec<u8>,
}

impl Summary {
    pub(crate) fn new() -> Summary {
        Summary {
            interval: INTERVAL,
            is_full: true,
            entries: Vec::new(),
            ends: Vec::new(),
            first: Vec::new(),
            last: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of memory that it takes.
    pub(crate) fn held_bytes(&self) -> usize {
        self.entries.len() + size_of_val(&*self.ends)
    }

    /// Takes in the next partition of Index.db, the `number`th from 0, if it is due. Takes no more once there are
    /// 2 GiB of entries, which the file could not say.
    pub(crate) fn sample(&mut self, number: u64, key: &[u8], place: u64) {
        let end = self.entries.len() + key.len() + PLACE_BYTES;
        if !number.is_multiple_of(u64::from(self.interval)) || end > (i32::MAX / 2) as usize {
            return;
        }
        self.entries.extend_from_slice(key);
        self.entries.extend_from_slice(&place.to_be_bytes());
        self.ends.push(end as u32);
    }

    /// An entry's key and place.
    pub(crate) fn entry(&self, i: usize) -> (&[u8], u64) {
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize };
        let (key, place) = self.entries[start..self.ends[i] as usize]
            .split_last_chunk::<PLACE_BYTES>()
            .expect("every entry has a place");
        (key, u64::from_be_bytes(*place))
    }

    /// How many entries come before the first one for which `is_behind` holds.
    pub(crate) fn partition_point(&self, mut is_behind: impl FnMut(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if is_behind(self.entry(middle).0) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let count = self.len();
        let mut out = Vec::with_capacity(64 + self.entries.len() + 4 * count);
        out.extend_from_slice(&self.interval.to_be_bytes());
        out.extend_from_slice(&(count as u32).to_be_bytes());
        out.extend_from_slice(&((4 * count + self.entries.len()) as u64).to_be_bytes());
        out.extend_from_slice(&FULL_SAMPLING.to_be_bytes());
        out.extend_from_slice(&(count as u32).to_be_bytes());
        let mut offset = 4 * count as u32;
        for i in 0..count {
            out.extend_from_slice(&little(offset));
            offset = 4 * count as u32 + self.ends[i];
        }
        for i in 0..count {
            let (key, place) = self.entry(i);
            out.extend_from_slice(key);
            let mut place = place.to_be_bytes();
            place.reverse();
            out.extend_from_slice(&place);
        }
        for key in [&self.first, &self.last] {
            out.extend_from_slice(&(key.len() as u32).to_be_bytes());
            out.extend_from_slice(key);
        }
        out
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Summary, Fault> {
        let mut cursor = Cursor::new(bytes);
        let interval = u32::try_from(cursor.i32()?).ok().filter(|interval| *interval > 0);
        let interval = interval.ok_or(Fault::Bad("the interval is not positive"))?;
        let count = usize::try_from(cursor.i32()?).map_err(|_| Fault::Bad("a count is negative"))?;
        let size = usize::try_from(cursor.i64()?).map_err(|_| Fault::Bad("a size is negative"))?;
        let (level, full_count) = (cursor.i32()?, cursor.i32()?);
        let body = cursor.take(size)?;
        let offsets_bytes = count.checked_mul(4).filter(|bytes| *bytes <= size && size <= i32::MAX as usize);
        let offsets_bytes = offsets_bytes.ok_or(Fault::Bad("there are more entries than bytes"))?;
        let mut summary = Summary::new();
        summary.interval = interval;
        summary.is_full = level == FULL_SAMPLING && full_count == count as i32;
        summary.entries.reserve(size - offsets_bytes);
        summary.ends.reserve(count);
        let offset = |i: usize| {
            let little = body[4 * i..4 * i + 4].iter().rev();
            little.fold(0_usize, |value, byte| value << 8 | usize::from(*byte))
        };
        for i in 0..count {
            let (start, end) = (offset(i), if i + 1 < count { offset(i + 1) } else { size });
            let expected = offsets_bytes + summary.entries.len();
            let entry = body.get(start..end).filter(|entry| start == expected && entry.len() > PLACE_BYTES);
            let entry = entry.ok_or(Fault::Bad("the entries overlap or have no keys"))?;
            let (key, place) = entry.split_at(entry.len() - PLACE_BYTES);
            summary.entries.extend_from_slice(key);
            summary.entries.extend(place.iter().rev());
            summary.ends.push(summary.entries.len() as u32);
        }
        for key in [&mut summary.first, &mut summary.last] {
            let length = cursor.count(1)?;
            key.extend_from_slice(cursor.take(length)?);
        }
        if cursor.is_at_end() { Ok(summary) } else { Err(Fault::Bad("bytes follow the last key")) }
    }
}

/// Least significant byte first.
fn little(number: u32) -> [u8; 4] {
    let mut bytes = number.to_be_bytes();
    bytes.reverse();
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_cassandras() {
        // `oa`, (pk text PRIMARY KEY, val text), five partitions.
        let hex = "00000080 00000001 000000000000000d 00000080 00000001 04000000 30 0000000000000000 \
                   00000001 30 00000001 34";
        let hex: String = hex.split_whitespace().collect();
        let bytes: Vec<u8> =
            (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
        let summary = Summary::parse(&bytes).unwrap();
        assert_eq!((summary.interval, summary.len(), summary.is_full), (128, 1, true));
        assert_eq!(summary.entry(0), (&b"0"[..], 0));
        assert_eq!((&*summary.first, &*summary.last), (&b"0"[..], &b"4"[..]));
        assert_eq!(summary.encode(), bytes);
        for keep in 0..bytes.len() {
            assert!(Summary::parse(&bytes[..keep]).is_err(), "{keep}");
        }
    }

    #[test]
    fn every_128th_partition_is_sampled() {
        let mut summary = Summary::new();
        for i in 0..300_u64 {
            summary.sample(i, &i.to_be_bytes(), 10 * i);
        }
        assert_eq!(summary.len(), 3);
        assert_eq!(summary.entry(2), (&256_u64.to_be_bytes()[..], 2560));
        let before = |key: u64| summary.partition_point(|entry| *entry > key.to_be_bytes()[..]);
        assert_eq!([before(0), before(127), before(128), before(1000)], [1, 1, 2, 3]);
        assert_eq!(Summary::parse(&summary.encode()), Ok(summary));
    }
}
