//! A schema → its acceptor, if it has nothing but what the walk knows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use tidegate_document::acceptor::{
    ANYTHING, Acceptor, Allowed, Bounds, InPlace, NOTHING, Names, Rest, Rule, RuleId, TypeSet, plain,
};

use super::admission;
use super::graph::{Applicator, Graph, Schema, SchemaId};
use crate::document::{Node, Number, Type};
use crate::explain::locate;
use crate::pointer::Pointer;

/// Keywords that the validator knows and the walk does not.
const OTHERS: [&str; 14] = [
    "$dynamicRef",
    "$recursiveRef",
    "additionalItems",
    "contains",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "discriminator",
    "maxContains",
    "minContains",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "uniqueItems",
];

/// Keywords on strings and numbers only, each of which judges alone.
const SCALARS: [&str; 8] = [
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "multipleOf",
    "pattern",
];

/// Compiles a schema that has been let in; `None` if it needs the validator.
pub(super) fn compile(root: Node<'_>, graph: &Graph) -> Option<Acceptor> {
    let mut compiler = Compiler { graph, rests: BTreeMap::new() };
    let mut rules = Vec::new();
    for (id, schema) in graph.schemas().iter().enumerate() {
        rules.push(compiler.rule(id, schema, locate(root, &schema.pointer)?)?);
    }
    compiler.leave_rests_to_the_validator(&mut rules)?;
    skip_references(&mut rules);
    Some(Acceptor::new(rules))
}

struct Compiler<'g> {
    graph: &'g Graph,
    /// What is left to the validator, each once, and where.
    rests: BTreeMap<String, (Map<String, Value>, Vec<SchemaId>)>,
}

impl Compiler<'_> {
    fn rule(&mut self, id: SchemaId, schema: &Schema, node: Node<'_>) -> Option<Rule> {
        let mut rule = Rule::anything();
        if let Some(anything) = schema.boolean {
            if !anything {
                rule.types = TypeSet::NONE;
            }
            return Some(rule);
        }
        let mut scalars = Map::new();
        for (keyword, value) in node.members() {
            match keyword {
                "type" => {
                    let names = value.string().into_iter().chain(value.elements().filter_map(Node::string));
                    rule.types = names.map(type_named).fold(TypeSet::NONE, TypeSet::or);
                }
                "enum" | "const" if rule.allowed.is_some() => return None,
                "enum" => rule.allowed = Some(allowed(value.elements())?),
                "const" => rule.allowed = Some(allowed(std::iter::once(value))?),
                "minLength" => rule.length.get_or_insert((0, usize::MAX)).0 = size(value)?,
                "maxLength" => rule.length.get_or_insert((0, usize::MAX)).1 = size(value)?,
                "minItems" => rule.array.len.0 = size(value)?,
                "maxItems" => rule.array.len.1 = size(value)?,
                "minProperties" => rule.object.len.0 = size(value)?,
                "maxProperties" => rule.object.len.1 = size(value)?,
                "minimum" | "maximum" => match bound(value) {
                    Some(bound) => {
                        let bounds = rule.bounds.get_or_insert(Bounds { least: None, most: None });
                        let side = if keyword == "minimum" { &mut bounds.least } else { &mut bounds.most };
                        *side = Some(bound);
                    }
                    None => drop(scalars.insert(keyword.to_owned(), value.to_serde())),
                },
                _ if SCALARS.contains(&keyword) => drop(scalars.insert(keyword.to_owned(), value.to_serde())),
                "uniqueItems" if value.boolean() == Some(false) => {}
                _ if OTHERS.contains(&keyword) => return None,
                _ => {}
            }
        }
        rule.array.items = self.inner(schema.items);
        self.unevaluated_items(schema, node, &mut rule)?;
        self.object(id, schema, &mut rule)?;
        self.in_place(schema, node, &mut rule)?;
        if !scalars.is_empty() {
            let text = Value::Object(scalars.clone()).to_string();
            self.rests.entry(text).or_insert_with(|| (scalars, Vec::new())).1.push(id);
        }
        Some(rule)
    }

    /// The rule for what is inside; sub-schemas that let everything pass need none.
    fn inner(&self, id: Option<SchemaId>) -> RuleId {
        match id {
            None => ANYTHING,
            Some(id) => match self.graph.schema(id).boolean {
                Some(true) => ANYTHING,
                Some(false) => NOTHING,
                None => RuleId::try_from(id).unwrap_or(NOTHING),
            },
        }
    }

    fn object(&self, id: SchemaId, schema: &Schema, rule: &mut Rule) -> Option<()> {
        rule.object.others = self.inner(schema.additional_properties);
        // Without `additionalProperties`, what `properties` leaves is unevaluated; with it nothing is.
        if schema.additional_properties.is_none() {
            let unevaluated = match id {
                // The root is closed, whatever the author wrote.
                Graph::ROOT => NOTHING,
                _ => self.inner(schema.unevaluated_properties),
            };
            if unevaluated != ANYTHING && !schema.in_place.is_empty() {
                // Others may evaluate properties for this one.
                return None;
            }
            rule.object.others = unevaluated;
        }
        let required: BTreeSet<&str> = schema.required.iter().map(String::as_str).collect();
        let mut entries: Vec<(String, RuleId, bool)> = schema
            .properties
            .iter()
            .map(|(name, id)| (name.clone(), self.inner(Some(*id)), required.contains(name.as_str())))
            .collect();
        let declared: BTreeSet<&str> = schema.properties.iter().map(|(name, _)| name.as_str()).collect();
        for name in required.difference(&declared) {
            entries.push(((*name).to_owned(), rule.object.others, true));
        }
        rule.object.required = u32::try_from(required.len()).ok()?;
        rule.object.names = Names::new(entries);
        Some(())
    }

    fn unevaluated_items(&self, schema: &Schema, node: Node<'_>, rule: &mut Rule) -> Option<()> {
        let unevaluated = self.inner(schema.unevaluated_items);
        if node.member("items").is_some() || unevaluated == ANYTHING {
            return Some(());
        }
        rule.array.items = unevaluated;
        schema.in_place.is_empty().then_some(())
    }

    fn in_place(&self, schema: &Schema, node: Node<'_>, rule: &mut Rule) -> Option<()> {
        let at = |pointer: Pointer| RuleId::try_from(self.graph.at(&pointer)?).ok();
        let here = |keyword: &str| at(schema.pointer.name(keyword));
        for (keyword, value) in node.members() {
            let list = || -> Option<Vec<RuleId>> {
                let pointer = schema.pointer.name(keyword);
                (0..value.len()).map(|index| at(pointer.index(index))).collect()
            };
            match keyword {
                "$ref" => {
                    let reference =
                        schema.in_place.iter().find(|(applicator, _)| *applicator == Applicator::Ref)?;
                    rule.in_place.push(InPlace::Also(RuleId::try_from(reference.1).ok()?));
                }
                "allOf" => rule.in_place.extend(list()?.into_iter().map(InPlace::Also)),
                "anyOf" => rule.in_place.push(InPlace::Any(list()?)),
                "oneOf" => rule.in_place.push(InPlace::One(list()?)),
                "not" => rule.in_place.push(InPlace::Not(here(keyword)?)),
                "if" => {
                    let branch = |keyword| match node.member(keyword) {
                        Some(_) => here(keyword),
                        None => Some(ANYTHING),
                    };
                    rule.in_place.push(InPlace::If(here(keyword)?, branch("then")?, branch("else")?));
                }
                _ => {}
            }
        }
        Some(())
    }

    /// Has the validator compile all that is left to it, at once: a validator of its own for each
    /// would look at the meta-schema each time.
    fn leave_rests_to_the_validator(&self, rules: &mut [Rule]) -> Option<()> {
        if self.rests.is_empty() {
            return Some(());
        }
        let schemas: Map<_, _> = (0..)
            .zip(self.rests.values())
            .map(|(number, (scalars, _)): (usize, _)| (number.to_string(), Value::Object(scalars.clone())))
            .collect();
        let validators = admission::validators(&json!({ "$defs": schemas }))?;
        for (number, (scalars, places)) in self.rests.values().enumerate() {
            let validator = validators.get(&format!("#/$defs/{number}"))?;
            let only_format = scalars.keys().all(|keyword| keyword == "format");
            let plain =
                scalars.get("format").and_then(Value::as_str).filter(|_| only_format).and_then(plain::of);
            for &place in places {
                let validator = validator.clone();
                rules.get_mut(place)?.rest =
                    Some(Rest { holds: Box::new(move |node| validator.is_valid(node)), plain });
            }
        }
        Some(())
    }
}

/// Puts what a rule refers to in its place, where it asks nothing itself: so that a walk goes on
/// with the rule that knows the names.
fn skip_references(rules: &mut [Rule]) {
    let targets: Vec<Option<RuleId>> = rules.iter().map(Rule::only_refers_to).collect();
    let end = |start: RuleId| {
        let mut id = start;
        // No reference leads back to itself, or the schema would not have been let in.
        while let Some(&Some(target)) = targets.get(id as usize) {
            id = target;
        }
        id
    };
    for rule in rules {
        rule.array.items = end(rule.array.items);
        rule.object.others = end(rule.object.others);
        rule.object.names.replace_rules(end);
        for in_place in &mut rule.in_place {
            match in_place {
                InPlace::Also(rule) | InPlace::Not(rule) => *rule = end(*rule),
                InPlace::Any(rules) | InPlace::One(rules) => {
                    for rule in rules {
                        *rule = end(*rule);
                    }
                }
                InPlace::If(condition, then, otherwise) => {
                    for rule in [condition, then, otherwise] {
                        *rule = end(*rule);
                    }
                }
            }
        }
    }
}

fn type_named(name: &str) -> TypeSet {
    match name {
        "integer" => TypeSet::INTEGER,
        _ => Type::named(name).map_or(TypeSet::NONE, TypeSet::of),
    }
}

fn allowed<'a>(values: impl Iterator<Item = Node<'a>> + Clone) -> Option<Allowed> {
    /// What is not looked up is compared one by one.
    const FEW: usize = 16;
    if let Some(strings) = values.clone().map(Node::string).collect::<Option<BTreeSet<_>>>() {
        let names = strings.into_iter().map(|string| (string.to_owned(), ANYTHING, false)).collect();
        return Some(Allowed::Strings(Names::new(names)));
    }
    let values: Vec<_> = values.map(Node::to_serde).collect();
    (values.len() <= FEW).then_some(Allowed::Values(values))
}

fn size(value: Node<'_>) -> Option<usize> {
    match value.number()? {
        Number::Integer(integer) => usize::try_from(integer).ok(),
        Number::Double(_) => None,
    }
}

fn bound(value: Node<'_>) -> Option<i64> {
    match value.number()? {
        Number::Integer(integer) => {
            i64::try_from(integer).ok().filter(|bound| (-Bounds::LARGEST..=Bounds::LARGEST).contains(bound))
        }
        Number::Double(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use tidegate_document::acceptor::Room;

    use super::*;
    use crate::PreparedSchema;
    use crate::digest::Digest;
    use crate::document::Document;

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
                room.encoded.clear();
                prop_assert!(unsorted.fill_quickly(text.as_bytes()));
                prop_assert_eq!(acceptor.judges(&unsorted, &mut room), valid, "{} {}", schema, text);
                prop_assert_eq!(acceptor.encodes(&unsorted, &mut room), valid, "{} {}", schema, text);
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
                for walk in [Acceptor::judges, Acceptor::encodes] {
                    let accepts = walk(acceptor, &unsorted, &mut Room::default());
                    prop_assert_eq!(accepts, Document::parse(text.as_bytes()).is_ok(), "{}", &text);
                }
            }
        }
    }

    /// What is asked many times over is left to the validator, which knows what it has asked before.
    #[test]
    fn long_lists_cost_no_more_than_short_ones() {
        let alternatives: Vec<_> =
            (0..3000).map(|n| json!({ "properties": { "z": { "const": n } }, "required": ["z"] })).collect();
        let names: Vec<_> = (0..5000).map(|n| format!("value {n}")).collect();
        let schema = json!({
            "type": "object",
            "properties": {
                "id": { "type": "string" },
                "names": { "items": { "enum": names } },
                "one": { "anyOf": alternatives },
            },
            "resmo": { "id": "id" }
        });
        let prepared = PreparedSchema::prepare(schema.to_string().as_bytes()).unwrap();
        let acceptor = prepared.acceptor().unwrap();
        let accepts = |payload: Value| {
            let text = payload.to_string();
            let mut document = Document::default();
            assert!(document.fill_quickly(text.as_bytes()));
            acceptor.judges(&document, &mut Room::default())
        };
        let many: Vec<_> = names.iter().cycle().take(60_000).collect();
        assert!(accepts(json!({ "id": "1", "names": many })));
        assert!(!accepts(json!({ "id": "1", "names": ["value 5000"] })));
        let mut members: Map<_, _> = (0..50_000).map(|n| (format!("m{n}"), json!(n))).collect();
        members.insert("z".to_owned(), json!(2999));
        // It gives up, and does not go through fifty thousand members three thousand times.
        assert!(!accepts(json!({ "id": "1", "one": members })));
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
                yes += u32::from(acceptor.judges(&document, &mut Room::default()));
            }
        }
        assert!(prepared > 200 && quick * 2 > prepared, "{quick} of {prepared}");
        assert!(yes * 10 > asked && yes * 10 < asked * 9, "{yes} of {asked}");
    }
}
