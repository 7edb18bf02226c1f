//! Which SSTables to compact: a value, made from numbers, without a clock and without I/O.
//!
//! A compaction hands in what it knows of a table's SSTables and gets the next thing to do, or nothing; carrying it
//! out is its own task. SSTables that are being compacted, or suspect, are never chosen, but they count where levels,
//! windows and overlaps are seen. Repaired, unrepaired and pending SSTables are never mixed.
//!
//! Read in order: [`SsTableFacts`] and [`Environment`] (what goes in), [`Decision`] (what comes out), [`Strategy`]
//! (what callers use), `options` (what all strategies share), `droppable` (what can be purged), then
//! `size_tiered`, `leveled`, `time_window`, `unified`.
//!
//! Never here: files, clocks, randomness, what runs when.

mod facts;
pub use facts::{Environment, RepairState, SsTableFacts};

mod decision;
pub use decision::{Decision, OutputPlan, Reason};

use std::collections::BTreeMap;

/// The compaction strategy of a table.
#[derive(Clone, Debug)]
pub struct Strategy {
    is_enabled: bool,
}

impl Strategy {
    /// From the table option `compaction`: the class, by its full or its simple name, and its options. Options that
    /// are missing have Cassandra's defaults; a map without a class is unified compaction.
    pub fn from_options(options: &BTreeMap<String, String>) -> Result<Strategy, String> {
        Ok(Strategy {
            is_enabled: options.get("enabled").is_none_or(|text| !text.eq_ignore_ascii_case("false")),
        })
    }

    /// `enabled`: whether it runs by itself.
    pub fn is_enabled(&self) -> bool {
        self.is_enabled
    }

    /// The class's simple name.
    pub fn name(&self) -> &'static str {
        "UnifiedCompactionStrategy"
    }

    /// Whether tombstones of SSTables that are not repaired must stay (`only_purge_repaired_tombstones`).
    pub fn only_purges_repaired(&self) -> bool {
        false
    }

    /// The next thing to do, if any. Ask again (with its inputs marked as being compacted) for what can run beside it.
    pub fn decide(&self, _facts: &[SsTableFacts], _now_s: i64, _env: &Environment) -> Option<Decision> {
        None
    }

    /// True if fully expired SSTables are to be looked for now; the caller then sets
    /// [`Environment::last_expired_check_s`] after [`Strategy::decide`].
    pub fn checks_expired(&self, _now_s: i64, _env: &Environment) -> bool {
        false
    }

    /// About how many compactions are to be done.
    pub fn pending(&self, _facts: &[SsTableFacts], _now_s: i64, _env: &Environment) -> usize {
        0
    }

    /// Major compaction: everything that is free.
    pub fn major(
        &self,
        _facts: &[SsTableFacts],
        _split_output: bool,
        _now_s: i64,
        _env: &Environment,
    ) -> Vec<Decision> {
        Vec::new()
    }

    /// Compaction of SSTables that the operator chose: all of `facts`.
    pub fn user_defined(&self, _facts: &[SsTableFacts], _env: &Environment) -> Vec<Decision> {
        Vec::new()
    }

    /// How a flush cuts its output.
    pub fn flush_output(&self, _env: &Environment) -> OutputPlan {
        OutputPlan::Single
    }
}

/// Those of `candidates` that can go whole: all in them is expired, and they hide nothing that is elsewhere.
///
/// `overlapping` are the SSTables that overlap with them and are not among them; with `ignores_overlaps` only the
/// expiry counts (`unsafe_aggressive_sstable_expiration`).
pub fn fully_expired(
    _candidates: &[&SsTableFacts],
    _overlapping: &[&SsTableFacts],
    _memtable_min_timestamp_us: Option<i64>,
    _gc_before_s: i64,
    _ignores_overlaps: bool,
) -> Vec<u64> {
    Vec::new()
}
