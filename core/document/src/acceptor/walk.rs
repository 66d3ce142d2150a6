//! The walk: a payload × an acceptor → yes, and the encoding for the digest.

use super::{ANYTHING, Acceptor, Allowed, InPlace, NOTHING, Names, Object, Rule, RuleId};
use crate::cbor::{self, Major};
use crate::document::{Document, Entry, Kind, NameKey, Node, Number, Type};

/// Buffers of a walk, to be used again.
#[derive(Debug, Default)]
pub struct Room {
    /// What is hashed for the digest.
    pub encoded: Vec<u8>,
    /// The members of the objects on the way, as places in the digest's order and in the document.
    members: Vec<NameKey>,
}

impl Room {
    /// How many bytes the buffers hold on to.
    pub fn capacity(&self) -> usize {
        self.encoded.capacity() + self.members.capacity() * size_of::<NameKey>()
    }
}

/// How deep rules may follow each other. Payloads have at most 128 levels; what is deeper follows
/// long chains of references.
const DEPTH: u32 = 400;

/// What a value is walked for. Each value is walked once for itself, and perhaps more often for
/// alternatives.
pub(super) const JUDGE: u8 = 0;
/// Likewise, and its encoding is written.
pub(super) const ENCODE: u8 = 1;
/// An alternative asks; members of the same name are found elsewhere.
const ASK: u8 = 2;

pub(super) fn accepts<const FOR: u8>(acceptor: &Acceptor, document: &Document<'_>, room: &mut Room) -> bool {
    room.members.clear();
    if FOR == ENCODE {
        room.encoded.push(crate::digest::VERSION);
    }
    let fuel = 1000 + 64 * document.len();
    let mut walk = Walk { acceptor, document, room, fuel, depth: 0 };
    // What was asked without fuel was answered at random.
    walk.value::<FOR>(0, 0) && walk.fuel > 0
}

struct Walk<'w, 'd> {
    acceptor: &'w Acceptor,
    document: &'d Document<'d>,
    room: &'w mut Room,
    /// How many values and members alternatives may still ask about.
    fuel: usize,
    depth: u32,
}

impl<'w> Walk<'w, '_> {
    fn value<const FOR: u8>(&mut self, index: u32, rule: RuleId) -> bool {
        let acceptor: &'w Acceptor = self.acceptor;
        let Some(rule) = acceptor.rules.get(rule as usize) else {
            return rule == ANYTHING && self.any::<FOR>(index);
        };
        if self.depth >= DEPTH {
            self.fuel = 0;
            return false;
        }
        if FOR == ASK {
            self.fuel = self.fuel.saturating_sub(1);
            if self.fuel == 0 {
                return false;
            }
        }
        self.depth += 1;
        let passes = (rule.in_place.is_empty() || self.in_place(index, rule)) && self.own::<FOR>(index, rule);
        self.depth -= 1;
        passes
    }

    /// What the rule says itself.
    #[inline(always)]
    fn own<const FOR: u8>(&mut self, index: u32, rule: &'w Rule) -> bool {
        let entry = self.document.entry(index);
        if !rule.only_types && !self.is_allowed(index, rule) {
            return false;
        }
        match entry.kind {
            Kind::Null => rule.types.has(Type::Null) && self.byte::<FOR>(cbor::NULL),
            Kind::True => rule.types.has(Type::Boolean) && self.byte::<FOR>(cbor::TRUE),
            Kind::False => rule.types.has(Type::Boolean) && self.byte::<FOR>(cbor::FALSE),
            Kind::Number => self.number::<FOR>(index, entry, rule),
            Kind::Plain | Kind::Escaped => self.string::<FOR>(index, entry, rule),
            Kind::Array => {
                let array = &rule.array;
                if !rule.types.has(Type::Array) || !within(entry.len as usize, array.len) {
                    return false;
                }
                if FOR == ENCODE {
                    cbor::head(&mut self.room.encoded, Major::Array, entry.len.into());
                }
                self.elements::<FOR>(index, entry.len, array.items)
            }
            Kind::Object => {
                rule.types.has(Type::Object)
                    && within(entry.len as usize, rule.object.len)
                    && self.object::<FOR>(index, entry.len, &rule.object)
            }
        }
    }

    fn is_allowed(&self, index: u32, rule: &Rule) -> bool {
        let node = Node::at(self.document, index);
        match &rule.allowed {
            None => true,
            Some(Allowed::Strings(names)) => {
                node.string().is_some_and(|string| names.find(string.as_bytes()).is_some())
            }
            Some(Allowed::Values(values)) => values.iter().any(|value| node.equals(value)),
        }
    }

    #[inline(always)]
    fn byte<const FOR: u8>(&mut self, byte: u8) -> bool {
        if FOR == ENCODE {
            self.room.encoded.push(byte);
        }
        true
    }

    #[inline(always)]
    fn number<const FOR: u8>(&mut self, index: u32, entry: Entry, rule: &Rule) -> bool {
        let number = Number::from_literal(self.document.text(entry));
        let typed = rule.types.has(Type::Number) || rule.types.has_integers() && number.is_integer();
        if !typed || !rule.only_types && !self.number_holds(index, number, rule) {
            return false;
        }
        if FOR == ENCODE {
            cbor::number(&mut self.room.encoded, number);
        }
        true
    }

    #[inline(always)]
    fn string<const FOR: u8>(&mut self, index: u32, entry: Entry, rule: &Rule) -> bool {
        if !rule.types.has(Type::String) || !rule.only_types && !self.string_holds(index, entry, rule) {
            return false;
        }
        if FOR == ENCODE {
            self.document.encode_text(entry, &mut self.room.encoded);
        }
        true
    }

    fn number_holds(&self, index: u32, number: Number, rule: &Rule) -> bool {
        rule.bounds.is_none_or(|bounds| bounds.hold(number))
            && rule.rest.as_ref().is_none_or(|rest| (rest.holds)(Node::at(self.document, index)))
    }

    fn string_holds(&self, index: u32, entry: Entry, rule: &Rule) -> bool {
        if let Some((least, most)) = rule.length {
            // A character has one to four bytes.
            let len = entry.len as usize;
            let sure = len <= most && len / 4 >= least;
            if !sure && !within(self.document.text(entry).chars().count(), (least, most)) {
                return false;
            }
        }
        if let Some(rest) = &rule.rest {
            let plain = rest.plain.is_some_and(|plain| plain(self.document.bytes(entry)));
            if !plain && !(rest.holds)(Node::at(self.document, index)) {
                return false;
            }
        }
        true
    }

    #[inline(always)]
    fn elements<const FOR: u8>(&mut self, index: u32, len: u32, rule: RuleId) -> bool {
        if FOR == ASK && rule == ANYTHING {
            return true;
        }
        let mut element = index + 1;
        for _ in 0..len {
            if !self.value::<FOR>(element, rule) {
                return false;
            }
            element = self.document.entry(element).next;
        }
        true
    }

    fn object<const FOR: u8>(&mut self, index: u32, len: u32, object: &'w Object) -> bool {
        let base = self.room.members.len();
        let document = self.document;
        if FOR == ASK {
            self.fuel = self.fuel.saturating_sub(len as usize);
        }
        let names = &object.names;
        let (mut name, mut required, mut all_known, mut ascending) = (index + 1, 0, true, true);
        // One more than the place before.
        let mut next_rank = 0;
        for _ in 0..len {
            let rule = match names.find(document.bytes(document.entry(name))) {
                Some((rank, property)) => {
                    required += u32::from(property.required);
                    ascending &= next_rank <= rank;
                    next_rank = rank + 1;
                    if FOR != ASK {
                        self.room.members.push(NameKey { prefix: rank.into(), name });
                    }
                    property.rule
                }
                None => {
                    all_known = false;
                    object.others
                }
            };
            if rule == NOTHING || FOR == ASK && !self.value::<ASK>(name + 1, rule) {
                return false;
            }
            name = document.entry(name + 1).next;
        }
        // Who took a place twice is found out below, or elsewhere.
        let passes = required == object.required
            && (FOR == ASK
                || if all_known {
                    self.known_members::<FOR>(base, ascending, names)
                } else {
                    self.members::<FOR>(index, len, |walk, name, value| {
                        let property = names.find(name);
                        walk.value::<FOR>(
                            value,
                            property.map_or(object.others, |(_, property)| property.rule),
                        )
                    })
                });
        self.room.members.truncate(base);
        passes
    }

    /// Walks members that all have places of their own.
    #[inline(always)]
    fn known_members<const FOR: u8>(&mut self, base: usize, ascending: bool, names: &'w Names) -> bool {
        let members = self.room.members.get_mut(base..).unwrap_or_default();
        let len = members.len();
        if !ascending && !sort(self.document, members) {
            return false;
        }
        if FOR == ENCODE {
            cbor::head(&mut self.room.encoded, Major::Map, len as u64);
        }
        for at in base..base + len {
            let Some(&NameKey { prefix: rank, name }) = self.room.members.get(at) else { return false };
            let Some(property) = names.ranked(rank) else { return false };
            if FOR == ENCODE {
                property.write_name(&mut self.room.encoded);
            }
            if !self.value::<FOR>(name + 1, property.rule) {
                return false;
            }
        }
        true
    }

    /// Walks members of any names.
    fn members<const FOR: u8>(
        &mut self,
        index: u32,
        len: u32,
        mut walk: impl FnMut(&mut Self, &[u8], u32) -> bool,
    ) -> bool {
        let mut keys: Vec<NameKey> = Vec::with_capacity(len as usize);
        self.document.name_keys(index, len, &mut keys);
        if self.document.sort_names(&mut keys).is_some() {
            return false;
        }
        if FOR == ENCODE {
            cbor::head(&mut self.room.encoded, Major::Map, len.into());
        }
        let document = self.document;
        for key in keys {
            let entry = document.entry(key.name);
            if FOR == ENCODE {
                document.encode_text(entry, &mut self.room.encoded);
            }
            if !walk(self, document.bytes(entry), key.name + 1) {
                return false;
            }
        }
        true
    }

    /// A value of which nothing is asked but that its members have different names.
    fn any<const FOR: u8>(&mut self, index: u32) -> bool {
        if FOR == ASK {
            return true;
        }
        let entry = self.document.entry(index);
        match entry.kind {
            Kind::Null => self.byte::<FOR>(cbor::NULL),
            Kind::True => self.byte::<FOR>(cbor::TRUE),
            Kind::False => self.byte::<FOR>(cbor::FALSE),
            Kind::Number => {
                if FOR == ENCODE {
                    let number = Number::from_literal(self.document.text(entry));
                    cbor::number(&mut self.room.encoded, number);
                }
                true
            }
            Kind::Plain | Kind::Escaped => {
                if FOR == ENCODE {
                    self.document.encode_text(entry, &mut self.room.encoded);
                }
                true
            }
            Kind::Array => {
                if FOR == ENCODE {
                    cbor::head(&mut self.room.encoded, Major::Array, entry.len.into());
                }
                self.elements::<FOR>(index, entry.len, ANYTHING)
            }
            Kind::Object => self.members::<FOR>(index, entry.len, |walk, _, value| walk.any::<FOR>(value)),
        }
    }

    fn in_place(&mut self, index: u32, rule: &'w Rule) -> bool {
        rule.in_place.iter().all(|in_place| match in_place {
            InPlace::Also(rule) => self.value::<ASK>(index, *rule),
            InPlace::Any(rules) => rules.iter().any(|rule| self.value::<ASK>(index, *rule)),
            InPlace::One(rules) => {
                rules.iter().filter(|rule| self.value::<ASK>(index, **rule)).take(2).count() == 1
            }
            InPlace::Not(rule) => !self.value::<ASK>(index, *rule),
            InPlace::If(condition, then, otherwise) => {
                let rule = if self.value::<ASK>(index, *condition) { then } else { otherwise };
                self.value::<ASK>(index, *rule)
            }
        })
    }
}

/// Sorts members by their places; `false` if two have the same.
#[inline(always)]
fn sort(document: &Document<'_>, members: &mut [NameKey]) -> bool {
    const FEW: usize = 20;
    if members.len() > FEW {
        document.sort_keys(members);
    } else {
        for end in 1..members.len() {
            let mut at = end;
            while let Some([before, member]) = at.checked_sub(1).and_then(|first| members.get_mut(first..=at))
            {
                if before.prefix <= member.prefix {
                    break;
                }
                std::mem::swap(before, member);
                at -= 1;
            }
        }
    }
    members.is_sorted_by(|one, other| one.prefix < other.prefix)
}

fn within(number: usize, (least, most): (usize, usize)) -> bool {
    least <= number && number <= most
}
