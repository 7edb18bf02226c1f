//! One simulated machine: its disk stays, its process may be killed and started again.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use stdx::prng::Prng;
use tokio::sync::Notify;

use super::disk::SimDisk;
use super::executor::{self, Owner};
use super::net;
use super::world::{Event, TimerKey, World};
use crate::handle::{LocalFuture, MakeFuture, Work};
use crate::net::{Listener, Stream};
use crate::{Clock, Disk, Random, Runtime, Signal};

/// Where virtual time starts on the wall: 2026-01-01 UTC, in microseconds.
const WALL_START_US: i64 = 1_767_225_600_000_000;
/// How long blocking work seems to take, at least and usually at most.
const WORK_TIME: (Duration, Duration) = (Duration::from_micros(20), Duration::from_micros(400));

/// A simulated machine.
#[derive(Clone)]
pub struct SimNode(pub(super) Arc<Node>);

pub(super) struct Node {
    world: Arc<World>,
    id: u64,
    ip: IpAddr,
    shards: usize,
    disk: SimDisk,
    life: AtomicU64,
    skew_us: AtomicI64,
    prng: Mutex<Prng>,
    signal: Mutex<Option<Signal>>,
    signalled: Notify,
}

impl SimNode {
    /// A handle for the process that now runs on the machine; of no use after the process was killed.
    pub fn runtime(&self) -> Runtime {
        Runtime::sim(Arc::new(NodeHandle::new(&self.0)))
    }

    /// The machine's disk.
    pub fn disk(&self) -> &SimDisk {
        &self.0.disk
    }

    /// The machine's address.
    pub fn ip(&self) -> IpAddr {
        self.0.ip
    }

    /// Sends the process a signal.
    pub fn terminate(&self, signal: Signal) {
        *self.0.signal.lock() = Some(signal);
        self.0.signalled.notify_waiters();
    }

    /// kill -9: tasks, blocking work and connections end at once; the disk keeps what was written, synced
    /// or not. [`SimNode::runtime`] then gives a new process.
    pub fn kill(&self) {
        self.end_process("kill");
        self.0.disk.kill_process();
    }

    /// Power loss: as [`SimNode::kill`], and what was not synced may be lost.
    pub fn crash(&self) {
        self.end_process("crash");
        self.0.disk.lose_power();
    }

    /// Sets how far the machine's wall clock is ahead (or, negative, behind).
    pub fn set_wall_skew_us(&self, skew_us: i64) {
        self.0.skew_us.store(skew_us, Ordering::Relaxed);
    }

    fn end_process(&self, how: &'static str) {
        let owner = self.0.owner();
        self.0.world.trace().record(how, [owner.node, owner.life, 0, 0]);
        self.0.life.fetch_add(1, Ordering::Relaxed);
        *self.0.signal.lock() = None;
        executor::of(&self.0.world).drop_tasks(owner);
    }
}

impl Node {
    pub(super) fn new(world: &Arc<World>, ip: IpAddr, shards: usize) -> Arc<Self> {
        assert!(shards > 0, "a node has at least one shard");
        let (id, prng, disk_seed) = {
            let mut state = world.lock();
            state.nodes_count += 1;
            (state.nodes_count, state.prng.fork(), state.prng.next_u64())
        };
        Arc::new(Node {
            world: Arc::clone(world),
            id,
            ip,
            shards,
            disk: SimDisk::with_trace(disk_seed, Arc::clone(world.trace())),
            life: AtomicU64::new(0),
            skew_us: AtomicI64::new(0),
            prng: Mutex::new(prng),
            signal: Mutex::new(None),
            signalled: Notify::new(),
        })
    }

    pub(super) fn owner(&self) -> Owner {
        Owner { node: self.id, life: self.life.load(Ordering::Relaxed) }
    }
}

impl Clock for Node {
    fn monotonic(&self) -> Duration {
        self.world.now()
    }

    fn wall_us(&self) -> i64 {
        WALL_START_US + self.world.now().as_micros() as i64 + self.skew_us.load(Ordering::Relaxed)
    }
}

impl Random for Node {
    fn fill(&self, bytes: &mut [u8]) {
        self.prng.lock().fill(bytes);
    }
}

/// What a simulated [`Runtime`] handle points at: a node in one of its lives.
pub(crate) struct NodeHandle {
    node: Arc<Node>,
    owner: Owner,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    disk: Arc<dyn Disk>,
}

impl NodeHandle {
    fn new(node: &Arc<Node>) -> Self {
        NodeHandle {
            owner: node.owner(),
            clock: Arc::clone(node) as Arc<dyn Clock>,
            random: Arc::clone(node) as Arc<dyn Random>,
            disk: Arc::new(node.disk.clone()),
            node: Arc::clone(node),
        }
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) fn random(&self) -> &Arc<dyn Random> {
        &self.random
    }

    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    pub(crate) fn shard_count(&self) -> usize {
        self.node.shards
    }

    fn is_alive(&self) -> bool {
        self.owner == self.node.owner()
    }

    pub(crate) fn spawn_local(&self, future: LocalFuture) {
        let shard = executor::current_shard().expect("spawn_local is called on a shard");
        self.spawn(shard, future);
    }

    pub(crate) fn spawn_on(&self, shard: usize, make: MakeFuture) {
        self.spawn(shard, Box::pin(async move { make().await }));
    }

    fn spawn(&self, shard: usize, future: LocalFuture) {
        // A killed process starts nothing.
        if self.is_alive() {
            executor::of(&self.node.world).spawn(self.owner, shard, future);
        }
    }

    /// Runs `work` after a delay, at once and whole; not at all if the process is killed before.
    pub(crate) fn submit(&self, work: Work) {
        let (node, owner) = (Arc::clone(&self.node), self.owner);
        let delay = self.node.world.lock().draw_delay(WORK_TIME.0, WORK_TIME.1);
        self.node.world.after(delay, move || {
            if owner == node.owner() {
                work();
            }
        });
    }

    pub(crate) fn sleep(&self, duration: Duration) -> SimSleep {
        let due = self.node.world.now().saturating_add(duration);
        SimSleep { world: Arc::clone(&self.node.world), due, timer: None }
    }

    pub(crate) fn listen(&self, addr: SocketAddr) -> io::Result<Listener> {
        net::listen(&self.node.world, self.node.ip, addr)
    }

    pub(crate) async fn connect(&self, addr: SocketAddr) -> io::Result<Stream> {
        let addr = net::resolve(self.node.ip, addr);
        let delay = self.node.world.lock().draw_delay(net::PACKET_TIME.0, net::PACKET_TIME.1);
        self.sleep(delay).await_it().await;
        if net::are_parted(&self.node.world, self.node.ip, addr.ip()) {
            self.sleep(net::CONNECT_TIMEOUT).await_it().await;
            return Err(io::ErrorKind::TimedOut.into());
        }
        net::connect(&self.node.world, self.node.ip, addr)
    }

    pub(crate) async fn termination(&self) -> Signal {
        loop {
            let mut signalled = pin!(self.node.signalled.notified());
            signalled.as_mut().enable();
            if let Some(signal) = *self.node.signal.lock() {
                return signal;
            }
            signalled.await;
        }
    }
}

/// A wait in virtual time.
pub(crate) struct SimSleep {
    world: Arc<World>,
    due: Duration,
    timer: Option<TimerKey>,
}

impl SimSleep {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.world.lock();
        if state.now >= self.due {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        let old = match self.timer {
            Some(key) => state.rearm(key, waker),
            None => {
                self.timer = Some(state.set_timer(self.due, Event::Wake(waker)));
                None
            }
        };
        drop(state);
        drop(old);
        Poll::Pending
    }

    fn await_it(mut self) -> impl Future<Output = ()> {
        poll_fn(move |cx| self.poll(cx))
    }
}

impl Drop for SimSleep {
    fn drop(&mut self) {
        let timer = self.timer.take().and_then(|key| self.world.lock().cancel_timer(key));
        drop(timer);
    }
}
