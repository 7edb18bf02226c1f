//! The words of Cassandra's own tool, kept beside its files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use runtime::Disk;
use runtime::real::RealDisk;
use serde_json::Value;

use super::*;

fn disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sstable/testdata/cassandra-5.0")
}

fn dumped(descriptor: &Descriptor, options: &DumpOptions) -> String {
    let mut out = Vec::new();
    dump(&disk(), descriptor, options, 0, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// What the tool prints of positions and of the present is not kept in the fixtures.
fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for name in ["position", "expired", "table kind"] {
                fields.shift_remove(name);
            }
            fields.values_mut().for_each(strip);
        }
        Value::Array(values) => values.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Equal value by value. Java 17 prints some floats with a digit more than are needed.
#[track_caller]
fn compare(place: &str, ours: &Value, expected: &Value) {
    match (ours, expected) {
        (Value::Array(ours), Value::Array(expected)) if ours.len() == expected.len() => {
            for (i, (ours, expected)) in ours.iter().zip(expected).enumerate() {
                compare(&format!("{place}[{i}]"), ours, expected);
            }
        }
        (Value::Object(ours), Value::Object(expected)) if ours.len() == expected.len() => {
            for (name, ours) in ours {
                compare(&format!("{place}.{name}"), ours, expected.get(name).unwrap_or(&Value::Null));
            }
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64().is_some() => {
            let same = a == b || a.as_f64().map(|a| a as f32) == b.as_f64().map(|b| b as f32);
            assert!(same, "{place}: {a} {b}");
        }
        _ => assert_eq!(ours, expected, "{place}"),
    }
}

#[test]
fn every_partition_is_printed_as_cassandra_prints_it() {
    let mut compared = 0;
    for version in ["da", "oa", "nb"] {
        let Ok(tables) = disk().list(&fixtures().join(version)) else { continue };
        for table in tables.iter().filter(|entry| entry.is_dir) {
            let folder = fixtures().join(version).join(&table.name);
            for descriptor in crate::target::sstables(&disk(), &folder).unwrap() {
                let set = descriptor.file_name("");
                let path = folder.join(format!("rows-{}.jsonl", set.trim_end_matches('-')));
                let Ok(expected) = disk().read_all(&path) else { continue };
                let expected = String::from_utf8(expected).unwrap();
                let options = DumpOptions { json_lines: true, raw_times: true, ..DumpOptions::default() };
                let ours = dumped(&descriptor, &options);
                assert_eq!(ours.lines().count(), expected.lines().count(), "{descriptor}");
                for (ours, expected) in ours.lines().zip(expected.lines()) {
                    let mut ours: Value = serde_json::from_str(ours).unwrap();
                    strip(&mut ours);
                    let expected: Value = serde_json::from_str(expected).unwrap();
                    compare(&descriptor.to_string(), &ours, &expected);
                }
                compared += 1;
            }
        }
    }
    assert!(compared > 50, "only {compared} fixtures have rows");
}

fn fixture(table: &str) -> Descriptor {
    crate::target::sstables(&disk(), &fixtures().join("da").join(table)).unwrap().remove(0)
}

#[test]
fn keys_are_chosen_excluded_and_printed_alone() {
    let keys_only = DumpOptions { keys_only: true, ..DumpOptions::default() };
    let all = dumped(&fixture("tombs"), &keys_only);
    assert_eq!(
        all,
        "[ [ \"5\" ], [ \"10\" ], [ \"1\" ], [ \"8\" ], [ \"2\" ], [ \"4\" ], [ \"7\" ], [ \"6\" ], [ \"9\" ], [ \"3\" ]\n]\n"
    );
    let keys = vec!["4".to_owned(), "10".to_owned(), "77".to_owned()];
    let some = dumped(&fixture("tombs"), &DumpOptions { keys, ..keys_only.clone() });
    assert_eq!(some, "[ [ \"10\" ], [ \"4\" ]\n]\n");
    let excluded = ["5", "10", "1", "8", "2", "4", "7", "6"].map(str::to_owned).to_vec();
    let rest = dumped(&fixture("tombs"), &DumpOptions { excluded, ..keys_only.clone() });
    assert_eq!(rest, "[ [ \"9\" ], [ \"3\" ]\n]\n");
    let mut out = Vec::new();
    let options = DumpOptions { keys: vec!["x".to_owned()], ..keys_only };
    assert!(dump(&disk(), &fixture("tombs"), &options, 0, &mut out).is_err());
}

#[test]
fn rows_are_lines_in_cassandras_words() {
    let lines = dumped(&fixture("tombs"), &DumpOptions { lines: true, ..DumpOptions::default() });
    let lines: Vec<&str> = lines.lines().collect();
    for expected in [
        "[5]@7 Marker INCL_START_BOUND(0)@1700000000000659/1795367353",
        "[5]@20 Marker EXCL_END_INCL_START_BOUNDARY(1)@1700000000000659/1795367353-1700000000000660/1795367353",
        "[10]@88 Row[info=[ts=-9223372036854775808] del=deletedAt=1700000000000803, localDeletion=1795367353 ]: 1, 2, 'gone' | ",
        "[10]@109 Row[info=[ts=-9223372036854775808] ]: 1, 3, 'cell' | [w=<tombstone> ts=1700000000000804 ldt=1795367353]",
        "[1]@150 deletedAt=1700000000000534, localDeletion=1795367353",
        "[4]@908 Marker INCL_START_BOUND()@1700000000000621/1795367353",
    ] {
        assert!(lines.contains(&expected), "{expected}");
    }
}

#[test]
fn pretty_json_is_laid_out_as_cassandras() {
    let keys = vec!["10".to_owned()];
    let shown = dumped(&fixture("tombs"), &DumpOptions { keys, ..DumpOptions::default() });
    let expected = r#"[
  {
    "table kind" : "REGULAR",
    "partition" : {
      "key" : [ "10" ],
      "position" : 88
    },
    "rows" : [
      {
        "type" : "row",
        "position" : 88,
        "clustering" : [ 1, 2, "gone" ],
        "deletion_info" : { "marked_deleted" : "2023-11-14T22:13:20.000803Z", "local_delete_time" : "2026-11-22T17:09:13Z" },
        "cells" : [ ]
      },
      {
        "type" : "row",
        "position" : 109,
        "clustering" : [ 1, 3, "cell" ],
        "cells" : [
          { "name" : "w", "deletion_info" : { "local_delete_time" : "2026-11-22T17:09:13Z" },
            "tstamp" : "2023-11-14T22:13:20.000804Z"
          }
        ]
      }
    ]
  }
]
"#;
    assert_eq!(shown, expected);
}
