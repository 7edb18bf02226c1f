//! `simulator --seed N [--losses N]`: one run of the power-loss scenario, and what came of it.

use std::process::ExitCode;

use simulator::power_loss::{Scenario, run};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str, default: u64| {
        let place = arguments.iter().position(|argument| argument == name);
        place.and_then(|place| arguments.get(place + 1)).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let seed = number("--seed", 1);
    let losses_count = u32::try_from(number("--losses", 5)).unwrap_or(u32::MAX);
    let report = run(Scenario { seed, losses_count, commitlog_sync: "group" });
    println!(
        "seed {seed}: {losses_count} power losses, {} writes acknowledged, {} lost, trace {:016x}",
        report.acknowledged_count,
        report.lost.len(),
        report.trace_hash
    );
    for line in &report.lost {
        println!("  {line}");
    }
    if report.lost.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
