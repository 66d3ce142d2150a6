//! A schema as a graph: its sub-schemas, and which of them look at the same place of a payload.
//!
//! The validator is somebody else's. What the gate has to know about a schema beyond its verdicts
//! (does each reference resolve, can a path ever be there, which objects are open, how much work
//! can it cause) is read off this graph.

use std::collections::{BTreeMap, BTreeSet};

use super::admission::check_dialect_at;
use super::references::{Base, Resources};
use super::{Problem, ProblemCode};
use crate::document::{Node, Type};
use crate::pointer::Pointer;

/// A sub-schema's place in [`Graph::schemas`].
pub(crate) type SchemaId = usize;

/// How one sub-schema applies another to the same place of the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applicator {
    /// `$ref`
    Ref,
    /// `$dynamicRef`: one of its possible targets.
    DynamicRef,
    /// `allOf`
    AllOf,
    /// `anyOf`, `oneOf`, `then`, `else`, `dependentSchemas`
    Branch,
    /// `not`
    Not,
    /// `if`
    If,
}

/// A set of JSON types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Types(u8);

impl Types {
    pub(crate) const ALL: Self = Self(u8::MAX);
    const NONE: Self = Self(0);

    pub(crate) fn of(kind: Type) -> Self {
        Self(1 << kind as u8)
    }

    pub(crate) fn contains(self, kind: Type) -> bool {
        self.0 & Self::of(kind).0 != 0
    }

    fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    fn named(name: &str) -> Self {
        match name {
            "integer" => Self::of(Type::Number),
            _ => Type::named(name).map_or(Self::NONE, Self::of),
        }
    }
}

/// One sub-schema: what the gate reads of it.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) pointer: Pointer,
    /// A boolean schema's value.
    pub(crate) boolean: Option<bool>,
    /// What `type`, `const` and `enum` leave.
    pub(crate) types: Types,
    pub(crate) declares_type: bool,
    pub(crate) in_place: Vec<(Applicator, SchemaId)>,
    /// In the schema's own order.
    pub(crate) properties: Vec<(String, SchemaId)>,
    pub(crate) pattern_properties: Vec<(String, SchemaId)>,
    pub(crate) additional_properties: Option<SchemaId>,
    pub(crate) unevaluated_properties: Option<SchemaId>,
    pub(crate) property_names: Option<SchemaId>,
    pub(crate) prefix_items: Vec<SchemaId>,
    pub(crate) items: Option<SchemaId>,
    pub(crate) unevaluated_items: Option<SchemaId>,
    pub(crate) contains: Option<SchemaId>,
    pub(crate) required: Vec<String>,
    pub(crate) pattern: Option<String>,
}

impl Schema {
    fn new(pointer: Pointer) -> Self {
        Self {
            pointer,
            boolean: None,
            types: Types::ALL,
            declares_type: false,
            in_place: Vec::new(),
            properties: Vec::new(),
            pattern_properties: Vec::new(),
            additional_properties: None,
            unevaluated_properties: None,
            property_names: None,
            prefix_items: Vec::new(),
            items: None,
            unevaluated_items: None,
            contains: None,
            required: Vec::new(),
            pattern: None,
        }
    }

    /// The sub-schemas for what is inside the value.
    pub(crate) fn inner(&self) -> impl Iterator<Item = SchemaId> + '_ {
        (self.properties.iter().map(|(_, id)| *id))
            .chain(self.pattern_properties.iter().map(|(_, id)| *id))
            .chain(self.additional_properties)
            .chain(self.unevaluated_properties)
            .chain(self.prefix_items.iter().copied())
            .chain(self.items)
            .chain(self.unevaluated_items)
            .chain(self.contains)
    }
}

/// All sub-schemas of a schema that can apply to a payload. The root is the first.
#[derive(Debug)]
pub(crate) struct Graph {
    schemas: Vec<Schema>,
    by_pointer: BTreeMap<Pointer, SchemaId>,
}

impl Graph {
    pub(crate) const ROOT: SchemaId = 0;

    /// Reads the graph off a schema, and reports the references that lead nowhere.
    pub(crate) fn of(root: Node<'_>, problems: &mut Vec<Problem>) -> Self {
        let resources = Resources::of(root, problems);
        let mut builder = Builder {
            graph: Self { schemas: Vec::new(), by_pointer: BTreeMap::new() },
            resources: &resources,
            problems,
        };
        builder.schema(root, Pointer::root(), &resources.root_base());
        let graph = builder.graph;
        // Definitions that nothing refers to are no part of the graph.
        resources.check_others(|owner| graph.by_pointer.contains_key(owner), problems);
        graph.refuse_cycles(problems);
        graph
    }

    pub(crate) fn schema(&self, id: SchemaId) -> &Schema {
        // Ids are made by this module only; the root is always there.
        #[expect(clippy::indexing_slicing, reason = "an id is a place in this very vector")]
        &self.schemas[id]
    }

    pub(crate) fn schemas(&self) -> &[Schema] {
        &self.schemas
    }

    pub(crate) fn at(&self, pointer: &Pointer) -> Option<SchemaId> {
        if pointer.as_str().is_empty() && !self.schemas.is_empty() {
            return Some(Self::ROOT);
        }
        self.by_pointer.get(pointer).copied()
    }

    /// The sub-schemas that apply wherever `id` does: itself, and through `allOf` and `$ref`.
    pub(crate) fn always(&self, id: SchemaId) -> BTreeSet<SchemaId> {
        self.closure(id, |applicator| matches!(applicator, Applicator::Ref | Applicator::AllOf))
    }

    /// The sub-schemas that may apply, or may count as evaluating, where `id` does.
    pub(crate) fn possibly(&self, id: SchemaId) -> BTreeSet<SchemaId> {
        self.closure(id, |applicator| applicator != Applicator::Not)
    }

    fn closure(&self, id: SchemaId, follow: impl Fn(Applicator) -> bool) -> BTreeSet<SchemaId> {
        let mut seen = BTreeSet::from([id]);
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            for &(applicator, target) in &self.schema(id).in_place {
                if follow(applicator) && seen.insert(target) {
                    open.push(target);
                }
            }
        }
        seen
    }

    /// Refuses references that lead back to themselves without going into the payload.
    fn refuse_cycles(&self, problems: &mut Vec<Problem>) {
        #[derive(Clone, Copy, PartialEq)]
        enum State {
            New,
            Open,
            Done,
        }
        let mut states = vec![State::New; self.schemas.len()];
        for start in 0..self.schemas.len() {
            // The way from `start`, each with the number of its edges already followed.
            let mut way = vec![(start, 0)];
            while let Some((id, followed)) = way.pop() {
                let Some(state) = states.get_mut(id) else { continue };
                if followed == 0 && *state != State::New {
                    continue;
                }
                *state = State::Open;
                match self.schema(id).in_place.get(followed) {
                    None => *state = State::Done,
                    Some(&(_, target)) => {
                        way.push((id, followed + 1));
                        match states.get(target) {
                            Some(State::Open) => {
                                problems.push(Problem::new(
                                    &self.schema(id).pointer,
                                    ProblemCode::EndlessReference,
                                    format!(
                                        "this schema applies `{}` which applies this schema to the same value again, without end",
                                        self.schema(target).pointer.short_fragment()
                                    ),
                                ));
                            }
                            Some(State::New) => way.push((target, 0)),
                            _ => {}
                        }
                    }
                }
            }
        }
    }

    /// How often the schema may look at one place of a payload, saturating.
    ///
    /// In-place applicators add up; the members of an object are different places, so only the most
    /// expensive one counts. A recursion counts once: the validator remembers its verdicts there.
    pub(crate) fn cost(&self) -> u64 {
        let mut known = vec![None; self.schemas.len()];
        self.cost_of(Self::ROOT, &mut known)
    }

    fn cost_of(&self, id: SchemaId, known: &mut Vec<Option<u64>>) -> u64 {
        if let Some(cost) = known.get(id).copied().flatten() {
            return cost;
        }
        let set = |known: &mut Vec<Option<u64>>, cost| {
            if let Some(slot) = known.get_mut(id) {
                *slot = Some(cost);
            }
        };
        set(known, 1);
        let schema = self.schema(id);
        let mut cost: u64 = 1;
        for &(_, target) in &schema.in_place {
            cost = cost.saturating_add(self.cost_of(target, known));
        }
        let mut object: u64 = 0;
        for target in (schema.properties.iter().map(|(_, id)| *id))
            .chain(schema.additional_properties)
            .chain(schema.unevaluated_properties)
            .chain(schema.property_names)
        {
            object = object.max(self.cost_of(target, known));
        }
        for &(_, target) in &schema.pattern_properties {
            object = object.saturating_add(self.cost_of(target, known));
        }
        let mut array: u64 = 0;
        for target in schema.prefix_items.iter().copied().chain(schema.items).chain(schema.unevaluated_items)
        {
            array = array.max(self.cost_of(target, known));
        }
        if let Some(target) = schema.contains {
            array = array.saturating_add(self.cost_of(target, known));
        }
        cost = cost.saturating_add(object.max(array));
        set(known, cost);
        cost
    }
}

struct Builder<'b, 'a> {
    graph: Graph,
    resources: &'b Resources<'a>,
    problems: &'b mut Vec<Problem>,
}

impl<'a> Builder<'_, 'a> {
    /// Reads the sub-schema at `pointer`, once.
    fn schema(&mut self, node: Node<'a>, pointer: Pointer, base: &Base) -> SchemaId {
        if let Some(id) = self.graph.at(&pointer) {
            return id;
        }
        let id = self.graph.schemas.len();
        self.graph.by_pointer.insert(pointer.clone(), id);
        self.graph.schemas.push(Schema::new(pointer.clone()));
        // A reference may lead to where no keyword puts a schema.
        let mut dialect = Vec::new();
        check_dialect_at(node, &pointer, &mut dialect);
        dialect.retain(|problem| !self.problems.contains(problem));
        self.problems.append(&mut dialect);
        let mut schema = Schema::new(pointer);
        schema.boolean = node.boolean();
        let base = base.inside(node);
        for (keyword, value) in node.members() {
            self.keyword(&mut schema, keyword, value, &base);
        }
        if let Some(slot) = self.graph.schemas.get_mut(id) {
            *slot = schema;
        }
        id
    }

    fn keyword(&mut self, schema: &mut Schema, keyword: &str, value: Node<'a>, base: &Base) {
        let at = schema.pointer.name(keyword);
        let only = |types: Types, schema: &mut Schema| schema.types = schema.types.and(types);
        match keyword {
            "type" => {
                schema.declares_type = true;
                let names = value.string().into_iter().chain(value.elements().filter_map(Node::string));
                only(names.fold(Types::NONE, |types, name| types.or(Types::named(name))), schema);
            }
            "const" => only(Types::of(value.kind()), schema),
            "enum" => {
                only(
                    value.elements().fold(Types::NONE, |types, value| types.or(Types::of(value.kind()))),
                    schema,
                );
            }
            "required" => {
                schema.required = value.elements().filter_map(Node::string).map(str::to_owned).collect();
            }
            "pattern" => schema.pattern = value.string().map(str::to_owned),
            "$ref" => self.reference(schema, value, &at, base, Applicator::Ref),
            "$dynamicRef" => self.reference(schema, value, &at, base, Applicator::DynamicRef),
            "allOf" => self.in_place_list(schema, Applicator::AllOf, value, &at, base),
            "anyOf" | "oneOf" => self.in_place_list(schema, Applicator::Branch, value, &at, base),
            "not" => self.in_place(schema, Applicator::Not, value, at, base),
            "if" => self.in_place(schema, Applicator::If, value, at, base),
            "then" | "else" => self.in_place(schema, Applicator::Branch, value, at, base),
            // The validator still knows `dependencies`, whose lists are names and no schemas.
            "dependentSchemas" | "dependencies" => {
                for (name, value) in value.members().filter(|(_, value)| value.kind() != Type::Array) {
                    self.in_place(schema, Applicator::Branch, value, at.name(name), base);
                }
            }
            "properties" | "patternProperties" => {
                let mut entries = Vec::new();
                for (name, value) in value.members() {
                    entries.push((name.to_owned(), self.schema(value, at.name(name), base)));
                }
                if keyword == "properties" {
                    schema.properties = entries;
                } else {
                    schema.pattern_properties = entries;
                }
            }
            "prefixItems" => {
                for (index, value) in value.elements().enumerate() {
                    let id = self.schema(value, at.index(index), base);
                    schema.prefix_items.push(id);
                }
            }
            "additionalProperties" => schema.additional_properties = Some(self.schema(value, at, base)),
            "unevaluatedProperties" => schema.unevaluated_properties = Some(self.schema(value, at, base)),
            "propertyNames" => schema.property_names = Some(self.schema(value, at, base)),
            "items" => schema.items = Some(self.schema(value, at, base)),
            "unevaluatedItems" => schema.unevaluated_items = Some(self.schema(value, at, base)),
            "contains" => schema.contains = Some(self.schema(value, at, base)),
            // Read only where a reference leads there.
            _ => {}
        }
    }

    fn in_place(&mut self, schema: &mut Schema, how: Applicator, node: Node<'a>, at: Pointer, base: &Base) {
        let id = self.schema(node, at, base);
        schema.in_place.push((how, id));
    }

    fn in_place_list(
        &mut self,
        schema: &mut Schema,
        how: Applicator,
        list: Node<'a>,
        at: &Pointer,
        base: &Base,
    ) {
        for (index, node) in list.elements().enumerate() {
            self.in_place(schema, how, node, at.index(index), base);
        }
    }

    fn reference(
        &mut self,
        schema: &mut Schema,
        value: Node<'a>,
        at: &Pointer,
        base: &Base,
        how: Applicator,
    ) {
        // The meta-schema has said what is wrong with anything else.
        let Some(reference) = value.string() else { return };
        match self.resources.resolve(reference, base) {
            Ok(target) => {
                let id = self.schema(target.node, target.pointer, &target.base);
                schema.in_place.push((how, id));
            }
            Err(fault) => self.problems.push(fault.at(at)),
        }
        if how == Applicator::DynamicRef {
            for target in self.resources.dynamic_targets(reference) {
                let id = self.schema(target.node, target.pointer, &target.base);
                if !schema.in_place.contains(&(how, id)) {
                    schema.in_place.push((how, id));
                }
            }
        }
    }
}
