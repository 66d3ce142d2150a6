//! The quick yes: one walk over a payload that judges it and writes what its digest is made of.
//!
//! Most payloads are valid, and most schemas are plain: types, properties, items, references,
//! alternatives. An [`Acceptor`] is such a schema compiled for that case. When it says yes, the
//! validator would; when it says anything else, nothing is decided, and the validator has the word.
//! So there is one set of rules, and a fault here can cost time but not a wrong report; that it
//! never says yes where the validator says no is held by a property test, the vectors and a fuzz
//! target.
//!
//! It needs no sorted document. The properties of an object get their places in the digest's order
//! when the schema is prepared, so a payload's names are looked up once and compared with nothing
//! else, and two members of one name show as one place taken twice.

mod names;
pub mod plain;
mod walk;

use std::fmt;

use serde_json::Value;

use crate::document::{Document, Node, Number, Type};

pub use names::Names;
pub use walk::Room;

/// A schema compiled to say a quick yes.
#[derive(Debug)]
pub struct Acceptor {
    /// One for each sub-schema; the root's is the first.
    rules: Vec<Rule>,
}

/// A rule's place in an [`Acceptor`], or [`ANYTHING`] or [`NOTHING`].
pub type RuleId = u32;

/// Every value passes.
pub const ANYTHING: RuleId = RuleId::MAX;
/// No value passes.
pub const NOTHING: RuleId = RuleId::MAX - 1;

/// What one sub-schema asks of a value.
#[derive(Debug)]
pub struct Rule {
    /// What [`asks_only_types`](Self::asks_only_types) says, looked at for each value.
    only_types: bool,
    pub types: TypeSet,
    /// The values that `enum` and `const` allow.
    pub allowed: Option<Allowed>,
    /// In Unicode characters, both included.
    pub length: Option<(usize, usize)>,
    pub bounds: Option<Bounds>,
    /// What is left of the keywords on strings and numbers.
    pub rest: Option<Rest>,
    pub array: Array,
    pub object: Object,
    pub in_place: Vec<InPlace>,
}

impl Rule {
    pub fn anything() -> Self {
        Self {
            only_types: false,
            types: TypeSet::ALL,
            allowed: None,
            length: None,
            bounds: None,
            rest: None,
            array: Array { items: ANYTHING, len: (0, usize::MAX) },
            object: Object { names: Names::default(), others: ANYTHING, required: 0, len: (0, usize::MAX) },
            in_place: Vec::new(),
        }
    }

    /// The one rule that this one refers to, if it asks nothing else.
    pub fn only_refers_to(&self) -> Option<RuleId> {
        let [InPlace::Also(target)] = *self.in_place else { return None };
        let unbounded = (0, usize::MAX);
        let nothing_else = self.types == TypeSet::ALL
            && self.asks_only_types()
            && (self.array.items, self.array.len) == (ANYTHING, unbounded)
            && (self.object.others, self.object.len) == (ANYTHING, unbounded)
            && self.object.names.is_empty();
        nothing_else.then_some(target)
    }

    /// Whether of a scalar nothing but its type is asked.
    fn asks_only_types(&self) -> bool {
        self.allowed.is_none() && self.length.is_none() && self.bounds.is_none() && self.rest.is_none()
    }
}

/// The values that may be.
#[derive(Debug)]
pub enum Allowed {
    /// Strings, which are looked up.
    Strings(Names),
    /// A few values of any type, which are compared one by one.
    Values(Vec<Value>),
}

/// A set of types; integers have a type of their own in it, which is a number too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TypeSet(u8);

impl TypeSet {
    pub const ALL: Self = Self(0x3f);
    pub const NONE: Self = Self(0);
    pub const INTEGER: Self = Self(0x40);

    pub fn of(kind: Type) -> Self {
        Self(1 << kind as u8)
    }

    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[inline(always)]
    fn has(self, kind: Type) -> bool {
        self.0 & 1 << kind as u8 != 0
    }

    #[inline(always)]
    fn has_integers(self) -> bool {
        self.0 & Self::INTEGER.0 != 0
    }
}

/// `minimum` and `maximum`, where both are integers that doubles hold exactly.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub least: Option<i64>,
    pub most: Option<i64>,
}

impl Bounds {
    pub const LARGEST: i64 = 1 << 53;

    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "the bounds are at most 2⁵³")]
    fn hold(self, number: Number) -> bool {
        match number {
            Number::Integer(integer) => {
                self.least.is_none_or(|least| integer >= i128::from(least))
                    && self.most.is_none_or(|most| integer <= i128::from(most))
            }
            Number::Double(double) => {
                self.least.is_none_or(|least| double >= least as f64)
                    && self.most.is_none_or(|most| double <= most as f64)
            }
        }
    }
}

/// What is asked of an array.
#[derive(Debug)]
pub struct Array {
    pub items: RuleId,
    pub len: (usize, usize),
}

/// What is asked of an object.
#[derive(Debug)]
pub struct Object {
    /// The properties with rules of their own, and those that have to be there.
    pub names: Names,
    /// The rule for all others.
    pub others: RuleId,
    /// How many of `names` have to be there.
    pub required: u32,
    pub len: (usize, usize),
}

/// What is asked of the same value by another sub-schema.
#[derive(Debug)]
pub enum InPlace {
    /// `$ref`, `allOf`
    Also(RuleId),
    /// `anyOf`
    Any(Vec<RuleId>),
    /// `oneOf`
    One(Vec<RuleId>),
    /// `not`
    Not(RuleId),
    /// `if`, `then`, `else`
    If(RuleId, RuleId, RuleId),
}

/// Keywords on strings and numbers that are left to the validator, as a schema of their own.
pub struct Rest {
    pub holds: Box<dyn Fn(Node<'_>) -> bool + Send + Sync>,
    /// A form that a string may have and passes then for sure.
    pub plain: Option<fn(&[u8]) -> bool>,
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rest")
    }
}

impl Acceptor {
    /// From the rules of sub-schemas that refer to each other by their places; the root's is the
    /// first.
    pub fn new(mut rules: Vec<Rule>) -> Self {
        for rule in &mut rules {
            rule.only_types = rule.asks_only_types();
        }
        Self { rules }
    }

    /// Whether a document that was read without sorting passes for sure: it is valid, and no
    /// object in it has two members of one name.
    pub fn judges(&self, document: &Document<'_>, room: &mut Room) -> bool {
        walk::accepts::<{ walk::JUDGE }>(self, document, room)
    }

    /// Likewise, and what its digest is made of then stands at the end of `room.encoded`.
    pub fn encodes(&self, document: &Document<'_>, room: &mut Room) -> bool {
        walk::accepts::<{ walk::ENCODE }>(self, document, room)
    }

    /// Whether the root has no other members than those that the schema names.
    pub fn is_closed(&self) -> bool {
        self.rules.first().is_some_and(|root| root.object.others == NOTHING)
    }
}
