//! The one thread that writes.
//!
//! It takes a job, runs it in a transaction, commits and answers. An answer goes out only after
//! the commit, so what is answered is on the disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rusqlite::{Connection, TransactionBehavior};
use tidegate_core::service::{Row, SqlError, SqlValue};
use tokio::sync::{mpsc, oneshot};

use super::connection::{self, explain};

type Answer = Result<Vec<Row>, SqlError>;

/// What a job does with the connection.
enum Work {
    /// One statement in a transaction.
    Write { statement: String, parameters: Vec<SqlValue> },
    /// One statement that changes nothing; for a database in memory, which has one connection.
    Read { statement: String, parameters: Vec<SqlValue> },
    /// Something else, to see that the thread outlives it.
    #[cfg(test)]
    Call(Box<dyn FnOnce(&Connection) -> Answer + Send>),
}

struct Job {
    work: Work,
    answer: oneshot::Sender<Answer>,
}

/// The way to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    /// None once closed.
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    /// Resolves when the thread has closed the database.
    ended: tokio::sync::Mutex<Option<oneshot::Receiver<()>>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, capacity: usize) -> Result<Self, SqlError> {
        let (queue, jobs) = mpsc::channel(capacity.max(1));
        let (end, ended) = oneshot::channel();
        thread::Builder::new()
            .name("tidegate-writer".into())
            .spawn(move || {
                run(connection, jobs);
                // Nobody waits when the store was dropped without being closed.
                let _ = end.send(());
            })
            .map_err(|error| SqlError::Unavailable(error.to_string()))?;
        Ok(Self { queue: Mutex::new(Some(queue)), ended: tokio::sync::Mutex::new(Some(ended)) })
    }

    pub(super) async fn write(&self, statement: &str, parameters: Vec<SqlValue>) -> Answer {
        self.submit(Work::Write { statement: statement.to_owned(), parameters }).await
    }

    pub(super) async fn read(&self, statement: &str, parameters: Vec<SqlValue>) -> Answer {
        self.submit(Work::Read { statement: statement.to_owned(), parameters }).await
    }

    #[cfg(test)]
    pub(super) async fn call(&self, work: impl FnOnce(&Connection) -> Answer + Send + 'static) -> Answer {
        self.submit(Work::Call(Box::new(work))).await
    }

    async fn submit(&self, work: Work) -> Answer {
        let (answer, answered) = oneshot::channel();
        {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(queue) = queue.as_ref() else {
                return Err(SqlError::Unavailable("the database is closed".into()));
            };
            // Not waiting for room: who is turned away at once can come back, and the memory that
            // waiting requests hold stays bounded.
            queue.try_send(Job { work, answer }).map_err(|refused| {
                SqlError::Unavailable(
                    match refused {
                        mpsc::error::TrySendError::Full(_) => "too many writes are waiting",
                        mpsc::error::TrySendError::Closed(_) => "the writer has ended",
                    }
                    .into(),
                )
            })?;
        }
        answered.await.unwrap_or_else(|_| Err(SqlError::Unavailable("the write broke off".into())))
    }

    /// Accepts no more, and waits until everything accepted is done and the file is closed.
    pub(super) async fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(ended) = self.ended.lock().await.take() {
            let _ = ended.await;
        }
    }
}

fn run(mut connection: Connection, mut jobs: mpsc::Receiver<Job>) {
    while let Some(Job { work, answer }) = jobs.blocking_recv() {
        // A transaction that unwinds is rolled back by its own drop, and the connection's state is
        // SQLite's; nothing of ours is left half done.
        let outcome = catch_unwind(AssertUnwindSafe(|| perform(&mut connection, work)));
        let outcome =
            outcome.unwrap_or_else(|_| Err(SqlError::Unavailable("the statement broke off".into())));
        // The request may have been given up in the meantime.
        let _ = answer.send(outcome);
    }
    close(connection);
}

fn perform(connection: &mut Connection, work: Work) -> Answer {
    match work {
        Work::Read { statement, parameters } => connection::read(connection, &statement, &parameters),
        Work::Write { statement, parameters } => {
            in_transaction(connection, |inner| connection::write(inner, &statement, &parameters))
        }
        #[cfg(test)]
        Work::Call(call) => in_transaction(connection, call),
    }
}

/// Runs `work` and commits. After an error nothing of it has taken effect.
fn in_transaction(connection: &mut Connection, work: impl FnOnce(&Connection) -> Answer) -> Answer {
    // IMMEDIATE: the write lock is waited for here, where waiting is possible, and not at the
    // first change, where a snapshot that has grown old fails at once.
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|error| explain(&error))?;
    let rows = work(&transaction)?;
    transaction.commit().map_err(|error| explain(&error))?;
    Ok(rows)
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
