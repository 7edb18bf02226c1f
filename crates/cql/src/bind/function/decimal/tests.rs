//! Every result was computed by Cassandra 5.0.9.

use super::transcendental::{exp, ln, log10};
use super::*;

fn decimal(text: &str) -> Decimal {
    Decimal::from_text(text).expect("a number")
}

#[track_caller]
fn check(got: Result<Decimal, Failure>, want: &str) {
    assert_eq!(got, Ok(decimal(want)), "wanted {want}");
}

#[test]
fn arithmetic_keeps_the_scales_of_cassandra() {
    check(decimal("1.50").multiply(&decimal("1.50")), "2.2500");
    check(decimal("1.10").subtract(&decimal("1.0")), "0.10");
    check(decimal("1").divide(&decimal("3.0")), "0.33333333333333333333333333333333");
    check(decimal("10").divide(&decimal("4.0")), "2.5");
    check(
        decimal("2").divide(&decimal("3e-40")),
        "6666666666666666666666666666666666666666.6666666666666666666666666666666666666667",
    );
    check(decimal("42").divide(&decimal("1.50")), "28");
    check(decimal("1.50").divide(&decimal("42.0")), "0.035714285714285714285714285714286");
    check(
        decimal("123456789012345678901234567890").divide(&decimal("1.50")),
        "8.230452600823045260082304526E+28",
    );
    check(decimal("1e-1001").divide(&decimal("3.0")), "0");
    check(decimal("300.0").remainder(&decimal("1.50")), "0.0");
    check(decimal("7.0").remainder(&decimal("1.50")), "1.00");
    check(decimal("-7").remainder(&decimal("3.0")), "-1.0");
    assert_eq!(decimal("1").divide(&decimal("0")), Err("BigInteger divide by zero".to_owned()));
    assert!(decimal("1e100000").add(&decimal("1")).is_err(), "no number of a hundred thousand digits");
}

#[test]
fn floats_become_decimals_through_their_text() {
    for (number, want) in
        [(3.0, "3.0"), (1e30, "1.0e30"), (1e-5, "1.0e-5"), (0.0, "0.0"), (2.5, "2.5"), (1e7, "1.0e7")]
    {
        assert_eq!(Decimal::from_f64(number), Some(decimal(want)), "{number}");
    }
    assert_eq!(Decimal::from_f64(12_345_678.9), Some(decimal("1.23456789e7")));
    assert_eq!(Decimal::from_f32(0.1), Some(decimal("0.1")));
    assert_eq!(Decimal::from_f64(f64::from(0.1_f32)), Some(decimal("0.10000000149011612")));
    assert_eq!(Decimal::from_f64(f64::NAN), None);
}

#[test]
fn rounding_takes_halves_away_from_zero() {
    check(decimal("2.5").round(), "3");
    check(decimal("-2.5").round(), "-3");
    check(decimal("1.50").round(), "2");
    check(decimal("1e3").round(), "1000");
    check(decimal("0.04").round(), "0");
    assert_eq!(decimal("-1.9").truncate(), Ok(BigInt::from(-1)));
}

#[test]
fn exp_and_logarithms_have_32_digits() {
    check(exp(&decimal("2.5")), "12.182493960703473438070175951168");
    check(exp(&decimal("-2.5")), "0.082084998623898795169528674467160");
    check(exp(&decimal("1")), "2.7182818284590452353602874713527");
    check(exp(&decimal("1e3")), "1.9700711140170469938888793522433E+434");
    check(exp(&decimal("0")), "1");
    check(ln(&decimal("1.50")), "0.40546510810816438197801311546435");
    check(ln(&decimal("10")), "2.3025850929940456840179914546844");
    check(ln(&decimal("1e3")), "6.9077552789821370520539743640531");
    check(log10(&decimal("1.50")), "0.17609125905568124208128900853062");
    check(log10(&decimal("2")), "0.30102999566398119521373889472449");
    check(log10(&decimal("1e3")), "3.0000000000000000000000000000000");
    check(log10(&decimal("10")), "1");
    assert_eq!(ln(&decimal("0")), Err("Natural log of number zero or less".to_owned()));
    assert_eq!(log10(&decimal("-1")), Err("Log10 of number zero or less".to_owned()));
    assert_eq!(exp(&decimal("123456789012345678901234567890")), Err("Overflow".to_owned()));
}
