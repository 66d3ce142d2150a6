//! The npm package: the core for JavaScript, and what is written around it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::toolchain::Target;
use crate::workspace::Workspace;
use crate::{artefacts, component, process, tools};

/// Puts the package together in `pkg-js/dist`, and gives the package's directory.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let built = artefacts::module(workspace, Target::Web, "tidegate-js", "web")?;
    let scratch = workspace.target.join("xtask/npm");
    fs::create_dir_all(&scratch)?;
    let (glued, made_from) = (scratch.join("tidegate.wasm"), scratch.join("made-from.wasm"));
    let module = fs::read(&built)?;
    if !component::is_made_from(&glued, &made_from, &module) {
        let mut bindgen = workspace.cargo(["run", "--quiet", "--package", "tidegate-bindgen"]);
        process::run(bindgen.arg("--").arg(&built).arg(&scratch))?;
        let bound = fs::read(scratch.join("glue_bg.wasm"))?;
        fs::write(&glued, component::optimise(workspace, &scratch, 0, &bound)?)?;
        fs::write(&made_from, module)?;
    }
    let package = workspace.root.join("pkg-js");
    tools::npm_packages(&package)?;
    process::run(Command::new("node").arg(package.join("build.mjs")).arg(&scratch))?;
    Ok(package)
}

/// Tests the package as its users get it: packed, and installed into projects of every kind.
pub(crate) fn test(workspace: &Workspace) -> Result<()> {
    let package = build(workspace)?;
    let tests = package.join("tests");
    let mut units = Command::new("node");
    units.args(["--test", "--test-reporter=dot"]);
    for entry in fs::read_dir(&tests)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            units.arg(path);
        }
    }
    process::run(&mut units)?;

    let scratch = workspace.target.join("xtask/packaging");
    fs::create_dir_all(&scratch)?;
    let mut pack = Command::new("npm");
    pack.args(["pack", "--silent", "--ignore-scripts", "--pack-destination"]).arg(&scratch);
    let packed = process::text(pack.current_dir(&package)).context("npm comes with Node.js")?;
    let mut command = Command::new("node");
    command.arg(tests.join("packaging/run.mjs")).arg(scratch.join(packed.trim_end())).arg(&scratch);
    if let Some(chromium) = tools::chromium() {
        command.arg(chromium);
    } else {
        println!(
            "skipped: the npm package in pages; there is no Chromium on the PATH (Debian's is `chromium`)"
        );
    }
    process::run(&mut command)
}
