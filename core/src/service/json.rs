//! JSON text, member by member, in the order of the calls.
//!
//! Payloads are kept and answered as text, so answers are put together as text too: what a client
//! sent comes back with its own spelling of numbers and order of members.

use serde::Serialize;

use crate::document::write_string;

/// An object in the making.
#[derive(Debug)]
pub(super) struct Object {
    text: String,
}

impl Object {
    pub(super) fn new() -> Self {
        Self { text: String::from("{") }
    }

    fn name(&mut self, name: &str) -> &mut String {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        write_string(name, &mut self.text);
        self.text.push(':');
        &mut self.text
    }

    /// A member that serialises.
    pub(super) fn with(mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Self {
        // Strings, numbers, lists and reports of our own: none of them can fail.
        let value = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
        self.name(name).push_str(&value);
        self
    }

    /// A member whose value is JSON text already; `null` for none.
    pub(super) fn raw(mut self, name: &str, text: Option<&str>) -> Self {
        self.name(name).push_str(text.unwrap_or("null"));
        self
    }

    /// The members of an object's text, after those that are there.
    pub(super) fn members_of(mut self, object: &str) -> Self {
        let members = object.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default();
        if !members.is_empty() {
            if self.text.len() > 1 {
                self.text.push(',');
            }
            self.text.push_str(members);
        }
        self
    }

    pub(super) fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

/// An array of texts.
pub(super) fn array(elements: impl IntoIterator<Item = String>) -> String {
    let mut text = String::from("[");
    for (at, element) in elements.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&element);
    }
    text.push(']');
    text
}
