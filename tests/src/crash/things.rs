//! One who manages while others write: tables, integrations, keys and groups come and go, and what is
//! gone has to stay gone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::load::{Round, Sent, Target, schema, wish};
use crate::feed::Scope;
use crate::http::Fault;
use crate::http::speaker::Speaker;
use crate::numbers::Numbers;

/// The table that all writers share.
pub(super) const MAIN: &str = "_main_server";
/// The table that the group of the managed integrations always has.
const BASE: &str = "_side_base";
/// How many of each kind live at a time.
const MOST: usize = 3;
/// How many of the dead are looked at after each kill.
const SAMPLE: usize = 6;

/// Everything that is managed, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Things {
    /// Numbers the names, so that none is ever used again.
    made: u64,
    groups: BTreeSet<String>,
    /// Resource names.
    tables: BTreeSet<String>,
    /// By their ids.
    integrations: BTreeMap<String, Integration>,
    /// The version of the shared table's schema.
    version: u64,
    dead: Dead,
    /// What was asked for without an answer.
    pending: Option<Deed>,
    /// What was answered, by kind.
    pub(super) answered: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Clone, Default)]
struct Integration {
    name: String,
    tag: String,
    /// Key ids, with the secret where its answer came.
    keys: BTreeMap<String, Option<String>>,
}

/// What was deleted and must never come back.
#[derive(Debug, Default)]
struct Dead {
    secrets: Vec<String>,
    integrations: Vec<String>,
    tables: Vec<String>,
    groups: Vec<String>,
}

/// One command.
#[derive(Debug, Clone)]
enum Deed {
    CreateGroup(String),
    DeleteGroup(String),
    /// A table's own name.
    CreateTable(String),
    /// A resource name.
    RetireTable(String),
    /// The shared table's next version.
    ReplaceSchema(u64),
    /// A name.
    CreateIntegration(String),
    DeleteIntegration(String),
    Tag(String, String),
    CreateKey(String),
    RevokeKey(String, String),
}

impl Deed {
    fn kind(&self) -> &'static str {
        match self {
            Self::ReplaceSchema(_) => "schemas replaced",
            Self::Tag(..) => "integrations changed",
            Self::CreateGroup(_) | Self::CreateTable(_) | Self::CreateIntegration(_) | Self::CreateKey(_) => {
                "groups, tables, integrations and keys created"
            }
            Self::DeleteGroup(_)
            | Self::RetireTable(_)
            | Self::DeleteIntegration(_)
            | Self::RevokeKey(..) => "groups, tables, integrations and keys removed",
        }
    }

    fn request(&self) -> (&'static str, String, Option<Value>) {
        let (method, address, body) = match self {
            Self::CreateGroup(prefix) => {
                ("POST", "groups".to_owned(), Some(json!({ "name": prefix, "prefix": prefix })))
            }
            Self::DeleteGroup(prefix) => ("DELETE", format!("groups/{prefix}"), None),
            Self::CreateTable(table) => ("POST", "schemas".to_owned(), Some(new_table("side", table))),
            Self::RetireTable(name) => ("DELETE", format!("schemas/{name}?force=true"), None),
            Self::ReplaceSchema(version) => {
                ("PUT", format!("schemas/{MAIN}"), Some(json!({ "schema": schema(&described(*version)) })))
            }
            Self::CreateIntegration(name) => {
                ("POST", "integrations".to_owned(), Some(json!({ "name": name, "group": "side" })))
            }
            Self::DeleteIntegration(id) => ("DELETE", format!("integrations/{id}"), None),
            Self::Tag(id, tag) => ("PATCH", format!("integrations/{id}"), Some(json!({ "tags": [tag] }))),
            Self::CreateKey(id) => ("POST", format!("integrations/{id}/keys"), None),
            Self::RevokeKey(id, key) => ("DELETE", format!("integrations/{id}/keys/{key}"), None),
        };
        (method, format!("/api/v1/{address}"), body)
    }
}

pub(super) fn new_table(group: &str, table: &str) -> Value {
    json!({ "group": group, "name": format!("{group} {table}"), "table": table, "schema": schema("") })
}

fn described(version: u64) -> String {
    format!("version {version}")
}

fn text(value: &Value, name: &str) -> Result<String, Fault> {
    let text = value.get(name).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| format!("{value} has no `{name}`"))
}

impl Things {
    /// Puts into an empty database what the load needs, and gives the scopes that all writers share.
    pub(super) fn declare(&mut self, speaker: &mut Speaker) -> Result<Vec<Target>, Fault> {
        let mut create =
            |what: &str, body: Value| speaker.ask("POST", &format!("/api/v1/{what}"), Some(&body), 201);
        for group in ["main", "side"] {
            create("groups", json!({ "name": group, "prefix": group }))?;
            self.groups.insert(group.to_owned());
        }
        create("schemas", new_table("main", "server"))?;
        create("schemas", new_table("side", "base"))?;
        self.tables.extend([MAIN.to_owned(), BASE.to_owned()]);
        self.version = 1;
        let mut targets = Vec::new();
        for (name, group_keys) in [("one", &["", "north"][..]), ("two", &[""])] {
            let answer = create("integrations", json!({ "name": name, "group": "main" }))?;
            let (id, key) = (text(&answer, "id")?, text(&answer, "ingestKey")?);
            targets.extend(group_keys.iter().map(|group_key| Target {
                scope: Scope {
                    integration: id.clone(),
                    table: MAIN.to_owned(),
                    group_key: (*group_key).to_owned(),
                },
                key: key.clone(),
            }));
            let keys = keys(&answer)?.into_iter().map(|id| (id, Some(key.clone()))).collect();
            self.integrations.insert(id, Integration { name: name.to_owned(), tag: String::new(), keys });
        }
        Ok(targets)
    }

    /// Manages until the round is over, and sends resources in between.
    pub(super) fn manage(
        &mut self,
        round: &Round<'_>,
        speaker: &mut Speaker,
        mut numbers: Numbers,
        name: &str,
    ) -> Result<Vec<Sent>, Fault> {
        let mut all = Vec::new();
        while !round.is_over() && self.pending.is_none() {
            if numbers.percent(50)
                && let Some(target) = self.target(&mut numbers)
            {
                let tag = format!("{name}-{}", all.len());
                let wish = wish(&mut numbers, &tag);
                all.push(round.send(speaker, &target, tag, wish)?);
            } else {
                let deed = self.choose(&mut numbers);
                self.perform(round, speaker, deed)?;
            }
        }
        Ok(all)
    }

    /// A scope of one of the managed integrations.
    fn target(&self, numbers: &mut Numbers) -> Option<Target> {
        let (id, integration) = self.managed().nth(numbers.index(self.managed().count()))?;
        let key = integration.keys.values().flatten().next()?;
        let tables: Vec<&String> = self.tables.iter().filter(|table| table.starts_with("_side_")).collect();
        let table = tables.get(numbers.index(tables.len()))?;
        let scope = Scope { integration: id.clone(), table: (*table).clone(), group_key: String::new() };
        Some(Target { scope, key: key.clone() })
    }

    fn managed(&self) -> impl Iterator<Item = (&String, &Integration)> {
        self.integrations.iter().filter(|(_, integration)| integration.name.starts_with("side"))
    }

    fn choose(&mut self, numbers: &mut Numbers) -> Deed {
        self.made += 1;
        let number = self.made;
        let groups: Vec<String> = self.groups.iter().filter(|name| name.starts_with('g')).cloned().collect();
        let tables: Vec<String> =
            self.tables.iter().filter(|name| name.starts_with("_side_t")).cloned().collect();
        let ids: Vec<String> = self.managed().map(|(id, _)| id.clone()).collect();
        let some = numbers.pick(&ids);
        let keys: Vec<String> = self
            .integrations
            .get(&some)
            .map(|known| known.keys.keys().cloned().collect())
            .unwrap_or_default();
        match numbers.below(8) {
            0 if groups.len() < MOST => Deed::CreateGroup(format!("g{number}")),
            0 => Deed::DeleteGroup(numbers.pick(&groups)),
            1 | 2 if tables.len() < MOST => Deed::CreateTable(format!("t{number}")),
            1 | 2 => Deed::RetireTable(numbers.pick(&tables)),
            3 => Deed::ReplaceSchema(self.version + 1),
            4 if !some.is_empty() => Deed::Tag(some, format!("tag {number}")),
            5 | 6 if !some.is_empty() && keys.len() < 2 => Deed::CreateKey(some),
            5 | 6 if !some.is_empty() => Deed::RevokeKey(some, numbers.pick(&keys)),
            _ if ids.len() < MOST => Deed::CreateIntegration(format!("side {number}")),
            _ => Deed::DeleteIntegration(some),
        }
    }

    fn perform(&mut self, round: &Round<'_>, speaker: &mut Speaker, deed: Deed) -> Result<(), Fault> {
        let (method, address, body) = deed.request();
        let answer = match speaker.send(method, &address, body.as_ref()) {
            Ok(answer) => answer,
            Err(_) if round.is_dying() => {
                self.pending = Some(deed);
                return Ok(());
            }
            Err(fault) => return Err(fault),
        };
        let told = String::from_utf8_lossy(&answer.body);
        match answer.status {
            200..300 => {
                let body = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
                *self.answered.entry(deed.kind()).or_default() += 1;
                self.settle(&deed, &body)
            }
            503 if told.contains("nothing of this request has taken effect") => Ok(()),
            // A command may have been carried out, and only reading what to answer has failed.
            503 => {
                self.pending = Some(deed);
                Ok(())
            }
            // Others kept changing what it is about.
            409 if told.contains("\"conflict\"") => Ok(()),
            status => Err(format!("{method} {address}: {status} {told}")),
        }
    }

    /// Notes that a command was carried out.
    fn settle(&mut self, deed: &Deed, answer: &Value) -> Result<(), Fault> {
        match deed {
            Deed::CreateGroup(prefix) => {
                self.groups.insert(prefix.clone());
            }
            Deed::DeleteGroup(prefix) => {
                self.groups.remove(prefix);
                self.dead.groups.push(prefix.clone());
            }
            Deed::CreateTable(table) => {
                self.tables.insert(format!("_side_{table}"));
            }
            Deed::RetireTable(name) => {
                self.tables.remove(name);
                self.dead.tables.push(name.clone());
            }
            Deed::ReplaceSchema(version) => self.version = *version,
            Deed::CreateIntegration(name) => {
                let secret = answer.get("ingestKey").and_then(Value::as_str).map(str::to_owned);
                let keys = keys(answer)?.into_iter().map(|id| (id, secret.clone())).collect();
                let integration = Integration { name: name.clone(), tag: String::new(), keys };
                self.integrations.insert(text(answer, "id")?, integration);
            }
            Deed::DeleteIntegration(id) => {
                let gone = self.integrations.remove(id).unwrap_or_default();
                self.dead.secrets.extend(gone.keys.into_values().flatten());
                self.dead.integrations.push(id.clone());
            }
            Deed::Tag(id, tag) => {
                if let Some(integration) = self.integrations.get_mut(id) {
                    integration.tag.clone_from(tag);
                }
            }
            Deed::CreateKey(id) => {
                let secret = answer.get("ingestKey").and_then(Value::as_str).map(str::to_owned);
                if let Some(integration) = self.integrations.get_mut(id) {
                    integration.keys.insert(text(answer, "id")?, secret);
                }
            }
            Deed::RevokeKey(id, key) => {
                if let Some(integration) = self.integrations.get_mut(id) {
                    self.dead.secrets.extend(integration.keys.remove(key).flatten());
                }
            }
        }
        Ok(())
    }

    /// Finds out what became of the command that was not answered: it was carried out whole, or not at
    /// all. From then on it stays as it is.
    pub(super) fn resolve(&mut self, speaker: &mut Speaker) -> Result<(), Fault> {
        let Some(deed) = self.pending.take() else { return Ok(()) };
        let exists = |speaker: &mut Speaker, address: &str, gone: u16| {
            let answer = speaker.send("GET", &format!("/api/v1/{address}"), None)?;
            match answer.status {
                200 => Ok(true),
                status if status == gone => Ok(false),
                status => Err(format!("{address}: {status}, after {deed:?} was not answered")),
            }
        };
        let done = match &deed {
            Deed::CreateGroup(prefix) => exists(speaker, &format!("groups/{prefix}"), 404)?,
            Deed::DeleteGroup(prefix) => !exists(speaker, &format!("groups/{prefix}"), 404)?,
            Deed::CreateTable(table) => exists(speaker, &format!("schemas/_side_{table}"), 404)?,
            Deed::RetireTable(name) => !exists(speaker, &format!("schemas/{name}"), 410)?,
            Deed::ReplaceSchema(version) => self.version_of_main(speaker)? == *version,
            Deed::CreateIntegration(name) => {
                let found = list(speaker, "integrations", "name")?;
                match found.get(name).map(|item| text(item, "id")).transpose()? {
                    None => false,
                    Some(id) => {
                        // Its key's secret was in the answer that never came.
                        let answer = speaker.ask("GET", &format!("/api/v1/integrations/{id}"), None, 200)?;
                        if keys(&answer)?.len() != 1 {
                            return Err(format!("an integration was created by half: {answer}"));
                        }
                        return self.settle(&deed, &answer);
                    }
                }
            }
            Deed::DeleteIntegration(id) => !exists(speaker, &format!("integrations/{id}"), 404)?,
            Deed::Tag(id, tag) => {
                let answer = speaker.ask("GET", &format!("/api/v1/integrations/{id}"), None, 200)?;
                answer.get("tags") == Some(&json!([tag]))
            }
            Deed::CreateKey(id) => {
                let answer = speaker.ask("GET", &format!("/api/v1/integrations/{id}"), None, 200)?;
                let known = self.integrations.get(id).cloned().unwrap_or_default();
                match keys(&answer)?.into_iter().find(|key| !known.keys.contains_key(key)) {
                    Some(key) => return self.settle(&deed, &json!({ "id": key })),
                    None => false,
                }
            }
            Deed::RevokeKey(id, key) => {
                let answer = speaker.ask("GET", &format!("/api/v1/integrations/{id}"), None, 200)?;
                !keys(&answer)?.contains(key)
            }
        };
        if done { self.settle(&deed, &Value::Null) } else { Ok(()) }
    }

    fn version_of_main(&self, speaker: &mut Speaker) -> Result<u64, Fault> {
        let answer = speaker.ask("GET", &format!("/api/v1/schemas/{MAIN}"), None, 200)?;
        let version = answer.get("version").and_then(Value::as_u64).unwrap_or_default();
        let expected = if version == 1 { String::new() } else { described(version) };
        let found = answer.pointer("/schema/description").and_then(Value::as_str);
        if found != Some(&expected) {
            return Err(format!("version {version} of {MAIN} is described as {found:?}"));
        }
        Ok(version)
    }

    /// Compares everything that lives with what is known, and some of the dead, or all of them.
    pub(super) fn check(
        &self,
        speaker: &mut Speaker,
        numbers: &mut Numbers,
        all_dead: bool,
    ) -> Result<(), Fault> {
        for (what, member, expected) in [
            ("groups", "prefix", self.groups.iter().collect::<Vec<_>>()),
            ("schemas", "resourceName", self.tables.iter().collect()),
            ("integrations", "id", self.integrations.keys().collect()),
        ] {
            let found = list(speaker, what, member)?;
            if !found.keys().eq(expected.iter().copied()) {
                return Err(format!("{what}: there are {:?}, known are {expected:?}", found.keys()));
            }
        }
        let version = self.version_of_main(speaker)?;
        if version != self.version {
            return Err(format!("{MAIN} is at version {version}, answered was {}", self.version));
        }
        for (id, integration) in &self.integrations {
            let answer = speaker.ask("GET", &format!("/api/v1/integrations/{id}"), None, 200)?;
            let tags: Vec<&str> =
                Some(integration.tag.as_str()).filter(|tag| !tag.is_empty()).into_iter().collect();
            if answer.get("tags") != Some(&json!(tags)) || !keys(&answer)?.iter().eq(integration.keys.keys())
            {
                return Err(format!("{answer} is not {integration:?}"));
            }
        }
        let live = self.integrations.values().flat_map(|integration| integration.keys.values().flatten());
        for secret in live {
            // Which table it opens does not matter: a key that is unknown gets 401 for any.
            speaker.key.clone_from(secret);
            expect(speaker, "GET", "/integration/custom-data/manifest/nothing", None, &[404])?;
        }
        self.check_dead(speaker, numbers, all_dead)
    }

    fn check_dead(&self, speaker: &mut Speaker, numbers: &mut Numbers, all: bool) -> Result<(), Fault> {
        let mut chosen = |list: &[String]| -> Vec<String> {
            if all {
                list.to_vec()
            } else {
                (0..SAMPLE).map(|_| numbers.pick(list)).filter(|one| !one.is_empty()).collect()
            }
        };
        for secret in chosen(&self.dead.secrets) {
            speaker.key = secret;
            expect(speaker, "GET", "/integration/custom-data/manifest/base", None, &[401])?;
        }
        for id in chosen(&self.dead.integrations) {
            expect(speaker, "GET", &format!("/api/v1/integrations/{id}"), None, &[404])?;
        }
        for prefix in chosen(&self.dead.groups) {
            expect(speaker, "GET", &format!("/api/v1/groups/{prefix}"), None, &[404])?;
        }
        let live =
            self.managed().flat_map(|(_, integration)| integration.keys.values().flatten()).next().cloned();
        for name in chosen(&self.dead.tables) {
            expect(speaker, "GET", &format!("/api/v1/schemas/{name}"), None, &[410])?;
            let table = name.strip_prefix("_side_").unwrap_or(&name);
            let answer = expect(speaker, "POST", "/api/v1/schemas", Some(&new_table("side", table)), &[409])?;
            if text(&answer, "code")? != "name-retired" {
                return Err(format!("the retired name {name} got {answer}"));
            }
            if let Some(key) = &live {
                speaker.key.clone_from(key);
                expect(speaker, "GET", &format!("/integration/custom-data/manifest/{table}"), None, &[410])?;
            }
        }
        Ok(())
    }

    /// Whether resources may be there: their table and their integration live.
    pub(super) fn lives(&self, scope: &Scope) -> bool {
        self.tables.contains(&scope.table) && self.integrations.contains_key(&scope.integration)
    }

    /// Whether the event of a commit that no request of the load made fits on what was deleted.
    pub(super) fn cleared(&self, event: Option<&str>, scope: &Scope) -> bool {
        match event {
            Some("schema-deleted") => self.dead.tables.contains(&scope.table),
            Some("integration-deleted") => self.dead.integrations.contains(&scope.integration),
            _ => false,
        }
    }

    /// How many things are dead.
    pub(super) fn buried(&self) -> usize {
        let Dead { secrets, integrations, tables, groups } = &self.dead;
        secrets.len() + integrations.len() + tables.len() + groups.len()
    }
}

fn keys(integration: &Value) -> Result<BTreeSet<String>, Fault> {
    let keys = integration.get("keys").and_then(Value::as_array);
    keys.ok_or_else(|| format!("{integration} has no `keys`"))?.iter().map(|key| text(key, "id")).collect()
}

/// All of a list, by one of its members.
fn list(speaker: &mut Speaker, what: &str, member: &str) -> Result<BTreeMap<String, Value>, Fault> {
    let answer = speaker.ask("GET", &format!("/api/v1/{what}?limit=1000"), None, 200)?;
    if answer.get("nextCursor") != Some(&Value::Null) {
        return Err(format!("{what}: there are more than can be"));
    }
    let items = answer.get("items").and_then(Value::as_array).ok_or_else(|| format!("{what}: no `items`"))?;
    items.iter().map(|item| Ok((text(item, member)?, item.clone()))).collect()
}

fn expect(
    speaker: &mut Speaker,
    method: &str,
    address: &str,
    body: Option<&Value>,
    statuses: &[u16],
) -> Result<Value, Fault> {
    let answer = speaker.send(method, address, body)?;
    let told = String::from_utf8_lossy(&answer.body);
    if !statuses.contains(&answer.status) {
        return Err(format!("{method} {address}: {} instead of {statuses:?}: {told}", answer.status));
    }
    Ok(serde_json::from_str(&told).unwrap_or(Value::Null))
}
