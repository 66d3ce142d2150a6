//! The document as the `jsonschema` crate reads it.

use std::borrow::Cow;
use std::ops::ControlFlow;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, JsonNumber, Node as JsonNode, NodeIdentity, Object};
use serde_json::Value;

use super::{Document, Elements, Entry, Kind, Members, Node, Number, Type};
use crate::digest::Digest;
use crate::limits;

/// The representation to build validators for: [`Node`]s of a [`Document`].
#[derive(Debug, Clone, Copy)]
pub struct GateJson;

impl Json for GateJson {
    type Node<'a> = Node<'a>;
    type PreparedKey = Box<str>;
    type StringBuffer = Document<'static>;

    // A lookup in a small object walks its members anyway.
    const KEYS_PER_LOOKUP: usize = 4;
    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> Box<str> {
        key.into()
    }

    fn with_string_node<T>(buffer: &mut Document<'static>, string: &str, f: impl FnOnce(Node<'_>) -> T) -> T {
        buffer.unescaped.clear();
        buffer.unescaped.push_str(string);
        buffer.entries.clear();
        let len = u32::try_from(string.len()).unwrap_or(u32::MAX);
        buffer.entries.push(Entry { kind: Kind::Escaped, source: 0, at: 0, len, next: 1 });
        f(buffer.root())
    }
}

impl JsonNumber for Number {
    fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Integer(integer) => u64::try_from(*integer).ok(),
            Self::Double(_) => None,
        }
    }

    fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(integer) => i64::try_from(*integer).ok(),
            Self::Double(_) => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        Some(self.to_double())
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Owned(self.to_serde().to_string())
    }

    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        Cow::Owned(self.to_serde())
    }

    fn is_integer(&self) -> bool {
        Number::is_integer(*self)
    }
}

/// An object or array as the validator sees it: empty once the fuel is used up.
#[derive(Debug, Clone, Copy)]
pub struct Container<'a> {
    node: Node<'a>,
    len: usize,
}

impl<'a> Container<'a> {
    #[inline(always)]
    fn of(node: Node<'a>) -> Self {
        let len = if node.document.spend() { node.len() } else { 0 };
        Self { node, len }
    }
}

impl<'a> JsonNode<'a, GateJson> for Node<'a> {
    type Object = Container<'a>;
    type Array = Container<'a>;
    type Number = Number;

    #[inline(always)]
    fn as_object(&self) -> Option<Container<'a>> {
        (self.entry().kind == Kind::Object).then(|| Container::of(*self))
    }

    #[inline(always)]
    fn as_array(&self) -> Option<Container<'a>> {
        (self.entry().kind == Kind::Array).then(|| Container::of(*self))
    }

    #[inline(always)]
    fn as_string(&self) -> Option<Cow<'a, str>> {
        self.string().map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<Number> {
        self.number()
    }

    fn as_boolean(&self) -> Option<bool> {
        self.boolean()
    }

    fn is_null(&self) -> bool {
        self.entry().kind == Kind::Null
    }

    fn is_number(&self) -> bool {
        self.entry().kind == Kind::Number
    }

    #[inline(always)]
    fn json_type(&self) -> JsonType {
        self.document.spend();
        match self.kind() {
            Type::Null => JsonType::Null,
            Type::Boolean => JsonType::Boolean,
            Type::Number => JsonType::Number,
            Type::String => JsonType::String,
            Type::Array => JsonType::Array,
            Type::Object => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &Value) -> bool {
        self.equals(expected)
    }

    fn to_value(&self) -> Cow<'a, Value> {
        if !self.document.explaining() {
            return Cow::Owned(self.to_serde());
        }
        // Errors would hold a copy of every value that they are about. A short string may be a
        // member's name, which nothing else tells.
        let short = self.string().filter(|string| string.len() <= limits::QUOTED_BYTES);
        Cow::Owned(short.map_or(Value::Null, Value::from))
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::tagged(std::ptr::from_ref(self.document).addr(), self.index))
    }
}

impl<'a> Object<'a, GateJson> for Container<'a> {
    type Node = Node<'a>;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        self.len
    }

    fn get(&self, key: &Box<str>) -> Option<Node<'a>> {
        if self.len == 0 { None } else { self.node.member(key) }
    }

    fn members(&self) -> Members<'a> {
        let mut members = self.node.members();
        if self.len == 0 {
            members.left = 0;
        }
        members
    }

    fn try_for_each_name_node<B>(
        &self,
        _: &mut Document<'static>,
        mut f: impl FnMut(Node<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut members = Object::members(self);
        while let Some((name, _)) = members.next_nodes() {
            f(name)?;
        }
        ControlFlow::Continue(())
    }
}

impl<'a> Array<'a, GateJson> for Container<'a> {
    type Node = Node<'a>;
    type ElementsIter = Elements<'a>;

    fn len(&self) -> usize {
        self.len
    }

    fn elements(&self) -> Elements<'a> {
        let mut elements = self.node.elements();
        if self.len == 0 {
            elements.left = 0;
        }
        elements
    }

    fn is_unique(&self) -> bool {
        // Equal values have equal digests, and only they have.
        let mut digests: Vec<_> = Array::elements(self).map(Digest::of).collect();
        digests.sort_unstable();
        digests.windows(2).all(|pair| pair.first() != pair.last())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conforms_to_the_validators_contract() {
        let text = jsonschema::json::conformance::document().to_string();
        let document = Document::parse(text.as_bytes()).unwrap();
        jsonschema::json::conformance::assert_conformance::<GateJson>(&document.root());
    }

    #[test]
    fn without_fuel_containers_look_empty() {
        let document = Document::parse(br#"{"a": {"b": 1}}"#).unwrap();
        document.refuel((1, 0), false);
        assert_eq!(Object::len(&document.root().as_object().unwrap()), 1);
        assert_eq!(Object::len(&document.root().as_object().unwrap()), 0);
        assert!(document.exhausted());
    }
}
