//! What the gate says of schemas and payloads: as JSON with the HTTP API's field names, or as
//! lines for people.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::Serialize;
use tidegate_core::form::Line;
use tidegate_core::problem::Code;
use tidegate_core::{Checked, CheckedItem, Digest, PreparedSchema, Problem, Rejection, Violation};

use super::input::Source;

/// What is said of a schema, as `POST /api/v1/schemas/check` answers it.
#[derive(Debug, Serialize)]
pub(super) struct SchemaReport {
    #[serde(skip)]
    source: String,
    #[serde(flatten)]
    report: tidegate_core::SchemaReport,
}

impl SchemaReport {
    /// Prepares a schema, and says how that went.
    pub(super) fn prepare(source: &Source, text: &[u8]) -> (Self, Option<PreparedSchema>) {
        let prepared = PreparedSchema::prepare(text);
        let report = tidegate_core::SchemaReport::of(&prepared);
        (Self { source: source.to_string(), report }, prepared.ok())
    }

    /// Whether the schema can be used.
    pub(super) fn valid(&self) -> bool {
        self.report.valid
    }

    /// The report for people.
    pub(super) fn describe(&self) -> String {
        let mut text = String::new();
        let Self { source, report } = self;
        if report.valid {
            let columns = counted(report.columns.len(), "column");
            line(&mut text, format_args!("{source}: the schema is valid ({columns})"));
        } else {
            line(&mut text, format_args!("{source}: the schema cannot be used"));
        }
        let labelled = [("", &report.problems), ("warning: ", &report.warnings)];
        for (label, problems) in labelled {
            for Problem { pointer, code, detail } in problems {
                line(&mut text, format_args!("  {pointer}: {label}{detail} ({code})"));
            }
        }
        for pointer in &report.open_objects {
            line(&mut text, format_args!("  {pointer}: unknown fields pass here"));
        }
        text
    }
}

/// What is said of one payload: one resource or one bulk.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PayloadReport {
    file: String,
    /// The line of NDJSON, or of the fault in a text that is not JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<usize>,
    pub(super) valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
    violations: Vec<Violation>,
    /// There are more violations than are listed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    #[serde(flatten)]
    resource: Option<Checked<'static>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Vec<ItemReport>>,
}

/// One resource of a bulk that passes.
#[derive(Debug, Serialize)]
struct ItemReport {
    id: String,
    name: Option<String>,
    digest: Digest,
}

impl PayloadReport {
    /// A single resource passed.
    pub(super) fn of_resource(source: &Source, checked: Checked<'_>) -> Self {
        let file = source.to_string();
        Self { file, valid: true, resource: Some(checked.into_owned()), ..Self::default() }
    }

    /// A bulk passed.
    pub(super) fn of_bulk(source: &Source, items: Vec<CheckedItem<'_>>) -> Self {
        let report = |CheckedItem { id, name, digest, .. }: CheckedItem<'_>| ItemReport {
            id: id.into_owned(),
            name: name.map(Cow::into_owned),
            digest,
        };
        let items = Some(items.into_iter().map(report).collect());
        Self { file: source.to_string(), valid: true, items, ..Self::default() }
    }

    /// Something did not pass.
    pub(super) fn of_rejection(source: &Source, rejection: Rejection) -> Self {
        let code = rejection.code();
        let rejected =
            Self { file: source.to_string(), code: Some(code), title: Some(code.title()), ..Self::default() };
        match rejection {
            Rejection::Unreadable(error) => Self {
                line: Some(error.position.line),
                column: Some(error.position.column),
                offset: Some(error.position.offset),
                detail: Some(error.kind.to_string()),
                ..rejected
            },
            Rejection::TooLarge { limit, detail, .. } => {
                Self { limit: Some(limit), detail: Some(detail), ..rejected }
            }
            Rejection::Invalid(violations) => {
                Self { violations: violations.list, truncated: violations.truncated, ..rejected }
            }
        }
    }

    /// The same for a line of NDJSON: its places are the file's.
    pub(super) fn at(mut self, line: Line<'_>) -> Self {
        self.line = Some(line.number);
        self.offset = self.offset.map(|offset| offset + line.offset);
        self
    }

    /// The report for people.
    pub(super) fn describe(&self) -> String {
        let mut text = String::new();
        let mut place = self.file.clone();
        for number in [self.line, self.column].into_iter().flatten() {
            // Writing to a string does not fail.
            let _ = write!(place, ":{number}");
        }
        match (self.code, &self.resource, &self.items) {
            (Some(code), ..) => {
                let detail = match &self.detail {
                    Some(detail) => detail.clone(),
                    None => {
                        let more = if self.truncated { "more than " } else { "" };
                        format!("{more}{}", counted(self.violations.len(), "fault"))
                    }
                };
                line(&mut text, format_args!("{place}: did not pass: {detail} ({code})"));
            }
            (None, Some(Checked { id, .. }), _) => {
                line(&mut text, format_args!("{place}: passed (id `{id}`)"));
            }
            (None, None, Some(items)) => {
                let count = counted(items.len(), "resource");
                line(&mut text, format_args!("{place}: passed ({count})"));
            }
            (None, None, None) => line(&mut text, format_args!("{place}: passed")),
        }
        for Violation { item, pointer, schema_pointer, code, detail, .. } in &self.violations {
            let item = item.map_or_else(String::new, |item| format!("item {item} "));
            line(&mut text, format_args!("  {item}{pointer}: {detail} ({code}, schema {schema_pointer})"));
        }
        text
    }
}

/// `1 fault`, `2 faults`.
pub(super) fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// Adds a line whose control characters are escaped: names and ids come from payloads, and a
/// terminal would obey them.
pub(super) fn line(text: &mut String, content: fmt::Arguments<'_>) {
    for character in content.to_string().chars() {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text.push('\n');
}
