use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

#[test]
fn sigterm_is_heard_and_does_not_kill() {
    let real = RealRuntime::start(1).unwrap();
    let heard = real.block_on(|runtime| async move {
        let inside = runtime.clone();
        let (sender, heard) = tokio::sync::oneshot::channel();
        runtime.spawn_local(async move { sender.send(inside.termination().await.unwrap()).unwrap() });
        runtime.yield_now().await;
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM).unwrap();
        heard.await.unwrap()
    });
    assert_eq!(heard, Signal::Terminate);
}

#[test]
#[should_panic(expected = "planted")]
fn a_panic_in_main_goes_to_who_started_it() {
    RealRuntime::start(1).unwrap().block_on(|_| async { panic!("planted") })
}

#[test]
fn a_panic_in_a_task_leaves_its_shard_alive() {
    let real = RealRuntime::start(2).unwrap();
    let answer = real.block_on(|runtime| async move {
        runtime.spawn_on(1, || async { panic!("planted: this is no failure") });
        let (sender, answer) = tokio::sync::oneshot::channel();
        runtime.spawn_on(1, move || async move { sender.send(1).unwrap() });
        answer.await.unwrap()
    });
    assert_eq!(answer, 1);
}

#[test]
fn stopping_finishes_queued_work_and_drops_tasks() {
    static DONE: AtomicUsize = AtomicUsize::new(0);
    struct OnDrop;
    impl Drop for OnDrop {
        fn drop(&mut self) {
            DONE.fetch_add(1000, Ordering::SeqCst);
        }
    }
    let real = RealRuntime::start(1).unwrap();
    let runtime = real.runtime();
    for _ in 0..200 {
        drop(runtime.blocking(|| {
            std::thread::sleep(Duration::from_micros(100));
            DONE.fetch_add(1, Ordering::SeqCst);
        }));
    }
    real.block_on(|runtime| async move {
        let on_drop = OnDrop;
        let inside = runtime.clone();
        runtime.spawn_local(async move {
            inside.sleep(Duration::from_secs(3600)).await;
            drop(on_drop);
        });
    });
    drop(real);
    assert_eq!(DONE.load(Ordering::SeqCst), 1200);
    drop(runtime.blocking(|| DONE.fetch_add(1, Ordering::SeqCst)));
}

#[test]
fn long_work_does_not_hold_up_short_work() {
    let real = RealRuntime::start(1).unwrap();
    real.block_on(|runtime| async move {
        let (release, held) = std::sync::mpsc::channel::<()>();
        let long = runtime.background(move || held.recv().is_ok());
        let queued = runtime.background(|| rustix::process::getpriority_process(None).unwrap());
        assert_eq!(runtime.blocking(|| 1).await, 1);
        release.send(()).unwrap();
        assert!(long.await);
        assert_eq!(queued.await, BACKGROUND_NICENESS);
    });
}

#[test]
fn hurried_work_yields_to_none_and_waits_for_no_background_work() {
    let real = RealRuntime::start(1).unwrap();
    real.block_on(|runtime| async move {
        let (release, held) = std::sync::mpsc::channel::<()>();
        let long = runtime.background(move || held.recv().is_ok());
        let own = runtime.blocking(|| rustix::process::getpriority_process(None).unwrap()).await;
        let hurried = runtime.hurried(|| rustix::process::getpriority_process(None).unwrap());
        assert_eq!(hurried.await, own);
        release.send(()).unwrap();
        assert!(long.await);
    });
}

#[test]
fn there_is_a_core_to_run_on() {
    assert!(default_shard_count() >= 1);
    assert!(process_id() > 1);
    assert!(memory_bytes().is_none_or(|bytes| bytes > 64 << 20));
}

/// Prints what a hand-over costs: `cargo test --release -p runtime hand_over -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn hand_over_costs() {
    const ROUNDS: u32 = 20_000;
    let real = RealRuntime::start(1).unwrap();
    real.block_on(|runtime| async move {
        let start = runtime.clock().monotonic();
        for _ in 0..ROUNDS {
            runtime.blocking(|| ()).await;
        }
        let each = (runtime.clock().monotonic() - start) / ROUNDS;
        println!("blocking() there and back: {each:?}");
    });
}

#[test]
fn nothing_small_waits_for_more_to_send() {
    let real = RealRuntime::start(1).unwrap();
    real.block_on(|runtime| async move {
        let listener = runtime.listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let one = runtime.connect(listener.local_addr()).await.unwrap();
        let other = listener.accept().await.unwrap();
        for stream in [one, other] {
            let std_stream = match stream.detach().unwrap().0 {
                crate::net::DetachedKind::Real(std_stream) => std_stream,
                crate::net::DetachedKind::Sim(_) => panic!("a stream of the machine"),
            };
            assert!(std_stream.nodelay().unwrap());
        }
    });
}
