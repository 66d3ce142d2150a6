//! Spin's PostgreSQL over a real server, by Spin's rules: only hosts that the manifest permits; a pool
//! of connections for each address, which are made clean before they are lent again; rows through a
//! short channel, one at a time.

#![expect(clippy::result_large_err, reason = "errors are what the interface says they are")]

use std::collections::HashMap;
use std::error::Error as StdError;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use bytes::BytesMut;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use futures_util::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::config::Host as Address;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Config, NoTls, RowStream};
use wasmtime::component::{Access, Accessor, FutureReader, HasSelf, Resource, StreamReader};

use crate::bindings::spin::postgres::postgres::{
    Column, DbDataType, DbError, DbValue, Error, Host, HostConnection, HostConnectionWithStore,
    ParameterValue, QueryError, Row,
};
use crate::rows::{MOST_ROW_BYTES, ROWS_WAITING, Rows};
use crate::state::State;

/// How many connections there are to one address, at the most.
const MOST_CONNECTIONS: usize = 64;
/// The port of an address without one.
const PORT: u16 = 5432;

/// A connection that was lent. It goes back when nothing runs on it any more.
pub struct Connection(Arc<Object>);

/// What the component may connect to, and the connections that there are.
#[derive(Default)]
pub(crate) struct Postgres {
    permitted: Vec<Permitted>,
    pools: Mutex<HashMap<String, Pool>>,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Postgres").field("permitted", &self.permitted).finish_non_exhaustive()
    }
}

/// A host and a port that the manifest permits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Permitted {
    host: String,
    port: u16,
}

impl Permitted {
    /// Reads one of `allowed_outbound_hosts`. Of what Spin takes there, this host takes one server, and
    /// no protocol but PostgreSQL's.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let server = text.strip_prefix("postgres://");
        let server = server.with_context(|| format!("there is no network here but PostgreSQL: `{text}`"))?;
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().with_context(|| format!("the port in `{text}`"))?),
            None => (server, PORT),
        };
        let plain = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '.' | '-');
        ensure!(!host.is_empty() && host.chars().all(plain), "`{text}` names no server");
        Ok(Self { host: host.to_owned(), port })
    }
}

impl Postgres {
    pub(crate) fn new(permitted: Vec<Permitted>) -> Self {
        Self { permitted, pools: Mutex::default() }
    }

    /// The pool for an address, if the component may connect to it.
    fn pool(&self, address: &str) -> Result<Pool, Error> {
        let failed = |error: &dyn std::fmt::Display| Error::ConnectionFailed(error.to_string());
        let config: Config = address.parse().map_err(|error: tokio_postgres::Error| failed(&error))?;
        for (number, host) in config.get_hosts().iter().enumerate() {
            let Address::Tcp(host) = host else {
                return Err(failed(&"Unix sockets are not supported on WebAssembly"));
            };
            // One port stands for all hosts.
            let port = config.get_ports().get(number).or(config.get_ports().first()).copied().unwrap_or(PORT);
            let asked = Permitted { host: host.clone(), port };
            if !self.permitted.contains(&asked) {
                return Err(failed(&format_args!("address postgres://{host}:{port} is not permitted")));
            }
        }
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(address) {
            return Ok(pool.clone());
        }
        let clean = ManagerConfig { recycling_method: RecyclingMethod::Clean };
        let manager = Manager::from_config(config, NoTls, clean);
        let pool =
            Pool::builder(manager).max_size(MOST_CONNECTIONS).build().map_err(|error| failed(&error))?;
        pools.insert(address.to_owned(), pool.clone());
        Ok(pool)
    }
}

type Answer = (Vec<Column>, StreamReader<Row>, FutureReader<Result<(), Error>>);

impl Host for State {}

impl HostConnection for State {}

impl HostConnectionWithStore<State> for HasSelf<State> {
    async fn open_async(
        accessor: &Accessor<State, Self>,
        address: String,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        let pool = match accessor.with(|mut access| access.get().shared.postgres.pool(&address)) {
            Ok(pool) => pool,
            Err(error) => return Ok(Err(error)),
        };
        let lent = match pool.get().await {
            Ok(lent) => lent,
            Err(error) => return Ok(Err(Error::ConnectionFailed(in_full(&error)))),
        };
        accessor.with(|mut access| Ok(Ok(access.get().table.push(Connection(Arc::new(lent)))?)))
    }

    async fn query_async(
        accessor: &Accessor<State, Self>,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> wasmtime::Result<Result<Answer, Error>> {
        let connection = accessor
            .with(|mut access| {
                access.get().table.get(&connection).map(|connection| Arc::clone(&connection.0))
            })
            .map_err(wasmtime::Error::from)?;
        let found = match connection.query_raw(&statement, parameters.iter().map(Parameter)).await {
            Ok(found) => found,
            Err(error) => return Ok(Err(failed(&error))),
        };
        let (columns, columns_ready) = oneshot::channel();
        let (rows, rows_ready) = mpsc::channel(ROWS_WAITING);
        let (outcome, outcome_ready) = oneshot::channel();
        tokio::spawn(async move {
            let done = hand_over(found, columns, &rows).await;
            // The request may have been given up in the meantime.
            let _ = outcome.send(done);
            drop(connection);
        });
        // Where there is no row, there are no columns.
        let columns = columns_ready.await.unwrap_or_default();
        accessor.with(|mut access| {
            let rows = StreamReader::new(&mut access, Rows(rows_ready))?;
            let outcome = FutureReader::new(&mut access, async move {
                let lost = || Err(Error::QueryFailed(QueryError::Text("the query was lost".to_owned())));
                Ok::<_, wasmtime::Error>(outcome_ready.await.unwrap_or_else(|_| lost()))
            })?;
            Ok(Ok((columns, rows, outcome)))
        })
    }

    fn drop(mut access: Access<'_, State, Self>, connection: Resource<Connection>) -> wasmtime::Result<()> {
        access.get().table.delete(connection)?;
        Ok(())
    }
}

async fn hand_over(
    found: RowStream,
    columns: oneshot::Sender<Vec<Column>>,
    rows: &mpsc::Sender<Row>,
) -> Result<(), Error> {
    let mut found = pin!(found);
    let mut columns = Some(columns);
    while let Some(row) = found.next().await {
        let row = row.map_err(|error| failed(&error))?;
        if let Some(columns) = columns.take() {
            let _ = columns.send(row.columns().iter().map(column).collect());
        }
        let values = (0..row.len())
            .map(|index| row.try_get::<_, Value>(index).map(|value| value.0))
            .collect::<Result<Row, _>>()
            .map_err(|error| failed(&error))?;
        if values.iter().map(size).sum::<usize>() > MOST_ROW_BYTES {
            let why = format!("query result exceeds limit of {MOST_ROW_BYTES} bytes");
            return Err(Error::QueryFailed(QueryError::Text(why)));
        }
        if rows.send(values).await.is_err() {
            // Nobody reads on.
            return Ok(());
        }
    }
    Ok(())
}

fn column(column: &tokio_postgres::Column) -> Column {
    let data_type = match *column.type_() {
        Type::BOOL => DbDataType::Boolean,
        Type::INT2 => DbDataType::Int16,
        Type::INT4 => DbDataType::Int32,
        Type::INT8 => DbDataType::Int64,
        Type::FLOAT8 => DbDataType::Floating64,
        Type::BYTEA => DbDataType::Binary,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => DbDataType::Str,
        ref other => DbDataType::Other(other.name().to_owned()),
    };
    Column { name: column.name().to_owned(), data_type }
}

/// A value as the component is given it. Of Spin's types those are here that a statement of the
/// component's could have; another is `unsupported`, as with Spin.
struct Value(DbValue);

impl<'a> FromSql<'a> for Value {
    fn from_sql(of: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(match *of {
            Type::BOOL => DbValue::Boolean(bool::from_sql(of, raw)?),
            Type::INT2 => DbValue::Int16(i16::from_sql(of, raw)?),
            Type::INT4 => DbValue::Int32(i32::from_sql(of, raw)?),
            Type::INT8 => DbValue::Int64(i64::from_sql(of, raw)?),
            Type::FLOAT8 => DbValue::Floating64(f64::from_sql(of, raw)?),
            Type::BYTEA => DbValue::Binary(raw.to_vec()),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR => DbValue::Str(String::from_sql(of, raw)?),
            _ => DbValue::Unsupported(raw.to_vec()),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(DbValue::DbNull))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A parameter. As with Spin, a number or a text is taken where the statement wants just that type,
/// and no value for any.
#[derive(Debug)]
struct Parameter<'p>(&'p ParameterValue);

impl ToSql for Parameter<'_> {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self.0 {
            ParameterValue::DbNull => Ok(IsNull::Yes),
            ParameterValue::Boolean(value) => value.to_sql_checked(of, out),
            ParameterValue::Int16(value) => value.to_sql_checked(of, out),
            ParameterValue::Int32(value) => value.to_sql_checked(of, out),
            ParameterValue::Int64(value) => value.to_sql_checked(of, out),
            ParameterValue::Floating64(value) => value.to_sql_checked(of, out),
            ParameterValue::Str(value) => value.to_sql_checked(of, out),
            ParameterValue::Binary(value) => value.to_sql_checked(of, out),
            other => Err(format!("this host has no parameters like {other:?}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn size(value: &DbValue) -> usize {
    match value {
        DbValue::Str(text) => text.len(),
        DbValue::Binary(bytes) | DbValue::Unsupported(bytes) => bytes.len(),
        _ => 8,
    }
}

fn failed(error: &tokio_postgres::Error) -> Error {
    let as_text = in_full(error);
    Error::QueryFailed(match error.as_db_error() {
        None => QueryError::Text(as_text),
        Some(told) => QueryError::DbError(DbError {
            as_text,
            severity: told.severity().to_owned(),
            code: told.code().code().to_owned(),
            message: told.message().to_owned(),
            detail: told.detail().map(str::to_owned),
            extras: Vec::new(),
        }),
    })
}

/// An error with what it comes from.
fn in_full(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(text: &str) -> Permitted {
        Permitted::parse(text).unwrap()
    }

    #[test]
    fn one_server_is_permitted() {
        assert_eq!(permitted("postgres://db.example"), permitted("postgres://db.example:5432"));
        let refused =
            ["", "postgres://", "postgres://*", "postgres://:1", "https://db.example", "postgres://a:b"];
        for text in refused {
            assert!(Permitted::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_pool_is_made_for_another_server() {
        let postgres = Postgres::new(vec![permitted("postgres://db.example:6000")]);
        let why = |address: &str| match postgres.pool(address) {
            Ok(_) => String::new(),
            Err(Error::ConnectionFailed(why)) => why,
            Err(error) => panic!("{error:?}"),
        };
        assert_eq!(why("postgres://user@db.example:6000/tide"), "");
        for address in [
            "postgres://user@db.example/tide",
            "postgres://user@other.example:6000/tide",
            "postgres://user@db.example:6000,other.example:6000/tide",
        ] {
            assert!(why(address).ends_with("is not permitted"), "{address}: {}", why(address));
        }
        assert!(why("host=/run/postgresql user=user").starts_with("Unix sockets"));
        assert!(!why("postgres://user@db.example:port/").is_empty());
    }
}
