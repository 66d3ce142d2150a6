//! The worked example's requests and answers. What the gate decides about them, the gate is asked.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::super::manage::demo_schema;
use super::operation::Examples;
use crate::check::{CheckOptions, Rejection};
use crate::digest::Digest;
use crate::problem::Code;
use crate::report::{PayloadReport, ProblemDetails, SchemaReport};
use crate::schema::{PreparedSchema, Problem};

pub(super) const INTEGRATION: &str = "01955168-5c00-7b1e-9b3f-2f6a4d1c8e01";
pub(super) const KEY: &str = "01955168-5c00-7c44-8d2a-90b7e5f31a02";
const COMMIT: &str = "0195516a-30c0-7d05-a1c4-6b8f0e2d7903";
const TABLE: &str = "_directory_employee";
const TIME: &str = "2025-03-01T09:30:00.000Z";

struct Gate {
    text: String,
    prepared: Result<PreparedSchema, Vec<Problem>>,
}

static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let text = demo_schema();
    Gate { prepared: PreparedSchema::prepare(text.as_bytes()), text }
});

fn value(of: &impl serde::Serialize) -> Value {
    serde_json::to_value(of).unwrap_or_default()
}

fn schema_value() -> Value {
    serde_json::from_str(&GATE.text).unwrap_or_default()
}

fn employee(id: &str, name: &str, username: &str, salary: u32) -> Value {
    json!({
        "employeeId": id,
        "employee": { "name": name, "username": username },
        "salary": salary,
        "active": true,
    })
}

fn ada(salary: u32) -> Value {
    employee("1", "Ada Lovelace", "ada", salary)
}

fn before() -> Value {
    json!([ada(1000), employee("2", "Bob Kahn", "bob", 2000), employee("3", "Cat Stevens", "cat", 3000)])
}

fn after() -> Value {
    json!([ada(1100), employee("2", "Robert Kahn", "bob", 2000), employee("4", "Dan Flavin", "dan", 4000)])
}

fn digest(of: &Value) -> Value {
    value(&Digest::of_text(of.to_string().as_bytes()))
}

/// Adds members to an object.
fn with(mut object: Value, more: Value) -> Value {
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
    object
}

fn without(mut object: Value, names: &[&str]) -> Value {
    if let Some(object) = object.as_object_mut() {
        object.retain(|name, _| !names.contains(&name.as_str()));
    }
    object
}

fn rejected(outcome: Result<impl Sized, Rejection>) -> Value {
    outcome.err().map(|rejection| value(&ProblemDetails::from(rejection))).unwrap_or_default()
}

fn invalid_employee() -> Value {
    json!({ "employeeId": "1", "salry": 1000, "active": "yes" })
}

pub(super) fn event() -> Examples {
    vec![("an employee", ada(1000))]
}

pub(super) fn added() -> Examples {
    let answer = json!({
        "result": "added", "id": "1", "table": TABLE, "groupKey": "",
        "digest": digest(&ada(1000)), "changeId": format!("{COMMIT}-0"), "fields": [],
    });
    vec![("added", answer)]
}

pub(super) fn unchanged() -> Examples {
    let answer = |result: &str, payload: &Value, change: Value, fields: Value| {
        json!({
            "result": result, "id": "1", "table": TABLE, "groupKey": "",
            "digest": digest(payload), "changeId": change, "fields": fields,
        })
    };
    let fields = json!(["salary"]);
    let planned = json!({
        "dryRun": true, "changes": [{ "type": "modified", "id": "1", "fields": fields }],
    });
    vec![
        ("modified", answer("modified", &ada(1100), format!("{COMMIT}-0").into(), fields.clone())),
        ("unchanged", answer("unchanged", &ada(1000), Value::Null, json!([]))),
        ("with dryRun=true", with(answer("planned", &ada(1100), Value::Null, fields), planned)),
    ]
}

pub(super) fn invalid_event() -> Value {
    match &GATE.prepared {
        Ok(schema) => {
            rejected(schema.check(invalid_employee().to_string().as_bytes(), CheckOptions::default()))
        }
        Err(_) => Value::Null,
    }
}

pub(super) fn invalid_bulk() -> Value {
    let bulk = json!([ada(1000), invalid_employee(), ada(1000)]).to_string();
    match &GATE.prepared {
        Ok(schema) => rejected(schema.check_bulk(bulk.as_bytes(), CheckOptions::default())),
        Err(_) => Value::Null,
    }
}

pub(super) fn removal_guard() -> Value {
    let detail =
        "the bulk would remove 1 of 3 resources, and the request allows at most 0; nothing was changed";
    let mut problem = ProblemDetails::new(Code::RemovalGuard, detail);
    (problem.removed, problem.limit) = (Some(1), Some(0));
    value(&problem)
}

pub(super) fn snapshots() -> Examples {
    vec![("first", before()), ("second", after())]
}

/// What a bulk does to a scope that holds another.
fn bulk(old: &Value, new: &Value) -> Value {
    let report = GATE.prepared.as_ref().ok().and_then(|schema| {
        let (old, new) = (old.to_string(), new.to_string());
        schema.preview(old.as_bytes(), new.as_bytes(), CheckOptions::default()).ok()
    });
    value(&report.unwrap_or_default())
}

pub(super) fn bulks() -> Examples {
    let applied = |old: &Value, new: &Value| {
        with(bulk(old, new), json!({ "result": "applied", "table": TABLE, "groupKey": "" }))
    };
    let planned = json!({ "result": "planned", "dryRun": true });
    vec![
        ("first", without(applied(&json!([]), &before()), &["changes"])),
        ("second with details=true", applied(&before(), &after())),
        ("second with dryRun=true", with(applied(&before(), &after()), planned)),
        ("second once more", without(applied(&after(), &after()), &["changes"])),
    ]
}

pub(super) fn deletes() -> Examples {
    let applied = json!({ "result": "applied", "table": TABLE, "groupKey": "", "removed": 1, "ignored": 1 });
    let changes = json!([{ "type": "removed", "id": "1", "fields": [] }]);
    let planned = json!({ "result": "planned", "dryRun": true, "changes": changes });
    vec![("one of two", applied.clone()), ("with dryRun=true", with(applied, planned))]
}

pub(super) fn manifest() -> Examples {
    let items = before();
    let digests: serde_json::Map<String, Value> = items
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| Some((item.get("employeeId")?.as_str()?.to_owned(), digest(item))))
        .collect();
    vec![("three employees", json!({ "table": TABLE, "groupKey": "", "items": digests }))]
}

pub(super) fn new_group() -> Examples {
    let group = json!({ "name": "Directory", "prefix": "directory", "description": "Who works here" });
    vec![("directory", group)]
}

pub(super) fn group() -> Examples {
    let group = json!({
        "id": "01955167-1a80-7f3c-8e55-d4c2b1a09f04", "prefix": "directory", "name": "Directory",
        "description": "Who works here", "createdAt": TIME,
    });
    vec![("directory", group)]
}

pub(super) fn group_change() -> Examples {
    vec![("another name", json!({ "name": "Directory of people" }))]
}

pub(super) fn new_schema() -> Examples {
    let new = json!({
        "group": "directory", "name": "Employee", "table": "employee",
        "schema": schema_value(), "testData": ada(1000),
    });
    vec![("employee", new)]
}

pub(super) fn schema_replacement() -> Examples {
    vec![("employee", json!({ "schema": schema_value() }))]
}

pub(super) fn schema() -> Examples {
    let stored = json!({
        "id": "01955167-9fb0-7a61-b0d7-3c5e8f124a05", "group": "directory", "name": "Employee",
        "table": "employee", "resourceName": TABLE, "version": 1, "createdAt": TIME, "updatedAt": TIME,
        "schema": schema_value(), "testData": ada(1000),
    });
    let report = value(&SchemaReport::of(&GATE.prepared));
    vec![("employee", with(without(report, &["valid", "problems"]), stored))]
}

const WITHOUT_ID: &str = r#"{"type":"object","properties":{"n":{"pattern":"(?=a)"}},"resmo":{"name":"n"}}"#;

pub(super) fn schema_check() -> Examples {
    let schema = json!({ "schema": schema_value(), "testData": invalid_employee() });
    let without_id = serde_json::from_str(WITHOUT_ID).unwrap_or(Value::Null);
    vec![("a good schema", schema), ("a bad schema", json!({ "schema": without_id }))]
}

pub(super) fn schema_reports() -> Examples {
    let test_data = GATE.prepared.as_ref().ok().map(|schema| {
        let payload = invalid_employee().to_string();
        PayloadReport::of(&schema.check(payload.as_bytes(), CheckOptions::default()))
    });
    let good = with(value(&SchemaReport::of(&GATE.prepared)), json!({ "testData": test_data }));
    let bad = SchemaReport::of(&PreparedSchema::prepare(WITHOUT_ID.as_bytes()));
    vec![("a good schema", good), ("a bad schema", with(value(&bad), json!({ "testData": null })))]
}

pub(super) fn invalid_schema() -> Value {
    match PreparedSchema::prepare(WITHOUT_ID.as_bytes()) {
        Ok(_) => Value::Null,
        Err(problems) => value(&ProblemDetails::schema_invalid(&problems)),
    }
}

pub(super) fn new_integration() -> Examples {
    let new = json!({ "name": "HR system", "group": "directory", "tags": ["hr"] });
    vec![("hr", new)]
}

fn hr() -> Value {
    json!({
        "id": INTEGRATION, "name": "HR system", "description": null, "tags": ["hr"],
        "group": "directory", "enabled": true, "createdAt": TIME,
        "keys": [{ "id": KEY, "createdAt": TIME, "lastUsedAt": null }],
    })
}

pub(super) fn integration() -> Examples {
    vec![("hr", hr())]
}

/// Looks like a key, and is too short to be one.
const INGEST_KEY: &str = "tgk_3f9c…";

pub(super) fn created_integration() -> Examples {
    vec![("hr", with(hr(), json!({ "ingestKey": INGEST_KEY })))]
}

pub(super) fn integration_change() -> Examples {
    vec![("switch it off", json!({ "enabled": false }))]
}

pub(super) fn created_key() -> Examples {
    let key = json!({
        "id": "01955170-77d8-7e90-9c21-5ab3d6f4e806", "ingestKey": INGEST_KEY, "createdAt": TIME,
    });
    vec![("a second key", key)]
}

fn source() -> Value {
    json!({ "id": INTEGRATION, "name": "HR system", "tags": ["hr"] })
}

fn stored_ada() -> Value {
    let meta = json!({
        "type": TABLE, "id": "1", "name": "ada", "groupKey": "", "recordedAt": TIME,
        "digest": digest(&ada(1000)), "schemaVersion": 1, "integration": source(),
        "event": null, "actor": null,
    });
    with(ada(1000), json!({ "_meta": meta }))
}

pub(super) fn resource() -> Examples {
    vec![("an employee", stored_ada())]
}

pub(super) fn resources() -> Examples {
    vec![("one employee", json!({ "items": [stored_ada()], "nextCursor": null }))]
}

pub(super) fn changes() -> Examples {
    let change = json!({
        "changeId": format!("{COMMIT}-0"), "recordedAt": TIME, "type": "modified", "id": "1",
        "table": TABLE, "groupKey": "", "integration": source(), "event": "nightly",
        "actor": { "job": "export" }, "fields": ["salary"], "before": ada(1000), "after": ada(1100),
    });
    vec![("one modification", json!({ "items": [change], "nextCursor": null }))]
}

pub(super) fn status(status: &str) -> Examples {
    vec![("yes", json!({ "status": status }))]
}
