//! A decision: what to compact into what, and why.

use std::fmt;

use model::Token;

use super::facts::SsTableFacts;

/// How the output is cut into SSTables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputPlan {
    /// One SSTable.
    Single,
    /// A new one after so many bytes on disk.
    MaxBytes(u64),
    /// As [`OutputPlan::MaxBytes`]; the first SSTables go to level 1 until it is full (`fanout` times `max_bytes`),
    /// the next to level 2 (`fanout` times more), and so on.
    Levels {
        /// Bytes of an SSTable.
        max_bytes: u64,
        /// How much more a level holds than the one below.
        fanout: u32,
    },
    /// A new one after each of these tokens (the last token of a shard), ascending.
    Shards(Vec<Token>),
    /// The first takes half of the expected bytes, the next half of what is left, and so on while it is at least
    /// `smallest_bytes`.
    Halves {
        /// The least bytes of an SSTable.
        smallest_bytes: u64,
    },
    /// Nothing is written: the level in the SSTable's statistics changes.
    Relevel,
    /// Nothing is written: all inputs are expired.
    Nothing,
}

/// Why. Its text stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// So many SSTables of one size.
    SimilarSize {
        /// Their average bytes.
        average_bytes: u64,
    },
    /// A level of leveled compaction holds more than it should.
    LevelFull {
        /// Which.
        level: i32,
    },
    /// Level 0 of leveled compaction is far behind: its SSTables are joined by size first.
    LevelZeroBehind,
    /// SSTables of level 0 go up.
    LevelZero,
    /// The window that is being written to holds SSTables of one size.
    CurrentWindow,
    /// A window that is over holds more than one SSTable.
    PastWindow {
        /// Its first millisecond.
        start_ms: i64,
    },
    /// So many SSTables of a density overlap.
    Overlap {
        /// Which level of the hierarchy.
        level: usize,
        /// How many cover one key.
        overlap: usize,
    },
    /// Much of one SSTable can be purged.
    Droppable {
        /// Of a thousand cells.
        permille: u32,
    },
    /// Everything in them is expired.
    Expired,
    /// The operator asked.
    Requested,
}

/// One compaction to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Which SSTables, oldest first. Those of `expired` are among them.
    pub inputs: Vec<u64>,
    /// Inputs that go without being read: all they hold is expired and hides nothing.
    pub expired: Vec<u64>,
    /// Level of the outputs ([`OutputPlan::Levels`]: of the first).
    pub output_level: i32,
    /// How the output is cut.
    pub output: OutputPlan,
    /// Why.
    pub reason: Reason,
    /// Bytes that the outputs take at most, if nothing is purged and it compresses as before.
    pub needed_bytes: u64,
    /// Inputs that may be left out where the disk has not enough room.
    optional: Vec<u64>,
    optional_least_count: usize,
}

impl Decision {
    /// The decision over these inputs; expired ones are named by [`Decision::with_expired`].
    pub(super) fn new<'a>(
        inputs: impl IntoIterator<Item = &'a SsTableFacts>,
        output_level: i32,
        output: OutputPlan,
        reason: Reason,
    ) -> Decision {
        let mut inputs: Vec<&SsTableFacts> = inputs.into_iter().collect();
        inputs.sort_by_key(|facts| (facts.max_timestamp_us, facts.id));
        let needs_room = !matches!(output, OutputPlan::Relevel | OutputPlan::Nothing);
        Decision {
            inputs: inputs.iter().map(|facts| facts.id).collect(),
            expired: Vec::new(),
            output_level,
            output,
            reason,
            needed_bytes: if needs_room { inputs.iter().map(|facts| facts.bytes).sum() } else { 0 },
            optional: inputs.iter().map(|facts| facts.id).collect(),
            optional_least_count: 2,
        }
    }

    /// Adds SSTables that are dropped whole.
    pub(super) fn with_expired<'a>(
        mut self,
        expired: impl IntoIterator<Item = &'a SsTableFacts>,
    ) -> Decision {
        for facts in expired {
            self.inputs.push(facts.id);
            self.expired.push(facts.id);
        }
        self
    }

    /// Says which inputs may be left out, and how many of them must stay.
    pub(super) fn with_optional(mut self, optional: Vec<u64>, least_count: usize) -> Decision {
        self.optional = optional;
        self.optional_least_count = least_count;
        self
    }

    /// Leaves out the largest inputs until it fits into `free_bytes`; false if it cannot.
    ///
    /// It may be asked again; the SSTables left out are free again.
    pub fn shrink(&mut self, facts: &[SsTableFacts], free_bytes: u64) -> bool {
        while self.needed_bytes > free_bytes {
            if self.optional.len() <= self.optional_least_count {
                return false;
            }
            let bytes_of = |id: u64| facts.iter().find(|facts| facts.id == id).map_or(0, |facts| facts.bytes);
            let Some(largest) = self.optional.iter().copied().max_by_key(|id| (bytes_of(*id), *id)) else {
                return false;
            };
            self.optional.retain(|id| *id != largest);
            self.inputs.retain(|id| *id != largest);
            self.needed_bytes -= bytes_of(largest);
        }
        true
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::SimilarSize { average_bytes } => {
                write!(f, "similar sizes, {average_bytes} bytes on average")
            }
            Reason::LevelFull { level } => write!(f, "level {level} is full"),
            Reason::LevelZeroBehind => f.write_str("level 0 is far behind"),
            Reason::LevelZero => f.write_str("level 0 is joined"),
            Reason::CurrentWindow => f.write_str("similar sizes in the current window"),
            Reason::PastWindow { start_ms } => write!(f, "the window that began at {start_ms} ms is over"),
            Reason::Overlap { level, overlap } => write!(f, "{overlap} overlap on level {level}"),
            Reason::Droppable { permille } => {
                write!(f, "{}.{} % can be purged", permille / 10, permille % 10)
            }
            Reason::Expired => f.write_str("all is expired"),
            Reason::Requested => f.write_str("requested"),
        }
    }
}
