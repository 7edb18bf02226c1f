//! The program that uses Helenus through the Rust driver `scylla`.
//!
//! `HELENUS_HOST` and `HELENUS_PORT` say where the node is. Last line: `rust: N passed, N failed`.
//!
//! Read in order: [`main`] (the list of tests), `values` (types), `reads` (paging, slices),
//! `writes` (batches, conditions, clocks), `schema` (metadata, events, errors).

mod reads;
mod schema;
mod values;
mod writes;

use std::env;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::response::query_result::QueryRowsResult;
use scylla::serialize::row::SerializeRow;

pub const KEYSPACE: &str = "client_rust";

pub type Outcome = Result<(), Box<dyn Error + Send + Sync>>;
type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;
type Test = (&'static str, fn(Arc<Session>) -> Running);

macro_rules! tests {
    ($($module:ident :: $name:ident),* $(,)?) => {
        vec![$((concat!(stringify!($module), "::", stringify!($name)), |session| Box::pin($module::$name(session)))),*]
    };
}

pub fn node() -> String {
    let host = env::var("HELENUS_HOST").unwrap_or_else(|_| "127.0.0.1".to_owned());
    let port = env::var("HELENUS_PORT").unwrap_or_else(|_| "9042".to_owned());
    format!("{host}:{port}")
}

pub async fn connect() -> Result<Session, Box<dyn Error + Send + Sync>> {
    Ok(SessionBuilder::new().known_node(node()).connection_timeout(Duration::from_secs(10)).build().await?)
}

/// A fresh, empty table.
pub async fn table(session: &Session, name: &str, columns: &str) -> Outcome {
    session.query_unpaged(format!("DROP TABLE IF EXISTS {name}"), &[]).await?;
    session.query_unpaged(format!("CREATE TABLE {name} ({columns})"), &[]).await?;
    Ok(())
}

/// Prepares and executes; the result must have rows.
pub async fn select(
    session: &Session,
    query: &str,
    values: impl SerializeRow,
) -> Result<QueryRowsResult, Box<dyn Error + Send + Sync>> {
    let prepared = session.prepare(query).await?;
    Ok(session.execute_unpaged(&prepared, values).await?.into_rows_result()?)
}

/// Prepares and executes a statement without rows.
pub async fn run(session: &Session, query: &str, values: impl SerializeRow) -> Outcome {
    let prepared = session.prepare(query).await?;
    session.execute_unpaged(&prepared, values).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Outcome {
    let tests: Vec<Test> = tests![
        values::natives,
        values::nulls_and_unset,
        values::collections,
        values::tuples_and_vectors,
        values::user_types,
        values::counters,
        reads::pages_of_every_size,
        reads::a_page_state_is_resumed_by_another_session,
        reads::slices_order_and_limits,
        reads::statics,
        reads::token_ranges,
        reads::many_requests_in_flight,
        writes::batches,
        writes::insert_if_not_exists,
        writes::update_and_delete_if,
        writes::ttl_and_timestamps,
        writes::values_by_name,
        schema::the_node_is_known,
        schema::metadata,
        schema::another_session_sees_a_schema_change,
        schema::errors,
        schema::unavailable,
        schema::tracing,
    ];
    let session = Arc::new(connect().await?);
    let replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
    session.query_unpaged(format!("DROP KEYSPACE IF EXISTS {KEYSPACE}"), &[]).await?;
    session
        .query_unpaged(format!("CREATE KEYSPACE {KEYSPACE} WITH replication = {replication}"), &[])
        .await?;
    session.use_keyspace(KEYSPACE, false).await?;

    let (mut passed, mut failed) = (0, 0);
    for (name, test) in tests {
        let outcome = tokio::spawn(test(Arc::clone(&session))).await;
        match outcome {
            Ok(Ok(())) => {
                passed += 1;
                println!("ok     {name}");
            }
            Ok(Err(error)) => {
                failed += 1;
                println!("FAILED {name}: {error}");
            }
            Err(panic) => {
                failed += 1;
                println!("FAILED {name}: {panic}");
            }
        }
    }
    session.query_unpaged(format!("DROP KEYSPACE IF EXISTS {KEYSPACE}"), &[]).await?;
    println!("rust: {passed} passed, {failed} failed");
    if failed > 0 { Err("some tests failed".into()) } else { Ok(()) }
}
