//! The row index of one wide partition: forwards in step with the rows, then block by block from its end.

use std::sync::Arc;

use bytes::Bytes;
use model::{DeletionTime, PartitionKey};

use super::walk::{BEFORE_ALL, BEHIND_ALL};
use super::{Findings, Severity};
use crate::descriptor::Component;
use crate::error::ReadError;
use crate::index::rows::BlocksUp;
use crate::index::{Block, Index, RowIndex};
use crate::reader::SsTable;
use crate::row::decode::Item;
use crate::source::Source;

/// Where the index says that blocks begin, met one by one.
pub(super) struct Blocks {
    sstable: Arc<SsTable>,
    start: u64,
    component: Component,
    /// Of trie-indexed SSTables: what is to be met forwards. The others' blocks are met backwards only.
    up: Option<BlocksUp>,
    next: Option<Block>,
    /// Where the last one met begins, and whether what is open there fits.
    met: Option<(u64, bool)>,
}

impl Blocks {
    /// Of an open partition; `None` if it has no row index.
    pub(super) fn of(sstable: &Arc<SsTable>, source: &Source) -> Result<Option<Blocks>, ReadError> {
        let (up, component) = match (&sstable.index, source.rows()) {
            (_, None) => return Ok(None),
            (Index::Bti { rows, .. }, Some(RowIndex::Bti(root))) => {
                (Some(BlocksUp::of(rows, *root)?), Component::Rows)
            }
            _ => (None, Component::Index),
        };
        let (sstable, start) = (sstable.clone(), source.start());
        let mut blocks = Blocks { sstable, start, component, up, next: None, met: None };
        blocks.next = blocks.take_next()?;
        Ok(Some(blocks))
    }

    fn take_next(&mut self) -> Result<Option<Block>, ReadError> {
        match (&self.sstable.index, &mut self.up) {
            (Index::Bti { rows, .. }, Some(up)) => up.next(rows),
            _ => Ok(None),
        }
    }

    /// An element (or the end marker) begins at `position`, where `open` is open.
    pub(super) fn at(
        &mut self,
        position: u64,
        open: Option<DeletionTime>,
        key: &PartitionKey,
        findings: &mut Findings,
    ) {
        while let Some(block) = &self.next {
            let begins = self.start.saturating_add(block.offset);
            if begins > position {
                return;
            }
            if begins < position {
                let found = format!("a block at byte {begins} of Data.db begins inside of a row");
                findings.add(Severity::Wrong, self.component, 0, Some(key), found);
            }
            self.met = Some((begins, block.open == open));
            match self.take_next() {
                Ok(next) => self.next = next,
                Err(error) => {
                    findings.add(Severity::Wrong, self.component, 0, Some(key), error.to_string());
                    self.next = None;
                }
            }
            // Of the end of the partition nobody asks what is open there.
            if let (Some((begins, false)), Some(_)) = (self.met, &self.next) {
                let found = format!("the block at byte {begins} of Data.db has another open deletion");
                findings.add(Severity::Wrong, self.component, 0, Some(key), found);
            }
        }
    }

    /// The partition's end marker stands at `end`. Reads it again, from its last block to its first.
    pub(super) fn end(self, end: u64, source: &mut Source, findings: &mut Findings) -> Result<(), ReadError> {
        let key = source.header.key.clone();
        if let Some(block) = &self.next {
            let begins = self.start.saturating_add(block.offset);
            let found = format!("a block at byte {begins} of Data.db begins behind the partition's end");
            findings.add(Severity::Wrong, self.component, 0, Some(&key), found);
        }
        if self.up.is_some() && self.met.is_none_or(|(met, _)| met != end) {
            let found = "the index of a partition's rows does not say where it ends";
            findings.add(Severity::Doubtful, self.component, 0, Some(&key), found);
        }
        self.backwards(end, source, &key, findings)
    }

    fn backwards(
        &self,
        end: u64,
        source: &mut Source,
        key: &PartitionKey,
        findings: &mut Findings,
    ) -> Result<(), ReadError> {
        let mut wrong = |position: u64, found: &str| {
            let found = format!("the block at byte {position} of Data.db {found}");
            findings.add(Severity::Wrong, self.component, 0, Some(key), found);
        };
        let Some(mut blocks) = source.blocks(BEHIND_ALL)? else { return Ok(()) };
        // Where the block behind begins, its separator, and what is open there.
        let mut behind: (u64, Vec<u8>, Option<DeletionTime>) = (end, BEHIND_ALL.to_vec(), None);
        while let Some(block) = source.next_block(&mut blocks)? {
            let position = source.position_of(&block);
            if position > behind.0 || (position == behind.0 && position != end) {
                wrong(position, "does not come before the one behind it");
                return Ok(());
            }
            source.go_to(&block)?;
            let mut last: Option<Bytes> = None;
            while source.cursor.position() < behind.0 {
                let place = match source.next(BEFORE_ALL, BEHIND_ALL)? {
                    Item::Row(row) => row.clustering.order,
                    Item::Marker(marker) => marker.bound.order,
                    Item::Skipped(place) => place,
                    Item::Beyond | Item::End => break,
                };
                if last.is_none() && !self.is_found(source, &place, &block)? {
                    wrong(position, "is not found by its first row");
                }
                last = Some(place);
            }
            if last.as_ref().is_some_and(|last| **last >= *behind.1) {
                wrong(position, "reaches over the place where the next one begins");
            }
            if position < end && source.open != behind.2 {
                wrong(position, "ends with another open deletion than the next one begins with");
            }
            behind = (position, block.separator, block.open);
        }
        Ok(())
    }

    /// True if the index leads to this block from the place of its first row.
    fn is_found(&self, source: &Source, place: &[u8], block: &Block) -> Result<bool, ReadError> {
        // What stands before the place just behind this one.
        let behind: Vec<u8> = place.iter().copied().chain([0]).collect();
        let Some(mut found) = source.blocks(&behind)? else { return Ok(false) };
        Ok(source.next_block(&mut found)?.is_some_and(|found| found.offset == block.offset))
    }
}
