//! JSON as it is written: members in their order, even twice, and numbers in their own spelling.

use serde_json::json;

use crate::numbers::Numbers;

/// A value, or something that only looks like one.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Json {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, or any other piece of text that stands there as it is.
    Literal(String),
    /// A string.
    Text(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// A string.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A number, or whatever stands there unquoted.
    pub(super) fn literal(text: impl std::fmt::Display) -> Self {
        Self::Literal(format!("{text}"))
    }

    /// An object of these members.
    pub(super) fn object<N: Into<String>>(members: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self::Object(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }

    /// An array of strings.
    pub(super) fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::Array(texts.into_iter().map(Self::text).collect())
    }

    /// The members of an object, and none of anything else.
    pub(super) fn members(&self) -> &[(String, Self)] {
        if let Self::Object(members) = self { members } else { &[] }
    }

    /// The elements of an array, and none of anything else.
    pub(super) fn elements(&self) -> &[Self] {
        if let Self::Array(elements) = self { elements } else { &[] }
    }

    /// The value of a member.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// The characters of a string.
    pub(super) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// An integer that fits.
    pub(super) fn as_integer(&self) -> Option<i64> {
        if let Self::Literal(text) = self { text.parse().ok() } else { None }
    }

    /// Gives an object a member, in place of one of that name.
    pub(super) fn set(&mut self, name: &str, value: Self) {
        let Self::Object(members) = self else { return };
        match members.iter_mut().find(|(other, _)| other == name) {
            Some((_, slot)) => *slot = value,
            None => members.push((name.to_owned(), value)),
        }
    }

    /// Takes a member away.
    pub(super) fn unset(&mut self, name: &str) {
        if let Self::Object(members) = self {
            members.retain(|(other, _)| other != name);
        }
    }

    /// Gives a member inside members, and makes the objects on the way.
    pub(super) fn set_at(&mut self, path: &[String], value: Self) {
        let Some((name, rest)) = path.split_first() else {
            *self = value;
            return;
        };
        if !matches!(self, Self::Object(_)) {
            *self = Self::Object(Vec::new());
        }
        let mut inner = self.member(name).cloned().unwrap_or_default();
        inner.set_at(rest, value);
        self.set(name, inner);
    }

    /// How many values there are, this one and those in it.
    pub(super) fn count(&self) -> usize {
        let inner = self.elements().iter().chain(self.members().iter().map(|(_, value)| value));
        1 + inner.map(Self::count).sum::<usize>()
    }

    /// The value of that number in the order in which they are written, to be changed.
    pub(super) fn nth_mut(&mut self, nth: &mut usize) -> Option<&mut Self> {
        if *nth == 0 {
            return Some(self);
        }
        *nth -= 1;
        match self {
            Self::Array(elements) => elements.iter_mut().find_map(|element| element.nth_mut(nth)),
            Self::Object(members) => members.iter_mut().find_map(|(_, value)| value.nth_mut(nth)),
            _ => None,
        }
    }

    /// The text, without white space.
    pub(super) fn plain(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, &mut None);
        out
    }

    /// The same value in another spelling: white space, escapes, the order of members.
    pub(super) fn spelled(&self, numbers: &mut Numbers) -> String {
        let mut out = String::new();
        self.write(&mut out, &mut Some(numbers));
        out
    }

    fn write(&self, out: &mut String, style: &mut Option<&mut Numbers>) {
        blank(out, style);
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Literal(text) => out.push_str(text),
            Self::Text(text) => write_text(text, out, style),
            Self::Array(elements) => {
                out.push('[');
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    element.write(out, style);
                }
                out.push(']');
            }
            Self::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                if let Some(numbers) = style
                    && numbers.percent(30)
                {
                    members.reverse();
                }
                out.push('{');
                for (index, (name, value)) in members.into_iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    blank(out, style);
                    write_text(name, out, style);
                    blank(out, style);
                    out.push(':');
                    value.write(out, style);
                }
                out.push('}');
            }
        }
        blank(out, style);
    }
}

fn blank(out: &mut String, style: &mut Option<&mut Numbers>) {
    if let Some(numbers) = style {
        out.push_str(numbers.pick(&["", "", "", " ", "\n  ", "\t", "\r\n"]));
    }
}

fn write_text(text: &str, out: &mut String, style: &mut Option<&mut Numbers>) {
    let Some(numbers) = style else {
        out.push_str(&json!(text).to_string());
        return;
    };
    out.push('"');
    for character in text.chars() {
        if character == '/' && numbers.percent(30) {
            out.push_str("\\/");
        } else if numbers.percent(10) {
            let upper = numbers.percent(50);
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str(&if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") });
            }
        } else {
            let quoted = json!(character).to_string();
            out.push_str(
                quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default(),
            );
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value() -> Json {
        Json::object([
            ("b", Json::Array(vec![Json::literal("1e400"), Json::Null])),
            ("a/😀", Json::text("\n")),
        ])
    }

    #[test]
    fn values_are_written_in_their_own_order() {
        assert_eq!(value().plain(), r#"{"b":[1e400,null],"a/😀":"\n"}"#);
    }

    #[test]
    fn another_spelling_is_the_same_value() {
        let mut numbers = Numbers::new(1);
        let value =
            Json::object([("b", Json::Array(vec![Json::Bool(true)])), ("a/😀", Json::text("é\"\\/\u{1}"))]);
        let expected: serde_json::Value = serde_json::from_str(&value.plain()).unwrap();
        for _ in 0..100 {
            let text = value.spelled(&mut numbers);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn values_are_found_by_their_number() {
        let mut value = value();
        assert_eq!(value.count(), 5);
        assert_eq!(value.nth_mut(&mut 3), Some(&mut Json::Null));
        assert_eq!(value.nth_mut(&mut 5), None);
    }

    #[test]
    fn members_are_set_inside_others() {
        let mut value = Json::Null;
        value.set_at(&["a".to_owned(), "b".to_owned()], Json::Null);
        assert_eq!(value.plain(), r#"{"a":{"b":null}}"#);
    }
}
