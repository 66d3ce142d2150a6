//! `tidegate check`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tidegate_core::form::lines;
use tidegate_core::{CheckOptions, PreparedSchema};

use super::input::{Shape, Source, stdin_at_most_once};
use super::report::{PayloadReport, SchemaReport, counted, line};
use super::{Failure, Verdict, print};

/// Check a schema, and payloads against it, as the server would.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The JSON Schema, a file or `-` for standard input
    schema: PathBuf,

    /// Files with one resource, an array of resources (a bulk), or one resource a line (`.ndjson`,
    /// `.jsonl`); `-` is standard input
    #[arg(value_name = "PAYLOAD")]
    payloads: Vec<PathBuf>,

    /// Take every payload file as NDJSON, whatever its name
    #[arg(long)]
    ndjson: bool,

    /// Print the report as JSON
    #[arg(long)]
    json: bool,

    /// Put the values that were found into the report
    #[arg(long)]
    show_values: bool,
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    schema: SchemaReport,
    payloads: Vec<PayloadReport>,
}

impl Check {
    /// Checks, and prints what was found.
    pub(super) fn run(self) -> Result<Verdict, Failure> {
        let source = Source::from(self.schema);
        let payloads: Vec<Source> = self.payloads.into_iter().map(Source::from).collect();
        stdin_at_most_once(payloads.iter().chain([&source]))?;
        let (schema, prepared) = SchemaReport::prepare(&source, &source.read()?);
        let options = CheckOptions { show_values: self.show_values };
        let mut reports = Vec::new();
        if let Some(prepared) = prepared {
            for payload in payloads {
                check(&prepared, &payload, self.ndjson, options, &mut reports)?;
            }
        }
        let passed = schema.valid() && reports.iter().all(|report| report.valid);
        let report = Report { schema, payloads: reports };
        print(&report, self.json, Report::describe)?;
        Ok(if passed { Verdict::Passed } else { Verdict::DidNotPass })
    }
}

fn check(
    schema: &PreparedSchema,
    source: &Source,
    ndjson: bool,
    options: CheckOptions,
    reports: &mut Vec<PayloadReport>,
) -> Result<(), Failure> {
    let text = source.read()?;
    let single = |text: &[u8]| match schema.check(text, options) {
        Ok(checked) => PayloadReport::of_resource(source, checked),
        Err(rejection) => PayloadReport::of_rejection(source, rejection),
    };
    match source.shape(&text, ndjson) {
        Shape::Single => reports.push(single(&text)),
        Shape::Bulk => reports.push(match schema.check_bulk(&text, options) {
            Ok(items) => PayloadReport::of_bulk(source, items),
            Err(rejection) => PayloadReport::of_rejection(source, rejection),
        }),
        // Each by itself: the same id may come again, as it may in a stream of events.
        Shape::Lines => reports.extend(lines(&text).map(|line| single(line.text).at(line))),
    }
    Ok(())
}

impl Report {
    fn describe(&self) -> String {
        let mut text = self.schema.describe();
        for payload in &self.payloads {
            text.push_str(&payload.describe());
        }
        let failed = self.payloads.iter().filter(|payload| !payload.valid).count();
        if !self.payloads.is_empty() {
            let payloads = counted(self.payloads.len(), "payload");
            match failed {
                0 => line(&mut text, format_args!("{payloads}, all passed")),
                failed => line(&mut text, format_args!("{payloads}, {failed} did not pass")),
            }
        }
        text
    }
}
