//! A prepared schema × several resources → what each is, or why they do not pass.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::ops::Range;

use crate::check::{CheckOptions, CheckedItem, Rejection, too_long, within_limit};
use crate::desk;
use crate::digest::Digest;
use crate::document::{Document, Items, ParseError};
use crate::explain::Finding;
use crate::form::{Form, each_line};
use crate::limits;
use crate::pointer::Pointer;
use crate::schema::{PreparedSchema, RESOURCE_KEYWORD};
use crate::violation::{ViolationCode, Violations};
use tidegate_document::acceptor::{Acceptor, Room};

impl PreparedSchema {
    /// Checks a bulk: an array of resources, no two with the same id.
    ///
    /// # Errors
    ///
    /// Why it does not pass: every fault of every item, up to [`limits::BULK_FAULTS`] in all.
    pub fn check_bulk<'p>(
        &self,
        payload: &'p [u8],
        options: CheckOptions,
    ) -> Result<Vec<CheckedItem<'p>>, Rejection> {
        within_limit(payload, limits::BULK_BYTES)?;
        let Some(mut items) = Items::of(payload, self.acceptor().is_some())? else {
            // Unreadable comes first, whatever it was going to be.
            let found = Document::parse(payload)?.root().kind();
            let detail = format!("a bulk is an array of objects, found {}", found.name());
            let finding = Finding::new(Pointer::root(), Pointer::root(), ViolationCode::WrongType, detail);
            let list = vec![finding.into_violation(None)];
            return Err(Rejection::Invalid(Violations { list, truncated: false, invalid_items: 0 }));
        };
        let mut gathered = Gathered::new(options);
        desk::with(|document, room| {
            while let Some(range) = items.next_into(document)? {
                if range.len() > limits::RESOURCE_BYTES {
                    items.again_into(document)?;
                    return Err(too_long(limits::RESOURCE_BYTES, Some(gathered.len())));
                }
                gathered.take(self, document, room, range, |document| items.again_into(document))?;
            }
            gathered.finish(room)
        })
    }

    /// Checks a bulk whose text is an array or NDJSON, as [`Form::of`] has it. NDJSON is judged as the
    /// array that [`array_of_lines`](crate::form::array_of_lines) makes of it; places are those in `text`.
    ///
    /// ```
    /// # use tidegate_core::{CheckOptions, PreparedSchema};
    /// # let schema = PreparedSchema::prepare(br#"{"type": "object",
    /// #   "properties": {"id": {"type": "string"}}, "resmo": {"id": "id"}}"#).unwrap();
    /// let items = schema.check_items(b"{\"id\": \"1\"}\n{\"id\": \"2\"}\n", CheckOptions::default()).unwrap();
    /// assert_eq!(items[1].id, "2");
    /// assert_eq!(items[1].range, 12..23);
    /// ```
    ///
    /// # Errors
    ///
    /// As [`check_bulk`](Self::check_bulk).
    pub fn check_items<'p>(
        &self,
        text: &'p [u8],
        options: CheckOptions,
    ) -> Result<Vec<CheckedItem<'p>>, Rejection> {
        if Form::of(text) == Form::Array {
            return self.check_bulk(text, options);
        }
        let mut gathered = Gathered::new(options);
        desk::with(|document, room| {
            let quickly = self.acceptor().is_some();
            each_line(text, document, quickly, |document, item, range| {
                Ok(gathered.take(self, document, room, range, |document| document.fill_item(item, false))?)
            })?;
            gathered.finish(room)
        })
    }
}

/// What is kept of an item.
pub(crate) trait Kept<'p> {
    fn of(id: Cow<'p, str>, name: impl FnOnce() -> Option<Cow<'p, str>>, range: Range<usize>) -> Self;

    /// Its id; empty if it has none.
    fn id(&self) -> &str;

    fn digest(&mut self) -> &mut Digest;
}

impl<'p> Kept<'p> for CheckedItem<'p> {
    fn of(id: Cow<'p, str>, name: impl FnOnce() -> Option<Cow<'p, str>>, range: Range<usize>) -> Self {
        Self { id, name: name(), digest: Digest::ZERO, range }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn digest(&mut self) -> &mut Digest {
        &mut self.digest
    }
}

/// The items of a bulk so far. It takes one after the other, and need not have them all at once.
pub(crate) struct Gathered<T> {
    options: CheckOptions,
    /// Every item, also one that does not pass: duplicates are looked for among all.
    items: Vec<T>,
    ids: Ids,
    faults: Violations,
    pending: Pending,
}

impl<T> Gathered<T> {
    pub(crate) fn new(options: CheckOptions) -> Self {
        Self {
            options,
            items: Vec::new(),
            ids: Ids::default(),
            faults: Violations::default(),
            pending: Pending::default(),
        }
    }

    /// How many items there are.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// How many of them do not pass.
    pub(crate) fn invalid_items(&self) -> usize {
        self.faults.invalid_items
    }

    /// Judges the item in `document`, which was read quickly if the schema has an acceptor. `again` reads
    /// it once more, and refuses two members of the same name.
    ///
    /// `room` is the same for all items; nobody else uses it meanwhile.
    pub(crate) fn take<'p>(
        &mut self,
        schema: &PreparedSchema,
        document: &mut Document<'p>,
        room: &mut Room,
        range: Range<usize>,
        again: impl FnOnce(&mut Document<'p>) -> Result<(), ParseError>,
    ) -> Result<(), ParseError>
    where
        T: Kept<'p>,
    {
        let index = self.items.len();
        let room_for_more = self.faults.list.len() < limits::BULK_FAULTS;
        let mut probably_invalid = false;
        if let Some(acceptor) = schema.acceptor() {
            if let Some(id) = schema.quick_id(acceptor, document, Acceptor::encodes, room) {
                let before = self.ids.first(&self.items, &id);
                self.items.push(T::of(id, || schema.display_name(document), range));
                self.pending.add(&mut self.items, room);
                if let Some(before) = before {
                    self.faults.invalid_items += 1;
                    self.faults.add_duplicate(index, before);
                }
                return Ok(());
            }
            // Half an encoding may have been written.
            self.pending.hash(&mut self.items, room);
            if !document.sort_members() {
                again(document)?;
            }
            // Beyond the budget no reasons are asked for.
            probably_invalid = room_for_more;
        }
        let document = &*document;
        let judged = schema.judge(document, probably_invalid);
        // An item that is invalid otherwise has an id all the same.
        let id = match &judged {
            Ok(id) => id.clone(),
            Err(_) => schema.id(document).unwrap_or_default(),
        };
        let before = self.ids.first(&self.items, &id);
        let mut item = T::of(id, || schema.display_name(document), range);
        if judged.is_err() || before.is_some() {
            self.faults.invalid_items += 1;
        }
        match judged {
            Ok(_) => *item.digest() = Digest::of(document.root()),
            // Beyond the budget it only matters that there are more.
            Err(_) if !room_for_more => self.faults.truncated = true,
            Err(refused) => {
                self.faults.add(schema.violations(document, refused, self.options, Some(index)));
            }
        }
        self.items.push(item);
        if let Some(before) = before {
            self.faults.add_duplicate(index, before);
        }
        Ok(())
    }

    /// The items, if all of them pass.
    pub(crate) fn finish<'p>(mut self, room: &mut Room) -> Result<Vec<T>, Rejection>
    where
        T: Kept<'p>,
    {
        if self.faults.invalid_items > 0 {
            return Err(Rejection::Invalid(self.faults));
        }
        self.pending.hash(&mut self.items, room);
        Ok(self.items)
    }
}

impl Violations {
    fn add(&mut self, other: Self) {
        self.truncated |= other.truncated;
        let room = limits::BULK_FAULTS.saturating_sub(self.list.len());
        self.truncated |= other.list.len() > room;
        self.list.extend(other.list.into_iter().take(room));
    }

    fn add_duplicate(&mut self, index: usize, before: usize) {
        let list = vec![duplicate(before).into_violation(Some(index))];
        self.add(Self { list, ..Self::default() });
    }
}

fn duplicate(before: usize) -> Finding {
    let schema_pointer = Pointer::root().name(RESOURCE_KEYWORD).name("id");
    let detail = format!("item {before} has the same id");
    let mut finding = Finding::new(Pointer::root(), schema_pointer, ViolationCode::DuplicateId, detail);
    RESOURCE_KEYWORD.clone_into(&mut finding.keyword);
    finding
}

/// Which item has an id first. The ids themselves stay with the items.
#[derive(Default)]
struct Ids {
    /// The last item that has an id.
    last: Option<usize>,
    /// From the hash of an id to its first item; empty as long as ids ascend. Two ids of one hash stand
    /// at that and the next one.
    places: HashMap<u64, usize, BuildHasherDefault<Hashed>>,
    state: RandomState,
}

impl Ids {
    /// The first item with that id. If there is none, it is the one that comes next.
    fn first<'p, T: Kept<'p>>(&mut self, items: &[T], id: &str) -> Option<usize> {
        if id.is_empty() {
            return None;
        }
        if self.places.is_empty() {
            // Exports are mostly sorted.
            let last = self.last.and_then(|last| items.get(last));
            if last.is_none_or(|last| last.id() < id) {
                self.last = Some(items.len());
                return None;
            }
            self.places.reserve(2 * items.len());
            for (place, item) in items.iter().enumerate().filter(|(_, item)| !item.id().is_empty()) {
                self.find(items, item.id(), place);
            }
        }
        self.find(items, id, items.len())
    }

    fn find<'p, T: Kept<'p>>(&mut self, items: &[T], id: &str, place: usize) -> Option<usize> {
        let mut hash = self.state.hash_one(id);
        loop {
            let first = *self.places.entry(hash).or_insert(place);
            if first == place {
                return None;
            }
            if items.get(first).is_some_and(|item| item.id() == id) {
                return Some(first);
            }
            hash = hash.wrapping_add(1);
        }
    }
}

/// The hash of what is one already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// The items whose encodings wait for being hashed: several are hashed faster than one.
#[derive(Default)]
struct Pending {
    /// Where their encodings end.
    ends: Vec<usize>,
}

impl Pending {
    const MOST: usize = 32;
    /// Long ones gain nothing by waiting.
    const MOST_BYTES: usize = 256 * 1024;

    /// Has the last item wait for its digest, which is made of what was encoded last.
    fn add<'p, T: Kept<'p>>(&mut self, items: &mut [T], room: &mut Room) {
        self.ends.push(room.encoded.len());
        if self.ends.len() == Self::MOST || room.encoded.len() > Self::MOST_BYTES {
            self.hash(items, room);
        }
    }

    /// Gives the items that wait their digests, and empties the room.
    fn hash<'p, T: Kept<'p>>(&mut self, items: &mut [T], room: &mut Room) {
        let first = items.len() - self.ends.len();
        let mut waiting = items.iter_mut().skip(first);
        Digest::of_encodings(&room.encoded, &self.ends, |digest| {
            if let Some(item) = waiting.next() {
                *item.digest() = digest;
            }
        });
        room.encoded.clear();
        self.ends.clear();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Items that pass and items that do not, as a bulk.
    pub(crate) fn items() -> impl Strategy<Value = Vec<String>> {
        let item = prop_oneof![
            6 => (0..9_u8).prop_map(|id| format!(r#"{{"id":"{id}","n":{id}}}"#)),
            2 => (0..9_u8).prop_map(|id| format!(r#" {{"n": 1.0 ,"id":"\\u003{id}","o":{{"b":[],"a":1e3}}}} "#)),
            1 => (0..9_u8).prop_map(|id| format!(r#"{{"id":"{id}","n":"x"}}"#)),
            1 => (0..9_u8).prop_map(|id| format!(r#"{{"id":"{id}","m":1,"_meta":2}}"#)),
            1 => prop::sample::select(vec![
                r#"{"id":1}"#, "{}", r#"{"id":""}"#, "[]", "7", r#"{"id":"1","id":"2"}"#,
                r#"{"id":"1","o":{"a":1,"a":1}}"#, r#"{"id":"1","n":1e999}"#, r#"{"id":"1",}"#, "",
            ]).prop_map(str::to_owned),
        ];
        prop::collection::vec(item, 0..12)
    }

    /// A schema by which some of them pass; with an acceptor and without.
    pub(crate) fn schemas(open: bool) -> [PreparedSchema; 2] {
        let schema = json!({
            "type": "object",
            "properties": {
                "id": { "type": "string" },
                "n": { "type": "number", "maximum": 7 },
                "o": { "properties": { "a": { "type": "integer" } } },
            },
            "additionalProperties": open,
            "resmo": { "id": "id", "name": "id", "importantFields": ["o", "$.o.*"] }
        });
        let prepare = || PreparedSchema::prepare(schema.to_string().as_bytes()).unwrap();
        let (quick, plain) = (prepare(), prepare().without_acceptor());
        assert!(quick.acceptor().is_some());
        [quick, plain]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        /// Quickly or not, a bulk and each of its items are judged the same.
        #[test]
        fn the_quick_yes_changes_no_answer(items in items(), show_values in any::<bool>(), open in any::<bool>()) {
            let text = format!("[{}]", items.join(","));
            let [quick, plain] = schemas(open);
            let options = CheckOptions { show_values };
            prop_assert_eq!(quick.check_bulk(text.as_bytes(), options), plain.check_bulk(text.as_bytes(), options));
            for item in text.trim_matches(['[', ']']).split("},").map(|item| format!("{}}}", item.trim_end_matches('}'))) {
                prop_assert_eq!(quick.check(item.as_bytes(), options), plain.check(item.as_bytes(), options));
                prop_assert_eq!(quick.validate(item.as_bytes(), options), plain.validate(item.as_bytes(), options));
                for schema in [&quick, &plain] {
                    let passes = schema.validate(item.as_bytes(), options).is_ok();
                    prop_assert_eq!(schema.is_valid(item.as_bytes()), passes);
                }
            }
        }

        /// Lines are judged as the array that they are.
        #[test]
        fn lines_are_an_array(items in items(), open in any::<bool>(), breaks in "(\n|\r\n|\n \n)") {
            let text = items.join(&breaks);
            prop_assume!(Form::of(text.as_bytes()) == Form::Lines);
            let [schema, _] = schemas(open);
            let options = CheckOptions::default();
            let found = schema.check_items(text.as_bytes(), options);
            match crate::form::array_of_lines(text.as_bytes()) {
                Ok(array) => {
                    let array = schema.check_bulk(&array, options).map(without_ranges);
                    prop_assert_eq!(found.map(without_ranges), array);
                }
                Err(unreadable) => prop_assert_eq!(found, Err(unreadable)),
            }
        }
    }

    fn without_ranges(items: Vec<CheckedItem<'_>>) -> Vec<CheckedItem<'static>> {
        items.into_iter().map(|item| CheckedItem { range: 0..0, ..item.into_owned() }).collect()
    }

    /// Whether ids ascend or not, the first item of each is found.
    #[test]
    fn duplicates_name_the_first_item() {
        let [schema, plain] = schemas(true);
        for (ids, expected) in [
            (&["1", "2", "2", "3"][..], &[(2, 1)][..]),
            (&["1", "3", "2", "3", "1", "3"], &[(3, 1), (4, 0), (5, 1)]),
            (&["", "1", "", "1"], &[(3, 1)]),
            (&["2", "", "1", "2"], &[(3, 0)]),
        ] {
            let items: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
            let bulk = json!(items).to_string();
            for schema in [&schema, &plain] {
                let Err(rejection) = schema.check_bulk(bulk.as_bytes(), CheckOptions::default()) else {
                    panic!("{bulk} passes");
                };
                let found: Vec<_> = rejection
                    .violations()
                    .iter()
                    .filter(|violation| violation.code == ViolationCode::DuplicateId)
                    .map(|violation| (violation.item.unwrap(), violation.detail.clone()))
                    .collect();
                let expected =
                    expected.iter().map(|(item, first)| (*item, format!("item {first} has the same id")));
                assert_eq!(found, expected.collect::<Vec<_>>(), "{bulk}");
            }
        }
    }
}
