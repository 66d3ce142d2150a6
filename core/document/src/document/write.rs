//! A document → text, and → `serde_json::Value` for what reads nothing else.

use std::fmt::Write;

use serde_json::Value;

use super::{Node, Type};

impl Node<'_> {
    /// The value as JSON text without insignificant white space: members in source order, numbers
    /// as they were written.
    pub fn to_text(self) -> String {
        let mut text = String::new();
        self.write_text(&mut text);
        text
    }

    /// Appends what [`to_text`](Self::to_text) gives.
    pub fn write_text(self, out: &mut String) {
        match self.kind() {
            Type::Null => out.push_str("null"),
            Type::Boolean => out.push_str(if self.boolean() == Some(true) { "true" } else { "false" }),
            Type::Number => out.push_str(self.literal().unwrap_or("0")),
            Type::String => write_string(self.string().unwrap_or_default(), out),
            Type::Array => {
                out.push('[');
                for (at, element) in self.elements().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    element.write_text(out);
                }
                out.push(']');
            }
            Type::Object => {
                out.push('{');
                for (at, (name, value)) in self.members().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    write_string(name, out);
                    out.push(':');
                    value.write_text(out);
                }
                out.push('}');
            }
        }
    }

    /// The value as serde_json knows it. A copy: for schemas and cold paths only.
    pub fn to_serde(self) -> Value {
        match self.kind() {
            Type::Null => Value::Null,
            Type::Boolean => Value::Bool(self.boolean() == Some(true)),
            Type::Number => self.number().map_or(Value::Null, |number| Value::Number(number.to_serde())),
            Type::String => Value::String(self.string().unwrap_or_default().to_owned()),
            Type::Array => Value::Array(self.elements().map(Node::to_serde).collect()),
            Type::Object => Value::Object(
                self.members().map(|(name, value)| (name.to_owned(), value.to_serde())).collect(),
            ),
        }
    }
}

/// Appends a string with JSON's quotes and escapes (RFC 8259 §7), and no more of them than needed.
#[doc(hidden)]
pub fn write_string(string: &str, out: &mut String) {
    out.push('"');
    let mut rest = string;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        let mut tail = tail.chars();
        match tail.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(control) => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            None => {}
        }
        rest = tail.as_str();
    }
    out.push_str(rest);
    out.push('"');
}
