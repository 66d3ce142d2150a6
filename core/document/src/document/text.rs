//! JSON values as the text they came in.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Document, Kind, Node, Number, Type, scan};

/// A JSON value as text: that of the payload where it is taken from one, white space and all.
///
/// It serialises as the value it holds, its members in their own order.
///
/// ```
/// use tidegate_document::document::JsonText;
///
/// let text = JsonText::from(&serde_json::json!({"a": [1, null]}));
/// assert_eq!(text.as_str(), r#"{"a":[1,null]}"#);
/// assert_eq!(serde_json::to_string_pretty(&text).unwrap(), "{\n  \"a\": [\n    1,\n    null\n  ]\n}");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonText<'s>(Cow<'s, str>);

impl JsonText<'_> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as one that outlives the payload.
    pub fn into_owned(self) -> JsonText<'static> {
        JsonText(Cow::Owned(self.0.into_owned()))
    }
}

impl From<&Value> for JsonText<'_> {
    fn from(value: &Value) -> Self {
        Self(Cow::Owned(value.to_string()))
    }
}

impl From<String> for JsonText<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl Serialize for JsonText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match Document::parse(self.0.as_bytes()) {
            Ok(document) => document.root().serialize(serializer),
            Err(error) => Err(serde::ser::Error::custom(error)),
        }
    }
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.kind() {
            Type::Null => serializer.serialize_unit(),
            Type::Boolean => serializer.serialize_bool(self.boolean() == Some(true)),
            Type::Number => match self.number() {
                Some(Number::Integer(integer)) => match (u64::try_from(integer), i64::try_from(integer)) {
                    (Ok(unsigned), _) => serializer.serialize_u64(unsigned),
                    (_, Ok(signed)) => serializer.serialize_i64(signed),
                    _ => serializer.serialize_unit(),
                },
                Some(Number::Double(double)) => serializer.serialize_f64(double),
                None => serializer.serialize_unit(),
            },
            Type::String => serializer.serialize_str(self.string().unwrap_or_default()),
            Type::Array => serializer.collect_seq(self.elements()),
            Type::Object => serializer.collect_map(self.members()),
        }
    }
}

impl<'s> Document<'s> {
    /// The text of one of this document's values.
    #[doc(hidden)]
    pub fn text_of(&self, node: Node<'_>) -> JsonText<'s> {
        let entry = self.entry(node.ordinal());
        let start = entry.source as usize;
        let end = match entry.kind {
            Kind::Array => entry.at as usize,
            // An order in the place of an end is that of a document that has one.
            Kind::Object if self.order.is_empty() && entry.len > 0 => entry.at as usize,
            Kind::Plain => (entry.at + entry.len) as usize + 1,
            _ => start + length(self.source.as_bytes().get(start..).unwrap_or_default()),
        };
        JsonText(self.source.get(start..end).unwrap_or_default().into())
    }

    /// One of this document's strings, borrowed from the source where it stands there.
    #[doc(hidden)]
    pub fn string(&self, node: Node<'_>) -> Option<Cow<'s, str>> {
        let entry = self.entry(node.ordinal());
        match entry.kind {
            Kind::Plain => {
                let start = entry.at as usize;
                self.source.get(start..start + entry.len as usize).map(Cow::Borrowed)
            }
            Kind::Escaped => Some(Cow::Owned(self.text(entry).to_owned())),
            _ => None,
        }
    }
}

/// How long the first value in a text is that was read before.
fn length(text: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'"' => {
                loop {
                    at += scan::plain_bytes(text.get(at..).unwrap_or_default());
                    match text.get(at) {
                        Some(b'\\') => at += 2,
                        _ => break,
                    }
                }
                at += 1;
            }
            b'[' | b'{' => {
                depth += 1;
                continue;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ if depth > 0 => continue,
            _ => {
                let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
                let rest = text.get(at..).unwrap_or_default();
                at += rest.iter().position(ends).unwrap_or(rest.len());
            }
        }
        if depth == 0 {
            break;
        }
    }
    at.min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_end_where_their_values_do() {
        let source = r#" { "a" : [ 1 , {"b]":"\"}" } ] , "c":-1.5e3,"d":"\\","e":{ },"f":null } "#;
        let mut quick = Document::default();
        assert!(quick.fill_quickly(source.as_bytes()));
        for document in [Document::parse(source.as_bytes()).unwrap(), quick] {
            let texts: Vec<_> = document.root().members().map(|(_, value)| document.text_of(value)).collect();
            let texts: Vec<_> = texts.iter().map(JsonText::as_str).collect();
            assert_eq!(texts, [r#"[ 1 , {"b]":"\"}" } ]"#, "-1.5e3", r#""\\""#, "{ }", "null"]);
            assert_eq!(document.text_of(document.root()).as_str(), source.trim());
        }
    }
}
