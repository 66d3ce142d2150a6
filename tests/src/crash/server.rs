//! A server as a process that can be killed, and a program that is one.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tidegate::{AdminToken, Config, Database, Server};

use crate::http::client::Client;
use crate::http::speaker::Speaker;
use crate::http::{ADMIN_TOKEN, Fault};

/// The environment variable that holds the path of the program `tidegate` to be killed.
pub const SERVER: &str = "TIDEGATE_SERVER";

/// How long a server may take to start, also after a crash.
const START: Duration = Duration::from_secs(60);
/// How many of the last lines of a log are kept.
const LINES: usize = 40;

/// The program to be killed: the one that the environment names, or one that [`serve`]s as it does.
pub fn program(otherwise: &Path) -> PathBuf {
    std::env::var_os(SERVER)
        .filter(|path| !path.is_empty())
        .map_or_else(|| otherwise.to_owned(), PathBuf::from)
}

/// A running server, killed when it is dropped.
pub struct Tidegate {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<VecDeque<String>>>,
    reading: Option<JoinHandle<()>>,
}

impl Tidegate {
    /// Starts a server over a database and waits until it listens.
    ///
    /// # Errors
    ///
    /// It does not start; its last words are in the message.
    pub fn start(program: &Path, database: &str) -> Result<Self, Fault> {
        Self::listen(command(program, database))
    }

    /// Starts a server that is to live with limits on its files: it is told of them, and not killed.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_limited(program: &Path, database: &str) -> Result<Self, Fault> {
        let inner = command(program, database);
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#]).arg(inner.get_program()).args(inner.get_args());
        Self::listen(shell)
    }

    fn listen(command: Command) -> Result<Self, Fault> {
        let mut child = spawn(command)?;
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let (heard, hear) = mpsc::channel();
        let reading = child.stderr.take().map(|errors| {
            let log = Arc::clone(&log);
            // To its end: a server whose log nobody reads stands still.
            thread::spawn(move || {
                for line in BufReader::new(errors).lines().map_while(Result::ok) {
                    if let Some(address) = address(&line) {
                        let _ = heard.send(address);
                    }
                    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                    // What a request's line says is known; what went wrong stays longer.
                    if log.len() >= LINES {
                        log.pop_front();
                    }
                    log.push_back(line);
                }
            })
        });
        let mut server = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), log, reading };
        match hear.recv_timeout(START) {
            Ok(address) => server.address = address,
            Err(RecvTimeoutError::Disconnected) => {
                server.kill();
                return Err(format!("the server ended before it listened: {}", server.last_words()));
            }
            Err(RecvTimeoutError::Timeout) => {
                return Err(format!("the server does not listen: {}", server.last_words()));
            }
        }
        Ok(server)
    }

    /// Starts a server and kills it so much later, wherever it is by then.
    ///
    /// # Errors
    ///
    /// The program cannot be run.
    pub fn start_and_kill(program: &Path, database: &str, after: Duration) -> Result<(), Fault> {
        let mut child = spawn(command(program, database))?;
        thread::sleep(after);
        // It may have ended by itself, which the next start would tell.
        let _ = child.kill();
        child.wait().map(|_| ()).map_err(|error| error.to_string())
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reading) = self.reading.take() {
            let _ = reading.join();
        }
    }

    /// Tells it to stop, as a service manager does, and waits until it has closed everything.
    ///
    /// # Errors
    ///
    /// It ends with anything but 0.
    #[cfg(unix)]
    pub fn stop(&mut self) -> Result<(), Fault> {
        let process = i32::try_from(self.child.id()).map_err(|error| error.to_string())?;
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), nix::sys::signal::Signal::SIGTERM)
            .map_err(|error| error.to_string())?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("the server ended with {status}")) }
    }

    /// As on Unix, where there is a signal for it.
    ///
    /// # Errors
    ///
    /// Always: there is none.
    #[cfg(not(unix))]
    pub fn stop(&mut self) -> Result<(), Fault> {
        Err("there is no SIGTERM here".into())
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// One who speaks to it with that key.
    pub fn speaker(&self, key: &str) -> Speaker {
        Speaker::new(Client::new(self.address), key)
    }

    /// The last lines of its log.
    pub fn last_words(&self) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Whether one of the last lines holds a text.
    pub fn has_said(&self, text: &str) -> bool {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|line| line.contains(text))
    }
}

impl Drop for Tidegate {
    fn drop(&mut self) {
        self.kill();
    }
}

fn command(program: &Path, database: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["serve", "--addr", "127.0.0.1:0", "--database", database, "--log-level", "info"]);
    command
}

fn spawn(mut command: Command) -> Result<Child, Fault> {
    command
        .env("TIDEGATE_ADMIN_TOKEN", ADMIN_TOKEN)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{}` does not start: {error}", command.get_program().display()))
}

/// The address in the line that says where the server listens.
fn address(line: &str) -> Option<SocketAddr> {
    if !line.contains("listening") {
        return None;
    }
    let (_, behind) = line.split_once("127.0.0.1:")?;
    let port: String = behind.chars().take_while(char::is_ascii_digit).collect();
    Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?)))
}

/// Serves a database as `tidegate serve` does, and says on stderr where.
///
/// For tests that were built without the program `tidegate` itself.
///
/// # Errors
///
/// The server does not start.
pub fn serve(address: SocketAddr, database: &str) -> Result<(), Fault> {
    let database: Database = <Database as FromStr>::from_str(database).map_err(|error| error.to_string())?;
    let mut config = Config::new(database, AdminToken::new(ADMIN_TOKEN).map_err(|error| error.to_string())?);
    config.addr = address;
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let server = Server::bind(config).await.map_err(|error| error.to_string())?;
        eprintln!("listening addr={}", server.local_addr());
        server.run_until(told_to_stop()).await;
        Ok(())
    })
}

/// Resolves when a service manager says so.
#[cfg(unix)]
async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => drop(terminate.recv().await),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn told_to_stop() {
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_off_the_log() {
        let expected = Some(SocketAddr::from(([127, 0, 0, 1], 7070)));
        assert_eq!(address("2026-01-01T00:00:00Z  INFO listening addr=127.0.0.1:7070"), expected);
        assert_eq!(address("listening addr=127.0.0.1:7070\u{1b}[0m"), expected);
        assert_eq!(address("a request from 127.0.0.1:7070"), None);
    }
}
