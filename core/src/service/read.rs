//! Resources and the feed of changes.

use super::answer::{Answer, row_cursor};
use super::failure::{Failure, Handled};
use super::host::{Clock, Configuration, Randomness, Sql};
use super::json::Object;
use super::request::Parameters;
use super::store::{ChangeFilter, Provenance, ResourceFilter, ScopeFilter, StoredChange, StoredResource};
use super::{Service, time};
use crate::limits;
use crate::plan::ChangeType;

impl<S: Sql, C: Clock, R: Randomness, T: Configuration> Service<S, C, R, T> {
    pub(super) async fn list_resources(&self, parameters: &Parameters<'_>) -> Handled<Answer> {
        let after = parameters.cursor(CURSOR_CHARS, parse_cursor)?;
        let filter = ResourceFilter { scopes: scopes(parameters)?, cut: self.cut(parameters).await?, after };
        let page = self.store.resources(&filter, parameters.limit()?).await?;
        let next = page.next.map(|(scope, id)| cursor(scope, &id));
        Ok(Answer::page(page.items.iter().map(resource_text), next.as_deref()))
    }

    /// The row of the last change that `?at=` lets see.
    async fn cut(&self, parameters: &Parameters<'_>) -> Handled<Option<i64>> {
        let Some(text) = parameters.text("at", 100)? else { return Ok(None) };
        let Some(at) = time::parse(&text) else {
            return Err(Failure::parameter("at", "the parameter `at` is a time as RFC 3339 writes it"));
        };
        Ok(Some(self.store.cut_at(at).await?))
    }

    pub(super) async fn read_resource(
        &self,
        resource_name: &str,
        id: &str,
        parameters: &Parameters<'_>,
    ) -> Handled<Answer> {
        // A table's own name could mean one of several groups.
        if !resource_name.starts_with('_') {
            return Err(Failure::not_found("resource"));
        }
        let filter = ResourceFilter {
            scopes: ScopeFilter {
                table: Some(resource_name.to_owned()),
                integration: parameters.text("integration", limits::FILTER_CHARS)?,
                group_key: Some(parameters.text("groupKey", limits::GROUP_KEY_CHARS)?.unwrap_or_default()),
                id: Some(id.to_owned()),
            },
            cut: self.cut(parameters).await?,
            after: None,
        };
        let page = self.store.resources(&filter, limits::PAGE_ITEMS).await?;
        match page.items.as_slice() {
            [] => Err(Failure::not_found("resource")),
            [_] if page.next.is_some() => Err(Failure::parameter(
                "integration",
                "several integrations have a resource of this id; the parameter `integration` says which one is meant",
            )),
            [resource, ..] => Ok(Answer::ok(resource_text(resource))),
        }
    }

    pub(super) async fn list_changes(&self, parameters: &Parameters<'_>) -> Handled<Answer> {
        let change = match parameters.text("type", 100)?.as_deref() {
            None => None,
            Some(text) => match ChangeType::ALL.iter().find(|change| change.as_str() == text) {
                Some(change) => Some(change.as_str()),
                None => {
                    let detail = "the parameter `type` is `added`, `modified` or `removed`";
                    return Err(Failure::parameter("type", detail));
                }
            },
        };
        let after = match parameters.text("after", 100)? {
            None => None,
            // Before the first change: where a reader begins.
            Some(text) if text.is_empty() || text == "0" => Some(0),
            Some(text) => Some(self.change_row(&text).await?),
        };
        let descending = match parameters.text("order", 100)?.as_deref() {
            // Who asks what came after a change reads on; who asks nothing wants the latest.
            None => after.is_none(),
            Some("desc") => true,
            Some("asc") => false,
            Some(_) => return Err(Failure::parameter("order", "the parameter `order` is `asc` or `desc`")),
        };
        let mut filter =
            ChangeFilter { scopes: scopes(parameters)?, change, after, before: None, descending };
        if let Some(row) = parameters.row_cursor()? {
            if descending {
                filter.before = Some(row);
            } else {
                filter.after = Some(row.max(filter.after.unwrap_or_default()));
            }
        }
        let page = self.store.changes(&filter, parameters.limit()?).await?;
        let next = page.items.last().filter(|_| page.more).map(|last| row_cursor(last.seq));
        Ok(Answer::page(page.items.iter().map(change_text), next.as_deref()))
    }

    async fn change_row(&self, change_id: &str) -> Handled<i64> {
        let unknown = || Failure::parameter("after", "the parameter `after` is the `changeId` of a change");
        let (commit, number) = change_id.rsplit_once('-').ok_or_else(unknown)?;
        let number = number.parse().map_err(|_| unknown())?;
        self.store.change_seq(commit, number).await?.ok_or_else(unknown)
    }
}

/// The longest cursor of a resources list: a scope, and an id of characters of four bytes each.
const CURSOR_CHARS: usize = 16 + 1 + 8 * limits::ID_CHARS;

/// A resources list's opaque cursor: the scope, and the id in hexadecimal.
fn cursor(scope: i64, id: &str) -> String {
    use std::fmt::Write;
    let mut text = format!("{scope:x}.");
    for byte in id.bytes() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn parse_cursor(cursor: &str) -> Option<(i64, String)> {
    let (scope, id) = cursor.split_once('.')?;
    let mut bytes = Vec::new();
    let mut digits = id.chars();
    while let Some(high) = digits.next() {
        let byte = high.to_digit(16)? * 16 + digits.next()?.to_digit(16)?;
        bytes.push(u8::try_from(byte).ok()?);
    }
    Some((i64::from_str_radix(scope, 16).ok()?, String::from_utf8(bytes).ok()?))
}

/// The filters that both lists take.
fn scopes(parameters: &Parameters<'_>) -> Handled<ScopeFilter> {
    Ok(ScopeFilter {
        table: parameters.text("table", limits::FILTER_CHARS)?,
        integration: parameters.text("integration", limits::FILTER_CHARS)?,
        group_key: parameters.text("groupKey", limits::GROUP_KEY_CHARS)?,
        id: parameters.text("id", limits::ID_CHARS)?,
    })
}

fn source_text(provenance: &Provenance) -> String {
    let source = &provenance.source;
    Object::new().with("id", &source.id).with("name", &source.name).raw("tags", Some(&source.tags)).finish()
}

fn resource_text(resource: &StoredResource) -> String {
    let provenance = &resource.provenance;
    let meta = Object::new()
        .with("type", &provenance.resource_name)
        .with("id", &resource.id)
        .with("name", &resource.name)
        .with("groupKey", &provenance.group_key)
        .with("recordedAt", &time::format(provenance.recorded_at))
        .with("digest", &resource.digest)
        .with("schemaVersion", &resource.schema_version)
        .raw("integration", Some(&source_text(provenance)))
        .with("event", &provenance.event)
        .raw("actor", provenance.actor.as_deref())
        .finish();
    Object::new().raw("_meta", Some(&meta)).members_of(&resource.payload).finish()
}

fn change_text(change: &StoredChange) -> String {
    let provenance = &change.provenance;
    Object::new()
        .with("changeId", &format!("{}-{}", change.commit_id, change.number))
        .with("recordedAt", &time::format(provenance.recorded_at))
        .with("type", &change.change)
        .with("id", &change.id)
        .with("table", &provenance.resource_name)
        .with("groupKey", &provenance.group_key)
        .raw("integration", Some(&source_text(provenance)))
        .with("event", &provenance.event)
        .raw("actor", provenance.actor.as_deref())
        .raw("fields", Some(&change.fields))
        .raw("before", change.before.as_deref())
        .raw("after", change.after.as_deref())
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back() {
        assert_eq!(parse_cursor(&cursor(77, "a,b é")), Some((77, "a,b é".to_owned())));
        assert_eq!(parse_cursor("zz"), None);
        let longest = cursor(i64::MAX, &"😀".repeat(limits::ID_CHARS));
        assert!(longest.len() <= CURSOR_CHARS && parse_cursor(&longest).is_some());
    }
}
