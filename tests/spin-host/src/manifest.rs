//! What a component is granted, out of its `spin.toml`: so the tests run with the manifest that is
//! shipped, and fail where it grants too little or too much.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::Options;

/// The parts of a manifest (version 2) that matter here.
#[derive(Deserialize)]
struct Manifest {
    spin_manifest_version: u8,
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
    trigger: Triggers,
    component: BTreeMap<String, Component>,
}

#[derive(Deserialize)]
struct Variable {
    #[serde(default)]
    required: bool,
    default: Option<String>,
}

#[derive(Deserialize)]
struct Triggers {
    http: Vec<Trigger>,
}

#[derive(Deserialize)]
struct Trigger {
    route: String,
    component: String,
}

#[derive(Deserialize)]
struct Component {
    #[serde(default)]
    sqlite_databases: Vec<String>,
    #[serde(default)]
    allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
}

impl Options {
    /// The options of the component that a manifest sends every address to, over the database
    /// `file`, with these values for the application's variables.
    ///
    /// # Errors
    ///
    /// The manifest cannot be read, asks for what is not here, or has a variable without a value.
    pub fn from_manifest(manifest: &Path, file: PathBuf, values: &BTreeMap<String, String>) -> Result<Self> {
        let text = std::fs::read_to_string(manifest).with_context(|| format!("`{}`", manifest.display()))?;
        let Manifest { spin_manifest_version, variables, trigger, component } = toml::from_str(&text)?;
        ensure!(spin_manifest_version == 2, "this is no manifest of version 2");
        let everything = trigger.http.iter().find(|trigger| trigger.route == "/...");
        let name = &everything.context("no component is sent every address")?.component;
        let component = component.get(name).with_context(|| format!("there is no component `{name}`"))?;
        let mut application = BTreeMap::new();
        for (name, variable) in &variables {
            match values.get(name).or(variable.default.as_ref()) {
                Some(value) => application.insert(name.as_str(), value.as_str()),
                None if variable.required => bail!("the variable `{name}` has no value"),
                None => None,
            };
        }
        let variables = component
            .variables
            .iter()
            .map(|(name, template)| Ok((name.clone(), filled(template, &application)?)))
            .collect::<Result<_>>()?;
        let hosts = component.allowed_outbound_hosts.iter();
        let outbound_hosts = hosts.map(|template| filled(template, &application)).collect::<Result<_>>()?;
        Ok(Self {
            database: file,
            databases: component.sqlite_databases.clone(),
            outbound_hosts,
            variables,
            most_requests: None,
        })
    }
}

/// A template of Spin's with its `{{ name }}` filled in.
fn filled(template: &str, values: &BTreeMap<&str, &str>) -> Result<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").context("a template is not closed")?;
        let name = name.trim();
        text.push_str(before);
        text.push_str(values.get(name).with_context(|| format!("there is no variable `{name}`"))?);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled() {
        let values = BTreeMap::from([("a", "1"), ("b", "2")]);
        assert_eq!(filled("x{{ a }}y{{b}}", &values).unwrap(), "x1y2");
        assert!(filled("{{ c }}", &values).is_err() && filled("{{ a", &values).is_err());
    }

    #[test]
    fn the_shipped_manifest_grants_what_the_component_needs_and_no_more() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../host-spin/spin.toml");
        let variables = |all: &[(&str, &str)]| -> BTreeMap<String, String> {
            all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let token = ("admin_token", "secret");
        let options = Options::from_manifest(&manifest, PathBuf::new(), &variables(&[token])).unwrap();
        assert_eq!(options.databases, ["default"]);
        assert_eq!(options.outbound_hosts, ["postgres://none.invalid"]);
        assert_eq!(options.variables, variables(&[token, ("allow_origins", ""), ("database_url", "")]));

        let url = ("database_url", "postgres://tide:secret@db.example:6000/tide");
        let all = variables(&[token, ("allow_origins", "https://app.example"), url]);
        let mut given = all.clone();
        given.insert("database_host".to_owned(), "db.example:6000".to_owned());
        let options = Options::from_manifest(&manifest, PathBuf::new(), &given).unwrap();
        assert_eq!(
            (options.outbound_hosts, options.variables),
            (vec!["postgres://db.example:6000".to_owned()], all)
        );
        let missing = Options::from_manifest(&manifest, PathBuf::new(), &BTreeMap::new()).unwrap_err();
        assert_eq!(missing.to_string(), "the variable `admin_token` has no value");
    }
}
