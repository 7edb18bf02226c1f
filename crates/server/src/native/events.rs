//! News for clients: events are put into the mailbox of every connection that has registered for them.
//!
//! A mailbox is bounded: a client that does not read is disconnected, not waited for. The hub also tells
//! connections that the node shuts down.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use runtime::Runtime;
use tokio::sync::Notify;
use wire::Event;
use wire::response::EventKind;

/// How far a node's native transport is on its way down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It serves.
    #[default]
    Open,
    /// What is in flight is finished, nothing more is begun.
    Closing,
    /// Connections end at once.
    Aborting,
}

/// Where events are published, for all connections of a node.
#[derive(Debug, Default)]
pub struct EventHub {
    state: Mutex<HubState>,
    /// Told when the last mailbox goes.
    emptied: Notify,
}

#[derive(Debug, Default)]
struct HubState {
    next_id: u64,
    stage: Stage,
    /// In order of their connections: everybody is told in the same order.
    mailboxes: BTreeMap<u64, Arc<Mutex<Mailbox>>>,
}

#[derive(Debug, Default)]
struct Mailbox {
    kinds: Vec<EventKind>,
    events: VecDeque<Arc<Event>>,
    events_max: usize,
    is_behind: bool,
    stage: Stage,
    waker: Option<Waker>,
}

/// One connection's end; it leaves the hub when dropped.
#[derive(Debug)]
pub(super) struct Subscription {
    id: u64,
    hub: Arc<EventHub>,
    mailbox: Arc<Mutex<Mailbox>>,
}

/// What a connection finds in its mailbox.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mail {
    pub(super) events: Vec<Arc<Event>>,
    /// It has missed events: it cannot be served any more.
    pub(super) is_behind: bool,
    pub(super) stage: Stage,
}

impl EventHub {
    /// A hub without connections.
    pub fn new() -> Arc<EventHub> {
        Arc::new(EventHub::default())
    }

    /// Tells every connection that has registered for such events. May be called from any thread.
    pub fn publish(&self, event: Event) {
        let event = Arc::new(event);
        let kind = event.kind();
        self.tell_all(|mailbox| {
            if !mailbox.kinds.contains(&kind) {
                return false;
            }
            if mailbox.events.len() < mailbox.events_max {
                mailbox.events.push_back(event.clone());
            } else {
                mailbox.is_behind = true;
            }
            true
        });
    }

    /// How many connections there are.
    pub(super) fn connection_count(&self) -> usize {
        self.state.lock().mailboxes.len()
    }

    /// True if clients are served.
    pub(super) fn is_open(&self) -> bool {
        self.state.lock().stage == Stage::Open
    }

    pub(super) fn set_stage(&self, stage: Stage) {
        self.state.lock().stage = stage;
        self.tell_all(|mailbox| {
            mailbox.stage = stage;
            true
        });
    }

    /// Accepts nothing more, lets every connection finish what is in flight, for `grace` at most, and then ends those
    /// that are left. Returns when all have ended.
    pub async fn close(&self, runtime: &Runtime, grace: Duration) {
        self.set_stage(Stage::Closing);
        if runtime.timeout(grace, self.emptied()).await.is_err() {
            self.set_stage(Stage::Aborting);
            self.emptied().await;
        }
    }

    /// Waits until there are no connections.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.connection_count() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Adds a connection.
    pub(super) fn subscribe(self: &Arc<Self>, events_max: usize) -> Subscription {
        let mut state = self.state.lock();
        let id = state.next_id;
        state.next_id += 1;
        let mailbox = Arc::new(Mutex::new(Mailbox { events_max, stage: state.stage, ..Mailbox::default() }));
        state.mailboxes.insert(id, mailbox.clone());
        Subscription { id, hub: self.clone(), mailbox }
    }

    /// Calls `tell` with every mailbox, and wakes the connections for which it returns true.
    fn tell_all(&self, mut tell: impl FnMut(&mut Mailbox) -> bool) {
        let mailboxes: Vec<_> = self.state.lock().mailboxes.values().cloned().collect();
        for mailbox in mailboxes {
            let waker = {
                let mut mailbox = mailbox.lock();
                if tell(&mut mailbox) { mailbox.waker.take() } else { None }
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Subscription {
    /// A number of its own for this connection.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Adds kinds of events to what this connection is told.
    pub(super) fn register(&self, kinds: &[EventKind]) {
        let mut mailbox = self.mailbox.lock();
        for kind in kinds {
            if !mailbox.kinds.contains(kind) {
                mailbox.kinds.push(*kind);
            }
        }
    }

    /// Takes out what there is, events only if there is room for them; the task of `cx` is woken when
    /// there is more.
    pub(super) fn take(&self, cx: &mut Context<'_>, has_room: bool) -> Mail {
        let mut mailbox = self.mailbox.lock();
        if !mailbox.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            mailbox.waker = Some(cx.waker().clone());
        }
        let events = if has_room { mailbox.events.drain(..).collect() } else { Vec::new() };
        Mail { events, is_behind: mailbox.is_behind, stage: mailbox.stage }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.hub.state.lock();
        state.mailboxes.remove(&self.id);
        if state.mailboxes.is_empty() {
            self.hub.emptied.notify_waiters();
        }
    }
}
