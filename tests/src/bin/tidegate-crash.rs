//! Kills a server again and again, and checks that nothing it answered is lost.
//!
//! `cargo xtask crash` builds the server and runs this.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand};
use tidegate_tests::crash::{self, Options, Store};
use tidegate_tests::http::Fault;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Kill and check
    Run {
        /// The program to be killed, which serves as `tidegate serve` does; without it, this one
        #[arg(long)]
        server: Option<PathBuf>,
        /// Where it keeps its state: `sqlite`, `postgres`, or the URL of an empty database
        #[arg(long, default_value = "sqlite")]
        database: Store,
        /// How often something is killed
        #[arg(long, default_value_t = 200)]
        kills: u32,
        /// What all choices follow from; without it, the time
        #[arg(long)]
        seed: Option<u64>,
        /// How many connections write
        #[arg(long, default_value_t = 6)]
        writers: u64,
        /// The longest that the load may go on before a kill, in milliseconds
        #[arg(long, default_value_t = 400)]
        longest_ms: u64,
    },
    /// Serve as `tidegate serve` does
    Serve {
        #[arg(long)]
        addr: SocketAddr,
        #[arg(long)]
        database: String,
        #[arg(long)]
        log_level: Option<String>,
    },
}

fn main() -> ExitCode {
    match perform(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<(), Fault> {
    match task {
        Task::Run { server, database, kills, seed, writers, longest_ms } => {
            let own = std::env::current_exe().map_err(|error| error.to_string())?;
            let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
            let seed = seed.unwrap_or_else(now);
            println!("seed         {seed}");
            let report = crash::run(&Options {
                server: server.unwrap_or(own),
                store: database,
                kills,
                seed,
                writers,
                longest: Duration::from_millis(longest_ms),
                whole_every: 25,
                verbose: true,
            })?;
            println!("{report}");
            Ok(())
        }
        Task::Serve { addr, database, log_level: _ } => crash::serve(addr, &database),
    }
}
