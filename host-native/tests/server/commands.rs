//! `tidegate check` and `tidegate plan` as processes.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

const SCHEMA: &str = r#"{
    "type": "object",
    "properties": {
        "employeeId": {"type": "string"},
        "salary": {"type": "number"},
        "employee": {"type": "object", "properties": {"name": {"type": "string"}}}
    },
    "resmo": {"id": "employeeId", "name": "$.employee.name"}
}"#;

struct Ended {
    code: Option<i32>,
    out: String,
    errors: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{}{}", self.out, self.errors))
    }
}

fn run(directory: &Path, arguments: &[&str], input: &str) -> Ended {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .current_dir(directory)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The command may end without having read it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        errors: String::from_utf8(output.stderr).unwrap(),
    }
}

fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [("schema.json", SCHEMA)].iter().chain(files) {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

#[test]
fn a_schema_alone() {
    let directory = directory(&[("bad.json", r#"{"type": "array", "resmo": {"id": "a b"}}"#)]);
    let ended = run(directory.path(), &["check", "schema.json"], "");
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert!(ended.out.starts_with("schema.json: the schema is valid (3 columns)\n"), "{}", ended.out);

    let ended = run(directory.path(), &["check", "bad.json"], "");
    assert_eq!(ended.code, Some(1));
    assert!(ended.out.contains("(path-syntax)"), "{}", ended.out);

    let report = run(directory.path(), &["check", "-", "--json"], SCHEMA).json();
    assert_eq!(report["valid"], true);
    assert_eq!(report["columns"], json!(["employeeId", "salary", "employee.name"]));
    assert_eq!(report["effectiveSchema"]["unevaluatedProperties"], false);
}

#[test]
fn payloads_of_each_shape() {
    let directory = directory(&[
        ("one.json", r#"{"employeeId": "1", "employee": {"name": "Ada"}}"#),
        ("bulk.json", r#"[{"employeeId": "1"}, {"employeeId": "2", "salry": 4711}]"#),
        ("lines.ndjson", "{\"employeeId\": \"1\"}\n\n{\"employeeId\": \"1\", }\n"),
    ]);
    let files = ["check", "schema.json", "one.json", "bulk.json", "lines.ndjson"];
    let ended = run(directory.path(), &files, "");
    assert_eq!(ended.code, Some(1), "{}", ended.errors);
    for line in [
        "one.json: passed (id `1`)",
        "bulk.json: did not pass: 1 fault (payload-invalid)",
        "  item 1 #/salry: unknown field; did you mean `salary`? (unknown-field, schema #/unevaluatedProperties)",
        "lines.ndjson:1: passed (id `1`)",
        "4 payloads, 2 did not pass",
    ] {
        assert!(ended.out.lines().any(|found| found == line), "{line}\n{}", ended.out);
    }
    assert!(!ended.out.contains("4711"));

    let report = run(directory.path(), &[&files[..], &["--json"]].concat(), "").json();
    let payloads = report["payloads"].as_array().unwrap();
    assert_eq!(payloads[0]["id"], "1");
    assert_eq!(payloads[0]["name"], "Ada");
    let violation = &payloads[1]["violations"][0];
    assert_eq!(
        (&violation["item"], &violation["schemaPointer"]),
        (&json!(1), &json!("#/unevaluatedProperties"))
    );
    assert_eq!(payloads[3]["code"], "malformed-json");
    assert_eq!((&payloads[3]["line"], &payloads[3]["offset"]), (&json!(3), &json!(41)));
}

#[test]
fn a_terminal_is_not_told_what_to_do() {
    let directory = directory(&[]);
    let ended = run(directory.path(), &["check", "schema.json", "-"], r#"{"employeeId": "\u001b[2J"}"#);
    assert_eq!(ended.code, Some(0));
    assert!(ended.out.contains(r"`\u{1b}[2J`"), "{}", ended.out);
}

#[test]
fn the_worked_plan() {
    let old = r#"[{"employeeId": "1", "salary": 1},
        {"employeeId": "2", "employee": {"name": "b"}}, {"employeeId": "3"}, {"employeeId": "5"}]"#;
    let new = "{\"employeeId\": \"1\", \"salary\": 2}\n\
        {\"employeeId\": \"2\", \"employee\": {\"name\": \"B\"}}\n\
        {\"employeeId\": \"4\"}\n{\"employeeId\": \"5\"}\n";
    let directory = directory(&[("old.json", old), ("new.ndjson", new)]);
    let arguments = ["plan", "--schema", "schema.json", "old.json", "new.ndjson"];
    let ended = run(directory.path(), &arguments, "");
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert_eq!(
        ended.out,
        "modified 1: salary\nmodified 2: employee.name\nadded    4\nremoved  3\n\
         1 added, 2 modified, 1 removed, 1 unchanged\n"
    );
    let report = run(directory.path(), &[&arguments[..], &["--json"]].concat(), "").json();
    assert_eq!((&report["result"], &report["dryRun"]), (&json!("planned"), &json!(true)));
    let change = json!({"type": "modified", "id": "2", "fields": ["employee.name"]});
    assert_eq!(report["changes"][1], change);
}

#[test]
fn a_snapshot_that_does_not_pass_is_no_plan() {
    let directory = directory(&[("old.json", "[]"), ("one.json", r#"{"employeeId": "1"}"#)]);
    let twice = "{\"employeeId\": \"1\"}\n{\"employeeId\": \"1\"}\n";
    let plan = ["plan", "--schema", "schema.json", "old.json"];
    let ended = run(directory.path(), &[&plan[..], &["-", "--ndjson"]].concat(), twice);
    // With `--ndjson` the `[]` in `old.json` is a line that holds no resource; and one id of the
    // other stands twice.
    assert_eq!(ended.code, Some(1), "{}", ended.errors);
    assert!(ended.out.contains("(duplicate-id"), "{}", ended.out);

    let ended = run(directory.path(), &[&plan[..], &["one.json"]].concat(), "");
    assert_eq!(ended.code, Some(1), "{}", ended.errors);
    assert!(ended.out.contains("a bulk is an array of objects"), "{}", ended.out);
}

#[test]
fn what_cannot_run_ends_with_2() {
    let directory = directory(&[]);
    for (arguments, message) in [
        (vec!["check", "nowhere.json"], "error: cannot read `nowhere.json`: "),
        (vec!["check", "schema.json", "nowhere.json"], "error: cannot read `nowhere.json`: "),
        (vec!["check", "-", "-"], "error: standard input (`-`) can be given only once"),
        (vec!["plan", "a", "b"], "--schema <SCHEMA>"),
    ] {
        let ended = run(directory.path(), &arguments, "");
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.out);
        assert!(ended.errors.contains(message), "{arguments:?}: {}", ended.errors);
    }
}
