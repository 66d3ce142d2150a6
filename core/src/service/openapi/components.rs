//! The JSON Schemas of what goes in and comes out.

use serde_json::{Map, Value, json};

use super::super::manage::{DESCRIPTION, NAME};
use super::parameters::GROUP_KEY_CHARS;
use crate::limits;
use crate::plan::ChangeType;
use crate::problem::Code;
use crate::schema::{ProblemCode, RESOURCE_KEYWORD};
use crate::violation::ViolationCode;

/// Prefixes and tables.
pub(super) const IDENTIFIER: &str = "^[a-z][a-z0-9_]{0,49}$";
/// `_{prefix}_{table}`
pub(super) const RESOURCE_NAME: &str = "^_[a-z][a-z0-9_]{0,49}_[a-z][a-z0-9_]{0,49}$";

type Member = (&'static str, Value);

/// A reference to a component schema.
pub(super) fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The same, and `null`.
fn or_null(value: Value) -> Value {
    match value.get("type").and_then(Value::as_str) {
        Some(kind) => {
            let kinds = json!([kind, "null"]);
            let mut value = value;
            if let Some(members) = value.as_object_mut() {
                members.insert("type".to_owned(), kinds);
            }
            value
        }
        None => json!({ "anyOf": [value, { "type": "null" }] }),
    }
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn count(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

fn flag(description: &str) -> Value {
    json!({ "type": "boolean", "description": description })
}

fn list(description: &str, items: Value) -> Value {
    json!({ "type": "array", "description": description, "items": items })
}

fn texts(description: &str) -> Value {
    list(description, json!({ "type": "string" }))
}

/// A reference, with what it stands for here.
fn as_here(name: &str, description: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}"), "description": description })
}

/// An object; the members of the first list are always there, in that order.
fn object(description: &str, required: &[Member], optional: &[Member]) -> Value {
    let properties: Map<String, Value> =
        required.iter().chain(optional).map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let required: Vec<_> = required.iter().map(|(name, _)| *name).collect();
    let mut object = json!({ "type": "object", "description": description, "properties": properties });
    if let Some(object) = object.as_object_mut().filter(|_| !required.is_empty()) {
        object.insert("required".to_owned(), json!(required));
    }
    object
}

/// The body of a command: a member that nobody knows is an error.
fn command(description: &str, required: &[Member], optional: &[Member]) -> Value {
    let mut command = object(description, required, optional);
    if let Some(command) = command.as_object_mut() {
        command.insert("additionalProperties".to_owned(), json!(false));
    }
    command
}

fn page(of: &str) -> Value {
    object(
        &format!("One page of a list of `{of}`."),
        &[
            ("items", list("The page.", schema(of))),
            ("nextCursor", or_null(text("The `cursor` of the next page; `null` on the last one."))),
        ],
        &[],
    )
}

fn codes<T: Copy>(description: &str, all: &[T], text: fn(T) -> &'static str) -> Value {
    let codes: Vec<_> = all.iter().map(|code| text(*code)).collect();
    json!({ "type": "string", "description": description, "enum": codes })
}

/// All of them, by name.
pub(super) fn schemas() -> Value {
    let mut all = Map::new();
    for (name, value) in
        [scalars(), groups(), schemas_of_tables(), integrations(), ingest(), reading(), problems()].concat()
    {
        all.insert(name.to_owned(), value);
    }
    Value::Object(all)
}

fn scalars() -> Vec<Member> {
    vec![
        (
            "Time",
            json!({
                "type": "string",
                "format": "date-time",
                "description": "RFC 3339, UTC, with milliseconds.",
                "example": "2025-03-01T09:30:00.000Z",
            }),
        ),
        (
            "Digest",
            json!({
                "type": "string",
                "pattern": "^[0-9a-f]{64}$",
                "description": format!(
                    "Two resources are the same exactly when their digests are equal.\n\n{}",
                    include_str!("../../digest.md"),
                ),
            }),
        ),
        (
            "SchemaDigest",
            json!({
                "type": "string",
                "pattern": "^[0-9a-f]{64}$",
                "description": "A schema's version digest: the BLAKE3 hash of the effective schema's text, \
                    in lower-case hexadecimal.",
            }),
        ),
        (
            "Id",
            json!({ "type": "string", "format": "uuid", "description": "A UUID; its order is that of time." }),
        ),
        (
            "Identifier",
            json!({ "type": "string", "pattern": IDENTIFIER, "description": "A prefix or a table's name." }),
        ),
        (
            "ResourceName",
            json!({
                "type": "string",
                "pattern": RESOURCE_NAME,
                "description": "`_{prefix}_{table}`: unique for ever, and never used again once removed.",
                "example": "_directory_employee",
            }),
        ),
        (
            "Name",
            json!({
                "type": "string",
                "minLength": NAME.start(),
                "maxLength": NAME.end(),
                "description": "A unique name.",
            }),
        ),
        (
            "Description",
            json!({
                "type": ["string", "null"],
                "maxLength": DESCRIPTION.end(),
                "description": "What it is, for people.",
            }),
        ),
        (
            "Tags",
            json!({
                "type": "array",
                "maxItems": 100,
                "items": { "type": "string", "minLength": 1, "maxLength": 100 },
                "description": "Words to find it by.",
            }),
        ),
        (
            "GroupKey",
            json!({
                "type": "string",
                "maxLength": GROUP_KEY_CHARS,
                "description": "Which of the integration's scopes of this table; empty where none was given.",
            }),
        ),
        (
            "ResourceId",
            json!({
                "type": "string",
                "minLength": 1,
                "maxLength": limits::ID_CHARS,
                "description": "What the schema's id path leads to.",
            }),
        ),
        ("ChangeType", codes("What happened to a resource.", ChangeType::ALL, ChangeType::as_str)),
        (
            "OpenApi",
            object(
                "An OpenAPI document.",
                &[("openapi", text("The version.")), ("info", json!({})), ("paths", json!({}))],
                &[],
            ),
        ),
        (
            "Status",
            object("That the service is there.", &[("status", json!({ "enum": ["ok", "ready"] }))], &[]),
        ),
    ]
}

fn groups() -> Vec<Member> {
    vec![
        (
            "Group",
            object(
                "A schema group.",
                &[
                    ("id", schema("Id")),
                    ("prefix", as_here("Identifier", "Unique; the first part of its resource names.")),
                    ("name", schema("Name")),
                    ("description", schema("Description")),
                    ("createdAt", schema("Time")),
                ],
                &[],
            ),
        ),
        (
            "NewGroup",
            command(
                "A group to be created.",
                &[("name", schema("Name")), ("prefix", schema("Identifier"))],
                &[("description", schema("Description"))],
            ),
        ),
        (
            "GroupChange",
            command(
                "What changes; what is absent stays. `null` clears the description.",
                &[],
                &[
                    ("name", schema("Name")),
                    ("description", schema("Description")),
                    ("prefix", as_here("Identifier", "Cannot change; the value it has is accepted.")),
                ],
            ),
        ),
        ("GroupList", page("Group")),
    ]
}

fn json_schema() -> Value {
    json!({
        "type": "object",
        "minProperties": 1,
        "description": format!(
            "A JSON Schema (2020-12) of at most {} bytes and {} levels. Its root `type` is `object`, and its \
             root keyword `{RESOURCE_KEYWORD}` says where a resource's id, display name and important fields \
             are. Nothing outside of it is ever fetched.",
            limits::SCHEMA_BYTES, limits::SCHEMA_DEPTH,
        ),
        "required": ["type", RESOURCE_KEYWORD],
        "properties": {
            "type": { "const": "object" },
            RESOURCE_KEYWORD: {
                "type": "object",
                "description": "Each is a path: RFC 9535 JSONPath (`$.employee.email`), or the same without \
                    `$.` (`employee.email`).",
                "required": ["id"],
                "properties": {
                    "id": {
                        "type": "string",
                        "minLength": 1,
                        "description": "A singular query; a resource's id is the string it leads to.",
                    },
                    "name": {
                        "type": "string",
                        "description": "A singular query; the display name is the string it leads to.",
                    },
                    "importantFields": {
                        "type": "array",
                        "items": { "type": "string" },
                        "description": "The fields that stand first where a resource is shown.",
                    },
                },
                "additionalProperties": false,
            },
        },
    })
}

fn test_data() -> Value {
    json!({
        "description": "A payload that the schema is tried with. `null` is as good as absent.",
    })
}

fn stored_schema() -> Vec<Member> {
    vec![
        ("id", schema("Id")),
        ("group", as_here("Identifier", "The group's prefix.")),
        ("name", schema("Name")),
        ("table", schema("Identifier")),
        ("resourceName", schema("ResourceName")),
        ("version", json!({ "type": "integer", "minimum": 1, "description": "Each `PUT` adds one." })),
        ("digest", schema("SchemaDigest")),
        ("createdAt", schema("Time")),
        ("updatedAt", schema("Time")),
        ("schema", as_here("JsonSchema", "As its author wrote it.")),
        ("testData", json!({ "description": "The payload it was tried with, or `null`." })),
    ]
}

/// What preparing a schema tells, where it can be used.
fn prepared() -> Vec<Member> {
    vec![
        ("columns", texts("The declared leaf fields in the schema's own order, dotted (`employee.name`).")),
        ("openObjects", texts("Pointers into the schema: the nested objects in which unknown fields pass.")),
        ("warnings", list("What its author should know.", schema("SchemaProblem"))),
    ]
}

fn effective() -> Member {
    (
        "effectiveSchema",
        as_here(
            "JsonSchema",
            "What payloads are checked against: the author's schema with `unevaluatedProperties: false` at the root.",
        ),
    )
}

fn schemas_of_tables() -> Vec<Member> {
    let new = ("schema", schema("JsonSchema"));
    let report = [
        ("valid", flag("Whether the schema can be used.")),
        ("problems", list("Everything that is wrong with it.", schema("SchemaProblem"))),
        ("effectiveSchema", or_null(effective().1)),
        ("digest", or_null(schema("SchemaDigest"))),
        ("testData", or_null(as_here("PayloadReport", "On the test data, if there is any to judge."))),
    ];
    vec![
        ("JsonSchema", json_schema()),
        ("SchemaSummary", object("A table's schema, as lists show it.", &stored_schema(), &[])),
        (
            "Schema",
            object("A table's schema.", &[stored_schema(), vec![effective()], prepared()].concat(), &[]),
        ),
        (
            "NewSchema",
            command(
                "A schema to be created.",
                &[
                    ("group", as_here("Identifier", "The group's prefix.")),
                    ("name", schema("Name")),
                    ("table", schema("Identifier")),
                    new.clone(),
                ],
                &[("testData", test_data())],
            ),
        ),
        (
            "SchemaReplacement",
            command(
                "A table's next schema. An absent `name` stays; absent `testData` is none.",
                std::slice::from_ref(&new),
                &[
                    ("name", schema("Name")),
                    ("testData", test_data()),
                    ("group", as_here("Identifier", "Cannot change; the value it has is accepted.")),
                    ("table", as_here("Identifier", "Cannot change; the value it has is accepted.")),
                ],
            ),
        ),
        ("SchemaList", page("SchemaSummary")),
        (
            "SchemaCheck",
            command(
                "A schema to be looked at.",
                &[(
                    "schema",
                    json!({ "description": "Whatever it is: what is wrong with it is the answer." }),
                )],
                &[("testData", test_data())],
            ),
        ),
        (
            "SchemaReport",
            object("What preparing a schema found out.", &[report.to_vec(), prepared()].concat(), &[]),
        ),
        (
            "PayloadReport",
            object(
                "What checking one payload found out.",
                &[
                    ("valid", flag("Whether it passes.")),
                    ("violations", list("Every fault.", schema("Violation"))),
                    ("id", or_null(text("The resource's id."))),
                    ("name", or_null(text("Its display name."))),
                    ("importantFields", list("Their values, in the declared order.", json!({}))),
                    ("digest", or_null(schema("Digest"))),
                ],
                &[
                    ("code", as_here("ProblemCode", "The problem's code, where it does not pass.")),
                    ("detail", text("Why it does not pass.")),
                ],
            ),
        ),
    ]
}

fn integrations() -> Vec<Member> {
    let summary = vec![
        ("id", schema("Id")),
        ("name", schema("Name")),
        ("description", schema("Description")),
        ("tags", schema("Tags")),
        ("group", as_here("Identifier", "The prefix of the one group that its keys open.")),
        ("enabled", flag("Whether its keys are let in.")),
        ("createdAt", schema("Time")),
    ];
    let secret = text("The secret. It is shown this once; only its hash is kept.");
    let keys = ("keys", list("The live keys, at most two.", schema("Key")));
    let full = [summary.clone(), vec![keys]].concat();
    let created = [full.clone(), vec![("ingestKey", secret.clone())]].concat();
    let changeable = [
        ("description", schema("Description")),
        ("tags", or_null(schema("Tags"))),
        (
            "enabled",
            json!({ "type": "boolean", "default": true, "description": "Whether its keys are let in." }),
        ),
    ];
    vec![
        ("IntegrationSummary", object("An integration, as lists show it.", &summary, &[])),
        ("Integration", object("An integration.", &full, &[])),
        ("CreatedIntegration", object("An integration and its first key.", &created, &[])),
        (
            "NewIntegration",
            command(
                "An integration to be created.",
                &[
                    ("name", schema("Name")),
                    ("group", as_here("Identifier", "A group's prefix; it has a live schema.")),
                ],
                &changeable,
            ),
        ),
        (
            "IntegrationChange",
            command(
                "What changes; what is absent stays. `null` clears the description and the tags.",
                &[],
                &[
                    ("name", schema("Name")),
                    ("description", schema("Description")),
                    ("tags", or_null(schema("Tags"))),
                    ("enabled", flag("Whether its keys are let in.")),
                    ("group", as_here("Identifier", "Cannot change; the value it has is accepted.")),
                ],
            ),
        ),
        ("IntegrationList", page("IntegrationSummary")),
        (
            "Key",
            object(
                "A live ingest key.",
                &[
                    ("id", schema("Id")),
                    ("createdAt", schema("Time")),
                    ("lastUsedAt", or_null(as_here("Time", "To the minute; `null` before the first use."))),
                ],
                &[],
            ),
        ),
        (
            "CreatedKey",
            object(
                "A new ingest key.",
                &[("id", schema("Id")), ("ingestKey", secret), ("createdAt", schema("Time"))],
                &[],
            ),
        ),
    ]
}

fn ingest() -> Vec<Member> {
    let fields = texts(
        "The leaf paths that differ, dotted (`employee.name`, `tags[2]`, `['odd name'].x`), sorted. Only a \
         modification has any.",
    );
    let table = ("table", schema("ResourceName"));
    let group_key = ("groupKey", schema("GroupKey"));
    let changes = (
        "changes",
        list(
            "Each change: new and different ones first, in the payload's order, then the removals by id.",
            schema("PlannedChange"),
        ),
    );
    let dry_run = ("dryRun", json!({ "const": true, "description": "Only on a dry run." }));
    let applied =
        ("result", json!({ "enum": ["applied", "planned"], "description": "`planned` on a dry run." }));
    vec![
        (
            "Payload",
            json!({
                "type": "object",
                "description": format!(
                    "A resource: what the table's schema allows, at most {} bytes and {} levels. The root \
                     member `_meta` is Tidegate's own, and no payload has it.",
                    limits::RESOURCE_BYTES, limits::DEPTH,
                ),
                "properties": { "_meta": false },
            }),
        ),
        (
            "Snapshot",
            json!({
                "type": "array",
                "description": format!(
                    "All resources of the scope, at most {} bytes in all; no two have the same id.",
                    limits::BULK_BYTES,
                ),
                "items": schema("Payload"),
            }),
        ),
        (
            "PlannedChange",
            object(
                "What happens to one resource.",
                &[("type", schema("ChangeType")), ("id", schema("ResourceId")), ("fields", fields.clone())],
                &[],
            ),
        ),
        (
            "EventResult",
            object(
                "What became of one resource.",
                &[
                    (
                        "result",
                        json!({
                            "enum": ["added", "modified", "unchanged", "planned"],
                            "description": "`planned` on a dry run, of which `changes` says the rest.",
                        }),
                    ),
                    ("id", schema("ResourceId")),
                    table.clone(),
                    group_key.clone(),
                    ("digest", schema("Digest")),
                    ("changeId", or_null(text("The change record, where there is one."))),
                    ("fields", fields.clone()),
                ],
                &[dry_run.clone(), changes.clone()],
            ),
        ),
        (
            "BulkResult",
            object(
                "What became of a scope.",
                &[
                    applied.clone(),
                    table.clone(),
                    group_key.clone(),
                    ("added", count("How many were new.")),
                    ("modified", count("How many were different.")),
                    ("removed", count("How many were missing.")),
                    ("unchanged", count("How many were the same.")),
                ],
                &[dry_run.clone(), changes.clone()],
            ),
        ),
        (
            "DeleteResult",
            object(
                "What was removed.",
                &[
                    applied,
                    table.clone(),
                    group_key.clone(),
                    ("removed", count("How many were there, and are there no longer.")),
                    ("ignored", count("How many of the ids were not there.")),
                ],
                &[dry_run, changes],
            ),
        ),
        (
            "Manifest",
            object(
                "What a scope holds: enough to plan a bulk anywhere without sending the payloads.",
                &[
                    table,
                    group_key,
                    (
                        "items",
                        json!({
                            "type": "object",
                            "description": "Each resource's digest, by id.",
                            "additionalProperties": schema("Digest"),
                        }),
                    ),
                ],
                &[],
            ),
        ),
    ]
}

fn reading() -> Vec<Member> {
    let source = as_here("Source", "Where it came from.");
    let event = or_null(text("The request's `event`."));
    let actor = json!({ "description": "The request's `actor`: any JSON, or `null`." });
    vec![
        (
            "Source",
            object(
                "An integration, deleted or not.",
                &[("id", schema("Id")), ("name", schema("Name")), ("tags", schema("Tags"))],
                &[],
            ),
        ),
        (
            "ResourceMeta",
            object(
                "What Tidegate knows of a resource.",
                &[
                    ("type", schema("ResourceName")),
                    ("id", schema("ResourceId")),
                    ("name", or_null(text("Its display name."))),
                    ("groupKey", schema("GroupKey")),
                    ("recordedAt", as_here("Time", "When it became what it is.")),
                    ("digest", schema("Digest")),
                    (
                        "schemaVersion",
                        json!({ "type": "integer", "minimum": 1, "description": "The schema it was checked against." }),
                    ),
                    ("integration", source.clone()),
                    ("event", event.clone()),
                    ("actor", actor.clone()),
                ],
                &[],
            ),
        ),
        (
            "Resource",
            object("The payload's own members, and `_meta`.", &[("_meta", schema("ResourceMeta"))], &[]),
        ),
        ("ResourceList", page("Resource")),
        (
            "Change",
            object(
                "A change record. It is written together with what it describes, and never rewritten.",
                &[
                    ("changeId", text("Where to read on: the `after` of `GET /api/v1/changes`.")),
                    ("recordedAt", schema("Time")),
                    ("type", schema("ChangeType")),
                    ("id", schema("ResourceId")),
                    ("table", schema("ResourceName")),
                    ("groupKey", schema("GroupKey")),
                    ("integration", source),
                    ("event", event),
                    ("actor", actor),
                    ("fields", texts("The leaf paths that differ, sorted; only a modification has any.")),
                    ("before", or_null(as_here("Payload", "The resource before; `null` if it was added."))),
                    ("after", or_null(as_here("Payload", "The resource after; `null` if it was removed."))),
                ],
                &[],
            ),
        ),
        ("ChangeList", page("Change")),
    ]
}

fn problems() -> Vec<Member> {
    let faults = json!({
        "type": "array",
        "description": "Each fault of a payload or a schema.",
        "items": { "anyOf": [schema("Violation"), schema("SchemaProblem")] },
    });
    vec![
        ("ProblemCode", codes("Why a request was refused; stable.", Code::ALL, Code::as_str)),
        (
            "Problem",
            object(
                "A problem document (RFC 9457).",
                &[
                    (
                        "type",
                        json!({
                            "type": "string",
                            "pattern": "^urn:tidegate:problem:[a-z-]+$",
                            "description": "`urn:tidegate:problem:{code}`",
                        }),
                    ),
                    ("code", schema("ProblemCode")),
                    ("title", text("The code in words.")),
                    ("status", json!({ "type": "integer", "description": "The HTTP status." })),
                    ("detail", text("What is wrong this time.")),
                ],
                &[
                    ("errors", faults),
                    ("truncated", flag("There are more faults than are listed.")),
                    (
                        "line",
                        json!({ "type": "integer", "minimum": 1, "description": "Where the body stops being JSON, from 1." }),
                    ),
                    (
                        "column",
                        json!({ "type": "integer", "minimum": 1, "description": "In Unicode characters, from 1." }),
                    ),
                    ("offset", count("In bytes, from 0.")),
                    ("pointer", text("A JSON Pointer into the body, as a URI fragment.")),
                    ("limit", count("The limit that was exceeded.")),
                    ("item", count("The index of the resource in a bulk, from 0.")),
                    ("parameter", text("The parameter, or the member of the body, that is wrong.")),
                    ("removed", count("How many resources the bulk would have removed.")),
                ],
            ),
        ),
        (
            "ViolationCode",
            codes(
                "What kind of fault of a payload it is; stable.",
                ViolationCode::ALL,
                ViolationCode::as_str,
            ),
        ),
        (
            "Violation",
            object(
                "One fault of a payload.",
                &[
                    (
                        "pointer",
                        text(
                            "A JSON Pointer into the resource, as a URI fragment: `#/employee/email`. For a \
                             field that is missing, the object that lacks it.",
                        ),
                    ),
                    ("schemaPointer", text("A JSON Pointer into the effective schema, as a URI fragment.")),
                    (
                        "keyword",
                        text(&format!(
                            "The JSON Schema keyword that does not hold, or `{RESOURCE_KEYWORD}`."
                        )),
                    ),
                    ("code", schema("ViolationCode")),
                    ("detail", text("What was expected. It never repeats the payload's values.")),
                ],
                &[("item", count("The index of the resource in a bulk, from 0."))],
            ),
        ),
        (
            "SchemaProblemCode",
            codes("What kind of problem of a schema it is; stable.", ProblemCode::ALL, ProblemCode::as_str),
        ),
        (
            "SchemaProblem",
            object(
                "One thing that is wrong with a schema or, as a warning, worth knowing.",
                &[
                    ("pointer", text("A JSON Pointer into the schema, as a URI fragment.")),
                    ("code", schema("SchemaProblemCode")),
                    ("detail", text("What is wrong and what was expected.")),
                ],
                &[],
            ),
        ),
    ]
}
