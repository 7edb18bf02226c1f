//! What all strategies share: common options, and how values are read.
//!
//! Values were checked when the table was made (with Cassandra's texts); what is refused here would be a table of
//! another version.

use std::collections::BTreeMap;
use std::str::FromStr;

/// Options of every strategy.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Common {
    pub is_enabled: bool,
    /// Share of cells that can be purged above which one SSTable is compacted alone.
    pub tombstone_threshold: f64,
    /// An SSTable younger than that is not compacted alone.
    pub tombstone_compaction_interval_s: i64,
    /// Do not ask whether other SSTables overlap.
    pub unchecked_tombstone_compaction: bool,
    pub only_purge_repaired_tombstones: bool,
    pub provide_overlapping_tombstones: OverlappingTombstones,
    pub log_all: bool,
}

/// `provide_overlapping_tombstones`: whether tombstones of SSTables that are not compacted remove data of those that
/// are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OverlappingTombstones {
    /// They do not.
    #[default]
    None,
    /// Deletions of partitions, ranges and rows do.
    Row,
    /// Deletions and overwrites of cells do as well.
    Cell,
}

impl Common {
    pub(super) fn parse(map: &BTreeMap<String, String>) -> Result<Common, String> {
        let overlapping = map.get("provide_overlapping_tombstones").map(|text| text.to_ascii_uppercase());
        Ok(Common {
            is_enabled: flag(map, "enabled", true)?,
            tombstone_threshold: number(map, "tombstone_threshold", 0.2)?,
            tombstone_compaction_interval_s: number(map, "tombstone_compaction_interval", 86_400)?,
            unchecked_tombstone_compaction: flag(map, "unchecked_tombstone_compaction", false)?,
            only_purge_repaired_tombstones: flag(map, "only_purge_repaired_tombstones", false)?,
            provide_overlapping_tombstones: match overlapping.as_deref() {
                None | Some("NONE") => OverlappingTombstones::None,
                Some("ROW") => OverlappingTombstones::Row,
                Some("CELL") => OverlappingTombstones::Cell,
                Some(other) => return Err(invalid("provide_overlapping_tombstones", other)),
            },
            log_all: flag(map, "log_all", false)?,
        })
    }
}

/// `min_threshold` and `max_threshold`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Thresholds {
    pub min_count: usize,
    pub max_count: usize,
}

impl Thresholds {
    pub(super) fn parse(map: &BTreeMap<String, String>) -> Result<Thresholds, String> {
        let thresholds = Thresholds {
            min_count: number(map, "min_threshold", 4)?,
            max_count: number(map, "max_threshold", 32)?,
        };
        if thresholds.min_count < 2 || thresholds.min_count > thresholds.max_count {
            return Err(invalid("min_threshold", &thresholds.min_count.to_string()));
        }
        Ok(thresholds)
    }
}

pub(super) fn flag(map: &BTreeMap<String, String>, name: &str, default: bool) -> Result<bool, String> {
    match map.get(name) {
        None => Ok(default),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(text) => Err(invalid(name, text)),
    }
}

pub(super) fn number<N: FromStr>(
    map: &BTreeMap<String, String>,
    name: &str,
    default: N,
) -> Result<N, String> {
    match map.get(name) {
        None => Ok(default),
        Some(text) => text.trim().parse().map_err(|_| invalid(name, text)),
    }
}

/// A size with a unit: `100MiB`, `1 GB`, `512B`. Both spellings count by 1024, as in Cassandra.
pub(super) fn size(map: &BTreeMap<String, String>, name: &str, default: u64) -> Result<u64, String> {
    let Some(text) = map.get(name) else { return Ok(default) };
    let refused = || invalid(name, text);
    let number = text.trim().strip_suffix('B').ok_or_else(refused)?;
    let number = number.strip_suffix('i').unwrap_or(number);
    let (number, shift) = match number.as_bytes().last() {
        Some(b'k' | b'K') => (&number[..number.len() - 1], 10),
        Some(b'M') => (&number[..number.len() - 1], 20),
        Some(b'G') => (&number[..number.len() - 1], 30),
        Some(b'T') => (&number[..number.len() - 1], 40),
        _ => (number, 0),
    };
    let number: f64 = number.trim().parse().map_err(|_| refused())?;
    let bytes = number * (1_u64 << shift) as f64;
    if !(0.0..=i64::MAX as f64).contains(&bytes) {
        return Err(refused());
    }
    Ok(bytes as u64)
}

pub(super) fn invalid(name: &str, text: &str) -> String {
    format!("invalid value {text} for compaction option {name}")
}
