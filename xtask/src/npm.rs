//! The npm package: the core for JavaScript, and what is written around it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use crate::{component, process, tools, web};

/// Puts the package together in `pkg-js/dist`, and gives the package's directory.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let built = web::build(workspace, "tidegate-js")?;
    let scratch = workspace.target.join("xtask/npm");
    component::made(&scratch.join("tidegate.wasm"), &scratch, &built, |_| {
        let mut bindgen = workspace.cargo(["run", "--quiet", "--package", "tidegate-bindgen"]);
        process::run(bindgen.arg("--").arg(&built).arg(&scratch))?;
        web::optimise(workspace, &scratch, &fs::read(scratch.join("glue_bg.wasm"))?)
    })?;
    let package = workspace.root.join("pkg-js");
    tools::npm_packages(&package)?;
    process::run(Command::new("node").arg(package.join("build.mjs")).arg(&scratch))?;
    Ok(package)
}

/// Packs the package as npm would publish it into a new directory, and gives the tarball.
fn packed(workspace: &Workspace, directory: &str) -> Result<PathBuf> {
    let package = build(workspace)?;
    let scratch = workspace.target.join("xtask/npm").join(directory);
    fs::create_dir_all(&scratch)?;
    let mut pack = Command::new("npm");
    pack.args(["pack", "--silent", "--ignore-scripts", "--pack-destination"]).arg(&scratch);
    let name = process::text(pack.current_dir(package)).context("npm comes with Node.js")?;
    Ok(scratch.join(name.trim_end()))
}

/// Packs the package and unpacks it again: gives the directory of what users get.
pub(crate) fn unpacked(workspace: &Workspace) -> Result<PathBuf> {
    let tarball = packed(workspace, "unpacked")?;
    let directory = tarball.with_file_name("package");
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    process::run(Command::new("tar").arg("-xzf").arg(&tarball).arg("-C").arg(tarball.with_file_name("")))?;
    Ok(directory)
}

/// Tests the package as its users get it: packed, and installed into projects of every kind.
pub(crate) fn test(workspace: &Workspace) -> Result<()> {
    let tarball = packed(workspace, "packaging")?;
    let tests = workspace.root.join("pkg-js/tests");
    let mut units = Command::new("node");
    units.args(["--test", "--test-reporter=dot"]);
    for entry in fs::read_dir(&tests)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            units.arg(path);
        }
    }
    process::run(&mut units)?;

    let mut command = Command::new("node");
    command.arg(tests.join("packaging/run.mjs")).arg(&tarball).arg(tarball.with_file_name("projects"));
    if let Some(chromium) = tools::chromium() {
        command.arg(chromium);
    } else {
        println!(
            "skipped: the npm package in pages; there is no Chromium on the PATH (Debian's is `chromium`)"
        );
    }
    process::run(&mut command)
}
