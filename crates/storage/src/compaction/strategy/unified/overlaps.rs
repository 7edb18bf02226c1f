//! Which SSTables overlap, and how many at one token.

use std::collections::BTreeSet;

use super::super::facts::SsTableFacts;
use super::options::Inclusion;

/// SSTables that are compacted together.
pub(super) struct Bucket<'a> {
    /// Youngest first.
    pub facts: Vec<&'a SsTableFacts>,
    /// How many overlap at one token at most.
    pub overlap: usize,
    sets: Vec<BTreeSet<u64>>,
}

impl<'a> Bucket<'a> {
    /// The oldest SSTables, as many as leave no more than `overlap` of them at one token.
    pub(super) fn oldest(&self, overlap: usize) -> Vec<&'a SsTableFacts> {
        let mut counts = vec![0; self.sets.len()];
        let mut chosen = Vec::new();
        for facts in self.facts.iter().rev() {
            for (set, count) in self.sets.iter().zip(&mut counts) {
                *count += usize::from(set.contains(&facts.id));
            }
            if counts.iter().any(|count| *count > overlap) {
                break;
            }
            chosen.push(*facts);
        }
        chosen
    }
}

/// The sets (of places in `facts`) that overlap at some token, each as large as it can be, in the order of tokens.
pub(super) fn overlap_sets(facts: &[&SsTableFacts]) -> Vec<BTreeSet<usize>> {
    let mut order: Vec<usize> = (0..facts.len()).collect();
    order.sort_by(|a, b| facts[*a].first.cmp(&facts[*b].first));
    let mut sets = Vec::new();
    let mut active: BTreeSet<usize> = BTreeSet::new();
    for index in order {
        let has_ended = |other: &usize| facts[*other].last < facts[index].first;
        if active.iter().any(has_ended) {
            sets.push(active.clone());
            active.retain(|other| !has_ended(other));
        }
        active.insert(index);
    }
    if !active.is_empty() {
        sets.push(active);
    }
    sets
}

/// Where at least `threshold` SSTables overlap: these, and those that are included with them. No SSTable is in two.
pub(super) fn buckets<'a>(
    facts: &[&'a SsTableFacts],
    threshold: usize,
    inclusion: Inclusion,
) -> Vec<Bucket<'a>> {
    let sets = overlap_sets(facts);
    let mut buckets = Vec::new();
    let mut done = 0;
    while let Some(offset) = sets[done..].iter().position(|set| set.len() >= threshold) {
        let found = done + offset;
        let mut members = sets[found].clone();
        let (mut start, mut end) = (found, found + 1);
        if inclusion != Inclusion::None {
            let seed = members.clone();
            let touches = |set: &BTreeSet<usize>, members: &BTreeSet<usize>| match inclusion {
                Inclusion::Transitive => !set.is_disjoint(members),
                _ => !set.is_disjoint(&seed),
            };
            while start > done && touches(&sets[start - 1], &members) {
                start -= 1;
                members.extend(&sets[start]);
            }
            while end < sets.len() && touches(&sets[end], &members) {
                members.extend(&sets[end]);
                end += 1;
            }
        }
        buckets.push(make_bucket(facts, &members, &sets[start..end]));
        // What is in this bucket may be in no other.
        while end < sets.len() && !sets[end].is_disjoint(&members) {
            end += 1;
        }
        done = end;
    }
    buckets
}

fn make_bucket<'a>(
    facts: &[&'a SsTableFacts],
    members: &BTreeSet<usize>,
    sets: &[BTreeSet<usize>],
) -> Bucket<'a> {
    let mut chosen: Vec<&SsTableFacts> = members.iter().map(|index| facts[*index]).collect();
    chosen.sort_by_key(|facts| std::cmp::Reverse((facts.max_timestamp_us, facts.id)));
    let ids = |set: &BTreeSet<usize>| set.iter().map(|index| facts[*index].id).collect();
    Bucket {
        facts: chosen,
        overlap: sets.iter().map(BTreeSet::len).max().unwrap_or(0),
        sets: sets.iter().map(ids).collect(),
    }
}
