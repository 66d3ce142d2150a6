//! The host `libsql`: the service over libSQL, as a process of its own. What it shows is said in
//! `libsql-host/src/main.rs`.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::client::Client;
use super::host::{HttpHost, Instance};
use super::spin::{OverSocket, ServerProcess};
use super::{ADMIN_TOKEN, Fault};

/// The environment variable that holds the path of the program.
pub const PROGRAM: &str = "TIDEGATE_LIBSQL_HOST";

/// The path of the program, or why there is none.
///
/// # Errors
///
/// The variable is not set.
pub fn program() -> Result<PathBuf, String> {
    std::env::var_os(PROGRAM).filter(|path| !path.is_empty()).map(PathBuf::from).ok_or_else(|| {
        format!("{PROGRAM} does not name the program that `cargo build -p tidegate-libsql-host` builds")
    })
}

/// The service over libSQL.
#[derive(Debug, Clone, Copy, Default)]
pub struct Libsql;

/// A process of one's own, on a free port and a database file that goes away with it.
pub struct LibsqlServer {
    address: SocketAddr,
    database: PathBuf,
    _process: ServerProcess,
}

impl LibsqlServer {
    /// Starts the program.
    ///
    /// # Errors
    ///
    /// When there is none, or it does not start.
    pub fn start() -> Result<Self, Fault> {
        Self::start_for("")
    }

    /// Starts the program, so that it lets the web pages of these origins use it.
    ///
    /// # Errors
    ///
    /// When there is none, or it does not start.
    pub fn start_for(allow_origins: &str) -> Result<Self, Fault> {
        let text = |error: std::io::Error| error.to_string();
        let directory = tempfile::tempdir().map_err(text)?;
        let database = directory.path().join("libsql.db");
        let child = Command::new(program()?)
            .arg("--database")
            .arg(&database)
            .args(["--allow-origin", allow_origins])
            .env("TIDEGATE_ADMIN_TOKEN", ADMIN_TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(text)?;
        let mut process = ServerProcess { child, _directory: directory };
        // The first line says where it listens; one that does not start ends without a line.
        let mut line = String::new();
        let output = process.child.stdout.take().ok_or("the program has no output")?;
        BufReader::new(output).read_line(&mut line).map_err(text)?;
        let address = line.trim_end().strip_prefix("http://").and_then(|address| address.parse().ok());
        let address = address.ok_or_else(|| format!("the program does not listen; it said `{line}`"))?;
        Ok(Self { address, database, _process: process })
    }

    /// A new client of it.
    pub fn client(&self) -> Client {
        Client::new(self.address)
    }
}

impl HttpHost for Libsql {
    fn name(&self) -> &'static str {
        "libsql"
    }

    fn start(&self, allow_origins: &str) -> Result<Box<dyn Instance>, Fault> {
        let server = LibsqlServer::start_for(allow_origins)?;
        let (client, database) = (server.client(), server.database.clone());
        Ok(Box::new(OverSocket::new(client, database, server)))
    }
}
