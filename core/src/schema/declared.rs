//! What a schema declares: which paths can be there, the columns, the open objects.

use std::collections::{BTreeMap, BTreeSet};

use super::admission::NamePattern;
use super::graph::{Graph, SchemaId, Types};
use super::{Segment, quoted};
use crate::document::Type;
use crate::pointer::{Pointer, push_dotted_name};

/// The most columns a schema declares; references can make more of a few bytes.
const COLUMNS: usize = 20_000;

/// Whether the schema can be seen to allow a value at a path.
pub(crate) enum Allowed {
    /// As far as can be seen, a value of these types.
    Types(Types),
    /// No value, and why.
    Never(String),
}

/// A place in a payload: the sub-schemas that apply there, and those that may.
struct Place {
    always: BTreeSet<SchemaId>,
    possibly: BTreeSet<SchemaId>,
}

impl Graph {
    fn place(&self, always: &[SchemaId], possibly: &[SchemaId]) -> Place {
        Place {
            always: always.iter().flat_map(|&id| self.always(id)).collect(),
            possibly: always.iter().chain(possibly).flat_map(|&id| self.possibly(id)).collect(),
        }
    }

    /// Whether the schema can be seen to allow a value where the segments lead.
    pub(super) fn allowed(&self, segments: &[Segment]) -> Allowed {
        let mut place = self.place(&[Self::ROOT], &[]);
        let mut root = true;
        for segment in segments {
            let step = match segment {
                Segment::Name(name) => self.step_name(&place, name, root),
                Segment::Index(index) => self.step_index(&place, *index),
            };
            match step {
                Ok(next) => place = next,
                Err(why) => return Allowed::Never(why),
            }
            root = false;
        }
        Allowed::Types(self.types(&place))
    }

    fn types(&self, place: &Place) -> Types {
        place.always.iter().fold(Types::ALL, |types, &id| types.and(self.schema(id).types))
    }

    fn step_name(&self, place: &Place, name: &str, root: bool) -> Result<Place, String> {
        // The root's type has a rule of its own.
        if !root && !self.types(place).contains(Type::Object) {
            return Err(format!("the value that {} would be in is no object", quoted(name)));
        }
        let children = |id: &SchemaId| self.children(*id, name);
        let declared = place.possibly.iter().any(|id| !children(id).is_empty());
        let closed =
            root || place.always.iter().any(|&id| self.is_false(self.schema(id).unevaluated_properties));
        let elsewhere = || {
            place.possibly.iter().any(|&id| {
                let other = self.schema(id).unevaluated_properties;
                other.is_some() && !self.is_false(other) && !(root && id == Self::ROOT)
            })
        };
        if closed && !declared && !elsewhere() {
            return Err(format!("no schema declares {}, and unknown fields are refused", quoted(name)));
        }
        let always: Vec<_> = place.always.iter().flat_map(children).collect();
        let possibly: Vec<_> = place.possibly.iter().flat_map(children).collect();
        if always.iter().any(|&id| self.schema(id).boolean == Some(false)) {
            return Err(format!("the schema forbids {}", quoted(name)));
        }
        Ok(self.place(&always, &possibly))
    }

    fn step_index(&self, place: &Place, index: i64) -> Result<Place, String> {
        if !self.types(place).contains(Type::Array) {
            return Err(format!("the value that element {index} would be in is no array"));
        }
        let Ok(index) = usize::try_from(index) else {
            // From the end: which schema applies depends on the payload.
            return Ok(self.place(&[], &[]));
        };
        let child = |id: &SchemaId| {
            let schema = self.schema(*id);
            schema.prefix_items.get(index).copied().or(schema.items)
        };
        let always: Vec<_> = place.always.iter().filter_map(child).collect();
        let possibly: Vec<_> = place.possibly.iter().filter_map(child).collect();
        if always.iter().any(|&id| self.schema(id).boolean == Some(false)) {
            return Err(format!("the schema forbids an element {index}"));
        }
        Ok(self.place(&always, &possibly))
    }

    /// The sub-schemas that one schema applies to the member of that name.
    fn children(&self, id: SchemaId, name: &str) -> Vec<SchemaId> {
        let schema = self.schema(id);
        let mut children: Vec<_> =
            schema.properties.iter().filter(|(other, _)| other == name).map(|(_, id)| *id).collect();
        children.extend(
            schema
                .pattern_properties
                .iter()
                .filter(|(pattern, _)| NamePattern::new(pattern).is_some_and(|pattern| pattern.matches(name)))
                .map(|(_, id)| *id),
        );
        if children.is_empty() {
            children.extend(schema.additional_properties);
        }
        children
    }

    fn is_false(&self, id: Option<SchemaId>) -> bool {
        id.is_some_and(|id| self.schema(id).boolean == Some(false))
    }

    /// Whether the sub-schema says anything of members.
    fn describes_object(&self, id: SchemaId) -> bool {
        let schema = self.schema(id);
        schema.declares_type && schema.types.contains(Type::Object)
            || !schema.properties.is_empty()
            || !schema.pattern_properties.is_empty()
    }
}

/// What may be declared for the members of the objects that a sub-schema closes, and by whom.
pub(crate) struct Declared<'g> {
    graph: &'g Graph,
    /// The sub-schemas that may apply there too.
    schemas: BTreeSet<SchemaId>,
    /// For each of them, those that apply it in place.
    users: BTreeMap<SchemaId, Vec<SchemaId>>,
    names: BTreeSet<&'g str>,
    patterns: Vec<(SchemaId, NamePattern)>,
}

impl<'g> Declared<'g> {
    pub(crate) fn beside(graph: &'g Graph, closing: SchemaId) -> Self {
        let schemas = graph.possibly(closing);
        let mut users: BTreeMap<SchemaId, Vec<SchemaId>> = BTreeMap::new();
        let mut names = BTreeSet::new();
        let mut patterns = Vec::new();
        for &id in &schemas {
            let schema = graph.schema(id);
            for &(_, target) in &schema.in_place {
                users.entry(target).or_default().push(id);
            }
            names.extend(schema.properties.iter().map(|(name, _)| name.as_str()));
            let own = schema.pattern_properties.iter();
            patterns.extend(own.filter_map(|(pattern, _)| Some((id, NamePattern::new(pattern)?))));
        }
        Self { graph, schemas, users, names, patterns }
    }

    /// The names that are declared one by one.
    pub(crate) fn names(&self) -> &BTreeSet<&'g str> {
        &self.names
    }

    /// Where the name is declared: the sub-schemas that do it, and those through which these are
    /// applied. None if nobody declares it.
    pub(crate) fn through(&self, name: &str) -> impl Iterator<Item = &'g Pointer> + use<'g> {
        let mut found = BTreeSet::new();
        if self.names.contains(name) {
            let declares =
                |id: &SchemaId| self.graph.schema(*id).properties.iter().any(|(other, _)| other == name);
            found.extend(self.schemas.iter().copied().filter(declares));
        }
        found.extend(self.patterns.iter().filter(|(_, pattern)| pattern.matches(name)).map(|(id, _)| *id));
        let mut open: Vec<_> = found.iter().copied().collect();
        while let Some(id) = open.pop() {
            for &user in self.users.get(&id).into_iter().flatten() {
                if found.insert(user) {
                    open.push(user);
                }
            }
        }
        let graph = self.graph;
        found.into_iter().map(|id| &graph.schema(id).pointer)
    }
}

/// The leaf fields that a schema declares, in its own order.
pub(super) fn columns(graph: &Graph) -> Vec<String> {
    let mut columns = Vec::new();
    collect_columns(graph, &[Graph::ROOT], String::new(), &mut Vec::new(), &mut columns);
    columns
}

fn collect_columns(
    graph: &Graph,
    place: &[SchemaId],
    path: String,
    way: &mut Vec<SchemaId>,
    columns: &mut Vec<String>,
) {
    // The order in which the author applies them, unlike that of a set of ids.
    let mut schemas = Vec::new();
    for &id in place {
        visit_in_order(graph, id, &mut schemas);
    }
    let mut names: Vec<(&str, Vec<SchemaId>)> = Vec::new();
    let mut places = std::collections::BTreeMap::new();
    for &id in &schemas {
        for (name, child) in &graph.schema(id).properties {
            let at = *places.entry(name.as_str()).or_insert_with(|| {
                names.push((name, Vec::new()));
                names.len() - 1
            });
            if let Some((_, children)) = names.get_mut(at) {
                children.push(*child);
            }
        }
    }
    let recursion = schemas.iter().any(|id| way.contains(id));
    if names.is_empty() || recursion || columns.len() >= COLUMNS {
        if !path.is_empty() && columns.len() < COLUMNS {
            columns.push(path);
        }
        return;
    }
    let depth = way.len();
    way.extend(&schemas);
    for (name, children) in names {
        let mut path = path.clone();
        push_dotted_name(&mut path, name);
        collect_columns(graph, &children, path, way, columns);
    }
    way.truncate(depth);
}

fn visit_in_order(graph: &Graph, id: SchemaId, seen: &mut Vec<SchemaId>) {
    use super::graph::Applicator;
    if seen.contains(&id) {
        return;
    }
    seen.push(id);
    for &(applicator, target) in &graph.schema(id).in_place {
        if !matches!(applicator, Applicator::Not | Applicator::If) {
            visit_in_order(graph, target, seen);
        }
    }
}

/// The nested objects in which unknown fields pass: where their author has to say so to change it.
pub(super) fn open_objects(graph: &Graph) -> Vec<Pointer> {
    use super::graph::Applicator;
    let mut seen = BTreeSet::from([Graph::ROOT]);
    let mut open = BTreeSet::new();
    let mut todo = vec![Graph::ROOT];
    while let Some(id) = todo.pop() {
        let schema = graph.schema(id);
        for &(applicator, target) in &schema.in_place {
            if !matches!(applicator, Applicator::Not | Applicator::If) && seen.insert(target) {
                todo.push(target);
            }
        }
        for target in schema.inner() {
            if seen.insert(target) {
                todo.push(target);
            }
            if let Some(id) = open_object(graph, target) {
                open.insert(id);
            }
        }
    }
    open.into_iter().map(|id| graph.schema(id).pointer.clone()).collect()
}

fn open_object(graph: &Graph, id: SchemaId) -> Option<SchemaId> {
    use super::graph::Applicator;
    let described = graph.possibly(id).into_iter().any(|id| graph.describes_object(id));
    let closed = graph.always(id).into_iter().any(|id| {
        let schema = graph.schema(id);
        let says = |child: Option<SchemaId>| {
            child.is_some_and(|child| {
                let child = graph.schema(child);
                // A schema for all other members makes it a map, whose names are free on purpose.
                child.boolean == Some(false)
                    || child.boolean.is_none()
                        && (child.declares_type
                            || !child.in_place.is_empty()
                            || child.inner().next().is_some())
            })
        };
        says(schema.additional_properties) || says(schema.unevaluated_properties)
    });
    let excluded = graph.always(id).into_iter().any(|id| !graph.schema(id).types.contains(Type::Object));
    if !described || closed || excluded {
        return None;
    }
    // A mere reference is changed where it leads.
    let schema = graph.schema(id);
    match schema.in_place.as_slice() {
        [(Applicator::Ref, target)] if !graph.describes_object(id) => Some(*target),
        _ => Some(id),
    }
}
