//! Index.db: every partition's key and place, in order, with the promoted index of wide ones.
//!
//! A look-up takes from the summary where to begin, and reads on from there. The file has no checksum: a key
//! damaged in it may not be found, but whatever is found is compared with Data.db.

use bytes::Bytes;
use model::PartitionKey;
use model::read::Position;
use stdx::vint;

use super::promoted::{Promoted, Shape};
use super::summary::Summary;
use super::{Located, RowIndex};
use crate::cache::keys::{KeyEntry, OwnKeys};
use crate::chunk::writer::Appender;
use crate::cursor::{Cursor, Fault, describe, put_shortbytes};
use crate::descriptor::Component;
use crate::error::{ReadError, WriteError};
use crate::metadata::Partitioner;
use crate::trie::pages::Pages;

/// Bytes that are read together.
const WINDOW_BYTES: usize = 4096;
/// Bytes of a partition's entry at least.
const ENTRY_BYTES_MIN: u64 = 5;

/// An open Index.db with its summary.
pub(crate) struct BigIndex {
    pub(crate) file: Pages,
    summary: Summary,
    shape: Shape,
    pub(crate) partitioner: Partitioner,
    pub(crate) count: u64,
    pub(crate) first: PartitionKey,
    pub(crate) last: PartitionKey,
    /// Where to look before the file is searched.
    pub(crate) keys: Option<OwnKeys>,
}

/// One partition's entry.
struct Entry {
    /// Where the entry begins.
    position: u64,
    key: Vec<u8>,
    data: u64,
    /// Its promoted index: from, to. Empty: the partition is not wide.
    promoted: (u64, u64),
}

impl BigIndex {
    /// Bytes of memory that it takes beside the block cache.
    pub(crate) fn held_bytes(&self) -> usize {
        self.file.held_bytes() + self.summary.held_bytes()
    }

    /// `summary`: the bytes of Summary.db, if there are any.
    pub(crate) fn open(
        file: Pages,
        summary: Option<&[u8]>,
        partitioner: Partitioner,
        shape: Shape,
    ) -> Result<BigIndex, ReadError> {
        let stored = summary.and_then(|bytes| Summary::parse(bytes).ok());
        let found = match stored {
            Some(summary) => verify(&file, &summary)?.map(|count| (summary, count)),
            None => None,
        };
        let (summary, count) = match found {
            Some(found) => found,
            None => rebuild(&file, &partitioner)?,
        };
        let key = |bytes: &[u8]| partitioner.key(Bytes::copy_from_slice(bytes));
        let (first, last) = (key(&summary.first), key(&summary.last));
        let order = partitioner.compare(&first, &last);
        if order.is_gt() || order.is_eq() != (count == 1) {
            return Err(file.corrupt(0, "first and last key are out of order"));
        }
        Ok(BigIndex { file, summary, shape, partitioner, count, first, last, keys: None })
    }

    pub(crate) fn find(&self, key: &PartitionKey, is_cached: bool) -> Result<Option<Located>, ReadError> {
        let Some(keys) = self.keys.as_ref().filter(|_| is_cached) else { return self.search(key) };
        if let Some(KeyEntry { data, rows }) = keys.find(&key.key) {
            let rows = rows.map(RowIndex::Big);
            return Ok(Some(Located { data, key: Some(key.key.to_vec()), rows }));
        }
        let found = self.search(key)?;
        keys.note_miss();
        if let Some(located) = &found {
            keys.insert(&key.key, entry_of(located));
        }
        Ok(found)
    }

    /// Has the key cache keep what the index says of a partition, if it has it.
    pub(crate) fn warm(&self, key: &PartitionKey) -> Result<(), ReadError> {
        if let Some(keys) = &self.keys
            && let Some(located) = self.search(key)?
        {
            keys.insert(&key.key, entry_of(&located));
        }
        Ok(())
    }

    fn search(&self, key: &PartitionKey) -> Result<Option<Located>, ReadError> {
        let mut targets = self.begin(|entry| self.partitioner.compare(entry, key).is_gt())?;
        while let Some(entry) = targets.step(&self.file, &self.partitioner)? {
            if *entry.key == *key.key {
                return self.located(entry).map(Some);
            }
            if targets.last.as_ref().is_some_and(|last| self.partitioner.compare(last, key).is_gt()) {
                break;
            }
        }
        Ok(None)
    }

    pub(crate) fn from(&self, start: Option<&Position>) -> Result<Targets, ReadError> {
        let Some(start) = start else { return Ok(Targets::starting_at(0)) };
        let mut targets = self.begin(|entry| self.partitioner.is_behind(entry, start))?;
        targets.start = Some(start.clone());
        Ok(targets)
    }

    pub(crate) fn next(&self, targets: &mut Targets) -> Result<Option<Located>, ReadError> {
        while let Some(entry) = targets.step(&self.file, &self.partitioner)? {
            let (start, last) = (targets.start.as_ref(), targets.last.as_ref());
            let is_wanted = start.zip(last).is_none_or(|(start, key)| self.partitioner.is_behind(key, start));
            if is_wanted {
                targets.start = None;
                return self.located(entry).map(Some);
            }
        }
        let last = targets.last.as_ref();
        if last.is_none_or(|last| *last == self.last) {
            return Ok(None);
        }
        Err(self.file.corrupt(self.file.bytes(), "it ends before the last partition"))
    }

    /// From the last entry of the summary that is not behind what is sought.
    fn begin(&self, is_behind: impl Fn(&PartitionKey) -> bool) -> Result<Targets, ReadError> {
        let behind = |key: &[u8]| is_behind(&self.partitioner.key(Bytes::copy_from_slice(key)));
        let at = self.summary.partition_point(behind).saturating_sub(1);
        let (key, place) = self.summary.entry(at);
        let mut targets = Targets::starting_at(place);
        targets.expected = Some(key.to_vec());
        Ok(targets)
    }

    fn located(&self, entry: Entry) -> Result<Located, ReadError> {
        let (start, end) = entry.promoted;
        let rows = if start == end {
            None
        } else {
            Some(RowIndex::Big(Promoted::open(&self.file, &self.shape, start, end)?))
        };
        Ok(Located { data: entry.data, key: Some(entry.key), rows })
    }
}

fn entry_of(located: &Located) -> KeyEntry {
    let rows = match &located.rows {
        Some(RowIndex::Big(promoted)) => Some(promoted.clone()),
        Some(RowIndex::Bti(_)) | None => None,
    };
    KeyEntry { data: located.data, rows }
}

/// The number of partitions, if the summary fits the file.
fn verify(file: &Pages, summary: &Summary) -> Result<Option<u64>, ReadError> {
    let count = summary.len();
    let fits = |i: usize| {
        let place = summary.entry(i).1;
        place < file.bytes() && if i == 0 { place == 0 } else { place > summary.entry(i - 1).1 }
    };
    if count == 0 || !(0..count).all(fits) || summary.entry(0).0 != summary.first {
        return Ok(None);
    }
    let (key, place) = summary.entry(count - 1);
    let mut reader = EntryReader::starting_at(place);
    let Some(mut last) = reader.next(file)?.filter(|entry| entry.key == key) else { return Ok(None) };
    let mut tail = 1_u64;
    while let Some(entry) = reader.next(file)? {
        last = entry;
        tail += 1;
    }
    if last.key != summary.last {
        return Ok(None);
    }
    let before = (count as u64 - 1).saturating_mul(u64::from(summary.interval));
    let partitions = before.saturating_add(tail).min(file.bytes() / ENTRY_BYTES_MIN).max(1);
    if summary.is_full && tail > u64::from(summary.interval) {
        return Ok(None);
    }
    Ok(Some(partitions))
}

/// A summary made of the whole file.
fn rebuild(file: &Pages, partitioner: &Partitioner) -> Result<(Summary, u64), ReadError> {
    let mut summary = Summary::new();
    let mut targets = Targets::starting_at(0);
    let mut count = 0;
    while let Some(entry) = targets.step(file, partitioner)? {
        summary.sample(count, &entry.key, entry.position);
        if count == 0 {
            summary.first.clone_from(&entry.key);
        }
        summary.last = entry.key;
        count += 1;
    }
    if count == 0 { Err(file.corrupt(0, "it has no partition")) } else { Ok((summary, count)) }
}

/// An iteration over entries.
pub(crate) struct Targets {
    reader: EntryReader,
    /// What the first entry must be.
    expected: Option<Vec<u8>>,
    /// What is not behind this is not wanted.
    start: Option<Position>,
    /// The entry given last.
    last: Option<PartitionKey>,
}

impl Targets {
    fn starting_at(position: u64) -> Targets {
        Targets { reader: EntryReader::starting_at(position), expected: None, start: None, last: None }
    }

    /// The next entry, checked against the summary and the one before.
    fn step(&mut self, file: &Pages, partitioner: &Partitioner) -> Result<Option<Entry>, ReadError> {
        let entry = self.reader.next(file)?;
        if let Some(expected) = self.expected.take()
            && entry.as_ref().is_none_or(|entry| entry.key != expected)
        {
            let found = "an entry does not point at its partition in Index.db";
            return Err(ReadError::corrupt(Component::Summary, 0, found));
        }
        let Some(entry) = entry else { return Ok(None) };
        let key = partitioner.key(Bytes::copy_from_slice(&entry.key));
        if self.last.as_ref().is_some_and(|last| partitioner.compare(last, &key).is_ge()) {
            return Err(file.corrupt(entry.position, "partitions do not ascend"));
        }
        self.last = Some(key);
        Ok(Some(entry))
    }
}

/// Reads entries one after the other, without their promoted indexes.
struct EntryReader {
    position: u64,
    window: Bytes,
    window_start: u64,
}

impl EntryReader {
    fn starting_at(position: u64) -> EntryReader {
        EntryReader { position, window: Bytes::new(), window_start: position }
    }

    fn next(&mut self, file: &Pages) -> Result<Option<Entry>, ReadError> {
        if self.position >= file.bytes() {
            return Ok(None);
        }
        loop {
            let at =
                self.position.checked_sub(self.window_start).filter(|at| *at <= self.window.len() as u64);
            let at = at.unwrap_or(self.window.len() as u64) as usize;
            let mut cursor = Cursor::new(&self.window[at..]);
            match parse(&mut cursor) {
                Ok((key, data, bytes)) => {
                    let start = self.position + cursor.position() as u64;
                    let end = start.checked_add(bytes).filter(|end| *end <= file.bytes());
                    let end =
                        end.ok_or_else(|| file.corrupt(self.position, "an entry is longer than the file"))?;
                    let position = std::mem::replace(&mut self.position, end);
                    return Ok(Some(Entry { position, key, data, promoted: (start, end) }));
                }
                Err(Fault::Short(needed)) if (needed as u64) <= file.bytes() - self.position => {
                    self.window = file.range(self.position, needed.max(WINDOW_BYTES))?;
                    self.window_start = self.position;
                }
                Err(fault) => return Err(file.corrupt(self.position, describe(fault))),
            }
        }
    }
}

/// Key, place in Data.db, bytes of the promoted index.
fn parse(cursor: &mut Cursor<'_>) -> Result<(Vec<u8>, u64, u64), Fault> {
    let key = cursor.shortbytes()?;
    if key.is_empty() {
        return Err(Fault::Bad("a partition key is empty"));
    }
    Ok((key.to_vec(), cursor.uvint()?, cursor.length()? as u64))
}

/// Index.db under construction, and the summary of it.
pub(crate) struct BigIndexWriter {
    file: Appender,
    summary: Summary,
    count: u64,
}

impl BigIndexWriter {
    pub(crate) fn new(file: Appender) -> BigIndexWriter {
        BigIndexWriter { file, summary: Summary::new(), count: 0 }
    }

    /// Adds a partition with its promoted index, which may be empty.
    pub(crate) fn add(&mut self, key: &[u8], data: u64, promoted: &[u8]) -> Result<(), WriteError> {
        self.summary.sample(self.count, key, self.file.position());
        if self.count == 0 {
            self.summary.first = key.to_vec();
        }
        self.summary.last.clear();
        self.summary.last.extend_from_slice(key);
        self.count += 1;
        let mut entry = Vec::with_capacity(key.len() + 2 + 18);
        put_shortbytes(&mut entry, key);
        vint::write_unsigned_vint(&mut entry, data);
        vint::write_unsigned_vint(&mut entry, promoted.len() as u64);
        self.file.append(&entry)?;
        self.file.append(promoted)
    }

    /// Completes and syncs Index.db; returns its length and the bytes of Summary.db.
    pub(crate) fn finish(self) -> Result<(u64, Vec<u8>), WriteError> {
        let bytes = self.file.finish()?;
        Ok((bytes, self.summary.encode()))
    }
}
