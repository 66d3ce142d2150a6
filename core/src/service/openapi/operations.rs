//! What each route's methods do.

use super::super::route::Action;
use super::examples;
use super::operation::Operation;
use crate::problem::Code;

const INGEST: &str = "Ingest";
const MANAGE: &str = "Manage";
const READ: &str = "Read";
const OPERATE: &str = "Operate";

/// The groups of operations, in the order to read them.
pub(in crate::service) const TAGS: &[(&str, &str)] = &[
    (INGEST, "Sending resources with an ingest key."),
    (MANAGE, "Groups, schemas, integrations and keys, with the admin token."),
    (READ, "What is stored and what has changed, with the admin token."),
    (OPERATE, "For people, probes and tools; open to all."),
];

/// The operation of an action.
pub(super) fn describe(action: Action) -> Operation {
    match action {
        Action::Event | Action::Bulk | Action::Delete | Action::Manifest => ingest(action),
        Action::CreateGroup
        | Action::ListGroups
        | Action::ReadGroup
        | Action::ChangeGroup
        | Action::DeleteGroup => groups(action),
        Action::CheckSchema
        | Action::CreateSchema
        | Action::ListSchemas
        | Action::ReadSchema
        | Action::ReplaceSchema
        | Action::DeleteSchema => schemas(action),
        Action::CreateIntegration
        | Action::ListIntegrations
        | Action::ReadIntegration
        | Action::ChangeIntegration
        | Action::DeleteIntegration
        | Action::CreateKey
        | Action::DeleteKey => integrations(action),
        Action::ListResources | Action::ReadResource | Action::ListChanges => reading(action),
        Action::Console | Action::Docs | Action::OpenApi | Action::Health | Action::Ready => operate(action),
    }
}

fn ingest(action: Action) -> Operation {
    match action {
        Action::Event => Operation::new("sendEvent", INGEST, "Send one resource")
            .describe(
                "No resource with this id in the scope: it is added. One that is different: it is modified. \
                 One that is the same: nothing is written, and there is no change record.",
            )
            .takes(&["table", "groupKey", "event", "actor", "dryRun"])
            .body("Payload", examples::event())
            .answers(201, "The resource was added.", "EventResult", examples::added())
            .answers(200, "It was modified or is unchanged, or this is a dry run.", "EventResult", examples::unchanged())
            .fails(Code::PayloadInvalid)
            .fails(Code::MissingId)
            .example_problem("two faults", examples::invalid_event()),
        Action::Bulk => Operation::new("sendSnapshot", INGEST, "Send all resources of a scope")
            .describe(
                "The full snapshot of the scope, which is the integration, the table and the `groupKey`: new ids \
                 are added, different ones modified, identical ones left alone, and missing ones removed. It is \
                 all or nothing: one invalid item, or the same id twice, rejects the request whole, and every \
                 fault of every item is reported. An empty array removes everything; `maxRemovals` bounds that.",
            )
            .takes(&["table", "groupKey", "event", "actor", "dryRun", "details", "maxRemovals"])
            .body("Snapshot", examples::snapshots())
            .answers(200, "The scope is as the snapshot says, or would be.", "BulkResult", examples::bulks())
            .fails(Code::PayloadInvalid)
            .fails_as(Code::MissingId, "All faults are about ids, and one item at least has no usable id.")
            .fails_as(Code::DuplicateId, "All faults are ids that stand twice.")
            .fails(Code::RemovalGuard)
            .example_problem("an invalid item", examples::invalid_bulk())
            .example_problem("too many removals", examples::removal_guard()),
        Action::Delete => Operation::new("removeResources", INGEST, "Remove resources")
            .describe("Removes these resources from the scope.")
            .takes(&["table", "resourceIds", "groupKey", "event", "actor", "dryRun"])
            .answers(200, "They are gone, or would be.", "DeleteResult", examples::deletes()),
        _ => Operation::new("readManifest", INGEST, "Read the ids and digests of a scope")
            .describe(
                "Whoever has this can tell what a bulk would do without sending it. With the `ETag` in \
                 `If-None-Match`, an unchanged scope is answered in a few bytes.",
            )
            .takes(&["table", "groupKey", "ifNoneMatch"])
            .answers(200, "The manifest.", "Manifest", examples::manifest())
            .with_header(200, "ETag")
            .answers_empty(304, "The scope is as it was.")
            .with_header(304, "ETag"),
    }
}

const NO_GROUP: &str = "There is no such group.";
const NO_SCHEMA: &str = "There is no such schema.";
const NO_INTEGRATION: &str = "There is no such integration.";

fn groups(action: Action) -> Operation {
    match action {
        Action::CreateGroup => Operation::new("createGroup", MANAGE, "Create a group")
            .body("NewGroup", examples::new_group())
            .answers(201, "The group.", "Group", examples::group())
            .fails_as(Code::NameTaken, "The name or the prefix is in use; `parameter` says which.")
            .fails(Code::Conflict),
        Action::ListGroups => Operation::new("listGroups", MANAGE, "List the groups")
            .takes(&["limit", "cursor"])
            .answers(200, "A page of groups, the oldest first.", "GroupList", Vec::new()),
        Action::ReadGroup => Operation::new("readGroup", MANAGE, "Read a group")
            .takes(&["prefix"])
            .answers(200, "The group.", "Group", examples::group())
            .fails_as(Code::NotFound, NO_GROUP),
        Action::ChangeGroup => Operation::new("changeGroup", MANAGE, "Change a group")
            .describe("The prefix is part of resource names and never changes.")
            .takes(&["prefix"])
            .body("GroupChange", examples::group_change())
            .answers(200, "The group.", "Group", Vec::new())
            .fails_as(Code::NotFound, NO_GROUP)
            .fails_as(Code::NameTaken, "The name is in use.")
            .fails(Code::Conflict),
        _ => Operation::new("deleteGroup", MANAGE, "Delete a group")
            .takes(&["prefix"])
            .answers_empty(204, "The group is gone.")
            .fails_as(Code::NotFound, NO_GROUP)
            .fails_as(Code::InUse, "The group has a live schema or an integration."),
    }
}

fn schemas(action: Action) -> Operation {
    match action {
        Action::CheckSchema => Operation::new("checkSchema", MANAGE, "Check a schema")
            .describe("Says all that is wrong with a schema, and lets test data through it. Stores nothing.")
            .body("SchemaCheck", examples::schema_check())
            .answers(200, "The report, whatever it says.", "SchemaReport", examples::schema_reports()),
        Action::CreateSchema => Operation::new("createSchema", MANAGE, "Create a table's schema")
            .describe("With `testData` that does not pass, nothing is created.")
            .body("NewSchema", examples::new_schema())
            .answers(201, "The schema.", "Schema", examples::schema())
            .fails_as(Code::NotFound, NO_GROUP)
            .fails_as(Code::NameTaken, "The name or the table is in use; `parameter` says which.")
            .fails(Code::NameRetired)
            .fails(Code::Conflict)
            .fails(Code::SchemaInvalid)
            .fails(Code::TestDataInvalid)
            .example_problem("no id", examples::invalid_schema()),
        Action::ListSchemas => Operation::new("listSchemas", MANAGE, "List the live schemas")
            .takes(&["limit", "cursor"])
            .answers(200, "A page of schemas, the oldest first.", "SchemaList", Vec::new()),
        Action::ReadSchema => Operation::new("readSchema", MANAGE, "Read a schema")
            .takes(&["resourceName"])
            .answers(200, "The schema.", "Schema", examples::schema())
            .fails_as(Code::NotFound, NO_SCHEMA)
            .fails(Code::TableRetired),
        Action::ReplaceSchema => Operation::new("replaceSchema", MANAGE, "Replace a schema")
            .describe(
                "Every `PUT` makes a new version. What is stored stays as it is; what comes from now on is \
                 checked against the new version.",
            )
            .takes(&["resourceName"])
            .body("SchemaReplacement", examples::schema_replacement())
            .answers(200, "The schema.", "Schema", Vec::new())
            .fails_as(Code::NotFound, NO_SCHEMA)
            .fails_as(Code::NameTaken, "The name is in use.")
            .fails(Code::Conflict)
            .fails(Code::TableRetired)
            .fails(Code::SchemaInvalid)
            .fails(Code::TestDataInvalid),
        _ => Operation::new("deleteSchema", MANAGE, "Retire a table")
            .describe(
                "The resource name is never used again. The history of the table's resources stays readable.",
            )
            .takes(&["resourceName", "force"])
            .answers_empty(204, "The table is retired.")
            .fails_as(Code::NotFound, NO_SCHEMA)
            .fails_as(Code::InUse, "The table has live resources, and `force` is not `true`.")
            .fails(Code::TableRetired),
    }
}

fn integrations(action: Action) -> Operation {
    match action {
        Action::CreateIntegration => Operation::new("createIntegration", MANAGE, "Create an integration")
            .describe("The answer holds the first ingest key, this once.")
            .body("NewIntegration", examples::new_integration())
            .answers(
                201,
                "The integration, with its first key.",
                "CreatedIntegration",
                examples::created_integration(),
            )
            .fails_as(Code::NotFound, NO_GROUP)
            .fails_as(Code::NameTaken, "The name is in use.")
            .fails(Code::GroupWithoutSchemas)
            .fails(Code::Conflict),
        Action::ListIntegrations => Operation::new("listIntegrations", MANAGE, "List the integrations")
            .takes(&["limit", "cursor"])
            .answers(200, "A page of integrations, the oldest first.", "IntegrationList", Vec::new()),
        Action::ReadIntegration => {
            Operation::new("readIntegration", MANAGE, "Read an integration and its keys")
                .takes(&["integrationId"])
                .answers(200, "The integration.", "Integration", examples::integration())
                .fails_as(Code::NotFound, NO_INTEGRATION)
        }
        Action::ChangeIntegration => Operation::new("changeIntegration", MANAGE, "Change an integration")
            .describe("With `enabled` set to `false`, its keys are refused with `integration-disabled`.")
            .takes(&["integrationId"])
            .body("IntegrationChange", examples::integration_change())
            .answers(200, "The integration.", "Integration", Vec::new())
            .fails_as(Code::NotFound, NO_INTEGRATION)
            .fails_as(Code::NameTaken, "The name is in use.")
            .fails(Code::Conflict),
        Action::DeleteIntegration => Operation::new("deleteIntegration", MANAGE, "Delete an integration")
            .describe(
                "Revokes its keys and records the removal of its resources. Their history stays readable.",
            )
            .takes(&["integrationId"])
            .answers_empty(204, "The integration is gone.")
            .fails_as(Code::NotFound, NO_INTEGRATION),
        Action::CreateKey => Operation::new("createKey", MANAGE, "Make another ingest key")
            .describe(
                "An integration has at most two live keys, so that one can be replaced without a pause.",
            )
            .takes(&["integrationId"])
            .answers(201, "The key, shown this once.", "CreatedKey", examples::created_key())
            .fails_as(Code::NotFound, NO_INTEGRATION)
            .fails_as(Code::Conflict, "The integration has two live keys already."),
        _ => Operation::new("revokeKey", MANAGE, "Revoke an ingest key")
            .describe("It takes effect at once.")
            .takes(&["integrationId", "keyId"])
            .answers_empty(204, "The key opens nothing any more.")
            .fails_as(Code::NotFound, "The integration has no such live key."),
    }
}

fn reading(action: Action) -> Operation {
    match action {
        Action::ListResources => Operation::new("listResources", READ, "List resources")
            .takes(&["ofTable", "ofIntegration", "ofGroupKey", "ofId", "at", "limit", "cursor"])
            .answers(200, "A page of resources.", "ResourceList", examples::resources()),
        Action::ReadResource => Operation::new("readResource", READ, "Read a resource")
            .describe(
                "Where several integrations have a resource of this id, the parameter `integration` says which \
                 one is meant; without it the answer is `bad-parameter`.",
            )
            .takes(&["resourceName", "resourceId", "ofIntegration", "groupKey", "at"])
            .answers(200, "The resource.", "Resource", examples::resource())
            .fails_as(Code::NotFound, "There is no such resource."),
        _ => Operation::new("listChanges", READ, "Read the feed of changes")
            .describe(
                "Read in ascending order by `after`, the feed never skips a change that was committed, whatever \
                 was written at the same time. It keeps the history of removed resources, retired tables and \
                 deleted integrations.\n\n\
                 Who runs the service may have old history forgotten (`--keep-history`). Of what is older than that, \
                 each resource's last change is kept, and nothing of a resource that was removed by then. So whoever \
                 reads from the beginning, page by page by `nextCursor`, still comes to the state that is. Whoever has \
                 stayed behind is never left to miss something in silence: the answer is `bad-parameter`. To begin \
                 anew, take the `changeId` of the feed's latest change, read the resources, and go on after it.",
            )
            .takes(&[
                "ofTable", "ofIntegration", "ofGroupKey", "ofId", "ofType", "order", "after", "limit", "cursor",
            ])
            .answers(200, "A page of changes.", "ChangeList", examples::changes()),
    }
}

fn operate(action: Action) -> Operation {
    match action {
        Action::Console => Operation::new("readFrontPage", OPERATE, "The front page")
            .answers_page("A page that says what this is."),
        Action::Docs => {
            Operation::new("readDocs", OPERATE, "This API's documentation").answers_page("The documentation.")
        }
        Action::OpenApi => Operation::new("readOpenApi", OPERATE, "This API's description").answers(
            200,
            "An OpenAPI 3.1 document.",
            "OpenApi",
            Vec::new(),
        ),
        Action::Health => Operation::new("readHealth", OPERATE, "Whether the service runs").answers(
            200,
            "It runs.",
            "Status",
            examples::status("ok"),
        ),
        _ => Operation::new("readReadiness", OPERATE, "Whether the service can do its work").answers(
            200,
            "It runs, and its database answers.",
            "Status",
            examples::status("ready"),
        ),
    }
}
