//! Real Cassandra's answers: `testdata/cassandra-5.0/values*.tsv`, made by `Values.java` beside them.
//!
//! A line is an operation, a type's class name, arguments, `=`, and what Cassandra 5.0.9 answered; `! ` is an error.

mod comparable;
mod laws;

use super::number::{hex, unhex};
use crate::CqlType;

fn bytes(text: &str) -> Vec<u8> {
    unhex(text).unwrap_or_else(|| panic!("{text} is hex"))
}

fn parsed(parsed: Result<Vec<u8>, String>) -> String {
    parsed.map_or_else(|text| format!("! {text}"), |value| hex(&value))
}

/// What we answer in Cassandra's place.
fn answer(operation: &str, class: &str, arguments: &[&str]) -> String {
    let (ty, reversed) = match CqlType::parse_class_name(class) {
        Ok(parsed) => parsed,
        Err(text) => return format!("! {text}"),
    };
    match (operation, arguments) {
        ("validate", [value]) => {
            ty.validate(&bytes(value)).map_or_else(|text| format!("! {text}"), |()| "ok".into())
        }
        ("empty", []) => format!("{} {}", ty.empty_is_allowed(), ty.is_empty_value_meaningless()),
        ("cql", []) => ty.cql_name(),
        ("cls", []) if reversed => {
            format!("org.apache.cassandra.db.marshal.ReversedType({})", ty.class_name())
        }
        ("cls", []) => ty.class_name(),
        ("cmp", [a, b]) => (ty.compare(&bytes(a), &bytes(b)) as i8).to_string(),
        ("bc", [value]) => {
            let mut out = Vec::new();
            let has_form = super::comparable::encode_value(&ty, &bytes(value), &mut out);
            if has_form { hex(&out) } else { "null".into() }
        }
        ("row", [value]) => {
            let value = (*value != "null").then(|| bytes(value).into());
            hex(&crate::Clustering::new(vec![value], &[(ty, reversed)]).order)
        }
        ("lit", [value]) => ty.to_literal(&bytes(value)),
        ("text", [value]) => ty.to_text(&bytes(value)),
        ("json", [value]) => ty.to_json(&bytes(value)),
        ("from", [text]) => parsed(ty.parse_text(text)),
        ("fromjson", [json]) => {
            match ty.parse_json(&serde_json::from_str(json).expect("the table holds JSON")) {
                Ok(None) => "jsonnull".into(),
                Ok(Some(value)) => hex(&value),
                Err(text) => format!("! {text}"),
            }
        }
        _ => panic!("no operation {operation} of {} arguments", arguments.len()),
    }
}

fn without_java_class(answer: &str) -> String {
    match answer.strip_prefix("! ").and_then(|text| text.split_once(": ")) {
        Some((class, text)) if class.ends_with("Exception") || class.ends_with("Error") => {
            format!("! {text}")
        }
        _ => answer.to_owned(),
    }
}

#[track_caller]
fn check(table: &str) {
    let unescape = |field: &str| field.replace('␤', "\n").replace('␉', "\t");
    let mut differences = Vec::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<String> = line.split('\t').map(unescape).collect();
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let [operation, class, arguments @ .., "=", wanted] = fields.as_slice() else {
            panic!("no line of the table: {line}");
        };
        let ours = answer(operation, class, arguments);
        if ours != without_java_class(wanted) {
            differences.push(format!("{line}\n    ours: {ours}"));
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn bytes_are_judged_ordered_and_types_named_as_cassandra_does() {
    check(include_str!("../../testdata/cassandra-5.0/values.tsv"));
}

#[test]
fn values_are_shown_and_read_as_cassandra_does() {
    check(include_str!("../../testdata/cassandra-5.0/values-text.tsv"));
}

#[test]
fn the_elements_of_a_vector_are_named_as_declared() {
    let vector = CqlType::vector(CqlType::list(CqlType::Int, false), 2);
    assert_eq!(vector.cql_name(), "vector<list<int>, 2>");
    let class = vector.class_name().replace("org.apache.cassandra.db.marshal.", "");
    assert_eq!(class, "VectorType(ListType(Int32Type) , 2)");
    let frozen = CqlType::map(CqlType::Int, vector, false).freeze();
    assert_eq!(frozen.cql_name(), "frozen<map<int, vector<list<int>, 2>>>");
}

/// Seen on Cassandra 5.0.9, which keeps these types under their names only.
#[test]
fn composites_are_named_in_full_and_read_from_text() {
    let full = |class: &str| {
        CqlType::parse_class_name(class)
            .map(|(ty, _)| ty.class_name().replace("org.apache.cassandra.db.marshal.", "~"))
    };
    for (class, wanted) in [
        ("CompositeType( AsciiType,Int32Type )", "~CompositeType(~AsciiType,~Int32Type)"),
        (
            "CompositeType(ReversedType(Int32Type), FrozenType(ListType(UTF8Type)))",
            "~CompositeType(~ReversedType(~Int32Type),~FrozenType(~ListType(~UTF8Type)))",
        ),
        ("DynamicCompositeType", "~DynamicCompositeType()"),
        (
            "DynamicCompositeType(s => UTF8Type, i => Int32Type)",
            "~DynamicCompositeType(s=>~UTF8Type,i=>~Int32Type)",
        ),
        (
            "DynamicCompositeType(z=>UTF8Type,b=>Int32Type,a=>CompositeType(AsciiType))",
            "~DynamicCompositeType(a=>~CompositeType(~AsciiType),b=>~Int32Type,z=>~UTF8Type)",
        ),
    ] {
        assert_eq!(full(class).as_deref(), Ok(wanted), "{class}");
    }
    for class in
        ["CompositeType", "CompositeType()", "CompositeType(Foo)", "DynamicCompositeType(ss=>UTF8Type)"]
    {
        let name = class.split('(').next().expect("split gives one part at least");
        let wanted = format!("Invalid definition for comparator org.apache.cassandra.db.marshal.{name}.");
        assert_eq!(full(class), Err(wanted), "{class}");
    }

    let (composite, _) = CqlType::parse_class_name("CompositeType(AsciiType, Int32Type)").expect("known");
    let read = |text| composite.parse_text(text).map(|value| hex(&value));
    assert_eq!(read("abc:123"), Ok("00036162630000040000007b00".into()));
    assert_eq!(read("abc"), Ok("000361626300".into()));
    assert_eq!(read("abc:!"), Ok("000361626301".into()));
    assert_eq!(read(":"), Ok("000000000000".into()));
    assert_eq!(read(r"a\:b:1"), Ok("0003613a620000040000000100".into()));
    assert_eq!(read(""), Ok(String::new()));
    assert_eq!(read("a:x"), Err("Unable to make int from 'x'".into()));
    assert!(read("a:1:2").is_err());
    assert!(read("!").is_err());
}
