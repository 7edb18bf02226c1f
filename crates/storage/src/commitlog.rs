//! The commit log (bodies follow).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::WriteError;

/// A write that is in the commit log and visible, but not yet safe.
#[must_use = "a write is safe only once `synced` has answered"]
pub struct Commit {}

impl Commit {
    /// Waits until the write is as safe as the sync mode promises. Need not run on a shard's thread.
    pub fn synced(self) -> Synced {
        Synced { _commit: self }
    }

    /// True if [`Commit::synced`] would answer at once.
    pub fn is_synced(&self) -> bool {
        todo!()
    }
}

/// The future of [`Commit::synced`].
pub struct Synced {
    _commit: Commit,
}

impl Future for Synced {
    type Output = Result<(), WriteError>;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Self::Output> {
        todo!()
    }
}
