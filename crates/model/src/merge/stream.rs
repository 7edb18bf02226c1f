//! Streams: several sources of one partition into one, and one update as a stream.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::row::{merge_rows, shadow_row};
use super::single::Single;
use super::tombstones::{clip_tombstones, insert_tombstone};
use crate::key::{Bound, PartitionKey};
use crate::partition::{
    Marker, PartitionHeader, PartitionStream, PartitionUpdate, RangeTombstone, SourceError, TakePlain,
    Unfiltered,
};
use crate::plain::PlainParts;
use crate::read::Slices;
use crate::row::{DeletionTime, Row};
use crate::schema::Table;

/// A source broke the contract of [`PartitionStream`]: its file is damaged.
#[derive(Debug)]
pub(super) struct BrokenSource(pub(super) &'static str);

impl fmt::Display for BrokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BrokenSource {}

/// Merges several sources of one partition into one stream. All sources must run in the same direction, and there
/// must be at least one.
pub fn merge_streams(
    table: Arc<Table>,
    mut sources: Vec<Box<dyn PartitionStream>>,
    reversed: bool,
) -> Result<Box<dyn PartitionStream>, SourceError> {
    let mut headers = sources.iter().map(|source| source.header());
    let mut header = headers.next().expect("a partition comes from at least one source").clone();
    for other in headers {
        assert_eq!(other.key, header.key, "only sources of one partition can be merged");
        header.deletion = header.deletion.max(other.deletion);
        header.static_row = match (header.static_row.take(), other.static_row.clone()) {
            (Some(a), Some(b)) => Some(merge_rows(&table, a, b)),
            (one, other) => one.or(other),
        };
    }
    let shadowed = header.static_row.take().map(|row| shadow_row(row, header.deletion));
    header.static_row = shadowed.filter(|row| !row.is_empty());
    if sources.len() == 1
        && let Some(stream) = sources.pop()
    {
        return Ok(Box::new(Single::new(header, stream, reversed)));
    }
    let mut merge = Merge { table, header, sources: Vec::with_capacity(sources.len()), open: None, reversed };
    for stream in sources {
        let mut source = Source { stream, head: None, open: None };
        source.advance(reversed)?;
        merge.sources.push(source);
    }
    Ok(Box::new(merge))
}

struct Merge {
    table: Arc<Table>,
    header: PartitionHeader,
    sources: Vec<Source>,
    /// The range deletion that is open in the merged stream; it supersedes the partition's.
    open: Option<DeletionTime>,
    reversed: bool,
}

struct Source {
    stream: Box<dyn PartitionStream>,
    head: Option<Unfiltered>,
    open: Option<DeletionTime>,
}

impl Source {
    /// Takes the head and reads the next one.
    fn advance(&mut self, reversed: bool) -> Result<Option<Unfiltered>, SourceError> {
        let next = self.stream.next()?;
        let taken = std::mem::replace(&mut self.head, next);
        if let (Some(before), Some(after)) = (&taken, &self.head) {
            let order = directed(before.order(), after.order(), reversed);
            let is_marker = matches!(after, Unfiltered::Marker(_));
            if order.is_gt() || (order.is_eq() && !is_marker) {
                return Err(Box::new(BrokenSource("a source's rows are out of order")));
            }
        }
        if let Some(Unfiltered::Marker(marker)) = &taken {
            self.open = marker.open;
        }
        if self.head.is_none() && self.open.is_some() {
            return Err(Box::new(BrokenSource("a source ends inside a range tombstone")));
        }
        Ok(taken)
    }
}

pub(super) fn directed(a: &[u8], b: &[u8], reversed: bool) -> Ordering {
    if reversed { b.cmp(a) } else { a.cmp(b) }
}

impl PartitionStream for Merge {
    fn header(&self) -> &PartitionHeader {
        &self.header
    }

    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        while let Some(first) = self.first_source() {
            let step = match &self.sources[first].head {
                Some(Unfiltered::Row(_)) => self.merge_row(first)?.map(Unfiltered::Row),
                _ => self.merge_markers(first)?.map(Unfiltered::Marker),
            };
            if step.is_some() {
                return Ok(step);
            }
        }
        Ok(None)
    }
}

impl Merge {
    /// The first of the sources whose head comes first.
    fn first_source(&self) -> Option<usize> {
        let mut first: Option<(usize, &[u8])> = None;
        for (index, source) in self.sources.iter().enumerate() {
            let Some(head) = &source.head else { continue };
            let order = head.order();
            if first.is_none_or(|(_, best)| directed(order, best, self.reversed).is_lt()) {
                first = Some((index, order));
            }
        }
        first.map(|(index, _)| index)
    }

    fn merge_row(&mut self, first: usize) -> Result<Option<Row>, SourceError> {
        let Some(Unfiltered::Row(mut row)) = self.sources[first].advance(self.reversed)? else {
            unreachable!("the head was a row")
        };
        for source in &mut self.sources[first + 1..] {
            let same =
                matches!(&source.head, Some(Unfiltered::Row(head)) if head.clustering == row.clustering);
            if same && let Some(Unfiltered::Row(other)) = source.advance(self.reversed)? {
                row = merge_rows(&self.table, row, other);
            }
        }
        let row = shadow_row(row, self.open.unwrap_or(self.header.deletion));
        Ok((!row.is_empty()).then_some(row))
    }

    fn merge_markers(&mut self, first: usize) -> Result<Option<Marker>, SourceError> {
        let Some(Unfiltered::Marker(marker)) = self.sources[first].advance(self.reversed)? else {
            unreachable!("the head was a marker")
        };
        let bound = &marker.bound;
        for source in &mut self.sources[first..] {
            while matches!(&source.head, Some(Unfiltered::Marker(head)) if head.bound.order == bound.order) {
                source.advance(self.reversed)?;
            }
        }
        let latest = self.sources.iter().filter_map(|source| source.open).reduce(DeletionTime::max);
        let open = latest.filter(|latest| latest.supersedes(&self.header.deletion));
        Ok(changed(marker.bound, &mut self.open, open, self.reversed))
    }
}

/// The marker at `bound` where the deletion that is open changes to `open`, if it does.
pub(super) fn changed(
    bound: Bound,
    held: &mut Option<DeletionTime>,
    open: Option<DeletionTime>,
    reversed: bool,
) -> Option<Marker> {
    let close = std::mem::replace(held, open);
    if close == open {
        return None;
    }
    let wants_start = close.is_some() == reversed;
    let bound = if bound.kind.is_start() == wants_start { bound } else { bound.invert() };
    Some(Marker { bound, close, open })
}

/// Rows of one source: those of the slices, in the direction of the stream.
pub trait SlicedRows: Send {
    /// The next row, `None` at the end.
    fn next(&mut self) -> Result<Option<Row>, SourceError>;

    /// As [`PartitionStream::plain_rows`].
    fn plain_rows(&mut self, parts: &mut PlainParts, take: TakePlain<'_>) -> Result<u64, SourceError> {
        let _ = (parts, take);
        Ok(0)
    }
}

/// A source whose rows are already those of the slices: puts the markers between them and leaves out what the deletions
/// shadow.
pub struct Sliced<R> {
    header: PartitionHeader,
    rows: R,
    row: Option<Row>,
    markers: std::vec::IntoIter<Marker>,
    marker: Option<Marker>,
    open: Option<DeletionTime>,
    reversed: bool,
}

impl<R: SlicedRows> Sliced<R> {
    /// `markers` as [`clip_tombstones`] gives them.
    pub fn new(header: PartitionHeader, rows: R, markers: Vec<Marker>, reversed: bool) -> Sliced<R> {
        let mut markers = markers.into_iter();
        let marker = markers.next();
        Sliced { header, rows, row: None, markers, marker, open: None, reversed }
    }

    /// What is left of a row before which no marker stands.
    fn shadowed(&self, row: Row) -> Option<Row> {
        let active = self.open.unwrap_or(self.header.deletion);
        if active.is_live() {
            return Some(row);
        }
        let row = shadow_row(row, active);
        (!row.is_empty()).then_some(row)
    }

    fn take_marker(&mut self) -> Option<Marker> {
        let next = self.markers.next();
        let taken = std::mem::replace(&mut self.marker, next)?;
        self.open = taken.open;
        Some(taken)
    }
}

impl<R: SlicedRows> PartitionStream for Sliced<R> {
    fn header(&self) -> &PartitionHeader {
        &self.header
    }

    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        loop {
            let row = match self.row.take() {
                Some(row) => Some(row),
                None => self.rows.next()?,
            };
            let is_before = |marker: &Marker, row: &Row| {
                directed(&marker.bound.order, &row.clustering.order, self.reversed).is_lt()
            };
            match (row, &self.marker) {
                (None, None) => return Ok(None),
                (Some(row), marker) if marker.as_ref().is_none_or(|marker| !is_before(marker, &row)) => {
                    if let Some(row) = self.shadowed(row) {
                        return Ok(Some(Unfiltered::Row(row)));
                    }
                }
                (row, _) => {
                    self.row = row;
                    return Ok(self.take_marker().map(Unfiltered::Marker));
                }
            }
        }
    }

    fn plain_rows(&mut self, parts: &mut PlainParts, take: TakePlain<'_>) -> Result<u64, SourceError> {
        let is_clear = self.open.is_none() && self.header.deletion.is_live();
        if self.row.is_some() || self.marker.is_some() || !is_clear {
            return Ok(0);
        }
        self.rows.plain_rows(parts, take)
    }
}

/// One update as a source of its partition, restricted to slices.
pub fn update_stream(
    key: PartitionKey,
    update: PartitionUpdate,
    slices: &Slices,
    reversed: bool,
) -> Box<dyn PartitionStream> {
    let mut tombstones: Vec<RangeTombstone> = Vec::with_capacity(update.range_tombstones.len());
    for tombstone in update.range_tombstones {
        insert_tombstone(&mut tombstones, tombstone);
    }
    let markers = clip_tombstones(&tombstones, slices, update.deletion, reversed);
    let mut rows = slice_rows(update.rows, slices);
    if reversed {
        rows.reverse();
    }
    let shadow = |row: Row, by| Some(shadow_row(row, by)).filter(|row| !row.is_empty());
    let header = PartitionHeader {
        key,
        deletion: update.deletion,
        static_row: update.static_row.and_then(|row| shadow(row, update.deletion)),
    };
    let rows: Vec<Row> = rows.into_iter().filter_map(|row| shadow(row, DeletionTime::LIVE)).collect();
    Box::new(Sliced::new(header, rows.into_iter(), markers, reversed))
}

impl SlicedRows for std::vec::IntoIter<Row> {
    fn next(&mut self) -> Result<Option<Row>, SourceError> {
        Ok(Iterator::next(self))
    }
}

fn slice_rows(rows: Vec<Row>, slices: &Slices) -> Vec<Row> {
    let mut slices = slices.0.iter().peekable();
    let mut inside = |row: &Row| {
        let order = &row.clustering.order;
        while slices.next_if(|slice| slice.end.order <= *order).is_some() {}
        slices.peek().is_some_and(|slice| slice.contains(order))
    };
    rows.into_iter().filter(|row| inside(row)).collect()
}
