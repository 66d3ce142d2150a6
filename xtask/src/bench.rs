//! `cargo xtask bench`: builds what is measured as it is shipped, and measures it.

use std::process::Command;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::workspace::Workspace;
use crate::{artefacts, component, instructions, process};

/// What can be measured.
#[derive(Clone, Copy, ValueEnum)]
enum Subject {
    /// The core natively, beside what a user would write without it and beside parsers
    Core,
    /// The Spin component, beside one that does nothing
    Edge,
}

/// What to measure, and how long.
#[derive(Args)]
pub(crate) struct Bench {
    /// What to measure
    subject: Subject,
    /// Only the cases whose names hold this (`core`)
    filter: Option<String>,
    /// How long one turn of a side takes, in milliseconds (`core`)
    #[arg(long)]
    turn_ms: Option<u64>,
}

pub(crate) fn run(workspace: &Workspace, bench: &Bench) -> Result<()> {
    match bench.subject {
        Subject::Core => core(workspace, bench),
        Subject::Edge if bench.filter.is_some() || bench.turn_ms.is_some() => {
            bail!("`edge` is measured whole: it takes neither a filter nor `--turn-ms`")
        }
        Subject::Edge => edge(workspace),
    }
}

fn core(workspace: &Workspace, bench: &Bench) -> Result<()> {
    for program in ["core", "core-mimalloc"] {
        let mut command = program_of(workspace, "core", program);
        command.args(&bench.filter);
        if let Some(turn) = bench.turn_ms {
            command.arg("--turn-ms").arg(turn.to_string());
        }
        process::run(&mut command)?;
    }
    let program = format!("core{}", std::env::consts::EXE_SUFFIX);
    let program = workspace.target.join("release").join(program);
    instructions::run(workspace, &program, bench.filter.as_deref())
}

fn edge(workspace: &Workspace) -> Result<()> {
    let shipped = component::shipped(workspace)?;
    let noop = component::build(workspace, "tidegate-noop")?;
    let module = component::optimised_module(workspace, &artefacts::guest_as(workspace, "component")?)?;
    let mut command = program_of(workspace, "edge", "edge");
    command.arg("--component").arg(shipped);
    command.arg("--noop").arg(noop);
    command.arg("--module").arg(module);
    process::run(&mut command)
}

/// A program of the benchmarks, built with what this subject needs and no more.
fn program_of(workspace: &Workspace, feature: &str, program: &str) -> Command {
    let mut command =
        workspace.cargo(["run", "--release", "--package", "tidegate-bench", "--no-default-features"]);
    command.args(["--features", feature, "--bin", program, "--"]);
    command
}
