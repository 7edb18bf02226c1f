//! What the driver learns of node and schema, schema events, errors, tracing.

use std::sync::Arc;
use std::time::Duration;

use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::cluster::metadata::{ColumnKind, ColumnType, NativeType, Strategy};
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};
use scylla::policies::retry::FallthroughRetryPolicy;
use scylla::statement::Consistency;
use scylla::statement::unprepared::Statement;

use crate::{KEYSPACE, Outcome, node, run, table};

pub async fn the_node_is_known(session: Arc<Session>) -> Outcome {
    let state = session.get_cluster_state();
    let [node] = state.get_nodes_info() else { panic!("one node, not {}", state.get_nodes_info().len()) };
    assert_eq!((node.datacenter.as_deref(), node.rack.as_deref()), (Some("datacenter1"), Some("rack1")));
    assert!(state.get_keyspace("system_schema").is_some());
    let replicas = state.get_token_endpoints(KEYSPACE, "pages", scylla::routing::Token::new(42));
    assert_eq!(replicas.len(), 1);
    session.await_schema_agreement().await?;
    Ok(())
}

pub async fn metadata(session: Arc<Session>) -> Outcome {
    table(
        &session,
        "described",
        "p1 int, p2 text, c1 timestamp, c2 int, s int static, \
        v map<text, frozen<list<int>>>, w vector<float, 3>, PRIMARY KEY ((p1, p2), c1, c2)",
    )
    .await?;
    session.query_unpaged("CREATE TYPE IF NOT EXISTS street (name text, number int)", &[]).await?;
    session.refresh_metadata().await?;
    let state = session.get_cluster_state();
    let keyspace = state.get_keyspace(KEYSPACE).expect("our keyspace");
    assert!(
        matches!(keyspace.strategy, Strategy::SimpleStrategy { replication_factor: 1 }),
        "{:?}",
        keyspace.strategy
    );
    let described = &keyspace.tables["described"];
    assert_eq!(described.partition_key, ["p1", "p2"]);
    assert_eq!(described.clustering_key, ["c1", "c2"]);
    assert_eq!(described.columns.len(), 7);
    assert!(matches!(described.columns["s"].kind, ColumnKind::Static));
    assert_eq!(described.columns["p2"].typ, ColumnType::Native(NativeType::Text));
    assert!(matches!(described.columns["w"].typ, ColumnType::Vector { dimensions: 3, .. }));
    let street = &keyspace.user_defined_types["street"];
    let fields: Vec<_> = street.field_types.iter().map(|(name, _)| name.as_ref()).collect();
    assert_eq!(fields, ["name", "number"]);
    Ok(())
}

/// The driver re-reads, at each refresh, only the keyspaces that SCHEMA_CHANGE events have named.
pub async fn another_session_sees_a_schema_change(session: Arc<Session>) -> Outcome {
    let watcher = SessionBuilder::new()
        .known_node(node())
        .cluster_metadata_refresh_interval(Duration::from_millis(500))
        .build()
        .await?;
    table(&session, "announced", "k int PRIMARY KEY").await?;
    for _ in 0..100 {
        let state = watcher.get_cluster_state();
        if state.get_keyspace(KEYSPACE).is_some_and(|keyspace| keyspace.tables.contains_key("announced")) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err("the watcher did not hear of the new table within 10 s".into())
}

fn database_error(error: ExecutionError) -> (DbError, String) {
    match error {
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, text)) => (error, text),
        other => panic!("not an error of the server: {other:?}"),
    }
}

async fn refused(session: &Session, query: &str) -> (DbError, String) {
    database_error(session.query_unpaged(query, &[]).await.expect_err(query))
}

pub async fn errors(session: Arc<Session>) -> Outcome {
    assert_eq!(refused(&session, "SELEKT 1").await.0, DbError::SyntaxError);
    let (error, text) = refused(&session, "SELECT * FROM nothing").await;
    assert_eq!((error, text.as_str()), (DbError::Invalid, "table nothing does not exist"));
    let exists = DbError::AlreadyExists { keyspace: KEYSPACE.into(), table: "announced".into() };
    assert_eq!(refused(&session, "CREATE TABLE announced (k int PRIMARY KEY)").await.0, exists);
    assert_eq!(refused(&session, "DROP TABLE system.local").await.0, DbError::Unauthorized);
    let bad = "CREATE KEYSPACE bad WITH replication = {'class': 'NoSuchStrategy'}";
    assert_eq!(refused(&session, bad).await.0, DbError::ConfigError);
    assert!(session.prepare("SELECT nothing FROM announced").await.is_err());
    run(&session, "INSERT INTO announced (k) VALUES (?)", (1,)).await
}

pub async fn unavailable(session: Arc<Session>) -> Outcome {
    let name = format!("{KEYSPACE}_rf3");
    session.query_unpaged(format!("DROP KEYSPACE IF EXISTS {name}"), &[]).await?;
    let created = session
        .query_unpaged(format!("CREATE KEYSPACE {name} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 3}}"), &[])
        .await?;
    assert!(
        created.warnings().any(|text| text.contains("higher than the number of nodes 1")),
        "a warning comes with it"
    );
    session.query_unpaged(format!("CREATE TABLE {name}.t (k int PRIMARY KEY)"), &[]).await?;
    let mut statement = Statement::new(format!("INSERT INTO {name}.t (k) VALUES (1)"));
    statement.set_consistency(Consistency::Quorum);
    statement.set_retry_policy(Some(Arc::new(FallthroughRetryPolicy::new())));
    let (error, _) =
        database_error(session.query_unpaged(statement, &[]).await.expect_err("RF 3 on one node"));
    assert_eq!(error, DbError::Unavailable { consistency: Consistency::Quorum, required: 2, alive: 1 });
    session.query_unpaged(format!("DROP KEYSPACE {name}"), &[]).await?;
    Ok(())
}

pub async fn tracing(session: Arc<Session>) -> Outcome {
    let mut statement = Statement::new("SELECT * FROM announced WHERE k = 1");
    statement.set_tracing(true);
    let id = session.query_unpaged(statement, &[]).await?.tracing_id().expect("a tracing id");
    let trace = session.get_tracing_info(&id).await?;
    assert_eq!(trace.request.as_deref(), Some("Execute CQL3 query"));
    assert!(!trace.events.is_empty());
    Ok(())
}
