//! Which fields of two versions of a resource differ.

use std::collections::BTreeMap;

use crate::document::{Node, Type};
use crate::limits;
use crate::pointer::{push_dotted_index, push_dotted_name};

/// The leaf paths that differ, dotted and sorted.
///
/// A leaf is a scalar or an empty container; a path differs when only one version has a leaf
/// there, or both have different ones. Paths are written `employee.name`, `tags[2]`,
/// `['odd name'].x` and sorted by their bytes. Should the list take more than
/// [`limits::FIELDS_BYTES`], it names the root members that differ instead.
///
/// ```
/// use tidegate_core::{diff::differing_fields, document::Document};
///
/// let before = Document::parse(br#"{"salary": 1230.0, "tags": ["a", "b"]}"#).unwrap();
/// let after = Document::parse(br#"{"tags": ["a"], "salary": 1230, "odd name": {"x": 1}}"#).unwrap();
/// assert_eq!(differing_fields(before.root(), after.root()), ["['odd name'].x", "tags[1]"]);
/// ```
pub fn differing_fields(before: Node<'_>, after: Node<'_>) -> Vec<String> {
    let mut diff = Diff { path: String::new(), fields: Vec::new(), bytes: 0 };
    diff.values(Some(before), Some(after));
    if diff.bytes > limits::FIELDS_BYTES {
        diff = Diff { path: String::new(), fields: root_members(before, after), bytes: 0 };
    }
    diff.fields.sort_unstable();
    diff.fields.dedup();
    diff.fields
}

fn root_members(before: Node<'_>, after: Node<'_>) -> Vec<String> {
    let mut fields = Vec::new();
    for_each_member(before, after, |name, before, after| {
        if !equal(before, after) {
            let mut path = String::new();
            push_dotted_name(&mut path, name);
            fields.push(path);
        }
    });
    fields
}

fn equal(before: Option<Node<'_>>, after: Option<Node<'_>>) -> bool {
    let mut diff = Diff { path: String::new(), fields: Vec::new(), bytes: 0 };
    diff.values(before, after);
    diff.bytes == 0
}

/// Calls `f` with each member that either object has.
fn for_each_member<'a>(
    before: Node<'a>,
    after: Node<'a>,
    mut f: impl FnMut(&'a str, Option<Node<'a>>, Option<Node<'a>>),
) {
    let mut members: BTreeMap<&str, (Option<Node<'a>>, Option<Node<'a>>)> = BTreeMap::new();
    for (name, value) in before.members() {
        members.entry(name).or_default().0 = Some(value);
    }
    for (name, value) in after.members() {
        members.entry(name).or_default().1 = Some(value);
    }
    for (name, (before, after)) in members {
        f(name, before, after);
    }
}

struct Diff {
    path: String,
    fields: Vec<String>,
    bytes: usize,
}

impl Diff {
    fn values(&mut self, before: Option<Node<'_>>, after: Option<Node<'_>>) {
        if self.bytes > limits::FIELDS_BYTES {
            return;
        }
        match (before, after) {
            (Some(before), Some(after)) => self.both(before, after),
            (Some(one), None) | (None, Some(one)) => self.leaves(one),
            (None, None) => {}
        }
    }

    fn both(&mut self, before: Node<'_>, after: Node<'_>) {
        match (before.kind(), after.kind()) {
            // The resource itself is no field, however empty.
            (Type::Object, Type::Object)
                if self.path.is_empty() || !before.is_empty() && !after.is_empty() =>
            {
                let mut members = Vec::new();
                for_each_member(before, after, |name, before, after| members.push((name, before, after)));
                for (name, before, after) in members {
                    self.inside(|path| push_dotted_name(path, name), |diff| diff.values(before, after));
                }
            }
            (Type::Array, Type::Array) if !before.is_empty() && !after.is_empty() => {
                let (mut before, mut after) = (before.elements(), after.elements());
                for index in 0.. {
                    let pair = (before.next(), after.next());
                    if pair == (None, None) {
                        break;
                    }
                    self.inside(|path| push_dotted_index(path, index), |diff| diff.values(pair.0, pair.1));
                }
            }
            _ if is_leaf(before) && is_leaf(after) => {
                let same = match (before.number(), after.number()) {
                    (Some(before), Some(after)) => before == after,
                    _ => {
                        before.kind() == after.kind()
                            && before.string() == after.string()
                            && before.boolean() == after.boolean()
                    }
                };
                if !same {
                    self.differs();
                }
            }
            _ => {
                self.leaves(before);
                self.leaves(after);
            }
        }
    }

    /// Every leaf of a value that only one version has.
    fn leaves(&mut self, node: Node<'_>) {
        if self.bytes > limits::FIELDS_BYTES {
            return;
        }
        if is_leaf(node) {
            self.differs();
            return;
        }
        for (name, value) in node.members() {
            self.inside(|path| push_dotted_name(path, name), |diff| diff.leaves(value));
        }
        for (index, value) in node.elements().enumerate() {
            self.inside(|path| push_dotted_index(path, index), |diff| diff.leaves(value));
        }
    }

    fn inside(&mut self, push: impl FnOnce(&mut String), visit: impl FnOnce(&mut Self)) {
        let len = self.path.len();
        push(&mut self.path);
        visit(self);
        self.path.truncate(len);
    }

    fn differs(&mut self) {
        self.bytes += self.path.len() + 1;
        if self.bytes <= limits::FIELDS_BYTES {
            self.fields.push(self.path.clone());
        }
    }
}

fn is_leaf(node: Node<'_>) -> bool {
    node.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::digest::Digest;
    use crate::document::Document;

    fn fields(before: &str, after: &str) -> Vec<String> {
        let (before, after) =
            (Document::parse(before.as_bytes()).unwrap(), Document::parse(after.as_bytes()).unwrap());
        differing_fields(before.root(), after.root())
    }

    #[test]
    fn leaves_that_differ() {
        assert_eq!(
            fields(r#"{"a":{"b":1,"c":[1,2]}}"#, r#"{"a":{"c":[1,3,{"d":{}}],"b":1.0}}"#),
            ["a.c[1]", "a.c[2].d"]
        );
        assert_eq!(fields(r#"{"a":{"x":1}}"#, r#"{"a":5}"#), ["a", "a.x"]);
        assert_eq!(fields(r#"{"a":{}}"#, r#"{"a":[]}"#), ["a"]);
        assert_eq!(fields(r#"{"a":{}}"#, r#"{"a":{"b":null}}"#), ["a", "a.b"]);
        assert_eq!(fields(r#"{"a":null}"#, "{}"), ["a"]);
    }

    #[test]
    fn a_list_too_long_names_root_members() {
        let many: Vec<_> = (0..20_000).collect();
        let before = json!({ "list": many, "same": 1, "other": 1 }).to_string();
        let after = json!({ "list": [], "same": 1, "other": 2 }).to_string();
        assert_eq!(fields(&before, &after), ["list", "other"]);
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(|b| json!(b)),
            (0..3i32).prop_map(|n| json!(n)),
            "[a-c]{0,2}".prop_map(|s| json!(s))
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|list| json!(list)),
                prop::collection::btree_map("[a-c]", inner, 0..4).prop_map(|members| json!(members)),
            ]
        })
    }

    proptest! {
        /// A diff is empty exactly when the digests are equal.
        #[test]
        fn agrees_with_the_digest(before in value(), after in value()) {
            let (before, after) = (json!({ "v": before }).to_string(), json!({ "v": after }).to_string());
            let equal = Digest::of_text(before.as_bytes()) == Digest::of_text(after.as_bytes());
            prop_assert_eq!(fields(&before, &after).is_empty(), equal);
            prop_assert!(fields(&before, &before).is_empty());
        }
    }
}
