//! The features of `serde_json` that would change what the product answers.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process;
use crate::workspace::Workspace;

/// The first keeps an object's members in their written order, the second keeps numbers as
/// text. Either one, turned on by any dependency, holds for the whole build.
const REFUSED: [&str; 2] = ["preserve_order", "arbitrary_precision"];

/// Fails when one of them is on anywhere in the workspace's dependencies.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let mut command = workspace.cargo(["metadata", "--format-version=1", "--all-features"]);
    let metadata = serde_json::from_slice(&process::output(&mut command)?)?;
    let on = enabled(&metadata, "serde_json")?;
    println!("serde_json is built with {}", on.join(", "));
    let refused: Vec<&str> = REFUSED.into_iter().filter(|name| on.contains(name)).collect();
    if !refused.is_empty() {
        bail!(
            "serde_json is built with {}, which changes results; \
             `cargo tree --workspace --all-features -e features -i serde_json` tells who asks for it",
            refused.join(" and ")
        );
    }
    Ok(())
}

/// The features of `package`, united over its versions and everything that depends on it.
fn enabled<'a>(metadata: &'a Value, package: &str) -> Result<Vec<&'a str>> {
    let list = |pointer| metadata.pointer(pointer).and_then(Value::as_array);
    let packages = list("/packages").context("cargo metadata gives no packages")?;
    let nodes = list("/resolve/nodes").context("cargo metadata gives no resolve")?;
    let ids: Vec<&Value> = packages
        .iter()
        .filter(|entry| entry.get("name").and_then(Value::as_str) == Some(package))
        .filter_map(|entry| entry.get("id"))
        .collect();
    if ids.is_empty() {
        bail!("{package} is not among the dependencies");
    }
    Ok(nodes
        .iter()
        .filter(|node| node.get("id").is_some_and(|id| ids.contains(&id)))
        .filter_map(|node| node.get("features")?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn features_are_united_over_versions() {
        let metadata = json!({
            "packages": [
                { "id": "a#1", "name": "a" },
                { "id": "a#2", "name": "a" },
                { "id": "b#1", "name": "b" },
            ],
            "resolve": { "nodes": [
                { "id": "a#1", "features": ["std"] },
                { "id": "a#2", "features": ["preserve_order"] },
                { "id": "b#1", "features": ["other"] },
            ] },
        });
        assert_eq!(enabled(&metadata, "a").unwrap(), ["std", "preserve_order"]);
        assert!(enabled(&metadata, "c").is_err());
    }
}
