//! The command `tidegate`.

mod cli;

use std::process::ExitCode;

use clap::Parser;

/// A request makes some hundred small allocations on whichever thread it is, and frees them on others.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::Cli::parse().run()
}
