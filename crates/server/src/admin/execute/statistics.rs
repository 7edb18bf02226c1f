//! Numbers of tables: gathered here, written by [`tablestats`](crate::admin::tablestats).

use std::sync::Arc;

use model::Table;
use storage::{HistogramSnapshot, TableDetails};

use super::{Admin, Console, Failure, Outcome};
use crate::admin::command::Parsed;
use crate::admin::tablestats::{self, SORT_KEYS, TableNumbers};

impl Admin {
    async fn numbers(&self, table: &Arc<Table>) -> Result<Option<TableDetails>, Failure> {
        let (engine, id) = (self.engine().clone(), table.id);
        Ok(self.runtime.blocking(move || engine.table_details(id)).await?)
    }

    /// Those named, or with `-i` all but those named.
    fn tables_for_stats(&self, parsed: &Parsed) -> Result<Vec<Arc<Table>>, Failure> {
        let schema = self.executor.schema();
        let mut named: Vec<Arc<Table>> = Vec::new();
        for argument in &parsed.arguments {
            let (keyspace, name) = match argument.split_once('.') {
                Some((keyspace, name)) => (keyspace, Some(name)),
                None => (argument.as_str(), None),
            };
            let Some(found) = schema.keyspace(keyspace) else {
                return Err(Failure::usage(format!("Unknown keyspace: {keyspace}")));
            };
            match name {
                None => named.extend(found.tables.values().cloned()),
                Some(name) => named.push(found.tables.get(name).cloned().ok_or_else(|| {
                    Failure::usage(format!("Unknown tables: [{name}] in keyspace: {keyspace}"))
                })?),
            }
        }
        let stored = schema.tables().filter(|table| !table.is_virtual).cloned();
        if parsed.arguments.is_empty() {
            return Ok(stored.collect());
        }
        if parsed.has("-i") {
            let is_left_out = |table: &Arc<Table>| named.iter().any(|one| one.id == table.id);
            return Ok(stored.filter(|table| !is_left_out(table)).collect());
        }
        Ok(named)
    }

    pub(super) async fn table_stats(&self, parsed: &Parsed, console: &Console) -> Outcome {
        let format = parsed.value("-F").unwrap_or_default();
        if !matches!(format, "" | "json" | "yaml") {
            return Err(Failure::usage("arguments for -F are json,yaml only."));
        }
        let sort_key = parsed.value("-s");
        if sort_key.is_some_and(|key| !SORT_KEYS.contains(&key)) {
            return Err(Failure::usage(format!(
                "argument for sort must be one of: {}",
                SORT_KEYS.join(", ")
            )));
        }
        let top = match parsed.value("-t") {
            None => None,
            Some(_) if sort_key.is_none() => {
                return Err(Failure::usage("cannot filter top K tables without specifying a sort key."));
            }
            Some(text) => Some(
                text.parse::<usize>()
                    .ok()
                    .filter(|top| *top > 0)
                    .ok_or_else(|| Failure::usage("argument for top must be a positive integer."))?,
            ),
        };
        let mut tables = Vec::new();
        for table in self.tables_for_stats(parsed)? {
            let class = table.options.compaction.get("class").map_or("", String::as_str);
            if let Some(details) = self.numbers(&table).await? {
                tables.push(TableNumbers {
                    keyspace: table.keyspace.to_string(),
                    name: table.name.to_string(),
                    details,
                    is_leveled: class.ends_with("LeveledCompactionStrategy"),
                });
            }
        }
        let total = tables.len();
        if let Some(key) = sort_key {
            tablestats::sort(&mut tables, key);
            tables.truncate(top.unwrap_or(total));
        }
        let is_human = parsed.has("-H");
        let text = match format {
            "json" => tablestats::json(&tables, is_human, total),
            "yaml" => tablestats::yaml(&tables, is_human, total),
            _ => tablestats::text(&tables, is_human, sort_key.map(|key| (key, total))),
        };
        console.text(text).await;
        Ok(())
    }

    pub(super) async fn table_histograms(&self, parsed: &Parsed, console: &Console) -> Outcome {
        let schema = self.executor.schema();
        let mut tables = Vec::new();
        match &parsed.arguments[..] {
            [] => tables.extend(schema.tables().filter(|table| !table.is_virtual).cloned()),
            [keyspace, name] => tables.push(self.table_for_histograms(keyspace, name)?),
            [one] => match one.split_once('.') {
                Some((keyspace, name)) => tables.push(self.table_for_histograms(keyspace, name)?),
                None => {
                    return Err(Failure::usage("tablehistograms requires keyspace and table name arguments"));
                }
            },
            _ => {
                return Err(Failure::usage("tablehistograms requires keyspace and table name arguments"));
            }
        }
        for table in tables {
            if let Some(details) = self.numbers(&table).await? {
                console.text(histograms(&table.keyspace, &table.name, &details)).await;
            }
        }
        Ok(())
    }

    fn table_for_histograms(&self, keyspace: &str, name: &str) -> Result<Arc<Table>, Failure> {
        let schema = self.executor.schema();
        let table = schema.keyspace(keyspace).and_then(|found| found.tables.get(name)).cloned();
        table.ok_or_else(|| Failure::usage(format!("Unknown table {keyspace}.{name}")))
    }
}

/// The answer of `tablehistograms` for one table.
fn histograms(keyspace: &str, name: &str, details: &TableDetails) -> String {
    let row = |title: &str, cells: [String; 5]| {
        let cells: String = cells.iter().map(|cell| format!("{cell:>18}")).collect();
        format!("{title:<10}{cells}\n")
    };
    let columns = [
        &details.read_latency_us,
        &details.write_latency_us,
        &details.sstables_per_read,
        &details.partition_bytes,
        &details.partition_cells,
    ];
    let line = |title: &str, value: &dyn Fn(&HistogramSnapshot) -> u64| {
        let cell = |index: usize| match (index, columns[index].count()) {
            // Without an SSTable there is nothing to say of partitions.
            (3.., 0) => "NaN".to_owned(),
            (3.., _) => value(columns[index]).to_string(),
            _ => format!("{:.2}", value(columns[index]) as f64),
        };
        row(title, [0, 1, 2, 3, 4].map(cell))
    };
    let mut text = format!("{keyspace}/{name} histograms\n");
    let titles = ["Read Latency", "Write Latency", "SSTables", "Partition Size", "Cell Count"];
    text.push_str(&row("Percentile", titles.map(str::to_owned)));
    text.push_str(&row("", ["(micros)", "(micros)", "", "(bytes)", ""].map(str::to_owned)));
    for (title, share) in [("50%", 0.5), ("75%", 0.75), ("95%", 0.95), ("98%", 0.98), ("99%", 0.99)] {
        text.push_str(&line(title, &|histogram| histogram.percentile(share)));
    }
    text.push_str(&line("Min", &|histogram| histogram.min()));
    text.push_str(&line("Max", &|histogram| histogram.max()));
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::histograms;

    #[test]
    fn the_shape_is_cassandras() {
        let theirs = include_str!("../../../testdata/nodetool/tablehistograms.txt");
        let details = storage::TableDetails {
            partition_bytes: storage::HistogramSnapshot::of_buckets(vec![(215, 0), (258, 10)]),
            partition_cells: storage::HistogramSnapshot::of_buckets(vec![(8, 0), (10, 10)]),
            ..storage::TableDetails::default()
        };
        let ours = histograms("adm", "t1", &details);
        let shape = |text: &str| -> Vec<(String, usize)> {
            let title = |line: &str| line.get(..10).unwrap_or(line).to_owned();
            text.lines().map(|line| (title(line), line.len())).collect()
        };
        assert_eq!(shape(&ours), shape(theirs));
        assert_eq!(ours.lines().nth(1), theirs.lines().nth(1));
        assert_eq!(ours.lines().nth(2), theirs.lines().nth(2));
        assert!(ours.contains("Min                     0.00              0.00              0.00               216                 9"));
    }
}
