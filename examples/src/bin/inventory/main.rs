//! Keeps the packages of a machine, or of a cargo workspace, in Tidegate.
//!
//! It declares what it sends (a group, a schema, an integration), then pushes the inventory three
//! times: as it is, once more, and as if one package had been upgraded and another removed. At the
//! end it prints what the feed of changes says about that. See `README.md` of the examples.

mod api;
mod declare;
mod feed;
mod snapshot;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde_json::{Value, json};
use tidegate_examples::embedded::Embedded;

use api::{Api, encoded};
use declare::{Key, TABLE};
use snapshot::{Manager, Snapshot};

/// Keep the packages of a machine, or of a cargo workspace, in Tidegate.
#[derive(Debug, Parser)]
#[command(name = "inventory")]
struct Arguments {
    /// Where Tidegate answers
    #[arg(long, env = "TIDEGATE_URL", default_value = "http://127.0.0.1:7070")]
    url: String,

    /// The admin token, for declaring things and reading the feed
    #[arg(long, env = "TIDEGATE_ADMIN_TOKEN", hide_env_values = true)]
    token: Option<String>,

    /// Start a Tidegate inside this program instead, which forgets everything at the end
    #[arg(long)]
    embedded: bool,

    /// Whose packages: without it dpkg's, and cargo's where there is no dpkg
    #[arg(long, value_enum, value_name = "MANAGER")]
    source: Option<Manager>,

    /// The workspace whose packages cargo lists
    #[arg(long, value_name = "PATH", default_value = "Cargo.toml")]
    manifest_path: PathBuf,

    /// What the snapshot is complete for: a push removes what is missing here and nothing else.
    /// Without it, the manager and the machine or workspace
    #[arg(long, value_name = "KEY")]
    group_key: Option<String>,

    /// How much of what is stored a push may remove: a count, or a share. A source that broke down
    /// looks like a machine on which nothing is installed any more
    #[arg(long, value_name = "COUNT|SHARE", default_value = "50%")]
    max_removals: String,

    /// Push the inventory as it is, and no more
    #[arg(long)]
    once: bool,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let embedded = arguments.embedded.then(|| Embedded::start(false)).transpose()?;
    let api = match (&embedded, &arguments.token) {
        (Some(embedded), _) => Api::new(embedded.url(), embedded.admin_token()),
        (None, Some(token)) => Api::new(&arguments.url, token),
        (None, None) => bail!(
            "give the server's admin token by --token or TIDEGATE_ADMIN_TOKEN, or use --embedded, which \
             needs no server"
        ),
    };
    let snapshot = Snapshot::take(arguments.source, &arguments.manifest_path)?;
    let group_key = arguments.group_key.unwrap_or_else(|| snapshot.place.clone());
    println!("{} packages, group key `{group_key}`\n", snapshot.packages.len());

    let integration = declare::declare(&api)?;
    let key = integration.key(&api)?;
    let scope = Scope {
        api: &api,
        integration: &integration.id,
        group_key: &group_key,
        key: &key,
        max_removals: &arguments.max_removals,
    };
    let outcome = if arguments.once { scope.push_once(&snapshot) } else { scope.rehearse(snapshot) };
    // A key for this run only; whatever became of the run, it does not outlive it.
    let revoked = key.revoke(&api, &integration.id).context("the run's ingest key could not be revoked");
    outcome.and(revoked)
}

/// Where the snapshots go: one integration, one table, one group key.
struct Scope<'a> {
    api: &'a Api,
    integration: &'a str,
    group_key: &'a str,
    key: &'a Key,
    max_removals: &'a str,
}

impl Scope<'_> {
    fn push_once(&self, snapshot: &Snapshot) -> Result<()> {
        let before = self.newest_change()?;
        self.push(snapshot, "inventory")?;
        self.print_changes_after(before.as_deref())
    }

    fn rehearse(&self, mut snapshot: Snapshot) -> Result<()> {
        let before = self.newest_change()?;
        self.push(&snapshot, "inventory")?;
        self.push(&snapshot, "same again")?;
        snapshot.pretend_that_things_changed()?;
        self.push(&snapshot, "rehearsal")?;
        self.print_changes_after(before.as_deref())
    }

    /// Sends the snapshot as a bulk: what it lacks is removed, what is the same is left alone.
    fn push(&self, snapshot: &Snapshot, event: &str) -> Result<()> {
        let actor = json!({ "program": "inventory", "packages": snapshot.packages.len() }).to_string();
        let target = format!(
            "/integration/custom-data/bulk-event/{TABLE}?groupKey={}&maxRemovals={}&event={}&actor={}",
            encoded(self.group_key),
            encoded(self.max_removals),
            encoded(event),
            encoded(&actor)
        );
        let body = serde_json::to_string(&snapshot.packages)?;
        let answer = self.api.ingest(&target, &self.key.secret, &body)?;
        let count = |name| answer.get(name).and_then(Value::as_u64).unwrap_or_default();
        println!(
            "{event:<10} {:>6} added {:>6} modified {:>6} removed {:>6} unchanged",
            count("added"),
            count("modified"),
            count("removed"),
            count("unchanged")
        );
        Ok(())
    }

    fn changes(&self) -> String {
        format!(
            "/api/v1/changes?table={TABLE}&integration={}&groupKey={}",
            encoded(self.integration),
            encoded(self.group_key)
        )
    }

    fn newest_change(&self) -> Result<Option<String>> {
        let page = self.api.read(&format!("{}&order=desc&limit=1", self.changes()))?;
        Ok(page.pointer("/items/0/changeId").and_then(Value::as_str).map(str::to_owned))
    }

    /// Reads the feed on from a change, or from its beginning.
    fn print_changes_after(&self, change: Option<&str>) -> Result<()> {
        let target = match change {
            Some(change) => format!("{}&after={}", self.changes(), encoded(change)),
            None => format!("{}&order=asc", self.changes()),
        };
        let changes = self.api.list(&target)?;
        println!();
        print!("{}", feed::table(&changes));
        Ok(())
    }
}
