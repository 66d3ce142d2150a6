//! Groups, schemas, integrations and keys.

use std::sync::Arc;

use bytes::BytesMut;
use http::HeaderMap;
use serde_json::json;

use super::answer::{Answer, row_cursor};
use super::failure::{Failure, Handled};
use super::host::{Body, Clock, Configuration, Randomness, Sql};
use super::json::{Object, array};
use super::request::{Command, Parameters, command_document, read_body};
use super::store::{Group, Integration, Key, NewIntegration, NewSchema, Page, StoreError, StoredSchema};
use super::{Secret, Service, no_content, time};
use crate::check::{CheckOptions, Rejection};
use crate::document::Node;
use crate::problem::Code;
use crate::report::{PayloadReport, ProblemDetails, SchemaReport};
use crate::schema::PreparedSchema;

/// The largest body of a command: a schema and a payload fit in.
pub(super) const COMMAND_BYTES: usize = crate::limits::RESOURCE_BYTES + 4 * crate::limits::SCHEMA_BYTES;
pub(super) const NAME: std::ops::RangeInclusive<usize> = 1..=100;
pub(super) const DESCRIPTION: std::ops::RangeInclusive<usize> = 0..=1000;

/// What the worked example needs to be tried.
#[derive(Debug, Clone)]
pub struct Demo {
    /// The resource name of its table.
    pub table: String,
    /// A live ingest key of its integration.
    pub ingest_key: String,
}

impl<S: Sql, C: Clock, R: Randomness, T: Configuration> Service<S, C, R, T> {
    async fn command<B: Body>(&self, headers: &HeaderMap, body: &mut B) -> Handled<BytesMut> {
        read_body(headers, body, COMMAND_BYTES).await
    }

    pub(super) async fn create_group<B: Body>(&self, headers: &HeaderMap, body: &mut B) -> Handled<Answer> {
        let bytes = self.command(headers, body).await?;
        let document = command_document(&bytes)?;
        let command = Command::of(&document, &["name", "description", "prefix"])?;
        let name = command.required_text("name", NAME)?;
        let description = command.text("description", DESCRIPTION)?;
        let Some(prefix) = command.identifier("prefix")? else {
            return Err(Failure::member("prefix", "the member `prefix` is missing"));
        };
        let now = self.clock.now_unix_millis();
        self.store.create_group(&self.new_id(), prefix, name, description, now).await?;
        Ok(Answer::created(self.group_text(prefix).await.map_err(Failure::although_done)?))
    }

    async fn group_text(&self, prefix: &str) -> Handled<String> {
        let group = self.store.group(prefix).await?;
        group.as_ref().map(group_text).ok_or_else(|| Failure::not_found("group"))
    }

    pub(super) async fn list_groups(&self, parameters: &Parameters<'_>) -> Handled<Answer> {
        let page =
            self.store.groups(parameters.row_cursor()?.unwrap_or_default(), parameters.limit()?).await?;
        Ok(list(&page, |group| group.seq, group_text))
    }

    pub(super) async fn read_group(&self, prefix: &str) -> Handled<Answer> {
        Ok(Answer::ok(self.group_text(prefix).await?))
    }

    pub(super) async fn change_group<B: Body>(
        &self,
        prefix: &str,
        headers: &HeaderMap,
        body: &mut B,
    ) -> Handled<Answer> {
        let bytes = self.command(headers, body).await?;
        let document = command_document(&bytes)?;
        let command = Command::of(&document, &["name", "description", "prefix"])?;
        fixed(command, "prefix", prefix)?;
        let Some(group) = self.store.group(prefix).await? else { return Err(Failure::not_found("group")) };
        let name = command.text("name", NAME)?.unwrap_or(&group.name);
        let description = match command.has("description") {
            true => command.text("description", DESCRIPTION)?,
            false => group.description.as_deref(),
        };
        self.store.change_group(prefix, name, description).await?;
        Ok(Answer::ok(self.group_text(prefix).await.map_err(Failure::although_done)?))
    }

    pub(super) async fn delete_group(&self, prefix: &str) -> Handled<Answer> {
        self.store.delete_group(prefix).await?;
        Ok(no_content())
    }

    pub(super) async fn check_schema<B: Body>(&self, headers: &HeaderMap, body: &mut B) -> Handled<Answer> {
        let bytes = self.command(headers, body).await?;
        let document = command_document(&bytes)?;
        let command = Command::of(&document, &["schema", "testData"])?;
        let prepared = PreparedSchema::prepare(command.value("schema")?.to_text().as_bytes());
        let test_data = match (&prepared, command.node("testData")) {
            (Ok(schema), Some(node)) => {
                let text = node.to_text();
                let outcome = schema.check(text.as_bytes(), CheckOptions::default());
                Some(PayloadReport::of(&outcome))
            }
            _ => None,
        };
        let report = serde_json::to_string(&SchemaReport::of(&prepared)).unwrap_or_default();
        Ok(Answer::ok(Object::new().members_of(&report).with("testData", &test_data).finish()))
    }

    /// Prepares what a `POST` or `PUT` brings, and lets its test data through the gate.
    fn accept_schema(command: Command<'_>) -> Handled<(PreparedSchema, String, Option<String>)> {
        let text = command.value("schema")?.to_text();
        let schema = PreparedSchema::prepare(text.as_bytes())
            .map_err(|problems| Failure::from(ProblemDetails::schema_invalid(&problems)))?;
        let test_data = command.node("testData").map(Node::to_text);
        if let Some(test_data) = &test_data
            && let Err(rejection) = schema.check(test_data.as_bytes(), CheckOptions::default())
        {
            return Err(test_data_invalid(rejection));
        }
        Ok((schema, text, test_data))
    }

    pub(super) async fn create_schema<B: Body>(&self, headers: &HeaderMap, body: &mut B) -> Handled<Answer> {
        let bytes = self.command(headers, body).await?;
        let document = command_document(&bytes)?;
        let command = Command::of(&document, &["group", "name", "table", "schema", "testData"])?;
        let group = command.required_text("group", 1..=50)?;
        let name = command.required_text("name", NAME)?;
        let Some(table) = command.identifier("table")? else {
            return Err(Failure::member("table", "the member `table` is missing"));
        };
        let (schema, text, test_data) = Self::accept_schema(command)?;
        let resource_name = format!("_{group}_{table}");
        let digest = schema.digest().to_string();
        let new = NewSchema { name, schema: &text, test_data: test_data.as_deref(), digest: &digest };
        let now = self.clock.now_unix_millis();
        self.store.create_schema(&self.new_id(), &resource_name, group, table, new, now).await?;
        self.common.cache.keep(digest, Arc::new(schema));
        let text = self.schema_text(&resource_name).await.map_err(Failure::although_done)?;
        Ok(Answer::created(text))
    }

    async fn live_schema(&self, resource_name: &str) -> Handled<StoredSchema> {
        match self.store.schema(resource_name).await? {
            None => Err(Failure::not_found("schema")),
            Some(schema) if schema.retired_at.is_some() => {
                Err(Failure::new(Code::TableRetired, "this table was removed"))
            }
            Some(schema) => Ok(schema),
        }
    }

    /// A schema with what preparing it tells.
    async fn schema_text(&self, resource_name: &str) -> Handled<String> {
        let stored = self.live_schema(resource_name).await?;
        let prepared = self.prepared(&stored.digest, async || Ok(Some(stored.schema.clone()))).await?;
        Ok(Object::new()
            .members_of(&schema_text(&stored))
            .raw("effectiveSchema", Some(prepared.effective_schema()))
            .with("columns", prepared.columns())
            .with("openObjects", prepared.open_objects())
            .with("warnings", prepared.warnings())
            .finish())
    }

    pub(super) async fn list_schemas(&self, parameters: &Parameters<'_>) -> Handled<Answer> {
        let page =
            self.store.schemas(parameters.row_cursor()?.unwrap_or_default(), parameters.limit()?).await?;
        Ok(list(&page, |schema| schema.seq, schema_text))
    }

    pub(super) async fn read_schema(&self, resource_name: &str) -> Handled<Answer> {
        Ok(Answer::ok(self.schema_text(resource_name).await?))
    }

    pub(super) async fn replace_schema<B: Body>(
        &self,
        resource_name: &str,
        headers: &HeaderMap,
        body: &mut B,
    ) -> Handled<Answer> {
        let bytes = self.command(headers, body).await?;
        let document = command_document(&bytes)?;
        let command = Command::of(&document, &["group", "name", "table", "schema", "testData"])?;
        let stored = self.live_schema(resource_name).await?;
        fixed(command, "group", &stored.group)?;
        fixed(command, "table", &stored.table)?;
        let name = command.text("name", NAME)?.unwrap_or(&stored.name);
        let (schema, text, test_data) = Self::accept_schema(command)?;
        let digest = schema.digest().to_string();
        let new = NewSchema { name, schema: &text, test_data: test_data.as_deref(), digest: &digest };
        self.store.replace_schema(resource_name, new, self.clock.now_unix_millis()).await?;
        self.common.cache.keep(digest, Arc::new(schema));
        Ok(Answer::ok(self.schema_text(resource_name).await.map_err(Failure::although_done)?))
    }

    pub(super) async fn delete_schema(
        &self,
        resource_name: &str,
        parameters: &Parameters<'_>,
    ) -> Handled<Answer> {
        let force = parameters.boolean("force")?;
        let now = self.clock.now_unix_millis();
        self.store.retire_schema(resource_name, force, &self.new_id(), now).await?;
        Ok(no_content())
    }

    pub(super) async fn create_integration<B: Body>(
        &self,
        headers: &HeaderMap,
        body: &mut B,
    ) -> Handled<Answer> {
        let bytes = self.command(headers, body).await?;
        let document = command_document(&bytes)?;
        let command = Command::of(&document, &["name", "description", "tags", "group", "enabled"])?;
        let (id, key_id, key) = (self.new_id(), self.new_id(), self.new_key());
        let new = NewIntegration {
            id: &id,
            name: command.required_text("name", NAME)?,
            description: command.text("description", DESCRIPTION)?,
            tags: &command.texts("tags")?.unwrap_or_else(|| "[]".to_owned()),
            group: command.required_text("group", 1..=50)?,
            enabled: command.boolean("enabled")?.unwrap_or(true),
            key_id: &key_id,
            key_hash: &Secret::of(key.as_bytes()).to_hex(),
        };
        self.store.create_integration(new, self.clock.now_unix_millis()).await?;
        let integration = self.integration_text(&id).await.map_err(Failure::although_done)?;
        Ok(Answer::created(Object::new().members_of(&integration).with("ingestKey", &key).finish()))
    }

    async fn integration_text(&self, id: &str) -> Handled<String> {
        let Some(integration) = self.store.integration(id).await? else {
            return Err(Failure::not_found("integration"));
        };
        let keys = self.store.keys(id).await?;
        Ok(Object::new()
            .members_of(&integration_text(&integration))
            .raw("keys", Some(&array(keys.iter().map(key_text))))
            .finish())
    }

    pub(super) async fn list_integrations(&self, parameters: &Parameters<'_>) -> Handled<Answer> {
        let page = self
            .store
            .integrations(parameters.row_cursor()?.unwrap_or_default(), parameters.limit()?)
            .await?;
        Ok(list(&page, |integration| integration.seq, integration_text))
    }

    pub(super) async fn read_integration(&self, id: &str) -> Handled<Answer> {
        Ok(Answer::ok(self.integration_text(id).await?))
    }

    pub(super) async fn change_integration<B: Body>(
        &self,
        id: &str,
        headers: &HeaderMap,
        body: &mut B,
    ) -> Handled<Answer> {
        let bytes = self.command(headers, body).await?;
        let document = command_document(&bytes)?;
        let command = Command::of(&document, &["name", "description", "tags", "group", "enabled"])?;
        let Some(mut integration) = self.store.integration(id).await? else {
            return Err(Failure::not_found("integration"));
        };
        fixed(command, "group", &integration.group)?;
        if let Some(name) = command.text("name", NAME)? {
            name.clone_into(&mut integration.name);
        }
        if command.has("description") {
            integration.description = command.text("description", DESCRIPTION)?.map(str::to_owned);
        }
        if command.has("tags") {
            integration.tags = command.texts("tags")?.unwrap_or_else(|| "[]".to_owned());
        }
        if let Some(enabled) = command.boolean("enabled")? {
            integration.enabled = enabled;
        }
        self.store.change_integration(&integration).await?;
        Ok(Answer::ok(self.integration_text(id).await.map_err(Failure::although_done)?))
    }

    pub(super) async fn delete_integration(&self, id: &str) -> Handled<Answer> {
        self.store.delete_integration(id, &self.new_id(), self.clock.now_unix_millis()).await?;
        Ok(no_content())
    }

    pub(super) async fn create_key(&self, integration: &str) -> Handled<Answer> {
        let (id, key, now) = (self.new_id(), self.new_key(), self.clock.now_unix_millis());
        self.store.create_key(&id, integration, &Secret::of(key.as_bytes()).to_hex(), now).await?;
        let text =
            Object::new().with("id", &id).with("ingestKey", &key).with("createdAt", &time::format(now));
        Ok(Answer::created(text.finish()))
    }

    pub(super) async fn delete_key(&self, integration: &str, key: &str) -> Handled<Answer> {
        if self.store.revoke_key(integration, key, self.clock.now_unix_millis()).await? {
            Ok(no_content())
        } else {
            Err(Failure::not_found("key"))
        }
    }

    /// Puts the worked example's group, schema and integration into an empty database. Where they
    /// stand already, only a new key is made, in place of the older one of two; where other things
    /// stand, `None`.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn install_demo(&self) -> Result<Option<Demo>, super::SqlError> {
        self.demo().await.map_err(|error| match error {
            StoreError::Unavailable(why) | StoreError::Unanswered(why) | StoreError::Broken(why) => {
                super::SqlError::Unavailable(why)
            }
            StoreError::Refused(refusal) => super::SqlError::Refused(format!("{refusal:?}")),
        })
    }

    async fn demo(&self) -> Result<Option<Demo>, StoreError> {
        const GROUP: &str = "directory";
        const TABLE: &str = "_directory_employee";
        const INTEGRATION: &str = "Worked example";
        let now = self.clock.now_unix_millis();
        let (key_id, key) = (self.new_id(), self.new_key());
        let key_hash = Secret::of(key.as_bytes()).to_hex();
        let demo = Demo { table: TABLE.to_owned(), ingest_key: key };
        let groups = self.store.groups(0, 1).await?;
        if groups.items.is_empty() {
            let schema = demo_schema();
            let digest = match PreparedSchema::prepare(schema.as_bytes()) {
                Ok(schema) => schema.digest().to_string(),
                Err(_) => {
                    return Err(StoreError::Broken("the example's schema cannot be prepared".to_owned()));
                }
            };
            let description = Some("Who works here");
            self.store.create_group(&self.new_id(), GROUP, "Directory", description, now).await?;
            let new = NewSchema { name: "Employee", schema: &schema, test_data: None, digest: &digest };
            self.store.create_schema(&self.new_id(), TABLE, GROUP, "employee", new, now).await?;
            let new = NewIntegration {
                id: &self.new_id(),
                name: INTEGRATION,
                description: Some("Made by `--demo`"),
                tags: "[\"example\"]",
                group: GROUP,
                enabled: true,
                key_id: &key_id,
                key_hash: &key_hash,
            };
            self.store.create_integration(new, now).await?;
            return Ok(Some(demo));
        }
        let integrations = self.store.integrations(0, 1).await?;
        let Some(integration) = integrations.items.first().filter(|first| first.name == INTEGRATION) else {
            return Ok(None);
        };
        let keys = self.store.keys(&integration.id).await?;
        if let [oldest, _, ..] = keys.as_slice() {
            self.store.revoke_key(&integration.id, &oldest.id, now).await?;
        }
        self.store.create_key(&key_id, &integration.id, &key_hash, now).await?;
        Ok(Some(demo))
    }
}

/// The schema of the worked example.
pub(super) fn demo_schema() -> String {
    let text = json!({ "type": "string", "default": "" });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Employee",
        "type": "object",
        "required": ["employeeId"],
        "properties": {
            "employeeId": { "type": "string", "examples": ["18129"] },
            "employee": {
                "type": "object",
                "properties": { "name": text, "username": text, "email": { "type": "string", "format": "email" } }
            },
            "createdAt": { "type": "string", "format": "date" },
            "department": text,
            "salary": { "type": "number", "minimum": 0 },
            "manager": text,
            "active": { "type": "boolean", "default": false }
        },
        "resmo": {
            "id": "employeeId",
            "name": "$.employee.username",
            "importantFields": ["employeeId", "employee", "active"]
        }
    })
    .to_string()
}

fn test_data_invalid(rejection: Rejection) -> Failure {
    let mut problem = ProblemDetails::from(rejection);
    problem.detail = format!("the test data does not pass the schema: {}", problem.detail);
    let code = Code::TestDataInvalid;
    problem.kind = format!("urn:tidegate:problem:{code}");
    (problem.code, problem.title, problem.status) = (code, code.title(), code.status());
    problem.into()
}

/// Refuses to change a member that is fixed for ever; the value it has is accepted.
fn fixed(command: Command<'_>, name: &str, value: &str) -> Handled<()> {
    match command.text(name, 0..=usize::MAX)? {
        Some(other) if other != value => Err(Failure::member(name, format!("`{name}` cannot be changed"))),
        _ => Ok(()),
    }
}

fn list<T>(page: &Page<T>, row: impl Fn(&T) -> i64, text: impl Fn(&T) -> String) -> Answer {
    let next = page.items.last().filter(|_| page.more).map(|item| row_cursor(row(item)));
    Answer::page(page.items.iter().map(text), next.as_deref())
}

fn group_text(group: &Group) -> String {
    Object::new()
        .with("id", &group.id)
        .with("prefix", &group.prefix)
        .with("name", &group.name)
        .with("description", &group.description)
        .with("createdAt", &time::format(group.created_at))
        .finish()
}

fn schema_text(schema: &StoredSchema) -> String {
    Object::new()
        .with("id", &schema.id)
        .with("group", &schema.group)
        .with("name", &schema.name)
        .with("table", &schema.table)
        .with("resourceName", &schema.resource_name)
        .with("version", &schema.version)
        .with("digest", &schema.digest)
        .with("createdAt", &time::format(schema.created_at))
        .with("updatedAt", &time::format(schema.updated_at))
        .raw("schema", Some(&schema.schema))
        .raw("testData", schema.test_data.as_deref())
        .finish()
}

fn integration_text(integration: &Integration) -> String {
    Object::new()
        .with("id", &integration.id)
        .with("name", &integration.name)
        .with("description", &integration.description)
        .raw("tags", Some(&integration.tags))
        .with("group", &integration.group)
        .with("enabled", &integration.enabled)
        .with("createdAt", &time::format(integration.created_at))
        .finish()
}

fn key_text(key: &Key) -> String {
    Object::new()
        .with("id", &key.id)
        .with("createdAt", &time::format(key.created_at))
        .with("lastUsedAt", &key.last_used_at.map(time::format))
        .finish()
}
