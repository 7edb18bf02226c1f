//! What of one partition can be read: a first pass, so that the second one writes nothing that breaks off.

use std::sync::Arc;

use bytes::Bytes;
use model::{DeletionTime, PartitionHeader, PartitionKey, Row};

use super::Loss;
use crate::chunk::reader::DataCursor;
use crate::error::ReadError;
use crate::index::RowIndex;
use crate::reader::SsTable;
use crate::row::clustering::Places;
use crate::row::columns::Layout;
use crate::row::decode::Item;
use crate::source::Source;
use crate::verify::values::Values;

/// Nothing stands before or behind these.
pub(super) const BEFORE_ALL: &[u8] = &[];
pub(super) const BEHIND_ALL: &[u8] = &[0xff];
/// Elements that are skipped by their size alone, one after the other, before that is no longer believed.
const SKIPS_MAX: u32 = 3;

/// Bytes of Data.db that hold whole elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) from: u64,
    pub(super) to: u64,
    /// The range deletion that is open where it begins.
    pub(super) open: Option<DeletionTime>,
}

/// What was found of a partition.
pub(super) struct Survey {
    pub(super) header: PartitionHeader,
    /// Segments that ascend together; each further list is one that begins before the end of the last.
    pub(super) fragments: Vec<Vec<Segment>>,
    pub(super) losses: Vec<Loss>,
    pub(super) lost_rows: u64,
    pub(super) duplicate_rows: u64,
    /// Behind the end marker; `None`: it was not found.
    pub(super) end: Option<u64>,
}

/// Surveys partitions of one SSTable.
pub(super) struct Surveyor {
    pub(super) sstable: Arc<SsTable>,
    pub(super) layout: Arc<Layout>,
    /// `None`: values are not checked.
    pub(super) values: Option<Values>,
}

/// The state within one partition.
struct State {
    survey: Survey,
    /// Where the current segment began.
    from: u64,
    open_at_from: Option<DeletionTime>,
    open: Option<DeletionTime>,
    last_place: Option<Bytes>,
    last_row: Option<Row>,
}

impl State {
    /// Ends the current segment at `to`; the next one begins at `from`.
    fn cut(&mut self, to: u64, from: u64) {
        if to > self.from {
            let segment = Segment { from: self.from, to, open: self.open_at_from };
            if self.survey.fragments.is_empty() {
                self.survey.fragments.push(Vec::new());
            }
            self.survey.fragments.last_mut().expect("there is one now").push(segment);
        }
        self.from = from;
        self.open_at_from = self.open;
    }

    fn lose(&mut self, offset: u64, found: String) {
        self.survey.lost_rows += 1;
        if self.survey.losses.len() < super::LOSSES_MAX {
            let key = Some(self.survey.header.key.clone());
            self.survey.losses.push(Loss { key, offset, found });
        }
    }
}

impl Surveyor {
    /// A cursor at a place.
    pub(super) fn cursor(&self, position: u64) -> DataCursor {
        DataCursor::new(self.sstable.data.clone(), position)
    }

    /// Reads the partition that begins at `start`. The error: not even its head can be read.
    pub(super) fn survey(&self, start: u64, rows: Option<RowIndex>) -> Result<Survey, ReadError> {
        let cursor = self.cursor(start);
        let source = Source::open(self.sstable.clone(), self.layout.clone(), cursor, rows, None)?;
        let mut source = source.expect("any key is wanted");
        let header = source.header.clone();
        if let Some(values) = &self.values {
            values.check_key(&header.key).map_err(|found| source.cursor.corrupt(found))?;
        }
        let mut cursor = source.take_cursor();
        let from = cursor.position();
        let survey = Survey {
            header,
            fragments: Vec::new(),
            losses: Vec::new(),
            lost_rows: 0,
            duplicate_rows: 0,
            end: None,
        };
        let mut state =
            State { survey, from, open_at_from: None, open: None, last_place: None, last_row: None };
        let static_check = match (&self.values, &state.survey.header.static_row) {
            (Some(values), Some(row)) => values.check_row(row),
            _ => Ok(()),
        };
        if let Err(found) = static_check {
            state.survey.header.static_row = None;
            state.lose(start, found);
        }
        let mut skips = 0;
        loop {
            let at = cursor.position();
            let layout = &self.layout;
            match cursor.parse(|buffer, cursor| {
                layout.item(buffer, cursor, BEFORE_ALL, BEHIND_ALL, &mut Places::default())
            }) {
                Ok(Item::End | Item::Beyond) => {
                    state.cut(at, at);
                    state.survey.end = Some(cursor.position());
                    return Ok(state.survey);
                }
                Ok(item) => {
                    skips = 0;
                    self.element(&mut state, item, at, cursor.position());
                }
                Err(error @ ReadError::Io { .. }) => return Err(error),
                Err(error) => {
                    state.lose(at, error.to_string());
                    skips += 1;
                    let behind = self.behind(at).filter(|_| skips <= SKIPS_MAX);
                    let next = match behind {
                        Some(next) => Some((next, state.open)),
                        None => self.next_block(&source, at)?,
                    };
                    let Some((next, open)) = next else {
                        state.cut(at, at);
                        return Ok(state.survey);
                    };
                    state.cut(at, next);
                    state.open = open;
                    state.open_at_from = open;
                    cursor = self.cursor(next);
                }
            }
        }
    }

    fn element(&self, state: &mut State, item: Item, at: u64, behind: u64) {
        let (place, checked, row) = match item {
            Item::Row(row) => {
                let checked = self.values.as_ref().map_or(Ok(()), |values| values.check_row(&row));
                (row.clustering.order.clone(), checked, Some(row))
            }
            Item::Marker(marker) => {
                let values = &marker.bound.values;
                let checked = self.values.as_ref().map_or(Ok(()), |own| own.check_clustering(values));
                if checked.is_ok() && state.last_place.as_ref().is_none_or(|last| *last < marker.bound.order)
                {
                    state.last_place = Some(marker.bound.order.clone());
                    state.last_row = None;
                    state.open = marker.open;
                    return;
                }
                if checked.is_ok() {
                    state.cut(at, at);
                    state.survey.fragments.push(Vec::new());
                    state.open = marker.open;
                }
                (marker.bound.order.clone(), checked, None)
            }
            Item::Skipped(_) | Item::End | Item::Beyond => return,
        };
        if let Err(found) = checked {
            state.cut(at, behind);
            state.lose(at, found);
            return;
        }
        match state.last_place.as_ref().map(|last| (**last).cmp(&*place)) {
            Some(std::cmp::Ordering::Equal) if row.is_some() && row == state.last_row => {
                state.cut(at, behind);
                state.survey.duplicate_rows += 1;
                return;
            }
            Some(std::cmp::Ordering::Equal | std::cmp::Ordering::Greater) if row.is_some() => {
                state.cut(at, at);
                state.survey.fragments.push(Vec::new());
            }
            _ => {}
        }
        state.last_place = Some(place);
        state.last_row = row;
    }

    /// Where the next element would begin, by the size that a damaged one says it has.
    fn behind(&self, at: u64) -> Option<u64> {
        let mut cursor = self.cursor(at);
        let body_bytes = cursor.parse(|_, cursor| self.layout.skip(cursor)).ok()??;
        let next = cursor.position().checked_add(body_bytes)?;
        (next > at && next < self.sstable.data.data_bytes()).then_some(next)
    }

    /// The first block of the row index behind a place, and what is open there.
    fn next_block(&self, source: &Source, at: u64) -> Result<Option<(u64, Option<DeletionTime>)>, ReadError> {
        let Ok(Some(mut blocks)) = source.blocks(BEHIND_ALL) else { return Ok(None) };
        let mut best = None;
        while let Ok(Some(block)) = source.next_block(&mut blocks) {
            let position = source.position_of(&block);
            if position <= at {
                break;
            }
            best = Some((position, block.open));
        }
        Ok(best)
    }
}

/// What is needed to read a fragment again.
#[derive(Clone, Debug)]
pub(super) struct Later {
    pub(super) key: PartitionKey,
    /// The header, for a whole partition; of a rest only the key.
    pub(super) header: Option<PartitionHeader>,
    pub(super) segments: Vec<Segment>,
}
