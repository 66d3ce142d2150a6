//! A prepared schema × bytes → what the resource is, or why it does not pass.

use std::borrow::Cow;
use std::ops::Range;

use serde::Serialize;

use crate::desk;
use crate::digest::Digest;
use crate::document::{Document, JsonText, Node, ParseError, ParseErrorKind, Type};
use crate::explain::{self, Finding};
use crate::limits;
use crate::pointer::Pointer;
use crate::problem::Code;
use crate::schema::{PreparedSchema, RESERVED_MEMBER, RESOURCE_KEYWORD, Segment, quoted};
use crate::violation::{Violation, ViolationCode, Violations};
use tidegate_document::acceptor::{Acceptor, Room};

/// How a check reports.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckOptions {
    /// Put the value that was found into a violation's `detail`, cut to
    /// [`limits::QUOTED_BYTES`]. Off, so that payloads stay out of logs and reports.
    pub show_values: bool,
}

/// What the gate reads off a resource that passes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked<'p> {
    /// What the id's path leads to.
    pub id: Cow<'p, str>,
    /// What the name's path leads to, if that is a string.
    pub name: Option<Cow<'p, str>>,
    /// The values of the important fields, in the declared order.
    pub important_fields: Vec<JsonText<'p>>,
    /// Equal for equal resources, and only for them.
    pub digest: Digest,
}

/// One resource of a bulk that passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedItem<'p> {
    /// What the id's path leads to.
    pub id: Cow<'p, str>,
    /// What the name's path leads to, if that is a string.
    pub name: Option<Cow<'p, str>>,
    /// Equal for equal resources, and only for them.
    pub digest: Digest,
    /// Where the resource's text stands in the payload, in bytes.
    pub range: Range<usize>,
}

impl Checked<'_> {
    /// The same, without borrowing from the payload.
    pub fn into_owned(self) -> Checked<'static> {
        Checked {
            id: Cow::Owned(self.id.into_owned()),
            name: self.name.map(|name| Cow::Owned(name.into_owned())),
            important_fields: self.important_fields.into_iter().map(JsonText::into_owned).collect(),
            digest: self.digest,
        }
    }
}

impl CheckedItem<'_> {
    /// The same, without borrowing from the payload.
    pub fn into_owned(self) -> CheckedItem<'static> {
        CheckedItem {
            id: Cow::Owned(self.id.into_owned()),
            name: self.name.map(|name| Cow::Owned(name.into_owned())),
            ..self
        }
    }
}

/// Why a payload does not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// It is no JSON text, or one that two parsers could read differently.
    Unreadable(ParseError),
    /// It, or one resource in it, is over a limit.
    TooLarge {
        /// The limit, in bytes or levels.
        limit: usize,
        /// The resource in a bulk.
        item: Option<usize>,
        /// What the limit counts and what was found.
        detail: String,
    },
    /// It does not pass the schema, or has no usable id.
    Invalid(Violations),
}

impl Rejection {
    /// The problem's code.
    pub fn code(&self) -> Code {
        match self {
            Self::Unreadable(ParseError { kind: ParseErrorKind::DuplicateMember, .. }) => {
                Code::DuplicateMember
            }
            Self::Unreadable(_) => Code::MalformedJson,
            Self::TooLarge { .. } => Code::TooLarge,
            Self::Invalid(violations) => {
                let all = |code| violations.list.iter().all(|violation| violation.code == code);
                let ids = |violation: &Violation| {
                    matches!(violation.code, ViolationCode::MissingId | ViolationCode::DuplicateId)
                };
                if all(ViolationCode::DuplicateId) {
                    Code::DuplicateId
                } else if violations.list.iter().all(ids) {
                    Code::MissingId
                } else {
                    Code::PayloadInvalid
                }
            }
        }
    }

    /// The violations, if that is what it is about.
    pub fn violations(&self) -> &[Violation] {
        match self {
            Self::Invalid(violations) => &violations.list,
            _ => &[],
        }
    }
}

impl From<ParseError> for Rejection {
    fn from(error: ParseError) -> Self {
        match error.kind {
            ParseErrorKind::TooDeep { limit } => Self::TooLarge {
                limit,
                item: None,
                detail: format!(
                    "the payload is nested more than {limit} levels deep, at line {}, column {}",
                    error.position.line, error.position.column
                ),
            },
            ParseErrorKind::TooLong { limit } => too_long(limit, None),
            _ => Self::Unreadable(error),
        }
    }
}

/// What an acceptor is asked.
pub(crate) type Walk = fn(&Acceptor, &Document<'_>, &mut Room) -> bool;

pub(crate) fn within_limit(payload: &[u8], limit: usize) -> Result<(), Rejection> {
    if payload.len() > limit { Err(too_long(limit, None)) } else { Ok(()) }
}

pub(crate) fn too_long(limit: usize, item: Option<usize>) -> Rejection {
    let what = match item {
        Some(item) => format!("item {item}"),
        None => "the payload".to_owned(),
    };
    Rejection::TooLarge { limit, item, detail: format!("{what} is longer than {limit} bytes") }
}

impl PreparedSchema {
    /// Checks one resource.
    ///
    /// ```
    /// # use tidegate_core::{CheckOptions, PreparedSchema, problem::Code};
    /// # let schema = PreparedSchema::prepare(br#"{"type": "object",
    /// #   "properties": {"employeeId": {"type": "string"}, "salary": {"type": "number"}},
    /// #   "resmo": {"id": "employeeId"}}"#).unwrap();
    /// let options = CheckOptions::default();
    /// let checked = schema.check(br#"{"employeeId": "1", "salary": 10}"#, options).unwrap();
    /// assert_eq!(checked.id, "1");
    ///
    /// let rejection = schema.check(br#"{"employeeId": "1", "salry": 10}"#, options).unwrap_err();
    /// assert_eq!(rejection.code(), Code::PayloadInvalid);
    /// let violation = &rejection.violations()[0];
    /// assert_eq!(violation.pointer, "#/salry");
    /// assert_eq!(violation.detail, "unknown field; did you mean `salary`?");
    /// ```
    ///
    /// # Errors
    ///
    /// Why it does not pass, with every violation up to [`limits::VIOLATIONS`].
    pub fn check<'p>(&self, payload: &'p [u8], options: CheckOptions) -> Result<Checked<'p>, Rejection> {
        self.pass(payload, Some(options), Acceptor::encodes, |document, id, digest| Checked {
            id,
            name: self.display_name(document),
            important_fields: self.important_fields(document),
            digest: digest(),
        })
    }

    /// Checks one resource as if it were a bulk's only item: without its important fields.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn check_one<'p>(
        &self,
        payload: &'p [u8],
        options: CheckOptions,
    ) -> Result<CheckedItem<'p>, Rejection> {
        self.pass(payload, Some(options), Acceptor::encodes, |document, id, digest| CheckedItem {
            id,
            name: self.display_name(document),
            digest: digest(),
            range: 0..payload.len(),
        })
    }

    /// Checks whether one resource passes, and reads nothing off it: for who wants the verdict only,
    /// as a form does at each key.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn validate(&self, payload: &[u8], options: CheckOptions) -> Result<(), Rejection> {
        self.pass(payload, Some(options), Acceptor::judges, |_, _, _| ())
    }

    /// Whether one resource passes. One that does not is refused without its faults being looked for,
    /// which [`validate`](Self::validate) does.
    pub fn is_valid(&self, payload: &[u8]) -> bool {
        self.pass(payload, None, Acceptor::judges, |_, _, _| ()).is_ok()
    }

    /// Checks one resource; without options, the faults of one that does not pass stay unnamed.
    fn pass<'p, T>(
        &self,
        payload: &'p [u8],
        options: Option<CheckOptions>,
        walk: Walk,
        read: impl Fn(&Document<'p>, Cow<'p, str>, &dyn Fn() -> Digest) -> T,
    ) -> Result<T, Rejection> {
        within_limit(payload, limits::RESOURCE_BYTES)?;
        desk::with(|document, room| {
            let mut sorted = false;
            if let Some(acceptor) = self.acceptor()
                && document.fill_quickly(payload)
            {
                if let Some(id) = self.quick_id(acceptor, document, walk, room) {
                    return Ok(read(document, id, &|| Digest::of_bytes(&room.encoded)));
                }
                sorted = document.sort_members();
            }
            if !sorted {
                *document = Document::parse(payload)?;
            }
            match self.judge(document, sorted && options.is_some()) {
                Ok(id) => Ok(read(document, id, &|| Digest::of(document.root()))),
                Err(refused) => {
                    Err(Rejection::Invalid(options.map_or_else(Violations::default, |options| {
                        self.violations(document, refused, options, None)
                    })))
                }
            }
        })
    }

    /// The id of a resource that was read without sorting, if it passes for sure.
    pub(crate) fn quick_id<'p>(
        &self,
        acceptor: &Acceptor,
        document: &Document<'p>,
        walk: Walk,
        room: &mut Room,
    ) -> Option<Cow<'p, str>> {
        // No schema names the reserved member.
        let reserved = || !acceptor.is_closed() && document.root().member(RESERVED_MEMBER).is_some();
        if !walk(acceptor, document, room) || reserved() {
            return None;
        }
        self.id(document)
    }

    /// The first phase: a plain yes, with the id, or no. Where the answer is `probably` no, the
    /// reasons are asked for at once.
    pub(crate) fn judge<'p>(&self, document: &Document<'p>, probably: bool) -> Result<Cow<'p, str>, Refused> {
        let root = document.root();
        if probably
            && let Some(findings) = explain::explain_at_once(self, document)
            && !findings.is_empty()
        {
            return Err(Refused::Found(findings));
        }
        document.refuel(limits::VALIDATION_FUEL, false);
        let valid = self.validator().is_valid(root);
        if document.exhausted() {
            return Err(Refused::TooComplex);
        }
        let reserved = root.member(RESERVED_MEMBER).is_some();
        self.id(document).filter(|_| valid && !reserved).ok_or(Refused::Invalid { valid })
    }

    pub(crate) fn id<'p>(&self, document: &Document<'p>) -> Option<Cow<'p, str>> {
        let id = document.string(self.id_path().walk(document.root())?)?;
        (!id.is_empty() && (id.len() <= limits::ID_CHARS || id.chars().count() <= limits::ID_CHARS))
            .then_some(id)
    }

    /// The second phase: every reason, in words.
    pub(crate) fn violations(
        &self,
        document: &Document<'_>,
        refused: Refused,
        options: CheckOptions,
        item: Option<usize>,
    ) -> Violations {
        let root = document.root();
        let complex = matches!(refused, Refused::TooComplex);
        let mut findings = match refused {
            Refused::Found(findings) => findings,
            Refused::TooComplex => vec![Finding::new(
                Pointer::root(),
                Pointer::root(),
                ViolationCode::TooComplex,
                "judging this payload by this schema costs more than is spent on one payload",
            )],
            Refused::Invalid { valid: true } => Vec::new(),
            Refused::Invalid { valid: false } => explain::explain(self, document),
        };
        if root.member(RESERVED_MEMBER).is_some() {
            explain::reserved(&mut findings);
        }
        if root.kind() == Type::Object && !complex && self.id(document).is_none() {
            self.missing_id(root, &mut findings);
        }
        explain::sort(root, &mut findings);
        let truncated = findings.len() > limits::VIOLATIONS;
        findings.truncate(limits::VIOLATIONS);
        let list = findings
            .into_iter()
            .map(|mut finding| {
                if options.show_values {
                    show_value(&mut finding, root);
                }
                finding.into_violation(item)
            })
            .collect();
        Violations { list, truncated, invalid_items: 1 }
    }

    /// Says why there is no id, unless another violation says so already.
    fn missing_id(&self, root: Node<'_>, findings: &mut Vec<Finding>) {
        let path = self.id_path();
        let pointer = path.segments().iter().fold(Pointer::root(), |pointer, segment| match segment {
            Segment::Name(name) => pointer.name(name),
            Segment::Index(index) => {
                usize::try_from(*index).map_or_else(|_| pointer.clone(), |index| pointer.index(index))
            }
        });
        let said = findings.iter().any(|finding| {
            pointer.is_within(&finding.pointer) && !finding.pointer.as_str().is_empty()
                || finding.missing.as_ref().is_some_and(|name| pointer.is_within(&finding.pointer.name(name)))
        });
        if said {
            return;
        }
        let found = path.walk(root);
        let what = match found {
            None => "found nothing".to_owned(),
            Some(node) => match node.string() {
                Some("") => "found an empty one".to_owned(),
                Some(id) => format!("found one of {} characters", id.chars().count()),
                None => format!("found {}", node.kind().name()),
            },
        };
        let detail = format!(
            "the id at {} is a non-empty string of at most {} characters; {what}",
            quoted(path.text()),
            limits::ID_CHARS
        );
        let at = if found.is_some() { pointer } else { Pointer::root() };
        let schema_pointer = Pointer::root().name(RESOURCE_KEYWORD).name("id");
        let mut finding = Finding::new(at, schema_pointer, ViolationCode::MissingId, detail);
        RESOURCE_KEYWORD.clone_into(&mut finding.keyword);
        findings.push(finding);
    }
}

/// Why the first phase said no.
#[derive(Debug)]
pub(crate) enum Refused {
    /// For these reasons, which may not be all.
    Found(Vec<Finding>),
    Invalid {
        /// It passes the schema; something else is wrong.
        valid: bool,
    },
    TooComplex,
}

fn show_value(finding: &mut Finding, root: Node<'_>) {
    if let Some(node) = explain::locate(root, &finding.pointer)
        .filter(|node| !matches!(node.kind(), Type::Object | Type::Array))
    {
        finding.detail = format!("{} (found {})", finding.detail, quoted(&node.to_text()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn codes(schema: &Value, payload: &Value) -> Vec<(String, &'static str)> {
        let schema = PreparedSchema::prepare(schema.to_string().as_bytes()).unwrap();
        match schema.check(payload.to_string().as_bytes(), CheckOptions::default()) {
            Ok(_) => Vec::new(),
            Err(rejection) => rejection
                .violations()
                .iter()
                .map(|violation| (violation.pointer.clone(), violation.code.as_str()))
                .collect(),
        }
    }

    /// A recursion through two alternatives: collecting every error would double with each level.
    #[test]
    fn alternatives_in_alternatives_are_explained_in_bounded_time() {
        let branch =
            |name: &str| json!({ "properties": { "a": { "$ref": "#/$defs/node" } }, "required": [name] });
        let schema = json!({
            "type": "object",
            "properties": { "id": { "type": "string" }, "tree": { "$ref": "#/$defs/node" } },
            "$defs": { "node": { "anyOf": [branch("x"), branch("y")] } },
            "resmo": { "id": "id" }
        });
        let mut tree = json!({});
        for _ in 0..100 {
            tree = json!({ "a": tree });
        }
        assert_eq!(
            codes(&schema, &json!({ "id": "1", "tree": tree })),
            [("#/tree".to_owned(), "no-alternative")]
        );
    }

    /// Every reference in a chain doubles the work; a validator does not remember these.
    #[test]
    fn chains_that_double_are_refused() {
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let mut defs = serde_json::Map::new();
            for level in 0..40 {
                let next = json!({ "$ref": format!("#/$defs/d{}", level + 1) });
                defs.insert(format!("d{level}"), json!({ keyword: [next, next] }));
            }
            defs.insert("d40".to_owned(), json!({ "type": "string" }));
            let schema = json!({
                "type": "object", "properties": { "id": { "$ref": "#/$defs/d0" } }, "$defs": defs, "resmo": { "id": "id" }
            });
            let problems = PreparedSchema::prepare(schema.to_string().as_bytes()).unwrap_err();
            assert_eq!(problems[0].code, crate::ProblemCode::TooComplex, "{keyword}");
        }
    }

    /// The same chain through members of different names is no more work for any one place, but a
    /// compiler that inlined references would never end.
    #[test]
    fn chains_through_members_are_let_in() {
        let mut defs = serde_json::Map::new();
        for level in 0..40 {
            let next = json!({ "$ref": format!("#/$defs/d{}", level + 1) });
            defs.insert(
                format!("d{level}"),
                json!({ "type": "object", "properties": { "l": next, "r": next } }),
            );
        }
        defs.insert("d40".to_owned(), json!({ "type": "string" }));
        let schema = json!({
            "type": "object",
            "properties": { "id": { "type": "string" }, "tree": { "$ref": "#/$defs/d0" } },
            "$defs": defs, "resmo": { "id": "id" }
        });
        assert_eq!(
            codes(&schema, &json!({ "id": "1", "tree": { "l": { "r": 1 } } })),
            [("#/tree/l/r".to_owned(), "wrong-type")]
        );
    }

    /// What a branch declares is unknown only where the branch does not apply.
    #[test]
    fn fields_of_branches() {
        let schema = json!({
            "type": "object",
            "properties": { "id": { "type": "string" }, "kind": { "enum": ["a", "b"] } },
            "required": ["owner"],
            "if": { "properties": { "kind": { "const": "a" } } },
            "then": { "$ref": "#/$defs/a" },
            "else": { "properties": { "b": true } },
            "$defs": { "a": { "properties": { "a": { "type": "string" }, "x": true }, "required": ["y"] } },
            "resmo": { "id": "id" }
        });
        let found = |payload| codes(&schema, &payload);
        let missing = ("#".to_owned(), "missing-field");
        // `b` belongs to the other case, whatever else is wrong.
        assert_eq!(
            found(json!({ "id": "1", "kind": "a", "x": 1, "y": 1, "b": 1 })),
            [missing.clone(), ("#/b".to_owned(), "unknown-field"), ("#/y".to_owned(), "unknown-field")]
        );
        // `x` belongs to this case, which fails for another reason.
        assert_eq!(
            found(json!({ "id": "1", "kind": "a", "x": 1, "a": 1, "owner": 1 })),
            [missing, ("#/a".to_owned(), "wrong-type"), ("#/owner".to_owned(), "unknown-field"),]
        );
    }

    /// An identifier of JSON Schema's own made the validator panic.
    #[test]
    fn identifiers_of_the_meta_schemas_are_refused() {
        for id in ["https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema#"]
        {
            let schema = json!({
                "type": "object",
                "properties": { "id": { "type": "string" }, "v": { "$id": id, "$ref": "#x", "$defs": { "x": { "$anchor": "x" } } } },
                "resmo": { "id": "id" }
            });
            let problems = PreparedSchema::prepare(schema.to_string().as_bytes()).unwrap_err();
            assert_eq!(problems[0].code, crate::ProblemCode::DuplicateIdentifier);
            assert_eq!(problems[0].pointer, "#/properties/v/$id");
        }
    }

    /// The validator still asserts `dependencies`, and so it is explained.
    #[test]
    fn dependencies_are_explained() {
        let schema = json!({
            "type": "object",
            "properties": { "id": { "type": "string" }, "v": {
                "dependencies": { "a": { "additionalProperties": false, "properties": { "a": true } }, "b": ["c"] }
            } },
            "resmo": { "id": "id" }
        });
        assert_eq!(
            codes(&schema, &json!({ "id": "1", "v": { "a": 1, "b": 1 } })),
            [("#/v".to_owned(), "missing-field"), ("#/v/b".to_owned(), "unknown-field")]
        );
    }

    #[test]
    fn a_long_list_of_faults_is_cut() {
        let schema = json!({
            "type": "object",
            "properties": { "id": { "type": "string" }, "list": { "items": { "type": "string" } } },
            "resmo": { "id": "id" }
        });
        let list: Vec<_> = (0..100_000).collect();
        let found = codes(&schema, &json!({ "id": "1", "list": list }));
        assert_eq!(found.len(), limits::VIOLATIONS);
        assert_eq!(found[99].0, "#/list/99");
    }

    #[test]
    fn unknown_names_do_not_blow_up_the_report() {
        let schema = json!({ "type": "object", "properties": { "id": { "type": "string" } }, "resmo": { "id": "id" } });
        let schema = PreparedSchema::prepare(schema.to_string().as_bytes()).unwrap();
        let payload = json!({ "id": "1", "n".repeat(900_000): { "x": 1 } }).to_string();
        let rejection = schema.check(payload.as_bytes(), CheckOptions::default()).unwrap_err();
        let report = serde_json::to_string(&ProblemDetails::from(rejection)).unwrap();
        assert!(report.len() < 2000, "{}", report.len());
    }

    use crate::report::ProblemDetails;
}
