//! The read-only connections.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tidegate_core::service::{Row, SqlError, SqlValue};
use tokio::sync::Semaphore;

use super::connection;
use crate::metrics::TOO_MANY_READS;

/// How long a read waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Read-only connections that wait to be used.
#[derive(Debug)]
pub(super) struct Readers {
    idle: Mutex<Vec<Connection>>,
    /// As many permits as connections: who holds one finds one.
    free: Arc<Semaphore>,
    count: u32,
}

impl Readers {
    pub(super) fn open(path: &Path, count: usize) -> Result<Self, SqlError> {
        let count = count.clamp(1, 64);
        let idle = (0..count).map(|_| connection::read_only(path)).collect::<Result<Vec<_>, SqlError>>()?;
        Ok(Self {
            idle: Mutex::new(idle),
            free: Arc::new(Semaphore::new(count)),
            count: u32::try_from(count).unwrap_or(u32::MAX),
        })
    }

    /// Reads on a thread that may block. One statement is one snapshot.
    pub(super) async fn read(
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
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
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
