//! What an ingest reads, and its one commit.

use std::collections::BTreeMap;

use super::{Columns, Store, StoreError, Stored, count, parameters};
use crate::digest::Digest;
use crate::document::Document;
use crate::plan::{ChangeType, Manifest};
use crate::service::host::{Dialect, Sql, SqlValue};
use crate::service::json::{Object, array};

/// What a key opens.
#[derive(Debug, Clone)]
pub(in crate::service) struct Admission {
    pub(in crate::service) key_id: String,
    pub(in crate::service) key_hash: String,
    pub(in crate::service) key_last_used_at: Option<i64>,
    pub(in crate::service) integration_id: String,
    pub(in crate::service) enabled: bool,
    /// What the declarations were at: a number that moves with every change of a key, an integration
    /// or a schema that could make this another admission.
    pub(in crate::service) generation: i64,
    /// The table of that name in the integration's group.
    pub(in crate::service) table: Option<Table>,
}

/// A table and its current schema.
#[derive(Debug, Clone)]
pub(in crate::service) struct Table {
    pub(in crate::service) resource_name: String,
    pub(in crate::service) version: i64,
    pub(in crate::service) digest: String,
    pub(in crate::service) retired: bool,
}

/// One resource as it is now.
#[derive(Debug, Clone, Default)]
pub(in crate::service) struct Current {
    pub(in crate::service) digest: Option<Digest>,
    /// The change it is at.
    pub(in crate::service) change: Option<i64>,
    pub(in crate::service) payload: Option<String>,
    /// As in [`Admission`].
    pub(in crate::service) generation: i64,
}

/// A scope's row and revision. A scope that nothing was ever stored in has no row, and is at
/// revision 0: the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::service) struct Scope {
    pub(in crate::service) scope: i64,
    pub(in crate::service) revision: i64,
}

/// What a plan was made from, and has to find unchanged.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) enum Expected {
    /// The whole scope at a revision.
    Revision(i64),
    /// The resources that the plan names, each at the change it names.
    Resources,
}

/// One commit.
#[derive(Debug)]
pub(in crate::service) struct Commit<'a> {
    pub(in crate::service) id: &'a str,
    pub(in crate::service) key_id: &'a str,
    pub(in crate::service) integration_id: &'a str,
    pub(in crate::service) resource_name: &'a str,
    pub(in crate::service) schema_version: i64,
    pub(in crate::service) group_key: &'a str,
    pub(in crate::service) expected: Expected,
    pub(in crate::service) now: i64,
    pub(in crate::service) event: Option<&'a str>,
    /// JSON text.
    pub(in crate::service) actor: Option<&'a str>,
    pub(in crate::service) changes: &'a [CommittedChange<'a>],
}

/// One change of a commit.
#[derive(Debug)]
pub(in crate::service) struct CommittedChange<'a> {
    pub(in crate::service) change: ChangeType,
    pub(in crate::service) id: &'a str,
    /// The change that the resource is at, where the plan rests on that.
    pub(in crate::service) base: Option<i64>,
    pub(in crate::service) fields: &'a [String],
    /// What the resource is afterwards, unless it is removed.
    pub(in crate::service) after: Option<After<'a>>,
}

/// A resource as a change leaves it.
#[derive(Debug)]
pub(in crate::service) struct After<'a> {
    pub(in crate::service) digest: Digest,
    pub(in crate::service) name: Option<&'a str>,
    pub(in crate::service) payload: String,
}

impl<S: Sql> Store<S> {
    /// What the key with that hash opens, and the table it asks for.
    pub(in crate::service) async fn admit(&self, key_hash: &str, table: &str) -> Stored<Option<Admission>> {
        let rows = self.read(self.statements().admit, parameters![key_hash, table]).await?;
        Ok(rows.first().map(|row| {
            let mut columns = Columns::of(row);
            Admission {
                key_id: columns.text(),
                key_hash: columns.text(),
                key_last_used_at: columns.optional_integer(),
                integration_id: columns.text(),
                enabled: columns.integer() != 0,
                generation: columns.integer(),
                table: columns.optional_text().map(|resource_name| Table {
                    resource_name,
                    version: columns.integer(),
                    digest: columns.text(),
                    retired: columns.optional_integer().is_some(),
                }),
            }
        }))
    }

    /// One resource of a scope as it is now.
    pub(in crate::service) async fn current(
        &self,
        integration: &str,
        resource_name: &str,
        group_key: &str,
        id: &str,
    ) -> Stored<Current> {
        let parameters = parameters![integration, resource_name, group_key, &*self.dialect.key(id)];
        let rows = self.read(self.statements().current, parameters).await?;
        let Some(row) = rows.first() else { return Ok(Current::default()) };
        let mut columns = Columns::of(row);
        columns.integer();
        Ok(Current {
            digest: columns.optional_text().and_then(|digest| digest.parse().ok()),
            change: columns.optional_integer(),
            payload: columns.optional_text(),
            generation: columns.integer(),
        })
    }

    /// A scope's row, if anything was ever stored in it.
    pub(in crate::service) async fn scope(
        &self,
        integration: &str,
        resource_name: &str,
        group_key: &str,
    ) -> Stored<Option<Scope>> {
        let parameters = parameters![integration, resource_name, group_key];
        let rows = self.read(self.statements().scope, parameters).await?;
        Ok(rows.first().map(|row| {
            let mut columns = Columns::of(row);
            Scope { scope: columns.integer(), revision: columns.integer() }
        }))
    }

    /// All ids and digests of a scope at that revision; `None` if it moved on meanwhile. Read in
    /// pages: hosts limit what one statement may answer.
    pub(in crate::service) async fn manifest(&self, scope: Scope) -> Stored<Option<Manifest>> {
        const PAGE: usize = 20_000;
        if scope == Scope::default() {
            return Ok(Some(Manifest::new()));
        }
        let mut manifest: Vec<(String, Digest)> = Vec::new();
        loop {
            let after = manifest.last().map_or("", |(id, _)| id.as_str());
            let parameters = parameters![scope.scope, &*self.dialect.key(after), count(PAGE)];
            let rows = self.read(self.statements().manifest_page, parameters).await?;
            let mut columns = Columns::of(rows.first().ok_or_else(damaged)?);
            if columns.integer() != scope.revision {
                return Ok(None);
            }
            let (ids, digests) = (columns.text(), columns.text());
            let ids = Document::parse(ids.as_bytes()).map_err(|_| damaged())?;
            let mut digests = digests.as_bytes().chunks(2 * Digest::BYTES);
            for id in ids.root().elements() {
                let digest = digests.next().and_then(|digest| str::from_utf8(digest).ok()?.parse().ok());
                let id = self.extracted(id.string().ok_or_else(damaged)?);
                manifest.push((id, digest.ok_or_else(damaged)?));
            }
            if ids.root().len() < PAGE {
                // All but in order already: only ids that are too long for an index may not be.
                return Ok(Some(manifest.into_iter().collect()));
            }
        }
    }

    /// The digests of those of the ids that the scope has.
    pub(in crate::service) async fn manifest_of(&self, scope: Scope, ids: &[&str]) -> Stored<Manifest> {
        if scope == Scope::default() {
            return Ok(Manifest::new());
        }
        let parameters = parameters![scope.scope, self.key_list(ids)];
        let rows = self.read(self.statements().manifest_of, parameters).await?;
        rows.iter()
            .map(|row| {
                let mut columns = Columns::of(row);
                Ok((columns.text(), columns.text().parse().map_err(|_| damaged())?))
            })
            .collect()
    }

    /// How many bytes the current payloads of some resources of a scope take.
    pub(in crate::service) async fn sizes(
        &self,
        scope: Scope,
        ids: &[&str],
    ) -> Stored<BTreeMap<String, i64>> {
        let parameters = parameters![scope.scope, self.key_list(ids)];
        let rows = self.read(self.statements().sizes, parameters).await?;
        Ok(rows
            .iter()
            .map(|row| {
                let mut columns = Columns::of(row);
                (columns.text(), columns.integer())
            })
            .collect())
    }

    /// The current payloads of some resources of a scope.
    pub(in crate::service) async fn payloads(
        &self,
        scope: Scope,
        ids: &[&str],
    ) -> Stored<BTreeMap<String, String>> {
        let parameters = parameters![scope.scope, self.key_list(ids)];
        let rows = self.read(self.statements().payloads, parameters).await?;
        Ok(rows
            .iter()
            .map(|row| {
                let mut columns = Columns::of(row);
                (columns.text(), columns.text())
            })
            .collect())
    }

    /// Carries out a plan, whole or not at all.
    pub(in crate::service) async fn commit(&self, commit: Commit<'_>) -> Stored<()> {
        if let (Some(statement), Expected::Resources, [change]) =
            (self.statements().commit_one, commit.expected, commit.changes)
            && let Some(after) = &change.after
        {
            let key = self.dialect.key(change.id);
            let mut parameters = parameters![
                commit.id,
                commit.key_id,
                commit.integration_id,
                commit.resource_name,
                commit.schema_version,
                commit.group_key,
                commit.now,
                commit.event,
                commit.actor,
                change.change.as_str(),
                &*key,
                change.base,
                after.digest.to_string(),
                after.name,
                json_list(change.fields),
                &*after.payload,
                count(after.payload.len())
            ];
            if self.dialect == Dialect::Postgres {
                parameters.push(Some(change.id).filter(|id| *id != key).into());
            }
            return self.write(statement, parameters).await.map(|_| ());
        }
        let revision = match commit.expected {
            Expected::Revision(revision) => SqlValue::Integer(revision),
            Expected::Resources => SqlValue::Null,
        };
        let parameters = parameters![
            commit.id,
            commit.key_id,
            commit.integration_id,
            commit.resource_name,
            commit.schema_version,
            commit.group_key,
            revision,
            commit.now,
            commit.event,
            commit.actor,
            self.plan_text(commit.changes)
        ];
        self.write(self.statements().commit_plan, parameters).await.map(|_| ())
    }

    /// A JSON array of changes: `t` type, `i` key, `l` id where it is not the key, `b` change it is at,
    /// `d` digest, `n` name, `f` fields, `p` payload, `s` its size.
    fn plan_text(&self, changes: &[CommittedChange<'_>]) -> String {
        array(changes.iter().map(|change| {
            let mut text = Object::new().with("t", change.change.as_str());
            let key = self.dialect.key(change.id);
            text = text.with("i", &*self.embedded(&key));
            if key != change.id {
                text = text.with("l", &*self.embedded(change.id));
            }
            if let Some(base) = change.base {
                text = text.with("b", &base);
            }
            if let Some(after) = &change.after {
                text = text
                    .with("d", &after.digest)
                    .with("n", &after.name.map(|name| self.embedded(name)))
                    .with("s", &after.payload.len())
                    .with("p", &after.payload);
            }
            text.with("f", change.fields).finish()
        }))
    }
}

fn json_list(texts: &[String]) -> String {
    // Texts always serialise.
    serde_json::to_string(texts).unwrap_or_default()
}

fn damaged() -> StoreError {
    StoreError::Broken("a stored digest is damaged".to_owned())
}
