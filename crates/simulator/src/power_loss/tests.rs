use super::*;

fn scenario(seed: u64) -> Scenario {
    Scenario { seed, losses_count: 3, commitlog_sync: "group" }
}

#[test]
fn one_seed_is_one_history() {
    let (first, second) = (run(scenario(1)), run(scenario(1)));
    assert_eq!(first, second);
    assert_ne!(first.trace_hash, run(scenario(2)).trace_hash);
}

#[test]
fn no_acknowledged_write_is_lost_when_the_power_goes() {
    let mut acknowledged_count = 0;
    for seed in 10..30 {
        let report = run(scenario(seed));
        assert!(report.lost.is_empty(), "seed {seed}: {:#?}", report.lost);
        acknowledged_count += report.acknowledged_count;
    }
    assert!(acknowledged_count > 1000, "only {acknowledged_count} writes: the test tests nothing");
}

/// The checker can see: a node that acknowledges before it syncs loses writes.
#[test]
fn acknowledging_before_the_sync_is_caught() {
    let caught =
        (10..20).any(|seed| !run(Scenario { commitlog_sync: "periodic", ..scenario(seed) }).lost.is_empty());
    assert!(caught);
}
