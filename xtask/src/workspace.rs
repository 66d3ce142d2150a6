//! Where the workspace and its build directory are.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;

/// The workspace that this program was built from.
pub(crate) struct Workspace {
    /// The directory of the root manifest.
    pub(crate) root: PathBuf,
    /// Where cargo builds to, as the user's settings have it.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Asks cargo, because `CARGO_TARGET_DIR` and cargo's configuration both have a say.
    pub(crate) fn locate() -> Result<Self> {
        let mut command = Command::new(cargo());
        command.args(["metadata", "--format-version=1", "--no-deps"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        let metadata: Value = serde_json::from_slice(&process::output(&mut command)?)?;
        let directory = |member| {
            metadata
                .get(member)
                .and_then(Value::as_str)
                .map(PathBuf::from)
                .with_context(|| format!("cargo metadata gives no `{member}`"))
        };
        Ok(Self { root: directory("workspace_root")?, target: directory("target_directory")? })
    }

    /// A cargo command at the workspace's root.
    pub(crate) fn cargo<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = Command::new(cargo());
        command.args(arguments).current_dir(&self.root);
        command
    }
}

/// The cargo that runs this program, so that a `+toolchain` holds for what it starts.
fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
