//! Many requests on one scope, and on one resource, at the same time, and a scope as large as a
//! bulk can be: through the native server, through two of them over one database, through the service
//! on libSQL, whose statements know nothing of each other, and through the component, whose instances
//! do not, over SQLite and PostgreSQL.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};
use tidegate_tests::feed::{Change, replay};
use tidegate_tests::http::Fault;
use tidegate_tests::http::client::Client;
use tidegate_tests::http::libsql::{self, LibsqlServer};
use tidegate_tests::http::native::NativeServer;
use tidegate_tests::http::speaker::Speaker;
use tidegate_tests::http::spin::{self, SpinPostgres, SpinServer};
use tidegate_tests::numbers::Numbers;
use tidegate_tests::postgres;

const SINGLE: &str = "/integration/custom-data/event/server";
const BULK: &str = "/integration/custom-data/bulk-event/server";
const DELETE: &str = "/integration/custom-data/server";

/// Threads that send single resources, and how many each.
const SINGLES: (u64, u64) = (8, 30);
/// Threads that send bulks, and how many each.
const BULKS: (u64, u64) = (4, 10);
/// Threads that remove, and how often each.
const DELETES: (u64, u64) = (1, 30);
/// How many different ids they share.
const IDS: u64 = 40;

type Test = fn(&Site) -> Result<(), Fault>;

const TESTS: [(&str, Test); 4] = [
    ("declarations", declarations),
    ("writers-on-one-scope", writers_on_one_scope),
    ("writers-on-one-resource", writers_on_one_resource),
    ("four-mebibytes", four_mebibytes),
];

type Start = fn() -> Result<Box<dyn Server>, Fault>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let program = libsql::program().err();
    if let Some(reason) = &program {
        println!("the host `libsql` is skipped: {reason}");
    }
    let component = spin::component().err();
    if let Some(reason) = &component {
        println!("the host `spin` is skipped: {reason}");
    }
    let no_postgres = postgres::available().err();
    if let Some(reason) = &no_postgres {
        println!("the hosts over PostgreSQL are skipped: {reason}");
    }
    let spin_postgres = SpinPostgres::available().err();
    let hosts: [(&str, Start, bool); 8] = [
        ("native", || Ok(Box::new(NativeServer::start(2)?)), false),
        ("native-twice", || Ok(Box::new(Pair::over_a_file()?)), false),
        (
            "native-postgres",
            || Ok(Box::new(NativeServer::start_on_postgres(2, &postgres::fresh_database()?)?)),
            no_postgres.is_some(),
        ),
        ("native-postgres-twice", || Ok(Box::new(Pair::over_postgres()?)), no_postgres.is_some()),
        ("libsql", || Ok(Box::new(LibsqlServer::start()?)), program.is_some()),
        ("spin", || Ok(Box::new(SpinServer::start(2)?)), component.is_some()),
        (
            "spin-postgres",
            || Ok(Box::new(SpinServer::start_on_postgres(2, &postgres::fresh_database()?)?)),
            spin_postgres.is_some(),
        ),
        ("native-and-spin-postgres", || Ok(Box::new(Pair::of_both_hosts()?)), spin_postgres.is_some()),
    ];
    let mut trials = Vec::new();
    for (host, start, skipped) in hosts {
        for (name, test) in TESTS {
            let run = move || Ok(test(&Site::on(start()?)?)?);
            trials.push(Trial::test(format!("scopes/{name}::{host}"), run).with_ignored_flag(skipped));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A running server.
trait Server: Sync {
    fn client(&self) -> Client;
}

impl Server for NativeServer {
    fn client(&self) -> Client {
        self.client()
    }
}

/// Two servers over one database. Each client talks to the one or the other.
struct Pair {
    servers: [Box<dyn Server>; 2],
    clients: AtomicUsize,
}

impl Pair {
    fn of(first: impl Server + 'static, second: impl Server + 'static) -> Self {
        // Who started last is closed first, so that a database file outlives it.
        Self { servers: [Box::new(second), Box::new(first)], clients: AtomicUsize::new(0) }
    }

    fn over_a_file() -> Result<Self, Fault> {
        let first = NativeServer::start(1)?;
        let second = first.start_beside(1)?;
        Ok(Self::of(first, second))
    }

    /// Both start at the same time, over a database that has no tables yet.
    fn over_postgres() -> Result<Self, Fault> {
        let url = postgres::fresh_database()?;
        thread::scope(|scope| {
            let second = scope.spawn(|| NativeServer::start_on_postgres(1, &url));
            let first = NativeServer::start_on_postgres(1, &url)?;
            Ok(Self::of(first, joined(second)?))
        })
    }

    /// The native server and the component.
    fn of_both_hosts() -> Result<Self, Fault> {
        let url = postgres::fresh_database()?;
        let native = NativeServer::start_on_postgres(1, &url)?;
        Ok(Self::of(native, SpinServer::start_on_postgres(1, &url)?))
    }
}

impl Server for Pair {
    fn client(&self) -> Client {
        let [first, second] = &self.servers;
        match self.clients.fetch_add(1, Ordering::Relaxed) % 2 {
            0 => first.client(),
            _ => second.client(),
        }
    }
}

impl Server for LibsqlServer {
    fn client(&self) -> Client {
        self.client()
    }
}

impl Server for SpinServer {
    fn client(&self) -> Client {
        self.client()
    }
}

/// A server with the table `server` and a key for it.
struct Site {
    server: Box<dyn Server>,
    key: String,
    integration: String,
}

impl Site {
    fn on(server: Box<dyn Server>) -> Result<Self, Fault> {
        let mut speaker = Speaker::new(server.client(), "");
        let schema = json!({
            "type": "object",
            "properties": {
                "id": { "type": "string" },
                "by": { "type": "string" },
                "load": { "type": "integer" },
                "note": { "type": "string" }
            },
            "resmo": { "id": "id", "name": "by" }
        });
        speaker.ask("POST", "/api/v1/groups", Some(&json!({ "name": "Assets", "prefix": "assets" })), 201)?;
        let schema = json!({ "group": "assets", "name": "Server", "table": "server", "schema": schema });
        speaker.ask("POST", "/api/v1/schemas", Some(&schema), 201)?;
        let integration = json!({ "name": "Inventory", "group": "assets" });
        let answer = speaker.ask("POST", "/api/v1/integrations", Some(&integration), 201)?;
        Ok(Self { server, key: member(&answer, "ingestKey")?, integration: member(&answer, "id")? })
    }

    fn speaker(&self) -> Speaker {
        Speaker::new(self.server.client(), &self.key)
    }
}

fn member(of: &Value, name: &str) -> Result<String, Fault> {
    let text = of.get(name).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| format!("there is no `{name}`"))
}

/// What is declared holds from the moment that it is answered, whoever asks which instance: a schema that
/// was replaced, an integration that was disabled, a key that was revoked. Whatever is sent, nothing is
/// answered by what held before.
fn declarations(site: &Site) -> Result<(), Fault> {
    const ROUNDS: usize = 5;
    let stored = json!({ "id": "one", "by": "anybody", "load": 50 });
    let added = |round: usize| json!({ "id": format!("r{round}"), "by": "anybody", "load": 1 });
    let wrong = json!({ "id": 1 });
    let dry = format!("{SINGLE}?dryRun=true");
    let bad_parameter = format!("{SINGLE}?dryRun=perhaps");
    let integration = format!("/api/v1/integrations/{}", site.integration);
    let most_load = |most: u64| {
        json!({ "name": "Server", "schema": {
            "type": "object",
            "properties": {
                "id": { "type": "string" }, "by": { "type": "string" },
                "load": { "type": "integer", "maximum": most }, "note": { "type": "string" }
            },
            "resmo": { "id": "id", "name": "by" }
        } })
    };
    let mut speakers = [site.speaker(), site.speaker()];
    // Whatever a request is about: what is stored, something new, something wrong.
    let all = |speakers: &mut [Speaker; 2], round: usize, status: u16| {
        for speaker in speakers {
            speaker.ask("POST", SINGLE, Some(&stored), status)?;
            speaker.ask("POST", SINGLE, Some(&wrong), status)?;
            speaker.ask("POST", SINGLE, Some(&added(round)), status)?;
            speaker.ask("POST", &dry, Some(&stored), status)?;
            speaker.ask("POST", &bad_parameter, Some(&stored), status)?;
        }
        Ok::<_, Fault>(())
    };
    for round in 0..ROUNDS {
        for speaker in &mut speakers {
            speaker.ask("POST", SINGLE, Some(&stored), 0)?;
            speaker.ask("POST", SINGLE, Some(&wrong), 422)?;
            speaker.ask("POST", &bad_parameter, Some(&stored), 400)?;
        }
        let [first, second] = &mut speakers;
        first.ask("PUT", "/api/v1/schemas/_assets_server", Some(&most_load(49)), 200)?;
        second.ask("POST", SINGLE, Some(&stored), 422)?;
        first.ask("POST", SINGLE, Some(&stored), 422)?;
        second.ask("PUT", "/api/v1/schemas/_assets_server", Some(&most_load(100)), 200)?;
        first.ask("POST", SINGLE, Some(&stored), 200)?;
        second.ask("POST", &dry, Some(&stored), 200)?;

        first.ask("PATCH", &integration, Some(&json!({ "enabled": false })), 200)?;
        all(&mut speakers, round, 403)?;
        let [first, second] = &mut speakers;
        first.ask("PATCH", &integration, Some(&json!({ "enabled": true })), 200)?;
        second.ask("POST", SINGLE, Some(&stored), 200)?;

        let keys = first.ask("GET", &integration, None, 200)?;
        let old = keys.pointer("/keys/0").ok_or("there is no key")?;
        let old = format!("{integration}/keys/{}", member(old, "id")?);
        let new = first.ask("POST", &format!("{integration}/keys"), None, 201)?;
        first.ask("DELETE", &old, None, 204)?;
        all(&mut speakers, round, 401)?;
        for speaker in &mut speakers {
            speaker.key = member(&new, "ingestKey")?;
        }
    }
    let [first, _] = &mut speakers;
    first.ask("DELETE", &integration, None, 204)?;
    all(&mut speakers, ROUNDS, 401)
}

fn resource(numbers: &mut Numbers, by: &str) -> Value {
    json!({ "id": format!("s{}", numbers.below(IDS)), "by": by, "load": numbers.below(4) })
}

fn snapshot(numbers: &mut Numbers, by: &str) -> Value {
    let ids: BTreeSet<u64> = (0..IDS / 2).map(|_| numbers.below(IDS)).collect();
    ids.iter().map(|id| json!({ "id": format!("s{id}"), "by": by, "load": numbers.below(4) })).collect()
}

fn send_singles(speaker: &mut Speaker, thread: u64) -> Result<(), Fault> {
    let mut numbers = Numbers::new(thread);
    for _ in 0..SINGLES.1 {
        speaker.ask("POST", SINGLE, Some(&resource(&mut numbers, "single")), 0)?;
    }
    Ok(())
}

fn send_bulks(speaker: &mut Speaker, thread: u64) -> Result<(), Fault> {
    let mut numbers = Numbers::new(100 + thread);
    for _ in 0..BULKS.1 {
        speaker.ask("POST", BULK, Some(&snapshot(&mut numbers, "bulk")), 200)?;
    }
    Ok(())
}

fn send_deletes(speaker: &mut Speaker, thread: u64) -> Result<(), Fault> {
    let mut numbers = Numbers::new(200 + thread);
    for _ in 0..DELETES.1 {
        let target = format!("{DELETE}?resourceIds=s{},s{}", numbers.below(IDS), numbers.below(IDS));
        speaker.ask("DELETE", &target, None, 200)?;
    }
    Ok(())
}

/// Reads the feed as it grows, until nothing is written any more and all of it is read.
fn follow(speaker: &mut Speaker, written: &AtomicBool) -> Result<Vec<Change>, Fault> {
    let mut feed: Vec<Change> = Vec::new();
    loop {
        let last_look = written.load(Ordering::Acquire);
        let page = speaker.changes_after(feed.last().map(|change| change.change_id.as_str()), 50)?;
        if page.is_empty() && last_look {
            return Ok(feed);
        }
        feed.extend(page);
    }
}

fn writers_on_one_scope(site: &Site) -> Result<(), Fault> {
    let written = AtomicBool::new(false);
    let started = Instant::now();
    let followed = thread::scope(|scope| {
        let written = &written;
        let mut writers = Vec::new();
        let mut spawn = |task: fn(&mut Speaker, u64) -> Result<(), Fault>, threads: u64| {
            for thread in 0..threads {
                let mut speaker = site.speaker();
                writers.push(scope.spawn(move || task(&mut speaker, thread)));
            }
        };
        spawn(send_singles, SINGLES.0);
        spawn(send_bulks, BULKS.0);
        spawn(send_deletes, DELETES.0);
        let mut reader = site.speaker();
        let reading = scope.spawn(move || follow(&mut reader, written));
        let outcomes: Vec<Result<(), Fault>> = writers.into_iter().map(joined).collect();
        // Also when a writer failed: the reader waits for it.
        written.store(true, Ordering::Release);
        let followed = joined(reading);
        outcomes.into_iter().collect::<Result<(), Fault>>()?;
        followed
    })?;
    let took = started.elapsed();

    let ids: BTreeSet<&str> = followed.iter().map(|change| change.change_id.as_str()).collect();
    if ids.len() != followed.len() {
        return Err("a change was seen twice".into());
    }
    let mut speaker = site.speaker();
    let from_the_start = follow(&mut speaker, &AtomicBool::new(true))?;
    if from_the_start != followed {
        return Err(format!(
            "{} changes were seen during the writes, {} afterwards",
            followed.len(),
            from_the_start.len()
        ));
    }
    let state = replay(&followed)?;
    let manifest = speaker.manifest("server", "")?;
    if !state.resources().map(|(_, id, _)| id).eq(manifest.keys()) {
        return Err(format!("the feed leads to {state:?}, stored are {:?}", manifest.keys()));
    }
    for (_, id, resource) in state.resources() {
        // A dry run says which digest the gate gives to what the feed says.
        let answer = speaker.ask("POST", &format!("{SINGLE}?dryRun=true"), Some(resource), 200)?;
        if answer.get("digest").and_then(Value::as_str) != manifest.get(id).map(String::as_str) {
            return Err(format!("`{id}` is stored with another digest than the feed's last state of it"));
        }
    }
    let requests = SINGLES.0 * SINGLES.1 + BULKS.0 * BULKS.1 + DELETES.0 * DELETES.1;
    println!("{requests} requests made {} changes in {took:.1?}", followed.len());
    Ok(())
}

/// Each request comes through, however many others mean the same resource, and the changes form
/// one line from the first to the last.
fn writers_on_one_resource(site: &Site) -> Result<(), Fault> {
    const THREADS: u64 = 24;
    const EACH: u64 = 10;
    thread::scope(|scope| {
        let writers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let mut speaker = site.speaker();
                scope.spawn(move || {
                    (0..EACH).try_for_each(|turn| {
                        let resource = json!({ "id": "hot", "by": format!("writer {thread}"), "load": turn });
                        speaker.ask("POST", SINGLE, Some(&resource), 0).map(|_| ())
                    })
                })
            })
            .collect();
        writers.into_iter().map(joined).collect::<Vec<_>>().into_iter().collect::<Result<(), Fault>>()
    })?;
    let feed = follow(&mut site.speaker(), &AtomicBool::new(true))?;
    let state = replay(&feed)?;
    // No two of the requests are the same, so each of them made a change.
    if feed.len() as u64 != THREADS * EACH || state.resources().count() != 1 {
        return Err(format!("{} changes led to {state:?}", feed.len()));
    }
    Ok(())
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, Result<T, Fault>>) -> Result<T, Fault> {
    thread.join().unwrap_or_else(|_| Err("a thread panicked".into()))
}

fn four_mebibytes(site: &Site) -> Result<(), Fault> {
    const RESOURCES: usize = 18_000;
    const MOST: usize = 4 * 1024 * 1024;
    let mut speaker = site.speaker();
    let note = "x".repeat(174);
    let mut items: Vec<Value> = (0..RESOURCES)
        .map(|index| json!({ "id": format!("server-{index:05}"), "by": "inventory", "load": index % 100, "note": note }))
        .collect();
    let size = Value::from(items.clone()).to_string().len();
    if !(MOST * 99 / 100..=MOST).contains(&size) {
        return Err(format!("the bulk has {size} bytes"));
    }
    let mut bulk = |items: &[Value], counts: [u64; 4]| {
        let body = Value::from(items.to_vec());
        let started = Instant::now();
        let answer = speaker.ask("POST", BULK, Some(&body), 200)?;
        let took = started.elapsed();
        let found = ["added", "modified", "removed", "unchanged"]
            .map(|name| answer.get(name).and_then(Value::as_u64).unwrap_or(u64::MAX));
        if found == counts { Ok(took) } else { Err(format!("expected {counts:?}, found {answer}")) }
    };
    let all = RESOURCES as u64;
    let first = bulk(&items, [all, 0, 0, 0])?;
    let again = bulk(&items, [0, 0, 0, all])?;
    if let Some(one) = items.get_mut(RESOURCES / 2) {
        *one = json!({ "id": format!("server-{:05}", RESOURCES / 2), "by": "inventory", "load": -1 });
    }
    items.pop();
    let changed = bulk(&items, [0, 1, 1, all - 2])?;
    println!(
        "{RESOURCES} resources, {size} bytes: first {first:.0?}, again {again:.0?}, one changed and one gone {changed:.0?}"
    );
    Ok(())
}
