//! A prepared schema × resources that arrive in pieces → what a check of the whole would have said.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::bulk::{Gathered, Kept};
use crate::check::{CheckOptions, Rejection, too_long};
use crate::digest::Digest;
use crate::document::{Buffers, Document, End, ItemText, Pieces, Unread};
use crate::limits;
use crate::schema::PreparedSchema;
use tidegate_document::acceptor::Room;

/// Checks resources that arrive in pieces: the text of an array, or NDJSON, of any length.
///
/// It says what [`PreparedSchema::check_items`] says of the whole text, and holds on to the ids and digests
/// and to one unfinished resource only. Two things differ. The whole has no limit, so that a file may be
/// checked that is sent in parts. And a resource of an array that is longer than
/// [`limits::RESOURCE_BYTES`] ends the check as soon as that shows, so that what is malformed in it behind
/// its first MiB is never looked at.
///
/// It borrows no schema: it is given the same one each time.
///
/// ```
/// # use tidegate_core::{CheckOptions, PreparedSchema, StreamCheck};
/// # let schema = PreparedSchema::prepare(br#"{"type": "object",
/// #   "properties": {"id": {"type": "string"}}, "resmo": {"id": "id"}}"#).unwrap();
/// let mut check = StreamCheck::new(CheckOptions::default());
/// for piece in [&b"[{\"id\": \""[..], b"1\"}, {\"id\"", b": \"2\"}]"] {
///     check.push(&schema, piece);
/// }
/// assert_eq!(check.items(), 2);
/// let items = check.finish(&schema).unwrap();
/// assert_eq!(items[1].id, "2");
/// ```
pub struct StreamCheck {
    pieces: Pieces,
    judge: Judge,
    bytes: u64,
    /// Nothing comes after this.
    ended: Option<Rejection>,
}

/// What takes one item after the other.
struct Judge {
    gathered: Gathered<StreamedItem>,
    buffers: Buffers,
    room: Room,
    /// How long the lines of NDJSON are as an array.
    array_bytes: u64,
}

/// One resource of a stream that passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamedItem {
    /// What the id's path leads to.
    pub id: String,
    /// Equal for equal resources, and only for them.
    pub digest: Digest,
}

/// How much of a stream was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamRead {
    /// In bytes.
    pub bytes: u64,
    /// The resources in it.
    pub items: usize,
    /// Those of them that do not pass.
    pub invalid_items: usize,
    /// Whether they are short enough for one bulk: as an array, at most [`limits::BULK_BYTES`].
    pub fits_one_bulk: bool,
}

impl fmt::Debug for StreamCheck {
    /// Without what was read: a payload's values stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamCheck").field("read", &self.read()).finish_non_exhaustive()
    }
}

impl<'p> Kept<'p> for StreamedItem {
    fn of(id: Cow<'p, str>, _: impl FnOnce() -> Option<Cow<'p, str>>, _: Range<usize>) -> Self {
        Self { id: id.into_owned(), digest: Digest::ZERO }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn digest(&mut self) -> &mut Digest {
        &mut self.digest
    }
}

impl StreamCheck {
    /// Begins a check.
    pub fn new(options: CheckOptions) -> Self {
        Self {
            pieces: Pieces::new(limits::RESOURCE_BYTES),
            judge: Judge {
                gathered: Gathered::new(options),
                buffers: Buffers::default(),
                room: Room::default(),
                array_bytes: 1,
            },
            bytes: 0,
            ended: None,
        }
    }

    /// Checks the next piece of the text, which may be cut anywhere.
    pub fn push(&mut self, schema: &PreparedSchema, piece: &[u8]) {
        if self.is_over() {
            return;
        }
        self.bytes += piece.len() as u64;
        self.ended = self.take(schema, piece).err();
    }

    fn take(&mut self, schema: &PreparedSchema, piece: &[u8]) -> Result<(), Rejection> {
        let mut at = 0;
        while let Some(item) = self.pieces.next(piece, &mut at)? {
            self.judge.take(schema, &item)?;
        }
        Ok(())
    }

    fn take_last(&mut self, schema: &PreparedSchema) -> Result<(), Rejection> {
        if let Some(item) = self.pieces.last()? {
            self.judge.take(schema, &item)?;
        }
        Ok(self.pieces.end()?)
    }

    /// How many resources were checked so far.
    pub fn items(&self) -> usize {
        self.judge.gathered.len()
    }

    /// How many of them do not pass.
    pub fn invalid_items(&self) -> usize {
        self.judge.gathered.invalid_items()
    }

    /// How many bytes were taken so far; those that came after the check was over are none.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether nothing that still comes can change the outcome: the text cannot be read any further.
    pub fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    /// How much was read so far.
    pub fn read(&self) -> StreamRead {
        let bytes = if self.pieces.is_array() == Some(true) { self.bytes } else { self.judge.array_bytes };
        StreamRead {
            bytes: self.bytes,
            items: self.items(),
            invalid_items: self.invalid_items(),
            fits_one_bulk: bytes <= limits::BULK_BYTES as u64,
        }
    }

    /// The outcome: each resource's id and digest, in the text's order.
    ///
    /// # Errors
    ///
    /// Why they do not pass, as [`PreparedSchema::check_bulk`] has it.
    pub fn finish(self, schema: &PreparedSchema) -> Result<Vec<StreamedItem>, Rejection> {
        self.finish_read(schema).1
    }

    /// Likewise, with how much was read in all.
    pub fn finish_read(
        mut self,
        schema: &PreparedSchema,
    ) -> (StreamRead, Result<Vec<StreamedItem>, Rejection>) {
        if self.ended.is_none() {
            self.ended = self.take_last(schema).err();
        }
        let read = self.read();
        let Judge { gathered, mut room, .. } = self.judge;
        (read, self.ended.map_or_else(|| gathered.finish(&mut room), Err))
    }
}

impl Judge {
    fn take(&mut self, schema: &PreparedSchema, item: &ItemText<'_>) -> Result<(), Rejection> {
        if let End::Line { .. } = item.end {
            self.array_bytes += 1 + item.text.trim_ascii_end().len() as u64;
        }
        let mut document = Document::over(std::mem::take(&mut self.buffers));
        let taken = document.fill_item(item, schema.acceptor().is_some()).and_then(|()| {
            self.gathered
                .take(schema, &mut document, &mut self.room, 0..0, |document| document.fill_item(item, false))
        });
        self.buffers = document.into_buffers();
        Ok(taken?)
    }
}

impl From<Unread> for Rejection {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Fault(error) => error.into(),
            Unread::TooLong(index) => too_long(limits::RESOURCE_BYTES, Some(index)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bulk::tests::{items, schemas};
    use crate::form::Form;

    fn streamed(
        schema: &PreparedSchema,
        text: &[u8],
        cuts: &[usize],
    ) -> Result<Vec<StreamedItem>, Rejection> {
        let mut check = StreamCheck::new(CheckOptions::default());
        let mut from = 0;
        for &cut in cuts.iter().chain([&text.len()]) {
            check.push(schema, &text[from..cut]);
            from = cut;
        }
        check.finish(schema)
    }

    fn at_once(schema: &PreparedSchema, text: &[u8]) -> Result<Vec<StreamedItem>, Rejection> {
        let items = schema.check_items(text, CheckOptions::default())?;
        let streamed =
            |item: crate::CheckedItem<'_>| StreamedItem { id: item.id.into_owned(), digest: item.digest };
        Ok(items.into_iter().map(streamed).collect())
    }

    /// A text of items, perhaps an array, with some bytes put in or left out.
    fn texts() -> impl Strategy<Value = Vec<u8>> {
        let space = || prop::sample::select(vec!["", "", "", " ", "\n", "\r\n \t"]);
        let stray: Vec<_> =
            "[ ] { } , \" : \\ 1 x - tru é 😀 \u{feff} \\ud800 null, \"[\", \u{1} \u{c} [1] 1e999"
                .split(' ')
                .map(str::as_bytes)
                .chain([&b" "[..], b"\n", b"\xff", b"\xc3"])
                .collect();
        let change = (any::<prop::sample::Index>(), 0..3_usize, prop::sample::select(stray));
        let changes = prop_oneof![
            2 => Just(Vec::new()),
            3 => prop::collection::vec(change, 1..3),
        ];
        (items(), any::<bool>(), prop::collection::vec((space(), space()), 14), changes, any::<bool>())
            .prop_map(|(items, array, spaces, changes, unicode)| {
                let mut text = String::new();
                for (index, (item, (before, behind))) in items.iter().zip(&spaces).enumerate() {
                    let between = match (index, array) {
                        (0, true) => "[",
                        (0, false) => "",
                        (_, true) => ",",
                        (_, false) => "\n",
                    };
                    text.push_str(&[before, between, behind, item].concat());
                }
                let (before, behind) = spaces[13];
                let (open, close) = match (array, items.is_empty()) {
                    (true, true) => ("[", "]"),
                    (true, false) => ("", "]"),
                    (false, _) => ("", ""),
                };
                text.push_str(&[open, before, close, behind].concat());
                if unicode {
                    text = text.replace("\"n\"", "\"é😀\"");
                }
                let mut text = text.into_bytes();
                for (place, removed, inserted) in changes {
                    let place = place.index(text.len() + 1);
                    let end = (place + removed).min(text.len());
                    text.splice(place..end, inserted.iter().copied());
                }
                text
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        /// However a text is cut, it is judged as at once.
        #[test]
        fn pieces_are_judged_as_the_whole(
            text in texts(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            open in any::<bool>(),
        ) {
            for schema in &SCHEMAS[usize::from(open)] {
                let expected = at_once(schema, &text);
                let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
                cuts.sort_unstable();
                prop_assert_eq!(&streamed(schema, &text, &cuts), &expected);
                let everywhere: Vec<_> = (0..text.len()).collect();
                prop_assert_eq!(&streamed(schema, &text, &everywhere), &expected);
                if Form::of(&text) == Form::Array {
                    let bulk = schema.check_bulk(&text, CheckOptions::default()).map(|items| items.len());
                    prop_assert_eq!(bulk, expected.map(|items| items.len()));
                }
            }
        }
    }

    static SCHEMAS: std::sync::LazyLock<[[PreparedSchema; 2]; 2]> =
        std::sync::LazyLock::new(|| [schemas(false), schemas(true)]);

    fn by_pieces(schema: &PreparedSchema, text: &[u8], len: usize) -> Result<Vec<StreamedItem>, Rejection> {
        let cuts: Vec<_> = (1..).map(|index| index * len).take_while(|cut| *cut < text.len()).collect();
        streamed(schema, text, &cuts)
    }

    #[test]
    fn an_item_has_a_limit() {
        let [schema, _] = schemas(true);
        let item = |len: usize| format!("{{\"id\":\"2\",\"v\":\"{}\"}}", "x".repeat(len - 17));
        let text = |item: &str, array: bool| match array {
            true => format!("[{{\"id\":\"1\"}}, {item}]"),
            false => format!("{{\"id\":\"1\"}}\n {item} \r\n"),
        };
        for array in [true, false] {
            let fits = text(&item(limits::RESOURCE_BYTES), array);
            let too_long = text(&item(limits::RESOURCE_BYTES + 1), array);
            let malformed = too_long.replacen("xx", "\\x", 1);
            for pieces in [1 << 12, 1 << 20, 1 << 21] {
                assert_eq!(by_pieces(&schema, fits.as_bytes(), pieces).unwrap().len(), 2);
                for text in [&too_long, &malformed] {
                    let found = by_pieces(&schema, text.as_bytes(), pieces);
                    assert_eq!(found, at_once(&schema, text.as_bytes()));
                    assert!(found.is_err());
                }
            }
        }
        // What is not closed is found where it should have been.
        let mut check = StreamCheck::new(CheckOptions::default());
        check.push(&schema, b"[{\"id\":\"1\", ");
        let piece = "{\"id\":\"2\"}, ".repeat(1000);
        for _ in 0..100 {
            check.push(&schema, piece.as_bytes());
        }
        assert!(check.is_over());
        assert!(check.bytes() < 1 << 21);
        let error = check.finish(&schema).unwrap_err();
        assert_eq!(error.to_string(), "expected a member's name in quotes at line 1, column 13");
    }

    #[test]
    fn white_space_has_none() {
        let [schema, _] = schemas(true);
        let space = " ".repeat(3 << 20);
        for text in [
            format!("[{space}{{\"id\":\"1\"}}{space}]"),
            format!("{{\"id\":\"1\"}}{space}\r\n{{\"id\":\"2\"{space}\r\n"),
        ] {
            let found = by_pieces(&schema, text.as_bytes(), 100_000);
            match Form::of(text.as_bytes()) {
                Form::Array => assert_eq!(found.unwrap().len(), 1),
                Form::Lines => assert_eq!(found, at_once(&schema, text.as_bytes())),
            }
        }
    }

    /// Each byte is looked at a bounded number of times, however small the pieces are.
    #[test]
    fn small_pieces_are_taken_in_linear_time() {
        let [schema, _] = schemas(true);
        let text = format!("[{{\"id\":\"1\",\"v\":[{}0]}}]", "{\"a\\\"\":[\"b\"]}, ".repeat(60_000));
        assert_eq!(by_pieces(&schema, text.as_bytes(), 1), at_once(&schema, text.as_bytes()));
    }

    #[test]
    fn what_fits_one_bulk_is_counted_as_an_array() {
        let [schema, _] = schemas(true);
        let read = |text: &str| {
            let mut check = StreamCheck::new(CheckOptions::default());
            check.push(&schema, text.as_bytes());
            check.finish_read(&schema).0
        };
        let array = format!("[{}]", " ".repeat(limits::BULK_BYTES - 2));
        assert!(read(&array).fits_one_bulk);
        assert!(!read(&format!("{array} ")).fits_one_bulk);
        assert!(read(&format!("{}\n{{\"id\":\"1\"}}", " ".repeat(limits::BULK_BYTES))).fits_one_bulk);
    }
}
