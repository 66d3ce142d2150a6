//! One pass from bytes to entries, and every rule on JSON text while it goes.

use super::{Document, Entry, Kind, Node, number};
use crate::limits;
use crate::pointer::Pointer;

/// A place in a source text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in Unicode characters.
    pub column: usize,
    /// From 0, in bytes.
    pub offset: usize,
}

/// Why bytes are no document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at line {}, column {}", position.line, position.column)]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// Where the fault begins in the source.
    pub position: Position,
    /// The value in which it is, as far as it was read.
    pub pointer: Pointer,
}

/// What is wrong with a JSON text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseErrorKind {
    /// It does not follow JSON's grammar (RFC 8259), or holds a number that no double can hold.
    #[error("{0}")]
    Malformed(&'static str),
    /// Two members of one object have the same name: two parsers would read two different objects.
    #[error("duplicate member name")]
    DuplicateMember,
    /// Arrays and objects are nested too deeply.
    #[error("nested more than {limit} levels deep")]
    TooDeep {
        /// The deepest level allowed.
        limit: usize,
    },
    /// The text is longer than the gate takes.
    #[error("longer than {limit} bytes")]
    TooLong {
        /// The most bytes allowed.
        limit: usize,
    },
}

/// A fault before its position is worked out, which takes a second look at the source.
struct Fault {
    kind: ParseErrorKind,
    offset: usize,
    /// The way to the fault, from the inside out.
    path: Vec<Step>,
}

enum Step {
    Name(String),
    Index(usize),
}

impl Fault {
    fn locate(self, bytes: &[u8]) -> ParseError {
        let before = bytes.get(..self.offset).unwrap_or(bytes);
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let line = before.get(line_start..).unwrap_or_default();
        ParseError {
            kind: self.kind,
            position: Position {
                line: before.iter().filter(|&&byte| byte == b'\n').count() + 1,
                column: String::from_utf8_lossy(line).chars().count() + 1,
                offset: self.offset,
            },
            pointer: self.path.iter().rev().fold(Pointer::root(), |pointer, step| match step {
                Step::Name(name) => pointer.name(name),
                Step::Index(index) => pointer.index(*index),
            }),
        }
    }
}

type Parsed<T> = Result<T, Fault>;

impl<'s> Document<'s> {
    /// Parses one JSON text of at most [`limits::DEPTH`] levels.
    ///
    /// # Errors
    ///
    /// The first fault, with its position.
    pub fn parse(bytes: &'s [u8]) -> Result<Self, ParseError> {
        Self::parse_within(bytes, limits::DEPTH)
    }

    /// Parses one JSON text of at most `depth` levels.
    pub(crate) fn parse_within(bytes: &'s [u8], depth: usize) -> Result<Self, ParseError> {
        let mut document = Document::default();
        let parse = |document: &mut Self| {
            let mut parser = Parser::new(bytes, depth)?;
            document.source = parser.source;
            parser.skip_white_space();
            parser.value(document, 0)?;
            parser.end()
        };
        match parse(&mut document) {
            Ok(()) => Ok(document),
            Err(fault) => Err(fault.locate(bytes)),
        }
    }
}

/// The elements of a top-level array, one document each, over one buffer.
pub(crate) struct Items<'s> {
    bytes: &'s [u8],
    parser: Parser<'s>,
    count: usize,
    done: bool,
}

impl<'s> Items<'s> {
    /// Begins to read an array; `None` if the text holds something else.
    pub(crate) fn of(bytes: &'s [u8]) -> Result<Option<Self>, ParseError> {
        let mut parser = Parser::new(bytes, limits::DEPTH).map_err(|fault| fault.locate(bytes))?;
        parser.skip_white_space();
        if parser.peek() != Some(b'[') {
            return Ok(None);
        }
        parser.at += 1;
        Ok(Some(Self { bytes, parser, count: 0, done: false }))
    }

    /// Reads the next element into `document`, and returns the range of its text.
    pub(crate) fn next_into(
        &mut self,
        document: &mut Document<'s>,
    ) -> Result<Option<std::ops::Range<usize>>, ParseError> {
        if self.done {
            return Ok(None);
        }
        self.step(document).map_err(|mut fault| {
            fault.path.push(Step::Index(self.count));
            fault.locate(self.bytes)
        })
    }

    fn step(&mut self, document: &mut Document<'s>) -> Parsed<Option<std::ops::Range<usize>>> {
        let parser = &mut self.parser;
        if !parser.next_element(self.count == 0, b']', "expected `,` or `]` in the array")? {
            self.done = true;
            parser.end()?;
            return Ok(None);
        }
        document.entries.clear();
        document.order.clear();
        document.unescaped.clear();
        document.source = parser.source;
        let start = parser.at;
        parser.value(document, 0)?;
        self.count += 1;
        Ok(Some(start..parser.at))
    }
}

struct Parser<'s> {
    source: &'s str,
    bytes: &'s [u8],
    at: usize,
    max_depth: usize,
}

#[expect(clippy::cast_possible_truncation, reason = "no source is longer than `LONGEST`")]
#[inline(always)]
fn small(number: usize) -> u32 {
    number as u32
}

/// Offsets are 32 bits wide.
const LONGEST: usize = u32::MAX as usize - 1;

impl<'s> Parser<'s> {
    fn new(bytes: &'s [u8], max_depth: usize) -> Parsed<Self> {
        if bytes.len() > LONGEST {
            let kind = ParseErrorKind::TooLong { limit: LONGEST };
            return Err(Fault { kind, offset: 0, path: Vec::new() });
        }
        let source = std::str::from_utf8(bytes).map_err(|error| Fault {
            kind: ParseErrorKind::Malformed("bytes that are not UTF-8"),
            offset: error.valid_up_to(),
            path: Vec::new(),
        })?;
        Ok(Self { source, bytes, at: 0, max_depth })
    }

    fn fault<T>(&self, message: &'static str, offset: usize) -> Parsed<T> {
        // What is missing at the end is the rest, whatever would have come next.
        let message = if offset >= self.bytes.len() { "unexpected end of the text" } else { message };
        Err(Fault { kind: ParseErrorKind::Malformed(message), offset, path: Vec::new() })
    }

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline(always)]
    fn skip_white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn end(&mut self) -> Parsed<()> {
        self.skip_white_space();
        match self.peek() {
            None => Ok(()),
            Some(_) => self.fault("unexpected text after the end of the value", self.at),
        }
    }

    /// Reads one value into `document`; the parser stands on its first byte.
    fn value(&mut self, document: &mut Document<'s>, depth: usize) -> Parsed<()> {
        match self.peek() {
            Some(b'"') => self.string(document),
            Some(b'{') => self.object(document, depth),
            Some(b'[') => self.array(document, depth),
            Some(b'-' | b'0'..=b'9') => self.number(document),
            Some(b't') => self.word(document, "true", Kind::True),
            Some(b'f') => self.word(document, "false", Kind::False),
            Some(b'n') => self.word(document, "null", Kind::Null),
            _ => self.fault("expected a value", self.at),
        }
    }

    fn word(&mut self, document: &mut Document<'s>, word: &str, kind: Kind) -> Parsed<()> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return self.fault("expected a value", self.at);
        }
        let source = small(self.at);
        self.at += word.len();
        push(document, Entry { kind, source, at: 0, len: 0, next: 0 });
        Ok(())
    }

    fn digits(&mut self) -> Parsed<()> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return self.fault("expected a digit", self.at);
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self, document: &mut Document<'s>) -> Parsed<()> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return self.fault("a number begins with a needless zero", self.at);
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let literal = self.source.get(start..self.at).unwrap_or_default();
        if number::overflows(literal) {
            let kind = ParseErrorKind::Malformed("a number beyond the range of IEEE 754 doubles");
            return Err(Fault { kind, offset: start, path: Vec::new() });
        }
        let at = small(literal.len());
        push(document, Entry { kind: Kind::Number, source: small(start), at, len: 0, next: 0 });
        Ok(())
    }

    fn string(&mut self, document: &mut Document<'s>) -> Parsed<()> {
        let start = self.at;
        self.at += 1;
        let text_start = self.at;
        self.at += plain_bytes(self.bytes.get(self.at..).unwrap_or_default());
        match self.peek() {
            Some(b'"') => {
                let len = small(self.at - text_start);
                self.at += 1;
                let (source, at) = (small(start), small(text_start));
                push(document, Entry { kind: Kind::Plain, source, at, len, next: 0 });
                return Ok(());
            }
            Some(b'\\') => {}
            Some(_) => return self.fault("a control character in a string", self.at),
            None => return self.fault("", self.at),
        }
        let unescaped_start = document.unescaped.len();
        let mut plain_start = text_start;
        loop {
            self.at += plain_bytes(self.bytes.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(byte @ (b'"' | b'\\')) => {
                    let plain = self.source.get(plain_start..self.at).unwrap_or_default();
                    document.unescaped.push_str(plain);
                    if byte == b'"' {
                        break;
                    }
                    let c = self.escape()?;
                    document.unescaped.push(c);
                    plain_start = self.at;
                }
                Some(_) => return self.fault("a control character in a string", self.at),
                None => return self.fault("", self.at),
            }
        }
        self.at += 1;
        let (at, len) = (small(unescaped_start), small(document.unescaped.len() - unescaped_start));
        push(document, Entry { kind: Kind::Escaped, source: small(start), at, len, next: 0 });
        Ok(())
    }

    /// Reads one escape; the parser stands on the backslash.
    fn escape(&mut self) -> Parsed<char> {
        let start = self.at;
        self.at += 1;
        let Some(byte) = self.peek() else { return self.fault("", self.at) };
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                const LONE: &str = "an escape of half a surrogate pair in a string";
                let unit = self.hex()?;
                match unit {
                    0xD800..=0xDBFF => {
                        let rest = self.bytes.get(self.at..).unwrap_or_default();
                        if !rest.starts_with(b"\\u") {
                            return self.fault(LONE, start);
                        }
                        self.at += 2;
                        let low = self.hex()?;
                        if !(0xDC00..=0xDFFF).contains(&low) {
                            return self.fault(LONE, start);
                        }
                        let c = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                        char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER)
                    }
                    unit => match char::from_u32(unit) {
                        Some(c) => c,
                        None => return self.fault(LONE, start),
                    },
                }
            }
            _ => return self.fault("an unknown escape in a string", start),
        })
    }

    fn hex(&mut self) -> Parsed<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return self.fault("expected four hexadecimal digits after `\\u`", self.at);
            };
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }

    /// Moves to the next element of a container, or past its end (`false`).
    fn next_element(&mut self, first: bool, close: u8, expected: &'static str) -> Parsed<bool> {
        self.skip_white_space();
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') if !first => {
                self.at += 1;
                self.skip_white_space();
                if self.peek() == Some(close) {
                    return self.fault("a comma with nothing behind it", self.at);
                }
                Ok(true)
            }
            Some(_) if first => Ok(true),
            _ => self.fault(expected, self.at),
        }
    }

    fn descend(&self, depth: usize) -> Parsed<usize> {
        if depth >= self.max_depth {
            let kind = ParseErrorKind::TooDeep { limit: self.max_depth };
            return Err(Fault { kind, offset: self.at, path: Vec::new() });
        }
        Ok(depth + 1)
    }

    fn array(&mut self, document: &mut Document<'s>, depth: usize) -> Parsed<()> {
        let depth = self.descend(depth)?;
        let source = small(self.at);
        let own = document.entries.len();
        push(document, Entry { kind: Kind::Array, source, at: 0, len: 0, next: 0 });
        self.at += 1;
        let mut len = 0;
        while self.next_element(len == 0, b']', "expected `,` or `]` in the array")? {
            self.value(document, depth).map_err(|mut fault| {
                fault.path.push(Step::Index(len as usize));
                fault
            })?;
            len += 1;
        }
        close(document, own, 0, len);
        Ok(())
    }

    fn object(&mut self, document: &mut Document<'s>, depth: usize) -> Parsed<()> {
        let depth = self.descend(depth)?;
        let source = small(self.at);
        let own = document.entries.len();
        push(document, Entry { kind: Kind::Object, source, at: 0, len: 0, next: 0 });
        self.at += 1;
        let mut len = 0;
        while self.next_element(len == 0, b'}', "expected `,` or `}` in the object")? {
            if self.peek() != Some(b'"') {
                return self.fault("expected a member's name in quotes", self.at);
            }
            let name = small(document.entries.len());
            self.string(document)?;
            self.skip_white_space();
            if self.peek() != Some(b':') {
                return self.fault("expected `:` after the member's name", self.at);
            }
            self.at += 1;
            self.skip_white_space();
            if let Err(mut fault) = self.value(document, depth) {
                let name = document.text(document.entry(name)).to_owned();
                fault.path.push(Step::Name(name));
                return Err(fault);
            }
            len += 1;
        }
        let at = sort_members(document, own, len)?;
        close(document, own, at, len);
        Ok(())
    }
}

/// How many of the first bytes stand in a string for themselves.
fn plain_bytes(bytes: &[u8]) -> usize {
    let mut count = 0;
    for &byte in bytes {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        count += 1;
    }
    count
}

#[inline(always)]
fn push(document: &mut Document<'_>, mut entry: Entry) {
    entry.next = small(document.entries.len() + 1);
    document.entries.push(entry);
}

/// Completes a container's entry once all that is in it was read.
fn close(document: &mut Document<'_>, own: usize, at: u32, len: u32) {
    let next = small(document.entries.len());
    if let Some(entry) = document.entries.get_mut(own) {
        (entry.at, entry.len, entry.next) = (at, len, next);
    }
}

/// Appends the order of an object's members, and refuses two of the same name.
fn sort_members(document: &mut Document<'_>, own: usize, len: u32) -> Parsed<u32> {
    let at = document.order.len();
    let mut name = small(own + 1);
    for _ in 0..len {
        document.order.push(name);
        name = document.entry(name + 1).next;
    }
    let mut order = std::mem::take(&mut document.order);
    let members = order.get_mut(at..).unwrap_or_default();
    let text = |name: u32| document.text(document.entry(name));
    members.sort_by(|&a, &b| text(a).cmp(text(b)));
    // The sort is stable: of two equal names the later one stands behind.
    let duplicate = members
        .windows(2)
        .filter_map(|pair| Some((*pair.first()?, *pair.last()?)))
        .filter(|&(a, b)| text(a) == text(b))
        .map(|(_, second)| second)
        .min();
    document.order = order;
    match duplicate {
        None => Ok(small(at)),
        Some(name) => Err(Fault {
            kind: ParseErrorKind::DuplicateMember,
            offset: document.entry(name).source as usize,
            path: vec![Step::Name(Node { document, index: name }.string().unwrap_or_default().to_owned())],
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn fault(text: &str) -> ParseError {
        Document::parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn faults_say_where() {
        let error = fault("{\n  \"ä\": tru\n}");
        assert_eq!(error.position, Position { line: 2, column: 8, offset: 10 });
        assert_eq!(error.pointer.as_str(), "/ä");
        assert_eq!(fault("[1, 2").to_string(), "unexpected end of the text at line 1, column 6");
        assert_eq!(fault("").position.offset, 0);
        assert_eq!(fault("[1,]").position.offset, 3);
        assert_eq!(fault("{\"a\":1e999}").position.offset, 5);
    }

    #[test]
    fn a_name_twice_is_refused_at_the_second() {
        let error = fault(r#"{"o":{"a":1,"b":2,"\u0061":3}}"#);
        assert_eq!(error.kind, ParseErrorKind::DuplicateMember);
        assert_eq!((error.pointer.as_str(), error.position.offset), ("/o/a", 18));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(Document::parse(nested(128).as_bytes()).is_ok());
        assert_eq!(fault(&nested(129)).kind, ParseErrorKind::TooDeep { limit: 128 });
    }

    #[test]
    fn items_are_read_over_one_buffer() {
        let text = br#" [ {"a":1}, "x", [2] ] "#;
        let mut items = Items::of(text).unwrap().unwrap();
        let mut document = Document::default();
        let mut seen = Vec::new();
        while let Some(range) = items.next_into(&mut document).unwrap() {
            assert_eq!(document.root().to_serde(), serde_json::from_slice::<Value>(&text[range]).unwrap());
            seen.push(document.root().to_text());
        }
        assert_eq!(seen, [r#"{"a":1}"#, "\"x\"", "[2]"]);
        assert!(Items::of(b"{}").unwrap().is_none());
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_filter("finite", |double| double.is_finite()).prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 60, 12, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..12).prop_map(Value::from),
                prop::collection::btree_map(".{0,6}", inner, 0..12).prop_map(|members| json!(members)),
            ]
        })
    }

    /// serde_json keeps `1.0` apart from `1` and takes `1.1e18` for the nearest double; the gate
    /// does not.
    fn normal(value: &Value) -> Value {
        match value {
            Value::Number(number) => {
                Value::Number(super::super::Number::from_literal(&number.to_string()).to_serde())
            }
            Value::Array(elements) => elements.iter().map(normal).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), normal(value))).collect()
            }
            other => other.clone(),
        }
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_writes(value in json_value()) {
            let text = serde_json::to_string_pretty(&value).unwrap();
            let document = Document::parse(text.as_bytes()).unwrap();
            prop_assert_eq!(document.root().to_serde(), normal(&value));
            let again = document.root().to_text();
            let again = Document::parse(again.as_bytes()).unwrap();
            prop_assert_eq!(again.root().to_serde(), normal(&value));
        }

        #[test]
        fn accepts_only_what_serde_json_accepts(
            text in r#"([\[\]{},:"\\ \n]|true|null|-?[0-9]{1,3}|\.|e|"[a-c]"|\\u[dD][89abAB][0-9a-f]{2}|\\n){0,12}"#
        ) {
            let theirs = serde_json::from_str::<Value>(&text);
            match Document::parse(text.as_bytes()) {
                Ok(document) => prop_assert_eq!(document.root().to_serde(), normal(&theirs.unwrap())),
                Err(error) => prop_assert!(theirs.is_err() || error.kind == ParseErrorKind::DuplicateMember),
            }
        }
    }
}
