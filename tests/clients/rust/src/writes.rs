//! Batches, lightweight transactions, TTL, timestamps, values by name.

use std::collections::HashMap;
use std::sync::Arc;

use scylla::client::session::Session;
use scylla::statement::SerialConsistency;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::unprepared::Statement;
use scylla::value::{Counter, CqlValue, Row};

use crate::{Outcome, run, select, table};

pub async fn batches(session: Arc<Session>) -> Outcome {
    table(&session, "batched", "k int PRIMARY KEY, v text").await?;
    let insert = session.prepare("INSERT INTO batched (k, v) VALUES (?, ?)").await?;
    for (kind, base) in [(BatchType::Logged, 0), (BatchType::Unlogged, 10)] {
        let mut batch = Batch::new(kind);
        batch.append_statement(insert.clone());
        batch.append_statement("INSERT INTO batched (k, v) VALUES (?, 'text')");
        batch.append_statement("INSERT INTO batched (k, v) VALUES (99, 'plain')");
        session.batch(&batch, ((base + 1, "a"), (base + 2,), ())).await?;
    }
    assert_eq!(select(&session, "SELECT k FROM batched", ()).await?.rows_num(), 5);

    table(&session, "totals", "k int PRIMARY KEY, n counter").await?;
    let add = session.prepare("UPDATE totals SET n = n + ? WHERE k = ?").await?;
    let mut batch = Batch::new(BatchType::Counter);
    batch.append_statement(add.clone());
    batch.append_statement(add);
    session.batch(&batch, ((Counter(2), 1), (Counter(5), 1))).await?;
    let rows = select(&session, "SELECT n FROM totals WHERE k = 1", ()).await?;
    assert_eq!(rows.single_row::<(Counter,)>()?.0.0, 7);
    Ok(())
}

/// The only row of a conditional statement's answer, by column name.
async fn condition(
    session: &Session,
    query: &str,
) -> Result<HashMap<String, Option<CqlValue>>, Box<dyn std::error::Error + Send + Sync>> {
    let mut statement = Statement::new(query);
    statement.set_serial_consistency(Some(SerialConsistency::LocalSerial));
    let rows = session.query_unpaged(statement, &[]).await?.into_rows_result()?;
    let names: Vec<String> = rows.column_specs().iter().map(|spec| spec.name().to_owned()).collect();
    let row = rows.single_row::<Row>()?;
    Ok(names.into_iter().zip(row.columns).collect())
}

fn applied(yes: bool) -> (String, Option<CqlValue>) {
    ("[applied]".to_owned(), Some(CqlValue::Boolean(yes)))
}

pub async fn insert_if_not_exists(session: Arc<Session>) -> Outcome {
    table(&session, "accounts", "id int PRIMARY KEY, owner text, balance int").await?;
    let insert = "INSERT INTO accounts (id, owner, balance) VALUES (1, 'Ada', 10) IF NOT EXISTS";
    assert_eq!(condition(&session, insert).await?, HashMap::from([applied(true)]));
    let old = HashMap::from([
        applied(false),
        ("id".to_owned(), Some(CqlValue::Int(1))),
        ("owner".to_owned(), Some(CqlValue::Text("Ada".into()))),
        ("balance".to_owned(), Some(CqlValue::Int(10))),
    ]);
    assert_eq!(condition(&session, insert).await?, old);
    let prepared =
        select(&session, "INSERT INTO accounts (id, owner) VALUES (?, ?) IF NOT EXISTS", (1, "Bob")).await?;
    assert_eq!(prepared.single_row::<(bool, i32, i32, String)>()?, (false, 1, 10, "Ada".to_owned()));
    Ok(())
}

pub async fn update_and_delete_if(session: Arc<Session>) -> Outcome {
    let update = "UPDATE accounts SET balance = 20 WHERE id = 1 IF balance = 10";
    assert_eq!(condition(&session, update).await?, HashMap::from([applied(true)]));
    let stale = HashMap::from([applied(false), ("balance".to_owned(), Some(CqlValue::Int(20)))]);
    assert_eq!(condition(&session, update).await?, stale);
    let missing = "UPDATE accounts SET balance = 20 WHERE id = 7 IF EXISTS";
    assert_eq!(condition(&session, missing).await?, HashMap::from([applied(false)]));
    let delete = "DELETE FROM accounts WHERE id = 1 IF EXISTS";
    assert_eq!(condition(&session, delete).await?, HashMap::from([applied(true)]));
    assert_eq!(condition(&session, delete).await?, HashMap::from([applied(false)]));
    Ok(())
}

pub async fn ttl_and_timestamps(session: Arc<Session>) -> Outcome {
    table(&session, "aged", "k int PRIMARY KEY, v text, w text").await?;
    run(&session, "INSERT INTO aged (k, v) VALUES (1, 'x') USING TTL ? AND TIMESTAMP ?", (1000, 123_456_i64))
        .await?;
    let rows = select(&session, "SELECT ttl(v), writetime(v), ttl(w) FROM aged WHERE k = 1", ()).await?;
    let (ttl, written, none) = rows.single_row::<(i32, i64, Option<i32>)>()?;
    assert!((900..=1000).contains(&ttl) && written == 123_456 && none.is_none());
    let mut insert = session.prepare("INSERT INTO aged (k, v) VALUES (2, ?)").await?;
    insert.set_timestamp(Some(777));
    session.execute_unpaged(&insert, ("y",)).await?;
    let rows = select(&session, "SELECT writetime(v) FROM aged WHERE k = 2", ()).await?;
    assert_eq!(rows.single_row::<(i64,)>()?.0, 777);
    Ok(())
}

pub async fn values_by_name(session: Arc<Session>) -> Outcome {
    table(&session, "named", "k int PRIMARY KEY, v text, w text").await?;
    let values = HashMap::from([("key", CqlValue::Int(1)), ("value", CqlValue::Text("x".into()))]);
    run(&session, "INSERT INTO named (k, v, w) VALUES (:key, :value, :value)", values).await?;
    let rows = select(&session, "SELECT v, w FROM named WHERE k = 1", ()).await?;
    assert_eq!(rows.single_row::<(String, String)>()?, ("x".to_owned(), "x".to_owned()));
    Ok(())
}
