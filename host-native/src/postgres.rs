//! The service's database in PostgreSQL.
//!
//! Reads take a connection from a pool. Writes wait in a bounded queue for one task, which runs them one
//! after the other: the store's commands lock one row and would wait for each other in the database
//! anyway. Commits that have come together in the queue go out as one statement, and so share a round
//! trip and a sync of the database's log.

mod tls;
mod writer;

use std::borrow::Cow;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use tidegate_core::service::{Dialect, Row, Sql, SqlError, SqlValue};
use tokio_postgres::Statement;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{IsNull, ToSql, Type, accepts, private::BytesMut, to_sql_checked};

use crate::config::PostgresUrl;
use crate::metrics::{StoreMetrics, TOO_MANY_READS};
use writer::{Function, Writer};

/// How long a connection is waited for, whether from the pool or from the database.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one statement may take. A bulk of 4 MiB takes a second or two.
const STATEMENT_PATIENCE: Duration = Duration::from_secs(60);

/// How a [`PostgresStore`] is set up.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// How many connections it opens at the most; one of them writes.
    pub connections: usize,
    /// How many writes may wait; one more is answered with [`SqlError::Busy`].
    pub write_queue: usize,
    /// How many bytes the writes that wait may hold together.
    pub write_queue_bytes: usize,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { connections: 8, write_queue: 1024, write_queue_bytes: 64 * 1024 * 1024 }
    }
}

/// A PostgreSQL database as the service's [`Sql`].
#[derive(Debug)]
pub struct PostgresStore {
    readers: Pool,
    writer: Writer,
}

impl PostgresStore {
    /// Makes the pool. Connections are opened when they are needed, so a database that is away comes
    /// to light with the first statement.
    ///
    /// To be called within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`SqlError::Unavailable`] when TLS is asked for and the system has no certificates.
    pub fn connect(url: &PostgresUrl, options: &PostgresOptions) -> Result<Self, SqlError> {
        Self::measured(url, options, StoreMetrics::default())
    }

    pub(crate) fn measured(
        url: &PostgresUrl,
        options: &PostgresOptions,
        metrics: StoreMetrics,
    ) -> Result<Self, SqlError> {
        let readers = pool(url, options.connections.saturating_sub(1))?;
        let writer = Writer::start(pool(url, 1)?, options.write_queue, options.write_queue_bytes, metrics);
        Ok(Self { readers, writer })
    }

    /// Finishes the writes that were accepted and closes all connections. Statements that come later
    /// are answered with [`SqlError::Unavailable`].
    pub async fn close(&self) {
        self.writer.close().await;
        self.readers.close();
    }
}

fn pool(url: &PostgresUrl, connections: usize) -> Result<Pool, SqlError> {
    let mut config = url.config().map_err(|error| unavailable(&error))?;
    config.application_name(concat!("tidegate ", env!("CARGO_PKG_VERSION")));
    config.connect_timeout(PATIENCE);
    // A connection that was closed is noticed without asking.
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = match tls::wanted(&mut config) {
        false => Manager::from_config(config, tokio_postgres::NoTls, recycling),
        true => Manager::from_config(config, tls::connector()?, recycling),
    };
    Pool::builder(manager)
        .max_size(connections.clamp(1, 1024))
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(PATIENCE))
        .create_timeout(Some(PATIENCE))
        .recycle_timeout(Some(PATIENCE))
        .build()
        .map_err(|error| unavailable(&error))
}

impl Sql for PostgresStore {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn read(&self, statement: &str, parameters: Vec<SqlValue>) -> Result<Vec<Row>, SqlError> {
        const ATTEMPTS: usize = 3;
        let mut answer = run(&self.readers, statement, &parameters).await;
        for _ in 1..ATTEMPTS {
            // The database was started anew, and this connection had not noticed. Reading twice does
            // no harm.
            let Err(Fault { fate: Fate::Lost, .. }) = &answer else { break };
            answer = run(&self.readers, statement, &parameters).await;
        }
        answer.map_err(|fault| fault.error)
    }

    async fn write(&self, statement: &str, parameters: Vec<SqlValue>) -> Result<Vec<Row>, SqlError> {
        self.writer.write(statement, parameters).await
    }
}

/// Why a statement did not do its work.
struct Fault {
    error: SqlError,
    fate: Fate,
}

/// What became of a statement that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It never reached the database.
    Unsent,
    /// The database said no: nothing of it has taken effect.
    Refused,
    /// The connection broke before an answer came; for all that is known it was carried out.
    Lost,
    /// There was no answer in time; it may be carried out yet.
    Late,
}

impl Fault {
    fn new(error: SqlError, fate: Fate) -> Self {
        Self { error, fate }
    }

    /// What went wrong with a statement; `unanswered` is its fate when the database said nothing.
    fn of(error: &tokio_postgres::Error, unanswered: Fate) -> Self {
        let fate = match error.as_db_error() {
            // A session that was ended from outside says so, and is as good as broken.
            Some(db) if db.code().code().starts_with("57P") => unanswered,
            Some(_) => Fate::Refused,
            None => unanswered,
        };
        Self::new(explain(error), fate)
    }
}

/// Runs one statement on a connection of the pool.
async fn run(pool: &Pool, statement: &str, parameters: &[SqlValue]) -> Result<Vec<Row>, Fault> {
    on_connection(pool, async |connection| {
        let prepared = prepared(connection, statement).await?;
        let parameters: Vec<Parameter<'_>> = parameters.iter().map(Parameter).collect();
        query(connection, &prepared, parameters.iter().map(as_sql).collect()).await
    })
    .await
}

/// Calls a function once for each of the lists of parameters, in their order, by one statement. The answer
/// has a row for each.
async fn run_each(
    pool: &Pool,
    function: &Function<'_>,
    parameters: &[&[SqlValue]],
) -> Result<Vec<Row>, Fault> {
    on_connection(pool, async |connection| {
        let once = prepared(connection, function.statement).await?;
        let prepared = prepared(connection, &function.for_each(once.params())).await?;
        let columns: Vec<Vec<Option<Cow<'_, str>>>> = (0..function.width)
            .map(|column| parameters.iter().map(|row| row.get(column).and_then(text)).collect())
            .collect();
        query(connection, &prepared, columns.iter().map(as_sql).collect()).await
    })
    .await
}

/// A value as PostgreSQL writes it.
fn text(value: &SqlValue) -> Option<Cow<'_, str>> {
    match value {
        // No command has bytes.
        SqlValue::Null | SqlValue::Blob(_) => None,
        SqlValue::Integer(integer) => Some(Cow::Owned(integer.to_string())),
        SqlValue::Text(text) => Some(Cow::Borrowed(text)),
    }
}

fn as_sql<T: ToSql + Sync>(value: &T) -> &(dyn ToSql + Sync) {
    value
}

/// Does something with a connection of the pool, for as long as anybody would wait for it.
async fn on_connection<T>(
    pool: &Pool,
    work: impl AsyncFnOnce(&Object) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let connection = pool.get().await.map_err(|error| Fault::new(no_connection(&error), Fate::Unsent))?;
    match tokio::time::timeout(STATEMENT_PATIENCE, work(&connection)).await {
        Ok(answer) => answer,
        Err(_) => {
            // It still waits for that answer, so it is of no use to anybody else.
            drop(Object::take(connection));
            let error = SqlError::Unavailable("the database does not answer".into());
            Err(Fault::new(error, Fate::Late))
        }
    }
}

async fn prepared(connection: &Object, statement: &str) -> Result<Statement, Fault> {
    let prepared = connection.prepare_cached(statement).await;
    // Nothing of it has been run; a connection that was closed meanwhile shows here.
    prepared.map_err(|error| Fault::of(&error, Fate::Unsent))
}

async fn query(
    connection: &Object,
    prepared: &Statement,
    parameters: Vec<&(dyn ToSql + Sync)>,
) -> Result<Vec<Row>, Fault> {
    let rows = connection.query(prepared, &parameters).await;
    let rows = rows.map_err(|error| Fault::of(&error, Fate::Lost))?;
    rows.iter().map(row).collect::<Result<_, _>>().map_err(|error| Fault::new(error, Fate::Lost))
}

/// A value on its way to the database.
#[derive(Debug)]
struct Parameter<'a>(&'a SqlValue);

impl ToSql for Parameter<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self.0 {
            SqlValue::Null => Ok(IsNull::Yes),
            SqlValue::Integer(integer) => integer.to_sql_checked(ty, out),
            SqlValue::Text(text) => text.as_str().to_sql_checked(ty, out),
            SqlValue::Blob(bytes) => bytes.as_slice().to_sql_checked(ty, out),
        }
    }

    accepts!(TEXT, INT8, BYTEA);
    to_sql_checked!();
}

fn row(row: &tokio_postgres::Row) -> Result<Row, SqlError> {
    let columns = row.columns().iter().enumerate();
    let values = columns.map(|(at, column)| {
        let value = match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(at).map(|value| value.map(SqlValue::Integer)),
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(at).map(|value| value.map(SqlValue::Blob)),
            // Everything else has to be a text, and is an error if it is not.
            _ => row.try_get::<_, Option<String>>(at).map(|value| value.map(SqlValue::Text)),
        };
        value.map(|value| value.unwrap_or(SqlValue::Null)).map_err(|error| unavailable(&error))
    });
    values.collect()
}

fn no_connection(error: &PoolError) -> SqlError {
    match error {
        PoolError::Backend(error) => explain(error),
        PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => {
            // The one task that writes has a connection to itself.
            SqlError::Busy(TOO_MANY_READS.into())
        }
        other => unavailable(other),
    }
}

/// What the database said, or why it said nothing. Details, which can quote what is stored, stay out.
fn explain(error: &tokio_postgres::Error) -> SqlError {
    match error.as_db_error() {
        // Not to be planned again but to be waited for: a server that is starting or stopping.
        Some(db) if *db.code() == SqlState::CANNOT_CONNECT_NOW => {
            SqlError::Unavailable(format!("the database is not ready: {}", db.message()))
        }
        Some(db) => SqlError::from_postgres(db.code().code(), db.message()),
        None => unavailable(error),
    }
}

/// An error with all that caused it.
fn unavailable(error: &dyn std::error::Error) -> SqlError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    SqlError::Unavailable(text)
}
