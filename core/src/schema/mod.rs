//! A JSON Schema → a [`PreparedSchema`], the only thing that can check.
//!
//! Preparing reads a schema document, reports everything that is wrong with it, closes its root and
//! compiles what a check needs: the validator, the paths to id, name and important fields, the
//! columns. It is the expensive step; a prepared schema is kept and used for many payloads.

mod acceptor;
mod admission;
mod declared;
mod graph;
mod path;
mod references;
mod resource;

use std::borrow::Cow;

use jsonschema::Validator;
use serde::Serialize;
use serde_json::Value;
use tidegate_document::acceptor::Acceptor;

use crate::digest::Digest;
use crate::document::{Document, GateJson, JsonText, Node, ParseErrorKind, Type};
use crate::limits;
use crate::pointer::Pointer;
use crate::violation::codes;

pub(crate) use admission::validator;
pub(crate) use declared::Declared;
pub(crate) use graph::Graph;
pub(crate) use path::{Path, Segment};
use resource::Resource;

/// The root member of a payload that belongs to Tidegate.
pub const RESERVED_MEMBER: &str = "_meta";
/// The root keyword that says where id, name and important fields are.
pub const RESOURCE_KEYWORD: &str = "resmo";

/// One thing that is wrong with a schema, or, as a warning, worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// A JSON Pointer into the schema, as a URI fragment.
    pub pointer: String,
    /// What kind of problem it is.
    pub code: ProblemCode,
    /// What is wrong and what was expected, for a human.
    pub detail: String,
}

impl Problem {
    pub(crate) fn new(pointer: &Pointer, code: ProblemCode, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.short_fragment(), code, detail: detail.into() }
    }
}

codes! {
    /// The kinds of problems a schema can have.
    ProblemCode {
        /// It is not JSON.
        MalformedJson = "malformed-json",
        /// One of its objects has two members of the same name.
        DuplicateMember = "duplicate-member",
        /// It is longer than a schema may be.
        TooLarge = "too-large",
        /// It is deeper than a schema may be.
        TooDeep = "too-deep",
        /// It is not an object, or an empty one.
        NotASchema = "not-a-schema",
        /// The root's `type` is not `"object"`.
        RootType = "root-type",
        /// `$schema` names another dialect than 2020-12.
        UnsupportedDialect = "unsupported-dialect",
        /// It is not valid against the 2020-12 meta-schema.
        MetaSchema = "meta-schema",
        /// A reference leads outside the document.
        ExternalReference = "external-reference",
        /// A reference leads to nothing.
        UnresolvableReference = "unresolvable-reference",
        /// A reference leads back to itself without going into the payload.
        EndlessReference = "endless-reference",
        /// An identifier stands twice, or belongs to JSON Schema itself.
        DuplicateIdentifier = "duplicate-identifier",
        /// The root keyword is missing or misshapen.
        ResourceKeyword = "resource-keyword",
        /// A path does not parse.
        PathSyntax = "path-syntax",
        /// The path of an id or a name may find more than one value.
        PathNotSingular = "path-not-singular",
        /// The schema never allows a (usable) value at a path.
        PathImpossible = "path-impossible",
        /// The schema declares `_meta`.
        ReservedMember = "reserved-member",
        /// A pattern is no regular expression, or none that runs in linear time.
        PatternUnsupported = "pattern-unsupported",
        /// Judging a payload could cost too much.
        TooComplex = "too-complex",
        /// Warning: `unevaluatedProperties` at the root was replaced.
        UnevaluatedPropertiesReplaced = "unevaluated-properties-replaced",
        /// Warning: `additionalProperties` at the root lets unknown fields pass.
        OpenRoot = "open-root",
    }
}

/// A schema that is ready to check payloads.
///
/// ```
/// use tidegate_core::PreparedSchema;
///
/// let schema = PreparedSchema::prepare(br#"{
///     "type": "object",
///     "properties": {"employeeId": {"type": "string"}, "salary": {"type": "number"}},
///     "resmo": {"id": "employeeId"}
/// }"#).unwrap();
/// assert_eq!(schema.columns(), ["employeeId", "salary"]);
///
/// let problems = PreparedSchema::prepare(br#"{"type": "array", "resmo": {"id": "a b"}}"#).unwrap_err();
/// let codes: Vec<_> = problems.iter().map(|problem| problem.code.as_str()).collect();
/// assert_eq!(codes, ["root-type", "path-syntax"]);
/// ```
#[derive(Debug)]
pub struct PreparedSchema {
    effective: String,
    digest: Digest,
    validator: Validator<GateJson>,
    acceptor: Option<Acceptor>,
    graph: Graph,
    resource: Resource,
    columns: Vec<String>,
    open_objects: Vec<String>,
    warnings: Vec<Problem>,
}

impl PreparedSchema {
    /// Prepares a schema from its JSON text.
    ///
    /// # Errors
    ///
    /// All problems found, in the order in which the rules are looked at; never an empty list.
    pub fn prepare(text: &[u8]) -> Result<Self, Vec<Problem>> {
        let document = read(text).map_err(|problem| vec![problem])?;
        let root = document.root();
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        if root.kind() != Type::Object || root.is_empty() {
            let found = if root.kind() == Type::Object { "an empty one" } else { root.kind().name() };
            let detail = format!("a schema is an object with at least a `type`, found {found}");
            return Err(vec![Problem::new(&Pointer::root(), ProblemCode::NotASchema, detail)]);
        }
        admission::check_root(root, &mut problems);
        admission::check_dialect(root, &mut problems);
        let mut value = root.to_serde();
        admission::check_meta_schema(&value, &mut problems);
        let graph = Graph::of(root, &mut problems);
        admission::check_reserved(&graph, &mut problems);
        admission::check_cost(&graph, &mut problems);
        let resource = Resource::of(root, &graph, &mut problems);
        if problems.is_empty() {
            warnings = admission::root_warnings(root);
        }
        let validator = if problems.is_empty() {
            close(&mut value);
            admission::compile(&value, &graph, &mut problems)
        } else {
            // What else there is to say about patterns belongs to the same report.
            admission::check_patterns(&graph, &mut problems);
            None
        };
        let (Some(validator), Some(resource), true) = (validator, resource, problems.is_empty()) else {
            problems.dedup();
            return Err(problems);
        };
        let effective = effective_text(root);
        Ok(Self {
            digest: Digest::of_bytes(effective.as_bytes()),
            columns: declared::columns(&graph),
            open_objects: declared::open_objects(&graph).iter().map(Pointer::fragment).collect(),
            effective,
            acceptor: acceptor::compile(root, &graph),
            validator,
            graph,
            resource,
            warnings,
        })
    }

    /// The JSON Schema that payloads are checked against: the author's, with the root closed.
    pub fn effective_schema(&self) -> &str {
        &self.effective
    }

    /// The version digest: BLAKE3 of [`effective_schema`](Self::effective_schema), whose text has
    /// no insignificant white space and the author's order of members.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The declared leaf fields, as dotted paths in the schema's own order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The nested objects in which unknown fields pass, as pointers into the schema.
    pub fn open_objects(&self) -> &[String] {
        &self.open_objects
    }

    /// What an author should know of the schema.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    pub(crate) fn validator(&self) -> &Validator<GateJson> {
        &self.validator
    }

    /// The quick yes, if the schema has one.
    pub(crate) fn acceptor(&self) -> Option<&Acceptor> {
        self.acceptor.as_ref()
    }

    /// The same schema, with the validator for everything.
    #[cfg(test)]
    pub(crate) fn without_acceptor(self) -> Self {
        Self { acceptor: None, ..self }
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    pub(crate) fn id_path(&self) -> &Path {
        &self.resource.id
    }

    /// The display name of a payload, if its path leads to a string.
    pub(crate) fn display_name<'p>(&self, document: &Document<'p>) -> Option<Cow<'p, str>> {
        document.string(self.resource.name.as_ref()?.walk(document.root())?)
    }

    /// The values of the important fields, in the declared order.
    pub(crate) fn important_fields<'p>(&self, document: &Document<'p>) -> Vec<JsonText<'p>> {
        let mut fields = Vec::with_capacity(self.resource.important_fields.len());
        for path in &self.resource.important_fields {
            path.values(document, &mut fields);
        }
        fields
    }
}

/// A prepared schema is shared between threads.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<PreparedSchema>();
};

fn read(text: &[u8]) -> Result<Document<'_>, Problem> {
    if text.len() > limits::SCHEMA_BYTES {
        let detail = format!("a schema is at most {} bytes long, found {}", limits::SCHEMA_BYTES, text.len());
        return Err(Problem::new(&Pointer::root(), ProblemCode::TooLarge, detail));
    }
    Document::parse_within(text, limits::SCHEMA_DEPTH).map_err(|error| {
        let code = match error.kind {
            ParseErrorKind::DuplicateMember => ProblemCode::DuplicateMember,
            ParseErrorKind::TooDeep { .. } => ProblemCode::TooDeep,
            ParseErrorKind::TooLong { .. } => ProblemCode::TooLarge,
            ParseErrorKind::Malformed(_) => ProblemCode::MalformedJson,
        };
        Problem::new(&error.pointer, code, error.to_string())
    })
}

/// What closes the root, whatever stood there.
const CLOSING: &str = "unevaluatedProperties";

/// The author's schema as text, with the root closed.
fn effective_text(root: Node<'_>) -> String {
    let mut text = String::from("{");
    for (name, value) in root.members().filter(|(name, _)| *name != CLOSING) {
        crate::document::write_string(name, &mut text);
        text.push(':');
        value.write_text(&mut text);
        text.push(',');
    }
    text.push_str("\"unevaluatedProperties\":false}");
    text
}

/// The same for the validator, which reads no text.
fn close(schema: &mut Value) {
    if let Value::Object(members) = schema {
        members.insert(CLOSING.to_owned(), Value::Bool(false));
    }
}

/// A piece of an author's text for a message: cut, in backticks.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", cut(text))
}

/// A text cut to [`limits::QUOTED_BYTES`], at a character's border.
pub(crate) fn cut(text: &str) -> std::borrow::Cow<'_, str> {
    if text.len() <= limits::QUOTED_BYTES {
        return text.into();
    }
    let end = (0..=limits::QUOTED_BYTES).rev().find(|&end| text.is_char_boundary(end)).unwrap_or_default();
    format!("{}…", text.get(..end).unwrap_or_default()).into()
}
