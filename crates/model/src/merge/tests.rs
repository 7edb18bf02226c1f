use std::ops::ControlFlow;
use std::sync::Arc;

use stdx::prng::Prng;

use super::*;
use crate::Marker;
use crate::key::PartitionKey;
use crate::partition::{PartitionStream, PartitionUpdate, RangeTombstone, Unfiltered};
use crate::plain::{PlainParts, PlainRow};
use crate::read::{Slice, Slices};
use crate::row::{Cell, DeletionTime};

pub(crate) mod random;
use random::{Shape, bound, counter_table, table};

const CASES_COUNT: u64 = 2_000;

fn key() -> PartitionKey {
    PartitionKey::new(bytes::Bytes::from_static(b"k"))
}

fn drain(mut stream: Box<dyn PartitionStream>) -> (crate::PartitionHeader, Vec<Unfiltered>) {
    let mut all = Vec::new();
    while let Some(next) = stream.next().unwrap() {
        all.push(next);
    }
    (stream.header().clone(), all)
}

/// The markers alternate and the order holds.
#[track_caller]
fn check_stream(all: &[Unfiltered], reversed: bool, seed: u64) {
    let mut open = None;
    for pair in all.windows(2) {
        let order = pair[0].order().cmp(pair[1].order());
        assert!(if reversed { order.is_gt() } else { order.is_lt() }, "seed {seed}: order\n{all:#?}");
    }
    for one in all {
        if let Unfiltered::Marker(marker) = one {
            assert_eq!(marker.close, open, "seed {seed}: {all:#?}");
            assert!(marker.close.is_some() || marker.open.is_some(), "seed {seed}");
            assert_ne!(marker.close, marker.open, "seed {seed}");
            assert_eq!(marker.bound.kind.is_start(), marker.close.is_some() == reversed, "seed {seed}");
            open = marker.open;
        }
    }
    assert_eq!(open, None, "seed {seed}");
}

/// The same stream read from the other end.
fn turn(all: Vec<Unfiltered>, reversed: bool) -> Vec<Unfiltered> {
    let turned = all.into_iter().rev().map(|one| match one {
        Unfiltered::Row(row) => Unfiltered::Row(row),
        Unfiltered::Marker(mut marker) => {
            std::mem::swap(&mut marker.open, &mut marker.close);
            if marker.bound.kind.is_start() != (marker.close.is_some() == reversed) {
                marker.bound = marker.bound.invert();
            }
            Unfiltered::Marker(marker)
        }
    });
    turned.collect()
}

fn random_slices(prng: &mut Prng) -> Slices {
    if prng.chance(0.4) {
        return Slices::all();
    }
    let mut places: Vec<(u8, bool)> =
        (0..2 * prng.below(4)).map(|_| (prng.below(9) as u8, prng.chance(0.5))).collect();
    places.sort_by_key(|(place, before)| (*place, !*before));
    places.dedup();
    let slices = places.chunks_exact(2);
    Slices(
        slices
            .map(|p| Slice { start: bound(p[0].0, true, p[0].1), end: bound(p[1].0, false, p[1].1) })
            .collect(),
    )
}

fn merged(
    updates: &[PartitionUpdate],
    slices: &Slices,
    reversed: bool,
) -> (crate::PartitionHeader, Vec<Unfiltered>) {
    let sources =
        updates.iter().map(|update| update_stream(key(), update.clone(), slices, reversed)).collect();
    drain(merge_streams(table(), sources, reversed).unwrap())
}

#[test]
fn any_split_over_any_sources_in_either_direction_reads_the_same() {
    for seed in 0..CASES_COUNT {
        let mut prng = Prng::from_seed(seed);
        let count = 2 + prng.index(4);
        let parts: Vec<_> = (0..count).map(|_| random::update(&mut prng, Shape::Everything)).collect();
        let slices = random_slices(&mut prng);
        let forward = merged(&parts, &slices, false);
        check_stream(&forward.1, false, seed);
        let backward = merged(&parts, &slices, true);
        check_stream(&backward.1, true, seed);
        assert_eq!(backward.0, forward.0, "seed {seed}");
        assert_eq!(turn(backward.1, false), forward.1, "seed {seed}: reversed");
        // All parts as one update, merged in a random order, some twice.
        let mut order: Vec<_> = (0..count).chain((0..count).filter(|_| prng.chance(0.3))).collect();
        prng.shuffle(&mut order);
        let whole = order
            .into_iter()
            .map(|part| parts[part].clone())
            .reduce(|a, b| merge_updates(&table(), a, b))
            .unwrap();
        let direct = drain(update_stream(key(), whole.clone(), &slices, false));
        assert_eq!(direct, forward, "seed {seed}: one update");
        assert_eq!(merged(&[whole], &slices, false), forward, "seed {seed}: one source");
        // A part that is there twice, and another grouping of sources.
        let mut again = parts.clone();
        again.push(parts[prng.index(count)].clone());
        prng.shuffle(&mut again);
        assert_eq!(merged(&again, &slices, false), forward, "seed {seed}: shuffled");
    }
}

#[test]
fn slices_show_what_the_whole_shows_there() {
    for seed in 0..CASES_COUNT {
        let mut prng = Prng::from_seed(seed);
        let parts: Vec<_> = (0..3).map(|_| random::update(&mut prng, Shape::Everything)).collect();
        let slices = random_slices(&mut prng);
        let inside = |order: &[u8]| slices.0.iter().any(|s| *s.start.order < *order && *order < *s.end.order);
        let rows = |all: Vec<Unfiltered>| -> Vec<_> {
            all.into_iter().filter(|one| matches!(one, Unfiltered::Row(_))).collect()
        };
        let mut whole = rows(merged(&parts, &Slices::all(), false).1);
        whole.retain(|row| inside(row.order()));
        assert_eq!(rows(merged(&parts, &slices, false).1), whole, "seed {seed}");
    }
}

#[test]
fn updates_merge_in_any_grouping() {
    for seed in 0..CASES_COUNT {
        let mut prng = Prng::from_seed(seed);
        let (table, shape) = match prng.chance(0.2) {
            true => (counter_table(), Shape::Counters),
            false => (table(), Shape::Everything),
        };
        let [a, b, c] = std::array::from_fn(|_| random::update(&mut prng, shape));
        let merge = |a: &PartitionUpdate, b: &PartitionUpdate| merge_updates(&table, a.clone(), b.clone());
        assert_eq!(merge(&a, &b), merge(&b, &a), "seed {seed}: commutative");
        assert_eq!(merge(&merge(&a, &b), &c), merge(&a, &merge(&b, &c)), "seed {seed}: associative");
        let ab = merge(&a, &b);
        assert_eq!(merge(&ab, &ab), ab, "seed {seed}: idempotent");
        assert_eq!(merge(&ab, &a), ab, "seed {seed}: replay");
    }
}

#[test]
fn overlapping_tombstones_hold_the_latest_at_every_place() {
    for seed in 0..CASES_COUNT {
        let mut prng = Prng::from_seed(seed);
        let all: Vec<_> = (0..1 + prng.below(8)).map(|_| random::tombstone(&mut prng)).collect();
        let mut list: Vec<RangeTombstone> = Vec::new();
        for tombstone in all.clone() {
            insert_tombstone(&mut list, tombstone);
        }
        for pair in list.windows(2) {
            let touching = pair[0].end.order == pair[1].start.order;
            assert!(pair[0].end.order <= pair[1].start.order, "seed {seed}");
            assert!(!touching || pair[0].deletion != pair[1].deletion, "seed {seed}");
        }
        let at = |list: &[RangeTombstone], order: &[u8]| {
            let covering = list.iter().filter(|t| *t.start.order < *order && *order < *t.end.order);
            covering.map(|t| t.deletion).fold(DeletionTime::LIVE, DeletionTime::max)
        };
        for place in 0..10 {
            for probe in [random::order(place, 0x10), random::order(place, 0x38), random::order(place, 0x70)]
            {
                assert_eq!(at(&list, &probe), at(&all, &probe), "seed {seed} at {place}");
            }
        }
    }
}

#[test]
fn the_row_of_a_table_without_clustering_is_in_every_slice() {
    let mut row = crate::Row::empty(crate::Clustering::EMPTY);
    row.liveness.timestamp_us = 1;
    let update = PartitionUpdate { rows: vec![row], ..PartitionUpdate::default() };
    for reversed in [false, true] {
        assert_eq!(merged(&[update.clone(), update.clone()], &Slices::all(), reversed).1.len(), 1);
        assert_eq!(merged(std::slice::from_ref(&update), &Slices(Vec::new()), reversed).1.len(), 0);
    }
}

#[test]
fn ties_of_cells() {
    let value = |text: &'static str| bytes::Bytes::from_static(text.as_bytes());
    // Each beats all before it.
    let ascending = [
        Cell::tombstone(9, 500),
        Cell::live(10, value("a")),
        Cell::live(10, value("b")),
        Cell::expiring(10, 5, 100, value("a")),
        Cell::expiring(10, 5, 101, value("a")),
        Cell::expiring(10, 5, 101, value("b")),
        Cell::tombstone(10, 50),
        Cell::tombstone(10, 51),
        Cell::live(11, value("")),
    ];
    for (index, loser) in ascending.iter().enumerate() {
        for winner in &ascending[index..] {
            assert_eq!(reconcile_cells(loser, winner), winner);
            assert_eq!(reconcile_cells(winner, loser), winner);
        }
    }
}

#[test]
fn an_inverted_tie_rule_is_caught() {
    cell::TIES_INVERTED.set(true);
    let caught = std::panic::catch_unwind(ties_of_cells);
    cell::TIES_INVERTED.set(false);
    assert!(caught.is_err());
}

#[test]
fn a_source_that_breaks_the_order_is_an_error() {
    let mut prng = Prng::from_seed(1);
    let mut update = loop {
        let update = random::update(&mut prng, Shape::Everything);
        if update.rows.len() > 1 && update.deletion.is_live() && update.range_tombstones.is_empty() {
            break update;
        }
    };
    update.rows.reverse();

    let header = crate::PartitionHeader { key: key(), deletion: DeletionTime::LIVE, static_row: None };
    let source = Sliced::new(header, update.rows.into_iter(), Vec::new(), false);
    let mut stream = merge_streams(Arc::clone(&table()), vec![Box::new(source)], false).unwrap();
    let failed = std::iter::from_fn(|| stream.next().transpose()).any(|next| next.is_err());
    assert!(failed);
}

#[test]
fn a_range_cut_in_two_comes_out_of_one_source_as_out_of_two() {
    let deletion = DeletionTime { timestamp_us: 9, local_deletion_s: 9 };
    let start = |place| Marker { bound: bound(place, true, true), close: None, open: Some(deletion) };
    let end = |place| Marker { bound: bound(place, false, true), close: Some(deletion), open: None };
    let source = || {
        let markers = vec![start(1), end(3), start(3), end(5)];
        let header = crate::PartitionHeader { key: key(), deletion: DeletionTime::LIVE, static_row: None };
        Box::new(Sliced::new(header, Vec::new().into_iter(), markers, false)) as Box<dyn PartitionStream>
    };
    let from = |sources| drain(merge_streams(table(), sources, false).unwrap()).1;
    let alone = from(vec![source()]);
    assert_eq!(alone, [start(1), end(5)].map(Unfiltered::Marker));
    assert_eq!(alone, from(vec![source(), source()]));
}

/// A source all of whose rows can be had in place, those too that its own markers shadow: so Cassandra's files are.
struct InPlace {
    header: crate::PartitionHeader,
    rest: std::collections::VecDeque<Unfiltered>,
}

impl PartitionStream for InPlace {
    fn header(&self) -> &crate::PartitionHeader {
        &self.header
    }

    fn next(&mut self) -> Result<Option<Unfiltered>, crate::partition::SourceError> {
        Ok(self.rest.pop_front())
    }

    fn plain_rows(
        &mut self,
        parts: &mut PlainParts,
        take: crate::partition::TakePlain<'_>,
    ) -> Result<u64, crate::partition::SourceError> {
        let mut count = 0;
        while let Some(Unfiltered::Row(row)) = self.rest.front() {
            count += 1;
            let flow = take(&PlainRow { bytes: &[], order: &row.clustering.order, parts });
            self.rest.pop_front();
            if flow.is_break() {
                break;
            }
        }
        Ok(count)
    }
}

#[test]
fn a_row_that_its_own_source_shadows_is_not_shown_in_place() {
    let deletion = DeletionTime { timestamp_us: i64::MAX - 1, local_deletion_s: 9 };
    let mut prng = Prng::from_seed(4);
    let mut update = loop {
        let update = random::update(&mut prng, Shape::Everything);
        if update.rows.len() > 2 && update.deletion.is_live() {
            break update;
        }
    };
    // Seen in spite of the deletion: the next ones are asked for in place, with the deletion still open.
    update.rows[0].liveness = crate::Liveness { timestamp_us: i64::MAX, ..crate::Liveness::NONE };
    let shadowed = |is_shadowed: bool, partition: DeletionTime| {
        let first = bound(0, true, true);
        let last = bound(u8::MAX, false, false);
        let mut rest: std::collections::VecDeque<_> =
            update.rows.iter().cloned().map(Unfiltered::Row).collect();
        if is_shadowed {
            rest.push_front(Unfiltered::Marker(Marker { bound: first, close: None, open: Some(deletion) }));
            rest.push_back(Unfiltered::Marker(Marker { bound: last, close: Some(deletion), open: None }));
        }
        let header = crate::PartitionHeader { key: key(), deletion: partition, static_row: None };
        let mut stream = merge_streams(table(), vec![Box::new(InPlace { header, rest })], false).unwrap();
        let (mut parts, mut rows_count) = (PlainParts::default(), 0);
        loop {
            let take = &mut |_: &PlainRow<'_>| ControlFlow::Continue(());
            rows_count += stream.plain_rows(&mut parts, take).unwrap() as usize;
            match stream.next().unwrap() {
                Some(Unfiltered::Row(_)) => rows_count += 1,
                Some(Unfiltered::Marker(_)) => {}
                None => break rows_count,
            }
        }
    };
    assert_eq!(shadowed(false, DeletionTime::LIVE), update.rows.len());
    assert_eq!(shadowed(true, DeletionTime::LIVE), 1);
    assert_eq!(shadowed(false, deletion), 1);
}
