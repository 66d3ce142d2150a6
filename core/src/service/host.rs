//! What a host lends to the service: SQL, the time, randomness, its configuration and the bytes of
//! a request's body.
//!
//! The service decides everything else. A host implements these small traits and passes requests
//! to [`Service::handle`](super::Service::handle).

use std::future::Future;

use bytes::Bytes;

use super::origin::AllowedOrigins;

/// One value that goes into a statement or comes out of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlValue {
    /// SQL `NULL`.
    Null,
    /// A 64-bit integer; booleans are 0 and 1, times are Unix milliseconds.
    Integer(i64),
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// One row of an answer, its values in the order of the statement's columns.
pub type Row = Vec<SqlValue>;

/// Why a statement did not do its work. Nothing of it has taken effect.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum SqlError {
    /// The statement ran and refused: a `RAISE(ABORT, …)` or a constraint. The text is the
    /// database's own message.
    #[error("the statement was refused: {0}")]
    Refused(String),
    /// The database could not be reached, is locked, full or damaged.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The database has too much to do. The statement was never begun, and may be given again.
    #[error("the database is busy: {0}")]
    Busy(String),
}

impl SqlError {
    /// Tells the two apart by SQLite's own message, for a host that is given nothing else.
    ///
    /// The words are SQLite's and libSQL's, whatever a client library puts around them: a trigger
    /// refuses with `tidegate:…` (which `Refusal` in `store/mod.rs` reads), a constraint with
    /// `constraint failed`. What says neither is the database's trouble.
    ///
    /// ```
    /// use tidegate_core::service::SqlError;
    /// let refused = SqlError::from_sqlite_message("hrana: `SQLite error: tidegate:stale:`".to_owned());
    /// assert!(matches!(refused, SqlError::Refused(_)));
    /// let locked = SqlError::from_sqlite_message("database is locked".to_owned());
    /// assert!(matches!(locked, SqlError::Unavailable(_)));
    /// ```
    pub fn from_sqlite_message(message: String) -> Self {
        if ["tidegate:", "constraint failed"].iter().any(|sign| message.contains(sign)) {
            Self::Refused(message)
        } else {
            Self::Unavailable(message)
        }
    }

    /// Tells the two apart by PostgreSQL's own code (`SQLSTATE`), which stands in the text.
    ///
    /// A violated constraint (class 23) is a refusal. So is a transaction that lost against another
    /// one (class 40): the store plans again, as it does for whatever has become stale.
    ///
    /// ```
    /// use tidegate_core::service::SqlError;
    /// let refused = SqlError::from_postgres("23505", "duplicate key");
    /// assert_eq!(refused, SqlError::Refused("23505: duplicate key".to_owned()));
    /// let lost = SqlError::from_postgres("40001", "could not serialize access");
    /// assert!(matches!(lost, SqlError::Refused(_)));
    /// let stopping = SqlError::from_postgres("57P01", "terminating connection");
    /// assert!(matches!(stopping, SqlError::Unavailable(_)));
    /// ```
    pub fn from_postgres(code: &str, message: &str) -> Self {
        match code.get(..2) {
            Some("23") => Self::Refused(format!("{code}: {message}")),
            Some("40") => Self::Refused(format!("tidegate:stale: {code}: {message}")),
            _ => Self::Unavailable(format!("{code}: {message}")),
        }
    }
}

/// The SQL that a database speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite's and libSQL's. Parameters are numbered `?1`, `?2`, …
    #[default]
    Sqlite,
    /// PostgreSQL's. Parameters are numbered `$1`, `$2`, …; each is of the type `text` or `bigint`,
    /// as the statement says, and so is each column of a row.
    Postgres,
}

/// Statements in, rows out.
///
/// Each call is one statement and atomic by itself; two calls may run on different connections,
/// so no statement depends on a connection's state.
///
/// After an `Ok` from [`write`](Self::write) the change survives a crash of the process and of
/// the machine.
pub trait Sql {
    /// What the statements are to be written in.
    fn dialect(&self) -> Dialect {
        Dialect::default()
    }

    /// Runs a statement that changes nothing, on one consistent snapshot.
    fn read(
        &self,
        statement: &str,
        parameters: Vec<SqlValue>,
    ) -> impl Future<Output = Result<Vec<Row>, SqlError>>;

    /// Runs a statement that changes something, and returns its rows, if it has any.
    fn write(
        &self,
        statement: &str,
        parameters: Vec<SqlValue>,
    ) -> impl Future<Output = Result<Vec<Row>, SqlError>>;
}

/// The time of day, and time that passes.
pub trait Clock {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now_unix_millis(&self) -> i64;

    /// Lets so many milliseconds pass, while other requests go on.
    fn pause(&self, millis: u64) -> impl Future<Output = ()>;
}

/// A cryptographically secure source of random bytes; keys are made from it.
pub trait Randomness {
    /// Fills all of `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// What whoever runs the service has decided.
///
/// Each value is asked for by the requests that need it and kept by nobody, so a host whose values
/// can be changed while it runs needs no restart.
pub trait Configuration {
    /// The bearer token of `/api/v1`. An empty one opens nothing.
    ///
    /// # Errors
    ///
    /// Why it cannot be had, for the log: never in an answer, and without the secret in it.
    fn admin_token(&self) -> impl Future<Output = Result<String, String>>;

    /// The origins whose pages may use the API. Requests without an `Origin` do not ask.
    ///
    /// # Errors
    ///
    /// Why they cannot be had, for the log: never in an answer.
    fn allowed_origins(&self) -> impl Future<Output = Result<AllowedOrigins, String>>;
}

/// Why a body could not be read to its end.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum BodyError {
    /// The client sent too slowly; the host's patience is over.
    #[error("the request's body did not arrive in time")]
    TimedOut,
    /// The connection broke; there is nobody to answer.
    #[error("the request's body broke off")]
    Broken,
}

/// A request's body, read piece by piece so that a limit holds while reading.
pub trait Body {
    /// The next piece, or `None` at the end.
    fn next_chunk(&mut self) -> impl Future<Output = Result<Option<Bytes>, BodyError>>;
}

/// A body that is already in memory.
impl Body for Bytes {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        let all = std::mem::take(self);
        Ok(if all.is_empty() { None } else { Some(all) })
    }
}
