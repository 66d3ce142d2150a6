//! A snapshot × what is stored → what has to change.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use crate::digest::Digest;
use crate::violation::codes;

codes! {
    /// What happens to a resource.
    ChangeType {
        /// It was not there before.
        Added = "added",
        /// It was there with another digest.
        Modified = "modified",
        /// It is there no longer.
        Removed = "removed",
    }
}

/// What a scope holds: each resource's id and digest.
pub type Manifest = BTreeMap<String, Digest>;

/// One resource that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedChange {
    /// What happens.
    #[serde(rename = "type")]
    pub change: ChangeType,
    /// To which resource.
    pub id: String,
    /// Which item of the snapshot it is now; none for one that is removed.
    #[serde(skip)]
    pub item: Option<usize>,
}

/// What makes a scope equal to a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// First the snapshot's new and different resources in its order, then what it lacks, by id.
    pub changes: Vec<PlannedChange>,
    /// How many resources are the same already.
    pub unchanged: u64,
}

impl Plan {
    /// Compares a snapshot with what is stored. No id stands twice in `items`.
    ///
    /// ```
    /// use tidegate_core::{digest::Digest, plan::{ChangeType, Manifest, Plan}};
    ///
    /// let digest = |text: &str| Digest::of_text(text.as_bytes()).unwrap();
    /// let stored = Manifest::from([("1".to_owned(), digest("1")), ("3".to_owned(), digest("3"))]);
    /// let plan = Plan::bulk(&stored, [("1", digest("1")), ("4", digest("4"))]);
    /// assert_eq!(plan.count(ChangeType::Added), 1);
    /// assert_eq!(plan.count(ChangeType::Removed), 1);
    /// assert_eq!(plan.unchanged, 1);
    /// ```
    pub fn bulk<'i>(stored: &Manifest, items: impl IntoIterator<Item = (&'i str, Digest)>) -> Self {
        let mut plan = Self::default();
        // Looking up in the map itself would take ever longer the more there is.
        let mut places: HashMap<&str, usize> = HashMap::with_capacity(stored.len());
        places.extend(stored.keys().map(String::as_str).zip(0..));
        let mut before: Vec<(&Digest, bool)> = stored.values().map(|digest| (digest, false)).collect();
        for (item, (id, digest)) in items.into_iter().enumerate() {
            let before = places.get(id).and_then(|&place| before.get_mut(place));
            let before = before.map(|(before, seen)| {
                *seen = true;
                *before
            });
            plan.compare(before, id, digest, item);
        }
        let ids = stored.keys().map(String::as_str).zip(&before);
        plan.remove(ids.filter(|(_, (_, seen))| !seen).map(|(id, _)| id));
        plan
    }

    /// Compares one resource with the stored digest of its id.
    pub fn single(stored: Option<&Digest>, id: &str, digest: Digest) -> Self {
        let mut plan = Self::default();
        plan.compare(stored, id, digest, 0);
        plan
    }

    /// Removes those of the ids that are stored; the others count as `ignored` with the caller.
    pub fn removal<'i>(stored: &Manifest, ids: impl IntoIterator<Item = &'i str>) -> Self {
        let mut plan = Self::default();
        let ids: BTreeSet<_> = ids.into_iter().filter(|id| stored.contains_key(*id)).collect();
        plan.remove(ids);
        plan
    }

    fn compare(&mut self, stored: Option<&Digest>, id: &str, digest: Digest, item: usize) {
        let change = match stored {
            None => ChangeType::Added,
            Some(stored) if *stored == digest => {
                self.unchanged += 1;
                return;
            }
            Some(_) => ChangeType::Modified,
        };
        self.changes.push(PlannedChange { change, id: id.to_owned(), item: Some(item) });
    }

    fn remove<'i>(&mut self, ids: impl IntoIterator<Item = &'i str>) {
        self.changes.extend(ids.into_iter().map(|id| PlannedChange {
            change: ChangeType::Removed,
            id: id.to_owned(),
            item: None,
        }));
    }

    /// How many resources change in that way.
    pub fn count(&self, change: ChangeType) -> u64 {
        self.changes.iter().filter(|planned| planned.change == change).count() as u64
    }
}
