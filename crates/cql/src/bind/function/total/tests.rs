//! Every result was computed by Cassandra 5.0.9.

use super::*;

fn decimals(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| Decimal::from_text(text).expect("a number").to_bytes()).collect()
}

fn doubles(numbers: &[f64]) -> Vec<Vec<u8>> {
    numbers.iter().map(|number| number.to_be_bytes().to_vec()).collect()
}

#[track_caller]
fn check(want: Want, ty: CqlType, values: &[Vec<u8>], result: &[u8]) {
    let mut total = Total::new(want, &ty);
    for value in values {
        total.add(value).expect("computes");
    }
    assert_eq!(total.result().expect("computes"), result, "{want:?} of {ty:?} {values:?}");
}

#[track_caller]
fn mean(texts: &[&str], want: &str) {
    check(Want::Average, CqlType::Decimal, &decimals(texts), &decimals(&[want])[0]);
}

#[test]
fn integers_wrap_around_in_a_sum_but_not_in_a_mean() {
    check(Want::Sum, CqlType::Tinyint, &[vec![100], vec![100]], &[200]);
    check(Want::Average, CqlType::Tinyint, &[vec![100], vec![100]], &[100]);
    let large = i64::MAX.to_be_bytes();
    check(Want::Sum, CqlType::Bigint, &[large.to_vec(), large.to_vec()], &(-2_i64).to_be_bytes());
    check(Want::Average, CqlType::Bigint, &[large.to_vec(), large.to_vec()], &large);
    check(
        Want::Average,
        CqlType::Int,
        &[5_i32.to_be_bytes().to_vec(), 6_i32.to_be_bytes().to_vec()],
        &5_i32.to_be_bytes(),
    );
    check(Want::Average, CqlType::Varint, &[vec![10], vec![5]], &[7]);
}

#[test]
fn doubles_are_summed_with_compensation() {
    check(Want::Sum, CqlType::Double, &doubles(&[0.1; 10]), &1.0_f64.to_be_bytes());
    check(Want::Sum, CqlType::Double, &doubles(&[1e16, 1.0, 1.0, -1e16]), &2.0_f64.to_be_bytes());
    check(Want::Sum, CqlType::Double, &doubles(&[f64::INFINITY, 1.0]), &f64::INFINITY.to_be_bytes());
    check(Want::Sum, CqlType::Double, &doubles(&[1e308, 1.5e308]), &f64::INFINITY.to_be_bytes());
    check(Want::Average, CqlType::Double, &doubles(&[1e308, 1.5e308]), &1.2e308_f64.to_be_bytes());
    check(
        Want::Average,
        CqlType::Double,
        &doubles(&[0.1, 0.2, 0.3]),
        &0.199_999_999_999_999_98_f64.to_be_bytes(),
    );
}

#[test]
fn the_mean_of_decimals_moves_with_each_value() {
    mean(&["1.25", "1.26"], "1.25");
    mean(&["1", "2", "2"], "1");
    mean(&["1.10", "2.205"], "1.652");
    mean(&["-1", "-2.5", "0"], "-1.2");
    mean(&["0.5", "0.6", "1e2"], "33.7");
    mean(&["1e-3", "2", "2"], "1.334");
    check(Want::Sum, CqlType::Decimal, &decimals(&["1.10", "2.205"]), &decimals(&["3.305"])[0]);
}

#[test]
fn of_nothing_all_are_zero() {
    check(Want::Sum, CqlType::Int, &[], &[0; 4]);
    check(Want::Average, CqlType::Decimal, &[], &[0; 5]);
    check(Want::Average, CqlType::Float, &[], &[0; 4]);
    check(Want::Sum, CqlType::Varint, &[], &[0]);
}
