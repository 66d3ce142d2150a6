//! The project's own commands. What people run here is what CI runs.

mod artefacts;
mod bench;
mod component;
mod crash;
mod demo;
mod features;
mod fuzz;
mod instructions;
mod npm;
mod process;
mod slim;
mod suite;
mod toolchain;
mod tools;
mod web;
mod workspace;

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

use toolchain::Target;
use workspace::Workspace;

/// Builds, tests and runs Tidegate.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Serve the worked example on this machine, with an embedded database
    Run {
        /// Where to listen
        #[arg(long, default_value = "127.0.0.1:7070")]
        addr: SocketAddr,
        /// An origin whose web pages may use the API; can be repeated
        #[arg(long, value_name = "ORIGIN")]
        allow_origin: Vec<String>,
    },
    /// Run everything that CI runs
    Test,
    /// Build the artefacts in release
    Build {
        /// One of them only
        artefact: Option<Artefact>,
    },
    /// Measure against peers, in one run, one line a case
    Bench(bench::Bench),
    /// Look for inputs that the gate and another reading judge differently
    Fuzz {
        /// One target only
        target: Option<fuzz::Target>,
        /// How long each target runs
        #[arg(long, default_value_t = 600)]
        seconds: u32,
    },
    /// Kill the server while it writes, again and again, and look for what it answered
    Crash(crash::Crash),
    /// Make sure that WebAssembly can be built here
    Setup,
}

#[derive(Clone, Copy, ValueEnum)]
enum Artefact {
    /// The binary `tidegate`
    Native,
    /// The Spin component, in `host-spin/tidegate.wasm`
    Component,
    /// The npm package, in `pkg-js/`
    Npm,
    /// The core as a WebAssembly module, for the tests
    Guest,
}

fn main() -> ExitCode {
    match perform(&Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: &Task) -> Result<()> {
    let workspace = Workspace::locate()?;
    match task {
        Task::Run { addr, allow_origin } => demo::serve(&workspace, *addr, allow_origin),
        Task::Test => suite::run(&workspace),
        Task::Build { artefact } => {
            if matches!(artefact, None | Some(Artefact::Native)) {
                println!("{}", artefacts::native(&workspace)?.display());
            }
            if matches!(artefact, None | Some(Artefact::Component)) {
                println!("{}", component::shipped(&workspace)?.display());
            }
            if matches!(artefact, None | Some(Artefact::Npm)) {
                println!("{}", npm::build(&workspace)?.display());
            }
            if matches!(artefact, None | Some(Artefact::Guest)) {
                println!("{}", artefacts::guest(&workspace)?.display());
            }
            Ok(())
        }
        Task::Bench(bench) => bench::run(&workspace, bench),
        Task::Fuzz { target, seconds } => fuzz::run(&workspace, *target, *seconds),
        Task::Crash(crash) => crash::run(&workspace, crash),
        Task::Setup => {
            for target in [Target::Unknown, Target::Wasip2] {
                toolchain::ensure(&workspace, target)?;
            }
            Ok(())
        }
    }
}
