//! Statements and their trees.

use crate::ast::*;
use crate::{parse, parse_type};

#[track_caller]
fn kind(text: &str) -> StatementKind {
    match parse(text) {
        Ok(statement) => statement.kind,
        Err(error) => panic!("{text}\n{error}"),
    }
}

#[track_caller]
fn select(text: &str) -> Select {
    match kind(text) {
        StatementKind::Select(select) => *select,
        other => panic!("{other:?}"),
    }
}

fn table(name: &str) -> QualifiedName {
    QualifiedName { keyspace: None, name: name.to_owned() }
}

fn column(name: &str) -> Selectable {
    Selectable::Column(name.to_owned())
}

fn integer(text: &str) -> Term {
    Term::Literal(Literal { kind: LiteralKind::Integer, text: text.to_owned() })
}

#[test]
fn names_fold_unless_quoted() {
    let parsed = select(r#"SELECT Foo, "Foo", Key, TEXT FROM KS."T""" AS""#.trim_end_matches(" AS\""));
    assert_eq!(parsed.table, QualifiedName { keyspace: Some("ks".into()), name: "T\"".into() });
    let columns: Vec<Selectable> = parsed.selectors.into_iter().map(|selector| selector.selectable).collect();
    assert_eq!(columns, [column("foo"), column("Foo"), column("key"), column("text")]);
}

#[test]
fn json_and_distinct_are_words_or_columns() {
    for (text, json, distinct, count) in [
        ("SELECT JSON * FROM t", true, false, 0),
        ("SELECT json FROM t", false, false, 1),
        ("SELECT JSON json FROM t", true, false, 1),
        ("SELECT JSON DISTINCT a, b FROM t", true, true, 2),
        ("SELECT distinct FROM t", false, false, 1),
        ("SELECT distinct - distinct FROM t", false, true, 1),
        ("SELECT DISTINCT distinct FROM t", false, true, 1),
    ] {
        let parsed = select(text);
        assert_eq!((parsed.json, parsed.distinct, parsed.selectors.len()), (json, distinct, count), "{text}");
    }
}

#[test]
fn arithmetic_binds_as_usual() {
    let parsed = select("SELECT a + b * -c FROM t");
    let product = Selectable::Arithmetic(
        ArithmeticOperator::Multiply,
        Box::new(column("b")),
        Box::new(Selectable::Negation(Box::new(column("c")))),
    );
    let sum = Selectable::Arithmetic(ArithmeticOperator::Add, Box::new(column("a")), Box::new(product));
    assert_eq!(parsed.selectors[0].selectable, sum);
}

#[test]
fn brackets_are_hints_tuples_or_just_brackets() {
    let hint =
        Selectable::TypeHint(TypeName::Native(NativeType::Int), Box::new(Selectable::Term(integer("5"))));
    assert_eq!(select("SELECT (int)5 FROM t").selectors[0].selectable, hint);
    let brackets = Selectable::Parentheses(vec![column("a"), column("b")]);
    assert_eq!(select("SELECT (a, b) FROM t").selectors[0].selectable, brackets);
}

#[test]
fn elements_slices_and_fields() {
    let parsed = select("SELECT m['a'..], u.f[2], s[..3] FROM t");
    let key = Term::Literal(Literal { kind: LiteralKind::String, text: "a".into() });
    let field = Selectable::Field(Box::new(column("u")), "f".into());
    let selectables: Vec<Selectable> =
        parsed.selectors.into_iter().map(|selector| selector.selectable).collect();
    assert_eq!(
        selectables,
        [
            Selectable::Slice(Box::new(column("m")), Some(key), None),
            Selectable::Element(Box::new(field), integer("2")),
            Selectable::Slice(Box::new(column("s")), None, Some(integer("3"))),
        ]
    );
}

#[test]
fn markers_are_numbered_in_order() {
    let parsed =
        parse("UPDATE t USING TTL ? SET a = :Foo, b[?] = {1: ?} WHERE k IN :ks AND (c, d) > ? IF e = ?")
            .expect("it is CQL");
    let names: Vec<Option<&str>> = parsed.markers.iter().map(Option::as_deref).collect();
    assert_eq!(names, [None, Some("foo"), None, None, Some("ks"), None, None]);
    let StatementKind::Update(update) = parsed.kind else { panic!("not an update") };
    assert_eq!(update.attributes.ttl, Some(Term::Marker(Marker { index: 0 })));
    let Condition::Columns(conditions) = update.condition else { panic!("no condition") };
    let marker = Term::Marker(Marker { index: 6 });
    assert_eq!(conditions[0].test, ConditionTest::Compare(Operator::Eq, marker));
}

#[test]
fn modifiers_that_lead_nowhere_are_given_back() {
    let error = parse("SELECT a[?] b FROM t").expect_err("no comma between a and b");
    assert_eq!(error.message, "line 1:8 mismatched input '[' expecting K_FROM (SELECT a[[]?]...)");
}

#[test]
fn assignments() {
    let StatementKind::Update(update) =
        kind("UPDATE t SET a = 1, b = b + [1], c = [1] + c, d -= 2, e[0] = 3, f.g = 4, h = h -5 WHERE k = 0")
    else {
        panic!("not an update")
    };
    let list = Term::List(vec![integer("1")]);
    let operations: Vec<Operation> =
        update.assignments.into_iter().map(|assignment| assignment.operation).collect();
    assert_eq!(
        operations,
        [
            Operation::Set(integer("1")),
            Operation::Add(list.clone()),
            Operation::Prepend(list),
            Operation::Subtract(integer("2")),
            Operation::SetElement(integer("0"), integer("3")),
            Operation::SetField("g".into(), integer("4")),
            Operation::Add(integer("-5")),
        ]
    );
}

#[test]
fn relations_print_as_cassandra_prints_them() {
    for (written, shown) in [
        ("a = 1", "a = 1"),
        ("v LIKE 'a%'", "v LIKE 'a%'"),
        ("m['k'] != ?", "m['k'] != ?"),
        ("a in (1,2)", "a IN (1, 2)"),
        ("(a,b) in ((1,'x'),(2,'y'))", "(a, b) IN ((1, 'x'), (2, 'y'))"),
        ("(a,b)>=:x", "(a, b) >= ?"),
        ("token(a,b)<token(1,{'a':[1]})", "token(a, b) < token(1, {'a': [1]})"),
        ("c contains key (int)5", "c CONTAINS KEY (int)5"),
        ("a is not null", "a IS NOT NULL"),
        ("c = null", "c = NULL"),
        ("\"select\" = 1 AND \"true\" = 2", "\"select\" = 1"),
        ("\"true\" = 2", "true = 2"),
        ("\"D\" = 'it''s'", "\"D\" = 'it's'"),
        ("c = 1 + 2 * -(3)", "c = system.\"_add\"(1, system.\"_multiply\"(2, system.\"_negate\"((3))))"),
        ("c = cast(1 as text)", "c = system.cast_as_text(1)"),
        ("c = prs.\"F\"(1,:x)", "c = prs.\"F\"(1, ?)"),
        ("c = (vector<int,2>)[1]", "c = (vector<int, 2>)[1]"),
    ] {
        let parsed = select(&format!("SELECT * FROM t WHERE {written}"));
        assert_eq!(parsed.where_clause.relations[0].to_string(), shown);
    }
}

#[test]
fn literals_keep_their_text() {
    let StatementKind::Insert(insert) = kind(
        "INSERT INTO t (a,b,c,d,e,f,g,h,i) VALUES ('it''s', $$it's$$, 0xCAFE, 1y2mo, -1.5e-3, TRUE, nan, -Infinity, P1Y)",
    ) else {
        panic!("not an insert")
    };
    let InsertSource::Values { values, .. } = insert.source else { panic!("no values") };
    let texts: Vec<String> = values
        .into_iter()
        .map(|value| match value {
            Term::Literal(literal) => format!("{} {}", literal.kind.name(), literal.text),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        texts,
        [
            "STRING it's",
            "STRING it's",
            "HEX 0xCAFE",
            "DURATION 1y2mo",
            "FLOAT -1.5e-3",
            "BOOLEAN TRUE",
            "FLOAT NaN",
            "FLOAT -Infinity",
            "DURATION P1Y",
        ]
    );
}

#[test]
fn table_definition() {
    let StatementKind::CreateTable(created) = kind(
        "CREATE TABLE IF NOT EXISTS t (a int, b text STATIC MASKED WITH DEFAULT, c vector<float, 3>,
         PRIMARY KEY ((a, x), c)) WITH CLUSTERING ORDER BY (c DESC) AND comment = 'it''s' AND caching = {'keys': 'ALL'}",
    ) else {
        panic!("not a table")
    };
    assert!(created.if_not_exists && created.columns[1].is_static);
    assert_eq!(
        created.columns[1].mask.as_ref().map(|mask| mask.function.to_string()),
        Some("system.mask_default".into())
    );
    assert_eq!(created.columns[2].column_type.to_string(), "vector<float, 3>");
    let primary_key =
        PrimaryKey { partition_key: vec!["a".into(), "x".into()], clustering: vec!["c".into()] };
    assert_eq!(created.primary_keys, [primary_key]);
    assert_eq!(created.clustering_order, [ClusteringOrder { column: "c".into(), descending: true }]);
    let caching = PropertyValue::Map(vec![("keys".into(), "ALL".into())]);
    assert_eq!(created.properties[0].value, PropertyValue::Text("it's".into()));
    assert_eq!(created.properties[1].value, caching);
}

#[test]
fn types_alone() {
    let written = "map<text,frozen<list<tuple<int,ks.\"Udt\">>>>";
    let parsed = parse_type(written).expect("it is a type");
    assert_eq!(parsed.to_string(), "map<text, frozen<list<tuple<int, ks.Udt>>>>");
    let error = parse_type("frozen<int>").expect_err("an int cannot be frozen");
    assert_eq!(
        error.message,
        "frozen<> is only allowed on collections, tuples, and user-defined types (got int)"
    );
    assert!(parse_type("int int").is_err());
}

#[test]
fn permissions_and_roles_of_the_same_name() {
    assert!(matches!(kind("GRANT ALL ON t TO r"), StatementKind::GrantPermissions(_)));
    assert!(matches!(kind("GRANT all TO r"), StatementKind::GrantRole(_)));
    assert!(matches!(kind("REVOKE unmask FROM r"), StatementKind::RevokeRole(_)));
    let StatementKind::RevokePermissions(revoked) =
        kind("REVOKE SELECT, UNMASK PERMISSION ON ALL TABLES IN KEYSPACE K FROM 'R'")
    else {
        panic!("no permissions")
    };
    assert_eq!(revoked.permissions, Permissions::Some(vec![Permission::Select, Permission::Unmask]));
    assert_eq!(revoked.resource, Resource::AllTables("k".into()));
    assert_eq!(revoked.grantee, "R");
}

#[test]
fn describe_tells_words_from_names() {
    for (text, target) in [
        ("DESCRIBE TABLES", DescribeTarget::Tables),
        ("DESC TABLE t", DescribeTarget::Table(table("t"))),
        ("DESC type", DescribeTarget::Generic(table("type"))),
        ("DESC TYPE type", DescribeTarget::Type(table("type"))),
        ("DESC KEYSPACE", DescribeTarget::Keyspace { keyspace: None, only: false }),
        ("DESC ONLY KEYSPACE k", DescribeTarget::Keyspace { keyspace: Some("k".into()), only: true }),
        ("DESC FULL SCHEMA", DescribeTarget::Schema { full: true }),
    ] {
        assert_eq!(kind(text), StatementKind::Describe(Describe { target, internals: false }), "{text}");
    }
    let internals = kind("DESC t WITH INTERNALS");
    let target = DescribeTarget::Generic(table("t"));
    assert_eq!(internals, StatementKind::Describe(Describe { target, internals: true }));
}
