//! SSTables made of numbers: what a compaction would write, without writing it.

use std::sync::Arc;

use bytes::Bytes;
use model::row::NO_DELETION_TIME;
use model::{PartitionKey, Token};

use crate::compaction::strategy::{Decision, OutputPlan, RepairState, SsTableFacts};

/// The ring is cut into so many cells.
pub(super) const CELLS_COUNT: usize = 2_048;

/// An SSTable: its facts, and its bytes in each cell of the ring.
#[derive(Clone, Debug)]
pub(super) struct Simulated {
    pub facts: SsTableFacts,
    pub cells: Vec<f64>,
}

/// The middle of a cell.
fn token_of(cell: usize) -> Token {
    let step = (1_i128 << 64) / CELLS_COUNT as i128;
    Token((i128::from(i64::MIN) + step * cell as i128 + step / 2) as i64)
}

fn cell_of(token: Token) -> usize {
    let step = (1_i128 << 64) / CELLS_COUNT as i128;
    ((i128::from(token.0) - i128::from(i64::MIN)) / step) as usize
}

/// Place on the ring in percent.
pub(super) fn percent_of(token: Token) -> f64 {
    let share = (i128::from(token.0) - i128::from(i64::MIN)) as f64 / 2_f64.powi(64);
    (share * 10_000.0).round() / 100.0
}

fn key(token: Token) -> PartitionKey {
    PartitionKey { token, key: Bytes::from_static(b"k") }
}

impl Simulated {
    /// Evenly spread over cells `first` to `last`.
    pub(super) fn even(id: u64, bytes: u64, first: usize, last: usize) -> Simulated {
        let mut cells = vec![0.0; CELLS_COUNT];
        cells[first..=last].fill(bytes as f64 / (last - first + 1) as f64);
        Simulated::of_cells(id, cells)
    }

    pub(super) fn of_cells(id: u64, cells: Vec<f64>) -> Simulated {
        let bytes = cells.iter().sum::<f64>().round() as u64;
        let first = cells.iter().position(|bytes| *bytes > 0.0).unwrap_or(0);
        let last = cells.iter().rposition(|bytes| *bytes > 0.0).unwrap_or(0);
        let facts = SsTableFacts {
            id,
            bytes,
            data_bytes: 2 * bytes,
            partitions: (bytes / 1_000).max(1),
            cells: (bytes / 100).max(1),
            first: key(token_of(first)),
            last: key(token_of(last)),
            min_timestamp_us: 0,
            max_timestamp_us: 0,
            min_local_deletion_s: NO_DELETION_TIME,
            max_local_deletion_s: NO_DELETION_TIME,
            level: 0,
            repair: RepairState::Unrepaired,
            droppable: Arc::new([]),
            token_coverage: None,
            created_s: 0,
            reads_per_s: 0.0,
            is_being_compacted: false,
            is_suspect: false,
        };
        Simulated { facts, cells }
    }
}

/// Carries a decision out; returns the bytes that it wrote. Of data that several inputs hold `kept` times all is
/// written, at least what the largest of them holds.
pub(super) fn carry_out(
    decision: &Decision,
    sstables: &mut Vec<Simulated>,
    next_id: &mut u64,
    kept: f64,
    now_s: i64,
) -> u64 {
    let mut inputs = Vec::new();
    for id in &decision.inputs {
        let at = sstables.iter().position(|sstable| sstable.facts.id == *id).expect("an input that there is");
        inputs.push(sstables.swap_remove(at));
    }
    if decision.output == OutputPlan::Relevel {
        let mut moved = inputs.pop().expect("one");
        moved.facts.level = decision.output_level;
        sstables.push(moved);
        return 0;
    }
    inputs.retain(|input| !decision.expired.contains(&input.facts.id));
    let mut cells = vec![0.0; CELLS_COUNT];
    for (index, cell) in cells.iter_mut().enumerate() {
        let bytes = inputs.iter().map(|input| input.cells[index]);
        let (sum, most) = bytes.fold((0.0, 0.0_f64), |(sum, most), bytes| (sum + bytes, most.max(bytes)));
        *cell = most + (sum - most) * kept;
    }
    let mut written = 0;
    for (level, cells) in cut(decision, cells) {
        let mut output = Simulated::of_cells(*next_id, cells);
        *next_id += 1;
        output.facts.level = level;
        output.facts.created_s = now_s;
        output.facts.repair = inputs[0].facts.repair;
        output.facts.max_timestamp_us =
            inputs.iter().map(|input| input.facts.max_timestamp_us).max().unwrap_or(0);
        output.facts.min_timestamp_us =
            inputs.iter().map(|input| input.facts.min_timestamp_us).min().unwrap_or(0);
        written += output.facts.bytes;
        sstables.push(output);
    }
    written
}

/// The outputs' levels and cells.
fn cut(decision: &Decision, cells: Vec<f64>) -> Vec<(i32, Vec<f64>)> {
    let total: f64 = cells.iter().sum();
    let mut outputs: Vec<(i32, Vec<f64>)> = Vec::new();
    let mut current = vec![0.0; CELLS_COUNT];
    let (mut bytes, mut level_bytes, mut level, mut left) = (0.0, 0.0, decision.output_level, total);
    for (index, here) in cells.into_iter().enumerate() {
        current[index] = here;
        bytes += here;
        level_bytes += here;
        let is_full = match &decision.output {
            OutputPlan::Single | OutputPlan::Relevel | OutputPlan::Nothing => false,
            OutputPlan::MaxBytes(max) | OutputPlan::Levels { max_bytes: max, .. } => bytes >= *max as f64,
            OutputPlan::Shards(ends) => ends.iter().any(|end| cell_of(*end) == index),
            OutputPlan::Halves { smallest_bytes } => {
                left / 2.0 >= *smallest_bytes as f64 && bytes >= left / 2.0
            }
        };
        if !is_full {
            continue;
        }
        if bytes > 0.0 {
            outputs.push((level, std::mem::replace(&mut current, vec![0.0; CELLS_COUNT])));
        }
        left -= bytes;
        bytes = 0.0;
        if let OutputPlan::Levels { max_bytes, fanout } = decision.output
            && level_bytes >= max_bytes as f64 * f64::from(fanout).powi(level)
        {
            level += 1;
            level_bytes = 0.0;
        }
    }
    if bytes > 0.0 {
        outputs.push((level, current));
    }
    outputs
}
