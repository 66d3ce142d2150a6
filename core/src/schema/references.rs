//! Where references lead: base URIs, anchors and pointers, all inside one document.

use std::collections::BTreeMap;

use jsonschema::uri;
use percent_encoding::percent_decode_str;

use super::admission::check_dialect_at;
use super::{Problem, ProblemCode, quoted};
use crate::document::Node;
use crate::pointer::Pointer;

/// The base URI that references in some part of the schema are resolved against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base(String);

/// What a schema without `$id` is called; the validator's own default.
const DEFAULT_BASE: &str = "json-schema:///";

impl Base {
    /// The base inside `node`, which may declare one of its own.
    pub(crate) fn inside(&self, node: Node<'_>) -> Self {
        let own = node.member("$id").and_then(Node::string).and_then(|id| self.resolve(id));
        own.unwrap_or_else(|| self.clone())
    }

    /// Whether this is where the meta-schemas are, which the validator knows by their addresses.
    fn is_of_json_schema(&self) -> bool {
        let rest = self.0.strip_prefix("https://").or_else(|| self.0.strip_prefix("http://"));
        rest.is_some_and(|rest| rest.starts_with("json-schema.org/"))
    }

    /// A reference without its fragment, made absolute.
    fn resolve(&self, reference: &str) -> Option<Self> {
        let base = uri::from_str(&self.0).ok()?;
        let absolute = uri::resolve_against(&base.borrow(), reference).ok()?;
        let text = absolute.as_str();
        Some(Self(text.split('#').next().unwrap_or(text).to_owned()))
    }
}

/// A sub-schema that a reference leads to.
#[derive(Debug, Clone)]
pub(crate) struct Target<'a> {
    pub(crate) node: Node<'a>,
    pub(crate) pointer: Pointer,
    pub(crate) base: Base,
}

/// Why a reference leads nowhere.
#[derive(Debug)]
pub(crate) enum ReferenceFault {
    /// It names something outside the document.
    External(String),
    /// Nothing stands there.
    Nowhere(String),
}

impl ReferenceFault {
    pub(crate) fn at(self, pointer: &Pointer) -> Problem {
        match self {
            Self::External(reference) => Problem::new(
                pointer,
                ProblemCode::ExternalReference,
                format!(
                    "{} leads outside this document, and nothing is ever fetched; put the schema under `$defs`",
                    quoted(&reference)
                ),
            ),
            Self::Nowhere(reference) => Problem::new(
                pointer,
                ProblemCode::UnresolvableReference,
                format!("{} leads to nothing in this document", quoted(&reference)),
            ),
        }
    }
}

/// The identified parts of one schema document.
#[derive(Debug)]
pub(crate) struct Resources<'a> {
    root_base: Base,
    /// By absolute URI.
    resources: BTreeMap<String, Target<'a>>,
    /// By absolute URI and name, `$anchor` and `$dynamicAnchor`.
    anchors: BTreeMap<(String, String), Target<'a>>,
    /// The `$dynamicAnchor`s, by name.
    dynamic: BTreeMap<String, Vec<Target<'a>>>,
    /// Every reference that stands where a schema can stand.
    references: Vec<Reference<'a>>,
}

/// A `$ref` or `$dynamicRef`.
#[derive(Debug)]
struct Reference<'a> {
    text: &'a str,
    base: Base,
    /// The sub-schema it stands in.
    owner: Pointer,
    keyword: &'static str,
}

impl<'a> Resources<'a> {
    pub(crate) fn of(root: Node<'a>, problems: &mut Vec<Problem>) -> Self {
        let default = Base(DEFAULT_BASE.to_owned());
        let root_base = default.inside(root);
        let mut resources = Self {
            root_base: root_base.clone(),
            resources: BTreeMap::new(),
            anchors: BTreeMap::new(),
            dynamic: BTreeMap::new(),
            references: Vec::new(),
        };
        let target = Target { node: root, pointer: Pointer::root(), base: root_base.clone() };
        resources.resources.insert(default.0.clone(), target.clone());
        resources.resources.insert(root_base.0, target);
        resources.collect(root, &Pointer::root(), &default, problems);
        resources
    }

    pub(crate) fn root_base(&self) -> Base {
        self.root_base.clone()
    }

    fn collect(&mut self, node: Node<'a>, pointer: &Pointer, outer: &Base, problems: &mut Vec<Problem>) {
        let base = outer.inside(node);
        let target = || Target { node, pointer: pointer.clone(), base: base.clone() };
        if base != *outer
            && !pointer.as_str().is_empty()
            && self.resources.insert(base.0.clone(), target()).is_some()
        {
            let detail = format!("the identifier {} stands twice in this document", quoted(&base.0));
            problems.push(Problem::new(&pointer.name("$id"), ProblemCode::DuplicateIdentifier, detail));
        }
        if !pointer.as_str().is_empty() {
            check_dialect_at(node, pointer, problems);
        }
        if node.member("$id").is_some() && base.is_of_json_schema() {
            let detail = format!("the identifier {} belongs to JSON Schema itself", quoted(&base.0));
            problems.push(Problem::new(&pointer.name("$id"), ProblemCode::DuplicateIdentifier, detail));
        }
        for keyword in ["$anchor", "$dynamicAnchor"] {
            let Some(name) = node.member(keyword).and_then(Node::string) else { continue };
            if keyword == "$dynamicAnchor" {
                self.dynamic.entry(name.to_owned()).or_default().push(target());
            }
            let before = self.anchors.insert((base.0.clone(), name.to_owned()), target());
            if before.is_some_and(|before| before.pointer != *pointer) {
                let detail = format!("the anchor {} stands twice in this document", quoted(name));
                problems.push(Problem::new(&pointer.name(keyword), ProblemCode::DuplicateIdentifier, detail));
            }
        }
        for keyword in ["$ref", "$dynamicRef"] {
            if let Some(text) = node.member(keyword).and_then(Node::string) {
                let owner = pointer.clone();
                self.references.push(Reference { text, base: base.clone(), owner, keyword });
            }
        }
        for (keyword, value) in node.members() {
            let at = pointer.name(keyword);
            match keyword {
                "not"
                | "if"
                | "then"
                | "else"
                | "additionalProperties"
                | "unevaluatedProperties"
                | "propertyNames"
                | "items"
                | "unevaluatedItems"
                | "contains"
                | "contentSchema" => {
                    self.collect(value, &at, &base, problems);
                }
                "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
                    for (index, value) in value.elements().enumerate() {
                        self.collect(value, &at.index(index), &base, problems);
                    }
                }
                "properties" | "patternProperties" | "dependentSchemas" | "dependencies" | "$defs"
                | "definitions" => {
                    for (name, value) in value.members() {
                        self.collect(value, &at.name(name), &base, problems);
                    }
                }
                _ => {}
            }
        }
    }

    /// Reports those of the references in other sub-schemas than `visited` that lead nowhere.
    pub(crate) fn check_others(&self, visited: impl Fn(&Pointer) -> bool, problems: &mut Vec<Problem>) {
        for reference in self.references.iter().filter(|reference| !visited(&reference.owner)) {
            if let Err(fault) = self.resolve(reference.text, &reference.base) {
                problems.push(fault.at(&reference.owner.name(reference.keyword)));
            }
        }
    }

    /// Follows a reference from a place with that base.
    pub(crate) fn resolve(&self, reference: &str, base: &Base) -> Result<Target<'a>, ReferenceFault> {
        let external = || ReferenceFault::External(reference.to_owned());
        let nowhere = || ReferenceFault::Nowhere(reference.to_owned());
        let (address, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let address =
            if address.is_empty() { base.clone() } else { base.resolve(address).ok_or_else(external)? };
        let resource = self.resources.get(&address.0).ok_or_else(external)?;
        let fragment = percent_decode_str(fragment).decode_utf8().map_err(|_| nowhere())?;
        if fragment.is_empty() {
            return Ok(resource.clone());
        }
        if !fragment.starts_with('/') {
            let key = (address.0, fragment.into_owned());
            return self.anchors.get(&key).cloned().ok_or_else(nowhere);
        }
        let mut target = resource.clone();
        let mut first = true;
        for token in Pointer::from_text(fragment).tokens() {
            // The resource's own `$id` is in its base already.
            if !std::mem::take(&mut first) {
                target.base = target.base.inside(target.node);
            }
            let element = || token.parse().ok().and_then(|index| target.node.element(index));
            target.node = target.node.member(&token).or_else(element).ok_or_else(nowhere)?;
            target.pointer = target.pointer.name(&token);
        }
        Ok(target)
    }

    /// All places that `$dynamicRef` may mean, depending on the way there.
    pub(crate) fn dynamic_targets(&self, reference: &str) -> Vec<Target<'a>> {
        let name = reference.split_once('#').map_or("", |(_, fragment)| fragment);
        self.dynamic.get(name).cloned().unwrap_or_default()
    }
}
