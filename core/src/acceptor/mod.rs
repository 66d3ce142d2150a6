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

mod compile;
mod names;
mod plain;
mod walk;

use std::fmt;

use serde_json::Value;

use crate::document::{Document, Node, Number, Type};

use names::Names;
pub(crate) use walk::{Room, Task};

/// A schema compiled to say a quick yes.
#[derive(Debug)]
pub(crate) struct Acceptor {
    /// One for each sub-schema; the root's is the first.
    rules: Vec<Rule>,
}

/// A place in [`Acceptor::rules`], or [`ANYTHING`].
type RuleId = u32;

/// Every value passes.
const ANYTHING: RuleId = RuleId::MAX;
/// No value passes.
const NOTHING: RuleId = RuleId::MAX - 1;

/// What one sub-schema asks of a value.
#[derive(Debug)]
struct Rule {
    types: TypeSet,
    /// The values that `enum` and `const` allow.
    allowed: Option<Vec<Value>>,
    /// In Unicode characters, both included.
    length: Option<(usize, usize)>,
    bounds: Option<Bounds>,
    /// What is left of the keywords on strings and numbers.
    rest: Option<Rest>,
    array: Array,
    object: Object,
    in_place: Vec<InPlace>,
}

impl Rule {
    fn anything() -> Self {
        Self {
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
    fn only_refers_to(&self) -> Option<RuleId> {
        let [InPlace::Also(target)] = *self.in_place else { return None };
        let unbounded = (0, usize::MAX);
        let nothing_else = self.types == TypeSet::ALL
            && self.allowed.is_none()
            && self.length.is_none()
            && self.bounds.is_none()
            && self.rest.is_none()
            && (self.array.items, self.array.len) == (ANYTHING, unbounded)
            && (self.object.others, self.object.len) == (ANYTHING, unbounded)
            && self.object.names.is_empty();
        nothing_else.then_some(target)
    }
}

/// A set of types; integers have a type of their own in it, which is a number too.
#[derive(Debug, Clone, Copy, PartialEq)]
struct TypeSet(u8);

impl TypeSet {
    const ALL: Self = Self(0x3f);
    const NONE: Self = Self(0);
    const INTEGER: Self = Self(0x40);

    fn of(kind: Type) -> Self {
        Self(1 << kind as u8)
    }

    fn or(self, other: Self) -> Self {
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
struct Bounds {
    least: Option<i64>,
    most: Option<i64>,
}

impl Bounds {
    const LARGEST: i64 = 1 << 53;

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
struct Array {
    items: RuleId,
    len: (usize, usize),
}

/// What is asked of an object.
#[derive(Debug)]
struct Object {
    /// The properties with rules of their own, and those that have to be there.
    names: Names,
    /// The rule for all others.
    others: RuleId,
    /// How many of `names` have to be there.
    required: u32,
    len: (usize, usize),
}

/// What is asked of the same value by another sub-schema.
#[derive(Debug)]
enum InPlace {
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
struct Rest {
    holds: Box<dyn Fn(Node<'_>) -> bool + Send + Sync>,
    /// A form that a string may have and passes then for sure.
    plain: Option<fn(&[u8]) -> bool>,
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rest")
    }
}

impl Acceptor {
    /// Whether a document that was read without sorting passes for sure: it is valid, and no
    /// object in it has two members of one name. With [`Task::Encode`], `room` then holds what its
    /// digest is made of.
    pub(crate) fn accepts(&self, document: &Document<'_>, task: Task, room: &mut Room) -> bool {
        walk::accepts(self, document, task, room)
    }

    /// Whether the root has no other members than those that the schema names.
    pub(crate) fn is_closed(&self) -> bool {
        self.rules.first().is_some_and(|root| root.object.others == NOTHING)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;
    use crate::digest::Digest;
    use crate::schema::PreparedSchema;

    /// Names that schemas and instances both use.
    const NAME: &str = "[a-d]|long name [a-b]|_meta";

    fn scalar() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3..4_i64).prop_map(Value::from),
            prop_oneof![Just(0.5), Just(1.0), Just(-0.5), Just(1e300), Just(9_007_199_254_740_993.0)]
                .prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            prop_oneof!["[ab]{0,4}", "\\PC{0,3}", "[a-c]{1,2}@b\\.c", "2026-1[12]-[0-3]1"]
                .prop_map(Value::from),
        ]
    }

    fn instance() -> impl Strategy<Value = Value> {
        scalar().prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(NAME, inner, 0..5).prop_map(|members| json!(members)),
            ]
        })
    }

    /// One keyword with its value.
    fn keyword(
        schema: impl Strategy<Value = Value> + Clone + 'static,
    ) -> impl Strategy<Value = (&'static str, Value)> {
        let kind =
            prop::sample::select(vec!["null", "boolean", "integer", "number", "string", "array", "object"]);
        let list = prop::collection::vec(schema.clone(), 1..3).prop_map(Value::from);
        prop_oneof![
            4 => prop_oneof![
                kind.clone().prop_map(Value::from),
                prop::collection::hash_set(kind, 1..4).prop_map(|kinds| json!(kinds)),
            ].prop_map(|value| ("type", value)),
            4 => prop::collection::btree_map(NAME, schema.clone(), 0..4).prop_map(|members| {
                // The reserved member is no one's to declare.
                let members: Map<_, _> = members.into_iter().filter(|(name, _)| name != "_meta").collect();
                ("properties", Value::Object(members))
            }),
            2 => prop::collection::btree_set("[a-d]", 0..3).prop_map(|names| ("required", json!(names))),
            2 => schema.clone().prop_map(|schema| ("additionalProperties", schema)),
            1 => schema.clone().prop_map(|schema| ("unevaluatedProperties", schema)),
            1 => schema.clone().prop_map(|schema| ("unevaluatedItems", schema)),
            2 => schema.clone().prop_map(|schema| ("items", schema)),
            2 => prop_oneof![Just("allOf"), Just("anyOf"), Just("oneOf")].prop_flat_map(move |name| {
                list.clone().prop_map(move |list| (name, list))
            }),
            2 => prop_oneof![Just("not"), Just("if"), Just("then"), Just("else")].prop_flat_map(move |name| {
                schema.clone().prop_map(move |schema| (name, schema))
            }),
            1 => prop_oneof![Just("#/$defs/a"), Just("#/$defs/b"), Just("#")].prop_map(|to| ("$ref", json!(to))),
            1 => prop::collection::vec(instance(), 1..4).prop_map(|values| ("enum", Value::from(values))),
            1 => instance().prop_map(|value| ("const", value)),
            2 => (
                prop::sample::select(vec!["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"]),
                0..4_u64,
            ).prop_map(|(name, size)| (name, json!(size))),
            2 => (
                prop::sample::select(vec!["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]),
                prop_oneof![Just(json!(0)), Just(json!(1)), Just(json!(0.5)), Just(json!(-1)), Just(json!(u64::MAX))],
            ),
            1 => Just(("multipleOf", json!(2))),
            1 => prop_oneof![Just(json!("email")), Just(json!("date")), Just(json!("unknown"))].prop_map(|format| ("format", format)),
            1 => Just(("pattern", json!("^a"))),
            1 => Just(("uniqueItems", json!(false))),
            1 => Just(("title", json!("a title"))),
        ]
    }

    fn sub_schema() -> impl Strategy<Value = Value> {
        any::<bool>().prop_map(Value::from).boxed().prop_recursive(4, 24, 4, |inner| {
            prop::collection::vec(keyword(inner), 0..4).prop_map(|keywords| {
                keywords.into_iter().map(|(keyword, value)| (keyword.to_owned(), value)).collect()
            })
        })
    }

    fn root() -> impl Strategy<Value = Value> {
        (sub_schema(), sub_schema(), sub_schema()).prop_map(|(root, a, b)| {
            let mut root = match root {
                Value::Object(root) => root,
                _ => Map::new(),
            };
            root.insert("type".to_owned(), json!("object"));
            root.insert("$defs".to_owned(), json!({ "a": a, "b": b }));
            let properties = root.entry("properties").or_insert_with(|| json!({}));
            properties["id"] = json!({ "type": "string" });
            root.insert("resmo".to_owned(), json!({ "id": "id" }));
            Value::Object(root)
        })
    }

    fn object() -> impl Strategy<Value = Value> {
        prop::collection::btree_map(NAME, instance(), 0..5).prop_map(|mut members| {
            members.insert("id".to_owned(), json!("1"));
            json!(members)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]
        /// It says yes exactly where the validator says yes to the unlowered schema, and what it
        /// leaves for the digest is what the digest is made of.
        #[test]
        fn agrees_with_the_validator(
            schema in root(),
            instances in prop::collection::vec(object(), 1..12),
        ) {
            let Ok(prepared) = PreparedSchema::prepare(schema.to_string().as_bytes()) else { return Ok(()) };
            let Some(acceptor) = prepared.acceptor() else { return Ok(()) };
            let mut room = Room::default();
            for instance in instances {
                let text = instance.to_string();
                let document = Document::parse(text.as_bytes()).unwrap();
                let valid = prepared.validator().is_valid(document.root());
                let mut unsorted = Document::default();
                prop_assert!(unsorted.fill_quickly(text.as_bytes()));
                prop_assert_eq!(acceptor.accepts(&unsorted, Task::Judge, &mut room), valid, "{} {}", schema, text);
                prop_assert_eq!(acceptor.accepts(&unsorted, Task::Encode, &mut room), valid, "{} {}", schema, text);
                if valid {
                    prop_assert_eq!(Digest::of_bytes(&room.encoded), Digest::of(document.root()));
                }
            }
        }

        /// Where there are two members of one name, it never says yes.
        #[test]
        fn takes_no_name_twice(text in r#"\{"id":"1"(,"[a-d]":(1|"x"|\{"[ab]":1(,"[abc]":\{\})?\}|\[\{"c":0,"[bc]":1\}\])){0,4}\}"#) {
            let schemas = [
                json!({ "additionalProperties": true }),
                json!({ "properties": { "a": true, "b": { "properties": { "a": true } }, "c": { "not": false }, "d": { "anyOf": [true, { "required": ["a"] }] } } }),
            ];
            for mut schema in schemas {
                schema["type"] = json!("object");
                schema["resmo"] = json!({ "id": "id" });
                schema["properties"]["id"] = json!({ "type": "string" });
                let prepared = PreparedSchema::prepare(schema.to_string().as_bytes()).unwrap();
                let acceptor = prepared.acceptor().unwrap();
                let mut unsorted = Document::default();
                prop_assert!(unsorted.fill_quickly(text.as_bytes()));
                for task in [Task::Judge, Task::Encode] {
                    let accepts = acceptor.accepts(&unsorted, task, &mut Room::default());
                    prop_assert_eq!(accepts, Document::parse(text.as_bytes()).is_ok(), "{}", &text);
                }
            }
        }
    }

    /// How often the property test above has something to say is not left to chance.
    #[test]
    fn most_generated_schemas_have_an_acceptor() {
        use proptest::strategy::ValueTree;
        use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
        let mut runner = TestRunner::new_with_rng(
            ProptestConfig::default(),
            TestRng::deterministic_rng(RngAlgorithm::ChaCha),
        );
        let (mut prepared, mut quick, mut yes, mut asked) = (0, 0, 0, 0);
        for _ in 0..600 {
            let schema = root().new_tree(&mut runner).unwrap().current();
            let Ok(schema) = PreparedSchema::prepare(schema.to_string().as_bytes()) else { continue };
            prepared += 1;
            let Some(acceptor) = schema.acceptor() else { continue };
            quick += 1;
            for _ in 0..8 {
                let text = object().new_tree(&mut runner).unwrap().current().to_string();
                let mut document = Document::default();
                assert!(document.fill_quickly(text.as_bytes()));
                asked += 1;
                yes += u32::from(acceptor.accepts(&document, Task::Judge, &mut Room::default()));
            }
        }
        assert!(prepared > 200 && quick * 2 > prepared, "{quick} of {prepared}");
        assert!(yes * 10 > asked && yes * 10 < asked * 9, "{yes} of {asked}");
    }
}
