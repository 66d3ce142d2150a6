//! Resources and the feed of changes.

use super::answer::{Answer, row_cursor};
use super::failure::{Failure, Handled};
use super::host::{Clock, Configuration, Randomness, Sql};
use super::json::Object;
use super::request::{Parameters, parse_row_cursor};
use super::store::{
    ChangeFilter, Forgotten, Provenance, ResourceFilter, ScopeFilter, StoredChange, StoredResource,
};
use super::{Service, time};
use crate::limits;
use crate::plan::ChangeType;

impl<S: Sql, C: Clock, R: Randomness, T: Configuration> Service<S, C, R, T> {
    pub(super) async fn list_resources(&self, parameters: &Parameters<'_>) -> Handled<Answer> {
        let after = parameters.cursor(CURSOR_CHARS, parse_cursor)?;
        let at = at(parameters)?;
        let filter = ResourceFilter { scopes: scopes(parameters)?, cut: self.cut(at).await?, after };
        let page = self.store.resources(&filter, parameters.limit()?).await?;
        self.is_known(at).await?;
        let next = page.next.map(|(scope, id)| cursor(scope, &id));
        Ok(Answer::page(page.items.iter().map(resource_text), next.as_deref()))
    }

    /// The row of the last change that `?at=` lets see.
    async fn cut(&self, at: Option<i64>) -> Handled<Option<i64>> {
        match at {
            None => Ok(None),
            Some(at) => Ok(Some(self.store.cut_at(at).await?)),
        }
    }

    /// Refuses a time of which not everything is known any more. Asked for after the reading: what is
    /// forgotten meanwhile must not be missing in silence.
    async fn is_known(&self, at: Option<i64>) -> Handled<()> {
        let Some(at) = at else { return Ok(()) };
        let horizon = self.store.horizon().await?;
        if horizon.looked > 0 && at < horizon.recorded_at {
            let since = time::format(horizon.recorded_at);
            return Err(Failure::parameter(
                "at",
                format!("history is kept since {since}; this is before it"),
            ));
        }
        Ok(())
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
        let at = at(parameters)?;
        let filter = ResourceFilter {
            scopes: ScopeFilter {
                table: Some(resource_name.to_owned()),
                integration: parameters.text("integration", limits::FILTER_CHARS)?,
                group_key: Some(parameters.text("groupKey", limits::GROUP_KEY_CHARS)?.unwrap_or_default()),
                id: Some(id.to_owned()),
            },
            cut: self.cut(at).await?,
            after: None,
        };
        let page = self.store.resources(&filter, limits::PAGE_ITEMS).await?;
        self.is_known(at).await?;
        match page.items.as_slice() {
            [] => Err(Failure::not_found("resource")),
            [resource] if page.next.is_none() => Ok(Answer::ok(resource_text(resource))),
            _ => Err(Failure::parameter(
                "integration",
                "several integrations have a resource of this id; the parameter `integration` says which one is meant",
            )),
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
        let cursor = parameters.cursor(100, FeedCursor::parse)?;
        if let Some(cursor) = cursor {
            if descending {
                filter.before = Some(cursor.row);
            } else {
                filter.after = Some(cursor.row.max(filter.after.unwrap_or_default()));
            }
        }
        let limit = parameters.limit()?;
        if descending {
            let page = self.store.changes(&filter, limit).await?;
            if filter.after.is_some_and(|after| after > 0) {
                self.nothing_is_missing(&filter, None).await?;
            }
            let next = page.items.last().filter(|_| page.more);
            let next = next.map(|last| FeedCursor { row: last.seq, removal: None }.text());
            return Ok(Answer::page(page.items.iter().map(change_text), next.as_deref()));
        }
        // Who begins at the beginning gets what is kept. What was forgotten by now is not missed, as
        // long as no removal is forgotten on the way of which the addition was read.
        let begun = match (cursor, filter.after.unwrap_or_default()) {
            (None, 0) => Some(self.store.forgotten(&filter.scopes).await?),
            _ => None,
        };
        let page = self.store.changes(&filter, limit).await?;
        let forgotten = match begun {
            Some(begun) => begun,
            None => self.nothing_is_missing(&filter, cursor).await?,
        };
        let removal = cursor.and_then(|cursor| cursor.removal).unwrap_or(forgotten.removal);
        let next = page.items.last().filter(|_| page.more).map(|last| {
            let removal = (last.seq < forgotten.change).then_some(removal);
            FeedCursor { row: last.seq, removal }.text()
        });
        Ok(Answer::page(page.items.iter().map(change_text), next.as_deref()))
    }

    /// Refuses to go on with the feed where something behind its place was forgotten. Asked for after
    /// the reading, as something may be forgotten meanwhile.
    async fn nothing_is_missing(
        &self,
        filter: &ChangeFilter,
        cursor: Option<FeedCursor>,
    ) -> Handled<Forgotten> {
        let forgotten = self.store.forgotten(&filter.scopes).await?;
        let place = filter.after.unwrap_or_default();
        match cursor {
            None if place < forgotten.change => {
                let since = time::format(self.store.horizon().await?.recorded_at);
                let detail = format!(
                    "this change is older than the history that is kept (since {since}), and changes after it have \
                     been forgotten; read the resources, and go on after a change that is known"
                );
                Err(Failure::parameter("after", detail))
            }
            Some(cursor)
                if match cursor.removal {
                    None => place < forgotten.change,
                    Some(removal) => removal < forgotten.removal && place < forgotten.removal,
                } =>
            {
                let detail = "changes behind this page have been forgotten since it was read; begin anew";
                Err(Failure::parameter("cursor", detail))
            }
            _ => Ok(forgotten),
        }
    }

    async fn change_row(&self, change_id: &str) -> Handled<i64> {
        let not_one = || Failure::parameter("after", "the parameter `after` is the `changeId` of a change");
        let (commit, number) = change_id.rsplit_once('-').ok_or_else(not_one)?;
        let number = number.parse().map_err(|_| not_one())?;
        if let Some(row) = self.store.change_seq(commit, number).await? {
            return Ok(row);
        }
        let horizon = self.store.horizon().await?;
        if horizon.looked == 0 {
            return Err(not_one());
        }
        let since = time::format(horizon.recorded_at);
        let detail = format!(
            "this change is unknown, or older than the history that is kept (since {since}); read the resources, \
             and go on after a change that is known"
        );
        Err(Failure::parameter("after", detail))
    }
}

/// Where a page of the feed ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FeedCursor {
    row: i64,
    /// Among changes of which some were forgotten before they were read: the last removal among those.
    removal: Option<i64>,
}

impl FeedCursor {
    fn parse(text: &str) -> Option<Self> {
        let (row, removal) = match text.split_once('.') {
            Some((row, removal)) => (row, Some(parse_row_cursor(removal)?)),
            None => (text, None),
        };
        Some(Self { row: parse_row_cursor(row)?, removal })
    }

    fn text(self) -> String {
        let row = row_cursor(self.row);
        match self.removal {
            None => row,
            Some(removal) => format!("{row}.{}", row_cursor(removal)),
        }
    }
}

/// The time that `?at=` gives, in Unix milliseconds.
fn at(parameters: &Parameters<'_>) -> Handled<Option<i64>> {
    let Some(text) = parameters.text("at", 100)? else { return Ok(None) };
    match time::parse(&text) {
        Some(at) => Ok(Some(at)),
        None => Err(Failure::parameter("at", "the parameter `at` is a time as RFC 3339 writes it")),
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
