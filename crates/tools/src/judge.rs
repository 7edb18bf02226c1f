//! `sstable verify` and `sstable scrub`: what the library finds, in words.

use std::collections::BTreeSet;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use runtime::Disk;
use sstable::verify::Severity;
use sstable::{
    Description, Descriptor, ScrubError, ScrubOptions, SsTable, SsTableId, VerifyOptions, WriteOptions,
    scrub, verify,
};

use crate::error::ToolError;
use crate::export::table_of;
use crate::progress::ProgressBar;
use crate::{place, target};

/// Verifies the SSTables at `path`; true if all are sound.
pub fn verify_all(
    disk: &Arc<dyn Disk>,
    path: &Path,
    options: &VerifyOptions,
    out: &mut dyn Write,
) -> Result<bool, ToolError> {
    let descriptors = some(disk, path)?;
    let mut all_sound = true;
    for descriptor in &descriptors {
        let mut bar = ProgressBar::new(format!("Verifying {}", descriptor.file_name("Data.db")));
        let verified = verify(disk, descriptor, None, options, &mut |progress| {
            bar.update(progress.done_bytes, progress.total_bytes);
            ControlFlow::Continue(())
        });
        drop(bar);
        let report = match verified {
            Ok(report) => report,
            Err(error) => {
                writeln!(out, "{descriptor}: cannot be verified: {error}")?;
                all_sound = false;
                continue;
            }
        };
        for finding in &report.findings {
            let word = if finding.severity == Severity::Wrong { "wrong" } else { "doubtful" };
            writeln!(out, "{descriptor}: {word}: {finding}")?;
        }
        let more = report.findings_count - report.findings.len() as u64;
        if more > 0 {
            writeln!(out, "{descriptor}: and {more} more")?;
        }
        let verdict = if report.is_sound() { "sound" } else { "DAMAGED" };
        write!(out, "{descriptor}: {verdict}, {} partitions", report.partitions)?;
        // Without `-e` rows are not looked at.
        if report.rows > 0 {
            write!(out, ", {} rows", report.rows)?;
        }
        writeln!(out)?;
        all_sound &= report.is_sound();
    }
    Ok(all_sound)
}

fn some(disk: &Arc<dyn Disk>, path: &Path) -> Result<Vec<Descriptor>, ToolError> {
    let descriptors = target::sstables(disk, path)?;
    if descriptors.is_empty() {
        return Err(ToolError::Usage(format!("{} holds no SSTables", path.display())));
    }
    Ok(descriptors)
}

/// Scrubs the SSTables at `path` into `to`; the old ones stay as they are. True if nothing was lost.
pub fn scrub_all(
    disk: &Arc<dyn Disk>,
    path: &Path,
    to: &Path,
    options: &ScrubOptions,
    out: &mut dyn Write,
) -> Result<bool, ToolError> {
    let descriptors = some(disk, path)?;
    disk.create_dir_all(to)?;
    let mut next = place::next_id(disk, to)?;
    let taken: BTreeSet<SsTableId> = descriptors.iter().map(|descriptor| descriptor.id).collect();
    next = taken.iter().filter_map(|id| id.number()).map(|number| number + 1).max().unwrap_or(1).max(next);
    let mut is_lossless = true;
    for descriptor in &descriptors {
        let prepared = prepare(disk, descriptor);
        let (table, write) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                writeln!(out, "{descriptor}: {error}")?;
                is_lossless = false;
                continue;
            }
        };
        let mut bar = ProgressBar::new(format!("Scrubbing {}", descriptor.file_name("Data.db")));
        let mut name = || {
            next += 1;
            Descriptor::new(to, next - 1)
        };
        let scrubbed = scrub(disk, descriptor, &table, options, write, &mut name, &mut |progress| {
            bar.update(progress.done_bytes, progress.total_bytes);
            ControlFlow::Continue(())
        });
        drop(bar);
        let report = match scrubbed {
            Ok(report) => report,
            Err(error @ (ScrubError::DamagedCounters(_) | ScrubError::Unreadable(_))) => {
                writeln!(out, "{descriptor}: {error}")?;
                is_lossless = false;
                continue;
            }
            Err(error) => return Err(ToolError::Engine(error.to_string())),
        };
        for why in &report.done_without {
            writeln!(out, "{descriptor}: done without: {why}")?;
        }
        for loss in &report.losses {
            let key = loss.key.as_ref().map_or_else(String::new, |key| {
                format!(" of partition {}", crate::dump::key_text(&table, key))
            });
            writeln!(out, "{descriptor}: lost{key} at byte {}: {}", loss.offset, loss.found)?;
        }
        for written in &report.outputs {
            let (partitions, rows) = (written.partitions, written.rows);
            writeln!(
                out,
                "{descriptor}: wrote {} ({partitions} partitions, {rows} rows)",
                written.descriptor
            )?;
        }
        writeln!(
            out,
            "{descriptor}: {} partitions good, {} bad, {} empty, {} out of order ({} duplicate keys); \
             {} rows lost, {} duplicate rows dropped, {} expiries mended",
            report.good_partitions,
            report.bad_partitions,
            report.empty_partitions,
            report.out_of_order_partitions,
            report.duplicate_keys,
            report.lost_rows,
            report.duplicate_rows,
            report.mended_cells
        )?;
        is_lossless &= report.is_lossless();
    }
    Ok(is_lossless)
}

fn prepare(
    disk: &Arc<dyn Disk>,
    descriptor: &Descriptor,
) -> Result<(Arc<model::Table>, WriteOptions), ToolError> {
    let unreadable = |error| ToolError::Engine(ScrubError::Unreadable(error).to_string());
    let (sstable, _) = SsTable::open_damaged(disk, descriptor).map_err(unreadable)?;
    let about = Description::read(disk, descriptor).map_err(unreadable)?;
    let table = table_of(&sstable, &about)?;
    let write = WriteOptions::for_table(&table)?;
    Ok((table, write))
}
