//! Room: writes that wait until memtables and log have room again, in the order in which they came.
//!
//! A write that finds no room queues up; whenever something is freed, as many as fit are let in, the oldest first.
//! Their number and bytes are bounded, and so is the time that one waits: who waits was surely not applied.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};

use parking_lot::Mutex;

use super::Core;

/// Writes that may wait at once.
const WAITING_COUNT_MAX: usize = 65_536;

/// Those who wait.
pub(super) struct Room {
    queue: Mutex<Queue>,
    /// Of them those whose turn has not come.
    waiting_count: AtomicUsize,
    bytes_max: usize,
}

#[derive(Default)]
struct Queue {
    next_ticket: u64,
    /// By ticket.
    places: BTreeMap<u64, Waiting>,
    bytes: usize,
}

struct Waiting {
    bytes: usize,
    waker: Waker,
    has_turn: bool,
}

/// A place in the queue; dropping it leaves.
pub(super) struct PlaceInQueue {
    room: Arc<Room>,
    ticket: u64,
}

impl Room {
    /// `bytes_max`: of all that wait.
    pub(super) fn new(bytes_max: usize) -> Arc<Room> {
        Arc::new(Room { queue: Mutex::default(), waiting_count: AtomicUsize::new(0), bytes_max })
    }

    pub(super) fn has_waiting(&self) -> bool {
        self.waiting_count.load(Ordering::Acquire) > 0
    }

    /// Writes in the queue, those that were let in included.
    pub(super) fn len(&self) -> usize {
        self.queue.lock().places.len()
    }

    /// A place behind all others; `None`: too many wait.
    pub(super) fn queue_up(self: &Arc<Self>, bytes: usize) -> Option<PlaceInQueue> {
        let mut queue = self.queue.lock();
        let is_full = queue.places.len() >= WAITING_COUNT_MAX
            || !queue.places.is_empty() && queue.bytes + bytes > self.bytes_max;
        if is_full {
            return None;
        }
        let ticket = queue.next_ticket;
        queue.next_ticket += 1;
        queue.bytes += bytes;
        queue.places.insert(ticket, Waiting { bytes, waker: Waker::noop().clone(), has_turn: false });
        self.waiting_count.fetch_add(1, Ordering::AcqRel);
        Some(PlaceInQueue { room: self.clone(), ticket })
    }

    /// Lets in as many as `free_bytes` have room for; those that were let in and have not written yet count.
    fn let_in(&self, free_bytes: usize) {
        let mut woken = Vec::new();
        {
            let mut queue = self.queue.lock();
            let mut free_bytes = free_bytes;
            for place in queue.places.values_mut() {
                if free_bytes == 0 {
                    break;
                }
                free_bytes = free_bytes.saturating_sub(place.bytes);
                if !place.has_turn {
                    place.has_turn = true;
                    self.waiting_count.fetch_sub(1, Ordering::AcqRel);
                    woken.push(place.waker.clone());
                }
            }
        }
        woken.into_iter().for_each(Waker::wake);
    }
}

impl PlaceInQueue {
    /// Waits until it is this write's turn.
    pub(super) async fn turn(&self) {
        poll_fn(|cx| {
            let mut queue = self.room.queue.lock();
            let Some(place) = queue.places.get_mut(&self.ticket) else { return Poll::Ready(()) };
            if place.has_turn {
                return Poll::Ready(());
            }
            place.waker.clone_from(cx.waker());
            Poll::Pending
        })
        .await;
    }

    /// The turn could not be used.
    pub(super) fn wait_again(&self) {
        let mut queue = self.room.queue.lock();
        if let Some(place) = queue.places.get_mut(&self.ticket)
            && std::mem::replace(&mut place.has_turn, false)
        {
            self.room.waiting_count.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Drop for PlaceInQueue {
    fn drop(&mut self) {
        let mut queue = self.room.queue.lock();
        let Some(place) = queue.places.remove(&self.ticket) else { return };
        queue.bytes -= place.bytes;
        if !place.has_turn {
            self.room.waiting_count.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Core {
    /// Something was freed, or will not be: lets in those who can go on.
    pub(super) fn let_in(&self) {
        if !self.room.has_waiting() {
            return;
        }
        let must_be_told = self.is_stopping.load(Ordering::Relaxed)
            || self.log.failure.get().is_some()
            || self.damage.is_stopped()
            || self.log.supply.failure().is_some()
            || self.flush_failure.lock().as_ref().is_some_and(|(_, is_full)| *is_full);
        if must_be_told {
            self.room.let_in(usize::MAX);
        } else if self.lack_of_room().is_none() {
            let used = self.memtable_bytes.load(Ordering::Relaxed);
            self.room.let_in(self.options.memtable_bytes_total.saturating_sub(used));
        }
    }
}
