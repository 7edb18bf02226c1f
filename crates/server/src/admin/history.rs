//! `nodetool compactionhistory`: past compactions as text, JSON and YAML.
//!
//! Order of fields and spaces are Cassandra 5.0.9's.

use query::system::history::PastCompaction;
use serde_json::{Value, json};

use super::table::TextTable;
use super::units::local_moment;

/// As Java prints a map: `{1:4, 2:1}`.
fn map<K: std::fmt::Display, V: std::fmt::Display>(entries: &[(K, V)]) -> String {
    let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    format!("{{{}}}", entries.join(", "))
}

/// For people.
pub fn text(past: &[PastCompaction]) -> String {
    if past.is_empty() {
        return "Compaction History: \nThere is no compaction history".to_owned();
    }
    let mut table = TextTable::new(" ");
    table.row([
        "id",
        "keyspace_name",
        "columnfamily_name",
        "compacted_at",
        "bytes_in",
        "bytes_out",
        "rows_merged",
        "compaction_properties",
    ]);
    for one in past {
        table.row([
            one.id.to_string(),
            one.keyspace.clone(),
            one.table.clone(),
            local_moment(one.compacted_at_ms),
            one.bytes_in.to_string(),
            one.bytes_out.to_string(),
            map(&one.rows_merged),
            map(&one.properties),
        ]);
    }
    format!("Compaction History: \n{}", table.to_text())
}

/// In the order of Cassandra's hash map.
fn fields(one: &PastCompaction) -> [(&'static str, Value); 8] {
    [
        ("keyspace_name", json!(one.keyspace)),
        ("bytes_out", json!(one.bytes_out)),
        ("bytes_in", json!(one.bytes_in)),
        ("compaction_properties", json!(map(&one.properties))),
        ("columnfamily_name", json!(one.table)),
        ("rows_merged", json!(map(&one.rows_merged))),
        ("id", json!(one.id.to_string())),
        ("compacted_at", json!(local_moment(one.compacted_at_ms))),
    ]
}

/// `-F json`
pub fn json(past: &[PastCompaction]) -> String {
    let one = |one: &PastCompaction| {
        let lines: Vec<String> =
            fields(one).iter().map(|(name, value)| format!("    \"{name}\" : {value}")).collect();
        format!("{{\n{}\n  }}", lines.join(",\n"))
    };
    let all: Vec<String> = past.iter().map(one).collect();
    format!("{{\n  \"CompactionHistory\" : [ {} ]\n}}\n", all.join(", "))
}

/// `-F yaml`
pub fn yaml(past: &[PastCompaction]) -> String {
    let mut text = "CompactionHistory:\n".to_owned();
    for one in past {
        for (index, (name, value)) in fields(one).iter().enumerate() {
            let value = match value {
                Value::String(text) if text.contains([':', '{']) => format!("'{text}'"),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            text.push_str(&format!("{} {name}: {value}\n", if index == 0 { "-" } else { " " }));
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past() -> Vec<PastCompaction> {
        vec![PastCompaction {
            id: "e08a46d0-e6df-11f1-940a-9f5d7ce5b0c8".parse().unwrap(),
            keyspace: "ks".to_owned(),
            table: "t".to_owned(),
            compacted_at_ms: 1_795_398_464_585,
            bytes_in: 162,
            bytes_out: 126,
            rows_merged: vec![(1, 4), (2, 1)],
            properties: vec![("compaction_type".to_owned(), "Major compaction".to_owned())],
        }]
    }

    #[test]
    fn all_forms_are_cassandras() {
        assert_eq!(
            text(&past()),
            "Compaction History: \n\
             id                                   keyspace_name columnfamily_name compacted_at            bytes_in bytes_out rows_merged compaction_properties             \n\
             e08a46d0-e6df-11f1-940a-9f5d7ce5b0c8 ks            t                 2026-11-23T01:47:44.585 162      126       {1:4, 2:1}  {compaction_type:Major compaction}\n"
        );
        assert_eq!(
            json(&past()),
            r#"{
  "CompactionHistory" : [ {
    "keyspace_name" : "ks",
    "bytes_out" : 126,
    "bytes_in" : 162,
    "compaction_properties" : "{compaction_type:Major compaction}",
    "columnfamily_name" : "t",
    "rows_merged" : "{1:4, 2:1}",
    "id" : "e08a46d0-e6df-11f1-940a-9f5d7ce5b0c8",
    "compacted_at" : "2026-11-23T01:47:44.585"
  } ]
}
"#
        );
        assert_eq!(
            yaml(&past()),
            "CompactionHistory:
- keyspace_name: ks
  bytes_out: 126
  bytes_in: 162
  compaction_properties: '{compaction_type:Major compaction}'
  columnfamily_name: t
  rows_merged: '{1:4, 2:1}'
  id: e08a46d0-e6df-11f1-940a-9f5d7ce5b0c8
  compacted_at: '2026-11-23T01:47:44.585'

"
        );
    }
}
