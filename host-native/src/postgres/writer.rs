//! The one task that writes.
//!
//! Commits that wait together become one statement, `SELECT f(c1, …) FROM unnest($1, …)`, with an array for
//! each parameter. Each of the calls is carried out or refuses by what it returns, and the whole is one
//! transaction with one sync. Should such a statement fail, none of it has taken effect, and each of its
//! calls is tried by itself.

use std::sync::Arc;
use std::time::Instant;

use deadpool_postgres::Pool;
use tidegate_core::service::SqlValue;
use tokio::task::JoinHandle;
use tokio_postgres::types::Type;

use super::{Fate, run, run_each};
use crate::metrics::StoreMetrics;
use crate::queue::{self, Answer, Job, Jobs, Queue};

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
            while let Some(job) = rest.next_if(|job| together(calls.first(), job)) {
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
        first.work.statement == job.work.statement && function_of(&job.work.statement).is_some()
    })
}

/// Runs calls of one function, or a single statement of whatever kind.
async fn run_calls(pool: &Pool, calls: Vec<Job<Write>>, metrics: &StoreMetrics) {
    if calls.len() > 1
        && let Some(function) = calls.first().and_then(|call| function_of(&call.work.statement))
    {
        let begun = Instant::now();
        let parameters: Vec<&[SqlValue]> = calls.iter().map(|call| call.work.parameters.as_slice()).collect();
        match run_each(pool, &function, &parameters).await {
            Ok(rows) => {
                metrics.committed(u32::try_from(calls.len()).unwrap_or(u32::MAX), begun.elapsed());
                let mut rows = rows.into_iter();
                for call in calls {
                    // A row for each call, as if it had been alone.
                    let _ = call.answer.send(Ok(rows.next().into_iter().collect()));
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

/// The name and the number of parameters of a function that many commits at a time may call.
fn function_of(statement: &str) -> Option<Function<'_>> {
    let (name, arguments) = statement.strip_prefix("SELECT ")?.strip_suffix(')')?.split_once('(')?;
    let width = arguments.split(", ").count();
    let numbered = (1..=width).map(|number| format!("${number}"));
    let commits = ["tidegate.commit_one", "tidegate.commit_plan"].contains(&name);
    (commits && arguments.split(", ").eq(numbered)).then_some(Function { statement, name, width })
}

/// A function, by the statement that calls it once.
pub(super) struct Function<'s> {
    pub(super) statement: &'s str,
    name: &'s str,
    pub(super) width: usize,
}

impl Function<'_> {
    /// One statement that calls it with each row of the arrays, whose texts are of these types.
    pub(super) fn for_each(&self, types: &[Type]) -> String {
        let columns: Vec<String> = (1..=self.width).map(|number| format!("c{number}")).collect();
        let arguments: Vec<String> =
            columns.iter().zip(types).map(|(column, ty)| format!("{column}::{}", ty.name())).collect();
        let arrays: Vec<String> = (1..=self.width).map(|number| format!("${number}::text[]")).collect();
        format!(
            "SELECT {}({}) FROM unnest({}) AS each({})",
            self.name,
            arguments.join(", "),
            arrays.join(", "),
            columns.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_commits_are_put_together() {
        let function = function_of("SELECT tidegate.commit_plan($1, $2)").unwrap();
        assert_eq!(
            function.for_each(&[Type::TEXT, Type::INT8]),
            "SELECT tidegate.commit_plan(c1::text, c2::int8) FROM unnest($1::text[], $2::text[]) AS each(c1, c2)"
        );
        for other in [
            "SELECT tidegate.create_group($1, $2)",
            "SELECT tidegate.commit_plan($1, $1)",
            "SELECT tidegate.commit_plan($1, $2) FROM x",
            "UPDATE tidegate.ingest_keys SET last_used_at = $2",
        ] {
            assert!(function_of(other).is_none(), "{other}");
        }
    }
}
