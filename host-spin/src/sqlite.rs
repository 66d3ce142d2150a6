//! The service's statements on Spin's SQLite: a file, or libSQL by Spin's runtime configuration.

use std::cell::OnceCell;

use spin_sdk::sqlite::{Connection, Error, Value};
use tidegate_core::service::{Row, SqlError, SqlValue};

/// The name of the database, as `spin.toml` grants it.
const DATABASE: &str = "default";

/// A request's connection, opened by its first statement.
#[derive(Default)]
pub(crate) struct SpinSqlite {
    connection: OnceCell<Connection>,
}

impl SpinSqlite {
    pub(crate) async fn run(&self, statement: &str, parameters: Vec<SqlValue>) -> Result<Vec<Row>, SqlError> {
        let connection = match self.connection.get() {
            Some(connection) => connection,
            None => {
                let opened = Connection::open(DATABASE).await.map_err(explain)?;
                self.connection.get_or_init(|| opened)
            }
        };
        let answer =
            connection.execute(statement, parameters.into_iter().map(parameter)).await.map_err(explain)?;
        let rows = answer.collect().await.map_err(explain)?;
        rows.into_iter().map(|row| row.values.into_iter().map(value).collect()).collect()
    }
}

fn parameter(value: SqlValue) -> Value {
    match value {
        SqlValue::Null => Value::Null,
        SqlValue::Integer(integer) => Value::Integer(integer),
        SqlValue::Text(text) => Value::Text(text),
        SqlValue::Blob(bytes) => Value::Blob(bytes),
    }
}

fn value(value: Value) -> Result<SqlValue, SqlError> {
    match value {
        Value::Null => Ok(SqlValue::Null),
        Value::Integer(integer) => Ok(SqlValue::Integer(integer)),
        Value::Text(text) => Ok(SqlValue::Text(text)),
        Value::Blob(bytes) => Ok(SqlValue::Blob(bytes)),
        Value::Real(_) => {
            Err(SqlError::Unavailable("a statement returned a floating-point number".to_owned()))
        }
    }
}

fn explain(error: Error) -> SqlError {
    match error {
        Error::Io(message) => SqlError::from_sqlite_message(message),
        Error::NoSuchDatabase => unavailable("Spin has no database of the name `default`"),
        Error::AccessDenied => unavailable("`spin.toml` does not grant the database `default`"),
        Error::InvalidConnection => unavailable("the connection cannot be used"),
        Error::DatabaseFull => unavailable("the database is full"),
    }
}

fn unavailable(why: &str) -> SqlError {
    SqlError::Unavailable(why.to_owned())
}
