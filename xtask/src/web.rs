//! The core as a WebAssembly module for V8, in Node.js and in browsers: built for the time that it
//! takes to load, as the npm package has it. `pkg-js/SIZE.md` says what that takes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::workspace::Workspace;
use crate::{artefacts, component, process, slim, toolchain};

/// The largest module that is accepted, in bytes as brotli leaves them.
const MOST_BYTES: usize = 500_000;

/// Builds and optimises a package's module, and gives its path.
pub(crate) fn module(workspace: &Workspace, package: &str) -> Result<PathBuf> {
    let built = build(workspace, package)?;
    let place = scratch(workspace)?.join(built.file_name().context("a module has a name")?);
    optimise(workspace, &built, &place)?;
    Ok(place)
}

/// Builds a package's module and gives its path as rustc left it.
pub(crate) fn build(workspace: &Workspace, package: &str) -> Result<PathBuf> {
    let scratch = scratch(workspace)?;
    // The edited crates come from elsewhere than the lock file says, so cargo writes another.
    let lock = scratch.join("Cargo.lock");
    fs::copy(workspace.root.join("Cargo.lock"), &lock)?;

    let mut command = workspace.cargo(["build", "--profile", "web", "--package", package]);
    let mut configure = |setting: &str, path: &Path| {
        command.arg("--config").arg(format!("{setting}='{}'", path.display()));
    };
    for (name, directory) in slim::crates(workspace, &scratch.join("crates"))? {
        configure(&format!("patch.crates-io.{name}.path"), &directory);
    }
    configure("resolver.lockfile-path", &lock);
    command.args(["-Z", "lockfile-path"]);
    toolchain::small(workspace)?.apply(&mut command);
    process::run(&mut command)?;
    let name = format!("{}.wasm", package.replace('-', "_"));
    let target = toolchain::Target::Unknown.triple();
    artefacts::existing(workspace.target.join(target).join("web").join(name))
}

/// Puts the optimised form of the module `built` at `place`, unless it is there already, and refuses one
/// that is too large.
pub(crate) fn optimise(workspace: &Workspace, built: &Path, place: &Path) -> Result<()> {
    let scratch = scratch(workspace)?;
    let module = fs::read(built).with_context(|| format!("`{}`", built.display()))?;
    let mut made_from = place.as_os_str().to_owned();
    made_from.push(".made-from");
    let made_from = scratch.join(Path::new(&made_from).file_name().context("a module has a name")?);
    if !component::is_made_from(place, &made_from, &module) {
        fs::write(place, component::optimise(workspace, &scratch, 0, &module)?)?;
        fs::write(made_from, &module)?;
    }
    let (bytes, compressed) = (fs::metadata(place)?.len(), compressed(place)?);
    println!("module: {compressed} bytes as brotli, {bytes} without, {} before wasm-opt", module.len());
    ensure!(
        compressed <= MOST_BYTES,
        "the module has {compressed} bytes as brotli, and {MOST_BYTES} are the most that it may have"
    );
    Ok(())
}

/// How many bytes brotli makes of a file, at its best.
fn compressed(file: &Path) -> Result<usize> {
    const PROGRAM: &str = "
        const { brotliCompressSync, constants } = require('node:zlib');
        const bytes = require('node:fs').readFileSync(process.argv[1]);
        const params = {
            [constants.BROTLI_PARAM_QUALITY]: 11,
            [constants.BROTLI_PARAM_LGWIN]: 24,
            [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
        };
        console.log(brotliCompressSync(bytes, { params }).length);
    ";
    let text = process::text(Command::new("node").args(["-e", PROGRAM]).arg(file))?;
    text.trim().parse().context("node prints a number")
}

fn scratch(workspace: &Workspace) -> Result<PathBuf> {
    let scratch = workspace.target.join("xtask/web");
    fs::create_dir_all(&scratch)?;
    Ok(scratch)
}
