//! One pass from bytes to entries, and every rule on JSON text while it goes.

use std::ops::Range;

use super::{Document, Entry, Kind, NameKey, number, scan};
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

impl Position {
    /// Where every text begins.
    #[doc(hidden)]
    pub const START: Self = Self { line: 1, column: 1, offset: 0 };

    /// The place behind a text that begins here.
    #[doc(hidden)]
    #[must_use]
    pub fn after(self, text: &[u8]) -> Self {
        // Each character has one byte that continues none.
        let characters = |text: &[u8]| text.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
        let offset = self.offset.saturating_add(text.len());
        match text.iter().rposition(|&byte| byte == b'\n') {
            None => Self { column: self.column.saturating_add(characters(text)), offset, ..self },
            Some(last) => {
                let lines = text.iter().filter(|&&byte| byte == b'\n').count();
                let line = text.get(last + 1..).unwrap_or_default();
                Self { line: self.line.saturating_add(lines), column: 1 + characters(line), offset }
            }
        }
    }
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
    #[cold]
    fn at(kind: ParseErrorKind, offset: usize) -> Box<Self> {
        Box::new(Self { kind, offset, path: Vec::new() })
    }

    #[cold]
    fn inside(mut self: Box<Self>, step: Step) -> Box<Self> {
        // Bytes that are not UTF-8 are the whole text's fault.
        if self.kind != ParseErrorKind::Malformed(NOT_UTF8) {
            self.path.push(step);
        }
        self
    }

    fn locate(self, bytes: &[u8]) -> ParseError {
        self.locate_from(Position::START, bytes)
    }

    /// Likewise, in a text that begins there.
    fn locate_from(self, start: Position, bytes: &[u8]) -> ParseError {
        ParseError {
            kind: self.kind,
            position: start.after(bytes.get(..self.offset).unwrap_or(bytes)),
            pointer: self.path.iter().rev().fold(Pointer::root(), |pointer, step| match step {
                Step::Name(name) => pointer.name(name),
                Step::Index(index) => pointer.index(*index),
            }),
        }
    }
}

// Boxed, as nearly every result is none.
type Parsed<T> = Result<T, Box<Fault>>;

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
    #[doc(hidden)]
    pub fn parse_within(bytes: &'s [u8], depth: usize) -> Result<Self, ParseError> {
        let mut document = Document::default();
        document.fill(bytes, depth, Members::Sorted).map_err(|fault| fault.locate(bytes))?;
        Ok(document)
    }

    /// Parses one JSON text into this document's buffers, and leaves it open whether two members of
    /// an object have the same name. Says whether there is no other fault.
    #[doc(hidden)]
    pub fn fill_quickly(&mut self, bytes: &'s [u8]) -> bool {
        self.fill(bytes, limits::DEPTH, Members::AsRead).is_ok()
    }

    /// Sorts the members of a document that was read without sorting. `false` if two members of an
    /// object have the same name.
    #[doc(hidden)]
    pub fn sort_members(&mut self) -> bool {
        let mut keys = Vec::new();
        for own in 0..self.entries.len() {
            let own = small(own);
            let entry = self.entry(own);
            if entry.kind != Kind::Object {
                continue;
            }
            self.name_keys(own, entry.len, &mut keys);
            if self.sort_names(&mut keys).is_some() {
                return false;
            }
            let at = small(self.order.len());
            self.order.extend(keys.iter().map(|key| key.name));
            if let Some(entry) = self.entries.get_mut(own as usize) {
                entry.at = at;
            }
        }
        true
    }

    fn fill(&mut self, bytes: &'s [u8], depth: usize, members: Members) -> Parsed<()> {
        let mut parser = Parser::new(bytes, depth, members)?;
        self.begin(parser.source);
        parser.skip_white_space();
        parser.value(self, 0)?;
        parser.end(BEHIND)
    }

    /// Parses one of the items of a larger text, perhaps quickly. Its faults are those of the whole text.
    #[doc(hidden)]
    pub fn fill_item(&mut self, item: &ItemText<'s>, quickly: bool) -> Result<(), ParseError> {
        if quickly && self.fill_as_item(item, Members::AsRead).is_ok() {
            return Ok(());
        }
        // The first fault may be a name that stands twice.
        self.fill_as_item(item, Members::Sorted).map_err(|fault| item.locate(*fault))
    }

    fn fill_as_item(&mut self, item: &ItemText<'s>, members: Members) -> Parsed<()> {
        let mut parser = Parser::new(item.text, limits::DEPTH, members)?;
        if item.end == End::Delimiter && parser.behind == Behind::Nothing {
            parser.behind = Behind::More;
        }
        self.begin(parser.source);
        parser.skip_white_space();
        let inside = |fault: Box<Fault>| fault.inside(Step::Index(item.index));
        parser.value(self, 0).map_err(inside)?;
        match item.end {
            End::Line { .. } => parser.end(BEHIND).map_err(inside),
            // What follows an element is the array's affair.
            End::Delimiter | End::Text => parser.end(IN_ARRAY),
        }
    }
}

/// The text of one of the items of a larger text, and where it stands in it.
#[derive(Clone, Copy)]
#[doc(hidden)]
pub struct ItemText<'s> {
    pub text: &'s [u8],
    /// Which item it is, from 0.
    pub index: usize,
    /// A place before the item, and the text from there to the item.
    pub base: Position,
    pub before: &'s [u8],
    pub end: End,
}

/// What ends an item's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub enum End {
    /// The end of a line, behind so much white space that is left out.
    Line { skipped: usize },
    /// What follows an element of an array.
    Delimiter,
    /// The end of the whole text.
    Text,
}

impl ItemText<'_> {
    fn locate(&self, fault: Fault) -> ParseError {
        let at_end = fault.offset >= self.text.len();
        let mut error = fault.locate_from(self.base.after(self.before), self.text);
        if let End::Line { skipped } = self.end
            && at_end
        {
            error.position.offset = error.position.offset.saturating_add(skipped);
            error.position.column = error.position.column.saturating_add(skipped);
        }
        error
    }

    /// The first fault in the item's first `len` bytes, whatever the others are.
    #[doc(hidden)]
    pub fn fault_within(&self, len: usize) -> Option<ParseError> {
        let text = self.text.get(..len).unwrap_or(self.text);
        let item = Self { text, end: End::Text, ..*self };
        let fault = Document::default().fill_as_item(&item, Members::Sorted).err()?;
        // What is cut off in the middle is no fault.
        let behind = text.get(fault.offset..).unwrap_or_default();
        let whole = behind.iter().any(|byte| b" \t\n\r\"',:[]{}".contains(byte));
        whole.then(|| item.locate(*fault))
    }
}

/// The elements of a top-level array, one document each, over one buffer.
#[doc(hidden)]
pub struct Items<'s> {
    bytes: &'s [u8],
    parser: Parser<'s>,
    /// Where the last element begins.
    start: usize,
    count: usize,
    done: bool,
}

impl<'s> Items<'s> {
    /// Begins to read an array; `None` if the text holds something else. Quickly, it is left open
    /// whether two members of an element have the same name.
    #[doc(hidden)]
    pub fn of(bytes: &'s [u8], quickly: bool) -> Result<Option<Self>, ParseError> {
        let members = if quickly { Members::AsRead } else { Members::Sorted };
        Self::begin(bytes, members).map_err(|fault| fault.locate(bytes))
    }

    fn begin(bytes: &'s [u8], members: Members) -> Parsed<Option<Self>> {
        let mut parser = Parser::new(bytes, limits::DEPTH, members)?;
        parser.skip_white_space();
        if parser.peek() != Some(b'[') {
            return Ok(None);
        }
        parser.at += 1;
        Ok(Some(Self { bytes, parser, start: 0, count: 0, done: false }))
    }

    /// Reads the next element into `document`, and returns the range of its text.
    #[doc(hidden)]
    pub fn next_into(&mut self, document: &mut Document<'s>) -> Result<Option<Range<usize>>, ParseError> {
        if self.done {
            return Ok(None);
        }
        self.step(document).map_err(|fault| fault.locate(self.bytes))
    }

    /// Reads the last element once more, and refuses two members of the same name.
    #[doc(hidden)]
    pub fn again_into(&mut self, document: &mut Document<'s>) -> Result<(), ParseError> {
        self.reread(document).map_err(|fault| fault.locate(self.bytes))
    }

    fn step(&mut self, document: &mut Document<'s>) -> Parsed<Option<Range<usize>>> {
        let parser = &mut self.parser;
        let more = if self.count == 0 { parser.begins(b']') } else { parser.continues(b']', IN_ARRAY)? };
        if !more {
            self.done = true;
            parser.end(BEHIND)?;
            return Ok(None);
        }
        document.begin(parser.source);
        self.start = parser.at;
        self.count += 1;
        if let Err(fault) = parser.value(document, 0) {
            if parser.members == Members::Sorted {
                return Err(fault.inside(Step::Index(self.count - 1)));
            }
            // The first fault may be a name that stands twice.
            self.reread(document)?;
        }
        Ok(Some(self.start..self.parser.at))
    }

    fn reread(&mut self, document: &mut Document<'s>) -> Parsed<()> {
        let parser = &mut self.parser;
        let members = std::mem::replace(&mut parser.members, Members::Sorted);
        parser.at = self.start;
        document.begin(parser.source);
        let read = parser.value(document, 0);
        parser.members = members;
        read.map_err(|fault| fault.inside(Step::Index(self.count - 1)))
    }
}

/// What is done with an object's members.
#[derive(Clone, Copy, PartialEq)]
enum Members {
    /// They are sorted, and two of the same name refused.
    Sorted,
    /// Nothing.
    AsRead,
}

/// What stands behind the text that a parser has.
#[derive(Clone, Copy, PartialEq)]
enum Behind {
    Nothing,
    /// Bytes that are no character.
    NotUtf8,
    /// Something that ends a value.
    More,
}

struct Parser<'s> {
    source: &'s str,
    bytes: &'s [u8],
    at: usize,
    max_depth: usize,
    behind: Behind,
    members: Members,
    /// Room for sorting.
    keys: Vec<NameKey>,
}

#[expect(clippy::cast_possible_truncation, reason = "no source is longer than `LONGEST`")]
#[inline(always)]
fn small(number: usize) -> u32 {
    number as u32
}

#[cold]
fn text_before(bytes: &[u8], end: usize) -> &str {
    bytes.get(..end).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
}

/// Offsets are 32 bits wide.
const LONGEST: usize = u32::MAX as usize - 1;

pub(super) const NOT_UTF8: &str = "bytes that are not UTF-8";
pub(super) const AT_END: &str = "unexpected end of the text";
pub(super) const BEHIND: &str = "unexpected text after the end of the value";
pub(super) const NOTHING_BEHIND: &str = "a comma with nothing behind it";
pub(super) const IN_ARRAY: &str = "expected `,` or `]` in the array";
const IN_OBJECT: &str = "expected `,` or `}` in the object";

impl<'s> Parser<'s> {
    fn new(bytes: &'s [u8], max_depth: usize, members: Members) -> Parsed<Self> {
        if bytes.len() > LONGEST {
            let kind = ParseErrorKind::TooLong { limit: LONGEST };
            return Err(Fault::at(kind, 0));
        }
        let (source, behind) = match std::str::from_utf8(bytes) {
            Ok(source) => (source, Behind::Nothing),
            // There may be another fault before.
            Err(error) => (text_before(bytes, error.valid_up_to()), Behind::NotUtf8),
        };
        Ok(Self { source, bytes: source.as_bytes(), at: 0, max_depth, behind, members, keys: Vec::new() })
    }

    #[cold]
    fn fault<T>(&self, message: &'static str, offset: usize) -> Parsed<T> {
        let message = match self.behind {
            _ if offset < self.bytes.len() => message,
            // What is missing at the end is the rest, whatever would have come next.
            Behind::Nothing => AT_END,
            Behind::NotUtf8 => NOT_UTF8,
            Behind::More => message,
        };
        Err(Fault::at(ParseErrorKind::Malformed(message), offset))
    }

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline(always)]
    fn rest(&self) -> &'s [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    #[inline(always)]
    fn skip_white_space(&mut self) {
        // Most often there is none, or one space.
        for _ in 0..2 {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                _ => return,
            }
        }
        self.at += scan::white_space(self.rest());
    }

    /// Refuses what is left, with that message.
    fn end(&mut self, message: &'static str) -> Parsed<()> {
        self.skip_white_space();
        match self.peek() {
            None if self.behind != Behind::NotUtf8 => Ok(()),
            _ => self.fault(message, self.at),
        }
    }

    /// Reads one value into `document`; the parser stands on its first byte.
    #[inline]
    fn value(&mut self, document: &mut Document<'s>, depth: usize) -> Parsed<()> {
        match self.peek() {
            Some(b'"') => self.string(document),
            Some(b'{') => self.object(document, depth),
            Some(b'[') => self.array(document, depth),
            Some(b'-' | b'0'..=b'9') => self.number(document),
            Some(b't') => self.word(document, b"true", Kind::True),
            Some(b'f') => self.word(document, b"false", Kind::False),
            Some(b'n') => self.word(document, b"null", Kind::Null),
            _ => self.fault("expected a value", self.at),
        }
    }

    #[inline(always)]
    fn word(&mut self, document: &mut Document<'s>, word: &[u8], kind: Kind) -> Parsed<()> {
        if !self.rest().starts_with(word) {
            return self.fault("expected a value", self.at);
        }
        let source = small(self.at);
        self.at += word.len();
        push(document, Entry { kind, source, at: 0, len: 0, next: 0 });
        Ok(())
    }

    #[inline(always)]
    fn digits(&mut self) -> Parsed<()> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return self.fault("expected a digit", self.at);
        }
        self.at += 1;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    #[inline]
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
        let mut exponent = false;
        if matches!(self.peek(), Some(b'e' | b'E')) {
            exponent = true;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        // Up to 300 characters without an exponent stay below 1e300.
        if (exponent || self.at - start > 300)
            && number::overflows(self.source.get(start..self.at).unwrap_or_default())
        {
            let kind = ParseErrorKind::Malformed("a number beyond the range of IEEE 754 doubles");
            return Err(Fault::at(kind, start));
        }
        let len = small(self.at - start);
        push(document, Entry { kind: Kind::Number, source: small(start), at: small(start), len, next: 0 });
        Ok(())
    }

    #[inline]
    fn string(&mut self, document: &mut Document<'s>) -> Parsed<()> {
        let start = self.at;
        self.at += 1;
        let text_start = self.at;
        self.at += scan::plain_bytes(self.rest());
        if self.peek() != Some(b'"') {
            return self.escaped_string(document, start);
        }
        let len = small(self.at - text_start);
        self.at += 1;
        push(
            document,
            Entry { kind: Kind::Plain, source: small(start), at: small(text_start), len, next: 0 },
        );
        Ok(())
    }

    /// Reads the rest of a string with escapes, or says what is wrong with it.
    fn escaped_string(&mut self, document: &mut Document<'s>, start: usize) -> Parsed<()> {
        let unescaped_start = document.unescaped.len();
        let mut plain_start = start + 1;
        loop {
            self.at += scan::plain_bytes(self.rest());
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

    /// Moves to the first element of a container, or past its end (`false`).
    #[inline(always)]
    fn begins(&mut self, close: u8) -> bool {
        self.skip_white_space();
        let empty = self.peek() == Some(close);
        self.at += usize::from(empty);
        !empty
    }

    /// Moves from behind an element to the next one, or past the container's end (`false`).
    #[inline(always)]
    fn continues(&mut self, close: u8, expected: &'static str) -> Parsed<bool> {
        self.skip_white_space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.skip_white_space();
                if self.peek() == Some(close) {
                    return self.fault(NOTHING_BEHIND, self.at);
                }
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => self.fault(expected, self.at),
        }
    }

    fn descend(&self, depth: usize) -> Parsed<usize> {
        if depth >= self.max_depth {
            return Err(Fault::at(ParseErrorKind::TooDeep { limit: self.max_depth }, self.at));
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
        let mut more = self.begins(b']');
        while more {
            self.value(document, depth).map_err(|fault| fault.inside(Step::Index(len as usize)))?;
            len += 1;
            more = self.continues(b']', IN_ARRAY)?;
        }
        close(document, own, small(self.at), len);
        Ok(())
    }

    fn object(&mut self, document: &mut Document<'s>, depth: usize) -> Parsed<()> {
        let depth = self.descend(depth)?;
        let source = small(self.at);
        let own = document.entries.len();
        push(document, Entry { kind: Kind::Object, source, at: 0, len: 0, next: 0 });
        self.at += 1;
        let mut len = 0;
        let mut more = self.begins(b'}');
        while more {
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
            self.value(document, depth)
                .map_err(|fault| fault.inside(Step::Name(document.text(document.entry(name)).to_owned())))?;
            len += 1;
            more = self.continues(b'}', IN_OBJECT)?;
        }
        let at = match self.members {
            Members::Sorted => self.sort_members(document, own, len)?,
            Members::AsRead => small(self.at),
        };
        close(document, own, at, len);
        Ok(())
    }

    /// Appends the order of an object's members, and refuses two of the same name.
    fn sort_members(&mut self, document: &mut Document<'s>, own: usize, len: u32) -> Parsed<u32> {
        let at = document.order.len();
        document.name_keys(small(own), len, &mut self.keys);
        match document.sort_names(&mut self.keys) {
            None => {
                document.order.extend(self.keys.iter().map(|key| key.name));
                Ok(small(at))
            }
            Some(name) => {
                let entry = document.entry(name);
                let fault = Fault::at(ParseErrorKind::DuplicateMember, entry.source as usize);
                Err(fault.inside(Step::Name(document.text(entry).to_owned())))
            }
        }
    }
}

#[inline(always)]
fn push(document: &mut Document<'_>, mut entry: Entry) {
    entry.next = small(document.entries.len() + 1);
    document.entries.push(entry);
}

/// Completes a container's entry once all that is in it was read.
#[inline(always)]
fn close(document: &mut Document<'_>, own: usize, at: u32, len: u32) {
    let next = small(document.entries.len());
    if let Some(entry) = document.entries.get_mut(own) {
        (entry.at, entry.len, entry.next) = (at, len, next);
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
    fn the_first_fault_is_said_in_a_text_that_is_not_utf_8() {
        let error = |text: &[u8]| Document::parse(text).unwrap_err();
        assert_eq!(
            error(b"[1 2, \"\xff\"]").to_string(),
            "expected `,` or `]` in the array at line 1, column 4"
        );
        for text in [&b"[1, \"a\xffb\"]"[..], b"[1, 22\xc3", b"[1,2]  \xc3]"] {
            assert_eq!(error(text).kind, ParseErrorKind::Malformed(NOT_UTF8));
            assert_eq!(error(text).position.offset, std::str::from_utf8(text).unwrap_err().valid_up_to());
        }
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
        let mut items = Items::of(text, false).unwrap().unwrap();
        let mut document = Document::default();
        let mut seen = Vec::new();
        while let Some(range) = items.next_into(&mut document).unwrap() {
            assert_eq!(document.root().to_serde(), serde_json::from_slice::<Value>(&text[range]).unwrap());
            seen.push(document.root().to_text());
        }
        assert_eq!(seen, [r#"{"a":1}"#, "\"x\"", "[2]"]);
        assert!(Items::of(b"{}", false).unwrap().is_none());
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
