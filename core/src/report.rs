//! What the gate says, as the JSON that every host prints.

use std::borrow::Cow;

use serde::Serialize;

use crate::check::{CheckOptions, Checked, CheckedItem, Rejection};
use crate::diff::differing_fields;
use crate::digest::Digest;
use crate::document::{Document, JsonText, ParseError, Position, write_string};
use crate::plan::{ChangeType, Manifest, Plan, PlannedChange};
use crate::problem::Code;
use crate::schema::{PreparedSchema, Problem};
use crate::stream::{StreamCheck, StreamRead};
use crate::violation::Violation;

/// What preparing a schema found out: the answer of `POST /api/v1/schemas/check`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaReport {
    /// Whether the schema can be used.
    pub valid: bool,
    /// Everything that is wrong with it.
    pub problems: Vec<Problem>,
    /// What its author should know.
    pub warnings: Vec<Problem>,
    /// The schema that payloads are checked against.
    pub effective_schema: Option<JsonText<'static>>,
    /// The version digest.
    pub digest: Option<Digest>,
    /// The declared leaf fields.
    pub columns: Vec<String>,
    /// The nested objects in which unknown fields pass.
    pub open_objects: Vec<String>,
}

impl SchemaReport {
    /// The report on what [`PreparedSchema::prepare`] gave.
    pub fn of(prepared: &Result<PreparedSchema, Vec<Problem>>) -> Self {
        match prepared {
            Ok(schema) => Self {
                valid: true,
                problems: Vec::new(),
                warnings: schema.warnings().to_vec(),
                effective_schema: Some(JsonText::from(schema.effective_schema().to_owned())),
                digest: Some(schema.digest()),
                columns: schema.columns().to_vec(),
                open_objects: schema.open_objects().to_vec(),
            },
            Err(problems) => Self {
                valid: false,
                problems: problems.clone(),
                warnings: Vec::new(),
                effective_schema: None,
                digest: None,
                columns: Vec::new(),
                open_objects: Vec::new(),
            },
        }
    }
}

/// Why a payload does not pass: what reports on payloads have in common.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RejectionReport {
    /// The code of the problem with which the server would answer.
    pub code: Code,
    /// A sentence that says why.
    pub detail: String,
    /// Every violation; none where the text cannot be read.
    pub violations: Vec<Violation>,
    /// There are more violations than are listed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// Where the text cannot be read.
    #[serde(flatten)]
    pub position: Option<TextPosition>,
    /// A JSON Pointer to there, as a URI fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The limit that was exceeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The index of the resource in a bulk that is over the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<usize>,
}

impl From<Rejection> for RejectionReport {
    fn from(rejection: Rejection) -> Self {
        let problem = ProblemDetails::from(rejection);
        Self {
            code: problem.code,
            detail: problem.detail,
            violations: problem.errors.into_iter().filter_map(Fault::into_violation).collect(),
            truncated: problem.truncated,
            position: problem.position,
            pointer: problem.pointer,
            limit: problem.limit,
            item: problem.item,
        }
    }
}

/// What checking one payload found out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PayloadReport {
    /// Whether it passes.
    pub valid: bool,
    /// Why it does not pass.
    #[serde(flatten)]
    pub rejection: Option<RejectionReport>,
    /// No violations, of one that passes; those of one that does not are in `rejection`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub violations: Option<[Violation; 0]>,
    /// The resource's id.
    pub id: Option<String>,
    /// Its display name.
    pub name: Option<String>,
    /// The values of the important fields.
    pub important_fields: Vec<JsonText<'static>>,
    /// Its digest.
    pub digest: Option<Digest>,
}

impl PayloadReport {
    /// The report on what [`PreparedSchema::check`] gave.
    pub fn of(outcome: &Result<Checked<'_>, Rejection>) -> Self {
        match outcome.clone() {
            Ok(Checked { id, name, important_fields, digest }) => Self {
                valid: true,
                rejection: None,
                violations: Some([]),
                id: Some(id.into_owned()),
                name: name.map(Cow::into_owned),
                important_fields: important_fields.into_iter().map(JsonText::into_owned).collect(),
                digest: Some(digest),
            },
            Err(rejection) => Self {
                valid: false,
                rejection: Some(rejection.into()),
                violations: None,
                id: None,
                name: None,
                important_fields: Vec::new(),
                digest: None,
            },
        }
    }

    /// The report as JSON, in which important fields stand as they do in the payload, numbers spelled as
    /// there: the same JSON value as this report serialised, in a fraction of the time, for who checks one small payload after the
    /// other.
    pub fn text_of(outcome: &Result<Checked<'_>, Rejection>) -> String {
        let Ok(Checked { id, name, important_fields, digest }) = outcome else {
            return serde_json::to_string(&Self::of(outcome)).unwrap_or_default();
        };
        let fields: usize = important_fields.iter().map(|field| field.as_str().len() + 1).sum();
        let mut text = String::with_capacity(200 + id.len() + fields);
        text.push_str(r#"{"valid":true,"violations":[],"#);
        push_names(&mut text, id, name.as_deref());
        text.push_str(r#","importantFields":["#);
        for (at, field) in important_fields.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            text.push_str(field.as_str());
        }
        text.push(']');
        push_digest(&mut text, digest);
        text.push('}');
        text
    }
}

fn push_names(text: &mut String, id: &str, name: Option<&str>) {
    text.push_str(r#""id":"#);
    write_string(id, text);
    text.push_str(r#","name":"#);
    match name {
        Some(name) => write_string(name, text),
        None => text.push_str("null"),
    }
}

fn push_digest(text: &mut String, digest: &Digest) {
    text.push_str(r#","digest":""#);
    digest.write_hex(text);
    text.push('"');
}

/// What checking a bulk found out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BulkReport {
    /// Whether it passes.
    pub valid: bool,
    /// Its resources, if it passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<ItemReport>>,
    /// Why it does not pass.
    #[serde(flatten)]
    pub rejection: Option<RejectionReport>,
}

/// One resource of a bulk that passes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemReport {
    /// Its id.
    pub id: String,
    /// Its display name.
    pub name: Option<String>,
    /// Its digest.
    pub digest: Digest,
}

impl From<CheckedItem<'_>> for ItemReport {
    fn from(CheckedItem { id, name, digest, .. }: CheckedItem<'_>) -> Self {
        Self { id: id.into_owned(), name: name.map(Cow::into_owned), digest }
    }
}

impl BulkReport {
    /// The report on what [`PreparedSchema::check_bulk`] or [`PreparedSchema::check_items`] gave.
    pub fn of(outcome: Result<Vec<CheckedItem<'_>>, Rejection>) -> Self {
        match outcome {
            Ok(items) => {
                let items = Some(items.into_iter().map(ItemReport::from).collect());
                Self { valid: true, items, rejection: None }
            }
            Err(rejection) => Self { valid: false, items: None, rejection: Some(rejection.into()) },
        }
    }

    /// The report as JSON: what it serialises to, in a fraction of the time.
    pub fn text_of(outcome: Result<Vec<CheckedItem<'_>>, Rejection>) -> String {
        let Ok(items) = &outcome else {
            return serde_json::to_string(&Self::of(outcome)).unwrap_or_default();
        };
        let mut text = String::with_capacity(32 + items.len() * 128);
        text.push_str(r#"{"valid":true,"items":["#);
        for (at, CheckedItem { id, name, digest, .. }) in items.iter().enumerate() {
            text.push_str(if at > 0 { ",{" } else { "{" });
            push_names(&mut text, id, name.as_deref());
            push_digest(&mut text, digest);
            text.push('}');
        }
        text.push_str("]}");
        text
    }
}

/// What a bulk would do to a scope whose manifest is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedReport {
    /// Whether the bulk passes.
    pub valid: bool,
    /// What it would do, if it passes.
    #[serde(flatten)]
    pub plan: Option<PlanSummary>,
    /// Why it does not pass.
    #[serde(flatten)]
    pub rejection: Option<RejectionReport>,
}

impl PlannedReport {
    /// The report on what [`PreparedSchema::plan`] gave.
    pub fn of(outcome: Result<Plan, Rejection>) -> Self {
        match outcome {
            Ok(plan) => Self { valid: true, plan: Some(plan.into()), rejection: None },
            Err(rejection) => Self { valid: false, plan: None, rejection: Some(rejection.into()) },
        }
    }
}

/// A plan by ids and digests: nothing is known of fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PlanSummary {
    /// How many resources are new.
    pub added: u64,
    /// How many are different.
    pub modified: u64,
    /// How many are gone.
    pub removed: u64,
    /// How many are the same.
    pub unchanged: u64,
    /// Each change, in the plan's order.
    pub changes: Vec<PlannedChange>,
}

impl From<Plan> for PlanSummary {
    fn from(plan: Plan) -> Self {
        Self {
            added: plan.count(ChangeType::Added),
            modified: plan.count(ChangeType::Modified),
            removed: plan.count(ChangeType::Removed),
            unchanged: plan.unchanged,
            changes: plan.changes,
        }
    }
}

/// What a bulk would do to another one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CompareReport {
    /// Whether both pass.
    pub valid: bool,
    /// What the one would do to the other, if both pass.
    #[serde(flatten)]
    pub plan: Option<PlanReport>,
    /// Why one of them does not pass.
    #[serde(flatten)]
    pub rejection: Option<RejectionReport>,
    /// Which of the two that is. If neither passes, the one before comes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
}

/// One of two snapshots that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The one that is stored.
    Before,
    /// The one that would be sent.
    After,
}

impl CompareReport {
    /// The report on what [`PreparedSchema::compare`] gave.
    pub fn of(outcome: Result<PlanReport, Box<NotPlanned>>) -> Self {
        let (rejection, side) = match outcome {
            Ok(plan) => return Self { valid: true, plan: Some(plan), rejection: None, side: None },
            Err(refused) => match *refused {
                NotPlanned { old: Some(old), .. } => (Some(old), Side::Before),
                NotPlanned { new, .. } => (new, Side::After),
            },
        };
        Self { valid: false, plan: None, rejection: rejection.map(RejectionReport::from), side: Some(side) }
    }
}

/// What checking a stream found out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamReport {
    /// Whether every resource passes.
    pub valid: bool,
    /// How many bytes were read.
    pub bytes: u64,
    /// How many resources were read.
    pub item_count: usize,
    /// How many of them do not pass.
    pub invalid_items: usize,
    /// Whether a server takes it as one bulk, by its length.
    pub fits_one_bulk: bool,
    /// What it would do as a bulk, if it passes and what is stored is known.
    #[serde(flatten)]
    pub plan: Option<PlanSummary>,
    /// Why it does not pass.
    #[serde(flatten)]
    pub rejection: Option<RejectionReport>,
}

impl StreamReport {
    /// Ends a check, and reports on it; with a manifest also on what a bulk would do where that is stored.
    pub fn of(check: StreamCheck, schema: &PreparedSchema, stored: Option<&Manifest>) -> Self {
        let (read, outcome) = check.finish_read(schema);
        let StreamRead { bytes, items, invalid_items, fits_one_bulk } = read;
        let (plan, rejection) = match outcome {
            Ok(items) => {
                let items = || items.iter().map(|item| (&*item.id, item.digest));
                (stored.map(|stored| Plan::bulk(stored, items()).into()), None)
            }
            Err(rejection) => (None, Some(rejection.into())),
        };
        let valid = rejection.is_none();
        Self { valid, bytes, item_count: items, invalid_items, fits_one_bulk, plan, rejection }
    }
}

/// A problem document (RFC 9457).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProblemDetails {
    /// `urn:tidegate:problem:{code}`
    #[serde(rename = "type")]
    pub kind: String,
    /// The stable code.
    pub code: Code,
    /// The code in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong this time.
    pub detail: String,
    /// Each fault, where the problem is made of faults.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
    /// There are more faults than are listed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// Where the fault begins in the body.
    #[serde(flatten)]
    pub position: Option<TextPosition>,
    /// A JSON Pointer to the fault, as a URI fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The limit that was exceeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The index of the resource in a bulk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<usize>,
    /// The parameter, or the member of the body, that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// How many resources the bulk would have removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<u64>,
}

/// Where something stands in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TextPosition {
    /// From 1.
    pub line: usize,
    /// From 1, in Unicode characters.
    pub column: usize,
    /// From 0, in bytes.
    pub offset: usize,
}

impl From<Position> for TextPosition {
    fn from(Position { line, column, offset }: Position) -> Self {
        Self { line, column, offset }
    }
}

/// One of the faults that make up a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Fault {
    /// Of a payload.
    Violation(Violation),
    /// Of a schema.
    Problem(Problem),
}

impl Fault {
    fn into_violation(self) -> Option<Violation> {
        match self {
            Self::Violation(violation) => Some(violation),
            Self::Problem(_) => None,
        }
    }
}

impl ProblemDetails {
    /// A problem of that code; what else there is to say is filled in by the caller.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:tidegate:problem:{code}"),
            code,
            title: code.title(),
            status: code.status(),
            detail: detail.into(),
            errors: Vec::new(),
            truncated: false,
            position: None,
            pointer: None,
            limit: None,
            item: None,
            parameter: None,
            removed: None,
        }
    }

    /// The problem of a schema that cannot be used.
    pub fn schema_invalid(problems: &[Problem]) -> Self {
        let mut details = Self::new(
            Code::SchemaInvalid,
            match problems {
                [one] => format!("the schema has a problem: {}", one.detail),
                several => format!("the schema has {} problems", several.len()),
            },
        );
        details.errors = problems.iter().cloned().map(Fault::Problem).collect();
        details
    }

    /// The problem of a text that is no JSON, or an ambiguous one.
    pub fn unreadable(error: &ParseError) -> Self {
        match Rejection::from(error.clone()) {
            Rejection::Unreadable(_) => {
                let mut details = Self::new(Rejection::Unreadable(error.clone()).code(), error.to_string());
                details.position = Some(error.position.into());
                details.pointer = Some(error.pointer.short_fragment());
                details
            }
            other => Self::from(other),
        }
    }
}

impl From<Rejection> for ProblemDetails {
    fn from(rejection: Rejection) -> Self {
        let code = rejection.code();
        match rejection {
            Rejection::Unreadable(error) => Self::unreadable(&error),
            Rejection::TooLarge { limit, item, detail } => {
                Self { limit: Some(limit as u64), item, ..Self::new(code, detail) }
            }
            Rejection::Invalid(violations) => {
                let more = if violations.truncated { "more than " } else { "" };
                let detail = match violations.list.as_slice() {
                    [one] if !violations.truncated => one.detail.clone(),
                    several if violations.invalid_items > 1 => format!(
                        "{} items are invalid, with {more}{} faults",
                        violations.invalid_items,
                        several.len()
                    ),
                    several => format!("the payload has {more}{} faults", several.len()),
                };
                Self {
                    truncated: violations.truncated,
                    errors: violations.list.into_iter().map(Fault::Violation).collect(),
                    ..Self::new(code, detail)
                }
            }
        }
    }
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&ProblemDetails::from(self.clone()).detail)
    }
}

impl std::error::Error for Rejection {}

/// What a bulk does, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PlanReport {
    /// How many resources are new.
    pub added: u64,
    /// How many are different.
    pub modified: u64,
    /// How many are gone.
    pub removed: u64,
    /// How many are the same.
    pub unchanged: u64,
    /// Each change, in the plan's order.
    pub changes: Vec<ChangeReport>,
}

/// One change of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeReport {
    /// What happens.
    #[serde(rename = "type")]
    pub change: ChangeType,
    /// To which resource.
    pub id: String,
    /// The leaf paths that differ; only a modification has any.
    pub fields: Vec<String>,
}

/// Why two snapshots cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotPlanned {
    /// Why the stored one does not pass.
    pub old: Option<Rejection>,
    /// Why the new one does not pass.
    pub new: Option<Rejection>,
}

impl PreparedSchema {
    /// What sending the bulk `new` would do where `old` is stored.
    ///
    /// # Errors
    ///
    /// Why one of the two, or each, does not pass.
    pub fn preview(
        &self,
        old: &[u8],
        new: &[u8],
        options: CheckOptions,
    ) -> Result<PlanReport, Box<NotPlanned>> {
        planned((old, self.check_bulk(old, options)), (new, self.check_bulk(new, options)))
    }

    /// Likewise, where each of the two is an array or NDJSON, as [`check_items`](Self::check_items) reads
    /// it.
    ///
    /// # Errors
    ///
    /// As [`preview`](Self::preview).
    pub fn compare(
        &self,
        before: &[u8],
        after: &[u8],
        options: CheckOptions,
    ) -> Result<PlanReport, Box<NotPlanned>> {
        planned((before, self.check_items(before, options)), (after, self.check_items(after, options)))
    }
}

type CheckedText<'p> = (&'p [u8], Result<Vec<CheckedItem<'p>>, Rejection>);

/// What the one snapshot does to the other, with the fields that differ.
fn planned(
    (old, stored): CheckedText<'_>,
    (new, items): CheckedText<'_>,
) -> Result<PlanReport, Box<NotPlanned>> {
    let (stored, items) = match (stored, items) {
        (Ok(stored), Ok(items)) => (stored, items),
        (stored, items) => return Err(Box::new(NotPlanned { old: stored.err(), new: items.err() })),
    };
    let manifest: Manifest = stored.iter().map(|item| (item.id.clone().into_owned(), item.digest)).collect();
    let plan = Plan::bulk(&manifest, items.iter().map(|item| (&*item.id, item.digest)));
    let texts: std::collections::BTreeMap<&str, &[u8]> =
        stored.iter().filter_map(|item| Some((&*item.id, old.get(item.range.clone())?))).collect();
    let fields = |id: &str, item: Option<usize>| {
        let before = Document::parse(texts.get(id)?).ok()?;
        let after = Document::parse(new.get(items.get(item?)?.range.clone())?).ok()?;
        Some(differing_fields(before.root(), after.root()))
    };
    Ok(PlanReport {
        added: plan.count(ChangeType::Added),
        modified: plan.count(ChangeType::Modified),
        removed: plan.count(ChangeType::Removed),
        unchanged: plan.unchanged,
        changes: plan
            .changes
            .iter()
            .map(|planned| ChangeReport {
                change: planned.change,
                id: planned.id.clone(),
                fields: match planned.change {
                    ChangeType::Modified => fields(&planned.id, planned.item).unwrap_or_default(),
                    ChangeType::Added | ChangeType::Removed => Vec::new(),
                },
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_report_is_its_json() {
        let schema = PreparedSchema::prepare(
            br#"{"type": "object", "properties": {"id": {"type": "string"}, "name": true, "list": {"items": true}},
                "resmo": {"id": "id", "name": "name", "importantFields": ["$.list[*]", "name", "$.list[9]"]}}"#,
        )
        .unwrap();
        for payload in [
            r#"{"id": "1"}"#,
            r#"{"id": "\u00e9\"\\\n\u0001/", "name": "\ud83d\ude00", "list": [ 1.50, 12, { "b" : [ ] , "a":null}, "x"]}"#,
            r#"{"id": "1", "name": 7, "list": [9007199254740993]}"#,
            r#"{"id": "1", "other": 7}"#,
            r#"{"id": ""#,
            "[]",
        ] {
            let outcome = schema.check(payload.as_bytes(), CheckOptions::default());
            let text: serde_json::Value = serde_json::from_str(&PayloadReport::text_of(&outcome)).unwrap();
            assert_eq!(text, serde_json::to_value(PayloadReport::of(&outcome)).unwrap(), "{payload}");
        }
    }

    #[test]
    fn so_is_that_of_a_bulk() {
        let schema = PreparedSchema::prepare(
            br#"{"type": "object", "properties": {"id": {"type": "string"}, "n": true}, "resmo": {"id": "id", "name": "n"}}"#,
        )
        .unwrap();
        for bulk in [
            "[]",
            r#"[{"id": "1"}]"#,
            r#"[{"id": "\"", "n": "\u0001"}, {"id": "2", "n": 1}]"#,
            r#"[{"id": 1}]"#,
        ] {
            let check = || schema.check_bulk(bulk.as_bytes(), CheckOptions::default());
            let json = serde_json::to_string(&BulkReport::of(check())).unwrap();
            assert_eq!(BulkReport::text_of(check()), json, "{bulk}");
        }
    }
}
