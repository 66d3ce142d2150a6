//! The one thread that writes.
//!
//! It takes what waits, runs it in one transaction, commits and answers. An answer goes out only
//! after the commit, so what is answered is on the disk. What comes meanwhile waits, and shares the
//! next commit.

use std::thread;

use rusqlite::Connection;
use tidegate_core::service::{SqlError, SqlValue};
use tokio::sync::oneshot;

use super::{SqliteOptions, group};
use crate::metrics::StoreMetrics;
use crate::queue::{self, Answer, Jobs, Queue};

/// What a job does with the connection.
pub(super) enum Work {
    /// One statement.
    Write { statement: String, parameters: Vec<SqlValue> },
    /// One statement that changes nothing; for a database in memory, which has one connection.
    Read { statement: String, parameters: Vec<SqlValue> },
    /// Something else, to see what becomes of it.
    #[cfg(test)]
    Call(Box<dyn FnOnce(&Connection) -> Answer + Send>),
}

/// The way to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Queue<Work>,
    /// Resolves when the thread has closed the database.
    ended: tokio::sync::Mutex<Option<oneshot::Receiver<()>>>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        options: &SqliteOptions,
        metrics: StoreMetrics,
    ) -> Result<Self, SqlError> {
        let (queue, jobs) = queue::bounded(options.write_queue, options.write_queue_bytes, metrics.clone());
        let (end, ended) = oneshot::channel();
        thread::Builder::new()
            .name("tidegate-writer".into())
            .spawn(move || {
                run(connection, jobs, &metrics);
                // Nobody waits when the store was dropped without being closed.
                let _ = end.send(());
            })
            .map_err(|error| SqlError::Unavailable(error.to_string()))?;
        Ok(Self { queue, ended: tokio::sync::Mutex::new(Some(ended)) })
    }

    pub(super) async fn write(&self, statement: &str, parameters: Vec<SqlValue>) -> Answer {
        let bytes = queue::bytes_of(statement, &parameters);
        self.queue.submit(Work::Write { statement: statement.to_owned(), parameters }, bytes).await
    }

    pub(super) async fn read(&self, statement: &str, parameters: Vec<SqlValue>) -> Answer {
        let bytes = queue::bytes_of(statement, &parameters);
        self.queue.submit(Work::Read { statement: statement.to_owned(), parameters }, bytes).await
    }

    #[cfg(test)]
    pub(super) async fn call(&self, work: impl FnOnce(&Connection) -> Answer + Send + 'static) -> Answer {
        self.queue.submit(Work::Call(Box::new(work)), 0).await
    }

    /// Accepts no more, and waits until everything accepted is done and the file is closed.
    pub(super) async fn close(&self) {
        self.queue.close();
        if let Some(ended) = self.ended.lock().await.take() {
            let _ = ended.await;
        }
    }
}

fn run(mut connection: Connection, mut jobs: Jobs<Work>, metrics: &StoreMetrics) {
    while let Some(group) = jobs.blocking_group() {
        group::run(&mut connection, group, metrics);
    }
    close(connection);
}

fn close(connection: Connection) {
    // In memory there is no log, and the pragma says so without an error.
    let emptied = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    if let Err(error) = emptied {
        tracing::warn!(reason = %error, "the write-ahead log was not emptied");
    }
    if let Err((_, error)) = connection.close() {
        tracing::warn!(reason = %error, "the database was not closed cleanly");
    }
}
