//! What the node does when storage says that a disk failed: it stops serving clients, or ends.
//!
//! Storage speaks from any thread and must not wait ([`FailureSignal::listener`]); the node acts on its own.

use std::sync::Arc;

use storage::{FailureAction, FailureListener};
use tokio::sync::watch;

/// What storage said so far: the gravest.
pub struct FailureSignal {
    told: watch::Sender<Option<(FailureAction, String)>>,
}

impl FailureSignal {
    /// Nothing failed yet.
    pub fn new() -> Arc<FailureSignal> {
        Arc::new(FailureSignal { told: watch::Sender::new(None) })
    }

    /// What storage is to call.
    pub fn listener(self: &Arc<Self>) -> FailureListener {
        let signal = self.clone();
        FailureListener(Arc::new(move |action, why| {
            signal.told.send_replace(Some((action, why.to_owned())));
        }))
    }

    /// What must be done already.
    pub fn now(&self) -> Option<(FailureAction, String)> {
        self.told.borrow().clone()
    }

    /// Waits until this, or worse, must be done; returns why.
    pub async fn at_least(&self, action: FailureAction) -> String {
        let mut told = self.told.subscribe();
        let is_reached =
            |now: &Option<(FailureAction, String)>| now.as_ref().is_some_and(|(at, _)| *at >= action);
        match told.wait_for(is_reached).await {
            Ok(now) => now.as_ref().map(|(_, why)| why.clone()).unwrap_or_default(),
            // The sender is in `self`: it outlives the wait.
            Err(_) => std::future::pending().await,
        }
    }
}
