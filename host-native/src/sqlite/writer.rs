//! The one thread that writes.
//!
//! It takes what waits, runs it in one transaction, commits and answers. An answer goes out only
//! after the commit, so what is answered is on the disk. What comes meanwhile waits, and shares the
//! next commit.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rusqlite::Connection;
use tidegate_core::service::{Row, SqlError, SqlValue};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::{SqliteOptions, group};
use crate::metrics::{StoreMetrics, TOO_MANY_WRITES, Waiting};

/// How many writes share a commit at the most. A full group of single events is some ten
/// milliseconds of work.
const GROUP_WRITES: usize = 256;
/// How much they may hold: about thirty milliseconds of work. A bulk that holds more has a commit
/// to itself, so that the small ones before it do not wait for it.
const GROUP_BYTES: usize = 1024 * 1024;

pub(super) type Answer = Result<Vec<Row>, SqlError>;

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

impl Work {
    /// How much memory it holds, near enough.
    fn bytes(&self) -> usize {
        let (statement, parameters) = match self {
            Self::Write { statement, parameters } | Self::Read { statement, parameters } => {
                (statement, parameters)
            }
            #[cfg(test)]
            Self::Call(_) => return 0,
        };
        let values = parameters.iter().map(|value| match value {
            SqlValue::Text(text) => text.len(),
            SqlValue::Blob(bytes) => bytes.len(),
            SqlValue::Null | SqlValue::Integer(_) => 0,
        });
        statement.len() + size_of_val(parameters.as_slice()) + values.sum::<usize>()
    }
}

/// A piece of work, and who waits for its outcome.
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// A job in the queue.
struct Queued {
    job: Job,
    bytes: usize,
    _room: OwnedSemaphorePermit,
    _waiting: Waiting,
}

/// The way to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    /// None once closed.
    queue: Mutex<Option<mpsc::Sender<Queued>>>,
    /// A permit for each byte that may wait.
    room: Arc<Semaphore>,
    room_bytes: u32,
    metrics: StoreMetrics,
    /// Resolves when the thread has closed the database.
    ended: tokio::sync::Mutex<Option<oneshot::Receiver<()>>>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        options: &SqliteOptions,
        metrics: StoreMetrics,
    ) -> Result<Self, SqlError> {
        let capacity = options.write_queue.clamp(1, Semaphore::MAX_PERMITS);
        let room_bytes = u32::try_from(options.write_queue_bytes).unwrap_or(u32::MAX).max(1);
        let room_permits = usize::try_from(room_bytes).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        metrics.bounded(capacity, room_permits);
        let (queue, jobs) = mpsc::channel(capacity);
        let (end, ended) = oneshot::channel();
        let counts = metrics.clone();
        thread::Builder::new()
            .name("tidegate-writer".into())
            .spawn(move || {
                run(connection, Jobs { queue: jobs, next: None }, &counts);
                // Nobody waits when the store was dropped without being closed.
                let _ = end.send(());
            })
            .map_err(|error| SqlError::Unavailable(error.to_string()))?;
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            room: Arc::new(Semaphore::new(room_permits)),
            room_bytes,
            metrics,
            ended: tokio::sync::Mutex::new(Some(ended)),
        })
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

    /// Queues the work and waits for its outcome.
    ///
    /// It does not wait for room: who is turned away at once can come back, and the memory that
    /// waiting requests hold stays bounded.
    async fn submit(&self, work: Work) -> Answer {
        let (answer, answered) = oneshot::channel();
        let bytes = work.bytes();
        {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(queue) = queue.as_ref() else {
                return Err(SqlError::Unavailable("the database is closed".into()));
            };
            let full = || SqlError::Unavailable(TOO_MANY_WRITES.into());
            // What alone is larger than the room takes all of it.
            let share = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.room_bytes);
            let room = Arc::clone(&self.room).try_acquire_many_owned(share).map_err(|_| full())?;
            let job =
                Queued { job: Job { work, answer }, bytes, _room: room, _waiting: self.metrics.waits(bytes) };
            queue.try_send(job).map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => full(),
                mpsc::error::TrySendError::Closed(_) => SqlError::Unavailable("the writer has ended".into()),
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

/// The thread's end of the queue.
struct Jobs {
    queue: mpsc::Receiver<Queued>,
    /// The first one of the next group, which was one too many for the last.
    next: Option<Queued>,
}

impl Jobs {
    /// Waits for a job, and takes what waits behind it, up to the bounds of a group.
    fn group(&mut self) -> Option<Vec<Job>> {
        let first = self.next.take().or_else(|| self.queue.blocking_recv())?;
        let mut bytes = first.bytes;
        let mut group = vec![first.job];
        while group.len() < GROUP_WRITES
            && let Ok(job) = self.queue.try_recv()
        {
            bytes = bytes.saturating_add(job.bytes);
            if bytes > GROUP_BYTES {
                self.next = Some(job);
                break;
            }
            group.push(job.job);
        }
        Some(group)
    }
}

fn run(mut connection: Connection, mut jobs: Jobs, metrics: &StoreMetrics) {
    while let Some(group) = jobs.group() {
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
