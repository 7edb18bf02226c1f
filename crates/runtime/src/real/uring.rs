//! Reads through `io_uring`: no thread waits for them, and many go to the disk at once.
//!
//! Each shard's thread has a ring. What the page cache has is done when [`submit`] returns; for the rest the ring's
//! descriptor becomes readable in the thread's own event loop. Where the kernel refuses a ring (containers often do)
//! the thread pool reads instead.
//!
//! Buffers and files belong to the ring until the kernel is done with them, whoever has stopped waiting.
#![expect(unsafe_code, reason = "the ring takes addresses; they stay valid as long as it has them")]

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::rc::Rc;
use std::sync::Arc;

use io_uring::{IoUring, Probe, opcode, types};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::DiskFile;
use crate::handle::Reply;

/// Reads that a ring has under way at most; more go to the thread pool.
const ENTRIES_COUNT: u32 = 256;
/// Bytes of one read; more go to the thread pool.
const READ_BYTES_MAX: usize = 1 << 30;

thread_local! {
    static RING: RefCell<Option<Rc<Ring>>> = const { RefCell::new(None) };
}

/// A read that could not be begun: to be done otherwise.
pub(crate) struct Unread(pub(crate) Reply<io::Result<Vec<u8>>>);

struct Ring(RefCell<State>);

struct State {
    ring: IoUring,
    reads: Vec<Option<Read>>,
    free: Vec<usize>,
    under_way: usize,
}

struct Read {
    file: Arc<dyn DiskFile>,
    buffer: Vec<u8>,
    filled: usize,
    offset: u64,
    reply: Reply<io::Result<Vec<u8>>>,
}

/// Makes a ring, if the kernel lets us and knows how to read with it.
pub(super) fn probe() -> io::Result<IoUring> {
    let ring = IoUring::new(ENTRIES_COUNT)?;
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    if probe.is_supported(opcode::Read::CODE) {
        return Ok(ring);
    }
    Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel's io_uring cannot read files"))
}

/// Gives this thread a ring, and its event loop the task that takes what is done.
pub(super) fn attach(ring: IoUring) -> io::Result<()> {
    // SAFETY: the ring is alive, and so is its descriptor.
    let descriptor = unsafe { BorrowedFd::borrow_raw(ring.as_raw_fd()) }.try_clone_to_owned()?;
    // SAFETY: the owned descriptor stays open and the same for as long as it is registered.
    let readable = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?;
    let state = State { ring, reads: Vec::new(), free: Vec::new(), under_way: 0 };
    let ring = Rc::new(Ring(RefCell::new(state)));
    RING.set(Some(ring.clone()));
    tokio::task::spawn_local(async move {
        // An error here means that the event loop ends.
        while let Ok(mut ready) = readable.readable().await {
            ready.clear_ready();
            ring.0.borrow_mut().take_done();
        }
    });
    Ok(())
}

/// Lets go of this thread's ring, once nothing is under way.
pub(super) fn detach() {
    RING.set(None);
}

/// Begins to read; fails if this thread has no ring, or the ring is full.
pub(crate) fn submit(
    file: &Arc<dyn DiskFile>,
    offset: u64,
    length: usize,
    reply: Reply<io::Result<Vec<u8>>>,
) -> Result<(), Unread> {
    RING.with_borrow(|ring| match ring {
        Some(ring) if file.descriptor().is_some() && length > 0 && length <= READ_BYTES_MAX => {
            ring.0.borrow_mut().begin(file.clone(), offset, length, reply)
        }
        _ => Err(Unread(reply)),
    })
}

impl State {
    fn begin(
        &mut self,
        file: Arc<dyn DiskFile>,
        offset: u64,
        length: usize,
        reply: Reply<io::Result<Vec<u8>>>,
    ) -> Result<(), Unread> {
        if self.under_way >= ENTRIES_COUNT as usize {
            return Err(Unread(reply));
        }
        let read = Read { file, buffer: vec![0; length], filled: 0, offset, reply };
        let index = self.free.pop().unwrap_or_else(|| {
            self.reads.push(None);
            self.reads.len() - 1
        });
        self.reads[index] = Some(read);
        if let Err(read) = self.push(index) {
            return Err(Unread(read.reply));
        }
        // What the page cache has is there already.
        self.take_done();
        Ok(())
    }

    /// Hands the rest of a read to the kernel; gives the read back if it does not take it.
    fn push(&mut self, index: usize) -> Result<(), Read> {
        let read = self.reads[index].as_mut().expect("it was put there");
        let fd = read.file.descriptor().map_or(-1, |fd| fd.as_raw_fd());
        let rest = &mut read.buffer[read.filled..];
        let entry = opcode::Read::new(types::Fd(fd), rest.as_mut_ptr(), rest.len() as u32)
            .offset(read.offset + read.filled as u64)
            .build()
            .user_data(index as u64);
        // SAFETY: the buffer and the file stay in `reads`, which nobody moves out of before the kernel has answered;
        // the vector's own memory does not move when `reads` grows.
        let is_pushed = unsafe { self.ring.submission().push(&entry) }.is_ok();
        if is_pushed {
            self.under_way += 1;
            // Interrupted or busy: the entry is in the queue and goes with the next submission, at the latest here.
            while let Err(error) = self.ring.submit() {
                if !error.raw_os_error().is_some_and(is_transient) {
                    break;
                }
            }
            return Ok(());
        }
        self.free.push(index);
        Err(self.reads[index].take().expect("it was there just now"))
    }

    /// Answers all reads that are done.
    fn take_done(&mut self) {
        while let Some((index, result)) = self.next_done() {
            self.under_way -= 1;
            let Some(mut read) = self.reads[index].take() else { continue };
            let outcome = match result {
                failed if is_transient(-failed) => None,
                0 => Some(Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "file ends before the bytes asked for",
                ))),
                ..0 => Some(Err(io::Error::from_raw_os_error(-result))),
                count => {
                    read.filled += count as usize;
                    (read.filled >= read.buffer.len()).then_some(Ok(()))
                }
            };
            match outcome {
                Some(outcome) => {
                    self.free.push(index);
                    read.reply.send(outcome.map(|()| read.buffer));
                }
                None => {
                    self.reads[index] = Some(read);
                    if let Err(read) = self.push(index) {
                        read.reply.send(Err(io::Error::other("the ring takes no more reads")));
                    }
                }
            }
        }
    }

    fn next_done(&mut self) -> Option<(usize, i32)> {
        let entry = self.ring.completion().next()?;
        Some((entry.user_data() as usize, entry.result()))
    }
}

/// To be tried again at once.
fn is_transient(number: i32) -> bool {
    use rustix::io::Errno;
    [Errno::INTR, Errno::AGAIN, Errno::BUSY].iter().any(|errno| errno.raw_os_error() == number)
}

impl Drop for State {
    fn drop(&mut self) {
        // The kernel writes into buffers of ours until it has answered.
        while self.under_way > 0 {
            match self.ring.submit_and_wait(1) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    // Then they are never freed.
                    std::mem::forget(std::mem::take(&mut self.reads));
                    return;
                }
                _ => self.take_done(),
            }
        }
    }
}
