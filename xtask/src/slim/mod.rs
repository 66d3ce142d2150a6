//! Dependencies without the parts that the gate never runs, for what is shipped as WebAssembly: the module
//! of the npm package and the component.
//!
//! What is left out cannot be reached in the gate, but the compiler cannot know: it hangs on a value at
//! run time, or stands in a table of methods. Where the crates offer no feature to leave it out, their
//! sources are copied, edited and built in their place. Each edit has to fit exactly, so that another
//! version of a crate is refused until somebody has looked at it; the compiler checks the rest, and
//! the tests run each vector on the module. What each edit brings is in `pkg-js/SIZE.md`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process;
use crate::workspace::Workspace;

/// One text of a file, and what takes its place.
struct Edit {
    file: &'static str,
    from: &'static str,
    to: &'static str,
    /// How often it stands there.
    times: usize,
}

const fn edit(file: &'static str, from: &'static str, to: &'static str) -> Edit {
    Edit { file, from, to, times: 1 }
}

/// In `jsonschema`.
const JSONSCHEMA: [Edit; 20] = [
    // The edits leave much unused.
    edit("src/lib.rs", "#![allow(clippy::unnecessary_wraps)]\n", "#![allow(warnings)]\n"),
    // Each build checks its schema against the meta-schema once more, with a second copy of all keywords:
    // one for `serde_json::Value`. The gate builds only what `admission::check_meta_schema` has passed,
    // and parts of it; and no part is of another dialect, which `admission::check_dialect_at` refuses.
    edit(
        "src/compiler.rs",
        "    // Boolean schemas are always valid per the spec, skip validation\n",
        "    return Ok(());\n",
    ),
    // For the same reason the keywords of other drafts are never asked for,
    edit(
        "src/keywords/mod.rs",
        "    match (ctx.draft(), keyword) {\n        // Keywords common",
        "    match (Draft::Draft202012, keyword) {\n        // Keywords common",
    ),
    // nor is any content decoded, which only draft 6 and draft 7 do.
    edit(
        "src/options.rs",
        "            DEFAULT_CONTENT_ENCODING_CHECKS_AND_CONVERTERS\n                .get(content_encoding)\n                .copied()\n",
        "            None\n",
    ),
    // The gate never asks for the output formats of JSON Schema: `evaluate` leaves the table of methods.
    edit(
        "src/validator.rs",
        "    ) -> EvaluationResult {\n        let _ = instance_location;",
        "    ) -> EvaluationResult where Self: Sized {\n        let _ = instance_location;",
    ),
    edit(
        "src/validator.rs",
        "    ) -> EvaluationResult {\n        let mut collected",
        "    ) -> EvaluationResult where Self: Sized {\n        let mut collected",
    ),
    edit(
        "src/validator.rs",
        "/// `evaluate` for a keyword that asserts on the instance alone and annotates nothing: a valid\n",
        "impl<F: Json> dyn Validate<F> {
    pub(crate) fn left_out_evaluate(
        &self,
        _: &F::Node<'_>,
        _: &LazyLocation,
        _: Option<&RefTracker>,
        _: &mut ValidationContext,
    ) -> EvaluationResult {
        unimplemented!()
    }

    pub(crate) fn left_out_evaluate_with_location(
        &self,
        _: &F::Node<'_>,
        _: &LazyLocation,
        _: InstancePosition,
        _: Option<&RefTracker>,
        _: &mut ValidationContext,
    ) -> EvaluationResult {
        unimplemented!()
    }
}

/// `evaluate` for a keyword that asserts on the instance alone and annotates nothing: a valid\n",
    ),
    edit(
        "src/keywords/items.rs",
        "self.type_validator.evaluate_with_location(",
        "self.type_validator.left_out_evaluate_with_location(",
    ),
    edit("src/keywords/items.rs", "=> cold.evaluate(", "=> cold.left_out_evaluate("),
    edit(
        "src/keywords/ref_.rs",
        "        self.inner.evaluate_with_location(
            instance,
            location,
            instance_location,
            Some(&child_tracker),
            ctx,
        )
    }

    /// Returns",
        "        self.inner.left_out_evaluate_with_location(
            instance,
            location,
            instance_location,
            Some(&child_tracker),
            ctx,
        )
    }

    /// Returns",
    ),
    Edit {
        file: "src/keywords/required.rs",
        from: "            .evaluate_with_location(",
        to: "            .left_out_evaluate_with_location(",
        times: 2,
    },
    Edit {
        file: "src/keywords/required.rs",
        from: "self.inner.evaluate(",
        to: "self.inner.left_out_evaluate(",
        times: 2,
    },
    edit(
        "src/node.rs",
        "parts.validator.evaluate_with_location(",
        "parts.validator.left_out_evaluate_with_location(",
    ),
    edit(
        "src/node.rs",
        "                    validator.evaluate(",
        "                    validator.left_out_evaluate(",
    ),
    // The gate's patterns run on the linear engine: the options of the other one cannot be made.
    edit(
        "src/options.rs",
        "    FancyRegex {
        backtrack_limit: Option<usize>,
        size_limit: Option<usize>,
        dfa_size_limit: Option<usize>,
    },",
        "    FancyRegex {
        backtrack_limit: Option<usize>,
        size_limit: Option<usize>,
        dfa_size_limit: Option<usize>,
        never: std::convert::Infallible,
    },",
    ),
    edit(
        "src/options.rs",
        "                dfa_size_limit,\n            } => backtrack_limit",
        "                dfa_size_limit,\n                ..\n            } => backtrack_limit",
    ),
    edit(
        "src/options.rs",
        "            inner: PatternEngineOptions::FancyRegex {
                backtrack_limit: None,
                size_limit: None,
                dfa_size_limit: None,
            },",
        "            inner: unimplemented!(),",
    ),
    edit(
        "src/options.rs",
        "        PatternEngineOptions::FancyRegex {
            backtrack_limit: None,
            size_limit: None,
            dfa_size_limit: None,
        }
",
        "        PatternEngineOptions::Regex {
            size_limit: None,
            dfa_size_limit: None,
        }
",
    ),
    edit(
        "src/compiler.rs",
        "                    dfa_size_limit,\n                } => (backtrack_limit",
        "                    dfa_size_limit,\n                    ..\n                } => (backtrack_limit",
    ),
    edit(
        "src/canonical/context.rs",
        "            dfa_size_limit,\n        } => crate::regex::build_fancy_regex(",
        "            dfa_size_limit,\n            ..\n        } => crate::regex::build_fancy_regex(",
    ),
];

/// In `regex`. The lazy DFA answers whether there is a match, and the NFA where it gives up. The
/// other engines are for positions and captures; the search for literals is for long texts.
const REGEX: [Edit; 3] = [
    edit("Cargo.toml", "    \"perf-onepass\",\n", ""),
    edit("Cargo.toml", "    \"perf-backtrack\",\n", ""),
    edit("Cargo.toml", "    \"perf-literal\",\n", ""),
];

/// In place of the whole of `fancy-regex`.
const FANCY_REGEX: &str = include_str!("fancy_regex.rs");

/// Where the edited crates are.
pub(crate) fn directory(workspace: &Workspace) -> PathBuf {
    workspace.target.join("xtask/slim")
}

/// Turns a cargo command into one that builds with the edited crates. `Cargo.lock` stays as it is.
pub(crate) fn apply(workspace: &Workspace, command: &mut Command) -> Result<()> {
    let scratch = directory(workspace);
    let crates = crates(workspace, &scratch)?;
    // The edited crates come from elsewhere than the lock file says, so cargo writes another.
    let lock = scratch.join("Cargo.lock");
    fs::copy(workspace.root.join("Cargo.lock"), &lock)?;
    let mut configure = |setting: &str, path: &Path| {
        command.arg("--config").arg(format!("{setting}='{}'", path.display()));
    };
    for (name, directory) in crates {
        configure(&format!("patch.crates-io.{name}.path"), &directory);
    }
    configure("resolver.lockfile-path", &lock);
    // A stable cargo takes `-Z` only with this.
    command.args(["-Z", "lockfile-path"]).env("RUSTC_BOOTSTRAP", "1");
    Ok(())
}

/// The directories of the edited crates, by the names of the crates.
fn crates(workspace: &Workspace, scratch: &Path) -> Result<Vec<(&'static str, PathBuf)>> {
    let mut command = workspace.cargo(["metadata", "--format-version=1", "--locked"]);
    let metadata: Value = serde_json::from_slice(&process::output(&mut command)?)?;
    let edited = |name, edits: &[Edit]| {
        let (_, source) = locked(&metadata, name)?;
        let place = scratch.join(name);
        let stamp = edits.iter().fold(source.display().to_string(), |stamp, edit| {
            format!("{stamp}\n{}\n{}\n{}", edit.file, edit.from, edit.to)
        });
        renew(&place, &stamp, || {
            copy(&source, &place)?;
            for edit in edits {
                change(&place, edit).with_context(|| format!("`{name}` is another than was looked at"))?;
            }
            // Keeps it out of this workspace.
            append(&place.join("Cargo.toml"), "\n[workspace]\n")
        })?;
        anyhow::Ok((name, place))
    };
    let stub = || {
        let name = "fancy-regex";
        let (version, _) = locked(&metadata, name)?;
        let place = scratch.join(name);
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2024\"\n\n[workspace]\n"
        );
        renew(&place, &format!("{manifest}{FANCY_REGEX}"), || {
            fs::create_dir_all(place.join("src"))?;
            fs::write(place.join("Cargo.toml"), &manifest)?;
            Ok(fs::write(place.join("src/lib.rs"), FANCY_REGEX)?)
        })?;
        anyhow::Ok((name, place))
    };
    Ok(vec![edited("jsonschema", &JSONSCHEMA)?, edited("regex", &REGEX)?, stub()?])
}

/// The version and the directory of the one package of that name.
fn locked(metadata: &Value, name: &str) -> Result<(String, PathBuf)> {
    let packages = metadata.get("packages").and_then(Value::as_array).context("cargo names no packages")?;
    let mut found = packages.iter().filter(|package| package.get("name").is_some_and(|found| found == name));
    let package = found.next().with_context(|| format!("there is no `{name}`"))?;
    ensure!(found.next().is_none(), "there is more than one `{name}`");
    let text = |member: &str| package.get(member).and_then(Value::as_str);
    let directory = text("manifest_path").and_then(|manifest| Path::new(manifest).parent());
    let version = text("version").context("cargo names no version")?;
    Ok((version.to_owned(), directory.context("cargo names no manifest")?.to_owned()))
}

/// Has `make` make what is at `place`, unless it was made from the same: cargo looks at times.
fn renew(place: &Path, stamp: &str, make: impl FnOnce() -> Result<()>) -> Result<()> {
    let stamped = place.with_extension("made-from");
    if place.is_dir() && fs::read_to_string(&stamped).is_ok_and(|before| before == stamp) {
        return Ok(());
    }
    if place.exists() {
        fs::remove_dir_all(place)?;
    }
    make()?;
    Ok(fs::write(stamped, stamp)?)
}

fn change(place: &Path, edit: &Edit) -> Result<()> {
    let file = place.join(edit.file);
    let text = fs::read_to_string(&file).with_context(|| format!("`{}`", edit.file))?;
    let times = text.matches(edit.from).count();
    ensure!(times == edit.times, "`{}` has {times} of `{}`", edit.file, edit.from);
    Ok(fs::write(file, text.replace(edit.from, edit.to))?)
}

fn append(file: &Path, text: &str) -> Result<()> {
    let before = fs::read_to_string(file)?;
    Ok(fs::write(file, before + text)?)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&from, &to)?;
        } else {
            fs::copy(from, to)?;
        }
    }
    Ok(())
}
