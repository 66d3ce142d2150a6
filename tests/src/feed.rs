//! The feed of changes as a reader sees it, and the state that it leads to.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::http::Fault;

/// Where a resource lives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// The integration's id.
    pub integration: String,
    /// The resource name.
    pub table: String,
    /// The group key, empty if there is none.
    pub group_key: String,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/`{}`", self.integration, self.table, self.group_key)
    }
}

/// What a replay looks at.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The commit's id, a dash, the place in the commit.
    pub change_id: String,
    /// `added`, `modified` or `removed`.
    pub kind: String,
    /// Where the resource lives.
    pub scope: Scope,
    /// The resource's id.
    pub id: String,
    /// What the request said that it was about.
    pub event: Option<String>,
    /// The resource before; null if it was not there.
    pub before: Value,
    /// The resource afterwards; null if it is gone.
    pub after: Value,
}

impl Change {
    /// Reads an item of the feed.
    ///
    /// # Errors
    ///
    /// A member is missing.
    pub fn of(item: &Value) -> Result<Self, Fault> {
        let member =
            |pointer: &str| item.pointer(pointer).cloned().ok_or_else(|| format!("{item}: no `{pointer}`"));
        let text = |pointer: &str| Ok::<_, Fault>(member(pointer)?.as_str().unwrap_or_default().to_owned());
        Ok(Self {
            change_id: text("/changeId")?,
            kind: text("/type")?,
            scope: Scope {
                integration: text("/integration/id")?,
                table: text("/table")?,
                group_key: text("/groupKey")?,
            },
            id: text("/id")?,
            event: member("/event")?.as_str().map(str::to_owned),
            before: member("/before")?,
            after: member("/after")?,
        })
    }

    /// The id of the request's commit, and the change's place in it.
    pub fn place(&self) -> (&str, Option<usize>) {
        match self.change_id.rsplit_once('-') {
            Some((commit, number)) => (commit, number.parse().ok()),
            None => (&self.change_id, None),
        }
    }
}

/// The resources of each scope.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    scopes: BTreeMap<Scope, BTreeMap<String, Value>>,
}

impl State {
    /// Goes on by one change, which has to fit on what is there.
    ///
    /// # Errors
    ///
    /// It does not.
    pub fn apply(&mut self, change: &Change) -> Result<(), Fault> {
        let scope = self.scopes.entry(change.scope.clone()).or_default();
        let stored = scope.get(&change.id).cloned().unwrap_or(Value::Null);
        if stored != change.before {
            return Err(format!("{change:?} does not follow on {stored}"));
        }
        let fits = match change.kind.as_str() {
            "added" => change.before.is_null() && !change.after.is_null(),
            "modified" => {
                !change.before.is_null() && !change.after.is_null() && change.before != change.after
            }
            "removed" => !change.before.is_null() && change.after.is_null(),
            _ => false,
        };
        if !fits {
            return Err(format!("{change:?} is no change of its type"));
        }
        if change.after.is_null() {
            scope.remove(&change.id);
        } else {
            scope.insert(change.id.clone(), change.after.clone());
        }
        Ok(())
    }

    /// The resources of one scope.
    pub fn scope(&self, scope: &Scope) -> &BTreeMap<String, Value> {
        const NONE: &BTreeMap<String, Value> = &BTreeMap::new();
        self.scopes.get(scope).unwrap_or(NONE)
    }

    /// Every resource, in the order of scopes and ids.
    pub fn resources(&self) -> impl Iterator<Item = (&Scope, &str, &Value)> {
        self.scopes.iter().flat_map(|(scope, resources)| {
            resources.iter().map(move |(id, value)| (scope, id.as_str(), value))
        })
    }
}

/// The state that a feed leads to. Each change has to fit on what was there before it.
///
/// # Errors
///
/// One does not.
pub fn replay(feed: &[Change]) -> Result<State, Fault> {
    let mut state = State::default();
    for change in feed {
        state.apply(change)?;
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(kind: &str, id: &str, before: &Value, after: &Value) -> Change {
        let item = json!({
            "changeId": "c-0", "type": kind, "table": "_a_b", "groupKey": "", "integration": { "id": "i" },
            "id": id, "event": null, "before": before, "after": after
        });
        Change::of(&item).unwrap()
    }

    #[test]
    fn a_replay_takes_only_what_fits() {
        let one = json!({ "id": "1", "load": 1 });
        let two = json!({ "id": "1", "load": 2 });
        let added = change("added", "1", &Value::Null, &one);
        let modified = change("modified", "1", &one, &two);
        let removed = change("removed", "1", &two, &Value::Null);
        let state = replay(&[added.clone(), modified.clone()]).unwrap();
        assert_eq!(state.resources().collect::<Vec<_>>(), [(&added.scope, "1", &two)]);
        assert_eq!(
            replay(&[added.clone(), modified.clone(), removed.clone()]).unwrap().resources().count(),
            0
        );
        for feed in [
            vec![modified],
            vec![added.clone(), added.clone()],
            vec![added.clone(), removed],
            vec![added.clone(), change("modified", "1", &one, &one)],
            vec![change("removed", "1", &Value::Null, &Value::Null)],
            vec![change("other", "1", &Value::Null, &one)],
        ] {
            assert!(replay(&feed).is_err(), "{feed:?}");
        }
        assert_eq!(added.place(), ("c", Some(0)));
    }
}
