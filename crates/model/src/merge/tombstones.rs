//! Range tombstones that overlap: as a list of disjoint ranges, each with the deletion that wins there.

use crate::key::Bound;
use crate::partition::{Marker, RangeTombstone};
use crate::read::{Slice, Slices};
use crate::row::DeletionTime;

/// Adds a range tombstone to a list of disjoint, ascending ones, and keeps it so: where they overlap the
/// later deletion stays; neighbours with one deletion become one. Empty ranges are ignored.
pub fn insert_tombstone(list: &mut Vec<RangeTombstone>, new: RangeTombstone) {
    if new.start.order >= new.end.order || new.deletion.is_live() {
        return;
    }
    // All that overlap or touch it.
    let first = list.partition_point(|old| old.end.order < new.start.order);
    let past = list.partition_point(|old| old.start.order <= new.end.order);
    if first == past {
        list.insert(first, new);
        return;
    }
    let mut pieces: Vec<RangeTombstone> = Vec::with_capacity(past - first + 2);
    let mut rest = Some(new);
    for old in list.drain(first..past) {
        match rest.take() {
            Some(new) => rest = overlay(old, new, &mut pieces),
            None => push_piece(&mut pieces, old),
        }
    }
    if let Some(new) = rest {
        push_piece(&mut pieces, new);
    }
    list.splice(first..first, pieces);
}

/// Lays `new` over `old`, which is the next in order; returns the part of `new` after the end of `old`.
fn overlay(
    old: RangeTombstone,
    new: RangeTombstone,
    pieces: &mut Vec<RangeTombstone>,
) -> Option<RangeTombstone> {
    let mut new = new;
    if new.end.order <= old.start.order {
        push_piece(pieces, new);
        push_piece(pieces, old);
        return None;
    }
    if old.end.order <= new.start.order {
        push_piece(pieces, old);
        return Some(new);
    }
    // They overlap. Before the later start there is only the one that starts first.
    let mut old = old;
    if new.start.order < old.start.order {
        let head = RangeTombstone { end: old.start.invert(), ..new.clone() };
        new.start = old.start.clone();
        push_piece(pieces, head);
    } else if old.start.order < new.start.order {
        let head = RangeTombstone { end: new.start.invert(), ..old.clone() };
        old.start = new.start.clone();
        push_piece(pieces, head);
    }
    let deletion = old.deletion.max(new.deletion);
    let old_ends_first = old.end.order < new.end.order;
    let new_ends_first = new.end.order < old.end.order;
    let shared_end = if old_ends_first { old.end.clone() } else { new.end.clone() };
    push_piece(pieces, RangeTombstone { start: new.start.clone(), end: shared_end, deletion });
    if old_ends_first {
        return Some(RangeTombstone { start: old.end.invert(), ..new });
    }
    if new_ends_first {
        push_piece(pieces, RangeTombstone { start: new.end.invert(), ..old });
    }
    None
}

/// Appends a piece, or lengthens the last one if it touches with the same deletion.
fn push_piece(pieces: &mut Vec<RangeTombstone>, piece: RangeTombstone) {
    if let Some(last) = pieces.last_mut()
        && last.end.order == piece.start.order
        && last.deletion == piece.deletion
    {
        last.end = piece.end;
        return;
    }
    pieces.push(piece);
}

/// The markers of disjoint range tombstones inside `slices`, in the direction of the stream. Those that the
/// partition's deletion covers are left out.
pub fn clip_tombstones(
    tombstones: &[RangeTombstone],
    slices: &Slices,
    partition_deletion: DeletionTime,
    reversed: bool,
) -> Vec<Marker> {
    let mut clipped = Vec::new();
    for slice in &slices.0 {
        let first = tombstones.partition_point(|tombstone| tombstone.end.order <= slice.start.order);
        for tombstone in &tombstones[first..] {
            if tombstone.start.order >= slice.end.order {
                break;
            }
            if tombstone.deletion.supersedes(&partition_deletion) {
                push_piece(&mut clipped, clip(tombstone, slice));
            }
        }
    }
    if reversed { backward_markers(clipped) } else { forward_markers(clipped) }
}

fn clip(tombstone: &RangeTombstone, slice: &Slice) -> RangeTombstone {
    let start = if tombstone.start.order < slice.start.order { &slice.start } else { &tombstone.start };
    let end = if slice.end.order < tombstone.end.order { &slice.end } else { &tombstone.end };
    RangeTombstone { start: start.clone(), end: end.clone(), deletion: tombstone.deletion }
}

fn forward_markers(ranges: Vec<RangeTombstone>) -> Vec<Marker> {
    let mut markers = Vec::with_capacity(ranges.len() * 2);
    for range in ranges {
        open_range(&mut markers, range.start, range.deletion);
        markers.push(Marker { bound: range.end, close: Some(range.deletion), open: None });
    }
    markers
}

fn backward_markers(ranges: Vec<RangeTombstone>) -> Vec<Marker> {
    let mut markers = Vec::with_capacity(ranges.len() * 2);
    for range in ranges.into_iter().rev() {
        open_range(&mut markers, range.end, range.deletion);
        markers.push(Marker { bound: range.start, close: Some(range.deletion), open: None });
    }
    markers
}

/// Opens a range: at the marker that closes the one before if they touch.
fn open_range(markers: &mut Vec<Marker>, bound: Bound, deletion: DeletionTime) {
    if let Some(last) = markers.last_mut()
        && last.bound.order == bound.order
    {
        last.open = Some(deletion);
        return;
    }
    markers.push(Marker { bound, close: None, open: Some(deletion) });
}
