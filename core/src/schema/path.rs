//! The paths of the `resmo` keyword: RFC 9535 queries, and a short form for the common ones.

use std::collections::BTreeSet;

use serde_json_path::JsonPath;

use super::quoted;
use crate::document::{Document, JsonText, Node};
use crate::pointer::is_shorthand;

/// A compiled path into a payload.
///
/// A singular query (RFC 9535 §2.3.5.1) is a walk over the document, and so is one with wildcards; any
/// other one runs on a copy of what it looks at.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    /// As the schema's author wrote it.
    text: String,
    segments: Vec<Segment>,
    rest: Rest,
}

/// What the leading singular segments of a path do not say.
#[derive(Debug, Clone)]
enum Rest {
    Nothing,
    /// Wildcards, and segments that lead on from each value: a walk, too.
    Each(Vec<Step>),
    /// A query that runs on the value they lead to.
    There(JsonPath),
    /// The whole query: a filter in it may ask about the root.
    Whole(JsonPath),
}

/// One step of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    One(Segment),
    /// The wildcard selector (RFC 9535 §2.3.2): all elements, all members.
    Each,
}

/// One step of a singular query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    /// A member's name.
    Name(String),
    /// An element's index, from the end when negative.
    Index(i64),
}

/// Why a text is no path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PathFault {
    /// In characters of the text as it was given, from 1.
    pub(crate) position: usize,
    pub(crate) detail: String,
}

impl Path {
    /// Reads a path: a query, or the short form without `$`.
    pub(crate) fn parse(text: &str) -> Result<Self, PathFault> {
        let prefix = match text.chars().next() {
            Some('$') => "",
            Some('[') => "$",
            _ => "$.",
        };
        let full = upper_case_escapes(&format!("{prefix}{text}"));
        let query = JsonPath::parse(&full).map_err(|error| {
            // In bytes, from 0.
            let before = full.get(..error.position()).unwrap_or(&full);
            let position = (before.chars().count() + 1).saturating_sub(prefix.len()).max(1);
            PathFault { position, detail: describe(text, position, prefix == "$.") }
        })?;
        let (segments, rest) = segments(&full);
        let rest = if rest.is_empty() {
            Rest::Nothing
        } else if let Some(steps) = steps(rest) {
            Rest::Each(steps)
        } else if rest.contains('$') {
            Rest::Whole(query)
        } else {
            JsonPath::parse(&format!("${rest}")).map_or(Rest::Whole(query), Rest::There)
        };
        Ok(Self { text: text.to_owned(), segments, rest })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_singular(&self) -> bool {
        matches!(self.rest, Rest::Nothing)
    }

    /// The singular segments that the path begins with: all of a singular query's.
    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The value a singular query leads to.
    pub(crate) fn walk<'a>(&self, root: Node<'a>) -> Option<Node<'a>> {
        self.segments.iter().try_fold(root, |node, segment| segment.walk(node))
    }

    /// Appends the values found, in order. Only what a query looks at is copied for it.
    pub(crate) fn values<'p>(&self, document: &Document<'p>, found: &mut Vec<JsonText<'p>>) {
        let root = document.root();
        let (from, query) = match &self.rest {
            Rest::Nothing => return found.extend(self.walk(root).map(|node| document.text_of(node))),
            Rest::Each(steps) => {
                let nodes = self.walk(root).map(|node| walk_each(node, steps));
                return found.extend(nodes.into_iter().flatten().map(|node| document.text_of(node)));
            }
            Rest::There(query) => (self.walk(root), query),
            Rest::Whole(query) => (Some(root), query),
        };
        let copy = from.map(Node::to_serde);
        let values = copy.iter().flat_map(|copy| query.query(copy).all());
        found.extend(values.map(JsonText::from));
    }
}

impl Segment {
    fn walk<'a>(&self, node: Node<'a>) -> Option<Node<'a>> {
        match self {
            Self::Name(name) => node.member(name),
            Self::Index(index) => {
                let at = usize::try_from(*index)
                    .ok()
                    .or_else(|| node.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?))?;
                node.element(at)
            }
        }
    }
}

/// The values that the steps lead to, in the order of the query's evaluation.
fn walk_each<'a>(from: Node<'a>, steps: &[Step]) -> Vec<Node<'a>> {
    let mut nodes = vec![from];
    for step in steps {
        nodes = match step {
            Step::One(segment) => nodes.into_iter().filter_map(|node| segment.walk(node)).collect(),
            Step::Each => nodes.into_iter().flat_map(children).collect(),
        };
    }
    nodes
}

/// The elements of an array; the members of an object by their names, so that a payload's order
/// makes no difference.
fn children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut names = BTreeSet::new();
    names.extend(node.members().map(|(name, _)| name));
    node.elements().chain(names.into_iter().filter_map(|name| node.member(name))).collect()
}

fn describe(text: &str, position: usize, short: bool) -> String {
    let found = match text.chars().nth(position - 1) {
        Some(c) => format!("`{}`", c.escape_debug()),
        None => "the end".to_owned(),
    };
    let hint = if short && !text.is_empty() && !is_shorthand(text.split('.').next().unwrap_or_default()) {
        format!("; a name with other characters is written `$['{}']`", super::cut(text))
    } else {
        String::new()
    };
    format!("{} is no JSONPath: unexpected {found} at position {position}{hint}", quoted(text))
}

/// The query with the digits of its `\u` escapes in upper case: serde_json_path does not take the
/// first half of a surrogate pair in lower case, which RFC 9535 allows.
fn upper_case_escapes(query: &str) -> String {
    let mut text = String::with_capacity(query.len());
    let mut digits = 0;
    let mut escaped = false;
    for c in query.chars() {
        if digits > 0 {
            digits -= 1;
            text.push(c.to_ascii_uppercase());
            continue;
        }
        if escaped && c == 'u' {
            digits = 4;
        }
        escaped = !escaped && c == '\\';
        text.push(c);
    }
    text
}

/// The singular segments at the beginning of a valid query, and what is behind them.
///
/// The parser of the query has checked the grammar; what does not look like a name or an index
/// ends the walk.
fn segments(query: &str) -> (Vec<Segment>, &str) {
    let mut segments = Vec::new();
    let mut rest = query.strip_prefix('$').unwrap_or(query);
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        if rest.is_empty() {
            return (segments, rest);
        }
        let Some((segment, tail)) = dot_name(rest).or_else(|| bracketed(rest)) else {
            return (segments, rest);
        };
        segments.push(segment);
        rest = tail;
    }
}

/// The steps of the rest of a valid query, if it has no other selectors than these.
fn steps(mut rest: &str) -> Option<Vec<Step>> {
    let blank = [' ', '\t', '\n', '\r'];
    let mut steps = Vec::new();
    loop {
        rest = rest.trim_start_matches(blank);
        if rest.is_empty() {
            return Some(steps);
        }
        let wildcard = || {
            if let Some(inner) = rest.strip_prefix('[') {
                let inner = inner.trim_start_matches(blank).strip_prefix('*')?;
                return inner.trim_start_matches(blank).strip_prefix(']');
            }
            rest.strip_prefix('.')?.trim_start_matches(blank).strip_prefix('*')
        };
        if let Some(tail) = wildcard() {
            steps.push(Step::Each);
            rest = tail;
        } else {
            let (segment, tail) = dot_name(rest).or_else(|| bracketed(rest))?;
            steps.push(Step::One(segment));
            rest = tail;
        }
    }
}

fn dot_name(text: &str) -> Option<(Segment, &str)> {
    let name = text.strip_prefix('.')?.trim_start_matches([' ', '\t', '\n', '\r']);
    let end = name.find(['.', '[', ' ', '\t', '\n', '\r']).unwrap_or(name.len());
    let (name, tail) = name.split_at(end);
    is_shorthand(name).then(|| (Segment::Name(name.to_owned()), tail))
}

fn bracketed(text: &str) -> Option<(Segment, &str)> {
    let blank = [' ', '\t', '\n', '\r'];
    let inner = text.strip_prefix('[')?.trim_start_matches(blank);
    let (segment, tail) = match inner.chars().next()? {
        quote @ ('\'' | '"') => {
            let (name, tail) = string_literal(inner.get(1..)?, quote)?;
            (Segment::Name(name), tail)
        }
        _ => {
            let end = inner.find(|c: char| c != '-' && !c.is_ascii_digit())?;
            let (digits, tail) = inner.split_at(end);
            (Segment::Index(digits.parse().ok()?), tail)
        }
    };
    Some((segment, tail.trim_start_matches(blank).strip_prefix(']')?))
}

/// RFC 9535 §2.3.1: JSON's escapes, and the quote itself.
fn string_literal(text: &str, quote: char) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            c if c == quote => return Some((name, chars.as_str())),
            '\\' => match chars.next()? {
                'b' => name.push('\u{8}'),
                'f' => name.push('\u{c}'),
                'n' => name.push('\n'),
                'r' => name.push('\r'),
                't' => name.push('\t'),
                'u' => {
                    let mut unit =
                        || u32::from_str_radix(&chars.by_ref().take(4).collect::<String>(), 16).ok();
                    let high = unit()?;
                    let code = if (0xD800..0xDC00).contains(&high) {
                        chars.next().filter(|&c| c == '\\')?;
                        chars.next().filter(|&c| c == 'u')?;
                        let low =
                            u32::from_str_radix(&chars.by_ref().take(4).collect::<String>(), 16).ok()?;
                        0x1_0000 + ((high - 0xD800) << 10) + low.checked_sub(0xDC00)?
                    } else {
                        high
                    };
                    name.push(char::from_u32(code)?);
                }
                c => name.push(c),
            },
            c => name.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::document::Document;

    fn names(text: &str) -> Vec<Segment> {
        Path::parse(text).unwrap().segments
    }

    #[test]
    fn short_and_full_forms() {
        let path = ["employee", "email"].map(|name| Segment::Name(name.to_owned()));
        for text in
            ["employee.email", "$.employee.email", "$['employee'][\"email\"]", "$ .employee [ 'email' ]"]
        {
            assert_eq!(names(text), path, "{text}");
        }
        assert_eq!(
            names(r"$['it\'s \u00e9 \ud83d\ude00'][-1]"),
            [Segment::Name("it's é 😀".to_owned()), Segment::Index(-1)]
        );
        assert_eq!(names("['odd name']"), [Segment::Name("odd name".to_owned())]);
    }

    #[test]
    fn other_queries_keep_their_singular_beginning() {
        for text in ["$.tags[*]", "$.tags[0,1]", "$.tags[1:]", "$.tags..name", "$.tags[?@.x]", "$.tags.*"] {
            let path = Path::parse(text).unwrap();
            assert!(!path.is_singular(), "{text}");
            assert_eq!(path.segments(), [Segment::Name("tags".to_owned())], "{text}");
        }
    }

    fn values(text: &str, payload: &Value) -> Vec<Value> {
        let payload = payload.to_string();
        let document = Document::parse(payload.as_bytes()).unwrap();
        let mut found = Vec::new();
        Path::parse(text).unwrap().values(&document, &mut found);
        found.iter().map(|text| serde_json::from_str(text.as_str()).unwrap()).collect()
    }

    #[test]
    fn queries_run_where_they_begin() {
        let payload = serde_json::json!({ "max": 2, "list": [{ "n": 1 }, { "n": 2 }, { "n": 3 }] });
        assert_eq!(values("list[*].n", &payload), [1, 2, 3]);
        assert_eq!(values("$.list[?@.n < $.max].n", &payload), [1]);
        assert_eq!(values("$['list'][1:]['n']", &payload), [2, 3]);
        assert_eq!(values("$.list[0,2].n", &payload), [1, 3]);
        assert_eq!(values("$.nothing[*]", &payload), Vec::<Value>::new());
        let payload = serde_json::json!({ "o": { "bb": { "x": [1] }, "a": { "x": [2, 3] }, "c": 4 } });
        assert_eq!(values("o.*.x[-1]", &payload), [3, 1]);
        assert_eq!(values("$ .o [ * ]['x'] .*", &payload), [2, 3, 1]);
        assert_eq!(values("$.o.*[*].*", &payload), [2, 3, 1]);
    }

    #[test]
    fn faults_have_a_position() {
        assert_eq!(Path::parse("a b").unwrap_err().position, 2);
        assert_eq!(Path::parse("$.a[").unwrap_err().position, 4);
        assert_eq!(Path::parse("").unwrap_err().position, 1);
        assert_eq!(Path::parse("$.a..").unwrap_err().position, 6);
        assert_eq!(Path::parse("employee email").unwrap_err().position, 9);
    }

    /// The walk finds what the query finds, on every singular selector of the compliance suite.
    #[test]
    fn walks_as_the_query_does() {
        #[expect(clippy::disallowed_methods, reason = "a test is told where its data is")]
        let Ok(folder) = std::env::var("TIDEGATE_SUITES") else {
            println!("skipped: `TIDEGATE_SUITES` does not say where the public suites are");
            return;
        };
        #[expect(clippy::disallowed_methods, reason = "a test reads its data")]
        let text = std::fs::read(format!("{folder}/jsonpath/cts.json")).unwrap();
        let suite: Value = serde_json::from_slice(&text).unwrap();
        let mut walked = 0;
        for case in suite["tests"].as_array().unwrap() {
            let selector = case["selector"].as_str().unwrap();
            if case["invalid_selector"] == true || !selector.starts_with('$') {
                continue;
            }
            let path = Path::parse(selector).unwrap();
            let full = JsonPath::parse(selector).unwrap();
            let text = case["document"].to_string();
            let document = Document::parse(text.as_bytes()).unwrap();
            if path.is_singular() {
                walked += 1;
                let found = path.walk(document.root()).map(Node::to_serde);
                assert_eq!(found.as_ref(), full.query(&case["document"]).first(), "{selector}");
            }
            let found: Vec<_> = full.query(&case["document"]).iter().map(|value| (*value).clone()).collect();
            assert_eq!(values(selector, &case["document"]), found, "{selector}");
        }
        assert!(walked > 40, "only {walked} singular selectors");
    }
}
