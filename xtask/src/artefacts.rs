//! What the project ships or tests, built in release, and what its tests run beside themselves.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::process;
use crate::toolchain::{self, Target};
use crate::workspace::Workspace;

/// Builds the binary `tidegate` and gives its path.
pub(crate) fn native(workspace: &Workspace) -> Result<PathBuf> {
    process::run(&mut workspace.cargo(["build", "--release", "--package", "tidegate"]))?;
    let name = format!("tidegate{}", std::env::consts::EXE_SUFFIX);
    existing(workspace.target.join("release").join(name))
}

/// Builds the guest module that the tests run, and gives its path.
pub(crate) fn guest(workspace: &Workspace) -> Result<PathBuf> {
    let (target, package, profile) = (Target::Unknown, "tidegate-guest", "release");
    let mut command = workspace.cargo(["build", "--profile", profile, "--package", package]);
    toolchain::ensure(workspace, target)?.apply(&mut command);
    process::run(&mut command)?;
    built_module(workspace, target, package, profile)
}

/// The path of a package's module that was built by a profile.
pub(crate) fn built_module(
    workspace: &Workspace,
    target: Target,
    package: &str,
    profile: &str,
) -> Result<PathBuf> {
    let name = format!("{}.wasm", package.replace('-', "_"));
    existing(workspace.target.join(target.triple()).join(profile).join(name))
}

/// Builds the program that serves the tests over libSQL, as they are built, and gives its path.
pub(crate) fn libsql_host(workspace: &Workspace) -> Result<PathBuf> {
    process::run(&mut workspace.cargo(["build", "--package", "tidegate-libsql-host"]))?;
    let name = format!("tidegate-libsql-host{}", std::env::consts::EXE_SUFFIX);
    existing(workspace.target.join("debug").join(name))
}

/// The path, if the build has left a file there.
pub(crate) fn existing(path: PathBuf) -> Result<PathBuf> {
    if !path.is_file() {
        bail!("the build left no `{}`", path.display());
    }
    Ok(path)
}
