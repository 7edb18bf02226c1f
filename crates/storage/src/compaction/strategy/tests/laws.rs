//! Laws: what holds whatever the SSTables are.

use std::collections::{BTreeMap, BTreeSet};

use model::PartitionKey;
use model::row::NO_DELETION_TIME;
use stdx::prng::Prng;
use uuid::Uuid;

use super::simulate::{CELLS_COUNT, Simulated, carry_out};
use crate::compaction::strategy::{
    Decision, Environment, OutputPlan, RepairState, SsTableFacts, Strategy, overlap_most,
};

const MIB: u64 = 1 << 20;
const NOW_S: i64 = 100 * 86_400;

fn strategy(class: &str, options: &[(&str, &str)]) -> Strategy {
    let mut map = BTreeMap::from([("class".to_owned(), format!("{class}CompactionStrategy"))]);
    map.extend(options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Strategy::from_options(&map).expect("options")
}

fn strategies() -> Vec<Strategy> {
    vec![
        strategy("SizeTiered", &[]),
        strategy("SizeTiered", &[("min_threshold", "2"), ("max_threshold", "4")]),
        strategy("Leveled", &[("sstable_size_in_mb", "20"), ("fanout_size", "3")]),
        strategy("TimeWindow", &[("tombstone_threshold", "0.3")]),
        strategy("Unified", &[("min_sstable_size", "0B")]),
        strategy("Unified", &[("scaling_parameters", "L4"), ("overlap_inclusion_method", "single")]),
        strategy("Unified", &[("scaling_parameters", "N, T3, -2"), ("overlap_inclusion_method", "none")]),
    ]
}

fn env() -> Environment {
    Environment {
        gc_grace_s: 5 * 86_400,
        flush_bytes: 10 * MIB,
        partitions: 1_000_000,
        last_expired_check_s: i64::MIN,
        ..Environment::default()
    }
}

fn facts_of(sstables: &[Simulated]) -> Vec<SsTableFacts> {
    sstables.iter().map(|sstable| sstable.facts.clone()).collect()
}

fn random_sstable(prng: &mut Prng, id: u64) -> Simulated {
    let first = prng.index(CELLS_COUNT);
    let last = if prng.chance(0.3) { first } else { first + prng.index(CELLS_COUNT - first) };
    let (first, last) = if prng.chance(0.4) { (0, CELLS_COUNT - 1) } else { (first, last) };
    let mut sstable = Simulated::even(id, MIB << prng.below(8), first, last);
    let facts = &mut sstable.facts;
    facts.level = prng.below(4) as i32;
    facts.max_timestamp_us = prng.between(1, 99) as i64 * 86_400_000_000;
    facts.min_timestamp_us = facts.max_timestamp_us - prng.below(86_400_000_000) as i64;
    if prng.chance(0.3) {
        facts.max_local_deletion_s = prng.below(100 * 86_400) as u32;
        facts.min_local_deletion_s = facts.max_local_deletion_s / 2;
    }
    if prng.chance(0.3) {
        facts.droppable = [(prng.below(100 * 86_400) as i64, (facts.cells / 2) as u32)].into();
    }
    facts.created_s = prng.below(101 * 86_400) as i64;
    facts.repair = *prng
        .choose(&[
            RepairState::Unrepaired,
            RepairState::Unrepaired,
            RepairState::Repaired,
            RepairState::Pending(Uuid::from_u128(1)),
        ])
        .expect("some");
    facts.is_being_compacted = prng.chance(0.1);
    facts.is_suspect = prng.chance(0.05);
    sstable
}

fn random_sstables(prng: &mut Prng) -> Vec<Simulated> {
    (1..=prng.below(60)).map(|id| random_sstable(prng, id)).collect()
}

/// Inputs are there, free, of one repair state and named once; what is expired is expired.
#[track_caller]
fn check(decision: &Decision, facts: &[SsTableFacts], case: &str) {
    let inputs: Vec<&SsTableFacts> = decision
        .inputs
        .iter()
        .map(|id| {
            facts.iter().find(|facts| facts.id == *id).unwrap_or_else(|| panic!("{case}: {id} is not there"))
        })
        .collect();
    assert!(!inputs.is_empty(), "{case}: {decision:?}");
    assert!(inputs.iter().all(|facts| facts.is_free()), "{case}: {decision:?}");
    assert!(inputs.iter().all(|facts| facts.repair == inputs[0].repair), "{case}: {decision:?}");
    let ids: BTreeSet<u64> = decision.inputs.iter().copied().collect();
    assert_eq!(ids.len(), decision.inputs.len(), "{case}: {decision:?}");
    for id in &decision.expired {
        let input = inputs.iter().find(|facts| facts.id == *id).expect("an input");
        assert!(input.max_local_deletion_s != NO_DELETION_TIME, "{case}: {decision:?}");
        assert!(i64::from(input.max_local_deletion_s) < NOW_S - env().gc_grace_s, "{case}: {decision:?}");
    }
    let read = inputs.iter().filter(|facts| !decision.expired.contains(&facts.id));
    let bytes: u64 = read.map(|facts| facts.bytes).sum();
    let is_copied = !matches!(decision.output, OutputPlan::Relevel | OutputPlan::Nothing);
    assert_eq!(decision.needed_bytes, if is_copied { bytes } else { 0 }, "{case}: {decision:?}");
    if let OutputPlan::Shards(ends) = &decision.output {
        assert!(ends.is_sorted() && !ends.is_empty(), "{case}: {decision:?}");
    }
}

#[test]
fn decisions_that_run_beside_each_other_share_no_sstable() {
    for seed in 0..400 {
        let mut prng = Prng::from_seed(seed);
        let sstables = random_sstables(&mut prng);
        for strategy in strategies() {
            let case = format!("seed {seed}, {strategy:?}");
            let mut facts = facts_of(&sstables);
            for round in 0.. {
                assert!(round <= sstables.len(), "{case}: it never ends");
                let Some(mut decision) = strategy.decide(&facts, NOW_S, &env()) else { break };
                check(&decision, &facts, &case);
                if prng.chance(0.3) {
                    let before = decision.clone();
                    if decision.shrink(&facts, before.needed_bytes / 2) {
                        assert!(decision.needed_bytes <= before.needed_bytes / 2, "{case}");
                    }
                    check(&decision, &facts, &case);
                }
                facts
                    .iter_mut()
                    .filter(|facts| decision.inputs.contains(&facts.id))
                    .for_each(|facts| facts.is_being_compacted = true);
            }
            for split_output in [false, true] {
                let facts = facts_of(&sstables);
                let decisions = strategy.major(&facts, split_output, NOW_S, &env());
                let all: Vec<u64> = decisions.iter().flat_map(|decision| decision.inputs.clone()).collect();
                let free = facts.iter().filter(|facts| facts.is_free()).map(|facts| facts.id);
                assert_eq!(all.len(), all.iter().collect::<BTreeSet<_>>().len(), "{case}");
                assert_eq!(all.iter().copied().collect::<BTreeSet<_>>(), free.collect(), "{case}");
                decisions.iter().for_each(|decision| check(decision, &facts, &case));
            }
        }
    }
}

#[test]
fn a_fixed_set_comes_to_rest() {
    for seed in 0..60 {
        for strategy in strategies() {
            let mut prng = Prng::from_seed(seed);
            let mut sstables = random_sstables(&mut prng);
            let mut next_id = 1_000;
            let kept = prng.next_f64();
            let mut rounds = 0;
            while let Some(decision) = strategy.decide(&facts_of(&sstables), NOW_S, &env()) {
                carry_out(&decision, &mut sstables, &mut next_id, kept, NOW_S);
                rounds += 1;
                assert!(rounds < 500, "seed {seed}, {strategy:?}: it never comes to rest, {decision:?}");
            }
        }
    }
}

/// At rest nothing is pending, but for SSTables that wait for company.
#[test]
fn at_rest_tiers_have_nothing_pending() {
    for seed in 0..60 {
        for strategy in [strategy("SizeTiered", &[]), strategy("TimeWindow", &[]), strategy("Unified", &[])] {
            let mut sstables = random_sstables(&mut Prng::from_seed(seed));
            let mut next_id = 1_000;
            while let Some(decision) = strategy.decide(&facts_of(&sstables), NOW_S, &env()) {
                carry_out(&decision, &mut sstables, &mut next_id, 1.0, NOW_S);
            }
            assert_eq!(strategy.pending(&facts_of(&sstables), NOW_S, &env()), 0, "seed {seed}, {strategy:?}");
        }
    }
}

/// SSTables of one level above 0 have no token in common.
#[track_caller]
fn check_levels(sstables: &[Simulated], seed: u64) {
    for level in 1..9 {
        let mut in_level: Vec<&SsTableFacts> =
            sstables.iter().map(|sstable| &sstable.facts).filter(|facts| facts.level == level).collect();
        in_level.sort_by(|a, b| a.first.cmp(&b.first));
        for pair in in_level.windows(2) {
            assert!(
                pair[0].last < pair[1].first,
                "seed {seed}: level {level}: {} and {}",
                pair[0].id,
                pair[1].id
            );
        }
    }
}

/// With flushes in between, and up to three compactions at work at once that end in any order.
#[test]
fn levels_never_overlap() {
    let mut relevels = 0;
    for seed in 0..30 {
        let mut prng = Prng::from_seed(seed);
        let strategy = strategy("Leveled", &[("sstable_size_in_mb", "10"), ("fanout_size", "3")]);
        let mut sstables: Vec<Simulated> = Vec::new();
        let mut running: Vec<Decision> = Vec::new();
        let mut next_id = 1;
        for _ in 0..400 {
            if prng.chance(0.5) {
                let first = prng.index(CELLS_COUNT / 2);
                let last = first + prng.index(CELLS_COUNT - first);
                sstables.push(Simulated::even(next_id, prng.between(1, 12) * MIB, first, last));
                next_id += 1;
            }
            if running.len() < 3
                && let Some(decision) = strategy.decide(&facts_of(&sstables), NOW_S, &env())
            {
                check(&decision, &facts_of(&sstables), "leveled");
                relevels += usize::from(decision.output == OutputPlan::Relevel);
                sstables
                    .iter_mut()
                    .filter(|sstable| decision.inputs.contains(&sstable.facts.id))
                    .for_each(|sstable| sstable.facts.is_being_compacted = true);
                running.push(decision);
            }
            if !running.is_empty() && prng.chance(0.4) {
                let decision = running.swap_remove(prng.index(running.len()));
                carry_out(&decision, &mut sstables, &mut next_id, 0.7, NOW_S);
                sstables
                    .iter_mut()
                    .filter(|sstable| decision.inputs.contains(&sstable.facts.id))
                    .for_each(|sstable| sstable.facts.is_being_compacted = false);
            }
            check_levels(&sstables, seed);
        }
        let highest = sstables.iter().map(|sstable| sstable.facts.level).max();
        assert!(highest >= Some(3), "seed {seed}: {highest:?}");
    }
    assert!(relevels > 10, "{relevels}");
}

#[test]
fn levels_of_a_major_compaction_never_overlap() {
    let strategy = strategy("Leveled", &[("sstable_size_in_mb", "10"), ("fanout_size", "3")]);
    let mut sstables: Vec<Simulated> =
        (1..=20).map(|id| Simulated::even(id, 30 * MIB, 0, CELLS_COUNT - 1)).collect();
    let decisions = strategy.major(&facts_of(&sstables), false, NOW_S, &env());
    carry_out(&decisions[0], &mut sstables, &mut 100, 1.0, NOW_S);
    check_levels(&sstables, 0);
    assert_eq!(sstables.iter().map(|sstable| sstable.facts.level).max(), Some(4));
    // A level may be too full by one SSTable, which then goes up as it is.
    let next = strategy.decide(&facts_of(&sstables), NOW_S, &env());
    assert!(next.is_none_or(|decision| decision.output == OutputPlan::Relevel));
}

/// Bytes that compactions write for each that is flushed, when so many flushes of even data come one after the other.
fn write_amplification(scaling: &str, flushes_count: u64) -> f64 {
    let strategy = strategy(
        "Unified",
        &[("scaling_parameters", scaling), ("target_sstable_size", "40MiB"), ("min_sstable_size", "0B")],
    );
    let mut sstables: Vec<Simulated> = Vec::new();
    let (mut next_id, mut written) = (1, 0);
    for _ in 0..flushes_count {
        sstables.push(Simulated::even(next_id, 10 * MIB, 0, CELLS_COUNT - 1));
        next_id += 1;
        while let Some(decision) = strategy.decide(&facts_of(&sstables), NOW_S, &env()) {
            written += carry_out(&decision, &mut sstables, &mut next_id, 1.0, NOW_S);
        }
        for sstable in &sstables {
            assert!(sstable.facts.bytes < 400 * MIB, "{} bytes", sstable.facts.bytes);
        }
    }
    written as f64 / (10 * MIB * flushes_count) as f64
}

/// Tiered: each byte is written once a level. Leveled: `fanout - 1` times at most, about half of it on average.
#[test]
fn unified_compaction_writes_as_much_as_its_formula_says() {
    // 256 flushes of T4: levels 1 to 4 were written once.
    let tiered = write_amplification("T4", 256);
    assert!((3.5..=4.5).contains(&tiered), "T4: {tiered}");
    // 256 flushes of L4: up to four levels, each written at most 3 times.
    let leveled = write_amplification("L4", 256);
    assert!(leveled > tiered && leveled <= 12.0, "L4: {leveled}");
    // Two: the middle. Eight levels.
    let neither = write_amplification("N", 256);
    assert!((7.0..=9.0).contains(&neither), "N: {neither}");
}

#[test]
fn an_expired_sstable_hides_nothing() {
    let mut dropped_count = 0;
    for seed in 0..400 {
        let mut prng = Prng::from_seed(seed);
        let facts = facts_of(&random_sstables(&mut prng));
        for strategy in strategies() {
            let Some(decision) = strategy.decide(&facts, NOW_S, &env()) else { continue };
            for id in &decision.expired {
                dropped_count += 1;
                let dropped = facts.iter().find(|facts| facts.id == *id).expect("there");
                let others = facts.iter().filter(|other| !decision.expired.contains(&other.id));
                for other in others.filter(|other| other.overlaps(dropped)) {
                    let is_expired_too = i64::from(other.max_local_deletion_s) < NOW_S - env().gc_grace_s;
                    assert!(
                        is_expired_too || dropped.max_timestamp_us < other.min_timestamp_us,
                        "seed {seed}: {id} may hide what {} holds",
                        other.id
                    );
                }
            }
        }
    }
    assert!(dropped_count > 50, "{dropped_count}");
}

#[test]
fn where_most_overlap_a_key_of_one_of_them_tells() {
    let mut prng = Prng::from_seed(12);
    for case in 0..300 {
        let count = prng.below(20);
        let sstables: Vec<Simulated> = (0..count).map(|id| random_sstable(&mut prng, id)).collect();
        let facts = facts_of(&sstables);
        let holders = |key: &PartitionKey| {
            facts.iter().filter(|facts| facts.first <= *key && *key <= facts.last).count()
        };
        let want = facts.iter().map(|facts| holders(&facts.first)).max().unwrap_or(0);
        assert_eq!(overlap_most(&facts), want, "case {case}");
    }
}
