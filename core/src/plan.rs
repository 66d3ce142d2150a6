//! A snapshot × what is stored → what has to change.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use crate::check::{CheckOptions, Rejection};
use crate::digest::Digest;
use crate::document::{Document, ParseError, Type};
use crate::pointer::Pointer;
use crate::schema::PreparedSchema;
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

/// Reads what a scope holds from the answer of the server's route `manifest`:
/// `{"items": {"<id>": "<digest>"}}`. Other members of the answer are left to whoever knows them.
///
/// ```
/// use tidegate_core::plan::read_manifest;
///
/// let digest = "facff6425b5f0d2af7cccbaf79a78278cfd6bb3a47858e7f7ad543c2bd96a76e";
/// let answer = format!(r#"{{"revision": 3, "items": {{"ada": "{digest}"}}}}"#);
/// assert_eq!(read_manifest(answer.as_bytes()).unwrap()["ada"].to_string(), digest);
///
/// let error = read_manifest(br#"{"items": {"ada": 1}}"#).unwrap_err();
/// assert_eq!(error.to_string(), "no manifest: expected 64 lower-case hexadecimal digits at `#/items/ada`");
/// ```
///
/// # Errors
///
/// The first thing that is not as a server answers it.
pub fn read_manifest(text: &[u8]) -> Result<Manifest, ManifestError> {
    let unexpected = |pointer: Pointer, expected| ManifestError::Unexpected { pointer, expected };
    let document = Document::parse(text)?;
    let root = Pointer::root();
    if document.root().kind() != Type::Object {
        return Err(unexpected(root, "an object with the member `items`"));
    }
    let Some(items) = document.root().member("items") else {
        return Err(unexpected(root, "the member `items`"));
    };
    let root = root.name("items");
    if items.kind() != Type::Object {
        return Err(unexpected(root, "an object of ids and digests"));
    }
    let entry = |(id, digest): (&str, crate::document::Node<'_>)| {
        let digest = digest.string().and_then(|digest| digest.parse().ok());
        let digest = digest.ok_or_else(|| unexpected(root.name(id), "64 lower-case hexadecimal digits"))?;
        Ok((id.to_owned(), digest))
    };
    items.members().map(entry).collect()
}

/// Why a text is no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is no JSON text, or an ambiguous one: an id that stands twice is.
    #[error("no manifest: {0}")]
    Unreadable(#[from] ParseError),
    /// Something else stands where a server's answer has what is expected.
    #[error("no manifest: expected {expected} at `{}`", pointer.short_fragment())]
    Unexpected {
        /// Where.
        pointer: Pointer,
        /// What is expected there.
        expected: &'static str,
    },
}

impl ManifestError {
    /// Where in the text it is.
    pub fn pointer(&self) -> &Pointer {
        match self {
            Self::Unreadable(error) => &error.pointer,
            Self::Unexpected { pointer, .. } => pointer,
        }
    }
}

impl PreparedSchema {
    /// What sending a bulk would do where `stored` is stored. The bulk's text is an array or NDJSON, as
    /// [`check_items`](Self::check_items) reads it.
    ///
    /// # Errors
    ///
    /// Why the bulk does not pass.
    pub fn plan(&self, stored: &Manifest, items: &[u8], options: CheckOptions) -> Result<Plan, Rejection> {
        let items = self.check_items(items, options)?;
        Ok(Plan::bulk(stored, items.iter().map(|item| (&*item.id, item.digest))))
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_as_it_is_answered() {
        let digest = Digest::of_text(b"1").unwrap();
        let text = format!(r#"{{"items": {{"b": "{digest}", "a/": "{digest}"}}, "revision": {{}}}}"#);
        let manifest = read_manifest(text.as_bytes()).unwrap();
        assert_eq!(manifest, Manifest::from([("a/".to_owned(), digest), ("b".to_owned(), digest)]));
        assert_eq!(read_manifest(br#"{"items": {}}"#), Ok(Manifest::new()));
    }

    #[test]
    fn what_is_no_manifest_is_refused_by_its_place() {
        let digest = Digest::of_text(b"1").unwrap().to_string();
        let upper = digest.to_uppercase();
        for (text, pointer, what) in [
            ("[]", "#", "an object with the member `items`"),
            ("{}", "#", "the member `items`"),
            (r#"{"items": []}"#, "#/items", "an object of ids"),
            (r#"{"items": {"a b": null}}"#, "#/items/a%20b", "hexadecimal"),
            (&format!(r#"{{"items": {{"a": "{upper}"}}}}"#), "#/items/a", "hexadecimal"),
            (&format!(r#"{{"items": {{"a": "{digest}", "a": "{digest}"}}}}"#), "#/items/a", "duplicate"),
            (r#"{"items": {"a": "#, "#/items/a", "unexpected end"),
        ] {
            let error = read_manifest(text.as_bytes()).unwrap_err();
            assert_eq!(error.pointer().fragment(), pointer, "{text}");
            assert!(error.to_string().contains(what), "{error}");
        }
    }
}
