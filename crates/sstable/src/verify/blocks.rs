//! The row index of one wide partition: forwards in step with the rows, then block by block from its end.

use std::sync::Arc;

use bytes::Bytes;
use model::{DeletionTime, PartitionKey};

use super::walk::{BEFORE_ALL, BEHIND_ALL};
use super::{Findings, Severity};
use crate::descriptor::Component;
use crate::error::ReadError;
use crate::reader::SsTable;
use crate::row::decode::Item;
use crate::rows::{Block, BlocksUp};
use crate::source::Source;

/// Where the index says that blocks begin, met one by one.
pub(super) struct Blocks {
    sstable: Arc<SsTable>,
    start: u64,
    root: u64,
    expected: u32,
    up: BlocksUp,
    next: Option<Block>,
    met: u32,
    has_end: bool,
}

impl Blocks {
    /// Of an open partition; `None` if it has no row index.
    pub(super) fn of(sstable: &Arc<SsTable>, source: &Source) -> Result<Option<Blocks>, ReadError> {
        let Some(entry) = source.entry() else { return Ok(None) };
        let mut up = BlocksUp::of(&sstable.rows, entry.root)?;
        let next = up.next(&sstable.rows)?;
        Ok(Some(Blocks {
            sstable: sstable.clone(),
            start: source.start(),
            root: entry.root,
            expected: entry.blocks,
            up,
            next,
            met: 0,
            has_end: false,
        }))
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
                findings.add(Severity::Wrong, Component::Rows, 0, Some(key), found);
            } else if block.open != open && self.met < self.expected {
                let found = format!("the block at byte {begins} of Data.db has another open deletion");
                findings.add(Severity::Wrong, Component::Rows, 0, Some(key), found);
            }
            self.met += 1;
            match self.up.next(&self.sstable.rows) {
                Ok(next) => self.next = next,
                Err(error) => {
                    findings.add(Severity::Wrong, Component::Rows, 0, Some(key), error.to_string());
                    self.next = None;
                }
            }
            self.has_end = self.next.is_none();
        }
    }

    /// The partition's end marker stands at `end`. Reads it again, from its last block to its first.
    pub(super) fn end(
        self,
        end: u64,
        source: &mut Source,
        findings: &mut Findings,
    ) -> Result<(), ReadError> {
        let key = source.header.key.clone();
        if let Some(block) = &self.next {
            let begins = self.start.saturating_add(block.offset);
            let found = format!("a block at byte {begins} of Data.db begins behind the partition's end");
            findings.add(Severity::Wrong, Component::Rows, 0, Some(&key), found);
        }
        // Blocks, and the end of the partition.
        if self.met == self.expected {
            let found = "the index of a partition's rows does not say where it ends";
            findings.add(Severity::Doubtful, Component::Rows, 0, Some(&key), found);
        } else if self.met != self.expected.saturating_add(1) {
            let found = format!("a partition has {} blocks, its entry says {}", self.met, self.expected);
            findings.add(Severity::Wrong, Component::Rows, 0, Some(&key), found);
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
            findings.add(Severity::Wrong, Component::Rows, 0, Some(key), found);
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
            source.go_to(&block);
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
        let mut found = crate::rows::Blocks::down_from(&self.sstable.rows, self.root, place)?;
        Ok(source.next_block(&mut found)?.is_some_and(|found| found.offset == block.offset))
    }
}
