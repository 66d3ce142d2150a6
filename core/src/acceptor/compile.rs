//! A schema → its acceptor, if it has nothing but what the walk knows.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::names::Names;
use super::{ANYTHING, Acceptor, Bounds, InPlace, NOTHING, Rest, Rule, RuleId, TypeSet, plain};
use crate::document::{Node, Number, Type};
use crate::explain::locate;
use crate::pointer::Pointer;
use crate::schema::{self, Applicator, Graph, Schema, SchemaId};

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

impl Acceptor {
    /// Compiles a schema that has been let in; `None` if it needs the validator.
    pub(crate) fn compile(root: Node<'_>, graph: &Graph) -> Option<Self> {
        let mut compiler = Compiler { graph, rests: BTreeMap::new() };
        let mut rules = Vec::new();
        for (id, schema) in graph.schemas().iter().enumerate() {
            rules.push(compiler.rule(id, schema, locate(root, &schema.pointer)?)?);
        }
        compiler.leave_rests_to_the_validator(&mut rules)?;
        skip_references(&mut rules);
        Some(Self { rules })
    }
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
                "enum" => rule.allowed = Some(value.elements().map(Node::to_serde).collect()),
                "const" => rule.allowed = Some(vec![value.to_serde()]),
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
        let required: BTreeMap<&str, ()> = schema.required.iter().map(|name| (name.as_str(), ())).collect();
        let mut entries: Vec<(String, RuleId, bool)> = schema
            .properties
            .iter()
            .map(|(name, id)| (name.clone(), self.inner(Some(*id)), required.contains_key(name.as_str())))
            .collect();
        let declared: BTreeMap<&str, ()> =
            schema.properties.iter().map(|(name, _)| (name.as_str(), ())).collect();
        for name in required.keys().filter(|name| !declared.contains_key(*name)) {
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
        let validators = schema::validators(&json!({ "$defs": schemas }))?;
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
        "null" => TypeSet::of(Type::Null),
        "boolean" => TypeSet::of(Type::Boolean),
        "integer" => TypeSet::INTEGER,
        "number" => TypeSet::of(Type::Number),
        "string" => TypeSet::of(Type::String),
        "array" => TypeSet::of(Type::Array),
        "object" => TypeSet::of(Type::Object),
        _ => TypeSet::NONE,
    }
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
