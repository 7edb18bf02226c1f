//! What all nodes of one simulation share: virtual time, timers, the ready tasks, the seed's numbers.
//!
//! Behind one lock that is never held while foreign code (a waker, a future, a job) runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use stdx::prng::Prng;

use super::Limits;
use super::net::Net;
use super::trace::Trace;

/// How long a poll seems to take: time never stands still for a task that looks at the clock in a loop.
const POLL_TIME: Duration = Duration::from_micros(1);

static NEXT_WORLD: AtomicU64 = AtomicU64::new(0);

pub(crate) struct World {
    id: u64,
    seed: u64,
    trace: Arc<Trace>,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) now: Duration,
    pub(crate) prng: Prng,
    pub(crate) net: Net,
    pub(crate) nodes_count: u64,
    // Sorted, so that the order in which one event wakes several tasks does not matter.
    ready: BTreeSet<TaskId>,
    timers: BTreeMap<TimerKey, Event>,
    timers_count: u64,
    polls_count: u64,
    limits: Limits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TaskId(pub(crate) u64);

/// When, and the how-manieth: equal times keep the order in which they were set.
pub(crate) type TimerKey = (Duration, u64);

/// What a timer does.
pub(crate) enum Event {
    Wake(Waker),
    Run(Box<dyn FnOnce() + Send>),
}

/// What the executor does next.
pub(crate) enum Step {
    Poll(TaskId),
    Fire(Event),
    Idle,
    TimeUp,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let state = State {
            now: Duration::ZERO,
            prng: Prng::from_seed(seed),
            net: Net::default(),
            nodes_count: 0,
            ready: BTreeSet::new(),
            timers: BTreeMap::new(),
            timers_count: 0,
            polls_count: 0,
            limits: Limits::default(),
        };
        let id = NEXT_WORLD.fetch_add(1, Ordering::Relaxed);
        World { id, seed, trace: Arc::new(Trace::new(seed)), state: Mutex::new(state) }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn trace(&self) -> &Arc<Trace> {
        &self.trace
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(crate) fn now(&self) -> Duration {
        self.lock().now
    }

    pub(crate) fn set_limits(&self, limits: Limits) {
        self.lock().limits = limits;
    }

    /// Runs `run` after `delay`.
    pub(crate) fn after(&self, delay: Duration, run: impl FnOnce() + Send + 'static) {
        let mut state = self.lock();
        let due = state.now + delay;
        state.set_timer(due, Event::Run(Box::new(run)));
    }

    /// Draws what happens next, and moves time.
    pub(crate) fn next_step(&self, end: Option<Duration>) -> Step {
        let mut state = self.lock();
        if end.is_some_and(|end| state.now >= end) {
            return Step::TimeUp;
        }
        let next_timer = state.timers.first_key_value().map(|(key, _)| key.0);
        if !state.ready.is_empty() && next_timer.is_none_or(|due| due > state.now) {
            return self.next_poll(&mut state);
        }
        let Some(due) = next_timer else {
            return Step::Idle;
        };
        if let Some(end) = end.filter(|end| due > *end) {
            state.now = end;
            return Step::TimeUp;
        }
        state.now = state.now.max(due);
        let limit = state.limits.time_max;
        assert!(state.now <= limit, "seed {}: virtual time is past its limit of {limit:?}", self.seed);
        let ((due, number), event) = state.timers.pop_first().expect("there is a next timer");
        self.trace.record("timer", [due.as_nanos() as u64, number, 0, 0]);
        Step::Fire(event)
    }

    fn next_poll(&self, state: &mut State) -> Step {
        let count = state.ready.len();
        let index = state.prng.index(count);
        let task = *state.ready.iter().nth(index).expect("the index is below the count");
        state.ready.remove(&task);
        state.now += POLL_TIME;
        state.polls_count += 1;
        let limit = state.limits.polls_max;
        assert!(state.polls_count <= limit, "seed {}: more than {limit} polls", self.seed);
        self.trace.record("poll", [task.0, count as u64, state.now.as_nanos() as u64, 0]);
        Step::Poll(task)
    }

    pub(crate) fn make_ready(&self, task: TaskId) {
        self.lock().ready.insert(task);
    }

    /// Forgets what would wake tasks: the world ends.
    pub(crate) fn take_timers(&self) -> Vec<Event> {
        let mut state = self.lock();
        std::mem::take(&mut state.timers).into_values().collect()
    }
}

impl State {
    pub(crate) fn set_timer(&mut self, due: Duration, event: Event) -> TimerKey {
        self.timers_count += 1;
        let key = (due, self.timers_count);
        self.timers.insert(key, event);
        key
    }

    /// Replaces the waker of a timer that has not fired; the old one is returned to be dropped outside.
    pub(crate) fn rearm(&mut self, key: TimerKey, waker: Waker) -> Option<Event> {
        self.timers.get_mut(&key).map(|event| std::mem::replace(event, Event::Wake(waker)))
    }

    pub(crate) fn cancel_timer(&mut self, key: TimerKey) -> Option<Event> {
        self.timers.remove(&key)
    }

    /// A delay from `low` to `high`, and one time in fifty up to twenty times as long.
    pub(crate) fn draw_delay(&mut self, low: Duration, high: Duration) -> Duration {
        let nanos = self.prng.between(low.as_nanos() as u64, high.as_nanos() as u64);
        let factor = if self.prng.chance(0.02) { self.prng.between(2, 20) } else { 1 };
        Duration::from_nanos(nanos * factor)
    }
}

/// Wakes one task.
pub(crate) struct TaskWaker {
    pub(crate) world: std::sync::Weak<World>,
    pub(crate) task: TaskId,
    pub(crate) ended: AtomicBool,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        if self.ended.load(Ordering::Relaxed) {
            return;
        }
        if let Some(world) = self.world.upgrade() {
            world.make_ready(self.task);
        }
    }
}
