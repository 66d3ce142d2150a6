//! That a request does not work more where more is stored: by the steps of SQLite's machine, which are the
//! same in every run.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, StatementStatus, ToSql};
use tidegate::{SystemClock, SystemRandomness};
use tidegate_core::service::{AllowedOrigins, Row, Service, Settings, Sql, SqlError, SqlValue};

use super::cases::{self, Case, Kind};
use super::server::target;
use super::{Size, fill};

/// A database that counts what it does.
struct Counting {
    connection: Connection,
    steps: Cell<i64>,
    by_statement: RefCell<BTreeMap<String, i64>>,
}

struct Parameter(SqlValue);

impl ToSql for Parameter {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match &self.0 {
            SqlValue::Null => ToSqlOutput::Owned(Value::Null),
            SqlValue::Integer(integer) => ToSqlOutput::Owned(Value::Integer(*integer)),
            SqlValue::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            SqlValue::Blob(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}

impl Counting {
    fn run(&self, statement: &str, parameters: Vec<SqlValue>) -> rusqlite::Result<Vec<Row>> {
        let mut prepared = self.connection.prepare(statement)?;
        let width = prepared.column_count();
        let parameters = rusqlite::params_from_iter(parameters.into_iter().map(Parameter));
        let rows = prepared
            .query_map(parameters, |row| {
                (0..width)
                    .map(|column| {
                        Ok(match row.get(column)? {
                            Value::Integer(integer) => SqlValue::Integer(integer),
                            Value::Text(text) => SqlValue::Text(text),
                            _ => SqlValue::Null,
                        })
                    })
                    .collect()
            })?
            .collect::<rusqlite::Result<_>>()?;
        let steps = i64::from(prepared.get_status(StatementStatus::VmStep));
        self.steps.set(self.steps.get() + steps);
        *self.by_statement.borrow_mut().entry(statement.to_owned()).or_default() += steps;
        Ok(rows)
    }
}

impl Sql for Counting {
    async fn read(&self, statement: &str, parameters: Vec<SqlValue>) -> Result<Vec<Row>, SqlError> {
        self.run(statement, parameters).map_err(|error| SqlError::from_sqlite_message(error.to_string()))
    }

    async fn write(&self, statement: &str, parameters: Vec<SqlValue>) -> Result<Vec<Row>, SqlError> {
        self.read(statement, parameters).await
    }
}

struct Site {
    service: Service<Counting, SystemClock, SystemRandomness>,
    runtime: tokio::runtime::Runtime,
    size: Size,
    key: String,
}

impl Site {
    fn new(path: &Path, size: Size) -> Self {
        fill(path, size).unwrap();
        let connection = Connection::open(path).unwrap();
        let sql = Counting { connection, steps: Cell::default(), by_statement: RefCell::default() };
        let settings = Settings { admin_token: "token".into(), allowed_origins: AllowedOrigins::default() };
        let service = Service::new(sql, SystemClock, SystemRandomness, settings);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut site = Self { service, runtime, size, key: String::new() };
        let answer = site.send("POST", "/api/v1/integrations", r#"{"name":"Own","group":"bench"}"#);
        site.key = answer.split("\"ingestKey\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        // The scope is there, the schema prepared.
        site.event(0);
        site
    }

    fn send(&self, method: &str, target: &str, body: &str) -> String {
        let request = http::Request::builder()
            .method(method)
            .uri(target)
            .header("authorization", "Bearer token")
            .header("x-ingest-key", &self.key);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let mut body = Bytes::copy_from_slice(body.as_bytes());
        let answer = self.runtime.block_on(self.service.handle(parts, &mut body));
        let status = answer.status();
        let text = String::from_utf8(answer.into_body().to_vec()).unwrap();
        assert!(status.is_success(), "{method} {target}: {status} {text}");
        text
    }

    fn event(&self, at: usize) {
        self.send(
            "POST",
            "/integration/custom-data/event/t0",
            &format!(r#"{{"id":"event","at":{at},"note":"n"}}"#),
        );
    }

    /// The steps of a request, and what took most of them.
    fn steps(&self, case: &Case) -> (i64, String) {
        let target = match &case.kind {
            Kind::Page(page) => target(page, self.size, |first| Ok(self.send("GET", first, ""))).unwrap(),
            _ => String::new(),
        };
        let sql = self.service.sql();
        sql.steps.set(0);
        sql.by_statement.borrow_mut().clear();
        match &case.kind {
            Kind::Page(_) => drop(self.send("GET", &target, "")),
            Kind::Event => self.event(1),
            Kind::Bulk(_) => panic!("not sent here"),
        }
        let all = sql.by_statement.borrow();
        let most = all.iter().max_by_key(|(_, steps)| **steps).unwrap();
        (sql.steps.get(), format!("{} steps of {}", most.1, most.0))
    }
}

#[test]
fn no_page_and_no_event_does_more_where_more_is_stored() {
    let directory = tempfile::tempdir().unwrap();
    let small = Site::new(&directory.path().join("small.db"), Size { resources: 1_000, scopes: 10 });
    let large = Site::new(&directory.path().join("large.db"), Size { resources: 20_000, scopes: 60 });
    let events = cases::writes().into_iter().filter(|case| matches!(case.kind, Kind::Event));
    let mut faults = Vec::new();
    for case in cases::pages().into_iter().chain(events) {
        let (few, (many, most)) = (small.steps(&case).0, large.steps(&case));
        // Some pages hold less where less is stored; what a full page takes is allowed to all.
        if many > (few * 3 / 2).max(60_000) {
            faults.push(format!("{}: {few} steps, and {many}: {most}", case.name));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}
