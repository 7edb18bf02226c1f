//! Every type there and back.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use scylla::client::session::Session;
use scylla::value::{
    Counter, CqlDate, CqlDecimal, CqlDuration, CqlTime, CqlTimestamp, CqlTimeuuid, CqlValue, CqlVarint,
    MaybeUnset,
};
use scylla::{DeserializeValue, SerializeValue};
use uuid::Uuid;

use crate::{Outcome, run, select, table};

fn native_values() -> Vec<(&'static str, Vec<CqlValue>)> {
    let address = |text: &str| CqlValue::Inet(text.parse::<IpAddr>().expect("an address"));
    vec![
        ("ascii", vec![CqlValue::Ascii("plain".into())]),
        ("bigint", vec![CqlValue::BigInt(i64::MIN), CqlValue::BigInt(i64::MAX)]),
        ("blob", vec![CqlValue::Blob((0..=255).collect()), CqlValue::Blob(vec![7; 100_000])]),
        ("boolean", vec![CqlValue::Boolean(true), CqlValue::Boolean(false)]),
        (
            "date",
            vec![
                CqlValue::Date(CqlDate(1 << 31)),
                CqlValue::Date(CqlDate(0)),
                CqlValue::Date(CqlDate(u32::MAX)),
            ],
        ),
        (
            "decimal",
            vec![CqlValue::Decimal(CqlDecimal::from_signed_be_bytes_and_exponent(
                vec![0xff, 0x01, 0x02],
                30,
            ))],
        ),
        (
            "double",
            vec![CqlValue::Double(-1.5e300), CqlValue::Double(f64::INFINITY), CqlValue::Double(5e-324)],
        ),
        (
            "duration",
            vec![
                CqlValue::Duration(CqlDuration { months: 14, days: 3, nanoseconds: 1 }),
                CqlValue::Duration(CqlDuration { months: i32::MIN, days: -2, nanoseconds: i64::MIN }),
                CqlValue::Duration(CqlDuration { months: i32::MAX, days: i32::MAX, nanoseconds: i64::MAX }),
            ],
        ),
        ("float", vec![CqlValue::Float(0.5), CqlValue::Float(f32::NEG_INFINITY)]),
        ("inet", vec![address("127.0.0.1"), address("2001:db8::1")]),
        ("int", vec![CqlValue::Int(i32::MIN), CqlValue::Int(i32::MAX)]),
        ("smallint", vec![CqlValue::SmallInt(i16::MIN)]),
        ("text", vec![CqlValue::Text("naïve ☃ 𐍈".into()), CqlValue::Text(String::new())]),
        ("time", vec![CqlValue::Time(CqlTime(0)), CqlValue::Time(CqlTime(86_399_999_999_999))]),
        (
            "timestamp",
            vec![
                CqlValue::Timestamp(CqlTimestamp(-4_860_000_000_004)),
                CqlValue::Timestamp(CqlTimestamp(i64::MAX)),
            ],
        ),
        (
            "timeuuid",
            vec![CqlValue::Timeuuid(CqlTimeuuid::from_u128(0x50554d6e_29bb_11e5_b345_feff819cdc9f))],
        ),
        ("tinyint", vec![CqlValue::TinyInt(i8::MIN)]),
        (
            "uuid",
            vec![
                CqlValue::Uuid(Uuid::nil()),
                CqlValue::Uuid(Uuid::from_u128(0xf47ac10b_58cc_4372_a567_0e02b2c3d479)),
            ],
        ),
        ("varint", vec![CqlValue::Varint(CqlVarint::from_signed_bytes_be(vec![0x80; 30]))]),
    ]
}

pub async fn natives(session: Arc<Session>) -> Outcome {
    for (cql_type, values) in native_values() {
        let name = format!("native_{cql_type}");
        table(&session, &name, &format!("k int PRIMARY KEY, v {cql_type}")).await?;
        let insert = session.prepare(format!("INSERT INTO {name} (k, v) VALUES (?, ?)")).await?;
        for (k, value) in values.iter().enumerate() {
            session.execute_unpaged(&insert, (k as i32, value)).await?;
            let rows = select(&session, &format!("SELECT v FROM {name} WHERE k = ?"), (k as i32,)).await?;
            assert_eq!(&rows.single_row::<(CqlValue,)>()?.0, value, "{cql_type}");
        }
        session.query_unpaged(format!("DROP TABLE {name}"), &[]).await?;
    }
    Ok(())
}

pub async fn nulls_and_unset(session: Arc<Session>) -> Outcome {
    table(&session, "nulls", "k int PRIMARY KEY, a text, b int, c list<int>").await?;
    let insert = "INSERT INTO nulls (k, a, b, c) VALUES (1, ?, ?, ?)";
    run(&session, insert, ("x", 1, vec![1])).await?;
    let unset = (MaybeUnset::<&str>::Unset, None::<i32>, MaybeUnset::Set(Vec::<i32>::new()));
    run(&session, insert, unset).await?;
    let rows = select(&session, "SELECT a, b, c FROM nulls WHERE k = 1", ()).await?;
    let row = rows.single_row::<(Option<String>, Option<i32>, Option<Vec<i32>>)>()?;
    assert_eq!(row, (Some("x".into()), None, None));
    Ok(())
}

pub async fn collections(session: Arc<Session>) -> Outcome {
    type Nested = BTreeMap<String, Vec<BTreeSet<i32>>>;
    table(
        &session,
        "collections",
        "k int PRIMARY KEY, l list<int>, s set<text>, m map<text, bigint>, f frozen<list<text>>, \
        n map<text, frozen<list<frozen<set<int>>>>>",
    )
    .await?;
    let l = vec![1, 2, 2];
    let s = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
    let m = HashMap::from([("x".to_owned(), -9_i64)]);
    let n: Nested = BTreeMap::from([("y".to_owned(), vec![BTreeSet::from([3, 1]), BTreeSet::new()])]);
    run(
        &session,
        "INSERT INTO collections (k, l, s, m, f, n) VALUES (1, ?, ?, ?, ?, ?)",
        (&l, &s, &m, Vec::<String>::new(), &n),
    )
    .await?;
    let rows = select(&session, "SELECT l, s, m, f, n FROM collections WHERE k = 1", ()).await?;
    let row =
        rows.single_row::<(Vec<i32>, BTreeSet<String>, HashMap<String, i64>, Option<Vec<String>>, Nested)>()?;
    assert_eq!(row, (l, s, m, Some(vec![]), n));
    run(
        &session,
        "UPDATE collections SET l = l + ?, s = s - ?, m[?] = ? WHERE k = 1",
        (vec![3], vec!["a"], "z", 1_i64),
    )
    .await?;
    let rows = select(&session, "SELECT l, s, m FROM collections WHERE k = 1", ()).await?;
    let (l, s, m) = rows.single_row::<(Vec<i32>, Vec<String>, BTreeMap<String, i64>)>()?;
    assert_eq!((l, s, m.len()), (vec![1, 2, 2, 3], vec!["b".to_owned()], 2));
    Ok(())
}

pub async fn tuples_and_vectors(session: Arc<Session>) -> Outcome {
    table(
        &session,
        "tuples",
        "k int PRIMARY KEY, t tuple<int, text, frozen<list<int>>>, v vector<float, 3>, w vector<text, 2>",
    )
    .await?;
    let t = (Some(1), None::<String>, Some(vec![4, 5]));
    let (v, w) = (vec![1.0_f32, -2.5, 0.0], vec!["a".to_owned(), "longer".to_owned()]);
    run(&session, "INSERT INTO tuples (k, t, v, w) VALUES (1, ?, ?, ?)", (&t, &v, &w)).await?;
    let rows = select(&session, "SELECT t, v, w FROM tuples WHERE k = 1", ()).await?;
    type Triple = (Option<i32>, Option<String>, Option<Vec<i32>>);
    assert_eq!(rows.single_row::<(Triple, Vec<f32>, Vec<String>)>()?, (t, v, w));
    Ok(())
}

#[derive(Debug, Clone, PartialEq, SerializeValue, DeserializeValue)]
struct Street {
    name: String,
    number: Option<i32>,
}

pub async fn user_types(session: Arc<Session>) -> Outcome {
    session.query_unpaged("CREATE TYPE IF NOT EXISTS street (name text, number int)", &[]).await?;
    table(&session, "homes", "k int PRIMARY KEY, a street, b frozen<street>, c list<frozen<street>>").await?;
    let main = Street { name: "Main".into(), number: Some(7) };
    let side = Street { name: "Side".into(), number: None };
    run(&session, "INSERT INTO homes (k, a, b, c) VALUES (1, ?, ?, ?)", (&main, &side, vec![&main, &side]))
        .await?;
    let rows = select(&session, "SELECT a, b, c FROM homes WHERE k = 1", ()).await?;
    let row = rows.single_row::<(Street, Street, Vec<Street>)>()?;
    assert_eq!(row, (main.clone(), side.clone(), vec![main.clone(), side]));
    run(&session, "UPDATE homes SET a.number = ? WHERE k = 1", (8,)).await?;
    let rows = select(&session, "SELECT a, a.number FROM homes WHERE k = 1", ()).await?;
    assert_eq!(rows.single_row::<(Street, i32)>()?, (Street { number: Some(8), ..main }, 8));
    Ok(())
}

pub async fn counters(session: Arc<Session>) -> Outcome {
    table(&session, "counts", "k text PRIMARY KEY, n counter").await?;
    let update = session.prepare("UPDATE counts SET n = n + ? WHERE k = ?").await?;
    for _ in 0..10 {
        session.execute_unpaged(&update, (Counter(3), "a")).await?;
    }
    let rows = select(&session, "SELECT n FROM counts WHERE k = ?", ("a",)).await?;
    assert_eq!(rows.single_row::<(Counter,)>()?.0.0, 30);
    Ok(())
}
