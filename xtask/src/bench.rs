//! `cargo xtask bench`: builds what is measured as it is shipped, and measures it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::workspace::Workspace;
use crate::{artefacts, component, instructions, npm, process, tools};

/// What can be measured.
#[derive(Clone, Copy, ValueEnum)]
enum Subject {
    /// The core, beside what a user would write without it and beside parsers; natively, and then
    /// as `js` does
    Core,
    /// The Spin component, beside one that does nothing
    Edge,
    /// The core as WebAssembly in Node.js and Chromium, beside `JSON.parse` and Ajv
    Js,
    /// The server beside a thousand stored resources, and beside a million
    Growth,
    /// The native server under load, beside Fastify with Ajv and better-sqlite3 and beside what the
    /// databases take
    Server,
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
    /// With little stored (`growth`), or only to see that all of it works (`server`), in some seconds
    #[arg(long)]
    quick: bool,
}

pub(crate) fn run(workspace: &Workspace, bench: &Bench) -> Result<()> {
    if bench.quick && !matches!(bench.subject, Subject::Growth | Subject::Server) {
        bail!("only `growth` and `server` take `--quick`");
    }
    match bench.subject {
        Subject::Core => core(workspace, bench),
        _ if bench.filter.is_some() || bench.turn_ms.is_some() => {
            bail!("only `core` takes a filter and `--turn-ms`; the others are measured whole")
        }
        Subject::Edge => edge(workspace),
        Subject::Js => js(workspace),
        Subject::Growth => growth(workspace, bench.quick),
        Subject::Server => server(workspace, bench.quick),
    }
}

/// Two databases of several gigabytes below `target/`, which are removed again.
fn growth(workspace: &Workspace, quick: bool) -> Result<()> {
    let tidegate = artefacts::native(workspace)?;
    let mut command = program_of(workspace, "growth", "growth");
    command.arg("--program").arg(tidegate);
    command.arg("--directory").arg(workspace.target.join("xtask"));
    if quick {
        command.arg("--quick");
    }
    process::run(&mut command)
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
    instructions::run(workspace, &program, bench.filter.as_deref())?;
    if bench.filter.is_none() { js(workspace) } else { Ok(()) }
}

fn edge(workspace: &Workspace) -> Result<()> {
    let shipped = component::shipped(workspace)?;
    let noop = component::build(workspace, "tidegate-noop")?;
    let module = component::optimised_guest(workspace)?;
    let mut command = program_of(workspace, "edge", "edge");
    command.arg("--component").arg(shipped);
    command.arg("--noop").arg(noop);
    command.arg("--module").arg(module);
    process::run(&mut command)
}

fn js(workspace: &Workspace) -> Result<()> {
    let package = npm::build(workspace)?;
    let cases = cases(workspace)?;
    let program = workspace.root.join("bench/js");
    tools::npm_packages(&program)?;
    let mut command = Command::new("node");
    command.arg(program.join("run.mjs")).args([package, cases]);
    if let Some(chromium) = tools::chromium() {
        command.arg(chromium);
    } else {
        println!("skipped: Chromium; there is none on the PATH (Debian's package is `chromium`)");
    }
    process::run(&mut command)
}

/// The server under load. Quickly, only to see that all of it works.
fn server(workspace: &Workspace, quick: bool) -> Result<()> {
    let tidegate = artefacts::native(workspace)?;
    let mut command = program_of(workspace, "server", "server");
    command.arg("--tidegate").arg(tidegate);
    // On the disk that is built on: a temporary directory may be in memory, where a sync is nothing.
    command.arg("--directory").arg(workspace.target.join("xtask/server"));
    if let Some(fastify) = fastify(workspace)? {
        command.arg("--fastify").arg(fastify);
    }
    if quick {
        command.arg("--quick");
    }
    process::run(&mut command)
}

/// What a user would write instead of the server, where it can be run.
pub(crate) fn fastify(workspace: &Workspace) -> Result<Option<PathBuf>> {
    let programs = workspace.root.join("bench/js");
    tools::npm_packages(&programs)?;
    match tools::npm_addon(&programs, "better-sqlite3", "build/Release/better_sqlite3.node") {
        Ok(()) => Ok(Some(programs.join("server.mjs"))),
        Err(error) => {
            println!("skipped: what a user would write; {error:#}");
            Ok(None)
        }
    }
}

/// Writes down what the core is measured with, and gives the directory.
fn cases(workspace: &Workspace) -> Result<PathBuf> {
    let directory = workspace.target.join("xtask/cases");
    process::run(program_of(workspace, "core", "cases").arg(&directory))?;
    Ok(directory)
}

/// A program of the benchmarks, built with what this subject needs and no more.
fn program_of(workspace: &Workspace, feature: &str, program: &str) -> Command {
    let mut command =
        workspace.cargo(["run", "--release", "--package", "tidegate-bench", "--no-default-features"]);
    command.args(["--features", feature, "--bin", program, "--"]);
    command
}
