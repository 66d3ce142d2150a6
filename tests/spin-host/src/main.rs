//! A host for one component, as a process of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use tidegate_spin_host::{Compiled, Options, SpinHost, loopback};

/// Runs a Spin component on loopback, without Spin, for tests.
#[derive(Parser)]
struct Arguments {
    /// The component
    component: PathBuf,
    /// The file of the database `default`
    #[arg(long)]
    database: PathBuf,
    /// A variable of the component, as `name=value`
    #[arg(long = "variable")]
    variables: Vec<String>,
    /// Where to listen; it has to be loopback
    #[arg(long, default_value = "127.0.0.1:0")]
    addr: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { component, database, variables, addr } = Arguments::parse();
    ensure!(addr.ip().is_loopback(), "this host is for tests and serves loopback only");
    let variables = variables
        .iter()
        .map(|variable| {
            let (name, value) = variable.split_once('=').context("a variable is `name=value`")?;
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect::<Result<BTreeMap<_, _>>>()?;
    let compiled = Compiled::from_file(&component)?;
    let host = SpinHost::new(&compiled, Options { database, variables, most_requests: None })?;
    let (listener, address) = loopback(addr).await?;
    println!("http://{address}");
    host.serve(listener).await
}
