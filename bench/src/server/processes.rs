//! The servers that are measured, each a process of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::messages::create;
use crate::data::{EMPLOYEE_SCHEMA, server_schema};

const TOKEN: &str = "a-token-for-benchmarks";
/// The key of what a user would write: as long as ours.
const PEERS_KEY: &str = "tgk_0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server with the tables `employee` and `server`, and a key for them.
pub struct Server {
    process: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// What opens its tables.
    pub key: String,
}

impl Server {
    /// Starts `tidegate serve` over that database, which is new. Its log goes to a file of the directory.
    ///
    /// # Errors
    ///
    /// It does not start, or refuses what is declared.
    pub fn tidegate(program: &Path, database: &str, directory: &Path) -> Result<Self> {
        let log = directory.join("tidegate.log");
        let mut process = Command::new(program)
            .args(["serve", "--addr", "127.0.0.1:0", "--database", database])
            .env("TIDEGATE_ADMIN_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("`{}` does not start", program.display()))?;
        let address = match logged_address(&log, &mut process) {
            Ok(address) => address,
            Err(error) => {
                end(&mut process);
                return Err(error);
            }
        };
        let mut server = Self { process, address, key: String::new() };
        server.declare()?;
        Ok(server)
    }

    /// Starts what a user would write, with a database in that directory.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn fastify(script: &Path, directory: &Path) -> Result<Self> {
        let config = directory.join("fastify.json");
        let tables: Value = schemas()?.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
        let database = database_of_fastify(directory);
        fs::write(&config, json!({ "database": database, "key": PEERS_KEY, "tables": tables }).to_string())?;
        let mut process = Command::new("node")
            .arg(script)
            .arg(config)
            .env("NODE_ENV", "production")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("`node` does not start")?;
        let mut line = String::new();
        let read = process.stdout.as_mut().map(|stdout| BufReader::new(stdout).read_line(&mut line));
        let Some(port) = read.and_then(|_| line.trim().parse().ok()) else {
            end(&mut process);
            bail!("`{}` did not say where it listens", script.display());
        };
        Ok(Self { process, address: SocketAddr::from(([127, 0, 0, 1], port)), key: PEERS_KEY.to_owned() })
    }

    fn declare(&mut self) -> Result<()> {
        let create = |what: &str, body: &Value| create(self.address, TOKEN, what, body);
        create("groups", &json!({ "name": "Bench", "prefix": "bench" }))?;
        for (table, schema) in schemas()? {
            create("schemas", &json!({ "group": "bench", "name": table, "table": table, "schema": schema }))?;
        }
        let answer = create("integrations", &json!({ "name": "Bench", "group": "bench" }))?;
        let key = answer.get("ingestKey").and_then(Value::as_str).context("there is no `ingestKey`")?;
        key.clone_into(&mut self.key);
        Ok(())
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

fn end(process: &mut Child) {
    // It may have ended by itself.
    let _ = process.kill();
    let _ = process.wait();
}

/// Where the database of what a user would write is.
fn database_of_fastify(directory: &Path) -> PathBuf {
    directory.join("fastify.db")
}

fn schemas() -> Result<[(&'static str, Value); 2]> {
    Ok([("employee", serde_json::from_str(EMPLOYEE_SCHEMA)?), ("server", server_schema())])
}

/// Waits for the log to say where the server listens.
fn logged_address(log: &Path, process: &mut Child) -> Result<SocketAddr> {
    let begun = Instant::now();
    loop {
        let text = fs::read_to_string(log)?;
        let address = text.split("listening addr=").nth(1).and_then(|rest| rest.split_once('\n'));
        if let Some((address, _)) = address {
            return Ok(address.trim().parse()?);
        }
        if process.try_wait()?.is_some() || begun.elapsed() > PATIENCE {
            bail!("the server did not start: {}", text.trim());
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// The processor time, in seconds, that a process has used; nothing where there is no `/proc`.
#[must_use]
pub fn processor_seconds(pid: u32) -> Option<f64> {
    /// Linux counts so many of them a second, whatever the machine's clock does.
    const TICKS: f64 = 100.0;
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; the state is the first field behind it.
    let (_, fields) = line.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11).map(str::parse::<u32>);
    let (user, system) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some(f64::from(user + system) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn processor_time_is_counted() {
        let before = processor_seconds(std::process::id()).unwrap();
        let begun = Instant::now();
        while processor_seconds(std::process::id()).unwrap() <= before {
            assert!(begun.elapsed() < Duration::from_secs(60));
        }
    }
}
