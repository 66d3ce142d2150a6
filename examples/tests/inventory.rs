//! The program `inventory`, run as a user would, against a server of the test's own.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::process::{Command, Output};

use serde_json::Value;
use tidegate_examples::embedded::Embedded;

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");

fn inventory(tidegate: Option<&Embedded>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inventory"));
    if !arguments.contains(&"--manifest-path") {
        command.args(["--manifest-path", WORKSPACE]);
    }
    command.args(arguments);
    command.env_remove("TIDEGATE_URL").env_remove("TIDEGATE_ADMIN_TOKEN");
    if let Some(tidegate) = tidegate {
        command.env("TIDEGATE_URL", tidegate.url()).env("TIDEGATE_ADMIN_TOKEN", tidegate.admin_token());
    }
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The counts of a push: added, modified, removed, unchanged.
fn counts(stdout: &str, event: &str) -> [u64; 4] {
    let line = stdout.lines().find(|line| line.starts_with(event) && line.ends_with("unchanged"));
    let line = line.unwrap_or_else(|| panic!("no push `{event}` in\n{stdout}"));
    let counts: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    counts.try_into().unwrap()
}

fn read(tidegate: &Embedded, target: &str) -> Value {
    let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().proxy(None).build());
    let request = agent
        .get(format!("{}{target}", tidegate.url()))
        .header("Authorization", format!("Bearer {}", tidegate.admin_token()));
    serde_json::from_slice(&request.call().unwrap().body_mut().read_to_vec().unwrap()).unwrap()
}

fn items(page: &Value) -> &[Value] {
    page["items"].as_array().unwrap()
}

/// A first run, a second one on the same server, and what the server says of them.
fn two_runs(source: &str) {
    let tidegate = Embedded::start(false).unwrap();
    let first = stdout(&inventory(Some(&tidegate), &["--source", source, "--group-key", "test"]));
    let packages: u64 = first.split_whitespace().next().unwrap().parse().unwrap();
    assert!(packages > 2, "{first}");
    assert_eq!(counts(&first, "inventory"), [packages, 0, 0, 0]);
    assert_eq!(counts(&first, "same again"), [0, 0, 0, packages]);
    assert_eq!(counts(&first, "rehearsal"), [0, 1, 1, packages - 2]);

    // The table ends with the rehearsal's two changes, oldest first.
    let rows: Vec<&str> = first.lines().rev().take(2).collect();
    assert!(rows[1].contains("rehearsal  modified") && rows[1].ends_with("+rehearsed  version"), "{first}");
    assert!(rows[0].contains("rehearsal  removed"), "{first}");

    let rehearsed = read(&tidegate, "/api/v1/changes?table=package&groupKey=test&limit=2");
    let [removed, modified] = items(&rehearsed) else { panic!("{rehearsed}") };
    assert_eq!((&removed["type"], &removed["event"]), (&"removed".into(), &"rehearsal".into()));
    assert_eq!(
        (&modified["type"], &modified["fields"]),
        (&"modified".into(), &serde_json::json!(["version"]))
    );
    assert_eq!(modified["actor"]["program"], "inventory");
    assert_eq!(modified["before"]["name"], modified["after"]["name"]);

    // The second run finds everything there, and first puts right what the rehearsal did.
    let second = stdout(&inventory(Some(&tidegate), &["--source", source, "--group-key", "test"]));
    assert!(!second.contains("created"), "{second}");
    assert_eq!(counts(&second, "inventory"), [1, 1, 0, packages - 2]);
    assert_eq!(counts(&second, "same again"), [0, 0, 0, packages]);

    let third = stdout(&inventory(Some(&tidegate), &["--source", source, "--group-key", "test", "--once"]));
    assert_eq!(counts(&third, "inventory"), [1, 1, 0, packages - 2]);

    let arguments = ["--source", source, "--group-key", "test", "--max-removals", "0"];
    let guarded = inventory(Some(&tidegate), &arguments);
    let stderr = String::from_utf8(guarded.stderr).unwrap();
    assert!(stderr.contains("409 removal-guard") && stderr.contains("--max-removals"), "{stderr}");

    // One group, one schema, one integration, and no key that would still open anything.
    for list in ["groups", "schemas", "integrations"] {
        assert_eq!(items(&read(&tidegate, &format!("/api/v1/{list}"))).len(), 1, "{list}");
    }
    let integrations = read(&tidegate, "/api/v1/integrations");
    let integration = integrations["items"][0]["id"].as_str().unwrap();
    assert_eq!(
        read(&tidegate, &format!("/api/v1/integrations/{integration}"))["keys"],
        serde_json::json!([])
    );
}

#[test]
fn the_packages_of_this_workspace() {
    two_runs("cargo");
}

#[test]
fn the_packages_of_this_machine() {
    if Command::new("dpkg-query").arg("--version").output().is_ok() {
        two_runs("dpkg");
    } else {
        println!("skipped: there is no dpkg on this machine");
    }
}

#[test]
fn it_brings_its_own_tidegate() {
    let text = stdout(&inventory(None, &["--embedded", "--source", "cargo", "--once"]));
    assert_eq!(counts(&text, "inventory")[1..], [0, 0, 0]);
    assert!(text.contains("… and "), "{text}");
}

#[test]
fn two_places_do_not_remove_each_other_s_packages() {
    let tidegate = Embedded::start(false).unwrap();
    let one = stdout(&inventory(Some(&tidegate), &["--source", "cargo", "--once", "--group-key", "one"]));
    let two =
        stdout(&inventory(Some(&tidegate), &["--source", "cargo", "--once", "--group-key", "two & more"]));
    assert_eq!(counts(&one, "inventory"), counts(&two, "inventory"));
}

/// Two runs that were killed have left their keys behind.
#[test]
fn keys_that_stand_in_the_way_are_named() {
    let tidegate = Embedded::start(false).unwrap();
    stdout(&inventory(Some(&tidegate), &["--source", "cargo", "--once"]));
    let integration = read(&tidegate, "/api/v1/integrations")["items"][0]["id"].as_str().unwrap().to_owned();
    let keys = format!("{}/api/v1/integrations/{integration}/keys", tidegate.url());
    let admin = format!("Bearer {}", tidegate.admin_token());
    let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().proxy(None).build());
    let left: Vec<Value> = (0..2)
        .map(|_| {
            let mut answer = agent.post(&keys).header("Authorization", &admin).send_empty().unwrap();
            serde_json::from_slice(&answer.body_mut().read_to_vec().unwrap()).unwrap()
        })
        .collect();
    let output = inventory(Some(&tidegate), &["--source", "cargo", "--once"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("409 conflict"), "{text}");
    for key in left {
        assert!(text.contains(key["id"].as_str().unwrap()), "{text}");
        assert!(!text.contains(key["ingestKey"].as_str().unwrap()), "{text}");
    }
}

#[test]
fn failures_say_what_to_do() {
    let tidegate = Embedded::start(false).unwrap();
    let failure = |arguments: &[&str]| {
        let output = inventory(Some(&tidegate), arguments);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let text = failure(&["--source", "cargo", "--token", "not-the-admin-token"]);
    assert!(text.contains("401 unauthorized") && text.contains("TIDEGATE_ADMIN_TOKEN"), "{text}");
    let text = failure(&["--source", "cargo", "--url", "http://127.0.0.1:1"]);
    assert!(text.contains("nothing listens there"), "{text}");
    let text = failure(&["--source", "cargo", "--url", &tidegate.url().replace("http:", "https:")]);
    assert!(text.contains("without TLS"), "{text}");
    let text = failure(&["--source", "cargo", "--manifest-path", "/nowhere/Cargo.toml"]);
    assert!(text.contains("`/nowhere/Cargo.toml` does not exist"), "{text}");
    let output = inventory(None, &["--source", "cargo"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("--embedded"));
}
