//! The service's statements on libSQL, each on a connection that is opened for it and closed after
//! it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use libsql::hooks::{AuthAction, AuthContext, Authorization};
use libsql::types::{Value, ValueRef};
use libsql::{Connection, params_from_iter};
use tidegate_core::service::{Row, Sql, SqlError, SqlValue};

use crate::server;
use crate::settings::{self, Intent};

/// How long a statement waits for another one's lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// A database file. It need not exist.
pub(crate) struct LibsqlStore {
    file: PathBuf,
    /// How many connections there have been.
    connections: AtomicU64,
}

impl LibsqlStore {
    pub(crate) fn new(file: PathBuf) -> Self {
        Self { file, connections: AtomicU64::new(0) }
    }

    async fn run(
        &self,
        intent: Intent,
        statement: &str,
        parameters: Vec<SqlValue>,
    ) -> Result<Vec<Row>, SqlError> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let settings = settings::of_connection(number, intent);
        let (file, statement) = (self.file.clone(), statement.to_owned());
        let task = tokio::task::spawn_blocking(move || run_alone(&file, &settings, &statement, parameters));
        task.await.unwrap_or_else(|error| Err(error.to_string())).map_err(SqlError::from_sqlite_message)
    }
}

impl Sql for LibsqlStore {
    async fn read(&self, statement: &str, parameters: Vec<SqlValue>) -> Result<Vec<Row>, SqlError> {
        self.run(Intent::Read, statement, parameters).await
    }

    async fn write(&self, statement: &str, parameters: Vec<SqlValue>) -> Result<Vec<Row>, SqlError> {
        self.run(Intent::Write, statement, parameters).await
    }
}

/// Runs one statement on a connection of its own.
fn run_alone(
    file: &Path,
    settings: &str,
    statement: &str,
    parameters: Vec<SqlValue>,
) -> Result<Vec<Row>, String> {
    let text = |error: libsql::Error| error.to_string();
    let connection = Connection::open(file).map_err(text)?;
    connection.busy_timeout(PATIENCE).map_err(text)?;
    connection.execute_batch(settings).map_err(text)?;
    connection.authorizer(Some(authorize));
    // The engine takes the statement as it is, too.
    connection.prepare(statement).map_err(text)?;
    let statement = server::as_it_runs(statement)?;
    query(&connection, &statement, parameters).map_err(text)
}

fn query(connection: &Connection, statement: &str, parameters: Vec<SqlValue>) -> libsql::Result<Vec<Row>> {
    let mut statement = connection.prepare(statement)?;
    let columns = statement.column_count();
    let mut found = statement.query(params_from_iter(parameters.into_iter().map(parameter)))?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let values = (0..columns).map(|column| value(column, row.get_ref(column)?));
        rows.push(values.collect::<libsql::Result<_>>()?);
    }
    Ok(rows)
}

/// Refuses whatever a connection would remember for the next statement, or has remembered from the
/// last one. libSQL asks for every part of a statement, and of the triggers that it runs.
fn authorize(context: AuthContext<'_>) -> Authorization {
    let depends = match context.action {
        AuthAction::Transaction { .. }
        | AuthAction::Savepoint { .. }
        | AuthAction::Pragma { .. }
        | AuthAction::Attach { .. }
        | AuthAction::Detach { .. }
        | AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempView { .. } => true,
        AuthAction::Function { function_name } => match function_name {
            "last_insert_rowid" | "total_changes" => true,
            // In a trigger it is about the trigger's own last statement.
            "changes" => context.accessor.is_none(),
            _ => false,
        },
        _ => false,
    };
    if depends { Authorization::Deny } else { Authorization::Allow }
}

fn parameter(value: SqlValue) -> Value {
    match value {
        SqlValue::Null => Value::Null,
        SqlValue::Integer(integer) => Value::Integer(integer),
        SqlValue::Text(text) => Value::Text(text),
        SqlValue::Blob(bytes) => Value::Blob(bytes),
    }
}

fn value(column: usize, value: ValueRef<'_>) -> libsql::Result<SqlValue> {
    match value {
        ValueRef::Null => Ok(SqlValue::Null),
        ValueRef::Integer(integer) => Ok(SqlValue::Integer(integer)),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Ok(SqlValue::Text(text.to_owned())),
            Err(error) => Err(libsql::Error::Utf8Error(error)),
        },
        ValueRef::Blob(bytes) => Ok(SqlValue::Blob(bytes.to_vec())),
        ValueRef::Real(_) => Err(libsql::Error::InvalidColumnType(column, String::new(), value.data_type())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(outcome: Result<Vec<Row>, SqlError>) -> String {
        outcome.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn what_depends_on_the_connection_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let store = LibsqlStore::new(directory.path().join("test.db"));
        for statement in [
            "CREATE TABLE t (a)",
            "CREATE VIEW v AS SELECT 0 AS a",
            "CREATE TRIGGER one INSTEAD OF INSERT ON v WHEN NEW.a = 1 BEGIN
                INSERT INTO t VALUES (1);
                INSERT INTO t SELECT changes();
            END",
            "INSERT INTO v VALUES (1)",
        ] {
            store.write(statement, Vec::new()).await.unwrap();
        }
        for statement in [
            "BEGIN",
            "SAVEPOINT s",
            "PRAGMA user_version",
            "ATTACH ':memory:' AS other",
            "CREATE TEMP TABLE u (a)",
            "CREATE TEMP VIEW u AS SELECT 1",
            "SELECT changes()",
            "INSERT INTO t SELECT last_insert_rowid()",
            "INSERT INTO t SELECT total_changes()",
        ] {
            let message = message(store.write(statement, Vec::new()).await);
            assert!(message.contains("not authorized"), "{statement}: {message}");
        }
        let message = message(store.read("INSERT INTO t VALUES (2)", Vec::new()).await);
        assert!(message.contains("readonly"), "{message}");
        let rows = store.read("SELECT a FROM t ORDER BY rowid", Vec::new()).await.unwrap();
        assert_eq!(rows, [[SqlValue::Integer(1)], [SqlValue::Integer(1)]]);
    }
}
