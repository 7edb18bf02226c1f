//! Damaged, deep and long statements: an answer each, never a panic, never a hang.

use super::corpus::statements;
use crate::{parse, parse_type};

/// Damaged statements to try; the count is fixed, so is the seed.
const MUTATIONS_COUNT: usize = 20_000;
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// xorshift64*: small, and good enough to choose places.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit.max(1)
    }
}

/// Pieces that are apt to confuse a lexer or a parser.
const PIECES: [&str; 28] = [
    "'",
    "\"",
    "\"\"",
    "$$",
    "$",
    "--",
    "//",
    "/*",
    "*/",
    "-",
    "..",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<",
    "1e",
    "0x",
    "P1Y",
    "12345678-",
    "1d2",
    "é",
    "😀",
    "\n",
    "expr(",
    "-n",
];

fn damage(statement: &str, other: &str, random: &mut Random) -> String {
    let mut chars: Vec<char> = statement.chars().collect();
    for _ in 0..1 + random.below(3) {
        let at = random.below(chars.len() + 1);
        let end = (at + random.below(8)).min(chars.len());
        match random.below(5) {
            0 => drop(chars.drain(at..end)),
            1 => chars.truncate(at),
            2 => drop(chars.splice(at..at, PIECES[random.below(PIECES.len())].chars())),
            3 => {
                let copy: Vec<char> = chars[at..end].to_vec();
                chars.splice(at..at, copy);
            }
            _ => {
                let taken: Vec<char> = other.chars().skip(random.below(40)).take(12).collect();
                chars.splice(at..end, taken);
            }
        }
    }
    chars.into_iter().collect()
}

#[test]
fn damaged_statements_get_an_answer() {
    let statements = statements();
    let mut random = Random(SEED);
    let mut parsed = 0;
    for _ in 0..MUTATIONS_COUNT {
        let statement = &statements[random.below(statements.len())];
        let other = &statements[random.below(statements.len())];
        let damaged = damage(statement, other, &mut random);
        match parse(&damaged) {
            Ok(_) => parsed += 1,
            Err(error) => assert!(!error.message.is_empty(), "{damaged}"),
        }
    }
    // Damage is small, so some of it does no harm: otherwise only the first tokens were tried.
    assert!(parsed > MUTATIONS_COUNT / 100, "only {parsed} of {MUTATIONS_COUNT} parsed");
}

#[test]
fn deep_nesting_is_an_error_not_an_overflow() {
    let begin = "INSERT INTO t (a) VALUES (";
    let deep = |piece: &str| piece.repeat(10_000);
    for statement in [
        format!("{begin}{}1", deep("[")),
        format!("{begin}{}1", deep("{")),
        format!("{begin}{}1", deep("{a:")),
        format!("{begin}{}1", deep("(")),
        format!("{begin}{}1", deep("(int)")),
        format!("{begin}({}1", deep("list<")),
        format!("{begin}{}1", deep("f(")),
        format!("{begin}{}1", deep("cast(")),
        format!("{begin}{}1)", deep("1 + ")),
        format!("{begin}{}1)", deep("1 * ")),
        format!("SELECT {}a FROM t", deep("(")),
        format!("SELECT {}a FROM t", deep("- ")),
        format!("SELECT {}a FROM t", deep("(a)")),
        format!("SELECT {}a FROM t", deep("(a){")),
        format!("SELECT {}a FROM t", deep("[")),
        format!("SELECT {}a FROM t", deep("f(")),
        format!("SELECT {}a FROM t", deep("a + ")),
        format!("SELECT a{} FROM t", deep("[1]")),
        format!("SELECT a{} FROM t", deep(".b")),
        format!("SELECT a FROM t WHERE {}a = 1", deep("(")),
        format!("CREATE TABLE t (a {}int", deep("list<")),
        format!("CREATE TABLE t (a {}int", deep("frozen<")),
    ] {
        let error = parse(&statement).expect_err("nothing nests so deep");
        assert!(error.message.contains("nested too deeply"), "{}", error.message);
    }
    assert!(parse_type(&deep("list<")).is_err());
}

#[test]
fn nesting_in_reason_parses() {
    for (open, close) in [("[", "]"), ("{", "}"), ("(", ")"), ("f(", ")")] {
        let statement = format!("INSERT INTO t (a) VALUES ({}1{})", open.repeat(60), close.repeat(60));
        assert!(parse(&statement).is_ok(), "{statement}");
    }
    let sum = format!("SELECT {}a FROM t", "a + ".repeat(500));
    assert!(parse(&sum).is_ok());
}

#[test]
fn long_statements_parse() {
    let blob = format!("INSERT INTO t (a) VALUES (0x{})", "ab".repeat(8 << 20));
    assert!(parse(&blob).is_ok());
    let list = format!("SELECT * FROM t WHERE a IN (1{})", ",1".repeat(1 << 20));
    assert!(parse(&list).is_ok());
    let comments = format!("SELECT {} * FROM t", "/**/ ".repeat(1 << 20));
    assert!(parse(&comments).is_ok());
    let properties: String = (0..50_000).map(|number| format!(" AND a{number} = 1")).collect();
    assert!(parse(&format!("ALTER TABLE t WITH a = 1{properties}")).is_ok());
    let batch = "INSERT INTO t (a) VALUES (1);".repeat(50_000);
    assert!(parse(&format!("BEGIN BATCH {batch} APPLY BATCH")).is_ok());
}
