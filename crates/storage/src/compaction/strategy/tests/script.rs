//! The scripts of `testdata/compaction`: SSTables as lines of text, decisions as text.
//!
//! ```text
//! strategy SizeTieredCompactionStrategy min_threshold=4
//! ----
//! ok
//!
//! decide now=10d gc_grace=1d
//! a 100MiB tokens=0..50 level=1 written=1h..2h expires=3d..4d droppable=2d:500 created=1d repaired busy suspect
//! ----
//! ```
//!
//! Tokens are percent of the ring. Commands: `decide`, `pending`, `major [split]`, `requested` (all SSTables), `run`
//! (decisions are carried out until there is none), `flush` (how a flush is cut).

use std::collections::BTreeMap;

use model::row::NO_DELETION_TIME;
use model::{Token, TokenRange};
use testkit::Step;
use uuid::Uuid;

use super::simulate::{CELLS_COUNT, Simulated, carry_out, percent_of};
use crate::compaction::strategy::{Decision, Environment, OutputPlan, RepairState, SsTableFacts, Strategy};

#[derive(Default)]
struct World {
    strategy: Option<Strategy>,
}

#[test]
fn scripts() {
    testkit::run_scripts("testdata/compaction", |step, world: &mut World| world.run(step));
}

impl World {
    fn run(&mut self, step: &Step<'_>) -> String {
        if step.command == "strategy" {
            let mut options = BTreeMap::from([("class".to_owned(), step.argument(0).to_owned())]);
            for argument in &step.arguments[1..] {
                let (name, value) = argument.split_once('=').expect("name=value");
                options.insert(name.to_owned(), value.replace('_', " "));
            }
            return match Strategy::from_options(&options) {
                Ok(strategy) => {
                    self.strategy = Some(strategy);
                    "ok".to_owned()
                }
                Err(error) => error,
            };
        }
        let strategy = self.strategy.as_ref().unwrap_or_else(|| panic!("{}: no strategy", step.location));
        let now_s = step.option("now").map_or(0, seconds);
        let env = environment(step);
        let (names, sstables) = sstables(step, now_s);
        let facts: Vec<SsTableFacts> = sstables.iter().map(|sstable| sstable.facts.clone()).collect();
        match step.command {
            "decide" => match strategy.decide(&facts, now_s, &env) {
                Some(mut decision) => {
                    let fits = step.option("free").map(|free| decision.shrink(&facts, bytes(free)));
                    let mut text = render(&decision, &names);
                    if fits == Some(false) {
                        text.push_str("there is no room for it\n");
                    }
                    text
                }
                None => "nothing".to_owned(),
            },
            "pending" => strategy.pending(&facts, now_s, &env).to_string(),
            "major" => render_all(&strategy.major(&facts, step.has("split"), now_s, &env), &names),
            "requested" => render_all(&strategy.user_defined(&facts, &env), &names),
            "flush" => render_output(&strategy.flush_output(&env), 0),
            "run" => run(strategy, sstables, names, now_s, &env, step),
            other => panic!("{}: no command {other:?}", step.location),
        }
    }
}

fn run(
    strategy: &Strategy,
    mut sstables: Vec<Simulated>,
    mut names: BTreeMap<u64, String>,
    now_s: i64,
    env: &Environment,
    step: &Step<'_>,
) -> String {
    let kept = step.option("kept").map_or(1.0, |text| text.parse().expect("a share"));
    let mut next_id = sstables.len() as u64 + 1;
    let mut text = String::new();
    for _ in 0..100 {
        let facts: Vec<SsTableFacts> = sstables.iter().map(|sstable| sstable.facts.clone()).collect();
        let Some(decision) = strategy.decide(&facts, now_s, env) else { break };
        text.push_str(&render(&decision, &names));
        let first_new = next_id;
        carry_out(&decision, &mut sstables, &mut next_id, kept, now_s);
        for id in first_new..next_id {
            names.insert(id, format!("#{id}"));
        }
    }
    sstables.sort_by_key(|sstable| sstable.facts.id);
    for sstable in &sstables {
        let facts = &sstable.facts;
        let (first, last) = (percent_of(facts.first.token), percent_of(facts.last.token));
        let level = facts.level;
        text.push_str(&format!(
            "then {} of {}, tokens {first:.0} to {last:.0}, level {level}\n",
            names[&facts.id],
            show_bytes(facts.bytes)
        ));
    }
    text
}

fn environment(step: &Step<'_>) -> Environment {
    let owned = step.option("owned").map(|text| {
        let range = |text: &str| {
            let (start, end) = text.split_once("..").expect("start..end");
            TokenRange { start: token(start), end: token(end) }
        };
        text.split(',').map(range).collect()
    });
    Environment {
        gc_grace_s: step.option("gc_grace").map_or(864_000, seconds),
        owned: owned.unwrap_or_default(),
        flush_bytes: step.option("flush").map_or(0, bytes),
        memtable_min_timestamp_us: step.option("memtable").map(|text| seconds(text) * 1_000_000),
        partitions: 1_000_000,
        last_expired_check_s: step.option("checked").map_or(i64::MIN, seconds),
        is_system: step.has("system"),
        allows_unsafe_expiration: step.has("unsafe"),
    }
}

/// One line for each.
fn sstables(step: &Step<'_>, now_s: i64) -> (BTreeMap<u64, String>, Vec<Simulated>) {
    let mut names = BTreeMap::new();
    let mut sstables = Vec::new();
    for line in step.input.lines() {
        let mut words = line.split_whitespace();
        let (Some(name), Some(size)) = (words.next(), words.next()) else { continue };
        let words: Vec<&str> = words.collect();
        let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let (first, last) = range(option("tokens").unwrap_or("0..100"));
        let cell =
            |percent: &str| (percent.parse::<f64>().expect("percent") / 100.0 * CELLS_COUNT as f64) as usize;
        let (first, last) = (cell(first), cell(last));
        let id = sstables.len() as u64 + 1;
        let mut sstable = Simulated::even(id, bytes(size), first, last.max(first + 1) - 1);
        let facts = &mut sstable.facts;
        if let Some(written) = option("written") {
            let (from, to) = range(written);
            (facts.min_timestamp_us, facts.max_timestamp_us) =
                (seconds(from) * 1_000_000, seconds(to) * 1_000_000);
        }
        if let Some(expires) = option("expires") {
            let (from, to) = range(expires);
            facts.min_local_deletion_s = seconds(from) as u32;
            facts.max_local_deletion_s = if to == "never" { NO_DELETION_TIME } else { seconds(to) as u32 };
        }
        if let Some(droppable) = option("droppable") {
            let (second, permille) = droppable.split_once(':').expect("second:permille");
            let count = facts.cells * permille.parse::<u64>().expect("permille") / 1_000;
            facts.droppable = [(seconds(second), count as u32)].into();
            facts.min_local_deletion_s = facts.min_local_deletion_s.min(seconds(second) as u32);
        }
        facts.level = option("level").map_or(0, |text| text.parse().expect("a level"));
        facts.created_s = option("created").map_or(now_s, seconds);
        facts.reads_per_s = option("reads").map_or(0.0, |text| text.parse().expect("a number"));
        facts.is_being_compacted = words.contains(&"busy");
        facts.is_suspect = words.contains(&"suspect");
        if words.contains(&"repaired") {
            facts.repair = RepairState::Repaired;
        } else if words.contains(&"pending") {
            facts.repair = RepairState::Pending(Uuid::from_u128(7));
        }
        names.insert(id, name.to_owned());
        sstables.push(sstable);
    }
    (names, sstables)
}

fn range(text: &str) -> (&str, &str) {
    text.split_once("..").unwrap_or((text, text))
}

fn token(percent: &str) -> Token {
    let share = percent.parse::<f64>().expect("percent") / 100.0;
    Token((share * 2_f64.powi(64) - 2_f64.powi(63)) as i64)
}

fn seconds(text: &str) -> i64 {
    let units = [("m", 60), ("h", 3_600), ("d", 86_400), ("s", 1), ("", 1)];
    let (number, unit) =
        units.iter().find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, unit))).expect("a time");
    number.parse::<i64>().expect("a number") * unit
}

fn bytes(text: &str) -> u64 {
    let units = [("KiB", 1_u64 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("B", 1)];
    let (number, unit) =
        units.iter().find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, unit))).expect("a size");
    (number.parse::<f64>().expect("a number") * *unit as f64) as u64
}

fn show_bytes(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{bytes}B"),
        1_048_576..1_073_741_824 => format!("{:.0}MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1}GiB", bytes as f64 / 1_073_741_824.0),
    }
}

fn render_all(decisions: &[Decision], names: &BTreeMap<u64, String>) -> String {
    if decisions.is_empty() {
        "nothing".to_owned()
    } else {
        decisions.iter().map(|d| render(d, names)).collect()
    }
}

fn render(decision: &Decision, names: &BTreeMap<u64, String>) -> String {
    let list = |ids: &[u64]| {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.iter().map(|id| names[id].as_str()).collect::<Vec<_>>().join(" ")
    };
    let read: Vec<u64> =
        decision.inputs.iter().copied().filter(|id| !decision.expired.contains(id)).collect();
    let mut text = String::new();
    if !read.is_empty() {
        let output = render_output(&decision.output, decision.output_level);
        let needed = show_bytes(decision.needed_bytes);
        text = format!("compact {} to {output} ({needed}): {}\n", list(&read), decision.reason);
    }
    if !decision.expired.is_empty() {
        text.push_str(&format!("drop {}\n", list(&decision.expired)));
    }
    text
}

fn render_output(output: &OutputPlan, level: i32) -> String {
    match output {
        OutputPlan::Single => format!("one of level {level}"),
        OutputPlan::MaxBytes(max) => format!("pieces of {} in level {level}", show_bytes(*max)),
        OutputPlan::Levels { max_bytes, fanout } => {
            format!("pieces of {} in levels {level}.. of fanout {fanout}", show_bytes(*max_bytes))
        }
        OutputPlan::Shards(ends) => {
            let ends: Vec<String> = ends.iter().map(|end| percent_of(*end).to_string()).collect();
            format!("shards cut at {}", ends.join(" "))
        }
        OutputPlan::Halves { smallest_bytes } => format!("halves down to {}", show_bytes(*smallest_bytes)),
        OutputPlan::Relevel => format!("level {level} as it is"),
        OutputPlan::Nothing => "nothing".to_owned(),
    }
}
