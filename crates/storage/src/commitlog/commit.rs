//! Who waits until a write is safe.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::ShardLog;
use crate::WriteError;

/// A write that is in the commit log and visible, but perhaps not yet safe.
#[must_use = "a write is safe only once `synced` has answered"]
pub struct Commit {
    first: Option<Part>,
    /// Of writes to several shards.
    others: Vec<Part>,
}

struct Part {
    log: Arc<ShardLog>,
    /// Byte of the shard's log, counted since the start, up to which it must be safe.
    end: u64,
}

impl Commit {
    /// Of writes that need no log.
    pub(crate) fn nothing() -> Commit {
        Commit { first: None, others: Vec::new() }
    }

    pub(crate) fn add(&mut self, log: Arc<ShardLog>, end: u64) {
        let part = Part { log, end };
        if self.first.is_none() {
            self.first = Some(part);
        } else {
            self.others.push(part);
        }
    }

    /// Waits until the write is as safe as the sync mode promises. Need not run on a shard's thread.
    pub fn synced(mut self) -> Synced {
        Synced { first: self.first.take(), others: std::mem::take(&mut self.others) }
    }

    /// True if [`Commit::synced`] would answer at once.
    pub fn is_synced(&self) -> bool {
        self.first.iter().chain(&self.others).all(|part| part.log.acknowledges(part.end).is_some())
    }
}

impl Drop for Commit {
    /// Nobody waits: it shall not lie around in memory all the same.
    fn drop(&mut self) {
        for part in self.first.iter().chain(&self.others) {
            part.log.sync_soon(part.end);
        }
    }
}

/// The future of [`Commit::synced`].
pub struct Synced {
    first: Option<Part>,
    others: Vec<Part>,
}

impl Future for Synced {
    type Output = Result<(), WriteError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // All logs are asked before any is waited for, so that their syncs run side by side.
        let mut pending = false;
        for part in self.first.iter().chain(&self.others) {
            match part.log.poll_synced(part.end, cx.waker()) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => pending = true,
            }
        }
        if pending {
            return Poll::Pending;
        }
        self.first = None;
        self.others.clear();
        Poll::Ready(Ok(()))
    }
}
