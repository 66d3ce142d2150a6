//! The Spin component: built, made small, and put where `spin.toml` expects it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use wasm_encoder::{Component, ComponentSectionId, RawSection};
use wasmparser::{Parser, Payload};

use crate::toolchain::{self, Target};
use crate::workspace::Workspace;
use crate::{artefacts, process, slim, tools};

/// The largest component that is accepted, in bytes: a cold start reads all of it.
const MOST_BYTES: usize = 3_500_000;

/// What `wasm-opt` may find in a module and leave in it: what rustc's target has. More would let it
/// use what a host may lack.
const FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
];

/// Builds a component's package and gives the path of the component as rustc left it.
pub(crate) fn build(workspace: &Workspace, package: &str) -> Result<PathBuf> {
    module(workspace, Target::Wasip2, package)
}

/// Builds a package's module as those of the component are built, and gives its path.
fn module(workspace: &Workspace, target: Target, package: &str) -> Result<PathBuf> {
    let mut command = workspace.cargo(["build", "--profile", "component", "--package", package]);
    slim::apply(workspace, &mut command)?;
    toolchain::ensure(workspace, target)?.apply(&mut command);
    process::run(&mut command)?;
    artefacts::built_module(workspace, target, package, "component")
}

/// Builds the component that is shipped, and gives its path.
pub(crate) fn shipped(workspace: &Workspace) -> Result<PathBuf> {
    let built = build(workspace, "tidegate-spin")?;
    let place = workspace.root.join("host-spin/tidegate.wasm");
    optimised(workspace, &built, &place)?;
    Ok(place)
}

/// Puts the optimised form of the component `built` at `place`, unless it is there already.
fn optimised(workspace: &Workspace, built: &Path, place: &Path) -> Result<()> {
    let scratch = workspace.target.join("xtask/component");
    made(place, &scratch, built, |component| {
        let small = with_modules(component, |number, module| optimise(workspace, &scratch, number, module))?;
        println!("component: {} bytes, {} before wasm-opt", small.len(), component.len());
        ensure!(
            small.len() <= MOST_BYTES,
            "the component has {} bytes, and {MOST_BYTES} are the most that it may have",
            small.len()
        );
        Ok(small)
    })
}

/// Builds the guest module as the component's modules are built and optimised, and gives its path.
pub(crate) fn optimised_guest(workspace: &Workspace) -> Result<PathBuf> {
    let built = module(workspace, Target::Unknown, "tidegate-guest")?;
    let scratch = workspace.target.join("xtask/guest");
    let place = scratch.join("tidegate.wasm");
    made(&place, &scratch, &built, |module| optimise(workspace, &scratch, 0, module))?;
    Ok(place)
}

/// Puts at `place` what `make` makes of the file `built`, unless what is there was made from the same:
/// optimising takes half a minute. What it was made from is kept in the directory `scratch`.
pub(crate) fn made(
    place: &Path,
    scratch: &Path,
    built: &Path,
    make: impl FnOnce(&[u8]) -> Result<Vec<u8>>,
) -> Result<()> {
    fs::create_dir_all(scratch)?;
    let source = fs::read(built).with_context(|| format!("`{}`", built.display()))?;
    let made_from = scratch.join("made-from.wasm");
    if place.is_file() && fs::read(&made_from).is_ok_and(|before| before == source) {
        return Ok(());
    }
    fs::write(place, make(&source)?)?;
    Ok(fs::write(made_from, source)?)
}

/// The component with each of its own modules replaced by what `change` makes of it.
fn with_modules(
    component: &[u8],
    mut change: impl FnMut(usize, &[u8]) -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    let mut changed = Component::new();
    let mut modules = 0;
    // How many modules and components deep the parser is; what is in one is copied with it.
    let mut depth = 0_usize;
    let slice = |range| component.get::<std::ops::Range<usize>>(range).context("a section ends too late");
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { unchecked_range, .. } => {
                if depth == 0 {
                    let module = change(modules, slice(unchecked_range)?)?;
                    changed.section(&RawSection { id: ComponentSectionId::CoreModule as u8, data: &module });
                    modules += 1;
                }
                depth += 1;
            }
            Payload::ComponentSection { unchecked_range, .. } => {
                if depth == 0 {
                    let data = slice(unchecked_range)?;
                    changed.section(&RawSection { id: ComponentSectionId::Component as u8, data });
                }
                depth += 1;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            other => {
                if depth == 0
                    && let Some((id, range)) = other.as_section()
                {
                    changed.section(&RawSection { id, data: slice(range)? });
                }
            }
        }
    }
    if modules == 0 {
        bail!("this is no component: there is no module in it");
    }
    Ok(changed.finish())
}

/// What `wasm-opt` makes of a module.
pub(crate) fn optimise(
    workspace: &Workspace,
    scratch: &Path,
    number: usize,
    module: &[u8],
) -> Result<Vec<u8>> {
    // Those that only pass calls on have nothing to gain.
    if module.len() < 16 * 1024 {
        return Ok(module.to_vec());
    }
    let (from, to) = (scratch.join(format!("{number}.wasm")), scratch.join(format!("{number}-small.wasm")));
    fs::write(&from, module)?;
    let mut command = Command::new("node");
    command.arg(tools::wasm_opt(workspace)?).args(["-Oz", "--converge", "--strip-producers"]).args(FEATURES);
    process::run(command.arg(&from).arg("-o").arg(&to))?;
    Ok(fs::read(to)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{CustomSection, Module, ModuleSection};

    #[test]
    fn only_a_component_s_own_modules_are_changed() {
        let custom = |name: &'static str| CustomSection { name: name.into(), data: (&b"data"[..]).into() };
        let mut inner = Module::new();
        inner.section(&custom("of the module"));
        let mut nested = Component::new();
        nested.section(&ModuleSection(&inner));
        let mut component = Component::new();
        component.section(&ModuleSection(&inner));
        component.section(&wasm_encoder::NestedComponentSection(&nested));
        component.section(&custom("of the component"));
        let component = component.finish();

        let same = with_modules(&component, |_, module| Ok(module.to_vec())).unwrap();
        assert_eq!(same, component);
        let mut seen = Vec::new();
        let changed = with_modules(&component, |number, module| {
            seen.push((number, module.to_vec()));
            Ok(Module::new().finish())
        })
        .unwrap();
        assert_eq!(seen, [(0, inner.clone().finish())]);
        assert_eq!(changed.len(), component.len() - inner.finish().len() + Module::new().finish().len());
        assert!(with_modules(&Component::new().finish(), |_, module| Ok(module.to_vec())).is_err());
    }
}
