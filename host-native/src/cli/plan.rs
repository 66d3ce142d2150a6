//! `tidegate plan`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tidegate_core::diff::differing_fields;
use tidegate_core::document::Document;
use tidegate_core::plan::{ChangeType, PlannedChange};
use tidegate_core::{CheckOptions, CheckedItem, Manifest, Plan, PreparedSchema, Rejection};

use super::input::{Shape, Source, lines, stdin_at_most_once};
use super::report::{PayloadReport, SchemaReport, line};
use super::{Failure, Verdict, print};

/// Say what a bulk with NEW would do to a scope that holds OLD.
#[derive(Debug, Args)]
pub(super) struct PlanCommand {
    /// The JSON Schema, a file or `-` for standard input
    #[arg(long)]
    schema: PathBuf,

    /// The snapshot that is stored: an array of resources, or one resource a line (`.ndjson`,
    /// `.jsonl`); `-` is standard input
    old: PathBuf,

    /// The snapshot that would be sent, likewise
    new: PathBuf,

    /// Take both snapshots as NDJSON, whatever their names
    #[arg(long)]
    ndjson: bool,

    /// Print the plan as JSON
    #[arg(long)]
    json: bool,

    /// Put the values that were found into the report of a snapshot that does not pass
    #[arg(long)]
    show_values: bool,
}

/// The plan, as a bulk with `dryRun=true` answers it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Planned {
    result: &'static str,
    dry_run: bool,
    added: u64,
    modified: u64,
    removed: u64,
    unchanged: u64,
    changes: Vec<Change>,
}

#[derive(Serialize)]
struct Change {
    #[serde(rename = "type")]
    change: ChangeType,
    id: String,
    /// The fields that differ; none of a resource that is new or gone.
    fields: Vec<String>,
}

#[derive(Serialize)]
struct NotPlanned {
    #[serde(flatten)]
    schema: SchemaReport,
    payloads: Vec<Rejected>,
}

/// Why a snapshot did not pass.
type Rejected = Box<PayloadReport>;

/// A snapshot that passed: an array's text, and where its resources are in it.
struct Snapshot {
    text: Vec<u8>,
    items: Vec<CheckedItem>,
}

impl PlanCommand {
    /// Plans, and prints the plan.
    pub(super) fn run(self) -> Result<Verdict, Failure> {
        let source = Source::from(self.schema);
        let (old, new) = (Source::from(self.old), Source::from(self.new));
        stdin_at_most_once([&source, &old, &new])?;
        let (schema, prepared) = SchemaReport::prepare(&source, &source.read()?)?;
        let options = CheckOptions {
            show_values: self.show_values,
        };
        let mut payloads = Vec::new();
        if let Some(prepared) = prepared {
            let old = Snapshot::read(&prepared, &old, self.ndjson, options)?;
            let new = Snapshot::read(&prepared, &new, self.ndjson, options)?;
            match (old, new) {
                (Ok(old), Ok(new)) => {
                    let planned = Planned::of(&old, &new);
                    print(&planned, self.json, Planned::describe)?;
                    return Ok(Verdict::Passed);
                }
                (old, new) => payloads.extend([old.err(), new.err()].into_iter().flatten()),
            }
        }
        let report = NotPlanned { schema, payloads };
        print(&report, self.json, NotPlanned::describe)?;
        Ok(Verdict::DidNotPass)
    }
}

impl Snapshot {
    fn read(
        schema: &PreparedSchema,
        source: &Source,
        ndjson: bool,
        options: CheckOptions,
    ) -> Result<Result<Self, Rejected>, Failure> {
        let text = source.read()?;
        let text = match source.shape(&text, ndjson) {
            Shape::Lines => array_of_lines(source, &text),
            // One resource alone is refused as no array, by the rule for bulks.
            Shape::Single | Shape::Bulk => Ok(text),
        };
        Ok(
            text.and_then(|text| match schema.check_bulk(&text, options) {
                Ok(items) => Ok(Self { text, items }),
                Err(rejection) => Err(Box::new(PayloadReport::of_rejection(source, rejection))),
            }),
        )
    }

    fn document<'d>(&'d self, item: &CheckedItem) -> Option<Document<'d>> {
        Document::parse(self.text.get(item.range.clone())?).ok()
    }
}

/// The bulk that the lines are. Each is read by itself first: two halves of a resource on two
/// lines are two faults, not a resource.
fn array_of_lines(source: &Source, text: &[u8]) -> Result<Vec<u8>, Rejected> {
    let mut array = vec![b'['];
    for line in lines(text) {
        Document::parse(line.text).map_err(|error| {
            Box::new(PayloadReport::of_rejection(source, Rejection::from(error)).at(line))
        })?;
        if array.len() > 1 {
            array.push(b',');
        }
        array.extend_from_slice(line.text.trim_ascii());
    }
    array.push(b']');
    Ok(array)
}

impl Planned {
    fn of(old: &Snapshot, new: &Snapshot) -> Self {
        let stored: Manifest = old
            .items
            .iter()
            .map(|item| (item.id.clone(), item.digest))
            .collect();
        let plan = Plan::bulk(
            &stored,
            new.items.iter().map(|item| (item.id.as_str(), item.digest)),
        );
        let before: BTreeMap<&str, &CheckedItem> = old
            .items
            .iter()
            .map(|item| (item.id.as_str(), item))
            .collect();
        let fields = |planned: &PlannedChange| -> Option<Vec<String>> {
            let before = old.document(before.get(planned.id.as_str())?)?;
            let after = new.document(new.items.get(planned.item?)?)?;
            Some(differing_fields(before.root(), after.root()))
        };
        Self {
            result: "planned",
            dry_run: true,
            added: plan.count(ChangeType::Added),
            modified: plan.count(ChangeType::Modified),
            removed: plan.count(ChangeType::Removed),
            unchanged: plan.unchanged,
            changes: plan
                .changes
                .iter()
                .map(|planned| Change {
                    change: planned.change,
                    id: planned.id.clone(),
                    fields: fields(planned).unwrap_or_default(),
                })
                .collect(),
        }
    }

    fn describe(&self) -> String {
        let mut text = String::new();
        for Change { change, id, fields } in &self.changes {
            let fields = fields.join(", ");
            let separator = if fields.is_empty() { "" } else { ": " };
            line(
                &mut text,
                format_args!("{:<8} {id}{separator}{fields}", change.as_str()),
            );
        }
        let Self {
            added,
            modified,
            removed,
            unchanged,
            ..
        } = self;
        line(
            &mut text,
            format_args!(
                "{added} added, {modified} modified, {removed} removed, {unchanged} unchanged"
            ),
        );
        text
    }
}

impl NotPlanned {
    fn describe(&self) -> String {
        let mut text = if self.schema.valid {
            String::new()
        } else {
            self.schema.describe()
        };
        for payload in &self.payloads {
            text.push_str(&payload.describe());
        }
        text
    }
}
