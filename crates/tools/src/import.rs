//! `sstable import`: SSTables into a table of a data directory on which no node runs. (Into a running node they go
//! by `nodetool import`.)

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use model::Table;
use runtime::{Disk, Runtime};
use sstable::{Descriptor, VerifyOptions, verify};

use crate::error::ToolError;
use crate::node::StoppedNode;
use crate::place::{self, How};
use crate::progress::ProgressBar;
use crate::target;

/// Brings all SSTables of `from` into `keyspace`.`table` of `data_dir`.
pub async fn import(
    runtime: &Runtime,
    from: &Path,
    data_dir: &Path,
    keyspace: &str,
    table: &str,
    how: How,
    out: &mut dyn Write,
) -> Result<(), ToolError> {
    let disk = runtime.disk();
    let descriptors = target::sstables(disk, from)?;
    if descriptors.is_empty() {
        return Err(ToolError::Usage(format!("{} holds no SSTables", from.display())));
    }
    let node = StoppedNode::open(runtime, data_dir)?;
    let found = node.schema().table(keyspace, table).cloned();
    let Some(found) = found else {
        return Err(ToolError::Usage(format!("{keyspace}.{table} is no table of {}", data_dir.display())));
    };
    let directory = node.table_dir(keyspace, table, found.id);
    // The ids that are given must be unknown to an open engine.
    node.close().await?;
    for descriptor in &descriptors {
        check(disk, descriptor, &found)?;
    }
    disk.create_dir_all(&directory)?;
    for (id, descriptor) in (place::next_id(disk, &directory)?..).zip(&descriptors) {
        let target = Descriptor::new(&directory, id).with_version(descriptor.version);
        let bytes = place::place(disk, descriptor, &target, how)?;
        writeln!(out, "{descriptor} -> {target} ({bytes} bytes)")?;
    }
    Ok(())
}

/// Refuses an SSTable that is damaged or another table's.
pub(crate) fn check(
    disk: &Arc<dyn Disk>,
    descriptor: &Descriptor,
    table: &Arc<Table>,
) -> Result<(), ToolError> {
    let mut bar = ProgressBar::new(format!("Verifying {}", descriptor.file_name("Data.db")));
    let report = verify(disk, descriptor, Some(table), &VerifyOptions::default(), &mut |progress| {
        bar.update(progress.done_bytes, progress.total_bytes);
        ControlFlow::Continue(())
    })?;
    drop(bar);
    if report.is_sound() {
        return Ok(());
    }
    let worst = report.findings.iter().find(|finding| finding.severity == sstable::verify::Severity::Wrong);
    let worst = worst.map_or_else(String::new, ToString::to_string);
    Err(ToolError::Engine(format!("{descriptor} is damaged: {worst}; scrub it, or leave it out")))
}
