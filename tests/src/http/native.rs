//! The host `native`: the server of the native library on a socket, over a database file.

use std::net::SocketAddr;
use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;
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

/// The native server.
#[derive(Debug, Clone, Copy, Default)]
pub struct NativeHost;

/// A native server of one's own, on a free port and a database file that goes away with it.
#[derive(Debug)]
pub struct NativeServer {
    address: SocketAddr,
    database: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<tokio::task::JoinHandle<()>>,
    runtime: Runtime,
    _directory: TempDir,
}

struct OverSocket {
    client: Client,
    /// Holds the database's write lock.
    locker: Option<Connection>,
    server: NativeServer,
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
        let text = |error: std::io::Error| error.to_string();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()
            .map_err(text)?;
        let directory = tempfile::tempdir().map_err(text)?;
        let database = directory.path().join("tidegate.db");
        let token = AdminToken::new(ADMIN_TOKEN).map_err(|error| error.to_string())?;
        let mut config = Config::new(Database::File(database.clone()), token);
        config.addr.set_port(0);
        config.allowed_origins = allowed_origins;
        let server = runtime.block_on(Server::bind(config)).map_err(|error| error.to_string())?;
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let serving = runtime.spawn(server.run_until(async {
            // A sender that is gone means stop, too.
            let _ = stopped.await;
        }));
        Ok(Self {
            address,
            database,
            stop: Some(stop),
            serving: Some(serving),
            runtime,
            _directory: directory,
        })
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
        let allowed_origins = allow_origins.parse().map_err(|error: OriginError| error.to_string())?;
        let server = NativeServer::start_for(1, allowed_origins)?;
        Ok(Box::new(OverSocket { client: server.client(), locker: None, server }))
    }
}

impl Instance for OverSocket {
    fn send(&mut self, request: &Request) -> Result<Response, Fault> {
        self.client.send(request)
    }

    /// Another process that holds the write lock for longer than the server is ready to wait.
    fn set_storage(&mut self, storage: Storage) -> Result<bool, Fault> {
        self.locker = match storage {
            Storage::Broken => Some(write_lock(&self.server.database)?),
            Storage::Whole => None,
            Storage::Unanswering => return Ok(false),
        };
        Ok(true)
    }
}
