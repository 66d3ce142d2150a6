//! Groups, schemas, integrations and keys.

use serde_json::{Value, json};

use super::super::super::ingest::KEY_USE_GRAIN;
use super::problems::places;
use super::{Member, as_here, command, flag, list, object, or_null, page, schema, text, texts};
use crate::limits;
use crate::schema::RESOURCE_KEYWORD;

pub(super) fn groups() -> Vec<Member> {
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
        "additionalProperties": true,
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

pub(super) fn schemas_of_tables() -> Vec<Member> {
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
                    vec![
                        ("code", as_here("ProblemCode", "The problem's code, where it does not pass.")),
                        ("detail", text("Why it does not pass.")),
                        ("truncated", flag("There are more violations than are listed.")),
                    ],
                    places(),
                ]
                .concat(),
            ),
        ),
    ]
}

pub(super) fn integrations() -> Vec<Member> {
    let last_used =
        format!("Noted at most every {} seconds; `null` before the first use.", KEY_USE_GRAIN / 1000);
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
                    ("lastUsedAt", or_null(as_here("Time", &last_used))),
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
