//! The gate's reading of JSON beside serde_json's, and beside naive definitions of what only the gate says.

use std::borrow::Cow;

use serde_json::Value;
use tidegate_core::Digest;
use tidegate_core::document::{Document, Node, ParseError, ParseErrorKind, Position, Type};
use tidegate_core::limits;

use crate::reference::{Reading, Refusal, Tokens, Tree, at_the_border, is_near, literal, number};

/// Reads the bytes in both ways.
///
/// # Panics
/// The readings differ in whether the bytes are JSON that the gate takes, in a value, in where a fault is,
/// or a value written and read again is another one.
pub fn document(bytes: &[u8]) {
    let reading = Reading::of(bytes);
    match Document::parse(bytes) {
        Ok(document) => taken(bytes, &document, &reading),
        Err(error) => refused(bytes, &error, &reading),
    }
}

fn taken(bytes: &[u8], document: &Document<'_>, reading: &Reading) {
    assert!(reading.duplicates.is_empty(), "a name that stands twice was let in");
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    assert_eq!(text.len(), bytes.len(), "bytes that are not UTF-8 were let in");
    let tree = match (&reading.tree, reading.refusal()) {
        (Ok(tree), _) => tree,
        // serde_json goes no deeper than one level above this.
        (_, Some(Refusal::Depth)) => return assert_eq!(Tokens::of(text).deepest, limits::DEPTH),
        (error, Some(Refusal::Range)) => {
            let border = Tokens::of(text).literals.into_iter().any(at_the_border);
            return assert!(border, "a number was let in: {error:?}");
        }
        (error, _) => return assert!(error.is_ok(), "the grammar was let go: {error:?}"),
    };
    let root = document.root();
    same(root, tree);
    assert_eq!(root.to_serde(), tree.to_serde());

    let digest = Digest::of(root);
    assert_eq!(digest.as_bytes(), &tree.digest(), "the digest is not what digest.md says");
    assert_eq!(Digest::of_text(bytes), Some(digest));

    let written = root.to_text();
    let again = read(&written);
    same(again.root(), tree);
    assert_eq!(Digest::of(again.root()), digest, "written and read again");
    assert_eq!(again.root().to_text(), written);

    let theirs = root.to_serde().to_string();
    let again = read(&theirs);
    assert_eq!(Digest::of(again.root()), digest, "written by serde_json and read again");
}

#[expect(clippy::panic, reason = "a panic is how a target reports")]
fn read(text: &str) -> Document<'_> {
    Document::parse(text.as_bytes()).unwrap_or_else(|error| panic!("own text is refused: {error}: {text:?}"))
}

/// The value and all that is in it, through everything that reads a node.
fn same(node: Node<'_>, tree: &Tree) {
    alike(node, tree);
    match tree {
        Tree::Array(elements) => {
            assert_eq!(node.elements().count(), elements.len());
            for (index, (found, expected)) in node.elements().zip(elements).enumerate() {
                same(found, expected);
                // Each is a walk from the first on.
                if index < 8 || index + 1 == elements.len() {
                    node.element(index).map_or_else(|| missing(index), |found| alike(found, expected));
                }
            }
            assert!(node.element(elements.len()).is_none());
        }
        Tree::Object(members) => {
            assert_eq!(node.members().count(), members.len());
            for ((name, found), (expected_name, expected)) in node.members().zip(members) {
                assert_eq!(name, expected_name);
                same(found, expected);
                node.member(name).map_or_else(|| missing(name), |found| alike(found, expected));
            }
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| (name.len(), name.as_bytes().to_vec()));
            assert_eq!(node.sorted_members().count(), sorted.len());
            for ((name, found), (expected_name, expected)) in node.sorted_members().zip(sorted) {
                assert_eq!(name, expected_name, "the order of names");
                alike(found, expected);
            }
        }
        _ => {}
    }
    for absent in ["", "id", "\u{10ffff}"] {
        if tree.named(absent).next().is_none() {
            assert!(node.member(absent).is_none(), "a member that is not there");
        }
    }
}

#[expect(clippy::panic, reason = "a panic is how a target reports")]
fn missing(what: impl std::fmt::Debug) {
    panic!("{what:?} is not found");
}

/// The value itself, without what is in it.
fn alike(node: Node<'_>, tree: &Tree) {
    let (kind, length) = match tree {
        Tree::Null => (Type::Null, 0),
        Tree::Bool(_) => (Type::Boolean, 0),
        Tree::Number { .. } => (Type::Number, 0),
        Tree::Text(_) => (Type::String, 0),
        Tree::Array(elements) => (Type::Array, elements.len()),
        Tree::Object(members) => (Type::Object, members.len()),
    };
    assert_eq!(node.kind(), kind);
    assert_eq!((node.len(), node.is_empty()), (length, length == 0));
    assert_eq!(node.boolean(), if let Tree::Bool(value) = tree { Some(*value) } else { None });
    assert_eq!(node.string(), if let Tree::Text(text) = tree { Some(text.as_str()) } else { None });
    match tree {
        Tree::Number { literal, theirs } => {
            assert_eq!(node.literal(), Some(literal.as_str()));
            let ours = number(literal);
            assert_eq!(node.number(), Some(ours), "the value of {literal}");
            assert!(is_near(ours, theirs), "{literal} is {ours:?} and {theirs}");
        }
        _ => assert_eq!((node.literal(), node.number()), (None, None)),
    }
    if !matches!(tree, Tree::Array(_)) {
        assert!(node.elements().next().is_none() && node.element(0).is_none());
    }
    if !matches!(tree, Tree::Object(_)) {
        assert!(node.members().next().is_none() && node.sorted_members().next().is_none());
    }
}

fn refused(bytes: &[u8], error: &ParseError, reading: &Reading) {
    let offset = error.position.offset;
    let before = bytes.get(..offset);
    assert!(before.is_some(), "the fault is outside the text: {error:?}");
    let before = before.unwrap_or_default();
    let Ok(text) = std::str::from_utf8(bytes).map_err(|fault| {
        assert!(offset <= fault.valid_up_to(), "the fault is behind the one of UTF-8: {error:?}");
    }) else {
        return located(before, error);
    };
    located(before, error);
    let before = text.get(..offset).unwrap_or_default();
    match error.kind {
        ParseErrorKind::DuplicateMember => twice(text, before, error, reading),
        ParseErrorKind::TooDeep { limit } => {
            assert_eq!(limit, limits::DEPTH);
            assert!(matches!(bytes.get(offset), Some(b'[' | b'{')), "nothing is opened there: {error:?}");
            assert_eq!(Tokens::of(before).open, limit, "the depth at the fault");
            assert_eq!(error.pointer.tokens().count(), limit);
            stopped_at(reading, error, before);
        }
        ParseErrorKind::Malformed(_) => malformed(text, before, error, reading),
        ParseErrorKind::TooLong { .. } => assert!(u32::try_from(bytes.len()).is_err(), "{error:?}"),
    }
}

/// Line and column, counted again from the beginning.
fn located(before: &[u8], error: &ParseError) {
    let text = std::str::from_utf8(before).unwrap_or_else(|_| {
        assert!(before.is_empty(), "the fault is inside a character: {error:?}");
        ""
    });
    let (mut line, mut column) = (1, 1);
    for c in text.chars() {
        (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
    }
    assert_eq!(error.position, Position { line, column, offset: before.len() });
}

/// A name that stands twice: at the fault it does for the first time in its object.
fn twice(text: &str, before: &str, error: &ParseError, reading: &Reading) {
    let rest = text.get(before.len()..).unwrap_or_default();
    let mut strings = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    let name = strings.next().and_then(Result::ok);
    let mut object: Vec<String> = error.pointer.tokens().map(Cow::into_owned).collect();
    assert_eq!(name, object.pop(), "the name at the fault");
    if reading.duplicates.is_empty() {
        return stopped_at(reading, error, text);
    }
    let behind = text.get(..before.len() + strings.byte_offset()).unwrap_or_default();
    let twice = |text: &str| Reading::of(text.as_bytes()).duplicates.contains(&object);
    assert!(!twice(before), "a name stands twice before: {error:?}");
    assert!(twice(behind), "the name stands once: {error:?}");
}

/// serde_json stopped before the gate did, for a reason of its own.
fn stopped_at(reading: &Reading, error: &ParseError, before: &str) {
    let tokens = Tokens::of(before);
    let why = match reading.refusal() {
        Some(Refusal::Depth) => tokens.deepest >= limits::DEPTH,
        Some(Refusal::Range) => tokens.literals.into_iter().any(at_the_border),
        _ => false,
    };
    assert!(why, "the gate refuses ({error:?}), serde_json says {:?}", reading.tree.as_ref().map(|_| ()));
}

fn malformed(text: &str, before: &str, error: &ParseError, reading: &Reading) {
    let rest = text.get(before.len()..).unwrap_or_default();
    let number = literal(rest);
    if number.parse::<f64>().is_ok_and(f64::is_infinite) {
        // serde_json may take it, if it is only just too large.
        let theirs = serde_json::from_str::<Value>(number).is_err() || at_the_border(number);
        return assert!(theirs, "{number} is no number out of range");
    }
    let refusal = match reading.refusal() {
        Some(refusal @ (Refusal::Grammar | Refusal::End)) => refusal,
        _ => return stopped_at(reading, error, before),
    };
    if rest.is_empty() {
        assert_eq!(refusal, Refusal::End, "the text does not end there: {error:?}");
    }
    // What stands before the fault could go on.
    let begun = Reading::of(before.as_bytes());
    let viable = begun.tree.is_ok() || begun.refusal() != Some(Refusal::Grammar);
    assert!(viable, "the fault begins before: {error:?}, {:?}", begun.tree.as_ref().err());
    // Whether a value that has not begun counts is a matter of taste.
    let ours: Vec<String> = error.pointer.tokens().map(Cow::into_owned).collect();
    let common = ours.iter().zip(&reading.path).take_while(|(ours, theirs)| ours == theirs).count();
    let (least, most) = (ours.len().min(reading.path.len()), ours.len().max(reading.path.len()));
    assert!(common == least && most - least <= 1, "{error:?} is not at {:?}", reading.path);
}
