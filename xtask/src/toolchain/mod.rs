//! Making WebAssembly buildable with whatever toolchain is here.
//!
//! Three ways, in this order: the target's standard library is installed; `rustup` installs it;
//! cargo builds it from the standard library's source. The third is for machines whose `rustup`
//! reaches no server, or that have none. The source is then taken from the toolchain, or else
//! from Debian, which packages it for each version (see `debian.rs`), as it does the C library that
//! components are linked with.

mod debian;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use crate::{process, slim};

/// A WebAssembly target that the project builds for.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// `wasm32-unknown-unknown`: the core alone, with no system below it.
    Unknown,
    /// The same, in JavaScript.
    Web,
    /// `wasm32-wasip2`: components. What comes out for Spin speaks WASI 0.3, which has no target of
    /// its own.
    Wasip2,
}

impl Target {
    pub(crate) fn triple(self) -> &'static str {
        match self {
            Self::Unknown | Self::Web => "wasm32-unknown-unknown",
            Self::Wasip2 => "wasm32-wasip2",
        }
    }

    /// What every build for the target is given, before what a caller adds.
    fn rustflags(self) -> &'static [&'static str] {
        match self {
            // Vector instructions are what digests are computed with; every browser of the last years
            // and every host of components has them.
            Self::Web | Self::Wasip2 => &["-Ctarget-feature=+simd128"],
            // Keeps the `wasm_js` feature that a dependency turns on from importing the
            // browser's random source; the guest has the function that this asks for.
            Self::Unknown => &["--cfg", r#"getrandom_backend="custom""#, "-Ctarget-feature=+simd128"],
        }
    }

    /// Whether its standard library stands on a C library that comes with the target.
    fn has_libc(self) -> bool {
        matches!(self, Self::Wasip2)
    }
}

/// How a target can be built here.
pub(crate) struct Toolchain {
    target: Target,
    /// Directories of this machine that panic messages would name, and what they name instead.
    renamed: Vec<(PathBuf, &'static str)>,
    standard_library: StandardLibrary,
    /// Where the target's C library is, if it did not come with the target.
    libc: Option<PathBuf>,
}

enum StandardLibrary {
    Installed,
    FromSource,
    /// From source, and for size: a panic is a trap without a message, and what it would have named is
    /// not in the module.
    Small,
}

/// What rustc is given for [`StandardLibrary::Small`]: no message, no place in a source, no text of
/// `{:?}`.
const SMALL: [&str; 4] =
    ["-Zunstable-options", "-Cpanic=immediate-abort", "-Zlocation-detail=none", "-Zfmt-debug=none"];

impl Toolchain {
    /// Turns a cargo command into one that builds for the target.
    ///
    /// The flags replace `RUSTFLAGS`, so that the artefact is the same whatever the user's shell
    /// sets; cargo gives them to the target's code only, not to build scripts.
    pub(crate) fn apply(&self, command: &mut Command) {
        command.args(["--target", self.target.triple()]);
        let mut flags: Vec<String> = self.target.rustflags().iter().map(|flag| (*flag).to_owned()).collect();
        for (directory, name) in &self.renamed {
            flags.push(format!("--remap-path-prefix={}={name}", directory.display()));
        }
        flags.extend(self.libc.iter().map(|libc| format!("-Lnative={}", libc.display())));
        match self.standard_library {
            StandardLibrary::Installed => {}
            StandardLibrary::FromSource => {
                command.args(["-Z", "build-std=std,panic_abort"]);
            }
            StandardLibrary::Small => {
                command.args(["-Z", "build-std=std,panic_abort"]);
                command.args(["-Z", "build-std-features=optimize_for_size"]);
                flags.extend(SMALL.map(str::to_owned));
            }
        }
        if !matches!(self.standard_library, StandardLibrary::Installed) {
            // A stable cargo takes `-Z` only with this.
            command.env("RUSTC_BOOTSTRAP", "1");
        }
        command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    }
}

/// Makes sure that `target` can be built, installing what is missing.
pub(crate) fn ensure(workspace: &Workspace, target: Target) -> Result<Toolchain> {
    let rust = Rust::locate()?;
    let installed = Toolchain {
        target,
        renamed: renamed(workspace),
        standard_library: StandardLibrary::Installed,
        libc: None,
    };
    let triple = target.triple();
    if rust.has_installed(target) {
        return Ok(installed);
    }
    // Saves each later call the time in which a rustup without a network gives up.
    let no_rustup = workspace.target.join(format!("xtask/{triple}-{}-from-source", rust.release));
    if !(no_rustup.exists() && rust.has_source()) {
        eprintln!("setup: {triple} is not installed; asking rustup for it");
        match process::output(Command::new("rustup").args(["target", "add", triple])) {
            Ok(_) if rust.has_installed(target) => {
                return Ok(installed);
            }
            Ok(_) => eprintln!("setup: rustup installed it for another toolchain than rustc's"),
            Err(error) => eprintln!("setup: rustup cannot: {}", first_line(&error)),
        }
        if rust.has_source() {
            eprintln!("setup: the standard library's source is here; cargo will build it");
        } else {
            debian::install_source(&rust, &workspace.target.join("xtask/debian"))
                .with_context(|| missing(&rust, triple))?;
        }
        std::fs::create_dir_all(workspace.target.join("xtask"))?;
        std::fs::write(&no_rustup, "")?;
    }
    let libc = rust.self_contained(target);
    if target.has_libc() && !libc.join("libc.a").is_file() {
        debian::install_libc(target, &libc, &workspace.target.join("xtask/debian"))
            .with_context(|| missing(&rust, triple))?;
    }
    let libc = target.has_libc().then_some(libc);
    Ok(Toolchain { standard_library: StandardLibrary::FromSource, libc, ..installed })
}

/// Makes sure that the core can be built with a standard library made for size, installing what is
/// missing.
pub(crate) fn small(workspace: &Workspace) -> Result<Toolchain> {
    let rust = Rust::locate()?;
    let target = Target::Web;
    if !rust.has_source() {
        eprintln!("setup: the standard library's source is not here; asking rustup for it");
        match process::output(Command::new("rustup").args(["component", "add", "rust-src"])) {
            Ok(_) if rust.has_source() => {}
            outcome => {
                match outcome {
                    Ok(_) => eprintln!("setup: rustup installed it for another toolchain than rustc's"),
                    Err(error) => eprintln!("setup: rustup cannot: {}", first_line(&error)),
                }
                debian::install_source(&rust, &workspace.target.join("xtask/debian"))
                    .with_context(|| missing(&rust, target.triple()))?;
            }
        }
    }
    Ok(Toolchain {
        target,
        renamed: renamed(workspace),
        standard_library: StandardLibrary::Small,
        libc: None,
    })
}

/// Directories that what is built would name. The workspace's own files are named as they stand in it.
fn renamed(workspace: &Workspace) -> Vec<(PathBuf, &'static str)> {
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let registry = cargo_home.map(|home| (home.join("registry/src"), "crates"));
    registry.into_iter().chain([(slim::directory(workspace), "crates")]).collect()
}

/// Unpacks the Debian package `package` for `program` in it, installing nothing, and gives the directory
/// of its files.
pub(crate) fn debian_program(workspace: &Workspace, package: &str, program: &Path) -> Result<PathBuf> {
    debian::unpack_program(package, program, &workspace.target.join("xtask/debian"))
}

/// The rustc that cargo uses here.
struct Rust {
    sysroot: PathBuf,
    /// Such as `1.95.0`.
    release: String,
}

impl Rust {
    fn locate() -> Result<Self> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let sysroot = process::text(Command::new(&rustc).args(["--print", "sysroot"]))?;
        let version = process::text(Command::new(&rustc).arg("-vV"))?;
        let release = version
            .lines()
            .find_map(|line| line.strip_prefix("release: "))
            .context("`rustc -vV` names no release")?;
        Ok(Self { sysroot: PathBuf::from(sysroot.trim_end()), release: release.to_owned() })
    }

    fn has_installed(&self, target: Target) -> bool {
        let libraries = self.sysroot.join("lib/rustlib").join(target.triple()).join("lib");
        // The directory alone proves nothing: other things put files there as well.
        libraries
            .read_dir()
            .is_ok_and(|entries| entries.flatten().any(|entry| is_std_library(&entry.file_name())))
    }

    /// Where rustc looks for a target's C library and what starts a program.
    fn self_contained(&self, target: Target) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(target.triple()).join("lib/self-contained")
    }

    /// Where cargo looks for the standard library's source.
    fn source(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust/library")
    }

    fn has_source(&self) -> bool {
        self.source().join("std/Cargo.toml").is_file() && self.source().join("Cargo.lock").is_file()
    }
}

fn is_std_library(name: &OsStr) -> bool {
    let extension = Path::new(name).extension();
    name.to_string_lossy().starts_with("libstd-") && extension == Some(OsStr::new("rlib"))
}

fn first_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    // rustup writes what it is doing first, and then what went wrong.
    text.lines()
        .find(|line| line.starts_with("error:"))
        .or_else(|| text.lines().next())
        .unwrap_or_default()
        .to_owned()
}

fn missing(rust: &Rust, triple: &str) -> String {
    format!(
        "{triple} cannot be built here. It needs either the target itself \
         (`rustup target add {triple}`), or the standard library's source of Rust {release} in \
         `{source}` (`rustup component add rust-src`, or Debian's package rust-src {release})",
        release = rust.release,
        source = rust.source().display(),
    )
}
