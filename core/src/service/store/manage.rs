//! Groups, schemas, integrations and keys.

use super::{Columns, PAGE_BYTES, Page, Store, Stored, count, page, parameters};
use crate::service::host::Sql;

/// A schema group.
#[derive(Debug, Clone)]
pub(in crate::service) struct Group {
    pub(in crate::service) seq: i64,
    pub(in crate::service) id: String,
    pub(in crate::service) prefix: String,
    pub(in crate::service) name: String,
    pub(in crate::service) description: Option<String>,
    pub(in crate::service) created_at: i64,
}

impl Group {
    fn of(columns: &mut Columns<'_>) -> Self {
        Self {
            seq: columns.integer(),
            id: columns.text(),
            prefix: columns.text(),
            name: columns.text(),
            description: columns.optional_text(),
            created_at: columns.integer(),
        }
    }
}

/// A table's schema, live or retired.
#[derive(Debug, Clone)]
pub(in crate::service) struct StoredSchema {
    pub(in crate::service) seq: i64,
    pub(in crate::service) id: String,
    pub(in crate::service) resource_name: String,
    pub(in crate::service) group: String,
    pub(in crate::service) table: String,
    pub(in crate::service) name: String,
    pub(in crate::service) version: i64,
    pub(in crate::service) schema: String,
    pub(in crate::service) test_data: Option<String>,
    pub(in crate::service) digest: String,
    pub(in crate::service) created_at: i64,
    pub(in crate::service) updated_at: i64,
    pub(in crate::service) retired_at: Option<i64>,
}

impl StoredSchema {
    fn of(columns: &mut Columns<'_>) -> Self {
        Self {
            seq: columns.integer(),
            id: columns.text(),
            resource_name: columns.text(),
            group: columns.text(),
            table: columns.text(),
            name: columns.text(),
            version: columns.integer(),
            schema: columns.text(),
            test_data: columns.optional_text(),
            digest: columns.text(),
            created_at: columns.integer(),
            updated_at: columns.integer(),
            retired_at: columns.optional_integer(),
        }
    }
}

/// What a schema is created or replaced with.
#[derive(Debug)]
pub(in crate::service) struct NewSchema<'a> {
    pub(in crate::service) name: &'a str,
    pub(in crate::service) schema: &'a str,
    pub(in crate::service) test_data: Option<&'a str>,
    pub(in crate::service) digest: &'a str,
}

/// An integration that is not deleted.
#[derive(Debug, Clone)]
pub(in crate::service) struct Integration {
    pub(in crate::service) seq: i64,
    pub(in crate::service) id: String,
    pub(in crate::service) name: String,
    pub(in crate::service) description: Option<String>,
    /// A JSON array of strings.
    pub(in crate::service) tags: String,
    pub(in crate::service) group: String,
    pub(in crate::service) enabled: bool,
    pub(in crate::service) created_at: i64,
}

impl Integration {
    fn of(columns: &mut Columns<'_>) -> Self {
        Self {
            seq: columns.integer(),
            id: columns.text(),
            name: columns.text(),
            description: columns.optional_text(),
            tags: columns.text(),
            group: columns.text(),
            enabled: columns.integer() != 0,
            created_at: columns.integer(),
        }
    }
}

/// An integration to be created, with its first key.
#[derive(Debug)]
pub(in crate::service) struct NewIntegration<'a> {
    pub(in crate::service) id: &'a str,
    pub(in crate::service) name: &'a str,
    pub(in crate::service) description: Option<&'a str>,
    pub(in crate::service) tags: &'a str,
    pub(in crate::service) group: &'a str,
    pub(in crate::service) enabled: bool,
    pub(in crate::service) key_id: &'a str,
    pub(in crate::service) key_hash: &'a str,
}

/// A live ingest key; its secret is nowhere.
#[derive(Debug, Clone)]
pub(in crate::service) struct Key {
    pub(in crate::service) id: String,
    pub(in crate::service) created_at: i64,
    pub(in crate::service) last_used_at: Option<i64>,
}

impl<S: Sql> Store<S> {
    pub(in crate::service) async fn create_group(
        &self,
        id: &str,
        prefix: &str,
        name: &str,
        description: Option<&str>,
        now: i64,
    ) -> Stored<()> {
        let parameters = parameters![id, prefix, name, description, now];
        self.write(self.statements().create_group, parameters).await.map(|_| ())
    }

    pub(in crate::service) async fn change_group(
        &self,
        prefix: &str,
        name: &str,
        description: Option<&str>,
    ) -> Stored<()> {
        let parameters = parameters![prefix, name, description];
        self.write(self.statements().change_group, parameters).await.map(|_| ())
    }

    pub(in crate::service) async fn delete_group(&self, prefix: &str) -> Stored<()> {
        self.write(self.statements().delete_group, parameters![prefix]).await.map(|_| ())
    }

    pub(in crate::service) async fn group(&self, prefix: &str) -> Stored<Option<Group>> {
        let rows = self.read(self.statements().group, parameters![prefix]).await?;
        Ok(rows.first().map(|row| Group::of(&mut Columns::of(row))))
    }

    pub(in crate::service) async fn groups(&self, after: i64, limit: usize) -> Stored<Page<Group>> {
        let parameters = vec![after.into(), count(limit + 1)];
        Ok(page(&self.read(self.statements().groups, parameters).await?, limit, Group::of))
    }

    pub(in crate::service) async fn create_schema(
        &self,
        id: &str,
        resource_name: &str,
        group: &str,
        table: &str,
        new: NewSchema<'_>,
        now: i64,
    ) -> Stored<()> {
        let parameters = parameters![
            id,
            resource_name,
            group,
            table,
            new.name,
            new.schema,
            new.test_data,
            new.digest,
            now
        ];
        self.write(self.statements().create_schema, parameters).await.map(|_| ())
    }

    pub(in crate::service) async fn replace_schema(
        &self,
        resource_name: &str,
        new: NewSchema<'_>,
        now: i64,
    ) -> Stored<()> {
        let parameters = parameters![resource_name, new.name, new.schema, new.test_data, new.digest, now];
        self.write(self.statements().replace_schema, parameters).await.map(|_| ())
    }

    pub(in crate::service) async fn retire_schema(
        &self,
        resource_name: &str,
        force: bool,
        commit_id: &str,
        now: i64,
    ) -> Stored<()> {
        let parameters = parameters![resource_name, force, commit_id, now];
        self.write(self.statements().retire_schema, parameters).await.map(|_| ())
    }

    pub(in crate::service) async fn schema(&self, resource_name: &str) -> Stored<Option<StoredSchema>> {
        let rows = self.read(self.statements().schema, parameters![resource_name]).await?;
        Ok(rows.first().map(|row| StoredSchema::of(&mut Columns::of(row))))
    }

    pub(in crate::service) async fn schemas(&self, after: i64, limit: usize) -> Stored<Page<StoredSchema>> {
        let parameters = vec![after.into(), count(limit + 1), PAGE_BYTES.into()];
        let rows = self.read(self.statements().schemas, parameters).await?;
        let mut in_page = 0;
        let mut page = page(&rows, limit, |columns| {
            let schema = StoredSchema::of(columns);
            in_page = columns.integer();
            schema
        });
        page.more |= usize::try_from(in_page).is_ok_and(|in_page| in_page > page.items.len());
        Ok(page)
    }

    /// The text of one version of a schema.
    pub(in crate::service) async fn schema_version(
        &self,
        resource_name: &str,
        version: i64,
    ) -> Stored<Option<String>> {
        let rows = self.read(self.statements().schema_version, parameters![resource_name, version]).await?;
        Ok(rows.first().map(|row| Columns::of(row).text()))
    }

    pub(in crate::service) async fn create_integration(
        &self,
        new: NewIntegration<'_>,
        now: i64,
    ) -> Stored<()> {
        let parameters = parameters![
            new.id,
            new.name,
            new.description,
            new.tags,
            new.group,
            new.enabled,
            new.key_id,
            new.key_hash,
            now
        ];
        self.write(self.statements().create_integration, parameters).await.map(|_| ())
    }

    pub(in crate::service) async fn change_integration(&self, to: &Integration) -> Stored<()> {
        let parameters = parameters![
            to.id.as_str(),
            to.name.as_str(),
            to.description.as_deref(),
            to.tags.as_str(),
            to.enabled
        ];
        self.write(self.statements().change_integration, parameters).await.map(|_| ())
    }

    pub(in crate::service) async fn delete_integration(
        &self,
        id: &str,
        commit_id: &str,
        now: i64,
    ) -> Stored<()> {
        self.write(self.statements().delete_integration, parameters![id, commit_id, now]).await.map(|_| ())
    }

    pub(in crate::service) async fn integration(&self, id: &str) -> Stored<Option<Integration>> {
        let rows = self.read(self.statements().integration, parameters![id]).await?;
        Ok(rows.first().map(|row| Integration::of(&mut Columns::of(row))))
    }

    pub(in crate::service) async fn integrations(
        &self,
        after: i64,
        limit: usize,
    ) -> Stored<Page<Integration>> {
        let parameters = vec![after.into(), count(limit + 1)];
        Ok(page(&self.read(self.statements().integrations, parameters).await?, limit, Integration::of))
    }

    /// The live keys of an integration, oldest first.
    pub(in crate::service) async fn keys(&self, integration: &str) -> Stored<Vec<Key>> {
        let rows = self.read(self.statements().keys, parameters![integration]).await?;
        Ok(rows
            .iter()
            .map(|row| {
                let mut columns = Columns::of(row);
                Key {
                    id: columns.text(),
                    created_at: columns.integer(),
                    last_used_at: columns.optional_integer(),
                }
            })
            .collect())
    }

    pub(in crate::service) async fn create_key(
        &self,
        id: &str,
        integration: &str,
        hash: &str,
        now: i64,
    ) -> Stored<()> {
        self.write(self.statements().create_key, parameters![id, integration, hash, now]).await.map(|_| ())
    }

    /// Revokes a key; `false` if the integration has no such live key.
    pub(in crate::service) async fn revoke_key(
        &self,
        integration: &str,
        key: &str,
        now: i64,
    ) -> Stored<bool> {
        let rows = self.write(self.statements().revoke_key, parameters![integration, key, now]).await?;
        Ok(!rows.is_empty())
    }

    /// Notes that a key was used, unless that was noted after `since` already.
    pub(in crate::service) async fn touch_key(&self, key: &str, now: i64, since: i64) -> Stored<()> {
        self.write(self.statements().touch_key, parameters![key, now, since]).await.map(|_| ())
    }
}
