//! What is installed: by dpkg, or what a cargo workspace is built from.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

/// Who knows the packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Manager {
    /// The packages that Debian's dpkg has on this machine
    Dpkg,
    /// The packages that a cargo workspace is built from on this machine
    Cargo,
}

/// One package, as `schema.json` describes it.
///
/// A bulk holds at most 4 MiB, so a package has only what somebody will ask for: about 150 bytes,
/// which makes room for some 25,000 packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Package {
    /// What stays the same when the package is upgraded.
    pub(crate) id: String,
    pub(crate) manager: Manager,
    pub(crate) name: String,
    pub(crate) version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) architecture: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) section: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) installed_kib: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) license: Option<String>,
}

/// Every package of one place.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// `dpkg/<machine>` or `cargo/<workspace>`: two places never share a group key, or one's
    /// snapshot would remove the other's packages.
    pub(crate) place: String,
    pub(crate) packages: Vec<Package>,
}

impl Snapshot {
    pub(crate) fn take(manager: Option<Manager>, manifest_path: &Path) -> Result<Self> {
        match manager {
            Some(Manager::Dpkg) => Self::of_dpkg(),
            Some(Manager::Cargo) => Self::of_cargo(manifest_path),
            None if has_dpkg() => Self::of_dpkg(),
            None => Self::of_cargo(manifest_path).context("there is no dpkg here, so cargo was asked"),
        }
    }

    fn of_dpkg() -> Result<Self> {
        const FORMAT: &str = "${Package}\\t${Architecture}\\t${Version}\\t${db:Status-Status}\\t${Section}\\t${Installed-Size}\\n";
        let table = output("dpkg-query", ["--show".as_ref(), "--showformat".as_ref(), FORMAT.as_ref()])?;
        let packages = table.lines().map(dpkg_package).collect::<Result<_>>()?;
        let machine = output("uname", ["-n".as_ref()]).unwrap_or_default();
        let machine = if machine.trim().is_empty() { "localhost" } else { machine.trim() };
        Ok(Self { place: format!("dpkg/{machine}"), packages })
    }

    fn of_cargo(manifest_path: &Path) -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let version = output(&cargo, ["-vV".as_ref()])?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.context("`cargo -vV` names no host")?;
        let metadata = output(
            &cargo,
            [
                "metadata".as_ref(),
                "--format-version=1".as_ref(),
                // Without it, cargo would fetch what only other systems build.
                "--filter-platform".as_ref(),
                host.as_ref(),
                "--manifest-path".as_ref(),
                manifest_path.as_os_str(),
            ],
        )?;
        let metadata: Value = serde_json::from_str(&metadata).context("`cargo metadata` wrote no JSON")?;
        let packages = metadata.get("packages").and_then(Value::as_array);
        let packages = packages.context("`cargo metadata` lists no packages")?;
        let root = metadata.get("workspace_root").and_then(Value::as_str).unwrap_or_default();
        let workspace = Path::new(root).file_name().unwrap_or("workspace".as_ref()).display();
        Ok(Self {
            place: format!("cargo/{workspace}"),
            packages: packages.iter().map(cargo_package).collect::<Result<_>>()?,
        })
    }

    /// One package upgraded, another gone: what a day does to an inventory.
    pub(crate) fn pretend_that_things_changed(&mut self) -> Result<()> {
        let [upgraded, .., _] = self.packages.as_mut_slice() else {
            bail!("the rehearsal needs two packages; push with --once");
        };
        upgraded.version.push_str("+rehearsed");
        self.packages.pop();
        Ok(())
    }
}

fn has_dpkg() -> bool {
    Command::new("dpkg-query")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A line of `dpkg-query`. What a package does not say is empty there.
fn dpkg_package(line: &str) -> Result<Package> {
    let parts: Vec<&str> = line.split('\t').collect();
    let [name, architecture, version, status, section, size] = parts.as_slice() else {
        bail!("`dpkg-query` wrote a line of {} parts, not 6", parts.len());
    };
    let optional = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Ok(Package {
        // The same package may be here for two architectures.
        id: format!("{name}:{architecture}"),
        manager: Manager::Dpkg,
        name: (*name).to_owned(),
        version: (*version).to_owned(),
        architecture: optional(architecture),
        section: optional(section),
        status: optional(status),
        installed_kib: size.parse().ok(),
        license: None,
    })
}

fn cargo_package(package: &Value) -> Result<Package> {
    let text = |name| package.get(name).and_then(Value::as_str);
    let name = text("name").context("`cargo metadata` lists a package without a name")?;
    let version = text("version").with_context(|| format!("the package `{name}` has no version"))?;
    Ok(Package {
        id: format!("{name} {}", compatible(version)),
        manager: Manager::Cargo,
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: None,
        section: None,
        status: None,
        installed_kib: None,
        license: text("license").map(str::to_owned),
    })
}

/// The part of a version that an upgrade keeps: of all compatible versions, cargo builds one.
fn compatible(version: &str) -> &str {
    let zeros = version.split('.').take(2).take_while(|part| *part == "0").count();
    match version.match_indices('.').nth(zeros) {
        Some((end, _)) => version.get(..end).unwrap_or(version),
        None => version,
    }
}

/// What a program writes to stdout.
fn output<const N: usize>(program: impl AsRef<OsStr>, arguments: [&OsStr; N]) -> Result<String> {
    let name = program.as_ref().display().to_string();
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("`{name}` does not start"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let stderr = stderr.trim().trim_start_matches("error: ");
        bail!("`{name}` ended with {}: {stderr}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{name}` wrote something that is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compatible_versions_share_an_id() {
        for (version, kept) in
            [("1.2.3", "1"), ("12.0.1", "12"), ("0.61.2", "0.61"), ("0.0.3", "0.0.3"), ("0.1.0-rc.1", "0.1")]
        {
            assert_eq!(compatible(version), kept, "{version}");
        }
    }

    #[test]
    fn what_dpkg_does_not_say_is_left_out() {
        let package = dpkg_package("base\tall\t1:2-3\tinstalled\t\t").unwrap();
        assert_eq!((package.id.as_str(), package.section, package.installed_kib), ("base:all", None, None));
        assert_eq!(dpkg_package("a\tamd64\t1\tinstalled\tlibs\t42").unwrap().installed_kib, Some(42));
        assert!(dpkg_package("a\tamd64").is_err());
    }

    #[test]
    fn a_rehearsal_needs_two_packages() {
        let package = dpkg_package("a\tall\t1\tinstalled\t\t").unwrap();
        let mut snapshot = Snapshot { place: "dpkg/test".into(), packages: vec![package.clone()] };
        assert!(snapshot.pretend_that_things_changed().is_err());
        snapshot.packages.push(package);
        snapshot.pretend_that_things_changed().unwrap();
        assert_eq!(snapshot.packages.len(), 1);
        assert_eq!(snapshot.packages[0].version, "1+rehearsed");
    }
}
