//! The executor: one thread, any number of tasks; the world says which is next.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use super::world::{Event, Step, TaskId, TaskWaker, World};
use crate::handle::LocalFuture;

thread_local! {
    // Futures are not Send, the handles that spawn them are: they meet here.
    static EXECUTORS: RefCell<BTreeMap<u64, Rc<Executor>>> = const { RefCell::new(BTreeMap::new()) };
    static CURRENT_SHARD: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Whose task it is: a node, in one of its lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) node: u64,
    pub(crate) life: u64,
}

pub(crate) struct Executor {
    world: Arc<World>,
    tasks: RefCell<BTreeMap<TaskId, Task>>,
    tasks_count: Cell<u64>,
    running: Cell<Option<TaskId>>,
}

struct Task {
    owner: Owner,
    shard: usize,
    /// Away while it is polled.
    future: Option<LocalFuture>,
    waker: Waker,
    handle: Arc<TaskWaker>,
}

/// Why a run stopped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Done,
    Idle,
    TimeUp,
}

pub(crate) fn install(world: &Arc<World>) -> Rc<Executor> {
    let executor = Rc::new(Executor {
        world: Arc::clone(world),
        tasks: RefCell::default(),
        tasks_count: Cell::new(0),
        running: Cell::new(None),
    });
    EXECUTORS.with_borrow_mut(|all| all.insert(world.id(), Rc::clone(&executor)));
    executor
}

pub(crate) fn uninstall(world: &World, executor: &Executor) {
    // What is dropped here may spawn or wake once more: the executor stays until it is empty.
    while let Some((_, task)) = executor.pop_task() {
        drop(task);
        drop(world.take_timers());
    }
    drop(world.take_timers());
    EXECUTORS.with_borrow_mut(|all| all.remove(&world.id()));
}

/// The executor of `world`. Panics on another thread than the one that simulates it.
pub(crate) fn of(world: &World) -> Rc<Executor> {
    EXECUTORS
        .with_borrow(|all| all.get(&world.id()).cloned())
        .expect("a simulated node is used on the thread of its living SimRuntime only")
}

pub(crate) fn current_shard() -> Option<usize> {
    CURRENT_SHARD.get()
}

impl Executor {
    pub(crate) fn spawn(&self, owner: Owner, shard: usize, future: LocalFuture) {
        let id = TaskId(self.tasks_count.get());
        self.tasks_count.set(id.0 + 1);
        let world = Arc::downgrade(&self.world);
        let handle = Arc::new(TaskWaker { world, task: id, ended: AtomicBool::new(false) });
        let waker = Waker::from(Arc::clone(&handle));
        let task = Task { owner, shard, future: Some(future), waker, handle };
        self.world.trace().record("spawn", [id.0, owner.node, shard as u64, 0]);
        self.tasks.borrow_mut().insert(id, task);
        self.world.make_ready(id);
    }

    /// Drops every task of `owner`; the one that runs just now when it returns.
    pub(crate) fn drop_tasks(&self, owner: Owner) {
        loop {
            let mut tasks = self.tasks.borrow_mut();
            let running = self.running.get();
            let next = tasks.iter().find(|(id, task)| task.owner == owner && Some(**id) != running);
            let Some(id) = next.map(|(id, _)| *id) else { break };
            let task = tasks.remove(&id);
            drop(tasks);
            task.iter().for_each(|task| task.handle.ended.store(true, Ordering::Relaxed));
            drop(task);
        }
        // The running one finds its entry gone when its poll returns.
        let running = self.running.get();
        let mut tasks = self.tasks.borrow_mut();
        if let Some(id) = running.filter(|id| tasks.get(id).is_some_and(|task| task.owner == owner)) {
            tasks.remove(&id);
        }
    }

    /// Runs until `done`, until nothing can run, or until virtual time `end`.
    pub(crate) fn run(&self, done: &dyn Fn() -> bool, end: Option<Duration>) -> Stop {
        assert!(self.running.get().is_none(), "a simulation is not run from inside itself");
        loop {
            if done() {
                return Stop::Done;
            }
            match self.world.next_step(end) {
                Step::Poll(task) => self.poll(task),
                Step::Fire(Event::Wake(waker)) => waker.wake(),
                Step::Fire(Event::Run(run)) => run(),
                Step::Idle => return Stop::Idle,
                Step::TimeUp => return Stop::TimeUp,
            }
        }
    }

    fn poll(&self, id: TaskId) {
        let taken = self.tasks.borrow_mut().get_mut(&id).map(|task| {
            (
                task.future.take().expect("a task is not polled inside its own poll"),
                task.waker.clone(),
                task.shard,
            )
        });
        // Woken after its end: nothing to do.
        let Some((mut future, waker, shard)) = taken else { return };
        self.running.set(Some(id));
        CURRENT_SHARD.set(Some(shard));
        // Also when the poll panics: the simulation can be dropped, and its disks looked at, after it.
        let _reset = Reset(self);
        let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
        let mut tasks = self.tasks.borrow_mut();
        if let Some(task) = tasks.get_mut(&id).filter(|_| poll.is_pending()) {
            task.future = Some(future);
            return;
        }
        // At its end, or killed by what it did itself. What is dropped may spawn and wake.
        let ended = tasks.remove(&id);
        drop(tasks);
        ended.iter().for_each(|task| task.handle.ended.store(true, Ordering::Relaxed));
        drop(future);
    }

    fn pop_task(&self) -> Option<(TaskId, Task)> {
        let popped = self.tasks.borrow_mut().pop_first();
        popped.inspect(|(_, task)| task.handle.ended.store(true, Ordering::Relaxed))
    }
}

struct Reset<'a>(&'a Executor);

impl Drop for Reset<'_> {
    fn drop(&mut self) {
        self.0.running.set(None);
        CURRENT_SHARD.set(None);
    }
}
