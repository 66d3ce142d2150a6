//! What is the component's own: what it asks of its host, how its instances live and die, and that
//! nothing of one that dies is lost on another.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};
use tidegate_tests::http::message::{Request, RequestBody, Response};
use tidegate_tests::http::spin::{self, SpinPostgres, SpinServer};
use tidegate_tests::http::{ADMIN_TOKEN, Fault};
use tidegate_tests::postgres;

type Test = fn() -> Result<(), Fault>;

const TESTS: [(&str, Test); 7] = [
    ("imports", imports),
    ("instances-are-used-again", instances_are_used_again),
    ("a-trap-ends-one-instance", a_trap_ends_one_instance),
    ("a-new-version-of-a-schema-counts-at-once", a_new_version_counts_at_once),
    ("instances-start-together", instances_start_together),
    ("a-wrong-list-of-origins-is-said", a_wrong_list_of_origins_is_said),
    ("no-database-that-is-not-permitted", no_database_that_is_not_permitted),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let skip = spin::component().err();
    if let Some(reason) = &skip {
        println!("the host `spin` is skipped: {reason}");
    }
    let mut trials: Vec<Trial> = TESTS
        .into_iter()
        .map(|(name, test)| {
            let trial = Trial::test(format!("edge/{name}::spin"), move || Ok(test()?));
            trial.with_ignored_flag(skip.is_some())
        })
        .collect();
    let skip = SpinPostgres::available().err();
    if let Some(reason) = &skip {
        println!("the host `spin-postgres` is skipped: {reason}");
    }
    let trial = Trial::test("edge/instances-start-together::spin-postgres", || {
        let server = SpinServer::start_on_postgres(2, &postgres::fresh_database()?)?;
        Ok(all_meet_an_empty_database(&server)?)
    });
    trials.push(trial.with_ignored_flag(skip.is_some()));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn request(method: &str, target: &str, body: Option<&Value>) -> Request {
    let body = body.map_or(RequestBody::None, |body| RequestBody::Whole(body.to_string().into_bytes()));
    let headers = vec![("authorization".to_owned(), format!("Bearer {ADMIN_TOKEN}"))];
    Request { method: method.to_owned(), target: target.to_owned(), headers, body }
}

fn expect(answer: &Response, status: u16) -> Result<Value, Fault> {
    if answer.status != status {
        let text = String::from_utf8_lossy(&answer.body);
        return Err(format!("expected {status}, found {} {text}", answer.status));
    }
    serde_json::from_slice(&answer.body).map_err(|error| error.to_string())
}

fn equal<T: PartialEq<T> + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), Fault> {
    if found == expected { Ok(()) } else { Err(format!("{what}: expected {expected:?}, found {found:?}")) }
}

/// Declares a table `thing` whose schema is `schema`, and gives an ingest key for it.
fn declare(server: &SpinServer, schema: &Value) -> Result<String, Fault> {
    let mut client = server.client();
    let mut create = |what: &str, body: Value| {
        expect(&client.send(&request("POST", &format!("/api/v1/{what}"), Some(&body)))?, 201)
    };
    create("groups", json!({ "name": "Things", "prefix": "things" }))?;
    create("schemas", json!({ "group": "things", "name": "Thing", "table": "thing", "schema": schema }))?;
    let integration = create("integrations", json!({ "name": "Sender", "group": "things" }))?;
    let key = integration.get("ingestKey").and_then(Value::as_str);
    key.map(str::to_owned).ok_or_else(|| "there is no `ingestKey`".to_owned())
}

fn event(key: &str, body: &Value) -> Request {
    let mut event = request("POST", "/integration/custom-data/event/thing", Some(body));
    event.headers = vec![("x-ingest-key".to_owned(), key.to_owned())];
    event
}

/// A component that could open files or connections would have to be trusted not to. Spin opens those to
/// PostgreSQL, where the manifest permits it.
fn imports() -> Result<(), Fault> {
    const ALLOWED: [&str; 5] =
        ["wasi:cli/", "wasi:clocks/", "wasi:http/types@0.3", "wasi:io/", "wasi:random/"];
    const SPIN: [&str; 3] =
        ["spin:postgres/postgres@4.2.0", "spin:sqlite/sqlite@3.1.0", "spin:variables/variables@3.0.0"];
    let imports = spin::compiled()?.imports();
    println!("the component imports {}", imports.join(", "));
    for name in &imports {
        if !SPIN.contains(&name.as_str()) && !ALLOWED.iter().any(|start| name.starts_with(start)) {
            return Err(format!("the component imports `{name}`"));
        }
    }
    match SPIN.iter().find(|name| !imports.iter().any(|import| import == *name)) {
        Some(name) => Err(format!("the component does not import `{name}`")),
        None => Ok(()),
    }
}

/// What Spin's rules make of 300 requests one after the other: two instances that answer 128 each,
/// and one that answers the rest.
fn instances_are_used_again() -> Result<(), Fault> {
    let server = SpinServer::start(1)?;
    let mut client = server.client();
    for _ in 0..300 {
        expect(&client.send(&request("GET", "/healthz", None))?, 200)?;
    }
    equal("instances", &server.host.counts().instances.load(Ordering::Relaxed), &3)?;
    equal("traps", &server.host.counts().traps.load(Ordering::Relaxed), &0)
}

/// A request whose body is half sent, so that it stays in its instance.
struct HalfSent {
    stream: TcpStream,
    rest: String,
}

impl HalfSent {
    fn begin(server: &SpinServer, key: &str, body: &Value) -> Result<Self, Fault> {
        let text = |error: std::io::Error| error.to_string();
        let body = body.to_string();
        let (first, rest) = body.split_at_checked(body.len() / 2).unwrap_or_default();
        let mut stream = TcpStream::connect(server.address()).map_err(text)?;
        write!(
            stream,
            "POST /integration/custom-data/event/thing HTTP/1.1\r\nhost: localhost\r\nx-ingest-key: {key}\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{first}",
            body.len()
        )
        .map_err(text)?;
        Ok(Self { stream, rest: rest.to_owned() })
    }

    /// Sends the rest, and gives the status of the answer.
    fn finish(mut self) -> Result<u16, Fault> {
        let text = |error: std::io::Error| error.to_string();
        self.stream.write_all(self.rest.as_bytes()).map_err(text)?;
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).map_err(text)?;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.ok_or_else(|| format!("no answer: {answer}"))
    }
}

/// More requests are in flight than one instance takes. One instance traps: its requests fail, and
/// have done nothing; those in the others are answered as if nothing had happened, and so is
/// whatever comes later.
fn a_trap_ends_one_instance() -> Result<(), Fault> {
    const AT_ONCE: usize = 16;
    const IN_FLIGHT: usize = 40;
    let server = SpinServer::start(2)?;
    let counts = server.host.counts();
    let schema = json!({
        "type": "object",
        "properties": { "id": { "type": "string" } },
        "resmo": { "id": "id" }
    });
    let key = declare(&server, &schema)?;
    let before = counts.variables.load(Ordering::Relaxed);
    let waiting = (0..IN_FLIGHT)
        .map(|number| HalfSent::begin(&server, &key, &json!({ "id": format!("thing-{number}") })))
        .collect::<Result<Vec<_>, _>>()?;
    let deadline = Instant::now() + Duration::from_secs(20);
    // Each of them reads one variable when it begins.
    while counts.variables.load(Ordering::Relaxed) < before + IN_FLIGHT {
        if Instant::now() > deadline {
            return Err(format!("{:?} requests are in instances", counts.requests));
        }
        std::thread::sleep(Duration::from_millis(10));
    }

    server.host.faults().trap_next_variable.store(true, Ordering::Relaxed);
    let mut client = server.client();
    let trapped = client.send(&request("GET", "/api/v1/groups", None))?;
    equal("status of the request that trapped", &trapped.status, &500)?;
    let mut answered = Vec::new();
    let mut failed = 0;
    for (number, request) in waiting.into_iter().enumerate() {
        match request.finish()? {
            201 => answered.push(format!("thing-{number}")),
            500 => failed += 1,
            status => return Err(format!("a request in flight got {status}")),
        }
    }
    println!("of {IN_FLIGHT} requests in flight, {failed} were in the instance that trapped");
    if failed >= AT_ONCE {
        return Err(format!("{failed} requests failed with one instance"));
    }
    equal("traps", &counts.traps.load(Ordering::Relaxed), &1)?;
    equal("no more than 16 at once", &(counts.most_at_once.load(Ordering::Relaxed) <= AT_ONCE), &true)?;
    let page = expect(&client.send(&request("GET", "/api/v1/resources?limit=1000", None))?, 200)?;
    let items = page.get("items").and_then(Value::as_array).ok_or("there are no items")?;
    let mut stored: Vec<String> =
        items.iter().filter_map(|item| Some(item.get("id")?.as_str()?.to_owned())).collect();
    stored.sort_unstable();
    answered.sort_unstable();
    equal("stored", &stored, &answered)
}

/// The prepared schema that an instance keeps is never taken for another version.
fn a_new_version_counts_at_once() -> Result<(), Fault> {
    let server = SpinServer::start(1)?;
    let schema = |kind: &str| {
        json!({
            "type": "object",
            "properties": { "id": { "type": "string" }, "load": { "type": kind } },
            "resmo": { "id": "id" }
        })
    };
    let key = declare(&server, &schema("integer"))?;
    let mut client = server.client();
    for (kind, other) in [("integer", "string"), ("string", "integer"), ("integer", "string")] {
        let body = json!({ "name": "Thing", "schema": schema(kind) });
        expect(&client.send(&request("PUT", "/api/v1/schemas/_things_thing", Some(&body)))?, 200)?;
        let load = |kind: &str| if kind == "integer" { json!(1) } else { json!("one") };
        let fits = event(&key, &json!({ "id": kind, "load": load(kind) }));
        let answer = client.send(&fits)?;
        equal("status of what fits", &(answer.status < 300), &true)?;
        expect(&client.send(&event(&key, &json!({ "id": kind, "load": load(other) })))?, 422)?;
    }
    equal("instances", &server.host.counts().instances.load(Ordering::Relaxed), &1)
}

/// Instances that meet an empty database at the same time all make the tables; none gets in
/// another's way.
fn instances_start_together() -> Result<(), Fault> {
    all_meet_an_empty_database(&SpinServer::start(2)?)
}

fn all_meet_an_empty_database(server: &SpinServer) -> Result<(), Fault> {
    const CLIENTS: usize = 40;
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let mut client = server.client();
                scope.spawn(move || {
                    let group = json!({ "name": format!("Group {number}"), "prefix": format!("g{number}") });
                    expect(&client.send(&request("POST", "/api/v1/groups", Some(&group)))?, 201)
                })
            })
            .collect();
        clients.into_iter().try_for_each(|client| {
            client.join().unwrap_or_else(|_| Err("a client panicked".into())).map(|_| ())
        })
    })?;
    let list = expect(&server.client().send(&request("GET", "/api/v1/groups", None))?, 200)?;
    let groups = list.get("items").and_then(Value::as_array).map(Vec::len);
    equal("groups", &groups, &Some(CLIENTS))?;
    if server.host.counts().instances.load(Ordering::Relaxed) < 2 {
        return Err("one instance answered everybody".into());
    }
    Ok(())
}

/// The native server does not start with such a list. An instance learns of it from the first page.
fn a_wrong_list_of_origins_is_said() -> Result<(), Fault> {
    let server = SpinServer::start_with(1, &[("allow_origins", "https://app.example/")])?;
    let mut client = server.client();
    let group = request("POST", "/api/v1/groups", Some(&json!({ "name": "Things", "prefix": "things" })));
    let mut from_page = group.clone();
    from_page.headers.push(("origin".to_owned(), "https://app.example".to_owned()));
    let problem = expect(&client.send(&from_page)?, 500)?;
    let detail = problem.get("detail").and_then(Value::as_str);
    equal("the detail", &detail, &Some("the allowed origins are not to be had; the log says why"))?;
    // Nothing had taken effect, and whoever is no page is not concerned.
    expect(&client.send(&group)?, 201).map(drop)
}

/// A database whose host the manifest does not permit is not reached, whatever listens there; and the
/// state does not go to SQLite instead. What answers without a database does.
fn no_database_that_is_not_permitted() -> Result<(), Fault> {
    let text = |error: std::io::Error| error.to_string();
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(text)?;
    listener.set_nonblocking(true).map_err(text)?;
    let port = listener.local_addr().map_err(text)?.port();
    let url = format!("postgres://tide:high-water@127.0.0.1:{port}/harbour");
    for host in [&*format!("127.0.0.1:{}", port ^ 1), ""] {
        let mut variables = vec![("database_url", &*url)];
        variables.extend((!host.is_empty()).then_some(("database_host", host)));
        let server = SpinServer::start_with(1, &variables)?;
        let mut client = server.client();
        expect(&client.send(&request("GET", "/healthz", None))?, 200)?;
        let group = request("POST", "/api/v1/groups", Some(&json!({ "name": "Things", "prefix": "things" })));
        for asked in [request("GET", "/readyz", None), group] {
            let answer = client.send(&asked)?;
            let problem = expect(&answer, 503)?;
            equal("code", &problem.get("code").and_then(Value::as_str), &Some("storage-unavailable"))?;
            let said = String::from_utf8_lossy(&answer.body);
            if ["tide:", "high-water", "harbour", "127.0.0.1"].iter().any(|part| said.contains(part)) {
                return Err(format!("the answer names what is in the URL: {said}"));
            }
        }
        equal("file of SQLite", &server.database().exists(), &false)?;
    }
    match listener.accept() {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
        _ => Err("there was a connection".to_owned()),
    }
}
