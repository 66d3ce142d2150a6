//! The host `spin`: the component on the tests' own host for components, and the host `spin-up`:
//! the component under Spin itself, where that is installed.

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

use super::client::Client;
use super::conversation::Storage;
use super::host::{HttpHost, Instance};
use super::message::{Request, Response};
use super::{ADMIN_TOKEN, Fault};

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
        Self::start_for(threads, "")
    }

    /// Starts a host with `threads` threads and a value for the variable `allow_origins`.
    ///
    /// # Errors
    ///
    /// When there is no component, or it does not start.
    pub fn start_for(threads: usize, allow_origins: &str) -> Result<Self, Fault> {
        let text = |error: std::io::Error| error.to_string();
        let compiled = compiled()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()
            .map_err(text)?;
        let directory = tempfile::tempdir().map_err(text)?;
        let database = directory.path().join("default.db");
        let variables = [("admin_token", ADMIN_TOKEN), ("allow_origins", allow_origins)];
        let variables = BTreeMap::from(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
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
        let server = SpinServer::start_for(1, allow_origins)?;
        let (client, database) = (server.client(), server.database.clone());
        Ok(Box::new(OverSocket::new(client, database, server)))
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
            Storage::Unanswering => return Ok(false),
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
