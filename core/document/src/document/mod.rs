//! Bytes → a document that the validator, the paths, the digest and the diff read in place.
//!
//! A [`Document`] is flat: one vector of fixed-size entries in source order, strings borrowed from
//! the source where they hold no escapes. Only the acceptor knows the layout, too; everybody else
//! reads through [`Node`].

mod json;
mod number;
mod parse;
mod pieces;
mod scan;
mod text;
mod write;

use std::cmp::Ordering;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use serde_json::Value;

use crate::cbor;

pub use json::GateJson;
pub use number::Number;
#[doc(hidden)]
pub use parse::{End, ItemText, Items};
pub use parse::{ParseError, ParseErrorKind, Position};
#[doc(hidden)]
pub use pieces::{Pieces, Unread};
pub use text::JsonText;
#[doc(hidden)]
pub use write::write_string;

/// A parsed JSON text.
///
/// ```
/// use tidegate_document::document::Document;
///
/// let document = Document::parse(br#"{"salary": 1230.0}"#).unwrap();
/// let salary = document.root().member("salary").unwrap();
/// assert_eq!(salary.number(), Document::parse(b"1.23e3").unwrap().root().number());
/// ```
#[derive(Debug, Default)]
pub struct Document<'s> {
    source: &'s str,
    entries: Vec<Entry>,
    /// For each object its members' names (their entries), the shorter ones first and those of one
    /// length by their bytes. Empty where the document was read without sorting.
    order: Vec<u32>,
    /// The text of strings that hold escapes.
    unescaped: String,
    fuel: Fuel,
}

/// A document's buffers, to be used again.
#[derive(Debug, Default)]
#[doc(hidden)]
pub struct Buffers {
    entries: Vec<Entry>,
    unescaped: String,
}

impl Buffers {
    /// How many bytes they hold on to.
    #[doc(hidden)]
    pub fn capacity(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.unescaped.capacity()
    }
}

/// One value, or one member's name, in source order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    /// Where it begins in the source, in bytes.
    source: u32,
    /// String, number: where its text begins. Array, object: where its text ends; but once members
    /// are sorted, of an object where its order begins.
    at: u32,
    /// String, number: bytes of text. Array, object: elements, members.
    pub(crate) len: u32,
    /// The entry behind this value and all that is in it.
    pub(crate) next: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    False,
    True,
    Number,
    /// Its text is a slice of the source.
    Plain,
    /// Its text is a slice of `unescaped`.
    Escaped,
    Array,
    Object,
}

/// The type of a JSON value, by its name in JSON Schema. Integers are numbers here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Type {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// any number
    Number,
    /// a string
    String,
    /// an array
    Array,
    /// an object
    Object,
}

impl Type {
    const ALL: [Self; 6] = [Self::Null, Self::Boolean, Self::Number, Self::String, Self::Array, Self::Object];

    /// The type of that name in JSON Schema; `integer` is none of its own here.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The type's name in JSON Schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

/// How often the validator may still look at a value of this document.
///
/// When it is used up, containers look empty, so that an evaluation that would descend for ever
/// ends soon; its result means nothing then, and [`Document::exhausted`] says so.
#[derive(Debug)]
struct Fuel {
    left: AtomicU64,
    /// The validator is collecting errors: it is shown `null` where it would copy a value.
    explaining: AtomicBool,
}

impl Default for Fuel {
    fn default() -> Self {
        Self { left: AtomicU64::new(u64::MAX), explaining: AtomicBool::new(false) }
    }
}

impl<'s> Document<'s> {
    /// A document without a text, in these buffers.
    #[doc(hidden)]
    pub fn over(Buffers { entries, unescaped }: Buffers) -> Self {
        Self { entries, unescaped, ..Self::default() }
    }

    /// Its buffers.
    #[doc(hidden)]
    pub fn into_buffers(self) -> Buffers {
        Buffers { entries: self.entries, unescaped: self.unescaped }
    }

    /// The document's outermost value.
    pub fn root(&self) -> Node<'_> {
        Node { document: self, index: 0 }
    }

    /// Empties the document for another text.
    fn begin(&mut self, source: &'s str) {
        self.source = source;
        self.entries.clear();
        self.order.clear();
        self.unescaped.clear();
    }

    /// How many values and member names the document holds.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline(always)]
    pub(crate) fn entry(&self, index: u32) -> Entry {
        const NULL: Entry = Entry { kind: Kind::Null, source: 0, at: 0, len: 0, next: 0 };
        self.entries.get(index as usize).copied().unwrap_or(NULL)
    }

    #[inline(always)]
    pub(crate) fn text(&self, entry: Entry) -> &str {
        let range = entry.at as usize..entry.at as usize + entry.len as usize;
        match entry.kind {
            Kind::Plain | Kind::Number => self.source.get(range),
            Kind::Escaped => self.unescaped.get(range),
            _ => None,
        }
        .unwrap_or_default()
    }

    /// A string's or a name's bytes, and those that stand behind it.
    #[inline(always)]
    fn bytes_from(&self, entry: Entry) -> &[u8] {
        let text = if entry.kind == Kind::Escaped { &self.unescaped } else { self.source };
        text.as_bytes().get(entry.at as usize..).unwrap_or_default()
    }

    /// Appends a string's or a name's encoding for the digest.
    #[inline(always)]
    pub(crate) fn encode_text(&self, entry: Entry, out: &mut Vec<u8>) {
        cbor::text(out, self.bytes_from(entry), entry.len as usize);
    }

    /// A string's or a name's bytes.
    #[inline(always)]
    pub(crate) fn bytes(&self, entry: Entry) -> &[u8] {
        self.bytes_from(entry).get(..entry.len as usize).unwrap_or_default()
    }

    /// Fills the tank for one evaluation.
    #[doc(hidden)]
    pub fn refuel(&self, (fixed, per_value): (u64, u64), explaining: bool) {
        let amount = fixed.saturating_add(per_value.saturating_mul(self.len() as u64));
        self.fuel.left.store(amount, Relaxed);
        self.fuel.explaining.store(explaining, Relaxed);
    }

    /// Whether the last evaluation ran out of fuel.
    #[doc(hidden)]
    pub fn exhausted(&self) -> bool {
        self.fuel.left.load(Relaxed) == 0
    }

    /// Takes one unit; `false` when there is none.
    #[inline(always)]
    fn spend(&self) -> bool {
        // One evaluation runs on one thread: a load and a store do, and cost no locked operation.
        let left = self.fuel.left.load(Relaxed);
        if left == 0 {
            return false;
        }
        self.fuel.left.store(left - 1, Relaxed);
        true
    }

    fn explaining(&self) -> bool {
        self.fuel.explaining.load(Relaxed)
    }
}

/// A member's name on its way to its place in the order of an object's members.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NameKey {
    /// Its length, up to 65,535, and its first six bytes: most often enough to tell two apart.
    pub(crate) prefix: u64,
    pub(crate) name: u32,
}

impl Document<'_> {
    #[inline(always)]
    fn name_key(&self, name: u32) -> NameKey {
        let text = self.text(self.entry(name)).as_bytes();
        let first = match text.first_chunk::<8>() {
            Some(chunk) => u64::from_be_bytes(*chunk) >> 16,
            None => text
                .iter()
                .take(6)
                .zip([40, 32, 24, 16, 8, 0])
                .fold(0, |first, (&byte, shift)| first | u64::from(byte) << shift),
        };
        NameKey { prefix: (text.len().min(0xffff) as u64) << 48 | first, name }
    }

    /// The names of an object's members, in the document's order.
    pub(crate) fn name_keys(&self, object: u32, len: u32, keys: &mut Vec<NameKey>) {
        keys.clear();
        let mut name = object + 1;
        for _ in 0..len {
            keys.push(self.name_key(name));
            name = self.entry(name + 1).next;
        }
    }

    #[inline(never)]
    fn compare_names(&self, a: NameKey, b: NameKey) -> Ordering {
        name_order(self.bytes(self.entry(a.name)), self.bytes(self.entry(b.name)))
    }

    /// Sorts by the prefixes, then by the names, then by their places in the source. One sort for
    /// all, as each takes kilobytes.
    #[inline(never)]
    pub(crate) fn sort_keys(&self, keys: &mut [NameKey]) {
        keys.sort_unstable_by(|a, b| self.compare_to_sort(*a, *b));
    }

    /// Never inlined: a sort calls it from dozens of places.
    #[inline(never)]
    fn compare_to_sort(&self, a: NameKey, b: NameKey) -> Ordering {
        a.prefix.cmp(&b.prefix).then_with(|| self.compare_names(a, b)).then(a.name.cmp(&b.name))
    }

    /// Sorts the names of one object's members. Of two that are the same, returns the later one; of
    /// several such pairs, the one that comes first in the source.
    pub(crate) fn sort_names(&self, keys: &mut [NameKey]) -> Option<u32> {
        let compare =
            |a: &NameKey, b: &NameKey| a.prefix.cmp(&b.prefix).then_with(|| self.compare_names(*a, *b));
        if keys.is_sorted_by(|a, b| compare(a, b) == Ordering::Less) {
            return None;
        }
        self.sort_keys(keys);
        let pairs = keys.iter().zip(keys.iter().skip(1));
        pairs.filter(|(a, b)| compare(a, b) == Ordering::Equal).map(|(_, b)| b.name).min()
    }
}

/// The order of names in the digest: that of their encodings (RFC 8949 §4.2.1), in which the shorter
/// one comes first.
#[inline(always)]
pub(crate) fn name_order(a: &[u8], b: &[u8]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Equality of short texts without a call.
#[inline(always)]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match (a.first_chunk::<8>(), b.first_chunk::<8>()) {
        (Some(first), Some(other)) => {
            if first != other {
                return false;
            }
            if a.len() <= 16 {
                return a.last_chunk::<8>() == b.last_chunk::<8>();
            }
            a == b
        }
        _ => a.iter().zip(b).all(|(a, b)| a == b),
    }
}

/// One value of a [`Document`]; copying it is free.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    document: &'a Document<'a>,
    index: u32,
}

impl std::fmt::Debug for Node<'_> {
    /// The type only: a payload's values stay out of messages and logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({})", self.kind().name())
    }
}

impl<'a> Node<'a> {
    /// The value of that entry.
    #[inline(always)]
    pub(crate) fn at(document: &'a Document<'_>, index: u32) -> Self {
        Self { document, index }
    }

    #[inline(always)]
    fn entry(self) -> Entry {
        self.document.entry(self.index)
    }

    /// The value's type.
    #[inline(always)]
    pub fn kind(self) -> Type {
        match self.entry().kind {
            Kind::Null => Type::Null,
            Kind::False | Kind::True => Type::Boolean,
            Kind::Number => Type::Number,
            Kind::Plain | Kind::Escaped => Type::String,
            Kind::Array => Type::Array,
            Kind::Object => Type::Object,
        }
    }

    /// The value, if it is a boolean.
    pub fn boolean(self) -> Option<bool> {
        match self.entry().kind {
            Kind::False => Some(false),
            Kind::True => Some(true),
            _ => None,
        }
    }

    /// The value, if it is a number.
    pub fn number(self) -> Option<Number> {
        self.literal().map(Number::from_literal)
    }

    /// The number as it is written in the source, if it is one.
    pub fn literal(self) -> Option<&'a str> {
        let entry = self.entry();
        (entry.kind == Kind::Number).then(|| self.document.text(entry))
    }

    /// The value, if it is a string.
    #[inline(always)]
    pub fn string(self) -> Option<&'a str> {
        let entry = self.entry();
        match entry.kind {
            Kind::Plain | Kind::Escaped => Some(self.document.text(entry)),
            _ => None,
        }
    }

    /// How many elements or members the value has; 0 for a scalar.
    #[inline(always)]
    pub fn len(self) -> usize {
        let entry = self.entry();
        match entry.kind {
            Kind::Array | Kind::Object => entry.len as usize,
            _ => 0,
        }
    }

    /// Whether the value is a scalar, or a container with nothing in it.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The elements of an array, in order; nothing for any other value.
    #[inline(always)]
    pub fn elements(self) -> Elements<'a> {
        let entry = self.entry();
        let left = if entry.kind == Kind::Array { entry.len } else { 0 };
        Elements { document: self.document, index: self.index + 1, left }
    }

    /// The members of an object in source order; nothing for any other value.
    #[inline(always)]
    pub fn members(self) -> Members<'a> {
        let entry = self.entry();
        let left = if entry.kind == Kind::Object { entry.len } else { 0 };
        Members { document: self.document, index: self.index + 1, left }
    }

    /// The members of an object, those with shorter names first, and those with names of one length
    /// by the names' bytes: the order of deterministic CBOR (RFC 8949 §4.2.1).
    pub fn sorted_members(self) -> impl Iterator<Item = (&'a str, Node<'a>)> + use<'a> {
        let document = self.document;
        self.order()
            .iter()
            .map(move |&name| (document.text(document.entry(name)), Node { document, index: name + 1 }))
    }

    #[inline(always)]
    fn order(self) -> &'a [u32] {
        let entry = self.entry();
        if entry.kind != Kind::Object {
            return &[];
        }
        let start = entry.at as usize;
        self.document.order.get(start..start + entry.len as usize).unwrap_or_default()
    }

    /// The member of that name, if this is an object that has one.
    pub fn member(self, name: &str) -> Option<Node<'a>> {
        let document = self.document;
        let order = self.order();
        // Members of small objects are next to each other: walking them beats the search. A document
        // that was read without sorting has no order.
        if order.len() <= 8 {
            return self
                .members()
                .find(|(other, _)| same(other.as_bytes(), name.as_bytes()))
                .map(|(_, value)| value);
        }
        order
            .binary_search_by(|&other| name_order(document.bytes(document.entry(other)), name.as_bytes()))
            .ok()
            .and_then(|at| order.get(at))
            .map(|&name| Node { document, index: name + 1 })
    }

    /// The element at that place, if this is an array that has one.
    pub fn element(self, index: usize) -> Option<Node<'a>> {
        self.elements().nth(index)
    }

    /// Whether this is that value.
    pub(crate) fn equals(self, expected: &Value) -> bool {
        match expected {
            Value::Null => self.entry().kind == Kind::Null,
            Value::Bool(expected) => self.boolean() == Some(*expected),
            Value::Number(expected) => self.number() == Some(Number::from(expected)),
            Value::String(expected) => self.string() == Some(expected),
            Value::Array(expected) => {
                self.entry().kind == Kind::Array
                    && self.len() == expected.len()
                    && self.elements().zip(expected).all(|(node, value)| node.equals(value))
            }
            Value::Object(expected) => {
                self.entry().kind == Kind::Object
                    && self.len() == expected.len()
                    && self
                        .members()
                        .all(|(name, node)| expected.get(name).is_some_and(|value| node.equals(value)))
            }
        }
    }

    /// Where this value stands in the document's order; values further down have larger numbers.
    #[doc(hidden)]
    pub fn ordinal(self) -> u32 {
        self.index
    }
}

impl PartialEq for Node<'_> {
    /// Whether both are the same value of the same document.
    fn eq(&self, other: &Self) -> bool {
        self.ordinal() == other.ordinal() && std::ptr::eq(self.document, other.document)
    }
}

/// The elements of an array.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    document: &'a Document<'a>,
    index: u32,
    left: u32,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Node<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<Node<'a>> {
        self.left = self.left.checked_sub(1)?;
        let node = Node { document: self.document, index: self.index };
        self.index = node.entry().next;
        Some(node)
    }
}

/// The members of an object in source order.
#[derive(Debug, Clone)]
pub struct Members<'a> {
    document: &'a Document<'a>,
    index: u32,
    left: u32,
}

impl<'a> Members<'a> {
    /// The next member's name as a node of its own, and its value.
    #[inline(always)]
    fn next_nodes(&mut self) -> Option<(Node<'a>, Node<'a>)> {
        self.left = self.left.checked_sub(1)?;
        let name = Node { document: self.document, index: self.index };
        let value = Node { document: self.document, index: self.index + 1 };
        self.index = value.entry().next;
        Some((name, value))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Node<'a>);

    #[inline(always)]
    fn next(&mut self) -> Option<(&'a str, Node<'a>)> {
        let (name, value) = self.next_nodes()?;
        Some((name.string().unwrap_or_default(), value))
    }
}
