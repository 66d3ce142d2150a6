//! The bounded queue in front of whatever writes.
//!
//! Who finds it full is turned away at once and can come back: the memory that waiting requests hold
//! stays bounded. What waits is taken in groups, so that it can share a commit.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_core::service::{Row, SqlError, SqlValue};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::metrics::{StoreMetrics, TOO_MANY_WRITES, Waiting};

/// How many writes share a commit at the most. A full group of single events is some ten milliseconds
/// of work.
const GROUP_WRITES: usize = 256;
/// How much they may hold: about thirty milliseconds of work. A bulk that holds more has a commit to
/// itself, so that the small ones before it do not wait for it.
const GROUP_BYTES: usize = 1024 * 1024;

/// What comes of a write.
pub(crate) type Answer = Result<Vec<Row>, SqlError>;

/// A piece of work, and who waits for its outcome.
pub(crate) struct Job<W> {
    pub(crate) work: W,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// A job in the queue, and the room that it takes there.
struct Queued<W> {
    job: Job<W>,
    bytes: usize,
    _room: OwnedSemaphorePermit,
    _waiting: Waiting,
}

/// The end that requests come to.
pub(crate) struct Queue<W> {
    /// None once closed.
    sender: Mutex<Option<mpsc::Sender<Queued<W>>>>,
    /// A permit for each byte that may wait.
    room: Arc<Semaphore>,
    room_bytes: u32,
    metrics: StoreMetrics,
}

/// The end of whoever does the work.
pub(crate) struct Jobs<W> {
    receiver: mpsc::Receiver<Queued<W>>,
    /// The first one of the next group, which was one too many for the last.
    next: Option<Queued<W>>,
}

/// A queue for so many jobs, of so many bytes together.
pub(crate) fn bounded<W>(jobs: usize, bytes: usize, metrics: StoreMetrics) -> (Queue<W>, Jobs<W>) {
    let jobs = jobs.clamp(1, Semaphore::MAX_PERMITS);
    let room_bytes = u32::try_from(bytes).unwrap_or(u32::MAX).max(1);
    let permits = usize::try_from(room_bytes).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
    metrics.bounded(jobs, permits);
    let (sender, receiver) = mpsc::channel(jobs);
    let room = Arc::new(Semaphore::new(permits));
    let queue = Queue { sender: Mutex::new(Some(sender)), room, room_bytes, metrics };
    (queue, Jobs { receiver, next: None })
}

impl<W> fmt::Debug for Queue<W> {
    // What waits are payloads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("room_bytes", &self.room_bytes).finish_non_exhaustive()
    }
}

impl<W> Queue<W> {
    /// Queues work that holds so many bytes, and waits for its outcome.
    pub(crate) async fn submit(&self, work: W, bytes: usize) -> Answer {
        let (answer, answered) = oneshot::channel();
        {
            let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(sender) = sender.as_ref() else {
                return Err(SqlError::Unavailable("the database is closed".into()));
            };
            let full = || SqlError::Busy(TOO_MANY_WRITES.into());
            // What alone is larger than the room takes all of it.
            let share = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.room_bytes);
            let room = Arc::clone(&self.room).try_acquire_many_owned(share).map_err(|_| full())?;
            let job = Job { work, answer };
            let queued = Queued { job, bytes, _room: room, _waiting: self.metrics.waits(bytes) };
            sender.try_send(queued).map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => full(),
                mpsc::error::TrySendError::Closed(_) => SqlError::Unavailable("the writer has ended".into()),
            })?;
        }
        answered.await.unwrap_or_else(|_| Err(SqlError::Unavailable("the write broke off".into())))
    }

    /// Accepts no more. What was accepted will be done.
    pub(crate) fn close(&self) {
        drop(self.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl<W> Jobs<W> {
    /// Waits for a job, and takes what waits behind it, up to the bounds of a group. None when the
    /// queue is closed and empty.
    pub(crate) async fn group(&mut self) -> Option<Vec<Job<W>>> {
        let first = match self.next.take() {
            Some(next) => next,
            None => self.receiver.recv().await?,
        };
        Some(self.group_from(first))
    }

    /// As [`group`](Self::group), for a thread of one's own.
    pub(crate) fn blocking_group(&mut self) -> Option<Vec<Job<W>>> {
        let first = self.next.take().or_else(|| self.receiver.blocking_recv())?;
        Some(self.group_from(first))
    }

    fn group_from(&mut self, first: Queued<W>) -> Vec<Job<W>> {
        let mut bytes = first.bytes;
        let mut group = vec![first.job];
        while group.len() < GROUP_WRITES
            && let Ok(queued) = self.receiver.try_recv()
        {
            bytes = bytes.saturating_add(queued.bytes);
            if bytes > GROUP_BYTES {
                self.next = Some(queued);
                break;
            }
            group.push(queued.job);
        }
        group
    }
}

/// How much memory a statement and its parameters hold, near enough.
pub(crate) fn bytes_of(statement: &str, parameters: &[SqlValue]) -> usize {
    let values = parameters.iter().map(|value| match value {
        SqlValue::Text(text) => text.len(),
        SqlValue::Blob(bytes) => bytes.len(),
        SqlValue::Null | SqlValue::Integer(_) => 0,
    });
    statement.len() + size_of_val(parameters) + values.sum::<usize>()
}
