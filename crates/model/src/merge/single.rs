//! A source that is alone: nothing to merge, but the same promises hold of what comes out.

use super::row::shadow_row;
use super::stream::{BrokenSource, changed, directed};
use crate::partition::{Marker, PartitionHeader, PartitionStream, SourceError, TakePlain, Unfiltered};
use crate::plain::PlainParts;
use crate::row::DeletionTime;

/// What [`merge_streams`](super::merge_streams) makes of one source. Unlike a merge it does not read a row ahead.
pub(super) struct Single {
    header: PartitionHeader,
    stream: Box<dyn PartitionStream>,
    /// What comes behind a marker: another one at its place would belong to it.
    pending: Option<Unfiltered>,
    /// Where the last element stood; empty: there was none. Copied, as a shared one would cost more.
    last: Vec<u8>,
    /// The range deletion that is open in the source.
    source_open: Option<DeletionTime>,
    /// The one that is open in what comes out; it supersedes the partition's.
    open: Option<DeletionTime>,
    reversed: bool,
}

impl Single {
    /// `header`: the stream's, what it shadows being left out.
    pub(super) fn new(header: PartitionHeader, stream: Box<dyn PartitionStream>, reversed: bool) -> Single {
        Single { header, stream, pending: None, last: Vec::new(), source_open: None, open: None, reversed }
    }

    /// The source's next element, which must stand behind the last one.
    #[inline]
    fn read(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        if self.pending.is_some() {
            return Ok(self.pending.take());
        }
        let next = self.stream.next()?;
        let Some(element) = &next else {
            if self.source_open.is_some() {
                return Err(Box::new(BrokenSource("a source ends inside a range tombstone")));
            }
            return Ok(None);
        };
        if !self.last.is_empty() {
            let order = directed(&self.last, element.order(), self.reversed);
            if order.is_gt() || (order.is_eq() && !matches!(element, Unfiltered::Marker(_))) {
                return Err(Box::new(BrokenSource("a source's rows are out of order")));
            }
        }
        self.last.clear();
        self.last.extend_from_slice(element.order());
        if let Unfiltered::Marker(marker) = element {
            self.source_open = marker.open;
        }
        Ok(next)
    }

    fn marker(&mut self, marker: Marker) -> Result<Option<Marker>, SourceError> {
        let bound = &marker.bound;
        let mut latest = marker.open;
        loop {
            match self.read()? {
                Some(Unfiltered::Marker(next)) if next.bound.order == bound.order => latest = next.open,
                other => {
                    self.pending = other;
                    break;
                }
            }
        }
        let open = latest.filter(|latest| latest.supersedes(&self.header.deletion));
        Ok(changed(marker.bound, &mut self.open, open, self.reversed))
    }
}

impl PartitionStream for Single {
    fn header(&self) -> &PartitionHeader {
        &self.header
    }

    fn plain_rows(&mut self, parts: &mut PlainParts, take: TakePlain<'_>) -> Result<u64, SourceError> {
        if self.pending.is_some() || self.open.is_some() || !self.header.deletion.is_live() {
            return Ok(0);
        }
        // A source that gives rows in place has seen to their order; the last place stays a bound for what follows.
        self.stream.plain_rows(parts, take)
    }

    fn next(&mut self) -> Result<Option<Unfiltered>, SourceError> {
        loop {
            match self.read()? {
                None => return Ok(None),
                Some(Unfiltered::Row(row)) => {
                    let row = shadow_row(row, self.open.unwrap_or(self.header.deletion));
                    if !row.is_empty() {
                        return Ok(Some(Unfiltered::Row(row)));
                    }
                }
                Some(Unfiltered::Marker(marker)) => {
                    if let Some(marker) = self.marker(marker)? {
                        return Ok(Some(Unfiltered::Marker(marker)));
                    }
                }
            }
        }
    }
}
