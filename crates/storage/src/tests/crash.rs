//! Crashes of the simulated node at random moments.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use runtime::Runtime;
use runtime::sim::SimRuntime;
use stdx::prng::Prng;

use super::support::{open, options, put, scan, table};
use crate::commitlog::shard_log::ACK_BEFORE_SYNC;
use crate::{Engine, EngineOptions, FlushTarget, SyncMode};

/// What a client knows of one row: versions, and the latest of them that was acknowledged.
#[derive(Default)]
struct Known {
    written: u32,
    acknowledged: u32,
}

type Book = Rc<RefCell<BTreeMap<u32, Known>>>;

const ROWS_COUNT: u32 = 40;

#[derive(Clone, Copy, PartialEq)]
enum End {
    PowerLoss,
    Kill,
}

fn crash_options(prng: &mut Prng, sync: SyncMode) -> EngineOptions {
    let mut options = options(Path::new("/node"));
    options.commit_log_sync = sync;
    options.segment_bytes = *prng.choose(&[1_000, 4_000, 1 << 16]).unwrap();
    options.max_mutation_bytes = 400;
    options
}

/// Writes until the node dies.
async fn write_for_ever(engine: Arc<Engine>, runtime: Runtime, book: Book, seed: u64) {
    let mut prng = Prng::from_seed(seed);
    let table = table();
    loop {
        let number = prng.below(u64::from(ROWS_COUNT)) as u32;
        let version = {
            let mut book = book.borrow_mut();
            let known = book.entry(number).or_default();
            known.written += 1;
            known.written
        };
        let mutation = put(&table, number, 1, &version.to_string(), i64::from(version));
        match engine.apply(&[mutation]) {
            Ok(commit) => {
                if prng.chance(0.9) && commit.synced().await.is_ok() {
                    let mut book = book.borrow_mut();
                    let known = book.get_mut(&number).unwrap();
                    known.acknowledged = known.acknowledged.max(version);
                }
            }
            Err(crate::WriteError::Overloaded(_)) => {}
            Err(error) => panic!("{error}"),
        }
        runtime.sleep(Duration::from_micros(prng.below(300))).await;
    }
}

async fn flush_for_ever(engine: Arc<Engine>, runtime: Runtime, seed: u64) {
    let mut prng = Prng::from_seed(seed);
    loop {
        runtime.sleep(Duration::from_micros(prng.below(4_000))).await;
        engine.flush(FlushTarget::All).await.unwrap();
    }
}

/// Every acknowledged version is there, or a later one that was written.
fn check(engine: &Engine, book: &Book) -> Result<(), String> {
    let found: BTreeMap<u32, u32> = scan(engine, &table())
        .into_iter()
        .map(|(number, _, value)| (number, value.parse().unwrap()))
        .collect();
    let mut book = book.borrow_mut();
    for (number, version) in &found {
        let written = book.get(number).map_or(0, |known| known.written);
        if *version > written {
            return Err(format!("row {number} has version {version}, which nobody wrote"));
        }
    }
    for (number, known) in book.iter_mut() {
        let version = found.get(number).copied().unwrap_or(0);
        if version < known.acknowledged {
            return Err(format!(
                "row {number}: version {} was acknowledged, {version} is there",
                known.acknowledged
            ));
        }
        // What was replayed is there for good.
        known.acknowledged = version;
    }
    Ok(())
}

fn run(seed: u64, sync: SyncMode, end: End, flushes: bool) -> Result<(), String> {
    let mut prng = Prng::from_seed(seed);
    let shards_count = 1 + prng.index(3);
    let sim = SimRuntime::with_shards(seed, shards_count);
    let book = Book::default();
    for life in 0..5 {
        let options = crash_options(&mut prng, sync);
        let opened = Rc::new(RefCell::new(Ok(())));
        let result = opened.clone();
        let the_book = book.clone();
        let lasts = Duration::from_micros(prng.below(20_000));
        let mut seeds = prng.fork();
        sim.block_on(move |runtime| async move {
            let engine = open(&runtime, options, &[&table()]);
            *result.borrow_mut() = check(&engine, &the_book);
            for _ in 0..4 {
                let writer =
                    write_for_ever(engine.clone(), runtime.clone(), the_book.clone(), seeds.next_u64());
                runtime.spawn_local(writer);
            }
            if flushes {
                runtime.spawn_local(flush_for_ever(engine.clone(), runtime.clone(), seeds.next_u64()));
            }
            runtime.sleep(lasts).await;
        });
        opened.replace(Ok(())).map_err(|error| format!("seed {seed}, life {life}: {error}"))?;
        match end {
            End::PowerLoss => sim.first_node().crash(),
            End::Kill => sim.first_node().kill(),
        }
    }
    Ok(())
}

const GROUP: SyncMode = SyncMode::Group { window: Duration::ZERO };

fn seeds_pass(seeds: std::ops::Range<u64>, sync: SyncMode, end: End, flushes: bool) {
    for seed in seeds {
        run(seed, sync, end, flushes).unwrap();
    }
}

#[test]
fn power_losses_lose_no_acknowledged_write() {
    seeds_pass(0..60, GROUP, End::PowerLoss, false);
    seeds_pass(60..80, SyncMode::Group { window: Duration::from_micros(200) }, End::PowerLoss, false);
    seeds_pass(80..120, SyncMode::Batch, End::PowerLoss, false);
    seeds_pass(120..320, GROUP, End::PowerLoss, true);
}

#[test]
fn kills_lose_no_acknowledged_write_in_any_mode() {
    seeds_pass(0..20, GROUP, End::Kill, false);
    seeds_pass(20..60, SyncMode::Periodic { period: Duration::from_millis(5) }, End::Kill, false);
    seeds_pass(60..180, SyncMode::Periodic { period: Duration::from_millis(5) }, End::Kill, true);
}

#[test]
fn a_log_that_acknowledges_before_it_syncs_is_caught() {
    ACK_BEFORE_SYNC.set(true);
    let caught = (0..20).filter(|seed| run(*seed, GROUP, End::PowerLoss, false).is_err()).count();
    ACK_BEFORE_SYNC.set(false);
    assert!(caught >= 10, "caught in {caught} of 20 runs");
}

#[test]
fn a_seed_is_one_history() {
    let trace = |seed| {
        let sim = SimRuntime::with_shards(seed, 2);
        sim.block_on(|runtime| async move {
            let engine = open(&runtime, options(&PathBuf::from("/node")), &[&table()]);
            let book = Book::default();
            for seed in 0..3 {
                runtime.spawn_local(write_for_ever(engine.clone(), runtime.clone(), book.clone(), seed));
            }
            runtime.sleep(Duration::from_millis(20)).await;
        });
        sim.trace_hash()
    };
    assert_eq!(trace(5), trace(5));
    assert_ne!(trace(5), trace(6));
}
