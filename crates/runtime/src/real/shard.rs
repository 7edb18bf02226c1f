//! One shard's thread: a tokio runtime for that thread alone, fed with futures to start through a mailbox.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, oneshot};

use super::{FileReads, uring};
use crate::handle::MakeFuture;

thread_local! {
    static CURRENT_SHARD: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Where others leave futures for a shard. Unbounded: it holds what is to be started, and those who
/// start something are themselves counted.
pub(super) struct Mailbox(mpsc::UnboundedSender<MakeFuture>);

impl Mailbox {
    pub(super) fn send(&self, make: MakeFuture) {
        // A shard that has stopped starts nothing more; its futures would have been dropped too.
        let _stopped = self.0.send(make);
    }
}

/// The owner's side of a shard thread.
pub(super) struct Thread {
    stop: Option<oneshot::Sender<()>>,
    handle: Option<JoinHandle<()>>,
}

impl Thread {
    /// Asks the thread to end; what runs on it is dropped at its next await.
    pub(super) fn stop(&mut self) {
        self.stop = None;
    }

    pub(super) fn join(&mut self) {
        let Some(handle) = self.handle.take() else { return };
        if handle.thread().id() != std::thread::current().id() {
            // Panics of tasks were reported when they happened.
            let _reported = handle.join();
        }
    }
}

pub(super) fn start(index: usize, reads: FileReads) -> io::Result<(Mailbox, Thread)> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel();
    let (started, start) = std::sync::mpsc::sync_channel(1);
    let body = move || {
        CURRENT_SHARD.set(Some(index));
        let runtime = match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            Ok(runtime) => runtime,
            Err(error) => return drop(started.send(Err(error))),
        };
        match runtime.block_on(async { attach_ring(reads) }) {
            Ok(()) => drop(started.send(Ok(()))),
            Err(error) => return drop(started.send(Err(error))),
        }
        run(&runtime, receiver, stopped);
        drop(runtime);
        uring::detach();
    };
    let handle = std::thread::Builder::new().name(format!("shard-{index}")).spawn(body)?;
    start.recv().unwrap_or_else(|_| Err(io::Error::other("a shard thread died while it started")))?;
    Ok((Mailbox(sender), Thread { stop: Some(stop), handle: Some(handle) }))
}

fn attach_ring(reads: FileReads) -> io::Result<()> {
    match reads {
        FileReads::Threads => Ok(()),
        FileReads::Uring => uring::attach(uring::probe()?),
        // Refused: then threads read.
        FileReads::Best => uring::probe().ok().map_or(Ok(()), uring::attach),
    }
}

fn run(
    runtime: &LocalRuntime,
    mut mailbox: mpsc::UnboundedReceiver<MakeFuture>,
    stopped: oneshot::Receiver<()>,
) {
    runtime.block_on(async move {
        let mut stopped = pin!(stopped);
        poll_fn(|cx| {
            if stopped.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            while let Poll::Ready(Some(make)) = mailbox.poll_recv(cx) {
                // `make` runs inside the task, so that a panic in it ends that task and not the shard.
                tokio::task::spawn_local(async move { make().await });
            }
            Poll::Pending
        })
        .await;
    });
}

pub(crate) fn current_shard() -> Option<usize> {
    CURRENT_SHARD.get()
}

pub(crate) fn spawn_local(future: impl Future<Output = ()> + 'static) {
    tokio::task::spawn_local(future);
}
