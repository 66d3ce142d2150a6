//! Lets a snapshot through the gate before it is sent, and says what sending it would do.
//!
//! This program links `tidegate-core` alone and opens no socket. What it says is what the server
//! would say, because both run the same code.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use tidegate_core::{ChangeType, CheckOptions, Plan, PreparedSchema, read_manifest};

/// Check a snapshot before sending it, and say what sending it would do.
#[derive(Debug, Parser)]
#[command(name = "check_before_send", after_help = "Exit codes: 0 may be sent, 1 may not, 2 could not run.")]
struct Arguments {
    /// The JSON Schema of the table
    schema: PathBuf,
    /// The snapshot, a JSON array of resources
    snapshot: PathBuf,
    /// What the server has: the answer of `GET /integration/custom-data/manifest/{table}`
    manifest: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(Ok(report)) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Ok(Err(report)) => {
            print!("{report}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// The report: `Ok` when the snapshot may be sent.
fn run(arguments: &Arguments) -> Result<Result<String, String>> {
    let mut report = String::new();
    let schema = match PreparedSchema::prepare(&read(&arguments.schema)?) {
        Ok(schema) => schema,
        Err(problems) => {
            for problem in problems {
                writeln!(report, "schema {}: {} ({})", problem.pointer, problem.detail, problem.code)?;
            }
            return Ok(Err(report));
        }
    };
    let snapshot = read(&arguments.snapshot)?;
    let items = match schema.check_bulk(&snapshot, CheckOptions::default()) {
        Ok(items) => items,
        Err(rejection) => {
            writeln!(report, "the snapshot does not pass: {}", rejection.code())?;
            for violation in rejection.violations() {
                let item = violation.item.map_or_else(String::new, |item| format!("item {item} "));
                writeln!(report, "  {item}{}: {} ({})", violation.pointer, violation.detail, violation.code)?;
            }
            return Ok(Err(report));
        }
    };
    writeln!(report, "{} resources pass", items.len())?;
    if let Some(path) = &arguments.manifest {
        let stored =
            read_manifest(&read(path)?).with_context(|| format!("cannot use `{}`", path.display()))?;
        let plan = Plan::bulk(&stored, items.iter().map(|item| (&*item.id, item.digest)));
        for planned in &plan.changes {
            writeln!(report, "  {:<8} {}", planned.change.as_str(), planned.id)?;
        }
        writeln!(
            report,
            "sending it would add {}, modify {}, remove {} and leave {} alone",
            plan.count(ChangeType::Added),
            plan.count(ChangeType::Modified),
            plan.count(ChangeType::Removed),
            plan.unchanged
        )?;
    }
    Ok(Ok(report))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}
