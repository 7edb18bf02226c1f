//! The real side: one OS thread per shard, each with a tokio runtime of its own, and pools for work that blocks.
//!
//! Read in order: [`RealRuntime`], [`shard`], [`pool`], [`net`], [`disk`], [`uring`].
//!
//! Never here: work stealing; a task ends on the thread where it began.
#![expect(clippy::disallowed_methods, reason = "this is the door the ban points at")]

mod shard;

mod pool;

mod net;

mod disk;

mod uring;

mod clock;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::handle::{MakeFuture, Reply};
use crate::{Clock, Disk, DiskFile, Random, Runtime, Signal};

pub use disk::RealDisk;
pub(crate) use net::{RealListener, RealReadHalf, RealWriteHalf, attach, connect, detach, listen};
use pool::Pool;
pub(crate) use shard::{current_shard, spawn_local};

/// How many threads at most wait for the disk at once.
const BLOCKING_THREADS_MAX: usize = 32;
/// How much the background pool yields to everything else, as `nice` counts.
const BACKGROUND_NICENESS: i32 = 10;
/// How many flushes at most run at once; how many do is their owner's choice.
const FLUSHING_THREADS_MAX: usize = 16;
/// Flushes yield to requests, but less than compactions.
const FLUSHING_NICENESS: i32 = 5;

/// What a real [`Runtime`] handle points at.
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) blocking: Pool,
    pub(crate) background: Pool,
    pub(crate) hurried: Pool,
    pub(crate) flushing: Pool,
    shards: Vec<shard::Mailbox>,
}

impl Shared {
    pub(crate) fn shard_count(&self) -> usize {
        self.shards.len()
    }

    pub(crate) fn spawn_on(&self, shard: usize, make: MakeFuture) {
        self.shards[shard].send(make);
    }
}

/// The process's runtime: owns the shard threads; dropping it stops them.
pub struct RealRuntime {
    shared: Arc<Shared>,
    threads: Vec<shard::Thread>,
}

/// How [`Runtime::read_at`] reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FileReads {
    /// With `io_uring` where the kernel lets us, else with threads.
    #[default]
    Best,
    /// With `io_uring`; without it there is no start.
    Uring,
    /// With threads.
    Threads,
}

impl RealRuntime {
    /// Starts `shards` threads. Fails when the system refuses threads or descriptors.
    pub fn start(shards: usize) -> io::Result<RealRuntime> {
        RealRuntime::start_with(shards, FileReads::Best)
    }

    /// As [`RealRuntime::start`], reading files in this way.
    pub fn start_with(shards: usize, reads: FileReads) -> io::Result<RealRuntime> {
        assert!(shards > 0, "a node has at least one shard");
        let mut mailboxes = Vec::with_capacity(shards);
        let mut threads = Vec::with_capacity(shards);
        for index in 0..shards {
            let (mailbox, thread) = shard::start(index, reads)?;
            mailboxes.push(mailbox);
            threads.push(thread);
        }
        let shared = Arc::new(Shared {
            clock: Arc::new(clock::RealClock::start()),
            random: Arc::new(clock::RealRandom),
            disk: Arc::new(RealDisk),
            blocking: Pool::new("blocking", BLOCKING_THREADS_MAX, None),
            background: Pool::new("background", shards, Some(BACKGROUND_NICENESS)),
            hurried: Pool::new("hurried", shards, None),
            flushing: Pool::new("flush", FLUSHING_THREADS_MAX, Some(FLUSHING_NICENESS)),
            shards: mailboxes,
        });
        Ok(RealRuntime { shared, threads })
    }

    /// The handle for all that runs here.
    pub fn runtime(&self) -> Runtime {
        Runtime::real(Arc::clone(&self.shared))
    }

    /// Runs what `main` makes on shard 0 and waits for it; a panic in it goes on here.
    pub fn block_on<F, Fut, T>(&self, main: F) -> T
    where
        F: FnOnce(Runtime) -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
        T: Send + 'static,
    {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let runtime = self.runtime();
        self.shared.spawn_on(
            0,
            Box::new(move || {
                Box::pin(async move {
                    let outcome = crate::handle::catch(main(runtime)).await;
                    // The receiver waits below for as long as this thread lives.
                    let _waiting = sender.send(outcome);
                })
            }),
        );
        match receiver.recv() {
            Ok(Ok(output)) => output,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => panic!("shard 0 ended before main did"),
        }
    }
}

impl Drop for RealRuntime {
    fn drop(&mut self) {
        for thread in &mut self.threads {
            thread.stop();
        }
        for thread in &mut self.threads {
            thread.join();
        }
        self.shared.blocking.stop();
        self.shared.background.stop();
        self.shared.hurried.stop();
        self.shared.flushing.stop();
    }
}

/// The number of shards when nobody says: the cores this process may use (affinity and cgroup respected).
pub fn default_shard_count() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get())
}

/// The machine's memory, if it says how much it has.
pub fn memory_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// The number of this process.
pub fn process_id() -> u32 {
    std::process::id()
}

/// Begins to read with this thread's ring; gives the reply back if that cannot be.
pub(crate) fn submit_read(
    file: &Arc<dyn DiskFile>,
    offset: u64,
    length: usize,
    reply: Reply<io::Result<Vec<u8>>>,
) -> Result<(), Reply<io::Result<Vec<u8>>>> {
    uring::submit(file, offset, length, reply).map_err(|unread| unread.0)
}

pub(crate) fn sleep(duration: Duration) -> Pin<Box<tokio::time::Sleep>> {
    Box::pin(tokio::time::sleep(duration))
}

pub(crate) async fn termination() -> io::Result<Signal> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    std::future::poll_fn(|cx| {
        if terminate.poll_recv(cx).is_ready() {
            return std::task::Poll::Ready(Ok(Signal::Terminate));
        }
        interrupt.poll_recv(cx).map(|_| Ok(Signal::Interrupt))
    })
    .await
}

#[cfg(test)]
mod tests;
