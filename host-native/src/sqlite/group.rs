//! Several writes in one transaction.
//!
//! A commit waits for the disk, so writes share it. Each keeps an outcome of its own: it runs in a
//! savepoint, and one that is refused leaves nothing behind and the others alone. A statement that
//! aborts undoes itself; the savepoint is for those that end otherwise, such as by a row that cannot
//! be handed over.
//!
//! All outcomes rest on the commit, also a refusal, which may be on account of a write before it. So
//! when the transaction comes to nothing, that is the answer to everybody in it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tidegate_core::service::SqlError;
use tokio::sync::oneshot;

use super::connection::{self, explain};
use super::writer::Work;
use crate::metrics::StoreMetrics;
use crate::queue::{Answer, Job};

/// Runs the jobs in their order, and answers each after its commit.
pub(super) fn run(connection: &mut Connection, jobs: Vec<Job<Work>>, metrics: &StoreMetrics) {
    let mut jobs = jobs.into_iter();
    while !jobs.as_slice().is_empty() {
        let mut done = Vec::with_capacity(jobs.len());
        let outcome = transact(connection, &mut jobs, &mut done, metrics);
        for Done { answer, outcome: own } in done {
            let told = match &outcome {
                Ok(()) => own,
                Err(error) => Err(error.clone()),
            };
            // The request may have been given up in the meantime.
            let _ = answer.send(told);
        }
    }
}

/// A job that has run.
struct Done {
    answer: oneshot::Sender<Answer>,
    outcome: Answer,
}

/// Runs jobs and commits. After an error nothing of those in `done` has taken effect; if it came in
/// the middle, the jobs behind it are left for another transaction.
fn transact(
    connection: &mut Connection,
    jobs: &mut impl Iterator<Item = Job<Work>>,
    done: &mut Vec<Done>,
    metrics: &StoreMetrics,
) -> Result<(), SqlError> {
    let mut transaction = match begin(connection) {
        Ok(transaction) => transaction,
        Err(error) => {
            // It would be the same for each of them, after the same wait.
            done.extend(jobs.map(|job| Done { answer: job.answer, outcome: Err(error.clone()) }));
            return Err(error);
        }
    };
    let mut writes = 0;
    for Job { work, answer } in jobs {
        let is_read = matches!(work, Work::Read { .. });
        match apart(&mut transaction, work) {
            Ok(outcome) => {
                writes += u32::from(outcome.is_ok() && !is_read);
                done.push(Done { answer, outcome });
            }
            Err(error) => {
                done.push(Done { answer, outcome: Err(error.clone()) });
                // Dropping the transaction rolls back what is left of it.
                return Err(error);
            }
        }
    }
    let started = Instant::now();
    transaction.commit().map_err(|error| undone(&explain(&error)))?;
    if writes > 0 {
        metrics.committed(writes, started.elapsed());
    }
    Ok(())
}

fn begin(connection: &mut Connection) -> Result<Transaction<'_>, SqlError> {
    if !connection.is_autocommit() {
        // One that could not be rolled back before.
        connection.execute_batch("ROLLBACK").map_err(|error| explain(&error))?;
    }
    // IMMEDIATE: the write lock is waited for here, where waiting is possible, and not at the
    // first change, where a snapshot that has grown old fails at once.
    connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| explain(&error))
}

/// Runs one job whole or not at all. The outer error is for the whole transaction: it is gone (a
/// full disk, an `ON CONFLICT ROLLBACK`), or what the job left in it cannot be told.
fn apart(transaction: &mut Transaction<'_>, work: Work) -> Result<Answer, SqlError> {
    let savepoint = transaction.savepoint().map_err(|error| undone(&explain(&error)))?;
    // What unwinds is undone by the savepoint, and the connection's state is SQLite's; nothing of
    // ours is left half done.
    let outcome = catch_unwind(AssertUnwindSafe(|| perform(&savepoint, work)));
    let outcome = outcome.unwrap_or_else(|_| Err(SqlError::Unavailable("the statement broke off".into())));
    let ended = if outcome.is_ok() { savepoint.commit() } else { savepoint.finish() };
    match (outcome, ended) {
        (outcome, Ok(())) => Ok(outcome),
        // Why it ended so is the statement's error; that there is no savepoint any more follows.
        (Err(error), Err(_)) => Err(undone(&error)),
        (Ok(_), Err(error)) => Err(undone(&explain(&error))),
    }
}

fn perform(connection: &Connection, work: Work) -> Answer {
    match work {
        Work::Read { statement, parameters } => connection::read(connection, &statement, &parameters),
        Work::Write { statement, parameters } => connection::write(connection, &statement, &parameters),
        #[cfg(test)]
        Work::Call(call) => call(connection),
    }
}

/// An error of one write as the outcome of all: to the others it is no refusal.
fn undone(error: &SqlError) -> SqlError {
    let (SqlError::Refused(why) | SqlError::Unavailable(why) | SqlError::Busy(why)) = error;
    SqlError::Unavailable(format!("the transaction was undone: {why}"))
}
