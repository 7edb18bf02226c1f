//! Bytes in flight: what the clients of the whole node have made us hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The node's account.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: AtomicUsize,
    bytes_max: usize,
}

impl Budget {
    pub(super) fn new(bytes_max: usize) -> Arc<Budget> {
        Arc::new(Budget { bytes: AtomicUsize::new(0), bytes_max })
    }

    /// True if nothing more may be taken on.
    pub(super) fn is_exhausted(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.bytes_max
    }
}

/// One connection's part of the account; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Share {
    pub(super) fn new(budget: Arc<Budget>) -> Share {
        Share { budget, bytes: 0 }
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Sets how many bytes the connection holds. Free of charge while that does not change.
    pub(super) fn set(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.budget.bytes.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else if bytes < self.bytes {
            self.budget.bytes.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_given_back() {
        let budget = Budget::new(100);
        let mut first = Share::new(budget.clone());
        let mut second = Share::new(budget.clone());
        first.set(60);
        second.set(40);
        assert!(!budget.is_exhausted());
        second.set(41);
        assert!(budget.is_exhausted());
        first.set(59);
        assert!(!budget.is_exhausted());
        first.set(1000);
        drop(first);
        assert_eq!(budget.bytes.load(Ordering::Relaxed), 41);
    }
}
