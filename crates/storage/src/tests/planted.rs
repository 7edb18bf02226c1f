//! Planted bugs: a checker that cannot see them is worth nothing. Each is off unless a test switches it on.

use std::cell::Cell;

use model::partition::{PartitionStream, SourceError};
use model::{Bound, DeletionTime, Marker, PartitionHeader, Unfiltered};

thread_local! {
    /// What a flush spoils. The simulation is one thread.
    pub(crate) static FLUSH_SPOILS: Cell<Option<Spoils>> = const { Cell::new(None) };
    /// How a compaction purges too early.
    pub(crate) static PURGES_EARLY: Cell<Option<Early>> = const { Cell::new(None) };
}

/// What a compaction does not ask before it purges a tombstone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Early {
    /// Whether something older lies in a memtable or another SSTable.
    Elsewhere,
    /// Whether `gc_grace_seconds` are over.
    Grace,
}

/// The answer of the planted bug, if one is switched on.
pub(crate) fn purges_too_early(local_deletion_s: u32, gc_before_s: u32) -> Option<bool> {
    match PURGES_EARLY.get()? {
        Early::Elsewhere => Some(local_deletion_s < gc_before_s),
        Early::Grace => Some(true),
    }
}

/// What is lost on the way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Spoils {
    /// Static rows.
    StaticRows,
    /// Ends of range tombstones: each goes on to the next, or to the end of the partition.
    RangeEnds,
    /// Deletions of partitions.
    PartitionDeletions,
    /// The last row.
    LastRow,
}

/// The stream, spoiled if a test asks for it.
pub(crate) fn spoil(stream: Box<dyn PartitionStream>) -> Box<dyn PartitionStream> {
    let Some(spoils) = FLUSH_SPOILS.get() else { return stream };
    let mut header = stream.header().clone();
    match spoils {
        Spoils::StaticRows => header.static_row = None,
        Spoils::PartitionDeletions => header.deletion = DeletionTime::LIVE,
        Spoils::RangeEnds | Spoils::LastRow => {}
    }
    Box::new(Spoiled { stream, header, spoils, open: None, held: None })
}

struct Spoiled {
    stream: Box<dyn PartitionStream>,
    header: PartitionHeader,
    spoils: Spoils,
    open: Option<DeletionTime>,
    held: Option<Unfiltered>,
}

impl Spoiled {
    fn next_without_ends(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        loop {
            match self.stream.next()? {
                Some(Unfiltered::Marker(marker)) => {
                    let Some(opens) = marker.open else { continue };
                    let close = self.open.replace(opens);
                    if close == Some(opens) {
                        continue;
                    }
                    let bound = match close.is_some() && marker.bound.kind.is_start() {
                        true => marker.bound.invert(),
                        false => marker.bound,
                    };
                    return Ok(Some(Unfiltered::Marker(Marker { bound, close, open: Some(opens) })));
                }
                Some(row) => return Ok(Some(row)),
                None => {
                    let Some(close) = self.open.take() else { return Ok(None) };
                    return Ok(Some(Unfiltered::Marker(Marker {
                        bound: Bound::top(),
                        close: Some(close),
                        open: None,
                    })));
                }
            }
        }
    }

    fn next_without_last_row(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        if self.held.is_none() {
            self.held = self.stream.next()?;
        }
        let Some(held) = self.held.take() else { return Ok(None) };
        self.held = self.stream.next()?;
        let is_lost = self.held.is_none() && matches!(held, Unfiltered::Row(_));
        Ok((!is_lost).then_some(held))
    }
}

impl PartitionStream for Spoiled {
    fn header(&self) -> &PartitionHeader {
        &self.header
    }

    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        match self.spoils {
            Spoils::RangeEnds => self.next_without_ends(),
            Spoils::LastRow => self.next_without_last_row(),
            Spoils::StaticRows | Spoils::PartitionDeletions => self.stream.next(),
        }
    }
}

/// A bug of the row cache.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RowBug {
    /// A write leaves what the cache has of its partition.
    WriteKeeps,
    /// What a read makes is taken for what is there when it is done, not when it began.
    RaceUnseen,
}

type Interruption = Box<dyn FnOnce()>;

thread_local! {
    /// How the row cache is broken.
    pub(crate) static ROW_BUG: Cell<Option<RowBug>> = const { Cell::new(None) };
    /// What happens while the next read makes an entry: after it has read, before it puts the entry in.
    pub(crate) static DURING_HEAD_READ: Cell<Option<Interruption>> = const { Cell::new(None) };
}

/// The planted bug of writes, if it is switched on.
pub(crate) fn write_keeps_rows() -> bool {
    ROW_BUG.get() == Some(RowBug::WriteKeeps)
}

/// What a test wants to happen meanwhile; then the stamp that the entry gets.
pub(crate) fn during_head_read<S>(stamp: S, now: impl FnOnce() -> S) -> S {
    if let Some(interrupt) = DURING_HEAD_READ.take() {
        interrupt();
    }
    if ROW_BUG.get() == Some(RowBug::RaceUnseen) { now() } else { stamp }
}
