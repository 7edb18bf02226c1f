//! Laws that hold for random values of every type; a failure prints its seed.

use std::cmp::Ordering;

use stdx::prng::Prng;

use crate::value::collection::{
    pack, pack_tuple, pack_vector, unpack_list, unpack_map, unpack_tuple, unpack_vector,
};
use crate::value::comparable::{encode_value, short_form};
use crate::value::number::bigint_to_varint;
use crate::{Clustering, CqlType, Value};

fn bytes(random: &mut Prng, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    random.fill(&mut bytes);
    // Few different bytes: values that share beginnings, zeros and ones among them.
    if random.chance(0.7) {
        bytes.iter_mut().for_each(|byte| {
            *byte = [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff, 0x00, 0x61][usize::from(*byte & 7)]
        });
    }
    bytes
}

fn native(random: &mut Prng) -> CqlType {
    use CqlType::*;
    let all = [
        Ascii, Bigint, Blob, Boolean, Date, Decimal, Double, Duration, Float, Inet, Int, Smallint, Text,
        Time, Timestamp, Timeuuid, Tinyint, Uuid, Varint,
    ];
    random.choose(&all).expect("not empty").clone()
}

fn some_type(random: &mut Prng, depth: usize) -> CqlType {
    if depth == 0 || random.chance(0.5) {
        return native(random);
    }
    match random.below(5) {
        0 => CqlType::list(some_type(random, depth - 1), true),
        1 => CqlType::set(some_type(random, depth - 1), true),
        2 => CqlType::map(some_type(random, depth - 1), some_type(random, depth - 1), true),
        3 => CqlType::Tuple((0..random.between(1, 3)).map(|_| some_type(random, depth - 1)).collect()),
        _ => CqlType::vector(some_type(random, depth - 1), random.between(1, 3) as u32),
    }
}

fn value_of(ty: &CqlType, random: &mut Prng) -> Vec<u8> {
    let element = |ty: &CqlType, random: &mut Prng| value_of(ty, random);
    let some = random.index(4);
    match ty {
        CqlType::Ascii | CqlType::Text => {
            (0..some).map(|_| *random.choose(b"\0\x01a\x7f").expect("some")).collect()
        }
        CqlType::Blob => bytes(random, some),
        CqlType::Boolean => vec![random.below(2) as u8],
        CqlType::Tinyint => bytes(random, 1),
        CqlType::Smallint => bytes(random, 2),
        CqlType::Int | CqlType::Date => bytes(random, 4),
        CqlType::Bigint | CqlType::Timestamp | CqlType::Time => {
            (random.next_u64() as i64 >> random.below(64)).to_be_bytes().to_vec()
        }
        CqlType::Float => {
            f32::to_be_bytes(without_nan(f32::from_bits(random.next_u64() as u32)) as f32).to_vec()
        }
        CqlType::Double => f64::to_be_bytes(without_nan(f64::from_bits(random.next_u64()))).to_vec(),
        CqlType::Varint => {
            let count = random.between(1, 12) as usize;
            bigint_to_varint(&num_bigint::BigInt::from_signed_bytes_be(&bytes(random, count)))
        }
        CqlType::Decimal => {
            let scale = random.between(0, 8) as i32 - 4;
            let unscaled = (random.next_u64() as i64 >> random.between(40, 63)).into();
            crate::value::number::Decimal { unscaled, scale }.to_bytes()
        }
        CqlType::Duration => {
            let part = |random: &mut Prng| random.below(300) as i32;
            let (months, days, nanos) = (part(random), part(random), i64::from(part(random)));
            crate::value::time::Duration { months, days, nanos }.to_bytes()
        }
        CqlType::Inet => bytes(random, if some < 2 { 4 } else { 16 }),
        CqlType::Uuid | CqlType::Timeuuid => {
            let mut uuid = bytes(random, 16);
            let version = if *ty == CqlType::Timeuuid || random.chance(0.5) { 0x10 } else { 0x40 };
            uuid[6] = uuid[6] & 0x0f | version;
            uuid
        }
        CqlType::List { element: of, .. } | CqlType::Set { element: of, .. } => {
            pack(some, &(0..some).map(|_| element(of, random)).collect::<Vec<_>>())
        }
        CqlType::Map { key, value, .. } => {
            let pairs = (0..some).flat_map(|_| [element(key, random), element(value, random)]);
            pack(some, &pairs.collect::<Vec<_>>())
        }
        CqlType::Tuple(types) => {
            let fields: Vec<Value> =
                types.iter().map(|ty| random.chance(0.8).then(|| element(ty, random).into())).collect();
            pack_tuple(&fields)
        }
        CqlType::Vector { element: of, dimension } => {
            pack_vector(of, &(0..*dimension).map(|_| element(of, random)).collect::<Vec<_>>())
        }
        other => panic!("no values of {other:?}"),
    }
}

fn without_nan<F: Into<f64>>(value: F) -> f64 {
    let value = value.into();
    if value.is_nan() { -0.0 } else { value }
}

#[track_caller]
fn for_random_values(mut law: impl FnMut(&CqlType, Vec<u8>, Vec<u8>, &str)) {
    for seed in 0..20_000 {
        let mut random = Prng::from_seed(seed);
        let ty = some_type(&mut random, 3);
        let (a, b) = (value_of(&ty, &mut random), value_of(&ty, &mut random));
        law(&ty, a, b, &format!("seed {seed}, type {}", ty.cql_name()));
    }
}

#[test]
fn short_forms_are_the_encodings() {
    let mut count = 0;
    for_random_values(|ty, a, _, context| {
        let Some((word, bytes)) = short_form(ty, &a) else { return };
        let mut encoded = Vec::new();
        assert!(encode_value(ty, &a, &mut encoded), "{context}");
        assert_eq!(word.to_be_bytes()[..bytes], encoded, "{context}: {a:02x?}");
        assert_eq!(word.checked_shl(8 * bytes as u32).unwrap_or(0), 0, "{context}: zeros behind {a:02x?}");
        count += 1;
    });
    assert!(count > 1000, "{count} short forms");
}

#[test]
fn encodings_compare_as_the_values_do() {
    for_random_values(|ty, a, b, context| {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        let have_forms = (encode_value(ty, &a, &mut one), encode_value(ty, &b, &mut two));
        assert_eq!(have_forms, (!one.is_empty(), !two.is_empty()), "{context}");
        assert_eq!(one.cmp(&two), ty.compare(&a, &b), "{context}: {a:02x?} {b:02x?}");
        assert_eq!(ty.compare(&b, &a), ty.compare(&a, &b).reverse(), "{context}: {a:02x?} {b:02x?}");
        for reversed in [false, true] {
            let clustering = |value: &Vec<u8>| {
                Clustering::new(vec![Some(value.clone().into())], &[(ty.clone(), reversed)])
            };
            let order = clustering(&a).cmp(&clustering(&b));
            let wanted = ty.compare(&a, &b);
            assert_eq!(
                order,
                if reversed { wanted.reverse() } else { wanted },
                "{context}: {a:02x?} {b:02x?}"
            );
        }
    });
}

#[test]
fn values_are_valid_and_come_back_from_their_parts_and_texts() {
    for_random_values(|ty, a, _, context| {
        assert_eq!(ty.validate(&a), Ok(()), "{context}: {a:02x?}");
        let whole = bytes::Bytes::from(a.clone());
        let again = match ty {
            CqlType::List { .. } | CqlType::Set { .. } => {
                let parts = unpack_list(&whole).expect(context);
                pack(parts.len(), &parts)
            }
            CqlType::Map { .. } => {
                let parts = unpack_map(&whole).expect(context);
                pack(
                    parts.len(),
                    &parts.into_iter().flat_map(|(key, value)| [key, value]).collect::<Vec<_>>(),
                )
            }
            CqlType::Tuple(types) => pack_tuple(&unpack_tuple(&whole, types.len()).expect(context)),
            CqlType::Vector { element, dimension } => {
                pack_vector(element, &unpack_vector(&whole, element, *dimension).expect(context))
            }
            // A bare number is a date's own value; years of four digits are told apart by their hyphens.
            CqlType::Timestamp | CqlType::Time | CqlType::Inet => return,
            _ => ty.parse_text(&ty.to_text(&a)).expect(context),
        };
        assert_eq!(ty.compare(&again, &a), Ordering::Equal, "{context}: {a:02x?} became {again:02x?}");
    });
}

#[test]
fn a_type_is_read_back_from_its_class_name() {
    for seed in 0..2_000 {
        let ty = some_type(&mut Prng::from_seed(seed), 4).freeze();
        let class = ty.class_name();
        assert_eq!(CqlType::parse_class_name(&class), Ok((ty, false)), "seed {seed}: {class}");
    }
}

#[test]
fn any_bytes_are_taken_without_a_panic() {
    for seed in 0..20_000 {
        let mut random = Prng::from_seed(seed);
        let ty = some_type(&mut random, 3);
        let mut value = value_of(&ty, &mut random);
        let other = value_of(&ty, &mut random);
        if value.is_empty() || random.chance(0.3) {
            let count = random.index(24);
            value = bytes(&mut random, count);
        } else {
            let at = random.index(value.len());
            value[at] = random.next_u64() as u8;
            value.truncate(random.index(value.len() + 1));
        }
        let _ = ty.validate(&value);
        let _ = (ty.compare(&value, &other), ty.compare(&other, &value), ty.compare(&value, &value));
        let _ = (ty.to_literal(&value), ty.to_text(&value), ty.to_json(&value));
        encode_value(&ty, &value, &mut Vec::new());
        let text = String::from_utf8_lossy(&value).into_owned();
        let _ = ty.parse_text(&text);
        let _ = ty.parse_json(&serde_json::Value::String(text));
    }
}

#[test]
fn huge_exponents_cost_nothing() {
    for text in ["1e2147483647", "-1e-2147483647", "9.99e1000000000", "0e-2147483647"] {
        let value = CqlType::Decimal.parse_text(text).expect(text);
        assert!(value.len() < 8 && CqlType::Decimal.to_json(&value).len() < 24, "{text}");
        assert_eq!(CqlType::Decimal.compare(&value, &value), Ordering::Equal, "{text}");
    }
}

#[test]
fn class_names_nest_no_deeper_than_the_limit() {
    let nested = |depth: usize| "ListType(".repeat(depth) + "Int32Type" + &")".repeat(depth);
    assert!(CqlType::parse_class_name(&nested(60)).is_ok());
    assert!(CqlType::parse_class_name(&nested(100_000)).is_err());
    assert!(CqlType::parse_class_name("PartitionerDefinedOrder(((((").is_err());
}

/// Bug 50 of the catalogue (CASSANDRA-14752): a comparison changed buffers that all threads share.
#[test]
fn bug_50_types_are_pure_under_threads() {
    for seed in 0..40 {
        let mut random = Prng::from_seed(seed);
        let ty = some_type(&mut random, 2);
        let values: Vec<Vec<u8>> = (0..12).map(|_| value_of(&ty, &mut random)).collect();
        let kept = values.clone();
        let answers = || -> Vec<(Ordering, Value, Clustering)> {
            let pairs = values.iter().flat_map(|a| values.iter().map(move |b| (a, b)));
            let one = |(a, b): (&Vec<u8>, &Vec<u8>)| {
                let value: Value = Some(a.clone().into());
                (ty.compare(a, b), value.clone(), Clustering::new(vec![value], &[(ty.clone(), false)]))
            };
            pairs.map(one).collect()
        };
        let alone = answers();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(answers)).collect();
            for thread in threads {
                assert!(thread.join().unwrap() == alone, "seed {seed}, {ty:?}");
            }
        });
        assert_eq!(values, kept, "seed {seed}, {ty:?}");
        assert!(answers() == alone, "seed {seed}, {ty:?}: the second time");
    }
}
