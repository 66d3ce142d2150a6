//! The service's database, of whichever kind the configuration names.

use tidegate_core::service::{Dialect, Row, Sql, SqlError, SqlValue};

use crate::config::Database;
use crate::metrics::StoreMetrics;
use crate::postgres::{PostgresOptions, PostgresStore};
use crate::sqlite::{SqliteOptions, SqliteStore};

/// SQLite or PostgreSQL, as the service's [`Sql`].
#[derive(Debug)]
pub enum NativeStore {
    /// A SQLite file, or SQLite in memory.
    Sqlite(SqliteStore),
    /// A PostgreSQL database.
    Postgres(PostgresStore),
}

impl NativeStore {
    /// Opens the database. A SQLite file is created if it is not there; PostgreSQL is connected to
    /// by the first statement.
    ///
    /// To be called within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`SqlError::Unavailable`] when it cannot be opened.
    pub fn open(database: &Database) -> Result<Self, SqlError> {
        Self::measured(database, StoreMetrics::default())
    }

    pub(crate) fn measured(database: &Database, metrics: StoreMetrics) -> Result<Self, SqlError> {
        Ok(match database {
            Database::Postgres(url) => {
                Self::Postgres(PostgresStore::measured(url, &PostgresOptions::default(), metrics)?)
            }
            database => Self::Sqlite(SqliteStore::measured(database, &SqliteOptions::default(), metrics)?),
        })
    }

    /// Finishes the writes that were accepted and closes the database.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }
}

impl Sql for NativeStore {
    fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(store) => store.dialect(),
            Self::Postgres(store) => store.dialect(),
        }
    }

    async fn read(&self, statement: &str, parameters: Vec<SqlValue>) -> Result<Vec<Row>, SqlError> {
        match self {
            Self::Sqlite(store) => store.read(statement, parameters).await,
            Self::Postgres(store) => store.read(statement, parameters).await,
        }
    }

    async fn write(&self, statement: &str, parameters: Vec<SqlValue>) -> Result<Vec<Row>, SqlError> {
        match self {
            Self::Sqlite(store) => store.write(statement, parameters).await,
            Self::Postgres(store) => store.write(statement, parameters).await,
        }
    }
}
