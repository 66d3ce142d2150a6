//! The shortened benchmarks of the server: all of them work, and find what they expect. What is measured is
//! built as the tests are, so the figures say nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The environment variable with the program that stands for what a user would write; without it, only
/// ours is run.
const FASTIFY: &str = "TIDEGATE_FASTIFY";

/// The server, which the same run of Cargo has built beside these programs if it tests the workspace.
fn tidegate() -> Option<PathBuf> {
    let program = format!("tidegate{}", std::env::consts::EXE_SUFFIX);
    let path = Path::new(env!("CARGO_BIN_EXE_server")).with_file_name(program);
    if path.is_file() {
        return Some(path);
    }
    println!("skipped: there is no `{}`; `cargo build -p tidegate` makes it", path.display());
    None
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

/// One after the other: each of them has both cores busy.
#[test]
fn the_server_s_benchmarks_work() -> Result<()> {
    let Some(tidegate) = tidegate() else { return Ok(()) };
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));

    let mut growth = Command::new(env!("CARGO_BIN_EXE_growth"));
    growth.arg("--program").arg(&tidegate).arg("--directory").arg(directory).arg("--quick");
    run(&mut growth)?;

    let mut server = Command::new(env!("CARGO_BIN_EXE_server"));
    server.arg("--tidegate").arg(&tidegate).arg("--directory").arg(directory.join("server")).arg("--quick");
    if let Some(fastify) = std::env::var_os(FASTIFY).filter(|path| !path.is_empty()) {
        server.arg("--fastify").arg(fastify);
    }
    run(&mut server)
}
