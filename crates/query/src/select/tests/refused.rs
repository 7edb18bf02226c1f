//! Statements that a real Cassandra was asked, as far as binding decides them: the same code and text.

use cql::ast::StatementKind;

use super::{Session, code};

const SCHEMA: [&str; 11] = [
    "CREATE KEYSPACE demo WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "USE demo",
    "CREATE TYPE addr (street text, nums list<int>, zip frozen<set<int>>)",
    "CREATE TYPE addr2 (street text, zip frozen<set<int>>)",
    "CREATE TABLE t (pk int, ck int, v int, s int static, z int, PRIMARY KEY (pk, ck))",
    "CREATE TABLE cnt (k text PRIMARY KEY, c counter)",
    "CREATE TABLE simple (id int PRIMARY KEY, v text, w int, m map<text,int>, l list<int>, se set<int>, e float, \
     d double, b blob, u uuid, ts timestamp, tt frozen<tuple<int,text>>, vec vector<float, 2>, bo boolean, ti timeuuid, \
     si smallint, ty tinyint, bi bigint, dt date, tm time, ip inet, du duration, de decimal, vi varint, a ascii, uu addr2)",
    "CREATE TABLE ctab (a int, b int, c int, d int, v int, l list<int>, m map<int,int>, s set<int>, PRIMARY KEY ((a,b),c,d))",
    "CREATE TABLE blobk (k blob, c text, v text, PRIMARY KEY(k,c))",
    "CREATE TABLE fz (k int PRIMARY KEY, l frozen<list<int>>, u frozen<addr2>)",
    "INSERT INTO t (pk, ck, v) VALUES (1, 0, 1)",
];

/// What a row must not speak of: INSERT JSON (`modify`), indexes, views, functions of users, tables that are not built here.
const ELSEWHERE: [&str; 17] = [
    " JSON ",
    "plus1",
    "mysum",
    "boom",
    "mv1",
    "masked",
    "kinds",
    "system",
    "simple WHERE v='a' ORDER BY",
    "ANN OF",
    "expr(",
    " LIKE ",
    "ck2",
    "known type signatures",
    "BATCH",
    "simple_",
    "not yet supported by Helenus",
];

#[test]
fn refusals_have_the_code_and_text_of_cassandra() {
    let rows = include_str!("../../../../cql/testdata/cassandra-5.0/errors_all.tsv");
    let mut session = Session::new();
    SCHEMA.iter().for_each(|statement| drop(session.run(statement)));
    let (mut differences, mut same) = (String::new(), 0);
    let mut is_ours = false;
    for line in rows.lines() {
        if let Some(section) = line.strip_prefix("# ") {
            is_ours = ["WHERE / SELECT", "Values and types", "Unknown objects"].contains(&section);
            continue;
        }
        let fields: Vec<&str> = line.split('\t').collect();
        let &[statement, want_code, want_text] = fields.as_slice() else { continue };
        if !is_ours || ELSEWHERE.iter().any(|word| line.contains(word)) {
            continue;
        }
        let statement = statement.replace("\\n", "\n");
        let is_data = |kind: &StatementKind| {
            use StatementKind::{Delete, Insert, Select, Update};
            matches!(kind, Select(_) | Insert(_) | Update(_) | Delete(_))
        };
        if !cql::parse(&statement).is_ok_and(|parsed| is_data(&parsed.kind)) {
            continue;
        }
        let got = match session.answer(&statement) {
            Ok(_) => "OK".to_owned(),
            Err(error) => format!("{} {}", code(&error), error.to_string().replace('\n', "\\n")),
        };
        let want = if want_code == "OK" { "OK".to_owned() } else { format!("{want_code} {want_text}") };
        if got == want {
            same += 1;
        } else {
            differences.push_str(&format!("\n> {statement}\nwant {want}\ngot  {got}\n"));
        }
    }
    assert!(differences.is_empty(), "{same} the same, but\n{differences}");
    assert!(same > 100, "only {same} statements were compared");
}
