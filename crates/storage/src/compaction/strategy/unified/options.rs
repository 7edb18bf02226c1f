//! What an operator can choose about unified compaction, and the numbers that follow from it.

use std::collections::BTreeMap;

use super::super::facts::Environment;
use super::super::options::{flag, invalid, number, size};

const MIB: u64 = 1 << 20;
/// A base shard is split in at most two to the power of this.
const SHARD_SHIFT_MAX: u32 = 20;

/// Which SSTables are compacted with those that overlap too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inclusion {
    /// None.
    None,
    /// Those that overlap with them.
    Single,
    /// And those that overlap with these, and so on.
    Transitive,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Controller {
    /// `w` of each level; the last also of all above. Below 0: leveled; above: tiered.
    scaling: Vec<i32>,
    target_bytes: u64,
    /// `None`: 4, for system tables 1.
    base_shards_count: Option<u32>,
    min_bytes: u64,
    /// 0: SSTables keep their size and their number grows; 1: the other way round.
    growth: f64,
    flush_bytes: Option<u64>,
    pub sstables_count_max: usize,
    pub expired_check_s: i64,
    pub ignores_overlaps: bool,
    pub inclusion: Inclusion,
}

impl Controller {
    pub(super) fn parse(map: &BTreeMap<String, String>) -> Result<Controller, String> {
        let scaling = map.get("scaling_parameters").map_or("T4", String::as_str);
        let base_shards_count = number(map, "base_shard_count", 0)?;
        let sstables_count: i32 = number(map, "max_sstables_to_compact", 32)?;
        let flush_bytes = size(map, "flush_size_override", 0)?;
        let growth = number(map, "sstable_growth", 0.333)?;
        if !(0.0..=1.0).contains(&growth) {
            return Err(invalid("sstable_growth", &growth.to_string()));
        }
        let target_bytes = size(map, "target_sstable_size", 1 << 30)?;
        if target_bytes < MIB {
            return Err(invalid("target_sstable_size", &target_bytes.to_string()));
        }
        let inclusion = map.get("overlap_inclusion_method").map(|text| text.to_ascii_uppercase());
        Ok(Controller {
            scaling: scaling.split(',').map(|text| parse_scaling(text.trim())).collect::<Result<_, _>>()?,
            target_bytes,
            base_shards_count: (base_shards_count > 0).then_some(base_shards_count),
            min_bytes: size(map, "min_sstable_size", 100 * MIB)?,
            growth,
            flush_bytes: (flush_bytes > 0).then_some(flush_bytes),
            sstables_count_max: usize::try_from(sstables_count).ok().filter(|n| *n > 0).unwrap_or(usize::MAX),
            expired_check_s: number(map, "expired_sstable_check_frequency_seconds", 600)?,
            ignores_overlaps: flag(map, "unsafe_aggressive_sstable_expiration", false)?,
            inclusion: match inclusion.as_deref() {
                None | Some("TRANSITIVE") => Inclusion::Transitive,
                Some("SINGLE") => Inclusion::Single,
                Some("NONE") => Inclusion::None,
                Some(other) => return Err(invalid("overlap_inclusion_method", other)),
            },
        })
    }

    fn scaling_of(&self, level: usize) -> i32 {
        self.scaling[level.min(self.scaling.len() - 1)]
    }

    /// How much denser a level is than the one below.
    pub(super) fn fanout(&self, level: usize) -> usize {
        self.scaling_of(level).unsigned_abs() as usize + 2
    }

    /// How many overlapping SSTables are compacted.
    pub(super) fn threshold(&self, level: usize) -> usize {
        self.scaling_of(level).max(0) as usize + 2
    }

    pub(super) fn is_leveled(&self, level: usize) -> bool {
        self.scaling_of(level) < 0
    }

    /// Where the hierarchy begins: a flush, with some leeway, so that flushes that end up a little smaller than usual
    /// are not compacted twice.
    pub(super) fn base_bytes(&self, env: &Environment) -> f64 {
        let flush = self.flush_bytes.unwrap_or_else(|| env.flush_bytes.div_ceil(MIB) * MIB).max(MIB);
        flush as f64 * (1.0 - 0.9 / self.fanout(0) as f64)
    }

    /// In how many shards the owned tokens are cut where SSTables have this density: the base count times a power of
    /// two, so that outputs lie between `sqrt(0.5)` and `sqrt(2)` times the target (which grows with the density by
    /// `sstable_growth`); fewer where they would be smaller than the least size.
    pub(super) fn shards_count(&self, density: f64, is_system: bool) -> u32 {
        let base = self.base_shards_count.unwrap_or(if is_system { 1 } else { 4 });
        if self.min_bytes > 0 {
            let count = density / self.min_bytes as f64;
            if count < f64::from(base) {
                // A divisor of the base count, so that these boundaries are boundaries above as well.
                let power = 1 << (count as u32 | 1).ilog2();
                return power.min(base & base.wrapping_neg());
            }
        }
        let count = density / (self.target_bytes as f64 * f64::from(base));
        let shift = count.log2() * (1.0 - self.growth) + 0.5;
        // `as` takes what is not a number, and below 0, for 0.
        let shift = (shift as u32).min(SHARD_SHIFT_MAX);
        base.saturating_mul(1 << shift)
    }
}

/// `T4`, `L10`, `N`, or `w` itself.
fn parse_scaling(text: &str) -> Result<i32, String> {
    let refused = || invalid("scaling_parameters", text);
    let fanout = |digits: &str| -> Result<i32, String> {
        let fanout: i32 = digits.parse().map_err(|_| refused())?;
        if (2..=1 << 20).contains(&fanout) { Ok(fanout) } else { Err(refused()) }
    };
    if text == "N" {
        return Ok(0);
    }
    if let Some(digits) = text.strip_prefix('T') {
        return Ok(fanout(digits)? - 2);
    }
    if let Some(digits) = text.strip_prefix('L') {
        return Ok(2 - fanout(digits)?);
    }
    let w: i32 = text.parse().map_err(|_| refused())?;
    if w.unsigned_abs() <= 1 << 20 { Ok(w) } else { Err(refused()) }
}
