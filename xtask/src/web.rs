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

/// Builds a package's module and gives its path as rustc left it.
pub(crate) fn build(workspace: &Workspace, package: &str) -> Result<PathBuf> {
    let mut command = workspace.cargo(["build", "--profile", "web", "--package", package]);
    slim::apply(workspace, &mut command)?;
    toolchain::small(workspace)?.apply(&mut command);
    process::run(&mut command)?;
    artefacts::built_module(workspace, toolchain::Target::Web, package, "web")
}

/// What `wasm-opt` makes of a module, if that is not too large.
pub(crate) fn optimise(workspace: &Workspace, scratch: &Path, module: &[u8]) -> Result<Vec<u8>> {
    let small = component::optimise(workspace, scratch, 0, module)?;
    let file = scratch.join("small.wasm");
    fs::write(&file, &small)?;
    let compressed = compressed(&file)?;
    println!(
        "module: {compressed} bytes as brotli, {} without, {} before wasm-opt",
        small.len(),
        module.len()
    );
    ensure!(
        compressed <= MOST_BYTES,
        "the module has {compressed} bytes as brotli, and {MOST_BYTES} are the most that it may have"
    );
    Ok(small)
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
