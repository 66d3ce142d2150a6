//! The npm package: the core for JavaScript, and what is written around it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{component, process, tools, web};

/// Puts the package together in `pkg-js/dist`, and gives the package's directory.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let built = web::build(workspace, "tidegate-js")?;
    let scratch = workspace.target.join("xtask/npm");
    fs::create_dir_all(&scratch)?;
    let (bound, made_from) = (scratch.join("glue_bg.wasm"), scratch.join("made-from.wasm"));
    let module = fs::read(&built)?;
    if !component::is_made_from(&bound, &made_from, &module) {
        let mut bindgen = workspace.cargo(["run", "--quiet", "--package", "tidegate-bindgen"]);
        process::run(bindgen.arg("--").arg(&built).arg(&scratch))?;
        fs::write(&made_from, module)?;
    }
    web::optimise(workspace, &bound, &scratch.join("tidegate.wasm"))?;
    let package = workspace.root.join("pkg-js");
    tools::npm_packages(&package)?;
    process::run(Command::new("node").arg(package.join("build.mjs")).arg(&scratch))?;
    Ok(package)
}

/// Packs the package as npm would publish it, and unpacks it again: gives the directory of what users get.
pub(crate) fn unpacked(workspace: &Workspace) -> Result<PathBuf> {
    let package = build(workspace)?;
    let scratch = workspace.target.join("xtask/npm/packed");
    if scratch.exists() {
        fs::remove_dir_all(&scratch)?;
    }
    fs::create_dir_all(&scratch)?;
    let mut pack = Command::new("npm");
    pack.args(["pack", "--silent", "--pack-destination"]).arg(&scratch).current_dir(&package);
    let tarball = scratch.join(process::text(&mut pack)?.trim());
    process::run(Command::new("tar").arg("-xzf").arg(tarball).arg("-C").arg(&scratch))?;
    Ok(scratch.join("package"))
}
