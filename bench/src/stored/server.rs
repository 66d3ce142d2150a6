//! The real server as a process of its own, and a client of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::Size;

const TOKEN: &str = "a-token-for-benchmarks";

/// A server on a database, with an integration of its own.
pub(super) struct Server {
    process: Child,
    connection: BufReader<TcpStream>,
    key: String,
}

impl Server {
    pub(super) fn start(program: &Path, database: &Path) -> Result<Self> {
        let mut process = Command::new(program)
            .args(["serve", "--addr", "127.0.0.1:0", "--log-level", "info", "--admin-token", TOKEN])
            .args(["--database", &format!("sqlite:{}", database.display())])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut log = BufReader::new(process.stderr.take().context("there is no log")?);
        let mut line = String::new();
        let address = loop {
            line.clear();
            ensure!(log.read_line(&mut line)? > 0, "the server did not start");
            if let Some((_, address)) = line.split_once("127.0.0.1:") {
                let port: String = address.chars().take_while(char::is_ascii_digit).collect();
                break format!("127.0.0.1:{port}");
            }
        };
        // A log that nobody reads would hold the server up.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut server = Self { process, connection: BufReader::new(stream), key: String::new() };
        let integration = json!({ "name": "The bench's own", "group": "bench" }).to_string();
        let answer: Value =
            serde_json::from_str(&server.send("POST", "/api/v1/integrations", &integration)?)?;
        server.key = answer.get("ingestKey").and_then(Value::as_str).context("there is no key")?.to_owned();
        Ok(server)
    }

    pub(super) fn page(&mut self, page: &str, size: Size) -> Result<String> {
        target(page, size, |first| self.get(first))
    }

    pub(super) fn get(&mut self, target: &str) -> Result<String> {
        self.send("GET", target, "")
    }

    pub(super) fn ingest(&mut self, target: &str, body: &str) -> Result<String> {
        self.send("POST", &format!("/integration/custom-data/{target}"), body)
    }

    fn send(&mut self, method: &str, target: &str, body: &str) -> Result<String> {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {TOKEN}\r\nx-ingest-key: {}\r\n\
             content-length: {}\r\n\r\n",
            self.key,
            body.len()
        );
        self.connection.get_mut().write_all([head.as_bytes(), body.as_bytes()].concat().as_slice())?;
        let (mut status, mut length) = (String::new(), 0);
        self.connection.read_line(&mut status)?;
        loop {
            let mut line = String::new();
            ensure!(self.connection.read_line(&mut line)? > 0, "the connection broke");
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut answer = vec![0; length];
        self.connection.read_exact(&mut answer)?;
        let answer = String::from_utf8(answer)?;
        if !status.starts_with("HTTP/1.1 20") {
            bail!("{method} {target}: {} {answer}", status.trim());
        }
        Ok(answer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The file goes away, so nothing has to be finished.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The target of a page: `{middle}` is the change in the middle, `{at:20}` a time, and `{next}` the cursor
/// that the page before has given.
pub(super) fn target(page: &str, size: Size, mut get: impl FnMut(&str) -> Result<String>) -> Result<String> {
    let mut target = page.replace("{middle}", &size.middle());
    for thousandths in [20, 500, 990] {
        target = target.replace(&format!("{{at:{thousandths}}}"), &time(size.time(thousandths)));
    }
    let Some(first) = target.strip_suffix("cursor={next}") else { return Ok(target) };
    let plain = first.trim_end_matches(['?', '&']);
    let answer: Value = serde_json::from_str(&get(plain)?)?;
    Ok(match answer.get("nextCursor").and_then(Value::as_str) {
        Some(next) => format!("{first}cursor={next}"),
        None => plain.to_owned(),
    })
}

/// RFC 3339 for a time of the filled databases, which lies in the days after 2023-11-14T22:13:20Z.
fn time(unix_millis: i64) -> String {
    let (seconds, millis) = (unix_millis / 1000, unix_millis % 1000);
    let of_day = seconds % 86_400;
    let day = 14 + (seconds / 86_400 - 1_700_000_000 / 86_400);
    format!("2023-11-{day:02}T{:02}:{:02}:{:02}.{millis:03}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}
