//! The hosts `spin` and `spin-postgres`: the component on the tests' own host for components, over SQLite
//! and over PostgreSQL; and the host `spin-up`: the component under Spin itself, where that is installed.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tempfile::TempDir;
use tidegate_spin_host::{Compiled, Options, SpinHost, loopback};
use tokio::runtime::Runtime;
use tokio_postgres::config::Host;

use super::client::Client;
use super::conversation::Storage;
use super::host::{HttpHost, Instance};
use super::message::{Request, Response};
use super::{ADMIN_TOKEN, Fault};
use crate::postgres;

/// The environment variable that holds the path of the component.
pub const COMPONENT: &str = "TIDEGATE_SPIN_WASM";

/// How long Spin may take to start.
const START: Duration = Duration::from_secs(60);

/// The path of the component, or why there is none.
///
/// # Errors
///
/// The variable is not set.
pub fn component() -> Result<PathBuf, String> {
    std::env::var_os(COMPONENT).filter(|path| !path.is_empty()).map(PathBuf::from).ok_or_else(|| {
        format!("{COMPONENT} does not name the component that `cargo xtask build component` builds")
    })
}

/// The manifest that is shipped with the component.
pub fn manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../host-spin/spin.toml")
}

/// The component, compiled once in this process.
///
/// # Errors
///
/// There is none, or it does not compile.
pub fn compiled() -> Result<Compiled, Fault> {
    static COMPILED: OnceLock<Result<Compiled, Fault>> = OnceLock::new();
    COMPILED.get_or_init(|| Compiled::from_file(&component()?).map_err(|error| format!("{error:#}"))).clone()
}

/// The component on the tests' own host.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spin;

/// The component on the tests' own host, with its state in PostgreSQL.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpinPostgres;

impl SpinPostgres {
    /// Why it cannot be run here.
    ///
    /// # Errors
    ///
    /// There is no component, or no PostgreSQL.
    pub fn available() -> Result<(), String> {
        component()?;
        postgres::available()
    }
}

/// The values of the variables `database_url` and `database_host` for a database.
///
/// # Errors
///
/// It is not reached by TCP.
pub fn database_variables(url: &str) -> Result<[(&'static str, String); 2], Fault> {
    let config: tokio_postgres::Config =
        url.parse().map_err(|error: tokio_postgres::Error| error.to_string())?;
    match (config.get_hosts(), config.get_ports()) {
        ([Host::Tcp(host)], ports) => {
            let port = ports.first().copied().unwrap_or(5432);
            Ok([("database_url", url.to_owned()), ("database_host", format!("{host}:{port}"))])
        }
        _ => Err("a component reaches PostgreSQL by TCP, at one address".to_owned()),
    }
}

/// A host of one's own, on a free port and a database file that goes away with it.
pub struct SpinServer {
    /// What can be counted, and made to go wrong.
    pub host: SpinHost,
    address: SocketAddr,
    database: PathBuf,
    _runtime: Runtime,
    _directory: TempDir,
}

impl SpinServer {
    /// Starts a host with `threads` threads.
    ///
    /// # Errors
    ///
    /// When there is no component, or it does not start.
    pub fn start(threads: usize) -> Result<Self, Fault> {
        Self::start_with(threads, &[])
    }

    /// Starts a host with `threads` threads, over a database of PostgreSQL, given by its URL.
    ///
    /// # Errors
    ///
    /// When there is no component, or it does not start.
    pub fn start_on_postgres(threads: usize, url: &str) -> Result<Self, Fault> {
        let [(url, url_value), (host, host_value)] = database_variables(url)?;
        Self::start_with(threads, &[(url, &url_value), (host, &host_value)])
    }

    /// Starts a host with `threads` threads and these values for variables of the application.
    ///
    /// # Errors
    ///
    /// When there is no component, or it does not start.
    pub fn start_with(threads: usize, variables: &[(&str, &str)]) -> Result<Self, Fault> {
        let text = |error: std::io::Error| error.to_string();
        let compiled = compiled()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()
            .map_err(text)?;
        let directory = tempfile::tempdir().map_err(text)?;
        let database = directory.path().join("default.db");
        let variables: BTreeMap<String, String> = [("admin_token", ADMIN_TOKEN)]
            .iter()
            .chain(variables)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let options = Options::from_manifest(&manifest(), database.clone(), &variables)
            .map_err(|error| format!("{error:#}"))?;
        let (host, address) = runtime
            .block_on(async {
                let host = SpinHost::new(&compiled, options)?;
                let (listener, address) = loopback(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
                tokio::spawn(host.clone().serve(listener));
                anyhow::Ok((host, address))
            })
            .map_err(|error| format!("{error:#}"))?;
        Ok(Self { host, address, database, _runtime: runtime, _directory: directory })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The file of its SQLite database, which need not be there.
    pub fn database(&self) -> &Path {
        &self.database
    }

    /// A new client of it.
    pub fn client(&self) -> Client {
        Client::new(self.address)
    }
}

impl HttpHost for Spin {
    fn name(&self) -> &'static str {
        "spin"
    }

    fn start(&self, allow_origins: &str) -> Result<Box<dyn Instance>, Fault> {
        let server = SpinServer::start_with(1, &[("allow_origins", allow_origins)])?;
        let (client, database) = (server.client(), server.database.clone());
        Ok(Box::new(OverSocket::new(client, database, server)))
    }
}

impl HttpHost for SpinPostgres {
    fn name(&self) -> &'static str {
        "spin-postgres"
    }

    fn start(&self, allow_origins: &str) -> Result<Box<dyn Instance>, Fault> {
        let database = postgres::fresh_database()?;
        let [(url, url_value), (host, host_value)] = database_variables(&database)?;
        let variables = [("allow_origins", allow_origins), (url, &*url_value), (host, &*host_value)];
        let server = SpinServer::start_with(1, &variables)?;
        Ok(Box::new(OverPostgres { client: server.client(), database, _server: server }))
    }
}

/// The component over a database of its own in PostgreSQL.
struct OverPostgres {
    client: Client,
    /// The database's URL.
    database: String,
    _server: SpinServer,
}

impl Instance for OverPostgres {
    fn send(&mut self, request: &Request) -> Result<Response, Fault> {
        self.client.send(request)
    }

    /// A server that takes no writes, as one that stands by for another.
    fn set_storage(&mut self, storage: Storage) -> Result<bool, Fault> {
        match storage {
            Storage::Broken => postgres::allow_writes(&self.database, false)?,
            Storage::Whole => postgres::allow_writes(&self.database, true)?,
            Storage::Unanswering | Storage::Unreadable => return Ok(false),
        }
        Ok(true)
    }
}

/// The component under `spin up`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpinUp;

impl SpinUp {
    /// Why it cannot be run here.
    ///
    /// # Errors
    ///
    /// There is no `spin`, or no component.
    pub fn available() -> Result<(), String> {
        component()?;
        let version = Command::new("spin").arg("--version").stderr(Stdio::null()).output();
        match version {
            Ok(output) if output.status.success() => Ok(()),
            _ => Err("there is no `spin` on the PATH".to_owned()),
        }
    }
}

/// A server of one's own, over a directory that goes away with it.
pub(super) struct ServerProcess {
    pub(super) child: Child,
    pub(super) _directory: TempDir,
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Both fail only where it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl HttpHost for SpinUp {
    fn name(&self) -> &'static str {
        "spin-up"
    }

    fn start(&self, allow_origins: &str) -> Result<Box<dyn Instance>, Fault> {
        let text = |error: std::io::Error| error.to_string();
        let directory = tempfile::tempdir().map_err(text)?;
        let manifest = directory.path().join("spin.toml");
        // The manifest that is shipped, beside the component that is tested.
        std::fs::copy(self::manifest(), &manifest).map_err(text)?;
        std::fs::copy(component()?, directory.path().join("tidegate.wasm")).map_err(text)?;
        let free =
            TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).map_err(text)?;
        let state = directory.path().join("state");
        let child = Command::new("spin")
            .args(["up", "--quiet", "--from"])
            .arg(&manifest)
            .args(["--listen", &free.to_string()])
            .arg("--state-dir")
            .arg(&state)
            .env("SPIN_VARIABLE_ADMIN_TOKEN", ADMIN_TOKEN)
            .env("SPIN_VARIABLE_ALLOW_ORIGINS", allow_origins)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(text)?;
        let mut process = ServerProcess { child, _directory: directory };
        let begun = Instant::now();
        while TcpStream::connect(free).is_err() {
            if let Some(status) = process.child.try_wait().map_err(text)? {
                return Err(format!("`spin up` ended with {status}"));
            }
            if begun.elapsed() > START {
                return Err("`spin up` does not listen".to_owned());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(Box::new(OverSocket::new(Client::new(free), state.join("sqlite_db.db"), process)))
    }
}

/// A server of whatever kind, and the file that it keeps its database in.
pub(super) struct OverSocket<S> {
    client: Client,
    database: PathBuf,
    /// Holds the database's write lock.
    locker: Option<Connection>,
    _server: S,
}

impl<S> OverSocket<S> {
    pub(super) fn new(client: Client, database: PathBuf, server: S) -> Self {
        Self { client, database, locker: None, _server: server }
    }
}

impl<S> Instance for OverSocket<S> {
    fn send(&mut self, request: &Request) -> Result<Response, Fault> {
        self.client.send(request)
    }

    /// Another process that holds the write lock for longer than a statement is ready to wait.
    fn set_storage(&mut self, storage: Storage) -> Result<bool, Fault> {
        self.locker = match storage {
            Storage::Broken => Some(write_lock(&self.database)?),
            Storage::Whole => None,
            Storage::Unanswering | Storage::Unreadable => return Ok(false),
        };
        Ok(true)
    }
}

/// A connection that holds a database's write lock for as long as it lives.
///
/// # Errors
///
/// The lock cannot be had.
pub fn write_lock(database: &Path) -> Result<Connection, Fault> {
    let text = |error: rusqlite::Error| error.to_string();
    let locker = Connection::open(database).map_err(text)?;
    locker.execute_batch("BEGIN IMMEDIATE").map_err(text)?;
    Ok(locker)
}
