//! The read-only connections.
//!
//! Most reads look up a row or two, which takes less time than another thread needs to begin. So a read
//! runs where it is asked for at first, on a connection that gives up soon. One that is longer begins
//! anew on a thread that may block.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tidegate_core::service::{Row, SqlError, SqlValue};
use tokio::sync::Semaphore;

use super::connection;
use crate::metrics::TOO_MANY_READS;
use crate::queue::bytes_of;

/// How long a read waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many steps of SQLite's machine a short read has at the most, more or less: an ingest's take some
/// hundred, and a thousand take some twenty microseconds.
const SHORT_STEPS: i32 = 1_000;
/// How many bytes it and its parameters may have: one step can go through all of them.
const SHORT_BYTES: usize = 16 * 1024;

/// Read-only connections that wait to be used.
#[derive(Debug)]
pub(super) struct Readers {
    /// For reads that run where they are asked for. None once closed.
    short: Mutex<Option<Vec<ShortReader>>>,
    idle: Mutex<Vec<Connection>>,
    /// As many permits as connections: who holds one finds one.
    free: Arc<Semaphore>,
    count: u32,
}

impl Readers {
    pub(super) fn open(path: &Path, count: usize) -> Result<Self, SqlError> {
        let count = count.clamp(1, 64);
        let idle = (0..count).map(|_| connection::read_only(path)).collect::<Result<Vec<_>, SqlError>>()?;
        let short = (0..count).map(|_| ShortReader::open(path)).collect::<Result<Vec<_>, SqlError>>()?;
        Ok(Self {
            short: Mutex::new(Some(short)),
            idle: Mutex::new(idle),
            free: Arc::new(Semaphore::new(count)),
            count: u32::try_from(count).unwrap_or(u32::MAX),
        })
    }

    /// Reads. One statement is one snapshot.
    pub(super) async fn read(
        readers: &Arc<Self>,
        statement: &str,
        parameters: Vec<SqlValue>,
    ) -> Result<Vec<Row>, SqlError> {
        match readers.read_here(statement, &parameters) {
            Some(rows) => Ok(rows),
            None => Self::read_elsewhere(readers, statement, parameters).await,
        }
    }

    /// Reads at once, if that takes no time worth mentioning.
    pub(super) fn read_here(&self, statement: &str, parameters: &[SqlValue]) -> Option<Vec<Row>> {
        if bytes_of(statement, parameters) > SHORT_BYTES {
            return None;
        }
        let reader = self.short().as_mut()?.pop()?;
        // A panic costs the connection; `read_elsewhere` goes on without it.
        let rows = reader.read(statement, parameters);
        if let Some(idle) = self.short().as_mut() {
            idle.push(reader);
        }
        rows
    }

    fn short(&self) -> MutexGuard<'_, Option<Vec<ShortReader>>> {
        self.short.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads on a thread that may block.
    async fn read_elsewhere(
        readers: &Arc<Self>,
        statement: &str,
        parameters: Vec<SqlValue>,
    ) -> Result<Vec<Row>, SqlError> {
        let permit = Arc::clone(&readers.free).acquire_owned();
        let permit = match tokio::time::timeout(PATIENCE, permit).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(SqlError::Unavailable("the database is closed".into())),
            Err(_) => return Err(SqlError::Busy(TOO_MANY_READS.into())),
        };
        let readers = Arc::clone(readers);
        let statement = statement.to_owned();
        let work = move || {
            // Dropped last, after the connection is back, also when the read panics.
            let _permit = permit;
            let lent = Lent::take(&readers)?;
            connection::read(lent.connection()?, &statement, &parameters)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(answer) => answer,
            Err(_) => Err(SqlError::Unavailable("the read broke off".into())),
        }
    }

    /// Waits for the reads under way and closes all connections.
    pub(super) async fn close(&self) {
        if let Ok(all) = self.free.acquire_many(self.count).await {
            all.forget();
        }
        self.free.close();
        drop(self.short().take());
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A connection that gives up soon.
#[derive(Debug)]
struct ShortReader {
    connection: Connection,
    /// How often the read under way was seen to go on.
    seen: Arc<AtomicU32>,
}

impl ShortReader {
    fn open(path: &Path) -> Result<Self, SqlError> {
        let mut connection = connection::read_only(path)?;
        let seen = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&seen);
        // SQLite counts on from the last time that the statement ran, so seen once says nothing.
        let goes_on = move || counted.fetch_add(1, Ordering::Relaxed) > 0;
        connection::give_up(&mut connection, SHORT_STEPS, goes_on)?;
        Ok(Self { connection, seen })
    }

    /// The rows; none if it would take long, or fails for whatever reason: who may take their time find
    /// out.
    fn read(&self, statement: &str, parameters: &[SqlValue]) -> Option<Vec<Row>> {
        self.seen.store(0, Ordering::Relaxed);
        connection::read(&self.connection, statement, parameters).ok()
    }
}

/// A connection that returns to the pool by itself.
struct Lent<'r> {
    readers: &'r Readers,
    connection: Option<Connection>,
}

impl<'r> Lent<'r> {
    fn take(readers: &'r Readers) -> Result<Self, SqlError> {
        let connection = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if connection.is_none() {
            return Err(SqlError::Unavailable("the database is closed".into()));
        }
        Ok(Self { readers, connection })
    }

    fn connection(&self) -> Result<&Connection, SqlError> {
        self.connection.as_ref().ok_or_else(|| SqlError::Unavailable("the database is closed".into()))
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut idle = self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.extend(self.connection.take());
    }
}
