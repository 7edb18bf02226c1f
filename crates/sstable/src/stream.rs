//! A partition's stream in either direction, its range tombstones clipped to the slices asked for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use model::partition::{PartitionStream, SourceError, TakePlain};
use model::{Bound, DeletionTime, Marker, PartitionHeader, PlainParts, Slice, Slices, Unfiltered};

use crate::chunk::reader::DataCursor;
use crate::error::ReadError;
use crate::index::{Block, Blocks};
use crate::row::decode::Item;
use crate::source::Source;

/// Where a stream that is dropped leaves its place in Data.db: the cursor, and whether the partition's end
/// marker was read.
pub(crate) type Slot = Arc<Mutex<Option<(DataCursor, bool)>>>;

/// The stream of a partition just opened.
pub(crate) fn open(source: Source, slices: &Slices, reversed: bool) -> Box<dyn PartitionStream> {
    open_returning(source, slices, reversed, None)
}

/// As [`open`], leaving the cursor in `slot` at the end.
pub(crate) fn open_returning(
    source: Source,
    slices: &Slices,
    reversed: bool,
    slot: Option<Slot>,
) -> Box<dyn PartitionStream> {
    let is_wide = |slice: &&Slice| slice.start.order < slice.end.order;
    let slices: VecDeque<Slice> = slices.0.iter().filter(is_wide).cloned().collect();
    let lease = Lease { source, slot };
    if reversed {
        Box::new(Backward { lease, slices, current: None })
    } else {
        Box::new(Forward { lease, slices, is_sought: false, is_inside: false, pending: None })
    }
}

/// The partition, given back when dropped.
struct Lease {
    source: Source,
    slot: Option<Slot>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(slot) = &self.slot {
            let left = (self.source.take_cursor(), self.source.is_at_end);
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
        }
    }
}

fn marker(bound: &Bound, close: Option<DeletionTime>, open: Option<DeletionTime>) -> Unfiltered {
    Unfiltered::Marker(Marker { bound: bound.clone(), close, open })
}

/// In clustering order.
struct Forward {
    lease: Lease,
    /// What is left to do.
    slices: VecDeque<Slice>,
    /// The index was asked for the first slice's start.
    is_sought: bool,
    /// The first slice's start lies behind.
    is_inside: bool,
    /// The first element of a slice, while the marker before it is given.
    pending: Option<Item>,
}

impl Forward {
    /// Goes past the rows before the first slice, as far as none of them need be decoded.
    #[inline]
    fn approach(&mut self) -> Result<(), ReadError> {
        if self.is_inside || self.pending.is_some() {
            return Ok(());
        }
        let Some(slice) = self.slices.front() else { return Ok(()) };
        let source = &mut self.lease.source;
        if !self.is_sought {
            self.is_sought = true;
            if !slice.start.values.is_empty() {
                source.advance_to(&slice.start.order)?;
            }
        }
        source.pass(&slice.start.order)?;
        Ok(())
    }

    fn step_plain(&mut self, parts: &mut PlainParts, take: TakePlain<'_>) -> Result<u64, ReadError> {
        self.approach()?;
        let Some(slice) = self.slices.front() else { return Ok(0) };
        let source = &mut self.lease.source;
        // What is open at a slice's start makes a marker there.
        if self.pending.is_some() || (!self.is_inside && source.open.is_some()) {
            return Ok(0);
        }
        let count = source.plain_rows(&slice.end.order, parts, take)?;
        self.is_inside |= count > 0;
        Ok(count)
    }

    fn step(&mut self) -> Result<Option<Unfiltered>, ReadError> {
        while !self.slices.is_empty() {
            self.approach()?;
            let Some(slice) = self.slices.front() else { break };
            let source = &mut self.lease.source;
            let (after, until) = (&*slice.start.order, &*slice.end.order);
            let open_before = source.open;
            let item = match self.pending.take() {
                Some(item) => item,
                // Behind the start no row can stand before it.
                None => source.next(if self.is_inside { &[] } else { after }, until)?,
            };
            if !self.is_inside {
                // Markers up to the start only change what is open there.
                match &item {
                    Item::Skipped(_) => continue,
                    Item::Marker(marker) if &*marker.bound.order <= after => continue,
                    _ => self.is_inside = true,
                }
                if open_before.is_some() {
                    self.pending = Some(item);
                    return Ok(Some(marker(&slice.start, None, open_before)));
                }
            }
            match item {
                Item::Row(row) => return Ok(Some(Unfiltered::Row(row))),
                Item::Marker(marker) => return Ok(Some(Unfiltered::Marker(marker))),
                Item::Skipped(_) => {}
                Item::Beyond | Item::End => {
                    let open = source.open;
                    let end = open.map(|_| marker(&slice.end, open, None));
                    self.slices.pop_front();
                    (self.is_sought, self.is_inside) = (false, false);
                    if end.is_some() {
                        return Ok(end);
                    }
                }
            }
        }
        Ok(None)
    }
}

impl PartitionStream for Forward {
    fn header(&self) -> &PartitionHeader {
        &self.lease.source.header
    }

    fn plain_rows(&mut self, parts: &mut PlainParts, take: TakePlain<'_>) -> Result<u64, SourceError> {
        self.step_plain(parts, take).map_err(SourceError::from)
    }

    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        self.step().map_err(SourceError::from)
    }
}

/// In reverse clustering order: block by block from the last, each read forwards and given backwards.
struct Backward {
    lease: Lease,
    /// What is left to do, the last first.
    slices: VecDeque<Slice>,
    current: Option<Current>,
}

/// A slice that is being given.
struct Current {
    /// Blocks still to come; `None` without row index.
    blocks: Option<Blocks>,
    /// What was read of the block, in clustering order.
    buffer: Vec<Held>,
    parts: PlainParts,
    /// Where the block after this begins; the slice's end if there is none.
    limit: Option<u64>,
    /// The range deletion that is open at what was given last.
    open: Option<DeletionTime>,
    /// The slice has no more blocks.
    is_last: bool,
}

/// An element of a block.
enum Held {
    /// Taken out.
    Taken(Unfiltered),
    /// A plain row, by its place in Data.db: when its turn comes it is read again, which is cheaper than to keep it.
    At(u64),
}

impl Backward {
    fn step_plain(&mut self, parts: &mut PlainParts, take: TakePlain<'_>) -> Result<u64, ReadError> {
        let (Some(slice), Some(current)) = (self.slices.back(), &mut self.current) else { return Ok(0) };
        let mut count = 0;
        while let Some(Held::At(position)) = current.buffer.last() {
            let row = self.lease.source.plain_at(*position, &slice.end.order, parts)?;
            current.buffer.pop();
            count += 1;
            if take(&row).is_break() {
                break;
            }
        }
        Ok(count)
    }

    fn step(&mut self) -> Result<Option<Unfiltered>, ReadError> {
        while let Some(slice) = self.slices.back() {
            let source = &mut self.lease.source;
            let current = match &mut self.current {
                Some(current) => current,
                None => {
                    let blocks = source.blocks(&slice.end.order)?;
                    let (buffer, parts) = (Vec::new(), PlainParts::default());
                    let (limit, open, is_last) = (None, None, false);
                    self.current.insert(Current { blocks, buffer, parts, limit, open, is_last })
                }
            };
            match current.buffer.pop() {
                Some(Held::Taken(unfiltered)) => return Ok(Some(current.turn(unfiltered))),
                Some(Held::At(position)) => {
                    return source.row_at(position, &slice.end.order).map(|row| Some(Unfiltered::Row(row)));
                }
                None => {}
            }
            if current.is_last {
                let open = current.open;
                let end = open.map(|_| marker(&slice.start, open, None));
                self.current = None;
                self.slices.pop_back();
                if end.is_some() {
                    return Ok(end);
                }
                continue;
            }
            let is_first = current.limit.is_none();
            current.load(source, slice)?;
            if is_first && source.open.is_some() {
                current.open = source.open;
                return Ok(Some(marker(&slice.end, None, source.open)));
            }
        }
        Ok(None)
    }
}

impl Current {
    /// Reads the next block.
    fn load(&mut self, source: &mut Source, slice: &Slice) -> Result<(), ReadError> {
        let block: Block = match &mut self.blocks {
            None => source.whole(),
            Some(blocks) => match source.next_block(blocks)? {
                Some(block) => block,
                None => {
                    self.is_last = true;
                    return Ok(());
                }
            },
        };
        let (after, until) = (&*slice.start.order, &*slice.end.order);
        self.is_last = self.blocks.is_none() || block.offset <= source.whole().offset;
        source.go_to(&block)?;
        let is_in_block =
            |limit: Option<u64>, source: &Source| limit.is_none_or(|limit| source.cursor.position() < limit);
        let mut is_inside = false;
        while is_in_block(self.limit, source) {
            if !is_inside && source.pass(after)? {
                self.is_last = true;
                if !is_in_block(self.limit, source) {
                    break;
                }
            }
            let position = source.cursor.position();
            if source.next_plain(until, &mut self.parts)? {
                is_inside = true;
                self.buffer.push(Held::At(position));
                continue;
            }
            // Behind the start no row can stand before it.
            match source.next(if is_inside { &[] } else { after }, until)? {
                Item::Row(row) => {
                    is_inside = true;
                    self.buffer.push(Held::Taken(Unfiltered::Row(row)));
                }
                Item::Marker(marker) if &*marker.bound.order > after => {
                    is_inside = true;
                    self.buffer.push(Held::Taken(Unfiltered::Marker(marker)));
                }
                Item::Marker(_) => self.is_last = true,
                Item::Skipped(place) => self.is_last |= &*place <= after,
                Item::Beyond | Item::End => {
                    self.limit = Some(source.position_of(&block));
                    return Ok(());
                }
            }
        }
        if self.limit.is_some_and(|limit| source.cursor.position() != limit) {
            return Err(source.cursor.corrupt("an index block ends elsewhere than the index says"));
        }
        self.limit = Some(source.position_of(&block));
        Ok(())
    }

    /// The element as this direction sees it.
    fn turn(&mut self, unfiltered: Unfiltered) -> Unfiltered {
        let Unfiltered::Marker(Marker { bound, close, open }) = unfiltered else { return unfiltered };
        self.open = close;
        let is_boundary = close.is_some() && open.is_some();
        let bound = if is_boundary { bound.invert() } else { bound };
        Unfiltered::Marker(Marker { bound, close: open, open: close })
    }
}

impl PartitionStream for Backward {
    fn header(&self) -> &PartitionHeader {
        &self.lease.source.header
    }

    fn plain_rows(&mut self, parts: &mut PlainParts, take: TakePlain<'_>) -> Result<u64, SourceError> {
        self.step_plain(parts, take).map_err(SourceError::from)
    }

    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        self.step().map_err(SourceError::from)
    }
}
