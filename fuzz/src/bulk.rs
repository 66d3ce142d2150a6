//! A bulk beside its items one by one.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use tidegate_core::document::{Document, Node, ParseError, ParseErrorKind, Type};
use tidegate_core::{CheckOptions, CheckedItem, PreparedSchema, Rejection, Violation, ViolationCode, limits};

/// How many schemas there are; the first byte chooses one.
pub(crate) const SCHEMAS: u8 = 3;

/// The schemas, each with the way to its id.
static PREPARED: LazyLock<Vec<(PreparedSchema, &[&str])>> = LazyLock::new(|| {
    let schemas: [(&str, &[&str]); SCHEMAS as usize] = [
        (
            r##"{"type":"object","properties":{"id":{"type":"string"},"n":{"type":"number","minimum":0},"v":true,
            "w":{"enum":[1,"a",null,[1.0]]},"tags":{"type":"array","items":{"type":"string","maxLength":3},
            "uniqueItems":true}},"required":["id"],"resmo":{"id":"id","name":"w"}}"##,
            &["id"],
        ),
        (
            r##"{"type":"object","properties":{"meta":{"type":"object","properties":{"id":{"type":["string","null"]}},
            "additionalProperties":false},"tree":{"$ref":"#/$defs/tree"},"a":{"format":"date"}},
            "anyOf":[{"required":["meta"]},{"properties":{"id":{"pattern":"^[0-9]+$"}},"required":["id"]}],
            "$defs":{"tree":{"type":"object","additionalProperties":{"$ref":"#/$defs/tree"}}},
            "resmo":{"id":"meta.id"}}"##,
            &["meta", "id"],
        ),
        (
            r#"{"type":"object","additionalProperties":true,"resmo":{"id":"id","importantFields":["$..a"]}}"#,
            &["id"],
        ),
    ];
    schemas
        .into_iter()
        .filter_map(|(text, id)| Some((PreparedSchema::prepare(text.as_bytes()).ok()?, id)))
        .collect()
});

/// Checks the bytes behind the first as a bulk, by the schema that the first chooses.
///
/// # Panics
/// The bulk is judged otherwise than its items are.
pub fn bulk(bytes: &[u8]) {
    assert_eq!(PREPARED.len(), usize::from(SCHEMAS), "a schema of the target is refused");
    let Some((&first, payload)) = bytes.split_first() else { return };
    let Some((schema, id)) = PREPARED.get(usize::from(first % SCHEMAS)) else { return };
    let options = CheckOptions { show_values: first / SCHEMAS % 2 == 1 };
    let found = schema.check_bulk(payload, options);
    let document = match Document::parse(payload) {
        Ok(document) => document,
        // Items of a bulk may be as deep as if they stood alone.
        Err(error) if matches!(error.kind, ParseErrorKind::TooDeep { .. }) => return,
        Err(error) => return unreadable(found.err(), &error),
    };
    let root = document.root();
    if root.kind() != Type::Array {
        let violations = found.as_ref().map_err(Rejection::violations).err().unwrap_or_default();
        let codes: Vec<_> = violations.iter().map(|violation| (violation.code, violation.item)).collect();
        return assert_eq!(codes, [(ViolationCode::WrongType, None)], "{found:?}");
    }
    let texts: Vec<String> = root.elements().map(Node::to_text).collect();
    let alone: Vec<_> = texts.iter().map(|text| schema.check_one(text.as_bytes(), options)).collect();
    let twice = twice(root, id);
    match found {
        Ok(items) => passed(payload, &items, &alone, &twice, |text| schema.check_one(text, options)),
        Err(Rejection::Invalid(violations)) => {
            let faulty =
                alone.iter().zip(&twice).filter(|(alone, twice)| alone.is_err() || twice.is_some()).count();
            assert_eq!(violations.invalid_items, faulty);
            assert!(violations.list.len() <= limits::BULK_FAULTS);
            if !violations.truncated {
                failed(&violations.list, &alone, &twice);
            }
        }
        Err(other) => assert!(payload.len() > limits::RESOURCE_BYTES, "{other:?}"),
    }
}

/// The same fault at the same place.
fn unreadable(found: Option<Rejection>, expected: &ParseError) {
    let found = match found {
        Some(Rejection::Unreadable(found)) => found,
        other => return assert_eq!(other, Some(Rejection::Unreadable(expected.clone()))),
    };
    assert_eq!(found, *expected);
}

/// For each item the one before it that has the same id.
fn twice(root: Node<'_>, way: &[&str]) -> Vec<Option<usize>> {
    let mut places = BTreeMap::new();
    let mut twice = Vec::new();
    for (index, item) in root.elements().enumerate() {
        let id = way.iter().try_fold(item, |node, name| node.member(name)).and_then(Node::string);
        let usable = id.filter(|id| !id.is_empty() && id.chars().count() <= limits::ID_CHARS);
        let first = usable.map(|id| *places.entry(id).or_insert(index));
        twice.push(first.filter(|first| *first != index));
    }
    twice
}

fn passed(
    payload: &[u8],
    items: &[CheckedItem<'_>],
    alone: &[Result<CheckedItem<'_>, Rejection>],
    twice: &[Option<usize>],
    check: impl Fn(&[u8]) -> Result<CheckedItem<'_>, Rejection>,
) {
    assert_eq!(items.len(), alone.len());
    assert!(twice.iter().all(Option::is_none), "an id that stands twice was let in");
    let mut end = 0;
    for (item, alone) in items.iter().zip(alone) {
        let text = payload.get(item.range.clone()).unwrap_or_default();
        for other in [alone, &check(text)] {
            let read = other.as_ref().map(|other| (&other.id, &other.name, &other.digest));
            assert_eq!(read, Ok((&item.id, &item.name, &item.digest)));
        }
        between(payload.get(end..item.range.start));
        end = item.range.end;
    }
    between(payload.get(end..));
}

/// What stands between items is no part of any.
fn between(bytes: Option<&[u8]>) {
    let punctuation = |byte: &u8| b" \t\r\n[],".contains(byte);
    assert!(bytes.is_some_and(|bytes| bytes.iter().all(punctuation)), "the range of an item");
}

fn failed(found: &[Violation], alone: &[Result<CheckedItem<'_>, Rejection>], twice: &[Option<usize>]) {
    let mut found = found.iter();
    for (index, (alone, twice)) in alone.iter().zip(twice).enumerate() {
        let expected = alone.as_ref().err().map(Rejection::violations).unwrap_or_default();
        for expected in expected {
            let expected = Violation { item: Some(index), ..expected.clone() };
            assert_eq!(found.next(), Some(&expected));
        }
        if let Some(first) = twice {
            let next = found.next().map(|next| (next.code, next.item, next.detail.as_str()));
            let detail = format!("item {first} has the same id");
            assert_eq!(next, Some((ViolationCode::DuplicateId, Some(index), detail.as_str())));
        }
    }
    assert_eq!(found.next(), None);
}
