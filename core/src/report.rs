//! What the gate says, as the JSON that every host prints.

use std::borrow::Cow;

use serde::Serialize;

use crate::check::{CheckOptions, Checked, Rejection};
use crate::diff::differing_fields;
use crate::digest::Digest;
use crate::document::{Document, JsonText, ParseError, Position};
use crate::plan::{ChangeType, Manifest, Plan};
use crate::problem::Code;
use crate::schema::{PreparedSchema, Problem};
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

/// What checking one payload found out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PayloadReport {
    /// Whether it passes.
    pub valid: bool,
    /// The problem's code and a sentence, when it does not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// A sentence that says why it does not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Every violation.
    pub violations: Vec<Violation>,
    /// There are more violations than are listed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
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
                code: None,
                detail: None,
                violations: Vec::new(),
                truncated: false,
                id: Some(id.into_owned()),
                name: name.map(Cow::into_owned),
                important_fields: important_fields.into_iter().map(JsonText::into_owned).collect(),
                digest: Some(digest),
            },
            Err(rejection) => {
                let problem = ProblemDetails::from(rejection);
                Self {
                    valid: false,
                    code: Some(problem.code),
                    detail: Some(problem.detail),
                    truncated: problem.truncated,
                    violations: problem.errors.into_iter().filter_map(Fault::into_violation).collect(),
                    id: None,
                    name: None,
                    important_fields: Vec::new(),
                    digest: None,
                }
            }
        }
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
        let (stored, items) = match (self.check_bulk(old, options), self.check_bulk(new, options)) {
            (Ok(stored), Ok(items)) => (stored, items),
            (stored, items) => return Err(Box::new(NotPlanned { old: stored.err(), new: items.err() })),
        };
        let manifest: Manifest =
            stored.iter().map(|item| (item.id.clone().into_owned(), item.digest)).collect();
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
}
