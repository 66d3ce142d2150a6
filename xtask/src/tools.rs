//! The programs that check licences and spelling, the one that makes WebAssembly small, and what the
//! benchmarks need.
//!
//! Of the first, one on the PATH is taken as it is. Otherwise cargo builds it once, into the build
//! directory, which takes about two minutes a program on two cores. The second comes from npm, at
//! one version, so that the same sources give the same artefact everywhere. The others are taken from
//! the PATH, or from Debian's packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use crate::{process, toolchain};

/// A program that cargo installs.
struct Tool {
    program: &'static str,
    package: &'static str,
    /// Pinned, so that the same sources pass tomorrow.
    version: &'static str,
}

const DENY: Tool = Tool { program: "cargo-deny", package: "cargo-deny", version: "0.20.2" };

const TYPOS: Tool = Tool { program: "typos", package: "typos-cli", version: "1.52.0" };

impl Tool {
    fn ensure(&self, workspace: &Workspace) -> Result<PathBuf> {
        let home = workspace.target.join("tools");
        let own = home.join("bin").join(format!("{}{}", self.program, std::env::consts::EXE_SUFFIX));
        for path in [PathBuf::from(self.program), own.clone()] {
            if process::succeeds(Command::new(&path).arg("--version")) {
                return Ok(path);
            }
        }
        eprintln!("setup: building {} {}", self.package, self.version);
        let mut command = workspace.cargo(["install", "--locked", "--quiet"]);
        command.args(["--version", self.version, self.package, "--root"]).arg(&home);
        process::run(&mut command)?;
        Ok(own)
    }
}

/// The npm package with `wasm-opt`, and its version.
const BINARYEN: (&str, &str) = ("binaryen", "132.0.0");

/// The path of `wasm-opt`, which is a program for Node.js.
pub(crate) fn wasm_opt(workspace: &Workspace) -> Result<PathBuf> {
    let (package, version) = BINARYEN;
    let home = workspace.target.join("tools").join(format!("{package}-{version}"));
    let program = home.join("node_modules").join(package).join("bin/wasm-opt");
    if !program.is_file() {
        eprintln!("setup: installing {package} {version} from npm, for wasm-opt");
        fs::create_dir_all(&home)?;
        let mut command = Command::new("npm");
        command.args(["install", "--silent", "--no-audit", "--no-fund", "--no-save", "--prefix"]).arg(&home);
        process::run(command.arg(format!("{package}@{version}")))
            .context("wasm-opt is needed, from npm; npm comes with Node.js")?;
    }
    Ok(program)
}

/// Installs the npm packages that the lock file of a directory names, unless they are there.
pub(crate) fn npm_packages(directory: &Path) -> Result<()> {
    let lock = fs::read(directory.join("package-lock.json"))?;
    let installed = directory.join("node_modules/.installed-from");
    if fs::read(&installed).is_ok_and(|before| before == lock) {
        return Ok(());
    }
    eprintln!("setup: installing the npm packages of {}", directory.display());
    let mut command = Command::new("npm");
    // None of them has to run anything of its own to be installed.
    command.args(["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(directory);
    process::run(&mut command).context("npm comes with Node.js")?;
    Ok(fs::write(installed, lock)?)
}

/// Makes the part of an installed npm package that is not JavaScript, unless it is there: a prebuilt one is
/// fetched by the package itself, or compiled.
pub(crate) fn npm_addon(directory: &Path, package: &str, addon: &str) -> Result<()> {
    if directory.join("node_modules").join(package).join(addon).is_file() {
        return Ok(());
    }
    eprintln!("setup: building the npm package {package}; where it has to be compiled, that takes a minute");
    let mut command = Command::new("npm");
    command.args(["rebuild", "--silent", package]).current_dir(directory);
    process::run(&mut command).with_context(|| format!("{package} cannot be built here"))
}

/// The Chromium of this machine, which apt installs if it may.
pub(crate) fn chromium() -> Option<PathBuf> {
    let found = || ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(on_path);
    found().or_else(|| {
        debian_install("chromium");
        found()
    })
}

/// Makes sure that the tests find PostgreSQL's programs, which apt installs if it may; says how to get
/// them otherwise.
pub(crate) fn postgres() {
    if has_postgres() {
        return;
    }
    // The package would make a cluster and serve it, where the tests make their own.
    let none = Path::new("/etc/postgresql-common/createcluster.d/tidegate.conf");
    let told = is_root()
        && none.parent().is_some_and(|directory| fs::create_dir_all(directory).is_ok())
        && fs::write(none, "create_main_cluster = false\n").is_ok();
    debian_install("postgresql");
    if told {
        // Who installs PostgreSQL later, for other purposes, gets what they expect.
        let _ = fs::remove_file(none);
    }
    if !has_postgres() {
        println!(
            "skipped: what needs PostgreSQL, which is not here; on Debian, `apt-get install postgresql`, \
             or name a server in TIDEGATE_TEST_DATABASE_URL"
        );
    }
}

/// Looks where the tests do.
fn has_postgres() -> bool {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    on_path("initdb").is_some()
        || debian.into_iter().any(|version| version.path().join("bin/initdb").is_file())
}

fn is_root() -> bool {
    process::text(Command::new("id").arg("-u")).is_ok_and(|user| user.trim_end() == "0")
}

/// Installs a package of Debian, where this is one and the user may.
fn debian_install(package: &str) {
    if !is_root() {
        return;
    }
    eprintln!("setup: installing {package} from Debian");
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        process::succeeds(command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let install = ["install", "--yes", "--no-install-recommends", package];
    // The lists may be missing, as in a container image, or too old.
    let _ = apt(&install) || (apt(&["update"]) && apt(&install));
}

/// Where the PATH has a program of that name.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|program| program.is_file())
}

/// Valgrind, as it is installed or as it was unpacked.
pub(crate) struct Valgrind {
    /// The directory of the package's files, if it is not installed.
    unpacked: Option<PathBuf>,
}

impl Valgrind {
    const PROGRAM: &str = "usr/bin/valgrind";

    /// A command that takes valgrind's arguments.
    pub(crate) fn command(&self) -> Command {
        let Some(directory) = &self.unpacked else { return Command::new("valgrind") };
        let mut command = Command::new(directory.join(Self::PROGRAM));
        // Where it looks for its tools otherwise is fixed.
        command.env("VALGRIND_LIB", directory.join("usr/libexec/valgrind"));
        command
    }
}

/// Finds valgrind, or unpacks it from Debian's package; says how to get it where neither can be done.
pub(crate) fn valgrind(workspace: &Workspace) -> Option<Valgrind> {
    let works = |valgrind: &Valgrind| {
        process::succeeds(valgrind.command().args([
            "--quiet",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "true",
        ]))
    };
    let installed = Valgrind { unpacked: None };
    if works(&installed) {
        return Some(installed);
    }
    let directory = workspace.target.join("tools/valgrind");
    let unpacked = Valgrind { unpacked: Some(directory.clone()) };
    if works(&unpacked) {
        return Some(unpacked);
    }
    let unpack = || {
        let tree = toolchain::debian_program(workspace, "valgrind", Path::new(Valgrind::PROGRAM))?;
        std::fs::create_dir_all(workspace.target.join("tools"))?;
        std::fs::rename(tree, &directory)?;
        anyhow::Ok(())
    };
    let reason = match unpack() {
        Ok(()) if works(&unpacked) => return Some(unpacked),
        Ok(()) => "the one from Debian's package does not run here".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    println!("skipped: instructions; valgrind is not here ({reason}); on Debian, `apt-get install valgrind`");
    None
}

/// Checks licences, bans and sources of all dependencies, and known vulnerabilities.
///
/// The vulnerabilities are in a database that has to be fetched, so without a network that part
/// is skipped, and says so.
pub(crate) fn licences(workspace: &Workspace) -> Result<()> {
    let program = DENY.ensure(workspace)?;
    let deny = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(arguments).current_dir(&workspace.root);
        command
    };
    process::run(&mut deny(&["check", "bans", "licenses", "sources"]))?;
    if process::succeeds(&mut deny(&["fetch", "db"])) {
        process::run(&mut deny(&["check", "--disable-fetch", "advisories"]))
    } else {
        println!(
            "skipped: known vulnerabilities; the advisory database cannot be fetched \
             (with a network, `cargo deny check advisories`)"
        );
        Ok(())
    }
}

/// Checks the spelling of everything that git would take.
pub(crate) fn spelling(workspace: &Workspace) -> Result<()> {
    process::run(Command::new(TYPOS.ensure(workspace)?).current_dir(&workspace.root))
}
