//! `cargo xtask bench`: builds what is measured as it is shipped, and measures it.

use anyhow::Result;
use clap::ValueEnum;

use crate::workspace::Workspace;
use crate::{artefacts, component, process};

/// What can be measured.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Subject {
    /// The Spin component, beside one that does nothing
    Edge,
}

pub(crate) fn run(workspace: &Workspace, subject: Subject) -> Result<()> {
    match subject {
        Subject::Edge => edge(workspace),
    }
}

fn edge(workspace: &Workspace) -> Result<()> {
    let shipped = component::shipped(workspace)?;
    let noop = component::build(workspace, "tidegate-noop")?;
    let module = component::optimised_module(workspace, &artefacts::guest_as(workspace, "component")?)?;
    let mut command =
        workspace.cargo(["run", "--release", "--package", "tidegate-bench", "--bin", "edge", "--"]);
    command.arg("--component").arg(shipped);
    command.arg("--noop").arg(noop);
    command.arg("--module").arg(module);
    process::run(&mut command)
}
