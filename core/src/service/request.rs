//! Reading a request: parameters, bodies, the members of a command.

use bytes::BytesMut;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use percent_encoding::percent_decode_str;

use super::failure::{Failure, Handled, named};
use super::host::{Body, BodyError};
use crate::document::{Document, Node, Type};
use crate::limits;
use crate::problem::Code;

/// Decodes one path segment.
pub(super) fn decode_segment(raw: &str) -> Option<String> {
    percent_decode_str(raw).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// A request's query parameters.
#[derive(Debug)]
pub(super) struct Parameters<'q> {
    /// Decoded names with raw values.
    pairs: Vec<(String, &'q str)>,
}

impl<'q> Parameters<'q> {
    pub(super) fn parse(query: Option<&'q str>) -> Self {
        let pairs = query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(name).unwrap_or_default(), value)
            })
            .collect();
        Self { pairs }
    }

    /// The raw values of a parameter that may be repeated.
    fn all(&self, name: &str) -> impl Iterator<Item = &'q str> {
        self.pairs.iter().filter(move |(other, _)| other == name).map(|(_, value)| *value)
    }

    fn one(&self, name: &str) -> Handled<Option<String>> {
        let mut values = self.all(name);
        let Some(raw) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Failure::parameter(name, format!("the parameter `{name}` is given twice")));
        }
        match decode(raw) {
            Some(value) => Ok(Some(value)),
            None => {
                Err(Failure::parameter(name, format!("the parameter `{name}` is not percent-encoded UTF-8")))
            }
        }
    }

    /// A text of at most `limit` characters.
    pub(super) fn text(&self, name: &str, limit: usize) -> Handled<Option<String>> {
        let value = self.one(name)?;
        let length = value.as_ref().map_or(0, |value| value.chars().count());
        if length > limit {
            let detail = format!("the parameter `{name}` is at most {limit} characters long, found {length}");
            return Err(Failure::parameter(name, detail));
        }
        Ok(value)
    }

    /// `true` or `false`; absent is `false`.
    pub(super) fn boolean(&self, name: &str) -> Handled<bool> {
        match self.one(name)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Failure::parameter(name, format!("the parameter `{name}` is `true` or `false`"))),
        }
    }

    /// How many items a page holds.
    pub(super) fn limit(&self) -> Handled<usize> {
        const MOST: usize = limits::MOST_PAGE_ITEMS;
        match self.one("limit")? {
            None => Ok(limits::PAGE_ITEMS),
            Some(text) => match text.parse() {
                Ok(limit @ 1..=MOST) => Ok(limit),
                _ => Err(Failure::parameter(
                    "limit",
                    format!("the parameter `limit` is a number from 1 to {MOST}"),
                )),
            },
        }
    }

    /// The row behind which a page begins.
    pub(super) fn row_cursor(&self) -> Handled<Option<i64>> {
        self.cursor(100, parse_row_cursor)
    }

    /// A list's opaque cursor, read by the list's own rule.
    pub(super) fn cursor<T>(&self, limit: usize, read: impl FnOnce(&str) -> Option<T>) -> Handled<Option<T>> {
        let Some(text) = self.text("cursor", limit)? else { return Ok(None) };
        match read(&text) {
            Some(cursor) => Ok(Some(cursor)),
            None => Err(Failure::parameter("cursor", "the parameter `cursor` is the `nextCursor` of a list")),
        }
    }

    /// The values of a list parameter: repeated, or separated by bare commas.
    pub(super) fn list(&self, name: &str) -> Handled<Vec<String>> {
        let mut values = Vec::new();
        for raw in self.all(name).flat_map(|raw| raw.split(',')).filter(|raw| !raw.is_empty()) {
            let Some(value) = decode(raw) else {
                let detail = format!("the parameter `{name}` is not percent-encoded UTF-8");
                return Err(Failure::parameter(name, detail));
            };
            values.push(value);
        }
        Ok(values)
    }
}

/// A row as a cursor names it.
pub(super) fn parse_row_cursor(text: &str) -> Option<i64> {
    i64::from_str_radix(text.strip_prefix('c')?, 36).ok()
}

/// Decodes a name or value of a query, in which `+` is a space as HTML forms write it.
fn decode(raw: &str) -> Option<String> {
    let spaced = raw.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// Refuses a body whose media type is not JSON; an absent type is accepted.
pub(super) fn require_json(headers: &HeaderMap) -> Handled<()> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let essence =
        value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = essence == "application/json"
        || essence.strip_prefix("application/").is_some_and(|subtype| subtype.ends_with("+json"));
    if json {
        Ok(())
    } else {
        Err(Failure::new(Code::UnsupportedMediaType, "the `Content-Type` is `application/json`, or absent"))
    }
}

/// Reads a body of at most `limit` bytes; one that announces more is refused before it is read.
pub(super) async fn read_body<B: Body>(headers: &HeaderMap, body: &mut B, limit: usize) -> Handled<BytesMut> {
    let too_large = || Failure::too_large(limit, format!("the body is longer than {limit} bytes"));
    let announced =
        headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > limit as u64) {
        return Err(too_large());
    }
    // What is announced is within the limit; growing to it would copy all of it again and again.
    let announced = announced.and_then(|announced| usize::try_from(announced).ok());
    let mut bytes = BytesMut::with_capacity(announced.unwrap_or_default());
    loop {
        match body.next_chunk().await {
            Ok(Some(chunk)) => {
                if bytes.len() + chunk.len() > limit {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(None) => return Ok(bytes),
            Err(BodyError::TimedOut) => {
                return Err(Failure::new(Code::RequestTimeout, "the body did not arrive in time"));
            }
            Err(BodyError::Broken) => return Err(Failure::new(Code::MalformedJson, "the body broke off")),
        }
    }
}

/// The JSON object that a management command's body is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Command<'a> {
    root: Node<'a>,
}

/// The deepest body of a command: a payload and a schema stand inside it.
const COMMAND_DEPTH: usize = limits::DEPTH + 2;

/// Reads a command's body as a document.
pub(super) fn command_document(bytes: &[u8]) -> Handled<Document<'_>> {
    Ok(Document::parse_within(bytes, COMMAND_DEPTH)?)
}

impl<'a> Command<'a> {
    /// The command, if the body is an object without members that nobody knows.
    pub(super) fn of(document: &'a Document<'_>, known: &[&str]) -> Handled<Self> {
        let root = document.root();
        if root.kind() != Type::Object {
            return Err(Failure::parameter(
                "body",
                format!("the body is a JSON object, found {}", root.kind().name()),
            ));
        }
        if let Some((name, _)) = root.members().find(|(name, _)| !known.contains(name)) {
            let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
            let detail = format!("unknown member {}; expected {}", named(name), known.join(", "));
            return Err(Failure::member(name, detail));
        }
        Ok(Self { root })
    }

    /// A member that is there and not `null`.
    pub(super) fn node(self, name: &str) -> Option<Node<'a>> {
        self.root.member(name).filter(|node| node.kind() != Type::Null)
    }

    /// Whether the member is there at all; `null` clears what a `PATCH` leaves alone otherwise.
    pub(super) fn has(self, name: &str) -> bool {
        self.root.member(name).is_some()
    }

    /// A required JSON value.
    pub(super) fn value(self, name: &str) -> Handled<Node<'a>> {
        self.root.member(name).ok_or_else(|| Failure::member(name, format!("the member `{name}` is missing")))
    }

    /// A string of `lengths` characters.
    pub(super) fn text(
        self,
        name: &str,
        lengths: std::ops::RangeInclusive<usize>,
    ) -> Handled<Option<&'a str>> {
        let Some(node) = self.node(name) else { return Ok(None) };
        let Some(text) = node.string() else {
            return Err(Failure::member(name, format!("`{name}` is a string, found {}", node.kind().name())));
        };
        let length = text.chars().count();
        if !lengths.contains(&length) {
            let detail =
                format!("`{name}` has {} to {} characters, found {length}", lengths.start(), lengths.end());
            return Err(Failure::member(name, detail));
        }
        Ok(Some(text))
    }

    /// A string of `lengths` characters that has to be there.
    pub(super) fn required_text(
        self,
        name: &str,
        lengths: std::ops::RangeInclusive<usize>,
    ) -> Handled<&'a str> {
        self.text(name, lengths)?
            .ok_or_else(|| Failure::member(name, format!("the member `{name}` is missing")))
    }

    /// A name as prefixes and tables have it: `^[a-z][a-z0-9_]{0,49}$`.
    pub(super) fn identifier(self, name: &str) -> Handled<Option<&'a str>> {
        let Some(text) = self.text(name, 0..=usize::MAX)? else { return Ok(None) };
        let mut chars = text.chars();
        let valid = chars.next().is_some_and(|c| c.is_ascii_lowercase())
            && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && text.len() <= 50;
        if valid {
            Ok(Some(text))
        } else {
            Err(Failure::member(name, format!("`{name}` matches `^[a-z][a-z0-9_]{{0,49}}$`")))
        }
    }

    /// A boolean.
    pub(super) fn boolean(self, name: &str) -> Handled<Option<bool>> {
        let Some(node) = self.node(name) else { return Ok(None) };
        match node.boolean() {
            Some(boolean) => Ok(Some(boolean)),
            None => Err(Failure::member(
                name,
                format!("`{name}` is `true` or `false`, found {}", node.kind().name()),
            )),
        }
    }

    /// A list of strings, as JSON text.
    pub(super) fn texts(self, name: &str) -> Handled<Option<String>> {
        const MOST: usize = 100;
        const LONGEST: usize = 100;
        let Some(node) = self.node(name) else { return Ok(None) };
        let valid = node.kind() == Type::Array
            && node.len() <= MOST
            && node
                .elements()
                .all(|tag| tag.string().is_some_and(|tag| (1..=LONGEST).contains(&tag.chars().count())));
        if valid {
            Ok(Some(node.to_text()))
        } else {
            let detail = format!("`{name}` is a list of at most {MOST} strings of 1 to {LONGEST} characters");
            Err(Failure::member(name, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_once() {
        let parameters = Parameters::parse(Some("groupKey=a%2Bb+c&ids=x%2Cy,z&ids=w&b=true&d=1&d=2&e=%FF"));
        assert_eq!(parameters.text("groupKey", 100).unwrap().as_deref(), Some("a+b c"));
        assert_eq!(parameters.list("ids").unwrap(), ["x,y", "z", "w"]);
        assert!(parameters.boolean("b").unwrap() && !parameters.boolean("c").unwrap());
        assert!(parameters.text("d", 100).is_err() && parameters.text("e", 100).is_err());
        assert!(parameters.text("groupKey", 4).is_err());
    }
}
