use super::*;
use crate::schema::conversation::Session;

fn describe_in(session: &Session, keyspace: Option<&str>, text: &str) -> DescribeResult {
    let ownership = [
        ("5".to_owned(), vec!["/127.0.0.1:7000".to_owned()]),
        ("-7".to_owned(), vec!["/127.0.0.1:7000".to_owned()]),
    ];
    let ctx = DescribeContext {
        schema: &session.schema,
        keyspace,
        cluster_name: "Test Cluster",
        range_ownership: &ownership,
    };
    let statement = cql::parse(text).expect("CQL");
    let cql::ast::StatementKind::Describe(statement) = statement.kind else { panic!("{text}") };
    describe(&statement, &ctx).expect("an answer")
}

fn names(result: &DescribeResult) -> Vec<&str> {
    result
        .rows
        .iter()
        .map(|row| std::str::from_utf8(row[2].as_ref().expect("a name")).expect("text"))
        .collect()
}

#[test]
fn keyspaces_are_listed_with_the_virtual_ones_whatever_is_in_use() {
    let all = [
        "system",
        "system_auth",
        "system_distributed",
        "system_schema",
        "system_traces",
        "system_views",
        "system_virtual_schema",
    ];
    let session = Session::new();
    assert_eq!(names(&describe_in(&session, None, "DESCRIBE KEYSPACES")), all);
    assert_eq!(names(&describe_in(&session, Some("system"), "DESC KEYSPACES")), all);
}

#[test]
fn the_schema_leaves_out_what_is_the_systems() {
    let mut session = Session::new();
    assert!(describe_in(&session, None, "DESCRIBE SCHEMA").rows.is_empty());
    session.run("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
    session.run("CREATE TABLE k.t (a int PRIMARY KEY)");
    assert_eq!(names(&describe_in(&session, None, "DESCRIBE SCHEMA")), ["k", "t"]);
    let full = describe_in(&session, None, "DESCRIBE FULL SCHEMA");
    assert_eq!(names(&full)[..3], ["k", "t", "system"]);
    assert_eq!(full.rows.len(), 2 + 7 + 54);
    assert_eq!(names(&describe_in(&session, None, "DESCRIBE k")), ["k", "t"]);
    assert_eq!(names(&describe_in(&session, None, "DESCRIBE TABLES")).len(), 1 + 54);
}

#[test]
fn the_cluster_shows_its_ranges_to_who_uses_a_keyspace() {
    let session = Session::new();
    let columns = |result: &DescribeResult| result.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let result = describe_in(&session, None, "DESCRIBE CLUSTER");
    assert_eq!(columns(&result), ["cluster", "partitioner", "snitch"]);
    assert_eq!(result.rows[0][0].as_deref(), Some(&b"Test Cluster"[..]));
    assert_eq!(columns(&describe_in(&session, Some("system"), "DESCRIBE CLUSTER")).len(), 3);
    let result = describe_in(&session, Some("system_auth"), "DESCRIBE CLUSTER");
    assert_eq!(columns(&result)[3], "range_ownership");
    assert_eq!(result.columns[3].1.cql_name(), "map<text, frozen<list<text>>>");
    let map = collection::unpack_map(result.rows[0][3].as_ref().expect("a value")).expect("a map");
    let tokens: Vec<&[u8]> = map.iter().map(|(token, _)| token.as_ref()).collect();
    assert_eq!(tokens, [b"-7", b"5" as &[u8]]);
}

#[test]
fn pages_follow_each_other_until_the_schema_changes() {
    let session = Session::new();
    let version = session.schema.version;
    let all = || describe_in(&session, None, "DESCRIBE KEYSPACES");
    let (first, next) = page(all(), version, None, Some(5)).expect("a page");
    assert_eq!(first.rows, all().rows[..5]);
    let next = DescribePosition::decode(&next.expect("there is more").encode()).expect("our own position");
    assert_eq!(next.offset, 5);
    let (second, end) = page(all(), version, Some(next), Some(5)).expect("a page");
    assert_eq!((second.rows.as_slice(), end), (&all().rows[5..], None));
    let (whole, end) = page(all(), version, None, None).expect("a page");
    assert_eq!((whole, end), (all(), None));
    assert_eq!(page(all(), version, None, Some(7)).expect("a page").1, None);
    let error = page(all(), uuid::Uuid::nil(), Some(next), Some(5)).expect_err("the schema has changed");
    assert!(error.to_string().starts_with("The schema has changed since the previous page"));
}

#[test]
fn a_position_has_cassandras_bytes_and_others_are_refused() {
    let position = DescribePosition { schema_version: uuid::Uuid::from_u128(7), offset: 258 };
    let mut want = b"\x00\x01\x00\x055.0.9".to_vec(); // format, release
    want.extend([0; 15]);
    want.push(7); // version of the schema
    want.extend([0, 0, 0, 0, 0, 0, 1, 2]); // offset
    assert_eq!(position.encode(), want);
    assert_eq!(DescribePosition::decode(&want), Ok(position));
    for bytes in [&want[1..], &want[..want.len() - 1], b"", b"\x00\x02\x00\x055.0.9"] {
        assert!(DescribePosition::decode(bytes).is_err(), "{bytes:?}");
    }
    want.push(0);
    assert!(DescribePosition::decode(&want).is_err());
    let beyond = DescribePosition { schema_version: uuid::Uuid::nil(), offset: u64::MAX };
    let session = Session::new();
    let result = describe_in(&session, None, "DESCRIBE KEYSPACES");
    let (rest, next) = page(result, uuid::Uuid::nil(), Some(beyond), Some(10)).expect("an empty page");
    assert_eq!((rest.rows.len(), next), (0, None));
}
