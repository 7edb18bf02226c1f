//! The handle that everything above holds: time, randomness, disk, tasks and connections of one node.
//!
//! A node has a number of shards, each with a thread of its own (in the simulation: a tag). A task stays
//! on the shard where it was spawned and need not be `Send`.
//!
//! Never here: how either side does it; that is [`crate::real`] and [`crate::sim`].

use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::net::{Listener, Stream};
use crate::{Clock, Disk, DiskFile, Random, real, sim};

/// The way out for one node: cheap to clone, usable from every thread.
#[derive(Clone)]
pub struct Runtime {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Real(Arc<real::Shared>),
    Sim(Arc<sim::NodeHandle>),
}

/// A future that is pinned on the heap and stays on its thread.
pub(crate) type LocalFuture = Pin<Box<dyn Future<Output = ()>>>;

/// Makes a [`LocalFuture`] on the thread where it shall run.
pub(crate) type MakeFuture = Box<dyn FnOnce() -> LocalFuture + Send>;

/// Work for a thread that may block.
pub(crate) type Work = Box<dyn FnOnce() + Send>;

/// The limit of [`Runtime::timeout`] has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out")
    }
}

impl std::error::Error for TimedOut {}

/// What asked the process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: a service manager.
    Terminate,
    /// SIGINT: Ctrl-C.
    Interrupt,
}

impl Runtime {
    pub(crate) fn real(shared: Arc<real::Shared>) -> Self {
        Runtime { kind: Kind::Real(shared) }
    }

    pub(crate) fn sim(node: Arc<sim::NodeHandle>) -> Self {
        Runtime { kind: Kind::Sim(node) }
    }

    /// The node's clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        match &self.kind {
            Kind::Real(shared) => &shared.clock,
            Kind::Sim(node) => node.clock(),
        }
    }

    /// The node's randomness.
    pub fn random(&self) -> &Arc<dyn Random> {
        match &self.kind {
            Kind::Real(shared) => &shared.random,
            Kind::Sim(node) => node.random(),
        }
    }

    /// The node's disk.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        match &self.kind {
            Kind::Real(shared) => &shared.disk,
            Kind::Sim(node) => node.disk(),
        }
    }

    /// How many shards the node has, at least 1.
    pub fn shard_count(&self) -> usize {
        match &self.kind {
            Kind::Real(shared) => shared.shard_count(),
            Kind::Sim(node) => node.shard_count(),
        }
    }

    /// The shard whose thread this is; none on a background thread.
    pub fn current_shard(&self) -> Option<usize> {
        match &self.kind {
            Kind::Real(_) => real::current_shard(),
            Kind::Sim(_) => sim::current_shard(),
        }
    }

    /// Runs `future` on this shard's thread. Panics elsewhere. A panic in it ends it and nothing else
    /// (in the simulation: the run).
    pub fn spawn_local(&self, future: impl Future<Output = ()> + 'static) {
        match &self.kind {
            Kind::Real(_) => real::spawn_local(future),
            Kind::Sim(node) => node.spawn_local(Box::pin(future)),
        }
    }

    /// Runs what `make` makes on the thread of `shard`. Panics when there is no such shard; silently
    /// drops it when the node is shutting down.
    pub fn spawn_on<F, Fut>(&self, shard: usize, make: F)
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        assert!(shard < self.shard_count(), "no shard {shard}: there are {}", self.shard_count());
        let make: MakeFuture = Box::new(move || Box::pin(make()));
        match &self.kind {
            Kind::Real(shared) => shared.spawn_on(shard, make),
            Kind::Sim(node) => node.spawn_on(shard, make),
        }
    }

    /// Waits. Must be called on a shard's thread, as all that follow.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        match &self.kind {
            Kind::Real(_) => Sleep(SleepKind::Real(real::sleep(duration))),
            Kind::Sim(node) => Sleep(SleepKind::Sim(node.sleep(duration))),
        }
    }

    /// Waits for `future`, but no longer than `limit`; drops it then.
    pub async fn timeout<F: Future>(&self, limit: Duration, future: F) -> Result<F::Output, TimedOut> {
        let mut future = pin!(future);
        let mut sleep = self.sleep(limit);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => Pin::new(&mut sleep).poll(cx).map(|()| Err(TimedOut)),
        })
        .await
    }

    /// Runs short blocking work (a read, an fsync) on a thread for it. It starts at once, awaited or not;
    /// a panic in it goes to who awaits it. May be called from any thread.
    pub fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Job<T> {
        let (work, job) = job(work);
        match &self.kind {
            Kind::Real(shared) => shared.blocking.submit(work),
            Kind::Sim(node) => node.submit(work),
        }
        job
    }

    /// Reads `length` bytes of a file from `offset` on; fails with `UnexpectedEof` if there are fewer. No thread waits
    /// for it where the kernel lets us ([`real::FileReads`]).
    pub fn read_at(&self, file: &Arc<dyn DiskFile>, offset: u64, length: usize) -> Job<io::Result<Vec<u8>>> {
        let (sender, result) = oneshot::channel();
        let unread = match &self.kind {
            Kind::Real(_) => real::submit_read(file, offset, length, Reply(sender)),
            Kind::Sim(_) => Err(Reply(sender)),
        };
        let Err(reply) = unread else { return Job { result: Some(result) } };
        let file = file.clone();
        let work: Work = Box::new(move || {
            let mut bytes = vec![0; length];
            let read = file.read_exact_at(&mut bytes, offset);
            reply.send(read.map(|()| bytes));
        });
        match &self.kind {
            Kind::Real(shared) => shared.blocking.submit(work),
            Kind::Sim(node) => node.submit(work),
        }
        Job { result: Some(result) }
    }

    /// As [`Runtime::blocking`], for long work of lower priority (a flush, a compaction): it never holds up
    /// the short kind. As many run at once as there are shards.
    pub fn background<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Job<T> {
        let (work, job) = job(work);
        match &self.kind {
            Kind::Real(shared) => shared.background.submit(work),
            Kind::Sim(node) => node.submit(work),
        }
        job
    }

    /// As [`Runtime::background`], for work that falls behind those who make it: at the same priority as theirs.
    pub fn hurried<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Job<T> {
        let (work, job) = job(work);
        match &self.kind {
            Kind::Real(shared) => shared.hurried.submit(work),
            Kind::Sim(node) => node.submit(work),
        }
        job
    }

    /// As [`Runtime::background`], for flushes: writes may come to wait for them, so compactions do not hold them up.
    pub fn flushing<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Job<T> {
        let (work, job) = job(work);
        match &self.kind {
            Kind::Real(shared) => shared.flushing.submit(work),
            Kind::Sim(node) => node.submit(work),
        }
        job
    }

    /// Listens on `addr`; port 0 lets the system choose.
    pub fn listen(&self, addr: SocketAddr) -> io::Result<Listener> {
        match &self.kind {
            Kind::Real(_) => real::listen(addr),
            Kind::Sim(node) => node.listen(addr),
        }
    }

    /// Connects to `addr`.
    pub async fn connect(&self, addr: SocketAddr) -> io::Result<Stream> {
        match &self.kind {
            Kind::Real(_) => real::connect(addr).await,
            Kind::Sim(node) => node.connect(addr).await,
        }
    }

    /// Waits until the process is asked to end. From the first call on the signal no longer kills.
    pub async fn termination(&self) -> io::Result<Signal> {
        match &self.kind {
            Kind::Real(_) => real::termination().await,
            Kind::Sim(node) => Ok(node.termination().await),
        }
    }

    /// Lets other tasks of this thread run first.
    pub async fn yield_now(&self) {
        let mut yielded = false;
        poll_fn(|cx| {
            if yielded {
                return Poll::Ready(());
            }
            yielded = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Real(_) => "real",
            Kind::Sim(_) => "sim",
        };
        write!(f, "Runtime({kind}, {} shards)", self.shard_count())
    }
}

/// The future of [`Runtime::sleep`].
pub struct Sleep(SleepKind);

enum SleepKind {
    Real(Pin<Box<tokio::time::Sleep>>),
    Sim(sim::SimSleep),
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            SleepKind::Real(sleep) => sleep.as_mut().poll(cx),
            SleepKind::Sim(sleep) => sleep.poll(cx),
        }
    }
}

/// Work on another thread: a future of what it returns. Dropping it leaves the work running.
pub struct Job<T> {
    /// None once the work was thrown away with its pool.
    result: Option<oneshot::Receiver<Result<T, Box<dyn Any + Send>>>>,
}

impl<T> Future for Job<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(result) = &mut self.result else { return Poll::Pending };
        match Pin::new(result).poll(cx) {
            Poll::Ready(Ok(Ok(value))) => Poll::Ready(value),
            Poll::Ready(Ok(Err(panic))) => resume_unwind(panic),
            Poll::Ready(Err(_)) => {
                // The pool is gone: the process is ending, and nobody may take this for an answer.
                self.result = None;
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Where the result of a [`Job`] goes.
pub(crate) struct Reply<T>(oneshot::Sender<Result<T, Box<dyn Any + Send>>>);

impl<T> Reply<T> {
    pub(crate) fn send(self, value: T) {
        // Nobody waits any more: the result is not wanted.
        let _unwanted = self.0.send(Ok(value));
    }
}

fn job<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> (Work, Job<T>) {
    let (sender, result) = oneshot::channel();
    let work = Box::new(move || {
        // Whoever awaits the job gets the panic; half-changed state it may have left is theirs too.
        let outcome = catch_unwind(AssertUnwindSafe(work));
        // Nobody waits any more: the result is not wanted.
        let _unwanted = sender.send(outcome);
    });
    (work, Job { result: Some(result) })
}

/// Runs `future`; a panic in it is returned.
pub(crate) async fn catch<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}
