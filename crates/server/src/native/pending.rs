//! The requests of one connection that wait for their answer.
//!
//! Each has a waker of its own, so that a wake-up polls only who is concerned; slots and wakers are used
//! again. Requests that become ready together are answered together. Writes that wait for the commit log need not
//! even that: all of a connection wait with the connection's own waker.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;
use storage::{Synced, WriteError};
use wire::response::ReplyTo;

use super::handler::{Outcome, Reply};

type PendingFuture = Pin<Box<dyn Future<Output = Outcome>>>;

/// A request's answer, or what it panicked with.
pub(super) struct Finished {
    pub(super) reply: ReplyTo,
    pub(super) outcome: std::thread::Result<Outcome>,
}

/// The set of pending requests.
pub(super) struct PendingSet {
    slots: Vec<Slot>,
    free: Vec<usize>,
    count: usize,
    bytes: usize,
    shared: Arc<Shared>,
    /// Slots to poll; kept for its memory.
    ready: Vec<usize>,
    /// Writes that wait for the commit log, oldest first.
    commits: Vec<PendingCommit>,
}

struct PendingCommit {
    synced: Synced,
    reply: ReplyTo,
    bytes: usize,
}

struct Slot {
    request: Option<PendingRequest>,
    signal: Arc<SlotSignal>,
    waker: Waker,
}

struct PendingRequest {
    future: PendingFuture,
    reply: ReplyTo,
    bytes: usize,
}

/// What wakers reach, from any thread.
struct Shared {
    state: Mutex<SharedState>,
}

#[derive(Default)]
struct SharedState {
    ready: Vec<usize>,
    connection: Option<Waker>,
}

struct SlotSignal {
    index: usize,
    /// Stands in the ready list already.
    is_queued: AtomicBool,
    shared: Arc<Shared>,
}

impl Wake for SlotSignal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let connection = {
            let mut state = self.shared.state.lock();
            state.ready.push(self.index);
            state.connection.take()
        };
        if let Some(connection) = connection {
            connection.wake();
        }
    }
}

impl PendingSet {
    pub(super) fn new() -> PendingSet {
        PendingSet {
            slots: Vec::new(),
            free: Vec::new(),
            count: 0,
            bytes: 0,
            shared: Arc::new(Shared { state: Mutex::default() }),
            ready: Vec::new(),
            commits: Vec::new(),
        }
    }

    /// How many requests wait.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Bytes of the requests that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes on a request; the next [`PendingSet::poll`] polls it for the first time.
    pub(super) fn insert(&mut self, reply: ReplyTo, bytes: usize, future: PendingFuture) {
        let index = self.free.pop().unwrap_or_else(|| self.add_slot());
        self.slots[index].request = Some(PendingRequest { future, reply, bytes });
        self.count += 1;
        self.bytes += bytes;
        self.slots[index].signal.wake_by_ref();
    }

    /// Takes on a write that waits for the commit log.
    pub(super) fn insert_commit(&mut self, reply: ReplyTo, bytes: usize, synced: Synced) {
        self.commits.push(PendingCommit { synced, reply, bytes });
        self.count += 1;
        self.bytes += bytes;
    }

    fn add_slot(&mut self) -> usize {
        let index = self.slots.len();
        let signal =
            Arc::new(SlotSignal { index, is_queued: AtomicBool::new(false), shared: self.shared.clone() });
        let waker = Waker::from(signal.clone());
        self.slots.push(Slot { request: None, signal, waker });
        index
    }

    /// Polls the requests that were woken, and hands what is finished to `finish`. The task of `cx` is woken
    /// when another one is.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, mut finish: impl FnMut(Finished)) {
        if !self.commits.is_empty() {
            self.poll_commits(cx, &mut finish);
        }
        if self.count == self.commits.len() {
            return;
        }
        let mut ready = std::mem::take(&mut self.ready);
        {
            let mut state = self.shared.state.lock();
            std::mem::swap(&mut state.ready, &mut ready);
            // Whatever is woken from here on, also by the polls below, wakes the connection.
            if !state.connection.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                state.connection = Some(cx.waker().clone());
            }
        }
        for index in ready.drain(..) {
            if let Some(finished) = self.poll_slot(index) {
                finish(finished);
            }
        }
        self.ready = ready;
    }

    fn poll_commits(&mut self, cx: &mut Context<'_>, finish: &mut impl FnMut(Finished)) {
        let (count, bytes) = (&mut self.count, &mut self.bytes);
        self.commits.retain_mut(|commit| match Pin::new(&mut commit.synced).poll(cx) {
            Poll::Pending => true,
            Poll::Ready(synced) => {
                *count -= 1;
                *bytes -= commit.bytes;
                finish(Finished { reply: commit.reply, outcome: Ok(synced_outcome(synced)) });
                false
            }
        });
    }

    fn poll_slot(&mut self, index: usize) -> Option<Finished> {
        let slot = &mut self.slots[index];
        slot.signal.is_queued.store(false, Ordering::Release);
        // A late wake-up of a request that is gone.
        let request = slot.request.as_mut()?;
        let mut cx = Context::from_waker(&slot.waker);
        let outcome = match catch_unwind(AssertUnwindSafe(|| request.future.as_mut().poll(&mut cx))) {
            Ok(Poll::Pending) => return None,
            Ok(Poll::Ready(outcome)) => Ok(outcome),
            Err(panic) => Err(panic),
        };
        let PendingRequest { reply, bytes, .. } = slot.request.take().expect("it was polled just now");
        self.free.push(index);
        self.count -= 1;
        self.bytes -= bytes;
        Some(Finished { reply, outcome })
    }
}

/// The answer of a write whose log is safe, or will never be.
pub(crate) fn synced_outcome(synced: Result<(), WriteError>) -> Outcome {
    synced.map(|()| Reply::void()).map_err(|error| coordinator::write_failed(error, &[]))
}
