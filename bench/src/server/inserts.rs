//! What the databases take at most: the rows of an event, written by prepared statements into the server's
//! own tables, without a server.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::future::try_join_all;
use rusqlite::{Connection, params};
use tokio::runtime::Runtime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};

use crate::data::employee;

/// The rows that one event writes.
struct Rows {
    seq: i64,
    id: String,
    resource: String,
    name: String,
    digest: String,
    payload: String,
    size: i64,
}

impl Rows {
    fn of(number: usize) -> Result<Self> {
        let payload = employee(number).to_string();
        Ok(Self {
            seq: i64::try_from(number)? + 1,
            id: format!("01a2b3c4-d5e6-7f80-91a2-{number:012x}"),
            resource: format!("{number:06}"),
            name: format!("employee{number}"),
            digest: format!("{number:064x}"),
            size: i64::try_from(payload.len())?,
            payload,
        })
    }
}

type Parameter<'r> = &'r (dyn ToSql + Sync);

impl Rows {
    /// Those of the four statements of an event in PostgreSQL.
    fn parameters(&self) -> [Vec<Parameter<'_>>; 4] {
        let Self { seq, id, resource, name, digest, payload, size } = self;
        let change: [Parameter<'_>; 6] = [seq, resource, digest, name, payload, size];
        let state: [Parameter<'_>; 4] = [seq, resource, digest, size];
        let commit: [Parameter<'_>; 2] = [seq, id];
        [Vec::new(), commit.into(), change.into(), state.into()]
    }
}

/// Inserts into the tables of a SQLite file.
pub struct Sqlite {
    connection: Connection,
    next: usize,
}

impl Sqlite {
    /// Opens a file that the server has made and that nothing was ever sent to.
    ///
    /// # Errors
    ///
    /// It is no such file.
    pub fn open(path: &Path) -> Result<Self> {
        let connection = Connection::open(path)?;
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -16 * 1024)?;
        connection.execute(
            "INSERT INTO scopes (scope, integration_id, resource_name, group_key, revision) \
             VALUES (1, 'raw', '_bench_employee', '', 0)",
            [],
        )?;
        Ok(Self { connection, next: 0 })
    }

    /// Events a second, so many in one transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn per_second(&mut self, time: Duration, group: usize) -> Result<f64> {
        let mut begin = self.connection.prepare_cached("BEGIN IMMEDIATE")?;
        let mut end = self.connection.prepare_cached("COMMIT")?;
        let mut scope =
            self.connection.prepare_cached("UPDATE scopes SET revision = revision + 1 WHERE scope = 1")?;
        let mut commit = self.connection.prepare_cached(
            "INSERT INTO commits (seq, id, first_change, changes, recorded_at, event, actor) \
             VALUES (?1, ?2, ?1, 1, 1785000000000, NULL, NULL)",
        )?;
        let mut change = self.connection.prepare_cached(
            "INSERT INTO changes (seq, commit_seq, scope, resource_id, type, digest, name, \
                 schema_version, fields, payload, size, previous) \
             VALUES (?1, ?1, 1, ?2, 'added', ?3, ?4, 1, '[]', ?5, ?6, NULL)",
        )?;
        let mut resource = self.connection.prepare_cached(
            "INSERT INTO resources (scope, resource_id, digest, change_seq, size) VALUES (1, ?2, ?3, ?1, ?4) \
             ON CONFLICT (scope, resource_id) DO UPDATE \
                 SET digest = excluded.digest, change_seq = excluded.change_seq, size = excluded.size",
        )?;
        let (begun, first) = (Instant::now(), self.next);
        while begun.elapsed() < time {
            begin.execute([])?;
            for number in self.next..self.next + group {
                let Rows { seq, id, resource: of, name, digest, payload, size } = Rows::of(number)?;
                scope.execute([])?;
                commit.execute(params![seq, id])?;
                change.execute(params![seq, of, digest, name, payload, size])?;
                resource.execute(params![seq, of, digest, size])?;
            }
            end.execute([])?;
            self.next += group;
        }
        Ok((self.next - first) as f64 / begun.elapsed().as_secs_f64())
    }
}

/// Inserts into the tables of a PostgreSQL database.
pub struct Postgres {
    runtime: Runtime,
    client: Client,
    scope: Statement,
    commit: Statement,
    change: Statement,
    resource: Statement,
    next: usize,
}

impl Postgres {
    /// Connects to a database whose tables the server has made and that nothing was ever sent to.
    ///
    /// # Errors
    ///
    /// It is no such database.
    pub fn connect(url: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            tokio::spawn(connection);
            client
                .batch_execute(
                    "INSERT INTO tidegate.scopes (scope, integration_id, resource_name, group_key, revision)
                     VALUES (1, 'raw', '_bench_employee', '', 0)",
                )
                .await?;
            let scope =
                client.prepare("UPDATE tidegate.scopes SET revision = revision + 1 WHERE scope = 1").await?;
            let commit = client
                .prepare(
                    "INSERT INTO tidegate.commits (seq, id, first_change, changes, recorded_at) \
                     VALUES ($1, $2, $1, 1, 1785000000000)",
                )
                .await?;
            let change = client
                .prepare(
                    "INSERT INTO tidegate.changes (seq, commit_seq, scope, resource_id, type, digest, name, \
                         schema_version, fields, payload, size) \
                     VALUES ($1, $1, 1, $2, 'added', $3, $4, 1, '[]', $5, $6)",
                )
                .await?;
            let resource = client
                .prepare(
                    "INSERT INTO tidegate.resources (scope, resource_id, digest, change_seq, size) \
                     VALUES (1, $2, $3, $1, $4) ON CONFLICT (scope, resource_id) DO UPDATE \
                         SET digest = excluded.digest, change_seq = excluded.change_seq, size = excluded.size",
                )
                .await?;
            Ok::<_, anyhow::Error>((client, scope, commit, change, resource))
        })
        .map(|(client, scope, commit, change, resource)| Self {
            runtime,
            client,
            scope,
            commit,
            change,
            resource,
            next: 0,
        })
    }

    /// Events a second, so many in one transaction, of which no statement waits for the answer to another.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn per_second(&mut self, time: Duration, group: usize) -> Result<f64> {
        let Self { runtime, client, scope, commit, change, resource, next } = self;
        let (begun, first) = (Instant::now(), *next);
        while begun.elapsed() < time {
            let rows = (*next..*next + group).map(Rows::of).collect::<Result<Vec<_>>>()?;
            let parameters: Vec<[Vec<Parameter<'_>>; 4]> = rows.iter().map(Rows::parameters).collect();
            let statements = [&*scope, &*commit, &*change, &*resource];
            let client = &*client;
            runtime.block_on(async move {
                let transaction = async {
                    let begin = client.batch_execute("BEGIN");
                    let all = parameters.iter().flat_map(|parameters| statements.into_iter().zip(parameters));
                    let all =
                        all.map(|(statement, parameters)| client.execute(statement, parameters.as_slice()));
                    let (begun, done) = futures_util::future::join(begin, try_join_all(all)).await;
                    begun.and(done)
                };
                transaction.await?;
                client.batch_execute("COMMIT").await
            })?;
            *next += group;
        }
        Ok((*next - first) as f64 / begun.elapsed().as_secs_f64())
    }
}
