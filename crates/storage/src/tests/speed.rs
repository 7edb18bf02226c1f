//! Measurements, run by hand: `cargo test -p storage --release -- --ignored --nocapture speed`.

use std::hint::black_box;
use std::time::Duration;

use futures::join_all;
use model::Slices;

use super::support::{key, on_real, open, options, put, table};
use crate::{FlushTarget, SyncMode};

/// CPU time of this thread: other work of the machine does not count.
pub(super) fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

mod futures {
    use std::future::{Future, poll_fn};
    use std::task::Poll;

    /// Waits for all of them.
    pub async fn join_all<F: Future + Unpin>(mut all: Vec<F>) {
        poll_fn(|cx| {
            all.retain_mut(|one| std::pin::Pin::new(one).poll(cx).is_pending());
            if all.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[test]
#[ignore = "a measurement"]
fn speed() {
    for sync in [
        SyncMode::Group { window: Duration::ZERO },
        SyncMode::Batch,
        SyncMode::Periodic { period: Duration::from_secs(10) },
    ] {
        on_real("speed", move |runtime, dir| async move {
            let mut options = options(&dir);
            options.commit_log_sync = sync;
            let table = table();
            let engine = open(&runtime, options, &[&table]);
            let clock = runtime.clock().clone();
            let (rounds, batch) = (200_u32, 512_u32);
            let (begun, cpu_begun) = (clock.monotonic(), cpu_time());
            for round in 0..rounds {
                let mut commits = Vec::with_capacity(batch as usize);
                for number in round * batch..(round + 1) * batch {
                    let mutation = put(&table, number, 1, "a value of thirty-two bytes, ......", 1);
                    commits.push(engine.apply(std::slice::from_ref(&mutation)).unwrap().synced());
                }
                join_all(commits).await;
            }
            let count = rounds * batch;
            let per_second = f64::from(count) / (clock.monotonic() - begun).as_secs_f64();
            println!("{sync:?}: {:?} of CPU an insert", (cpu_time() - cpu_begun) / count);
            println!("{sync:?}: {per_second:.0} durable inserts a second, {:?}", engine.stats());
            let all = Slices::all();
            let point = |engine: &crate::Engine| {
                let keys: Vec<_> = (0..100_000_u32).map(|n| key(n * 7919 % count)).collect();
                let begun = cpu_time();
                for key in &keys {
                    let mut stream = engine.read_partition(&table, key, &all, false).unwrap().unwrap();
                    black_box(stream.next().unwrap());
                }
                (cpu_time() - begun) / 100_000
            };
            println!("  point read from the memtable: {:?}", point(&engine));
            engine.flush(FlushTarget::All).await.unwrap();
            println!("  point read from one SSTable: {:?}", point(&engine));
        });
    }
}
