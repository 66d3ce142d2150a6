//! `cargo xtask fuzz`: runs the targets of `fuzz/` under libFuzzer.
//!
//! libFuzzer is compiled from its crate, with whatever C++ compiler is here, and rustc has what it needs:
//! no nightly toolchain, no clang and no cargo-fuzz. What a run has found of interest is kept for the
//! next one, in the build directory.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::process;
use crate::workspace::Workspace;

/// What can be fuzzed.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Target {
    /// The reading of JSON, beside serde_json
    Document,
    /// Bulks, beside their items one by one
    Bulk,
    /// Verdicts, beside a plain validator
    Accept,
}

/// Every branch and every comparison reports to libFuzzer. These are what cargo-fuzz passes, less the
/// sanitizer: it would need a nightly rustc, and there is no unsafe code in the core.
const COVERAGE: [&str; 8] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
];

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Bulk => "bulk",
            Self::Accept => "accept",
        }
    }

    /// The longest input, in bytes.
    fn longest(self) -> u32 {
        match self {
            Self::Document | Self::Bulk => 4096,
            // More than a schema and its payloads are made from.
            Self::Accept => 2048,
        }
    }
}

/// Runs one target, or each in turn, up to the first finding.
pub(crate) fn run(workspace: &Workspace, target: Option<Target>, seconds: u32) -> Result<()> {
    let host = host()?;
    for target in target.map_or_else(|| Target::value_variants().to_vec(), |target| vec![target]) {
        fuzz(workspace, target, &host, seconds)?;
    }
    Ok(())
}

fn fuzz(workspace: &Workspace, target: Target, host: &str, seconds: u32) -> Result<()> {
    let program = format!("fuzz-{}", target.name());
    // With a target named, build scripts and macros are built without the flags.
    let mut build = workspace.cargo(["build", "--package=tidegate-fuzz", "--profile=fuzz", "--target", host]);
    build.args(["--bin", &program]).env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\x1f"));
    process::run(&mut build).context("a C++ compiler is needed, for libFuzzer")?;

    let home = workspace.target.join("fuzz").join(target.name());
    let [seeds, corpus, findings] = ["seeds", "corpus", "findings"].map(|name| home.join(name));
    for folder in [&seeds, &corpus, &findings] {
        std::fs::create_dir_all(folder)?;
    }
    let mut command = Command::new(workspace.target.join(host).join("fuzz").join(&program));
    // What libFuzzer adds goes into the first folder.
    command.args([&corpus, &seeds]).env("TIDEGATE_FUZZ_SEEDS", &seeds);
    command.args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={}", target.longest()),
        format!("-artifact_prefix={}", prefix(&findings)),
        format!("-dict={}", workspace.root.join("fuzz/json.dict").display()),
        "-timeout=10".to_owned(),
        "-print_final_stats=1".to_owned(),
    ]);
    process::run(&mut command).with_context(|| {
        format!(
            "`{}` found something; `cargo run -p tidegate-fuzz --bin {program} -- FILE` repeats it with the \
             file that is named above",
            target.name()
        )
    })
}

/// libFuzzer puts the names of files right behind it.
fn prefix(folder: &Path) -> String {
    format!("{}{}", folder.display(), std::path::MAIN_SEPARATOR)
}

/// The triple of this machine.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = process::text(Command::new(rustc).arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}
