//! `cargo xtask crash`: the server, built as it is shipped, is killed again and again.

use anyhow::Result;
use clap::Args;

use crate::workspace::Workspace;
use crate::{artefacts, process, tools};

/// What to kill, and how often.
#[derive(Args)]
pub(crate) struct Crash {
    /// How often something is killed
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// Where the server keeps its state: `sqlite`, `postgres` (one of the tests' own, which is killed,
    /// too), or the URL of an empty database
    #[arg(long, default_value = "sqlite")]
    database: String,
    /// What all choices follow from; without it, the time
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(workspace: &Workspace, crash: &Crash) -> Result<()> {
    if crash.database == "postgres" {
        tools::postgres();
    }
    let server = artefacts::native(workspace)?;
    let mut command =
        workspace.cargo(["run", "--package", "tidegate-tests", "--bin", "tidegate-crash", "--"]);
    command.arg("run").arg("--server").arg(server);
    command.args(["--kills", &crash.kills.to_string(), "--database", &crash.database]);
    if let Some(seed) = crash.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    process::run(&mut command)
}
