//! Which database the state is in, by a variable.

use spin_sdk::variables::{self, Error};
use tidegate_core::service::{Dialect, Row, Sql, SqlError, SqlValue};

use crate::postgres::SpinPostgres;
use crate::sqlite::SpinSqlite;
use crate::system;

/// The variable with PostgreSQL's URL, as `spin.toml` declares it.
const DATABASE_URL: &str = "database_url";

/// What a request's statements run on. One type, so that there is one service in the component.
pub(crate) enum Database {
    /// Spin's own.
    Sqlite(SpinSqlite),
    /// What the variable names.
    Postgres(SpinPostgres),
    /// It cannot be told which: then neither, as there must not be two states.
    Unknown(String),
}

impl Database {
    /// The database that the variable names, and the variable's value.
    pub(crate) async fn named() -> (Self, String) {
        let url = match variables::get(DATABASE_URL).await {
            // A manifest of one's own need not know of it.
            Err(Error::Undefined(_)) => Ok(String::new()),
            url => url,
        };
        match url {
            Ok(url) if url.is_empty() => (Self::Sqlite(SpinSqlite::default()), url),
            Ok(url) => (Self::Postgres(SpinPostgres::new(url.clone())), url),
            Err(error) => (Self::Unknown(system::explain(DATABASE_URL, error)), String::new()),
        }
    }

    async fn run(&self, statement: &str, parameters: Vec<SqlValue>) -> Result<Vec<Row>, SqlError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.run(statement, parameters).await,
            Self::Postgres(postgres) => postgres.run(statement, parameters).await,
            Self::Unknown(why) => Err(SqlError::Unavailable(why.clone())),
        }
    }
}

impl Sql for Database {
    fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) | Self::Unknown(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    async fn read(&self, statement: &str, parameters: Vec<SqlValue>) -> Result<Vec<Row>, SqlError> {
        self.run(statement, parameters).await
    }

    async fn write(&self, statement: &str, parameters: Vec<SqlValue>) -> Result<Vec<Row>, SqlError> {
        self.run(statement, parameters).await
    }
}
