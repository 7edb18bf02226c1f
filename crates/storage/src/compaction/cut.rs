//! Where the output of a rewrite is cut into SSTables, and what level each gets.
//!
//! Never here: why it is cut so; that is a strategy's.

use std::sync::Arc;

use model::{PartitionKey, Token};
use sstable::SsTable;

use super::strategy::OutputPlan;
use super::task::Plan;

/// The output so far.
pub(super) struct Cut {
    plan: OutputPlan,
    level: i32,
    /// Bytes of finished outputs on this level.
    level_bytes: u64,
    /// Bytes of all inputs.
    expected_bytes: u64,
    /// Outputs that are finished.
    count: u32,
    /// The shard that is being written to.
    shard: usize,
}

impl Cut {
    pub(super) fn new(plan: &Plan) -> Cut {
        Cut {
            plan: plan.output.clone(),
            level: plan.level,
            level_bytes: 0,
            expected_bytes: plan.inputs.iter().map(|input| input.metadata().bytes_on_disk).sum(),
            count: 0,
            shard: 0,
        }
    }

    pub(super) fn level(&self) -> i32 {
        self.level
    }

    /// True if the output that has `file_bytes` ends before this partition. Called for each partition.
    pub(super) fn is_due(&mut self, key: &PartitionKey, file_bytes: Option<u64>) -> bool {
        let file_bytes = file_bytes.unwrap_or(0);
        match &self.plan {
            OutputPlan::Single | OutputPlan::Relevel | OutputPlan::Nothing => false,
            OutputPlan::MaxBytes(max_bytes) | OutputPlan::Levels { max_bytes, .. } => {
                file_bytes >= (*max_bytes).max(1)
            }
            OutputPlan::Shards(ends) => {
                let shard = ends.partition_point(|end| *end < key.token);
                std::mem::replace(&mut self.shard, shard) != shard
            }
            OutputPlan::Halves { smallest_bytes } => {
                let share = self.expected_bytes >> (self.count + 1).min(63);
                share >= (*smallest_bytes).max(1) && file_bytes >= share
            }
        }
    }

    /// An output was finished.
    pub(super) fn closed(&mut self, bytes: u64) {
        self.count += 1;
        self.level_bytes += bytes;
        if let OutputPlan::Levels { max_bytes, fanout } = &self.plan {
            let level = u32::try_from(self.level).unwrap_or(1);
            let level_bytes_max = u64::from(*fanout).saturating_pow(level).saturating_mul(*max_bytes);
            if self.level_bytes >= level_bytes_max {
                self.level += 1;
                self.level_bytes = 0;
            }
        }
    }

    /// How many partitions the output that begins with `first` will have at most, about.
    pub(super) fn expected_partitions(&self, inputs: &[Arc<SsTable>], first: &PartitionKey) -> u64 {
        let all: u64 = inputs.iter().map(|input| input.metadata().partitions).sum();
        let share = |bytes: u64| {
            let part = all as f64 * 1.1 * (bytes as f64 / self.expected_bytes.max(1) as f64);
            (part as u64).clamp(1, all.max(1))
        };
        match &self.plan {
            OutputPlan::Single | OutputPlan::Relevel | OutputPlan::Nothing => all,
            OutputPlan::MaxBytes(max_bytes) | OutputPlan::Levels { max_bytes, .. } => share(*max_bytes),
            OutputPlan::Halves { smallest_bytes } => {
                let half = self.expected_bytes >> (self.count + 1).min(63);
                share(if half >= *smallest_bytes { half } else { half.saturating_mul(2) })
            }
            OutputPlan::Shards(ends) => {
                let last = ends.get(self.shard).copied().unwrap_or(Token::MAX);
                let within = |input: &Arc<SsTable>| {
                    let metadata = input.metadata();
                    let (start, end) = (metadata.first.token.0 as f64, metadata.last.token.0 as f64);
                    let (from, to) = (start.max(first.token.0 as f64), end.min(last.0 as f64));
                    let part = if end > start { ((to - from) / (end - start)).clamp(0.0, 1.0) } else { 1.0 };
                    metadata.partitions as f64 * part
                };
                (inputs.iter().map(within).sum::<f64>() * 1.1) as u64 + 1
            }
        }
    }
}
