//! The figures of all servers, as one table with ratios and as JSON.

use std::path::Path;

use serde_json::{Value, json};

use crate::Outcome;
use crate::client::text;
use crate::load::Figures;

/// One server's figures, in the order in which they were measured.
pub struct Report {
    pub name: String,
    rows: Vec<Row>,
}

/// One part of the run.
pub struct Row {
    what: String,
    unit: &'static str,
    count: f64,
    seconds: f64,
    cpu_seconds: f64,
    /// p50, p99, p99.9 in microseconds, where requests have one.
    latencies_us: Option<[f64; 3]>,
    memory_mib: f64,
    note: String,
}

impl Row {
    /// Of requests.
    pub fn of(what: &str, unit: &'static str, figures: &Figures) -> Row {
        let quantiles = [0.5, 0.99, 0.999].map(|share| figures.latencies.quantile_us(share));
        let cpu = figures.cpu_seconds.unwrap_or_default();
        let row = Row::plain(what, unit, figures.operations as f64, figures.seconds, cpu);
        Row { latencies_us: Some(quantiles), ..row }
    }

    /// Of something that is counted as a whole.
    pub fn plain(what: &str, unit: &'static str, count: f64, seconds: f64, cpu_seconds: f64) -> Row {
        let (what, note) = (what.trim().to_owned(), String::new());
        Row { what, unit, count, seconds, cpu_seconds, latencies_us: None, memory_mib: 0.0, note }
    }

    /// What else there is to say.
    pub fn note(self, note: String) -> Row {
        Row { note, ..self }
    }

    /// The most memory that the server had meanwhile.
    pub fn memory(self, memory_mib: f64) -> Row {
        Row { memory_mib, ..self }
    }

    fn per_cpu_second(&self) -> f64 {
        self.count / self.cpu_seconds.max(0.01)
    }

    fn cpu_us(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.count.max(1.0)
    }

    /// Over the lines.
    pub fn heading() -> String {
        format!(
            "{:<10}{:<34}{:>12}{:>13}{:>10}{:>8}{:>10}{:>10}{:>10}{:>9}  note",
            "server",
            "part",
            "per second",
            "per CPU-s",
            "CPU-us",
            "CPU",
            "p50 us",
            "p99 us",
            "p99.9 us",
            "RSS MiB"
        )
    }

    fn line(&self) -> String {
        let [p50, p99, p999] = match self.latencies_us {
            Some(latencies) => latencies.map(|figure| format!("{figure:.0}")),
            None => ["-", "-", "-"].map(str::to_owned),
        };
        let (rate, per_cpu) = (self.count / self.seconds.max(0.001), self.per_cpu_second());
        let (each, share) = (self.cpu_us(), self.cpu_seconds * 100.0 / self.seconds.max(0.001));
        format!(
            "{:<34}{rate:>12.0}{per_cpu:>13.0}{each:>10.2}{share:>7.0}%{p50:>10}{p99:>10}{p999:>10}{:>9.0}  {}",
            self.what, self.memory_mib, self.note
        )
    }

    fn json(&self) -> Value {
        json!({
            "part": self.what, "unit": self.unit, "count": self.count, "seconds": self.seconds,
            "server_cpu_seconds": self.cpu_seconds, "per_cpu_second": self.per_cpu_second(),
            "cpu_us_each": self.cpu_us(), "p50_us": self.latencies_us.map(|figures| figures[0]),
            "p99_us": self.latencies_us.map(|figures| figures[1]),
            "p99_9_us": self.latencies_us.map(|figures| figures[2]),
            "rss_mib_most": self.memory_mib, "note": self.note,
        })
    }
}

impl Report {
    pub fn new(name: &str) -> Report {
        Report { name: name.to_owned(), rows: Vec::new() }
    }

    /// Keeps a figure, and prints it.
    pub fn add(&mut self, row: Row) {
        println!("{:<10}{}", self.name, row.line());
        self.rows.push(row);
    }

    /// All rounds of a part.
    fn rounds(&self, what: &str) -> Vec<&Row> {
        self.rows.iter().filter(|row| row.what == what).collect()
    }

    /// The most memory of all parts.
    pub fn memory_mib_most(&self) -> f64 {
        self.rows.iter().map(|row| row.memory_mib).fold(0.0, f64::max)
    }
}

/// One line for each part: each server's median, and the median of how many times the first one's it is.
pub fn print_table(reports: &[Report]) {
    let Some(first) = reports.first() else { return };
    println!("\nmedians per CPU-second of the server; behind it p99.9 in us, where there is one");
    let mut parts: Vec<&str> = Vec::new();
    for row in &first.rows {
        if !parts.contains(&row.what.as_str()) {
            parts.push(&row.what);
        }
    }
    for what in parts {
        let mut line = format!("{what:<34}");
        let measure = first.rounds(what);
        for report in reports {
            let rounds = report.rounds(what);
            if rounds.is_empty() {
                continue;
            }
            let latencies: Vec<f64> =
                rounds.iter().filter_map(|row| row.latencies_us.map(|all| all[2])).collect();
            let latency = median(latencies).map_or(String::new(), |latency| format!(" ({latency:.0})"));
            let ratios =
                rounds.iter().zip(&measure).map(|(row, first)| row.per_cpu_second() / first.per_cpu_second());
            let (figure, ratio) = (median(rounds.iter().map(|row| row.per_cpu_second())), median(ratios));
            let (figure, ratio) = (figure.unwrap_or_default(), ratio.unwrap_or_default());
            line += &format!("  {} {figure:.0}{latency}, {ratio:.3} times", report.name);
        }
        println!("{line}");
    }
}

fn median(figures: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

/// All figures for a program.
pub fn write_json(path: &Path, reports: &[Report]) -> Outcome<()> {
    let all: Vec<Value> = reports
        .iter()
        .map(|report| {
            let parts: Vec<Value> = report.rows.iter().map(Row::json).collect();
            json!({ "server": report.name, "rss_mib_most": report.memory_mib_most(), "parts": parts })
        })
        .collect();
    let words = serde_json::to_string_pretty(&all).map_err(text)?;
    std::fs::write(path, words).map_err(|error| format!("{}: {error}", path.display()))
}
