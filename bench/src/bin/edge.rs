//! `cargo xtask bench edge`: the component beside one that does nothing, on the same host, and the
//! core as WebAssembly beside the core in this process.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use tidegate_bench::data::{EMPLOYEE_SCHEMA, employee, employees, rejected_employee};
use tidegate_bench::load::per_second;
use tidegate_bench::measure::{Compared, in_turn, line, seconds, seconds_each};
use tidegate_bench::module::CoreModule;
use tidegate_bench::site::{Site, expect};
use tidegate_guest::kept;
use tidegate_spin_host::Compiled;
use tidegate_tests::http::message::Request;

const MEBIBYTE: usize = 1024 * 1024;
/// How often each side of a case has its turn.
const ROUNDS: usize = 11;
/// How long a turn of many calls takes.
const TURN: Duration = Duration::from_millis(200);
/// How long a turn of a load takes, and how many clients it has.
const LOAD: Duration = Duration::from_millis(1500);
const CLIENTS: usize = 16;

#[derive(Parser)]
struct Arguments {
    /// The component
    #[arg(long)]
    component: PathBuf,
    /// The component that does nothing
    #[arg(long)]
    noop: PathBuf,
    /// The core as a module, built as the component is
    #[arg(long)]
    module: PathBuf,
}

fn main() -> Result<()> {
    let Arguments { component, noop, module } = Arguments::parse();
    core(&mut CoreModule::load(&module)?)?;
    let (component, noop) = (Compiled::from_file(&component)?, Compiled::from_file(&noop)?);
    cold(&component, &noop)?;
    warm(&component, &noop)
}

/// What the core's work costs as WebAssembly, and natively.
fn core(module: &mut CoreModule) -> Result<()> {
    let schema = EMPLOYEE_SCHEMA.as_bytes();
    module.prepare(schema)?;
    ensure!(kept::prepare(schema), "the schema was refused");
    let cases = [
        ("core-employee", employee(1).to_string(), false),
        ("core-rejected", rejected_employee(1).to_string(), false),
        ("core-bulk-1MiB", employees(MEBIBYTE), true),
        ("core-bulk-4MiB", employees(4 * MEBIBYTE), true),
    ];
    for (name, payload, bulk) in cases {
        let bytes = payload.as_bytes();
        ensure!(module.check(bytes, bulk)? == kept::check(bytes, bulk), "the two do not agree");
        let wasm = || seconds_each(TURN, || module.check(bytes, bulk).map(|_| ()));
        let native = || {
            seconds_each(TURN, || {
                std::hint::black_box(kept::check(bytes, bulk));
                Ok(())
            })
        };
        microseconds(name, in_turn(ROUNDS, wasm, native)?, "native");
    }
    Ok(())
}

/// From a request that meets no instance to its answer.
fn cold(component: &Compiled, noop: &Compiled) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let database = directory.path().join("default.db");
    let mut site = Site::start(component, Some(&database), false)?;
    site.declare()?;
    let mut cold = Site::start(component, Some(&database), true)?;
    cold.use_key(site.key());
    let nothing = Site::start(noop, None, true)?;
    let (mut client, mut other) = (cold.client(), nothing.client());
    let peer = nothing.get("/");
    let cases = [
        ("cold-healthz", cold.get("/healthz")),
        ("cold-readyz", cold.get("/readyz")),
        ("cold-dry-run", cold.ingest("event/employee?dryRun=true", &employee(1).to_string())),
    ];
    for (name, request) in cases {
        let ours = || seconds_each(TURN, || expect(&mut client, &request, &[200]).map(|_| ()));
        let theirs = || seconds_each(TURN, || expect(&mut other, &peer, &[200]).map(|_| ()));
        let compared = in_turn(ROUNDS, ours, theirs)?;
        microseconds(name, compared, "noop");
        println!("      {name} adds {:.2} ms", (compared.ours - compared.peer) * 1e3);
    }
    Ok(())
}

/// With instances that have answered before.
fn warm(component: &Compiled, noop: &Compiled) -> Result<()> {
    let mut site = Site::start(component, None, false)?;
    site.declare()?;
    let nothing = Site::start(noop, None, false)?;
    let peer = |_| nothing.get("/");
    let mut next = 0;
    let mut cases = |name: &str, statuses: &[u16], request: &(dyn Fn(usize) -> Request + Sync)| {
        let compared = in_turn(
            5,
            || {
                // No turn meets what the one before it has stored.
                next += 10_000_000;
                per_second(&site, CLIENTS, LOAD, statuses, |number| request(next + number))
            },
            || per_second(&nothing, CLIENTS, LOAD, &[200], peer),
        )?;
        line(name, compared, "noop", "requests/s");
        anyhow::Ok(())
    };
    cases("event-added", &[201], &|number| site.ingest("event/employee", &employee(number).to_string()))?;
    cases("event-unchanged", &[200, 201], &|_| site.ingest("event/employee", &employee(1).to_string()))?;
    cases("event-dry-run", &[200], &|number| {
        site.ingest("event/employee?dryRun=true", &employee(number).to_string())
    })?;
    cases("event-rejected", &[422], &|number| {
        site.ingest("event/employee", &rejected_employee(number).to_string())
    })?;

    let bulk = employees(4 * MEBIBYTE);
    let request = site.ingest("bulk-event/employee?groupKey=bulk", &bulk);
    let mut client = site.client();
    let mut other = nothing.client();
    expect(&mut client, &request, &[200])?;
    let theirs = Request { target: "/".to_owned(), headers: Vec::new(), ..request.clone() };
    let compared = in_turn(
        ROUNDS,
        || seconds(|| expect(&mut client, &request, &[200]).map(|_| ())),
        || seconds(|| expect(&mut other, &theirs, &[200]).map(|_| ())),
    )?;
    microseconds("bulk-unchanged-4MiB", compared, "noop");
    Ok(())
}

/// Prints a case whose numbers are seconds.
fn microseconds(name: &str, Compared { ours, peer }: Compared, other: &str) {
    line(name, Compared { ours: ours * 1e6, peer: peer * 1e6 }, other, "µs");
}
