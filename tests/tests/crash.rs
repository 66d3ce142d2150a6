//! A server that is killed while it writes, a few times: `cargo xtask crash` does it hundreds of times.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use tidegate_tests::crash::{self, Options, Store};
use tidegate_tests::http::Fault;
use tidegate_tests::postgres;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let postgres = postgres::can_start().err();
    if let Some(reason) = &postgres {
        println!("the database `postgres` is skipped: {reason}");
    }
    let trials = vec![
        Trial::test("crash/nothing-is-lost::sqlite", || Ok(nothing_is_lost(Store::Sqlite, 8)?)),
        Trial::test("crash/nothing-is-lost::postgres", || Ok(nothing_is_lost(Store::Postgres, 4)?))
            .with_ignored_flag(postgres.is_some()),
        Trial::test("crash/what-is-lost-is-noticed::postgres", || Ok(what_is_lost_is_noticed()?))
            .with_ignored_flag(postgres.is_some()),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn options(store: Store, kills: u32) -> Options {
    Options {
        server: crash::program(Path::new(env!("CARGO_BIN_EXE_tidegate-crash"))),
        store,
        kills,
        seed: 7,
        writers: 6,
        longest: Duration::from_millis(600),
        whole_every: 4,
        verbose: false,
    }
}

fn nothing_is_lost(store: Store, kills: u32) -> Result<(), Fault> {
    let report = crash::run(&options(store, kills))?;
    println!("{report}");
    let answered = |kind: &str| report.answered.get(kind).copied().unwrap_or_default();
    // Otherwise nothing was shown.
    if ["singles", "bulks", "deletes"].iter().any(|kind| answered(kind) == 0)
        || report.unanswered.iter().sum::<u64>() == 0
    {
        return Err(format!("too little was under way:\n{report}"));
    }
    Ok(())
}

/// A PostgreSQL that answers before it has written forgets some of it when it is killed.
fn what_is_lost_is_noticed() -> Result<(), Fault> {
    match crash::run(&options(Store::Forgetful, 20)) {
        Ok(report) => Err(format!("nothing was noticed:\n{report}")),
        // A request, a command, a key, what a reader saw, the change that it would go on after: whichever
        // is looked at first. What is wrong with the server itself is something else.
        Err(fault) => {
            let others = ["panicked", "does not start", "does not listen", "before it listened"];
            if others.iter().any(|other| fault.contains(other)) { Err(fault) } else { Ok(()) }
        }
    }
}
