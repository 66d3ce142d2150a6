//! Payloads, what becomes of them, and what is stored.

use serde_json::json;

use super::{Member, as_here, count, list, object, open, or_null, page, schema, text, texts};
use crate::limits;

pub(super) fn ingest() -> Vec<Member> {
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
                "additionalProperties": true,
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
                    ("fields", fields),
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

pub(super) fn reading() -> Vec<Member> {
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
            open(object(
                "The payload's own members, and `_meta`.",
                &[("_meta", schema("ResourceMeta"))],
                &[],
            )),
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
