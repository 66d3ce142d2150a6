//! The program `check_before_send`, against what a server says of the same snapshots.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tidegate_examples::embedded::Embedded;

fn data(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(file)
}

fn check(paths: &[PathBuf]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_check_before_send")).args(paths).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_plan_is_the_server_s() {
    let tidegate = Embedded::start(true).unwrap();
    let demo = tidegate.demo().unwrap();
    let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().proxy(None).build());
    let bulk = |file: &str, query: &str| -> Value {
        let url = format!("{}/integration/custom-data/bulk-event/employee{query}", tidegate.url());
        let snapshot = std::fs::read(data(file)).unwrap();
        let mut answer = agent.post(url).header("X-Ingest-Key", &demo.ingest_key).send(&snapshot).unwrap();
        serde_json::from_slice(&answer.body_mut().read_to_vec().unwrap()).unwrap()
    };
    let stored = bulk("employees.json", "");
    assert_eq!(stored["added"], 3, "{stored}");

    let url = format!("{}/integration/custom-data/manifest/employee", tidegate.url());
    let manifest =
        agent.get(url).header("X-Ingest-Key", &demo.ingest_key).call().unwrap().body_mut().read_to_vec();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.json");
    std::fs::write(&path, manifest.unwrap()).unwrap();

    let output = check(&[data("employee.schema.json"), data("employees-next.json"), path.clone()]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        stdout(&output),
        "3 resources pass\n  modified 1\n  modified 2\n  added    4\n  removed  3\n\
         sending it would add 1, modify 2, remove 1 and leave 0 alone\n"
    );
    let applied = bulk("employees-next.json", "?details=true");
    assert_eq!(
        applied["changes"],
        json!([
            { "type": "modified", "id": "1", "fields": ["salary"] },
            { "type": "modified", "id": "2", "fields": ["employee.name"] },
            { "type": "added", "id": "4", "fields": [] },
            { "type": "removed", "id": "3", "fields": [] },
        ])
    );

    let output = check(&[data("employee.schema.json"), data("employees.json"), path]);
    assert!(stdout(&output).ends_with("add 0, modify 0, remove 0 and leave 3 alone\n"));
}

/// The schema here is the worked example's, word for word.
#[test]
fn the_schema_is_the_demo_s() {
    let tidegate = Embedded::start(true).unwrap();
    let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().proxy(None).build());
    let mut answer = agent
        .get(format!("{}/api/v1/schemas/_directory_employee", tidegate.url()))
        .header("Authorization", format!("Bearer {}", tidegate.admin_token()))
        .call()
        .unwrap();
    let served: Value = serde_json::from_slice(&answer.body_mut().read_to_vec().unwrap()).unwrap();
    let own: Value = serde_json::from_slice(&std::fs::read(data("employee.schema.json")).unwrap()).unwrap();
    assert_eq!(served["schema"], own);
}

#[test]
fn every_fault_is_reported() {
    let output = check(&[data("employee.schema.json"), data("employees-faulty.json")]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(text.starts_with("the snapshot does not pass: payload-invalid\n"), "{text}");
    for fault in ["item 0 #/salry: ", "item 0 #/employee/email: ", "item 1 #: ", "item 1 #/salary: "] {
        assert!(text.contains(fault), "{fault} in\n{text}");
    }
    assert!(!text.contains("ada at"), "{text}");
}

#[test]
fn a_file_that_is_not_there_is_told_from_one_that_does_not_pass() {
    let output = check(&[data("employee.schema.json"), data("nowhere.json")]);
    assert_eq!(output.status.code(), Some(2));
    let output = check(&[data("employees.json"), data("employees.json")]);
    assert_eq!(output.status.code(), Some(1));
}
