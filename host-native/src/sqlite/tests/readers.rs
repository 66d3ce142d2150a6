use std::slice::from_ref;
use std::sync::Arc;

use super::{SqlError, SqlValue, SqliteOptions, on_disk, run, text};
use crate::sqlite::readers::Readers;

/// Counts to the number.
const LONG: &str = "WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < ?1)
    SELECT count(*) FROM t";
const ROW: &str = "SELECT n FROM t WHERE n = ?1";

async fn readers(directory: &tempfile::TempDir) -> Arc<Readers> {
    let store = on_disk(directory, &SqliteOptions::default());
    run(&store, "CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT").await;
    for number in 0..100 {
        run(&store, &format!("INSERT INTO t VALUES ({number})")).await;
    }
    store.close().await;
    Arc::new(Readers::open(&directory.path().join("t.db"), 1).unwrap())
}

#[tokio::test]
async fn a_row_is_read_where_it_is_asked_for_however_often() {
    let directory = tempfile::tempdir().unwrap();
    let readers = readers(&directory).await;
    for number in (0..100).cycle().take(5_000) {
        let number = SqlValue::Integer(number);
        assert_eq!(readers.read_here(ROW, from_ref(&number)), Some(vec![vec![number]]));
    }
}

#[tokio::test]
async fn a_long_read_begins_anew_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let readers = readers(&directory).await;
    let most = SqlValue::Integer(100_000);
    for _ in 0..3 {
        assert_eq!(readers.read_here(LONG, from_ref(&most)), None);
        assert_eq!(Readers::read(&readers, LONG, vec![most.clone()]).await, Ok(vec![vec![most.clone()]]));
        // The one that gave up can be used again.
        let seven = SqlValue::Integer(7);
        assert_eq!(readers.read_here(ROW, from_ref(&seven)), Some(vec![vec![seven]]));
    }
    let long_text = text(&"x".repeat(100_000));
    assert_eq!(readers.read_here("SELECT ?1", from_ref(&long_text)), None);
    assert_eq!(
        Readers::read(&readers, "SELECT ?1", vec![long_text.clone()]).await,
        Ok(vec![vec![long_text]])
    );
}

#[tokio::test]
async fn what_is_closed_reads_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let readers = readers(&directory).await;
    readers.close().await;
    assert_eq!(readers.read_here("SELECT 1", &[]), None);
    let outcome = Readers::read(&readers, "SELECT 1", vec![]).await;
    assert_eq!(outcome, Err(SqlError::Unavailable("the database is closed".into())));
}
