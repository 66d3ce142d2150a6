//! Spin's SQLite over a real file, by Spin's rules: each `open` is a connection of its own, with
//! the library's own settings and nobody's pragmas; a query runs on a thread for blocking work and
//! gives its rows through a short channel, one at a time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rusqlite::types::{Value as Stored, ValueRef};
use tokio::sync::{mpsc, oneshot};
use wasmtime::component::{Access, Accessor, FutureReader, HasSelf, Resource, StreamReader};

use crate::bindings::spin::sqlite::sqlite::{
    Error, Host, HostConnection, HostConnectionWithStore, RowResult, Value,
};
use crate::rows::{MOST_ROW_BYTES, ROWS_WAITING, Rows};
use crate::state::State;

/// An open connection. The file is opened by the first statement.
pub struct Connection {
    file: PathBuf,
    opened: Arc<OnceLock<Arc<Mutex<rusqlite::Connection>>>>,
}

impl Connection {
    fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), opened: Arc::default() }
    }

    fn opened(&self) -> Result<Arc<Mutex<rusqlite::Connection>>, Error> {
        if let Some(connection) = self.opened.get() {
            return Ok(Arc::clone(connection));
        }
        let mut connection = rusqlite::Connection::open(&self.file).map_err(io)?;
        // As Spin does, which lets no component attach another file.
        connection
            .authorizer(Some(|context: rusqlite::hooks::AuthContext<'_>| match context.action {
                rusqlite::hooks::AuthAction::Attach { filename } if !matches!(filename, "" | ":memory:") => {
                    rusqlite::hooks::Authorization::Deny
                }
                _ => rusqlite::hooks::Authorization::Allow,
            }))
            .map_err(io)?;
        Ok(Arc::clone(self.opened.get_or_init(|| Arc::new(Mutex::new(connection)))))
    }
}

type Answer = (Vec<String>, StreamReader<RowResult>, FutureReader<Result<(), Error>>);

impl Host for State {}

impl HostConnection for State {}

impl HostConnectionWithStore<State> for HasSelf<State> {
    async fn open_async(
        accessor: &Accessor<State, Self>,
        database: String,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        accessor.with(|mut access| {
            let state = access.get();
            if !state.shared.databases.contains(&database) {
                return Ok(Err(Error::AccessDenied));
            }
            let connection = Connection::new(&state.shared.database);
            Ok(Ok(state.table.push(connection)?))
        })
    }

    async fn execute_async(
        accessor: &Accessor<State, Self>,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<Answer, Error>> {
        let opened = accessor
            .with(|mut access| access.get().table.get(&connection).map(Connection::opened))
            .map_err(wasmtime::Error::from)?;
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        let (columns, columns_ready) = oneshot::channel();
        let (rows, rows_ready) = mpsc::channel(ROWS_WAITING);
        let (outcome, outcome_ready) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            let done = query(&opened, &statement, parameters, columns, &rows);
            // The request may have been given up in the meantime.
            let _ = outcome.send(done);
        });
        // Where the statement could not be prepared, there are no columns, and the outcome says why.
        let columns = columns_ready.await.unwrap_or_default();
        accessor.with(|mut access| {
            let rows = StreamReader::new(&mut access, Rows(rows_ready))?;
            let outcome = FutureReader::new(&mut access, async move {
                Ok::<_, wasmtime::Error>(
                    outcome_ready.await.unwrap_or_else(|_| Err(io("the query was lost"))),
                )
            })?;
            Ok(Ok((columns, rows, outcome)))
        })
    }

    fn drop(mut access: Access<'_, State, Self>, connection: Resource<Connection>) -> wasmtime::Result<()> {
        access.get().table.delete(connection)?;
        Ok(())
    }
}

fn query(
    connection: &Mutex<rusqlite::Connection>,
    statement: &str,
    parameters: Vec<Value>,
    columns: oneshot::Sender<Vec<String>>,
    rows: &mpsc::Sender<RowResult>,
) -> Result<(), Error> {
    let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
    let mut statement = connection.prepare_cached(statement).map_err(io)?;
    let _ = columns.send(statement.column_names().map(ToOwned::to_owned).collect());
    let width = statement.column_count();
    let mut found =
        statement.query(rusqlite::params_from_iter(parameters.into_iter().map(parameter))).map_err(io)?;
    while let Some(row) = found.next().map_err(io)? {
        let values = (0..width)
            .map(|column| row.get_ref(column).map_err(io).and_then(value))
            .collect::<Result<Vec<_>, _>>()?;
        if values.iter().map(size).sum::<usize>() > MOST_ROW_BYTES {
            return Err(io(format!("query result exceeds limit of {MOST_ROW_BYTES} bytes")));
        }
        rows.blocking_send(RowResult { values }).map_err(|_| io("row send error"))?;
    }
    Ok(())
}

fn parameter(value: Value) -> Stored {
    match value {
        Value::Null => Stored::Null,
        Value::Integer(integer) => Stored::Integer(integer),
        Value::Real(real) => Stored::Real(real),
        Value::Text(text) => Stored::Text(text),
        Value::Blob(bytes) => Stored::Blob(bytes),
    }
}

fn value(value: ValueRef<'_>) -> Result<Value, Error> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(text) => Value::Text(String::from_utf8(text.to_vec()).map_err(io)?),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    })
}

fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
        _ => 8,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the form that `map_err` takes")]
fn io(error: impl ToString) -> Error {
    Error::Io(error.to_string())
}
