//! `cargo xtask test`: everything that CI runs, in order, up to the first failure.

use std::fs;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use crate::{artefacts, bench, component, features, npm, process, toolchain, tools};

type Step = (&'static str, fn(&Workspace) -> Result<()>);

/// What fails fast comes first; what has to be fetched and built once comes last.
const STEPS: [Step; 13] = [
    ("format", format),
    ("features of serde_json", features::check),
    ("clippy", clippy),
    ("clippy of the core for WebAssembly", clippy_wasm),
    ("guest module", |workspace| artefacts::guest(workspace).map(|_| ())),
    ("component", |workspace| component::shipped(workspace).map(|_| ())),
    ("npm package", npm::test),
    ("tests", tests),
    ("example page", example_page),
    ("documentation", documentation),
    ("packages of the core", package),
    ("licences", tools::licences),
    ("spelling", tools::spelling),
];

/// Runs the steps.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let start = Instant::now();
    for (name, step) in STEPS {
        println!("\n==> {name}");
        let begun = Instant::now();
        let outcome = step(workspace);
        println!("    {:.1} s", begun.elapsed().as_secs_f64());
        outcome.with_context(|| format!("test: FAILED at the step `{name}`"))?;
    }
    println!("\nxtask: test: everything passed in {:.0} s", start.elapsed().as_secs_f64());
    println!("steps: {} passed, 0 failed", STEPS.len());
    Ok(())
}

fn format(workspace: &Workspace) -> Result<()> {
    process::run(&mut workspace.cargo(["fmt", "--all", "--check"]))
}

fn clippy(workspace: &Workspace) -> Result<()> {
    process::run(&mut workspace.cargo([
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-Dwarnings",
    ]))
}

/// Code that only one of the two kinds of target sees must pass as well.
fn clippy_wasm(workspace: &Workspace) -> Result<()> {
    let mut command = workspace.cargo([
        "clippy",
        "--release",
        "--package=tidegate-document",
        "--package=tidegate-core",
        "--package=tidegate-guest",
        "--all-features",
    ]);
    toolchain::ensure(workspace, toolchain::Target::Unknown)?.apply(&mut command);
    process::run(command.args(["--", "-Dwarnings"]))
}

fn tests(workspace: &Workspace) -> Result<()> {
    let mut command = workspace.cargo(["test", "--workspace", "--all-features", "--no-fail-fast"]);
    command.env("TIDEGATE_GUEST_WASM", artefacts::guest(workspace)?);
    command.env("TIDEGATE_SPIN_WASM", component::shipped(workspace)?);
    command.env("TIDEGATE_LIBSQL_HOST", artefacts::libsql_host(workspace)?);
    command.env("TIDEGATE_NPM_PACKAGE", npm::unpacked(workspace)?);
    if let Some(chromium) = tools::chromium() {
        command.env("TIDEGATE_CHROMIUM", chromium);
    }
    tools::postgres();
    if let Some(fastify) = bench::fastify(workspace)? {
        command.env("TIDEGATE_FASTIFY", fastify);
    }
    process::run(&mut command)
}

/// Uses the example page in Chromium, against the server that the tests have built.
fn example_page(workspace: &Workspace) -> Result<()> {
    let Some(chromium) = tools::chromium() else {
        println!("skipped: there is no Chromium here; on Debian, `apt-get install chromium`");
        return Ok(());
    };
    let server = workspace.target.join("debug").join(format!("tidegate{}", std::env::consts::EXE_SUFFIX));
    let mut test = Command::new("node");
    test.arg(workspace.root.join("examples/browser/test.mjs")).arg(npm::unpacked(workspace)?);
    process::run(test.arg(chromium).arg(artefacts::existing(server)?))
}

fn documentation(workspace: &Workspace) -> Result<()> {
    process::run(
        workspace
            .cargo(["doc", "--workspace", "--all-features", "--no-deps"])
            .env("RUSTDOCFLAGS", "-Dwarnings"),
    )
}

/// What the registry would get is complete and builds by itself.
///
/// Cargo packs, but does not build: it would take the one crate for the other from a registry made for the
/// purpose, and of a version that it knows from there it never looks at the source again.
fn package(workspace: &Workspace) -> Result<()> {
    const CRATES: [&str; 2] = ["tidegate-document", "tidegate-core"];
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    let mut pack = workspace.cargo(["package", "--allow-dirty", "--no-verify"]);
    process::run(pack.args(CRATES.map(|name| format!("--package={name}"))))?;

    let unpacked = workspace.target.join("xtask/packages");
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked)?;
    }
    fs::create_dir_all(&unpacked)?;
    for name in CRATES {
        let packed = workspace.target.join(format!("package/{name}-{VERSION}.crate"));
        process::run(Command::new("tar").arg("-xzf").arg(packed).arg("-C").arg(&unpacked))?;
    }
    fs::copy(workspace.root.join("Cargo.lock"), unpacked.join("Cargo.lock"))?;
    let [document, core] = CRATES.map(|name| format!("{name}-{VERSION}"));
    fs::write(
        unpacked.join("Cargo.toml"),
        format!(
            "[workspace]\nresolver = \"3\"\nmembers = [\"{core}\", \"{document}\"]\n\n\
             [patch.crates-io]\n{} = {{ path = \"{document}\" }}\n",
            CRATES[0]
        ),
    )?;
    let manifest = unpacked.join("Cargo.toml");
    let mut build = workspace.cargo(["build", "--workspace", "--manifest-path"]);
    process::run(build.arg(manifest).env("CARGO_TARGET_DIR", &workspace.target))
}
