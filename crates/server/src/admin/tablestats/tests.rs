//! The shape of the answers, beside those of Cassandra 5.0.9 for a table of the same kind (`testdata/nodetool`).

use serde_json::Value;

use super::{TableNumbers, json, sort, text, yaml};

const TEXT: &str = include_str!("../../../testdata/nodetool/tablestats.txt");
const SORTED: &str = include_str!("../../../testdata/nodetool/tablestats_sorted.txt");
const JSON: &str = include_str!("../../../testdata/nodetool/tablestats.json");
const YAML: &str = include_str!("../../../testdata/nodetool/tablestats.yaml");

fn table(name: &str) -> TableNumbers {
    let mut details = storage::TableDetails::default();
    details.stats.sstables_count = name.len();
    TableNumbers { keyspace: "adm".to_owned(), name: name.to_owned(), details, is_leveled: false }
}

/// Lines up to their values.
fn labels(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split_once(": ").map_or(line, |(label, _)| label)).collect()
}

#[test]
fn labels_are_cassandras_in_its_order() {
    assert_eq!(labels(&text(&[table("t1")], false, None)), labels(TEXT));
    let two = [table("t1"), table("cnt")];
    assert_eq!(labels(&text(&two, false, Some(("space_used_live", 3)))), labels(SORTED));
    let leveled = TableNumbers { is_leveled: true, ..table("t1") };
    assert!(text(&[leveled], false, None).contains("\t\tSSTables in each level: ["));
}

#[test]
fn json_and_yaml_have_cassandras_names_in_its_order() {
    fn keys(value: &Value) -> Vec<String> {
        match value {
            Value::Object(object) => {
                object.iter().flat_map(|(key, value)| [key.clone()].into_iter().chain(keys(value))).collect()
            }
            _ => Vec::new(),
        }
    }
    let ours: Value = serde_json::from_str(&json(&[table("t1")], false, 1)).unwrap();
    assert_eq!(keys(&ours), keys(&serde_json::from_str(JSON).unwrap()));
    let yaml = yaml(&[table("t1")], false, 1);
    let names = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(names(&yaml), names(YAML));
}

#[test]
fn tables_are_sorted_by_numbers_down_and_by_names_up() {
    let mut tables = [table("a"), table("ccc"), table("bb")];
    let order = |tables: &[TableNumbers]| tables.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
    sort(&mut tables, "sstable_count");
    assert_eq!(order(&tables), ["ccc", "bb", "a"]);
    sort(&mut tables, "table_name");
    assert_eq!(order(&tables), ["a", "bb", "ccc"]);
    sort(&mut tables, "local_read_latency_ms");
    assert_eq!(order(&tables), ["a", "bb", "ccc"], "without a number they stand by name");
}
