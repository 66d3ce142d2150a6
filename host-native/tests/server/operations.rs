//! What `deploy/` holds, and what `/metrics` says to it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::Running;
use tidegate::{AdminToken, Config, Database, Server};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

/// Runs a tool that need not be there, and whose output is only of interest when it fails.
fn passes_where_it_is_installed(command: &mut Command) {
    match command.output() {
        Ok(output) => assert!(output.status.success(), "{command:?}: {output:?}"),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{command:?}: {error}"),
    }
}

/// A server that has judged payloads, and what it says of that.
async fn metrics_after_some_requests() -> String {
    let mut config = Config::new(Database::Memory, AdminToken::new("0123456789abcdef").unwrap());
    config.addr.set_port(0);
    config.demo = true;
    let server = Server::bind(config).await.unwrap();
    let demo = server.demo().unwrap().clone();
    let server = Running::run(server);
    let table = demo.table.strip_prefix("_directory_").unwrap();
    let key = &demo.ingest_key;
    let bodies = [
        (r#"{"employeeId":"1"}"#, "event", "", "201"),
        (r#"[{"employeeId":"1"},{"employeeId":"2"}]"#, "bulk-event", "", "200"),
        (r#"{"employeeId":"9"}"#, "event", "?dryRun=true", "200"),
        (r#"{"employeeId":"1","salry":7}"#, "event", "", "422"),
        (r#"{"employeeId":"1""#, "event", "", "400"),
        (r#"[{"employeeId":"1"},{"employeeId":"1"}]"#, "bulk-event", "", "422"),
    ];
    for (body, route, query, status) in bodies {
        let answer = server
            .ask(&format!(
                "POST /integration/custom-data/{route}/{table}{query} HTTP/1.1\r\nHost: t\r\n\
                 Connection: close\r\nX-Ingest-Key: {key}\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            ))
            .await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    // A body that is not even read is judged all the same.
    let length = 2 * 1024 * 1024;
    let answer = server
        .ask(&format!(
            "POST /integration/custom-data/event/{table} HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n\
             X-Ingest-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        ))
        .await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let answer = server.ask("GET /metrics HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").await;
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[tokio::test]
async fn verdicts_and_commits_are_counted() {
    let page = metrics_after_some_requests().await;
    let value = |sample: &str| -> f64 {
        let found = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("{sample}\n{page}")).parse().unwrap()
    };
    for (code, count) in [
        ("passed", 3.0),
        ("payload-invalid", 1.0),
        ("malformed-json", 1.0),
        ("duplicate-id", 1.0),
        ("too-large", 1.0),
    ] {
        let sample = format!("tidegate_verdicts_total{{table=\"_directory_employee\",code=\"{code}\"}}");
        assert_eq!(value(&sample), count, "{code}\n{page}");
    }
    let success = "tidegate_integration_last_success_timestamp_seconds{integration=\"";
    assert_eq!(page.lines().filter(|line| line.starts_with(success)).count(), 1, "{page}");
    // Migrations, the worked example, a key's use and two commits, one after the other.
    assert_eq!(value("tidegate_commit_writes_count"), value("tidegate_commit_writes_sum"));
    assert!(value("tidegate_commit_duration_seconds_count") > 2.0);
    assert_eq!(value("tidegate_write_queue_writes"), 0.0);
    assert_eq!(value("tidegate_write_queue_writes_limit"), 1024.0);
    assert_eq!(value("tidegate_write_queue_limit_bytes"), 67_108_864.0);
}

#[tokio::test]
async fn alerts_and_the_readme_name_metrics_that_are_there() {
    let page = metrics_after_some_requests().await;
    let shown: BTreeSet<&str> =
        page.lines().filter_map(|line| line.split(['{', ' ']).next()).filter(|name| *name != "#").collect();
    let named = |text: &str| -> BTreeSet<String> {
        text.lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
            .filter(|word| word.starts_with("tidegate_"))
            .map(str::to_owned)
            .collect()
    };
    let alerts = named(&std::fs::read_to_string(deploy().join("prometheus-alerts.yml")).unwrap());
    assert!(alerts.len() > 8, "{alerts:?}");
    for name in &alerts {
        assert!(shown.contains(name.as_str()), "{name}\n{page}");
    }
    // The README has every metric, a histogram by its name alone.
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = named(&std::fs::read_to_string(readme).unwrap());
    let families: BTreeSet<String> = shown
        .iter()
        .filter(|name| name.starts_with("tidegate_"))
        .map(|name| {
            let histogram = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end));
            histogram.unwrap_or(name).to_owned()
        })
        .collect();
    assert_eq!(families, readme);
}

#[test]
fn alerts_fire_when_they_should() {
    for arguments in
        [["check", "rules", "prometheus-alerts.yml"], ["test", "rules", "prometheus-alerts-test.yml"]]
    {
        passes_where_it_is_installed(Command::new("promtool").args(arguments).current_dir(deploy()));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn systemd_takes_the_unit() {
    let unit = std::fs::read_to_string(deploy().join("tidegate.service")).unwrap();
    // Where the program will be, there need not be one here.
    let unit = unit.replace("/usr/local/bin/tidegate", env!("CARGO_BIN_EXE_tidegate"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.service");
    std::fs::write(&path, unit).unwrap();
    let verify = ["verify", "--man=no", "--recursive-errors=no"];
    passes_where_it_is_installed(Command::new("systemd-analyze").args(verify).arg(&path));
    let secure = ["security", "--offline=yes", "--threshold=20"];
    passes_where_it_is_installed(Command::new("systemd-analyze").args(secure).arg(&path));
}
