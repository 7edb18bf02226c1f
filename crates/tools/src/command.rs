//! The subcommands: arguments, output, exit codes. 0: done and sound; 1: done, and something is wrong; 2: not done.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use runtime::real::RealRuntime;
use runtime::{Disk, Runtime};
use sstable::{ScrubOptions, VerifyOptions, Version};

use crate::dump::DumpOptions;
use crate::error::ToolError;
use crate::place::How;
use crate::{cassandra, dump, export, import, judge, metadata, target};

/// Work on SSTables without a node.
#[derive(Subcommand)]
pub enum SsTableCommand {
    /// Prints what an SSTable holds, as Cassandra's sstabledump
    Dump {
        /// A file of the SSTable, e.g. da-1-bti-Data.db
        file: PathBuf,
        /// Only this partition; may repeat
        #[arg(short, long = "key", value_name = "KEY")]
        key: Vec<String>,
        /// Not this partition; may repeat
        #[arg(short = 'x', long, value_name = "KEY")]
        exclude: Vec<String>,
        /// Keys only
        #[arg(short, long)]
        enumerate: bool,
        /// One row a line, in internal representation
        #[arg(short = 'd', long)]
        rows: bool,
        /// One partition a line, as JSON
        #[arg(short = 'l', long)]
        json_lines: bool,
        /// Times as they are stored
        #[arg(short = 't', long)]
        raw_times: bool,
    },
    /// Prints what Statistics.db says, as Cassandra's sstablemetadata
    Metadata {
        /// SSTables: files or directories
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// gc_grace_seconds for the share of droppable tombstones
        #[arg(short, long, default_value_t = 0)]
        gc_grace_seconds: i64,
    },
    /// Proves that SSTables are whole and that everything in them is found
    Verify {
        /// A file of an SSTable, or a directory of SSTables
        path: PathBuf,
        /// Every row too: values, row indexes in both directions, statistics
        #[arg(short, long)]
        extended: bool,
        /// Only the small components
        #[arg(short, long, conflicts_with = "extended")]
        quick: bool,
        /// Older versions are named
        #[arg(short, long)]
        check_version: bool,
    },
    /// Saves what can be read of damaged SSTables into new ones
    Scrub {
        /// A file of an SSTable, or a directory of SSTables
        path: PathBuf,
        /// Where the new ones go; the old ones stay
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// Leave damaged parts of counter tables out, too
        #[arg(short, long)]
        skip_corrupted: bool,
        /// Do not check values against their types
        #[arg(short, long)]
        no_validate: bool,
        /// Mend expiries that overflowed in 2038
        #[arg(short, long)]
        reinsert_overflowed_ttl: bool,
    },
    /// Writes SSTables anew in another version of the format
    Export {
        /// A file of an SSTable, or a directory of SSTables
        path: PathBuf,
        /// da, oa or nb
        #[arg(long, value_name = "VERSION")]
        format: String,
        /// Where the new ones go
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Brings SSTables into a table of a stopped node's data directory (a running one: nodetool import)
    Import {
        /// Directory of SSTables
        path: PathBuf,
        /// The keyspace
        keyspace: String,
        /// The table
        table: String,
        /// Our data directory
        #[arg(long, value_name = "DIR", default_value = "helenus-data")]
        data_dir: PathBuf,
        /// Copy files instead of linking them
        #[arg(long)]
        copy: bool,
    },
}

/// Takes over the schema and data of a stopped Cassandra.
#[derive(Args)]
pub struct ImportCommand {
    /// Cassandra's data directory (that holds system_schema), or the one above it
    pub cassandra_data_dir: PathBuf,
    /// Our data directory; made if it is missing
    #[arg(long, value_name = "DIR", default_value = "helenus-data")]
    pub data_dir: PathBuf,
    /// Take the snapshot of this name instead of the live files
    #[arg(long, value_name = "TAG")]
    pub snapshot: Option<String>,
    /// Copy files instead of linking them
    #[arg(long)]
    pub copy: bool,
    /// Leave damaged SSTables out instead of giving up
    #[arg(long)]
    pub skip_damaged: bool,
}

/// Carries out `sstable ...`.
pub fn sstable(command: SsTableCommand) -> ExitCode {
    with_runtime(|real, out| carry_out(command, real, out))
}

/// Carries out `import ...`.
pub fn import(command: ImportCommand) -> ExitCode {
    with_runtime(|real, _| {
        real.block_on(
            move |runtime| async move { cassandra::import(&runtime, &command, &mut io::stdout()).await },
        )
    })
}

fn with_runtime(run: impl FnOnce(&RealRuntime, &mut dyn Write) -> Result<bool, ToolError>) -> ExitCode {
    let mut out = BufWriter::new(io::stdout());
    let result = RealRuntime::start(1).map_err(ToolError::Io).and_then(|real| run(&real, &mut out));
    match result.and_then(|is_sound| Ok(out.flush().map(|()| is_sound)?)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        // Whoever read our output has enough.
        Err(ToolError::Io(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("helenus: {error}");
            ExitCode::from(2)
        }
    }
}

fn carry_out(command: SsTableCommand, real: &RealRuntime, out: &mut dyn Write) -> Result<bool, ToolError> {
    let runtime: Runtime = real.runtime();
    let disk: &Arc<dyn Disk> = runtime.disk();
    let now_s = runtime.clock().wall_s();
    match command {
        SsTableCommand::Dump { file, key, exclude, enumerate, rows, json_lines, raw_times } => {
            let options = DumpOptions {
                keys: key,
                excluded: exclude,
                keys_only: enumerate,
                lines: rows,
                json_lines,
                raw_times,
            };
            dump::dump(disk, &target::one(&file)?, &options, now_s, out)?;
            Ok(true)
        }
        SsTableCommand::Metadata { paths, gc_grace_seconds } => {
            for path in paths {
                for descriptor in target::sstables(disk, &path)? {
                    metadata::metadata(disk, &descriptor, now_s - gc_grace_seconds, out)?;
                }
            }
            Ok(true)
        }
        SsTableCommand::Verify { path, extended, quick, check_version } => {
            let options = VerifyOptions { extended, quick, check_version, owned: None };
            judge::verify_all(disk, &path, &options, out)
        }
        SsTableCommand::Scrub { path, to, skip_corrupted, no_validate, reinsert_overflowed_ttl } => {
            let options = ScrubOptions { skip_corrupted, no_validate, reinsert_overflowed_ttl };
            judge::scrub_all(disk, &path, &to, &options, out)
        }
        SsTableCommand::Export { path, format, to } => {
            let version = Version::ALL.into_iter().find(|version| version.letters() == format);
            let version = version.filter(|version| version.is_writable()).ok_or_else(|| {
                ToolError::Usage(format!("{format} cannot be written; choose da, oa or nb"))
            })?;
            export::export(disk, &path, version, &to, out)?;
            Ok(true)
        }
        SsTableCommand::Import { path, keyspace, table, data_dir, copy } => {
            let how = if copy { How::Copy } else { How::Link };
            real.block_on(move |runtime| async move {
                let out = &mut io::stdout();
                import::import(&runtime, &path, &data_dir, &keyspace, &table, how, out).await
            })?;
            Ok(true)
        }
    }
}
