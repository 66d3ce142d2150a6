//! `cargo xtask run`: the worked example, served on this machine.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::artefacts;
use crate::workspace::Workspace;

/// Builds the server and becomes it.
///
/// Its database and its admin token are kept below the build directory, so that the next run
/// finds what this one stored, and a console that is still open keeps working.
pub(crate) fn serve(workspace: &Workspace, address: SocketAddr, allowed_origins: &[String]) -> Result<()> {
    eprintln!("run: building tidegate in release; the first time takes some minutes");
    let binary = artefacts::native(workspace)?;
    let home = workspace.target.join("demo");
    fs::create_dir_all(&home)?;
    let token = kept_token(&home.join("admin-token"))?;

    let mut command = Command::new(binary);
    command
        .arg("serve")
        .arg("--demo")
        .args(["--addr", &address.to_string()])
        .arg("--database")
        .arg(format!("sqlite:{}", home.join("tidegate.db").display()))
        // Not an argument: every user of a machine can list those.
        .env("TIDEGATE_ADMIN_TOKEN", token);
    for origin in allowed_origins {
        command.args(["--allow-origin", origin]);
    }
    become_it(&mut command)
}

/// Replaces this process, so that signals reach the server as they are sent.
#[cfg(unix)]
fn become_it(command: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    Err(command.exec()).context("tidegate does not start")
}

#[cfg(not(unix))]
fn become_it(command: &mut Command) -> Result<()> {
    crate::process::run(command)
}

/// The token in `file`, which is made at the first call.
fn kept_token(file: &Path) -> Result<String> {
    match fs::read_to_string(file) {
        Ok(token) if !token.trim().is_empty() => return Ok(token.trim().to_owned()),
        Ok(_) => fs::remove_file(file)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("`{}`", file.display())),
    }
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    writeln!(options.open(file)?, "{token}")?;
    Ok(token)
}
