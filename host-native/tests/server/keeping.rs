//! `tidegate backup`, `tidegate verify` and `tidegate serve --keep-history` as processes.

#![expect(clippy::indexing_slicing, reason = "a test may panic")]

use std::path::Path;
use std::process::{Command, Output};

use bytes::Bytes;
use rusqlite::Connection;
use serde_json::{Value, json};
use tidegate::{AllowedOrigins, Database, NativeStore, SystemClock, SystemRandomness};
use tidegate_core::service::{Service, Settings};

fn tidegate(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .current_dir(directory)
        .args(arguments)
        .env_remove("TIDEGATE_DATABASE_URL")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A database with some history: `t.db`.
struct Kept {
    directory: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    service: Service<NativeStore, SystemClock, SystemRandomness>,
    key: String,
}

impl Kept {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let store = runtime
            .block_on(async { NativeStore::open(&Database::File(directory.path().join("t.db"))).unwrap() });
        let settings = Settings { admin_token: "token".into(), allowed_origins: AllowedOrigins::default() };
        let service = Service::new(store, SystemClock, SystemRandomness, settings);
        let mut kept = Self { directory, runtime, service, key: String::new() };
        kept.ask("POST", "/api/v1/groups", &json!({"name": "G", "prefix": "g"}));
        let schema = json!({"type": "object", "properties": {"id": {"type": "string"}, "secret": {"type": "string"}},
            "resmo": {"id": "id"}});
        kept.ask(
            "POST",
            "/api/v1/schemas",
            &json!({"group": "g", "name": "T", "table": "t", "schema": schema}),
        );
        let answer = kept.ask("POST", "/api/v1/integrations", &json!({"name": "I", "group": "g"}));
        kept.key = answer["ingestKey"].as_str().unwrap().to_owned();
        for round in 0..4 {
            let items: Vec<_> = (round..20)
                .map(|id| json!({"id": id.to_string(), "secret": format!("hush-{}", round * (id % 3))}))
                .collect();
            kept.ask("POST", "/integration/custom-data/bulk-event/t", &Value::from(items));
        }
        kept
    }

    fn ask(&self, method: &str, target: &str, body: &Value) -> Value {
        let request = http::Request::builder()
            .method(method)
            .uri(target)
            .header("authorization", "Bearer token")
            .header("x-ingest-key", &self.key);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let mut body = Bytes::from(if body.is_null() { String::new() } else { body.to_string() });
        let answer = self.runtime.block_on(self.service.handle(parts, &mut body));
        assert!(answer.status().is_success(), "{method} {target}: {answer:?}");
        serde_json::from_slice(answer.body()).unwrap()
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn verify(&self, more: &[&str]) -> Output {
        tidegate(self.path(), &[&["verify", "--database", "sqlite:t.db"], more].concat())
    }
}

#[test]
fn what_is_in_order_passes_while_it_is_used() {
    let kept = Kept::new();
    let output = kept.verify(&[]);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.starts_with("17 resources, ") && said.ends_with(": all agree\n"), "{said}");

    // Also where old history was forgotten.
    while kept.runtime.block_on(kept.service.forget(i64::MAX)).unwrap() {}
    let report = kept.verify(&["--json"]);
    assert_eq!(report.status.code(), Some(0), "{}", text(&report.stdout));
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(
        (&report["valid"], &report["changes"], &report["faults"]),
        (&json!(true), &json!(17), &json!(0))
    );
    kept.ask("POST", "/integration/custom-data/event/t", &json!({"id": "5", "secret": "new"}));
    assert_eq!(kept.verify(&[]).status.code(), Some(0));
}

#[test]
fn each_fault_is_found_and_no_payload_is_shown() {
    let row = "seq = (SELECT max(seq) FROM changes WHERE type = 'modified')";
    for (damage, said) in [
        (
            format!("UPDATE changes SET payload = replace(payload, 'hush-', 'hash-') WHERE {row}"),
            "the digest of its payload is",
        ),
        (
            format!("UPDATE changes SET digest = 'zz' || substr(digest, 3) WHERE {row}"),
            "the digest of its payload is",
        ),
        (format!("UPDATE changes SET payload = '{{' WHERE {row}"), "its payload is no JSON"),
        (format!("UPDATE changes SET size = size + 1 WHERE {row}"), "bytes, and "),
        (
            format!("UPDATE changes SET previous = previous - 1 WHERE {row}"),
            "the change before it is said to be row",
        ),
        (format!("UPDATE changes SET previous = NULL WHERE {row}"), "it is said to be the first, and is not"),
        (format!("UPDATE changes SET commit_seq = commit_seq - 1 WHERE {row}"), "no commit has it"),
        ("UPDATE changes SET scope = 77 WHERE seq = 3".to_owned(), "there is no scope 77"),
        // The trigger takes it for forgotten, and says so nowhere else.
        ("DELETE FROM changes WHERE seq = 3".to_owned(), "of its 20 changes are there"),
        ("DELETE FROM resources WHERE resource_id = '7'".to_owned(), "the state is another one"),
        (
            "UPDATE resources SET change_seq = 999 WHERE resource_id = '7'".to_owned(),
            "the change that it is at is missing",
        ),
        (
            "UPDATE resources SET digest = 'x' WHERE resource_id = '7'".to_owned(),
            "its digest is not that of the change",
        ),
        (
            "DELETE FROM histories WHERE resource_id = '7'".to_owned(),
            "the list of histories does not have it",
        ),
        (
            "UPDATE commits SET first_change = first_change + 1 WHERE seq = 2".to_owned(),
            "its changes begin with row",
        ),
        (
            "UPDATE schema_versions SET digest = 'x'".to_owned(),
            "version 1 of the schema of `_g_t`: its digest is",
        ),
        ("DELETE FROM schema_versions".to_owned(), "its version 1 is missing"),
        ("UPDATE scopes SET integration_id = 'x'".to_owned(), "there is no such integration"),
    ] {
        let kept = Kept::new();
        let changed = Connection::open(kept.path().join("t.db")).unwrap().execute(&damage, []).unwrap();
        assert!(changed > 0, "{damage}");
        let output = kept.verify(&[]);
        let found = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{damage}: {found}{}", text(&output.stderr));
        assert!(found.contains(said), "{damage}: {found}");
        assert!(!found.contains("hush") && !found.contains("hash-"), "{found}");
        let report: Value = serde_json::from_slice(&kept.verify(&["--json"]).stdout).unwrap();
        let listed = report["listed"].as_array().unwrap().len() as u64;
        assert_eq!((report["valid"].clone(), report["faults"].as_u64()), (json!(false), Some(listed)));
    }
}

#[test]
fn a_damaged_file_is_found() {
    let kept = Kept::new();
    kept.runtime.block_on(kept.service.sql().close());
    let path = kept.path().join("t.db");
    let connection = Connection::open(&path).unwrap();
    let (page, size): (usize, usize) = connection
        .query_row(
            "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_master WHERE name = 'changes_of_type'",
            [],
            |row| Ok((usize::try_from(row.get::<_, i64>(0)?).unwrap(), usize::try_from(row.get::<_, i64>(1)?).unwrap())),
        )
        .unwrap();
    drop(connection);
    let mut bytes = std::fs::read(&path).unwrap();
    // The number of the index's cells.
    bytes[(page - 1) * size + 4] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let output = kept.verify(&[]);
    assert_ne!(output.status.code(), Some(0), "{}", text(&output.stdout));
}

#[test]
fn a_backup_is_whole_and_never_overwrites() {
    let kept = Kept::new();
    let backup = |target: &str| tidegate(kept.path(), &["backup", "--database", "sqlite:t.db", target]);
    let output = backup("copy.db");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let output = tidegate(kept.path(), &["verify", "--database", "sqlite:copy.db"]);
    assert!(text(&output.stdout).starts_with("17 resources, "), "{}", text(&output.stdout));
    assert_eq!(output.status.code(), Some(0));

    std::fs::write(kept.path().join("taken.db"), "mine").unwrap();
    let output = backup("taken.db");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stderr), "error: `taken.db` is there already\n");
    assert_eq!(std::fs::read(kept.path().join("taken.db")).unwrap(), b"mine");
    let output = backup("no/such/copy.db");
    assert_eq!(output.status.code(), Some(2));
    let mut left: Vec<_> = std::fs::read_dir(kept.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("t.db") && !name.starts_with("copy.db-"))
        .collect();
    left.sort();
    assert_eq!(left, ["copy.db", "taken.db"]);
}

#[test]
fn what_is_not_there_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    for (arguments, said) in [
        (vec!["verify", "--database", "sqlite:none.db"], "error: there is no file `none.db`\n"),
        (vec!["backup", "--database", "sqlite:none.db", "copy.db"], "error: there is no file `none.db`\n"),
        (vec!["verify", "--database", "sqlite::memory:"], "error: what is in memory ends with its process\n"),
    ] {
        let output = tidegate(directory.path(), &arguments);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(2), said.to_owned()));
    }
    let output = tidegate(directory.path(), &["backup", "--database", "postgres://u:secret@h/db", "copy.db"]);
    let said = text(&output.stderr);
    assert!(
        output.status.code() == Some(2) && said.contains("`pg_dump`") && !said.contains("secret"),
        "{said}"
    );
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_server_forgets_by_itself_and_goes_on() {
    let mut config =
        tidegate::Config::new(Database::Memory, tidegate::AdminToken::new("0123456789abcdef").unwrap());
    config.addr.set_port(0);
    config.demo = true;
    config.keep_history = Some(std::time::Duration::from_millis(240));
    let server = tidegate::Server::bind(config).await.unwrap();
    let key = server.demo().unwrap().ingest_key.clone();
    let running = crate::support::Running::run(server);
    for name in ["one", "two"] {
        let body = json!({"employeeId": "1", "employee": {"name": name}}).to_string();
        let answer = running
            .ask(&format!(
                "POST /integration/custom-data/event/employee HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\
                 X-Ingest-Key: {key}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ))
            .await;
        assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    }
    let changes = "GET /api/v1/changes HTTP/1.1\r\nHost: t\r\nConnection: close\r\nAuthorization: Bearer 0123456789abcdef\r\n\r\n";
    crate::support::soon(async {
        loop {
            let answer = running.ask(changes).await;
            assert!(answer.contains("\"type\":\"modified\""), "{answer}");
            if !answer.contains("\"type\":\"added\"") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    crate::support::soon(running.stop()).await.unwrap();
}
