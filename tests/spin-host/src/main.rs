//! A host for one component, as a process of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use tidegate_spin_host::{Compiled, Options, SpinHost, loopback};

/// Runs a Spin component on loopback, without Spin, for tests.
#[derive(Parser)]
struct Arguments {
    /// The component, as this program has compiled it before: see `Compiled::save`
    compiled: PathBuf,
    /// The component's `spin.toml`
    #[arg(long)]
    manifest: PathBuf,
    /// The file of the database
    #[arg(long)]
    database: PathBuf,
    /// A variable of the application, as `name=value`
    #[arg(long = "variable")]
    variables: Vec<String>,
    /// Where to listen; it has to be loopback
    #[arg(long, default_value = "127.0.0.1:0")]
    addr: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { compiled, manifest, database, variables, addr } = Arguments::parse();
    let variables = variables
        .iter()
        .map(|variable| {
            let (name, value) = variable.split_once('=').context("a variable is `name=value`")?;
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect::<Result<BTreeMap<_, _>>>()?;
    // SAFETY: whoever starts this program has made the file for it.
    let compiled = unsafe { Compiled::load(&compiled)? };
    let options = Options::from_manifest(&manifest, database, &variables)?;
    let host = SpinHost::new(&compiled, options)?;
    let (listener, address) = loopback(addr).await?;
    println!("http://{address}");
    host.serve(listener).await
}
