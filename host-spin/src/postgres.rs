//! The service's statements on PostgreSQL, which Spin connects to.

use std::cell::OnceCell;

use spin_sdk::pg::{Connection, DbValue, Error, ParameterValue, PgError, QueryError};
use tidegate_core::service::{Row, SqlError, SqlValue};

/// A request's connection, taken from Spin's pool by its first statement.
pub(crate) struct SpinPostgres {
    /// With a password in it: it goes to Spin and nowhere else.
    url: String,
    connection: OnceCell<Connection>,
}

impl SpinPostgres {
    pub(crate) fn new(url: String) -> Self {
        Self { url, connection: OnceCell::new() }
    }

    pub(crate) async fn run(&self, statement: &str, parameters: Vec<SqlValue>) -> Result<Vec<Row>, SqlError> {
        let connection = match self.connection.get() {
            Some(connection) => connection,
            None => {
                let opened = Connection::open(&self.url).await.map_err(|error| unreachable(&error))?;
                self.connection.get_or_init(|| opened)
            }
        };
        let parameters: Vec<_> = parameters.into_iter().map(parameter).collect();
        let mut answer = connection.query(statement, parameters).await.map_err(explain)?;
        let mut rows = Vec::new();
        while let Some(row) = answer.rows().next().await {
            rows.push(row.into_iter().map(value).collect::<Result<Row, _>>()?);
        }
        answer.result().await.map_err(explain)?;
        Ok(rows)
    }
}

fn parameter(value: SqlValue) -> ParameterValue {
    match value {
        SqlValue::Null => ParameterValue::DbNull,
        SqlValue::Integer(integer) => ParameterValue::Int64(integer),
        SqlValue::Text(text) => ParameterValue::Str(text),
        SqlValue::Blob(bytes) => ParameterValue::Binary(bytes),
    }
}

fn value(value: DbValue) -> Result<SqlValue, SqlError> {
    match value {
        DbValue::DbNull => Ok(SqlValue::Null),
        DbValue::Int16(integer) => Ok(SqlValue::Integer(integer.into())),
        DbValue::Int32(integer) => Ok(SqlValue::Integer(integer.into())),
        DbValue::Int64(integer) => Ok(SqlValue::Integer(integer)),
        DbValue::Str(text) => Ok(SqlValue::Text(text)),
        _ => Err(unavailable("a statement returned a value that is neither an integer nor text")),
    }
}

/// Why there is no connection. What Spin says of it may name the host, the user and the database, so
/// that only what it is about is said here.
fn unreachable(error: &Error) -> SqlError {
    const SIGNS: [(&str, &str); 4] = [
        ("is not permitted", "`database_host` does not permit the host that `database_url` names"),
        ("authentication", "PostgreSQL refuses the user or the password of `database_url`"),
        ("does not exist", "PostgreSQL does not have the user or the database of `database_url`"),
        ("too many", "there are too many connections to PostgreSQL"),
    ];
    let why = match error {
        Error::PgError(PgError::ConnectionFailed(why)) => why.as_str(),
        _ => "",
    };
    let sign = SIGNS.iter().find(|(sign, _)| why.contains(sign));
    unavailable(sign.map_or("PostgreSQL cannot be reached by `database_url`", |(_, meaning)| meaning))
}

fn explain(error: Error) -> SqlError {
    match error {
        Error::PgError(PgError::QueryFailed(QueryError::DbError(error))) => {
            // Its details may quote what is stored.
            SqlError::from_postgres(&error.code, &error.message)
        }
        Error::PgError(
            PgError::QueryFailed(QueryError::Text(why))
            | PgError::ConnectionFailed(why)
            | PgError::BadParameter(why)
            | PgError::ValueConversionFailed(why)
            | PgError::Other(why),
        )
        | Error::Decode(why) => SqlError::Unavailable(why),
    }
}

fn unavailable(why: &str) -> SqlError {
    SqlError::Unavailable(why.to_owned())
}
