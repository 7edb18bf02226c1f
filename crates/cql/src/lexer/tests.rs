//! Text and its tokens.

use super::{Kind, Tokens};

#[track_caller]
fn check(text: &str, want: &[(Kind, &str)]) {
    let tokens = Tokens::new(text);
    assert!(tokens.error().is_none(), "{text}: {:?}", tokens.error());
    let found: Vec<(Kind, &str)> = (0..tokens.count())
        .map(|index| (tokens.kind(index), tokens.source(index)))
        .filter(|(kind, _)| !kind.is_hidden() && *kind != Kind::Eof)
        .collect();
    assert_eq!(found, want, "{text}");
}

#[test]
fn numbers_and_what_looks_like_them() {
    check("12 -3", &[(Kind::Integer, "12"), (Kind::Integer, "-3")]);
    check(
        "1.5 1. 1e5 1.5E-3",
        &[(Kind::Float, "1.5"), (Kind::Float, "1."), (Kind::Float, "1e5"), (Kind::Float, "1.5E-3")],
    );
    // Seven digits and an `e` may also begin a UUID.
    check(
        "1234567E-17 1234567e+17 1234567e-12345",
        &[(Kind::Float, "1234567E-17"), (Kind::Float, "1234567e+17"), (Kind::Float, "1234567e-12345")],
    );
    check("1..2", &[(Kind::Integer, "1"), (Kind::Range, ".."), (Kind::Integer, "2")]);
    check("1...2", &[(Kind::Float, "1."), (Kind::Range, ".."), (Kind::Integer, "2")]);
    check("1y2mo3d4h5m6s7ms8us9µs10ns", &[(Kind::Duration, "1y2mo3d4h5m6s7ms8us9µs10ns")]);
    check("1d-2h", &[(Kind::Duration, "1d"), (Kind::Duration, "-2h")]);
    check(
        "P1Y2M3DT4H5M6S P7W PT5M",
        &[(Kind::Duration, "P1Y2M3DT4H5M6S"), (Kind::Duration, "P7W"), (Kind::Duration, "PT5M")],
    );
    check("P0001-02-03T04:05:06", &[(Kind::Duration, "P0001-02-03T04:05:06")]);
    check("P1X pt PT", &[(Kind::Ident, "P1X"), (Kind::Ident, "pt"), (Kind::Ident, "PT")]);
    check("0xCAfe 0x", &[(Kind::Hex, "0xCAfe"), (Kind::Hex, "0x")]);
    for uuid in [
        "550e8400-e29b-41d4-a716-446655440000",
        "12345678-e29b-41d4-a716-446655440000",
        "abcdef12-e29b-41d4-a716-446655440000",
        "1d2d3d4d-e29b-41d4-a716-446655440000",
        "1e5e5e5e-e29b-41d4-a716-446655440000",
        "1d234567-e29b-41d4-a716-446655440000",
        "1234567e-1234-4567-89ab-0123456789ab",
    ] {
        check(uuid, &[(Kind::Uuid, uuid)]);
    }
}

#[test]
fn keywords_in_any_case_and_words_that_begin_like_them() {
    check(
        "SeLeCt selects table TRUE nan",
        &[
            (Kind::Select, "SeLeCt"),
            (Kind::Ident, "selects"),
            (Kind::Columnfamily, "table"),
            (Kind::Boolean, "TRUE"),
            (Kind::PositiveNan, "nan"),
        ],
    );
}

#[test]
fn comments_are_hidden() {
    check("a -- b\n/* c\n*/ // d\re", &[(Kind::Ident, "a"), (Kind::Ident, "e")]);
}

#[test]
fn quotes() {
    check(
        r#""a""b" "" "x""#,
        &[(Kind::QuotedName, r#""a""b""#), (Kind::EmptyQuotedName, r#""""#), (Kind::QuotedName, r#""x""#)],
    );
    let tokens = Tokens::new("'it''s' $$a'b$c$$");
    assert_eq!(tokens.content(0), "it's");
    assert_eq!(tokens.content(2), "a'b$c");
}
