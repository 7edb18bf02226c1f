//! Faults that a test asks for: which operation on which path fails, how, and how often.

use std::io;

/// Lets matching operations fail.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Paths that contain this text; every path contains the empty one.
    pub path_contains: String,
    /// The operation; none for every one.
    pub operation: Option<Operation>,
    /// What is returned.
    pub error: FaultError,
    /// How many matching operations still succeed.
    pub after_count: u64,
    /// How many then fail.
    pub fail_count: u64,
}

impl Fault {
    /// Every `operation` on a path that contains `path_contains` fails with `error` from now on.
    pub fn always(path_contains: &str, operation: Operation, error: FaultError) -> Self {
        let path_contains = path_contains.to_owned();
        Fault { path_contains, operation: Some(operation), error, after_count: 0, fail_count: u64::MAX }
    }

    /// As [`Fault::always`], only the next time.
    pub fn once(path_contains: &str, operation: Operation, error: FaultError) -> Self {
        Fault { fail_count: 1, ..Fault::always(path_contains, operation, error) }
    }
}

/// What a fault returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultError {
    /// EIO: the device failed.
    Device,
    /// ENOSPC: no room.
    NoSpace,
}

/// The kinds of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Opening what exists.
    Open,
    /// Making a file, a directory, a link or a lock.
    Create,
    /// Reading bytes, lengths and directories.
    Read,
    /// Writing, cutting, lengthening, reserving.
    Write,
    /// [`crate::DiskFile::sync_data`].
    Sync,
    /// [`crate::Disk::sync_dir`].
    SyncDir,
    /// Renaming, by the old path.
    Rename,
    /// Removing.
    Remove,
}

impl Operation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Operation::Open => "open",
            Operation::Create => "create",
            Operation::Read => "read",
            Operation::Write => "write",
            Operation::Sync => "sync",
            Operation::SyncDir => "sync dir",
            Operation::Rename => "rename",
            Operation::Remove => "remove",
        }
    }
}

/// Why an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Fault(FaultError),
    /// The first operation without power: part of it may still have been done.
    PowerFails,
    /// One after that.
    NoPower,
}

impl Verdict {
    pub(super) fn error(self) -> io::Error {
        match self {
            Verdict::Fault(FaultError::Device) => errno(rustix::io::Errno::IO),
            Verdict::Fault(FaultError::NoSpace) => errno(rustix::io::Errno::NOSPC),
            Verdict::PowerFails | Verdict::NoPower => io::Error::other("the simulated machine has no power"),
        }
    }
}

fn errno(errno: rustix::io::Errno) -> io::Error {
    io::Error::from_raw_os_error(errno.raw_os_error())
}

#[derive(Default)]
pub(super) struct Faults {
    faults: Vec<Fault>,
    power_cut_at: Option<u64>,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.faults.clear();
    }

    pub(super) fn cut_power_at(&mut self, operation_number: u64) {
        self.power_cut_at = Some(operation_number);
    }

    pub(super) fn power_on(&mut self) {
        self.power_cut_at = None;
    }

    /// Whether operation `number`, the first being 1, fails, and how.
    pub(super) fn judge(&mut self, operation: Operation, path: &str, number: u64) -> Option<Verdict> {
        match self.power_cut_at {
            Some(at) if number == at + 1 => return Some(Verdict::PowerFails),
            Some(at) if number > at => return Some(Verdict::NoPower),
            _ => {}
        }
        let matches = |fault: &&mut Fault| {
            fault.operation.is_none_or(|wanted| wanted == operation) && path.contains(&fault.path_contains)
        };
        for fault in self.faults.iter_mut().filter(matches) {
            if fault.after_count > 0 {
                fault.after_count -= 1;
            } else if fault.fail_count > 0 {
                fault.fail_count -= 1;
                return Some(Verdict::Fault(fault.error));
            }
        }
        None
    }
}
