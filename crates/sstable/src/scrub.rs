//! Salvages a damaged SSTable: what can be read is written anew, what cannot is reported.
//!
//! Read in order: [`scrub`], [`ScrubOptions`], [`ScrubReport`]; then `survey` (what of a partition can be read),
//! `fragment` (that part as a stream), `salvage` (all partitions into outputs).
//!
//! Never here: which SSTables there are, snapshots, replacing the old one by the new ones (its files stay).

use std::fmt;
use std::sync::Arc;

use model::{PartitionKey, Table};
use runtime::Disk;

use crate::descriptor::{Component, Descriptor};
use crate::error::{ReadError, WriteError};
use crate::reader::SsTable;
use crate::verify::OnProgress;
use crate::writer::{self, WriteOptions, Written};
use salvage::Salvage;

mod fragment;
mod salvage;
mod survey;

/// Losses that are kept with their words; more are only counted.
pub const LOSSES_MAX: usize = 100;

/// How it is done.
#[derive(Clone, Debug, Default)]
pub struct ScrubOptions {
    /// Damaged parts of counter tables are left out, too; without it such a table is refused at the first one.
    pub skip_corrupted: bool,
    /// Values are not checked against their types.
    pub no_validate: bool,
    /// Cells that expire before they were written, because their expiry overflowed in 2038, are written with the
    /// last expiry that could be said.
    pub reinsert_overflowed_ttl: bool,
}

/// A part that could not be saved as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The partition, as far as it is known.
    pub key: Option<PartitionKey>,
    /// Byte of the uncompressed Data.db.
    pub offset: u64,
    /// Why.
    pub found: String,
}

/// What was saved and what was not.
#[derive(Clone, Debug, Default)]
pub struct ScrubReport {
    /// Partitions of which everything was saved, at their place.
    pub good_partitions: u64,
    /// Partitions of which something or all is lost.
    pub bad_partitions: u64,
    /// Partitions with nothing in them: left out.
    pub empty_partitions: u64,
    /// Partitions (or rests of them) that did not ascend: saved in further outputs.
    pub out_of_order_partitions: u64,
    /// Of these, the ones whose key was there before.
    pub duplicate_keys: u64,
    /// Rows that stood there twice, word for word: written once.
    pub duplicate_rows: u64,
    /// Rows that were skipped singly; of a partition that is lost as a whole nobody knows how many it had.
    pub lost_rows: u64,
    /// Cells whose expiry was mended.
    pub mended_cells: u64,
    /// The first [`LOSSES_MAX`] losses.
    pub losses: Vec<Loss>,
    /// How many there are.
    pub losses_count: u64,
    /// Components that were missing or damaged and were done without: why, in words.
    pub done_without: Vec<String>,
    /// What was written, in the order of writing. None: nothing could be saved.
    pub outputs: Vec<Written>,
}

impl ScrubReport {
    pub(crate) fn lose(&mut self, loss: Loss) {
        self.losses_count += 1;
        if self.losses.len() < LOSSES_MAX {
            self.losses.push(loss);
        }
    }

    /// Takes in another SSTable's.
    pub fn absorb(&mut self, other: ScrubReport) {
        self.good_partitions += other.good_partitions;
        self.bad_partitions += other.bad_partitions;
        self.empty_partitions += other.empty_partitions;
        self.out_of_order_partitions += other.out_of_order_partitions;
        self.duplicate_keys += other.duplicate_keys;
        self.duplicate_rows += other.duplicate_rows;
        self.lost_rows += other.lost_rows;
        self.mended_cells += other.mended_cells;
        let room = LOSSES_MAX.saturating_sub(self.losses.len());
        self.losses.extend(other.losses.into_iter().take(room));
        self.losses_count += other.losses_count;
        self.done_without.extend(other.done_without);
        self.outputs.extend(other.outputs);
    }

    /// True if nothing was lost.
    pub fn is_lossless(&self) -> bool {
        self.bad_partitions == 0 && self.losses_count == 0
    }
}

/// Why a scrub gave up. Its outputs are removed, the SSTable is as it was.
#[derive(Debug)]
pub enum ScrubError {
    /// A counter table is damaged here, and `skip_corrupted` is off: what is skipped would be counted again or
    /// lost for good.
    DamagedCounters(Loss),
    /// The SSTable cannot be opened at all: not even its statistics or its chunks' places can be read.
    Unreadable(ReadError),
    /// The outputs cannot be written.
    Write(WriteError),
    /// The callback ended it.
    Cancelled,
}

impl fmt::Display for ScrubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScrubError::DamagedCounters(loss) => write!(
                f,
                "counters are damaged at byte {}: {}; scrub with --skip-corrupted leaves them out",
                loss.offset, loss.found
            ),
            ScrubError::Unreadable(error) => {
                write!(f, "nothing can be saved: {error}{}", why_needed(error))
            }
            ScrubError::Write(error) => error.fmt(f),
            ScrubError::Cancelled => f.write_str("it was stopped"),
        }
    }
}

impl std::error::Error for ScrubError {}

/// What no other file says.
fn why_needed(error: &ReadError) -> &'static str {
    match error {
        ReadError::Corrupt { component, .. } | ReadError::Io { component, .. } => match component {
            Component::Statistics => {
                "; no other file and no schema says which columns stand in Data.db and what its times count from"
            }
            Component::CompressionInfo => "; no other file says where the chunks of Data.db begin",
            _ => "",
        },
        _ => "",
    }
}

/// Scrubs one SSTable of `table`. `next_output` names the SSTables to write, one after the other; `write` says how
/// (bases, columns, expected partitions and commit log intervals are taken from the SSTable).
///
/// The first output holds what ascends; what does not, sorted, goes to a second one, and so on.
///
/// Without an index partitions are found one behind the other in Data.db, up to the first that cannot be read.
pub fn scrub(
    disk: &Arc<dyn Disk>,
    descriptor: &Descriptor,
    table: &Arc<Table>,
    options: &ScrubOptions,
    write: WriteOptions,
    next_output: &mut dyn FnMut() -> Descriptor,
    on_progress: OnProgress<'_>,
) -> Result<ScrubReport, ScrubError> {
    let (sstable, done_without) = SsTable::open_damaged(disk, descriptor).map_err(ScrubError::Unreadable)?;
    let mut salvage = Salvage::new(disk, &sstable, table, options, write)?;
    salvage.report.done_without = done_without.iter().map(ToString::to_string).collect();
    let result = salvage.run(next_output, on_progress);
    if result.is_err() {
        for written in &salvage.report.outputs {
            writer::remove(disk, &written.descriptor);
        }
    }
    result.map(|()| salvage.report)
}
