//! The state of compaction, and its switches.

use storage::OperationKind;
use uuid::Uuid;

use super::{Admin, Console, Failure, Outcome};
use crate::admin::command::Parsed;
use crate::admin::history;
use crate::admin::table::TextTable;
use crate::admin::units;

impl Admin {
    pub(super) async fn compaction_stats(&self, parsed: &Parsed, console: &Console) -> Outcome {
        let stats = self.engine().compaction_stats();
        let size = |bytes: u64| match parsed.has("-H") {
            true => units::bytes(bytes as f64),
            false => bytes.to_string(),
        };
        let uptime_s = self.uptime().as_secs_f64().max(1.0);
        let throughput = self.engine().compaction_throughput();
        let mut table = TextTable::new(" ");
        table.row(["concurrent compactors".to_owned(), self.engine().concurrent_compactors().to_string()]);
        let pending: usize = stats.pending.iter().map(|(_, _, count)| count).sum();
        table.row(["pending tasks".to_owned(), pending.to_string()]);
        for (keyspace, name, count) in &stats.pending {
            table.row([keyspace.clone(), name.clone(), count.to_string()]);
        }
        table.row(["compactions completed".to_owned(), stats.completed_tasks.to_string()]);
        table.row(["data compacted".to_owned(), size(stats.bytes_compacted)]);
        table.row(["compressed data compacted".to_owned(), size(stats.file_bytes_compacted)]);
        table.row(["compactions aborted".to_owned(), stats.aborted.to_string()]);
        table.row(["compactions reduced".to_owned(), stats.reduced.to_string()]);
        table.row(["sstables dropped from compaction".to_owned(), stats.dropped_sstables.to_string()]);
        let per_hour = stats.completed_tasks as f64 * 3_600.0 / uptime_s;
        let per_minute = stats.rate_15_minutes * 60.0;
        table.row(["15 minute rate".to_owned(), format!("{per_minute:.2}/minute")]);
        table.row(["mean rate".to_owned(), format!("{per_hour:.2}/hour")]);
        table.row([
            "compaction throughput (MiB/s)".to_owned(),
            match throughput {
                0 => "throttling disabled (0)".to_owned(),
                mib => format!("{mib}.0"),
            },
        ]);
        console.text(table.to_text()).await;
        if stats.running.is_empty() {
            return Ok(());
        }
        let mut table = TextTable::new(" ");
        table.row(["id", "compaction type", "keyspace", "table", "completed", "total", "unit", "progress"]);
        let mut left_bytes = 0;
        for running in &stats.running {
            left_bytes += running.total_bytes.saturating_sub(running.completed_bytes);
            let share = running.completed_bytes as f64 * 100.0 / running.total_bytes.max(1) as f64;
            table.row([
                running.id.to_string(),
                running.kind.to_string(),
                running.keyspace.clone(),
                running.table.clone(),
                size(running.completed_bytes),
                size(running.total_bytes),
                "bytes".to_owned(),
                format!("{share:.2}%"),
            ]);
        }
        console.text(table.to_text()).await;
        let remaining = match throughput {
            0 => "n/a".to_owned(),
            mib => {
                let seconds = left_bytes / (mib << 20);
                format!("{}h{:02}m{:02}s", seconds / 3_600, seconds / 60 % 60, seconds % 60)
            }
        };
        console.line(format!("Active compaction remaining time : {remaining:>10}")).await;
        Ok(())
    }

    pub(super) async fn compaction_history(&self, parsed: &Parsed, console: &Console) -> Outcome {
        let format = parsed.value("-F").unwrap_or_default();
        if !matches!(format, "" | "json" | "yaml") {
            return Err(Failure::usage("arguments for -F are json,yaml only."));
        }
        let executor = self.executor.clone();
        let past = self.runtime.blocking(move || executor.compaction_history()).await;
        let past = past.map_err(|error| Failure::Failed(error.to_string()))?;
        console
            .text(match format {
                "json" => history::json(&past),
                "yaml" => history::yaml(&past),
                _ => history::text(&past),
            })
            .await;
        Ok(())
    }

    pub(super) fn stop(&self, parsed: &Parsed) -> Outcome {
        let id = match parsed.value("-id") {
            None => None,
            Some(text) => Some(
                Uuid::parse_str(text)
                    .map_err(|_| Failure::usage(format!("{text} is no id of a compaction")))?,
            ),
        };
        let kind = match parsed.argument(0) {
            None => None,
            Some(name) => Some(
                OperationKind::ALL.into_iter().find(|kind| kind.constant() == name).ok_or_else(|| {
                    Failure::usage(format!("compaction_type: can not convert \"{name}\" to a OperationType"))
                })?,
            ),
        };
        self.engine().stop_compactions(kind, id);
        Ok(())
    }

    pub(super) fn set_auto_compaction(&self, parsed: &Parsed, enabled: bool) -> Outcome {
        let tables: Vec<_> = self.tables(parsed)?.iter().map(|table| table.id).collect();
        self.engine().set_auto_compaction(&tables, enabled);
        Ok(())
    }

    pub(super) async fn auto_compaction(&self, parsed: &Parsed, console: &Console) -> Outcome {
        let tables = self.tables(parsed)?;
        let word = |runs| if runs { "running" } else { "not running" };
        if parsed.has("-a") {
            let mut shown = TextTable::new(" ");
            shown.row(["Keyspace", "Table", "Status"]);
            for table in &tables {
                let runs = self.engine().auto_compaction(table.id);
                shown.row([&*table.keyspace, &*table.name, word(runs)]);
            }
            console.text(shown.to_text()).await;
            return Ok(());
        }
        let count = tables.iter().filter(|table| self.engine().auto_compaction(table.id)).count();
        let all = match count {
            0 => word(false),
            count if count == tables.len() => word(true),
            _ => "partially running",
        };
        console.line(all).await;
        Ok(())
    }

    pub(super) async fn compaction_throughput(&self, console: &Console) -> Outcome {
        let throughput = self.engine().compaction_throughput();
        console.line(format!("Current compaction throughput: {throughput} MB/s")).await;
        Ok(())
    }

    pub(super) fn set_compaction_throughput(&self, parsed: &Parsed) -> Outcome {
        let Some(text) = parsed.argument(0) else {
            return Err(Failure::usage("Required parameters are missing: value_in_mib"));
        };
        let mib = text.parse::<u32>().map_err(|_| {
            Failure::usage(format!("value_in_mib: can not convert \"{text}\" to a number of MiB/s"))
        })?;
        self.engine().set_compaction_throughput(u64::from(mib));
        Ok(())
    }

    pub(super) async fn concurrent_compactors(&self, console: &Console) -> Outcome {
        console.line("Current concurrent compactors in the system is: ").await;
        console.line(self.engine().concurrent_compactors()).await;
        Ok(())
    }

    pub(super) fn set_concurrent_compactors(&self, parsed: &Parsed) -> Outcome {
        let Some(text) = parsed.argument(0) else {
            return Err(Failure::usage("Required parameters are missing: concurrent_compactors"));
        };
        let count: i32 = text.parse().map_err(|_| {
            Failure::usage(format!("concurrent_compactors: can not convert \"{text}\" to a Integer"))
        })?;
        let count = usize::try_from(count).ok().filter(|count| *count > 0);
        let count = count.ok_or_else(|| Failure::usage("concurrent_compactors should be great than 0."))?;
        self.engine().set_concurrent_compactors(count);
        Ok(())
    }

    pub(super) async fn compaction_threshold(&self, parsed: &Parsed, console: &Console) -> Outcome {
        let [keyspace, name] = &parsed.arguments[..] else {
            return Err(Failure::usage("getcompactionthreshold requires ks and cf args"));
        };
        let table = self.tables_of(keyspace, std::slice::from_ref(name))?.remove(0);
        let option = |name: &str, default: &str| {
            table.options.compaction.get(name).map_or(default.to_owned(), String::clone)
        };
        console.line(format!("Current compaction thresholds for {keyspace}/{name}: ")).await;
        console
            .line(format!(
                " min = {},  max = {}",
                option("min_threshold", "4"),
                option("max_threshold", "32")
            ))
            .await;
        Ok(())
    }
}
