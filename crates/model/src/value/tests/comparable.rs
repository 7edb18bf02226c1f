//! Byte-comparable forms as real SSTables hold them (format notes, "Vectors").

use crate::value::comparable::encode_partition_key;
use crate::value::number::{hex, unhex};
use crate::{Bound, BoundKind, Clustering, CqlType, PartitionKey, Value};

fn some(hex: &str) -> Value {
    Some(unhex(hex).expect("hex").into())
}

#[track_caller]
fn check_row(types: &[(CqlType, bool)], values: &[&str], wanted: &str) {
    let clustering = Clustering::new(values.iter().map(|value| some(value)).collect(), types);
    assert_eq!(hex(&clustering.order), wanted);
}

#[track_caller]
fn check_bound(kind: BoundKind, wanted: &str) {
    assert_eq!(
        hex(&Bound::new(kind, vec![some("61")], &[(CqlType::Text, false), (CqlType::Int, false)]).order),
        wanted
    );
}

#[track_caller]
fn check_key(key: &str, wanted: &str) {
    let mut out = Vec::new();
    encode_partition_key(&PartitionKey::new(unhex(key).expect("hex").into()), &mut out);
    assert_eq!(hex(&out), wanted);
}

#[test]
fn rows_bounds_and_keys_have_cassandras_bytes() {
    check_row(&[(CqlType::Text, false), (CqlType::Int, false)], &["61", "00000001"], "406100408000000138");
    check_row(&[(CqlType::Int, true)], &["00000001"], "407ffffffe38");
    check_row(&[(CqlType::Bigint, false)], &["0000000000000064"], "40c06438");
    check_row(&[(CqlType::Varint, false)], &["010000000000000000"], "40ff0201000000000000000038");
    check_row(&[(CqlType::Double, false)], &["bff8000000000000"], "404007ffffffffffff38");
    check_row(&[(CqlType::Inet, false)], &["7f000001"], "407f00feff010038");
    check_bound(BoundKind::InclusiveStart, "40610020");
    check_bound(BoundKind::ExclusiveEnd, "40610020");
    check_bound(BoundKind::InclusiveEnd, "40610060");
    check_bound(BoundKind::ExclusiveStart, "40610060");
    check_key("00000000", "404fa0f7ddd84c76bc4000fefefefe38");
    check_key("0102030405", "407e94a31bab98860e4001020304050038");
    check_key(
        "00080123456789abcdef000005010002000300",
        "40f9086c2c2e019e3e4000ff080123456789abcdef00feff050100ff0200ff0300fe38",
    );
}
