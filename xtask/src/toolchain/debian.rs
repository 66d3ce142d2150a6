//! The standard library's source from Debian's package `rust-src`, and the C library of WASI from
//! `wasi-libc`.
//!
//! A package is fetched from the mirror that apt is configured with, checked against Debian's
//! keys by apt itself, and unpacked. Nothing is installed, and apt's own lists stay as they are.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Rust, Target};
use crate::process;

/// Where a newer Rust than a release's own is published for it.
const BACKPORTS: &str = "trixie-backports";

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Puts the source of `rust`'s version where cargo looks for it; `scratch` is for the download.
pub(super) fn install_source(rust: &Rust, scratch: &Path) -> Result<()> {
    let library = PathBuf::from(format!("usr/src/rustc-{}/library", rust.release));
    let tree = Mirror::configured()?.find("rust-src", Some(&rust.release), &library, scratch)?;
    // Its vendored dependencies are Debian's; cargo takes those that Cargo.lock names instead.
    copy_into_place(&tree, &rust.source(), &["vendor"])
}

/// Puts a target's C library where rustc looks for it.
pub(super) fn install_libc(target: Target, place: &Path, scratch: &Path) -> Result<()> {
    let library = PathBuf::from("usr/lib").join(target.triple());
    let tree = Mirror::configured()?.find("wasi-libc", None, &library, scratch)?;
    copy_into_place(&tree, place, &[])
}

/// Unpacks a program's package, and gives the directory of its files.
pub(super) fn unpack_program(package: &str, program: &Path, scratch: &Path) -> Result<PathBuf> {
    let file = Mirror::configured()?.find(package, None, program, scratch)?;
    let depth = program.components().count();
    Ok(file.ancestors().nth(depth).context("the package has no root")?.to_owned())
}

/// The Debian mirror of this machine.
struct Mirror {
    address: String,
    /// What there is to look through: the machine's own suites, then those with newer packages.
    suites: Vec<String>,
}

impl Mirror {
    fn configured() -> Result<Self> {
        let release = fs::read_to_string("/etc/os-release").context("this is no Debian")?;
        let codename = release
            .lines()
            .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
            .context("this is no Debian: /etc/os-release has no VERSION_CODENAME")?;
        // Works with empty lists too, as in a container image.
        let addresses = process::text(Command::new("apt-get").args(["update", "--print-uris"]))?;
        Self::among(&addresses, codename).context("apt is configured with no mirror of its release")
    }

    /// Unpacks the package of that name, and of that upstream version where one is asked for, from the
    /// newest suite that has it with `path` in it; gives the path of that.
    fn find(&self, package: &str, release: Option<&str>, path: &Path, scratch: &Path) -> Result<PathBuf> {
        let wanted = release.map_or_else(|| package.to_owned(), |release| format!("{package} {release}"));
        for suite in self.suites.iter().rev() {
            let apt = Apt::new(scratch, &self.address, suite)?;
            eprintln!("setup: looking for {wanted} in {suite}");
            // A mirror need not have every suite.
            if !process::succeeds(apt.command("apt-get").arg("update")) {
                continue;
            }
            if let Some(version) = apt.version_of(package, release)? {
                eprintln!("setup: unpacking {package} {version}");
                let found = apt.unpack(package, &version)?.join(path);
                // An older one may be without it.
                if found.exists() {
                    return Ok(found);
                }
            }
        }
        bail!("no {wanted} in {}", self.suites.join(", "))
    }

    /// Picks the mirror out of what `apt-get update --print-uris` prints.
    ///
    /// Repositories of other makers name their suites otherwise, so the one that has a suite of
    /// the release's very name is the distribution's.
    fn among(addresses: &str, codename: &str) -> Option<Self> {
        let repositories: Vec<(&str, &str)> = addresses
            .lines()
            .filter_map(|line| line.strip_prefix('\'')?.split_once('\''))
            .filter_map(|(address, _)| address.strip_suffix("/InRelease")?.split_once("/dists/"))
            .collect();
        let (address, _) = repositories.iter().find(|(_, suite)| *suite == codename)?;
        let mut suites: Vec<String> = Vec::new();
        let own =
            repositories.iter().filter(|(other, _)| other == address).map(|(_, suite)| (*suite).to_owned());
        for suite in own.chain([format!("{codename}-backports"), BACKPORTS.to_owned()]) {
            if !suites.contains(&suite) {
                suites.push(suite);
            }
        }
        Some(Self { address: (*address).to_owned(), suites })
    }
}

/// Apt with lists, sources and a cache of its own, in one directory.
struct Apt {
    home: PathBuf,
}

impl Apt {
    fn new(scratch: &Path, mirror: &str, suite: &str) -> Result<Self> {
        let home = scratch.join(suite);
        for directory in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(home.join(directory))?;
        }
        // Without the file, apt checks with the keys that it trusts anyway.
        let keys =
            if Path::new(KEYRING).is_file() { format!("[signed-by={KEYRING}] ") } else { String::new() };
        let source = format!("deb {keys}{mirror} {suite} main\n");
        fs::write(home.join("sources.list"), source)?;
        Ok(Self { home })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let mut option = |name: &str, value: PathBuf| {
            let mut setting = OsString::from(name);
            setting.push("=");
            setting.push(value);
            command.arg("-o").arg(setting);
        };
        option("Dir::State::Lists", self.home.join("lists"));
        option("Dir::Cache", self.home.join("cache"));
        option("Dir::Etc::SourceList", self.home.join("sources.list"));
        option("Dir::Etc::SourceParts", PathBuf::from("/dev/null"));
        // Apt's own user may not write in this directory.
        command.args(["-o", "APT::Sandbox::User=root"]);
        command.current_dir(&self.home);
        command
    }

    /// The newest version of `package`, or the newest that is a build of `release`.
    fn version_of(&self, package: &str, release: Option<&str>) -> Result<Option<String>> {
        let table = process::text(self.command("apt-cache").args(["madison", package]))?;
        Ok(version_in(&table, release))
    }

    /// Downloads a package, which apt verifies, and gives the directory with its files.
    fn unpack(&self, package: &str, version: &str) -> Result<PathBuf> {
        process::output(self.command("apt-get").arg("download").arg(format!("{package}={version}")))?;
        let archive = fs::read_dir(&self.home)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.file_name().is_some_and(|name| is_archive_of(&name.to_string_lossy(), package)))
            .context("apt-get downloaded nothing")?;
        let tree = self.home.join(package);
        process::output(Command::new("dpkg").arg("-x").args([&archive, &tree]))?;
        Ok(tree)
    }
}

/// Picks the version out of what `apt-cache madison` prints, which is the newest first.
fn version_in(table: &str, release: Option<&str>) -> Option<String> {
    let is_build = |version: &&str| {
        release.is_none_or(|release| {
            version.strip_prefix(release).is_some_and(|rest| rest.starts_with(['+', '-', '~']))
        })
    };
    let versions = table.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim);
    versions.into_iter().find(is_build).map(str::to_owned)
}

fn is_archive_of(file: &str, package: &str) -> bool {
    file.strip_prefix(package).is_some_and(|rest| rest.starts_with('_')) && file.ends_with(".deb")
}

/// Copies a library, and has it appear under its name only when it is whole.
fn copy_into_place(library: &Path, place: &Path, leave_out: &[&str]) -> Result<()> {
    let parent = place.parent().context("the sysroot has no parent")?;
    let partial = parent.join(format!(".library-{}", std::process::id()));
    eprintln!("setup: copying it to {}", place.display());
    copy(library, &partial, leave_out)
        .and_then(|()| Ok(fs::rename(&partial, place)?))
        .with_context(|| format!("cannot write to {}", parent.display()))
        .inspect_err(|_| drop(fs::remove_dir_all(&partial)))
}

fn copy(from: &Path, to: &Path, leave_out: &[&str]) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if leave_out.iter().any(|left_out| name == *left_out) {
            continue;
        }
        // Follows links, as Debian has some of the files as links.
        if fs::metadata(entry.path())?.is_dir() {
            copy(&entry.path(), &to.join(name), &[])?;
        } else {
            fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_s_own_mirror_is_told_from_others() {
        let addresses = "\
'http://mirror.example/debian/dists/bookworm/InRelease' a 0 \n\
'http://mirror.example/debian/dists/bookworm-updates/InRelease' b 0 \n\
'http://mirror.example/debian-security/dists/bookworm-security/InRelease' c 0 \n\
'https://vendor.example/apt/dists/vendor-bookworm/InRelease' d 0 \n";
        let mirror = Mirror::among(addresses, "bookworm").unwrap();
        assert_eq!(mirror.address, "http://mirror.example/debian");
        assert_eq!(mirror.suites, ["bookworm", "bookworm-updates", "bookworm-backports", "trixie-backports"]);
        assert!(Mirror::among(addresses, "noble").is_none());
    }

    #[test]
    fn only_a_build_of_the_same_release_is_taken() {
        let table = "\
  rust-src | 1.95.0+dfsg1-2~bpo13+1 | http://mirror.example/debian trixie-backports/main\n";
        assert_eq!(version_in(table, Some("1.95.0")).as_deref(), Some("1.95.0+dfsg1-2~bpo13+1"));
        assert_eq!(version_in(table, Some("1.9")), None);
        assert_eq!(version_in(table, Some("1.95.1")), None);
        assert_eq!(version_in(table, None).as_deref(), Some("1.95.0+dfsg1-2~bpo13+1"));
    }
}
