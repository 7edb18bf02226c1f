//! Operations on the data of tables: flush, compact and their kin. All return when they are done.

use std::sync::Arc;
use std::time::Duration;

use model::{Table, TableId};
use storage::{CacheKind, CompactScope, FlushTarget, ScrubOptions, TombstoneOption, VerifyOptions};

use super::{Admin, Console, Failure, Outcome};
use crate::admin::command::Parsed;

/// How long requests in flight may take when the node is drained.
const DRAIN_GRACE: Duration = Duration::from_secs(10);

fn ids(tables: &[Arc<Table>]) -> Vec<TableId> {
    tables.iter().map(|table| table.id).collect()
}

impl Admin {
    pub(super) async fn flush(&self, parsed: &Parsed) -> Outcome {
        let target = match parsed.arguments.is_empty() {
            true => FlushTarget::All,
            false => FlushTarget::Tables(ids(&self.tables(parsed)?)),
        };
        Ok(self.engine().flush(target).await?)
    }

    /// Clients are let go, memtables are flushed, the log is synced; the node goes on until it is stopped.
    pub(super) async fn drain(&self) -> Outcome {
        self.native.close_for_good(&self.runtime, DRAIN_GRACE).await;
        self.engine().flush(FlushTarget::All).await?;
        self.engine().drain().await.map_err(|error| Failure::Failed(error.to_string()))
    }

    pub(super) async fn compact(&self, parsed: &Parsed, console: &Console) -> Outcome {
        let bounds = (parsed.value("-st"), parsed.value("-et"));
        let has_range = bounds.0.is_some() || bounds.1.is_some();
        let choices = [parsed.has("-s"), parsed.has("--user-defined"), has_range, parsed.has("--partition")];
        if choices.iter().filter(|chosen| **chosen).count() > 1 {
            return Err(Failure::Failed(
                "--split-output, --user-defined, -st and -et, and --partition exclude each other".to_owned(),
            ));
        }
        if parsed.has("--user-defined") {
            return self.compact_files(parsed, console).await;
        }
        let tables = self.users_tables(parsed)?;
        if let Some(key) = parsed.value("--partition") {
            for table in &tables {
                let scope = CompactScope::Partition(self.partition_key(table, key)?);
                self.with_progress(console, self.engine().compact(&[table.id], scope)).await?;
            }
            return Ok(());
        }
        let scope = if has_range {
            let token = |text: Option<&str>, end: i64| match text {
                None => Ok(end),
                Some(text) => text
                    .parse::<i64>()
                    .map_err(|_| Failure::Failed(format!("{text} is no token of Murmur3Partitioner"))),
            };
            // Inclusive as typed, exclusive in the engine.
            let start = token(bounds.0, i64::MIN)?.saturating_sub(1);
            CompactScope::TokenRange { start, end: token(bounds.1, i64::MAX)? }
        } else if parsed.has("-s") {
            CompactScope::SplitOutput
        } else {
            CompactScope::All
        };
        Ok(self.with_progress(console, self.engine().compact(&ids(&tables), scope)).await?)
    }

    /// `--user-defined`: Data.db files by name or path.
    async fn compact_files(&self, parsed: &Parsed, console: &Console) -> Outcome {
        if parsed.arguments.is_empty() {
            return Err(Failure::usage("--user-defined requires the names of SSTable files"));
        }
        let mut found = 0;
        for table in self.executor.schema().tables().filter(|table| !table.is_virtual) {
            let descriptors: Vec<_> = self
                .engine()
                .sstables(table.id)
                .into_iter()
                .filter(|descriptor| {
                    let path = descriptor.path(storage::Component::Data);
                    parsed.arguments.iter().any(|typed| {
                        let typed = std::path::Path::new(typed);
                        path == typed || (typed.components().count() == 1 && path.ends_with(typed))
                    })
                })
                .collect();
            if descriptors.is_empty() {
                continue;
            }
            found += descriptors.len();
            let scope = CompactScope::SsTables(descriptors);
            self.with_progress(console, self.engine().compact(&[table.id], scope)).await?;
        }
        match found {
            0 => Err(Failure::Failed("none of these files is an SSTable that is in use".to_owned())),
            _ => Ok(()),
        }
    }

    pub(super) async fn garbage_collect(&self, parsed: &Parsed, console: &Console) -> Outcome {
        let granularity = match parsed.value("-g").unwrap_or("ROW") {
            "ROW" => TombstoneOption::Row,
            "CELL" => TombstoneOption::Cell,
            other => {
                return Err(Failure::usage(format!("{other}: granularity is ROW or CELL")));
            }
        };
        let tables = ids(&self.users_tables(parsed)?);
        Ok(self.with_progress(console, self.engine().garbage_collect(&tables, granularity)).await?)
    }

    pub(super) async fn cleanup(&self, parsed: &Parsed, console: &Console) -> Outcome {
        let tables = ids(&self.users_tables(parsed)?);
        // One node owns all there is.
        let all = vec![model::TokenRange { start: model::Token::MIN, end: model::Token::MAX }];
        Ok(self.with_progress(console, self.engine().cleanup(&tables, all)).await?)
    }

    pub(super) async fn scrub(&self, parsed: &Parsed, console: &Console) -> Outcome {
        let tables = ids(&self.users_tables(parsed)?);
        if !parsed.has("-ns") {
            let now_ms = self.runtime.clock().wall_us() / 1_000;
            let tag = format!("pre-scrub-{now_ms}");
            self.engine().snapshot(&tag, &tables, Default::default()).await?;
        }
        let options = ScrubOptions {
            skip_corrupted: parsed.has("-s"),
            no_validate: parsed.has("-n"),
            reinsert_overflowed_ttl: parsed.has("-r"),
        };
        let report = self.with_progress(console, self.engine().scrub(&tables, options)).await?;
        if report.bad_partitions > 0 {
            console
                .line(format!(
                    "{} of {} partitions could not be kept whole; see the log",
                    report.bad_partitions,
                    report.bad_partitions + report.good_partitions
                ))
                .await;
        }
        Ok(())
    }

    pub(super) async fn verify(&self, parsed: &Parsed, console: &Console) -> Outcome {
        // Cassandra asks for --force, because its verifier may mark data as unrepaired. Ours changes nothing.
        let tables = ids(&self.users_tables(parsed)?);
        let options = VerifyOptions {
            extended: parsed.has("-e"),
            check_version: parsed.has("-c"),
            owned: None,
            quick: parsed.has("-q"),
        };
        let findings = self.with_progress(console, self.engine().verify(&tables, options)).await?;
        if findings.is_empty() {
            return Ok(());
        }
        for finding in &findings {
            console
                .line(format!(
                    "{}: {} at byte {}: {}",
                    finding.descriptor, finding.component, finding.offset, finding.found
                ))
                .await;
        }
        Err(Failure::Failed(format!("{} problems were found", findings.len())))
    }

    pub(super) async fn upgrade(&self, parsed: &Parsed, console: &Console) -> Outcome {
        let tables = ids(&self.users_tables(parsed)?);
        Ok(self.with_progress(console, self.engine().upgrade_sstables(&tables, parsed.has("-a"))).await?)
    }

    pub(super) fn invalidate(&self, command: &str) -> Outcome {
        let kind = match command {
            "invalidatekeycache" => CacheKind::Key,
            "invalidaterowcache" => CacheKind::Row,
            _ => CacheKind::Counter,
        };
        self.engine().invalidate_cache(kind);
        Ok(())
    }
}
