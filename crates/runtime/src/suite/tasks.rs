//! Time, tasks, work that blocks, randomness.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::handle::catch;
use crate::{Runtime, TimedOut};

pub(super) async fn sleeps_end_in_order_and_not_early(runtime: Runtime, _: PathBuf) {
    let order = Rc::new(RefCell::new(Vec::new()));
    let all = Rc::new(Notify::new());
    for millis in [30, 10, 20] {
        let (inside, order, all) = (runtime.clone(), Rc::clone(&order), Rc::clone(&all));
        runtime.spawn_local(async move {
            let start = inside.clock().monotonic();
            inside.sleep(Duration::from_millis(millis)).await;
            assert!(inside.clock().monotonic() - start >= Duration::from_millis(millis));
            order.borrow_mut().push(millis);
            all.notify_one();
        });
    }
    while order.borrow().len() < 3 {
        all.notified().await;
    }
    assert_eq!(*order.borrow(), [10, 20, 30]);
}

pub(super) async fn timeout_ends_what_is_late_only(runtime: Runtime, _: PathBuf) {
    let slow = runtime.sleep(Duration::from_secs(3600));
    assert_eq!(runtime.timeout(Duration::from_millis(5), slow).await, Err(TimedOut));
    assert_eq!(runtime.timeout(Duration::from_secs(3600), async { 7 }).await, Ok(7));
    assert_eq!(runtime.timeout(Duration::MAX, runtime.blocking(|| 8)).await, Ok(8));
    runtime.yield_now().await;
}

pub(super) async fn shards_run_what_is_spawned_on_them(runtime: Runtime, _: PathBuf) {
    assert_eq!(runtime.shard_count(), 2);
    assert_eq!(runtime.current_shard(), Some(0));
    let (sender, mut receiver) = mpsc::unbounded_channel();
    for shard in [1, 0, 1] {
        let (inside, sender) = (runtime.clone(), sender.clone());
        runtime.spawn_on(shard, move || async move {
            let not_send = Rc::new(shard);
            inside.sleep(Duration::from_millis(1)).await;
            let (nested, sender) = (inside.clone(), sender);
            inside.spawn_local(async move {
                sender.send((*not_send, nested.current_shard())).unwrap();
            });
        });
    }
    for _ in 0..3 {
        let (asked, found) = receiver.recv().await.unwrap();
        assert_eq!(Some(asked), found);
    }
}

pub(super) async fn blocking_work_returns_its_value(runtime: Runtime, _: PathBuf) {
    let jobs: Vec<_> = (0..100_u64).map(|number| runtime.blocking(move || number * number)).collect();
    let long = runtime.background(|| "done");
    let mut sum = 0;
    for job in jobs {
        sum += job.await;
    }
    assert_eq!(sum, 328_350);
    assert_eq!(long.await, "done");
}

pub(super) async fn a_panic_goes_to_who_awaits_the_job(runtime: Runtime, _: PathBuf) {
    for round in 0..40 {
        let job = runtime.blocking(move || assert!(round < 0, "planted"));
        let panic = catch(job).await.unwrap_err();
        assert!(panic.downcast_ref::<&str>().is_some_and(|text| text.contains("planted")));
    }
    assert_eq!(runtime.blocking(|| 1).await, 1, "the pool lives");
}

pub(super) async fn random_numbers_differ(runtime: Runtime, _: PathBuf) {
    let random = runtime.random();
    assert_ne!(random.next_u64(), random.next_u64());
    let mut long = [0; 1000];
    random.fill(&mut long);
    assert!(long[990..].iter().any(|&byte| byte != 0));
}

pub(super) async fn the_wall_clock_is_of_this_century(runtime: Runtime, _: PathBuf) {
    let wall_s = runtime.clock().wall_s();
    assert!((1_700_000_000..4_102_444_800).contains(&wall_s), "{wall_s}");
}
