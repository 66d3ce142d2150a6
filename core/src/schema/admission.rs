//! Whether a schema is let in: dialect, meta-schema, cost, patterns; and building its validator.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use jsonschema::json::Json;
use jsonschema::{Draft, PatternOptions, ValidationOptions, Validator, ValidatorMap};
use serde_json::{Value, json};

use super::{Graph, Problem, ProblemCode, RESERVED_MEMBER, quoted};
use crate::document::{Document, GateJson, Node, Type};
use crate::explain;
use crate::limits;
use crate::pointer::Pointer;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Other dialects that a schema may name, by what people call them.
const OTHER_DIALECTS: [(&str, &str); 6] = [
    ("json-schema.org/draft/2019-09/schema", "draft 2019-09"),
    ("json-schema.org/draft-07/schema", "draft 7"),
    ("json-schema.org/draft-06/schema", "draft 6"),
    ("json-schema.org/draft-04/schema", "draft 4"),
    ("json-schema.org/draft-03/schema", "draft 3"),
    ("json-schema.org/schema", "whatever is the latest draft"),
];

pub(super) fn check_root(root: Node<'_>, problems: &mut Vec<Problem>) {
    let found = match root.member("type") {
        Some(node) if node.string() == Some("object") => return,
        Some(node) => match node.string() {
            Some(name) => quoted(name),
            None => node.kind().name().to_owned(),
        },
        None => "none".to_owned(),
    };
    let at = if root.member("type").is_some() { Pointer::root().name("type") } else { Pointer::root() };
    let detail = format!("the root's `type` is exactly `\"object\"`, found {found}");
    problems.push(Problem::new(&at, ProblemCode::RootType, detail));
}

pub(super) fn check_dialect(root: Node<'_>, problems: &mut Vec<Problem>) {
    check_dialect_at(root, &Pointer::root(), problems);
}

/// A part of the schema, too, may name its dialect; one of another dialect would be judged by the
/// wrong rules.
pub(super) fn check_dialect_at(schema: Node<'_>, at: &Pointer, problems: &mut Vec<Problem>) {
    let Some(node) = schema.member("$schema") else { return };
    let detail = match node.string() {
        Some(uri) if uri.strip_suffix('#').unwrap_or(uri) == DIALECT => return,
        Some(uri) => {
            let bare = uri.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('#');
            let known = OTHER_DIALECTS.iter().find(|(other, _)| *other == bare);
            match known {
                Some((_, name)) => {
                    format!("the schema is written for {name}; only 2020-12 is supported: `{DIALECT}`")
                }
                None => format!("{} is not the dialect 2020-12: `{DIALECT}`", quoted(uri)),
            }
        }
        None => format!("expected `{DIALECT}`, found {}", node.kind().name()),
    };
    problems.push(Problem::new(&at.name("$schema"), ProblemCode::UnsupportedDialect, detail));
}

pub(super) fn check_meta_schema(value: &Value, problems: &mut Vec<Problem>) {
    // A schema of another dialect has been refused for that, and is not judged by this one.
    if problems.iter().any(|problem| problem.code == ProblemCode::UnsupportedDialect) {
        return;
    }
    // Members in the order of their names, so that what is found is reported in that order.
    let sorted = value.to_string();
    let (Some(validator), Ok(document)) = (meta_validator(), Document::parse(sorted.as_bytes())) else {
        let detail = "the schema could not be checked against the meta-schema";
        problems.push(Problem::new(&Pointer::root(), ProblemCode::MetaSchema, detail));
        return;
    };
    let mut seen = BTreeSet::new();
    for error in validator.iter_errors(document.root()).take(limits::VIOLATIONS) {
        let pointer = Pointer::from_text(error.instance_path().as_str());
        // The root's type has a rule of its own.
        if pointer.as_str() == "/type" && problems.iter().any(|problem| problem.code == ProblemCode::RootType)
        {
            continue;
        }
        let found = value.pointer(pointer.as_str()).map_or("nothing", type_name);
        let detail = explain::detail(error.kind(), found, &pointer);
        if seen.insert((pointer.clone(), detail.clone())) {
            problems.push(Problem::new(&pointer, ProblemCode::MetaSchema, detail));
        }
    }
}

/// A validator for schemas themselves.
///
/// `jsonschema` has one for `serde_json::Value`; as the gate's documents are of another kind, that one
/// would be the only user of a second copy of every keyword's code.
fn meta_validator() -> Option<Rc<Validator<GateJson>>> {
    thread_local! {
        static VALIDATOR: OnceCell<Option<Rc<Validator<GateJson>>>> = const { OnceCell::new() };
    }
    VALIDATOR.with(|validator| {
        validator
            .get_or_init(|| {
                let schema = json!({ "$schema": DIALECT, "$ref": DIALECT });
                let options = jsonschema::options_for::<GateJson>();
                options
                    .offline()
                    .with_pattern_options(PatternOptions::regex())
                    .build(&schema)
                    .ok()
                    .map(Rc::new)
            })
            .clone()
    })
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => Type::Null,
        Value::Bool(_) => Type::Boolean,
        Value::Number(_) => Type::Number,
        Value::String(_) => Type::String,
        Value::Array(_) => Type::Array,
        Value::Object(_) => Type::Object,
    }
    .name()
}

pub(super) fn check_reserved(graph: &Graph, problems: &mut Vec<Problem>) {
    const DETAIL: &str = "the root member `_meta` belongs to Tidegate and cannot be declared";
    for id in graph.possibly(Graph::ROOT) {
        let schema = graph.schema(id);
        let at = &schema.pointer;
        if schema.properties.iter().any(|(name, _)| name == RESERVED_MEMBER) {
            let pointer = at.name("properties").name(RESERVED_MEMBER);
            problems.push(Problem::new(&pointer, ProblemCode::ReservedMember, DETAIL));
        }
        if let Some(index) = schema.required.iter().position(|name| name == RESERVED_MEMBER) {
            let pointer = at.name("required").index(index);
            problems.push(Problem::new(&pointer, ProblemCode::ReservedMember, DETAIL));
        }
    }
}

pub(super) fn check_cost(graph: &Graph, problems: &mut Vec<Problem>) {
    let cost = graph.cost();
    if cost > limits::SCHEMA_COST {
        let detail = format!(
            "its references and alternatives multiply: one value could be looked at {} times, at most {} are allowed",
            if cost == u64::MAX { "countless".to_owned() } else { cost.to_string() },
            limits::SCHEMA_COST
        );
        problems.push(Problem::new(&Pointer::root(), ProblemCode::TooComplex, detail));
    }
}

pub(super) fn root_warnings(root: Node<'_>) -> Vec<Problem> {
    let mut warnings = Vec::new();
    let not_false = |keyword| root.member(keyword).is_some_and(|node| node.boolean() != Some(false));
    if not_false("unevaluatedProperties") {
        warnings.push(Problem::new(
            &Pointer::root().name("unevaluatedProperties"),
            ProblemCode::UnevaluatedPropertiesReplaced,
            "the root is always closed: `unevaluatedProperties` was replaced by `false`",
        ));
    }
    if not_false("additionalProperties") {
        warnings.push(Problem::new(
            &Pointer::root().name("additionalProperties"),
            ProblemCode::OpenRoot,
            "`additionalProperties` lets fields pass that the schema does not name, although the root is closed otherwise",
        ));
    }
    warnings
}

/// How every validator of the gate is set up.
fn options<F: Json>() -> ValidationOptions<'static, std::sync::Arc<dyn jsonschema::Retrieve>, F> {
    jsonschema::options_for::<F>()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .should_ignore_unknown_formats(true)
        .offline()
        .with_pattern_options(PatternOptions::regex().size_limit(limits::PATTERN_BYTES))
}

/// A validator for a schema that has been let in.
pub(crate) fn validator(schema: &Value) -> Option<Validator<GateJson>> {
    options::<GateJson>().build(schema).ok()
}

/// Validators for the definitions of a schema, by their pointers.
pub(crate) fn validators(schema: &Value) -> Option<ValidatorMap<GateJson>> {
    options::<GateJson>().build_map(schema).ok()
}

/// Builds the validator, or says why it cannot be built.
pub(super) fn compile(
    schema: &Value,
    graph: &Graph,
    problems: &mut Vec<Problem>,
) -> Option<Validator<GateJson>> {
    match options::<GateJson>().build(schema) {
        Ok(validator) => Some(validator),
        Err(error) => {
            check_patterns(graph, problems);
            if problems.is_empty() {
                let pointer = Pointer::from_text(error.instance_path().as_str());
                // One beyond those that are looked at one by one.
                let (code, detail) = match error.instance().as_str().and_then(pattern_fault) {
                    Some(detail) => (ProblemCode::PatternUnsupported, detail),
                    None => (ProblemCode::MetaSchema, explain::detail(error.kind(), "it", &pointer)),
                };
                problems.push(Problem::new(&pointer, code, detail));
            }
            None
        }
    }
}

/// Refuses the patterns that do not run on a linear engine.
pub(super) fn check_patterns(graph: &Graph, problems: &mut Vec<Problem>) {
    let mut budget = limits::VIOLATIONS;
    for schema in graph.schemas() {
        let own = schema.pattern.iter().map(|pattern| (schema.pointer.name("pattern"), pattern));
        let names = schema
            .pattern_properties
            .iter()
            .map(|(pattern, _)| (schema.pointer.name("patternProperties").name(pattern), pattern));
        for (pointer, pattern) in own.chain(names) {
            if budget == 0 {
                return;
            }
            budget -= 1;
            if let Some(detail) = pattern_fault(pattern) {
                problems.push(Problem::new(&pointer, ProblemCode::PatternUnsupported, detail));
            }
        }
    }
}

fn pattern_fault(pattern: &str) -> Option<String> {
    let builds = |pattern: &str, limit| {
        let options = options::<GateJson>().with_pattern_options(PatternOptions::regex().size_limit(limit));
        options.build(&json!({ "pattern": pattern })).is_ok()
    };
    if builds(pattern, limits::PATTERN_BYTES) {
        return None;
    }
    let quoted = quoted(pattern);
    let generous = limits::PATTERN_BYTES * 16;
    Some(if builds(pattern, generous) {
        format!(
            "the pattern {quoted} compiles to more than {} bytes; smaller repetitions take less",
            limits::PATTERN_BYTES
        )
    } else if linear_part(pattern).is_some_and(|rest| builds(&rest, generous)) {
        format!(
            "the pattern {quoted} uses look-around or back-references, which cannot be run in linear time"
        )
    } else {
        format!(
            "the pattern {quoted} is no regular expression, or compiles to far more than {} bytes",
            limits::PATTERN_BYTES
        )
    })
}

/// The pattern with groups in place of look-around, and nothing in place of back-references; none if
/// it has neither.
fn linear_part(pattern: &str) -> Option<String> {
    const LOOKS: [&str; 4] = ["(?=", "(?!", "(?<=", "(?<!"];
    let mut rest = pattern;
    let mut linear = String::with_capacity(pattern.len());
    let mut found = false;
    let mut in_class = false;
    while let Some(first) = rest.chars().next() {
        let escaped = rest.strip_prefix('\\');
        let after = if let Some(escaped) = escaped.filter(|_| !in_class)
            && let Some(after) = after_reference(escaped)
        {
            linear.push_str("(?:)");
            found = true;
            after
        } else if let Some(escaped) = escaped {
            let mut chars = escaped.chars();
            linear.push('\\');
            linear.extend(chars.next());
            chars.as_str()
        } else if let Some(after) =
            LOOKS.iter().find_map(|look| rest.strip_prefix(look)).filter(|_| !in_class)
        {
            linear.push_str("(?:");
            found = true;
            after
        } else {
            in_class = first == '[' || (in_class && first != ']');
            linear.push(first);
            rest.strip_prefix(first).unwrap_or_default()
        };
        rest = after;
    }
    found.then_some(linear)
}

/// What follows a back-reference, given what follows its backslash.
fn after_reference(escaped: &str) -> Option<&str> {
    match escaped.strip_prefix("k<") {
        Some(name) => name.split_once('>').map(|(_, after)| after),
        None if escaped.starts_with('0') => None,
        None => Some(escaped.trim_start_matches(|digit: char| digit.is_ascii_digit()))
            .filter(|after| after.len() < escaped.len()),
    }
}

/// A pattern of `patternProperties`, run on names.
pub(super) struct NamePattern(Validator<GateJson>);

impl NamePattern {
    pub(super) fn new(pattern: &str) -> Option<Self> {
        validator(&json!({ "pattern": pattern })).map(Self)
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        let mut buffer = Document::default();
        GateJson::with_string_node(&mut buffer, name, |node| self.0.is_valid(node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PreparedSchema;

    /// Only so many patterns are looked at one by one; the validator says of any other.
    #[test]
    fn a_bad_pattern_among_many_is_called_one() {
        for bad in [json!({ "pattern": "^(?=a)b" }), json!({ "patternProperties": { "^(?=a)b": true } })] {
            let mut properties: serde_json::Map<_, _> =
                (0..150).map(|n| (format!("p{n:03}"), json!({ "pattern": format!("^a{n}$") }))).collect();
            properties.insert("id".to_owned(), json!({ "type": "string" }));
            properties.insert("z".to_owned(), bad.clone());
            let schema = json!({ "type": "object", "properties": properties, "resmo": { "id": "id" } });
            let problems = PreparedSchema::prepare(schema.to_string().as_bytes()).unwrap_err();
            let found: Vec<_> =
                problems.iter().map(|problem| (problem.code, problem.pointer.as_str())).collect();
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].0, ProblemCode::PatternUnsupported);
        }
    }
}
