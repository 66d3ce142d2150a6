//! The hosts `native` and `native-postgres`: the server of the native library on a socket, over a
//! database file and over PostgreSQL.

use std::net::SocketAddr;
use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;
use tidegate::config::DatabaseUrlError;
use tidegate::{AdminToken, AllowedOrigins, Config, Database, Server};
use tidegate_core::service::OriginError;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::client::Client;
use super::conversation::Storage;
use super::host::{HttpHost, Instance};
use super::message::{Request, Response};
use super::spin::write_lock;
use super::{ADMIN_TOKEN, Fault};
use crate::postgres;

/// The native server, over SQLite.
#[derive(Debug, Clone, Copy, Default)]
pub struct NativeHost;

/// The native server, over PostgreSQL.
#[derive(Debug, Clone, Copy, Default)]
pub struct NativePostgresHost;

/// A native server of one's own, on a free port. A database file goes away with it.
#[derive(Debug)]
pub struct NativeServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<tokio::task::JoinHandle<()>>,
    runtime: Runtime,
    /// Of the database file.
    directory: Option<TempDir>,
}

struct OverSocket {
    client: Client,
    database: Stored,
    _server: NativeServer,
}

/// Where an instance's state is, and how to break it.
enum Stored {
    /// In a file, whose write lock another connection can hold.
    File(PathBuf, Option<Connection>),
    /// In the PostgreSQL database of that URL.
    Postgres(String),
}

impl NativeServer {
    /// Starts a server with `threads` threads.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn start(threads: usize) -> Result<Self, Fault> {
        Self::start_for(threads, AllowedOrigins::default())
    }

    /// Starts a server with `threads` threads that lets the web pages of these origins use it.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn start_for(threads: usize, allowed_origins: AllowedOrigins) -> Result<Self, Fault> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let database = Database::File(database_file(&directory));
        let mut server = Self::start_over(threads, database, allowed_origins)?;
        server.directory = Some(directory);
        Ok(server)
    }

    /// Starts a server with `threads` threads over a database of PostgreSQL, given by its URL.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn start_on_postgres(threads: usize, url: &str) -> Result<Self, Fault> {
        let database = url.parse().map_err(|error: DatabaseUrlError| error.to_string())?;
        Self::start_over(threads, database, AllowedOrigins::default())
    }

    /// Starts a second server over the database file of this one.
    ///
    /// # Errors
    ///
    /// When it does not start, or this one has no file.
    pub fn start_beside(&self, threads: usize) -> Result<Self, Fault> {
        let directory = self.directory.as_ref().ok_or("the server has no database file")?;
        Self::start_over(threads, Database::File(database_file(directory)), AllowedOrigins::default())
    }

    fn start_over(
        threads: usize,
        database: Database,
        allowed_origins: AllowedOrigins,
    ) -> Result<Self, Fault> {
        let text = |error: std::io::Error| error.to_string();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()
            .map_err(text)?;
        let token = AdminToken::new(ADMIN_TOKEN).map_err(|error| error.to_string())?;
        let mut config = Config::new(database, token);
        config.addr.set_port(0);
        config.allowed_origins = allowed_origins;
        let server = runtime.block_on(Server::bind(config)).map_err(|error| error.to_string())?;
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let serving = runtime.spawn(server.run_until(async {
            // A sender that is gone means stop, too.
            let _ = stopped.await;
        }));
        Ok(Self { address, stop: Some(stop), serving: Some(serving), runtime, directory: None })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A new client of it.
    pub fn client(&self) -> Client {
        Client::new(self.address)
    }
}

impl Drop for NativeServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(serving) = self.serving.take() {
            let _ = self.runtime.block_on(serving);
        }
    }
}

impl HttpHost for NativeHost {
    fn name(&self) -> &'static str {
        "native"
    }

    fn start(&self, allow_origins: &str) -> Result<Box<dyn Instance>, Fault> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let file = database_file(&directory);
        let mut server = NativeServer::start_over(1, Database::File(file.clone()), origins(allow_origins)?)?;
        server.directory = Some(directory);
        let database = Stored::File(file, None);
        Ok(Box::new(OverSocket { client: server.client(), database, _server: server }))
    }
}

impl HttpHost for NativePostgresHost {
    fn name(&self) -> &'static str {
        "native-postgres"
    }

    fn start(&self, allow_origins: &str) -> Result<Box<dyn Instance>, Fault> {
        let url = postgres::fresh_database()?;
        let database = url.parse().map_err(|error: DatabaseUrlError| error.to_string())?;
        let server = NativeServer::start_over(1, database, origins(allow_origins)?)?;
        let database = Stored::Postgres(url);
        Ok(Box::new(OverSocket { client: server.client(), database, _server: server }))
    }
}

fn database_file(directory: &TempDir) -> PathBuf {
    directory.path().join("tidegate.db")
}

fn origins(list: &str) -> Result<AllowedOrigins, Fault> {
    list.parse().map_err(|error: OriginError| error.to_string())
}

impl Instance for OverSocket {
    fn send(&mut self, request: &Request) -> Result<Response, Fault> {
        self.client.send(request)
    }

    /// For a file: another process holds the write lock for longer than the server is ready to wait.
    /// For PostgreSQL: it allows reading only, as one does that takes over for another.
    fn set_storage(&mut self, storage: Storage) -> Result<bool, Fault> {
        match (&mut self.database, storage) {
            (_, Storage::Unanswering | Storage::Unreadable) => return Ok(false),
            (Stored::File(file, locker), Storage::Broken) => *locker = Some(write_lock(file)?),
            (Stored::File(_, locker), Storage::Whole) => *locker = None,
            (Stored::Postgres(url), storage) => postgres::allow_writes(url, storage == Storage::Whole)?,
        }
        Ok(true)
    }
}
