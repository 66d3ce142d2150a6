//! What a server is started with.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tidegate_core::service::AllowedOrigins;

/// Where the service keeps its state.
///
/// # Examples
///
/// ```
/// use tidegate::Database;
///
/// assert_eq!("sqlite:tide.db".parse(), Ok(Database::File("tide.db".into())));
/// assert_eq!("sqlite::memory:".parse(), Ok(Database::Memory));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A SQLite file; it is created if it is not there.
    File(PathBuf),
    /// SQLite in memory; what it holds ends with the process.
    Memory,
    /// A PostgreSQL database; its tables are in a schema of their own, `tidegate`.
    Postgres(PostgresUrl),
}

/// Where a PostgreSQL database is, and who logs in. Its `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(String);

impl PostgresUrl {
    /// What the URL says, as the client library has it.
    pub(crate) fn config(&self) -> Result<tokio_postgres::Config, tokio_postgres::Error> {
        self.0.parse()
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresUrl(…)")
    }
}

/// Why a database URL cannot be used. The message never repeats the URL, which may hold a
/// password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// A PostgreSQL URL that says something unknown, or nothing of what it has to.
    #[error(
        "a PostgreSQL database is given as `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with `%xx` for \
         what is not a letter or digit, and parameters such as `?sslmode=require`"
    )]
    InvalidPostgresUrl,
    /// Neither SQLite nor PostgreSQL.
    #[error("a database is given as `sqlite:PATH`, `sqlite::memory:` or `postgres://…`")]
    UnknownScheme,
    /// `sqlite:` and nothing behind it.
    #[error("the path after `sqlite:` is empty")]
    EmptyPath,
}

impl FromStr for Database {
    type Err = DatabaseUrlError;

    fn from_str(url: &str) -> Result<Self, DatabaseUrlError> {
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let url = PostgresUrl(url.to_owned());
            return match url.config() {
                Ok(config) if !config.get_hosts().is_empty() => Ok(Self::Postgres(url)),
                _ => Err(DatabaseUrlError::InvalidPostgresUrl),
            };
        }
        let path = url.strip_prefix("sqlite:").ok_or(DatabaseUrlError::UnknownScheme)?;
        // `sqlite:///var/lib/t.db` is how other tools write the same thing.
        let path = path.strip_prefix("//").unwrap_or(path);
        match path {
            "" => Err(DatabaseUrlError::EmptyPath),
            ":memory:" => Ok(Self::Memory),
            path => Ok(Self::File(path.into())),
        }
    }
}

/// The bearer token of `/api/v1`: visible ASCII characters. Its `Debug` hides it.
///
/// # Examples
///
/// ```
/// use tidegate::AdminToken;
///
/// assert!(AdminToken::new("correct horse battery").is_err());
/// assert!(AdminToken::new("correct-horse-battery").is_ok());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct AdminToken(String);

/// Why a text is no [`AdminToken`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdminTokenError {
    /// Everybody could send it.
    #[error("the admin token is empty")]
    Empty,
    /// No client could send it in an `Authorization` header.
    #[error("the admin token may hold only visible ASCII characters, without spaces")]
    NotVisibleAscii,
}

impl AdminToken {
    /// Takes a text as the token.
    ///
    /// # Errors
    ///
    /// When it is empty, or a header could not carry it.
    pub fn new(token: impl Into<String>) -> Result<Self, AdminTokenError> {
        let token = token.into();
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AdminTokenError::NotVisibleAscii);
        }
        if token.is_empty() {
            return Err(AdminTokenError::Empty);
        }
        Ok(Self(token))
    }

    /// Whether it is too short to withstand guessing.
    pub fn is_weak(&self) -> bool {
        self.0.len() < 16
    }

    /// The token itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(…)")
    }
}

/// What a [`Server`](crate::Server) is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
    /// Where the state is.
    pub database: Database,
    /// Who may manage.
    pub admin_token: AdminToken,
    /// Whose web pages may use the API; nobody's, unless it is said.
    pub allowed_origins: AllowedOrigins,
    /// Whether an empty database gets the worked example.
    pub demo: bool,
    /// How long old history is kept; for ever, unless it is said. What is now is never forgotten, nor
    /// what was at any time since then.
    pub keep_history: Option<Duration>,
    /// How long and how much a client may keep the server busy.
    pub limits: ConnectionLimits,
}

impl Config {
    /// A server on `127.0.0.1:7070` over `database`, without the worked example.
    pub fn new(database: Database, admin_token: AdminToken) -> Self {
        Self {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 7070)),
            database,
            admin_token,
            allowed_origins: AllowedOrigins::default(),
            demo: false,
            keep_history: None,
            limits: ConnectionLimits::default(),
        }
    }
}

/// How long and how much a client may keep the server busy.
///
/// These bound connections. What a request may hold (its body, its items) is the service's rule.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// Connections that are served at the same time; the next ones wait to be accepted.
    pub connections: usize,
    /// Bytes of a request line and its headers; more is answered with 431.
    pub header_bytes: usize,
    /// From a request's first byte to the end of its headers.
    pub header_timeout: Duration,
    /// Between two requests on a connection, and before the first.
    pub idle_timeout: Duration,
    /// Between two pieces of a body.
    pub chunk_timeout: Duration,
    /// For a whole body.
    pub body_timeout: Duration,
    /// While a client takes none of its answer.
    pub write_timeout: Duration,
    /// Bytes of a body that are read and thrown away after the answer, so that the client gets to
    /// read it.
    pub drain_bytes: u64,
    /// The time for that.
    pub drain_timeout: Duration,
    /// What a shutdown leaves to the requests in flight.
    pub shutdown_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            header_bytes: 64 * 1024,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            chunk_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            drain_bytes: 16 * 1024 * 1024,
            drain_timeout: Duration::from_secs(5),
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_urls() {
        for (url, expected) in [
            ("sqlite:t.db", Ok(Database::File("t.db".into()))),
            ("sqlite:/var/lib/t.db", Ok(Database::File("/var/lib/t.db".into()))),
            ("sqlite:///var/lib/t.db", Ok(Database::File("/var/lib/t.db".into()))),
            ("sqlite::memory:", Ok(Database::Memory)),
            ("sqlite:", Err(DatabaseUrlError::EmptyPath)),
            ("t.db", Err(DatabaseUrlError::UnknownScheme)),
            ("mysql://u:secret@h/db", Err(DatabaseUrlError::UnknownScheme)),
            (
                "postgres://u:secret@h/db",
                Ok(Database::Postgres(PostgresUrl("postgres://u:secret@h/db".into()))),
            ),
            ("postgresql://h/db", Ok(Database::Postgres(PostgresUrl("postgresql://h/db".into())))),
            ("postgres:h", Err(DatabaseUrlError::InvalidPostgresUrl)),
            ("postgres://h/db?colour=blue", Err(DatabaseUrlError::InvalidPostgresUrl)),
        ] {
            assert_eq!(url.parse(), expected, "{url}");
        }
    }

    #[test]
    fn an_admin_token_is_long_and_hidden() {
        assert_eq!(AdminToken::new(""), Err(AdminTokenError::Empty));
        assert!(AdminToken::new("short").unwrap().is_weak());
        assert_eq!(AdminToken::new("a token with spaces"), Err(AdminTokenError::NotVisibleAscii));
        let token = AdminToken::new("0123456789abcdef").unwrap();
        assert!(!format!("{token:?}").contains("0123"));
    }
}
