//! The JSON Schemas of what goes in and comes out.

mod manage;
mod problems;
mod resources;

use serde_json::{Map, Value, json};

use super::super::manage::{DESCRIPTION, NAME};
use crate::limits;
use crate::plan::ChangeType;

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

#[expect(clippy::needless_pass_by_value, reason = "the value is made for this call")]
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

/// An object with members of the payload's or the schema's own.
fn open(mut object: Value) -> Value {
    if let Some(object) = object.as_object_mut() {
        object.insert("additionalProperties".to_owned(), json!(true));
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
    for (name, value) in [
        scalars(),
        manage::groups(),
        manage::schemas_of_tables(),
        manage::integrations(),
        resources::ingest(),
        resources::reading(),
        problems::problems(),
    ]
    .concat()
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
                    crate::digest::DEFINITION,
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
                "maxLength": crate::limits::GROUP_KEY_CHARS,
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
