//! `cargo xtask bench growth`: what requests cost beside a thousand stored resources, and beside a
//! million.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use tidegate_bench::stored::{Sizes, run};

#[derive(Parser)]
struct Arguments {
    /// The binary `tidegate`
    #[arg(long)]
    program: PathBuf,
    /// Where the databases are made, and removed
    #[arg(long)]
    directory: PathBuf,
    /// Ten thousand resources, and not a million
    #[arg(long)]
    quick: bool,
}

fn main() -> Result<()> {
    let Arguments { program, directory, quick } = Arguments::parse();
    run(&program, &directory, if quick { Sizes::QUICK } else { Sizes::WHOLE })
}
