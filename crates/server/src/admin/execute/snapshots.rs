//! Snapshots, backups, import.

use std::path::PathBuf;
use std::time::Duration;

use model::TableId;
use storage::{ImportOptions, SnapshotOptions};

use super::{Admin, Console, Failure, Outcome};
use crate::admin::command::Parsed;
use crate::admin::table::TextTable;
use crate::admin::units;

/// The shortest time that a snapshot may be kept.
const TTL_MIN: Duration = Duration::from_secs(60);

impl Admin {
    pub(super) async fn snapshot(&self, parsed: &Parsed, console: &Console) -> Outcome {
        let now_ms = self.runtime.clock().wall_us() / 1_000;
        let tag = parsed.value("-t").map_or_else(|| now_ms.to_string(), str::to_owned);
        if tag.contains('/') {
            return Err(Failure::Failed("Snapshot name cannot contain /".to_owned()));
        }
        let list = parsed.value("-kt");
        if list.is_some() && !parsed.arguments.is_empty() {
            return Err(Failure::Failed(
                "When specifying the Keyspace table list (using -kt), keyspaces must not be given".to_owned(),
            ));
        }
        let what = match (list, parsed.arguments.is_empty()) {
            (Some(list), _) => list.to_owned(),
            (None, true) => "all keyspaces".to_owned(),
            (None, false) => parsed.arguments.join(", "),
        };
        let mut options = vec![format!("skipFlush={}", parsed.has("-sf"))];
        options.extend(parsed.value("--ttl").map(|ttl| format!("ttl={ttl}")));
        console
            .line(format!(
                "Requested creating snapshot(s) for [{what}] with snapshot name [{tag}] and options {{{}}}",
                options.join(", ")
            ))
            .await;
        let ttl = parsed.value("--ttl").map(|text| duration(text, TTL_UNITS)).transpose()?;
        if ttl.is_some_and(|ttl| ttl < TTL_MIN) {
            return Err(Failure::usage("ttl for snapshot must be at least 60 seconds"));
        }
        let tables = self.snapshot_tables(parsed)?;
        let options = SnapshotOptions { skip_flush: parsed.has("-sf"), ttl };
        self.engine().snapshot(&tag, &tables, options).await?;
        console.line(format!("Snapshot directory: {tag}")).await;
        Ok(())
    }

    fn snapshot_tables(&self, parsed: &Parsed) -> Result<Vec<TableId>, Failure> {
        let ids = |tables: Vec<std::sync::Arc<model::Table>>| tables.into_iter().map(|table| table.id);
        if let Some(list) = parsed.value("-kt") {
            let mut tables = Vec::new();
            for pair in list.split(',').map(str::trim) {
                let Some((keyspace, name)) = pair.split_once('.') else {
                    return Err(Failure::usage(
                        "You have to supply a keyspace and table as keyspace.table".to_owned(),
                    ));
                };
                tables.extend(ids(self.tables_of(keyspace, &[name.to_owned()])?));
            }
            return Ok(tables);
        }
        if let Some(name) = parsed.value("-cf") {
            let [keyspace] = &parsed.arguments[..] else {
                return Err(Failure::Failed(
                    "When specifying the table for a snapshot, you must specify one and only one keyspace"
                        .to_owned(),
                ));
            };
            return Ok(ids(self.tables_of(keyspace, &[name.to_owned()])?).collect());
        }
        if parsed.arguments.is_empty() {
            return Ok(ids(self.tables(parsed)?).collect());
        }
        let mut tables = Vec::new();
        for keyspace in &parsed.arguments {
            if self.executor.schema().keyspace(keyspace).is_none() {
                return Err(Failure::usage(format!("Keyspace {keyspace} does not exist")));
            }
            tables.extend(ids(self.tables_of(keyspace, &[])?));
        }
        Ok(tables)
    }

    pub(super) async fn list_snapshots(&self, parsed: &Parsed, console: &Console) -> Outcome {
        console.line("Snapshot Details: ").await;
        let engine = self.engine().clone();
        let mut snapshots = self.runtime.blocking(move || engine.list_snapshots()).await?;
        if parsed.has("-nt") {
            snapshots.retain(|one| one.expires_at_ms.is_none());
        }
        if parsed.has("-e") {
            snapshots
                .retain(|one| one.ephemeral || one.expires_at_ms.is_none() || one.expires_at_ms.is_some());
        }
        if snapshots.is_empty() {
            console.line("There are no snapshots").await;
            return Ok(());
        }
        snapshots.sort_by(|a, b| (&a.tag, &a.keyspace, &a.table).cmp(&(&b.tag, &b.keyspace, &b.table)));
        let mut table = TextTable::new(" ");
        let mut header = vec![
            "Snapshot name",
            "Keyspace name",
            "Column family name",
            "True size",
            "Size on disk",
            "Creation time",
            "Expiration time",
        ];
        header.extend(parsed.has("-e").then_some("Ephemeral"));
        table.row(header);
        for one in &snapshots {
            let mut row = vec![
                one.tag.clone(),
                one.keyspace.clone(),
                one.table.clone(),
                units::bytes(one.true_bytes as f64),
                units::bytes(one.bytes_on_disk as f64),
                units::moment(one.created_at_ms),
                units::moment(one.expires_at_ms),
            ];
            row.extend(parsed.has("-e").then(|| one.ephemeral.to_string()));
            table.row(row);
        }
        console.text(table.to_text()).await;
        let total: u64 = snapshots.iter().map(|one| one.true_bytes).sum();
        console.text(format!("\nTotal TrueDiskSpaceUsed: {}\n\n", units::bytes(total as f64))).await;
        Ok(())
    }

    pub(super) async fn clear_snapshots(&self, parsed: &Parsed, console: &Console) -> Outcome {
        let (tag, all) = (parsed.value("-t"), parsed.has("--all"));
        if tag.is_none() && !all {
            return Err(Failure::usage("Specify snapshot name or --all"));
        }
        if tag.is_some() && all {
            return Err(Failure::usage("Specify only one of snapshot name or --all"));
        }
        let now_ms = self.runtime.clock().wall_us() / 1_000;
        let (before_ms, how) = older_than(parsed, now_ms)?;
        let keyspaces = match parsed.arguments.is_empty() {
            true => "all keyspaces".to_owned(),
            false => parsed.arguments.join(", "),
        };
        let which = tag.map_or("[all snapshots]".to_owned(), |tag| format!("snapshot name [{tag}]"));
        console.line(format!("Requested clearing snapshot(s) for [{keyspaces}] with {which}{how}")).await;
        Ok(self.engine().clear_snapshots(tag, &parsed.arguments, before_ms).await?)
    }

    pub(super) async fn import(&self, parsed: &Parsed, console: &Console) -> Outcome {
        let [keyspace, name, dirs @ ..] = &parsed.arguments[..] else {
            return Err(Failure::usage("import requires keyspace, table name and directories"));
        };
        if dirs.is_empty() {
            return Err(Failure::usage("import requires keyspace, table name and directories"));
        }
        let schema = self.executor.schema();
        let Some(table) = schema.keyspace(keyspace).and_then(|found| found.tables.get(name.as_str())) else {
            return Err(Failure::Plain(format!("ColumnFamilyStore for {keyspace}/{name} not found.")));
        };
        let dirs: Vec<PathBuf> = dirs.iter().map(PathBuf::from).collect();
        for dir in &dirs {
            if !dir.is_absolute() {
                return Err(Failure::Failed(format!(
                    "{}: give the whole path, as the node sees it",
                    dir.display()
                )));
            }
            if !self.runtime.disk().exists(dir).unwrap_or(false) {
                return Err(Failure::Failed(format!("Directory {} does not exist", dir.display())));
            }
        }
        let is_quick = parsed.has("-q");
        let options = ImportOptions {
            keep_level: parsed.has("-l"),
            keep_repaired: parsed.has("-r"),
            verify: !parsed.has("-v") && !is_quick,
            verify_tokens: !parsed.has("-t") && !is_quick,
            invalidate_caches: !parsed.has("-c") && !is_quick,
            extended_verify: parsed.has("-e"),
            copy_data: parsed.has("-cd"),
        };
        let failed =
            self.with_progress(console, self.engine().import_sstables(table.id, &dirs, options)).await?;
        if failed.is_empty() {
            return Ok(());
        }
        let mut text = "Some directories failed to import, check server logs for details:".to_owned();
        for one in failed {
            text.push_str(&format!("\n{}: {}", one.dir.display(), one.why));
        }
        Err(Failure::Plain(text))
    }

    pub(super) async fn refresh(&self, parsed: &Parsed, console: &Console) -> Outcome {
        console.line("nodetool refresh is deprecated, use nodetool import instead").await;
        let [keyspace, name] = &parsed.arguments[..] else {
            return Err(Failure::usage("refresh requires ks and cf args"));
        };
        let schema = self.executor.schema();
        let Some(table) = schema.keyspace(keyspace).and_then(|found| found.tables.get(name.as_str())) else {
            return Err(Failure::usage(format!("Unknown keyspace/cf pair ({keyspace}.{name})")));
        };
        self.with_progress(console, self.engine().load_new_sstables(table.id)).await?;
        Ok(())
    }

    pub(super) fn set_backup(&self, enabled: bool) -> Outcome {
        self.engine().set_incremental_backups(enabled);
        Ok(())
    }

    pub(super) async fn backup(&self, console: &Console) -> Outcome {
        console.line(if self.engine().incremental_backups() { "running" } else { "not running" }).await;
        Ok(())
    }
}

/// Before which millisecond snapshots must have been made to go, and how that is told.
fn older_than(parsed: &Parsed, now_ms: i64) -> Result<(Option<i64>, String), Failure> {
    let (age, moment) = (parsed.value("--older-than"), parsed.value("--older-than-timestamp"));
    if age.is_some() && moment.is_some() {
        return Err(Failure::usage("Specify only one of --older-than or --older-than-timestamp"));
    }
    for (given, name) in [(age, "--older-than"), (moment, "--older-than-timestamp")] {
        if given.is_some() && parsed.has("-t") {
            return Err(Failure::usage(format!(
                "Specifying snapshot name together with {name} flag is not allowed"
            )));
        }
    }
    if let Some(text) = age {
        let age = duration(text, AGE_UNITS)?;
        let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        return Ok((Some(now_ms.saturating_sub(age_ms)), format!(" older than {} seconds.", age.as_secs())));
    }
    if let Some(text) = moment {
        let before_ms = storage::snapshot::moment_of_text(text).ok_or_else(|| {
            Failure::usage("Parameter --older-than-timestamp has to be a valid instant in ISO format.")
        })?;
        return Ok((Some(before_ms), format!(" older than timestamp {text}")));
    }
    Ok((None, String::new()))
}

/// Units that a time to live can have, and an age.
const TTL_UNITS: &str = "NANOSECONDS, MICROSECONDS, MILLISECONDS, SECONDS, MINUTES, HOURS, DAYS";
const AGE_UNITS: &str = "SECONDS, MINUTES, HOURS, DAYS";

/// `2h`, `30m`, `1d`, `90s`; other units are answered with those that there are.
fn duration(text: &str, units: &str) -> Result<Duration, Failure> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit_s = match &text[digits..] {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        "ns" | "us" | "µs" | "ms" => {
            return Err(Failure::usage(format!("Invalid duration: {text} Accepted units:[{AGE_UNITS}]")));
        }
        _ => None,
    };
    let number: Option<u64> = text[..digits].parse().ok();
    let duration = number.zip(unit_s).and_then(|(number, unit_s)| number.checked_mul(unit_s));
    duration.map(Duration::from_secs).ok_or_else(|| {
        Failure::usage(format!(
            "Invalid duration: {text} Accepted units:[{units}] where case matters and only non-negative values."
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::{TTL_UNITS, duration};

    #[test]
    fn durations_have_a_unit() {
        let seconds = |text| duration(text, TTL_UNITS).ok().map(|found| found.as_secs());
        assert_eq!(seconds("2h"), Some(7_200));
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("1d"), Some(86_400));
        for bad in ["", "5", "h", "-5m", "5w", "5ms", "5µs", "99999999999999999999s", "9999999999999999999d"]
        {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
