//! The files by themselves: are all there, do checksums fit, does Statistics.db make sense.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use model::Table;
use runtime::{Disk, OpenMode};
use stdx::crc::Crc32;

use super::{Findings, Severity};
use crate::descriptor::{Component, Descriptor, Version};
use crate::error::ReadError;
use crate::reader::SsTable;
use crate::statistics::Statistics;
use crate::statistics::cardinality::Cardinality;

/// More bytes than TOC.txt or Digest.crc32 ever have.
const TEXT_BYTES_MAX: u64 = 64 * 1024;
const BUFFER_BYTES: u64 = 256 * 1024;

/// TOC.txt against the directory, and what need not be there but should.
pub(super) fn check(
    disk: &Arc<dyn Disk>,
    descriptor: &Descriptor,
    findings: &mut Findings,
) -> Result<(), ReadError> {
    let io = |source| ReadError::io(Component::Toc, 0, source);
    let entries = disk.list(&descriptor.directory).map_err(io)?;
    let prefix = descriptor.file_name("");
    let present: Vec<&str> = entries
        .iter()
        .filter(|entry| !entry.is_dir)
        .filter_map(|entry| entry.name.strip_prefix(&prefix))
        .filter(|name| !name.ends_with(".tmp"))
        .collect();
    let Some(toc) = text(disk, descriptor, Component::Toc)? else {
        findings.add(Severity::Doubtful, Component::Toc, 0, None, "it is missing");
        return Ok(());
    };
    let listed: Vec<&str> = toc.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    for name in listed.iter().filter(|name| !present.contains(name)) {
        let found = format!("it lists {name}, which is missing");
        findings.add(Severity::Doubtful, Component::Toc, 0, None, found);
    }
    for name in present.iter().filter(|name| !listed.contains(name)) {
        findings.add(Severity::Doubtful, Component::Toc, 0, None, format!("it does not list {name}"));
    }
    Ok(())
}

/// A small text file; `None` if it is not there.
fn text(
    disk: &Arc<dyn Disk>,
    descriptor: &Descriptor,
    component: Component,
) -> Result<Option<String>, ReadError> {
    let io = |source| ReadError::io(component, 0, source);
    let file = match disk.open(&descriptor.path(component), OpenMode::Read) {
        Ok(file) => file,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io(source)),
    };
    let mut bytes = vec![0; file.bytes().map_err(io)?.min(TEXT_BYTES_MAX) as usize];
    file.read_exact_at(&mut bytes, 0).map_err(io)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Digest.crc32 against all bytes of Data.db.
pub(super) fn check_digest(
    disk: &Arc<dyn Disk>,
    descriptor: &Descriptor,
    findings: &mut Findings,
    step: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, ReadError> {
    let Some(stored) = text(disk, descriptor, Component::Digest)? else {
        findings.add(Severity::Doubtful, Component::Digest, 0, None, "it is missing");
        return Ok(ControlFlow::Continue(()));
    };
    let file = match disk.open(&descriptor.path(Component::Data), OpenMode::Read) {
        Ok(file) => file,
        // Opening the SSTable has said so.
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(ControlFlow::Continue(())),
        Err(source) => return Err(ReadError::io(Component::Data, 0, source)),
    };
    let total = file.bytes().map_err(|source| ReadError::io(Component::Data, 0, source))?;
    let mut crc = Crc32::new();
    let mut at = 0;
    while at < total {
        let mut buffer = vec![0; (total - at).min(BUFFER_BYTES) as usize];
        file.read_exact_at(&mut buffer, at).map_err(|source| ReadError::io(Component::Data, at, source))?;
        crc.update(&buffer);
        at += buffer.len() as u64;
        if step(at).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    let computed = crc.value().to_string();
    if stored.trim() != computed {
        let found = format!("the checksum of Data.db is {computed}, the file says {:.20}", stored.trim());
        findings.add(Severity::Wrong, Component::Digest, 0, None, found);
    }
    Ok(ControlFlow::Continue(()))
}

/// The checksum of every chunk of Data.db.
pub(super) fn check_chunks(
    sstable: &SsTable,
    findings: &mut Findings,
    step: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, ReadError> {
    for index in 0..sstable.data.chunks() {
        let done = findings.take(sstable.data.check_chunk(index), None)?;
        if step(done.unwrap_or(0)).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Statistics.db, parsed.
pub(super) fn statistics(disk: &Arc<dyn Disk>, descriptor: &Descriptor) -> Result<Statistics, ReadError> {
    let bytes = disk
        .read_all(&descriptor.path(Component::Statistics))
        .map_err(|source| ReadError::io(Component::Statistics, 0, source))?;
    Statistics::parse(&bytes, descriptor.version)
}

/// What can be said of Statistics.db and Filter.db without reading data.
pub(super) fn check_statistics(
    sstable: &SsTable,
    statistics: &Statistics,
    table: Option<&Arc<Table>>,
    findings: &mut Findings,
) {
    let mut doubt = |component, found: String| findings.add(Severity::Doubtful, component, 0, None, found);
    let chance = statistics.bloom_filter_fp_chance;
    if sstable.filter.is_none() && chance < 1.0 {
        doubt(Component::Filter, "it is missing".to_owned());
    }
    if let Some(table) = table
        && (table.options.bloom_filter_fp_chance - chance).abs() > 1e-9
    {
        let wanted = table.options.bloom_filter_fp_chance;
        doubt(Component::Filter, format!("it was made for a chance of {chance}, the table says {wanted}"));
    }
    if statistics.cardinality.len() <= Cardinality::new().encode().len() {
        doubt(Component::Statistics, "its sketch of the keys is empty".to_owned());
    }
    let stats = &statistics.stats;
    let has_bad_bounds = |(segment, byte): (i64, i32)| segment == 0 && byte == 0;
    if stats.commit_log_intervals.is_empty()
        && (has_bad_bounds(stats.commit_log_lower) || has_bad_bounds(stats.commit_log_upper))
    {
        doubt(Component::Statistics, "its commit log position is (0, 0), where none is (-1, 0)".to_owned());
    }
    let partitions = sstable.metadata().partitions;
    // Before `nb` Cassandra counted partitions twice there, at times: seen in `mc` and `na` files.
    let cell_counts = (sstable.descriptor().version >= Version::Nb).then_some(&stats.cell_counts);
    let cell_counts = cell_counts.map(|histogram| ("cells of a partition", histogram));
    for (name, histogram) in [("partition sizes", &stats.partition_sizes)].into_iter().chain(cell_counts) {
        if histogram.count() != partitions {
            let found = format!(
                "its histogram of {name} has {} partitions, the index {partitions}",
                histogram.count()
            );
            doubt(Component::Statistics, found);
        }
    }
}
