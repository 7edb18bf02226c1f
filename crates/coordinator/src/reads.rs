//! How a read gets what is not in memory without making its thread wait.
//!
//! A read is run on the request's thread and takes what is in memory ([`Coordinator::attempt`]). If something is
//! missing it ends, what is missing is fetched, and it is run again from its start; after a few rounds, or at once if
//! it is going to read much, it is run on a thread that may wait. So a read has no effect but its result, and gives
//! the same wherever it runs.

use storage::{BlockReads, waiting};

use crate::Coordinator;

/// After so many rounds a read is run where it may wait.
const ROUNDS_MAX: u32 = 6;
/// Bytes that a read may hold of what was fetched for it.
const HELD_BYTES_MAX: usize = 64 << 20;
/// Reads that may run on waiting threads at once: the commit log needs some of these threads too.
pub(crate) const LONG_READS_MAX: usize = 8;

impl Coordinator {
    /// Runs a read with what is in memory. If that was not enough its result is worth nothing: undo what it wrote,
    /// and go on with [`Coordinator::go_on`].
    #[inline]
    pub fn attempt<T>(&self, run: impl FnOnce() -> T) -> Result<T, BlockReads> {
        let mut reads = BlockReads::default();
        let out = reads.cached_only(run);
        if reads.is_missing() { Err(reads) } else { Ok(out) }
    }

    /// Runs a read to its end that lacked something.
    pub async fn go_on<T: Send + 'static>(
        &self,
        mut reads: BlockReads,
        run: impl Fn() -> T + Send + 'static,
    ) -> T {
        while !reads.is_long() && reads.rounds_count() < ROUNDS_MAX && reads.held_bytes() < HELD_BYTES_MAX {
            if !self.engine.fetch(&mut reads).await {
                break;
            }
            let out = reads.cached_only(&run);
            if !reads.is_missing() {
                return out;
            }
        }
        drop(reads);
        let permit = self.long_reads.clone().acquire_owned().await;
        let work = move || {
            // Held as long as the work runs, whether anybody still waits for it or not.
            let _permit = permit;
            waiting(run)
        };
        self.engine.runtime().blocking(work).await
    }

    /// Runs a short read to its end, on this thread: what a write looks at before it writes.
    pub async fn read_first<T>(&self, mut run: impl FnMut() -> T) -> T {
        let mut reads = BlockReads::default();
        loop {
            let out = reads.cached_only(&mut run);
            if !reads.is_missing() {
                return out;
            }
            // A block that cannot be had (the disk fails, it is damaged), or a partition full of tombstones: rare enough
            // to wait for.
            if reads.is_long() || reads.held_bytes() >= HELD_BYTES_MAX || !self.engine.fetch(&mut reads).await
            {
                return waiting(run);
            }
        }
    }
}
