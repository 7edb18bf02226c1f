use super::{parse, run_file};

const SCRIPT: &str = "\
# What a tombstone does.
cql now=5 types
SELECT 1;

SELECT 2;
----
one

# next
flush ks.t
----
";

#[test]
fn a_script_is_taken_apart() {
    let script = parse("a.test", SCRIPT).expect("a good script");
    let [first, second] = &script.steps[..] else { panic!("{:?}", script.steps) };
    assert_eq!((first.command, first.input, first.expected), ("cql", "SELECT 1;\n\nSELECT 2;\n", "one\n"));
    assert_eq!((first.option("now"), first.has("types"), first.option("type")), (Some("5"), true, None));
    assert_eq!(first.location, "a.test:2");
    assert_eq!((second.command, second.argument(0), second.expected), ("flush", "ks.t", ""));
}

#[test]
fn outputs_take_the_place_of_the_expected_ones() {
    let script = parse("a.test", SCRIPT).expect("a good script");
    let updated = script.with_outputs(&["two\nlines\n".to_owned(), "done\n".to_owned()]);
    let wanted = SCRIPT.replace("one\n", "two\nlines\n") + "done\n";
    assert_eq!(updated, wanted);
    let again = parse("a.test", &updated).expect("still a good script");
    assert_eq!(again.steps[1].expected, "done\n");
}

#[test]
fn a_torn_script_names_its_line() {
    let problem = |text: &str| parse("a.test", text).expect_err("a torn script").to_string();
    assert_eq!(problem("cql\nSELECT 1;\n"), "a.test:1: no line ---- ends the input");
    assert_eq!(problem("cql\n----\none\n----\n"), "a.test:4: a second ---- before an empty line");
    assert_eq!(problem("cql\n----\none"), "a.test:3: the last line has no line break");
}

#[test]
fn a_difference_is_seen_and_shown() {
    let path = std::env::temp_dir().join(format!("testkit-{}.test", std::process::id()));
    std::fs::write(&path, SCRIPT).expect("a temporary file");
    let outcome =
        run_file(&path, |step| if step.command == "cql" { "one\nmore \n\n" } else { "" }.to_owned());
    std::fs::remove_file(&path).expect("it is there");
    let outcome = outcome.expect("a good script");
    assert_eq!(outcome.steps_count, 2);
    let [difference] = &outcome.differences[..] else { panic!("{:?}", outcome.differences) };
    assert!(difference.to_string().ends_with("test:2\n    one\n  + more\n"), "{difference}");
    assert_eq!(outcome.updated, SCRIPT.replace("one\n", "one\nmore\n"));
}
