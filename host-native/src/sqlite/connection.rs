//! One connection: how it is opened, how a statement runs on it, what its errors mean.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, ErrorCode, MAIN_DB, OpenFlags, Statement};
use tidegate_core::service::{Row, SqlError, SqlValue};

use crate::config::Database;

/// Another process may hold the file for a moment: a backup, a `sqlite3` shell.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The service has a fixed set of statements; all of them fit.
const PREPARED_STATEMENTS: usize = 256;
/// Pages kept in memory by each connection, in KiB (negative is SQLite's sign for that unit).
const CACHE_KIB: i32 = -16 * 1024;
/// What the write-ahead log's file keeps of its length once it is emptied. It grows beyond that while
/// somebody reads for long, or by a large bulk.
///
/// When it is emptied is SQLite's rule: at the end of a commit, as soon as it holds 1000 pages. That
/// waits for nobody, and is too short a work to show among the times of the syncs.
pub(super) const LOG_BYTES: u32 = 16 * 1024 * 1024;

/// The connection that writes. It creates the file.
pub(super) fn writable(database: &Database) -> Result<Connection, SqlError> {
    let connection = match database {
        Database::Postgres(_) => return Err(SqlError::Unavailable("this is no SQLite database".into())),
        Database::Memory => Connection::open_in_memory(),
        Database::File(path) => Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        ),
    }
    .map_err(|error| explain(&error))?;
    common(&connection).map_err(|error| explain(&error))?;
    // SQLite opens what it cannot write for reading, and such a connection never writes again.
    if connection.is_readonly(MAIN_DB).map_err(|error| explain(&error))? {
        return Err(SqlError::Unavailable("the database's file can be read, but not written".into()));
    }
    if let Database::File(_) = database {
        let mode: String = connection
            .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
            .map_err(|error| explain(&error))?;
        if mode != "wal" {
            return Err(SqlError::Unavailable(format!(
                "the database's file system does not allow write-ahead logging (journal mode \
                 `{mode}`)"
            )));
        }
        // In WAL mode FULL is what syncs the log at each commit: an answered write survives a
        // power cut.
        connection.pragma_update(None, "synchronous", "FULL").map_err(|error| explain(&error))?;
        connection
            .pragma_update_and_check(None, "journal_size_limit", LOG_BYTES, |_| Ok(()))
            .map_err(|error| explain(&error))?;
    }
    Ok(connection)
}

/// A connection that only reads.
pub(super) fn read_only(path: &Path) -> Result<Connection, SqlError> {
    let open = || -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        common(&connection)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    };
    open().map_err(|error| explain(&error))
}

/// Writes a copy of a database into a file that is not there yet.
pub(super) fn copy(source: &Path, target: &Path) -> Result<(), SqlError> {
    let copy = || -> rusqlite::Result<()> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(source, flags)?;
        common(&connection)?;
        let target = target.to_str().ok_or_else(|| Error::InvalidPath(target.to_owned()))?;
        // One read of one snapshot: no write waits for it.
        connection.execute("VACUUM INTO ?1", [target]).map(|_| ())
    };
    copy().map_err(|error| explain(&error))
}

/// Has each statement of a connection end with an error when `says_so`, which is asked after so many steps
/// and again after as many; and when it would have to wait for another process.
pub(super) fn give_up(
    connection: &mut Connection,
    steps: i32,
    says_so: impl FnMut() -> bool + Send + 'static,
) -> Result<(), SqlError> {
    let set = || -> rusqlite::Result<()> {
        connection.busy_timeout(Duration::ZERO)?;
        connection.progress_handler(steps, Some(says_so))
    };
    set().map_err(|error| explain(&error))
}

fn common(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // The statements need no plan of their own for each value, and finding one takes longer than most of
    // them run: without this, SQLite prepares a statement anew whenever a parameter is another one.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")
}

/// Runs a statement that changes nothing; refuses to run another.
pub(super) fn read(
    connection: &Connection,
    statement: &str,
    parameters: &[SqlValue],
) -> Result<Vec<Row>, SqlError> {
    let mut prepared = prepare(connection, statement)?;
    if !prepared.readonly() {
        return Err(SqlError::Unavailable("a statement that writes was given as a read".into()));
    }
    run(&mut prepared, parameters)
}

/// Runs a statement that may change something, inside the transaction that stands.
pub(super) fn write(
    connection: &Connection,
    statement: &str,
    parameters: &[SqlValue],
) -> Result<Vec<Row>, SqlError> {
    run(&mut *prepare(connection, statement)?, parameters)
}

fn prepare<'c>(
    connection: &'c Connection,
    statement: &str,
) -> Result<rusqlite::CachedStatement<'c>, SqlError> {
    connection.prepare_cached(statement).map_err(|error| explain(&error))
}

fn run(prepared: &mut Statement<'_>, parameters: &[SqlValue]) -> Result<Vec<Row>, SqlError> {
    let width = prepared.column_count();
    let parameters = rusqlite::params_from_iter(parameters.iter().map(Parameter));
    let mut rows = prepared.query(parameters).map_err(|error| explain(&error))?;
    let mut answer = Vec::new();
    // To the end: a statement with RETURNING has only done its work when it has been stepped
    // through.
    while let Some(row) = rows.next().map_err(|error| explain(&error))? {
        let values =
            (0..width).map(|column| row.get_ref(column).map_err(|error| explain(&error)).and_then(value));
        answer.push(values.collect::<Result<Row, SqlError>>()?);
    }
    Ok(answer)
}

struct Parameter<'a>(&'a SqlValue);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            SqlValue::Null => ValueRef::Null,
            SqlValue::Integer(integer) => ValueRef::Integer(*integer),
            SqlValue::Text(text) => ValueRef::Text(text.as_bytes()),
            SqlValue::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(value: ValueRef<'_>) -> Result<SqlValue, SqlError> {
    match value {
        ValueRef::Null => Ok(SqlValue::Null),
        ValueRef::Integer(integer) => Ok(SqlValue::Integer(integer)),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(SqlValue::Text(text.to_owned())),
            Err(_) => {
                Err(SqlError::Unavailable("the database is malformed: a stored text is not UTF-8".into()))
            }
        },
        ValueRef::Blob(bytes) => Ok(SqlValue::Blob(bytes.to_vec())),
        ValueRef::Real(_) => {
            Err(SqlError::Unavailable("a statement returned a floating-point number".into()))
        }
    }
}

/// Tells a refusal (a constraint, a `RAISE(ABORT, …)`) from a database that does not work.
pub(super) fn explain(error: &Error) -> SqlError {
    match error {
        Error::SqliteFailure(failure, message) => {
            let message = message.clone().unwrap_or_else(|| failure.to_string());
            if failure.code == ErrorCode::ConstraintViolation {
                SqlError::Refused(message)
            } else {
                SqlError::Unavailable(message)
            }
        }
        // Its `Display` repeats the statement; the message alone says what is wrong with it.
        Error::SqlInputError { msg, .. } => SqlError::Unavailable(msg.clone()),
        other => SqlError::Unavailable(other.to_string()),
    }
}
