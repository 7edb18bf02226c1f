use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::sync::{Notify, oneshot};

use super::*;
use crate::{Disk, OpenMode, Signal};

const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A little of everything; returns the trace.
fn run_something(seed: u64) -> u64 {
    let sim = SimRuntime::with_shards(seed, 2);
    let other = sim.add_node(OTHER, 1);
    let there = other.runtime();
    other.runtime().spawn_on(0, move || async move {
        let listener = there.listen(SocketAddr::new(OTHER, 9042)).unwrap();
        let mut stream = listener.accept().await.unwrap();
        let mut buf = BytesMut::new();
        while stream.read(&mut buf).await.unwrap() > 0 {}
        let disk = there.disk().clone();
        there.blocking(move || disk.write_all_synced(Path::new("/log"), &buf)).await.unwrap();
        stream.write_all(b"done").await.unwrap();
    });
    sim.block_on(|runtime| async move {
        runtime.sleep(Duration::from_millis(1)).await;
        let all = Rc::new(Notify::new());
        for number in 0..10 {
            let (inside, all) = (runtime.clone(), Rc::clone(&all));
            runtime.spawn_local(async move {
                inside.sleep(Duration::from_millis(number % 3)).await;
                all.notify_one();
            });
        }
        all.notified().await;
        let mut stream = runtime.connect(SocketAddr::new(OTHER, 9042)).await.unwrap();
        stream.write_all(&[1; 100]).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"done");
    });
    other.crash();
    assert_eq!(other.disk().read_all(Path::new("/log")).unwrap(), [1; 100]);
    sim.trace_hash()
}

#[test]
fn one_seed_is_one_history_and_another_is_another() {
    let hashes: Vec<u64> = (0..20).map(run_something).collect();
    for (seed, hash) in hashes.iter().enumerate() {
        assert_eq!(run_something(seed as u64), *hash, "seed {seed}");
    }
    let different: std::collections::BTreeSet<u64> = hashes.iter().copied().collect();
    assert_eq!(different.len(), hashes.len());
}

#[test]
fn seeds_differ_in_the_order_of_tasks_and_not_in_the_random_state_alone() {
    let order = |seed| {
        let sim = SimRuntime::new(seed);
        sim.block_on(|runtime| async move {
            let order = Rc::new(std::cell::RefCell::new(Vec::new()));
            for number in 0..5 {
                let order = Rc::clone(&order);
                runtime.spawn_local(async move { order.borrow_mut().push(number) });
            }
            runtime.sleep(Duration::from_secs(1)).await;
            order.take()
        })
    };
    let orders: std::collections::BTreeSet<Vec<i32>> = (0..50).map(order).collect();
    assert!(orders.len() > 20, "{} orders in 50 seeds", orders.len());
}

#[test]
fn a_day_passes_at_once() {
    let sim = SimRuntime::new(1);
    let before_us = sim.runtime().clock().wall_us();
    sim.block_on(|runtime| async move { runtime.sleep(Duration::from_secs(86_400)).await });
    let passed_us = sim.runtime().clock().wall_us() - before_us;
    assert!((86_400_000_000..86_401_000_000).contains(&passed_us), "{passed_us}");
    sim.first_node().set_wall_skew_us(-1_000_000);
    assert!(sim.runtime().clock().wall_us() < before_us + passed_us);
}

#[test]
#[should_panic(expected = "deadlock in the simulation of seed 5")]
fn nothing_to_run_is_a_deadlock() {
    SimRuntime::new(5).block_on(|_| std::future::pending::<()>());
}

#[test]
#[should_panic(expected = "seed 6: more than 1000 polls")]
fn an_endless_run_is_given_up() {
    let sim = SimRuntime::new(6);
    sim.set_limits(Limits { polls_max: 1000, ..Limits::default() });
    sim.block_on(|runtime| async move {
        loop {
            runtime.yield_now().await;
        }
    });
}

#[test]
fn a_killed_process_ends_everywhere_and_its_disk_keeps_what_it_wrote() {
    let sim = SimRuntime::new(7);
    let node = sim.add_node(OTHER, 1);
    let there = node.runtime();
    let (alive, ended) = oneshot::channel::<()>();
    node.runtime().spawn_on(0, move || async move {
        let _alive = alive;
        let _lock = there.disk().lock(Path::new("/lock"), b"1").unwrap().expect("free");
        let file = there.disk().open(Path::new("/written"), OpenMode::Create).unwrap();
        file.write_all_at(b"not synced", 0).unwrap();
        let listener = there.listen(SocketAddr::new(OTHER, 1)).unwrap();
        let _stream = listener.accept().await.unwrap();
        std::future::pending::<()>().await;
    });
    let killed = node.clone();
    sim.block_on(|runtime| async move {
        runtime.sleep(Duration::from_millis(5)).await;
        let mut stream = runtime.connect(SocketAddr::new(OTHER, 1)).await.unwrap();
        runtime.sleep(Duration::from_millis(5)).await;
        killed.kill();
        assert!(ended.await.is_err(), "the task was dropped");
        assert_eq!(stream.read(&mut BytesMut::new()).await.unwrap(), 0);
        assert!(runtime.connect(SocketAddr::new(OTHER, 1)).await.is_err());
    });
    assert_eq!(node.disk().read_all(Path::new("/written")).unwrap(), b"not synced");
    let lock = node.runtime().disk().lock(Path::new("/lock"), b"2").unwrap();
    assert!(lock.is_ok(), "the dead process holds no lock");
    let answer = sim.block_on_node(&node, |runtime| async move { runtime.blocking(|| 3).await });
    assert_eq!(answer, 3, "the next process runs");
}

#[test]
fn a_dead_process_starts_nothing_and_its_work_is_not_done() {
    let sim = SimRuntime::new(8);
    let node = sim.add_node(OTHER, 1);
    let old = node.runtime();
    let disk = old.disk().clone();
    drop(old.blocking(move || disk.write_all_synced(Path::new("/late"), b"").unwrap()));
    node.kill();
    old.spawn_on(0, || async { panic!("the dead run") });
    sim.run_for(Duration::from_secs(1));
    assert!(!node.disk().exists(Path::new("/late")).unwrap());
}

#[test]
fn a_process_may_kill_its_own_machine() {
    let sim = SimRuntime::new(9);
    let node = sim.add_node(OTHER, 1);
    let own = node.clone();
    node.runtime().spawn_on(0, move || async move {
        own.crash();
        own.runtime().spawn_on(0, || async {});
        std::future::pending::<()>().await;
    });
    sim.run_for(Duration::from_secs(1));
}

#[test]
fn a_signal_is_heard_before_and_after_it_is_waited_for() {
    let sim = SimRuntime::new(10);
    let node = sim.first_node().clone();
    sim.block_on(|runtime| async move {
        let waits = runtime.clone();
        let (sender, heard) = oneshot::channel();
        runtime.spawn_local(async move { sender.send(waits.termination().await.unwrap()).unwrap() });
        runtime.sleep(Duration::from_secs(1)).await;
        node.terminate(Signal::Interrupt);
        assert_eq!(heard.await.unwrap(), Signal::Interrupt);
        assert_eq!(runtime.termination().await.unwrap(), Signal::Interrupt);
    });
}

#[test]
fn parted_machines_do_not_meet_until_they_are_joined() {
    let sim = SimRuntime::new(11);
    let node = sim.add_node(OTHER, 1);
    let there = node.runtime();
    node.runtime().spawn_on(0, move || async move {
        let listener = there.listen(SocketAddr::new(OTHER, 1)).unwrap();
        let mut kept = Vec::new();
        loop {
            kept.push(listener.accept().await.unwrap());
        }
    });
    let own = sim.first_node().ip();
    let connect = |runtime: Runtime| async move {
        runtime.connect(SocketAddr::new(OTHER, 1)).await.map_err(|error| error.kind())
    };
    sim.run_for(Duration::from_millis(1));
    let mut stream = sim.block_on(connect).unwrap();
    sim.set_parted(own, OTHER, true);
    assert_eq!(sim.block_on(connect).unwrap_err(), std::io::ErrorKind::TimedOut);
    let error = sim.block_on(|_| async move { stream.write_all(b"x").await.unwrap_err() });
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    sim.set_parted(own, OTHER, false);
    sim.block_on(connect).unwrap();
}
