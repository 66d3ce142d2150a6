//! Writes that wait together, and share a commit.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use http::StatusCode;
use http::header::RETRY_AFTER;
use tidegate_core::service::{AllowedOrigins, Service, Settings};

use super::*;
use crate::metrics::{StoreMetrics, TOO_MANY_WRITES};
use crate::system::{SystemClock, SystemRandomness};

/// A store on the disk with a table `t`, and its counters.
async fn with_table(directory: &tempfile::TempDir, options: &SqliteOptions) -> (SqliteStore, StoreMetrics) {
    let metrics = StoreMetrics::default();
    let database = Database::File(directory.path().join("t.db"));
    let store = SqliteStore::measured(&database, options, metrics.clone()).unwrap();
    run(&store, "CREATE TABLE t (n INTEGER PRIMARY KEY, filling TEXT) STRICT").await;
    (store, metrics)
}

/// All of them side by side, each begun in this order.
async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        for (future, outcome) in &mut running {
            if outcome.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *outcome = Some(ready);
            }
        }
        if running.iter().all(|(_, outcome)| outcome.is_some()) {
            return Poll::Ready(running.iter_mut().filter_map(|(_, outcome)| outcome.take()).collect());
        }
        Poll::Pending
    })
    .await
}

/// Begins `writes` while the writer is busy, so that they wait together.
async fn waiting_together<T>(store: &SqliteStore, writes: impl Future<Output = T>) -> T {
    let (started, running) = mpsc::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let busy = store.writer.call(move |_| {
        started.send(()).unwrap();
        wait.recv_timeout(Duration::from_secs(10)).unwrap();
        Ok(vec![])
    });
    let others = async {
        tokio::task::block_in_place(|| running.recv_timeout(Duration::from_secs(10))).unwrap();
        let mut writes = pin!(writes);
        poll_fn(|context| {
            assert!(writes.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        go_on.send(()).unwrap();
        writes.await
    };
    let (busy, outcome) = tokio::join!(biased; busy, others);
    assert_eq!(busy, Ok(vec![]));
    outcome
}

async fn insert(store: &SqliteStore, n: i64) -> Result<Vec<Vec<SqlValue>>, SqlError> {
    store.write("INSERT INTO t (n) VALUES (?1)", vec![SqlValue::Integer(n)]).await
}

async fn fill(store: &SqliteStore, n: i64, bytes: usize) -> Result<Vec<Vec<SqlValue>>, SqlError> {
    let parameters = vec![SqlValue::Integer(n), text(&"x".repeat(bytes))];
    store.write("INSERT INTO t (n, filling) VALUES (?1, ?2)", parameters).await
}

/// What `t` holds.
async fn stored(store: &SqliteStore) -> Vec<i64> {
    let rows = store.read("SELECT n FROM t ORDER BY n", vec![]).await.unwrap();
    rows.iter()
        .map(|row| match row[0] {
            SqlValue::Integer(n) => n,
            ref other => panic!("not a number: {other:?}"),
        })
        .collect()
}

fn is_unavailable<T>(outcome: &Result<T, SqlError>) -> bool {
    matches!(outcome, Err(SqlError::Unavailable(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_wait_share_a_commit_in_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let (store, metrics) = with_table(&directory, &SqliteOptions::default()).await;
    let (commits, writes) = metrics.commits();
    let place = |n| {
        let statement = "INSERT INTO t (n) VALUES (?1) RETURNING (SELECT count(*) FROM t)";
        store.write(statement, vec![SqlValue::Integer(n)])
    };
    let places = waiting_together(&store, all((1..=100).map(|n| place(-n)))).await;
    for (n, rows) in (1..).zip(places) {
        assert_eq!(rows, Ok(vec![vec![SqlValue::Integer(n)]]));
    }
    // The one that kept the writer busy had its own.
    assert_eq!(metrics.commits(), (commits + 2.0, writes + 101.0));
    assert_eq!(metrics.waiting(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let (store, metrics) = with_table(&directory, &SqliteOptions::default()).await;
    let (commits, _) = metrics.commits();
    // One more than fits, and the one that keeps the writer busy.
    let outcomes = waiting_together(&store, all((0..257).map(|n| insert(&store, n)))).await;
    assert_eq!(outcomes, vec![Ok(vec![]); 257]);
    assert_eq!(metrics.commits().0, commits + 3.0);

    // A large one among small ones has a commit to itself.
    let sizes = [10, 10, 2 * 1024 * 1024, 10, 10];
    let large = (1000..).zip(sizes).map(|(n, size)| fill(&store, n, size));
    assert_eq!(waiting_together(&store, all(large)).await, vec![Ok(vec![]); 5]);
    assert_eq!(metrics.commits().0, commits + 3.0 + 4.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_in_a_group_leaves_nothing_behind_and_the_others_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (store, metrics) = with_table(&directory, &SqliteOptions::default()).await;
    let (commits, _) = metrics.commits();
    let group = async {
        tokio::join!(biased;
            insert(&store, 1),
            insert(&store, 1),
            // Fails at its second row.
            store.write("INSERT INTO t (n) SELECT value FROM json_each('[2,1]')", vec![]),
            // Fails when it has done its work, and nobody can be told what it returns.
            store.write("INSERT INTO t (n) VALUES (3) RETURNING 0.5", vec![]),
            store.writer.call(|connection| {
                connection.execute("INSERT INTO t (n) VALUES (4)", []).unwrap();
                panic!("on purpose");
            }),
            store.write("nonsense", vec![]),
            insert(&store, 5),
        )
    };
    let (one, again, two, half, panicked, nonsense, five) = waiting_together(&store, group).await;
    assert_eq!((one, five), (Ok(vec![]), Ok(vec![])));
    for refused in [again, two] {
        assert_eq!(refused, Err(SqlError::Refused("UNIQUE constraint failed: t.n".into())));
    }
    for failed in [half, panicked, nonsense] {
        assert!(is_unavailable(&failed), "{failed:?}");
    }
    assert_eq!(stored(&store).await, [1, 5]);
    assert_eq!(metrics.commits().0, commits + 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_fails_is_everybodys_answer() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = with_table(&directory, &SqliteOptions::default()).await;
    run(&store, "CREATE TABLE child (n INTEGER REFERENCES t DEFERRABLE INITIALLY DEFERRED) STRICT").await;
    let group = async {
        tokio::join!(biased;
            insert(&store, 1),
            // Of a row that would not be there either.
            insert(&store, 1),
            // What only the commit notices.
            store.write("INSERT INTO child VALUES (2)", vec![]),
            insert(&store, 3),
        )
    };
    let (one, again, child, three) = waiting_together(&store, group).await;
    for outcome in [one, again, child, three] {
        let undone = "the transaction was undone: FOREIGN KEY constraint failed";
        assert_eq!(outcome, Err(SqlError::Unavailable(undone.into())));
    }
    assert!(stored(&store).await.is_empty());
    // And the writer goes on.
    assert_eq!(insert(&store, 4).await, Ok(vec![]));
    assert_eq!(stored(&store).await, [4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shared_a_transaction_that_is_lost_is_told_and_the_rest_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = with_table(&directory, &SqliteOptions::default()).await;
    insert(&store, 1).await.unwrap();
    let group = async {
        tokio::join!(biased;
            insert(&store, 2),
            store.write("INSERT OR ROLLBACK INTO t (n) VALUES (1)", vec![]),
            insert(&store, 3),
        )
    };
    let (two, rollback, three) = waiting_together(&store, group).await;
    for lost in [two, rollback] {
        let undone = "the transaction was undone: UNIQUE constraint failed: t.n";
        assert_eq!(lost, Err(SqlError::Unavailable(undone.into())));
    }
    assert_eq!(three, Ok(vec![]));
    assert_eq!(stored(&store).await, [1, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_truthfully() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = with_table(&directory, &SqliteOptions::default()).await;
    store
        .writer
        .call(|connection| {
            let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
            connection.pragma_update(None, "max_page_count", pages + 20).unwrap();
            Ok(vec![])
        })
        .await
        .unwrap();
    // Some fit, some do not.
    let sizes = [10, 30_000, 10, 90_000, 10, 30_000, 30_000, 10];
    let writes = (0..).zip(sizes).map(|(n, size)| fill(&store, n, size));
    let outcomes = waiting_together(&store, all(writes)).await;
    let done: Vec<i64> = (0..).zip(&outcomes).filter(|(_, one)| one.is_ok()).map(|(n, _)| n).collect();
    assert!(outcomes.iter().all(|outcome| outcome.is_ok() || is_unavailable(outcome)), "{outcomes:?}");
    assert!(is_unavailable(&outcomes[3]) && outcomes[7].is_ok(), "{outcomes:?}");
    assert_eq!(stored(&store).await, done);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_bounded_in_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions { write_queue_bytes: 10_000, ..SqliteOptions::default() };
    let (store, metrics) = with_table(&directory, &options).await;
    let group = async {
        tokio::join!(biased;
            fill(&store, 1, 6_000),
            fill(&store, 2, 6_000),
            fill(&store, 3, 1_000),
            async { metrics.waiting() },
        )
    };
    let (one, two, three, (writes, bytes)) = waiting_together(&store, group).await;
    assert_eq!((one, three), (Ok(vec![]), Ok(vec![])));
    assert_eq!(two, Err(SqlError::Busy(TOO_MANY_WRITES.into())));
    assert_eq!(writes, 2);
    assert!((7_000..7_500).contains(&bytes), "{bytes}");
    // What is larger than the room can still be written, alone.
    assert_eq!(fill(&store, 4, 100_000).await, Ok(vec![]));
    assert_eq!(metrics.waiting(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_a_503_that_says_when_to_come_back() {
    let options = SqliteOptions { write_queue: 1, ..SqliteOptions::default() };
    let store = SqliteStore::open(&Database::Memory, &options).unwrap();
    let settings = Settings { admin_token: "admin".to_owned(), allowed_origins: AllowedOrigins::default() };
    let service = Service::new(store, SystemClock, SystemRandomness, settings);
    service.migrate().await.unwrap();
    let create = async |name: &str| {
        let request = http::Request::post("/api/v1/groups")
            .header("authorization", "Bearer admin")
            .header("content-type", "application/json");
        let (request, ()) = request.body(()).unwrap().into_parts();
        let mut body = Bytes::from(format!(r#"{{"prefix": "{name}", "name": "{name}"}}"#));
        service.handle(request, &mut body).await
    };
    let both = async { tokio::join!(biased; create("first"), create("second")) };
    let (first, second) = waiting_together(service.sql(), both).await;
    assert_eq!(first.status(), StatusCode::CREATED);
    assert_eq!(second.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(second.headers()[RETRY_AFTER], "1");
    let text = std::str::from_utf8(second.body()).unwrap();
    assert!(text.contains("nothing of this request has taken effect"), "{text}");
}
