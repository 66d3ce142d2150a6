//! The one task that writes.
//!
//! Commits that wait together become one statement: `SELECT f($1, …), f($12, …)`. Each of the calls is
//! carried out or refuses by what it returns, and the whole is one transaction with one sync. Should
//! such a statement fail, none of it has taken effect, and each of its calls is tried by itself.

use std::sync::Arc;
use std::time::Instant;

use deadpool_postgres::Pool;
use tidegate_core::service::SqlValue;
use tokio::task::JoinHandle;

use super::{Fate, run};
use crate::metrics::StoreMetrics;
use crate::queue::{self, Answer, Job, Jobs, Queue};

/// How many calls a statement holds at the most. Groups are of a power of two, so that a connection
/// has few statements to prepare.
const MOST_CALLS: usize = 64;

/// A statement and its parameters.
pub(super) struct Write {
    statement: Arc<str>,
    parameters: Vec<SqlValue>,
}

/// The way to the task.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Queue<Write>,
    task: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(pool: Pool, writes: usize, bytes: usize, metrics: StoreMetrics) -> Self {
        let (queue, jobs) = queue::bounded(writes, bytes, metrics.clone());
        let task = tokio::spawn(work(pool, jobs, metrics));
        Self { queue, task: tokio::sync::Mutex::new(Some(task)) }
    }

    pub(super) async fn write(&self, statement: &str, parameters: Vec<SqlValue>) -> Answer {
        let bytes = queue::bytes_of(statement, &parameters);
        self.queue.submit(Write { statement: statement.into(), parameters }, bytes).await
    }

    /// Accepts no more, and waits until everything accepted is done.
    pub(super) async fn close(&self) {
        self.queue.close();
        if let Some(task) = self.task.lock().await.take() {
            // One that panicked has answered nobody, which each of them was told.
            let _ = task.await;
        }
    }
}

async fn work(pool: Pool, mut jobs: Jobs<Write>, metrics: StoreMetrics) {
    while let Some(group) = jobs.group().await {
        let mut rest = group.into_iter().peekable();
        while let Some(first) = rest.next() {
            let mut calls = vec![first];
            while calls.len() < MOST_CALLS
                && let Some(job) = rest.next_if(|job| together(calls.first(), job))
            {
                calls.push(job);
            }
            run_calls(&pool, calls, &metrics).await;
        }
    }
    pool.close();
}

/// Whether a job can share a statement with the one before it.
fn together(first: Option<&Job<Write>>, job: &Job<Write>) -> bool {
    first.is_some_and(|first| {
        first.work.statement == job.work.statement && calls_in_one(&job.work.statement, 2).is_some()
    })
}

async fn run_calls(pool: &Pool, mut calls: Vec<Job<Write>>, metrics: &StoreMetrics) {
    while !calls.is_empty() {
        // The largest power of two that they fill.
        let count = 1 << calls.len().ilog2();
        let rest = calls.split_off(count);
        run_statement(pool, std::mem::replace(&mut calls, rest), metrics).await;
    }
}

async fn run_statement(pool: &Pool, calls: Vec<Job<Write>>, metrics: &StoreMetrics) {
    if calls.len() > 1
        && let Some(statement) =
            calls.first().and_then(|call| calls_in_one(&call.work.statement, calls.len()))
    {
        let begun = Instant::now();
        let parameters: Vec<SqlValue> =
            calls.iter().flat_map(|call| call.work.parameters.iter().cloned()).collect();
        match run(pool, &statement, &parameters).await {
            Ok(rows) => {
                metrics.committed(u32::try_from(calls.len()).unwrap_or(u32::MAX), begun.elapsed());
                let mut values = rows.into_iter().flatten();
                for call in calls {
                    // A column for each call, as if it had been alone.
                    let value = values.next().unwrap_or(SqlValue::Null);
                    let _ = call.answer.send(Ok(vec![vec![value]]));
                }
                return;
            }
            // Nothing has taken effect, and there is an answer: whose fault it was shows when each is
            // alone.
            Err(fault) if fault.fate == Fate::Refused => {}
            Err(fault) => {
                for call in calls {
                    let _ = call.answer.send(Err(fault.error.clone()));
                }
                return;
            }
        }
    }
    for Job { work: Write { statement, parameters }, answer } in calls {
        let begun = Instant::now();
        let outcome = run(pool, &statement, &parameters).await.map_err(|fault| fault.error);
        if outcome.is_ok() {
            metrics.committed(1, begun.elapsed());
        }
        // The request may have been given up in the meantime.
        let _ = answer.send(outcome);
    }
}

/// One statement of so many calls of the same function; none if this is no such call.
fn calls_in_one(statement: &str, count: usize) -> Option<String> {
    let (function, arguments) =
        statement.strip_prefix("SELECT tidegate.")?.strip_suffix(')')?.split_once('(')?;
    let width = arguments.split(", ").count();
    let numbered = (1..=width).map(|number| format!("${number}"));
    if function != "commit_plan" || !arguments.split(", ").eq(numbered) {
        return None;
    }
    let calls = (0..count).map(|call| {
        let arguments: Vec<String> =
            (1..=width).map(|number| format!("${}", call * width + number)).collect();
        format!("tidegate.{function}({})", arguments.join(", "))
    });
    Some(format!("SELECT {}", calls.collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_commits_are_put_together() {
        assert_eq!(
            calls_in_one("SELECT tidegate.commit_plan($1, $2)", 3).as_deref(),
            Some(
                "SELECT tidegate.commit_plan($1, $2), tidegate.commit_plan($3, $4), tidegate.commit_plan($5, $6)"
            )
        );
        for other in [
            "SELECT tidegate.create_group($1, $2)",
            "SELECT tidegate.commit_plan($1, $1)",
            "SELECT tidegate.commit_plan($1, $2) FROM x",
            "UPDATE tidegate.ingest_keys SET last_used_at = $2",
        ] {
            assert_eq!(calls_in_one(other, 2), None, "{other}");
        }
    }
}
