//! Why a payload does not pass: the validator's errors → violations, in bounded time and space.
//!
//! This is the second phase of a check and runs only when the first, a plain yes or no, said no.
//! Messages are made from the kinds of errors and from the schema, never from the payload.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use crate::document::{Document, GateJson, Node};
use crate::limits;
use crate::pointer::Pointer;
use crate::schema::{self, Declared, PreparedSchema, RESERVED_MEMBER, cut, quoted};
use crate::violation::{Violation, ViolationCode as Code};

/// A violation before it is put into its final words.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) pointer: Pointer,
    pub(crate) schema_pointer: Pointer,
    pub(crate) keyword: String,
    pub(crate) code: Code,
    pub(crate) detail: String,
    /// The name of the field that is missing at `pointer`.
    pub(crate) missing: Option<String>,
}

impl Finding {
    pub(crate) fn new(
        pointer: Pointer,
        schema_pointer: Pointer,
        code: Code,
        detail: impl Into<String>,
    ) -> Self {
        let keyword = keyword_of(&schema_pointer);
        Self { pointer, schema_pointer, keyword, code, detail: detail.into(), missing: None }
    }

    pub(crate) fn into_violation(self, item: Option<usize>) -> Violation {
        Violation {
            item,
            pointer: self.pointer.short_fragment(),
            schema_pointer: self.schema_pointer.short_fragment(),
            keyword: self.keyword,
            code: self.code,
            detail: self.detail,
        }
    }
}

/// What the schema finds wrong with a document, from its beginning on: as many findings as are
/// reported, and one more where there are more.
///
/// Never empty: it is asked only about documents that did not pass.
pub(crate) fn explain(schema: &PreparedSchema, document: &Document<'_>) -> Vec<Finding> {
    let mut findings = explain_at_once(schema, document).unwrap_or_else(|| {
        // Alternatives inside alternatives: say which ones fail, not how each of them does.
        opaque_validator(schema)
            .and_then(|validator| collect(&validator, schema, document, true))
            .unwrap_or_default()
    });
    if findings.is_empty() {
        findings.push(Finding::new(
            Pointer::root(),
            Pointer::root(),
            Code::Invalid,
            "the payload does not pass, and saying where would cost more than is spent on one payload",
        ));
    }
    findings
}

/// Likewise for a document that probably does not pass: nothing if it does, `None` if saying why
/// takes more than is spent on it.
pub(crate) fn explain_at_once(schema: &PreparedSchema, document: &Document<'_>) -> Option<Vec<Finding>> {
    collect(schema.validator(), schema, document, false)
}

/// Puts findings into the document's order.
pub(crate) fn sort(root: Node<'_>, findings: &mut [Finding]) {
    findings.sort_by_cached_key(|finding| {
        (ordinal(root, &finding.pointer), finding.schema_pointer.clone(), finding.detail.clone())
    });
}

/// Runs the validator for its errors; `None` if that used up the budget.
///
/// `opaque` says that the validator's alternatives are closed to inspection.
fn collect(
    validator: &Validator<GateJson>,
    schema: &PreparedSchema,
    document: &Document<'_>,
    opaque: bool,
) -> Option<Vec<Finding>> {
    document.refuel(limits::EXPLANATION_FUEL, true);
    let root = document.root();
    let mut errors: Vec<_> = validator.iter_errors(root).collect();
    if document.exhausted() {
        return None;
    }
    // Payloads can have a fault in every value: the few that are reported are picked before
    // anything is made of them.
    let mut unknown = Vec::new();
    errors.retain(|error| match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let object = Pointer::from_text(error.instance_path().as_str());
            let schema_pointer = Pointer::from_text(error.schema_path().as_str());
            unknown.push((object, schema_pointer, unexpected.clone()));
            false
        }
        ValidationErrorKind::FalseSchema => match members_of_closed(schema, error, root) {
            Some(members) => {
                unknown.push(members);
                false
            }
            None => true,
        },
        _ => true,
    });
    let mut faults = Faults::new();
    for error in &errors {
        let at = error.instance_path().as_str();
        faults.entry(at.to_owned()).or_default().push(error.schema_path().as_str().to_owned());
    }
    errors.sort_by_cached_key(|error| {
        (order(error.instance_path().as_str()), error.schema_path().as_str().to_owned())
    });
    let most = limits::VIOLATIONS + 1;
    let mut findings: Vec<Finding> = Vec::new();
    for error in &errors {
        if findings.len() >= most {
            break;
        }
        let finding = finding(error, root, opaque);
        let again = |other: &Finding| {
            other.pointer == finding.pointer
                && other.schema_pointer == finding.schema_pointer
                && other.detail == finding.detail
        };
        if !findings.iter().rev().take_while(|other| other.pointer == finding.pointer).any(again) {
            findings.push(finding);
        }
    }
    // What a closed alternative evaluates is not known.
    if !opaque {
        unknown.sort_by_cached_key(|(object, ..)| order(object.as_str()));
        let mut fields = Vec::new();
        for (object, schema_pointer, names) in unknown {
            if fields.len() >= most {
                break;
            }
            unknown_fields(schema, &object, &schema_pointer, names, &faults, &mut fields);
        }
        findings.extend(fields);
    }
    findings.sort_by_cached_key(|finding| order(finding.pointer.as_str()));
    findings.truncate(most);
    Some(findings)
}

/// The members of an object that allows none: where `additionalProperties: false` stands alone,
/// `jsonschema` reports the object, and no member of it.
fn members_of_closed(
    schema: &PreparedSchema,
    error: &ValidationError<'_>,
    root: Node<'_>,
) -> Option<(Pointer, Pointer, Vec<String>)> {
    let schema_pointer = Pointer::from_text(error.schema_path().as_str());
    let (owner, keyword) = schema_pointer.split()?;
    // Not a property of that name.
    schema.graph().at(&owner).filter(|_| keyword == "additionalProperties")?;
    let object = Pointer::from_text(error.instance_path().as_str());
    let members = locate(root, &object)?.members().take(limits::BULK_FAULTS);
    let names = members.map(|(name, _)| name.to_owned()).collect();
    Some((object, schema_pointer, names))
}

/// A key that sorts pointers token by token, indexes as numbers.
fn order(pointer: &str) -> Vec<(Option<u64>, String)> {
    pointer.split('/').map(|token| (token.parse().ok(), token.to_owned())).collect()
}

fn finding(error: &ValidationError<'_>, root: Node<'_>, opaque: bool) -> Finding {
    let pointer = Pointer::from_text(error.instance_path().as_str());
    let schema_pointer = Pointer::from_text(error.schema_path().as_str());
    if let (true, ValidationErrorKind::Not { schema }) = (opaque, error.kind())
        && let Some(keyword) = ["anyOf", "oneOf"]
            .into_iter()
            .find(|keyword| schema.pointer(&format!("/not/{keyword}")).is_some())
    {
        // The way back to where the alternatives stood: over `allOf/N/not`.
        let owner = (0..3).try_fold(schema_pointer, |pointer, _| pointer.split().map(|(parent, _)| parent));
        let at = owner.unwrap_or_default().name(keyword);
        return Finding::new(
            pointer,
            at,
            Code::NoAlternative,
            format!("does not match the alternatives of `{keyword}`"),
        );
    }
    let found = locate(root, &pointer).map_or("nothing", |node| node.kind().name());
    let pointer = match error.kind() {
        ValidationErrorKind::PropertyNames { error } => match error.instance().as_str() {
            Some(name) => pointer.name(name),
            None => pointer,
        },
        _ => pointer,
    };
    let detail = detail(error.kind(), found, &pointer);
    let mut finding = Finding::new(pointer, schema_pointer, code(error.kind()), detail);
    if let ValidationErrorKind::Required { property } = error.kind() {
        finding.missing = property.as_str().map(str::to_owned);
    }
    finding
}

/// Where the validator found faults: by the place in the payload, the places in the schema.
type Faults = BTreeMap<String, Vec<String>>;

/// The faults at a place and inside it.
fn faults_within<'f>(faults: &'f Faults, place: &Pointer) -> impl Iterator<Item = &'f str> {
    // Most often there is none at all.
    let inside = if faults.is_empty() { String::new() } else { format!("{}/", place.as_str()) };
    let below = faults.range(inside.clone()..).take_while(move |(other, _)| other.starts_with(&inside));
    let at = faults.get(place.as_str()).into_iter().flatten();
    at.chain(below.flat_map(|(_, schemas)| schemas)).map(String::as_str)
}

/// Turns the names that no schema evaluated into violations.
///
/// A field with a wrong value counts as not evaluated; it is reported for its value and not again
/// as unknown. The same goes for a field that is declared where something else does not hold: of an
/// alternative that fails, nothing counts.
fn unknown_fields(
    schema: &PreparedSchema,
    object: &Pointer,
    schema_pointer: &Pointer,
    names: Vec<String>,
    faults: &Faults,
    findings: &mut Vec<Finding>,
) {
    /// Beyond so many, one more says nothing new.
    const FAULTS: usize = 1000;
    let closing = schema_pointer.split().map(|(parent, _)| parent).unwrap_or_default();
    let graph = schema.graph();
    let declared = graph.at(&closing).map(|id| Declared::beside(graph, id));
    let failed: Vec<Pointer> = faults_within(faults, object).take(FAULTS).map(Pointer::from_text).collect();
    for name in names {
        if findings.len() > limits::VIOLATIONS {
            return;
        }
        let pointer = object.name(&name);
        if faults_within(faults, &pointer).next().is_some() {
            continue;
        }
        let places: Vec<_> = declared.iter().flat_map(|declared| declared.through(&name)).collect();
        let detail = if places.is_empty() {
            match declared.as_ref().and_then(|declared| nearest(&name, declared.names())) {
                Some(known) => format!("unknown field; did you mean {}?", quoted(known)),
                None => "unknown field".to_owned(),
            }
        } else {
            let mut others = places.into_iter().filter(|place| **place != closing);
            if others.any(|place| failed.iter().any(|fault| fault.is_within(place) || place.is_within(fault)))
            {
                continue;
            }
            "this field is declared only for other cases of the schema, and not allowed in this one"
                .to_owned()
        };
        findings.push(Finding::new(pointer, schema_pointer.clone(), Code::UnknownField, detail));
    }
}

/// The known name that an unknown one is probably meant to be.
fn nearest<'n>(name: &str, known: &BTreeSet<&'n str>) -> Option<&'n str> {
    const LONGEST: usize = 64;
    const MOST: usize = 1000;
    if name.len() > LONGEST {
        return None;
    }
    let folded = name.to_lowercase();
    // A typing slip or two, fewer in short names.
    let most = (name.chars().count() / 3).min(2);
    known
        .iter()
        .filter(|other| other.len() <= LONGEST)
        .take(MOST)
        .filter(|other| may_be_near(&folded, other, most))
        .map(|other| (strsim::osa_distance(&folded, &other.to_lowercase()), *other))
        .filter(|&(distance, _)| distance <= most)
        .min()
        .map(|(_, other)| other)
}

/// Whether a lower-case name may be so near to another one that measuring is worth it: each
/// character more or less, and each letter that only one of them has, is a slip by itself.
fn may_be_near(folded: &str, other: &str, most: usize) -> bool {
    if !folded.is_ascii() || !other.is_ascii() {
        return true;
    }
    let letters = |name: &str| {
        name.bytes().fold(0_u64, |letters, byte| letters | 1 << (byte.to_ascii_lowercase() & 0x3f))
    };
    let (ours, theirs) = (letters(folded), letters(other));
    folded.len().abs_diff(other.len()) <= most
        && (ours & !theirs).count_ones() as usize <= most
        && (theirs & !ours).count_ones() as usize <= most
}

/// The value that a pointer leads to.
pub(crate) fn locate<'a>(root: Node<'a>, pointer: &Pointer) -> Option<Node<'a>> {
    pointer
        .tokens()
        .try_fold(root, |node, token| node.member(&token).or_else(|| node.element(token.parse().ok()?)))
}

/// The place of a pointer in the document's order; of what is not there, that of its container.
fn ordinal(root: Node<'_>, pointer: &Pointer) -> u32 {
    let mut node = root;
    for token in pointer.tokens() {
        match node.member(&token).or_else(|| node.element(token.parse().ok()?)) {
            Some(inner) => node = inner,
            None => break,
        }
    }
    node.ordinal()
}

/// The validator of the same schema with its alternatives closed to inspection: `anyOf` and
/// `oneOf` give one error each, whatever is in them.
fn opaque_validator(schema: &PreparedSchema) -> Option<Validator<GateJson>> {
    fn close(value: &mut Value) {
        match value {
            Value::Array(elements) => elements.iter_mut().for_each(close),
            Value::Object(members) => {
                members.values_mut().for_each(close);
                for keyword in ["anyOf", "oneOf"] {
                    // As a property's name it holds an object or a boolean, never an array.
                    if members.get(keyword).is_some_and(Value::is_array)
                        && let Some(alternatives) = members.remove(keyword)
                    {
                        let mut inner = serde_json::Map::new();
                        inner.insert(keyword.to_owned(), alternatives);
                        let closed = serde_json::json!({ "not": { "not": inner } });
                        match members.entry("allOf").or_insert_with(|| Value::Array(Vec::new())) {
                            Value::Array(all) => all.push(closed),
                            _ => continue,
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let mut value = Document::parse(schema.effective_schema().as_bytes()).ok()?.root().to_serde();
    close(&mut value);
    schema::validator(&value)
}

/// The keyword that a pointer into a schema leads to: its last token that is one.
fn keyword_of(pointer: &Pointer) -> String {
    const WITH_NAMES: [&str; 5] =
        ["properties", "patternProperties", "dependentRequired", "dependentSchemas", "required"];
    let mut tokens = pointer.tokens().rev();
    let last = tokens.next().unwrap_or_default();
    let named = tokens.next().filter(|token| WITH_NAMES.contains(&&**token));
    named.unwrap_or(last).into_owned()
}

fn code(kind: &ValidationErrorKind) -> Code {
    use ValidationErrorKind as Kind;
    match kind {
        Kind::Type { .. } => Code::WrongType,
        Kind::Required { .. } => Code::MissingField,
        Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. } => Code::UnknownField,
        Kind::AdditionalItems { .. } | Kind::UnevaluatedItems { .. } => Code::UnknownItem,
        Kind::Enum { .. } | Kind::Constant { .. } => Code::NotAllowed,
        Kind::Format { .. } => Code::WrongFormat,
        Kind::Pattern { .. } | Kind::BacktrackLimitExceeded { .. } | Kind::RegexEngineFailure { .. } => {
            Code::PatternMismatch
        }
        Kind::PropertyNames { .. } => Code::WrongName,
        Kind::Minimum { .. } | Kind::ExclusiveMinimum { .. } => Code::TooSmall,
        Kind::Maximum { .. } | Kind::ExclusiveMaximum { .. } => Code::TooLarge,
        Kind::MultipleOf { .. } => Code::NotAMultiple,
        Kind::MinLength { .. } | Kind::MinItems { .. } | Kind::MinProperties { .. } => Code::TooShort,
        Kind::MaxLength { .. } | Kind::MaxItems { .. } | Kind::MaxProperties { .. } => Code::TooLong,
        Kind::UniqueItems => Code::NotUnique,
        Kind::Contains => Code::Contains,
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => Code::NoAlternative,
        Kind::OneOfMultipleValid { .. } => Code::SeveralAlternatives,
        Kind::Not { .. } | Kind::FalseSchema => Code::Forbidden,
        Kind::ContentEncoding { .. } | Kind::ContentMediaType { .. } | Kind::FromUtf8 { .. } => {
            Code::WrongContent
        }
        Kind::Custom { .. } | Kind::Referencing(_) => Code::Invalid,
    }
}

/// What was expected, in words; `found` is the type of what is there, at `at`.
pub(crate) fn detail(kind: &ValidationErrorKind, found: &str, at: &Pointer) -> String {
    use ValidationErrorKind as Kind;
    match kind {
        Kind::Type { kind } => format!("expected {}, found {found}", types(kind)),
        Kind::Required { property } => {
            format!("missing field {}", quoted(property.as_str().unwrap_or_default()))
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            match unexpected.as_slice() {
                [one] => format!("unknown field {}", quoted(one)),
                several => format!("{} unknown fields", several.len()),
            }
        }
        Kind::AdditionalItems { limit } => format!("expected at most {limit} elements"),
        Kind::UnevaluatedItems { unexpected } => {
            format!("{} elements that no schema allows", unexpected.len())
        }
        Kind::Enum { options } => match options.as_array() {
            Some(options) => format!("expected one of {}", listed(options)),
            None => "expected one of the values of `enum`".to_owned(),
        },
        Kind::Constant { expected_value } => format!("expected {}", quoted(&expected_value.to_string())),
        Kind::Format { format } => format!("expected the format {}", quoted(format)),
        Kind::Pattern { pattern } => format!("does not match the pattern {}", quoted(pattern)),
        Kind::BacktrackLimitExceeded { .. } | Kind::RegexEngineFailure { .. } => {
            "the pattern could not be run on it".to_owned()
        }
        Kind::PropertyNames { error } => {
            format!("a member's name does not pass: {}", detail(error.kind(), "another", at))
        }
        Kind::Minimum { limit } => format!("expected at least {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("expected more than {limit}"),
        Kind::Maximum { limit } => format!("expected at most {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("expected less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("expected a multiple of {multiple_of}"),
        Kind::MinLength { limit } => format!("expected at least {}", counted(*limit, "character")),
        Kind::MaxLength { limit } => format!("expected at most {}", counted(*limit, "character")),
        Kind::MinItems { limit } => format!("expected at least {}", counted(*limit, "element")),
        Kind::MaxItems { limit } => format!("expected at most {}", counted(*limit, "element")),
        Kind::MinProperties { limit } => format!("expected at least {}", counted(*limit, "member")),
        Kind::MaxProperties { limit } => format!("expected at most {}", counted(*limit, "member")),
        Kind::UniqueItems => "expected no two equal elements".to_owned(),
        Kind::Contains => "the number of elements that match `contains` is not as the schema asks".to_owned(),
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            format!("matches none of the {} alternatives{}", context.len(), alternatives(context, at))
        }
        Kind::OneOfMultipleValid { .. } => "matches more than one of the alternatives of `oneOf`".to_owned(),
        Kind::Not { .. } => "matches what `not` forbids, or none of its alternatives".to_owned(),
        Kind::FalseSchema => "no value is allowed here".to_owned(),
        Kind::ContentEncoding { content_encoding } => {
            format!("expected the content encoding {}", quoted(content_encoding))
        }
        Kind::ContentMediaType { content_media_type } => {
            format!("expected the media type {}", quoted(content_media_type))
        }
        Kind::FromUtf8 { .. } => "the decoded content is not UTF-8".to_owned(),
        Kind::Custom { .. } => "does not pass".to_owned(),
        Kind::Referencing(_) => "a reference cannot be followed".to_owned(),
    }
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(kind) => kind.as_str().to_owned(),
        TypeKind::Multiple(kinds) => {
            let names: Vec<_> = kinds.iter().map(jsonschema::JsonType::as_str).collect();
            names.join(" or ")
        }
    }
}

fn listed(options: &[Value]) -> String {
    let mut text = String::new();
    for (at, option) in options.iter().enumerate() {
        let option = option.to_string();
        if text.len() + option.len() > limits::QUOTED_BYTES * 2 {
            text.push_str(&format!(", … ({} values)", options.len()));
            break;
        }
        if at > 0 {
            text.push_str(", ");
        }
        text.push_str(&cut(&option));
    }
    text
}

/// The first thing wrong with each of a few alternatives.
fn alternatives(context: &[Vec<ValidationError<'static>>], at: &Pointer) -> String {
    const MOST: usize = 4;
    if context.is_empty() || context.len() > MOST {
        return String::new();
    }
    let reasons: Vec<_> = context
        .iter()
        .filter_map(|errors| {
            let error = errors.first()?;
            let reason = match error.kind() {
                ValidationErrorKind::Type { kind } => format!("expected {}", types(kind)),
                // One level says enough.
                ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
                    "no alternative".to_owned()
                }
                kind => detail(kind, "another", at),
            };
            // A fault further inside says where.
            let place = Pointer::from_text(error.instance_path().as_str());
            Some(if place == *at { reason } else { format!("{reason} at {}", quoted(&place.fragment())) })
        })
        .collect();
    if reasons.is_empty() { String::new() } else { format!(": {}", cut_list(&reasons)) }
}

fn cut_list(reasons: &[String]) -> String {
    let reasons: Vec<_> = reasons.iter().map(|reason| cut(reason)).collect();
    reasons.join("; ")
}

/// A payload that carries the reserved member is told so, and not that the member is unknown.
pub(crate) fn reserved(findings: &mut Vec<Finding>) {
    let pointer = Pointer::root().name(RESERVED_MEMBER);
    findings.retain(|finding| finding.pointer != pointer);
    findings.push(Finding::new(
        pointer,
        Pointer::root().name("unevaluatedProperties"),
        Code::ReservedField,
        "the root member `_meta` belongs to Tidegate and is never sent",
    ));
}
