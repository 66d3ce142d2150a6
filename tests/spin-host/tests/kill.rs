//! The host is killed in the middle of bulks, again and again: each of them is there whole or not
//! at all, and what was answered is there.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};
use tidegate_core::{CheckOptions, PreparedSchema};
use tidegate_tests::http::client::Client;
use tidegate_tests::http::message::{Request, RequestBody};
use tidegate_tests::http::spin::{self, SpinPostgres};
use tidegate_tests::http::{ADMIN_TOKEN, Fault};
use tidegate_tests::numbers::Numbers;
use tidegate_tests::postgres;

/// How many bulks are sent, each of them to be interrupted.
const BULKS: u64 = 50;
/// The most resources in one.
const MOST_RESOURCES: u64 = 1500;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let hosts: [(&str, Database, Option<String>); 2] = [
        ("spin", || Ok(Vec::new()), spin::component().err()),
        ("spin-postgres", in_postgres, SpinPostgres::available().err()),
    ];
    let trials = hosts
        .into_iter()
        .map(|(host, database, skip)| {
            if let Some(reason) = &skip {
                println!("the host `{host}` is skipped: {reason}");
            }
            let run = move || Ok(no_bulk_is_halved(database)?);
            Trial::test(format!("kill/no-bulk-is-halved::{host}"), run).with_ignored_flag(skip.is_some())
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Makes a database, and gives the variables of the application that name it.
type Database = fn() -> Result<Vec<(&'static str, String)>, Fault>;

fn in_postgres() -> Result<Vec<(&'static str, String)>, Fault> {
    spin::database_variables(&postgres::fresh_database()?).map(Vec::from)
}

/// Waits until PostgreSQL has nothing more to do for a host that was killed: it learns at the end of a
/// statement that nobody waits for the answer.
fn wait_for_the_end(variables: &[(&str, String)]) -> Result<(), Fault> {
    const WAIT: &str = "DO $$ BEGIN
        WHILE EXISTS (
            SELECT FROM pg_stat_activity WHERE datname = current_database()
                AND backend_type = 'client backend' AND pid <> pg_backend_pid()
        ) LOOP
            PERFORM pg_sleep(0.01);
            PERFORM pg_stat_clear_snapshot();
        END LOOP;
    END $$";
    let url = variables.iter().find(|(name, _)| *name == "database_url");
    url.map_or(Ok(()), |(_, url)| postgres::run(url, WAIT))
}

/// The host as a process, which is killed when it is dropped.
struct Host {
    child: Child,
    address: SocketAddr,
}

impl Host {
    fn start(compiled: &Path, database: &Path, variables: &[(&str, String)]) -> Result<Self, Fault> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate-spin-host"));
        command.arg(compiled).arg("--manifest").arg(spin::manifest()).arg("--database").arg(database);
        command.args(["--variable", &format!("admin_token={ADMIN_TOKEN}")]);
        for (name, value) in variables {
            command.args(["--variable", &format!("{name}={value}")]);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        }
        let address = line.trim().strip_prefix("http://").and_then(|address| address.parse().ok());
        match address {
            Some(address) => Ok(Self { child, address }),
            None => Err(format!("the host says `{line}`")),
        }
    }

    /// `kill -9`.
    fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
    }
}

fn ask(
    address: SocketAddr,
    method: &str,
    target: &str,
    header: (&str, &str),
    body: Option<String>,
) -> Result<(u16, Value), Fault> {
    let body = body.map_or(RequestBody::None, |body| RequestBody::Whole(body.into_bytes()));
    let headers = vec![(header.0.to_owned(), header.1.to_owned())];
    let request = Request { method: method.to_owned(), target: target.to_owned(), headers, body };
    let answer = Client::new(address).send(&request)?;
    let value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    Ok((answer.status, value))
}

fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["id", "round"],
        "properties": { "id": { "type": "string" }, "round": { "type": "integer" }, "note": { "type": "string" } },
        "resmo": { "id": "id" }
    })
}

fn declare(address: SocketAddr) -> Result<String, Fault> {
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let create = |what: &str, body: Value| {
        let target = format!("/api/v1/{what}");
        match ask(address, "POST", &target, ("authorization", &bearer), Some(body.to_string()))? {
            (201, answer) => Ok(answer),
            (status, answer) => Err(format!("{what}: {status} {answer}")),
        }
    };
    create("groups", json!({ "name": "Things", "prefix": "things" }))?;
    create("schemas", json!({ "group": "things", "name": "Thing", "table": "thing", "schema": schema() }))?;
    let integration = create("integrations", json!({ "name": "Sender", "group": "things" }))?;
    let key = integration.get("ingestKey").and_then(Value::as_str).ok_or("there is no `ingestKey`")?;
    Ok(key.to_owned())
}

type Manifest = BTreeMap<String, String>;

fn manifest(address: SocketAddr, key: &str) -> Result<Manifest, Fault> {
    let target = "/integration/custom-data/manifest/thing";
    let (status, answer) = ask(address, "GET", target, ("x-ingest-key", key), None)?;
    let items = answer.get("items").and_then(Value::as_object).ok_or(format!("{status} {answer}"))?;
    Ok(items
        .iter()
        .map(|(id, digest)| (id.clone(), digest.as_str().unwrap_or_default().to_owned()))
        .collect())
}

/// How many changes each request made, by the whole feed. The part of a change's id before the
/// dash is its request's.
fn changes_by_request(address: SocketAddr) -> Result<BTreeMap<String, usize>, Fault> {
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let mut requests = BTreeMap::new();
    let mut after = String::new();
    loop {
        let target = format!("/api/v1/changes?limit=1000&after={after}");
        let (_, page) = ask(address, "GET", &target, ("authorization", &bearer), None)?;
        let items = page.get("items").and_then(Value::as_array).ok_or_else(|| page.to_string())?;
        let Some(last) = items.last() else { return Ok(requests) };
        for item in items {
            let id = item.get("changeId").and_then(Value::as_str).unwrap_or_default();
            let request = id.rsplit_once('-').map_or(id, |(request, _)| request);
            *requests.entry(request.to_owned()).or_default() += 1;
        }
        last.get("changeId").and_then(Value::as_str).unwrap_or_default().clone_into(&mut after);
    }
}

fn no_bulk_is_halved(database: Database) -> Result<(), Fault> {
    let variables = database()?;
    let text = |error: std::io::Error| error.to_string();
    let directory = tempfile::tempdir().map_err(text)?;
    let (compiled, database) = (directory.path().join("component"), directory.path().join("default.db"));
    spin::compiled()?.save(&compiled).map_err(|error| error.to_string())?;
    let prepared = PreparedSchema::prepare(schema().to_string().as_bytes())
        .map_err(|problems| format!("{problems:?}"))?;

    let mut host = Host::start(&compiled, &database, &variables)?;
    let key = declare(host.address)?;
    let mut numbers = Numbers::new(7);
    let mut stored = Manifest::new();
    // How long a bulk takes here, to kill somewhere within it.
    let mut usual = Duration::from_millis(40);
    let (mut answered, mut whole, mut absent) = (0, 0, 0);
    let mut expected_changes = Vec::new();
    for round in 0..BULKS {
        let count = 1 + numbers.below(MOST_RESOURCES);
        let bulk: Vec<Value> = (0..count)
            .map(|id| json!({ "id": format!("thing-{id}"), "round": round, "note": "x".repeat(100) }))
            .collect();
        let bulk = Value::from(bulk).to_string();
        let items = prepared.check_bulk(bulk.as_bytes(), CheckOptions::default());
        let items = items.map_err(|rejection| format!("{rejection:?}"))?;
        let next: Manifest =
            items.into_iter().map(|item| (item.id.into_owned(), item.digest.to_string())).collect();
        let changes = next.len() + stored.keys().filter(|id| !next.contains_key(*id)).count();

        let address = host.address;
        let sending = {
            let key = key.clone();
            thread::spawn(move || {
                let begun = Instant::now();
                let target = "/integration/custom-data/bulk-event/thing";
                let answer = ask(address, "POST", target, ("x-ingest-key", &key), Some(bulk));
                (answer, begun.elapsed())
            })
        };
        let limit = u64::try_from(usual.as_micros()).unwrap_or(u64::MAX).max(2) * 5 / 4;
        thread::sleep(Duration::from_micros(numbers.below(limit)));
        host.kill();
        let (answer, took) = sending.join().map_err(|_| "the sender panicked")?;

        wait_for_the_end(&variables)?;
        host = Host::start(&compiled, &database, &variables)?;
        let found = manifest(host.address, &key)?;
        let was_answered = match answer {
            Ok((200, _)) => true,
            Ok((status, answer)) => return Err(format!("round {round}: {status} {answer}")),
            Err(_) => false,
        };
        if found == next {
            whole += 1;
            expected_changes.push(changes);
        } else if found == stored && !was_answered {
            absent += 1;
        } else {
            return Err(format!(
                "round {round}: {} resources are stored; {} were before, {} would be after{}",
                found.len(),
                stored.len(),
                next.len(),
                if was_answered { ", and the bulk was answered" } else { "" }
            ));
        }
        if was_answered {
            answered += 1;
            usual = (usual + took) / 2;
        } else {
            // Not killed too early every time.
            usual += usual / 8;
        }
        stored = found;
    }
    let requests = changes_by_request(host.address)?;
    let mut found: Vec<usize> = requests.into_values().collect();
    found.sort_unstable();
    expected_changes.sort_unstable();
    if found != expected_changes {
        return Err(format!("the feed has requests with {found:?} changes, expected {expected_changes:?}"));
    }
    println!("{BULKS} bulks and kills: {whole} are there whole ({answered} answered), {absent} not at all");
    // Otherwise nothing was shown.
    if absent < BULKS / 16 || whole < BULKS / 16 {
        return Err(format!("the kills came at the wrong time: {whole} whole, {absent} absent"));
    }
    Ok(())
}
