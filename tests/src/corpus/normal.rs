//! What is left of an answer when ids, times and keys are taken out, and nothing else.
//!
//! A server makes up identifiers, keys and times; everything else in an answer follows from the
//! requests. Where one of those stands is known for each route. There, and only where it has the
//! form of one, it is replaced: an identifier or key by the number of its first appearance, so that
//! two answers that mean the same thing still have to say so, and a time by a word.

use std::collections::BTreeMap;

use regex::Regex;

/// Places of the answers of one route: names of members, `*` for each element of an array.
pub type Places = &'static [&'static [&'static str]];

/// A group.
pub const GROUP: Places = &[&["id"], &["createdAt"]];
/// A schema.
pub const SCHEMA: Places = &[&["id"], &["createdAt"], &["updatedAt"]];
/// An integration with its keys.
pub const INTEGRATION: Places = &[
    &["id"],
    &["createdAt"],
    &["ingestKey"],
    &["keys", "*", "id"],
    &["keys", "*", "createdAt"],
    &["keys", "*", "lastUsedAt"],
];
/// What a single resource came to.
pub const EVENT: Places = &[&["changeId"]];
/// A page of the feed.
pub const CHANGES: Places =
    &[&["items", "*", "changeId"], &["items", "*", "recordedAt"], &["items", "*", "integration", "id"]];
/// A page of resources.
pub const RESOURCES: Places =
    &[&["items", "*", "_meta", "recordedAt"], &["items", "*", "_meta", "integration", "id"]];
/// One resource.
pub const RESOURCE: Places = &[&["_meta", "recordedAt"], &["_meta", "integration", "id"]];
/// An answer in which no such thing stands.
pub const NOTHING: Places = &[];

/// Replaces what one host made up, over all its answers.
#[derive(Debug)]
pub struct Normal {
    identifier: Regex,
    time: Regex,
    seen: BTreeMap<String, usize>,
}

impl Normal {
    /// One for a host that has answered nothing yet.
    ///
    /// # Errors
    /// Never: its expressions are fixed.
    pub fn new() -> Result<Self, String> {
        let regex = |text: &str| Regex::new(text).map_err(|error| error.to_string());
        Ok(Self {
            identifier: regex(
                "^(?<made>[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|tgk_[0-9a-f]{64})(?<number>-[0-9]+)?$",
            )?,
            time: regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z$")?,
            seen: BTreeMap::new(),
        })
    }

    /// An answer's body without what its host made up. What is no JSON stays as it is.
    pub fn body(&mut self, body: &[u8], places: Places) -> Vec<u8> {
        let mut reader = Reader { rest: body, out: Vec::with_capacity(body.len()), normal: self };
        let whole = reader.value(places, &mut Vec::new()).is_some() && reader.rest.is_empty();
        if whole { reader.out } else { body.to_vec() }
    }

    /// What stands for a string at such a place.
    fn word(&mut self, text: &str) -> Option<String> {
        if self.time.is_match(text) {
            return Some("<time>".to_owned());
        }
        let found = self.identifier.captures(text)?;
        let next = self.seen.len() + 1;
        let made = found.name("made").map(|made| made.as_str().to_owned()).unwrap_or_default();
        let number = found.name("number").map(|number| number.as_str()).unwrap_or_default();
        let seen = self.seen.entry(made).or_insert(next);
        Some(format!("<id {seen}>{number}"))
    }
}

/// Copies a compact JSON text, piece by piece.
struct Reader<'b, 'n> {
    rest: &'b [u8],
    out: Vec<u8>,
    normal: &'n mut Normal,
}

impl Reader<'_, '_> {
    fn value(&mut self, places: Places, at: &mut Vec<String>) -> Option<()> {
        match self.rest.first()? {
            b'{' => self.list(b'}', |reader, _| {
                let name = reader.string()?;
                reader.copy(name.len())?;
                reader.byte(b':')?;
                let name: String = serde_json::from_slice(&name).ok()?;
                at.push(name);
                let value = reader.value(places, at);
                at.pop();
                value
            }),
            b'[' => self.list(b']', |reader, _| {
                at.push("*".to_owned());
                let value = reader.value(places, at);
                at.pop();
                value
            }),
            b'"' => {
                let string = self.string()?;
                let place = places.iter().any(|place| place.iter().eq(at.iter()));
                let text = place.then(|| serde_json::from_slice::<String>(&string).ok()).flatten();
                match text.and_then(|text| self.normal.word(&text)) {
                    Some(word) => {
                        self.rest = self.rest.get(string.len()..)?;
                        self.out.push(b'"');
                        self.out.extend_from_slice(word.as_bytes());
                        self.out.push(b'"');
                        Some(())
                    }
                    None => self.copy(string.len()),
                }
            }
            _ => {
                let end = self.rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']'));
                self.copy(end.unwrap_or(self.rest.len()))
            }
        }
    }

    fn list(&mut self, close: u8, mut element: impl FnMut(&mut Self, usize) -> Option<()>) -> Option<()> {
        self.copy(1)?;
        for index in 0.. {
            if self.rest.first() == Some(&close) {
                return self.copy(1);
            }
            if index > 0 {
                self.byte(b',')?;
            }
            element(self, index)?;
        }
        None
    }

    /// The string literal that comes next, with its quotes.
    fn string(&self) -> Option<Vec<u8>> {
        let mut escaped = false;
        for (index, byte) in self.rest.iter().enumerate() {
            match byte {
                b'"' if index > 0 && !escaped => return Some(self.rest.get(..=index)?.to_vec()),
                _ => escaped = *byte == b'\\' && !escaped,
            }
        }
        None
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        if self.rest.first() == Some(&byte) { self.copy(1) } else { None }
    }

    fn copy(&mut self, length: usize) -> Option<()> {
        let (piece, rest) = self.rest.split_at_checked(length)?;
        self.out.extend_from_slice(piece);
        self.rest = rest;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "01a2092d-7c1e-7bbb-8000-0123456789ab";
    const B: &str = "01a2092d-7c1e-7bbb-8000-0123456789ac";

    fn body(normal: &mut Normal, text: &str, places: Places) -> String {
        String::from_utf8(normal.body(text.as_bytes(), places)).unwrap()
    }

    #[test]
    fn ids_and_times_are_replaced_where_they_are_documented() {
        let mut normal = Normal::new().unwrap();
        let page = format!(
            r#"{{"items":[{{"changeId":"{A}-12","recordedAt":"2026-01-02T03:04:05.678Z","id":"{B}","integration":{{"id":"{B}"}},"after":{{"id":"{A}","changeId":"{A}-12"}}}},{{"changeId":"{A}-13"}}],"nextCursor":"c8"}}"#
        );
        let expected = format!(
            r#"{{"items":[{{"changeId":"<id 1>-12","recordedAt":"<time>","id":"{B}","integration":{{"id":"<id 2>"}},"after":{{"id":"{A}","changeId":"{A}-12"}}}},{{"changeId":"<id 1>-13"}}],"nextCursor":"c8"}}"#
        );
        assert_eq!(body(&mut normal, &page, CHANGES), expected);
        assert_eq!(
            body(&mut normal, &format!(r#"{{"changeId":"{B}-0"}}"#), EVENT),
            r#"{"changeId":"<id 2>-0"}"#
        );
    }

    #[test]
    fn what_does_not_look_like_an_id_stays() {
        let mut normal = Normal::new().unwrap();
        for text in [
            r#"{"changeId":null}"#,
            r#"{"changeId":"17"}"#,
            r#"{"changeId":["2026-01-02"]}"#,
            r#"{"changeId":"2026-01-02T03:04:05Z"}"#,
            r#"{"changeId":"#,
            "",
        ] {
            assert_eq!(body(&mut normal, text, EVENT), text);
        }
    }

    #[test]
    fn a_digest_is_compared() {
        let answer =
            |digest: &str| format!(r#"{{"digest":"{digest}","changeId":"{A}-0","fields":["a\"]"]}}"#);
        let mut left = Normal::new().unwrap();
        let mut right = Normal::new().unwrap();
        let [one, other] = ["a".repeat(64), format!("{}b", "a".repeat(63))].map(|digest| answer(&digest));
        assert_eq!(body(&mut left, &one, EVENT), body(&mut right, &one.replace(A, B), EVENT));
        assert_ne!(body(&mut left, &one, EVENT), body(&mut right, &other.replace(A, B), EVENT));
    }

    #[test]
    fn which_id_it_is_still_matters() {
        let mut left = Normal::new().unwrap();
        let mut right = Normal::new().unwrap();
        let event = |id: &str| format!(r#"{{"changeId":"{id}-0"}}"#);
        assert_eq!(body(&mut left, &event(A), EVENT), body(&mut right, &event(B), EVENT));
        assert_ne!(body(&mut left, &event(A), EVENT), body(&mut right, &event(A), EVENT));
    }
}
