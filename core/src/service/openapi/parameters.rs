//! The parameters, each with its limit.

use serde_json::{Value, json};

use super::components::{IDENTIFIER, RESOURCE_NAME, schema};
use crate::limits;
use crate::plan::ChangeType;

/// A reference to a parameter.
pub(super) fn parameter(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

#[expect(clippy::needless_pass_by_value, reason = "the value is made for this call")]
fn path(name: &str, description: &str, schema: Value, example: &str) -> Value {
    json!({
        "name": name, "in": "path", "required": true,
        "description": description, "schema": schema, "example": example,
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the value is made for this call")]
fn query(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": schema })
}

fn text(limit: usize) -> Value {
    json!({ "type": "string", "maxLength": limit })
}

fn switch() -> Value {
    json!({ "type": "boolean", "default": false })
}

/// All of them, by the name they are referred to.
pub(super) fn parameters() -> Value {
    let identifier = json!({ "type": "string", "pattern": IDENTIFIER });
    let resource_name = json!({ "type": "string", "pattern": RESOURCE_NAME });
    let id = json!({ "type": "string", "format": "uuid" });
    let any_table = json!({ "type": "string", "anyOf": [identifier, resource_name] });
    json!({
        "prefix": path("prefix", "The group's prefix.", schema("Identifier"), "directory"),
        "resourceName": path(
            "resourceName", "The resource name.", schema("ResourceName"), "_directory_employee",
        ),
        "integrationId": path("id", "The integration.", id.clone(), super::examples::INTEGRATION),
        "keyId": path("keyId", "The key.", id, super::examples::KEY),
        "resourceId": path("id", "The resource, percent-encoded.", schema("ResourceId"), "1"),
        "table": path(
            "table", "The schema's table name, or its full resource name.", any_table, "employee",
        ),
        "groupKey": query(
            "groupKey",
            "Which of the integration's scopes of this table; absent is the same as empty.",
            text(limits::GROUP_KEY_CHARS),
        ),
        "event": query("event", "What the change records say happened.", text(limits::EVENT_CHARS)),
        "actor": query(
            "actor",
            "Who did it: any JSON value, kept with the change records.",
            json!({ "type": "string", "maxLength": limits::ACTOR_CHARS, "contentMediaType": "application/json" }),
        ),
        "dryRun": query("dryRun", "Answer what would happen, and write nothing.", switch()),
        "details": query("details", "List the changes in the answer.", switch()),
        "maxRemovals": query(
            "maxRemovals",
            "How many resources this bulk may remove: a count (`10`), or a share of those stored in the scope \
             (`20%`, sent as `20%25`; 0 to 100, rounded down). A bulk that would remove more is refused with \
             `removal-guard` and changes nothing, on a dry run too. Absent, there is no bound.",
            json!({ "type": "string", "maxLength": 20, "pattern": "^([0-9]+|([0-9]|[1-9][0-9]|100)%)$" }),
        ),
        "resourceIds": {
            "name": "resourceIds", "in": "query", "required": true,
            "description": "The ids to remove, separated by bare commas; a comma inside an id is sent as \
                `%2C`. The parameter may be repeated. Ids that are not there are ignored.",
            "style": "form", "explode": false,
            "schema": { "type": "array", "minItems": 1, "items": { "type": "string", "minLength": 1 } },
            "example": ["1", "2"],
        },
        "ifNoneMatch": {
            "name": "If-None-Match", "in": "header",
            "description": "The `ETag`s of manifests that are at hand, or `*`.",
            "schema": { "type": "string" },
        },
        "limit": query(
            "limit",
            "How many items a page holds at most. A page of large items may end earlier, and one of resources as of a \
             time also where few of those that there ever were were there then; `nextCursor` alone tells whether \
             there are more.",
            json!({ "type": "integer", "minimum": 1, "maximum": limits::MOST_PAGE_ITEMS, "default": limits::PAGE_ITEMS }),
        ),
        "cursor": query("cursor", "The `nextCursor` of the page before.", json!({ "type": "string" })),
        "force": query(
            "force", "Remove the table's live resources, and record that.", switch(),
        ),
        "ofTable": query("table", "Only of this table: its resource name, or its table name in any group.", text(limits::FILTER_CHARS)),
        "ofIntegration": query("integration", "Only from this integration: its id or its name.", text(limits::FILTER_CHARS)),
        "ofGroupKey": query("groupKey", "Only of this group key; empty is the one without.", text(limits::GROUP_KEY_CHARS)),
        "ofId": query("id", "Only the resource with this id.", text(limits::ID_CHARS)),
        "ofType": query(
            "type",
            "Only changes of this type.",
            json!({ "enum": ChangeType::ALL.iter().map(|change| change.as_str()).collect::<Vec<_>>() }),
        ),
        "at": query(
            "at",
            "As of this time, any RFC 3339 one. Where old history is forgotten, a time before what is kept is \
             answered `bad-parameter`, which says since when it is.",
            json!({ "type": "string", "format": "date-time" }),
        ),
        "order": query(
            "order",
            "`asc` is the order in which things happened. Absent, it is `asc` where `after` is given, and `desc` elsewhere.",
            json!({ "enum": ["asc", "desc"] }),
        ),
        "after": query(
            "after",
            "Only what came after the change of this `changeId`; empty or `0` for all from the beginning. Where old \
             history is forgotten, a change of which something behind it is forgotten is answered `bad-parameter`.",
            json!({ "type": "string", "maxLength": 100 }),
        ),
    })
}
