//! `tidegate plan`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tidegate_core::report::ChangeReport;
use tidegate_core::{CheckOptions, PlanReport, array_of_lines};

use super::input::{Shape, Source, stdin_at_most_once};
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
    #[serde(flatten)]
    plan: PlanReport,
}

#[derive(Serialize)]
struct NotPlanned {
    #[serde(flatten)]
    schema: SchemaReport,
    payloads: Vec<Rejected>,
}

/// Why a snapshot did not pass.
type Rejected = Box<PayloadReport>;

impl PlanCommand {
    /// Plans, and prints the plan.
    pub(super) fn run(self) -> Result<Verdict, Failure> {
        let source = Source::from(self.schema);
        let (old, new) = (Source::from(self.old), Source::from(self.new));
        stdin_at_most_once([&source, &old, &new])?;
        let (schema, prepared) = SchemaReport::prepare(&source, &source.read()?);
        let options = CheckOptions { show_values: self.show_values };
        let mut payloads = Vec::new();
        if let Some(prepared) = prepared {
            let texts = (bulk(&old, self.ndjson)?, bulk(&new, self.ndjson)?);
            match texts {
                (Ok(before), Ok(after)) => match prepared.preview(&before, &after, options) {
                    Ok(plan) => {
                        let planned = Planned { result: "planned", dry_run: true, plan };
                        print(&planned, self.json, Planned::describe)?;
                        return Ok(Verdict::Passed);
                    }
                    Err(refused) => {
                        let rejections = [(&old, refused.old), (&new, refused.new)];
                        payloads.extend(rejections.into_iter().filter_map(|(source, rejection)| {
                            Some(Box::new(PayloadReport::of_rejection(source, rejection?)))
                        }));
                    }
                },
                (before, after) => payloads.extend([before.err(), after.err()].into_iter().flatten()),
            }
        }
        let report = NotPlanned { schema, payloads };
        print(&report, self.json, NotPlanned::describe)?;
        Ok(Verdict::DidNotPass)
    }
}

/// A snapshot's text as one array.
fn bulk(source: &Source, ndjson: bool) -> Result<Result<Vec<u8>, Rejected>, Failure> {
    let text = source.read()?;
    Ok(match source.shape(&text, ndjson) {
        Shape::Lines => array_of_lines(&text)
            .map_err(|rejection| Box::new(PayloadReport::of_rejection(source, rejection))),
        // One resource alone is refused as no array, by the rule for bulks.
        Shape::Single | Shape::Bulk => Ok(text),
    })
}

impl Planned {
    fn describe(&self) -> String {
        let mut text = String::new();
        for ChangeReport { change, id, fields } in &self.plan.changes {
            let fields = fields.join(", ");
            let separator = if fields.is_empty() { "" } else { ": " };
            line(&mut text, format_args!("{:<8} {id}{separator}{fields}", change.as_str()));
        }
        let PlanReport { added, modified, removed, unchanged, .. } = self.plan;
        line(
            &mut text,
            format_args!("{added} added, {modified} modified, {removed} removed, {unchanged} unchanged"),
        );
        text
    }
}

impl NotPlanned {
    fn describe(&self) -> String {
        let mut text = if self.schema.valid() { String::new() } else { self.schema.describe() };
        for payload in &self.payloads {
            text.push_str(&payload.describe());
        }
        text
    }
}
