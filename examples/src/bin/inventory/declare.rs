//! The group, the schema and the integration: made where they are missing, used where they are
//! there already.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::api::{Api, Problem, encoded};

const GROUP: &str = "inventory";
const INTEGRATION: &str = "Package inventory";
const SCHEMA: &str = include_str!("schema.json");
/// The resource name: the group's prefix, and the table's name `package`.
pub(crate) const TABLE: &str = "_inventory_package";

/// The integration that the snapshots go through.
#[derive(Debug)]
pub(crate) struct Integration {
    pub(crate) id: String,
    /// The key that came with it, when it was made just now.
    first_key: Option<Key>,
}

/// An ingest key. Its secret is shown once, so one that is wanted later has to be kept, or, as
/// here, made anew.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    id: String,
    pub(crate) secret: String,
}

/// Sees to it that everything is there that a push needs.
pub(crate) fn declare(api: &Api) -> Result<Integration> {
    declare_group(api)?;
    declare_schema(api)?;
    let integration = declare_integration(api)?;
    println!();
    Ok(integration)
}

fn declare_group(api: &Api) -> Result<()> {
    let found = api.find(&format!("/api/v1/groups/{GROUP}"))?;
    if found.is_none() {
        let group = json!({ "name": "Inventory", "prefix": GROUP, "description": "What is installed where" });
        api.create("/api/v1/groups", &group)?;
    }
    report("group", GROUP, if found.is_some() { "there" } else { "created" });
    Ok(())
}

fn declare_schema(api: &Api) -> Result<()> {
    let address = format!("/api/v1/schemas/{TABLE}");
    let schema: Value = serde_json::from_str(SCHEMA)?;
    let example = json!({ "id": "bash:amd64", "manager": "dpkg", "name": "bash", "version": "5.2.15-2" });
    let done = match api.find(&address)? {
        None => {
            let table = json!({
                "group": GROUP, "name": "Package", "table": "package", "schema": schema, "testData": example,
            });
            api.create("/api/v1/schemas", &table)?;
            "created"
        }
        Some(stored) if stored.get("schema") == Some(&schema) => "there",
        Some(_) => {
            api.replace(&address, &json!({ "schema": schema, "testData": example }))?;
            "new version"
        }
    };
    report("schema", TABLE, done);
    Ok(())
}

fn declare_integration(api: &Api) -> Result<Integration> {
    let all = api.list("/api/v1/integrations?limit=1000")?;
    let found = all.iter().find(|one| one.get("name").and_then(Value::as_str) == Some(INTEGRATION));
    if let Some(found) = found {
        report("integration", INTEGRATION, "there");
        return Ok(Integration { id: text(found, "/id")?, first_key: None });
    }
    let integration = json!({ "name": INTEGRATION, "group": GROUP, "tags": ["example"] });
    let made = api.create("/api/v1/integrations", &integration)?;
    report("integration", INTEGRATION, "created");
    let key = Key { id: text(&made, "/keys/0/id")?, secret: text(&made, "/ingestKey")? };
    Ok(Integration { id: text(&made, "/id")?, first_key: Some(key) })
}

impl Integration {
    /// A live key: the one that was made with the integration, or a new one.
    pub(crate) fn key(&self, api: &Api) -> Result<Key> {
        if let Some(key) = &self.first_key {
            return Ok(key.clone());
        }
        let address = format!("/api/v1/integrations/{}", encoded(&self.id));
        match api.create_plain(&format!("{address}/keys")) {
            Ok(made) => Ok(Key { id: text(&made, "/id")?, secret: text(&made, "/ingestKey")? }),
            Err(error) if Problem::is(&error, "conflict") => {
                // Two runs were broken off before they revoked theirs, or are under way.
                let integration = api.read(&address)?;
                let keys: Vec<String> = integration
                    .pointer("/keys")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .map(|key| {
                        let member = |name| key.get(name).and_then(Value::as_str).unwrap_or("never");
                        format!(
                            "  {} (made {}, last used {})",
                            member("id"),
                            member("createdAt"),
                            member("lastUsedAt")
                        )
                    })
                    .collect();
                bail!(
                    "{error}\n`{INTEGRATION}` has these live keys; revoke one that nobody uses with \
                     `DELETE {address}/keys/{{keyId}}`:\n{}",
                    keys.join("\n")
                )
            }
            Err(error) => Err(error),
        }
    }
}

impl Key {
    /// Ends the key; requests that carry it are refused from now on.
    pub(crate) fn revoke(&self, api: &Api, integration: &str) -> Result<()> {
        api.delete(&format!("/api/v1/integrations/{}/keys/{}", encoded(integration), encoded(&self.id)))
    }
}

fn text(value: &Value, pointer: &str) -> Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("the server's answer has no `{pointer}`"))
}

fn report(kind: &str, name: &str, done: &str) {
    println!("{kind:<12} {name:<20} {done}");
}
