//! What the databases take at most: the rows of an event, written by prepared statements into the server's
//! own tables, without a server.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use rusqlite::{Connection, params};

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
