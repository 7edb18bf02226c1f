//! A model checker in the style of Harry: seed and position give each operation, the expected partition is worked
//! out from the list of operations alone, and the engine must show the same after flushes, compactions, restarts,
//! power losses and schema changes.
//!
//! Read in order: [`operations`] (seed and position to operation), [`expected`] (the model: it shares no code with
//! the engine's merge), [`world`] (the engine, and how operations and reads are carried out), then the runs below.
//!
//! Timestamps are never more than [`operations::LATE_S`] seconds late, and `gc_grace_seconds` is longer than that: so
//! nothing that is written may be hidden by a tombstone that was rightly purged.

mod expected;
mod operations;
mod world;

use std::cell::RefCell;
use std::rc::Rc;

use runtime::sim::SimRuntime;

use self::world::{End, World};
use super::planted::{Early, FLUSH_SPOILS, PURGES_EARLY, ROW_BUG, RowBug, Spoils};

/// Operations of one run.
const RUN_COUNT: u64 = 5_000;

/// What was done, so that nothing that should be tested is left out.
#[derive(Clone, Debug, Default)]
struct Tally {
    writes: u64,
    reads: u64,
    rows_seen: u64,
    flushes: u64,
    compactions: u64,
    restarts: u64,
    power_losses: u64,
    schema_changes: u64,
    scans: u64,
    /// Writes that came while a read made an entry of the row cache.
    races: u64,
    row_hits: u64,
    row_misses: u64,
}

/// One history of so many operations. The error tells seed, position and difference.
fn run(seed: u64, count: u64) -> Result<Tally, String> {
    let sim = SimRuntime::with_shards(seed, 1 + (seed % 3) as usize);
    let world = Rc::new(RefCell::new(Some(World::new(seed, count))));
    loop {
        let shared = world.clone();
        let end = sim.block_on(move |runtime| async move {
            let mut world = shared.borrow_mut().take().expect("one at a time");
            let end = world.live(&runtime).await;
            *shared.borrow_mut() = Some(world);
            end
        });
        match end.map_err(|error| format!("seed {seed}, {error}"))? {
            End::Done => break,
            End::Restart => sim.first_node().kill(),
            End::PowerLoss => sim.first_node().crash(),
        }
    }
    let world = world.borrow_mut().take().expect("put back");
    Ok(world.tally)
}

fn runs(count: u64) -> u64 {
    let total: u64 =
        std::env::var("HELENUS_CHECKER_OPERATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(count);
    total.div_ceil(RUN_COUNT)
}

/// 100,000 operations; `HELENUS_CHECKER_OPERATIONS` asks for more.
#[test]
fn the_engine_shows_what_the_model_expects() {
    let mut sum = Tally::default();
    for seed in 0..runs(100_000) {
        let tally = run(seed, RUN_COUNT).unwrap_or_else(|error| panic!("{error}"));
        sum.writes += tally.writes;
        sum.reads += tally.reads;
        sum.rows_seen += tally.rows_seen;
        sum.flushes += tally.flushes;
        sum.compactions += tally.compactions;
        sum.restarts += tally.restarts;
        sum.power_losses += tally.power_losses;
        sum.schema_changes += tally.schema_changes;
        sum.scans += tally.scans;
        sum.races += tally.races;
        sum.row_hits += tally.row_hits;
        sum.row_misses += tally.row_misses;
    }
    println!("{sum:?}");
    let counts =
        [sum.writes, sum.reads, sum.rows_seen, sum.flushes, sum.compactions, sum.restarts, sum.power_losses];
    assert!(counts.iter().all(|count| *count > 50), "{sum:?}");
    assert!(sum.schema_changes > 50 && sum.scans > 50, "{sum:?}");
    assert!(sum.races > 500 && sum.row_hits > 2_000 && sum.row_misses > 2_000, "{sum:?}");
}

#[test]
fn bugs_that_a_row_cache_could_have_are_caught() {
    for bug in [RowBug::WriteKeeps, RowBug::RaceUnseen] {
        ROW_BUG.set(Some(bug));
        // The seeds whose table is in the row cache.
        let errors: Vec<String> =
            [0, 1, 4, 5].into_iter().filter_map(|seed| run(seed, 1_000).err()).collect();
        ROW_BUG.set(None);
        assert!(errors.len() >= 3, "{bug:?}: caught in {} of 4 runs of 1,000 operations", errors.len());
        println!("{bug:?}: {}", errors[0]);
    }
}

#[test]
fn bugs_that_a_flush_could_have_are_caught() {
    for spoils in [Spoils::StaticRows, Spoils::RangeEnds, Spoils::PartitionDeletions, Spoils::LastRow] {
        FLUSH_SPOILS.set(Some(spoils));
        let errors: Vec<String> = (0..4).filter_map(|seed| run(seed, 1_000).err()).collect();
        FLUSH_SPOILS.set(None);
        assert!(errors.len() >= 3, "{spoils:?}: caught in {} of 4 runs of 1,000 operations", errors.len());
        println!("{spoils:?}: {}", errors[0]);
    }
}

#[test]
fn purges_that_come_too_early_are_caught() {
    for early in [Early::Elsewhere, Early::Grace] {
        PURGES_EARLY.set(Some(early));
        let errors: Vec<String> = (0..6).filter_map(|seed| run(seed, RUN_COUNT).err()).collect();
        PURGES_EARLY.set(None);
        assert!(errors.len() >= 2, "{early:?}: caught in {} of 6 runs", errors.len());
        println!("{early:?}: caught in {} of 6 runs: {}", errors.len(), errors[0]);
    }
}
