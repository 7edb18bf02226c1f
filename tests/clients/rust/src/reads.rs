//! Paging, slices, static columns, token ranges, requests side by side.

use std::ops::ControlFlow;
use std::sync::Arc;

use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use scylla::client::session::Session;
use scylla::response::PagingState;

use crate::{KEYSPACE, Outcome, connect, run, select, table};

const PARTITIONS: i32 = 10;
const ROWS: i32 = 200;

async fn fill_pages(session: &Session) -> Outcome {
    table(session, "pages", "p int, c int, v text, PRIMARY KEY (p, c)").await?;
    let insert = session.prepare("INSERT INTO pages (p, c, v) VALUES (?, ?, ?)").await?;
    let insert = &insert;
    let keys = (0..PARTITIONS).flat_map(|p| (0..ROWS).map(move |c| (p, c)));
    stream::iter(keys.map(Ok))
        .try_for_each_concurrent(100, |(p, c)| async move {
            session.execute_unpaged(insert, (p, c, format!("{p}/{c}"))).await.map(drop)
        })
        .await?;
    Ok(())
}

pub async fn pages_of_every_size(session: Arc<Session>) -> Outcome {
    fill_pages(&session).await?;
    for size in [1, 7, 199, 200, 201, 2000, 5000] {
        let mut prepared = session.prepare("SELECT p, c, v FROM pages WHERE p IN (1, 2)").await?;
        let want = if size == 1 { 2 * ROWS } else { PARTITIONS * ROWS };
        if size > 1 {
            prepared = session.prepare("SELECT p, c, v FROM pages").await?;
        }
        prepared.set_page_size(size);
        let mut rows = session.execute_iter(prepared, ()).await?.rows_stream::<(i32, i32, String)>()?;
        let mut seen = std::collections::HashSet::new();
        while let Some(row) = rows.next().await {
            let (p, c, v) = row?;
            assert_eq!(v, format!("{p}/{c}"));
            assert!(seen.insert((p, c)), "{p}/{c} came twice with pages of {size}");
        }
        assert_eq!(seen.len(), want as usize, "pages of {size}");
    }
    Ok(())
}

pub async fn a_page_state_is_resumed_by_another_session(session: Arc<Session>) -> Outcome {
    let other = connect().await?;
    other.use_keyspace(KEYSPACE, false).await?;
    let sessions = [&*session, &other];
    let (mut state, mut seen, mut turn) = (PagingState::start(), Vec::new(), 0);
    loop {
        let mut prepared = sessions[turn % 2].prepare("SELECT c FROM pages WHERE p = 3").await?;
        prepared.set_page_size(30);
        let (page, next) = sessions[turn % 2].execute_single_page(&prepared, (), state).await?;
        for row in page.into_rows_result()?.rows::<(i32,)>()? {
            seen.push(row?.0);
        }
        match next.into_paging_control_flow() {
            ControlFlow::Break(()) => break,
            ControlFlow::Continue(following) => state = following,
        }
        turn += 1;
    }
    assert_eq!(seen, (0..ROWS).collect::<Vec<_>>());
    Ok(())
}

async fn column(
    session: &Session,
    query: &str,
) -> Result<Vec<i32>, Box<dyn std::error::Error + Send + Sync>> {
    let rows = select(session, query, ()).await?;
    Ok(rows.rows::<(i32,)>()?.map(|row| row.map(|(c,)| c)).collect::<Result<_, _>>()?)
}

pub async fn slices_order_and_limits(session: Arc<Session>) -> Outcome {
    for (query, want) in [
        ("SELECT c FROM pages WHERE p = 1 AND c >= 5 AND c < 8", vec![5, 6, 7]),
        ("SELECT c FROM pages WHERE p = 1 ORDER BY c DESC LIMIT 3", vec![199, 198, 197]),
        ("SELECT c FROM pages WHERE p = 1 AND c IN (7, 3, 500)", vec![3, 7]),
        ("SELECT c FROM pages WHERE p = 1 AND (c) > (197)", vec![198, 199]),
        ("SELECT p FROM pages WHERE c = 199 AND p = 9", vec![9]),
    ] {
        assert_eq!(column(&session, query).await?, want, "{query}");
    }
    assert_eq!(column(&session, "SELECT c FROM pages PER PARTITION LIMIT 2").await?.len(), 20);
    let count = select(&session, "SELECT count(*) FROM pages", ()).await?;
    assert_eq!(count.single_row::<(i64,)>()?.0, 2000);
    let two = select(&session, "SELECT c FROM pages WHERE p IN ? AND c = ?", (vec![1, 2, 77], 5)).await?;
    assert_eq!(two.rows_num(), 2);
    Ok(())
}

pub async fn statics(session: Arc<Session>) -> Outcome {
    table(&session, "statics", "p int, c int, s text static, v int, PRIMARY KEY (p, c)").await?;
    run(&session, "INSERT INTO statics (p, c, s, v) VALUES (?, ?, ?, ?)", (1, 1, "shared", 10)).await?;
    run(&session, "INSERT INTO statics (p, c, v) VALUES (?, ?, ?)", (1, 2, 20)).await?;
    run(&session, "INSERT INTO statics (p, s) VALUES (?, ?)", (2, "alone")).await?;
    let rows = select(&session, "SELECT c, s, v FROM statics WHERE p = ?", (1,)).await?;
    let rows = rows.rows::<(i32, String, i32)>()?.collect::<Result<Vec<_>, _>>()?;
    assert_eq!(rows, [(1, "shared".to_owned(), 10), (2, "shared".to_owned(), 20)]);
    let lonely = select(&session, "SELECT c, s FROM statics WHERE p = ?", (2,)).await?;
    assert_eq!(lonely.single_row::<(Option<i32>, String)>()?, (None, "alone".to_owned()));
    assert_eq!(select(&session, "SELECT DISTINCT p, s FROM statics", ()).await?.rows_num(), 2);
    Ok(())
}

pub async fn token_ranges(session: Arc<Session>) -> Outcome {
    let all = select(&session, "SELECT DISTINCT token(p), p FROM pages", ()).await?;
    let all = all.rows::<(i64, i32)>()?.collect::<Result<Vec<_>, _>>()?;
    assert!(all.is_sorted(), "partitions come in token order");
    let insert = session.prepare("INSERT INTO pages (p, c) VALUES (?, ?)").await?;
    let mut found = Vec::new();
    for pair in all.windows(2) {
        let (low, high) = (pair[0].0, pair[1].0);
        let rows = select(
            &session,
            "SELECT DISTINCT p FROM pages WHERE token(p) > ? AND token(p) <= ?",
            (low, high),
        )
        .await?;
        found.push(rows.single_row::<(i32,)>()?.0);
        let computed = insert.calculate_token(&(pair[1].1, 0))?.expect("the key is known");
        assert_eq!(computed.value(), high, "the driver's token for {}", pair[1].1);
    }
    assert_eq!(found, all[1..].iter().map(|(_, p)| *p).collect::<Vec<_>>());
    Ok(())
}

pub async fn many_requests_in_flight(session: Arc<Session>) -> Outcome {
    table(&session, "busy", "k int PRIMARY KEY, v int").await?;
    let insert = session.prepare("INSERT INTO busy (k, v) VALUES (?, ?)").await?;
    try_join_all((0..1000).map(|k| session.execute_unpaged(&insert, (k, k * k)))).await?;
    let query = session.prepare("SELECT k, v FROM busy WHERE k = ?").await?;
    for (k, result) in
        try_join_all((0..1000).map(|k| session.execute_unpaged(&query, (k,)))).await?.into_iter().enumerate()
    {
        let k = k as i32;
        assert_eq!(result.into_rows_result()?.single_row::<(i32, i32)>()?, (k, k * k));
    }
    Ok(())
}
