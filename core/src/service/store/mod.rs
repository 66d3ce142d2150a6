//! The store: typed commands and questions over a host's [`Sql`].
//!
//! What stands in the tables and how a command stays atomic is a dialect's business; everything
//! else of the service speaks to this module.

mod changes;
mod history;
mod ingest;
mod manage;
mod postgres;
mod sqlite;
mod verify;

use std::borrow::Cow;

use super::host::{Dialect, Row, Sql, SqlError, SqlValue};

pub(super) use changes::{
    ChangeFilter, Provenance, ResourceFilter, ScopeFilter, StoredChange, StoredResource,
};
pub(super) use history::Forgotten;
pub(super) use ingest::{Admission, After, Commit, CommittedChange, Expected, Scope, Table};
pub(super) use manage::{Group, Integration, Key, NewIntegration, NewSchema, StoredSchema};
pub use verify::{Fault, Verified};

/// What one page of a list may hold in payload bytes; a page ends early rather than above that. As
/// the JSON of an answer over a network it can be twice as long, and libSQL's server sends 10 MB.
const PAGE_BYTES: i64 = 4 * 1024 * 1024;

/// One dialect's statements.
pub(super) struct Statements {
    migrations: &'static [&'static [&'static str]],
    create_version_table: &'static str,
    read_version: &'static str,
    write_version: &'static str,
    ping: &'static str,
    create_group: &'static str,
    change_group: &'static str,
    delete_group: &'static str,
    group: &'static str,
    groups: &'static str,
    create_schema: &'static str,
    replace_schema: &'static str,
    retire_schema: &'static str,
    schema: &'static str,
    schemas: &'static str,
    schema_version: &'static str,
    create_integration: &'static str,
    change_integration: &'static str,
    delete_integration: &'static str,
    integration: &'static str,
    integrations: &'static str,
    keys: &'static str,
    create_key: &'static str,
    revoke_key: &'static str,
    touch_key: &'static str,
    admit: &'static str,
    current: &'static str,
    scope: &'static str,
    manifest_page: &'static str,
    manifest_of: &'static str,
    sizes: &'static str,
    payloads: &'static str,
    commit_plan: &'static str,
    /// What does the same for one change that adds or modifies, where that is quicker.
    commit_one: Option<&'static str>,
    cut_at: &'static str,
    change_seq: &'static str,

    horizon: &'static str,
    forget: &'static str,
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StoreError {
    /// The database cannot be reached; nothing was changed.
    Unavailable(String),
    /// A statement that changes something was given to the database, and what came back was no
    /// answer. Over a network it may have been carried out all the same.
    Unanswered(String),
    /// A rule of the product forbids it.
    Refused(Refusal),
    /// The database answered what it never should.
    Broken(String),
}

/// A rule that a command ran into: `tidegate:{kind}:{what}` in the database's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) kind: RefusalKind,
    /// What it is about: a member's name, or the kind of thing.
    pub(super) what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusalKind {
    NameTaken,
    NameRetired,
    NotFound,
    TableRetired,
    InUse,
    GroupWithoutSchemas,
    Conflict,
    /// The plan was made from a state that is no longer there.
    Stale,
}

impl Refusal {
    fn parse(message: &str) -> Option<Self> {
        let (_, token) = message.split_once("tidegate:")?;
        let (kind, what) = token.split_once(':')?;
        let kind = match kind {
            "name-taken" => RefusalKind::NameTaken,
            "name-retired" => RefusalKind::NameRetired,
            "not-found" => RefusalKind::NotFound,
            "table-retired" => RefusalKind::TableRetired,
            "in-use" => RefusalKind::InUse,
            "group-without-schemas" => RefusalKind::GroupWithoutSchemas,
            "conflict" => RefusalKind::Conflict,
            "stale" => RefusalKind::Stale,
            _ => return None,
        };
        let what = what.chars().take_while(|c| c.is_ascii_alphabetic()).collect();
        Some(Self { kind, what })
    }
}

impl From<SqlError> for StoreError {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Unavailable(why) | SqlError::Busy(why) => Self::Unavailable(why),
            SqlError::Refused(message) => match Refusal::parse(&message) {
                Some(refusal) => Self::Refused(refusal),
                // A uniqueness that a command checks, broken between its check and its write on a
                // database with several writers.
                None if message.contains("UNIQUE") || message.starts_with("23505") => {
                    Self::Refused(Refusal { kind: RefusalKind::Stale, what: String::new() })
                }
                None => Self::Broken(message),
            },
        }
    }
}

pub(super) type Stored<T> = Result<T, StoreError>;

/// A list's items, and whether there are more behind them.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) more: bool,
}

/// The store over one host's database.
#[derive(Debug)]
pub(super) struct Store<S> {
    pub(super) sql: S,
    dialect: Dialect,
}

impl Dialect {
    fn statements(self) -> &'static Statements {
        match self {
            Self::Sqlite => &sqlite::STATEMENTS,
            Self::Postgres => &postgres::STATEMENTS,
        }
    }

    /// What a resource is looked up by.
    fn key(self, id: &str) -> Cow<'_, str> {
        match self {
            Self::Sqlite => Cow::Borrowed(id),
            Self::Postgres => postgres::key(id),
        }
    }
}

impl<S: Sql> Store<S> {
    pub(super) fn new(sql: S) -> Self {
        Self { dialect: sql.dialect(), sql }
    }

    fn statements(&self) -> &'static Statements {
        self.dialect.statements()
    }

    async fn read(&self, statement: &str, parameters: Vec<SqlValue>) -> Stored<Vec<Row>> {
        Ok(self.readable(self.sql.read(statement, self.storable(parameters)).await?))
    }

    async fn write(&self, statement: &str, parameters: Vec<SqlValue>) -> Stored<Vec<Row>> {
        let answer = self.sql.write(statement, self.storable(parameters)).await;
        let rows = answer.map_err(|error| match error {
            SqlError::Unavailable(why) => StoreError::Unanswered(why),
            // Refused, or never begun.
            other => other.into(),
        })?;
        // Where a command is a function, it refuses by what it returns.
        if let Some([SqlValue::Text(text)]) = rows.first().map(Vec::as_slice)
            && let Some(refusal) = Refusal::parse(text)
        {
            return Err(StoreError::Refused(refusal));
        }
        Ok(self.readable(rows))
    }

    /// Parameters as the database can store them.
    fn storable(&self, mut parameters: Vec<SqlValue>) -> Vec<SqlValue> {
        if self.dialect == Dialect::Postgres {
            for parameter in &mut parameters {
                if let SqlValue::Text(text) = parameter
                    && let Cow::Owned(escaped) = postgres::escaped(text)
                {
                    *text = escaped;
                }
            }
        }
        parameters
    }

    /// Rows as they were before [`storable`](Self::storable).
    fn readable(&self, mut rows: Vec<Row>) -> Vec<Row> {
        if self.dialect == Dialect::Postgres {
            for value in rows.iter_mut().flatten() {
                if let SqlValue::Text(text) = value {
                    *text = postgres::unescaped(std::mem::take(text));
                }
            }
        }
        rows
    }

    /// A text that the database takes out of JSON, as it stands there.
    fn embedded<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.dialect {
            Dialect::Sqlite => Cow::Borrowed(text),
            Dialect::Postgres => postgres::escaped(text),
        }
    }

    /// The reverse of [`embedded`](Self::embedded).
    fn extracted(&self, text: &str) -> String {
        match self.dialect {
            Dialect::Sqlite => text.to_owned(),
            Dialect::Postgres => postgres::unescaped(text.to_owned()),
        }
    }

    /// The keys of some resources, as a JSON array.
    fn key_list(&self, ids: &[&str]) -> String {
        super::json::array(ids.iter().map(|id| {
            let mut text = String::new();
            crate::document::write_string(&self.embedded(&self.dialect.key(id)), &mut text);
            text
        }))
    }

    /// Brings the tables to this version. Statements can be repeated, so two instances that start
    /// at once do no harm.
    pub(super) async fn migrate(&self) -> Result<(), SqlError> {
        let statements = self.statements();
        // Where there is nothing to do, which is nearly always, this is the only statement.
        let version = match self.sql.read(statements.read_version, Vec::new()).await {
            Ok(rows) => rows.first().map_or(0, |row| Columns::of(row).integer()),
            Err(SqlError::Unavailable(why) | SqlError::Refused(why)) if is_missing_table(&why) => {
                self.sql.write(statements.create_version_table, Vec::new()).await?;
                0
            }
            Err(error) => return Err(error),
        };
        for (number, migration) in (1i64..).zip(statements.migrations).filter(|(number, _)| *number > version)
        {
            for statement in *migration {
                self.sql.write(statement, Vec::new()).await?;
            }
            self.sql.write(statements.write_version, vec![SqlValue::Integer(number)]).await?;
        }
        Ok(())
    }

    /// Whether the database answers.
    pub(super) async fn ping(&self) -> Stored<()> {
        self.read(self.statements().ping, Vec::new()).await.map(|_| ())
    }
}

/// Whether an error says that a table is not there, in SQLite's words or by PostgreSQL's code.
fn is_missing_table(why: &str) -> bool {
    why.contains("no such table") || why.starts_with("42P01")
}

/// A page from rows of which one more was asked for than the page holds.
fn page<T>(rows: &[Row], limit: usize, mut item: impl FnMut(&mut Columns<'_>) -> T) -> Page<T> {
    Page {
        items: rows.iter().take(limit).map(|row| item(&mut Columns::of(row))).collect(),
        more: rows.len() > limit,
    }
}

/// Reads a row's values one after the other. What is missing or of another type reads as empty.
struct Columns<'r> {
    values: std::slice::Iter<'r, SqlValue>,
}

impl<'r> Columns<'r> {
    fn of(row: &'r Row) -> Self {
        Self { values: row.iter() }
    }

    fn integer(&mut self) -> i64 {
        self.optional_integer().unwrap_or_default()
    }

    fn optional_integer(&mut self) -> Option<i64> {
        match self.values.next() {
            Some(SqlValue::Integer(integer)) => Some(*integer),
            _ => None,
        }
    }

    fn text(&mut self) -> String {
        self.optional_text().unwrap_or_default()
    }

    fn optional_text(&mut self) -> Option<String> {
        match self.values.next() {
            Some(SqlValue::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }
}

impl From<&str> for SqlValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for SqlValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for SqlValue {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl From<bool> for SqlValue {
    fn from(boolean: bool) -> Self {
        Self::Integer(i64::from(boolean))
    }
}

impl<T: Into<SqlValue>> From<Option<T>> for SqlValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A count as SQL has it.
fn count(number: usize) -> SqlValue {
    SqlValue::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

macro_rules! parameters {
    ($($value:expr),* $(,)?) => { vec![$($crate::service::host::SqlValue::from($value)),*] };
}
use parameters;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_read_off_messages() {
        let refusal = Refusal::parse("sqlite: tidegate:name-taken:prefix (code 1811)").unwrap();
        assert_eq!((refusal.kind, refusal.what.as_str()), (RefusalKind::NameTaken, "prefix"));
        assert_eq!(Refusal::parse("tidegate:stale:").unwrap().kind, RefusalKind::Stale);
        assert!(Refusal::parse("UNIQUE constraint failed").is_none());
    }
}
