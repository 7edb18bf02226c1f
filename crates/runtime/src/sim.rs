//! The simulated side: nodes, disks and a network in one thread, every choice drawn from one seed.
//!
//! Time is virtual: it stands while something can run and jumps to the next timer when nothing can. The
//! next task is drawn, as are the delays of blocking work and packets, short reads, and what a power loss
//! leaves behind. Two runs of one seed have the same [`SimRuntime::trace_hash`]; if they differ, something
//! above reached around this crate (`select!` without `biased`, a hash map's own random order, ...).
//!
//! Read in order: [`SimRuntime`], [`SimNode`], [`SimDisk`], then [`world`] and [`executor`] (how it runs).
//!
//! Never here: a second thread, the real clock.

mod world;

mod trace;

mod executor;

mod node;

mod net;

mod disk;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::Runtime;
use executor::{Executor, Stop};
use node::Node;
use world::World;

pub use disk::{Fault, FaultError, Operation, SimDisk};
pub(crate) use executor::current_shard;
pub(crate) use net::{SimListener, SimReadHalf, SimWriteHalf};
pub use node::SimNode;
pub(crate) use node::{NodeHandle, SimSleep};

/// When a run is given up as endless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How often tasks may be polled, all together.
    pub polls_max: u64,
    /// How late it may get, in virtual time.
    pub time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { polls_max: 100_000_000, time_max: Duration::from_secs(30 * 24 * 3600) }
    }
}

/// One simulated world. It starts with one node, on 127.0.0.1 with one shard.
pub struct SimRuntime {
    executor: Rc<Executor>,
    world: Arc<World>,
    first: SimNode,
}

impl SimRuntime {
    /// The world of `seed`, with one node of one shard.
    pub fn new(seed: u64) -> Self {
        Self::with_shards(seed, 1)
    }

    /// As [`SimRuntime::new`], with `shards` shards on the first node.
    pub fn with_shards(seed: u64, shards: usize) -> Self {
        let world = Arc::new(World::new(seed));
        let executor = executor::install(&world);
        let first = SimNode(Node::new(&world, IpAddr::V4(Ipv4Addr::LOCALHOST), shards));
        SimRuntime { executor, world, first }
    }

    /// Replaces the limits after which a run panics.
    pub fn set_limits(&self, limits: Limits) {
        self.world.set_limits(limits);
    }

    /// Adds a machine at `ip`, with a disk of its own.
    pub fn add_node(&self, ip: IpAddr, shards: usize) -> SimNode {
        SimNode(Node::new(&self.world, ip, shards))
    }

    /// The node that was there from the start.
    pub fn first_node(&self) -> &SimNode {
        &self.first
    }

    /// A handle for the first node.
    pub fn runtime(&self) -> Runtime {
        self.first.runtime()
    }

    /// The first node's disk.
    pub fn disk(&self) -> &SimDisk {
        self.first.disk()
    }

    /// Runs what `main` makes on shard 0 of the first node until it returns; other tasks stay for the
    /// next call. Panics when nothing can run any more, or a limit is passed.
    pub fn block_on<F, Fut, T>(&self, main: F) -> T
    where
        F: FnOnce(Runtime) -> Fut + 'static,
        Fut: Future<Output = T> + 'static,
        T: 'static,
    {
        self.block_on_node(&self.first, main)
    }

    /// As [`SimRuntime::block_on`], on shard 0 of `node`. Panics as well when the node is killed meanwhile.
    pub fn block_on_node<F, Fut, T>(&self, node: &SimNode, main: F) -> T
    where
        F: FnOnce(Runtime) -> Fut + 'static,
        Fut: Future<Output = T> + 'static,
        T: 'static,
    {
        let output = Rc::new(std::cell::RefCell::new(None));
        let slot = Rc::clone(&output);
        let runtime = node.runtime();
        let main = async move {
            // Called on the shard, as the real side does.
            let future = main(runtime);
            *slot.borrow_mut() = Some(future.await);
        };
        self.executor.spawn(node.0.owner(), 0, Box::pin(main));
        match self.executor.run(&|| output.borrow().is_some(), None) {
            Stop::Done => output.take().expect("the run stops when the output is there"),
            Stop::Idle | Stop::TimeUp => panic!(
                "deadlock in the simulation of seed {}: nothing can run and no timer is set; last events:\n{}",
                self.world.seed(),
                self.world.trace().recent()
            ),
        }
    }

    /// Runs whatever there is for `duration` of virtual time.
    pub fn run_for(&self, duration: Duration) {
        let end = self.world.now() + duration;
        self.executor.run(&|| false, Some(end));
    }

    /// Ends every connection between two machines (or within one) with a reset.
    pub fn cut_connections(&self, a: IpAddr, b: IpAddr) {
        net::cut(&self.world, a, b);
    }

    /// Parts two machines: connections between them are reset and new ones time out; or joins them again.
    pub fn set_parted(&self, a: IpAddr, b: IpAddr, parted: bool) {
        net::set_parted(&self.world, a, b, parted);
    }

    /// Virtual time since the world began.
    pub fn now(&self) -> Duration {
        self.world.now()
    }

    /// A number that stands for everything that has happened: every poll, timer, disk operation and packet.
    pub fn trace_hash(&self) -> u64 {
        self.world.trace().hash()
    }

    /// The last events, one a line, oldest first: to find where two runs part.
    pub fn recent_events(&self) -> String {
        self.world.trace().recent()
    }
}

impl Drop for SimRuntime {
    fn drop(&mut self) {
        executor::uninstall(&self.world, &self.executor);
    }
}

#[cfg(test)]
mod tests;
