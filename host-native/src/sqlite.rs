//! The service's database in one SQLite file.
//!
//! One connection writes, on a thread of its own; a few read-only connections answer reads beside
//! it (WAL). Writes wait in a bounded queue and share commits. A database that cannot keep up answers
//! [`SqlError::Busy`] instead of growing without end.

mod connection;
mod group;
mod readers;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::Arc;

use tidegate_core::service::{Row, Sql, SqlError, SqlValue};

use crate::config::Database;
use crate::metrics::StoreMetrics;
use readers::Readers;
use writer::Writer;

/// How a [`SqliteStore`] is set up.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// How many writes may wait for the writer; one more is answered with
    /// [`SqlError::Busy`].
    pub write_queue: usize,
    /// How many bytes the waiting writes may hold; beyond that, one more is turned away as well. One
    /// alone may hold more.
    pub write_queue_bytes: usize,
    /// How many read-only connections answer reads side by side.
    pub readers: usize,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { write_queue: 1024, write_queue_bytes: 64 * 1024 * 1024, readers: 4 }
    }
}

/// A SQLite database as the service's [`Sql`].
///
/// # Examples
///
/// ```
/// use tidegate::{Database, SqliteOptions, SqliteStore};
/// use tidegate_core::service::{Sql, SqlValue};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = SqliteStore::open(&Database::Memory, &SqliteOptions::default())?;
/// store.write("CREATE TABLE tide (height INTEGER) STRICT", vec![]).await?;
/// store.write("INSERT INTO tide VALUES (?1)", vec![SqlValue::Integer(7)]).await?;
/// let rows = store.read("SELECT height FROM tide", vec![]).await?;
/// assert_eq!(rows, [[SqlValue::Integer(7)]]);
/// store.close().await;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    /// None in memory: there the one connection reads as well.
    readers: Option<Arc<Readers>>,
}

impl SqliteStore {
    /// Opens the database, and creates the file if it is not there.
    ///
    /// # Errors
    ///
    /// [`SqlError::Unavailable`] when the file cannot be opened, is no SQLite database, or cannot be
    /// switched to write-ahead logging.
    pub fn open(database: &Database, options: &SqliteOptions) -> Result<Self, SqlError> {
        Self::measured(database, options, StoreMetrics::default())
    }

    /// Opens it, and counts its writes.
    pub(crate) fn measured(
        database: &Database,
        options: &SqliteOptions,
        metrics: StoreMetrics,
    ) -> Result<Self, SqlError> {
        let connection = connection::writable(database)?;
        // The writer has created the file and its log by now, which a read-only connection cannot.
        let readers = match database {
            Database::Memory | Database::Postgres(_) => None,
            Database::File(path) => Some(Arc::new(Readers::open(path, options.readers)?)),
        };
        Ok(Self { writer: Writer::start(connection, options, metrics)?, readers })
    }

    /// Writes a copy of a database into a new file, as it is at one moment. Others may go on using it.
    ///
    /// # Errors
    ///
    /// [`SqlError::Unavailable`] when the one cannot be read, or the other not be written.
    pub fn copy(source: &Path, target: &Path) -> Result<(), SqlError> {
        connection::copy(source, target)
    }

    /// Finishes the writes that were accepted, empties the write-ahead log into the file and
    /// closes it. Statements that come later are answered with [`SqlError::Unavailable`].
    pub async fn close(&self) {
        if let Some(readers) = &self.readers {
            readers.close().await;
        }
        self.writer.close().await;
    }
}

impl Sql for SqliteStore {
    async fn read(&self, statement: &str, parameters: Vec<SqlValue>) -> Result<Vec<Row>, SqlError> {
        told(match &self.readers {
            Some(readers) => Readers::read(readers, statement, parameters).await,
            None => self.writer.read(statement, parameters).await,
        })
    }

    async fn write(&self, statement: &str, parameters: Vec<SqlValue>) -> Result<Vec<Row>, SqlError> {
        told(self.writer.write(statement, parameters).await)
    }
}

/// For who looks for it. What becomes of it is the caller's: a failed request is logged with it, and
/// that a new database has no table yet is no failure.
fn told(outcome: Result<Vec<Row>, SqlError>) -> Result<Vec<Row>, SqlError> {
    if let Err(SqlError::Unavailable(reason) | SqlError::Busy(reason)) = &outcome {
        tracing::debug!(reason, "a statement was not carried out");
    }
    outcome
}
