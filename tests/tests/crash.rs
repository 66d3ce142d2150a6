//! A server that is killed while it writes, a few times: `cargo xtask crash` does it hundreds of times.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use tidegate_tests::crash::{self, Options, Report, Store};
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
        Trial::test("crash/nothing-is-lost::postgres", || Ok(nothing_is_lost(Store::Postgres, 6)?))
            .with_ignored_flag(postgres.is_some()),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn nothing_is_lost(store: Store, kills: u32) -> Result<(), Fault> {
    let report: Report = crash::run(&Options {
        server: crash::program(Path::new(env!("CARGO_BIN_EXE_tidegate-crash"))),
        store,
        kills,
        seed: 7,
        writers: 6,
        longest: Duration::from_millis(600),
        whole_every: 4,
        verbose: false,
    })?;
    println!("{report}");
    let answered = |kind: &str| report.answered.get(kind).copied().unwrap_or_default();
    // Otherwise nothing was shown.
    if ["singles", "bulks", "deletes"].iter().any(|kind| answered(kind) < u64::from(kills))
        || report.unanswered.iter().sum::<u64>() == 0
    {
        return Err(format!("too little was under way:\n{report}"));
    }
    Ok(())
}
