//! Operations: what seed and position say is to be done.

use stdx::prng::Prng;

/// Partitions that are written at the same time.
const PARTITIONS_COUNT: u64 = 6;
/// After so many operations others are written.
const EPOCH_COUNT: u64 = 1_000;
/// How many seconds a timestamp may lie behind the clock.
pub(super) const LATE_S: i64 = 3;

/// A row: its two clustering values.
pub(super) type Place = (i8, i8);

/// One side of a range: a prefix of clustering values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Edge {
    pub prefix: Vec<i8>,
    pub is_inclusive: bool,
}

/// What happens to a simple column.
pub(super) type SetText = Option<Option<String>>;

#[derive(Clone, Debug)]
pub(super) enum SetMap {
    /// `m[key] = value`
    Put(i8, String),
    /// `DELETE m[key]`
    Remove(i8),
    /// `m = {…}`
    Replace(Vec<(i8, String)>),
    /// `DELETE m`
    Clear,
}

#[derive(Clone, Debug)]
pub(super) struct Cells {
    pub ttl_s: Option<i32>,
    pub text: SetText,
    pub other: SetText,
    pub map: Option<SetMap>,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    /// `INSERT` if there is a marker, else `UPDATE`.
    Row {
        place: Place,
        has_marker: bool,
        cells: Cells,
    },
    Static {
        cells: Cells,
    },
    DeleteRow(Place),
    DeleteRange(Edge, Edge),
    DeletePartition,
}

#[derive(Clone, Debug)]
pub(super) enum Reading {
    /// Slices, all rows if there is none; in which direction.
    Slices { slices: Vec<(Edge, Edge)>, is_reversed: bool },
    /// Page after page of so many rows.
    Pages { rows_count: usize },
}

#[derive(Clone, Debug)]
pub(super) enum Operation {
    Write {
        partition: u32,
        /// How late its timestamp is.
        late_s: i64,
        /// What makes it differ from others of its second; 0: nothing.
        slot: i64,
        change: Change,
    },
    Read {
        partition: u32,
        reading: Reading,
    },
    /// Everything, in pages of so many partitions.
    Scan {
        partitions_count: usize,
    },
    Flush,
    Compact,
    Restart,
    PowerLoss,
    /// Drop or add again one of the columns that come and go.
    ChangeSchema {
        column: usize,
    },
    /// The clock goes on by so many seconds.
    Wait {
        seconds: u64,
    },
}

/// The operation at a position.
pub(super) fn operation(seed: u64, position: u64) -> Operation {
    let mut prng = Prng::from_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ position);
    let prng = &mut prng;
    let epoch = (position / EPOCH_COUNT) as u32;
    let partition = epoch * PARTITIONS_COUNT as u32 + prng.below(PARTITIONS_COUNT) as u32;
    match prng.below(1_000) {
        0..620 => write(prng, partition, position),
        620..960 => Operation::Read { partition, reading: reading(prng) },
        960..965 => Operation::Scan { partitions_count: 1 + prng.index(5) },
        965..975 => Operation::Flush,
        975..979 => Operation::Compact,
        979..981 => Operation::Restart,
        981..983 => Operation::PowerLoss,
        983..988 => Operation::ChangeSchema { column: prng.index(4) },
        988..998 => Operation::Wait { seconds: prng.below(10) },
        _ => Operation::Wait { seconds: prng.below(120) },
    }
}

/// A write to the partition that the read at a position reads, while it reads.
pub(super) fn racing_write(seed: u64, position: u64, partition: u32) -> Option<Operation> {
    let mut prng = Prng::from_seed(!seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ position);
    prng.chance(0.4).then(|| write(&mut prng, partition, position))
}

fn write(prng: &mut Prng, partition: u32, position: u64) -> Operation {
    let late_s = prng.below(LATE_S as u64 + 1) as i64;
    let change = change(prng);
    let expires = matches!(
        &change,
        Change::Row { cells: Cells { ttl_s: Some(_), .. }, .. }
            | Change::Static { cells: Cells { ttl_s: Some(_), .. } }
    );
    // An expired cell may become a tombstone in a compaction, which changes who wins a tie with another that expires
    // later: two of these never meet in one microsecond. With all others ties are wanted.
    let slot = if expires && !position.is_multiple_of(64) { 1 + (position % 1_000) as i64 } else { 0 };
    Operation::Write { partition, late_s, slot, change }
}

fn change(prng: &mut Prng) -> Change {
    match prng.below(100) {
        0..68 => Change::Row { place: place(prng), has_marker: prng.chance(0.4), cells: cells(prng) },
        68..78 => Change::Static { cells: cells(prng) },
        78..86 => Change::DeleteRow(place(prng)),
        86..98 => {
            let (start, end) = range(prng);
            Change::DeleteRange(start, end)
        }
        _ => Change::DeletePartition,
    }
}

fn cells(prng: &mut Prng) -> Cells {
    let map = match prng.below(8) {
        0 | 1 => Some(SetMap::Put(map_key(prng), text(prng))),
        2 => Some(SetMap::Remove(map_key(prng))),
        3 => Some(SetMap::Replace((0..prng.below(3) as i8).map(|key| (key, text(prng))).collect())),
        4 if prng.chance(0.4) => Some(SetMap::Clear),
        _ => None,
    };
    Cells {
        ttl_s: prng.chance(0.2).then(|| 1 + prng.below(40) as i32),
        text: set_text(prng),
        other: set_text(prng),
        map,
    }
}

fn map_key(prng: &mut Prng) -> i8 {
    prng.below(4) as i8 - 1
}

fn text(prng: &mut Prng) -> String {
    (*prng.choose(&["", "a", "b", "bb", "a longer text"]).expect("some")).to_owned()
}

fn set_text(prng: &mut Prng) -> SetText {
    match prng.below(8) {
        0..4 => Some(Some(text(prng))),
        4 => Some(None),
        _ => None,
    }
}

fn place(prng: &mut Prng) -> Place {
    (prng.below(4) as i8 - 1, prng.below(4) as i8 - 1)
}

fn edge(prng: &mut Prng) -> Edge {
    let (first, second) = place(prng);
    let prefix = match prng.below(5) {
        0 => vec![],
        1 | 2 => vec![first],
        _ => vec![first, second],
    };
    let is_inclusive = prefix.is_empty() || prng.chance(0.5);
    Edge { prefix, is_inclusive }
}

/// Whether its sides are in order is asked later: it depends on the table.
fn range(prng: &mut Prng) -> (Edge, Edge) {
    (edge(prng), edge(prng))
}

fn reading(prng: &mut Prng) -> Reading {
    match prng.below(4) {
        0 => Reading::Slices { slices: Vec::new(), is_reversed: prng.chance(0.5) },
        1 => Reading::Slices { slices: vec![range(prng)], is_reversed: prng.chance(0.5) },
        2 => {
            let mut places: Vec<Place> = (0..1 + prng.below(4)).map(|_| place(prng)).collect();
            places.sort_unstable();
            places.dedup();
            let row = |place: Place| Edge { prefix: vec![place.0, place.1], is_inclusive: true };
            let slices = places.into_iter().map(|place| (row(place), row(place))).collect();
            Reading::Slices { slices, is_reversed: prng.chance(0.5) }
        }
        _ => Reading::Pages { rows_count: 1 + prng.index(6) },
    }
}
