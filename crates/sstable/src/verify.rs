//! Proves an SSTable: that its files are whole, and that everything in them is found.
//!
//! Cassandra's verifier proves structure only: it lets pass a Bloom filter that denies keys, a covered slice
//! that hides rows, statistics that make compaction drop data. Here each of these is a [`Finding`].
//!
//! Read in order: [`verify`], [`VerifyOptions`], [`VerifyReport`]; then `components` (the small files), `walk` (all
//! partitions, in step with the index), `blocks` (row indexes), `values`, `facts` (statistics).
//!
//! Never here: repairs ([`crate::scrub`] does them), which SSTables there are, what is done with a bad one.

use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use model::{PartitionKey, Table, TokenRange};
use runtime::Disk;

use crate::descriptor::{Component, Descriptor, Version};
use crate::error::ReadError;
use crate::reader::SsTable;
use walk::Walk;

mod blocks;
mod components;
mod facts;
pub(crate) mod values;
mod walk;

/// Findings that are kept with their words; more are only counted.
pub const FINDINGS_MAX: usize = 100;

/// What is looked at.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// Every row too: values against their types, row indexes in both directions, statistics recomputed.
    /// Without it: all checksums, all partitions in order, and each found through filter and index.
    pub extended: bool,
    /// Only the small components and that they fit together; no byte of Data.db.
    pub quick: bool,
    /// Partitions outside of these ranges are findings.
    pub owned: Option<Vec<TokenRange>>,
    /// An SSTable that is not of the version that is written by default is a finding.
    pub check_version: bool,
}

/// How far a verification or a scrub is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of Data.db, uncompressed, that are done.
    pub done_bytes: u64,
    /// All of them.
    pub total_bytes: u64,
}

/// Called now and then, at least once for each partition and each 64 KiB; `Break` ends the work. It may sleep,
/// to throttle.
pub type OnProgress<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Every read is right all the same: a part is missing or vague that other work profits from.
    Doubtful,
    /// Data is lost, hidden or may become so.
    Wrong,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyFinding {
    /// Which SSTable.
    pub descriptor: Descriptor,
    /// How bad it is.
    pub severity: Severity,
    /// The file that is at fault, as far as one can say.
    pub component: Component,
    /// Byte in the file; in Data.db, of the uncompressed stream.
    pub offset: u64,
    /// The partition.
    pub key: Option<PartitionKey>,
    /// What is wrong.
    pub found: String,
}

impl fmt::Display for VerifyFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", self.component, self.offset, self.found)
    }
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct VerifyReport {
    /// The first [`FINDINGS_MAX`] of them.
    pub findings: Vec<VerifyFinding>,
    /// How many there are.
    pub findings_count: u64,
    /// Of these, [`Severity::Wrong`].
    pub wrong_count: u64,
    /// Partitions read.
    pub partitions: u64,
    /// Rows read; 0 unless `extended`.
    pub rows: u64,
    /// False if it was broken off by the callback.
    pub is_complete: bool,
}

impl VerifyReport {
    /// True if everything was looked at and nothing is [`Severity::Wrong`].
    pub fn is_sound(&self) -> bool {
        self.is_complete && self.wrong_count == 0
    }
}

/// Verifies one SSTable. `table`: the schema's, where there is one; without it the SSTable's own header is
/// believed.
///
/// Damage is a finding. The error is for what says nothing of the SSTable: the disk failed, or we do not read
/// that version. Memory is bounded by the index pages and the largest row.
pub fn verify(
    disk: &Arc<dyn Disk>,
    descriptor: &Descriptor,
    table: Option<&Arc<Table>>,
    options: &VerifyOptions,
    on_progress: OnProgress<'_>,
) -> Result<VerifyReport, ReadError> {
    let mut findings = Findings { descriptor: descriptor.clone(), report: VerifyReport::default() };
    if options.check_version && descriptor.version != Version::Da {
        let found = format!("its version is {}, not {}", descriptor.version.letters(), Version::Da.letters());
        findings.add(Severity::Doubtful, Component::Data, 0, None, found);
    }
    components::check(disk, descriptor, &mut findings)?;
    let opened = SsTable::open(disk, descriptor);
    let Some(sstable) = findings.take(opened, None)? else {
        if !options.quick {
            let mut step = |_: u64| ControlFlow::Continue(());
            let _ = components::check_digest(disk, descriptor, &mut findings, &mut step)?;
        }
        findings.report.is_complete = true;
        return Ok(findings.report);
    };
    let Some(statistics) = findings.take(components::statistics(disk, descriptor), None)? else {
        findings.report.is_complete = true;
        return Ok(findings.report);
    };
    components::check_statistics(&sstable, &statistics, table, &mut findings);
    if options.quick {
        findings.report.is_complete = true;
        return Ok(findings.report);
    }
    let total_bytes = sstable.data.data_bytes().max(1);
    // Digest, then (unless all is read anyway) chunks, then partitions: each reads the file once.
    let mut is_broken_off = false;
    let mut step = |done_bytes: u64| {
        let flow = on_progress(Progress { done_bytes: done_bytes.min(total_bytes), total_bytes });
        is_broken_off |= flow.is_break();
        flow
    };
    let mut begin = |_: u64| step(0);
    if components::check_digest(disk, descriptor, &mut findings, &mut begin)?.is_break() {
        return Ok(findings.report);
    }
    if !options.extended && components::check_chunks(&sstable, &mut findings, &mut begin)?.is_break() {
        return Ok(findings.report);
    }
    let walk = Walk::new(&sstable, table, &statistics, options, &mut findings)?;
    walk.run(&mut step)?;
    findings.report.is_complete = !is_broken_off;
    Ok(findings.report)
}

/// Takes findings down.
struct Findings {
    descriptor: Descriptor,
    report: VerifyReport,
}

impl Findings {
    fn add(
        &mut self,
        severity: Severity,
        component: Component,
        offset: u64,
        key: Option<&PartitionKey>,
        found: impl Into<String>,
    ) {
        let report = &mut self.report;
        report.findings_count += 1;
        report.wrong_count += u64::from(severity == Severity::Wrong);
        if report.findings.len() < FINDINGS_MAX {
            report.findings.push(VerifyFinding {
                descriptor: self.descriptor.clone(),
                severity,
                component,
                offset,
                key: key.cloned(),
                found: found.into(),
            });
        }
    }

    /// The value, or a finding of the damage that kept it from us.
    fn take<T>(
        &mut self,
        result: Result<T, ReadError>,
        key: Option<&PartitionKey>,
    ) -> Result<Option<T>, ReadError> {
        let (component, offset, found) = match result {
            Ok(value) => return Ok(Some(value)),
            Err(ReadError::Corrupt { component, offset, found }) => (component, offset, found),
            Err(ReadError::Io { component, source }) if source.kind() == io::ErrorKind::NotFound => {
                (component, 0, "it is missing".to_owned())
            }
            Err(error @ ReadError::UnknownColumn { .. }) => (Component::Statistics, 0, error.to_string()),
            Err(error) => return Err(error),
        };
        self.add(Severity::Wrong, component, offset, key, found);
        Ok(None)
    }
}
