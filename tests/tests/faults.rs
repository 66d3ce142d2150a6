//! What a server says when its database cannot do its work: a full disk, files that cannot be written, a
//! PostgreSQL that goes away, a damaged page. Each time there is a clear error and never a lie, and when
//! the cause is gone, the server works again by itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_tests::crash::{self, Tidegate};
use tidegate_tests::feed::replay;
use tidegate_tests::http::Fault;
use tidegate_tests::http::message::Response;
use tidegate_tests::http::speaker::Speaker;
use tidegate_tests::postgres::{self, Durability, PostgresCluster};

const SINGLE: &str = "/integration/custom-data/event/thing";
const BULK: &str = "/integration/custom-data/bulk-event/thing";
const TABLE: &str = "_things_thing";

/// How long a server may need to say that its database is away, and to find that it is back.
const BOUND: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = [
        trial("a-full-disk", small_disk(), || a_full_disk(&Disk::new("3m")?)),
        trial("a-limit-on-files", program("prlimit", "--version"), a_limit_on_files),
        trial("a-read-only-disk", small_disk(), a_read_only_disk),
        trial("files-that-cannot-be-written", immutable_files(), files_that_cannot_be_written),
        trial("a-damaged-page", Ok(()), a_damaged_page),
        trial("postgres-goes-away", postgres::can_start(), postgres_goes_away),
    ];
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}

fn trial(name: &str, can: Result<(), String>, test: fn() -> Result<(), Fault>) -> Trial {
    let reason = can.err();
    if let Some(reason) = &reason {
        println!("faults/{name} is skipped: {reason}");
    }
    Trial::test(format!("faults/{name}"), move || Ok(test()?)).with_ignored_flag(reason.is_some())
}

/// The program that serves.
fn server() -> PathBuf {
    crash::program(Path::new(env!("CARGO_BIN_EXE_tidegate-crash")))
}

fn run(program: &str, arguments: &[&str]) -> Result<(), Fault> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)))
}

fn program(name: &str, argument: &str) -> Result<(), String> {
    run(name, &[argument])
}

/// Whether this user may have a disk of its own.
fn small_disk() -> Result<(), String> {
    Disk::new("1m").map(|_| ()).map_err(|fault| format!("there is no file system of a test's own: {fault}"))
}

/// Whether files can be made so that even root cannot write them.
fn immutable_files() -> Result<(), String> {
    let file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    let path = file.path().display().to_string();
    run("chattr", &["+i", &path])?;
    let writable = fs::write(file.path(), "x").is_ok();
    run("chattr", &["-i", &path])?;
    if writable { Err("`chattr +i` changes nothing here".into()) } else { Ok(()) }
}

/// A file system in memory, of a size of its own, that goes away with its value.
struct Disk {
    directory: TempDir,
}

impl Disk {
    fn new(size: &str) -> Result<Self, Fault> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let place = directory.path().display().to_string();
        run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", &place])?;
        Ok(Self { directory })
    }

    fn remount(&self, options: &str) -> Result<(), Fault> {
        let place = self.directory.path().display().to_string();
        run("mount", &["-o", &format!("remount,{options}"), &place])
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open keeps it.
        let _ = run("umount", &["-l", &self.directory.path().display().to_string()]);
    }
}

fn database(directory: &Path) -> String {
    format!("sqlite:{}", directory.join("tidegate.db").display())
}

fn thing(id: usize, note: &str) -> Value {
    json!({ "id": format!("t{id:03}"), "note": note })
}

/// A table, an integration, and what has to be stored.
struct Site {
    key: String,
    integration: String,
    stored: BTreeMap<String, Value>,
}

impl Site {
    fn declare(server: &Tidegate) -> Result<Self, Fault> {
        let mut speaker = server.speaker("");
        let mut create =
            |what: &str, body: Value| speaker.ask("POST", &format!("/api/v1/{what}"), Some(&body), 201);
        let schema = json!({
            "type": "object",
            "properties": { "id": { "type": "string" }, "note": { "type": "string" } },
            "resmo": { "id": "id" }
        });
        create("groups", json!({ "name": "Things", "prefix": "things" }))?;
        create("schemas", json!({ "group": "things", "name": "Thing", "table": "thing", "schema": schema }))?;
        let answer = create("integrations", json!({ "name": "Sender", "group": "things" }))?;
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned).ok_or("no text");
        Ok(Self { key: text("ingestKey")?, integration: text("id")?, stored: BTreeMap::new() })
    }

    fn speaker(&self, server: &Tidegate) -> Speaker {
        server.speaker(&self.key)
    }

    /// Sends the whole scope. Says whether it was answered; a refusal has to be a proper one.
    fn bulk(&mut self, server: &Tidegate, items: Vec<Value>) -> Result<bool, Fault> {
        let body = Value::from(items.clone());
        let answer = self.speaker(server).send("POST", BULK, Some(&body))?;
        let done = done(&answer)?;
        if done {
            self.stored = items.into_iter().map(|item| (id(&item), item)).collect();
        }
        Ok(done)
    }

    fn single(&mut self, server: &Tidegate, item: Value) -> Result<bool, Fault> {
        let answer = self.speaker(server).send("POST", SINGLE, Some(&item))?;
        let done = done(&answer)?;
        if done {
            self.stored.insert(id(&item), item);
        }
        Ok(done)
    }

    /// Sends a resource until it is stored.
    fn works_again(&mut self, server: &Tidegate, note: &str) -> Result<Duration, Fault> {
        let begun = Instant::now();
        while !self.single(server, thing(0, note))? {
            if begun.elapsed() > BOUND {
                return Err(format!("it does not work again: {}", server.last_words()));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(begun.elapsed())
    }

    /// Everything that was answered is there, and nothing else, whichever way it is asked for.
    fn check(&self, server: &Tidegate) -> Result<(), Fault> {
        let mut speaker = self.speaker(server);
        let mut feed = Vec::new();
        loop {
            let last = feed.last().map(|change: &tidegate_tests::feed::Change| change.change_id.clone());
            let page = speaker.changes_after(last.as_deref(), 200)?;
            if page.is_empty() {
                break;
            }
            feed.extend(page);
        }
        let state = replay(&feed)?;
        if !state
            .resources()
            .map(|(_, id, value)| (id, value))
            .eq(self.stored.iter().map(|(id, value)| (id.as_str(), value)))
        {
            return Err("the feed does not lead to what was answered".into());
        }
        if !speaker.manifest("thing", "")?.keys().eq(self.stored.keys()) {
            return Err("the manifest has other ids than were answered".into());
        }
        for (id, value) in &self.stored {
            let answer = speaker.ask("GET", &format!("/api/v1/resources/{TABLE}/{id}"), None, 200)?;
            if answer.get("note") != value.get("note") {
                return Err(format!("`{id}` is {answer}"));
            }
        }
        Ok(())
    }
}

fn id(item: &Value) -> String {
    item.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Whether a write was answered 2xx. If not, it is a 503 that says when to come back.
fn done(answer: &Response) -> Result<bool, Fault> {
    let text = String::from_utf8_lossy(&answer.body);
    match answer.status {
        200 | 201 => Ok(true),
        503 if text.contains("\"storage-unavailable\"") && answer.header("retry-after").is_some() => {
            Ok(false)
        }
        status => Err(format!("{status} {text}")),
    }
}

/// Fills the disk, and gives the number of bulks that were stored before one was refused.
fn fill(server: &Tidegate, site: &mut Site) -> Result<usize, Fault> {
    const PATIENCE: usize = 300;
    for round in 0..PATIENCE {
        let note = format!("{round} ").repeat(2000);
        if !site.bulk(server, (1..12).map(|number| thing(number, &note)).collect())? {
            return Ok(round);
        }
    }
    Err("the disk does not get full".into())
}

/// A disk without room: what cannot be stored is refused, what is stored can be read.
fn stays_honest_while_full(server: &mut Tidegate, site: &mut Site) -> Result<(), Fault> {
    let stored = fill(server, site)?;
    if stored == 0 {
        return Err("there was no room from the beginning".into());
    }
    site.check(server)?;
    // Small ones may find some room yet; either way the answer is true.
    for number in 0..5 {
        site.single(server, thing(900 + number, &"small ".repeat(100)))?;
        let note = format!("again {number} ").repeat(2000);
        site.bulk(server, (1..12).map(|number| thing(number, &note)).collect())?;
        site.check(server)?;
    }
    if !server.runs() {
        return Err(format!("the server ended: {}", server.last_words()));
    }
    Ok(())
}

fn a_full_disk(disk: &Disk) -> Result<(), Fault> {
    let database = database(disk.directory.path());
    let mut server = Tidegate::start(&server(), &database)?;
    let mut site = Site::declare(&server)?;
    stays_honest_while_full(&mut server, &mut site)?;
    disk.remount("size=64m")?;
    site.works_again(&server, "there is room")?;
    site.check(&server)?;
    server.kill();
    let server = Tidegate::start(&self::server(), &database)?;
    site.check(&server)
}

/// The same for any user: the process may not make a file larger than so much.
fn a_limit_on_files() -> Result<(), Fault> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let database = database(directory.path());
    let mut server = Tidegate::start_limited(&server(), &database)?;
    let mut site = Site::declare(&server)?;
    let limit = |server: &Tidegate, bytes: &str| {
        run("prlimit", &["--pid", &server.pid().to_string(), &format!("--fsize={bytes}:")])
    };
    limit(&server, "1500000")?;
    stays_honest_while_full(&mut server, &mut site)?;
    limit(&server, "unlimited")?;
    site.works_again(&server, "there is room")?;
    site.check(&server)?;
    server.kill();
    let server = Tidegate::start(&self::server(), &database)?;
    site.check(&server)
}

fn a_read_only_disk() -> Result<(), Fault> {
    let disk = Disk::new("16m")?;
    let database = database(disk.directory.path());
    let mut server = Tidegate::start(&server(), &database)?;
    let mut site = Site::declare(&server)?;
    site.bulk(&server, (0..5).map(|number| thing(number, "before")).collect())?;
    server.kill();
    disk.remount("ro")?;
    match Tidegate::start(&self::server(), &database) {
        Ok(_) => return Err("a server started on a database that it cannot write".into()),
        Err(fault) if fault.contains("cannot use the database") => {}
        Err(fault) => return Err(format!("that is no clear error: {fault}")),
    }
    disk.remount("rw")?;
    let server = Tidegate::start(&self::server(), &database)?;
    site.check(&server)?;
    site.works_again(&server, "after")?;
    site.check(&server)
}

/// The files become unwritable under a server that runs.
fn files_that_cannot_be_written() -> Result<(), Fault> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let server = Tidegate::start(&server(), &database(directory.path()))?;
    let mut site = Site::declare(&server)?;
    site.bulk(&server, (0..5).map(|number| thing(number, "before")).collect())?;
    let files =
        ["tidegate.db", "tidegate.db-wal"].map(|name| directory.path().join(name).display().to_string());
    let change = |how: &str| run("chattr", &[how, &files[0], &files[1]]);
    change("+i")?;
    let refused = (0..3).try_fold(0, |refused, number| {
        let done = site.single(&server, thing(number, "cannot be"))?;
        Ok::<_, Fault>(refused + usize::from(!done))
    });
    let read = site.check(&server);
    change("-i")?;
    if refused? != 3 {
        return Err("a write was answered that cannot have been written".into());
    }
    read?;
    site.works_again(&server, "after")?;
    site.check(&server)
}

/// The server is not told that PostgreSQL goes away, nor that it is back.
fn postgres_goes_away() -> Result<(), Fault> {
    let mut cluster = PostgresCluster::new(Durability::Full)?;
    let server = Tidegate::start(&server(), &cluster.fresh_database()?)?;
    let mut site = Site::declare(&server)?;
    site.bulk(&server, (0..20).map(|number| thing(number, "before")).collect())?;
    for round in 0..2 {
        cluster.stop()?;
        for (method, target, body) in [
            ("POST", SINGLE, Some(thing(1, "cannot be"))),
            ("GET", "/api/v1/changes", None),
            ("GET", "/readyz", None),
        ] {
            let begun = Instant::now();
            let answer = site.speaker(&server).send(method, target, body.as_ref())?;
            if done(&answer)? {
                return Err(format!("{method} {target} was answered {} without a database", answer.status));
            }
            if begun.elapsed() > BOUND {
                return Err(format!("{method} {target} took {:?}", begun.elapsed()));
            }
        }
        let alive = site.speaker(&server).send("GET", "/healthz", None)?;
        if alive.status != 200 {
            return Err(format!("the process lives, and says {}", alive.status));
        }
        cluster.start()?;
        let took = site.works_again(&server, &format!("after {round}"))?;
        println!("it worked again after {took:.0?}");
        site.check(&server)?;
    }
    Ok(())
}

fn a_damaged_page() -> Result<(), Fault> {
    let text = |error: std::io::Error| error.to_string();
    let directory = tempfile::tempdir().map_err(text)?;
    let mut server = Tidegate::start(&server(), &database(directory.path()))?;
    let mut site = Site::declare(&server)?;
    // Some need pages of their own, and the feed has what came before them.
    for round in 0..3 {
        let note = |number: usize| {
            format!("{round} of {number} ").repeat(if number.is_multiple_of(3) { 1500 } else { 5 })
        };
        site.bulk(&server, (0..30).map(|number| thing(number, &note(number))).collect())?;
    }
    let truth = ask_everything(&server, &site)?;
    if truth.values().any(Value::is_null) {
        return Err("the whole file has no answers".into());
    }
    server.stop()?;
    let file = fs::read(directory.path().join("tidegate.db")).map_err(text)?;
    let damages = damages(&file);
    let (mut noticed, mut not_started, mut in_texts) = (0, 0, 0);
    for damage in &damages {
        let mut damaged = file.clone();
        for (at, byte) in damaged.iter_mut().enumerate().skip(damage.from).take(damage.bytes) {
            *byte = (damage.fill)(at);
        }
        let directory = tempfile::tempdir().map_err(text)?;
        fs::write(directory.path().join("tidegate.db"), damaged).map_err(text)?;
        let server = match Tidegate::start(&self::server(), &database(directory.path())) {
            Ok(server) => server,
            Err(fault) if fault.contains("cannot use the database") => {
                not_started += 1;
                continue;
            }
            Err(fault) => return Err(format!("byte {}: that is no clear error: {fault}", damage.from)),
        };
        let mut failed = 0;
        for (target, answer) in ask_everything(&server, &site)? {
            if answer.is_null() {
                failed += 1;
            } else if truth.get(&target) != Some(&answer) {
                let answer: String = answer.to_string().chars().take(300).collect();
                return Err(format!("byte {}: {target} is a lie: {answer}", damage.from));
            }
        }
        if failed > 0 && !server.has_said("malformed") {
            return Err(format!("byte {}: the log does not say why: {}", damage.from, server.last_words()));
        }
        noticed += usize::from(failed > 0);
        in_texts += usize::from(failed > 0 && damage.bytes < PAGE);
    }
    println!("{} damages: {noticed} were answered 5xx, {not_started} at the start", damages.len());
    if noticed == 0 || in_texts == 0 {
        return Err("no damage met anything that was read".into());
    }
    Ok(())
}

/// The size of a page of SQLite's.
const PAGE: usize = 4096;

/// Bytes that are not what was written.
struct Damage {
    from: usize,
    bytes: usize,
    fill: fn(usize) -> u8,
}

/// Whole pages, all over the file; and sectors within long texts, where nothing but the text itself can
/// tell.
fn damages(file: &[u8]) -> Vec<Damage> {
    const PAGES: usize = 12;
    const SECTOR: usize = 512;
    const ZEROS: fn(usize) -> u8 = |_| 0;
    const NOISE: fn(usize) -> u8 = |at| (at * 167 + 13).to_le_bytes()[0] | 0x80;
    const LETTERS: fn(usize) -> u8 = |_| b'x';
    let pages = file.len() / PAGE;
    let mut damages = Vec::new();
    for number in 0..PAGES {
        // Not the first page, which is the file's name tag.
        let from = (1 + number * (pages - 1) / PAGES) * PAGE;
        damages.extend([ZEROS, NOISE].map(|fill| Damage { from, bytes: PAGE, fill }));
    }
    let is_text = |page: &[u8]| page.windows(4).filter(|word| word == b" of ").count() > PAGE / 16;
    let texts = file.chunks(PAGE).enumerate().filter(|(_, page)| is_text(page)).map(|(number, _)| number);
    for page in texts.step_by(7).take(PAGES / 2) {
        let from = page * PAGE + 4 * SECTOR;
        damages.extend([ZEROS, NOISE, LETTERS].map(|fill| Damage { from, bytes: SECTOR, fill }));
    }
    damages
}

/// What a server answered, for comparing it with what it answers over a damaged file.
type Answers = BTreeMap<String, Value>;

/// All answers there are; null stands for one that says that the database failed.
fn ask_everything(server: &Tidegate, site: &Site) -> Result<Answers, Fault> {
    let mut speaker = site.speaker(server);
    let ids = site.stored.keys().map(|id| format!("/api/v1/resources/{TABLE}/{id}"));
    let lists = [
        "/integration/custom-data/manifest/thing".to_owned(),
        "/api/v1/resources?limit=1000".to_owned(),
        "/api/v1/changes?order=asc&limit=1000".to_owned(),
        "/api/v1/groups".to_owned(),
        format!("/api/v1/schemas/{TABLE}"),
        "/api/v1/integrations".to_owned(),
        format!("/api/v1/resources?table={TABLE}&integration={}", site.integration),
    ];
    ids.chain(lists)
        .map(|target| {
            let answer = speaker.send("GET", &target, None)?;
            let value = match answer.status {
                500 | 503 => Value::Null,
                // A text that is no JSON is a lie, too.
                status => json!({
                    "status": status,
                    "body": serde_json::from_slice::<Value>(&answer.body)
                        .unwrap_or_else(|_| String::from_utf8_lossy(&answer.body).into())
                }),
            };
            Ok((target, value))
        })
        .collect()
}
