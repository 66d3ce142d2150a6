//! A text that arrives in pieces → the items of its array, or its lines, one text each.
//!
//! Where an item ends is found without reading it: by its brackets and quotes, or by the end of the line.
//! For an item that is well-formed that is its end. One that is not is refused by whoever reads it, and for
//! the same reason as in the whole text: the parser meets the fault before it gets to where the item was
//! cut off.

use std::ops::Range;

use super::parse::{AT_END, BEHIND, IN_ARRAY, NOT_UTF8, NOTHING_BEHIND};
use super::{End, ItemText, ParseError, ParseErrorKind, Position, scan};
use crate::pointer::Pointer;

/// Cuts a text into its items. Holds no more of it than one unfinished item.
pub struct Pieces {
    /// The longest item, in bytes.
    longest: usize,
    state: State,
    /// Where the current piece begins.
    base: Position,
    /// Where in the current piece the unfinished item begins, if it begins in it.
    start: Option<usize>,
    /// Otherwise, what has arrived of it before, up to one byte more than is allowed.
    carry: Vec<u8>,
    /// Where `carry` begins.
    carry_base: Position,
    /// `carry` was handed out.
    given: bool,
    /// How many items were handed out.
    count: usize,
}

/// Why there are no more items.
#[derive(Debug)]
pub enum Unread {
    /// The text is malformed.
    Fault(ParseError),
    /// That item is too long.
    TooLong(usize),
}

#[derive(Clone, Copy)]
enum State {
    Between(Place),
    /// In an array or an object, or in a string that is an item.
    Nested {
        depth: usize,
        string: bool,
        /// The next byte is an escaped one.
        escaped: bool,
    },
    /// In a number, a word, or what is none.
    Scalar,
    Line {
        /// How many bytes of it have arrived.
        len: usize,
        /// Likewise up to the last one that is not white space.
        text: usize,
    },
    /// In a character that may not stand there, for that reason.
    Stray(&'static str),
}

/// What is expected.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// An array, or the first of several lines.
    Begin,
    /// The first element, or the array's end.
    First,
    /// A comma, or the array's end.
    After,
    /// An element.
    Next,
    /// Nothing.
    Done,
    /// A line.
    Blank,
}

impl Pieces {
    /// Items are at most so long, in bytes.
    pub fn new(longest: usize) -> Self {
        Self {
            longest,
            state: State::Between(Place::Begin),
            base: Position::START,
            start: None,
            carry: Vec::new(),
            carry_base: Position::START,
            given: false,
            count: 0,
        }
    }

    /// Whether the text is an array; `None` before its first character.
    pub fn is_array(&self) -> Option<bool> {
        match self.state {
            State::Between(Place::Begin) => None,
            State::Between(Place::Blank) | State::Line { .. } => Some(false),
            _ => Some(true),
        }
    }

    /// The next item that ends in `piece`, from `at` on. `None` where the next piece is needed, which is
    /// given from its beginning on.
    pub fn next<'a>(&'a mut self, piece: &'a [u8], at: &mut usize) -> Result<Option<ItemText<'a>>, Unread> {
        self.forget_given();
        loop {
            let rest = piece.get(*at..).unwrap_or_default();
            match self.state {
                State::Between(place) => {
                    *at += scan::white_space(rest);
                    let Some(&byte) = piece.get(*at) else { break };
                    self.meet(place, byte, piece, *at)?;
                    if matches!(self.state, State::Between(_) | State::Nested { .. }) {
                        *at += 1;
                    }
                }
                State::Nested { .. } | State::Scalar => {
                    let Some(len) = self.item_bytes(rest) else {
                        self.collect(piece, *at);
                        // What is too long so far is refused now, wherever it would end.
                        let too_long = self.carry.len() > self.longest;
                        return if too_long {
                            self.give(&[], 0..0, End::Delimiter).map(Some)
                        } else {
                            Ok(None)
                        };
                    };
                    let range = *at..*at + len;
                    *at = range.end;
                    self.state = State::Between(Place::After);
                    return self.give(piece, range, End::Delimiter).map(Some);
                }
                State::Line { len, text } => {
                    let part = rest.get(..scan::line_bytes(rest)).unwrap_or(rest);
                    let white = part.iter().rev().take_while(|byte| is_white(**byte)).count();
                    let text = if white < part.len() { len + part.len() - white } else { text };
                    let len = len + part.len();
                    if part.len() == rest.len() && text <= self.longest {
                        self.state = State::Line { len, text };
                        self.collect(piece, *at);
                        return Ok(None);
                    }
                    let range = *at..*at + part.len();
                    *at = range.end + 1;
                    return self.give_line(piece, range, len, text).map(Some);
                }
                State::Stray(reason) => {
                    let Some(&byte) = rest.first() else { break };
                    *at += 1;
                    self.carry.push(byte);
                    self.refuse_stray(reason, false)?;
                }
            }
        }
        self.base = self.base.after(piece);
        Ok(None)
    }

    /// The item that the end of the text ends.
    pub fn last(&mut self) -> Result<Option<ItemText<'_>>, Unread> {
        self.forget_given();
        match self.state {
            State::Between(_) => Ok(None),
            State::Line { len, text } => self.give_line(&[], 0..0, len, text).map(Some),
            State::Nested { .. } | State::Scalar => {
                self.state = State::Between(Place::After);
                self.give(&[], 0..0, End::Text).map(Some)
            }
            State::Stray(reason) => self.refuse_stray(reason, true).map(|()| None),
        }
    }

    /// Whether the text may end here; after [`last`](Self::last).
    pub fn end(&self) -> Result<(), ParseError> {
        let error = fault(AT_END, self.base);
        match self.state {
            State::Between(Place::Begin | Place::Done | Place::Blank) => Ok(()),
            State::Between(Place::First | Place::Next) => {
                Err(ParseError { pointer: Pointer::root().index(self.count), ..error })
            }
            _ => Err(error),
        }
    }

    fn forget_given(&mut self) {
        if std::mem::take(&mut self.given) {
            self.carry.clear();
        }
    }

    /// Goes on from between two items: to the next place, or into an item that begins with that byte.
    fn meet(&mut self, place: Place, byte: u8, piece: &[u8], at: usize) -> Result<(), Unread> {
        let here = || self.base.after(piece.get(..at).unwrap_or_default());
        self.state = match (place, byte) {
            (Place::Begin, b'[') => State::Between(Place::First),
            (Place::After, b',') => State::Between(Place::Next),
            (Place::First | Place::After, b']') => State::Between(Place::Done),
            (Place::Next, b']') => return Err(Unread::Fault(fault(NOTHING_BEHIND, here()))),
            (Place::After | Place::Done, _) => {
                self.carry_base = here();
                State::Stray(if place == Place::Done { BEHIND } else { IN_ARRAY })
            }
            _ => {
                self.start = Some(at);
                match (place, byte) {
                    (Place::Begin | Place::Blank, _) => State::Line { len: 0, text: 0 },
                    (_, b'"') => State::Nested { depth: 0, string: true, escaped: false },
                    (_, b'{' | b'[') => State::Nested { depth: 1, string: false, escaped: false },
                    _ => State::Scalar,
                }
            }
        };
        Ok(())
    }

    /// How many of the bytes belong to the item, if it ends in them.
    fn item_bytes(&mut self, bytes: &[u8]) -> Option<usize> {
        let State::Nested { mut depth, mut string, mut escaped } = self.state else {
            return bytes.iter().position(|&byte| is_white(byte) || matches!(byte, b',' | b']'));
        };
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let len = rest.len().min(16);
            let chunk = rest.first_chunk::<16>().copied().unwrap_or_else(|| {
                let mut chunk = [b' '; 16];
                chunk.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
                chunk
            });
            let mut marks = scan::marks(chunk) & !u32::from(std::mem::take(&mut escaped));
            while marks != 0 {
                let place = marks.trailing_zeros() as usize;
                marks &= marks - 1;
                match chunk.get(place) {
                    Some(b'"') => string = !string,
                    Some(b'\\') if string => {
                        marks &= !(2 << place);
                        escaped = place + 1 == len;
                    }
                    _ if string => {}
                    Some(b'{' | b'[') => depth += 1,
                    Some(b'}' | b']') => depth -= 1,
                    _ => {}
                }
                if depth == 0 && !string {
                    return Some(at + place + 1);
                }
            }
            at += len;
        }
        self.state = State::Nested { depth, string, escaped };
        None
    }

    /// Keeps what `piece` has of an item that goes on in the next one: from where it begins, or from `at`
    /// on.
    fn collect(&mut self, piece: &[u8], at: usize) {
        match self.start.take() {
            Some(start) => {
                let part = piece.get(start..).unwrap_or_default();
                self.carry_base = self.base.after(piece.get(..start).unwrap_or_default());
                self.base = self.carry_base.after(part);
                self.carry(part);
            }
            None => {
                self.carry(piece.get(at..).unwrap_or_default());
                self.base = self.base.after(piece);
            }
        }
    }

    fn carry(&mut self, part: &[u8]) {
        let room = (self.longest + 1).saturating_sub(self.carry.len());
        self.carry.extend_from_slice(part.get(..room).unwrap_or(part));
    }

    /// Hands out the item that ends in `piece`, and has that range of it unless it begins in it.
    fn give<'a>(
        &'a mut self,
        piece: &'a [u8],
        range: Range<usize>,
        end: End,
    ) -> Result<ItemText<'a>, Unread> {
        let longest = self.longest;
        let item = self.take(piece, range, end);
        if item.text.len() > longest { Err(too_long(&item, longest)) } else { Ok(item) }
    }

    /// Likewise a line of `len` bytes, of which `text` are without the white space at its end.
    fn give_line<'a>(
        &'a mut self,
        piece: &'a [u8],
        range: Range<usize>,
        len: usize,
        text: usize,
    ) -> Result<ItemText<'a>, Unread> {
        self.state = State::Between(Place::Blank);
        let longest = self.longest;
        let item = self.take(piece, range, End::Text);
        let item = ItemText { end: End::Line { skipped: len - item.text.len() }, ..item };
        if text > longest { Err(too_long(&item, longest)) } else { Ok(item) }
    }

    fn take<'a>(&'a mut self, piece: &'a [u8], range: Range<usize>, end: End) -> ItemText<'a> {
        let index = self.count;
        self.count += 1;
        match self.start.take() {
            Some(start) => {
                let (text, before) = (piece.get(start..range.end), piece.get(..start));
                let (text, before) = (text.unwrap_or_default(), before.unwrap_or_default());
                ItemText { text, index, base: self.base, before, end }
            }
            None => {
                self.carry(piece.get(range).unwrap_or_default());
                self.given = true;
                ItemText { text: &self.carry, index, base: self.carry_base, before: &[], end }
            }
        }
    }

    /// Says why a character may not stand there, once it is there as a whole.
    fn refuse_stray(&self, reason: &'static str, whole: bool) -> Result<(), Unread> {
        let reason = match std::str::from_utf8(&self.carry) {
            Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() && !whole => return Ok(()),
            Err(error) if error.valid_up_to() == 0 => NOT_UTF8,
            _ => reason,
        };
        Err(Unread::Fault(fault(reason, self.carry_base)))
    }
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cold]
fn fault(reason: &'static str, position: Position) -> ParseError {
    ParseError { kind: ParseErrorKind::Malformed(reason), position, pointer: Pointer::root() }
}

/// Why that item, which is too long, is no item: it may be malformed, too.
#[cold]
fn too_long(item: &ItemText<'_>, longest: usize) -> Unread {
    item.fault_within(longest + 1).map_or(Unread::TooLong(item.index), Unread::Fault)
}
