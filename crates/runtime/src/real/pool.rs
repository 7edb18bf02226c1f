//! Threads for work that blocks: started when first needed, at most so many, fed from one queue.
//!
//! The queue has no limit of its own: every entry belongs to a request or a flush that is counted above.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::handle::Work;

pub(crate) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    name: &'static str,
    threads_max: usize,
    niceness: Option<i32>,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Work>,
    idle_count: usize,
    threads: Vec<JoinHandle<()>>,
    stopped: bool,
}

impl Pool {
    pub(super) fn new(name: &'static str, threads_max: usize, niceness: Option<i32>) -> Self {
        let state = Mutex::default();
        Pool { shared: Arc::new(Shared { name, threads_max, niceness, state, arrived: Condvar::new() }) }
    }

    /// Queues `work` and wakes a thread, or starts one when all are busy.
    pub(crate) fn submit(&self, work: Work) {
        let mut state = self.shared.state.lock();
        if state.stopped {
            return;
        }
        state.queue.push_back(work);
        if state.queue.len() > state.idle_count && state.threads.len() < self.shared.threads_max {
            self.start_thread(&mut state);
        }
        let idle = state.idle_count > 0;
        drop(state);
        if idle {
            self.shared.arrived.notify_one();
        }
    }

    fn start_thread(&self, state: &mut State) {
        let shared = Arc::clone(&self.shared);
        let name = format!("{}-{}", shared.name, state.threads.len());
        match std::thread::Builder::new().name(name).spawn(move || shared.run()) {
            Ok(thread) => state.threads.push(thread),
            // The others will get to it; with none at all nothing would ever be written again.
            Err(error) => assert!(!state.threads.is_empty(), "no thread for blocking work: {error}"),
        }
    }

    /// Finishes what is queued, then ends the threads.
    pub(super) fn stop(&self) {
        let threads = {
            let mut state = self.shared.state.lock();
            state.stopped = true;
            std::mem::take(&mut state.threads)
        };
        self.shared.arrived.notify_all();
        for thread in threads {
            if thread.thread().id() != std::thread::current().id() {
                // Work is run under catch_unwind: the thread itself does not panic.
                let _quiet = thread.join();
            }
        }
    }
}

impl Shared {
    fn run(&self) {
        if let Some(niceness) = self.niceness {
            // On Linux this is the calling thread's own value. Refused: then it runs at the usual one.
            let _refused = rustix::process::setpriority_process(None, niceness);
        }
        let mut state = self.state.lock();
        loop {
            if let Some(work) = state.queue.pop_front() {
                drop(state);
                work();
                state = self.state.lock();
            } else if state.stopped {
                return;
            } else {
                state.idle_count += 1;
                self.arrived.wait(&mut state);
                state.idle_count -= 1;
            }
        }
    }
}
