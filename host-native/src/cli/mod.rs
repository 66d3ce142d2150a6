//! The commands, and what their exit codes mean.

mod backup;
mod check;
mod database;
mod input;
mod logs;
mod plan;
mod report;
mod serve;
mod verify;

use std::fmt::Display;
use std::io::{self, Write, stdout};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;

/// The same gate for a company's own data in the browser, at the edge and here.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, after_help = "Exit codes: 0 passed, 1 did not pass, 2 could not run.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Check(check::Check),
    Plan(plan::PlanCommand),
    Backup(backup::Backup),
    Verify(verify::Verify),
}

/// How a command ended, when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It did what it was asked to do, and what it judged is in order.
    Passed,
    /// What it judged is not in order; it has said why.
    DidNotPass,
}

/// The exit code of a command whose subject is not in order.
const DID_NOT_PASS: u8 = 1;
/// The exit code of a command that could not do its work.
const COULD_NOT_RUN: u8 = 2;

impl Cli {
    /// Runs the command to its end.
    pub(crate) fn run(self) -> ExitCode {
        let outcome = match self.command {
            Command::Serve(serve) => serve.run(),
            Command::Check(check) => check.run(),
            Command::Plan(plan) => plan.run(),
            Command::Backup(backup) => backup.run(),
            Command::Verify(verify) => verify.run(),
        };
        match outcome {
            Ok(Verdict::Passed) => ExitCode::SUCCESS,
            Ok(Verdict::DidNotPass) => ExitCode::from(DID_NOT_PASS),
            Err(failure) => {
                eprintln!("error: {failure}");
                ExitCode::from(COULD_NOT_RUN)
            }
        }
    }
}

/// Why a command could not do its work, for people.
#[derive(Debug)]
struct Failure(String);

impl Failure {
    fn new(message: impl Display) -> Self {
        Self(message.to_string())
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Prints a report, as JSON or in words.
fn print<R: Serialize>(report: &R, json: bool, describe: impl FnOnce(&R) -> String) -> Result<(), Failure> {
    let text = if json {
        serde_json::to_string_pretty(report).map_err(Failure::new)? + "\n"
    } else {
        describe(report)
    };
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // `tidegate check … | head` has seen enough; the exit code is still the verdict.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(|error| Failure::new(format_args!("cannot print: {error}"))),
    }
}
