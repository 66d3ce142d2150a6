//! `cargo xtask bench server`: the native server under load, beside what a user would write, and beside
//! what the databases take without a server.
//!
//! Everything runs on this machine, and the sides take turns: a server that has no requests takes no time.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::Parser;
use tidegate_bench::data::{employee, servers};
use tidegate_bench::measure::{Compared, line, median};
use tidegate_bench::server::inserts::{Postgres, Sqlite};
use tidegate_bench::server::load::{Load, Measured};
use tidegate_bench::server::messages::Requests;
use tidegate_bench::server::processes::{Server, processor_seconds};
use tidegate_test_postgres::{self as postgres, Durability, PostgresCluster};

/// The connections of the cases.
const CONNECTIONS: [usize; 3] = [1, 16, 256];
const MOST_CONNECTIONS: usize = 256;
/// How many events a transaction has where they are grouped.
const GROUPS: [usize; 2] = [64, 256];
/// No turn sends more.
const MOST_REQUESTS: usize = 1_000_000;

#[derive(Parser)]
struct Arguments {
    /// The binary `tidegate`
    #[arg(long)]
    tidegate: PathBuf,
    /// What a user would write; without it, ours is measured alone
    #[arg(long)]
    fastify: Option<PathBuf>,
    /// Where the databases are; on a disk, or syncing says nothing
    #[arg(long)]
    directory: PathBuf,
    /// Only see that all of it works
    #[arg(long)]
    quick: bool,
}

/// How long and how often things are measured.
#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    turn: Duration,
    /// The resources of a bulk; 18,000 are just less than 4 MiB.
    resources: usize,
}

/// What is measured. The first side is ours over SQLite.
struct Side {
    who: Who,
    server: Server,
    /// How many events with resources of their own were sent.
    sent: Cell<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Ours,
    OursOverPostgres,
    Fastify,
}

/// What all turns of a side found.
#[derive(Default)]
struct Found {
    rates: Vec<f64>,
    measured: Measured,
    server_seconds: f64,
    own_seconds: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let effort = if arguments.quick {
        Effort { rounds: 1, turn: Duration::from_millis(300), resources: 1_800 }
    } else {
        Effort { rounds: 5, turn: Duration::from_secs(2), resources: 18_000 }
    };
    std::fs::create_dir_all(&arguments.directory)?;
    let directory = tempfile::tempdir_in(&arguments.directory)?;
    let cluster = cluster()?;
    let sides = start(&arguments, directory.path(), cluster.as_ref())?;
    let mut goals = Goals::default();

    let mut top = [f64::NAN; 2];
    for connections in CONNECTIONS {
        let found = added(&sides, connections, effort)?;
        report(&format!("events-{connections}"), &sides, &found);
        top = [Who::Ours, Who::OursOverPostgres].map(|who| rate(&sides, &found, who));
        if connections == MOST_CONNECTIONS {
            let ratio = rate(&sides, &found, Who::Ours) / rate(&sides, &found, Who::Fastify);
            goals.at_least("events at 256 connections, as often as Fastify's", ratio, 5.0);
        }
    }
    for what in [Again::Modified, Again::Unchanged] {
        let found = again(&sides, what, effort)?;
        report(&format!("events-{}-{MOST_CONNECTIONS}", what.name()), &sides, &found);
    }
    let [over_sqlite, over_postgres] = top;
    paced(&sides, over_sqlite / 2.0, effort, &mut goals)?;
    bulks(&sides, effort, &mut goals)?;
    // What is left has no servers.
    drop(sides);
    inserts(&arguments, directory.path(), effort, over_sqlite, &mut goals)?;
    if let Some(cluster) = &cluster {
        inserts_into_postgres(&arguments, directory.path(), cluster, effort, over_postgres)?;
    }
    goals.print();
    Ok(())
}

/// A PostgreSQL of our own, if there is one on this machine.
fn cluster() -> Result<Option<PostgresCluster>> {
    match postgres::can_start() {
        Ok(()) => Ok(Some(PostgresCluster::new(Durability::Full).map_err(|fault| anyhow!(fault))?)),
        Err(reason) => {
            println!("skipped: ours over PostgreSQL; {reason}");
            Ok(None)
        }
    }
}

fn fresh_database(cluster: &PostgresCluster) -> Result<String> {
    cluster.fresh_database().map_err(|fault| anyhow!(fault))
}

fn start(arguments: &Arguments, directory: &Path, cluster: Option<&PostgresCluster>) -> Result<Vec<Side>> {
    let side = |who, server| Side { who, server, sent: Cell::new(0) };
    let database = format!("sqlite:{}", directory.join("tidegate.db").display());
    let mut sides = vec![side(Who::Ours, Server::tidegate(&arguments.tidegate, &database, directory)?)];
    if let Some(script) = &arguments.fastify {
        sides.push(side(Who::Fastify, Server::fastify(script, directory)?));
    }
    if let Some(cluster) = cluster {
        let database = fresh_database(cluster)?;
        let server = Server::tidegate(&arguments.tidegate, &database, directory)?;
        sides.push(side(Who::OursOverPostgres, server));
    }
    Ok(sides)
}

impl Side {
    /// Sends events with resources that are not there yet.
    fn add(&self, found: &mut Found, connections: usize, time: Duration, pace: Option<f64>) -> Result<()> {
        let body = |number, body: &mut Vec<u8>| write_employee(number, 0, body);
        let load = self.load(self.requests("event/employee", &body), &[201]);
        let first = self.sent.get();
        let before = found.measured.sent;
        found.turn(self, &Load { connections, first, time, pace, ..load })?;
        self.sent.set(first + found.measured.sent - before);
        Ok(())
    }

    fn load<'r>(&'r self, requests: Requests<'r>, statuses: &'r [u16]) -> Load<'r> {
        Load {
            address: self.server.address,
            connections: 1,
            time: Duration::from_secs(60),
            most: MOST_REQUESTS,
            pace: None,
            requests,
            first: 0,
            statuses,
        }
    }

    fn requests<'r>(&'r self, target: &'r str, body: &'r dyn Fn(usize, &mut Vec<u8>)) -> Requests<'r> {
        Requests { target, key: &self.server.key, body }
    }
}

impl Found {
    /// Measures one turn, and who takes how much of the processors meanwhile.
    fn turn(&mut self, side: &Side, load: &Load<'_>) -> Result<()> {
        let used = || [side.server.pid(), std::process::id()].map(processor_seconds);
        let before = used();
        let measured = load.run()?;
        let after = used();
        let [server, own] = [0, 1].map(|at| match (before.get(at), after.get(at)) {
            (Some(Some(before)), Some(Some(after))) => after - before,
            _ => f64::NAN,
        });
        self.server_seconds += server;
        self.own_seconds += own;
        self.rates.push(measured.per_second);
        self.measured.add(measured);
        Ok(())
    }

    fn rate(&self) -> f64 {
        median(self.rates.clone())
    }
}

/// All sides in turn.
fn in_turn(
    sides: &[Side],
    rounds: usize,
    mut turn: impl FnMut(&Side, &mut Found) -> Result<()>,
) -> Result<Vec<Found>> {
    let mut found: Vec<Found> = sides.iter().map(|_| Found::default()).collect();
    for _ in 0..rounds {
        for (side, found) in sides.iter().zip(&mut found) {
            turn(side, found)?;
        }
    }
    Ok(found)
}

/// Events with resources that are not there yet.
fn added(sides: &[Side], connections: usize, effort: Effort) -> Result<Vec<Found>> {
    in_turn(sides, effort.rounds, |side, found| side.add(found, connections, effort.turn, None))
}

/// What becomes of events with resources that are there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    Modified,
    Unchanged,
}

impl Again {
    fn name(self) -> &'static str {
        match self {
            Self::Modified => "modified",
            Self::Unchanged => "unchanged",
        }
    }
}

fn again(sides: &[Side], what: Again, effort: Effort) -> Result<Vec<Found>> {
    let mut raise = 0;
    in_turn(sides, effort.rounds, |side, found| {
        let there = side.sent.get().max(1);
        // Not more than there are: what is sent twice does not change twice.
        let most = if what == Again::Modified { there } else { MOST_REQUESTS };
        raise += usize::from(what == Again::Modified);
        // As they were left.
        let body = |number: usize, body: &mut Vec<u8>| write_employee(number % there, raise, body);
        let load = side.load(side.requests("event/employee", &body), &[200]);
        found.turn(side, &Load { connections: MOST_CONNECTIONS, time: effort.turn, most, ..load })
    })
}

/// How long events take at half of what our server can take.
fn paced(sides: &[Side], pace: f64, effort: Effort, goals: &mut Goals) -> Result<()> {
    let ours = sides.get(..1).unwrap_or_default();
    let found = in_turn(ours, effort.rounds, |side, found| {
        side.add(found, MOST_CONNECTIONS, effort.turn, Some(pace))
    })?;
    for found in found {
        let (middle, high) = (found.measured.milliseconds(500), found.measured.milliseconds(990));
        println!("bench events-{MOST_CONNECTIONS}-half p50={middle:.2} p99={high:.2} at={pace:.0}/s unit=ms");
        goals.at_most("p99 of events at half of that, in ms", high, 20.0);
    }
    Ok(())
}

/// Bulks into a scope that is empty, and then as it is.
fn bulks(sides: &[Side], effort: Effort, goals: &mut Goals) -> Result<()> {
    let text = servers(effort.resources);
    let body = |_, body: &mut Vec<u8>| body.extend(text.as_bytes());
    let mut found: [Vec<Found>; 2] = [0, 1].map(|_| sides.iter().map(|_| Found::default()).collect());
    for round in 0..effort.rounds {
        for (at, side) in sides.iter().enumerate() {
            let target = format!("bulk-event/server?groupKey={round}");
            let load = Load { most: 1, ..side.load(side.requests(&target, &body), &[200]) };
            for found in &mut found {
                if let Some(found) = found.get_mut(at) {
                    found.turn(side, &load)?;
                }
            }
        }
    }
    for (what, found) in ["first", "unchanged"].into_iter().zip(&found) {
        let name = format!("bulk-{}-{what}", effort.resources);
        let times: Vec<_> = found.iter().map(|found| found.measured.milliseconds(500)).collect();
        lines(&name, sides, &times, "ms");
        let time = |who| of(sides, &times, who).copied().unwrap_or(f64::NAN);
        goals.at_least(&format!("{name}, as fast as Fastify's"), time(Who::Fastify) / time(Who::Ours), 4.0);
    }
    Ok(())
}

/// What the database takes at most, in a file that the server has made.
fn inserts(
    arguments: &Arguments,
    directory: &Path,
    effort: Effort,
    top: f64,
    goals: &mut Goals,
) -> Result<()> {
    let file = directory.join("inserts.db");
    drop(Server::tidegate(&arguments.tidegate, &format!("sqlite:{}", file.display()), directory)?);
    let mut sqlite = Sqlite::open(&file)?;
    let mut best = 0.0;
    for group in [1].into_iter().chain(GROUPS) {
        let rates = (0..effort.rounds).map(|_| sqlite.per_second(effort.turn, group));
        let peer = median(rates.collect::<Result<_>>()?);
        let name = format!("events-{MOST_CONNECTIONS}-beside-groups-of-{group}");
        line(&name, Compared { ours: top, peer }, "inserts", "events/s");
        if peer > best {
            best = peer;
        }
    }
    goals.at_least("events at 256 connections, as often as prepared inserts in groups", top / best, 0.5);
    Ok(())
}

/// The same in a database of the cluster.
fn inserts_into_postgres(
    arguments: &Arguments,
    directory: &Path,
    cluster: &PostgresCluster,
    effort: Effort,
    top: f64,
) -> Result<()> {
    let url = fresh_database(cluster)?;
    drop(Server::tidegate(&arguments.tidegate, &url, directory)?);
    let mut postgres = Postgres::connect(&url)?;
    for group in [1].into_iter().chain(GROUPS) {
        let rates = (0..effort.rounds).map(|_| postgres.per_second(effort.turn, group));
        let peer = median(rates.collect::<Result<_>>()?);
        let name = format!("events-{MOST_CONNECTIONS}-postgres-beside-groups-of-{group}");
        line(&name, Compared { ours: top, peer }, "inserts", "events/s");
    }
    Ok(())
}

/// An employee as a request's body; `raise` makes it another one.
fn write_employee(number: usize, raise: usize, body: &mut Vec<u8>) {
    let mut employee = employee(number);
    if let Some(salary) = employee.get_mut("salary").filter(|_| raise > 0) {
        *salary = (10_000 + raise).into();
    }
    // Writing into memory does not fail.
    let _ = serde_json::to_writer(body, &employee);
}

fn of<'f, T>(sides: &[Side], found: &'f [T], who: Who) -> Option<&'f T> {
    found.get(sides.iter().position(|side| side.who == who)?)
}

fn rate(sides: &[Side], found: &[Found], who: Who) -> f64 {
    of(sides, found, who).map_or(f64::NAN, Found::rate)
}

/// A line for each of ours, beside what a user would write.
fn lines(name: &str, sides: &[Side], values: &[f64], unit: &str) {
    for (who, suffix) in [(Who::Ours, ""), (Who::OursOverPostgres, "-postgres")] {
        match (of(sides, values, who), of(sides, values, Who::Fastify)) {
            (Some(&ours), Some(&peer)) => {
                line(&format!("{name}{suffix}"), Compared { ours, peer }, "fastify", unit);
            }
            (Some(ours), None) => println!("bench {name}{suffix} ours={ours:.2} unit={unit}"),
            (None, _) => {}
        }
    }
}

fn report(name: &str, sides: &[Side], found: &[Found]) {
    let rates: Vec<_> = found.iter().map(Found::rate).collect();
    lines(name, sides, &rates, "events/s");
    for (side, found) in sides.iter().zip(found) {
        let who = match side.who {
            Who::Ours => "ours",
            Who::OursOverPostgres => "ours over PostgreSQL",
            Who::Fastify => "fastify",
        };
        let each = |seconds: f64| seconds * 1e6 / found.measured.sent as f64;
        println!(
            "      {name} {who}: p50 {:.2} ms, p99 {:.2} ms; an event takes {:.0} µs of the processors there, \
             {:.0} µs here",
            found.measured.milliseconds(500),
            found.measured.milliseconds(990),
            each(found.server_seconds),
            each(found.own_seconds),
        );
    }
}

/// What the product is meant to reach, and what it has.
#[derive(Default)]
struct Goals(Vec<String>);

impl Goals {
    fn at_least(&mut self, what: &str, found: f64, goal: f64) {
        self.add(what, found, "at least", goal, found >= goal);
    }

    fn at_most(&mut self, what: &str, found: f64, goal: f64) {
        self.add(what, found, "at most", goal, found <= goal);
    }

    fn add(&mut self, what: &str, found: f64, how: &str, goal: f64, holds: bool) {
        let verdict = if holds { "holds" } else { "does not hold" };
        if found.is_nan() {
            return;
        }
        self.0.push(format!("goal {what}: {found:.2}, {how} {goal}: {verdict}"));
    }

    fn print(&self) {
        for goal in &self.0 {
            println!("{goal}");
        }
    }
}
