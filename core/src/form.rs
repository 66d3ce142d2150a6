//! A text of several resources: an array of them, or NDJSON, one a line.

use std::ops::Range;

use crate::check::{Rejection, too_long, within_limit};
use crate::document::{Document, End, ItemText, ParseError, Position};
use crate::limits;

/// How a text holds several resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As one JSON array.
    Array,
    /// As NDJSON: each line is a JSON text, or blank.
    Lines,
}

impl Form {
    /// The form of a text: an array, if that is how it begins. No resource begins with `[`.
    ///
    /// A text with nothing in it is NDJSON, and holds no resource.
    pub fn of(text: &[u8]) -> Self {
        match text.iter().find(|byte| !is_white(**byte)) {
            Some(b'[') => Self::Array,
            _ => Self::Lines,
        }
    }
}

/// One line of NDJSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'t> {
    /// From 1.
    pub number: usize,
    /// Where it begins in the whole text, in bytes.
    pub offset: usize,
    /// Without its line break.
    pub text: &'t [u8],
}

impl<'t> Line<'t> {
    /// Without white space around it.
    pub fn trimmed(&self) -> &'t [u8] {
        self.text.get(self.trimmed_range()).unwrap_or_default()
    }

    fn trimmed_range(&self) -> Range<usize> {
        let start = self.text.iter().position(|byte| !is_white(*byte));
        let end = self.text.iter().rposition(|byte| !is_white(*byte));
        start.zip(end).map_or(0..0, |(start, end)| start..end + 1)
    }
}

/// The lines that hold something.
///
/// ```
/// use tidegate_core::form::lines;
///
/// let found: Vec<_> = lines(b"{}\n\n \r\n[1]\n").map(|line| (line.number, line.offset)).collect();
/// assert_eq!(found, [(1, 0), (4, 7)]);
/// ```
pub fn lines(text: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut offset = 0;
    text.split(|byte| *byte == b'\n')
        .enumerate()
        .map(move |(index, text)| {
            let line = Line { number: index + 1, offset, text };
            offset += text.len() + 1;
            line
        })
        .filter(|line| !line.text.iter().all(|byte| is_white(*byte)))
}

/// The array that lines of NDJSON are: the body of a bulk. Nothing is known yet of a schema.
///
/// Each line is read by itself first: two halves of a resource on two lines are two faults, not a
/// resource.
///
/// # Errors
///
/// The first line that cannot be read, with its place in the whole text and, as the pointer, its place in
/// the array; or a line, or an array, that is longer than the server takes.
pub fn array_of_lines(text: &[u8]) -> Result<Vec<u8>, Rejection> {
    let mut array = Vec::with_capacity(text.len().min(limits::BULK_BYTES) + 2);
    array.push(b'[');
    each_line(text, &mut Document::default(), false, |_, item, range| {
        if item.index > 0 {
            array.push(b',');
        }
        array.extend_from_slice(text.get(range).unwrap_or_default());
        Ok(())
    })?;
    array.push(b']');
    Ok(array)
}

/// Reads one line after the other, perhaps quickly, and hands it on with its range in the text.
pub(crate) fn each_line<'t>(
    text: &'t [u8],
    document: &mut Document<'t>,
    quickly: bool,
    mut each: impl FnMut(&mut Document<'t>, &ItemText<'t>, Range<usize>) -> Result<(), Rejection>,
) -> Result<(), Rejection> {
    within_limit(text, limits::LINES_BYTES)?;
    // What would be sent: the brackets, and in front of each line but the first a comma.
    let mut bytes = 1;
    for (index, line) in lines(text).enumerate() {
        let trimmed = line.trimmed_range();
        let item = ItemText {
            text: line.text.get(trimmed.start..).unwrap_or_default(),
            index,
            base: Position::START,
            before: text.get(..line.offset + trimmed.start).unwrap_or_default(),
            end: End::Line { skipped: 0 },
        };
        if trimmed.len() > limits::RESOURCE_BYTES {
            return Err(too_long_or_malformed(&item));
        }
        document.fill_item(&item, quickly)?;
        bytes += 1 + trimmed.len();
        if bytes > limits::BULK_BYTES {
            return Err(too_long(limits::BULK_BYTES, None));
        }
        each(document, &item, line.offset + trimmed.start..line.offset + trimmed.end)?;
    }
    Ok(())
}

/// Why a line that is too long is refused: for a fault in what may be there, or for its length.
fn too_long_or_malformed(item: &ItemText<'_>) -> Rejection {
    let fault: Option<ParseError> = item.fault_within(limits::RESOURCE_BYTES + 1);
    fault.map_or_else(|| too_long(limits::RESOURCE_BYTES, Some(item.index)), Rejection::from)
}

/// White space of JSON (RFC 8259 §2).
fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreadable(text: &[u8]) -> (String, String) {
        match array_of_lines(text) {
            Err(Rejection::Unreadable(error)) => (error.to_string(), error.pointer.as_str().to_owned()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn forms() {
        assert_eq!(Form::of(b" \r\n\t[]"), Form::Array);
        for text in [&b"{}"[..], b"", b"\xef\xbb\xbf[]", b"\x0c[]", b"7"] {
            assert_eq!(Form::of(text), Form::Lines);
        }
    }

    #[test]
    fn lines_become_an_array() {
        let array = |text: &[u8]| String::from_utf8(array_of_lines(text).unwrap()).unwrap();
        assert_eq!(array(b"{\"a\": 1}\n\n \t\r\n  [2] \r\n7"), r#"[{"a": 1},[2],7]"#);
        assert_eq!(array(b" \n "), "[]");
    }

    #[test]
    fn a_line_is_read_by_itself() {
        assert_eq!(
            unreadable("{\"ä\":1}\n\n {\"é\":\n\"x\"}".as_bytes()),
            ("unexpected end of the text at line 3, column 7".to_owned(), "/1/é".to_owned())
        );
        assert_eq!(
            unreadable(b"{}\r\n{} {}\r\n").0,
            "unexpected text after the end of the value at line 2, column 4"
        );
        assert_eq!(unreadable(b"{}\n\"\xff\"").0, "bytes that are not UTF-8 at line 2, column 2");
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let line = |len: usize| format!("\"{}\"", "x".repeat(len - 2));
        let limit = |text: &str| match array_of_lines(text.as_bytes()) {
            Err(Rejection::TooLarge { limit, item, .. }) => (limit, item),
            other => panic!("{:?}", other.map(|array| array.len())),
        };
        let mib = line(limits::RESOURCE_BYTES);
        let over = format!("1\n {} \n", line(limits::RESOURCE_BYTES + 1));
        assert_eq!(limit(&over), (limits::RESOURCE_BYTES, Some(1)));
        assert_eq!(limit(&[&*mib; 4].join("\n")), (limits::BULK_BYTES, None));
        let full = [&*mib, &mib, &mib, &line(limits::RESOURCE_BYTES - 5)].join("\n \n");
        assert_eq!(array_of_lines(full.as_bytes()).unwrap().len(), limits::BULK_BYTES);
    }
}
