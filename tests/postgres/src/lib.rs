//! A PostgreSQL of the tests' own: a cluster in a temporary directory, served as a child process.
//!
//! What needs any database takes one from [`fresh_database`]; all tests of a process share a cluster
//! then. What stops or kills the server starts a cluster of its own.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

/// What went wrong, for whoever reads a test's output.
pub type Fault = String;

/// The environment variable with the URL of a server to use instead of one of the tests' own. Its
/// user may create databases; those that the tests make are named `tidegate_test_…` and stay.
pub const URL: &str = "TIDEGATE_TEST_DATABASE_URL";

/// The database user, and the database that is always there.
const NAME: &str = "tidegate";
/// Whom the server runs as where the tests run as root, which PostgreSQL refuses to be.
const SYSTEM_USER: &str = "postgres";
/// What starting, stopping or recovering may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why [`fresh_database`] cannot give any.
///
/// # Errors
///
/// There is neither a server's program here, nor the address of a server.
pub fn available() -> Result<(), String> {
    if foreign().is_some() {
        return Ok(());
    }
    can_start().map_err(|reason| format!("{reason}, and {URL} does not name a server"))
}

/// Why no [`PostgresCluster`] can be started.
///
/// # Errors
///
/// The server's programs are not here, or the user is root and may not be anybody else.
pub fn can_start() -> Result<(), String> {
    programs()?;
    system::owner().map(|_| ())
}

/// The URL of a new and empty database, in the server that the environment names, or else in the
/// cluster that the tests of this process share.
///
/// # Errors
///
/// There is no server ([`available`] says why), or it refuses.
pub fn fresh_database() -> Result<String, Fault> {
    match foreign() {
        Some(url) => create_database(&url),
        None => shared()?.fresh_database(),
    }
}

/// Lets a database be written to, or only be read, as one of PostgreSQL's standbys can. Sessions that
/// are open end.
///
/// # Errors
///
/// The server refuses.
pub fn allow_writes(url: &str, allowed: bool) -> Result<(), Fault> {
    let config: Config = url.parse().map_err(|error: tokio_postgres::Error| error.to_string())?;
    let database = config.get_dbname().ok_or("the URL names no database")?;
    let read_only = if allowed { "off" } else { "on" };
    run(
        url,
        &format!(
            "BEGIN READ WRITE;
            ALTER DATABASE {database} SET default_transaction_read_only = {read_only};
            COMMIT;
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid();"
        ),
    )
}

/// The cluster that the tests of this process share; it ends with the process. It syncs nothing.
///
/// # Errors
///
/// It cannot be started.
pub fn shared() -> Result<&'static PostgresCluster, Fault> {
    static SHARED: OnceLock<Result<PostgresCluster, Fault>> = OnceLock::new();
    SHARED.get_or_init(|| PostgresCluster::new(Durability::None)).as_ref().map_err(Clone::clone)
}

/// The process ids of all other sessions in a database: of a client that died, what they had begun may
/// still be finished.
///
/// # Errors
///
/// The server does not answer.
pub fn sessions(url: &str) -> Result<Vec<i32>, Fault> {
    const OTHERS: &str = "SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    query(url, OTHERS)?
        .into_iter()
        .map(|pid| pid.as_deref().unwrap_or_default().parse::<i32>().map_err(|error| error.to_string()))
        .collect()
}

/// Waits until none of these sessions is there any more.
///
/// # Errors
///
/// The server does not answer, or some stay for a minute.
pub fn wait_for_end(url: &str, old: &[i32]) -> Result<(), Fault> {
    let begun = Instant::now();
    while !old.is_empty() && sessions(url)?.iter().any(|session| old.contains(session)) {
        if begun.elapsed() > PATIENCE {
            return Err("sessions of a client that is gone stay".into());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn foreign() -> Option<String> {
    std::env::var(URL).ok().filter(|url| !url.is_empty())
}

/// What a cluster promises about what was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing is synced: quick, for tests that crash nothing.
    None,
    /// PostgreSQL's own settings: what was committed survives a crash of the server and the machine.
    Full,
}

/// A cluster in a directory of its own. It ends, and its files go away, when it is dropped, and also
/// when the process ends in whatever way.
#[derive(Debug)]
pub struct PostgresCluster {
    programs: PathBuf,
    port: u16,
    durability: Durability,
    server: Option<Child>,
    _keeper: Keeper,
    directory: TempDir,
}

impl PostgresCluster {
    /// Makes a cluster and starts its server.
    ///
    /// # Errors
    ///
    /// [`can_start`] says why not, or PostgreSQL does.
    pub fn new(durability: Durability) -> Result<Self, Fault> {
        let programs = programs()?;
        let directory = tempfile::Builder::new().prefix("tidegate-pg-").tempdir().map_err(text)?;
        system::give(directory.path())?;
        let mut initdb = as_owner(&programs.join("initdb"), directory.path())?;
        initdb.arg("--pgdata").arg(directory.path().join("data"));
        initdb.args(["--auth=trust", "--username", NAME, "--encoding=UTF8", "--locale=C", "--no-sync"]);
        let output = initdb.output().map_err(text)?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("initdb ended with {}: {errors}", output.status));
        }
        let keeper = Keeper::of(directory.path())?;
        let mut cluster =
            Self { programs, port: free_port()?, durability, server: None, _keeper: keeper, directory };
        cluster.start()?;
        run(&cluster.url_of("postgres"), &format!("CREATE DATABASE {NAME}"))?;
        Ok(cluster)
    }

    /// Starts the server, if it does not run, and waits until it can be used.
    ///
    /// # Errors
    ///
    /// It ends at once, or cannot be used for a minute.
    pub fn start(&mut self) -> Result<(), Fault> {
        let begun = Instant::now();
        while !self.starts(begun)? {
            // After a crash there may be processes left for a moment, which hold on to the memory.
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Starts the server once. Says whether it can be used; it may be worth another attempt otherwise.
    fn starts(&mut self, begun: Instant) -> Result<bool, Fault> {
        if self.server.is_none() {
            self.server = Some(self.spawn()?);
        }
        loop {
            let ended = self.server.as_mut().map(Child::try_wait).transpose().map_err(text)?.flatten();
            let late = begun.elapsed() > PATIENCE;
            if let Some(status) = ended {
                self.server = None;
                return if late { Err(self.failed(status)) } else { Ok(false) };
            }
            // The `postgres` database is there from the beginning.
            match run(&self.url_of("postgres"), "SELECT 1") {
                Ok(()) => return Ok(true),
                Err(fault) if late => return Err(format!("PostgreSQL cannot be used: {fault}")),
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn spawn(&self) -> Result<Child, Fault> {
        let log = File::options().create(true).append(true).open(self.log()).map_err(text)?;
        let directory = self.directory.path();
        let mut command = as_owner(&self.programs.join("postgres"), directory)?;
        command.arg("-D").arg(directory.join("data"));
        let mut set = |name: &str, value: &str| {
            command.args(["-c", &format!("{name}={value}")]);
        };
        set("listen_addresses", "127.0.0.1");
        set("port", &self.port.to_string());
        set("unix_socket_directories", &directory.display().to_string());
        set("max_connections", "200");
        if self.durability == Durability::None {
            for name in ["fsync", "synchronous_commit", "full_page_writes"] {
                set(name, "off");
            }
        }
        system::in_its_own_group(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().map_err(text)
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn failed(&self, status: ExitStatus) -> Fault {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(10).collect();
        let last: Vec<&str> = lines.into_iter().rev().collect();
        format!("postgres ended with {status}:\n{}", last.join("\n"))
    }

    /// The URL of the database that is always there.
    pub fn url(&self) -> String {
        self.url_of(NAME)
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://{NAME}@127.0.0.1:{}/{database}", self.port)
    }

    /// The port that it listens on while it runs.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Child::id)
    }

    /// The URL of a new and empty database.
    ///
    /// # Errors
    ///
    /// The server does not run, or refuses.
    pub fn fresh_database(&self) -> Result<String, Fault> {
        create_database(&self.url())
    }

    /// Runs one statement in the database that is always there.
    ///
    /// # Errors
    ///
    /// The server does not run, or refuses.
    pub fn run(&self, statement: &str) -> Result<(), Fault> {
        run(&self.url(), statement)
    }

    /// Stops the server as `pg_ctl stop --mode=fast` does: connections are cut, nothing is lost.
    ///
    /// # Errors
    ///
    /// It does not end.
    pub fn stop(&mut self) -> Result<(), Fault> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        system::stop(server.id());
        let begun = Instant::now();
        while server.try_wait().map_err(text)?.is_none() {
            if begun.elapsed() > PATIENCE {
                self.server = Some(server);
                self.kill();
                return Err("PostgreSQL did not stop".into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// `kill -9` to the server and all its processes, at one moment.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            system::kill(server.id());
            // It was not waited for, so the process id is still its own.
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

impl Drop for PostgresCluster {
    fn drop(&mut self) {
        self.kill();
        // The process id in it may become another process's.
        let _ = fs::remove_file(self.directory.path().join("data/postmaster.pid"));
    }
}

/// A process that waits for the end of this one, however it comes, and clears up then: nobody drops
/// what is shared for as long as the process lives, or what is killed.
#[derive(Debug)]
struct Keeper {
    process: Child,
    /// Closed by the system at the latest.
    alive: Option<ChildStdin>,
}

impl Keeper {
    fn of(directory: &Path) -> Result<Self, Fault> {
        // PostgreSQL writes its process id into the first line, and takes the file away at its end.
        const CLEAR_UP: &str = r#"read -r _
            pid=$(head -n 1 "$0/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid"
            while [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
            rm -rf "$0""#;
        // As the server's user, who can do nothing to the processes of others.
        let mut command = as_owner(Path::new("sh"), directory)?;
        command.arg("-c").arg(CLEAR_UP).arg(directory).stdin(Stdio::piped());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        // A Ctrl-C is for the tests; this one comes after them.
        system::in_its_own_group(&mut command);
        let mut process = command.spawn().map_err(text)?;
        let alive = process.stdin.take();
        Ok(Self { process, alive })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.alive.take());
        let _ = self.process.wait();
    }
}

/// Where `initdb` and `postgres` are: on the PATH, or where Debian puts them.
fn programs() -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| {
            let entries = entries.flatten();
            entries
                .filter_map(|entry| {
                    Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
                })
                .collect()
        })
        .unwrap_or_default();
    versions.sort();
    std::env::split_paths(&path)
        .chain(versions.into_iter().rev().map(|(_, directory)| directory))
        .find(|directory| ["initdb", "postgres"].iter().all(|program| directory.join(program).is_file()))
        .ok_or_else(|| {
            "PostgreSQL's `initdb` and `postgres` are not here (on Debian, `apt-get install postgresql`)"
                .to_owned()
        })
}

fn as_owner(program: &Path, directory: &Path) -> Result<Command, Fault> {
    let mut command = Command::new(program);
    command.current_dir(directory);
    system::become_owner(&mut command)?;
    Ok(command)
}

fn free_port() -> Result<u16, Fault> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(text)?;
    Ok(listener.local_addr().map_err(text)?.port())
}

/// Makes a database in the server of a URL, and gives its own URL.
fn create_database(url: &str) -> Result<String, Fault> {
    static MADE: AtomicU64 = AtomicU64::new(0);
    // Unlike those of other processes, also of one that had the same id once.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let name = format!("tidegate_test_{}_{}_{number}", now.as_millis(), std::process::id());
    run(url, &format!("CREATE DATABASE {name} TEMPLATE template0"))?;
    let (rest, query) = url.split_once('?').map_or((url, None), |(rest, query)| (rest, Some(query)));
    let authority = rest.find("://").map_or(0, |at| at + 3);
    let path = rest.get(authority..).and_then(|rest| rest.find('/')).map_or(rest.len(), |at| authority + at);
    let server = rest.get(..path).unwrap_or(rest);
    Ok(format!("{server}/{name}{}", query.map(|query| format!("?{query}")).unwrap_or_default()))
}

/// Runs one statement in the database of a URL.
///
/// # Errors
///
/// The server cannot be reached, or refuses.
pub fn run(url: &str, statement: &str) -> Result<(), Fault> {
    query(url, statement).map(|_| ())
}

/// Runs one statement on a connection of its own, and gives the first column of its rows. On a thread of
/// its own, too: the caller may be within a runtime, where waiting is not allowed.
fn query(url: &str, statement: &str) -> Result<Vec<Option<String>>, Fault> {
    let work = || {
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| error.to_string())?;
        config.connect_timeout(Duration::from_secs(5));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(text)?;
        runtime
            .block_on(async {
                let (client, connection) = config.connect(NoTls).await?;
                let connection = tokio::spawn(connection);
                let messages = client.simple_query(statement).await?;
                drop(client);
                // A session that still ends would be in the way of who drops or copies its database.
                let _ = connection.await;
                let rows = messages.iter().filter_map(|message| match message {
                    SimpleQueryMessage::Row(row) => Some(row.get(0).map(str::to_owned)),
                    _ => None,
                });
                Ok(rows.collect())
            })
            .map_err(|error: tokio_postgres::Error| {
                error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string)
            })
    };
    thread::scope(|scope| scope.spawn(work).join().unwrap_or_else(|_| Err("a thread panicked".into())))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn text(error: std::io::Error) -> Fault {
    error.to_string()
}

#[cfg(unix)]
mod system {
    use std::fs;
    use std::os::unix::fs::chown;
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::Command;

    use nix::sys::signal::{Signal, kill as signal};
    use nix::unistd::{Pid, User, geteuid};

    use super::{Fault, SYSTEM_USER};

    /// Whom the server has to run as, if that is somebody else.
    pub(super) fn owner() -> Result<Option<User>, String> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        match User::from_name(SYSTEM_USER) {
            Ok(Some(user)) => Ok(Some(user)),
            Ok(None) | Err(_) => {
                Err(format!("PostgreSQL does not run as root, and there is no user `{SYSTEM_USER}`"))
            }
        }
    }

    pub(super) fn give(directory: &Path) -> Result<(), Fault> {
        let Some(user) = owner()? else { return Ok(()) };
        chown(directory, Some(user.uid.as_raw()), Some(user.gid.as_raw())).map_err(|error| error.to_string())
    }

    pub(super) fn become_owner(command: &mut Command) -> Result<(), Fault> {
        if let Some(user) = owner()? {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        Ok(())
    }

    pub(super) fn in_its_own_group(command: &mut Command) {
        command.process_group(0);
    }

    /// SIGINT, which means a fast shutdown.
    pub(super) fn stop(server: u32) {
        send(server, Signal::SIGINT);
    }

    /// Each of the server's processes is a group of its own. So the server is held first, then its
    /// processes die, then it does: otherwise it would see them die, and start others.
    pub(super) fn kill(server: u32) {
        send(server, Signal::SIGSTOP);
        for child in children(server) {
            send(child, Signal::SIGKILL);
        }
        send(server, Signal::SIGKILL);
    }

    fn send(process: u32, what: Signal) {
        if let Ok(process) = process.try_into() {
            // One that has ended already is as good.
            let _ = signal(Pid::from_raw(process), what);
        }
    }

    /// By `/proc`. Where there is none, the processes see that their server is gone, and end.
    fn children(server: u32) -> Vec<u32> {
        let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
        let parent = server.to_string();
        processes
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter(|process| {
                let line = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
                // The name in parentheses may hold anything; behind it are the state and the parent.
                let behind = line.rsplit_once(") ").map(|(_, behind)| behind);
                behind.and_then(|behind| behind.split(' ').nth(1)) == Some(&parent)
            })
            .collect()
    }
}

#[cfg(not(unix))]
mod system {
    use std::path::Path;
    use std::process::Command;

    use super::Fault;

    pub(super) fn owner() -> Result<Option<()>, String> {
        Err("the tests start PostgreSQL on Unix only".into())
    }

    pub(super) fn give(_: &Path) -> Result<(), Fault> {
        Ok(())
    }

    pub(super) fn become_owner(_: &mut Command) -> Result<(), Fault> {
        Ok(())
    }

    pub(super) fn in_its_own_group(_: &mut Command) {}

    pub(super) fn stop(_: u32) {}

    pub(super) fn kill(_: u32) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped() -> bool {
        let reason = can_start().err();
        if let Some(reason) = &reason {
            println!("skipped: {reason}");
        }
        reason.is_some()
    }

    #[test]
    fn each_database_is_new() {
        if skipped() {
            return;
        }
        let cluster = shared().unwrap();
        let (first, second) = (cluster.fresh_database().unwrap(), cluster.fresh_database().unwrap());
        for url in [&first, &second] {
            run(url, "CREATE TABLE tide (height bigint)").unwrap();
        }
        assert!(run(&first, "CREATE TABLE tide (height bigint)").is_err());
    }

    #[test]
    fn what_was_committed_survives_a_kill_and_a_stop() {
        if skipped() {
            return;
        }
        let mut cluster = PostgresCluster::new(Durability::Full).unwrap();
        cluster.run("CREATE TABLE tide (height bigint PRIMARY KEY)").unwrap();
        cluster.run("INSERT INTO tide VALUES (7)").unwrap();
        cluster.kill();
        assert!(cluster.run("SELECT 1").is_err());
        cluster.start().unwrap();
        // The primary key refuses it only where the first one is.
        assert!(cluster.run("INSERT INTO tide VALUES (7)").unwrap_err().contains("duplicate"));
        cluster.stop().unwrap();
        assert!(cluster.run("SELECT 1").is_err());
        cluster.start().unwrap();
        assert!(cluster.run("INSERT INTO tide VALUES (7)").is_err());
        let directory = cluster.directory.path().to_owned();
        drop(cluster);
        assert!(!directory.exists());
    }

    #[test]
    fn a_url_keeps_all_but_its_database() {
        if skipped() {
            return;
        }
        let url = shared().unwrap().url();
        let fresh = create_database(&format!("{url}?application_name=tests")).unwrap();
        assert!(fresh.starts_with(url.strip_suffix(NAME).unwrap()), "{fresh}");
        assert!(fresh.ends_with("?application_name=tests"), "{fresh}");
        run(&fresh, "SELECT 1").unwrap();
    }
}
