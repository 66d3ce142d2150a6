mod groups;
mod readers;

use std::sync::mpsc;
use std::time::Duration;

use tidegate_core::service::{Sql, SqlError, SqlValue};

use super::{SqliteOptions, SqliteStore};
use crate::config::Database;

fn text(text: &str) -> SqlValue {
    SqlValue::Text(text.into())
}

fn in_memory() -> SqliteStore {
    SqliteStore::open(&Database::Memory, &SqliteOptions::default()).unwrap()
}

fn on_disk(directory: &tempfile::TempDir, options: &SqliteOptions) -> SqliteStore {
    SqliteStore::open(&Database::File(directory.path().join("t.db")), options).unwrap()
}

async fn run(store: &SqliteStore, statement: &str) -> Vec<Vec<SqlValue>> {
    store.write(statement, vec![]).await.unwrap()
}

async fn count(store: &SqliteStore, table: &str) -> i64 {
    let rows = store.read(&format!("SELECT count(*) FROM {table}"), vec![]).await.unwrap();
    match rows[0][0] {
        SqlValue::Integer(count) => count,
        ref other => panic!("not a count: {other:?}"),
    }
}

#[tokio::test]
async fn values_come_back_as_they_went_in() {
    let store = in_memory();
    let values = vec![
        SqlValue::Null,
        SqlValue::Integer(i64::MIN),
        text("ebb 🌊 \0 flow"),
        SqlValue::Blob(vec![0, 255]),
    ];
    assert_eq!(store.read("SELECT ?1, ?2, ?3, ?4", values.clone()).await, Ok(vec![values]));
}

#[tokio::test]
async fn returning_and_window_functions_are_there() {
    let store = in_memory();
    run(&store, "CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT").await;
    let rows = store
        .write(
            "INSERT INTO t SELECT value FROM json_each(?1) WHERE true RETURNING n * 10",
            vec![text("[1,2,3]")],
        )
        .await;
    let tens = [10, 20, 30].map(|n| vec![SqlValue::Integer(n)]);
    assert_eq!(rows.unwrap(), tens);
    let rows = store.read("SELECT sum(n) OVER (ORDER BY n) FROM t", vec![]).await.unwrap();
    assert_eq!(rows, [1, 3, 6].map(|n| vec![SqlValue::Integer(n)]));
}

#[tokio::test]
async fn a_refusal_is_not_an_outage() {
    let store = in_memory();
    run(&store, "CREATE TABLE t (n INTEGER NOT NULL UNIQUE CHECK (n < 10)) STRICT").await;
    run(&store, "INSERT INTO t VALUES (1)").await;
    for (statement, message) in [
        ("INSERT INTO t VALUES (1)", "UNIQUE constraint failed: t.n"),
        ("INSERT INTO t VALUES (NULL)", "NOT NULL constraint failed: t.n"),
        ("INSERT INTO t VALUES (10)", "CHECK constraint failed: n < 10"),
    ] {
        assert_eq!(
            store.write(statement, vec![]).await,
            Err(SqlError::Refused(message.into())),
            "{statement}"
        );
    }
    for statement in ["INSERT INTO nowhere VALUES (1)", "nonsense"] {
        let outcome = store.write(statement, vec![]).await;
        assert!(matches!(outcome, Err(SqlError::Unavailable(_))), "{statement}: {outcome:?}");
    }
    assert_eq!(count(&store, "t").await, 1);
}

#[tokio::test]
async fn a_read_never_writes() {
    let directory = tempfile::tempdir().unwrap();
    for store in [in_memory(), on_disk(&directory, &SqliteOptions::default())] {
        run(&store, "CREATE TABLE t (n INTEGER) STRICT").await;
        for statement in ["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1) RETURNING n"] {
            let outcome = store.read(statement, vec![]).await;
            assert!(matches!(outcome, Err(SqlError::Unavailable(_))), "{outcome:?}");
        }
        assert_eq!(count(&store, "t").await, 0);
    }
}

#[tokio::test]
async fn a_statement_that_its_trigger_aborts_leaves_nothing_behind() {
    let store = in_memory();
    for statement in [
        "CREATE TABLE scopes (name TEXT PRIMARY KEY, revision INTEGER NOT NULL) STRICT",
        "CREATE TABLE states (id TEXT PRIMARY KEY) STRICT",
        "CREATE TABLE commits (scope TEXT, revision INTEGER, plan TEXT) STRICT",
        "CREATE TRIGGER apply AFTER INSERT ON commits BEGIN
           INSERT INTO states SELECT value FROM json_each(new.plan) WHERE true;
           UPDATE scopes SET revision = revision + 1
             WHERE name = new.scope AND revision = new.revision;
           SELECT RAISE(ABORT, 'stale revision') WHERE changes() = 0;
         END",
        "INSERT INTO scopes VALUES ('a', 7)",
    ] {
        run(&store, statement).await;
    }
    let commit = |revision, plan| {
        let parameters = vec![text("a"), SqlValue::Integer(revision), text(plan)];
        store.write("INSERT INTO commits VALUES (?1, ?2, ?3)", parameters)
    };
    assert_eq!(commit(6, r#"["1","2"]"#).await, Err(SqlError::Refused("stale revision".into())));
    for table in ["states", "commits"] {
        assert_eq!(count(&store, table).await, 0, "{table}");
    }
    assert_eq!(commit(7, r#"["1","2"]"#).await, Ok(vec![]));
    assert_eq!(count(&store, "states").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_go_on_while_a_write_is_under_way() {
    let directory = tempfile::tempdir().unwrap();
    let store = on_disk(&directory, &SqliteOptions::default());
    run(&store, "CREATE TABLE t (n INTEGER) STRICT").await;
    let (written, in_the_middle) = mpsc::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let write = store.writer.call(move |connection| {
        connection.execute("INSERT INTO t VALUES (1)", []).unwrap();
        written.send(()).unwrap();
        wait.recv_timeout(Duration::from_secs(10)).unwrap();
        Ok(vec![])
    });
    let read = async {
        tokio::task::block_in_place(|| in_the_middle.recv_timeout(Duration::from_secs(10))).unwrap();
        let (one, two) = tokio::join!(count(&store, "t"), count(&store, "t"));
        go_on.send(()).unwrap();
        (one, two)
    };
    // The write only starts when it is polled, and blocks nobody.
    let (written, seen) = tokio::join!(write, read);
    assert_eq!((written, seen), (Ok(vec![]), (0, 0)));
    assert_eq!(count(&store, "t").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_turns_writes_away() {
    let store =
        SqliteStore::open(&Database::Memory, &SqliteOptions { write_queue: 1, ..SqliteOptions::default() })
            .unwrap();
    let (started, running) = mpsc::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let busy = store.writer.call(move |_| {
        started.send(()).unwrap();
        wait.recv_timeout(Duration::from_secs(10)).unwrap();
        Ok(vec![])
    });
    let others = async {
        tokio::task::block_in_place(|| running.recv_timeout(Duration::from_secs(10))).unwrap();
        let waits = store.write("CREATE TABLE t (n INTEGER) STRICT", vec![]);
        let refused = async {
            let refused = store.write("SELECT 1", vec![]).await;
            go_on.send(()).unwrap();
            refused
        };
        tokio::join!(biased; waits, refused)
    };
    let (busy, (waited, refused)) = tokio::join!(biased; busy, others);
    assert_eq!((busy, waited), (Ok(vec![]), Ok(vec![])));
    assert_eq!(refused, Err(SqlError::Busy("too many writes are waiting".into())));
}

#[tokio::test]
async fn the_writer_outlives_a_panic() {
    let store = in_memory();
    run(&store, "CREATE TABLE t (n INTEGER) STRICT").await;
    let outcome = store
        .writer
        .call(|connection| {
            connection.execute("INSERT INTO t VALUES (1)", []).unwrap();
            panic!("on purpose");
        })
        .await;
    assert!(matches!(outcome, Err(SqlError::Unavailable(_))), "{outcome:?}");
    assert_eq!(count(&store, "t").await, 0);
    run(&store, "INSERT INTO t VALUES (2)").await;
    assert_eq!(count(&store, "t").await, 1);
}

#[tokio::test]
async fn data_survives_reopening_and_closing_empties_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let store = on_disk(&directory, &SqliteOptions::default());
    run(&store, "CREATE TABLE t (n INTEGER) STRICT").await;
    run(&store, "INSERT INTO t VALUES (1)").await;
    store.close().await;
    assert!(!directory.path().join("t.db-wal").exists());
    for outcome in [store.write("SELECT 1", vec![]).await, store.read("SELECT 1", vec![]).await] {
        assert_eq!(outcome, Err(SqlError::Unavailable("the database is closed".into())));
    }
    let store = on_disk(&directory, &SqliteOptions::default());
    assert_eq!(count(&store, "t").await, 1);
}

/// No kill shows that a commit is on the disk: the system keeps what a process has written.
#[tokio::test]
async fn a_commit_is_synced() {
    let directory = tempfile::tempdir().unwrap();
    let store = on_disk(&directory, &SqliteOptions::default());
    assert_eq!(run(&store, "PRAGMA journal_mode").await, [[text("wal")]]);
    const FULL: i64 = 2;
    assert_eq!(run(&store, "PRAGMA synchronous").await, [[SqlValue::Integer(FULL)]]);
}

#[tokio::test]
async fn a_log_that_grew_behind_a_long_read_is_cut_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = on_disk(&directory, &SqliteOptions::default());
    run(&store, "CREATE TABLE t (filling BLOB) STRICT").await;
    let log = || std::fs::metadata(directory.path().join("t.db-wal")).unwrap().len();
    let limit = u64::from(super::connection::LOG_BYTES);
    {
        let long = super::connection::read_only(&directory.path().join("t.db")).unwrap();
        let _read = long.unchecked_transaction().unwrap();
        long.query_row("SELECT count(*) FROM t", [], |_| Ok(())).unwrap();
        for _ in 0..20 {
            run(&store, "INSERT INTO t VALUES (zeroblob(1048576))").await;
        }
        assert!(log() > limit);
    }
    // The first one empties the log, and the second begins it anew.
    for _ in 0..2 {
        run(&store, "INSERT INTO t VALUES (NULL)").await;
    }
    assert!(log() <= limit, "{}", log());
}

#[tokio::test]
async fn what_was_accepted_is_done_before_closing() {
    let directory = tempfile::tempdir().unwrap();
    let store = on_disk(&directory, &SqliteOptions::default());
    run(&store, "CREATE TABLE t (n INTEGER) STRICT").await;
    let writes = async {
        let insert = || store.write("INSERT INTO t VALUES (1)", vec![]);
        tokio::join!(biased; insert(), insert(), insert(), store.close())
    };
    let (one, two, three, ()) = writes.await;
    assert_eq!((one, two, three), (Ok(vec![]), Ok(vec![]), Ok(vec![])));
    let store = on_disk(&directory, &SqliteOptions::default());
    assert_eq!(count(&store, "t").await, 3);
}

#[test]
fn what_cannot_be_opened_is_unavailable() {
    let directory = tempfile::tempdir().unwrap();
    let damaged = directory.path().join("damaged.db");
    std::fs::write(&damaged, "this is not a database, whatever its name says").unwrap();
    for path in [damaged, directory.path().join("no/such/directory/t.db")] {
        let outcome = SqliteStore::open(&Database::File(path), &SqliteOptions::default());
        assert!(matches!(outcome, Err(SqlError::Unavailable(_))), "{outcome:?}");
    }
}
